"""Registered models and their versions ↔ the JSON of MLflow's REST API."""

from __future__ import annotations

from typing import Any, cast

from otflow.entities.model_registry import ModelVersion, RegisteredModel, RegisteredModelAlias
from otflow.wire.runs import pairs_from_json, pairs_to_json
from otflow.wire.scalars import Json, integer, malformed, members, reading

__all__ = ["registered_model_from_json", "registered_model_to_json", "version_from_json", "version_to_json"]


def registered_model_to_json(model: RegisteredModel) -> dict[str, Any]:
    """The registered model as it travels."""
    data: dict[str, Any] = {
        "name": model.name,
        "creation_timestamp": model.creation_timestamp,
        "last_updated_timestamp": model.last_updated_timestamp,
        "description": model.description,
        "latest_versions": [version_to_json(version) for version in model.latest_versions or ()],
        "tags": pairs_to_json(model.tags),
        "aliases": [{"alias": alias, "version": str(version)} for alias, version in model.aliases.items()],
        "deployment_job_id": model.deployment_job_id,
    }
    return {key: value for key, value in data.items() if value not in (None, [])}


def registered_model_from_json(data: Json, workspace: str | None = None) -> RegisteredModel:
    """The registered model that has travelled.

    Args:
        data: Its JSON form, which does not say in which workspace it is.
        workspace: The workspace that was asked for it; `default` by default.

    Raises:
        OtflowError: `data` is none.
    """
    aliases = members(data, "aliases", "aliases of a registered model")
    versions = members(data, "latest_versions", "versions of a registered model")
    with reading("registered model", data):
        return RegisteredModel(
            name=data["name"],
            creation_timestamp=integer(data.get("creation_timestamp")),
            last_updated_timestamp=integer(data.get("last_updated_timestamp")),
            description=data.get("description") or None,
            latest_versions=[version_from_json(version, workspace) for version in versions],
            tags=pairs_from_json(data, "tags", "tags of a registered model"),
            aliases=[RegisteredModelAlias(one["alias"], one["version"]) for one in aliases],
            deployment_job_id=data.get("deployment_job_id") or None,
            workspace=workspace,
        )


def version_to_json(version: ModelVersion) -> dict[str, Any]:
    """The version as it travels; these three texts are there even where there is none."""
    data: dict[str, Any] = {
        "name": version.name,
        "version": str(version.version),
        "creation_timestamp": version.creation_timestamp,
        "last_updated_timestamp": version.last_updated_timestamp,
        "user_id": version.user_id,
        "current_stage": version.current_stage,
        "description": version.description or "",
        "source": version.source,
        "run_id": version.run_id or "",
        "status": version.status,
        "status_message": version.status_message,
        "tags": pairs_to_json(version.tags),
        "run_link": version.run_link or "",
        "aliases": list(version.aliases),
        "model_id": version.model_id,
    }
    return {key: value for key, value in data.items() if value not in (None, [])}


def version_from_json(data: Json, workspace: str | None = None) -> ModelVersion:
    """The version that has travelled; its number is a text, as in the released MLflow.

    Args:
        data: Its JSON form, which does not say in which workspace it is.
        workspace: The workspace that was asked for it; `default` by default.

    Raises:
        OtflowError: `data` is none.
    """
    aliases: object = data.get("aliases") or []
    if not isinstance(aliases, list):
        raise malformed("list of aliases", aliases)
    with reading("model version", data):
        return ModelVersion(
            name=data["name"],
            version=str(data["version"]),
            creation_timestamp=integer(data.get("creation_timestamp")),
            last_updated_timestamp=integer(data.get("last_updated_timestamp")),
            description=data.get("description") or None,
            user_id=data.get("user_id") or None,
            current_stage=data.get("current_stage"),
            source=data.get("source"),
            run_id=data.get("run_id") or None,
            status=data.get("status") or "READY",
            status_message=data.get("status_message") or None,
            tags=pairs_from_json(data, "tags", "tags of a model version"),
            run_link=data.get("run_link") or None,
            aliases=[str(alias) for alias in cast("list[object]", aliases)],
            model_id=data.get("model_id") or None,
            workspace=workspace,
        )
