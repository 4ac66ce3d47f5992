"""Logged models: the fluent face, and the one that is active."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otflow
from otflow.entities import LoggedModel, LoggedModelInput, LoggedModelStatus
from otflow.errors import FilterError, InvalidParameterError, NotFoundError
from otflow.semconv import Metadata


def in_thread(function):
    """What a function returns in a thread of its own."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(60)


def names(**search):
    return [model.name for model in otflow.search_logged_models(output_format="list", **search)]


def model_of_new_trace():
    trace = otflow.get_trace(otflow.log_trace("a"))
    return trace.info.trace_metadata.get(Metadata.MODEL_ID)


class TestMaking:
    def test_initialize_and_finalize(self):
        model = otflow.initialize_logged_model()
        assert model.status is LoggedModelStatus.PENDING
        assert model.experiment_id == "0"
        assert model.source_run_id is None
        assert set(model.tags) >= {"mlflow.user", "mlflow.source.name", "mlflow.source.type"}
        assert otflow.get_logged_model(model.model_id) == model
        assert otflow.finalize_logged_model(model.model_id, "READY").status is LoggedModelStatus.READY
        assert otflow.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED).status == "FAILED"
        for status in ("ready", "", None, 2):
            with pytest.raises(InvalidParameterError):
                otflow.finalize_logged_model(model.model_id, status)
        assert otflow.get_logged_model(model.model_id).status == "FAILED"
        assert not Path(model.artifact_location, "MLmodel").exists()

    def test_external(self):
        model = otflow.create_external_model("agent", tags={"a": 1}, params={"p": 2}, model_type="agent")
        assert (model.name, model.model_type, model.params) == ("agent", "agent", {"p": "2"})
        assert model.status is LoggedModelStatus.READY
        assert model.tags["a"] == "1"
        assert model.tags["mlflow.model.isExternal"] == "true"
        assert otflow.get_logged_model(model.model_id) == model
        assert otflow.create_external_model(tags={"mlflow.model.isExternal": "false"}).tags[
            "mlflow.model.isExternal"
        ] == ("true")

    def test_the_file_by_which_mlflow_knows_an_external_model(self):
        with otflow.start_run() as run:
            model = otflow.create_external_model("agent")
        text = Path(model.artifact_location, "MLmodel").read_text(encoding="utf-8")
        fields = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in text.splitlines())}
        assert fields.pop("utc_time_created").startswith("2")
        assert fields == {
            "artifact_path": model.artifact_location,
            "flavors": {},
            "metadata": {"mlflow.model.isExternal": True},
            "mlflow_version": "3.10.1",
            "model_id": model.model_id,
            "model_uuid": model.model_id,
            "run_id": run.info.run_id,
        }

    def test_a_model_without_that_file(self, tmp_path, caplog):
        (tmp_path / "a file").write_text("in the way")
        experiment = otflow.create_experiment("e", artifact_location=str(tmp_path / "a file"))
        model = otflow.create_external_model("agent", experiment_id=experiment)
        assert otflow.get_logged_model(model.model_id).name == "agent"
        assert model.model_id in caplog.text

    def test_run_and_experiment(self):
        other = otflow.create_experiment("other")
        otflow.set_experiment("active")
        outside = otflow.initialize_logged_model()
        assert outside.experiment_id == otflow.get_experiment_by_name("active").experiment_id
        with otflow.start_run(experiment_id=other) as run:
            for make in (otflow.initialize_logged_model, otflow.create_external_model):
                model = make()
                assert (model.experiment_id, model.source_run_id) == (other, run.info.run_id)
                assert make(source_run_id="another").source_run_id == "another"
                assert make(experiment_id=outside.experiment_id).experiment_id == outside.experiment_id
        assert otflow.get_run(run.info.run_id).outputs.model_outputs == []

    def test_what_is_refused(self):
        for make in (otflow.initialize_logged_model, otflow.create_external_model):
            for arguments in ({"name": "a.b"}, {"name": ""}, {"tags": ["a"]}, {"params": "a"}):
                with pytest.raises(InvalidParameterError):
                    make(**arguments)
            with pytest.raises(NotFoundError):
                make(experiment_id="77")
        assert names() == []
        for question in (otflow.get_logged_model, lambda one: otflow.finalize_logged_model(one, "READY")):
            with pytest.raises(NotFoundError, match="m-1"):
                question("m-1")
            with pytest.raises(InvalidParameterError, match="non-empty"):
                question("")

    def test_the_last_one(self):
        def last():
            before = otflow.last_logged_model()
            model = otflow.initialize_logged_model("of a thread")
            return before, model, otflow.last_logged_model()

        before, made, after = in_thread(last)
        assert before is None
        assert after == made
        mine = otflow.create_external_model("mine")
        in_thread(last)
        otflow.Client().create_logged_model("0", name="by the client")
        assert otflow.last_logged_model() == mine
        otflow.finalize_logged_model(mine.model_id, "FAILED")
        assert otflow.last_logged_model().status == "FAILED"
        otflow.Client().delete_logged_model(mine.model_id)
        with pytest.raises(NotFoundError):
            otflow.last_logged_model()


