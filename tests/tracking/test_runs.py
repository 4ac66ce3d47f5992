"""Runs: started, nested, gone on with, ended, found."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import copy
import os
import subprocess
import sys
import textwrap
import threading

import pytest

import otflow
from otflow import context
from otflow.entities import LifecycleStage, ViewType
from otflow.errors import InvalidParameterError, InvalidStateError, MissingExtraError, NotFoundError

NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"


def ended(**arguments) -> str:
    """A run that has ended, by its id."""
    with otflow.start_run(**arguments) as run:
        return run.info.run_id


def info(run_id):
    return otflow.get_run(run_id).info


def tags(run_id):
    return otflow.get_run(run_id).data.tags


class TestStart:
    def test_a_run_lives(self):
        assert otflow.active_run() is None
        assert otflow.last_active_run() is None
        run = otflow.start_run()
        assert otflow.active_run() is run
        assert otflow.last_active_run() is run
        assert isinstance(run, otflow.ActiveRun)
        assert (run.info.status, run.info.end_time, run.info.lifecycle_stage) == ("RUNNING", None, "active")
        otflow.end_run()
        assert otflow.active_run() is None
        now = info(run.info.run_id)
        assert now.status == "FINISHED"
        assert now.start_time <= now.end_time
        assert otflow.last_active_run().info.run_id == run.info.run_id
        assert otflow.last_active_run().info.status == "FINISHED"
        assert run.info.status == "RUNNING"  # what it was when it began

    def test_it_is_a_run_like_others(self):
        run = otflow.start_run()
        again = otflow.ActiveRun(otflow.get_run(run.info.run_id))
        with again:  # of the same run: it ends that
            assert again.info.run_id == run.info.run_id
        assert otflow.active_run() is None
        assert info(run.info.run_id).status == "FINISHED"
        assert copy.deepcopy(run).to_dictionary() == run.to_dictionary()

    def test_names(self):
        assert info(ended(run_name="mine")).run_name == "mine"
        assert info(ended(run_name=5)).run_name == "5"
        assert info(ended(tags={"mlflow.runName": "by tag"})).run_name == "by tag"
        both = ended(run_name="argument", tags={"mlflow.runName": "tag"})
        assert (info(both).run_name, tags(both)["mlflow.runName"]) == ("argument", "argument")
        assert info(ended()).run_name
        assert info(ended()).run_name != info(ended()).run_name

    def test_tags_and_description(self):
        run_id = ended(tags={"a": 1, "b": None, 3: True}, description="why")
        found = tags(run_id)
        assert {key: found[key] for key in ("a", "b", "3", NOTE)} == {"a": "1", "b": "None", "3": "True", NOTE: "why"}
        assert NOTE not in tags(ended(description=""))
        with pytest.raises(InvalidParameterError, match=NOTE):
            otflow.start_run(description="a", tags={NOTE: "b"})
        for wrong in (["a"], "a", [("a", "b")]):
            with pytest.raises(InvalidParameterError, match="dictionary"):
                otflow.start_run(tags=wrong)
        assert otflow.active_run() is None
        assert len(otflow.search_runs(output_format="list")) == 2

    def test_what_program_it_is(self, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["/somewhere/train.py"])
        found = tags(ended())
        assert found["mlflow.source.type"] == "LOCAL"
        assert found["mlflow.source.name"] == "/somewhere/train.py"
        assert found["mlflow.user"] == info(ended()).user_id
        own = {"mlflow.source.name": "x", "mlflow.source.type": "JOB", "mlflow.user": "somebody"}
        assert own.items() <= tags(ended(tags=own)).items()

    def test_the_experiment(self):
        other = otflow.create_experiment("other")
        assert info(ended(experiment_id=other)).experiment_id == other
        assert info(ended(experiment_id=int(other))).experiment_id == other
        assert info(ended()).experiment_id == "0"
        with pytest.raises(NotFoundError):
            otflow.start_run(experiment_id="4711")
        for wrong in ("", "x"):
            with pytest.raises(InvalidParameterError):
                otflow.start_run(experiment_id=wrong)
        otflow.delete_experiment(other)
        with pytest.raises(InvalidParameterError, match="deleted"):
            otflow.start_run(experiment_id=other)
        assert otflow.active_run() is None

    def test_one_is_active_already(self):
        with otflow.start_run() as run:
            with pytest.raises(Exception, match=f"Run with UUID {run.info.run_id} is already active") as raised:
                otflow.start_run()
            assert raised.value.error_code == "INVALID_STATE"
            assert otflow.active_run() is run


class TestCommit:
    @pytest.fixture
    def repository(self, tmp_path, monkeypatch):
        """A repository made by hand: git itself is not needed."""
        git = tmp_path / "project" / ".git"
        (git / "refs" / "heads").mkdir(parents=True)
        (git / "HEAD").write_text("ref: refs/heads/main\n")
        monkeypatch.setattr(sys, "argv", [str(tmp_path / "project" / "train.py")])
        return git

    def commit(self):
        return tags(ended()).get("mlflow.source.git.commit")

    def test_of_a_branch_and_after_the_next_commit(self, repository):
        assert self.commit() is None  # no commit yet
        (repository / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
        assert self.commit() == "a" * 40
        (repository / "refs" / "heads" / "main").write_text("b" * 40 + "\n")
        assert self.commit() == "b" * 40

    def test_packed_and_detached(self, repository):
        (repository / "packed-refs").write_text(f"# pack-refs\n{'c' * 40} refs/heads/main\n^{'d' * 40}\n")
        assert self.commit() == "c" * 40
        (repository / "HEAD").write_text("e" * 40 + "\n")
        assert self.commit() == "e" * 40

    def test_of_a_worktree(self, repository, tmp_path, monkeypatch):
        place = repository / "worktrees" / "second"
        place.mkdir(parents=True)
        (place / "HEAD").write_text("ref: refs/heads/side\n")
        (place / "commondir").write_text("../..\n")
        (repository / "refs" / "heads" / "side").write_text("f" * 40)
        second = tmp_path / "second"
        second.mkdir()
        (second / ".git").write_text(f"gitdir: {place}\n")
        monkeypatch.setattr(sys, "argv", [str(second / "train.py")])
        assert self.commit() == "f" * 40


class TestNested:
    def test_parents(self):
        with otflow.start_run() as outer:
            with otflow.start_run(nested=True) as inner:
                with otflow.start_run(nested=True) as deep:
                    assert deep.data.tags[PARENT] == inner.info.run_id
                assert otflow.active_run() is inner
            assert inner.data.tags[PARENT] == outer.info.run_id
            # The parent is the active one, whatever the tags say.
            assert tags(ended(nested=True, tags={PARENT: "other"}))[PARENT] == outer.info.run_id
        assert otflow.get_parent_run(deep.info.run_id).info.run_id == inner.info.run_id
        assert otflow.get_parent_run(outer.info.run_id) is None
        with pytest.raises(NotFoundError):
            otflow.get_parent_run("0" * 32)
        assert PARENT not in tags(ended(nested=True))

    def test_a_parent_by_its_id(self):
        parent = ended()
        assert tags(ended(parent_run_id=parent))[PARENT] == parent
        assert PARENT not in tags(ended(parent_run_id=""))
        with pytest.raises(NotFoundError):
            otflow.start_run(parent_run_id="0" * 32)
        with otflow.start_run() as active:
            assert tags(ended(nested=True, parent_run_id=active.info.run_id))[PARENT] == active.info.run_id
            with pytest.raises(InvalidStateError, match="does not match the specified parent_run_id"):
                otflow.start_run(nested=True, parent_run_id=parent)
        otflow.delete_run(parent)
        with pytest.raises(InvalidStateError, match="deleted"):
            otflow.start_run(parent_run_id=parent)
        assert otflow.active_run() is None

    def test_a_block_ends_what_was_left_open_inside(self):
        with otflow.start_run() as outer:
            inner = otflow.start_run(nested=True)
        assert otflow.active_run() is None
        assert [info(run.info.run_id).status for run in (outer, inner)] == ["FINISHED", "FINISHED"]


class TestGoingOn:
    def test_it_runs_again(self):
        run_id = ended(run_name="first", tags={"a": "1"})
        with otflow.start_run(run_id=run_id, tags={"b": 2}, description="again") as run:
            assert (run.info.run_id, run.info.status, run.info.end_time) == (run_id, "RUNNING", None)
            assert {"a": "1", "b": "2", NOTE: "again"}.items() <= run.data.tags.items()
            assert (info(run_id).status, info(run_id).end_time) == ("RUNNING", None)
            otflow.log_metric("m", 1)
        assert info(run_id).status == "FINISHED"
        assert info(run_id).run_name == "first"
        with otflow.start_run(run_id, run_name="second") as run:
            assert run.info.run_name == info(run_id).run_name == tags(run_id)["mlflow.runName"] == "second"

    def test_what_is_refused_changes_nothing(self):
        run_id = ended()
        with pytest.raises(InvalidParameterError):
            otflow.start_run(run_id=run_id, description="a", tags={NOTE: "b"})
        with pytest.raises(InvalidParameterError):
            otflow.start_run(run_id=run_id, tags={"a$": "b"}, run_name="x")
        other = otflow.create_experiment("other")
        elsewhere = ended(experiment_id=other)
        otflow.set_experiment("chosen")
        with pytest.raises(InvalidStateError, match="active experiment ID does not match"):
            otflow.start_run(run_id=elsewhere)
        assert info(run_id).status == info(elsewhere).status == "FINISHED"
        otflow.delete_run(elsewhere)
        otflow.set_experiment(experiment_id=other)
        with pytest.raises(InvalidStateError, match="deleted"):
            otflow.start_run(run_id=elsewhere)
        for unknown in ("0" * 32, "no such"):
            with pytest.raises(NotFoundError):
                otflow.start_run(run_id=unknown)
        assert otflow.active_run() is None

    def test_the_run_of_the_environment(self, monkeypatch):
        client = otflow.Client()
        first, second = (client.create_run("0").info.run_id for _ in range(2))
        monkeypatch.setenv("MLFLOW_RUN_ID", first)
        otflow.log_param("p", 1)
        assert otflow.active_run().info.run_id == first
        otflow.end_run()
        assert ended() not in (first, second)  # only once
        monkeypatch.setenv("OTFLOW_RUN_ID", second)
        assert ended() == second
        monkeypatch.setenv("MLFLOW_RUN_ID", second)
        with otflow.start_run(run_id=first) as run:
            assert run.info.run_id == first
        assert "MLFLOW_RUN_ID" not in os.environ


class TestEnd:
    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            (ValueError, "FAILED"),
            (KeyboardInterrupt, "KILLED"),
            (SystemExit, "FAILED"),
            (asyncio.CancelledError, "FAILED"),
        ],
    )
    def test_after_an_exception(self, kind, status):
        def fails():
            with otflow.start_run() as run:
                started.append(run.info.run_id)
                raise kind("x")

        started = []
        with pytest.raises(kind):
            fails()
        assert info(started[0]).status == status
        assert otflow.active_run() is None

    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED", "SCHEDULED"])
    def test_with_a_status(self, status):
        run = otflow.start_run()
        otflow.end_run(status)
        assert info(run.info.run_id).status == status
        assert otflow.active_run() is None

    def test_without_a_status_or_a_run(self):
        otflow.end_run()
        run = otflow.start_run()
        otflow.end_run(None)
        assert info(run.info.run_id).status == "FINISHED"
        otflow.end_run("FAILED")
        assert info(run.info.run_id).status == "FINISHED"

    def test_with_a_status_that_there_is_not(self):
        with otflow.start_run() as run:
            for wrong in ("DONE", "finished", 3):
                with pytest.raises(InvalidParameterError, match=str(wrong)):
                    otflow.end_run(wrong)
            assert otflow.active_run() is run
        assert info(run.info.run_id).status == "FINISHED"

    def test_ended_inside_of_its_block(self):
        with otflow.start_run() as run:
            otflow.end_run("KILLED")
        assert info(run.info.run_id).status == "KILLED"
        with otflow.start_run() as first:
            otflow.end_run()
            second = otflow.start_run()
        assert otflow.active_run() is second
        assert info(first.info.run_id).status == "FINISHED"
        otflow.end_run()

    def test_deleted_while_active(self, caplog):
        with pytest.raises(InvalidParameterError, match="deleted"), otflow.start_run() as run:
            otflow.delete_run(run.info.run_id)
        assert otflow.active_run() is None
        # What the caller raised is not hidden by what goes wrong then.
        run = otflow.start_run()
        otflow.delete_run(run.info.run_id)
        with pytest.raises(ZeroDivisionError), run:
            raise ZeroDivisionError
        assert f"The run {run.info.run_id} could not be ended" in caplog.text


def run_python(script: str, directory, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{directory}/own.db", **environment}
    command = [sys.executable, "-c", "import otflow, os, signal, sys, threading\n" + textwrap.dedent(script)]
    return subprocess.run(command, env=variables, cwd=directory, capture_output=True, text=True, timeout=120)


class TestExit:
    """Runs that are open when the process ends."""

    @pytest.mark.parametrize(
        ("script", "statuses"),
        [
            ("otflow.start_run(); otflow.start_run(nested=True)", ["FINISHED", "FINISHED"]),
            ("otflow.log_metric('m', 1); sys.exit(3)", ["FINISHED"]),
            ("otflow.start_run(); 1 / 0", ["FAILED"]),
            ("with otflow.start_run(): sys.exit(0)", ["FAILED"]),
            ("otflow.start_run(); raise KeyboardInterrupt", ["KILLED"]),
            ("thread = threading.Thread(target=otflow.start_run); thread.start(); thread.join()", ["FINISHED"]),
            ("otflow.start_run(); os._exit(1)", ["RUNNING"]),
            ("otflow.start_run()\nif os.fork() == 0:\n    sys.exit(0)\nos.wait(); os._exit(0)", ["RUNNING"]),
        ],
    )
    def test_what_becomes_of_them(self, script, statuses, tmp_path):
        run_python(script, tmp_path)
        otflow.set_tracking_uri(f"sqlite:///{tmp_path}/own.db")
        assert [run.info.status for run in otflow.search_runs(output_format="list")] == statuses

    def test_a_store_that_is_gone_is_told_of(self, tmp_path):
        done = run_python(
            """
            first = otflow.start_run()
            scope = otflow.context.runs.get()[-1]
            scope.uri = "http://127.0.0.1:9"
            """.replace("otflow.context", "sys.modules['otflow.context']"),
            tmp_path,
        )
        assert done.returncode == 0
        assert "could not be ended" in done.stderr


class TestFlows:
    def test_a_thread_begins_with_none(self):
        seen = {}

        def elsewhere():
            seen["active"], seen["last"] = otflow.active_run(), otflow.last_active_run()
            otflow.log_metric("m", 1)
            seen["own"] = otflow.active_run().info.run_id
            otflow.end_run()

        with otflow.start_run() as run:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            assert otflow.active_run() is run
        assert (seen["active"], seen["last"]) == (None, None)
        assert seen["own"] != run.info.run_id
        assert otflow.get_run(run.info.run_id).data.metrics == {}
        assert otflow.last_active_run().info.run_id == run.info.run_id

    def test_concurrent_tasks_have_their_own(self):
        async def one(name):
            with otflow.start_run(run_name=name) as run:
                await asyncio.sleep(0)
                otflow.log_param("of", name)
                await asyncio.sleep(0)
                assert otflow.active_run() is run
            return run.info.run_id

        async def both():
            return await asyncio.gather(*(one(str(n)) for n in range(5)))

        ids = asyncio.run(both())
        assert [otflow.get_run(run_id).data.params["of"] for run_id in ids] == list("01234")
        assert otflow.active_run() is None
        assert otflow.last_active_run().info.run_id in ids

    def test_a_task_goes_on_with_the_run_around_it(self):
        async def logs():
            otflow.log_param("p", 1)
            await asyncio.to_thread(otflow.log_param, "q", 2)

        with otflow.start_run() as run:
            asyncio.run(logs())
        assert otflow.get_run(run.info.run_id).data.params == {"p": "1", "q": "2"}

    def test_an_ended_run_is_ended_everywhere(self):
        run = otflow.start_run()
        copied = contextvars.copy_context()
        copied.run(otflow.end_run)
        assert otflow.active_run() is None
        assert info(run.info.run_id).status == "FINISHED"
        with otflow.start_run():
            assert copied.run(otflow.active_run) is not run


class TestStores:
    def test_a_run_stays_in_its_store(self, tmp_path):
        first = otflow.get_tracking_uri()
        with otflow.start_run() as run:
            otflow.set_tracking_uri(f"sqlite:///{tmp_path}/second.db")
            assert otflow.active_run() is run
            otflow.log_metric("m", 1)
            otflow.log_param("p", 1)
            otflow.set_tag("t", 1)
            # A trace goes to the new store, where that run is not.
            trace = otflow.get_trace(otflow.log_trace("t"))
            assert "mlflow.sourceRun" not in trace.info.trace_metadata
            with otflow.start_run(nested=True) as inner:
                assert PARENT not in inner.data.tags
            assert otflow.last_active_run() is run
        assert [found.info.run_id for found in otflow.search_runs(output_format="list")] == [inner.info.run_id]
        assert otflow.last_active_run().info.run_id == run.info.run_id
        otflow.set_tracking_uri(first)
        found = otflow.get_run(run.info.run_id)
        assert (found.info.status, found.data.metrics, found.data.params) == ("FINISHED", {"m": 1.0}, {"p": "1"})


class TestTraces:
    def source_run(self, trace_id):
        return otflow.get_trace(trace_id).info.trace_metadata.get("mlflow.sourceRun")

    def test_a_trace_is_linked_to_the_run_it_began_in(self):
        @otflow.trace
        def answer():
            return 42

        with otflow.start_run() as outer:
            answer()
            assert self.source_run(otflow.get_last_active_trace_id()) == outer.info.run_id
            with otflow.start_run(nested=True) as inner:
                assert self.source_run(otflow.log_trace("in")) == inner.info.run_id
            assert self.source_run(otflow.log_trace("out")) == outer.info.run_id
            assert len(otflow.search_traces(run_id=outer.info.run_id, return_type="list")) == 2
            with otflow.start_span("root") as span:
                otflow.end_run()
        assert self.source_run(span.trace_id) == outer.info.run_id
        assert self.source_run(otflow.log_trace("after")) is None
        with otflow.start_span("root") as span, otflow.start_run():
            pass
        assert self.source_run(span.trace_id) is None

    def test_in_a_thread_that_has_none(self):
        def in_thread(call):
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                return pool.submit(call).result(60)

        def traced():
            return self.source_run(otflow.log_trace("a"))

        def beside_another():
            with otflow.start_run(run_name="another"):
                return in_thread(traced), traced() == otflow.active_run().info.run_id

        with otflow.start_run() as run:
            assert in_thread(traced) == run.info.run_id
            with otflow.start_run(nested=True) as inner:
                assert in_thread(traced) == inner.info.run_id
            assert in_thread(beside_another) == (None, True)  # which of the two would it be?
            assert in_thread(traced) == run.info.run_id
        assert in_thread(traced) is None
        in_thread(otflow.start_run)  # left open by a thread that is no more
        assert in_thread(traced) is None
        assert traced() is None

    def test_a_task_is_no_helper_of_another(self):
        async def both():
            started, traced = asyncio.Event(), asyncio.Event()

            async def one():
                with otflow.start_run():
                    started.set()
                    await traced.wait()

            async def other():
                await started.wait()
                found = self.source_run(otflow.log_trace("a"))
                traced.set()
                return found

            return (await asyncio.gather(one(), other()))[1]

        assert asyncio.run(both()) is None

    def test_it_goes_to_the_experiment_of_the_run(self):
        other = otflow.create_experiment("other")
        chosen = otflow.set_experiment("chosen").experiment_id

        def where(**arguments):
            span = otflow.start_span_no_context("a", **arguments)
            span.end()
            return otflow.get_trace(span.trace_id).info.experiment_id

        with otflow.start_run(experiment_id=other):
            assert where() == other
            assert where(experiment_id=chosen) == chosen
            otflow.tracing.set_destination(otflow.entities.MlflowExperimentLocation("0"))
            assert where() == "0"
            otflow.tracing.reset()
        assert where() == chosen


class TestDelete:
    def test_and_restore(self):
        run_id = ended()
        otflow.delete_run(run_id)
        assert info(run_id).lifecycle_stage == LifecycleStage.DELETED
        assert otflow.search_runs(output_format="list") == []
        found = otflow.search_runs(run_view_type=ViewType.DELETED_ONLY, output_format="list")
        assert [run.info.run_id for run in found] == [run_id]
        otflow.Client().restore_run(run_id)
        assert info(run_id).lifecycle_stage == LifecycleStage.ACTIVE
        for call in (otflow.delete_run, otflow.get_run):
            with pytest.raises(NotFoundError):
                call("0" * 32)


class TestSearch:
    @pytest.fixture
    def three(self):
        otflow.set_experiment("searched")
        for n in range(3):
            run = otflow.Client().create_run(otflow.get_experiment_by_name("searched").experiment_id, 1000 + n)
            otflow.log_metrics({"m": n}, run_id=run.info.run_id)
            otflow.log_params({"p": n}, run_id=run.info.run_id)
        return otflow.get_experiment_by_name("searched").experiment_id

    def found(self, **arguments):
        return [run.data.params.get("p") for run in otflow.search_runs(output_format="list", **arguments)]

    def test_filters_orders_and_pages(self, three):
        assert self.found() == ["2", "1", "0"]
        assert self.found(filter_string="metrics.m >= 1 AND params.p != '2'") == ["1"]
        assert self.found(order_by=["metrics.m ASC"]) == ["0", "1", "2"]
        assert self.found(max_results=2) == ["2", "1"]
        for wrong in ("2", 1.0):
            with pytest.raises(InvalidParameterError):
                self.found(max_results=wrong)
        with pytest.raises(InvalidParameterError):
            self.found(filter_string="nonsense")
        with pytest.raises(InvalidParameterError, match="Unsupported output format"):
            otflow.search_runs(output_format="list of runs")

    def test_experiments(self, three, caplog):
        otflow.set_experiment("empty")
        ended()
        assert self.found() == [None]
        assert self.found(experiment_ids=[three]) == self.found(experiment_names=["searched"]) == ["2", "1", "0"]
        assert self.found(experiment_ids=three) == self.found(experiment_names="searched") == ["2", "1", "0"]
        assert len(self.found(search_all_experiments=True)) == 4
        assert self.found(search_all_experiments=True, experiment_ids=[three]) == ["2", "1", "0"]
        assert self.found(experiment_ids=["4711"]) == []
        assert self.found(experiment_names=["no such"]) == []
        assert "no such" in caplog.text
        with pytest.raises(InvalidParameterError, match="not both"):
            self.found(experiment_ids=[three], experiment_names=["searched"])

    def test_a_frame(self):
        pandas = pytest.importorskip("pandas")
        client = otflow.Client()
        run_id = client.create_run("0", 1000, run_name="one").info.run_id
        client.log_metric(run_id, "only here", 1)
        client.log_param(run_id, "a", 1)
        client.set_terminated(run_id, end_time=2000)
        other = client.create_run("0", 3000, tags={"b": "2"}, run_name="two").info.run_id
        frame = otflow.search_runs()
        head = ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]
        assert list(frame.columns) == [*head, "metrics.only here", "params.a", "tags.b", "tags.mlflow.runName"]
        assert list(frame.run_id) == [other, run_id]
        assert list(frame.status) == ["RUNNING", "FINISHED"]
        assert frame.start_time[1] == pandas.Timestamp(1, unit="s", tz="UTC")
        assert frame.end_time[0] is pandas.NaT
        assert frame.end_time[1] == pandas.Timestamp(2, unit="s", tz="UTC")
        assert {str(frame[name].dtype) for name in ("start_time", "end_time")} == {"datetime64[ns, UTC]"}
        assert str(frame["metrics.only here"].dtype) == "float64"
        assert pandas.isna(frame["metrics.only here"][0])
        assert list(frame["params.a"]) == [None, "1"]
        assert list(frame["tags.b"]) == ["2", None]
        empty = otflow.search_runs(filter_string="metrics.m > 5")
        assert (list(empty.columns), len(empty)) == (head, 0)
        assert empty.dtypes.equals(frame.dtypes[:6])

    def test_a_frame_without_pandas(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(MissingExtraError, match=r"otflow\[pandas\]"):
            otflow.search_runs()
        assert otflow.search_runs(output_format="list") == []


def test_nothing_is_kept_of_runs_that_have_ended():
    for _ in range(3):
        ended()
    assert not context.open_runs
