"""Runs, with all that they recorded, and the points of their metrics."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from otflow.migration.database.tables import Tables
from otflow.migration.records import Point, SourceDataset, SourceRun, Value, text, texts
from otflow.migration.report import ImportReport
from otflow.store.sql.connection import Row
from otflow.store.sql.rows import clean

__all__ = ["number", "points", "run_fields", "runs"]

_COLUMNS: Final = (
    "run_uuid", "experiment_id", "name", "user_id", "status", "start_time", "end_time", "lifecycle_stage",
    "artifact_uri",
)  # fmt: skip
_POINTS_AT_ONCE: Final = 20_000
_RUN_NAME: Final = "mlflow.runName"
_LATEST_MS: Final = (2**63 - 1) // 1_000_000


def run_fields(
    name: Any, user_id: Any, status: Any, start_ms: Any, end_ms: Any, stage: Any, artifact_uri: Any
) -> dict[str, Value]:
    """What a row of ours says of a run.

    Raises:
        ValueError: A time that is none.
    """
    for time_ms in (start_ms, end_ms):
        if time_ms is not None and abs(int(time_ms)) > _LATEST_MS:
            raise ValueError(f"{time_ms} is no time in milliseconds")
    return {
        "name": text(name) or "",
        "user_id": text(user_id) or "",
        "status": status or "RUNNING",
        "start_ns": int(start_ms or 0) * 1_000_000,
        "end_time_ms": None if end_ms is None else int(end_ms),
        "lifecycle_stage": stage or "active",
        "artifact_uri": text(artifact_uri) or "",
    }


def number(value: Any) -> tuple[float, int]:
    """The value of a point as our tables hold it, and whether it is NaN."""
    found = math.nan if value is None else float(value)
    if found != found:
        return 0.0, 1
    return (math.copysign(sys.float_info.max, found) if math.isinf(found) else found), 0


def runs(tables: Tables, report: ImportReport) -> Iterator[list[SourceRun]]:
    """All runs, page by page."""
    for rows in tables.pages("runs", _COLUMNS):
        found: dict[str, SourceRun] = {}
        ids = [row[0] for row in rows]
        tags: dict[str, dict[str, str]] = {}
        for run_id, key, value in tables.of("tags", ("run_uuid", "key", "value"), ids):
            tags.setdefault(run_id, {})[key] = value
        for row in rows:
            try:
                found[row[0]] = _run(row, texts(tags.get(row[0], {})))
            except (TypeError, ValueError) as error:
                report.skip("runs", f"the run {row[0]}", error)
        for run_id, key, value in tables.of("params", ("run_uuid", "key", "value"), ids):
            if run_id in found:
                found[run_id].params.update(texts({key: value}))
        for run_id, count in tables.of("metrics", ("run_uuid", "COUNT(*)"), ids, grouped=True):
            if run_id in found:
                found[run_id].points = count
        _add_inputs(tables, found)
        yield list(found.values())


def _run(row: Row, tags: dict[str, str]) -> SourceRun:
    run_id, experiment_id, name, *rest = row
    fields = run_fields(name or tags.get(_RUN_NAME), *rest)
    return SourceRun(clean(run_id), int(experiment_id), fields, tags)


def _add_inputs(tables: Tables, found: dict[str, SourceRun]) -> None:
    """Add the datasets that the runs use, and the models that they use and made."""
    ids = list(found)
    uses = tables.of(
        "inputs", ("destination_id", "source_id", "input_uuid"), ids,
        also=" AND source_type = 'DATASET' AND destination_type = 'RUN'",
    )  # fmt: skip
    known = {
        row[0]: row[1:]
        for row in tables.of(
            "datasets",
            (
                "dataset_uuid", "name", "digest", "dataset_source_type", "dataset_source", "dataset_schema",
                "dataset_profile",
            ),
            sorted({use[1] for use in uses}),
        )
    }  # fmt: skip
    labels: dict[str, dict[str, str]] = {}
    for an_id, key, value in tables.of("input_tags", ("input_uuid", "name", "value"), [use[2] for use in uses]):
        labels.setdefault(an_id, {})[key] = value
    for run_id, dataset_id, use_id in uses:
        if dataset_id in known:
            name, digest, kind, source, schema, profile = (text(part) for part in known[dataset_id])
            found[run_id].datasets.append(
                SourceDataset(
                    name or "", digest or "", kind or "", source or "", schema, profile, texts(labels.get(use_id, {}))
                )
            )
    for made, start, end in ((0, "RUN_INPUT", "MODEL_INPUT"), (1, "RUN_OUTPUT", "MODEL_OUTPUT")):
        for run_id, model_id, step in tables.of(
            "inputs", ("source_id", "destination_id", "step"), ids,
            also=f" AND source_type = '{start}' AND destination_type = '{end}'",
        ):  # fmt: skip
            found[run_id].models.append((made, clean(model_id), int(step or 0)))


def points(tables: Tables, runs: Sequence[SourceRun], report: ImportReport) -> Iterator[list[Point]]:
    """The points of the metrics of runs, in portions."""
    columns = ("run_uuid", "key", "timestamp", "step", "value", "is_nan")
    for portion in tables.portions("metrics", columns, [run.run_id for run in runs], _POINTS_AT_ONCE):
        found: list[Point] = []
        for run_id, key, time_ms, step, value, is_nan in portion:
            try:
                plain, unknown = number(value)
                found.append((run_id, clean(key), int(time_ms), int(step or 0), 0.0 if is_nan else plain,
                              1 if is_nan else unknown))  # fmt: skip
            except (TypeError, ValueError) as error:
                report.skip("metric points", f"a point of the metric {key!r} of the run {run_id}", error)
        yield found