class TestChanging:
    def test_tags_and_params(self):
        model = otflow.create_external_model("agent", params={"a": "1"}).model_id
        otflow.set_logged_model_tags(model, {"t": 1, "u": "2"})
        otflow.set_logged_model_tags(model, {"t": 3})
        otflow.delete_logged_model_tag(model, "u")
        otflow.log_model_params({"b": 2}, model_id=model)
        found = otflow.get_logged_model(model)
        assert (found.tags["t"], "u" in found.tags) == ("3", False)
        assert found.params == {"a": "1", "b": "2"}
        with pytest.raises(NotFoundError, match="'u'"):
            otflow.delete_logged_model_tag(model, "u")
        with pytest.raises(InvalidParameterError, match="'b'"):
            otflow.log_model_params({"c": 1, "b": 3}, model_id=model)
        assert otflow.get_logged_model(model).params == {"a": "1", "b": "2"}

    def test_params_of_the_active_model(self):
        with pytest.raises(InvalidParameterError, match="no model is active"):
            otflow.log_model_params({"a": "1"})
        with otflow.set_active_model(name="agent") as model:
            otflow.log_model_params({"a": 1})
        assert otflow.get_logged_model(model.model_id).params == {"a": "1"}
        for wrong in ("a", ["a"], None):
            with pytest.raises(InvalidParameterError):
                otflow.log_model_params(wrong, model_id=model.model_id)


class TestSearching:
    def test_as_a_list(self):
        for name in ("a", "b"):
            otflow.create_external_model(name, params={"p": name})
        other = otflow.create_experiment("other")
        otflow.create_external_model("c", experiment_id=other)
        assert names() == names(experiment_ids=[]) == ["b", "a"]
        assert names(experiment_ids=["0", other]) == ["c", "b", "a"]
        assert names(filter_string="params.p = 'a'") == ["a"]
        assert names(order_by=[{"field_name": "name"}]) == ["a", "b"]
        assert names(max_results=1) == ["b"]
        assert names(max_results=0) == []

    def test_all_pages(self):
        store = otflow.Client()
        for number in range(230):
            store.create_logged_model("0", name=str(number))
        assert names() == [str(number) for number in reversed(range(230))]
        assert len(names(max_results=150)) == 150
        page = store.search_logged_models(["0"])
        assert len(page) == 100
        assert page.token

    def test_metrics_on_datasets(self):
        digests = {"small": "d1", "large": "d2"}
        run = otflow.Client().create_run("0").info.run_id
        for name, scores in {"a": {"small": 0.9, "large": 0.5}, "b": {"small": 0.6, "large": 0.7}}.items():
            model = otflow.create_external_model(name)
            for dataset, value in scores.items():
                otflow.Client().log_metric(
                    run, "acc", value, model_id=model.model_id, dataset_name=dataset, dataset_digest=digests[dataset]
                )
        assert names(filter_string="metrics.acc > 0.65") == ["b", "a"]
        assert names(filter_string="metrics.acc > 0.65", datasets=[{"dataset_name": "small"}]) == ["a"]
        order = {"field_name": "metrics.acc", "ascending": False, "dataset_name": "large", "dataset_digest": "d2"}
        assert names(order_by=[order]) == ["b", "a"]
        assert [one.dataset_name for one in otflow.last_logged_model().metrics] == ["small", "large"]

    def test_as_a_data_frame(self):
        pandas = pytest.importorskip("pandas")
        empty = otflow.search_logged_models()
        assert empty.empty
        model = otflow.create_external_model("agent", params={"p": "1"})
        otflow.initialize_logged_model("other")
        frame = otflow.search_logged_models()
        assert list(frame.columns) == [
            "artifact_location", "creation_timestamp", "experiment_id", "last_updated_timestamp", "metrics", "model_id",
            "model_type", "name", "params", "source_run_id", "status", "status_message", "tags",
        ]  # fmt: skip
        assert list(empty.columns) == list(frame.columns)
        assert list(frame["name"]) == ["other", "agent"]
        assert frame["creation_timestamp"].dtype == frame["last_updated_timestamp"].dtype == "int64"
        row = frame.iloc[1]
        assert isinstance(row, pandas.Series)
        assert row["status"] is LoggedModelStatus.READY
        assert (row["params"], row["tags"], row["metrics"]) == ({"p": "1"}, model.tags, None)
        assert row["creation_timestamp"] == model.creation_timestamp

    def test_what_is_refused(self):
        for arguments in ({"output_format": "x"}, {"experiment_ids": "0"}, {"order_by": ["name"]}, {"datasets": [{}]}):
            with pytest.raises(InvalidParameterError):
                otflow.search_logged_models(**arguments)
        with pytest.raises(FilterError):
            otflow.search_logged_models(filter_string="nonsense", output_format="list")


