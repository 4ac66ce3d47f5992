"""A directory of MLflow's file store as a source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from otflow.entities import Span
from otflow.errors import InvalidParameterError
from otflow.migration.directory.files import entries
from otflow.migration.directory.models import logged_models_of, registered_models_of
from otflow.migration.directory.runs import META, experiment, points_of, runs_of
from otflow.migration.directory.traces import traces_of
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
)
from otflow.migration.report import ImportReport
from otflow.migration.span_files import spans_of_file

__all__ = ["DirectorySource"]

T = TypeVar("T")

_TRASH: Final = ".trash"
_MODELS: Final = "models"
_AT_ONCE: Final = 200


class DirectorySource(Source):
    """A directory of experiments. What is written to it meanwhile may be read or not: it has no snapshots.

    Args:
        path: The directory.
        report: What is told of what cannot be read.
    """

    def __init__(self, path: str, report: ImportReport) -> None:
        self.uri = path
        self._report = report
        self._folders: dict[int, str] = {}
        """Directories of experiments, by their numbers."""
        self._runs: dict[str, str] = {}
        """Directories of the runs that were given out last."""

    def workspaces(self) -> Iterator[SourceWorkspace]:
        return iter(())

    def experiments(self) -> Iterator[SourceExperiment]:
        for entry in (*entries(self.uri), *entries(os.path.join(self.uri, _TRASH))):
            if entry.name in (_TRASH, _MODELS) or not os.path.exists(os.path.join(entry.path, META)):
                continue
            try:
                found = experiment(entry.path)
            except InvalidParameterError as error:
                self._report.skip("experiments", f"the experiment in {entry.path}", error)
                continue
            self._folders[found.experiment_id] = entry.path
            yield found

    def runs(self) -> Iterator[list[SourceRun]]:
        every = (found for number, folder in self._folders.items() for found in runs_of(folder, number, self._report))
        for some in _portions(every):
            self._runs = {run.run_id: path for run, path in some}
            yield [run for run, _ in some]

    def points(self, runs: Sequence[SourceRun]) -> Iterator[list[Point]]:
        return points_of([(run, self._runs[run.run_id]) for run in runs], self._report)

    def models(self) -> Iterator[list[SourceModel]]:
        return _portions(
            model
            for number, folder in self._folders.items()
            for model in logged_models_of(folder, number, self._report)
        )

    def traces(self) -> Iterator[list[SourceTrace]]:
        return _portions(
            trace for number, folder in self._folders.items() for trace in traces_of(folder, number, self._report)
        )

    def spans(self, traces: Sequence[SourceTrace]) -> dict[str, list[Span]]:
        return {trace.info.trace_id: spans_of_file(trace, self._report) for trace in traces}

    def registered_models(self) -> Iterator[SourceRegistered]:
        return registered_models_of(os.path.join(self.uri, _MODELS), self._report)

    def webhooks(self) -> Iterator[SourceWebhook]:
        return iter(())

    def left_out(self) -> dict[str, int]:
        return {}


def _portions(things: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(things, _AT_ONCE)):
        yield some
