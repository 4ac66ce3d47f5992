"""Traces that belong together, such as the turns of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from otflow.semconv import Metadata

if TYPE_CHECKING:
    from otflow.entities.trace import Trace

__all__ = ["Session"]


class Session:
    """All traces that carry the same session id.

    Args:
        traces: The traces, oldest first.
    """

    def __init__(self, traces: list[Trace]) -> None:
        self._traces = traces

    @property
    def id(self) -> str | None:
        """The session id; None where there are no traces or the first has none."""
        return self._traces[0].info.trace_metadata.get(Metadata.SESSION) if self._traces else None

    @property
    def traces(self) -> list[Trace]:
        """The traces, oldest first."""
        return self._traces

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces)

    def __len__(self) -> int:
        return len(self._traces)

    def __getitem__(self, index: int) -> Trace:
        return self._traces[index]

    def __repr__(self) -> str:
        return f"Session(id={self.id!r})"
