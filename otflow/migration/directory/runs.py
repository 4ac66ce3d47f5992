"""Experiments and their runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

from otflow.errors import InvalidParameterError
from otflow.migration.database.runs import number, run_fields
from otflow.migration.directory.files import entries, files_below, pairs, read_yaml
from otflow.migration.records import Point, SourceDataset, SourceExperiment, SourceRun, text, texts
from otflow.migration.report import ImportReport
from otflow.store.sql.rows import clean
from otflow.store.workspaces import DEFAULT_WORKSPACE

__all__ = ["META", "experiment", "points_of", "runs_of"]

META: Final = "meta.yaml"
_STATUSES: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_POINTS_AT_ONCE: Final = 20_000


def experiment(folder: str) -> SourceExperiment:
    """The experiment of a directory.

    Raises:
        InvalidParameterError: It is none.
    """
    found = read_yaml(os.path.join(folder, META))
    try:
        number, name = int(found["experiment_id"]), text(found["name"])
    except (LookupError, TypeError, ValueError):
        raise InvalidParameterError(f"{os.path.join(folder, META)} names no experiment") from None
    created = found.get("creation_time")
    stage = "deleted" if os.path.basename(os.path.dirname(folder)) == ".trash" else found.get("lifecycle_stage")
    return SourceExperiment(
        experiment_id=number,
        workspace=str(found.get("workspace") or DEFAULT_WORKSPACE),
        created=created,
        fields={
            "name": name or "",
            "artifact_location": text(found.get("artifact_location")) or folder,
            "lifecycle_stage": str(stage or "active"),
            "creation_time_ms": int(created or 0),
            "last_update_time_ms": int(found.get("last_update_time") or created or 0),
        },
        tags=texts(pairs(os.path.join(folder, "tags"))),
    )


def runs_of(folder: str, experiment_id: int, report: ImportReport) -> Iterator[tuple[SourceRun, str]]:
    """The runs of an experiment's directory, each with its own directory."""
    for entry in entries(folder):
        if not os.path.exists(os.path.join(entry.path, META)):
            continue
        try:
            yield _run(entry.path, folder, experiment_id), entry.path
        except (InvalidParameterError, LookupError, TypeError, ValueError) as error:
            report.skip("runs", f"the run in {entry.path}", error)


def _run(path: str, folder: str, experiment_id: int) -> SourceRun:
    found = read_yaml(os.path.join(path, META))
    run_id = clean(str(found.get("run_id") or found["run_uuid"]))
    tags = texts(pairs(os.path.join(path, "tags")))
    status = found.get("status")
    fields = run_fields(
        found.get("run_name") or found.get("name") or tags.get("mlflow.runName"),
        found.get("user_id"),
        _STATUSES[status] if isinstance(status, int) else status,
        found.get("start_time"),
        found.get("end_time"),
        found.get("lifecycle_stage"),
        found.get("artifact_uri") or os.path.join(path, "artifacts"),
    )
    run = SourceRun(run_id, experiment_id, fields, tags, texts(pairs(os.path.join(path, "params"))))
    run.points = sum(os.path.getsize(file) for _, file in files_below(os.path.join(path, "metrics")))
    for kind, made in (("inputs", 0), ("outputs", 1)):
        for entry in entries(os.path.join(path, kind)):
            _add_use(run, read_yaml(os.path.join(entry.path, META)), made, folder)
    return run


def _add_use(run: SourceRun, use: dict[str, Any], made: int, folder: str) -> None:
    if made or use.get("source_type") == "MODEL":
        run.models.append((made, clean(str(use["destination_id"])), int(use.get("step") or 0)))
        return
    found = read_yaml(os.path.join(folder, "datasets", str(use["source_id"]), META))
    labels: Any = use.get("tags") or {}
    run.datasets.append(
        SourceDataset(
            name=text(found.get("name")) or "",
            digest=text(found.get("digest")) or "",
            source_type=text(found.get("source_type")) or "",
            source=text(found.get("source")) or "",
            schema=text(found.get("schema")),
            profile=text(found.get("profile")),
            labels=texts(labels),
        )
    )


def points_of(runs: Sequence[tuple[SourceRun, str]], report: ImportReport) -> Iterator[list[Point]]:
    """The points of the metrics of runs, in portions."""
    portion: list[Point] = []
    for run, path in runs:
        for key, file in files_below(os.path.join(path, "metrics")):
            with open(file, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if not line.strip():
                        continue
                    try:
                        portion.append((run.run_id, clean(key), *_point(line)))
                    except (ValueError, LookupError) as error:
                        report.skip("metric points", f"a point of the metric {key!r} of the run {run.run_id}", error)
                    if len(portion) >= _POINTS_AT_ONCE:
                        yield portion
                        portion = []
    if portion:
        yield portion


def _point(line: str) -> tuple[int, int, float, int]:
    """Time, step, value, whether it is NaN, of a line: time, value, and since MLflow 1 the step."""
    words = line.split()
    time_ms = int(words[0])
    return (time_ms, int(words[2]) if len(words) > 2 else 0, *number(words[1]))
