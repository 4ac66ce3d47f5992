"""What is current, in threads, tasks and the cells of a notebook."""

from __future__ import annotations

import asyncio
import contextvars
import os
import re
import subprocess
import sys
import threading

import pytest

import otflow
from otflow.context import Current
from otflow.errors import InvalidParameterError


def in_thread(act):
    found = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()
    thread.join(30)
    return found[0]


class TestCurrent:
    def test_a_thread_has_its_own(self):
        current = Current("test", "unset")
        current.set("here")
        assert current.get() == "here"
        assert in_thread(current.get) == "unset"
        in_thread(lambda: current.set("there"))
        assert current.get() == "here"

    def test_tasks_take_it_over_and_do_not_see_each_other(self):
        current = Current("test", "unset")
        current.set("outer")

        async def task(name):
            before = current.get()
            current.set(name)
            await asyncio.sleep(0)
            return before, current.get()

        async def main():
            return await asyncio.gather(task("a"), task("b")), current.get()

        assert asyncio.run(main()) == ([("outer", "a"), ("outer", "b")], "outer")
        assert current.get() == "outer"

    def test_what_a_context_of_its_own_sets_outside_of_a_task_is_there_afterwards(self):
        """As in a notebook, which runs each cell so."""
        current = Current("test", "unset")
        current.set("first cell")
        contextvars.copy_context().run(current.set, "second cell")
        assert current.get() == "second cell"

    def test_reset(self):
        current = Current("test", "unset")
        current.set("here")
        current.reset()
        assert current.get() == "unset"


class TestRuns:
    def test_tasks_have_runs_of_their_own(self):
        async def evaluate(name):
            with otflow.start_run(run_name=name) as run:
                for step in range(5):
                    otflow.log_metric("m", step, step=step)
                    await asyncio.sleep(0)
                    assert otflow.active_run() is run
            return run.info.run_id

        async def main():
            return await asyncio.gather(*(evaluate(f"run-{number}") for number in range(4)))

        ids = asyncio.run(main())
        assert otflow.active_run() is None
        for run_id in ids:
            assert len(otflow.Client().get_metric_history(run_id, "m")) == 5

    def test_tasks_are_in_the_run_around_them(self):
        @otflow.trace
        async def step():
            await asyncio.sleep(0)

        async def main():
            await asyncio.gather(step(), step())

        with otflow.start_run() as run:
            asyncio.run(main())
        assert len(otflow.search_traces(run_id=run.info.run_id, return_type="list")) == 2

    def test_a_run_that_a_task_ends_is_over_for_all(self):
        async def main():
            otflow.end_run()

        run = otflow.start_run()
        asyncio.run(main())
        assert otflow.active_run() is None
        assert otflow.get_run(run.info.run_id).info.status == "FINISHED"

    def test_to_thread_is_in_the_run(self):
        async def main():
            return await asyncio.to_thread(otflow.active_run)

        with otflow.start_run() as run:
            assert asyncio.run(main()) is run

    def test_a_run_of_another_store_is_not_that_of_a_trace(self, tmp_path):
        with otflow.start_run() as run:
            otflow.set_tracking_uri(f"sqlite:///{tmp_path}/other.db")
            otflow.log_metric("m", 1.0)  # of the run, where that is
            with otflow.start_span("elsewhere"):
                pass
            (trace,) = otflow.search_traces(return_type="list")
            assert "mlflow.sourceRun" not in trace.info.trace_metadata
        otflow.set_tracking_uri(f"sqlite:///{tmp_path}/otflow.db")
        assert otflow.get_run(run.info.run_id).data.metrics == {"m": 1.0}

    @pytest.mark.parametrize("nested", [False, True])
    def test_a_thread_begins_without_a_run(self, nested):
        with otflow.start_run() as run:
            inner = in_thread(lambda: otflow.start_run(nested=nested))
            assert otflow.active_run() is run
            assert "mlflow.parentRunId" not in inner.data.tags


class TestUris:
    @pytest.mark.parametrize("of_environment", [None, "sqlite:///environment.db"])
    def test_none_gives_up_what_was_set(self, tmp_path, of_environment):
        script = (
            "import os, otflow; before = otflow.get_tracking_uri(); otflow.set_tracking_uri('sqlite:///set.db');"
            "otflow.set_registry_uri('sqlite:///registry.db'); otflow.set_tracking_uri(None);"
            "assert otflow.get_tracking_uri() == before; assert otflow.get_registry_uri() == 'sqlite:///registry.db';"
            "otflow.set_registry_uri(None); assert otflow.get_registry_uri() == before;"
            "print(otflow.is_tracking_uri_set(), os.environ.get('MLFLOW_TRACKING_URI'))"
        )
        variables = {name: text for name, text in os.environ.items() if not name.endswith("_URI")}
        if of_environment:
            variables["MLFLOW_TRACKING_URI"] = of_environment
        done = subprocess.run(
            [sys.executable, "-c", script], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.stdout == f"{of_environment is not None} {of_environment}\n", done.stderr

    @pytest.mark.parametrize("uri", [5, b"sqlite:///x.db", ["sqlite:///x.db"]])
    def test_what_is_no_uri(self, uri):
        before = (otflow.get_tracking_uri(), otflow.get_registry_uri())
        for setter in (otflow.set_tracking_uri, otflow.set_registry_uri):
            with pytest.raises(InvalidParameterError, match=re.escape(repr(uri))):
                setter(uri)
        assert (otflow.get_tracking_uri(), otflow.get_registry_uri()) == before
