"""Registered models, prompts among them: made, read, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otflow.clock import now_ms
from otflow.entities.model_registry import RegisteredModel
from otflow.semconv import PromptKey, RegistryKey
from otflow.store.registry_validation import (
    absent_model,
    check_alias,
    check_kind_of_tag,
    check_name,
    check_new_alias,
    check_tag,
    check_tag_key,
    check_tags,
    check_text,
    is_prompt,
    taken,
)
from otflow.store.sql import workspaces
from otflow.store.sql.connection import Session
from otflow.store.sql.registry import events
from otflow.store.sql.registry.names import Named, find, find_version, look
from otflow.store.sql.registry.reading import MODEL_COLUMNS, load_models
from otflow.store.sql.rows import clean
from otflow.store.sql.statements import insert_rows, upsert
from otflow.wire.prompts import with_experiments

__all__ = [
    "PROMPT_TAGS",
    "add_experiment",
    "add_tags",
    "create",
    "delete",
    "delete_alias",
    "delete_tag",
    "get",
    "insert",
    "rename",
    "set_alias",
    "set_tag",
    "touch",
    "update",
]

PROMPT_TAGS: Final = {RegistryKey.IS_PROMPT: "true"}
"""What makes a registered model a prompt."""


def get(session: Session, workspace: str, name: str, prompt: bool | None) -> RegisteredModel:
    """One registered model."""
    return _read(session, workspace, find(session, workspace, name, prompt))


def _read(session: Session, workspace: str, model: Named) -> RegisteredModel:
    row = session.one(f"SELECT {', '.join(MODEL_COLUMNS)} FROM registered_models m WHERE m.number = ?", (model.number,))
    if row is None:
        raise absent_model(model.name)
    return load_models(session, workspace, [row])[0]


def touch(session: Session, model: Named, time_ms: int) -> None:
    """Note when something of a model changed."""
    session.run("UPDATE registered_models SET last_update_time_ms = ? WHERE number = ?", (time_ms, model.number))


# -- making --------------------------------------------------------------------------------------------


def create(
    session: Session,
    workspace: str,
    name: str,
    tags: Mapping[str, str] | None,
    description: str | None,
    deployment_job_id: str | None,
) -> RegisteredModel:
    """Create a registered model; see `RegistryStore.create_registered_model`."""
    checked = {clean(key): clean(value) for key, value in check_tags(tags).items()}
    name = clean(check_name(name))
    made = insert(session, workspace, name, checked, description, deployment_job_id)
    if made is None:
        there = look(session, workspace, name)
        prompt = is_prompt(checked)
        raise taken(name, by_prompt=prompt if there is None else there.is_prompt, for_prompt=prompt)
    return _read(session, workspace, made)


def insert(
    session: Session,
    workspace: str,
    name: str,
    tags: Mapping[str, str],
    description: str | None,
    deployment_job_id: str | None,
) -> Named | None:
    """Make a registered model of what is checked; None where the name is taken."""
    texts = [check_text("description", description), check_text("deployment_job_id", deployment_job_id)]
    workspaces.require(session, workspace)
    now = now_ms()
    row = session.one(
        "INSERT INTO registered_models (workspace, name, is_prompt, description, deployment_job_id, creation_time_ms,"
        " last_update_time_ms) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (workspace, name) DO NOTHING RETURNING number",
        (
            workspace, name, int(is_prompt(tags)), *(None if text is None else clean(text) for text in texts), now, now,
        ),
    )  # fmt: skip
    if row is None:
        return None
    model = Named(row[0], name, is_prompt(tags))
    insert_rows(
        session,
        "INSERT INTO registered_model_tags (model, key, value) VALUES {}",
        [(model.number, key, value) for key, value in tags.items()],
    )
    events.model_created(session, workspace, model, tags, description)
    return model


# -- changing ------------------------------------------------------------------------------------------


def rename(session: Session, workspace: str, name: str, new_name: str) -> RegisteredModel:
    """Rename a registered model; to its versions that is a change too, as in MLflow."""
    wanted = clean(check_name(new_name))
    model = find(session, workspace, name, lock=True)
    there = look(session, workspace, wanted)
    if there is not None and there.number != model.number:
        raise taken(wanted, by_prompt=there.is_prompt, for_prompt=model.is_prompt)
    now = now_ms()
    # Who takes the name in this moment is noticed by the constraint, and the transaction is run again.
    session.run(
        "UPDATE registered_models SET name = ?, last_update_time_ms = ? WHERE number = ?", (wanted, now, model.number)
    )
    session.run("UPDATE model_versions SET last_update_time_ms = ? WHERE model = ?", (now, model.number))
    return _read(session, workspace, model)


def update(session: Session, workspace: str, name: str, description: str | None, job: str | None) -> RegisteredModel:
    """Set the description of a registered model, and the deployment job where one is given."""
    texts = [check_text("description", description), check_text("deployment_job_id", job)]
    model = find(session, workspace, name, lock=True)
    session.run(
        "UPDATE registered_models SET description = ?, deployment_job_id = COALESCE(?, deployment_job_id),"
        " last_update_time_ms = ? WHERE number = ?",
        (*(None if text is None else clean(text) for text in texts), now_ms(), model.number),
    )
    return _read(session, workspace, model)


def delete(session: Session, workspace: str, name: str, prompt: bool | None) -> None:
    """Delete a registered model with all that hangs on it."""
    model = find(session, workspace, name, prompt, lock=True)
    for table in ("model_version_tags", "registered_model_aliases", "registered_model_tags", "model_versions"):
        session.run(f"DELETE FROM {table} WHERE model = ?", (model.number,))
    session.run("DELETE FROM registered_models WHERE number = ?", (model.number,))


def set_tag(session: Session, workspace: str, name: str, key: str, value: str, prompt: bool | None) -> None:
    """Set a tag of a registered model."""
    key, value = (clean(text) for text in check_tag(key, value))
    model = find(session, workspace, name, prompt, lock=True)
    check_kind_of_tag(key, value, prompt=model.is_prompt)
    insert_rows(
        session,
        upsert("registered_model_tags", ("model", "key", "value"), ("model", "key")),
        [(model.number, key, value)],
    )
    events.model_tag_set(session, workspace, model, key, value)


def delete_tag(session: Session, workspace: str, name: str, key: str, prompt: bool | None) -> None:
    """Delete a tag of a registered model, if it is there."""
    key = clean(check_tag_key(key))
    model = find(session, workspace, name, prompt, lock=True)
    check_kind_of_tag(key, None, prompt=model.is_prompt)
    if session.run("DELETE FROM registered_model_tags WHERE model = ? AND key = ?", (model.number, key)):
        events.model_tag_deleted(session, workspace, model, key)


def add_tags(session: Session, workspace: str, model: Named, tags: Mapping[str, str]) -> None:
    """Set checked tags of a locked model, which may be there; of those that name experiments the ids are added."""
    named = tags.get(PromptKey.EXPERIMENT_IDS)
    row = (
        session.one(
            "SELECT value FROM registered_model_tags WHERE model = ? AND key = ?",
            (model.number, PromptKey.EXPERIMENT_IDS),
        )
        if named is not None
        else None
    )
    there = row[0] if row is not None else None
    made = {key: value for key, value in tags.items() if key not in (RegistryKey.IS_PROMPT, PromptKey.EXPERIMENT_IDS)}
    if named is not None and (merged := with_experiments(there, named.split(","))) != there:
        made[PromptKey.EXPERIMENT_IDS] = merged
    insert_rows(
        session,
        upsert("registered_model_tags", ("model", "key", "value"), ("model", "key")),
        [(model.number, key, value) for key, value in made.items()],
    )
    for key, value in made.items():
        if key != PromptKey.EXPERIMENT_IDS:
            events.model_tag_set(session, workspace, model, key, value)


def add_experiment(session: Session, workspace: str, name: str, experiment_id: str) -> None:
    """Say of a prompt that an experiment uses it."""
    model = find(session, workspace, name, True, lock=True)
    add_tags(session, workspace, model, {PromptKey.EXPERIMENT_IDS: with_experiments(None, [clean(experiment_id)])})


def set_alias(session: Session, workspace: str, name: str, alias: str, version: str, prompt: bool | None) -> None:
    """Make an alias mean a version."""
    alias = clean(check_new_alias(alias))
    model, number = find_version(session, workspace, name, version, prompt, lock=True)
    insert_rows(
        session,
        upsert("registered_model_aliases", ("model", "alias", "version"), ("model", "alias")),
        [(model.number, alias, number)],
    )
    events.alias_set(session, workspace, model, alias, number)


def delete_alias(session: Session, workspace: str, name: str, alias: str, prompt: bool | None) -> None:
    """Delete an alias, if it is there."""
    alias = clean(check_alias(alias))
    model = find(session, workspace, name, prompt, lock=True)
    if session.run("DELETE FROM registered_model_aliases WHERE model = ? AND alias = ?", (model.number, alias)):
        events.alias_deleted(session, workspace, model, alias)
