"""A source whose artifacts are somewhere else than it says: those that a server of MLflow's gives out.

Such a server writes `mlflow-artifacts:/1/…` where its own directory of artifacts has `1/…`: an address that means
something only as long as that server runs. Who names that directory gets locations below it instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from otflow.entities import Span
from otflow.migration.records import (
    Point,
    Source,
    SourceExperiment,
    SourceModel,
    SourceRegistered,
    SourceRun,
    SourceTrace,
    SourceWebhook,
    SourceWorkspace,
    Value,
)
from otflow.migration.span_files import file_mark
from otflow.semconv import Tag

__all__ = ["RelocatedSource"]

_PROXIED: Final = re.compile(r"mlflow-artifacts:(?://[^/]*)?/*", re.IGNORECASE).match


class RelocatedSource(Source):
    """A source with locations below a root of artifacts.

    Args:
        source: The source itself.
        root: Where the server keeps its artifacts: a directory, or a URI.
    """

    def __init__(self, source: Source, root: str) -> None:
        self.uri = source.uri
        self._source = source
        self._root = root.rstrip("/")

    def _moved(self, location: Value) -> Value:
        found = _PROXIED(location) if isinstance(location, str) else None
        return location if found is None else f"{self._root}/{found.string[found.end() :]}"

    def workspaces(self) -> Iterator[SourceWorkspace]:
        return self._source.workspaces()

    def experiments(self) -> Iterator[SourceExperiment]:
        for one in self._source.experiments():
            one.fields["artifact_location"] = self._moved(one.fields["artifact_location"])
            yield one

    def runs(self) -> Iterator[list[SourceRun]]:
        for some in self._source.runs():
            for one in some:
                one.fields["artifact_uri"] = self._moved(one.fields["artifact_uri"])
            yield some

    def points(self, runs: Sequence[SourceRun]) -> Iterator[list[Point]]:
        return self._source.points(runs)

    def models(self) -> Iterator[list[SourceModel]]:
        for some in self._source.models():
            for one in some:
                one.fields["artifact_location"] = self._moved(one.fields["artifact_location"])
            yield some

    def traces(self) -> Iterator[list[SourceTrace]]:
        for some in self._source.traces():
            for one in some:
                location = one.info.tags.get(Tag.ARTIFACT_LOCATION)
                if location is not None:
                    one.info.tags[Tag.ARTIFACT_LOCATION] = str(self._moved(location))
                if not one.mark:
                    one.mark, one.size = file_mark(one.info.tags.get(Tag.ARTIFACT_LOCATION))
            yield some

    def spans(self, traces: Sequence[SourceTrace]) -> dict[str, list[Span]]:
        return self._source.spans(traces)

    def registered_models(self) -> Iterator[SourceRegistered]:
        for one in self._source.registered_models():
            for version in one.versions:
                for name in ("source", "storage_location"):
                    version.fields[name] = self._moved(version.fields[name])
            yield one

    def webhooks(self) -> Iterator[SourceWebhook]:
        return self._source.webhooks()

    def left_out(self) -> dict[str, int]:
        return self._source.left_out()
