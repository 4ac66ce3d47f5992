"""Experiments ↔ the JSON of MLflow's REST API."""

from __future__ import annotations

from typing import Any

from otflow.entities import Experiment, LifecycleStage
from otflow.wire.scalars import Json, integer, malformed, members

__all__ = ["experiment_from_json", "experiment_to_json"]


def experiment_to_json(experiment: Experiment) -> dict[str, Any]:
    """The experiment as it travels."""
    data: dict[str, Any] = {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "artifact_location": experiment.artifact_location,
        "lifecycle_stage": experiment.lifecycle_stage,
        "last_update_time": experiment.last_update_time,
        "creation_time": experiment.creation_time,
    }
    if experiment.tags:
        data["tags"] = [{"key": key, "value": value} for key, value in experiment.tags.items()]
    return {key: value for key, value in data.items() if value is not None}


def experiment_from_json(data: Json, workspace: str | None = None) -> Experiment:
    """The experiment that has travelled.

    Args:
        data: Its JSON form, which does not say in which workspace it is.
        workspace: The workspace that was asked for it; `default` by default.

    Raises:
        OtflowError: `data` is not an experiment.
    """
    experiment_id, name = data.get("experiment_id"), data.get("name")
    if not isinstance(experiment_id, str) or not isinstance(name, str):
        raise malformed("experiment", data)
    tags = members(data, "tags", "tags of an experiment")
    return Experiment(
        experiment_id=experiment_id,
        name=name,
        artifact_location=data.get("artifact_location"),
        lifecycle_stage=data.get("lifecycle_stage", LifecycleStage.ACTIVE),
        tags={str(tag.get("key")): str(tag.get("value", "")) for tag in tags},
        creation_time=integer(data.get("creation_time")) or None,
        last_update_time=integer(data.get("last_update_time")) or None,
        workspace=workspace,
    )
