"""The span that is no span: what traced code gets where nothing is recorded."""

from __future__ import annotations

from typing import Any

from otflow.entities.span import Span
from otflow.entities.span_event import SpanEvent
from otflow.entities.span_status import SpanStatus

__all__ = ["NO_OP_TRACE_ID", "NoOpSpan"]

NO_OP_TRACE_ID = "MLFLOW_NO_OP_SPAN_TRACE_ID"
"""The trace id of a span that is no span, as MLflow has it."""


class NoOpSpan(Span):
    """Takes everything that a `LiveSpan` takes, and keeps nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        pass

    @property
    def context(self) -> None:
        """There is none."""

    @property
    def trace_id(self) -> str:
        return NO_OP_TRACE_ID

    @property
    def otel_trace_id(self) -> str:
        return ""

    @property
    def span_id(self) -> Any:
        return None

    @property
    def parent_id(self) -> None:
        return None

    @property
    def name(self) -> Any:
        return None

    @property
    def start_time_ns(self) -> Any:
        return None

    @property
    def end_time_ns(self) -> None:
        return None

    @property
    def span_type(self) -> Any:
        return None

    @property
    def status(self) -> Any:
        return None

    @property
    def status_code(self) -> str:
        return "UNSET"

    @property
    def raw_attributes(self) -> dict[str, Any]:
        return {}

    @property
    def events(self) -> list[SpanEvent]:
        return []

    @property
    def links(self) -> list[Any]:
        return []

    @property
    def kind(self) -> int:
        return 0

    @property
    def scope(self) -> str:
        return ""

    @property
    def resource(self) -> dict[str, Any]:
        return {}

    def content(self) -> str:
        return "{}"

    def to_dict(self) -> dict[str, Any]:
        return {}

    def to_otel_proto(self) -> Any:
        from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

        return ProtoSpan()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoOpSpan)

    def __hash__(self) -> int:
        return hash(NO_OP_TRACE_ID)

    def set_span_type(self, span_type: str) -> None:
        """Nothing."""

    def set_inputs(self, inputs: Any) -> None:
        """Nothing."""

    def set_outputs(self, outputs: Any) -> None:
        """Nothing."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Nothing."""

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """Nothing."""

    def set_status(self, status: SpanStatus | str) -> None:
        """Nothing."""

    def add_event(self, event: SpanEvent) -> None:
        """Nothing."""

    def record_exception(self, exception: str | Exception) -> None:
        """Nothing."""

    def end(
        self,
        outputs: Any | None = None,
        attributes: dict[str, Any] | None = None,
        status: SpanStatus | str | None = None,
        end_time_ns: int | None = None,
    ) -> None:
        """Nothing."""
