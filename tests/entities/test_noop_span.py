"""The span that is no span."""

from __future__ import annotations

from otflow.entities import LiveSpan, NoOpSpan, Span, SpanEvent, Trace, TraceData, TraceInfo, TraceLocation, TraceState


def test_is_a_span_but_not_a_live_one():
    assert isinstance(NoOpSpan(), Span)
    assert not isinstance(NoOpSpan(), LiveSpan)
    assert NoOpSpan()


def test_has_nothing():
    span = NoOpSpan()
    assert span.trace_id == span.request_id == "MLFLOW_NO_OP_SPAN_TRACE_ID"
    for name in ("context", "span_id", "parent_id", "name", "start_time_ns", "end_time_ns", "span_type", "status"):
        assert getattr(span, name) is None
    for name in ("inputs", "outputs", "model_name", "llm_cost"):
        assert getattr(span, name) is None
    assert span.get_attribute("x") is None
    assert (span.attributes, span.raw_attributes, span.resource, span.to_dict()) == ({}, {}, {}, {})
    assert (span.events, span.links) == ([], [])
    assert (span.kind, span.scope, span.otel_trace_id, span.status_code) == (0, "", "", "UNSET")
    assert span.content() == "{}"
    assert span.to_otel_proto().name == ""
    assert "NoOpSpan" in repr(span)


def test_takes_everything_and_keeps_nothing():
    span = NoOpSpan()
    span.set_span_type("LLM")
    span.set_inputs({"a": 1})
    span.set_outputs(object())
    span.set_attribute("a", 1)
    span.set_attributes({"a": 1})
    span.set_status("WHAT")
    span.add_event(SpanEvent("e"))
    span.record_exception(ValueError())
    span.end(outputs=1, attributes={"a": 1}, status="OK", end_time_ns=5)
    span.end()
    assert span.attributes == {}
    assert span.end_time_ns is None


def test_any_two_are_equal():
    assert NoOpSpan() == NoOpSpan()
    assert hash(NoOpSpan()) == hash(NoOpSpan())
    assert NoOpSpan() != Span.of(trace_id="tr-1", span_id="2", parent_id=None, name="n", start_ns=1, end_ns=2)


def test_can_be_searched_through():
    info = TraceInfo("tr-1", TraceLocation.from_experiment_id("0"), 1, TraceState.OK)
    assert Trace(info, TraceData([NoOpSpan()])).search_spans(span_type="LLM") == []
