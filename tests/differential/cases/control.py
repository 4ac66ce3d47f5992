"""Switching tracing off and on, span processors, destinations, sampling, and what stands in for a span."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

import os
import threading
from typing import Any

from toolbox import INVALID, Difference, Facts, Toolbox, case, each, value


@case()
def disabled(t: Toolbox) -> Facts:
    yield "returns", t.outcome(t.mlflow.tracing.disable)
    last = t.mlflow.get_last_active_trace_id()

    @t.mlflow.trace
    def plain(x: int) -> Any:
        return [x, t.mlflow.get_current_active_span(), t.mlflow.get_active_trace_id()]

    yield "decorated", plain(1)
    with t.mlflow.start_span("s") as span:
        yield "class", type(span).__name__
        yield "span", _noop(t, span)
        yield (
            "methods",
            [
                t.outcome(lambda: span.set_inputs({"a": 1})),
                t.outcome(lambda: span.set_outputs(1)),
                t.outcome(lambda: span.set_attribute("a", 1)),
                t.outcome(lambda: span.set_attributes({"a": 1})),
                t.outcome(lambda: span.set_status("OK")),
                t.outcome(lambda: span.set_status("WHAT")),
                t.outcome(lambda: span.add_event(t.mlflow.entities.SpanEvent("e"))),
                t.outcome(lambda: span.record_exception(ValueError("x"))),
                t.outcome(lambda: span.get_attribute("a")),
                t.outcome(lambda: span.end()),
            ],
        )
        yield "active", t.mlflow.get_current_active_span()
        yield "update", t.outcome(lambda: t.mlflow.update_current_trace(tags={"a": "1"}), warn=True)
    manual = t.mlflow.start_span_no_context("s")
    yield "no context", type(manual).__name__
    manual.end()
    yield "client trace", t.outcome(lambda: type(t.client.start_trace("x")).__name__)
    yield "last untouched", t.mlflow.get_last_active_trace_id() == last
    yield "traces", len(t.traces())
    yield "disable again", t.outcome(t.mlflow.tracing.disable)
    yield "enable", t.outcome(t.mlflow.tracing.enable)
    yield "works again", t.mlflow.get_trace(t.make("again")) is not None
    yield "enable again", t.outcome(t.mlflow.tracing.enable)


def _noop(t: Toolbox, span: Any) -> dict[str, Any]:
    # `attributes`, `events` and `status` of a no-op span raise inside of the released MLflow: see `no_op_attributes`.
    names = (
        "trace_id",
        "request_id",
        "span_id",
        "parent_id",
        "name",
        "span_type",
        "start_time_ns",
        "end_time_ns",
        "inputs",
        "outputs",
        "model_name",
    )
    return {name: t.outcome(lambda name=name: getattr(span, name)) for name in names}


@case()
def no_op_span(t: Toolbox) -> Facts:
    span = t.mlflow.entities.NoOpSpan()
    yield "members", _noop(t, span)
    yield "is a span", isinstance(span, t.mlflow.entities.Span)
    yield "is a live span", isinstance(span, t.mlflow.entities.LiveSpan)
    yield "true", bool(span)


_NO_OP = "a span that records nothing fails on being asked, in MLflow with a current SDK"


@case(
    differs={
        "attributes": Difference(value({}), _NO_OP),
        "events": Difference(value([]), _NO_OP),
        "to_dict": Difference(value("dict"), _NO_OP),
        "type set": Difference(value(None), "every other setter of it does nothing"),
    }
)
def no_op_attributes(t: Toolbox) -> Facts:
    span = t.mlflow.entities.NoOpSpan()
    for name in ("attributes", "events", "status", "llm_cost", "model_name"):
        yield name, t.outcome(lambda name=name: getattr(span, name))
    yield "to_dict", t.outcome(lambda: type(span.to_dict()).__name__)
    yield "type set", t.outcome(lambda: span.set_span_type("LLM"))


@case()
def disabled_amid_a_trace(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root") as span:
        t.mlflow.tracing.disable()
        with t.mlflow.start_span("child") as child:
            yield "child", type(child).__name__
    yield "still disabled", type(t.mlflow.start_span_no_context("x")).__name__
    t.mlflow.tracing.enable()
    yield "kept", t.tree(t.mlflow.get_trace(span.trace_id, silent=True))


@case()
def processors(t: Toolbox) -> Facts:
    seen: list[str] = []

    def hide(span: Any) -> None:
        seen.append(f"{type(span).__name__} {span.name}")
        if span.name == "secret":
            span.set_inputs("***")
            span.set_outputs("***")
        span.set_attribute("processed", True)

    yield "returns", type(t.mlflow.tracing.configure(span_processors=[hide])).__name__
    with t.mlflow.start_span("root"), t.mlflow.start_span("secret") as span:
        span.set_inputs({"password": "x"})
        span.set_outputs("y")
    yield "seen", seen
    yield "trace", t.last()
    with t.mlflow.start_span("secret") as span:
        span.set_inputs("password")
    yield "previews", t.last()

    def fail(span: Any) -> None:
        raise ValueError("processor")

    t.mlflow.tracing.configure(span_processors=[fail, hide])
    yield "failing", t.outcome(lambda: t.make("fails"))
    yield "failing, read", t.spans(t.last())

    def change(span: Any) -> Any:
        return "something"

    t.mlflow.tracing.configure(span_processors=[change])
    yield "returning", t.outcome(lambda: t.make("returns"))
    yield "none", t.outcome(lambda: t.mlflow.tracing.configure(span_processors=None))
    yield "still there", t.outcome(lambda: t.make("none"))
    yield "empty", t.outcome(lambda: type(t.mlflow.tracing.configure(span_processors=[])).__name__)
    t.make("plain")
    yield "no longer", t.spans(t.last())
    yield "no arguments", t.outcome(lambda: type(t.mlflow.tracing.configure()).__name__)
    t.mlflow.tracing.configure(span_processors=[])
    with t.mlflow.tracing.configure(span_processors=[hide]):
        t.make("within")
    yield "within", t.last().data.spans[0].get_attribute("processed")
    t.make("after")
    yield "after", t.last().data.spans[0].get_attribute("processed")


@case()
def processors_in_order(t: Toolbox) -> Facts:
    t.mlflow.tracing.configure(
        span_processors=[
            lambda span: span.set_outputs("first"),
            lambda span: span.set_attribute("saw", span.outputs),
        ]
    )

    @t.mlflow.trace
    def work() -> str:
        return "real"

    yield "result", work()
    yield "trace", t.last()


@case()
def destination(t: Toolbox) -> Facts:
    location = t.mlflow.entities.trace_location.MlflowExperimentLocation
    other = t.mlflow.create_experiment("destination other")
    third = t.mlflow.create_experiment("destination third")
    where = lambda: {other: "other", third: "third", t.experiment_id: "own"}[t.last().info.experiment_id]
    yield "returns", t.outcome(lambda: t.mlflow.tracing.set_destination(location(other)))
    t.make()
    yield "set", where()
    t.mlflow.tracing.set_destination(location(third), context_local=True)
    t.make()
    yield "of the context", where()
    thread = threading.Thread(target=t.make)
    thread.start()
    thread.join()
    yield "in a thread", where()
    t.mlflow.tracing.reset()
    t.make()
    yield "reset", where()
    yield "no destination", t.outcome(lambda: t.mlflow.tracing.set_destination("5"))
    yield "none", t.outcome(lambda: t.mlflow.tracing.set_destination(None))
    yield "number", t.outcome(lambda: t.mlflow.tracing.set_destination(location(5)))
    t.mlflow.tracing.reset()
    t.mlflow.tracing.set_destination(location("98765"))
    yield "unknown experiment", t.outcome(lambda: t.make())
    t.mlflow.tracing.reset()
    yield "experiment id", t.outcome(lambda: location(experiment_id="7"))
    yield "from text", t.outcome(lambda: t.mlflow.entities.TraceLocation.from_experiment_id("7").to_dict())
    yield "from number", t.outcome(lambda: t.mlflow.entities.TraceLocation.from_experiment_id(7).to_dict())
    yield "from none", t.outcome(lambda: t.mlflow.entities.TraceLocation.from_experiment_id(None))


@case(
    differs=each(
        INVALID, "MLflow lets another library's error out, or another code", "no list", "malformed", "other type"
    )
)
def chat_tools(t: Toolbox) -> Facts:
    tools = [
        {
            "type": "function",
            "function": {
                "name": "add",
                "description": "Adds",
                "parameters": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
            },
        }
    ]
    with t.mlflow.start_span("s") as span:
        yield "set", t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(span, tools))
        yield "read", t.plain(span.get_attribute("mlflow.chat.tools"))
        yield "no list", t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(span, "x"))
        yield "malformed", t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(span, [{"a": 1}]))
        yield "empty", t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(span, []))
        yield "no span", t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(None, tools))
        yield "no function", t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(span, [{"type": "function"}]))
        yield (
            "other type",
            t.outcome(lambda: t.mlflow.tracing.set_span_chat_tools(span, [{"type": "web", "function": {"name": "x"}}])),
        )
        t.mlflow.tracing.set_span_chat_tools(span, tools)
    yield "stored", t.spans(t.last())


def _sampled(t: Toolbox, count: int = 20) -> int:
    before = len(t.traces())
    for _ in range(count):
        t.make()
    return len(t.traces()) - before


def _with_ratio(t: Toolbox, ratio: str, count: int = 20) -> Any:
    os.environ["MLFLOW_TRACE_SAMPLING_RATIO"] = ratio
    t.mlflow.tracing.reset()
    return _sampled(t, count)


@case(
    environment={"MLFLOW_TRACE_SAMPLING_RATIO": "0"},
    differs={
        "text": Difference(
            value(3), "MLflow traces nothing any more; 1.5 and -1 it ignores with a warning, as ours this"
        )
    },
)
def sampling(t: Toolbox) -> Facts:
    t.mlflow.tracing.reset()
    yield "never", _sampled(t)
    with t.mlflow.start_span("s") as span:
        yield "span", type(span).__name__
        yield "active", type(t.mlflow.get_current_active_span()).__name__
        with t.mlflow.start_span("c") as child:
            yield "child", type(child).__name__
    yield "manual", type(t.mlflow.start_span_no_context("m")).__name__
    yield "always", _with_ratio(t, "1")
    half = _with_ratio(t, "0.5", 60)
    yield "half", 5 <= half <= 55
    yield "above", t.outcome(lambda: _with_ratio(t, "1.5", 3))
    yield "below", t.outcome(lambda: _with_ratio(t, "-1", 3))
    yield "text", t.outcome(lambda: _with_ratio(t, "x", 3))
    os.environ["MLFLOW_TRACE_SAMPLING_RATIO"] = "1"
    t.mlflow.tracing.reset()


@case()
def flushing(t: Toolbox) -> Facts:
    yield "flush", t.outcome(t.mlflow.flush_trace_async_logging)
    yield "terminate", t.outcome(lambda: t.mlflow.flush_trace_async_logging(terminate=True))
    yield "afterwards", t.mlflow.get_trace(t.make()) is not None


@case()
def reset(t: Toolbox) -> Facts:
    trace_id = t.make()
    yield "returns", t.outcome(t.mlflow.tracing.reset)
    yield "last is kept", t.mlflow.get_last_active_trace_id() == trace_id
    yield "works", t.mlflow.get_trace(t.make()) is not None
