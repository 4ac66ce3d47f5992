"""Something that happened at one moment of a span's life."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otflow import clock
from otflow.entities.reading import reading
from otflow.entities.values import clean_text, dump
from otflow.semconv import OTel

__all__ = ["SpanEvent"]


@dataclass(slots=True)
class SpanEvent:
    """Something that happened at one moment of a span's life.

    Args:
        name: What happened.
        timestamp: When: Unix time in nanoseconds; now by default.
        attributes: More about it.
    """

    name: str
    timestamp: int = field(default_factory=clock.now_ns)
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def from_exception(cls, exception: BaseException) -> SpanEvent:
        """The event that OpenTelemetry calls `exception`; for exceptions that cannot be printed too.

        Source: OpenTelemetry semantic conventions, Exceptions on spans.
        """
        return cls(
            name=OTel.EXCEPTION_EVENT,
            attributes={
                OTel.EXCEPTION_MESSAGE: text_of(exception),
                OTel.EXCEPTION_TYPE: type(exception).__name__,
                OTel.EXCEPTION_STACKTRACE: stack_trace_of(exception),
            },
        )

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> SpanEvent:
        """The event that a dictionary of its fields describes.

        Raises:
            InvalidParameterError: a field is missing or malformed.
        """
        with reading("SpanEvent", the_dict):
            return cls(the_dict["name"], int(the_dict["timestamp"]), dict(the_dict.get("attributes") or {}))

    def json(self) -> dict[str, Any]:
        """The event as a dictionary, its attributes as JSON text."""
        return {
            "name": self.name,
            "timestamp": self.timestamp,
            "attributes": dump(self.attributes) if self.attributes else None,
        }

    def to_otel_proto(self) -> Any:
        """The OTLP event."""
        from otflow.entities.otel_proto import event_to_proto

        return event_to_proto(self)


def text_of(exception: BaseException) -> str:
    """The message of an exception, whatever its `__str__` does."""
    try:
        return clean_text(str(exception))
    except Exception:
        return f"<{type(exception).__name__}: unprintable>"


def stack_trace_of(exception: BaseException) -> str:
    """Where an exception was raised, whatever its `__str__` does."""
    try:
        return clean_text("".join(traceback.format_exception(exception)).rstrip())
    except Exception:
        frames = "".join(traceback.format_tb(exception.__traceback__))
        return f"Traceback (most recent call last):\n{frames}{type(exception).__name__}: {text_of(exception)}"
