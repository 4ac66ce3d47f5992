"""Runs: made, read, changed, deleted."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from otflow.clock import now_ns
from otflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
)
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.semconv import RunKey
from otflow.store import run_validation
from otflow.store.naming import random_name
from otflow.store.sql import experiments
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.rows import clean, clean_id
from otflow.store.sql.statements import insert_rows, select_in

__all__ = [
    "RUN_COLUMNS",
    "Draft",
    "Found",
    "active",
    "create",
    "delete",
    "draft",
    "find",
    "get",
    "load",
    "restore",
    "update",
]

RUN_COLUMNS: Final = (
    "number", "run_id", "experiment_id", "name", "user_id", "status",
    "start_ns", "end_time_ms", "lifecycle_stage", "artifact_uri",
)  # fmt: skip
"""The columns of `runs` that `load` and `info` read, in this order."""
_SELECT: Final = f"SELECT {', '.join(RUN_COLUMNS)} FROM runs WHERE run_id = ?"
_NOBODY: Final = "unknown"
_MS: Final = 1_000_000
_STATUSES: Final = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new run is made from, checked before the transaction begins."""

    run_id: str
    name: str
    user_id: str
    start_ns: int
    tags: dict[str, str]


class Found(NamedTuple):
    """A run as those need it that write to it."""

    number: int
    experiment: int


# -- reading -------------------------------------------------------------------------------------------


def load(session: Session, rows: Sequence[Row]) -> list[Run]:
    """Runs with all that they recorded, in a few statements however many they are.

    Args:
        session: The snapshot that the rows were read in.
        rows: Rows of `runs` that begin with `RUN_COLUMNS`; what comes after these is ignored.

    Returns:
        The runs, in the order of the rows.
    """
    numbers = [row[0] for row in rows]
    metrics: dict[int, dict[str, float]] = {number: {} for number in numbers}
    params: dict[int, dict[str, str]] = {number: {} for number in numbers}
    tags: dict[int, dict[str, str]] = {number: {} for number in numbers}
    for number, key, value, is_nan in select_in(
        session, "SELECT run, key, value, is_nan FROM latest_metrics WHERE run IN {} ORDER BY run, key", numbers
    ):
        metrics[number][key] = math.nan if is_nan else value
    for number, key, value in select_in(
        session, "SELECT run, key, value FROM run_params WHERE run IN {} ORDER BY run, key", numbers
    ):
        params[number][key] = value
    for number, key, value in select_in(
        session, "SELECT run, key, value FROM run_tags WHERE run IN {} ORDER BY run, key", numbers
    ):
        tags[number][key] = value
    datasets = _datasets(session, numbers)
    used, made = _models(session, numbers)
    return [
        Run(
            info(row),
            RunData.of(metrics[row[0]], params[row[0]], tags[row[0]]),
            RunInputs(datasets.get(row[0], ()), used.get(row[0])),
            RunOutputs(made.get(row[0], ())),
        )
        for row in rows
    ]


