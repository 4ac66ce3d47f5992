"""Limits of spans."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

import otflow
from otflow.entities import Span
from otflow.semconv import OTel, SpanKey
from otflow.testing import capture_traces
from otflow.tracing.limits import MOST_ATTRIBUTES, MOST_EVENTS, fitted, span_limits


def _ended(limits: SpanLimits, **attributes: Any) -> Any:
    span: Any = TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("t").start_span("s")
    for key, value in attributes.items():
        span.set_attribute(key.replace("__", "."), value)
    span.end()
    return span


def _fitted(ended: Any) -> Span:
    return fitted(Span.recorded(ended, "tr-" + "0" * 31 + "1"), ended)


@pytest.mark.parametrize("limit", range(2, 60, 3))
def test_json_that_the_sdk_cut_is_json_again(limit: int) -> None:
    text = json.dumps({"a": [1, {"b": "text"}, [2, 3]], "c": {"d": "e"}, "n": 123})
    span = _fitted(_ended(SpanLimits(max_span_attribute_length=limit), mlflow__spanInputs=text, other=text))
    inputs = json.loads(span.raw_attributes[SpanKey.INPUTS])
    assert "…[truncated]" in json.dumps(inputs, ensure_ascii=False)
    assert span.raw_attributes["other"] == text[:limit]


def test_what_was_dropped_is_counted() -> None:
    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=3, max_events=2), shutdown_on_exit=False)
    made: Any = provider.get_tracer("t").start_span("s")
    for number in range(5):
        made.set_attribute(f"a{number}", number)
        made.add_event("e")
    made.end()
    attributes = _fitted(made).attributes
    assert attributes[OTel.DROPPED_ATTRIBUTES] == 2
    assert attributes[OTel.DROPPED_EVENTS] == 3


def test_values_are_kept_below_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_ATTRIBUTE_MAX_BYTES", "300")
    with capture_traces() as captured, otflow.start_span("s") as span:
        span.set_inputs({"messages": [{"role": "user", "content": "ü" * 1_000}]})
        span.set_attribute("plain", "x" * 1_000)
        span.set_attribute("short", ["y"])
        span.add_event(otflow.entities.SpanEvent("e", 1, {"long": "z" * 1_000}))
    (trace,) = captured.traces
    found: Any = trace.data.spans[0]
    assert "…[truncated: " in found.inputs["messages"][0]["content"]
    assert len(found.raw_attributes[SpanKey.INPUTS].encode()) <= 300
    assert found.get_attribute("plain").endswith(" characters]")
    assert found.get_attribute("short") == ["y"]
    assert len(found.events[0].attributes["long"]) <= 300


def test_own_attributes_are_dropped_last() -> None:
    otflow.tracing.set_tracer_provider(TracerProvider(span_limits=SpanLimits(max_attributes=40)))
    try:
        with capture_traces() as captured:
            for _ in range(2):  # the first span is the SDK's own work, the second is not
                with otflow.start_span("a", attributes={"early": 1}) as span:
                    span.set_inputs("kept")
                    for number in range(100):
                        span.set_attribute(f"c{number}", number)
    finally:
        otflow.tracing.set_tracer_provider(None)
    for trace in captured.traces:
        found: Any = trace.data.spans[0]
        assert found.inputs == "kept"
        assert found.span_type == "UNKNOWN"
        assert "early" not in found.attributes
        assert "c99" in found.attributes
        assert found.get_attribute("otel.dropped_attributes_count") > 60


def test_a_provider_of_our_own_has_wide_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (span_limits().max_span_attributes, span_limits().max_events) == (MOST_ATTRIBUTES, MOST_EVENTS)
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "7")
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "8")
    assert (span_limits().max_span_attributes, span_limits().max_events) == (7, 8)


def test_names_and_status_messages_are_no_documents() -> None:
    with otflow.start_span("n" * 300_000) as span:
        span.record_exception(ValueError("m" * 300_000))
    found = otflow.get_trace(span.trace_id)
    assert found is not None
    [read] = found.data.spans
    assert len(read.name.encode()) <= 256 * 1024
    assert read.name.endswith(" characters]")
    assert "n…[truncated: " in read.name
    assert read.status.description.startswith("ValueError: mmm")
    assert "…[truncated: " in read.status.description
    # The event has all of it.
    assert read.events[0].attributes["exception.message"] == "m" * 300_000
