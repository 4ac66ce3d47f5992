"""What a span asks before it keeps content; the answer is given by `otflow.tracing.privacy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["ContentPolicy"]


class ContentPolicy(Protocol):
    """Rewrites or drops content before it is set on a span. None of its methods raises."""

    looks_into_texts: bool
    """Whether what it looks for may be spread over several items of a stream."""

    def stream(self, items: list[Any]) -> list[Any]:
        """The items of a stream, without what is to go and stands in several of them."""
        ...

    def attribute(self, key: str, value: Any) -> Any:
        """A live value as the OpenTelemetry attribute that may be kept; None where none may."""
        ...

    def key(self, key: str) -> str:
        """The key of an attribute that may be kept."""
        ...

    def encoded(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes, as OpenTelemetry holds them, that may be kept."""
        ...

    def event(self, name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name and the attributes of an event that may be kept."""
        ...

    def message(self, text: str) -> str:
        """The message of an error that may be kept."""
        ...

    def name(self, name: str) -> str:
        """The name of a span or a trace that may be kept."""
        ...
