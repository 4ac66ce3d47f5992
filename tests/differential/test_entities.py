"""Entities as JSON, between otflow and the released MLflow, both ways; in one process of MLflow's Python.

What either writes the other reads, and finds the same in it.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from otflow.entities import (
    AssessmentError,
    AssessmentSource,
    Expectation,
    Feedback,
    Link,
    Span,
    SpanEvent,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from otflow.entities.otel_proto import from_pairs
from otflow.entities.values import encode_attribute

pytestmark = pytest.mark.differential

_VARIABLE = "OTFLOW_TEST_MLFLOW_PYTHON"

# Run by both Pythons, on the entities of either: what a trace says.
READING = """
def reading(trace):
    info = trace.info
    return {
        "info": [
            info.trace_id, info.request_time, info.state.value, info.request_preview, info.response_preview,
            info.client_request_id, info.execution_duration, info.experiment_id, info.token_usage, info.cost,
            info.trace_metadata, info.tags, info.trace_location.to_dict(),
        ],
        "data": [trace.data.request, trace.data.response],
        "spans": [
            [
                span.trace_id, span.span_id, span.parent_id, span.name, span.start_time_ns, span.end_time_ns,
                span.status.status_code.value, span.status.description, span.attributes, span.inputs, span.outputs,
                span.model_name, span.llm_cost,
                [[event.name, event.timestamp, event.attributes] for event in span.events],
            ]
            for span in trace.data.spans
        ],
        "assessments": [
            [
                type(one).__name__, one.assessment_id, one.name, one.value, one.source.source_type,
                one.source.source_id, one.trace_id, one.span_id, one.metadata, one.create_time_ms,
                one.last_update_time_ms, one.error and one.error.to_dictionary(),
            ]
            for one in info.assessments
        ],
    }
"""

SCRIPT = """
import json, sys
from pathlib import Path

import mlflow
from mlflow.entities import AssessmentError, AssessmentSource, SpanEvent, Trace

directory = Path(sys.argv[1])
mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")

theirs = json.loads((directory / "otflow.json").read_text())
found = {name: reading(Trace.from_dict(trace)) for name, trace in theirs.items()}
messages = {
    name: [span.to_otel_proto().SerializeToString().hex() for span in Trace.from_dict(trace).data.spans]
    for name, trace in theirs.items()
}

@mlflow.trace(span_type="AGENT")
def answer(question, limit=2):
    with mlflow.start_span("call", span_type="LLM") as span:
        span.set_inputs({"messages": [{"role": "user", "content": question}]})
        span.set_outputs(["ž", {"a": None}])
        span.set_attributes({"n": 1, "f": 0.5, "b": True, "l": [1, 2], "m": [1, "a"], "t": "12", "d": {"a": [None]}})
        span.add_event(SpanEvent("note", attributes={"a": 1, "l": ["x"]}))
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7})
        span.set_attribute("mlflow.llm.cost", {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75})
    if question == "bad":
        raise ValueError(question)
    mlflow.update_current_trace(tags={"env": "x"}, client_request_id="c-1")
    return {"answer": 42}

ours = {}
for question in ("good", "bad"):
    try:
        answer(question)
    except ValueError:
        pass
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.log_feedback(trace_id=trace_id, name="f", value=0.5, rationale="r", metadata={"k": "v"})
    mlflow.log_feedback(trace_id=trace_id, name="e", error=AssessmentError("C", "m"))
    mlflow.log_feedback(trace_id=trace_id, name="d", value={"a": "b"}, source=AssessmentSource("LLM_JUDGE", "j"))
    mlflow.log_expectation(trace_id=trace_id, name="x", value={"a": ["b", None]})
    trace = mlflow.get_trace(trace_id)
    ours[question] = {"json": trace.to_json(), "reading": reading(trace)}

