"""`add_trace`: a trace that was made elsewhere, taken into the one that is being made here."""

from __future__ import annotations

import pytest

import otflow
from otflow.entities import NoOpSpan, Span, SpanEvent, Trace, TraceData
from otflow.errors import InvalidParameterError
from otflow.testing import capture_traces


@pytest.fixture
def captured():
    with capture_traces() as found:
        yield found


@pytest.fixture
def remote() -> Trace:
    with capture_traces() as made, otflow.start_span("service", span_type="AGENT") as service:
        service.set_inputs({"q": 1})
        otflow.update_current_trace(tags={"where": "there", "t": "remote"})
        with otflow.start_span("lookup", span_type="TOOL", attributes={"n": 5}) as lookup:
            lookup.add_event(SpanEvent("found", attributes={"at": 3}))
            lookup.set_status("ERROR")
        with otflow.start_span("answer"):
            pass
        service.set_outputs("a")
    return made.traces[0]


def shape(trace: Trace) -> list[tuple[str, str | None]]:
    names = {span.span_id: span.name for span in trace.data.spans}
    return [(span.name, names.get(span.parent_id)) for span in trace.data.spans]


@pytest.mark.parametrize("form", ["trace", "dict"])
def test_below_the_current_span(captured, remote, form):
    with otflow.start_span("local"):
        otflow.add_trace(remote if form == "trace" else remote.to_dict())
    [trace] = captured.traces
    # The local root began after the remote spans: order is by time, the root first.
    assert set(shape(trace)) == {
        ("local", None),
        ("service", "local"),
        ("lookup", "service"),
        ("answer", "service"),
    }
    merged = {span.name: span for span in trace.data.spans}
    for original in remote.data.spans:
        copy = merged[original.name]
        assert copy.span_id != original.span_id
        assert copy.trace_id == trace.info.trace_id
        assert (copy.start_time_ns, copy.end_time_ns) == (original.start_time_ns, original.end_time_ns)
        assert (copy.inputs, copy.outputs, copy.span_type) == (original.inputs, original.outputs, original.span_type)
        assert copy.events == original.events
        assert copy.status == original.status
    assert merged["lookup"].get_attribute("n") == 5
    assert merged["lookup"].get_attribute("mlflow.traceRequestId") == trace.info.trace_id


def test_tags_are_added_where_there_are_none(captured, remote):
    with otflow.start_span("local"):
        otflow.update_current_trace(tags={"t": "local"})
        otflow.add_trace(remote)
    tags = captured.traces[0].info.tags
    assert (tags["t"], tags["where"], tags["mlflow.traceName"]) == ("local", "there", "local")
    assert remote.info.trace_id not in tags["mlflow.artifactLocation"]


def test_below_a_target(captured, remote):
    root = otflow.start_span_no_context("root")
    target = otflow.start_span_no_context("target", parent_span=root)
    with otflow.start_span("elsewhere"):
        otflow.add_trace(remote, target=target)
    target.end()
    root.end()
    trace = next(trace for trace in captured.traces if len(trace.data.spans) > 1)
    assert ("service", "target") in shape(trace)


def test_without_any_span(captured, remote):
    otflow.add_trace(remote)
    [trace] = captured.traces
    assert trace.data.spans[0].name == "Remote Trace <service>"
    assert shape(trace)[1] == ("service", "Remote Trace <service>")
    assert trace.info.state == "OK"
    assert trace.info.request_preview == '{"q": 1}'
    assert trace.info.request_time == remote.info.request_time
    assert trace.data.spans[0].end_time_ns == max(span.end_time_ns for span in remote.data.spans)


def test_twice_is_twice(captured, remote):
    with otflow.start_span("local"):
        otflow.add_trace(remote)
        otflow.add_trace(remote)
    assert len(captured.traces[0].data.spans) == 1 + 2 * len(remote.data.spans)


def test_an_ended_target_is_left_alone(captured, remote, caplog):
    with otflow.start_span("local") as span:
        pass
    otflow.add_trace(remote, target=span)
    otflow.add_trace(remote, target=NoOpSpan())
    assert "has ended" in caplog.text
    assert len(captured.traces[0].data.spans) == 1


def test_incomplete_traces_are_refused(captured, remote):
    with otflow.start_span("running") as running:
        unfinished = otflow.get_trace(running.trace_id)
        with pytest.raises(InvalidParameterError, match="in progress"):
            otflow.add_trace(unfinished)
    open_span = Span.of(
        trace_id=remote.info.trace_id, span_id="00000000000000aa", parent_id=None, name="open", start_ns=1, end_ns=None
    )
    with pytest.raises(InvalidParameterError, match="open"):
        otflow.add_trace(Trace(remote.info, TraceData([open_span])))


@pytest.mark.parametrize(
    "wrong", [None, 5, "trace", {}, {"info": {}, "data": {}}, {"info": None, "data": {"spans": 1}}]
)
def test_what_is_no_trace_is_refused(wrong):
    with pytest.raises(InvalidParameterError):
        otflow.add_trace(wrong)


def test_a_child_before_its_parent_and_a_cycle(captured, remote):
    spans = list(reversed(remote.data.spans))
    with otflow.start_span("local"):
        otflow.add_trace(Trace(remote.info, TraceData(spans)))
    assert ("lookup", "service") in shape(captured.traces[0])
    a, b = "00000000000000aa", "00000000000000bb"
    ring = [
        Span.of(trace_id=remote.info.trace_id, span_id=one, parent_id=two, name=one, start_ns=1, end_ns=2)
        for one, two in ((a, b), (b, a))
    ]
    otflow.add_trace(Trace(remote.info, TraceData(ring)))
    assert len(captured.traces[-1].data.spans) + len(captured.traces[0].data.spans) == 3 + 4