class TestActiveModel:
    def test_by_id(self):
        made = otflow.initialize_logged_model("agent", params={"p": "1"})
        active = otflow.set_active_model(model_id=made.model_id)
        assert isinstance(active, LoggedModel)
        assert isinstance(active, otflow.ActiveModel)
        assert dict(active) == dict(made)
        assert active.to_dictionary() == made.to_dictionary()
        assert otflow.get_active_model_id() == made.model_id
        otflow.clear_active_model()
        assert otflow.get_active_model_id() is None

    def test_by_name(self):
        new = otflow.set_active_model(name="agent")
        assert new.status is LoggedModelStatus.READY
        assert new.tags["mlflow.model.isExternal"] == "true"
        assert otflow.last_logged_model().model_id == new.model_id
        assert otflow.set_active_model(name="agent").model_id == new.model_id
        newer = otflow.initialize_logged_model("agent")
        assert otflow.set_active_model(name="agent").model_id == newer.model_id
        otflow.Client().delete_logged_model(newer.model_id)
        assert otflow.set_active_model(name="agent").model_id == new.model_id
        assert otflow.set_active_model(name="agent", model_id=new.model_id).model_id == new.model_id
        otflow.set_experiment("other")
        assert otflow.set_active_model(name="agent").model_id != new.model_id

    def test_what_is_refused(self):
        made = otflow.create_external_model("agent")
        gone = otflow.create_external_model("gone")
        otflow.Client().delete_logged_model(gone.model_id)
        before = otflow.set_active_model(name="before")
        wrong = (
            {}, {"name": ""}, {"name": "a.b"}, {"name": "a'b"}, {"name": 5}, {"model_id": ""},
            {"name": "other", "model_id": made.model_id},
        )  # fmt: skip
        for arguments in wrong:
            with pytest.raises(InvalidParameterError):
                otflow.set_active_model(**arguments)
        for model_id in ("m-1", gone.model_id):
            with pytest.raises(NotFoundError, match=model_id):
                otflow.set_active_model(model_id=model_id)
        assert otflow.get_active_model_id() == before.model_id
        assert names() == ["before", "agent"]

    def test_with_blocks(self):
        first = otflow.set_active_model(name="first")
        with otflow.set_active_model(name="second") as second:
            assert otflow.get_active_model_id() == second.model_id
            with pytest.raises(ValueError, match="inside"), otflow.set_active_model(name="third"):
                raise ValueError("inside")
            assert otflow.get_active_model_id() == second.model_id
            otflow.set_active_model(name="fourth")
        assert otflow.get_active_model_id() == first.model_id
        with second:
            assert otflow.get_active_model_id() == second.model_id
        assert otflow.get_active_model_id() == first.model_id
        with second:
            otflow.clear_active_model()
            assert otflow.get_active_model_id() is None
        assert otflow.get_active_model_id() == first.model_id

    def test_threads_and_tasks_have_their_own(self):
        otflow.set_active_model(name="mine")
        mine = otflow.get_active_model_id()
        assert in_thread(otflow.get_active_model_id) is None

        async def work(name):
            assert otflow.get_active_model_id() == mine
            with otflow.set_active_model(name=name) as model:
                await asyncio.sleep(0)
                assert otflow.get_active_model_id() == model.model_id
                return model_of_new_trace() == model.model_id

        async def main():
            return await asyncio.gather(*(work(f"model {number}") for number in range(5)))

        assert asyncio.run(main()) == [True] * 5
        assert otflow.get_active_model_id() == mine

    def test_traces_are_linked_to_it(self):
        assert model_of_new_trace() is None
        with otflow.set_active_model(name="agent") as model:
            with otflow.start_span("outer") as span, otflow.start_span("inner"):
                pass
            assert model_of_new_trace() == model.model_id
        otflow.log_trace("after")
        linked = otflow.search_traces(model_id=model.model_id, return_type="list")
        assert len(linked) == 2
        assert span.trace_id in {trace.info.trace_id for trace in linked}
        assert otflow.search_traces(model_id="m-other", return_type="list") == []

    def test_metrics_are_linked_to_it(self):
        with otflow.set_active_model(name="agent") as model, otflow.start_run() as run:
            otflow.log_metric("accuracy", 0.5)
            otflow.log_metrics({"loss": 2.0})
        points = {one.key: (one.value, one.run_id) for one in otflow.get_logged_model(model.model_id).metrics}
        assert points == {"accuracy": (0.5, run.info.run_id), "loss": (2.0, run.info.run_id)}
        assert otflow.get_run(run.info.run_id).inputs.model_inputs == [LoggedModelInput(model.model_id)]

    @pytest.mark.parametrize(
        "variable", ["OTFLOW_ACTIVE_MODEL_ID", "MLFLOW_ACTIVE_MODEL_ID", "_MLFLOW_ACTIVE_MODEL_ID"]
    )
    def test_the_environment(self, monkeypatch, variable):
        monkeypatch.setenv(variable, "m-environment")
        assert otflow.get_active_model_id() == "m-environment"
        assert model_of_new_trace() == "m-environment"
        with otflow.set_active_model(name="agent") as model:
            assert otflow.get_active_model_id() == model.model_id
            assert model_of_new_trace() == model.model_id
        assert otflow.get_active_model_id() == "m-environment"
        otflow.clear_active_model()
        assert otflow.get_active_model_id() is None
        assert variable not in os.environ
        assert model_of_new_trace() is None

    def test_the_environment_of_a_process(self):
        program = """
            import otflow
            print(otflow.get_active_model_id())
            print(otflow.get_trace(otflow.log_trace("a")).info.trace_metadata["mlflow.modelId"])
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={**os.environ, "_MLFLOW_ACTIVE_MODEL_ID": "m-legacy", "MLFLOW_ACTIVE_MODEL_ID": "m-now"},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert done.stdout.split() == ["m-now", "m-now"]


class TestCheckpoints:
    @pytest.fixture
    def checkpoints(self, tmp_path):
        root = tmp_path / "checkpoints"
        (root / "epoch-1").mkdir(parents=True)
        (root / "epoch-1" / "weights.bin").write_bytes(b"1")
        (root / "epoch-2.pt").write_bytes(b"2")
        (root / ".lock").write_bytes(b"")
        return root

    def test_each_file_and_directory_is_a_model(self, checkpoints):
        experiment = otflow.create_experiment("training")
        with otflow.start_run(experiment_id=experiment) as run:
            models = otflow.import_checkpoints(str(checkpoints), model_prefix="net ")
        assert [model.name for model in models] == ["net epoch-1", "net epoch-2_pt"]
        for model, entry in zip(models, ("epoch-1", "epoch-2.pt"), strict=True):
            assert (model.experiment_id, model.source_run_id) == (experiment, run.info.run_id)
            assert model.status is LoggedModelStatus.READY
            assert model.tags["mlflow.model.isExternal"] == "true"
            assert model.tags["otflow.checkpoint.path"] == str(checkpoints / entry)
            assert otflow.get_logged_model(model.model_id) == model
        assert otflow.import_checkpoints(checkpoints, source_run_id=run.info.run_id, model_prefix="net ") == models

    def test_again(self, checkpoints):
        first = otflow.import_checkpoints(checkpoints)
        assert all(model.source_run_id is None for model in first)
        (checkpoints / "epoch-3").mkdir()
        kept = otflow.import_checkpoints(checkpoints)
        assert [model.name for model in kept] == ["epoch-1", "epoch-2_pt", "epoch-3"]
        assert kept[:2] == first
        anew = otflow.import_checkpoints(checkpoints, overwrite_checkpoints=True)
        assert [model.name for model in anew] == [model.name for model in kept]
        assert not {model.model_id for model in anew} & {model.model_id for model in kept}
        found = otflow.search_logged_models(output_format="list")
        assert {model.model_id for model in found} == {model.model_id for model in anew}

    def test_what_is_refused(self, checkpoints):
        for wrong in ("", None, 5, checkpoints / "nowhere", checkpoints / "epoch-2.pt"):
            with pytest.raises(InvalidParameterError, match="checkpoint_path"):
                otflow.import_checkpoints(wrong)
        with pytest.raises(NotFoundError):
            otflow.import_checkpoints(checkpoints, source_run_id="nobody")
        with pytest.raises(InvalidParameterError, match="name"):
            otflow.import_checkpoints(checkpoints, model_prefix="a/")
        (checkpoints / "epoch-2_pt").mkdir()
        with pytest.raises(InvalidParameterError, match="epoch-2_pt"):
            otflow.import_checkpoints(checkpoints)
        assert names() == []

    def test_an_empty_directory(self, tmp_path):
        (tmp_path / "empty").mkdir()
        assert otflow.import_checkpoints(tmp_path / "empty") == []


def test_reset_forgets_the_models():
    otflow.set_active_model(name="agent")
    otflow.testing.reset()
    assert otflow.last_logged_model() is None
    assert otflow.get_active_model_id() is None
