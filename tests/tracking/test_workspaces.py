"""The active workspace: what is made and found in it, and who sees which."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import otflow
from otflow import context
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.testing import capture_traces


def names() -> list[str]:
    return [experiment.name for experiment in otflow.search_experiments()]


@pytest.fixture
def red_and_blue() -> None:
    otflow.create_workspace("red")
    otflow.create_workspace("blue")


def in_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


pytestmark = pytest.mark.usefixtures("red_and_blue")


class TestWhatIsInIt:
    def test_everything_that_is_made(self):
        otflow.set_workspace("red")
        with otflow.start_run() as run:
            otflow.log_metric("m", 1.0)
            otflow.log_text("words", "file.txt")
            trace_id = otflow.log_trace("a")
        model = otflow.create_external_model("agent")
        otflow.log_feedback(trace_id=trace_id, name="good", value=True)

        otflow.set_workspace("blue")
        for look in (
            lambda: otflow.get_run(run.info.run_id),
            lambda: otflow.get_logged_model(model.model_id),
            lambda: otflow.set_trace_tag(trace_id, "a", "b"),
            lambda: otflow.log_feedback(trace_id=trace_id, name="good", value=False),
            lambda: otflow.artifacts.load_text(f"runs:/{run.info.run_id}/file.txt"),
        ):
            with pytest.raises(NotFoundError):
                look()
        assert otflow.get_trace(trace_id, silent=True) is None
        assert otflow.search_traces(return_type="list") == []
        assert otflow.search_runs(output_format="list") == []
        assert otflow.search_runs(search_all_experiments=True, output_format="list") == []
        assert otflow.search_logged_models(output_format="list") == []

        otflow.set_workspace("red")
        assert [one.info.run_id for one in otflow.search_runs(output_format="list")] == [run.info.run_id]
        assert otflow.get_run(run.info.run_id).data.metrics == {"m": 1.0}
        trace = otflow.get_trace(trace_id)
        assert trace is not None
        assert [one.value for one in trace.info.assessments] == [True]
        assert otflow.artifacts.load_text(f"runs:/{run.info.run_id}/file.txt") == "words"

    def test_an_experiment_of_its_own_for_what_names_none(self):
        otflow.set_workspace("red")
        assert names() == []
        trace = otflow.get_trace(otflow.log_trace("a"))
        assert trace is not None
        assert names() == ["Default"]
        assert trace.info.experiment_id == otflow.search_experiments()[0].experiment_id != "0"
        with otflow.start_run() as run:
            assert run.info.experiment_id == trace.info.experiment_id

    def test_each_has_an_active_experiment(self):
        otflow.set_workspace("red")
        ours = otflow.set_experiment("agents").experiment_id
        otflow.set_workspace("blue")
        theirs = otflow.set_experiment("agents").experiment_id
        assert ours != theirs
        for workspace, experiment in (("red", ours), ("blue", theirs), (None, "0")):
            otflow.set_workspace(workspace)
            trace = otflow.get_trace(otflow.log_trace("a"))
            assert trace is not None
            assert trace.info.experiment_id == experiment

    def test_artifacts_are_kept_apart(self, tmp_path):
        otflow.update_workspace("red", default_artifact_root=str(tmp_path / "red files"))
        otflow.set_workspace("red")
        with otflow.start_run() as run:
            otflow.log_text("words", "file.txt")
        assert run.info.artifact_uri.startswith(f"{tmp_path}/red files/")
        otflow.set_workspace("blue")
        with otflow.start_run() as run:
            otflow.log_text("words", "file.txt")
        assert "/workspaces/blue/" in run.info.artifact_uri

    def test_a_run_stays_where_it_began(self):
        otflow.set_workspace("red")
        with otflow.start_run() as run:
            otflow.set_workspace("blue")
            otflow.log_metric("m", 1.0)
            otflow.log_text("words", "file.txt")
            other = otflow.log_trace("not of the run")
        assert otflow.search_runs(output_format="list") == []
        trace = otflow.get_trace(other)
        assert trace is not None
        assert "mlflow.sourceRun" not in trace.info.trace_metadata
        otflow.set_workspace("red")
        ended = otflow.get_run(run.info.run_id)
        assert (ended.info.status, ended.data.metrics) == ("FINISHED", {"m": 1.0})

    def test_what_was_begun_elsewhere_is_not_linked_to_a_prompt(self, caplog: pytest.LogCaptureFixture):
        otflow.set_workspace("red")
        with otflow.set_active_model(name="agent"), otflow.start_run() as run, otflow.start_span("root") as root:
            otflow.set_workspace("blue")
            otflow.genai.register_prompt("of-blue", "Hello")
            otflow.genai.load_prompt("of-blue", version=1)
        assert caplog.messages == []
        otflow.set_workspace("red")
        assert "mlflow.linkedPrompts" not in otflow.get_run(run.info.run_id).data.tags
        trace = otflow.get_trace(root.trace_id)
        assert trace is not None
        assert "mlflow.linkedPrompts" not in trace.info.tags

    def test_captured_traces_and_runs_are_linked_to_prompts(self):
        otflow.set_workspace("red")
        with capture_traces() as captured:
            otflow.genai.register_prompt("greeting", "Hello")
            with otflow.start_run() as run, otflow.start_span("root"):
                otflow.genai.load_prompt("greeting", version=1)
            assert "mlflow.linkedPrompts" in otflow.get_run(run.info.run_id).data.tags
        assert "mlflow.linkedPrompts" in captured.traces[0].info.tags

    def test_a_trace_stays_where_it_began(self):
        otflow.set_workspace("red")
        with otflow.start_span("root") as root:
            otflow.set_workspace("blue")
            with otflow.start_span("child"):
                otflow.update_current_trace(tags={"a": "b"})
        assert otflow.get_trace(root.trace_id, silent=True) is None
        otflow.set_workspace("red")
        trace = otflow.get_trace(root.trace_id)
        assert trace is not None
        assert ({span.name for span in trace.data.spans}, trace.info.tags["a"]) == ({"root", "child"}, "b")

    def test_captured_traces_are_in_none(self):
        otflow.set_workspace("red")
        with capture_traces() as captured:
            otflow.log_trace("a")
        assert len(captured.traces) == 1
        assert otflow.search_traces(return_type="list") == []


class TestOneThatIsMadeAgain:
    @pytest.mark.parametrize("mode", ["CASCADE", "SET_DEFAULT"])
    @pytest.mark.parametrize("experiment", [None, "chosen"])
    def test_nothing_is_remembered_of_the_one_before(self, mode: str, experiment: str | None):
        otflow.set_workspace("red")
        if experiment is not None:
            otflow.set_experiment(experiment)
        with otflow.start_run() as before:
            otflow.log_text("words", "file.txt")
        otflow.genai.register_prompt("greeting", "Hello")
        assert otflow.genai.load_prompt("greeting", version=1).template == "Hello"
        otflow.delete_workspace("red", mode=mode)
        otflow.create_workspace("red")
        for look in (
            lambda: otflow.genai.load_prompt("greeting", version=1),
            lambda: otflow.get_run(before.info.run_id),
            lambda: otflow.artifacts.load_text(f"runs:/{before.info.run_id}/file.txt"),
        ):
            with pytest.raises(NotFoundError):
                look()
        with otflow.start_run() as run:
            trace_id = otflow.log_trace("a")
        assert names() == ["Default"]
        assert run.info.experiment_id == otflow.search_experiments()[0].experiment_id != before.info.experiment_id
        trace = otflow.get_trace(trace_id)
        assert trace is not None
        assert trace.info.experiment_id == run.info.experiment_id

    def test_one_that_is_not_active(self):
        otflow.set_workspace("blue")
        chosen = otflow.set_experiment("chosen").experiment_id
        otflow.delete_workspace("red")
        assert context.experiment_id() == chosen


class TestWhichIsActive:
    def test_none_is_the_default_one(self):
        otflow.set_workspace("red")
        otflow.set_workspace(None)
        assert context.workspace() == "default"
        assert names() == ["Default"]

    def test_one_that_is_not_there(self):
        otflow.set_workspace("nowhere")
        for use in (otflow.search_experiments, otflow.start_run, lambda: otflow.create_experiment("e")):
            with pytest.raises(NotFoundError, match="nowhere"):
                use()

    @pytest.mark.parametrize("name", ["", "A", "a b", 5])
    def test_names_that_none_can_have(self, name: Any):
        otflow.set_workspace("red")
        with pytest.raises(InvalidParameterError, match="name"):
            otflow.set_workspace(name)
        assert context.workspace() == "red"

    def test_a_client_follows(self):
        client = otflow.Client()
        otflow.set_workspace("red")
        client.create_experiment("of red")
        otflow.set_workspace("blue")
        assert list(client.search_experiments()) == []

    def test_threads_and_tasks_see_it_and_keep_their_own(self):
        otflow.set_workspace("red")
        otflow.create_experiment("of red")
        assert in_thread(names) == ["of red"]

        def work() -> list[str]:
            otflow.set_workspace("blue")
            otflow.create_experiment("of blue")
            return names()

        assert in_thread(work) == ["of blue"]
        assert names() == ["of red"]

        async def task(name: str) -> list[str]:
            otflow.set_workspace(name)
            await asyncio.sleep(0)
            return names()

        async def both() -> list[list[str]]:
            return await asyncio.gather(task("red"), task("blue"))

        assert asyncio.run(both()) == [["of red"], ["of blue"]]
        assert names() == ["of red"]

    def test_the_experiment_of_a_thread_is_not_that_of_the_others(self):
        otflow.set_workspace("red")
        chosen = otflow.set_experiment("chosen").experiment_id

        def work() -> str:
            otflow.set_workspace("blue")
            otflow.set_experiment("another")
            return context.experiment_id()

        assert in_thread(work) != chosen
        assert context.experiment_id() == chosen

    @pytest.mark.parametrize("variable", ["OTFLOW_WORKSPACE", "MLFLOW_WORKSPACE"])
    def test_the_environment_names_it(self, variable: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv(variable, "red")
        otflow.create_experiment("of red")
        assert [one.workspace for one in otflow.search_experiments()] == ["red"]
        otflow.set_workspace("blue")
        assert names() == []
        otflow.set_workspace(None)
        assert names() == ["of red"]

    def test_a_name_in_the_environment_that_none_can_have(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("OTFLOW_WORKSPACE", "Not A Name")
        with pytest.raises(InvalidParameterError, match="Not A Name"):
            otflow.search_experiments()
        assert otflow.trace(lambda: 5)() == 5  # a traced function is none the worse for it

    def test_processes_that_are_started_see_it(self):
        otflow.set_tracking_uri(f"sqlite:///{os.getcwd()}/otflow.db")
        otflow.set_workspace("red")
        otflow.set_experiment("of red")
        code = "import otflow; otflow.log_trace('child'); print(*[e.name for e in otflow.search_experiments()])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split("\n")[0] == "of red"
        assert len(otflow.search_traces(return_type="list")) == 1

    def test_a_uri_may_name_it(self):
        otflow.set_workspace("red")
        otflow.create_experiment("of red")
        otflow.set_workspace(None)
        client = otflow.Client(f"{otflow.get_tracking_uri()}#workspace=red")
        assert [one.name for one in client.search_experiments()] == ["of red"]


def test_the_functions_and_the_client_say_the_same():
    made = otflow.create_workspace("green", "What for", "s3://bucket/green")
    client = otflow.Client()
    assert otflow.get_workspace("green") == client.get_workspace("green") == made
    assert otflow.list_workspaces() == client.list_workspaces()
    assert [one.name for one in otflow.list_workspaces()] == ["blue", "default", "green", "red"]
    assert otflow.update_workspace("green", "other") == client.get_workspace("green")
    assert client.get_workspace_store_uri() == otflow.get_tracking_uri()
    client.delete_workspace("green")
    otflow.delete_workspace("red", mode="CASCADE")
    assert [one.name for one in client.list_workspaces()] == ["blue", "default"]
