"""Versions of registered models: added, read, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otflow.clock import now_ms
from otflow.entities.model_registry import ModelVersion
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.model_uris import SCHEME, parse_model_uri
from otflow.store.registry_validation import (
    ACTIVE_STAGES,
    LATEST,
    absent_alias,
    absent_model,
    absent_version,
    check_alias,
    check_name,
    check_stage,
    check_stages,
    check_tag,
    check_tag_key,
    check_tags,
    check_text,
    is_prompt,
    taken,
)
from otflow.store.sql import models as logged_models
from otflow.store.sql.connection import Conflict, Session
from otflow.store.sql.registry import events, models
from otflow.store.sql.registry.names import Named, find, find_version, look
from otflow.store.sql.registry.reading import SELECT_VERSIONS, latest_rows, load_versions
from otflow.store.sql.rows import clean
from otflow.store.sql.scope import Kind, Scope
from otflow.store.sql.statements import insert_rows, upsert

__all__ = [
    "Draft",
    "by_alias",
    "create",
    "delete",
    "delete_tag",
    "draft",
    "get",
    "latest",
    "location",
    "of_stages",
    "set_tag",
    "transition",
    "update",
]

_INSERTED: Final = (
    "version", "model", "description", "current_stage", "source", "storage_location", "run_id", "run_link", "model_id",
    "status", "creation_time_ms", "last_update_time_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new version is made from, checked before the transaction begins."""

    name: str
    source: str | None
    run_id: str | None
    run_link: str | None
    description: str | None
    model_id: str | None
    storage_location: str | None
    tags: dict[str, str]
    create_model: bool
    model_tags: dict[str, str]
    model_description: str | None
    prompt: bool | None


# -- reading -------------------------------------------------------------------------------------------


def _one(session: Session, workspace: str, model: Named, version: int) -> ModelVersion:
    row = session.one(f"{SELECT_VERSIONS} WHERE v.model = ? AND v.version = ?", (model.number, version))
    if row is None:
        raise absent_version(model.name, version)
    return load_versions(session, workspace, [row])[0]


def get(session: Session, workspace: str, name: str, version: str, prompt: bool | None) -> ModelVersion:
    """One version."""
    return _one(session, workspace, *find_version(session, workspace, name, version, prompt))


def latest(session: Session, workspace: str, name: str, prompt: bool | None) -> ModelVersion:
    """The version with the highest number."""
    model = find(session, workspace, name, prompt)
    row = session.one("SELECT MAX(version) FROM model_versions WHERE model = ?", (model.number,))
    if row is None or row[0] is None:
        raise NotFoundError(f"{'Prompt' if model.is_prompt else 'Registered Model'} with name={name} has no versions")
    return _one(session, workspace, model, row[0])


def by_alias(session: Session, workspace: str, name: str, alias: str, prompt: bool | None) -> ModelVersion:
    """The version that an alias means."""
    checked = check_alias(alias)
    if checked.lower() == LATEST:
        return latest(session, workspace, name, prompt)
    model = find(session, workspace, name, prompt)
    row = session.one(
        "SELECT version FROM registered_model_aliases WHERE model = ? AND alias = ?", (model.number, clean(checked))
    )
    if row is None:
        raise absent_alias(alias)
    return _one(session, workspace, model, row[0])


def of_stages(
    session: Session, workspace: str, name: str, stages: Sequence[str] | None, prompt: bool | None
) -> list[ModelVersion]:
    """The latest version of each stage, by number."""
    asked = check_stages(stages)
    model = find(session, workspace, name, prompt)
    rows = latest_rows(session, [model.number])
    return load_versions(session, workspace, [row for row in rows if asked is None or row[5] in asked])


def _of_stage(session: Session, workspace: str, name: str, stage: str | None) -> ModelVersion:
    found = of_stages(session, workspace, name, [stage or ""], None)
    if not found:
        raise NotFoundError(f"No versions of model with name '{name}' and stage '{stage}' found")
    return found[0]


def location(session: Session, workspace: str, name: str, version: str) -> str:
    """Where the artifacts of a version are."""
    model, number = find_version(session, workspace, name, version)
    return _place(session, model, number)


