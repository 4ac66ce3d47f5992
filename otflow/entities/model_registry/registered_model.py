"""Registered models: names that versions of a model are kept under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from otflow.entities.model_registry.model_version import ModelVersion
from otflow.entities.plain import PlainEntity
from otflow.errors import InvalidParameterError

__all__ = [
    "RegisteredModel",
    "RegisteredModelAlias",
    "RegisteredModelDeploymentJobState",
    "RegisteredModelSearch",
    "RegisteredModelTag",
]


class RegisteredModelTag(PlainEntity):
    """A tag of a registered model."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class RegisteredModelAlias(PlainEntity):
    """A name for one version of a registered model."""

    _fields = ("alias", "version")

    def __init__(self, alias: str, version: str | int) -> None:
        self.alias = alias
        self.version = version


class RegisteredModelDeploymentJobState:
    """The states of a deployment job's connection to a registered model (a service of Databricks), as numbers."""

    NOT_SET_UP = 1
    CONNECTED = 2
    NOT_FOUND = 3
    REQUIRED_PARAMETERS_CHANGED = 4

    _NAMES = (
        "DEPLOYMENT_JOB_CONNECTION_STATE_UNSPECIFIED",
        "NOT_SET_UP",
        "CONNECTED",
        "NOT_FOUND",
        "REQUIRED_PARAMETERS_CHANGED",
    )

    @staticmethod
    def from_string(state_str: str) -> int:
        """The number of the state of this name.

        Raises:
            InvalidParameterError: there is none.
        """
        names = RegisteredModelDeploymentJobState._NAMES
        if state_str not in names:
            raise InvalidParameterError(
                f"Unknown deployment job state {state_str!r}; the states are {', '.join(names)}."
            )
        return names.index(state_str)

    @staticmethod
    def to_string(state: int) -> str:
        """The name of the state of this number.

        Raises:
            InvalidParameterError: there is none.
        """
        names = RegisteredModelDeploymentJobState._NAMES
        if state not in range(len(names)):
            raise InvalidParameterError(
                f"Unknown deployment job state {state!r}; the states are 0 to {len(names) - 1}."
            )
        return names[state]

    @staticmethod
    def all_states() -> list[int]:
        """The numbers of all states."""
        return list(range(len(RegisteredModelDeploymentJobState._NAMES)))


class RegisteredModel(PlainEntity):
    """A name that versions of a model are kept under.

    Args:
        name: The name, unique in its workspace.
        creation_timestamp: Unix time in milliseconds.
        last_updated_timestamp: Unix time in milliseconds.
        description: What it is.
        latest_versions: The last version of each stage.
        tags: Tags.
        aliases: The names of versions.
        deployment_job_id: The deployment job of Databricks.
        deployment_job_state: The state of its connection.
        workspace: The workspace it belongs to.
    """

    _fields = (
        "aliases",
        "creation_timestamp",
        "deployment_job_id",
        "deployment_job_state",
        "description",
        "last_updated_timestamp",
        "latest_versions",
        "name",
        "tags",
        "workspace",
    )
    _settable = frozenset({"deployment_job_id", "description", "last_updated_timestamp", "latest_versions", "name"})

    def __init__(
        self,
        name: str,
        creation_timestamp: int | None = None,
        last_updated_timestamp: int | None = None,
        description: str | None = None,
        latest_versions: list[ModelVersion] | None = None,
        tags: Iterable[RegisteredModelTag] | Mapping[str, str] | None = None,
        aliases: Iterable[RegisteredModelAlias] | Mapping[str, str] | None = None,
        deployment_job_id: str | None = None,
        deployment_job_state: int | None = None,
        workspace: str | None = None,
    ) -> None:
        self.name = name
        self.creation_timestamp = creation_timestamp
        self.last_updated_timestamp = last_updated_timestamp
        self.description = description
        self.latest_versions = latest_versions
        self.tags: dict[str, str] = (
            dict(cast("Mapping[str, str]", tags))
            if isinstance(tags, Mapping)
            else {tag.key: tag.value for tag in tags or ()}
        )
        self.aliases: dict[str, Any] = (
            dict(cast("Mapping[str, str]", aliases))
            if isinstance(aliases, Mapping)
            else {one.alias: one.version for one in aliases or ()}
        )
        self.deployment_job_id = deployment_job_id
        self.deployment_job_state = deployment_job_state
        self.workspace = workspace if workspace is not None else "default"


class RegisteredModelSearch(RegisteredModel):
    """A registered model as a search finds it."""
