"""Spans, writes and traces for the contract's tests."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from otflow.entities import Span, Trace, TraceState
from otflow.entities.values import dump, encode_attribute
from otflow.errors import InvalidStateError
from otflow.semconv import SpanKey, Tag
from otflow.store.interface import Store, TraceWrite

__all__ = ["MS", "ContractTests", "filtered", "new_trace_id", "span", "write"]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

_span_ids = itertools.count(1)


def new_trace_id() -> str:
    """A trace id that no other test has."""
    return f"tr-{secrets.token_hex(16)}"


def span(
    trace_id: str,
    name: str = "span",
    *,
    span_id: str | None = None,
    parent_id: str | None = None,
    start_ms: int = 1_000,
    end_ms: int | None = 2_000,
    status: str = "OK",
    span_type: str | None = None,
    inputs: object = None,
    outputs: object = None,
    attributes: Mapping[str, Any] | None = None,
    **more: Any,
) -> Span:
    """A span; `attributes` are values as a user sets them."""
    raw = {key: encode_attribute(key, value) for key, value in (attributes or {}).items()}
    for key, value in ((SpanKey.TYPE, span_type), (SpanKey.INPUTS, inputs), (SpanKey.OUTPUTS, outputs)):
        if value is not None:
            raw[key] = dump(value)
    return Span.of(
        trace_id=trace_id,
        span_id=span_id if span_id is not None else f"{next(_span_ids):016x}",
        parent_id=parent_id,
        name=name,
        start_ns=start_ms * MS,
        end_ns=None if end_ms is None else end_ms * MS,
        status_code=status,
        attributes=raw,
        **more,
    )


def write(trace_id: str, experiment_id: str, **fields: Any) -> TraceWrite:
    """What a process says of a finished trace, unless `fields` say otherwise; times in milliseconds."""
    name = fields.pop("name", None)
    tags = {**({} if name is None else {Tag.NAME: name}), **fields.pop("tags", {})}
    request_time_ns = fields.pop("request_time_ms", 1_000) * MS
    defaults: dict[str, Any] = {
        "request_time_ns": request_time_ns,
        "state": TraceState.OK,
        "execution_duration_ms": 1_000,
    }
    return TraceWrite(trace_id=trace_id, experiment_id=experiment_id, tags=tags, **{**defaults, **fields})


def filtered(store: Store, experiment: str, filter_string: str | None, **search: Any) -> list[str]:
    """The names of the traces that match, in the order of the search."""
    page = store.search_traces([experiment], filter_string=filter_string, **search)
    return [trace.info.tags[Tag.NAME] for trace in page]


class ContractTests:
    """What the chapters share."""

    @pytest.fixture
    def store(self) -> Iterable[Store]:
        """The store under test, empty or not; a subclass brings it."""
        raise InvalidStateError("a subclass of StoreContract brings the fixture `store`")

    @pytest.fixture
    def experiment(self, store: Store) -> str:
        """An experiment that no other test has."""
        return store.create_experiment(f"contract-{secrets.token_hex(8)}")

    @staticmethod
    def put(store: Store, experiment: str, name: str = "trace", **fields: Any) -> str:
        """Write a trace of one span; its id."""
        trace_id = new_trace_id()
        only_span = span(trace_id, fields.pop("span_name", name))
        store.write_traces([write(trace_id, experiment, name=name, **fields)], [only_span])
        return trace_id

    @staticmethod
    def facts(trace: Trace) -> dict[str, Any]:
        """All that can be compared of a trace, without what the store makes up."""
        facts = trace.to_dict()
        for tag in (Tag.ARTIFACT_LOCATION, Tag.SPANS_LOCATION):
            facts["info"]["tags"].pop(tag, None)
        return facts
