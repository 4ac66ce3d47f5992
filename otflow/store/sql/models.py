"""Logged models: made, read, changed, deleted."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otflow.clock import now_ms
from otflow.entities import LoggedModel, LoggedModelStatus, Metric
from otflow.errors import NotFoundError
from otflow.semconv import RunKey
from otflow.store.model_validation import absent, check_id, check_name, check_pairs, check_status, check_unchanged
from otflow.store.naming import random_name
from otflow.store.sql import experiments
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.rows import clean, clean_id
from otflow.store.sql.runs import artifact_uri
from otflow.store.sql.statements import insert_rows, select_in, upsert
from otflow.wire.prompt_links import linked_prompts, linked_text

__all__ = [
    "MODEL_COLUMNS",
    "Draft",
    "create",
    "delete",
    "delete_tag",
    "draft",
    "finalize",
    "get",
    "link_prompts",
    "load",
    "log_params",
    "set_tags",
]

MODEL_COLUMNS: Final = (
    "model_id", "experiment_id", "name", "artifact_location", "creation_time_ms", "last_update_time_ms",
    "model_type", "source_run_id", "status", "status_message",
)  # fmt: skip
"""The columns of `logged_models` that `load` reads, in this order."""
_RETURNING: Final = ", ".join(MODEL_COLUMNS)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new logged model is made from, checked before the transaction begins."""

    model_id: str
    name: str
    source_run_id: str | None
    tags: dict[str, str]
    params: dict[str, str]
    model_type: str | None
    status: LoggedModelStatus


# -- reading -------------------------------------------------------------------------------------------


def load(session: Session, rows: Sequence[Row]) -> list[LoggedModel]:
    """Logged models with all that is known of them, in a few statements however many they are.

    Args:
        session: The snapshot that the rows were read in.
        rows: Rows of `logged_models` that begin with `MODEL_COLUMNS`; what comes after these is ignored.

    Returns:
        The models, in the order of the rows. Their metrics are all points, by time; None where there are none, as in
        the released MLflow.
    """
    ids = [row[0] for row in rows]
    tags: dict[str, dict[str, str]] = {}
    params: dict[str, dict[str, str]] = {}
    metrics: dict[str, list[Metric]] = {}
    for found, table in ((tags, "logged_model_tags"), (params, "logged_model_params")):
        for model_id, key, value in select_in(
            session, f"SELECT model_id, key, value FROM {table} WHERE model_id IN {{}} ORDER BY model_id, key", ids
        ):
            found.setdefault(model_id, {})[key] = value
    for model_id, key, time_ms, step, value, is_nan, name, digest, run_id in select_in(
        session,
        "SELECT v.model_id, v.key, v.time_ms, v.step, v.value, v.is_nan, v.dataset_name, v.dataset_digest, r.run_id"
        " FROM logged_model_metrics v JOIN runs r ON r.number = v.run WHERE v.model_id IN {}"
        " ORDER BY v.model_id, v.time_ms, v.step, v.run, v.key, v.value, v.dataset_name, v.dataset_digest",
        ids,
    ):
        point = Metric(
            key, math.nan if is_nan else value, time_ms, step, model_id, name or None, digest or None, run_id
        )
        metrics.setdefault(model_id, []).append(point)
    return [
        LoggedModel(
            experiment_id=str(row[1]),
            model_id=row[0],
            name=row[2],
            artifact_location=row[3],
            creation_timestamp=row[4],
            last_updated_timestamp=row[5],
            model_type=row[6],
            source_run_id=row[7],
            status=LoggedModelStatus(row[8]),
            status_message=row[9],
            tags=tags.get(row[0]),
            params=params.get(row[0]),
            metrics=metrics.get(row[0]),
        )
        for row in rows
    ]


def get(session: Session, model_id: str) -> LoggedModel:
    """One logged model that is not deleted."""
    row = session.one(
        f"SELECT {_RETURNING} FROM logged_models WHERE model_id = ? AND lifecycle_stage = 'active'",
        (_id(model_id),),
    )
    if row is None:
        raise absent(model_id)
    return load(session, [row])[0]


def _lock(session: Session, model_id: object) -> str:
    """The id of a model that is not deleted, and stays as it is until the transaction ends."""
    row = session.one(
        "SELECT model_id FROM logged_models WHERE model_id = ? AND lifecycle_stage = 'active'"
        + session.dialect.for_update,
        (_id(model_id),),
    )
    if row is None:
        raise absent(model_id)
    return row[0]


def _id(model_id: object) -> str:
    return clean(check_id(model_id))


# -- writing -------------------------------------------------------------------------------------------


