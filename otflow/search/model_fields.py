"""What may be asked of a logged model: the names of MLflow's search language, and further names for the same."""

from __future__ import annotations

from typing import Final

from otflow.search.tree import Entity, Field, Kind, OrderKey

__all__ = ["MODEL_FIELDS", "ModelField"]


class ModelField:
    """The fields of a logged model."""

    MODEL_ID: Final = Field("model_id", Kind.TEXT)
    EXPERIMENT_ID: Final = Field("experiment_id", Kind.NUMBER)
    NAME: Final = Field("name", Kind.TEXT)
    MODEL_TYPE: Final = Field("model_type", Kind.TEXT)
    STATUS: Final = Field("status", Kind.TEXT)
    STATUS_MESSAGE: Final = Field("status_message", Kind.TEXT)
    SOURCE_RUN: Final = Field("source_run_id", Kind.TEXT)
    ARTIFACT_LOCATION: Final = Field("artifact_location", Kind.TEXT)
    CREATION_TIME: Final = Field("creation_timestamp", Kind.NUMBER, unquoted=True)
    LAST_UPDATE_TIME: Final = Field("last_updated_timestamp", Kind.NUMBER, unquoted=True)
    NUMBER: Final = Field("number", Kind.NUMBER)
    """The order in which the store made them; nobody asks for it by name."""
    TAG: Final = Field("tags", Kind.TEXT, keyed=True, orderable=False)
    PARAM: Final = Field("params", Kind.TEXT, keyed=True, orderable=False)
    METRIC: Final = Field("metrics", Kind.NUMBER, keyed=True, unquoted=True)
    """All points of a metric: a condition holds where it holds for one of them; an order is by the latest."""


_M = ModelField
_ATTRIBUTES: Final = {
    "model_id": _M.MODEL_ID,
    "experiment_id": _M.EXPERIMENT_ID,
    "name": _M.NAME,
    "model_type": _M.MODEL_TYPE,
    "status": _M.STATUS,
    "status_message": _M.STATUS_MESSAGE,
    "source_run_id": _M.SOURCE_RUN,
    "artifact_location": _M.ARTIFACT_LOCATION,
    "creation_timestamp": _M.CREATION_TIME,
    "creation_timestamp_ms": _M.CREATION_TIME,
    "creation_time": _M.CREATION_TIME,
    "last_updated_timestamp": _M.LAST_UPDATE_TIME,
    "last_updated_timestamp_ms": _M.LAST_UPDATE_TIME,
    # Ours
    "last_updated_time": _M.LAST_UPDATE_TIME,
    "last_update_time": _M.LAST_UPDATE_TIME,
}

MODEL_FIELDS: Final = Entity(
    noun="a logged model",
    names={**_ATTRIBUTES, **{f"attributes.{name}": field for name, field in _ATTRIBUTES.items()}},
    prefixes={"metrics": _M.METRIC, "params": _M.PARAM, "tags": _M.TAG},
    default_order=(OrderKey(_M.CREATION_TIME, descending=True),),
    tie_break=(OrderKey(_M.CREATION_TIME, descending=True), OrderKey(_M.NUMBER, descending=True)),
)
