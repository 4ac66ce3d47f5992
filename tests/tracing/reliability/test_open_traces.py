"""Traces that are still open: seen while they run, interrupted when their process is gone, bounded in memory."""

from __future__ import annotations

import os
import signal

import otflow

from .programs import rows, run, start, until


def test_a_trace_that_runs_is_seen_while_it_runs(tmp_path):
    child = start(
        """
        with otflow.start_span("root") as root:
            root.set_inputs("question")
            with otflow.start_span("ended"): pass
            with otflow.start_span("open"):
                print("now", flush=True)
                sys.stdin.read()
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"
    until((tmp_path / "t.db").exists, 10)
    until(lambda: rows(tmp_path / "t.db", "SELECT COUNT(*) FROM sqlite_master WHERE name = 'spans'") == [(1,)], 10)
    until(lambda: ("ended",) in rows(tmp_path / "t.db", "SELECT name FROM spans"), 10)
    until(lambda: ("open",) in rows(tmp_path / "t.db", "SELECT name FROM spans WHERE end_ns IS NULL"), 10)
    assert rows(tmp_path / "t.db", "SELECT state FROM traces") == [("IN_PROGRESS",)]
    child.communicate("", timeout=60)
    assert child.returncode == 0
    assert rows(tmp_path / "t.db", "SELECT state FROM traces") == [("OK",)]
    assert rows(tmp_path / "t.db", "SELECT COUNT(*) FROM spans WHERE end_ns IS NULL") == [(0,)]


def test_the_open_spans_of_a_killed_process_read_as_interrupted(tmp_path):
    child = start(
        """
        with otflow.start_span("root"), otflow.start_span("open"):
            print("now", flush=True)
            sys.stdin.read()
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"
    until((tmp_path / "t.db").exists)
    until(lambda: rows(tmp_path / "t.db", "SELECT COUNT(*) FROM sqlite_master WHERE name = 'spans'") == [(1,)])
    until(lambda: len(rows(tmp_path / "t.db", "SELECT name FROM spans")) == 2)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()

    otflow.set_tracking_uri(f"sqlite:///{tmp_path}/t.db")
    [trace] = otflow.search_traces(return_type="list")
    assert trace.info.state == "ERROR"
    assert [span.name for span in trace.data.spans] == ["root", "open"]
    assert {span.status.status_code for span in trace.data.spans} == {"ERROR"}
    assert all("interrupted" in span.status.description for span in trace.data.spans)
    assert len(otflow.search_traces(filter_string="status = 'ERROR'", return_type="list")) == 1


def test_traces_that_never_end_do_not_grow_memory(tmp_path):
    found = run(
        """
        import psutil
        def megabytes(traces):
            for _ in range(traces):
                otflow.start_span_no_context("never", inputs={"text": "x" * 100})
            otflow.flush_trace_async_logging()
            return psutil.Process().memory_info().rss / 2**20
        for _ in range(3): before = megabytes(4000)
        for _ in range(10): after = megabytes(4000)
        said = otflow.tracing.delivery()
        print(after - before, said.lost)
        """,
        tmp_path,
        OTFLOW_TRACE_MAX_OPEN="500",
    )
    grown, lost = found.stdout.split()
    assert lost == "0"
    assert float(grown) < 30, "40,000 traces that never end take room"  # each would take about 2 kB
    assert rows(tmp_path / "t.db", "SELECT COUNT(*) FROM traces") == [(52_000,)]
