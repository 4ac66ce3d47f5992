"""`search_runs`: what matches, in which order, page by page."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from otflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from otflow.errors import FilterError, InvalidParameterError
from otflow.semconv import RunKey
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["RunSearchContract"]

_filled: WeakKeyDictionary[Store, tuple[str, dict[str, str]]] = WeakKeyDictionary()
_NAN = math.nan
_INF = math.inf


def _make(
    store: Store,
    experiment: str,
    name: str,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    *,
    start: int = 1_000,
    end: int | None = None,
    status: str | None = None,
    user: str = "zed",
    datasets: Sequence[tuple[str, str, str | None]] = (),
) -> str:
    """A run; its id. Datasets are names, digests and contexts."""
    run_id = store.create_run(experiment, run_name=name, start_time_ms=start, tags=tags or {}, user_id=user).info.run_id
    store.log_batch(
        run_id,
        metrics=[Metric(key, value, 1, 0) for key, value in (metrics or {}).items()],
        params=[Param(key, value) for key, value in (params or {}).items()],
    )
    if datasets:
        store.log_inputs(
            run_id,
            datasets=[
                DatasetInput(Dataset(of, digest, "local", "{}"), [InputTag("mlflow.data.context", to)] if to else [])
                for of, digest, to in datasets
            ],
        )
    if status is not None:
        store.update_run(run_id, status=status, end_time_ms=end)
    return run_id


def _names(store: Store, experiment: str, filter_string: str | None = None, **search: Any) -> str:
    """The names of the runs that are found, one letter each, in their order."""
    return "".join(
        str(run.info.run_name) for run in store.search_runs([experiment], filter_string=filter_string, **search)
    )


def _fill(store: Store, experiment: str) -> dict[str, str]:
    """Runs a to f, started in this order; the ids by name."""
    return {
        "a": _make(
            store, experiment, "a", {"m": 1.0, "with space": 2.0, "x/y": 0.5}, {"p": "x", "lr": "0.1"},
            {"t": "u", "with space": "s", "it's": "it's"}, start=1_000, end=2_000, status="FINISHED", user="bob",
            datasets=[("first", "d1", "train"), ("second", "d2", "eval")],
        ),
        "b": _make(
            store, experiment, "b", {"m": _NAN}, {"p": "Y"}, {"t": "V"}, start=2_000, end=3_000, status="FAILED",
            datasets=[("first", "d9", None)],
        ),
        "c": _make(store, experiment, "c", {"m": _INF}, {"q": "z"}, start=3_000),
        "d": _make(store, experiment, "d", {"m": -_INF}, {}, {"t": ""}, start=4_000),
        "e": _make(store, experiment, "e", start=5_000, end=6_000, status="KILLED"),
        "f": _make(store, experiment, "f", {"m": -3.0}, {"p": "xyz"}, {"t": "u"}, start=6_000),
    }  # fmt: skip


_FILTERS = [
    ("", "fedcba"),
    (None, "fedcba"),
    # Metrics
    ("metrics.m = 1", "a"),
    ("metric.m = 1.0", "a"),
    ("metrics.m > 0", "ca"),
    ("metrics.m >= 1", "ca"),
    ("metrics.m < 0", "fd"),
    ("metrics.m <= -3", "fd"),
    ("metrics.m != 1", "fdcb"),
    ("metrics.m > -5 AND metrics.m < 5 and metrics.`with space` = 2", "a"),
    ("metrics.m > 1.7e308", "c"),
    ("metrics.`with space` = 2", "a"),
    ('metrics."with space" = 2', "a"),
    ('metrics."x/y" <= 0.5', "a"),
    ("metrics.absent != 1", ""),
    ("metrics.M = 1", ""),
    # Params and tags
    ("params.p = 'x'", "a"),
    ('param.p = "x"', "a"),
    ("parameter.p = 'x'", "a"),
    ("parameters.p = 'x'", "a"),
    ("params.p != 'x'", "fb"),
    ("params.p LIKE 'x%'", "fa"),
    ("params.p LIKE 'y'", ""),
    ("params.p ILIKE 'y'", "b"),
    ("params.lr = '0.1'", "a"),
    ("tags.t = 'u'", "fa"),
    ("tag.t = 'u'", "fa"),
    ("tags.t != 'u'", "db"),
    ("tags.t = ''", "d"),
    ("tags.t LIKE '%'", "fdba"),
    ("tags.t ILIKE 'v'", "b"),
    ("tags.`with space` = 's'", "a"),
    ('tags."with space" LIKE "s"', "a"),
    ("tags.mlflow.runName = 'a'", "a"),
    ("tags.`mlflow.runName` != 'a'", "fedcb"),
    # What a run is
    ("status = 'FINISHED'", "a"),
    ("attributes.status = 'FINISHED'", "a"),
    ("attribute.status = 'FAILED'", "b"),
    ("attr.status = 'FAILED'", "b"),
    ("run.status = 'FAILED'", "b"),
    ("status != 'FINISHED'", "fedcb"),
    ("status = 'finished'", ""),
    ("status LIKE 'FIN%'", "a"),
    ("status ILIKE 'fin%'", "a"),
    ("start_time = 1000", "a"),
    ("start_time > 2000", "fedc"),
    ("start_time > 1999.5", "fedcb"),
    ("attributes.start_time < 3000", "ba"),
    ("start_time != 1000 AND start_time <= 3000", "cb"),
    ("created = 1000", "a"),
    ("Created >= 5000", "fe"),
    ("attributes.Created >= 5000", "fe"),
    ("end_time = 2000", "a"),
    ("end_time > 0", "eba"),
    ("end_time != 2000", "eb"),
    ("run_name = 'a'", "a"),
    ("attributes.run_name = 'a'", "a"),
    ("`run name` = 'a'", "a"),
    ("`Run name` = 'a'", "a"),
    ("\"Run Name\" = 'a'", "a"),
    ("attributes.`Run name` = 'a'", "a"),
    ("run_name != 'a'", "fedcb"),
    ("run_name ILIKE 'A'", "a"),
    ("run_name LIKE 'A'", ""),
    ("user_id = 'bob'", "a"),
    ("user_id != 'bob'", "fedcb"),
    ("artifact_uri LIKE '%/artifacts'", "fedcba"),
    # Datasets
    ("datasets.name = 'first'", "ba"),
    ("dataset.name = 'first'", "ba"),
    ("datasets.name != 'first'", "a"),
    ("datasets.name LIKE 'f%'", "ba"),
    ("datasets.name ILIKE 'F%'", "ba"),
    ("datasets.name IN ('first', 'second')", "ba"),
    ("datasets.name NOT IN ('first')", "a"),
    ("datasets.digest = 'd1'", "a"),
    ("datasets.digest IN ('d2', 'd9')", "ba"),
    ("datasets.context = 'train'", "a"),
    ("dataset.context = 'eval'", "a"),
    ("datasets.name = 'first' AND datasets.digest = 'd9'", "b"),
    # Each condition on datasets may hold for another one.
    ("datasets.name = 'first' AND datasets.context = 'eval'", "a"),
    # All together
    ("status = 'FINISHED' AND metrics.m > 0 AND params.p = 'x' AND tags.t = 'u' AND datasets.name = 'first'", "a"),
    ("status = 'FINISHED' AND metrics.m > 1", ""),
]

_MORE_FILTERS = [
    ("metrics.m IN (1, -3)", "fa"),
    ("metrics.m NOT IN (1, -3)", "dcb"),
    ("metrics.m IS NULL", "e"),
    ("metrics.m IS NOT NULL", "fdcba"),
    ("params.p IS NULL", "edc"),
    ("params.p IS NOT NULL", "fba"),
    ("params.p IN ('x', 'Y')", "ba"),
    ("params.p NOT IN ('x')", "fb"),
    ("params.p RLIKE '^x'", "fa"),
    ("tags.t IS NULL", "ec"),
    ("tags.t IN ('u', 'V')", "fba"),
    ("tags.`it's` = 'it''s'", "a"),
    ("status IN ('FAILED', 'KILLED')", "eb"),
    ("start_time IN (1000, 2000)", "ba"),
    ("end_time IS NULL", "fdc"),
    ("end_time IS NOT NULL", "eba"),
    ("run_name IN ('a', 'b')", "ba"),
    ("run_name NOT IN ('a', 'b')", "fedc"),
    ("datasets.name IS NULL", "fedc"),
    ("datasets.context IS NULL", "fedcb"),
    ("datasets.context IS NOT NULL", "a"),
]

_ORDERS: list[tuple[list[str] | None, str]] = [
    (None, "fedcba"),
    ([], "fedcba"),
    (["start_time"], "abcdef"),
    (["start_time ASC"], "abcdef"),
    (["attributes.start_time desc"], "fedcba"),
    (["created"], "abcdef"),
    # Numbers, then NaN, then what has no value, in either direction
    (["metrics.m"], "dfacbe"),
    (["metric.m ASC"], "dfacbe"),
    (["metrics.m DESC"], "cafdbe"),
    (["metrics.`with space`"], "afedcb"),
    (['metrics."with space" DESC'], "afedcb"),
    (["metrics.absent"], "fedcba"),
    (["metrics.absent DESC", "metrics.m DESC"], "cafdbe"),
    (["tags.t", "metrics.m DESC"], "dbafce"),
    (["tags.t DESC", "metrics.m"], "fabdce"),
    (["params.p"], "bafedc"),
    (["parameters.p DESC"], "fabedc"),
    (["tags.t"], "dbfaec"),
    (["tags.t DESC"], "fabdec"),
    (["status"], "baefdc"),
    (["status", "start_time ASC"], "baecdf"),
    (["status DESC"], "fdceab"),
    (["end_time"], "abefdc"),
    (["end_time DESC"], "ebafdc"),
    (["run_name"], "abcdef"),
    (["tags.`mlflow.runName` DESC"], "fedcba"),
    (["user_id"], "afedcb"),
    (["user_id DESC", "run_name"], "bcdefa"),
]

_WRONG_FILTERS = [
    "metrics.m = '1'",
    "metrics.m = 'nan'",
    "metrics.m = nan",
    "metrics.m LIKE '1'",
    "metrics.m == 1",
    "metrics.m <> 1",
    "metrics.m BETWEEN 0 AND 2",
    "metrics.m",
    "metrics.m =",
    "= 1",
    "metrics = 1",
    "m = 1",
    "metrics.m = 1 OR metrics.m = 2",
    "NOT metrics.m = 1",
    "(metrics.m = 1)",
    "metrics.m = 1;",
    "params.p = x",
    "params.p = 1",
    "params.p > 'x'",
    "params.p NOT LIKE 'x'",
    "params.p = 'x",
    "params.p = `x`",
    "start_time >= '2000'",
    "start_time LIKE '1%'",
    "status > 'A'",
    "STATUS = 'FINISHED'",
    "status = FINISHED",
    "Run_name = 'a'",
    "name = 'a'",
    "user = 'bob'",
    "run_uuid = 'x'",
    "lifecycle_stage = 'active'",
    "experiment_id = '1'",
    "run_id IN ()",
    "run_id IN (1, 2)",
    "run_id IN 'x'",
    "datasets.source = 'x'",
    "datasets.name = 1",
    "datasets.name > 'a'",
    "models.name = 'x'",
]

_WRONG_ORDERS = [
    ["foo"],
    ["metrics"],
    ["metrics.m up"],
    ["metrics.m ASC DESC"],
    ["metrics.m, status"],
    ["metrics.m > 1"],
    ["metrics.with space"],
    [""],
    ["datasets.name"],
    ["lifecycle_stage"],
    ["start_time", "attributes.start_time DESC"],
    ["metrics.m", "metric.m DESC"],
]


class RunSearchContract(ContractTests):
    """Searching runs."""

    @pytest.fixture
    def six(self, store: Store) -> tuple[str, dict[str, str]]:
        """An experiment with six runs that no test changes, and their ids."""
        if store not in _filled:
            experiment = store.create_experiment(f"six-runs-{secrets.token_hex(8)}")
            _filled[store] = (experiment, _fill(store, experiment))
        return _filled[store]

    @pytest.mark.parametrize(("filter_string", "expected"), _FILTERS)
    def test_filter_runs(
        self, store: Store, six: tuple[str, dict[str, str]], filter_string: str | None, expected: str
    ) -> None:
        assert _names(store, six[0], filter_string) == expected

    @pytest.mark.parametrize(("filter_string", "expected"), _MORE_FILTERS)
    def test_filter_runs_further(
        self, store: Store, six: tuple[str, dict[str, str]], filter_string: str, expected: str
    ) -> None:
        assert _names(store, six[0], filter_string) == expected

    @pytest.mark.parametrize(
        ("filter_string", "expected"),
        [("metrics.m = 0", ""), ("metrics.m != 0", "fdcba"), ("metrics.m <= 100", "fda"), ("metrics.m > -5", "fca")],
    )
    def test_nan_equals_no_number(
        self, store: Store, six: tuple[str, dict[str, str]], filter_string: str, expected: str
    ) -> None:
        assert _names(store, six[0], filter_string) == expected

    def test_runs_by_id(self, store: Store, six: tuple[str, dict[str, str]]) -> None:
        experiment, ids = six
        a, b = ids["a"], ids["b"]
        assert _names(store, experiment, f"run_id = '{a}'") == "a"
        assert _names(store, experiment, f"attributes.run_id = '{a}'") == "a"
        assert _names(store, experiment, f"run_id != '{a}'") == "fedcb"
        assert _names(store, experiment, f"run_id IN ('{a}', '{b}')") == "ba"
        assert _names(store, experiment, f"run_id in ('{a}')") == "a"
        assert _names(store, experiment, f"run_id NOT IN ('{a}', '{b}')") == "fedc"
        assert _names(store, experiment, f"run_id LIKE '{a[:12]}%'") == "a"
        assert _names(store, experiment, f"run_id ILIKE '{a[:12].upper()}%'") == "a"
        assert _names(store, experiment, f"run_id IN ('{a}', '{b}') AND metrics.m > 0", order_by=["metrics.m"]) == "a"
        assert _names(store, experiment, f"artifact_uri LIKE '%{b}%'") == "b"
        by_id = sorted(ids, key=ids.__getitem__)
        assert _names(store, experiment, order_by=["run_id"]) == "".join(by_id)
        assert _names(store, experiment, order_by=["attributes.run_id DESC"]) == "".join(reversed(by_id))

    @pytest.mark.parametrize(("order_by", "expected"), _ORDERS)
    def test_order_of_runs(
        self, store: Store, six: tuple[str, dict[str, str]], order_by: list[str] | None, expected: str
    ) -> None:
        experiment = six[0]
        assert _names(store, experiment, order_by=order_by) == expected
        for size in (1, 2, 4):
            assert self.pages(store, experiment, order_by=order_by, max_results=size) == expected

    @pytest.mark.parametrize("order_by", [["metrics.m"], ["metrics.m DESC"], ["tags.t", "metrics.m"], ["end_time"]])
    @pytest.mark.parametrize(
        "filter_string", ["metrics.m != 1", "metrics.`with space` = 2", "params.p != 'x'", "start_time > 2000"]
    )
    def test_pages_of_a_filter_and_an_order(
        self, store: Store, six: tuple[str, dict[str, str]], filter_string: str, order_by: list[str]
    ) -> None:
        everything = _names(store, six[0], order_by=order_by)
        matches = set(_names(store, six[0], filter_string))
        expected = "".join(name for name in everything if name in matches)
        assert expected
        assert self.pages(store, six[0], filter_string=filter_string, order_by=order_by, max_results=1) == expected
        assert _names(store, six[0], filter_string, order_by=order_by) == expected

    @pytest.mark.parametrize("filter_string", _WRONG_FILTERS)
    def test_a_filter_of_runs_that_is_wrong(self, store: Store, experiment: str, filter_string: str) -> None:
        with pytest.raises(FilterError) as caught:
            store.search_runs([experiment], filter_string=filter_string)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"

    @pytest.mark.parametrize("order_by", _WRONG_ORDERS)
    def test_an_order_of_runs_that_is_wrong(self, store: Store, experiment: str, order_by: list[str]) -> None:
        with pytest.raises(FilterError) as caught:
            store.search_runs([experiment], order_by=order_by)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"

    def test_runs_come_whole(self, store: Store, six: tuple[str, dict[str, str]]) -> None:
        experiment, ids = six
        for run in store.search_runs([experiment]):
            expected = store.get_run(run.info.run_id).to_dictionary()
            found = run.to_dictionary()
            for facts in (expected, found):  # NaN is not equal to itself
                facts["data"]["metrics"] = {key: repr(value) for key, value in facts["data"]["metrics"].items()}
            assert found == expected
        (only,) = store.search_runs([experiment], filter_string=f"run_id = '{ids['a']}'")
        assert only.data.metrics == {"m": 1.0, "with space": 2.0, "x/y": 0.5}
        assert len(only.inputs.dataset_inputs) == 2

    def test_the_last_point_of_a_metric_counts(self, store: Store, experiment: str) -> None:
        run_id = _make(store, experiment, "a")
        store.log_batch(run_id, metrics=[Metric("m", float(value), value, value) for value in (3, 1, 2)])
        assert _names(store, experiment, "metrics.m = 3") == "a"
        assert _names(store, experiment, "metrics.m < 3") == ""
        store.log_batch(run_id, metrics=[Metric("m", 1.0, 9, 9)])
        assert _names(store, experiment, "metrics.m < 3", order_by=["metrics.m"]) == "a"
        store.log_batch(run_id, metrics=[Metric("m", _NAN, 10, 10)])
        assert _names(store, experiment, "metrics.m < 3", order_by=["metrics.m"]) == ""

    def test_a_new_name_is_found(self, store: Store, experiment: str) -> None:
        run_id = _make(store, experiment, "a")
        store.update_run(run_id, name="b")
        assert _names(store, experiment, "run_name = 'b' AND tags.mlflow.runName = 'b'") == "b"
        store.log_batch(run_id, tags=[RunTag(RunKey.NAME, "c")])
        assert _names(store, experiment, "run_name = 'c' AND tags.mlflow.runName = 'c'") == "c"
        assert _names(store, experiment, "run_name = 'a' ") == ""

    def test_at_the_same_time_the_run_id_decides(self, store: Store, experiment: str) -> None:
        ids = sorted(_make(store, experiment, str(number), {"m": 1.0}) for number in range(4))
        for order_by in (None, ["metrics.m"], ["metrics.m DESC"], ["status"], ["start_time"]):
            found = store.search_runs([experiment], order_by=order_by)
            assert [run.info.run_id for run in found] == ids

    def test_views_of_runs(self, store: Store, experiment: str) -> None:
        ids = {name: _make(store, experiment, name, {"m": index}, start=index + 1) for index, name in enumerate("abc")}
        store.delete_run(ids["b"])
        assert _names(store, experiment) == "ca"
        assert _names(store, experiment, view_type=ViewType.ACTIVE_ONLY) == "ca"
        assert _names(store, experiment, view_type=ViewType.DELETED_ONLY) == "b"
        assert _names(store, experiment, view_type=ViewType.ALL) == "cba"
        for order_by in (["metrics.m"], ["run_name"], ["start_time"]):
            assert _names(store, experiment, order_by=order_by) == "ac"
            assert _names(store, experiment, "metrics.m >= 0", view_type=ViewType.ALL, order_by=order_by) == "abc"
            assert self.pages(store, experiment, view_type=ViewType.ALL, max_results=1, order_by=order_by) == "abc"
        store.restore_run(ids["b"])
        assert _names(store, experiment) == "cba"

    def test_experiments_of_runs(self, store: Store, experiment: str) -> None:
        others = [store.create_experiment(f"{experiment}-{number}") for number in range(3)]
        for number, where in enumerate([*others, experiment]):
            _make(store, where, "abcd"[number], {"m": float(number % 2), "n": 1.0}, start=number + 1)
            _make(store, where, "ABCD"[number], {"n": 1.0}, start=number + 10)

        def found(*experiments: Any, **search: Any) -> str:
            return "".join(str(run.info.run_name) for run in store.search_runs(experiments, **search))

        assert found(*others) == "CBAcba"
        assert found(experiment, experiment) == "Dd"
        assert found(*others, order_by=["metrics.m DESC"]) == "bcaCBA"
        assert found(*others, order_by=["metrics.m DESC"], max_results=2) == "bc"
        assert found(*others, filter_string="metrics.m = 0") == "ca"
        assert found(*others, filter_string="metrics.n = 1", order_by=["start_time"], max_results=4) == "abcA"
        assert found("999999999", experiment) == "Dd"
        assert found() == ""
        with pytest.raises(InvalidParameterError):
            store.search_runs(experiment)  # a string is a sequence of strings

    @pytest.mark.parametrize("max_results", [0, -1, 50_001])
    def test_how_many_runs_a_page_may_have(self, store: Store, experiment: str, max_results: int) -> None:
        with pytest.raises(InvalidParameterError, match=f"{max_results}.*max_results"):
            store.search_runs([experiment], max_results=max_results)
        assert _names(store, experiment, max_results=50_000) == ""

    def test_the_last_page_of_runs_has_no_token(self, store: Store, six: tuple[str, dict[str, str]]) -> None:
        assert store.search_runs([six[0]], max_results=6).token is None
        assert store.search_runs([six[0]], order_by=["metrics.m"], max_results=6).token is None
        first = store.search_runs([six[0]], max_results=5)
        assert first.token
        assert store.search_runs([six[0]], max_results=5, page_token=first.token).token is None

    def test_a_token_that_is_none_of_runs(self, store: Store, experiment: str) -> None:
        with pytest.raises(InvalidParameterError):
            store.search_runs([experiment], page_token="x")  # noqa: S106

    @staticmethod
    def pages(store: Store, experiment: str, **search: Any) -> str:
        """The names of the runs of all pages."""
        found, token = "", None
        while True:
            page = store.search_runs([experiment], page_token=token, **search)
            found += "".join(str(run.info.run_name) for run in page)
            token = page.token
            if not token:
                return found