(directory / "mlflow.json").write_text(json.dumps({"found": found, "messages": messages, "written": ours}))
"""

_scope: dict[str, Any] = {}
exec(READING, _scope)
reading: Any = _scope["reading"]


def _span(number: int, parent: int | None = None, **fields: Any) -> Span:
    attributes: dict[str, Any] = {"mlflow.traceRequestId": f"tr-{7:032x}", **fields.pop("attributes", {})}
    return Span.of(
        trace_id=f"tr-{7:032x}",
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        name=fields.pop("name", f"span {number}"),
        start_ns=1_700_000_000_000_000_000 + number,
        end_ns=fields.pop("end_ns", 1_700_000_001_000_000_000),
        attributes={key: encode_attribute(key, value) for key, value in attributes.items()},
        **fields,
    )


def _trace(*spans: Span, state: TraceState = TraceState.OK, **fields: Any) -> Trace:
    location = fields.pop("location", TraceLocation.from_experiment_id("3"))
    return Trace(TraceInfo(f"tr-{7:032x}", location, 1_700_000_000_123, state, **fields), TraceData(list(spans)))


HUMAN = AssessmentSource("HUMAN", "me@example.com")
TIMES = {"create_time_ms": 1_700_000_000_001, "last_update_time_ms": 1_700_000_000_000}
TRACES = {
    "bare": _trace(),
    "full": _trace(
        _span(
            1,
            name="ž 🐎",
            status_code="OK",
            attributes={
                "mlflow.spanType": "AGENT",
                "mlflow.spanInputs": {"q": ["ž", None, 1.5, {"a": True}]},
                "mlflow.spanOutputs": '{"a text": "that reads as JSON"}',
                "mlflow.llm.model": "m",
                "mlflow.llm.cost": {"total_cost": 0.5},
            },
        ),
        _span(
            2,
            1,
            status_code="ERROR",
            status_message="ValueError: no",
            kind=2,
            attributes={
                "int": 2**62,
                "float": 0.1,
                "bool": False,
                "text": "x",
                "number": "12",
                "json": '{"a": 1}',
                "quoted": '"q"',
                "empty": "",
                "none": None,
                "dict": {"a": {"b": [1, None]}},
                "list": [1, 2],
                "mixed": [1, "a", None],
                "nothing": [],
            },
            events=[SpanEvent("e", 1_700_000_000_500_000_000, {"a": 1, "l": ["x"], "t": "12", "d": {"e": None}})],
            links=[Link(f"tr-{9:032x}", f"{9:016x}", {"why": "x"})],
        ),
        _span(3, 2, status_code="UNSET", end_ns=None),
        state=TraceState.ERROR,
        request_preview="q",
        response_preview="a",
        client_request_id="c",
        execution_duration=77,
        trace_metadata={"mlflow.trace.tokenUsage": '{"input_tokens": 1}', "mlflow.trace.cost": '{"total_cost": 0.5}'},
        tags={"mlflow.traceName": "ž", "a": ""},
        assessments=[
            Feedback("f", 1, source=HUMAN, trace_id="tr-7", metadata={"k": "v"}, span_id="s", rationale="r", **TIMES),
            Feedback("l", ["a", 1, None], overrides="a-0", valid=False, **TIMES),
            Feedback("e", error=AssessmentError("C", "m", "s"), **TIMES),
            Expectation("x", "text", source=HUMAN, trace_id="tr-7", **TIMES),
            Expectation("y", {"a": [1, {"b": None}]}, **TIMES),
        ],
    ),
    "in progress": _trace(_span(1, end_ns=None), state=TraceState.IN_PROGRESS),
    "elsewhere": _trace(location=TraceLocation.from_databricks_uc_schema("a", "b")),
}


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What MLflow found in our traces, and traces of its own with what it finds in them."""
    python = os.environ.get(_VARIABLE)
    if not python:
        pytest.skip(f"{_VARIABLE} names no Python that has mlflow==3.10.1")
    directory = tmp_path_factory.mktemp("entities")
    written = {name: json.loads(trace.to_json()) for name, trace in TRACES.items()}
    (directory / "otflow.json").write_text(json.dumps(written))
    done = subprocess.run(
        [python, "-c", READING + SCRIPT, str(directory)], capture_output=True, text=True, cwd=directory
    )
    assert done.returncode == 0, done.stderr
    return json.loads((directory / "mlflow.json").read_text())


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", TRACES)
def test_mlflow_reads_what_otflow_writes(name: str, mlflow: dict[str, Any]) -> None:
    expected = plain(reading(TRACES[name]))
    for one in expected["assessments"]:
        one[6] = one[6] or ""  # MLflow keeps the empty text that stands in JSON for no trace
    assert mlflow["found"][name] == expected


@pytest.mark.parametrize("name", TRACES)
def test_the_messages_of_spans_say_the_same(name: str, mlflow: dict[str, Any]) -> None:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

    for span, text in zip(TRACES[name].data.spans, mlflow["messages"][name], strict=True):
        theirs, ours = ProtoSpan.FromString(bytes.fromhex(text)), span.to_otel_proto()
        assert from_pairs(theirs.attributes) == from_pairs(ours.attributes)
        # What MLflow's dictionaries do not hold, and how a null is written.
        for field in ("attributes", "kind", "links"):
            ours.ClearField(field)
            theirs.ClearField(field)
        assert [from_pairs(event.attributes) for event in ours.events] == [
            from_pairs(event.attributes) for event in theirs.events
        ]
        ours.ClearField("events")
        theirs.ClearField("events")
        assert ours == theirs


@pytest.mark.parametrize("name", ["good", "bad"])
def test_otflow_reads_what_mlflow_writes(name: str, mlflow: dict[str, Any]) -> None:
    written = mlflow["written"][name]
    assert plain(reading(Trace.from_json(written["json"]))) == written["reading"]


@pytest.mark.parametrize("name", ["good", "bad"])
def test_what_is_read_is_written_again(name: str, mlflow: dict[str, Any]) -> None:
    def values(trace: dict[str, Any]) -> dict[str, Any]:
        for span in trace["data"]["spans"]:
            span["attributes"] = {key: json.loads(text) for key, text in span["attributes"].items()}
        return trace

    text = mlflow["written"][name]["json"]
    assert values(json.loads(Trace.from_json(text).to_json())) == values(json.loads(text))