def _place(session: Session, model: Named, version: int) -> str:
    row = session.one(
        "SELECT COALESCE(storage_location, source) FROM model_versions WHERE model = ? AND version = ?",
        (model.number, version),
    )
    if row is None:
        raise absent_version(model.name, version)
    return row[0]


# -- adding --------------------------------------------------------------------------------------------


def draft(
    name: str,
    source: str | None,
    *,
    run_id: str | None,
    tags: Mapping[str, str] | None,
    run_link: str | None,
    description: str | None,
    model_id: str | None,
    storage_location: str | None,
    create_model: bool,
    model_tags: Mapping[str, str] | None,
    model_description: str | None,
    prompt: bool | None,
) -> Draft:
    """Check what a new version is made from; see `RegistryStore.create_model_version`."""
    return Draft(
        name=clean(check_name(name)),
        source=_text("source", source),
        run_id=_text("run_id", run_id),
        run_link=_text("run_link", run_link),
        description=_text("description", description),
        model_id=_text("model_id", model_id),
        storage_location=_text("storage_location", storage_location),
        tags={clean(key): clean(value) for key, value in check_tags(tags).items()},
        create_model=create_model,
        model_tags={clean(key): clean(value) for key, value in check_tags(model_tags).items()},
        model_description=_text("model_description", model_description),
        prompt=prompt,
    )


def _text(parameter: str, text: Any) -> str | None:
    checked = check_text(parameter, text)
    return None if checked is None else clean(checked)


def create(session: Session, workspace: str, draft: Draft) -> ModelVersion:
    """Add a version; see `RegistryStore.create_model_version`."""
    model = _home(session, workspace, draft)
    storage = draft.storage_location
    if storage is None and draft.source is not None and draft.source.startswith(SCHEME):
        storage = _resolved(session, workspace, draft.source)
    now = now_ms()
    number: int = session.all(
        "UPDATE registered_models SET last_version = last_version + 1, last_update_time_ms = ? WHERE number = ?"
        " RETURNING last_version",
        (now, model.number),
    )[0][0]
    session.run(
        f"INSERT INTO model_versions ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))})",
        (
            number, model.number, draft.description, "None", draft.source, storage, draft.run_id, draft.run_link,
            draft.model_id, "READY", now, now,
        ),
    )  # fmt: skip
    insert_rows(
        session,
        "INSERT INTO model_version_tags (model, version, key, value) VALUES {}",
        [(model.number, number, key, value) for key, value in draft.tags.items()],
    )
    version = ModelVersion(
        name=model.name,
        version=number,
        creation_timestamp=now,
        last_updated_timestamp=now,
        description=draft.description,
        current_stage="None",
        source=draft.source,
        run_id=draft.run_id,
        run_link=draft.run_link,
        model_id=draft.model_id,
        tags=draft.tags,
        workspace=workspace,
    )
    events.version_created(session, workspace, model, version)
    return version


def _home(session: Session, workspace: str, draft: Draft) -> Named:
    """The registered model that a new version is of, locked: who comes after us gets the number behind ours."""
    model = look(session, workspace, draft.name, lock=True)
    if model is None and draft.create_model:
        # One that names no kind makes a model. Another transaction may make it in this moment: then ours waits for
        # that one, and takes what it has made.
        tags = {**draft.model_tags, **(models.PROMPT_TAGS if draft.prompt else {})}
        if draft.prompt is False and is_prompt(tags):
            raise InvalidParameterError("A registered model cannot have the tags of a prompt")
        made = models.insert(session, workspace, draft.name, tags, draft.model_description, None)
        if made is not None:
            return made
        model = look(session, workspace, draft.name, lock=True)
        if model is None:
            raise Conflict(f"the registered model {draft.name} was deleted while a version was added to it")
    if model is None:
        raise absent_model(draft.name)
    if draft.prompt not in (None, model.is_prompt):
        if draft.create_model:
            raise taken(draft.name, by_prompt=model.is_prompt, for_prompt=bool(draft.prompt))
        raise absent_model(draft.name)
    if draft.create_model and draft.prompt:
        models.add_tags(session, workspace, model, draft.model_tags)
    return model


