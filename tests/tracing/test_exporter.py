"""The way of ended spans into the store, when all is well and when it is not."""

from __future__ import annotations

import contextlib
import resource
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import otflow
from otflow.testing import reset
from otflow.tracing import guard
from otflow.tracing.exporter import writer


@otflow.trace
def work(n: int) -> int:
    return n


def names(path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM spans ORDER BY start_ns")]


def test_the_caller_never_waits_for_the_database(tmp_path, monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACE_FLUSH_INTERVAL_MS", "600000")
    reset()
    for n in range(100):
        work(n)
    assert not (tmp_path / "otflow.db").exists()
    otflow.flush_trace_async_logging()
    assert len(names(tmp_path / "otflow.db")) == 100


def test_the_writer_writes_by_itself(tmp_path):
    work(1)
    database = tmp_path / "otflow.db"
    deadline = time.monotonic() + 30
    while writer.written == 0 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert names(database) == ["work"]


def test_a_full_queue_slows_the_producer_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACE_QUEUE_MAX_SPANS", "16")
    monkeypatch.setenv("OTFLOW_TRACE_FLUSH_INTERVAL_MS", "600000")
    reset()
    for n in range(500):
        work(n)
    assert len(names(tmp_path / "otflow.db")) >= 480
    otflow.flush_trace_async_logging()
    assert len(names(tmp_path / "otflow.db")) == 500
    assert (writer.written, writer.lost) == (500, 0)


def test_a_locked_database_is_waited_for(tmp_path):
    work(0)
    otflow.flush_trace_async_logging()
    other = sqlite3.connect(tmp_path / "otflow.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    assert work(1) == 1
    flushed: list[bool] = []
    waiting = threading.Thread(target=lambda: flushed.append(writer.flush(60)))
    waiting.start()
    other.execute("ROLLBACK")
    waiting.join()
    other.close()
    assert flushed == [True]
    assert len(names(tmp_path / "otflow.db")) == 2


def test_a_store_that_cannot_be_opened_harms_nobody(tmp_path, caplog):
    (tmp_path / "file").write_text("not a directory")
    otflow.set_tracking_uri(f"sqlite:///{tmp_path}/file/otflow.db")
    assert [work(n) for n in range(3)] == [0, 1, 2]
    otflow.flush_trace_async_logging()
    otflow.flush_trace_async_logging()
    assert sum("Could not" in record.message for record in caplog.records) == 1
    assert (otflow.tracing.delivery().spilled, writer.lost) == (3, 0)
    assert sum(guard.failures().values()) >= 1
    otflow.set_tracking_uri(f"sqlite:///{tmp_path}/good.db")
    work(4)
    otflow.flush_trace_async_logging()
    assert names(tmp_path / "good.db") == ["work"]
    (tmp_path / "file").unlink()
    otflow.flush_trace_async_logging()
    assert names(tmp_path / "file/otflow.db") == ["work"] * 3
    assert otflow.tracing.delivery().spilled == 0


def test_one_trace_that_the_store_refuses_does_not_take_the_others_with_it(tmp_path, caplog):
    work(1)
    otflow.start_span_no_context("bad", experiment_id="4711").end()
    work(2)
    otflow.flush_trace_async_logging()
    assert names(tmp_path / "otflow.db") == ["work", "work"]
    assert writer.lost == 1
    assert "4711" in caplog.text


def test_terminate_ends_the_thread_and_the_next_span_starts_one():
    work(1)
    otflow.flush_trace_async_logging(terminate=True)
    assert not any(thread.name == "otflow-writer" for thread in threading.enumerate())
    work(2)
    assert any(thread.name == "otflow-writer" for thread in threading.enumerate())
    assert len(otflow.search_traces(return_type="list")) == 2


def test_many_threads(tmp_path):
    threads = [threading.Thread(target=lambda: [work(n) for n in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    otflow.flush_trace_async_logging()
    assert len(names(tmp_path / "otflow.db")) == 800


def test_the_first_trace_is_small(tmp_path):
    code = """
        import resource, sys
        import otflow
        @otflow.trace
        def first(x):
            return x
        first(1)
        assert otflow.get_trace(otflow.get_last_active_trace_id()) is not None
        heavy = {"pandas", "numpy", "requests", "pydantic", "psycopg", "opentelemetry.exporter", "google.protobuf"}
        print(sorted(heavy & set(sys.modules)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded, megabytes = done.stdout.rsplit(maxsplit=1)
    assert loaded == "[]"
    # A child's peak begins with its parent's pages until it executes python: measure against that.
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 < 40:
        assert int(megabytes) <= 40


def test_while_the_store_is_away_memory_is_bounded_and_the_spans_go_to_disk(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("OTFLOW_TRACE_QUEUE_MAX_SPANS", "10")
    monkeypatch.setenv("OTFLOW_TRACE_FLUSH_TIMEOUT_S", "0.1")
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    reset()
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        otflow.set_tracking_uri(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with otflow.start_span("root"):
            for n in range(1000):
                assert work(n) == n
        said = otflow.tracing.delivery()
        assert said.queued < 500
        assert said.lost == 0
        assert said.queued + said.spilled == said.ended == 1001
        assert sum("reach " in record.message for record in caplog.records) == 1
        reset()


def test_without_a_spool_the_loss_is_counted(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("OTFLOW_TRACE_QUEUE_MAX_SPANS", "10")
    monkeypatch.setenv("OTFLOW_TRACE_FLUSH_TIMEOUT_S", "0.1")
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("OTFLOW_SPOOL_MAX_MB", "0")
    reset()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        otflow.set_tracking_uri(f"http://127.0.0.1:{taken.getsockname()[1]}")
        for n in range(1000):
            assert work(n) == n
        said = otflow.tracing.delivery()
        assert said.lost > 500
        assert said.queued + said.lost == said.ended == 1000
        assert sum("keep spans for" in record.message for record in caplog.records) == 1
        reset()
