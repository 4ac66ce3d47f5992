"""A database of MLflow's as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from otflow.entities import Span
from otflow.migration.database import experiments, models, registry, runs, traces
from otflow.migration.database.runs import points
from otflow.migration.database.tables import Tables
from otflow.migration.database.traces import spans
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

__all__ = ["DatabaseSource"]

_LEFT_OUT: Final = (
    ("evaluation_datasets", "evaluation datasets"),
    ("scorers", "scorers"),
    ("endpoints", "gateway endpoints"),
    ("secrets", "gateway secrets"),
    ("jobs", "jobs"),
)


class DatabaseSource(Source):
    """A database, seen at one moment.

    Args:
        uri: What it is called.
        tables: Its tables.
        report: What is told of what cannot be read.
    """

    def __init__(self, uri: str, tables: Tables, report: ImportReport) -> None:
        self.uri = uri
        self._tables = tables
        self._report = report

    def workspaces(self) -> Iterator[SourceWorkspace]:
        return experiments.workspaces(self._tables)

    def experiments(self) -> Iterator[SourceExperiment]:
        return experiments.experiments(self._tables, self._report)

    def runs(self) -> Iterator[list[SourceRun]]:
        return runs.runs(self._tables, self._report)

    def points(self, runs: Sequence[SourceRun]) -> Iterator[list[Point]]:
        return points(self._tables, runs, self._report)

    def models(self) -> Iterator[list[SourceModel]]:
        return models.models(self._tables, self._report)

    def traces(self) -> Iterator[list[SourceTrace]]:
        return traces.traces(self._tables, self._report)

    def spans(self, traces: Sequence[SourceTrace]) -> dict[str, list[Span]]:
        return spans(self._tables, traces, self._report)

    def registered_models(self) -> Iterator[SourceRegistered]:
        return registry.registered_models(self._tables)

    def webhooks(self) -> Iterator[SourceWebhook]:
        return registry.webhooks(self._tables)

    def left_out(self) -> dict[str, int]:
        return {what: self._tables.count(table) for table, what in _LEFT_OUT if self._tables.count(table)}
