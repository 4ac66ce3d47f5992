"""What is known of a trace beside its spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from otflow.entities.assessment import Assessment
from otflow.entities.plain import texts
from otflow.entities.reading import reading
from otflow.entities.timestamps import time_from_text, time_to_text
from otflow.entities.trace_location import TraceLocation
from otflow.entities.trace_state import TraceState, TraceStatus
from otflow.entities.values import load
from otflow.semconv import Metadata

__all__ = ["TraceInfo"]


@dataclass(slots=True)
class TraceInfo:
    """What is known of a trace beside its spans.

    Args:
        trace_id: The id of the trace, `tr-…`.
        trace_location: Where it is kept.
        request_time: When it began, Unix time in milliseconds.
        state: How it stands.
        request_preview: The request in short.
        response_preview: The response in short.
        client_request_id: The caller's own id of the request.
        execution_duration: How long it took, in milliseconds.
        trace_metadata: What was written with it and does not change.
        tags: What can be changed at any time.
        assessments: Feedback and expectations.

    Raises:
        InvalidParameterError: no such state.
    """

    trace_id: str
    trace_location: TraceLocation
    request_time: int
    state: TraceState
    request_preview: str | None = None
    response_preview: str | None = None
    client_request_id: str | None = None
    execution_duration: int | None = None
    trace_metadata: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    assessments: list[Assessment] = field(default_factory=list[Assessment])

    def __post_init__(self) -> None:
        self.state = TraceState.of(self.state)

    # -- what is in the metadata -------------------------------------------------------------------

    @property
    def token_usage(self) -> dict[str, int] | None:
        """Tokens used in the trace as a whole, by `input_tokens`, `output_tokens`, `total_tokens` and the like."""
        return self._json_metadata(Metadata.TOKEN_USAGE)

    @property
    def cost(self) -> dict[str, float] | None:
        """What the trace cost as a whole, in US dollars, by `input_cost`, `output_cost` and `total_cost`."""
        return self._json_metadata(Metadata.COST)

    def _json_metadata(self, key: str) -> Any | None:
        text = self.trace_metadata.get(key)
        return load(text) if text else None

    @property
    def experiment_id(self) -> str | None:
        """The experiment it is in; None where it is kept elsewhere."""
        place = self.trace_location.mlflow_experiment
        return place.experiment_id if place is not None else None

    @experiment_id.setter
    def experiment_id(self, value: str) -> None:
        self.trace_location = TraceLocation.from_experiment_id(value)

    # -- former names ------------------------------------------------------------------------------

    @property
    def request_id(self) -> str:
        """The former name of `trace_id`."""
        return self.trace_id

    @property
    def timestamp_ms(self) -> int:
        """The former name of `request_time`."""
        return self.request_time

    @timestamp_ms.setter
    def timestamp_ms(self, value: int) -> None:
        self.request_time = value

    @property
    def execution_time_ms(self) -> int | None:
        """The former name of `execution_duration`."""
        return self.execution_duration

    @execution_time_ms.setter
    def execution_time_ms(self, value: int | None) -> None:
        self.execution_duration = value

    @property
    def request_metadata(self) -> dict[str, str]:
        """The former name of `trace_metadata`."""
        return self.trace_metadata

    @property
    def status(self) -> TraceStatus:
        """The former name of `state`."""
        return TraceStatus.from_state(self.state)

    @status.setter
    def status(self, value: TraceStatus | TraceState | str) -> None:
        self.state = value.to_state() if isinstance(value, TraceStatus) else TraceState.of(value)

    # -- dictionaries ------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The info as a dictionary, as MLflow 3 writes it; what is empty is left out."""
        found: dict[str, Any] = {
            "trace_id": self.trace_id,
            "trace_location": self.trace_location.to_dict(),
            "request_time": time_to_text(self.request_time),
            "state": self.state.value,
        }
        if self.trace_metadata:
            found["trace_metadata"] = texts(self.trace_metadata)
        if self.tags:
            found["tags"] = texts(self.tags)
        if self.assessments:
            found["assessments"] = [assessment.to_dictionary() for assessment in self.assessments]
        for name in ("client_request_id", "request_preview", "response_preview"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        if self.execution_duration is not None:
            found["execution_duration_ms"] = self.execution_duration
        return found

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> TraceInfo:
        """The info that a dictionary describes, be it MLflow 3's form or MLflow 2's.

        Raises:
            InvalidParameterError: not the dictionary of an info; the message says what is missing.
        """
        with reading("TraceInfo", d):
            if "request_id" in d:
                return cls._from_dict_v2(d)
            return cls(
                trace_id=d["trace_id"],
                trace_location=TraceLocation.from_dict(d["trace_location"]),
                request_time=time_from_text(d["request_time"]),
                state=d["state"],
                request_preview=d.get("request_preview"),
                response_preview=d.get("response_preview"),
                client_request_id=d.get("client_request_id"),
                execution_duration=_duration_ms(d),
                trace_metadata=dict(d.get("trace_metadata") or {}),
                tags=dict(d.get("tags") or {}),
                assessments=[Assessment.from_dictionary(one) for one in d.get("assessments") or ()],
            )

    @classmethod
    def _from_dict_v2(cls, d: Mapping[str, Any]) -> TraceInfo:
        return cls(
            trace_id=d["request_id"],
            trace_location=TraceLocation.from_experiment_id(d["experiment_id"]),
            request_time=int(d["timestamp_ms"]),
            state=TraceStatus(d["status"]).to_state(),
            client_request_id=d.get("client_request_id"),
            execution_duration=d.get("execution_time_ms"),
            trace_metadata=_pairs(d.get("request_metadata")),
            tags=_pairs(d.get("tags")),
            assessments=[Assessment.from_dictionary(one) for one in d.get("assessments") or ()],
        )

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> TraceInfo:
        """The same as `from_dict`."""
        return cls.from_dict(the_dict)


def _pairs(value: Any) -> dict[str, str]:
    """Tags as a dictionary, or as MLflow 2 had them, a list of keys and values."""
    if isinstance(value, list):
        return {pair["key"]: pair["value"] for pair in cast("list[dict[str, str]]", value)}
    return dict(value or {})


def _duration_ms(d: Mapping[str, Any]) -> int | None:
    """The duration: a number of milliseconds, or as protobuf writes it, seconds with an `s`."""
    if d.get("execution_duration_ms") is not None:
        return int(d["execution_duration_ms"])
    text = d.get("execution_duration")
    if text is None:
        return None
    return int(text) if isinstance(text, int) else round(float(str(text).removesuffix("s")) * 1000)
