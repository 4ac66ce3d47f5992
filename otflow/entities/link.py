"""A reference from a span to another one, perhaps in another trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otflow.entities.reading import reading

__all__ = ["Link"]


@dataclass(slots=True)
class Link:
    """A reference to a span, perhaps in another trace.

    Args:
        trace_id: The id of its trace, `tr-…`.
        span_id: Its id, 16 hex digits.
        attributes: More about the relation.
    """

    trace_id: str
    span_id: str
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Link:
        """The link that a dictionary of its fields describes.

        Raises:
            InvalidParameterError: a field is missing or malformed.
        """
        with reading("Link", data):
            return cls(data["trace_id"], data["span_id"], dict(data.get("attributes") or {}))

    def to_dict(self) -> dict[str, Any]:
        """The link as a dictionary."""
        return {"trace_id": self.trace_id, "span_id": self.span_id, "attributes": dict(self.attributes)}
