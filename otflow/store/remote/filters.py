"""Filters and orders in the words of MLflow's server, which knows fewer names than otflow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from otflow.search.fields import EXPERIMENT_FIELDS, TraceField
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.tree import Comparison, Field, Op, OrderKey, to_text
from otflow.semconv import Metadata

__all__ = ["check_experiment_search", "server_filter", "server_order"]

_TRACE_ID: Final = dataclasses.replace(TraceField.TRACE_ID, name="request_id")
_IN_METADATA: Final = {
    TraceField.SESSION: Metadata.SESSION,
    TraceField.USER: Metadata.USER,
    TraceField.MODEL: Metadata.MODEL_ID,
}

_NO_LISTS: Final = frozenset({TraceField.NAME, TraceField.STATUS, TraceField.TAG, TraceField.METADATA})


def server_filter(text: str | None) -> str | None:
    """A filter of traces, rewritten.

    Raises:
        FilterError: It is malformed.
    """
    renamed: list[Comparison] = []
    for comparison in parse_filter(text):
        asked, key = _renamed(comparison.field, comparison.key)
        renamed += _without_lists(dataclasses.replace(comparison, field=asked, key=key))
    return to_text(renamed) or None


def server_order(clauses: Sequence[str] | None) -> list[str] | None:
    """An order of traces, rewritten.

    Raises:
        FilterError: A clause is malformed.
    """
    keys = parse_order_by(clauses)[: len(clauses or ())]
    return [str(OrderKey(*_renamed(key.field, key.key), key.descending)) for key in keys] or None


def check_experiment_search(text: str | None, clauses: Sequence[str] | None) -> None:
    """Say what is wrong with a filter and an order of experiments.

    Raises:
        FilterError: One of them is malformed.
    """
    parse_filter(text, EXPERIMENT_FIELDS)
    parse_order_by(clauses, EXPERIMENT_FIELDS)


def _renamed(asked: Field, key: str) -> tuple[Field, str]:
    if asked == TraceField.TRACE_ID:
        return _TRACE_ID, key
    if asked in _IN_METADATA:
        return TraceField.METADATA, _IN_METADATA[asked]
    return asked, key


def _without_lists(comparison: Comparison) -> list[Comparison]:
    """The same without the lists that the server does not take for this field, where there is a way."""
    values = comparison.value
    if comparison.field not in _NO_LISTS or not isinstance(values, tuple):
        return [comparison]
    if comparison.op is Op.NOT_IN:
        return [dataclasses.replace(comparison, op=Op.NE, value=value) for value in values]
    return [dataclasses.replace(comparison, op=Op.EQ, value=values[0])] if len(values) == 1 else [comparison]
