"""Versions of registered models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from otflow.entities.logged_model import LoggedModelParameter
from otflow.entities.metric import Metric
from otflow.entities.plain import PlainEntity

__all__ = ["ModelVersion", "ModelVersionDeploymentJobState", "ModelVersionSearch", "ModelVersionTag"]


class ModelVersionTag(PlainEntity):
    """A tag of a model version."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class ModelVersionDeploymentJobState(PlainEntity):
    """How the deployment job (a service of Databricks) of a model version is doing."""

    _fields = ("current_task_name", "job_id", "job_state", "run_id", "run_state")

    def __init__(
        self,
        job_id: str | None,
        run_id: str | None,
        job_state: object,
        run_state: object,
        current_task_name: str | None,
    ) -> None:
        self.job_id = job_id
        self.run_id = run_id
        self.job_state = job_state
        self.run_state = run_state
        self.current_task_name = current_task_name


class ModelVersion(PlainEntity):
    """One version of a registered model.

    Args:
        name: The name of the registered model.
        version: The number of the version.
        creation_timestamp: Unix time in milliseconds.
        last_updated_timestamp: Unix time in milliseconds.
        description: What it is.
        user_id: Who made it.
        current_stage: The stage: `None`, `Staging`, `Production` or `Archived`.
        source: The URI of the model's artifacts, as it was registered.
        run_id: The run that made it.
        status: `PENDING_REGISTRATION`, `READY` or `FAILED_REGISTRATION`.
        status_message: What is to be said of the status.
        tags: Tags.
        run_link: Where the run can be looked at, if in another server.
        aliases: The aliases of the model that mean this version.
        model_id: The logged model that it was registered from.
        params: The parameters of that logged model.
        metrics: What was measured of that logged model.
        deployment_job_state: The state of the deployment job of Databricks.
        workspace: The workspace it belongs to.
    """

    _fields = (
        "aliases",
        "creation_timestamp",
        "current_stage",
        "deployment_job_state",
        "description",
        "last_updated_timestamp",
        "metrics",
        "model_id",
        "name",
        "params",
        "run_id",
        "run_link",
        "source",
        "status",
        "status_message",
        "tags",
        "user_id",
        "version",
        "workspace",
    )
    _settable = frozenset({"aliases", "current_stage", "description", "last_updated_timestamp", "name"})

    def __init__(
        self,
        name: str,
        version: str | int,
        creation_timestamp: int,
        last_updated_timestamp: int | None = None,
        description: str | None = None,
        user_id: str | None = None,
        current_stage: str | None = None,
        source: str | None = None,
        run_id: str | None = None,
        status: str = "READY",
        status_message: str | None = None,
        tags: Iterable[ModelVersionTag] | Mapping[str, str] | None = None,
        run_link: str | None = None,
        aliases: list[str] | None = None,
        model_id: str | None = None,
        params: list[LoggedModelParameter] | None = None,
        metrics: list[Metric] | None = None,
        deployment_job_state: ModelVersionDeploymentJobState | None = None,
        workspace: str | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.creation_timestamp = creation_timestamp
        self.last_updated_timestamp = last_updated_timestamp
        self.description = description
        self.user_id = user_id
        self.current_stage = current_stage
        self.source = source
        self.run_id = run_id
        self.status = status
        self.status_message = status_message
        self.tags: dict[str, str] = (
            dict(cast("Mapping[str, str]", tags))
            if isinstance(tags, Mapping)
            else {tag.key: tag.value for tag in tags or ()}
        )
        self.run_link = run_link
        self.aliases: list[str] = list(aliases or ())
        self.model_id = model_id
        self.params = params
        self.metrics = metrics
        self.deployment_job_state = deployment_job_state
        self.workspace = workspace if workspace is not None else "default"


class ModelVersionSearch(ModelVersion):
    """A model version as a search finds it."""
