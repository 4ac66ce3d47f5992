"""`search_runs` on real databases: every way to read a page gives what plain Python gives."""

from __future__ import annotations

import functools
import math
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otflow.entities import Metric, Param, RunTag, ViewType
from otflow.errors import InvalidParameterError
from otflow.search.fields import RUN_FIELDS, RunField
from otflow.search.grammar import parse_order_by
from otflow.search.tree import Comparison, Op, OrderKey, to_text
from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql import run_search
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.keyset import write_token
from otflow.store.sql.run_filters import run_query

KEYS = ("m", "n", "with space")
VALUES = (math.nan, -math.inf, -1.0, 0.0, 0.5, 1.0, 2.0, math.inf)
TEXTS = ("", "a", "A", "b", "it's", "é")


@dataclass
class Facts:
    """A run as the tests describe it."""

    start: int
    status: str
    stage: str
    end: int | None
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    params: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    run_id: str = ""
    experiment: str = ""

    def value(self, asked: Any, key: str) -> Any:
        """What a field of the run is; infinities as the store keeps them."""
        if asked is RunField.METRIC:
            value = self.metrics.get(key)
            return math.copysign(sys.float_info.max, value) if value is not None and math.isinf(value) else value
        if asked is RunField.PARAM:
            return self.params.get(key)
        if asked is RunField.TAG:
            return self.tags.get(key)
        return {
            RunField.RUN_ID: self.run_id,
            RunField.STATUS: self.status,
            RunField.START_TIME: self.start,
            RunField.END_TIME: self.end,
        }[asked]


def holds(comparison: Comparison, facts: Facts) -> bool:
    """Whether a condition holds, in plain Python."""
    value, op, other = facts.value(comparison.field, comparison.key), comparison.op, cast(Any, comparison.value)
    if op in (Op.IS_NULL, Op.IS_NOT_NULL):
        return (value is None) == (op is Op.IS_NULL)
    if value is None:
        return False
    compared: dict[Op, Callable[[], bool]] = {
        Op.EQ: lambda: value == other,
        Op.NE: lambda: value != other,
        Op.LT: lambda: value < other,
        Op.LE: lambda: value <= other,
        Op.GT: lambda: value > other,
        Op.GE: lambda: value >= other,
        Op.IN: lambda: value in other,
        Op.NOT_IN: lambda: value not in other,
    }
    return compared[op]()


def ordered(keys: Sequence[OrderKey], runs: Sequence[Facts]) -> list[Facts]:
    """The runs in order, in plain Python."""

    def compare(one: Facts, other: Facts) -> int:
        for key in keys:
            mine, theirs = (side(each.value(key.field, key.key)) for each in (one, other))
            if mine[0] != theirs[0]:
                return -1 if mine[0] < theirs[0] else 1
            if mine[0] == 0 and mine[1] != theirs[1]:
                return -1 if (mine[1] < theirs[1]) != key.descending else 1
        return 0

    def side(value: Any) -> tuple[int, Any]:
        if value is None:
            return 2, None
        return (1, None) if isinstance(value, float) and math.isnan(value) else (0, value)

    return sorted(runs, key=functools.cmp_to_key(compare))


def some_runs() -> st.SearchStrategy[list[Facts]]:
    text = st.dictionaries(st.sampled_from(KEYS[:2]), st.sampled_from(TEXTS), max_size=2)
    run = st.builds(
        Facts,
        start=st.integers(1, 5),
        status=st.sampled_from(["RUNNING", "FINISHED"]),
        stage=st.sampled_from(["active", "active", "deleted"]),
        end=st.none() | st.integers(1, 3),
        metrics=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3),
        params=text,
        tags=text,
    )
    return st.lists(run, min_size=1, max_size=14)


def some_comparison() -> st.SearchStrategy[Comparison]:
    def of(asked: Any, key: str, literal: Any) -> st.SearchStrategy[Comparison]:
        ops = [op for op in asked.kind.ops if op not in (Op.LIKE, Op.ILIKE, Op.RLIKE)]

        def of_op(op: Op) -> st.SearchStrategy[Comparison]:
            if op in (Op.IS_NULL, Op.IS_NOT_NULL):
                return st.just(Comparison(asked, key, op, None))
            value = st.lists(literal, min_size=1, max_size=3).map(tuple) if op in (Op.IN, Op.NOT_IN) else literal
            return st.builds(Comparison, st.just(asked), st.just(key), st.just(op), value)

        return st.sampled_from(ops).flatmap(of_op)

    finite = st.sampled_from([value for value in VALUES if math.isfinite(value)])
    return st.one_of(
        st.sampled_from(KEYS).flatmap(lambda key: of(RunField.METRIC, key, finite)),
        st.sampled_from(KEYS).flatmap(lambda key: of(RunField.METRIC, key, finite)),
        of(RunField.PARAM, "m", st.sampled_from(TEXTS)),
        of(RunField.TAG, "n", st.sampled_from(TEXTS)),
        of(RunField.START_TIME, "", st.integers(0, 6)),
        of(RunField.END_TIME, "", st.integers(0, 4)),
        of(RunField.STATUS, "", st.sampled_from(["FINISHED", "FAILED"])),
    )


