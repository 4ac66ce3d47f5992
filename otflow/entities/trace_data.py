"""The spans of a trace."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from otflow.entities.reading import reading
from otflow.entities.span import Span
from otflow.entities.values import dump
from otflow.semconv import SpanKey

__all__ = ["TraceData"]


class TraceData:
    """The spans of a trace.

    Args:
        spans: The spans, the root first.
        **kwargs: What former versions of MLflow wrote beside them (`request`, `response`); it is in the spans too.
    """

    def __init__(self, spans: Sequence[Span] | None = None, **kwargs: Any) -> None:
        del kwargs
        # Of a trace with very many spans it is a sequence that reads them when they are asked for.
        self.spans: list[Span] = cast("list[Span]", spans if spans is not None else [])

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> TraceData:
        """The data that a dictionary describes.

        Raises:
            InvalidParameterError: no dictionary, or one of the spans is none; the message says what is missing.
        """
        with reading("TraceData", d):
            return cls(spans=[Span.from_dict(span) for span in d.get("spans") or ()])

    def to_dict(self) -> dict[str, Any]:
        """The data as a dictionary."""
        return {"spans": [span.to_dict() for span in self.spans]}

    def root(self) -> Span | None:
        """The span that has no parent here: the first without one, else the first whose parent is elsewhere."""
        for span in self.spans:
            if span.parent_id is None:
                return span
        known = {span.span_id for span in self.spans}
        return next((span for span in self.spans if span.parent_id not in known), None)

    @property
    def request(self) -> str | None:
        """The inputs of the root as JSON text."""
        return self._root_text(SpanKey.INPUTS)

    @property
    def response(self) -> str | None:
        """The outputs of the root as JSON text."""
        return self._root_text(SpanKey.OUTPUTS)

    def _root_text(self, key: str) -> str | None:
        root = self.root()
        value = root.raw_attributes.get(key) if root is not None else None
        return value if value is None or isinstance(value, str) else dump(value)

    @property
    def intermediate_outputs(self) -> dict[str, Any] | None:
        """Deprecated: outputs on the way, by name: those that the root names, else those of the other spans.

        None where there are no other spans. Spans of the same name are numbered: `name_1`, `name_2`.
        """
        warnings.warn(
            "TraceData.intermediate_outputs is deprecated; read the outputs of the spans instead.",
            FutureWarning,
            stacklevel=2,
        )
        root = self.root()
        if root is None:
            return None
        named = root.get_attribute(SpanKey.INTERMEDIATE_OUTPUTS)
        if named or len(self.spans) == 1:
            return named
        often = Counter(span.name for span in self.spans)
        seen: Counter[str] = Counter()
        found: dict[str, Any] = {}
        for span in self.spans:
            seen[span.name] += 1
            if span is not root and span.outputs is not None:
                found[f"{span.name}_{seen[span.name]}" if often[span.name] > 1 else span.name] = span.outputs
        return found

    def __eq__(self, other: object) -> bool:
        return self.spans == other.spans if isinstance(other, TraceData) else NotImplemented

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"TraceData(spans={self.spans!r})"
