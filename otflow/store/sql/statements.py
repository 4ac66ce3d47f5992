"""Statements over many rows at once, in portions that fit into one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, TypeVar

from otflow.store.aggregates import SpanFacts
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import values
from otflow.store.sql.rows import TRACE_COLUMNS

__all__ = ["in_chunks", "insert_rows", "lock_traces", "select_in", "span_facts", "upsert"]

T = TypeVar("T")

_PARAMETERS: Final = 3000
"""Parameters in one statement: enough to make a statement's own cost small, few enough for every SQLite."""


def in_chunks(rows: Sequence[T], columns: int) -> Iterator[Sequence[T]]:
    """Rows of so many columns in portions that fit into one statement."""
    size = max(1, _PARAMETERS // columns)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def upsert(table: str, columns: Sequence[str], key: Sequence[str], condition: str = "") -> str:
    """An INSERT with `VALUES {}` that overwrites the row with the same key, where `condition` holds."""
    rest = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {{}}"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {rest}{condition}"
    )


def insert_rows(session: Session, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a statement with `VALUES {}` for all rows."""
    if not rows:
        return
    columns = len(rows[0])
    for chunk in in_chunks(rows, columns):
        session.run(statement.format(values(columns, len(chunk))), list(chain.from_iterable(chunk)))


def select_in(session: Session, statement: str, keys: Sequence[object], before: Sequence[object] = ()) -> list[Row]:
    """Run a SELECT with `IN {}` for all keys, after the parameters `before`."""
    rows: list[Row] = []
    for chunk in in_chunks(keys, 1):
        rows += session.all(statement.format(values(len(chunk), 1)), (*before, *chunk))
    return rows


def lock_traces(session: Session, trace_ids: Sequence[str]) -> list[Row]:
    """The rows of traces, in the order of their ids, kept from other writers until the transaction ends."""
    return select_in(
        session,
        f"SELECT {', '.join(TRACE_COLUMNS)} FROM traces WHERE trace_id IN {{}} ORDER BY trace_id"
        + session.dialect.for_update,
        sorted(set(trace_ids)),
    )


def span_facts(session: Session, trace_ids: Sequence[str]) -> dict[str, list[SpanFacts]]:
    """What the aggregates need of all spans of traces."""
    facts: dict[str, list[SpanFacts]] = {}
    for trace_id, *rest in select_in(
        session, "SELECT trace_id, span_id, parent_id, size, usage, cost FROM spans WHERE trace_id IN {}", trace_ids
    ):
        facts.setdefault(trace_id, []).append(SpanFacts(*rest))
    return facts
