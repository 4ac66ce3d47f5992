"""Filters and orders of searches for runs as pieces of SQL.

Relies on: `runs` as `r`; `latest_metrics`, `run_params`, `run_tags`, `run_datasets` by their `run`, which is
`r.number`; `datasets` by `number`.

A run is used with several datasets: each condition on datasets holds where it holds for one of them, as in MLflow.
A metric that is NaN equals no number: of the comparators only `!=` and `NOT IN` hold for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otflow.errors import InvalidParameterError
from otflow.search.fields import RUN_FIELDS, RunField
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.tree import Comparison, Kind, Op, OrderKey
from otflow.store.sql import keyset
from otflow.store.sql.conditions import Operand, Sql, number_condition, sql, text_condition, time_condition
from otflow.store.sql.dialect import Dialect

__all__ = ["DRIVER", "RunQuery", "metric_condition", "run_query"]

DRIVER: Final = "d"
"""The alias of `latest_metrics` where a search reads it first, for the metric that leads."""

_MAX_ORDER: Final = 40
"""SQLite joins 64 tables at the most; each key of an order may need one."""

_R = RunField
_COLUMNS: Final = {
    _R.RUN_ID: "r.run_id",
    _R.NAME: "r.name",
    _R.STATUS: "r.status",
    _R.START_TIME: "r.start_ns",
    _R.END_TIME: "r.end_time_ms",
    _R.USER: "r.user_id",
    _R.ARTIFACTS: "r.artifact_uri",
}
_NULLABLE: Final = {_R.END_TIME}
_TABLES: Final = {_R.METRIC: "latest_metrics", _R.PARAM: "run_params", _R.TAG: "run_tags"}
_DATASET_COLUMNS: Final = {_R.DATASET_NAME: "s.name", _R.DATASET_DIGEST: "s.digest", _R.DATASET_CONTEXT: "u.context"}


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What a search for runs asks.

    Attributes:
        comparisons: All of them must hold.
        order: The keys of the order; they make it total.
        dialect: How the database speaks.
    """

    comparisons: tuple[Comparison, ...]
    order: tuple[OrderKey, ...]
    dialect: Dialect

    @property
    def leading_metric(self) -> str | None:
        """The metric that the order begins with, if it begins with one."""
        return self.order[0].key if self.order[0].field is _R.METRIC else None

    def conditions(self, leader: str | None = None) -> list[Sql]:
        """The comparisons as conditions on `r`; those on the metric `leader` on `d`, which has it."""
        # Where `d` is read first, what can be said of its run without `r` spares reading that.
        run = "r.number" if leader is None else f"{DRIVER}.run"
        return [
            metric_condition(DRIVER, one.op, one.value)
            if one.field is _R.METRIC and one.key == leader
            else _condition(one, run, self.dialect)
            for one in self.comparisons
        ]

    def joins(self, first: int = 0) -> Sql:
        """The tables, behind `r`, that the order needs from its key number `first` on."""
        joined = [
            sql(f" LEFT JOIN {_TABLES[key.field]} o{index} ON o{index}.run = r.number AND o{index}.key = {{}}", key.key)
            for index, key in enumerate(self.order)
            if index >= first and key.field in _TABLES
        ]
        return sql("{}" * len(joined), *joined)

    def keys(self, first: int = 0) -> list[keyset.OrderKey]:
        """The order from its key number `first` on, in SQL.

        A metric takes two keys: whether it is a number (0), NaN (1) or missing (2), and the value.
        """
        keys: list[keyset.OrderKey] = []
        for index, key in enumerate(self.order):
            if index < first:
                continue
            if key.field is _R.METRIC:
                keys.append(keyset.OrderKey(f"COALESCE(o{index}.is_nan, 2)"))
            column = f"o{index}.value" if key.field in _TABLES else _COLUMNS[key.field]
            nullable = key.field in _TABLES or key.field in _NULLABLE
            keys.append(keyset.OrderKey(column, key.descending, nullable=nullable))
        return keys

    def __str__(self) -> str:
        return ", ".join(map(str, self.order))


def run_query(filter_string: str | None, order_by: Sequence[str] | None, dialect: Dialect) -> RunQuery:
    """What a search for runs asks.

    Raises:
        FilterError: The filter or an order clause is malformed.
        InvalidParameterError: The order has too many clauses.
    """
    if isinstance(order_by, Sequence) and not isinstance(order_by, str) and len(order_by) > _MAX_ORDER:
        raise InvalidParameterError(f"order_by has at most {_MAX_ORDER} clauses, this one has {len(order_by)}")
    return RunQuery(parse_filter(filter_string, RUN_FIELDS), parse_order_by(order_by, RUN_FIELDS), dialect)


def metric_condition(alias: str, op: Op, value: Operand) -> Sql:
    """A condition on a row of `latest_metrics`, which is there."""
    if value is None:
        return Sql("1 = 1" if op is Op.IS_NOT_NULL else "1 = 0")
    # The column has floats: with a number of another type PostgreSQL would not use the index.
    bound = tuple(map(float, value)) if isinstance(value, tuple) else float(value)
    compared = number_condition(Sql(f"{alias}.value"), op, bound)
    if op in (Op.NE, Op.NOT_IN):
        return sql(f"({alias}.is_nan = 1 OR {{}})", compared)
    return sql(f"{alias}.is_nan = 0 AND {{}}", compared)


def _condition(comparison: Comparison, run: str, dialect: Dialect) -> Sql:
    """A condition on `r`, whose number is also `run`."""
    field, key, op, value = comparison.field, comparison.key, comparison.op, comparison.value
    absent = op is Op.IS_NULL
    if field in _TABLES:
        if absent or op is Op.IS_NOT_NULL:
            holds = Sql("1 = 1")
        elif field is _R.METRIC:
            holds = metric_condition("c", op, value)
        else:
            holds = text_condition(Sql("c.value"), op, value, dialect)
        return sql(
            f"{'NOT ' if absent else ''}EXISTS"
            f" (SELECT 1 FROM {_TABLES[field]} c WHERE c.run = {run} AND c.key = {{}} AND {{}})",
            key,
            holds,
        )
    if field in _DATASET_COLUMNS:
        column = Sql(_DATASET_COLUMNS[field])
        return sql(
            f"{'NOT ' if absent else ''}EXISTS (SELECT 1 FROM run_datasets u"
            f" JOIN datasets s ON s.number = u.dataset WHERE u.run = {run} AND {{}})",
            text_condition(column, Op.IS_NOT_NULL if absent else op, value, dialect),
        )
    column = Sql(_COLUMNS[field])
    if field is _R.START_TIME:
        return time_condition(column, op, value)
    if field.kind is Kind.NUMBER:
        return number_condition(column, op, value)
    return text_condition(column, op, value, dialect)
