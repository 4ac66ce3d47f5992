"""Params, metrics and tags of the active run."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest

import otflow
from otflow.errors import InvalidParameterError, NotFoundError, OtflowError

UNKNOWN = "0" * 32


@pytest.fixture
def run():
    with otflow.start_run() as active:
        yield active.info.run_id


def data(run_id):
    return otflow.get_run(run_id).data


def history(run_id, key):
    return [(point.step, point.timestamp, point.value) for point in otflow.Client().get_metric_history(run_id, key)]


class TestParams:
    def test_values_are_kept_as_texts(self, run):
        values = {"text": "x", "number": 5, "none": None, "list": [1, "a"], "empty": "", "truth": True}
        for key, value in values.items():
            assert otflow.log_param(key, value) is value
        assert data(run).params == {key: str(value) for key, value in values.items()}
        assert otflow.log_params({"more": 1.5}) is None
        assert data(run).params["more"] == "1.5"

    def test_one_that_changes_is_refused_and_nothing_is_half_written(self, run):
        otflow.log_param("a", 1)
        assert otflow.log_param("a", "1") == "1"
        with pytest.raises(InvalidParameterError, match=r"Changing param values is not allowed.*'a'.*'1'.*'2'"):
            otflow.log_param("a", 2)
        with pytest.raises(InvalidParameterError, match="Changing param values is not allowed"):
            otflow.log_params({"0": "new", "a": 2, "z": "new"})
        assert data(run).params == {"a": "1"}

    def test_what_is_refused(self, run):
        for wrong in ([("a", 1)], "a", None):
            with pytest.raises(InvalidParameterError, match="dictionary"):
                otflow.log_params(wrong)
        for key in ("", "a$", "../a", "k" * 251, None, 5):
            with pytest.raises(InvalidParameterError):
                otflow.log_params({"fine": 1, key: 1})
        assert data(run).params == {}

    def test_more_than_a_batch(self, run):
        otflow.log_params({f"p{n}": n for n in range(1234)})
        assert len(data(run).params) == 1234


class TestMetrics:
    def test_points(self, run):
        for step, value in ((0, 1.0), (2, 3.0), (1, 2.0), (2, 3.0)):
            assert otflow.log_metric("m", value, step=step, timestamp=1000 + step) is None
        assert history(run, "m") == [(0, 1000, 1.0), (1, 1001, 2.0), (2, 1002, 3.0)]
        assert data(run).metrics == {"m": 3.0}

    def test_numbers(self, run):
        for key, value in (("nan", math.nan), ("inf", math.inf), ("minus", -math.inf), ("text", "1.5"), ("true", True)):
            otflow.log_metric(key, value)
        found = data(run).metrics
        assert math.isnan(found.pop("nan"))
        assert found == {"inf": sys.float_info.max, "minus": -sys.float_info.max, "text": 1.5, "true": 1.0}

    def test_several_at_once(self, run):
        otflow.log_metrics({"a": 1, "b": 2}, step=7, timestamp=9)
        assert (history(run, "a"), history(run, "b")) == ([(7, 9, 1.0)], [(7, 9, 2.0)])
        otflow.log_metrics({f"m{n}": n for n in range(2345)})
        assert len(data(run).metrics) == 2347

    def test_what_is_refused_leaves_nothing(self, run):
        for wrong in ("x", None, [1], 1j, 10**400):
            with pytest.raises(InvalidParameterError):
                otflow.log_metrics({"fine": 1, "m": wrong})
        for arguments in ({"step": "x"}, {"step": 1.5}, {"step": 2**63}, {"timestamp": -1}, {"timestamp": "x"}):
            with pytest.raises(InvalidParameterError):
                otflow.log_metric("m", 1, **arguments)
        with pytest.raises(InvalidParameterError, match="dictionary"):
            otflow.log_metrics([("a", 1)])
        with pytest.raises(NotFoundError, match="m-"):
            otflow.log_metric("m", 1, model_id="m-" + UNKNOWN)
        assert data(run).metrics == {}

    def test_of_another_run(self, run):
        other = otflow.Client().create_run("0").info.run_id
        otflow.log_metric("m", 1, run_id=other)
        otflow.log_params({"p": 1}, run_id=other)
        assert (data(other).metrics, data(other).params) == ({"m": 1.0}, {"p": "1"})
        assert (data(run).metrics, data(run).params) == ({}, {})
        with pytest.raises(NotFoundError):
            otflow.log_metric("m", 1, run_id=UNKNOWN)
        otflow.delete_run(other)
        with pytest.raises(InvalidParameterError, match="deleted"):
            otflow.log_metric("m", 1, run_id=other)


class TestMetricsOfModels:
    def points(self, model_id):
        return {point.key: (point.value, point.run_id) for point in otflow.get_logged_model(model_id).metrics or []}

    def test_by_id_and_of_the_active_model(self, run, monkeypatch):
        first, second, third = (otflow.create_external_model(name).model_id for name in "abc")
        otflow.log_metric("a", 1, model_id=first)
        with otflow.set_active_model(model_id=second):
            otflow.log_metric("b", 2)
            otflow.log_metrics({"c": 3})
            otflow.log_metric("d", 4, model_id=first)
        monkeypatch.setenv("OTFLOW_ACTIVE_MODEL_ID", third)
        otflow.log_metric("e", 5)
        assert self.points(first) == {"a": (1.0, run), "d": (4.0, run)}
        assert self.points(second) == {"b": (2.0, run), "c": (3.0, run)}
        assert self.points(third) == {"e": (5.0, run)}
        assert data(run).metrics == {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}
        used = otflow.get_run(run).inputs.model_inputs
        assert {one.model_id for one in used} == {first, second, third}

    def test_of_the_models_that_the_run_made(self, run):
        made, used = (otflow.create_external_model(name).model_id for name in "ab")
        otflow.log_metric("before", 0)
        otflow.log_outputs([otflow.entities.LoggedModelOutput(made, 1)])
        otflow.log_input(model=otflow.entities.LoggedModelInput(used))
        otflow.log_metric("after", 1)
        assert self.points(made) == {"after": (1.0, run)}
        assert self.points(used) == {}

    def test_on_a_dataset(self, run):
        model_id = otflow.create_external_model("a").model_id
        dataset = otflow.entities.Dataset("questions", "12ab", "code", "{}")
        otflow.log_metric("m", 1, model_id=model_id, dataset=dataset)
        (point,) = otflow.get_logged_model(model_id).metrics
        assert (point.dataset_name, point.dataset_digest) == ("questions", "12ab")


class TestTags:
    def test_set_and_delete(self, run):
        assert otflow.set_tag("a", 1) is None
        otflow.set_tag("a", 2)
        otflow.set_tags({"b": None, "c": [1]})
        assert {"a": "2", "b": "None", "c": "[1]"}.items() <= data(run).tags.items()
        otflow.delete_tag("a")
        assert "a" not in data(run).tags
        for key in ("a", "never"):
            with pytest.raises(NotFoundError, match=key):
                otflow.delete_tag(key)

    def test_what_is_refused_leaves_nothing(self, run):
        with pytest.raises(InvalidParameterError, match="dictionary"):
            otflow.set_tags([("a", 1)])
        with pytest.raises(InvalidParameterError):
            otflow.set_tags({"fine": 1, "wrong$": 2})
        assert "fine" not in data(run).tags

    def test_the_name_is_a_tag(self, run):
        otflow.set_tag("mlflow.runName", "renamed")
        assert otflow.get_run(run).info.run_name == "renamed"

    def test_more_than_a_batch(self, run):
        otflow.set_tags({f"t{n}": n for n in range(345)})
        assert len([key for key in data(run).tags if key.startswith("t")]) == 345


class TestWithoutARun:
    @pytest.mark.parametrize(
        "log",
        [
            lambda: otflow.log_param("a", 1),
            lambda: otflow.log_params({"a": 1}),
            lambda: otflow.log_metric("a", 1),
            lambda: otflow.log_metrics({"a": 1}),
            lambda: otflow.set_tag("a", 1),
            lambda: otflow.set_tags({"a": 1}),
        ],
    )
    def test_one_is_started(self, log):
        log()
        started = otflow.active_run()
        otflow.end_run()
        found = data(started.info.run_id)
        assert {**found.params, **found.metrics, **found.tags}["a"] in ("1", 1.0)

    def test_none_is_started_where_one_is_named(self):
        run_id = otflow.Client().create_run("0").info.run_id
        otflow.log_metric("m", 1, run_id=run_id)
        otflow.log_params({"m": 1}, run_id=run_id)
        assert otflow.active_run() is None


class TestWithoutWaiting:
    def test_everything_can_be_waited_for(self, run):
        operations = [
            otflow.log_param("a", 1, synchronous=False),
            otflow.log_params({"b": 1}, synchronous=False),
            otflow.log_metric("a", 1, synchronous=False),
            otflow.log_metrics({"b": 1}, synchronous=False),
            otflow.set_tag("a", 1, synchronous=False),
            otflow.set_tags({"b": 1}, synchronous=False),
        ]
        for operation in operations:
            assert isinstance(operation, otflow.RunOperations)
            assert operation.wait() is None
        found = data(run)
        assert (found.params, found.metrics) == ({"a": "1", "b": "1"}, {"a": 1.0, "b": 1.0})
        assert {"a": "1", "b": "1"}.items() <= found.tags.items()

    def test_flush_waits_for_all(self, run):
        for n in range(500):
            otflow.log_metric("m", n, step=n, synchronous=False)
        otflow.flush_async_logging()
        assert [step for step, _, _ in history(run, "m")] == list(range(500))

    def test_what_fails_is_told_to_who_waits_for_it(self, run):
        otflow.log_param("a", 1)
        changed = otflow.log_param("a", 2, synchronous=False)
        fine = otflow.log_param("b", 2, synchronous=False)
        for _ in range(2):
            with pytest.raises(OtflowError, match="Changing param values"):
                changed.wait()
        fine.wait()
        assert data(run).params == {"a": "1", "b": "2"}

    def test_by_the_environment(self, run, monkeypatch):
        monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
        assert isinstance(otflow.log_metric("m", 1), otflow.RunOperations)
        assert otflow.log_metric("n", 1, synchronous=True) is None
        otflow.flush_async_logging()
        assert data(run).metrics == {"m": 1.0, "n": 1.0}

    def test_the_active_model_is_that_of_the_call(self, run):
        model_id = otflow.create_external_model("a").model_id
        with otflow.set_active_model(model_id=model_id):
            operation = otflow.log_metric("m", 1, synchronous=False)
        operation.wait()
        assert [point.key for point in otflow.get_logged_model(model_id).metrics] == ["m"]

    def test_exit_waits_for_what_was_logged(self, tmp_path):
        script = "import otflow\nfor n in range(300):\n    otflow.log_metric('m', n, step=n, synchronous=False)\n"
        uri = f"sqlite:///{tmp_path}/own.db"
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "OTFLOW_TRACKING_URI": uri}, check=True, timeout=120
        )
        otflow.set_tracking_uri(uri)
        (run,) = otflow.search_runs(output_format="list")
        assert run.info.status == "FINISHED"
        assert len(history(run.info.run_id, "m")) == 300
