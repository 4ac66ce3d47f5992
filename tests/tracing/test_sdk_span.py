"""Spans made here are what the SDK would have made; what is out of the ordinary is left to the SDK."""

from __future__ import annotations

import pytest
from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from otflow.tracing.sdk_span import SpanMaker

ATTRIBUTES = {"mlflow.spanType": '"AGENT"', "n": 1, "x": 0.5, "yes": True}


class Notes(SpanProcessor):
    def __init__(self) -> None:
        self.started: list[tuple[Span, Context | None]] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.started.append((span, parent_context))

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def setup(**arguments):
    notes = Notes()
    provider = TracerProvider(shutdown_on_exit=False, **arguments)
    provider.add_span_processor(notes)
    calls: list[str] = []
    tracer = provider.get_tracer("otflow", "1")
    original = tracer.start_span
    maker = SpanMaker(tracer, lambda: None)

    def counted(*args, **kwargs):
        calls.append(args[0])
        return original(*args, **kwargs)

    tracer.start_span = counted
    return maker, notes, calls


def remote(flags: int) -> NonRecordingSpan:
    return NonRecordingSpan(
        SpanContext(0x1234, 0x56, is_remote=True, trace_flags=TraceFlags(flags), trace_state=TraceState([("a", "b")]))
    )


def start(maker, parent=api.INVALID_SPAN, attributes=ATTRIBUTES, name="s"):
    context = api.set_span_in_context(parent, Context())
    return maker.start(name, context, parent.get_span_context(), dict(attributes), 1_000)


@pytest.mark.parametrize("sampler", [None, ALWAYS_ON])
@pytest.mark.parametrize("parent", [api.INVALID_SPAN, remote(1), remote(3)])
def test_a_span_is_field_by_field_that_of_the_sdk(sampler, parent):
    maker, notes, calls = setup(sampler=sampler)
    first = start(maker, parent)
    second = start(maker, parent)
    assert calls == ["s"], "only the first span is to be the SDK's own work"
    assert type(second) is type(first)
    theirs, ours = vars(first), vars(second)
    assert theirs.keys() == ours.keys()
    for field in theirs.keys() - {"_context", "_attributes", "_events", "_links", "_lock", "_status"}:
        assert ours[field] == theirs[field], field
    a, b = first.get_span_context(), second.get_span_context()
    assert (a.trace_flags, a.trace_state, a.is_remote) == (b.trace_flags, b.trace_state, b.is_remote)
    assert a.span_id != b.span_id
    assert (a.trace_id == b.trace_id) is bool(parent.get_span_context().trace_id)
    assert dict(second.attributes) == ATTRIBUTES
    for field in ("_attributes", "_events", "_links"):
        mine, sdk = vars(ours[field]), vars(theirs[field])
        assert mine.keys() == sdk.keys()
        assert mine["_lock"] is not sdk["_lock"]
    assert ours["_lock"] is not theirs["_lock"]
    assert [span for span, _ in notes.started] == [first, second]
    assert all(context is not None for _, context in notes.started)
    for span in (first, second):
        span.set_attribute("later", "v")
        span.add_event("e", {"k": 1})
        span.add_link(remote(1).get_span_context())
        span.set_status(api.StatusCode.ERROR, "why")
        span.end(2_000)
    one, two = notes.ended
    assert (
        one.to_json().replace(f"{a.span_id:016x}", "").replace(f"{a.trace_id:032x}", "").split("timestamp")[0]
        == (two.to_json().replace(f"{b.span_id:016x}", "").replace(f"{b.trace_id:032x}", "").split("timestamp")[0])
    )


def test_spans_share_nothing_that_changes():
    maker, _, _ = setup()
    start(maker).end()
    first, second = start(maker), start(maker)
    first.set_attribute("only", "here")
    first.add_event("only here")
    first.end()
    assert dict(second.attributes) == ATTRIBUTES
    assert second.events == ()
    second.set_attribute("still", "open")
    assert second.attributes["still"] == "open"
    with pytest.raises(TypeError):
        first.attributes["n"] = 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"sampler": TraceIdRatioBased(1.0)},
        {"sampler": ParentBased(ALWAYS_ON)},  # one that is not the SDK's own object may be anything
        {"span_limits": SpanLimits(max_attributes=2)},
        {"span_limits": SpanLimits(max_attribute_length=3)},
    ],
)
def test_what_is_not_ordinary_is_left_to_the_sdk(arguments):
    maker, _, calls = setup(**arguments)
    spans = [start(maker) for _ in range(3)]
    assert calls == ["s"] * 3
    reference = TracerProvider(shutdown_on_exit=False, **arguments).get_tracer("t")
    expected = reference.start_span("s", Context(), attributes=ATTRIBUTES)
    assert [dict(span.attributes) for span in spans] == [dict(expected.attributes)] * 3


def test_values_and_numbers_of_attributes_that_need_a_look_are_left_to_the_sdk():
    maker, _, calls = setup()
    start(maker)
    calls.clear()
    start(maker, attributes={"list": ["a", "b"]}, name="list")
    start(maker, attributes={f"k{n}": n for n in range(200)}, name="many")
    assert calls == ["list", "many"]


def test_samplers_and_remote_parents_that_say_no_are_heard():
    maker, _, _ = setup(sampler=ALWAYS_OFF)
    assert not start(maker).is_recording()
    assert not start(maker).is_recording()
    maker, _, _ = setup()
    assert start(maker, remote(1)).is_recording()
    assert not start(maker, remote(0)).is_recording()
    assert not start(maker, remote(0)).is_recording()


def test_a_provider_that_loses_the_processor_is_joined_again():
    joined: list[int] = []
    provider = TracerProvider(shutdown_on_exit=False, sampler=ParentBased(ALWAYS_ON))
    maker = SpanMaker(provider.get_tracer("otflow"), lambda: joined.append(1))
    start(maker)
    assert joined == [1]
