"""Experiments and stores that are active."""

from __future__ import annotations

import os
import pathlib

import pytest

import otflow
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError


class TestSetExperiment:
    def test_by_name_by_id_and_where_traces_go(self):
        created = otflow.set_experiment("agents")
        assert (created.name, created.lifecycle_stage) == ("agents", "active")
        assert otflow.set_experiment("agents").experiment_id == created.experiment_id
        assert otflow.set_experiment(experiment_id=created.experiment_id).name == "agents"
        trace = otflow.get_trace(otflow.log_trace("a"))
        assert trace.info.experiment_id == created.experiment_id

    def test_without_one_traces_go_to_the_default(self):
        assert otflow.get_trace(otflow.log_trace("a")).info.experiment_id == "0"
        assert otflow.get_experiment("0").name == "Default"

    def test_what_is_refused(self):
        with pytest.raises(InvalidParameterError):
            otflow.set_experiment()
        with pytest.raises(InvalidParameterError):
            otflow.set_experiment("a", experiment_id="0")
        with pytest.raises(NotFoundError):
            otflow.set_experiment(experiment_id="99")
        with pytest.raises(InvalidParameterError):
            otflow.set_experiment(experiment_id="nonsense")
        gone = otflow.create_experiment("gone")
        otflow.Client().delete_experiment(gone)
        for arguments in ({"experiment_name": "gone"}, {"experiment_id": gone}):
            with pytest.raises(otflow.OtflowError, match="deleted") as raised:
                otflow.set_experiment(**arguments)
            assert raised.value.error_code == "INVALID_PARAMETER_VALUE"

    def test_each_trace_goes_where_it_was_to_go_when_it_began(self):
        first = otflow.set_experiment("first").experiment_id
        one = otflow.start_span_no_context("one")
        second = otflow.set_experiment("second").experiment_id
        one.end()
        two = otflow.log_trace("two")
        assert otflow.get_trace(one.trace_id).info.experiment_id == first
        assert otflow.get_trace(two).info.experiment_id == second

    def test_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
        trace = otflow.get_trace(otflow.log_trace("a"))
        assert otflow.get_experiment(trace.info.experiment_id).name == "named"
        monkeypatch.setenv("OTFLOW_EXPERIMENT_ID", "0")
        assert otflow.get_trace(otflow.log_trace("a")).info.experiment_id == "0"

    def test_an_experiment_that_is_not_there_loses_the_trace_and_says_so(self, caplog):
        span = otflow.start_span_no_context("a", experiment_id="4711")
        span.end()
        assert otflow.get_trace(span.trace_id, silent=True) is None
        assert "4711" in caplog.text


class TestExperiments:
    def test_create_get_search(self):
        place = otflow.create_experiment("e", tags={"a": 1})
        assert otflow.get_experiment(place).tags == {"a": "1"}
        assert otflow.get_experiment_by_name("e").experiment_id == place
        assert otflow.get_experiment_by_name("missing") is None
        assert [one.name for one in otflow.search_experiments()] == ["e", "Default"]
        assert [one.name for one in otflow.search_experiments(filter_string="tags.a = '1'")] == ["e"]
        assert [one.name for one in otflow.search_experiments(order_by=["name"], max_results=1)] == ["Default"]
        with pytest.raises(AlreadyExistsError):
            otflow.create_experiment("e")

    @pytest.mark.parametrize("name", ["", None, 5, "x" * 501])
    def test_names_that_are_refused(self, name):
        with pytest.raises(InvalidParameterError):
            otflow.create_experiment(name)


class TestTags:
    def test_of_the_active_experiment(self):
        chosen = otflow.set_experiment("tagged").experiment_id

        def tags():
            return otflow.get_experiment(chosen).tags

        otflow.set_experiment_tag("a", 1)
        otflow.set_experiment_tags({"a": 2, "b": None})
        assert tags() == {"a": "2", "b": "None"}
        with otflow.start_run(experiment_id="0"):
            otflow.set_experiment_tag("c", "3")
        assert tags() == {"a": "2", "b": "None", "c": "3"}
        otflow.delete_experiment_tag("a")
        assert "a" not in tags()
        for key in ("a", "never"):
            with pytest.raises(NotFoundError):
                otflow.delete_experiment_tag(key)

    def test_what_is_refused_leaves_nothing(self):
        with pytest.raises(InvalidParameterError):
            otflow.set_experiment_tags({"fine": 1, "wrong$": 2})
        for wrong in ([("a", 1)], "a"):
            with pytest.raises(InvalidParameterError):
                otflow.set_experiment_tags(wrong)
        assert otflow.get_experiment("0").tags == {}

    def test_of_a_deleted_one(self):
        gone = otflow.set_experiment("gone").experiment_id
        otflow.delete_experiment(gone)
        with pytest.raises(InvalidParameterError, match="deleted"):
            otflow.set_experiment_tag("a", 1)


