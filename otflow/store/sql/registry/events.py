"""What webhooks hear of the registry, as MLflow's webhooks say it; of a prompt it is called otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from otflow.entities import WebhookEvent
from otflow.entities.model_registry import ModelVersion
from otflow.semconv import RegistryKey
from otflow.store.sql.connection import Session
from otflow.store.sql.registry.names import Named
from otflow.store.sql.registry.outbox import emit

__all__ = [
    "alias_deleted",
    "alias_set",
    "model_created",
    "model_tag_deleted",
    "model_tag_set",
    "version_created",
    "version_tag_deleted",
    "version_tag_set",
]


def model_created(
    session: Session, workspace: str, model: Named, tags: Mapping[str, str], description: str | None
) -> None:
    """A registered model or a prompt was made."""
    data = {"name": model.name, "tags": _said(model, tags), "description": description}
    _emit(session, workspace, model, "registered_model.created", "prompt.created", data)


def version_created(session: Session, workspace: str, model: Named, version: ModelVersion) -> None:
    """A version was made."""
    data: dict[str, object] = {"name": model.name, "version": str(version.version)}
    if model.is_prompt:
        data["template"] = version.tags.get(RegistryKey.PROMPT_TEXT, "")
    else:
        data |= {"source": version.source, "run_id": version.run_id}
    data |= {"tags": _said(model, version.tags), "description": version.description}
    _emit(session, workspace, model, "model_version.created", "prompt_version.created", data)


def model_tag_set(session: Session, workspace: str, model: Named, key: str, value: str) -> None:
    """A tag of a prompt was set; of registered models nobody hears it."""
    _emit(session, workspace, model, None, "prompt_tag.set", {"name": model.name, "key": key, "value": value})


def model_tag_deleted(session: Session, workspace: str, model: Named, key: str) -> None:
    """A tag of a prompt was deleted; of registered models nobody hears it."""
    _emit(session, workspace, model, None, "prompt_tag.deleted", {"name": model.name, "key": key})


def version_tag_set(session: Session, workspace: str, model: Named, version: int, key: str, value: str) -> None:
    """A tag of a version was set."""
    data = {"name": model.name, "version": str(version), "key": key, "value": value}
    _emit(session, workspace, model, "model_version_tag.set", "prompt_version_tag.set", data)


def version_tag_deleted(session: Session, workspace: str, model: Named, version: int, key: str) -> None:
    """A tag of a version was deleted."""
    data = {"name": model.name, "version": str(version), "key": key}
    _emit(session, workspace, model, "model_version_tag.deleted", "prompt_version_tag.deleted", data)


def alias_set(session: Session, workspace: str, model: Named, alias: str, version: int) -> None:
    """An alias means another version than before."""
    data = {"name": model.name, "alias": alias, "version": str(version)}
    _emit(session, workspace, model, "model_version_alias.created", "prompt_alias.created", data)


def alias_deleted(session: Session, workspace: str, model: Named, alias: str) -> None:
    """An alias was deleted."""
    data = {"name": model.name, "alias": alias}
    _emit(session, workspace, model, "model_version_alias.deleted", "prompt_alias.deleted", data)


def _said(model: Named, tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are the caller's own: what a prompt is kept in is none."""
    if not model.is_prompt:
        return dict(tags)
    return {key: value for key, value in tags.items() if key not in (RegistryKey.IS_PROMPT, RegistryKey.PROMPT_TEXT)}


def _emit(
    session: Session,
    workspace: str,
    model: Named,
    of_model: str | None,
    of_prompt: str,
    data: Mapping[str, object],
) -> None:
    event = of_prompt if model.is_prompt else of_model
    if event is not None:
        emit(session, workspace, WebhookEvent.from_str(event), data)
