"""Experiments: the places that traces and runs live in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from otflow.entities.plain import PlainEntity

__all__ = ["Experiment", "ExperimentTag"]


class ExperimentTag(PlainEntity):
    """A tag of an experiment."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class Experiment(PlainEntity):
    """A place that traces and runs live in.

    Args:
        experiment_id: The id: a number as a string.
        name: The name, unique in its store.
        artifact_location: Where artifacts are kept.
        lifecycle_stage: "active" or "deleted".
        tags: Tags.
        creation_time: Unix time in milliseconds.
        last_update_time: Unix time in milliseconds.
        workspace: The workspace it belongs to.
    """

    DEFAULT_EXPERIMENT_NAME = "Default"

    _fields = (
        "artifact_location",
        "creation_time",
        "experiment_id",
        "last_update_time",
        "lifecycle_stage",
        "name",
        "tags",
        "workspace",
    )

    def __init__(
        self,
        experiment_id: str,
        name: str,
        artifact_location: str | None,
        lifecycle_stage: str,
        tags: Iterable[ExperimentTag] | Mapping[str, str] | None = None,
        creation_time: int | None = None,
        last_update_time: int | None = None,
        workspace: str | None = None,
    ) -> None:
        self.experiment_id = experiment_id
        self.name = name
        self.artifact_location = artifact_location
        self.lifecycle_stage = lifecycle_stage
        self.tags: dict[str, str] = (
            dict(cast("Mapping[str, str]", tags))
            if isinstance(tags, Mapping)
            else {tag.key: tag.value for tag in tags or ()}
        )
        self.creation_time = creation_time
        self.last_update_time = last_update_time
        self.workspace = workspace if workspace is not None else "default"
