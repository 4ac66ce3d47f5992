"""Logged models: versions of a model, an application or an agent, with what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, cast

from otflow.entities.metric import Metric
from otflow.entities.plain import PlainEntity
from otflow.errors import InvalidParameterError

__all__ = [
    "LoggedModel",
    "LoggedModelInput",
    "LoggedModelOutput",
    "LoggedModelParameter",
    "LoggedModelStatus",
    "LoggedModelTag",
]


class LoggedModelStatus(str, Enum):
    """The states of a logged model."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"

    def __str__(self) -> str:
        return self.value

    @staticmethod
    def is_finalized(status: LoggedModelStatus | str) -> bool:
        """Whether a model in this state is done, well or badly."""
        return status in (LoggedModelStatus.READY, LoggedModelStatus.FAILED)

    @classmethod
    def from_int(cls, status_int: int) -> LoggedModelStatus:
        """The state with this number.

        Raises:
            InvalidParameterError: there is none.
        """
        for number, status in enumerate(cls):
            if number == status_int and not isinstance(status_int, str):
                return status
        raise InvalidParameterError(f"Unknown model status: {status_int}")

    def to_int(self) -> int:
        """The number of the state."""
        return list(LoggedModelStatus).index(self)


class LoggedModelTag(PlainEntity):
    """A tag of a logged model."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class LoggedModelParameter(PlainEntity):
    """A parameter of a logged model."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class LoggedModelInput(PlainEntity):
    """A logged model that a run used."""

    _fields = ("model_id",)

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id


class LoggedModelOutput(PlainEntity):
    """A logged model that a run made, and at which step."""

    _fields = ("model_id", "step")

    def __init__(self, model_id: str, step: int) -> None:
        self.model_id = model_id
        self.step = step

    def to_dictionary(self) -> dict[str, str | int]:
        """The output as a dictionary."""
        return {"model_id": self.model_id, "step": self.step}


class LoggedModel(PlainEntity):
    """One version of a model, an application or an agent.

    Args:
        experiment_id: The experiment that it is in.
        model_id: The id, `m-` and 32 hexadecimal digits.
        name: The name; several models may have it.
        artifact_location: Where its artifacts are.
        creation_timestamp: Unix time in milliseconds.
        last_updated_timestamp: Unix time in milliseconds.
        model_type: What kind of model it is, in words of the user, such as `"agent"`.
        source_run_id: The run that made it.
        status: The state, also as a number.
        status_message: What is to be said of the state.
        tags: Tags.
        params: Parameters.
        metrics: All points of all metrics, by time; None where there are none.
    """

    _fields = (
        "artifact_location",
        "creation_timestamp",
        "experiment_id",
        "last_updated_timestamp",
        "metrics",
        "model_id",
        "model_type",
        "model_uri",
        "name",
        "params",
        "source_run_id",
        "status",
        "status_message",
        "tags",
    )
    _settable = frozenset(
        {
            "artifact_location",
            "experiment_id",
            "last_updated_timestamp",
            "metrics",
            "model_id",
            "model_type",
            "name",
            "status",
        }
    )

    def __init__(
        self,
        experiment_id: str,
        model_id: str,
        name: str,
        artifact_location: str,
        creation_timestamp: int,
        last_updated_timestamp: int,
        model_type: str | None = None,
        source_run_id: str | None = None,
        status: LoggedModelStatus | int = LoggedModelStatus.READY,
        status_message: str | None = None,
        tags: Iterable[LoggedModelTag] | Mapping[str, str] | None = None,
        params: Iterable[LoggedModelParameter] | Mapping[str, str] | None = None,
        metrics: list[Metric] | None = None,
    ) -> None:
        self.experiment_id = experiment_id
        self.model_id = model_id
        self.name = name
        self.artifact_location = artifact_location
        self.creation_timestamp = creation_timestamp
        self.last_updated_timestamp = last_updated_timestamp
        self.model_type = model_type
        self.source_run_id = source_run_id
        self.status: LoggedModelStatus = (
            status if isinstance(status, LoggedModelStatus) else LoggedModelStatus.from_int(status)
        )
        self.status_message = status_message
        self.tags: dict[str, str] = _pairs(tags)
        self.params: dict[str, str] = _pairs(params)
        self.metrics = metrics

    @property
    def model_uri(self) -> str:
        """The URI that means this model: `models:/<model id>`."""
        return f"models:/{self.model_id}"

    def __repr__(self) -> str:
        shown = (field for field in self._fields if field not in ("metrics", "params", "tags"))
        return f"LoggedModel({', '.join(f'{field}={getattr(self, field)!r}' for field in shown)})"

    def to_dictionary(self) -> dict[str, Any]:
        """The model as a dictionary; the state as a number."""
        fields = {name: value for name, value in self if name != "model_uri"}
        return {**fields, "status": self.status.to_int()}


def _pairs(
    given: Iterable[LoggedModelTag] | Iterable[LoggedModelParameter] | Mapping[str, str] | None,
) -> dict[str, str]:
    if isinstance(given, Mapping):
        return dict(cast("Mapping[str, str]", given))
    return {one.key: one.value for one in given or ()}
