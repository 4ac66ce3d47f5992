"""`search_traces`: one page, in time order out of an index where that is possible.

The list view's order (newest first) is that of the indexes on `traces` and of `trace_terms`. What a filter names
exactly (a tag, a span name, a state, a run, …) is counted, and the rarest of it leads: the page is read from its index
range, and every other condition is checked on the traces that it leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from otflow.errors import InvalidParameterError
from otflow.store import validation
from otflow.store.sql import keyset
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.keyset import OrderKey
from otflow.store.sql.query import Query
from otflow.store.sql.rows import TRACE_COLUMNS

__all__ = ["BY_TIME", "MAX_RESULTS", "search_rows"]

MAX_RESULTS: Final = 50_000
"""The longest page."""

BY_TIME: Final = (OrderKey("t.time_ns", descending=True), OrderKey("t.trace_id"))
"""The order of the list view."""

_COLUMNS: Final = ", ".join(f"t.{column}" for column in TRACE_COLUMNS)
_COUNTED: Final = 10_000
"""How far is counted what could lead; of what is more frequent the first leads."""
_UNION: Final = 100
"""Experiments that are each read in order and merged; more of them are read together and sorted."""

# SQLite reads the tables of a CROSS JOIN in the order in which they stand. PostgreSQL takes the order that it thinks
# best, and it thinks that conditions on JSON are met by few; OFFSET 0 makes it read the terms in order, one by one.
_SAME: Final = "t.trace_id = d.trace_id AND t.time_ns = d.time_ns"
_IN_ORDER: Final = (
    "(SELECT d.time_ns, d.trace_id FROM trace_terms d WHERE {}"
    " ORDER BY d.time_ns DESC, d.trace_id OFFSET 0) d"
    f" CROSS JOIN LATERAL (SELECT t.* FROM traces t WHERE {_SAME} OFFSET 0) t"
)
_BY_TERM: Final = (OrderKey("d.time_ns", descending=True), OrderKey("d.trace_id"))


def search_rows(
    session: Session,
    experiments: Sequence[int],
    filter_string: str | None,
    order_by: Sequence[str] | None,
    max_results: int,
    page_token: str | None,
) -> tuple[list[Row], str | None]:
    """The rows of one page, and the token of the next page where there is one."""
    limit = validation.check_max_results(max_results, MAX_RESULTS)
    query = _query(filter_string, order_by, session.dialect)
    last = keyset.read_token("traces", query.order, page_token) if page_token else None
    if not experiments:
        return [], None
    experiments = sorted(set(experiments))
    leader = _leader(session, experiments[0], query) if query.order == BY_TIME else None
    if len(experiments) <= _UNION:
        parts = [_select(query, last, leader, [number], limit + 1, session.dialect) for number in experiments]
    else:
        parts = [_select(query, last, leader, experiments, limit + 1, session.dialect)]
    width = len(query.order)
    if len(parts) == 1:
        statement, parameters = parts[0]
    else:
        names = [f"k{index}" for index in range(width)]
        total = [OrderKey(name, key.descending, (), key.nullable) for name, key in zip(names, query.order, strict=True)]
        statement = (
            "SELECT * FROM ("
            + " UNION ALL ".join(f"SELECT * FROM ({part}) AS p{index}" for index, (part, _) in enumerate(parts))
            + f") AS page ORDER BY {keyset.order_by(total)[0]} LIMIT {limit + 1}"
        )
        parameters = [parameter for _, some in parts for parameter in some]
    rows = session.all(statement, parameters)
    token = None
    if len(rows) > limit:
        token = keyset.write_token("traces", query.order, rows[limit - 1][-width:])
    return [row[:-width] for row in rows[:limit]], token


def _query(filter_string: str | None, order_by: Sequence[str] | None, dialect: Dialect) -> Query:
    if isinstance(order_by, str):
        raise InvalidParameterError(f"order_by is a list of clauses, not one string: {order_by!r}")
    if not filter_string and not order_by:
        return Query("", (), BY_TIME)
    from otflow.store.sql import filters  # what is not filtered needs no parser

    return filters.trace_query(filter_string, order_by, dialect)


@dataclass(frozen=True, slots=True)
class _Leader:
    """What the traces of a page are found by.

    Attributes:
        select: The SELECT of its rows, where `{}` is the condition on the experiment; alone, it is counted.
        values: What stands for the `?` behind those of the experiment.
        table: What to read before `traces`, under the name `d`; empty where an index of `traces` does.
        condition: Which of its rows are meant.
        join: How they lead to `t`.
        ordered: Whether `d` has the order of the list view.
    """

    select: str
    values: tuple[object, ...]
    table: str = ""
    condition: str = ""
    join: str = ""
    ordered: bool = True


def _term_leader(field: str, value: str) -> _Leader:
    return _Leader(
        "SELECT 1 FROM trace_terms d WHERE {} AND d.field = ? AND d.value = ?",
        (field, value),
        "trace_terms d",
        "{} AND d.field = ? AND d.value = ?",
        _SAME,
    )


def _column_leader(column: str, value: str) -> _Leader:
    of_column = f"SELECT d.trace_id FROM traces d WHERE {{}} AND d.{column} = ?"
    if column != "run_id":
        return _Leader(of_column, (value,))
    # The runs of a trace are in two places, so that no index has the order: they lead where they are few.
    both = f"{of_column} UNION SELECT trace_id FROM trace_runs WHERE run_id = ?"
    return _Leader(both, (value, value), f"({both}) d", "1 = 1", "t.trace_id = d.trace_id", ordered=False)


def _leader(session: Session, experiment: int, query: Query) -> _Leader | None:
    """What leads to the fewest traces; None where the indexes of `traces` do as well."""
    leaders = [_column_leader(*one) for one in query.columns] + [_term_leader(*one) for one in query.terms]
    if len(leaders) == 1 and leaders[0].ordered:
        return leaders[0]
    counts: list[int] = []
    for leader in leaders:
        rows = leader.select.format("d.experiment_id = ?")
        row = session.one(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM ({rows}) AS x LIMIT {_COUNTED}) AS y", (experiment, *leader.values)
        )
        counts.append(row[0] if row else 0)
    best = min(range(len(leaders)), key=counts.__getitem__, default=None)
    if best is None or (counts[best] >= _COUNTED and not leaders[best].ordered):
        return None
    return leaders[best]


def _select(
    query: Query,
    last: Sequence[Any] | None,
    leader: _Leader | None,
    experiments: Sequence[int],
    limit: int,
    dialect: Dialect,
) -> tuple[str, list[object]]:
    """The statement for a page of some experiments; behind the columns stand the order keys."""
    where = dialect.any_of("{}.experiment_id", len(experiments)) if len(experiments) > 1 else "{}.experiment_id = ?"
    order, table = query.order, "traces t"
    conditions: list[str] = []
    parameters: list[object] = []
    if leader is not None and leader.table:
        order = _BY_TERM if leader.ordered else order
        table = f"{leader.table} CROSS JOIN traces t".replace("{}", where.format("d"))
        conditions.append(leader.condition.replace("{}", where.format("d")))
        if not (leader.ordered and dialect is Dialect.POSTGRESQL):
            conditions.append(leader.join)
        parameters += [*experiments, *leader.values]
    if last is not None:
        condition, more = keyset.after(order, last)
        conditions.append(condition)
        parameters += more
    if order is _BY_TERM and dialect is Dialect.POSTGRESQL:
        table, conditions = _IN_ORDER.format(" AND ".join(conditions)), []
    conditions.append(where.format("t"))
    parameters += experiments
    if query.where:
        conditions.append(query.where)
        parameters += query.parameters
    clause, order_parameters = keyset.order_by(order)
    keys = ", ".join(f"{key.sql} AS k{index}" for index, key in enumerate(order))
    key_parameters = [parameter for key in order for parameter in key.parameters]
    statement = (
        f"SELECT {_COLUMNS}, {keys} FROM {table} WHERE {' AND '.join(conditions)} ORDER BY {clause} LIMIT {limit}"
    )
    return statement, [*key_parameters, *parameters, *order_parameters]
