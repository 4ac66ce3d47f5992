"""Experiments and their tags."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from otflow.clock import now_ms
from otflow.entities import Experiment, ExperimentTag, Page, ViewType
from otflow.errors import AlreadyExistsError, InvalidParameterError, InvalidStateError, NotFoundError
from otflow.store import validation
from otflow.store.sql import keyset, workspaces
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import values
from otflow.store.sql.rows import clean, clean_id
from otflow.store.sql.statements import insert_rows, select_in, upsert

__all__ = [
    "active",
    "create",
    "delete",
    "delete_tag",
    "experiment_number",
    "get",
    "get_by_name",
    "rename",
    "restore",
    "search",
    "set_tags",
]

_COLUMNS: Final = (
    "experiment_id, name, artifact_location, lifecycle_stage, creation_time_ms, last_update_time_ms, workspace"
)
_MAX_RESULTS: Final = 50_000
_LARGEST: Final = 2**63 - 1
_NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*").fullmatch


def experiment_number(experiment_id: object) -> int:
    """The number that an experiment's id stands for."""
    if isinstance(experiment_id, bool) or _NUMBER(str(experiment_id)) is None:
        raise InvalidParameterError(f"Invalid experiment ID '{experiment_id}'. Experiment ID must be a valid integer.")
    number = int(str(experiment_id))
    if not 0 <= number <= _LARGEST:
        raise _absent(experiment_id)
    return number


def create(
    session: Session,
    workspace: str,
    name: str,
    artifact_location: str | None,
    tags: Mapping[str, str] | None,
    root_of_store: str,
) -> str:
    """Create an experiment; see `ExperimentStore.create_experiment`."""
    name = clean(validation.check_experiment_name(name))
    location = _absolute(artifact_location)
    first_tags = validation.check_first_tags(tags or {})
    now = now_ms()
    root = workspaces.artifact_root(session, workspace, root_of_store)
    row = session.one(
        "INSERT INTO experiments"
        " (workspace, name, artifact_location, lifecycle_stage, creation_time_ms, last_update_time_ms)"
        " VALUES (?, ?, ?, 'active', ?, ?) ON CONFLICT DO NOTHING RETURNING experiment_id",
        (workspace, name, location or "", now, now),
    )
    if row is None:
        raise _taken(session, workspace, name)
    number: int = row[0]
    if not location:
        session.run(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
            (f"{root.rstrip('/')}/{number}", number),
        )
    insert_rows(
        session,
        "INSERT INTO experiment_tags (experiment_id, key, value) VALUES {}",
        [(number, clean(key), clean(value)) for key, value in first_tags.items()],
    )
    return str(number)


def get(session: Session, experiment_id: str) -> Experiment:
    """One experiment by its id."""
    return _experiments(session, [_row(session, experiment_id)])[0]


def get_by_name(session: Session, workspace: str, name: str) -> Experiment | None:
    """One experiment by its exact name."""
    if name is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    row = session.one(
        f"SELECT {_COLUMNS} FROM experiments WHERE workspace = ? AND name = ?", (workspace, clean_id(name))
    )
    return None if row is None else _experiments(session, [row])[0]


def search(
    session: Session,
    workspace: str,
    view_type: int,
    filter_string: str | None,
    order_by: Sequence[str] | None,
    max_results: int,
    page_token: str | None,
) -> Page[Experiment]:
    """One page of experiments; see `ExperimentStore.search_experiments`."""
    from otflow.store.sql import filters

    limit = validation.check_max_results(max_results, _MAX_RESULTS)
    stages = {ViewType.ACTIVE_ONLY: ["active"], ViewType.DELETED_ONLY: ["deleted"], ViewType.ALL: ["active", "deleted"]}
    if view_type not in stages:
        raise InvalidParameterError(
            f"Invalid value {view_type!r} for parameter 'view_type' supplied."
            " It must be one of ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL"
        )
    query = filters.experiment_query(filter_string, order_by, session.dialect)
    conditions = ["e.workspace = ?", f"e.lifecycle_stage IN {values(len(stages[view_type]), 1)}"]
    parameters: list[object] = [workspace, *stages[view_type]]
    if query.where:
        conditions.append(query.where)
        parameters += query.parameters
    if page_token:
        condition, more = keyset.after(query.order, keyset.read_token("experiments", query.order, page_token))
        conditions.append(condition)
        parameters += more
    order, order_parameters = keyset.order_by(query.order)
    keys = ", ".join(key.sql for key in query.order)
    key_parameters = [parameter for key in query.order for parameter in key.parameters]
    rows = session.all(
        f"SELECT {_COLUMNS}, {keys} FROM experiments e WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?",
        [*key_parameters, *parameters, *order_parameters, limit + 1],
    )
    if not rows and page_token is None:
        workspaces.get(session, workspace)  # rather an error than nothing, where the name is mistyped
    token = keyset.write_token("experiments", query.order, rows[limit - 1][7:]) if len(rows) > limit else None
    return Page(_experiments(session, rows[:limit]), token)


