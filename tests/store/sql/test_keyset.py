"""Orders and tokens."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError
from otflow.store.sql.keyset import OrderKey, after, order_by, read_token, write_token

_VALUES = st.none() | st.integers(-2, 2)
_ROWS = st.lists(st.tuples(_VALUES, _VALUES), max_size=12)


@given(_ROWS, st.booleans(), st.booleans(), st.integers(1, 4))
def test_pages_hold_every_row_once_in_order(
    rows: list[tuple[int | None, int | None]], first_down: bool, second_down: bool, size: int
) -> None:
    keys = [
        OrderKey("a", first_down, nullable=True),
        OrderKey("b + ?", second_down, (0,), nullable=True),
        OrderKey("id"),
    ]
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    connection.executemany("INSERT INTO t (a, b) VALUES (?, ?)", rows)
    order, order_parameters = order_by(keys)
    whole = connection.execute(f"SELECT id FROM t ORDER BY {order}", order_parameters).fetchall()
    seen: list[tuple[int]] = []
    token: str | None = None
    while True:
        condition, parameters = after(keys, read_token("t", keys, token)) if token else ("1 = 1", [])
        page = connection.execute(
            f"SELECT id, a, b, id FROM t WHERE {condition} ORDER BY {order} LIMIT {size}",
            [*parameters, *order_parameters],
        ).fetchall()
        if not page:
            break
        seen += [(row[0],) for row in page]
        token = write_token("t", keys, page[-1][1:])
    connection.close()
    assert seen == whole


@given(st.lists(st.none() | st.integers() | st.floats(allow_nan=False) | st.text(), min_size=2, max_size=2))
def test_a_token_keeps_its_values(values: list[object]) -> None:
    keys = [OrderKey("a"), OrderKey("b")]
    assert read_token("t", keys, write_token("t", keys, values)) == values


@given(st.text() | st.binary().map(lambda some: some.hex()))
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(InvalidParameterError, match="page token"):
        read_token("t", [OrderKey("a")], token)


def test_a_token_belongs_to_one_search() -> None:
    keys = [OrderKey("a"), OrderKey("id")]
    token = write_token("t", keys, [1, 2])
    for kind, others in (("u", keys), ("t", [OrderKey("a", descending=True), OrderKey("id")]), ("t", keys[:1])):
        with pytest.raises(InvalidParameterError):
            read_token(kind, others, token)