def some_order() -> st.SearchStrategy[list[OrderKey]]:
    key = st.one_of(
        st.builds(OrderKey, st.just(RunField.METRIC), st.sampled_from(KEYS), st.booleans()),
        st.builds(OrderKey, st.sampled_from([RunField.PARAM, RunField.TAG]), st.sampled_from(KEYS[:2]), st.booleans()),
        st.builds(
            OrderKey,
            st.sampled_from([RunField.START_TIME, RunField.END_TIME, RunField.STATUS, RunField.RUN_ID]),
            descending=st.booleans(),
        ),
    )
    return st.lists(key, max_size=3, unique_by=lambda one: (one.field, one.key))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each kind."""
    if request.param == "sqlite":
        uri = f"sqlite:///{tmp_path_factory.mktemp('run_search')}/test.db"
    else:
        uri = request.getfixturevalue("new_postgresql")()
    store = open_store(uri)
    yield store
    store.close()


def fill(store: Store, runs: Sequence[Facts]) -> list[str]:
    """Put the runs into two new experiments, in turn."""
    experiments = [store.create_experiment(f"runs-{secrets.token_hex(8)}") for _ in range(2)]
    for index, facts in enumerate(runs):
        facts.experiment = experiments[index % 2]
        facts.run_id = store.create_run(facts.experiment, start_time_ms=facts.start).info.run_id
        store.log_batch(
            facts.run_id,
            metrics=[Metric(key, value, 1, 0) for key, value in facts.metrics.items()],
            params=[Param(key, value) for key, value in facts.params.items()],
            tags=[RunTag(key, value) for key, value in facts.tags.items()],
        )
        if facts.status != "RUNNING" or facts.end is not None:
            store.update_run(facts.run_id, status=facts.status, end_time_ms=facts.end)
        facts.end = store.get_run(facts.run_id).info.end_time
        if facts.stage == "deleted":
            store.delete_run(facts.run_id)
    return experiments


@pytest.mark.parametrize("few", [0, 3, run_search._FEW])  # pyright: ignore[reportPrivateUsage]
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    runs=some_runs(),
    searches=st.lists(
        st.tuples(
            st.lists(some_comparison(), max_size=3),
            some_order(),
            st.sampled_from([ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL]),
            st.integers(1, 6),
            st.sampled_from([1, 100]),
        ),
        min_size=8,
        max_size=8,
    ),
)
def test_like_plain_python(
    shared: Store, few: int, runs: list[Facts], searches: list[tuple[Any, Any, int, int, int]]
) -> None:
    experiments = fill(shared, runs)
    for comparisons, order, view, size, union in searches:
        stages = {ViewType.ACTIVE_ONLY: ["active"], ViewType.DELETED_ONLY: ["deleted"]}.get(view, ["active", "deleted"])
        order_by = [str(key) for key in order]
        matches = [facts for facts in runs if facts.stage in stages and all(holds(one, facts) for one in comparisons)]
        expected = [facts.run_id for facts in ordered(parse_order_by(order_by, RUN_FIELDS), matches)]
        found: list[str] = []
        token: str | None = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_search, "_FEW", few)
            patch.setattr(run_search, "_UNION", union)
            while True:
                page = shared.search_runs(
                    experiments,
                    filter_string=to_text(comparisons),
                    order_by=order_by,
                    view_type=view,
                    max_results=size,
                    page_token=token,
                )
                assert len(page) <= size
                found += [run.info.run_id for run in page]
                token = page.token
                if token is None:
                    break
        assert found == expected


def test_a_token_survives_another_way_to_read(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that few runs met may be met by many when the next page is asked for, and the other way round."""
    experiment = shared.create_experiment("ways")
    runs = [Facts(index, "RUNNING", "active", None) for index in range(1, 13)]
    for index, facts in enumerate(runs):
        facts.run_id = shared.create_run(experiment, start_time_ms=facts.start).info.run_id
        values = {"m": 1.0, **({} if index % 4 == 3 else {"n": [math.nan, 1.0, 2.0][index % 4]})}
        shared.log_batch(facts.run_id, metrics=[Metric(key, value, 1, 0) for key, value in values.items()])
        facts.metrics = values
    expected = [one.run_id for one in ordered(parse_order_by(["metrics.n DESC"], RUN_FIELDS), runs)]
    for first, then in ((0, 100), (100, 0)):
        found: list[str] = []
        token: str | None = None
        for few in (first, then) * 6:
            monkeypatch.setattr(run_search, "_FEW", few)
            page = shared.search_runs(
                [experiment],
                filter_string="metrics.m = 1",
                order_by=["metrics.n DESC"],
                max_results=1,
                page_token=token,
            )
            found += [run.info.run_id for run in page]
            token = page.token
        assert found == expected
        assert token is None


