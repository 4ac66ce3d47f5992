"""How a span ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from otflow.errors import InvalidParameterError

if TYPE_CHECKING:
    from opentelemetry.trace import Status

__all__ = ["SpanStatus", "SpanStatusCode"]


class SpanStatusCode(str, Enum):
    """The status codes of OpenTelemetry."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"

    @staticmethod
    def of_proto_name(name: str) -> SpanStatusCode:
        """The code that OTLP calls `STATUS_CODE_…`."""
        return SpanStatusCode(name.removeprefix("STATUS_CODE_"))

    @property
    def proto_name(self) -> str:
        """What OTLP calls the code."""
        return f"STATUS_CODE_{self.value}"


_NUMBERS = {SpanStatusCode.UNSET: 0, SpanStatusCode.OK: 1, SpanStatusCode.ERROR: 2}


@dataclass(slots=True)
class SpanStatus:
    """How a span ended.

    Args:
        status_code: A `SpanStatusCode`, or its name.
        description: What went wrong, for ERROR.

    Raises:
        InvalidParameterError: no such status code.
    """

    status_code: SpanStatusCode
    description: str = ""

    def __post_init__(self) -> None:
        try:
            self.status_code = SpanStatusCode(self.status_code)
        except ValueError:
            raise InvalidParameterError(
                f"{self.status_code} is not a valid SpanStatusCode value. Please use one of"
                f" {[code.value for code in SpanStatusCode]}"
            ) from None

    @classmethod
    def from_otel_status(cls, otel_status: Status) -> SpanStatus:
        """The status that an OpenTelemetry status stands for."""
        return cls(SpanStatusCode(otel_status.status_code.name), otel_status.description or "")

    def to_otel_status(self) -> Status:
        """The OpenTelemetry status."""
        from opentelemetry.trace import Status, StatusCode

        description = self.description if self.status_code is SpanStatusCode.ERROR else None
        return Status(StatusCode[self.status_code.value], description)

    @classmethod
    def from_otel_proto_status(cls, otel_proto_status: Any) -> SpanStatus:
        """The status that an OTLP status stands for."""
        for code, number in _NUMBERS.items():
            if number == otel_proto_status.code:
                return cls(code, otel_proto_status.message)
        return cls(SpanStatusCode.UNSET, otel_proto_status.message)

    def to_otel_proto_status(self) -> Any:
        """The OTLP status."""
        from opentelemetry.proto.trace.v1.trace_pb2 import Status

        status: Any = Status()
        status.code = _NUMBERS[self.status_code]
        status.message = self.description
        return status