def delete(session: Session, experiment_id: str) -> None:
    """Mark an experiment deleted."""
    _move(session, experiment_id, "active", "deleted")


def restore(session: Session, experiment_id: str) -> None:
    """Undo `delete`."""
    _move(session, experiment_id, "deleted", "active")


def rename(session: Session, experiment_id: str, new_name: str) -> None:
    """Rename an active experiment."""
    new_name = clean(validation.check_experiment_name(new_name))
    row = _row(session, experiment_id, lock=True)
    if row[3] != "active":
        raise InvalidStateError(f"Cannot rename a non-active experiment. The experiment {row[0]} is {row[3]}.")
    taken = "SELECT 1 FROM experiments WHERE workspace = ? AND name = ? AND experiment_id <> ?"
    if session.one(taken, (row[6], new_name, row[0])):
        raise _taken(session, row[6], new_name)
    session.run(
        "UPDATE experiments SET name = ?, last_update_time_ms = ? WHERE experiment_id = ?", (new_name, now_ms(), row[0])
    )


def set_tags(session: Session, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of an active experiment."""
    checked = [validation.check_experiment_tag(key, value) for key, value in tags.items()]
    number = active(session, experiment_id)[0]
    insert_rows(
        session,
        upsert("experiment_tags", ("experiment_id", "key", "value"), ("experiment_id", "key")),
        [(number, clean(key), clean(value)) for key, value in checked],
    )


def delete_tag(session: Session, experiment_id: str, key: str) -> None:
    """Delete one tag of an active experiment."""
    number = active(session, experiment_id)[0]
    key = clean_id(key)
    if session.run("DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?", (number, key)) == 0:
        raise NotFoundError(f"No tag with name: {key} in experiment with id {number}")


def _row(session: Session, experiment_id: object, *, lock: bool = False) -> Row:
    row = session.one(
        f"SELECT {_COLUMNS} FROM experiments WHERE experiment_id = ?" + (session.dialect.for_change if lock else ""),
        (experiment_number(experiment_id),),
    )
    if row is None:
        raise _absent(experiment_id)
    return row


def active(session: Session, experiment_id: object) -> tuple[int, str]:
    """Number and artifact location of an active experiment; it stays one until the transaction ends."""
    row = _row(session, experiment_id, lock=True)
    if row[3] != "active":
        raise InvalidParameterError(
            f"The experiment {row[0]} must be in the 'active' state. Current state is {row[3]}."
        )
    return row[0], row[2]


def _move(session: Session, experiment_id: object, before: str, after: str) -> None:
    moved = session.run(
        "UPDATE experiments SET lifecycle_stage = ?, last_update_time_ms = ?"
        " WHERE experiment_id = ? AND lifecycle_stage = ?",
        (after, now_ms(), experiment_number(experiment_id), before),
    )
    if moved == 0:
        raise NotFoundError(f"No {before} Experiment with id={experiment_id} exists")
    # Its runs go with it and come back with it, all of them, as in MLflow.
    session.run(
        "UPDATE runs SET lifecycle_stage = ? WHERE experiment_id = ? AND lifecycle_stage = ?",
        (after, experiment_number(experiment_id), before),
    )


def _absent(experiment_id: object) -> NotFoundError:
    return NotFoundError(f"No Experiment with id={experiment_id} exists")


def _taken(session: Session, workspace: str, name: str) -> AlreadyExistsError:
    row = session.one(
        "SELECT experiment_id, lifecycle_stage FROM experiments WHERE workspace = ? AND name = ?", (workspace, name)
    )
    hint = (
        f" It is deleted: restore the experiment {row[0]}, or rename it."
        if row is not None and row[1] != "active"
        else ""
    )
    return AlreadyExistsError(f"Experiment(name={name}) already exists.{hint}")


def _experiments(session: Session, rows: Sequence[Row]) -> list[Experiment]:
    tags: dict[int, list[ExperimentTag]] = {}
    for number, key, value in select_in(
        session,
        "SELECT experiment_id, key, value FROM experiment_tags WHERE experiment_id IN {} ORDER BY key",
        [row[0] for row in rows],
    ):
        tags.setdefault(number, []).append(ExperimentTag(key, value))
    return [
        Experiment(
            experiment_id=str(row[0]),
            name=row[1],
            artifact_location=row[2],
            lifecycle_stage=row[3],
            tags=tags.get(row[0], []),
            creation_time=row[4],
            last_update_time=row[5],
            workspace=row[6],
        )
        for row in rows
    ]


def _absolute(location: Any) -> str | None:
    """A location that means the same wherever the process stands: relative paths from here, now."""
    if location is None or location == "":
        return None
    if isinstance(location, Path):
        location = str(location)
    if not isinstance(location, str):
        raise InvalidParameterError(f"an artifact location is a path or a URI, not {location!r}")
    location = clean(location)
    scheme = location.partition(":")[0] if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", location) else ""
    if scheme == "file" and not location.startswith("file:/"):
        return "file://" + os.path.abspath(location.removeprefix("file:"))
    return location if scheme or os.path.isabs(location) else os.path.abspath(location)