def test_a_token_of_another_order(shared: Store) -> None:
    experiment = shared.create_experiment("tokens")
    for start in (1, 2, 3):
        shared.create_run(experiment, start_time_ms=start)

    def page(*order_by: str, token: str | None = None) -> Any:
        return shared.search_runs([experiment], order_by=order_by, max_results=1, page_token=token)

    token = page("metrics.a").token
    assert len(page("metrics.a", token=token)) == 1
    for other in ((), ("metrics.b",), ("metrics.a DESC",), ("params.a",), ("metrics.a", "params.a")):
        with pytest.raises(InvalidParameterError, match="page token"):
            page(*other, token=token)


@pytest.mark.parametrize("group", [None, "0", 3, -1, 0.5])
def test_a_token_that_nobody_gave(shared: Store, group: Any) -> None:
    query = run_query(None, ["metrics.a"], Dialect.SQLITE)
    token = write_token(f"runs by {query}", query.keys(), [group, 1.0, 1, "x"])
    with pytest.raises(InvalidParameterError, match="page token"):
        shared.search_runs(["0"], order_by=["metrics.a"], page_token=token)


def test_many_experiments_and_many_values(shared: Store) -> None:
    """More than one statement could hold, were each experiment read on its own."""
    experiments = [shared.create_experiment(f"many-{number}") for number in range(130)]
    ids = [shared.create_run(one, start_time_ms=at).info.run_id for at, one in enumerate(experiments, 1)]
    for number, run_id in enumerate(ids):
        shared.log_batch(run_id, metrics=[Metric("m", float(number % 7), 1, 0)])
    values = ", ".join(map(str, range(3_000)))
    for few in (experiments, experiments[:40]):
        expected = ids[: len(few)]
        by_time = shared.search_runs(few, filter_string=f"metrics.m IN ({values})", order_by=["start_time"])
        assert [run.info.run_id for run in by_time] == expected
        by_metric = shared.search_runs(few, filter_string=f"metrics.m IN ({values})", order_by=["metrics.m DESC"])
        assert [run.data.metrics["m"] for run in by_metric] == sorted(
            (float(number % 7) for number in range(len(few))), reverse=True
        )


def test_no_text_of_a_search_becomes_sql(shared: Store) -> None:
    experiment = shared.create_experiment("quotes")
    run_id = shared.create_run(experiment).info.run_id
    key = "'; DROP TABLE runs; --"
    for order_by in ([f"metrics.`{key}`"], [f'tags."{key}" DESC'], [f"params.`{key}`"]):
        found = shared.search_runs(
            [experiment], filter_string=f"metrics.`{key}` IS NULL AND tags.`{{}}` IS NULL", order_by=order_by
        )
        assert [run.info.run_id for run in found] == [run_id]


def test_an_order_of_many_keys(shared: Store) -> None:
    experiment = shared.create_experiment("keys")
    ids = sorted(shared.create_run(experiment, start_time_ms=1).info.run_id for _ in range(3))
    order_by = [f"metrics.m{number} DESC" for number in range(20)] + [f"tags.t{number}" for number in range(20)]
    page = shared.search_runs([experiment], order_by=order_by, max_results=2)
    rest = shared.search_runs([experiment], order_by=order_by, max_results=2, page_token=page.token)
    assert [run.info.run_id for run in (*page, *rest)] == ids
    with pytest.raises(InvalidParameterError, match="at most 40"):
        shared.search_runs([experiment], order_by=[*order_by, "status"])
