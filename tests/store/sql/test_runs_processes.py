"""Runs that several processes write to at once, and processes that are killed meanwhile, on one SQLite file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql.checking import check_store

PROCESSES = 8
ROUNDS = 15
LONGEST_S = 120

WRITES = """
import sys
from otflow.entities import Metric, Param, RunTag
from otflow.store.opening import open_store

uri, shared, number, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = open_store(uri)
print("ready", flush=True)
sys.stdin.readline()
own = store.create_run("0", run_name=f"own-{number}").info.run_id
for step in range(rounds):
    for run in (shared, own):
        store.log_batch(run, metrics=[Metric("one", step + number / 100, 1_000 + step, step)])
        store.log_batch(
            run,
            metrics=[Metric(f"many-{key}", step * 100.0 + number, 1_000, step) for key in range(20)],
            params=[Param(f"p-{number}-{step}", "v"), Param(f"same-{step}", "v")],
            tags=[RunTag(f"t-{number}-{step}", "v"), RunTag("last", str(number))],
        )
store.update_run(own, status="FINISHED", end_time_ms=5)
store.close()
"""

LARGE_BATCHES = """
import itertools, sys
from otflow.entities import Metric, Param, RunTag
from otflow.store.opening import open_store

uri, run, model, first, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
store = open_store(uri)
for number in itertools.count(first):
    store.log_batch(
        run,
        metrics=[
            Metric("m", float(step), number, number * size + step, model_id=model if step % 2 else None)
            for step in range(size)
        ],
        params=[Param(f"p-{number}-{key}", "v") for key in range(10)],
        tags=[RunTag("batch", str(number))],
    )
    print(number, flush=True)
"""


class Programs:
    """Processes that are gone when the test is over, whatever happened."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.uri = f"sqlite:///{directory}/t.db"
        self._started: list[subprocess.Popen[str]] = []

    def start(self, text: str, *arguments: object) -> subprocess.Popen[str]:
        script = self.directory / f"program-{len(self._started)}.py"
        script.write_text(textwrap.dedent(text))
        child = subprocess.Popen(
            [sys.executable, str(script), self.uri, *map(str, arguments)],
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(child)
        return child

    def end(self) -> None:
        for child in self._started:
            if child.poll() is None:
                child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.communicate(timeout=LONGEST_S)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def store(programs: Programs) -> Iterator[Store]:
    opened = open_store(programs.uri)
    yield opened
    opened.close()


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_eight_processes(programs: Programs, store: Store) -> None:
    shared = store.create_run("0").info.run_id
    children = [programs.start(WRITES, shared, number, ROUNDS) for number in range(PROCESSES)]
    for child in children:
        assert pipe(child.stdout).readline() == "ready\n", pipe(child.stderr).read()
    for child in children:
        pipe(child.stdin).write("go\n")
        pipe(child.stdin).flush()
    for child in children:
        _, errors = child.communicate(timeout=LONGEST_S)
        assert (child.returncode, errors) == (0, "")

    def check(run_id: str, numbers: range) -> None:
        run = store.get_run(run_id)
        last, highest = ROUNDS - 1, numbers[-1]
        many = {f"many-{key}": last * 100.0 + highest for key in range(20)}
        assert run.data.metrics == {"one": last + highest / 100, **many}
        assert run.data.params == {
            **{f"same-{step}": "v" for step in range(ROUNDS)},
            **{f"p-{number}-{step}": "v" for number in numbers for step in range(ROUNDS)},
        }
        tags = {f"t-{number}-{step}" for number in numbers for step in range(ROUNDS)}
        assert tags <= run.data.tags.keys()
        history = [(point.step, point.value) for point in store.get_metric_history(run_id, "one")]
        assert history == [(step, step + number / 100) for step in range(ROUNDS) for number in numbers]
        for key in range(20):
            assert len(store.get_metric_history(run_id, f"many-{key}")) == ROUNDS * len(numbers)

    check(shared, range(PROCESSES))
    own = {run.info.run_name: run for run in store.search_runs(["0"]) if run.info.run_id != shared}
    assert sorted(map(str, own)) == [f"own-{number}" for number in range(PROCESSES)]
    for number in range(PROCESSES):
        run = own[f"own-{number}"]
        assert (run.info.status, run.info.end_time) == ("FINISHED", 5)
        check(run.info.run_id, range(number, number + 1))
    assert check_store(programs.uri) == []


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_leaves_no_half_batch(programs: Programs, store: Store) -> None:
    size, acknowledged = 20_000, 0
    run = store.create_run("0").info.run_id
    model = store.create_logged_model("0").model_id
    for kill in range(6):
        child = programs.start(LARGE_BATCHES, run, model, acknowledged, size)
        line = pipe(child.stdout).readline()
        assert line, pipe(child.stderr).read()
        # Somewhere in the next batch, which takes about as long as the wait is at the most.
        time.sleep(0.04 * kill)
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate(timeout=LONGEST_S)
        acknowledged = int([line.strip(), *rest.split()][-1]) + 1

        found = store.get_run(run)
        written = int(found.data.tags["batch"]) + 1
        # One batch may be there that nobody was told of.
        assert written in (acknowledged, acknowledged + 1)
        history = store.get_metric_history(run, "m")
        assert [point.step for point in history] == list(range(written * size))
        assert found.data.metrics == {"m": float(size - 1)}
        assert len(found.data.params) == written * 10
        assert check_store(programs.uri) == []
        acknowledged = written
    metrics = store.get_logged_model(model).metrics or []
    assert {(point.key, point.run_id) for point in metrics} == {("m", run)}
    assert max(point.step for point in metrics) == acknowledged * size - 1
