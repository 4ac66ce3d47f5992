"""Workspaces and experiments."""

from __future__ import annotations

from collections.abc import Iterator

from otflow.migration.database.tables import Tables
from otflow.migration.records import SourceExperiment, SourceWorkspace, text, texts
from otflow.migration.report import ImportReport
from otflow.store.workspaces import DEFAULT_WORKSPACE

__all__ = ["experiments", "workspaces"]

_COLUMNS = (
    "experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time", "workspace",
)  # fmt: skip


def workspaces(tables: Tables) -> Iterator[SourceWorkspace]:
    """All workspaces."""
    for name, description, root in tables.all("workspaces", ("name", "description", "default_artifact_root"), "name"):
        yield SourceWorkspace(name, {"description": text(description), "default_artifact_root": text(root)})


def experiments(tables: Tables, report: ImportReport) -> Iterator[SourceExperiment]:
    """All experiments, by their numbers."""
    for rows in tables.pages("experiments", _COLUMNS):
        tags: dict[int, dict[str, str]] = {}
        for number, key, value in tables.of("experiment_tags", ("experiment_id", "key", "value"), [r[0] for r in rows]):
            tags.setdefault(number, {})[key] = value
        for number, name, location, stage, created, updated, workspace in rows:
            if not name:
                report.skip("experiments", f"the experiment {number}", "it has no name")
                continue
            yield SourceExperiment(
                experiment_id=int(number),
                workspace=workspace or DEFAULT_WORKSPACE,
                created=created,
                fields={
                    "name": text(name),
                    "artifact_location": text(location) or "",
                    "lifecycle_stage": stage or "active",
                    "creation_time_ms": created or 0,
                    "last_update_time_ms": updated or created or 0,
                },
                tags=texts(tags.get(number, {})),
            )
