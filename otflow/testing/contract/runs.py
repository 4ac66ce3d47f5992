"""Runs: what they are, what is recorded of them, what they use and make. Searching them is not in here."""

from __future__ import annotations

import math
import re
import secrets
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)
from otflow.errors import InvalidParameterError, NotFoundError, OtflowError
from otflow.semconv import RunKey
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["RunContract"]

_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]
"""What hypothesis need not fear: the fixture of the store, though that of one test, is the same store for all."""
_ABSENT = "0" * 32
_BAD_KEYS = ["", ".", "..", "a$b", "/a", "a/", "a//b", "a/../b", "new\nline", "k" * 251]

_Change = Callable[[Store, str], object]
_CHANGES: dict[str, _Change] = {
    "a metric": lambda store, run: store.log_batch(run, metrics=[Metric("m", 1.0, 1, 0)]),
    "a param": lambda store, run: store.log_batch(run, params=[Param("p", "1")]),
    "a tag": lambda store, run: store.log_batch(run, tags=[RunTag("t", "1")]),
    "no tag": lambda store, run: store.delete_run_tag(run, "kept"),
    "a state": lambda store, run: store.update_run(run, status="FINISHED"),
    "a name": lambda store, run: store.update_run(run, name="other"),
    "an input": lambda store, run: store.log_inputs(run, datasets=[DatasetInput(_dataset())]),
    "an output": lambda store, run: store.log_outputs(run, [LoggedModelOutput("m-1", 0)]),
}


def _dataset(name: str = "data", digest: str = "d1", **fields: Any) -> Dataset:
    return Dataset(name, digest, **{"source_type": "local", "source": "{}", **fields})


def _metric(value: Any, timestamp: Any = 1, step: Any = 0, key: Any = "m", **of: Any) -> Metric:
    return Metric(key, value, timestamp, step, **of)


