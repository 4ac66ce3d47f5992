"""Where the spans of a trace go: its store, collectors that take OTLP, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from otflow import context
from otflow.entities import Span
from otflow.store.interface import TraceWrite

__all__ = ["Destination", "StoreDestination", "destinations"]


class Destination(Protocol):
    """Something that takes batches. Used by the writer only, one batch at a time."""

    @property
    def name(self) -> str:
        """What it is called in logs and in `delivery()`; holds no secret. One name, one destination."""
        ...

    def send(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> None:
        """Deliver a batch, all of it or nothing.

        Raises:
            StoreUnavailableError: trying the same batch again later may succeed.
            OtflowError: it will never be taken; what it is then tried in smaller parts.
        """
        ...


class StoreDestination:
    """The store at a URI."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @property
    def name(self) -> str:
        return context.store(self.uri).uri

    def send(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> None:
        context.store(self.uri).write_traces(traces, spans)


_stores: dict[str, StoreDestination] = {}


def destinations(uri: str) -> tuple[Destination, ...]:
    """Where the spans of traces that belong to the store at `uri` go."""
    found = _stores.get(uri)
    if found is None:
        found = _stores[uri] = StoreDestination(uri)
    return (found,)
