"""`search_runs`: the numbers of one page of runs out of an index where that is possible, then these runs.

Three things can lead to a page. A condition on a metric that few runs meet: these are read and sorted. Else an order by
a metric: its numbers are read in the order of `latest_metrics_by_value`, after them the runs where it is NaN, after
them those without it, each only where the page is not full yet. Else an order by time, that of `runs_by_time`. What
remains is read as a whole and sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Final, TypeVar

from otflow.entities import LifecycleStage, Page, Run, ViewType
from otflow.errors import InvalidParameterError
from otflow.search.fields import RunField
from otflow.search.tree import Comparison, Op
from otflow.store import validation
from otflow.store.sql import keyset, runs
from otflow.store.sql.conditions import Sql, all_of, sql
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.keyset import OrderKey
from otflow.store.sql.run_filters import DRIVER, RunQuery, metric_condition, run_query
from otflow.store.sql.statements import select_in

__all__ = ["MAX_RESULTS", "page_keys", "search"]

T = TypeVar("T")

MAX_RESULTS: Final = 50_000
"""The longest page."""

_FEW: Final = 5_000
"""So many matches are read and sorted rather than looked for in the order that is asked for."""
_UNION: Final = 100
"""Parts that are each read in order and merged; more of them are read together and sorted."""
_PARAMETERS: Final = 10_000
"""Parameters of a statement of several parts."""
_LEADING_OPS: Final = {Op.EQ, Op.IN, Op.LT, Op.LE, Op.GT, Op.GE}

_AT: Final = "r.experiment_id IN {} AND r.lifecycle_stage IN {}"
_NAMED_AT: Final = "+r.experiment_id IN {} AND r.lifecycle_stage || '' IN {}"
"""The same, said so that SQLite takes no index for it: of runs that are named, the one on their ids knows more."""

_NUMBERS, _NANS, _MISSING = 0, 1, 2
"""The groups of an order by a metric, as `RunQuery.keys` numbers them."""

_OF_DRIVER: Final = f"latest_metrics {DRIVER} CROSS JOIN runs r"
"""SQLite reads the tables of a CROSS JOIN in the order in which they stand."""


def search(
    session: Session,
    experiments: Sequence[int],
    *,
    filter_string: str | None,
    view_type: int,
    order_by: Sequence[str] | None,
    max_results: int,
    page_token: str | None,
) -> Page[Run]:
    """One page of runs; see `RunStore.search_runs`."""
    limit = validation.check_max_results(max_results, MAX_RESULTS)
    ViewType.to_string(view_type)  # there is such a view
    stages = LifecycleStage.view_type_to_stages(view_type)
    query = run_query(filter_string, order_by, session.dialect)
    found, token = page_keys(session, sorted(set(experiments)), query, stages, limit, page_token)
    rows = {
        row[0]: row
        for row in select_in(session, f"SELECT {', '.join(runs.RUN_COLUMNS)} FROM runs WHERE number IN {{}}", found)
    }
    return Page(runs.load(session, [rows[number] for number in found]), token)


def page_keys(
    session: Session,
    experiments: Sequence[int],
    query: RunQuery,
    stages: Sequence[str],
    limit: int,
    page_token: str | None,
) -> tuple[list[int], str | None]:
    """The numbers of the runs of one page, and the token of the next page where there is one."""
    kind, keys = f"runs by {query}", query.keys()
    last = keyset.read_token(kind, keys, page_token) if page_token else None
    if query.leading_metric is not None and last is not None and last[0] not in (_NUMBERS, _NANS, _MISSING):
        raise InvalidParameterError(f"Invalid page token {page_token!r}: it must be the token of the page before")
    if not experiments:
        return [], None
    rows = _Reading(session, experiments, query, stages).page(last, limit + 1)
    token = keyset.write_token(kind, keys, rows[limit - 1][1:]) if len(rows) > limit else None
    return [row[0] for row in rows[:limit]], token


class _Reading:
    """One search, all in one snapshot. Its rows are the number of a run and the values of the order's keys."""

    def __init__(self, session: Session, experiments: Sequence[int], query: RunQuery, stages: Sequence[str]) -> None:
        self.session = session
        self.experiments = tuple(experiments)
        self.query = query
        self.stages = tuple(stages)

    def page(self, last: Sequence[Any] | None, limit: int) -> list[Row]:
        """So many rows after `last`."""
        query = self.query
        rare = self.rare_condition()
        if rare is not None:
            return self.by_condition(*rare, last, limit)
        if query.leading_metric is not None:
            return self.by_metric(query.leading_metric, last, limit)
        return self.by_run(0, query.conditions(), last, limit)

    def rare_condition(self) -> tuple[Comparison, int] | None:
        """The condition on a metric that the fewest runs meet, and how many, if they are few.

        Not one on the metric that the order begins with: the order leads to its runs as well.
        """
        best, fewest = None, _FEW
        for one in self.query.comparisons:
            if one.field is not RunField.METRIC or one.op not in _LEADING_OPS or one.key == self.query.leading_metric:
                continue
            matches = self.matches(one, fewest)
            row = self.session.one(f"SELECT COUNT(*) FROM ({matches.text}) AS counted", matches.parameters)
            if row is not None and row[0] < fewest:
                best, fewest = one, row[0]
        return None if best is None else (best, fewest)

    def matches(self, comparison: Comparison, limit: int) -> Sql:
        """A SELECT of the metrics, so many at the most, for which a condition on a metric holds."""
        return sql(
            f"SELECT {DRIVER}.run, {DRIVER}.is_nan, {DRIVER}.value FROM latest_metrics {DRIVER}"
            f" WHERE {DRIVER}.experiment_id IN {{}} AND {DRIVER}.key = {{}} AND {{}} LIMIT {limit}",
            self.experiments,
            comparison.key,
            metric_condition(DRIVER, comparison.op, comparison.value),
        )

    def by_condition(self, rare: Comparison, count: int, last: Sequence[Any] | None, limit: int) -> list[Row]:
        """The runs that meet a condition on a metric, of which there are so many, sorted."""
        query = self.query
        # The LIMIT is their number: it takes none away, and PostgreSQL learns from it that they are few.
        source = sql(f"({{}}) {DRIVER} CROSS JOIN runs r{{}}", self.matches(rare, max(count, 1)), query.joins())
        conditions = [sql(f"r.number = {DRIVER}.run AND r.lifecycle_stage IN {{}}", self.stages)]
        return self.rows([[*conditions, *query.conditions(rare.key)]], source, query.keys(), last, limit)

    def by_metric(self, key: str, last: Sequence[Any] | None, limit: int) -> list[Row]:
        """The order begins with a metric: its numbers, then NaN, then what has no value."""
        ops = {one.op for one in self.query.comparisons if one.field is RunField.METRIC and one.key == key}
        rows: list[Row] = []
        for group in (_NUMBERS, _NANS, _MISSING):
            wanted = limit - len(rows)
            if wanted == 0 or (last is not None and last[0] > group):
                continue
            before = last if last is not None and last[0] == group else None
            if group == _MISSING:
                if ops <= {Op.IS_NULL}:  # any other condition holds for no run without the metric
                    absent = "NOT EXISTS (SELECT 1 FROM latest_metrics c WHERE c.run = r.number AND c.key = {})"
                    conditions = [sql(absent, key), *self.query.conditions()]
                    rows += self.by_run(1, conditions, before and before[2:], wanted, "2, NULL")
            elif Op.IS_NULL not in ops:
                rows += self.by_value(key, group, before, wanted)
        return rows

    def by_value(self, key: str, group: int, last: Sequence[Any] | None, limit: int) -> list[Row]:
        """The runs where a metric is a number, in the order of the numbers, or those where it is NaN."""
        query, keys, constants = self.query, self.query.keys(1), f"{group}, {DRIVER}.value"
        if group == _NUMBERS:
            keys, constants = [OrderKey(f"{DRIVER}.value", query.order[0].descending), *keys], f"{group}"
        conditions = [Sql(f"{DRIVER}.is_nan = {group}"), *query.conditions(key)]
        parts = [
            [self.of_driver(key, some), *conditions]
            for some in self.split([(number,) for number in self.experiments], (self.experiments,), conditions)
        ]
        source = sql(f"{_OF_DRIVER}{{}}", query.joins(1))
        return self.rows(parts, source, keys, last and last[-len(keys) :], limit, constants)

    def by_run(
        self, first: int, conditions: list[Sql], last: Sequence[Any] | None, limit: int, constants: str = ""
    ) -> list[Row]:
        """The runs in the order from its key number `first` on."""
        query = self.query
        everywhere = [(self.experiments, self.stages)]
        places = [((number,), (stage,)) for number, stage in product(self.experiments, self.stages)]
        if query.order[first].field is not RunField.START_TIME:
            places = everywhere
        named = any(one.field is RunField.RUN_ID and one.op in (Op.EQ, Op.IN) for one in query.comparisons)
        where = _NAMED_AT if named else _AT
        parts = [[sql(where, *place), *conditions] for place in self.split(places, everywhere, conditions)]
        return self.rows(parts, sql("runs r{}", query.joins(first)), query.keys(first), last, limit, constants)

    # -- statements --------------------------------------------------------------------------------

    def of_driver(self, key: str, experiments: tuple[int, ...]) -> Sql:
        """The condition that `r` is a run of these experiments and `d` its metric."""
        return sql(
            f"{DRIVER}.experiment_id IN {{}} AND {DRIVER}.key = {{}} AND r.number = {DRIVER}.run"
            " AND r.lifecycle_stage IN {}",
            experiments,
            key,
            self.stages,
        )

    def split(self, places: Sequence[T], everywhere: Sequence[T], conditions: Sequence[Sql]) -> Sequence[T]:
        """The places to read one by one; all in one where they are too many for one statement."""
        # A token takes some for each pair of keys of the order.
        parameters = sum(len(condition.parameters) for condition in conditions) + 10 + len(self.query.order) ** 2
        return places if len(places) <= min(_UNION, _PARAMETERS // parameters) else everywhere

    def rows(
        self,
        parts: Sequence[Sequence[Sql]],
        source: Sql,
        keys: Sequence[OrderKey],
        last: Sequence[Any] | None,
        limit: int,
        constants: str = "",
    ) -> list[Row]:
        """The first rows after `last` for which all conditions of one of the parts hold.

        `constants` are values of the order's keys before `keys`, in SQL.
        """
        names = [f"k{index}" for index in range(len(keys))]
        said = [constants] if constants else []
        columns = ", ".join(
            ["r.number", *said, *(f"{key.sql} AS {name}" for key, name in zip(keys, names, strict=True))]
        )
        conditions_after = [] if last is None else [_piece(keyset.after(keys, last))]
        order = _piece(keyset.order_by(keys))
        statements = [
            sql(
                f"SELECT {columns} FROM {{}} WHERE {{}} ORDER BY {{}} LIMIT {limit}",
                source,
                all_of([*conditions, *conditions_after]),
                order,
            )
            for conditions in parts
        ]
        if len(statements) == 1:
            statement = statements[0]
        else:
            merged = [OrderKey(name, key.descending, (), key.nullable) for name, key in zip(names, keys, strict=True)]
            statement = sql(
                "SELECT * FROM ("
                + " UNION ALL ".join(f"SELECT * FROM ({{}}) AS p{index}" for index in range(len(statements)))
                + f") AS page ORDER BY {keyset.order_by(merged)[0]} LIMIT {limit}",
                *statements,
            )
        return self.session.all(statement.text, statement.parameters)


def _piece(written: tuple[str, Sequence[object]]) -> Sql:
    return Sql(written[0], tuple(written[1]))