class TestDelete:
    def test_its_runs_go_with_it_and_come_back(self):
        made = otflow.create_experiment("gone")
        with otflow.start_run(experiment_id=made) as run:
            pass

        def stages():
            found = otflow.get_experiment(made), otflow.get_run(run.info.run_id).info
            return tuple(one.lifecycle_stage for one in found)

        otflow.delete_experiment(made)
        assert stages() == ("deleted", "deleted")
        assert "gone" not in [found.name for found in otflow.search_experiments()]
        with pytest.raises(InvalidParameterError, match="deleted"):
            otflow.start_run(experiment_id=made)
        otflow.Client().restore_experiment(made)
        assert stages() == ("active", "active")

    def test_unknown_ones(self):
        for unknown in ("4711", otflow.create_experiment("gone")):
            if unknown != "4711":
                otflow.delete_experiment(unknown)
            with pytest.raises(NotFoundError):
                otflow.delete_experiment(unknown)
        with pytest.raises(InvalidParameterError):
            otflow.delete_experiment("nonsense")


class TestTrackingUri:
    def test_forms(self, tmp_path):
        assert otflow.is_tracking_uri_set() is False
        assert otflow.get_tracking_uri() == f"sqlite:///{tmp_path}/otflow.db"
        for uri in ("", "some/dir", "file:relative", f"file://{tmp_path}/abs", "sqlite:///x.db"):
            otflow.set_tracking_uri(uri)
            assert otflow.get_tracking_uri() == uri
            assert otflow.is_tracking_uri_set() is True
            assert otflow.get_trace(otflow.log_trace("a")) is not None
        otflow.set_tracking_uri(pathlib.Path("a path"))
        assert otflow.get_tracking_uri() == f"file://{tmp_path}/a%20path"
        otflow.log_trace("a")
        otflow.flush_trace_async_logging()
        for database in ("mlruns/otflow.db", "some/dir/otflow.db", "relative/otflow.db", "abs/otflow.db", "x.db"):
            assert (tmp_path / database).is_file(), database
        assert (tmp_path / "a path" / "otflow.db").is_file()

    def test_artifacts_are_beside_the_database(self, tmp_path):
        otflow.set_tracking_uri(tmp_path / "d")
        assert otflow.get_experiment("0").artifact_location.endswith("/d/otflow-artifacts/0")

    def test_children_of_the_process_are_told(self):
        otflow.set_tracking_uri("sqlite:///mine.db")
        assert os.environ["OTFLOW_TRACKING_URI"] == "sqlite:///mine.db"
        otflow.testing.reset()
        assert "OTFLOW_TRACKING_URI" not in os.environ
        assert otflow.is_tracking_uri_set() is False

    def test_switching_loses_nothing(self):
        otflow.set_tracking_uri("sqlite:///one.db")
        otflow.set_experiment("in one")
        one = otflow.log_trace("a")
        otflow.set_tracking_uri("sqlite:///two.db")
        two = otflow.log_trace("b")
        assert otflow.get_trace(two).info.experiment_id == "0"
        assert otflow.get_trace(one, silent=True) is None
        otflow.set_tracking_uri("sqlite:///one.db")
        assert otflow.get_trace(one) is not None

    @pytest.mark.parametrize("uri", ["ftp://x", "databricks", "nonsense://", 5])
    def test_what_is_refused(self, uri):
        otflow.set_tracking_uri("sqlite:///before.db")
        with pytest.raises(InvalidParameterError):
            otflow.set_tracking_uri(uri)
        assert otflow.get_tracking_uri() == "sqlite:///before.db"