def _resolved(session: Session, workspace: str, source: str) -> str:
    """Where the artifacts are that a `models:/` URI means now: what it means later does not matter."""
    uri = parse_model_uri(source)
    if uri.model_id is not None:
        Scope(workspace).require(session, Kind.MODEL, [clean(uri.model_id)])
        found = logged_models.get(session, uri.model_id).artifact_location
    else:
        if uri.version is not None:
            model, version = find_version(session, workspace, uri.name, uri.version)
        else:
            named = (
                by_alias(session, workspace, uri.name, uri.alias, None)
                if uri.alias is not None
                else _of_stage(session, workspace, uri.name, uri.stage)
            )
            model, version = find_version(session, workspace, uri.name, named.version)
        found = _place(session, model, version)
    return f"{found.rstrip('/')}/{uri.path.rstrip('/')}" if uri.path else found


# -- changing ------------------------------------------------------------------------------------------


def update(session: Session, workspace: str, name: str, version: str, description: str | None) -> ModelVersion:
    """Set the description of a version."""
    text = _text("description", description)
    model, number = find_version(session, workspace, name, version, lock=True)
    if text is None:
        raise InvalidParameterError("Attempting to update model version with no new field values.")
    session.run(
        "UPDATE model_versions SET description = ?, last_update_time_ms = ? WHERE model = ? AND version = ?",
        (text, now_ms(), model.number, number),
    )
    return _one(session, workspace, model, number)


def transition(session: Session, workspace: str, name: str, version: str, stage: str, archive: bool) -> ModelVersion:
    """Move a version to a stage; see `RegistryStore.transition_model_version_stage`."""
    target = check_stage(stage)
    if archive and target not in ACTIVE_STAGES:
        raise InvalidParameterError(
            f"Model version transition cannot archive existing model versions because '{target}' is not an Active"
            f" stage. Valid stages are {list(ACTIVE_STAGES)}"
        )
    model, number = find_version(session, workspace, name, version, lock=True)
    now = now_ms()
    if archive:
        session.run(
            "UPDATE model_versions SET current_stage = 'Archived', last_update_time_ms = ?"
            " WHERE model = ? AND current_stage = ? AND version <> ?",
            (now, model.number, target, number),
        )
    session.run(
        "UPDATE model_versions SET current_stage = ?, last_update_time_ms = ? WHERE model = ? AND version = ?",
        (target, now, model.number, number),
    )
    models.touch(session, model, now)
    return _one(session, workspace, model, number)


def delete(session: Session, workspace: str, name: str, version: str, prompt: bool | None) -> None:
    """Delete a version with its tags and the aliases that mean it."""
    model, number = find_version(session, workspace, name, version, prompt, lock=True)
    for table in ("model_version_tags", "registered_model_aliases", "model_versions"):
        session.run(f"DELETE FROM {table} WHERE model = ? AND version = ?", (model.number, number))
    models.touch(session, model, now_ms())


def set_tag(
    session: Session, workspace: str, name: str, version: str, key: str, value: str, prompt: bool | None
) -> None:
    """Set a tag of a version."""
    key, value = (clean(text) for text in check_tag(key, value))
    model, number = find_version(session, workspace, name, version, prompt, lock=True)
    insert_rows(
        session,
        upsert("model_version_tags", ("model", "version", "key", "value"), ("model", "version", "key")),
        [(model.number, number, key, value)],
    )
    events.version_tag_set(session, workspace, model, number, key, value)


def delete_tag(session: Session, workspace: str, name: str, version: str, key: str, prompt: bool | None) -> None:
    """Delete a tag of a version, if it is there."""
    key = clean(check_tag_key(key))
    model, number = find_version(session, workspace, name, version, prompt, lock=True)
    if session.run(
        "DELETE FROM model_version_tags WHERE model = ? AND version = ? AND key = ?", (model.number, number, key)
    ):
        events.version_tag_deleted(session, workspace, model, number, key)
