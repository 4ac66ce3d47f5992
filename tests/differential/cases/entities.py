"""What a trace says of itself: its entities as dictionaries, previews, sizes, token usage and cost."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731

from __future__ import annotations

import json
import re
from typing import Any

from toolbox import Difference, Facts, Toolbox, accident, case, each


def _sample(t: Toolbox) -> Any:
    with t.mlflow.start_span("root", span_type="AGENT") as span:
        span.set_inputs({"q": "text"})
        with t.mlflow.start_span("child", span_type="TOOL", attributes={"n": 1, "s": "x"}) as child:
            child.add_event(t.mlflow.entities.SpanEvent("note", attributes={"a": 1}))
        span.set_outputs([1, None])
        t.mlflow.update_current_trace(tags={"tag": "1"}, client_request_id="c-1")
    t.mlflow.log_feedback(trace_id=span.trace_id, name="f", value=1)
    return t.last()


def _shape(t: Toolbox, value: Any) -> Any:
    """Keys and types, without what differs from machine to machine."""
    if isinstance(value, dict):
        return {key: _shape(t, item) for key, item in value.items() if "git" not in key}
    if isinstance(value, list):
        return [_shape(t, item) for item in value]
    return type(value).__name__


_NUMBERS = "MLflow's dictionary goes by way of a protobuf, which makes a float of every number"


@case(
    differs=accident("from json number", "info from nothing")
    | {
        "shape/info/assessments[0]/feedback/value": Difference("int", _NUMBERS),
        "from_dict/info/assessments[0]/value": Difference(1, _NUMBERS),
        "from_json/info/assessments[0]/value": Difference(1, _NUMBERS),
    }
)
def dictionaries(t: Toolbox) -> Facts:
    trace = _sample(t)
    given = trace.to_dict()
    yield "shape", _shape(t, given)
    yield (
        "info",
        {
            key: value
            for key, value in given["info"].items()
            if key not in {"trace_metadata", "tags", "trace_location", "assessments", "execution_duration_ms"}
        },
    )
    yield "location", sorted(given["info"]["trace_location"])
    span = given["data"]["spans"][1]
    yield "span", {key: value for key, value in span.items() if key in {"name", "status", "attributes"}}
    yield "event", {key: value for key, value in span["events"][0].items() if "time" not in key}
    yield "event keys", sorted(span["events"][0])
    yield (
        "span ids",
        [
            len(span["span_id"]),
            len(span["trace_id"]),
            len(given["data"]["spans"][0]["span_id"]),
            given["data"]["spans"][0]["parent_span_id"],
        ],
    )
    yield "json", json.loads(trace.to_json()) == json.loads(json.dumps(given))
    yield "pretty", trace.to_json(pretty=True).startswith('{\n  "info"')
    yield "compact", [trace.to_json()[:9], "\n" in trace.to_json()]
    kinds = t.mlflow.entities
    for name, build in {
        "from_dict": lambda: kinds.Trace.from_dict(given),
        "from_json": lambda: kinds.Trace.from_json(trace.to_json()),
    }.items():
        back = build()
        yield name, back
        yield f"{name}, same again", back.to_dict() == given
    yield "info back", kinds.TraceInfo.from_dict(trace.info.to_dict()).to_dict() == trace.info.to_dict()
    yield "data back", kinds.TraceData.from_dict(trace.data.to_dict()).to_dict() == trace.data.to_dict()
    one = kinds.Span.from_dict(trace.data.spans[1].to_dict())
    yield "span back", [one.name, one.parent_id == trace.data.spans[0].span_id, one.trace_id == trace.info.trace_id]
    yield "from json nonsense", t.outcome(lambda: kinds.Trace.from_json("nonsense"))
    yield "from json number", t.outcome(lambda: kinds.Trace.from_json("5"))
    yield "from dict without data", t.outcome(lambda: kinds.Trace.from_dict({"info": given["info"]}))
    yield "span from nothing", t.outcome(lambda: kinds.Span.from_dict({}))
    yield "info from nothing", t.outcome(lambda: kinds.TraceInfo.from_dict({}))
    yield "data from nothing", t.outcome(lambda: kinds.TraceData.from_dict({"spans": []}).spans)
    yield (
        "data of nothing",
        t.outcome(lambda: [kinds.TraceData().spans, kinds.TraceData().request, kinds.TraceData().response]),
    )
    yield "representation", re.sub(r"\(.*", "", repr(trace), flags=re.DOTALL)
    yield "representation of the info", repr(trace.info).startswith("TraceInfo(")
    yield (
        "info names",
        [
            trace.info.request_id == trace.info.trace_id,
            t.plain(trace.info.status),
            trace.info.timestamp_ms == trace.info.request_time,
        ],
    )


@case()
def built_by_hand(t: Toolbox) -> Facts:
    kinds = t.mlflow.entities
    location = kinds.TraceLocation.from_experiment_id("7")
    info = kinds.TraceInfo("tr-1", location, 1_700_000_000_000, kinds.TraceState.OK)
    yield "info", info
    yield "to_dict", info.to_dict()
    yield "experiment id", info.experiment_id
    yield "token usage", [info.token_usage, info.cost]
    full = kinds.TraceInfo(
        trace_id="tr-1",
        trace_location=location,
        request_time=1_700_000_000_123,
        state=kinds.TraceState.ERROR,
        request_preview="q",
        response_preview="a",
        client_request_id="c",
        execution_duration=1234,
        trace_metadata={"m": "1"},
        tags={"t": "2"},
        assessments=[],
    )
    yield "full", full.to_dict()
    full.execution_time_ms = 99
    full.timestamp_ms = 5
    yield "set by old names", [full.execution_duration, full.request_time, full.execution_time_ms]
    yield "states", {state.name: state.value for state in kinds.TraceState}
    yield "location types", {kind.name: kind.value for kind in kinds.TraceLocationType}
    yield "state is text", kinds.TraceState.OK == "OK"
    yield "status codes", {code.name: code.value for code in kinds.SpanStatusCode}
    yield "status of text", t.outcome(lambda: kinds.SpanStatus("OK"))
    yield "status of nonsense", t.outcome(lambda: kinds.SpanStatus("nonsense"))
    yield "event", t.outcome(lambda: kinds.SpanEvent("x", timestamp=5))
    yield "events equal", kinds.SpanEvent("x", 5, {"a": 1}) == kinds.SpanEvent("x", 5, {"a": 1})
    yield "location", location.to_dict()
    yield "location back", t.plain(kinds.TraceLocation.from_dict(location.to_dict()).mlflow_experiment.experiment_id)
    yield (
        "mismatch",
        t.outcome(
            lambda: kinds.TraceLocation(
                type=kinds.TraceLocationType.INFERENCE_TABLE, mlflow_experiment=location.mlflow_experiment
            )
        ),
    )


@case()
def span_searches(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root", span_type="AGENT") as root:
        with t.mlflow.start_span("tool_1", span_type="TOOL"):
            pass
        with t.mlflow.start_span("tool_2", span_type="TOOL") as tool, t.mlflow.start_span("tool_1", span_type="LLM"):
            pass
    trace = t.mlflow.get_trace(root.trace_id)
    find = lambda **criteria: [span.name for span in trace.search_spans(**criteria)]
    yield "all", find()
    yield "type", find(span_type="TOOL")
    yield "type constant", find(span_type=t.mlflow.entities.SpanType.LLM)
    yield "name", find(name="tool_1")
    yield "name is whole", find(name="tool")
    yield "pattern", find(name=re.compile(r"tool_\d"))
    yield "pattern part", find(name=re.compile(r"ool"))
    yield "both", find(span_type="LLM", name="tool_1")
    yield "id", find(span_id=tool.span_id)
    yield "unknown id", find(span_id="x")
    yield "unknown type", find(span_type="WHAT")
    yield "bad name", t.outcome(lambda: find(name=5))
    yield "bad type", t.outcome(lambda: find(span_type=5))


@case()
def previews(t: Toolbox) -> Facts:
    def shown(inputs: Any, outputs: Any) -> Any:
        with t.mlflow.start_span("s") as span:
            span.set_inputs(inputs)
            span.set_outputs(outputs)
        info = t.last().info
        metadata = info.trace_metadata
        stored = [metadata.get("mlflow.traceInputs"), metadata.get("mlflow.traceOutputs")]
        return [
            [len(text), text[:40], text[-12:]] if text else text
            for text in (info.request_preview, info.response_preview, *stored)
        ]

    for size in (200, 248, 249, 250, 251, 997, 998, 999, 1000, 1001, 5000):
        yield f"text of {size}", shown("a" * size, "b" * size)
    yield "long dictionary", shown({"k": "v" * 3000, "z": 1}, [list(range(2000))])
    chat = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "what is it?"}]
    yield "messages", shown({"messages": chat}, {"role": "assistant", "content": "a thing"})
    yield "messages alone", shown(chat, "x")
    yield (
        "choices",
        shown(
            {"model": "m", "messages": chat}, {"choices": [{"message": {"role": "assistant", "content": "a thing"}}]}
        ),
    )
    long_chat = [{"role": "user", "content": "w" * 3000}]
    yield (
        "long messages",
        shown({"messages": long_chat}, {"choices": [{"message": {"role": "assistant", "content": "z" * 3000}}]}),
    )
    parts = [{"role": "user", "content": [{"type": "text", "text": "part one"}, {"type": "text", "text": "two"}]}]
    yield "messages of parts", shown({"messages": parts}, "x")
    yield "no user message", shown({"messages": [{"role": "system", "content": "s"}]}, {"messages": chat})
    yield (
        "responses",
        shown(
            {"input": chat},
            {
                "output": [
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a thing"}]}
                ]
            },
        ),
    )
    yield "request wrapped", shown({"request": {"input": chat}}, {"output": "x"})
    yield "langgraph", shown({"messages": [["user", "hello"]]}, {"messages": [{"type": "ai", "content": "hi"}]})
    yield "unicode", shown("ž" * 1200, "🐎" * 1200)
    yield "text with quotes", shown('say "x"\n', "tab\t")
    yield "numbers", shown(1, 2.5)
    yield "none", shown(None, None)


@case(environment={"MLFLOW_TRACE_REQUEST_PREVIEW_MAX_LENGTH": "20"})
def preview_length_setting(t: Toolbox) -> Facts:
    with t.mlflow.start_span("s") as span:
        span.set_inputs("a" * 100)
    yield "preview", t.last().info.request_preview


def _usage(inputs: int, outputs: int, total: int | None = None) -> dict[str, int]:
    return {
        "input_tokens": inputs,
        "output_tokens": outputs,
        "total_tokens": inputs + outputs if total is None else total,
    }


_LOST = "an attribute of an unexpected shape makes MLflow lose the whole trace"
_PARTLY = {"input_tokens": 0, "output_tokens": 2, "total_tokens": 2}


@case(
    differs=each([None, None], _LOST, "no dictionary", "texts")
    | {"none inside": Difference([_PARTLY, json.dumps(_PARTLY)], _LOST)}
)
def token_usage(t: Toolbox) -> Facts:
    key = "mlflow.chat.tokenUsage"

    def of(build: Any) -> Any:
        with t.mlflow.start_span("root") as span:
            build(span)
        trace = t.mlflow.get_trace(span.trace_id, silent=True)
        if trace is None:
            return "lost"
        return [trace.info.token_usage, trace.info.trace_metadata.get("mlflow.trace.tokenUsage")]

    def child(value: Any, name: str = "child") -> None:
        with t.mlflow.start_span(name) as span:
            span.set_attribute(key, value)

    yield "none", of(lambda span: None)
    yield "on the root", of(lambda span: span.set_attribute(key, _usage(1, 2)))
    yield "on children", of(lambda span: (child(_usage(1, 2)), child(_usage(10, 20))))

    def nested(span: Any) -> None:
        with t.mlflow.start_span("outer") as outer:
            outer.set_attribute(key, _usage(100, 200))
            child(_usage(1, 2))

    yield "nested is counted once", of(nested)

    def deep(span: Any) -> None:
        with t.mlflow.start_span("outer") as outer:
            outer.set_attribute(key, _usage(100, 200))
            with t.mlflow.start_span("between"):
                child(_usage(1, 2))

    yield "nested deeper", of(deep)
    yield "root and children", of(lambda span: (span.set_attribute(key, _usage(5, 5)), child(_usage(1, 2))))
    yield "without a total", of(lambda span: child({"input_tokens": 1, "output_tokens": 2}))
    yield "a total of its own", of(lambda span: child(_usage(1, 2, 50)))
    yield "only inputs", of(lambda span: child({"input_tokens": 7}))
    yield "empty", of(lambda span: child({}))
    yield "no dictionary", of(lambda span: child("x"))
    yield "none inside", of(lambda span: child({"input_tokens": None, "output_tokens": 2, "total_tokens": 2}))
    yield "floats", of(lambda span: child({"input_tokens": 1.5, "output_tokens": 2.0, "total_tokens": 3.5}))
    yield "texts", of(lambda span: child({"input_tokens": "1", "output_tokens": "2", "total_tokens": "3"}))
    yield (
        "cached",
        of(lambda span: child({**_usage(1, 2), "cache_read_input_tokens": 5, "cache_creation_input_tokens": 6})),
    )
    yield "other keys", of(lambda span: child({**_usage(1, 2), "reasoning_tokens": 5}))

    def failed(span: Any) -> None:
        child(_usage(1, 2))
        with t.mlflow.start_span("failed") as inner:
            inner.set_attribute(key, _usage(10, 20))
            inner.set_status("ERROR")

    yield "a failed one counts", of(failed)

    def genai(span: Any) -> None:
        with t.mlflow.start_span("c") as inner:
            inner.set_attribute("gen_ai.usage.input_tokens", 3)
            inner.set_attribute("gen_ai.usage.output_tokens", 4)

    yield "of the conventions", of(genai)


@case(differs={"no dictionary": Difference([None, None, [None, None]], _LOST)})
def cost(t: Toolbox) -> Facts:
    def of(build: Any) -> Any:
        with t.mlflow.start_span("root") as span:
            build(span)
        trace = t.mlflow.get_trace(span.trace_id, silent=True)
        if trace is None:
            return "lost"
        metadata = trace.info.trace_metadata.get("mlflow.trace.cost")
        return [trace.info.cost, metadata, [entry.llm_cost for entry in trace.data.spans]]

    def call(**attributes: Any) -> None:
        with t.mlflow.start_span("llm", span_type="LLM") as span:
            span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})

    given = {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}
    yield "none", of(lambda span: None)
    yield "given", of(lambda span: call(mlflow__llm__cost=given))
    yield "twice", of(lambda span: (call(mlflow__llm__cost=given), call(mlflow__llm__cost=given)))

    def nested(span: Any) -> None:
        with t.mlflow.start_span("outer") as outer:
            outer.set_attribute("mlflow.llm.cost", given)
            call(mlflow__llm__cost=given)

    yield "nested is counted twice", of(nested)
    usage = _usage(1000, 1000)
    yield (
        "of an unknown model",
        of(lambda span: call(mlflow__llm__model="no-such-model", mlflow__chat__tokenUsage=usage)),
    )
    yield "without a total", of(lambda span: call(mlflow__llm__cost={"input_cost": 1.0, "output_cost": 2.0}))
    yield "no dictionary", of(lambda span: call(mlflow__llm__cost="x"))


@case()
def known_models(t: Toolbox) -> Facts:
    for model in ("gpt-4o-mini", "gpt-4o", "claude-3-5-sonnet-20241022"):
        with t.mlflow.start_span("llm", span_type="LLM") as span:
            span.set_attribute("mlflow.llm.model", model)
            span.set_attribute("mlflow.chat.tokenUsage", _usage(1000, 1000))
        trace = t.last()
        yield model, [trace.info.cost, trace.data.spans[0].llm_cost, trace.data.spans[0].model_name]


@case()
def metadata(t: Toolbox) -> Facts:
    trace_id = t.make()
    info = t.mlflow.get_trace(trace_id).info
    yield "keys", sorted(key for key in info.trace_metadata if "git" not in key)
    yield "types", sorted({type(value).__name__ for value in info.trace_metadata.values()})
    yield "schema", info.trace_metadata["mlflow.trace_schema.version"]
    yield "source type", info.trace_metadata["mlflow.source.type"]
    yield "size", info.trace_metadata["mlflow.trace.sizeBytes"].isdigit()
    yield "size statistics", sorted(json.loads(info.trace_metadata["mlflow.trace.sizeStats"]))
    yield "tags", sorted(info.tags)
    yield "span attributes", sorted(t.last().data.spans[0].attributes)


@case(
    differs={
        "conventions, live": Difference("g", "a live span names its model as the stored one does"),
        "inputs, live": Difference("i", "a live span names its model as the stored one does"),
    }
)
def model_names(t: Toolbox) -> Facts:
    for name, attributes in {
        "model": {"mlflow.llm.model": "m"},
        "provider": {"mlflow.llm.provider": "p"},
        "conventions": {"gen_ai.request.model": "g"},
        "inputs": {"mlflow.spanInputs": {"model": "i"}},
        "nothing": {},
    }.items():
        with t.mlflow.start_span("s", span_type="LLM", attributes=attributes) as span:
            yield f"{name}, live", span.model_name
        yield name, t.last().data.spans[0].model_name