def draft(
    name: str | None,
    source_run_id: str | None,
    tags: Mapping[str, str] | None,
    params: Mapping[str, str] | None,
    model_type: str | None,
    status: LoggedModelStatus,
) -> Draft:
    """Check what a new logged model is made from; see `LoggedModelStore.create_logged_model`."""
    return Draft(
        model_id=f"m-{uuid.uuid4().hex}",
        name=random_name() if name is None else clean(check_name(name)),
        source_run_id=None if source_run_id is None else clean_id(source_run_id),
        tags=_pairs("tags", tags or {}),
        params=_pairs("params", params or {}),
        model_type=None if model_type is None else clean_id(model_type),
        status=check_status(status),
    )


def create(session: Session, experiment_id: str, draft: Draft) -> LoggedModel:
    """Create a logged model; see `LoggedModelStore.create_logged_model`."""
    experiment, location = experiments.active(session, experiment_id)
    now = now_ms()
    model = LoggedModel(
        experiment_id=str(experiment),
        model_id=draft.model_id,
        name=draft.name,
        artifact_location=artifact_uri(location, f"models/{draft.model_id}"),
        creation_timestamp=now,
        last_updated_timestamp=now,
        model_type=draft.model_type,
        source_run_id=draft.source_run_id,
        status=draft.status,
        tags=dict(draft.tags),
        params=dict(draft.params),
    )
    session.run(
        f"INSERT INTO logged_models ({_RETURNING}, lifecycle_stage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active')",
        (
            model.model_id, experiment, model.name, model.artifact_location, now, now,
            model.model_type, model.source_run_id, model.status.value, None,
        ),
    )  # fmt: skip
    _insert(session, "logged_model_tags", model.model_id, draft.tags)
    _insert(session, "logged_model_params", model.model_id, draft.params)
    return model


def finalize(session: Session, model_id: str, status: LoggedModelStatus) -> LoggedModel:
    """Set the state of a logged model."""
    row = session.one(
        "UPDATE logged_models SET status = ?, last_update_time_ms = ? WHERE model_id = ? AND lifecycle_stage = 'active'"
        f" RETURNING {_RETURNING}",
        (check_status(status).value, now_ms(), _id(model_id)),
    )
    if row is None:
        raise absent(model_id)
    return load(session, [row])[0]


def delete(session: Session, model_id: str) -> None:
    """Mark a logged model deleted; one that is deleted already stays so, as in the released MLflow."""
    found = session.run(
        "UPDATE logged_models SET lifecycle_stage = 'deleted', last_update_time_ms = ? WHERE model_id = ?",
        (now_ms(), _id(model_id)),
    )
    if found == 0:
        raise absent(model_id)


def set_tags(session: Session, model_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a logged model."""
    checked = _pairs("tags", tags)
    known = _lock(session, model_id)
    insert_rows(
        session,
        upsert("logged_model_tags", ("model_id", "key", "value"), ("model_id", "key")),
        [(known, key, value) for key, value in checked.items()],
    )


def link_prompts(session: Session, model_id: str, prompts: Sequence[tuple[str, str]]) -> None:
    """Link prompt versions to a logged model."""
    known = _lock(session, model_id)
    row = session.one(
        "SELECT value FROM logged_model_tags WHERE model_id = ? AND key = ?", (known, RunKey.LINKED_PROMPTS)
    )
    there = linked_prompts(row[0] if row is not None else None)
    linked = dict.fromkeys([*there, *((clean_id(name), clean_id(version)) for name, version in prompts)])
    if len(linked) > len(there):
        set_tags(session, model_id, {RunKey.LINKED_PROMPTS: linked_text(linked)})


def delete_tag(session: Session, model_id: str, key: str) -> None:
    """Delete one tag of a logged model."""
    known = _lock(session, model_id)
    if session.run("DELETE FROM logged_model_tags WHERE model_id = ? AND key = ?", (known, clean_id(key))) == 0:
        raise NotFoundError(f"No tag with key '{key}' found for model with ID '{model_id}'.")


def log_params(session: Session, model_id: str, params: Mapping[str, str]) -> None:
    """Set parameters of a logged model; those that are there may not change."""
    checked = _pairs("params", params)
    known = _lock(session, model_id)
    there = dict(
        select_in(
            session,
            "SELECT key, value FROM logged_model_params WHERE model_id = ? AND key IN {}",
            list(checked),
            before=(known,),
        )
    )
    check_unchanged(there, checked, model_id)
    _insert(session, "logged_model_params", known, {key: value for key, value in checked.items() if key not in there})


def _insert(session: Session, table: str, model_id: str, pairs: Mapping[str, str]) -> None:
    insert_rows(
        session,
        f"INSERT INTO {table} (model_id, key, value) VALUES {{}}",
        [(model_id, key, value) for key, value in pairs.items()],
    )


def _pairs(parameter: str, given: Any) -> dict[str, str]:
    return {clean(key): clean(value) for key, value in check_pairs(parameter, given).items()}
