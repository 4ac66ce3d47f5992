"""The kit for tests of traced programs."""

from __future__ import annotations

import os

import otflow
from otflow.entities import LiveSpan
from otflow.testing import capture_traces, fixed_clock, fixed_ids, reset


def test_capture_leaves_the_store_alone():
    otflow.log_trace("before")
    with capture_traces() as captured:
        with otflow.start_span("inside"):
            assert [trace.info.state for trace in captured.traces] == ["IN_PROGRESS"]
        assert otflow.get_last_active_trace_id() is not None
    otflow.log_trace("after")
    assert [trace.info.tags["mlflow.traceName"] for trace in captured.traces] == ["inside"]
    found = otflow.search_traces(return_type="list")
    assert [trace.info.tags["mlflow.traceName"] for trace in found] == ["after", "before"]


def test_captures_nest():
    with capture_traces() as outer:
        otflow.log_trace("a")
        with capture_traces() as inner:
            otflow.log_trace("b")
        otflow.log_trace("c")
    names = [[trace.data.spans[0].name for trace in found.traces] for found in (outer, inner)]
    assert names == [["a", "c"], ["b"]]


def test_the_same_ids_and_times_each_time():
    def run() -> list[dict[str, object]]:
        with capture_traces() as captured, fixed_ids(), fixed_clock(start_ns=1_000_000_000, step_ns=1_000_000):
            with otflow.start_span("a"), otflow.start_span("b"):
                pass
            otflow.log_feedback(trace_id="tr-" + "1".zfill(32), value=1)
        [trace] = captured.traces
        assert trace.info.assessments[0].create_time_ms < 2000
        return [span.to_dict() for span in trace.data.spans]

    first = run()
    assert first == run()
    assert first[0]["start_time_unix_nano"] == 1_000_000_000


def test_reset_forgets_everything():
    otflow.set_tracking_uri("sqlite:///mine.db")
    otflow.set_experiment("mine")
    otflow.tracing.configure(span_processors=[lambda span: None])
    otflow.tracing.disable()
    open_span = otflow.start_span_no_context("never ended")
    otflow.tracing.enable()
    open_span = otflow.start_span_no_context("never ended")
    otflow.log_trace("a")
    reset()
    assert otflow.get_last_active_trace_id() is None
    assert otflow.get_tracking_uri().endswith("/otflow.db")
    assert LiveSpan.before_end == ()
    assert otflow.Client().search_traces(locations=["0"]) == []
    assert not any(name.startswith("OTFLOW_EXPERIMENT") for name in os.environ)
    open_span.end()
    otflow.log_trace("again")
    assert len(otflow.search_traces(return_type="list")) == 1
