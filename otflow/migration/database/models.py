"""Logged models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from otflow.migration.database.runs import number
from otflow.migration.database.tables import Tables
from otflow.migration.records import SourceModel, Value, text, texts
from otflow.migration.report import ImportReport
from otflow.store.sql.rows import clean

__all__ = ["model_fields", "models"]

_COLUMNS: Final = (
    "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms", "last_updated_timestamp_ms",
    "status", "status_message", "lifecycle_stage", "model_type", "source_run_id",
)  # fmt: skip
_STATUSES: Final = {1: "PENDING", 2: "READY", 3: "FAILED"}
_POINT: Final = (
    "model_id", "metric_name", "dataset_name", "dataset_digest", "run_id", "metric_timestamp_ms", "metric_step",
    "metric_value",
)  # fmt: skip


def model_fields(
    name: Any, location: Any, created: Any, updated: Any, status: Any, message: Any, stage: Any, kind: Any, run_id: Any
) -> dict[str, Value]:
    """What a row of ours says of a logged model.

    Raises:
        ValueError: A status that is none.
    """
    if int(status) not in _STATUSES:
        raise ValueError(f"{status!r} is no status of a logged model; there are {_STATUSES}")
    return {
        "name": text(name) or "",
        "artifact_location": text(location) or "",
        "creation_time_ms": int(created or 0),
        "last_update_time_ms": int(updated or created or 0),
        "status": _STATUSES[int(status)],
        "status_message": text(message),
        "lifecycle_stage": stage or "active",
        "model_type": text(kind),
        "source_run_id": text(run_id),
    }


def models(tables: Tables, report: ImportReport) -> Iterator[list[SourceModel]]:
    """All logged models, page by page."""
    for rows in tables.pages("logged_models", _COLUMNS, size=100):
        found: dict[str, SourceModel] = {}
        for model_id, experiment_id, *rest in rows:
            try:
                found[model_id] = SourceModel(clean(model_id), int(experiment_id), model_fields(*rest))
            except (TypeError, ValueError) as error:
                report.skip("logged models", f"the logged model {model_id}", error)
        ids = list(found)
        for model_id, key, value in tables.of("logged_model_tags", ("model_id", "tag_key", "tag_value"), ids):
            found[model_id].tags.update(texts({key: value}))
        for model_id, key, value in tables.of("logged_model_params", ("model_id", "param_key", "param_value"), ids):
            found[model_id].params.update(texts({key: value}))
        for model_id, key, name, digest, run_id, time_ms, step, value in tables.of("logged_model_metrics", _POINT, ids):
            try:
                point = (int(time_ms), int(step or 0), *number(value))
            except (TypeError, ValueError) as error:
                report.skip("metric points", f"a point of the metric {key!r} of the logged model {model_id}", error)
                continue
            found[model_id].points.append((clean(key), text(name) or "", text(digest) or "", run_id, *point))
        yield list(found.values())