def info(row: Row) -> RunInfo:
    """What a row that begins with `RUN_COLUMNS` says of its run."""
    return RunInfo(row[1], str(row[2]), row[4], row[5], row[6] // _MS, row[7], row[8], row[9], row[3])


def get(session: Session, run_id: str) -> Run:
    """One run, deleted ones too."""
    return load(session, [_row(session, run_id)])[0]


def _datasets(session: Session, runs: Sequence[int]) -> dict[int, list[DatasetInput]]:
    uses = select_in(
        session, "SELECT run, dataset, tags FROM run_datasets WHERE run IN {} ORDER BY run, position, dataset", runs
    )
    # Their texts may be long and are the same for many runs: each is read once.
    known = {
        row[0]: Dataset(*row[1:])
        for row in select_in(
            session,
            "SELECT number, name, digest, source_type, source, schema, profile FROM datasets WHERE number IN {}",
            sorted({use[1] for use in uses}),
        )
    }
    found: dict[int, list[DatasetInput]] = {}
    for run, dataset, tags in uses:
        labels = [InputTag(key, value) for key, value in json.loads(tags).items()]
        found.setdefault(run, []).append(DatasetInput(known[dataset], labels))
    return found


def _models(
    session: Session, runs: Sequence[int]
) -> tuple[dict[int, list[LoggedModelInput]], dict[int, list[LoggedModelOutput]]]:
    """The models that runs used, and those that they made."""
    used: dict[int, list[LoggedModelInput]] = {}
    made: dict[int, list[LoggedModelOutput]] = {}
    for run, is_made, model_id, step in select_in(
        session,
        "SELECT run, made, model_id, step FROM run_models WHERE run IN {} ORDER BY run, made, position, model_id",
        runs,
    ):
        if is_made:
            made.setdefault(run, []).append(LoggedModelOutput(model_id, step))
        else:
            used.setdefault(run, []).append(LoggedModelInput(model_id))
    return used, made


def find(session: Session, run_id: object) -> Found:
    """The run with this id, deleted ones too."""
    row = session.one("SELECT number, experiment_id FROM runs WHERE run_id = ?", (clean_id(run_id),))
    if row is None:
        raise _absent(run_id)
    return Found(*row)


def active(session: Session, run_id: object, *, lock: bool = False) -> Found:
    """The active run with this id; with `lock`, nobody else changes it until the transaction ends."""
    row = session.one(
        "SELECT number, experiment_id, lifecycle_stage FROM runs WHERE run_id = ?"
        + (session.dialect.for_update if lock else ""),
        (clean_id(run_id),),
    )
    if row is None:
        raise _absent(run_id)
    _check_active(run_id, row[2])
    return Found(row[0], row[1])


def _row(session: Session, run_id: object, *, lock: bool = False) -> Row:
    row = session.one(_SELECT + (session.dialect.for_update if lock else ""), (clean_id(run_id),))
    if row is None:
        raise _absent(run_id)
    return row


def _absent(run_id: object) -> NotFoundError:
    return NotFoundError(f"Run with id={run_id} not found")


def _check_active(run_id: object, stage: str) -> None:
    if stage != "active":
        raise InvalidParameterError(f"The run {run_id} must be in the 'active' state. Current state is {stage}.")


# -- writing -------------------------------------------------------------------------------------------


def draft(user_id: str, start_time_ms: int | None, tags: Mapping[str, str] | None, run_name: str | None) -> Draft:
    """Check what a new run is made from; see `RunStore.create_run`."""
    first = dict(run_validation.check_first_tag(key, value) for key, value in (tags or {}).items())
    tagged = first.get(RunKey.NAME)
    if run_name and tagged and str(run_name) != tagged:
        raise InvalidParameterError(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
            f" (run_name='{run_name}', mlflow.runName='{tagged}')."
        )
    name = clean(str(run_name or tagged or random_name()))
    return Draft(
        run_id=uuid.uuid4().hex,
        name=name,
        user_id=clean(str(user_id or first.get(RunKey.USER) or _NOBODY)),
        # 0 is no time, as in MLflow.
        start_ns=run_validation.check_time(start_time_ms, "start_time") * _MS if start_time_ms else now_ns(),
        tags={**{clean(key): clean(value) for key, value in first.items()}, RunKey.NAME: name},
    )


def create(session: Session, experiment_id: str, draft: Draft) -> Run:
    """Create a run; see `RunStore.create_run`."""
    experiment, location = experiments.active(session, experiment_id)
    place = artifact_uri(location, draft.run_id)
    row = session.all(
        "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_ns, lifecycle_stage, artifact_uri)"
        f" VALUES (?, ?, ?, ?, 'RUNNING', ?, 'active', ?) RETURNING {', '.join(RUN_COLUMNS)}",
        (draft.run_id, experiment, draft.name, draft.user_id, draft.start_ns, place),
    )[0]
    insert_rows(
        session,
        "INSERT INTO run_tags (run, key, value) VALUES {}",
        [(row[0], key, value) for key, value in draft.tags.items()],
    )
    return Run(info(row), RunData.of({}, {}, dict(draft.tags)), RunInputs([]), RunOutputs([]))


def artifact_uri(location: str, run_id: str) -> str:
    """Where a run of an experiment with this artifact location keeps its artifacts."""
    below = f"{run_id}/artifacts"
    if "://" not in location or not ("?" in location or "#" in location):
        return f"{location.rstrip('/') if location.strip('/') else location}/{below}"
    # A query or a fragment is not part of the path.
    parts = urlsplit(location)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{below}"))


def update(session: Session, run_id: str, status: str | None, end_time_ms: int | None, name: str | None) -> RunInfo:
    """Change an active run; see `RunStore.update_run`."""
    row = _row(session, run_id, lock=True)
    _check_active(run_id, row[8])
    changes: dict[str, object] = {}
    if status:
        if status not in _STATUSES:
            raise InvalidParameterError(f"{status!r} is no status of a run; there are {', '.join(_STATUSES)}")
        changes["status"] = status
    if end_time_ms is not None:
        changes["end_time_ms"] = run_validation.check_time(end_time_ms, "end_time")
    elif status in ("RUNNING", "SCHEDULED"):
        changes["end_time_ms"] = None
    if name:
        changes["name"] = clean(str(name))
        session.run(
            "INSERT INTO run_tags (run, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
            (row[0], RunKey.NAME, changes["name"]),
        )
    if not changes:
        return info(row)
    settings = ", ".join(f"{column} = ?" for column in changes)
    return info(
        session.all(
            f"UPDATE runs SET {settings} WHERE number = ? RETURNING {', '.join(RUN_COLUMNS)}",
            (*changes.values(), row[0]),
        )[0]
    )


def delete(session: Session, run_id: str) -> None:
    """Mark a run deleted."""
    _move(session, run_id, "deleted")


def restore(session: Session, run_id: str) -> None:
    """Undo `delete`."""
    _move(session, run_id, "active")


def _move(session: Session, run_id: object, stage: str) -> None:
    if session.run("UPDATE runs SET lifecycle_stage = ? WHERE run_id = ?", (stage, clean_id(run_id))) == 0:
        raise _absent(run_id)
