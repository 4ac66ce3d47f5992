"""Logging to runs without waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import otflow
from otflow.client import async_logging
from otflow.client.async_logging import log_queue
from otflow.errors import OtflowError


def run_script(code, directory, **environment):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_of_it_arrives_in_order():
    with otflow.start_run() as run:
        operations = [otflow.log_metric("loss", step, step=step, synchronous=False) for step in range(500)]
        for number in range(5):
            otflow.set_tag("tag", number, synchronous=False)
        otflow.log_params({"a": 1, "b": 2}, synchronous=False)
        otflow.flush_async_logging()
    found = otflow.get_run(run.info.run_id).data
    assert (found.metrics["loss"], found.tags["tag"], found.params) == (499, "4", {"a": "1", "b": "2"})
    assert len(otflow.Client().get_metric_history(run.info.run_id, "loss")) == 500
    for operation in operations:
        operation.wait()


def test_each_caller_hears_of_its_own():
    with otflow.start_run() as run:
        good = otflow.log_param("good", 1, synchronous=False)
        otflow.log_param("fixed", 1, synchronous=True)
        bad = otflow.log_param("fixed", 2, synchronous=False)
        other = otflow.log_metric("m", 1.0, synchronous=False)
        good.wait()
        other.wait()
        for _ in range(2):
            with pytest.raises(OtflowError, match="Changing param values"):
                bad.wait()
    found = otflow.get_run(run.info.run_id).data
    assert (found.params, found.metrics) == ({"good": "1", "fixed": "1"}, {"m": 1.0})


def test_what_is_put_while_a_batch_is_refused(monkeypatch):
    """Batches that are written together and refused are tried one by one."""
    begin = threading.Event()
    original = async_logging._write

    def later(together):
        begin.wait(30)
        original(together)

    monkeypatch.setattr(async_logging, "_write", later)
    with otflow.start_run() as run:
        operations = [otflow.log_param(f"p{number % 3}", number, synchronous=False) for number in range(6)]
        begin.set()
        results = []
        for operation in operations:
            try:
                operation.wait()
                results.append("kept")
            except OtflowError:
                results.append("refused")
    assert results == ["kept"] * 3 + ["refused"] * 3
    assert otflow.get_run(run.info.run_id).data.params == {"p0": "0", "p1": "1", "p2": "2"}


def test_the_setting_makes_it_the_default(monkeypatch):
    monkeypatch.setenv("OTFLOW_ENABLE_ASYNC_LOGGING", "true")
    with otflow.start_run() as run:
        operation = otflow.log_metric("m", 1.0)
        assert isinstance(operation, otflow.RunOperations)
        assert otflow.log_metric("n", 1.0, synchronous=True) is None
        operation.wait()
    assert set(otflow.get_run(run.info.run_id).data.metrics) == {"m", "n"}


def test_the_end_of_a_process_waits(tmp_path):
    code = """
        import otflow
        run = otflow.start_run()
        for step in range(300):
            otflow.log_metric("loss", step, step=step, synchronous=False)
        print(run.info.run_id)
    """
    run_id = run_script(code, tmp_path).strip()
    client = otflow.Client(f"sqlite:///{tmp_path}/otflow.db")
    assert len(client.get_metric_history(run_id, "loss")) == 300
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_full_queue_makes_the_caller_wait(monkeypatch):
    monkeypatch.setattr(async_logging, "_MOST_WAITING", 3)
    go = threading.Event()
    original = async_logging._write

    def held(together):
        go.wait(30)
        original(together)

    monkeypatch.setattr(async_logging, "_write", held)
    put = []
    with otflow.start_run() as run:
        run_id = run.info.run_id

        def produce():
            for step in range(20):
                otflow.log_metric("m", step, step=step, run_id=run_id, synchronous=False)
                put.append(step)

        producer = threading.Thread(target=produce)
        producer.start()
        deadline = time.monotonic() + 30
        while len(put) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        producer.join(0.1)
        assert producer.is_alive()
        assert len(put) < 20
        go.set()
        producer.join(30)
        otflow.flush_async_logging()
    assert len(otflow.Client().get_metric_history(run_id, "m")) == 20


def test_the_thread_ends_when_there_is_nothing_to_do(monkeypatch):
    monkeypatch.setattr(async_logging, "_IDLE_S", 0.01)
    with otflow.start_run():
        otflow.log_metric("m", 1.0, synchronous=False).wait()
        deadline = time.monotonic() + 30
        while log_queue._thread is not None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        otflow.log_metric("m", 2.0, step=1, synchronous=False).wait()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_has_a_queue_of_its_own(tmp_path):
    code = """
        import os, sys, otflow
        run = otflow.start_run()
        otflow.log_metric("parent", 1.0, synchronous=False)
        child = os.fork()
        if child == 0:
            otflow.log_metric("child", 1.0, run_id=run.info.run_id, synchronous=False).wait()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        otflow.flush_async_logging()
        print(status, sorted(otflow.get_run(run.info.run_id).data.metrics))
    """
    assert run_script(code, tmp_path).strip() == "0 ['child', 'parent']"