class RunContract(ContractTests):
    """`RunStore`, without `search_runs`."""

    @pytest.fixture
    def run(self, store: Store, experiment: str) -> str:
        """A run that no other test has."""
        return store.create_run(experiment, tags={"kept": "yes"}).info.run_id

    # -- making, changing, deleting ----------------------------------------------------------------

    def test_a_new_run(self, store: Store, experiment: str) -> None:
        made = store.create_run(
            experiment, user_id="ada", start_time_ms=1_234, run_name="first", tags={"b": "2", "a": "1"}
        )
        run = store.get_run(made.info.run_id)
        info = run.info
        assert made.info == info
        assert re.fullmatch("[0-9a-f]{32}", info.run_id)
        assert (info.experiment_id, info.run_name, info.start_time) == (experiment, "first", 1_234)
        assert (info.status, info.end_time, info.lifecycle_stage) == ("RUNNING", None, "active")
        assert run.data.tags == made.data.tags == {"a": "1", "b": "2", RunKey.NAME: "first"}
        assert (run.data.metrics, run.data.params) == ({}, {})
        assert (run.inputs.dataset_inputs, run.inputs.model_inputs, run.outputs.model_outputs) == ([], [], [])

    def test_what_a_run_is_given_by_default(self, store: Store, experiment: str) -> None:
        one, other = store.create_run(experiment).info, store.create_run(experiment).info
        assert one.run_id != other.run_id
        assert re.fullmatch("[a-z]+-[a-z]+-[0-9]+", str(one.run_name))
        assert other.start_time >= one.start_time > 1_600_000_000_000
        assert store.get_run(one.run_id).data.tags == {RunKey.NAME: one.run_name}

    @pytest.mark.parametrize("given", [{"run_name": "n"}, {"tags": {RunKey.NAME: "n"}}])
    def test_the_name_is_a_tag_too(self, store: Store, experiment: str, given: dict[str, Any]) -> None:
        run = store.create_run(experiment, **given)
        assert run.info.run_name == "n"
        assert store.get_run(run.info.run_id).data.tags[RunKey.NAME] == "n"

    def test_a_name_that_is_said_in_two_ways(self, store: Store, experiment: str) -> None:
        assert store.create_run(experiment, run_name="n", tags={RunKey.NAME: "n"}).info.run_name == "n"
        with pytest.raises(InvalidParameterError, match="different values"):
            store.create_run(experiment, run_name="n", tags={RunKey.NAME: "other"})

    def test_experiments_that_cannot_have_runs(self, store: Store, experiment: str) -> None:
        with pytest.raises(NotFoundError, match="999999999"):
            store.create_run("999999999")
        with pytest.raises(InvalidParameterError, match="abc"):
            store.create_run("abc")
        store.delete_experiment(experiment)
        with pytest.raises(InvalidParameterError, match="'active' state"):
            store.create_run(experiment)

    @pytest.mark.parametrize(
        ("location", "before", "behind"),
        [
            ("s3://bucket/path", "s3://bucket/path/", "/artifacts"),
            ("s3://bucket/path/", "s3://bucket/path/", "/artifacts"),
            ("s3://bucket/path?x=1#y", "s3://bucket/path/", "/artifacts?x=1#y"),
            ("s3://bucket/path#y", "s3://bucket/path/", "/artifacts#y"),
            ("s3://bucket", "s3://bucket/", "/artifacts"),
            ("/data/a b", "/data/a b/", "/artifacts"),
            ("/data/x#y", "/data/x#y/", "/artifacts"),
            ("mlflow-artifacts:/x", "mlflow-artifacts:/x/", "/artifacts"),
        ],
    )
    def test_where_artifacts_of_runs_go(self, store: Store, location: str, before: str, behind: str) -> None:
        experiment = store.create_experiment(f"at-{secrets.token_hex(8)}", artifact_location=location)
        info = store.create_run(experiment).info
        assert info.artifact_uri == f"{before}{info.run_id}{behind}"

    def test_states(self, store: Store, run: str) -> None:
        for status, end in (("SCHEDULED", None), ("FAILED", 5_000), ("KILLED", 6_000), ("FINISHED", 7_000)):
            info = store.update_run(run, status=status, end_time_ms=end)
            assert (info.status, info.end_time) == (status, end)
            assert store.get_run(run).info == info
        with pytest.raises(InvalidParameterError, match="SIDEWAYS"):
            store.update_run(run, status="SIDEWAYS")
        assert store.get_run(run).info.status == "FINISHED"

    def test_renaming(self, store: Store, run: str) -> None:
        store.update_run(run, status="FINISHED", end_time_ms=5)
        assert store.update_run(run, name="second").run_name == "second"
        found = store.get_run(run)
        assert (found.info.run_name, found.data.tags[RunKey.NAME]) == ("second", "second")
        assert (found.info.status, found.info.end_time) == ("FINISHED", 5)
        store.log_batch(run, tags=[RunTag(RunKey.NAME, "third")])
        found = store.get_run(run)
        assert (found.info.run_name, found.data.tags[RunKey.NAME]) == ("third", "third")
        store.update_run(run, name="")
        store.log_batch(run, tags=[RunTag(RunKey.NAME, "")])
        found = store.get_run(run)
        assert (found.info.run_name, found.data.tags[RunKey.NAME]) == ("third", "third")

    def test_a_run_that_is_deleted_and_restored(self, store: Store, run: str) -> None:
        for _ in range(2):
            store.delete_run(run)
            assert store.get_run(run).info.lifecycle_stage == "deleted"
        for _ in range(2):
            store.restore_run(run)
            assert store.get_run(run).info.lifecycle_stage == "active"

    @pytest.mark.parametrize("change", list(_CHANGES))
    def test_a_deleted_run_does_not_change(self, store: Store, run: str, change: str) -> None:
        store.delete_run(run)
        before = store.get_run(run)
        with pytest.raises(InvalidParameterError, match=f"{run} must be in the 'active' state"):
            _CHANGES[change](store, run)
        assert store.get_run(run) == before
        store.restore_run(run)
        _CHANGES[change](store, run)

    @pytest.mark.parametrize("change", list(_CHANGES))
    def test_a_run_that_is_not_there(self, store: Store, change: str) -> None:
        with pytest.raises(NotFoundError, match=_ABSENT):
            _CHANGES[change](store, _ABSENT)
        for ask in (store.get_run, store.delete_run, store.restore_run):
            with pytest.raises(NotFoundError, match=_ABSENT):
                ask(_ABSENT)

    def test_runs_share_the_fate_of_their_experiment(self, store: Store, experiment: str) -> None:
        runs = [store.create_run(experiment).info.run_id for _ in range(2)]
        store.delete_experiment(experiment)
        assert [store.get_run(run).info.lifecycle_stage for run in runs] == ["deleted", "deleted"]
        store.restore_experiment(experiment)
        assert [store.get_run(run).info.lifecycle_stage for run in runs] == ["active", "active"]

    # -- metrics -----------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (1, 1.0), (0.1, 0.1), (-2.5, -2.5), (1e300, 1e300), (5e-324, 5e-324),
            (math.inf, sys.float_info.max), (-math.inf, -sys.float_info.max), (math.nan, math.nan),
        ],
    )  # fmt: skip
    def test_values_of_metrics(self, store: Store, run: str, value: float, kept: float) -> None:
        store.log_batch(run, metrics=[_metric(value, 5, 3)])
        found = store.get_run(run).data.metrics["m"]
        (point,) = store.get_metric_history(run, "m")
        assert (point.key, point.timestamp, point.step) == ("m", 5, 3)
        for one in (found, point.value):
            assert type(one) is float
            assert one == kept or (math.isnan(one) and math.isnan(kept))

    @pytest.mark.parametrize(
        "points",
        [
            [(9.0, 1, 7), (5.0, 3, 1), (4.0, 3, 0)],
            [(2.0, 10, 1), (1.0, 5, 1)],
            [(2.0, 10, 1), (1.0, 10, 1)],
            [(1.0, 1, -5), (2.0, 1, -9)],
            [(math.nan, 1, 2), (1.0, 5, 1)],
            [(math.nan, 1, 1), (-1.0, 1, 1)],
            [(1.0, 1, 1), (math.nan, 1, 1)],
        ],
    )
    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize("turned", [True, False])
    def test_the_last_point(
        self, store: Store, run: str, points: list[tuple[float, int, int]], together: bool, turned: bool
    ) -> None:
        """The first of the points is the last one: by step, then time, then value."""
        metrics = [_metric(*point) for point in (reversed(points) if turned else points)]
        for batch in [metrics] if together else [[metric] for metric in metrics]:
            store.log_batch(run, metrics=batch)
        found = store.get_run(run).data.metrics
        assert repr(found) == repr({"m": points[0][0]})
        history = [(one.timestamp, one.step) for one in store.get_metric_history(run, "m")]
        assert history == sorted((time, step) for _, time, step in points)

    def test_a_point_is_kept_once(self, store: Store, run: str) -> None:
        store.log_batch(run, metrics=[_metric(1.0), _metric(1.0), _metric(2.0)])
        store.log_batch(run, metrics=[_metric(2.0), _metric(1.0)])
        assert [point.value for point in store.get_metric_history(run, "m")] == [1.0, 2.0]

    def test_pages_of_a_history(self, store: Store, run: str) -> None:
        # All at one time: a page goes on in the middle of it.
        store.log_batch(run, metrics=[_metric(float(step % 7), 5, step) for step in range(100)])
        store.log_batch(run, metrics=[_metric(0.0, 5, 0, "other")])
        whole = store.get_metric_history(run, "m")
        assert whole.token is None
        assert [point.step for point in whole] == list(range(100))
        seen: list[Metric] = []
        token: str | None = None
        while True:
            page = store.get_metric_history(run, "m", max_results=30, page_token=token)
            assert len(page) <= 30
            seen += page
            token = page.token
            if not token:
                break
        assert seen == list(whole)

    def test_a_metric_that_was_never_logged(self, store: Store, run: str) -> None:
        assert list(store.get_metric_history(run, "nothing")) == []

    @pytest.mark.parametrize("key", _BAD_KEYS)
    def test_keys_have_a_form(self, store: Store, run: str, key: str) -> None:
        for batch in (
            {"metrics": [_metric(1.0, key=key)]},
            {"params": [Param(key, "v")]},
            {"tags": [RunTag(key, "v")]},
        ):
            with pytest.raises(InvalidParameterError):
                store.log_batch(run, **batch)  # type: ignore[arg-type]
        data = store.get_run(run).data
        assert (data.metrics, data.params, data.tags.get(key)) == ({}, {}, None)

    @pytest.mark.parametrize("key", ["a", "a b", "a:b", "a/b.c-d_e", "é", "k" * 250])
    def test_keys_that_runs_allow(self, store: Store, run: str, key: str) -> None:
        store.log_batch(run, metrics=[_metric(1.0, key=key)], params=[Param(key, "v")], tags=[RunTag(key, "w")])
        data = store.get_run(run).data
        assert (data.metrics[key], data.params[key], data.tags[key]) == (1.0, "v", "w")

    @pytest.mark.parametrize(
        "metric",
        [
            _metric("x"), _metric(None), _metric(1.0, timestamp=-1), _metric(1.0, timestamp="x"),
            _metric(1.0, step="x"), _metric(1.0, key=None),
        ],
    )  # fmt: skip
    def test_points_that_are_none(self, store: Store, run: str, metric: Metric) -> None:
        with pytest.raises(InvalidParameterError):
            store.log_batch(run, metrics=[_metric(1.0, key="good"), metric], params=[Param("p", "v")])
        data = store.get_run(run).data
        assert (data.metrics, data.params) == ({}, {})

    # -- params ------------------------------------------------------------------------------------

    def test_params_of_a_run(self, store: Store, run: str) -> None:
        store.log_batch(run, params=[Param("b", "1"), Param("a", ""), Param("long", "v" * 6_000)])
        assert store.get_run(run).data.params == {"a": "", "b": "1", "long": "v" * 6_000}

    def test_a_param_does_not_change(self, store: Store, run: str) -> None:
        store.log_batch(run, params=[Param("a", "1")])
        store.log_batch(run, params=[Param("a", "1")])
        store.log_batch(run, params=[Param("a", "1"), Param("b", "2")])
        before = store.get_run(run)
        with pytest.raises(InvalidParameterError, match=r"Changing param values is not allowed.*'a'"):
            store.log_batch(run, params=[Param("a", "9")])
        with pytest.raises(InvalidParameterError, match=r"Changing param values is not allowed.*'b'"):
            store.log_batch(
                run, metrics=[_metric(1.0)], params=[Param("new", "1"), Param("b", "9")], tags=[RunTag("t", "1")]
            )
        after = store.get_run(run)
        assert after == before

    def test_a_param_once_in_a_batch(self, store: Store, run: str) -> None:
        with pytest.raises(InvalidParameterError, match="Duplicate parameter keys"):
            store.log_batch(run, params=[Param("a", "1"), Param("b", "1"), Param("a", "2")])
        assert store.get_run(run).data.params == {}

    # -- tags --------------------------------------------------------------------------------------

    def test_tags_of_a_run(self, store: Store, run: str) -> None:
        store.log_batch(run, tags=[RunTag("a", "1"), RunTag("b", "2")])
        store.log_batch(run, tags=[RunTag("a", "3"), RunTag("c", "")])
        tags = store.get_run(run).data.tags
        assert {key: tags[key] for key in "abc"} == {"a": "3", "b": "2", "c": ""}
        store.delete_run_tag(run, "a")
        assert "a" not in store.get_run(run).data.tags
        with pytest.raises(NotFoundError, match="a"):
            store.delete_run_tag(run, "a")

    def test_the_last_of_two_tags_counts(self, store: Store, run: str) -> None:
        store.log_batch(run, tags=[RunTag("a", "1"), RunTag("a", "2")])
        assert store.get_run(run).data.tags["a"] == "2"

    # -- all together ------------------------------------------------------------------------------

    def test_a_batch(self, store: Store, run: str) -> None:
        store.log_batch(
            run,
            metrics=[_metric(float(number), key=f"m{number}") for number in range(1_000)],
            params=[Param(f"p{number}", str(number)) for number in range(100)],
            tags=[RunTag(f"t{number}", str(number)) for number in range(100)],
        )
        data = store.get_run(run).data
        assert data.metrics == {f"m{number}": float(number) for number in range(1_000)}
        assert data.params == {f"p{number}": str(number) for number in range(100)}
        assert {key: value for key, value in data.tags.items() if key.startswith("t")} == {
            f"t{number}": str(number) for number in range(100)
        }

    def test_nothing_is_a_batch(self, store: Store, run: str) -> None:
        before = store.get_run(run)
        store.log_batch(run)
        store.log_inputs(run)
        store.log_outputs(run, [])
        assert store.get_run(run) == before

    @settings(max_examples=10, deadline=None, suppress_health_check=_SHARED)
    @given(
        points=st.lists(
            st.tuples(
                st.sampled_from(["a", "b"]),
                st.floats(allow_infinity=False, width=32).map(lambda value: value + 0.0),
                st.integers(0, 3),
                st.integers(-2, 2),
            ),
            max_size=8,
            unique_by=repr,
        ),
        cut=st.integers(0, 8),
    )
    def test_any_points(self, points: list[tuple[str, float, int, int]], cut: int, store: Store) -> None:
        """However points are dealt out to batches: the last of each metric is that of all of them."""
        run = store.create_run("0").info.run_id
        metrics = [Metric(key, value, time, step) for key, value, time, step in points]
        for batch in (metrics[:cut], metrics[cut:]):
            if batch:
                store.log_batch(run, metrics=batch)
        last: dict[str, tuple[int, int, float, bool]] = {}
        for key, value, time, step in points:
            is_nan = math.isnan(value)
            place = (step, time, 0.0 if is_nan else value, is_nan)
            last[key] = max(last.get(key, place), place)
        found = store.get_run(run).data.metrics
        for key, (_, _, value, is_nan) in last.items():
            # Where NaN and 0 are both last, stores differ in which is.
            assert (math.isnan(found[key]) and value == 0) if is_nan or math.isnan(found[key]) else found[key] == value
        assert set(found) == set(last)
        for key in last:
            history = [(one.timestamp, one.step) for one in store.get_metric_history(run, key)]
            assert history == sorted((time, step) for of, _, time, step in points if of == key)

    # -- inputs and outputs ------------------------------------------------------------------------

    def test_datasets_of_a_run(self, store: Store, run: str) -> None:
        tags = [InputTag(RunKey.DATASET_CONTEXT, "train"), InputTag("part", "1")]
        full = _dataset("b", source_type="http", source='{"url": "x"}', schema='{"a": 1}', profile='{"rows": 5}')
        bare = _dataset("a")
        store.log_inputs(run, datasets=[DatasetInput(full, tags), DatasetInput(bare)])
        store.log_inputs(run, datasets=[DatasetInput(_dataset("c"))])
        inputs = store.get_run(run).inputs.dataset_inputs
        assert [one.dataset for one in inputs[:1]] == [full]
        assert [one.dataset.name for one in inputs] == ["b", "a", "c"]
        assert {tag.key: tag.value for tag in inputs[0].tags} == {RunKey.DATASET_CONTEXT: "train", "part": "1"}
        assert inputs[1].tags == []

    def test_a_dataset_that_is_used_again(self, store: Store, experiment: str, run: str) -> None:
        store.log_inputs(run, datasets=[DatasetInput(_dataset(source="first"), [InputTag("a", "1")])])
        before = store.get_run(run).inputs
        again = DatasetInput(_dataset(source="second"), [InputTag("b", "2")])
        store.log_inputs(run, datasets=[again, again])
        assert store.get_run(run).inputs == before
        # In the experiment it is the same dataset; another run uses it in a way of its own.
        other = store.create_run(experiment).info.run_id
        store.log_inputs(other, datasets=[again])
        (found,) = store.get_run(other).inputs.dataset_inputs
        assert (found.dataset.source, found.tags) == ("first", [InputTag("b", "2")])
        # Another digest is another dataset.
        store.log_inputs(other, datasets=[DatasetInput(_dataset(digest="d2", source="third"))])
        assert [one.dataset.source for one in store.get_run(other).inputs.dataset_inputs] == ["first", "third"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": None}, {"digest": None}, {"source_type": None}, {"source": None},
            {"name": "n" * 501}, {"digest": "d" * 37}, {"source": "s" * 65_536},
        ],
    )  # fmt: skip
    def test_datasets_that_are_none(self, store: Store, run: str, fields: dict[str, Any]) -> None:
        with pytest.raises(OtflowError):
            store.log_inputs(run, datasets=[DatasetInput(_dataset("good")), DatasetInput(_dataset(**fields))])
        assert store.get_run(run).inputs.dataset_inputs == []

    def test_models(self, store: Store, run: str) -> None:
        store.log_inputs(run, models=[LoggedModelInput("m-2"), LoggedModelInput("m-1")])
        store.log_inputs(run, models=[LoggedModelInput("m-1"), LoggedModelInput("m-3")])
        store.log_outputs(run, [LoggedModelOutput("m-5", 7), LoggedModelOutput("m-4", 0)])
        found = store.get_run(run)
        assert [one.model_id for one in found.inputs.model_inputs] == ["m-2", "m-1", "m-3"]
        assert [(one.model_id, one.step) for one in found.outputs.model_outputs] == [("m-5", 7), ("m-4", 0)]

    def test_metrics_of_models(self, store: Store, experiment: str, run: str) -> None:
        model = store.create_logged_model(experiment, name="model").model_id
        store.log_batch(
            run,
            metrics=[
                _metric(0.5, 5, 1, "plain", model_id=model),
                _metric(0.7, 6, 2, "on", model_id=model, dataset_name="data", dataset_digest="d1"),
                _metric(0.9, 7, 3, "other"),
            ],
        )
        found = store.get_logged_model(model).metrics or []
        assert {
            (
                one.key,
                one.value,
                one.timestamp,
                one.step,
                one.model_id,
                one.dataset_name,
                one.dataset_digest,
                one.run_id,
            )
            for one in found
        } == {("plain", 0.5, 5, 1, model, None, None, run), ("on", 0.7, 6, 2, model, "data", "d1", run)}
        assert store.get_run(run).data.metrics == {"plain": 0.5, "on": 0.7, "other": 0.9}
