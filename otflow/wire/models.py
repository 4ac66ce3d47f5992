"""Logged models ↔ the JSON of MLflow's REST API."""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import LoggedModel, LoggedModelStatus
from otflow.wire.runs import metric_from_json, metric_to_json, pairs_from_json, pairs_to_json
from otflow.wire.scalars import Json, integer, member, members, reading

__all__ = ["model_from_json", "model_to_json", "status_from_json", "status_to_json"]

_PREFIX: Final = "LOGGED_MODEL_"
_UPLOAD_FAILED: Final = "LOGGED_MODEL_UPLOAD_FAILED"


def status_to_json(status: LoggedModelStatus) -> str:
    """A state as it travels."""
    return _UPLOAD_FAILED if status is LoggedModelStatus.FAILED else f"{_PREFIX}{status.value}"


def status_from_json(text: object) -> LoggedModelStatus:
    """The state that has travelled; an unknown one is UNSPECIFIED."""
    if text == _UPLOAD_FAILED:
        return LoggedModelStatus.FAILED
    try:
        return LoggedModelStatus(str(text).removeprefix(_PREFIX))
    except ValueError:
        return LoggedModelStatus.UNSPECIFIED


def model_to_json(model: LoggedModel) -> dict[str, Any]:
    """The model as it travels."""
    info: dict[str, Any] = {
        "model_id": model.model_id,
        "experiment_id": model.experiment_id,
        "name": model.name,
        "creation_timestamp_ms": model.creation_timestamp,
        "last_updated_timestamp_ms": model.last_updated_timestamp,
        "artifact_uri": model.artifact_location,
        "status": status_to_json(model.status),
        "model_type": model.model_type,
        "source_run_id": model.source_run_id,
        "status_message": model.status_message,
        "tags": pairs_to_json(model.tags),
    }
    data = {
        "params": pairs_to_json(model.params),
        "metrics": [metric_to_json(metric) for metric in model.metrics or ()],
    }
    return {"info": {key: value for key, value in info.items() if value is not None}, "data": data}


def model_from_json(data: Json) -> LoggedModel:
    """The model that has travelled.

    Raises:
        OtflowError: `data` is none.
    """
    info, recorded = member(data, "info", "logged model"), member(data, "data", "logged model")
    metrics = [metric_from_json(metric) for metric in members(recorded, "metrics", "metrics of a logged model")]
    with reading("logged model", info):
        return LoggedModel(
            experiment_id=str(info["experiment_id"]),
            model_id=info["model_id"],
            name=info["name"],
            artifact_location=info["artifact_uri"],
            creation_timestamp=integer(info.get("creation_timestamp_ms")),
            last_updated_timestamp=integer(info.get("last_updated_timestamp_ms")),
            model_type=info.get("model_type") or None,
            source_run_id=info.get("source_run_id") or None,
            status=status_from_json(info.get("status")),
            status_message=info.get("status_message") or None,
            tags=pairs_from_json(info, "tags", "tags of a logged model"),
            params=pairs_from_json(recorded, "params", "params of a logged model"),
            metrics=metrics or None,  # as the released MLflow has it
        )
