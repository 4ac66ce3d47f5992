"""Traces that the released MLflow 3.10.1 wrote, and what it reads in them: otflow reads the same.

In `mlflow_traces.json` each trace is what `Trace.to_json` gave (stack traces and paths of the machine replaced, and
one of MLflow 2's form written by hand), beside what MLflow says of it after `Trace.from_dict`.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from otflow.entities import Trace
from otflow.entities.otel_proto import from_pairs

DATA: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "mlflow_traces.json").read_text("utf-8"))
WRITTEN = [name for name in DATA if name != "mlflow 2"]


def read(name: str) -> Trace:
    return Trace.from_dict(DATA[name]["trace"])


def values(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace's dictionary with the attributes of its spans as values, since JSON texts may be spaced otherwise."""
    copy = json.loads(json.dumps(trace))
    for span in copy["data"]["spans"]:
        span["attributes"] = {key: json.loads(text) for key, text in span["attributes"].items()}
    return copy


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_read_is_written_again(name):
    assert values(read(name).to_dict()) == values(DATA[name]["trace"])
    assert values(json.loads(read(name).to_json())) == values(DATA[name]["trace"])
    assert values(Trace.from_json(json.dumps(DATA[name]["trace"])).to_dict()) == values(DATA[name]["trace"])


def test_mlflow_2s_form_is_written_as_mlflow_3s():
    trace = read("mlflow 2")
    assert Trace.from_dict(trace.to_dict()) == trace
    assert trace.to_dict()["info"]["trace_id"] == "5f3c1b8ad2f44e6db6d1f6d7a9b1c2e3"
    assert trace.to_dict()["data"]["spans"][1]["parent_span_id"] == "R7PLZPf0ob0="


@pytest.mark.parametrize("name", DATA)
def test_the_spans(name):
    found = [
        {
            "name": span.name,
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "parent_id": span.parent_id,
            "start": span.start_time_ns,
            "end": span.end_time_ns,
            "type": span.span_type,
            "status": [span.status.status_code.value, span.status.description],
            "attributes": span.attributes,
            "inputs": span.inputs,
            "outputs": span.outputs,
            "model_name": span.model_name,
            "llm_cost": span.llm_cost,
        }
        for span in read(name).data.spans
    ]
    expected = [
        {key: value for key, value in span.items() if key not in {"events", "otlp"}}
        for span in DATA[name]["read"]["spans"]
    ]
    assert found == expected


@pytest.mark.parametrize("name", DATA)
def test_the_events(name):
    found = [
        [[event.name, event.timestamp, event.attributes] for event in span.events] for span in read(name).data.spans
    ]
    written = [span.get("events") for span in DATA[name]["trace"]["data"]["spans"]]
    expected = [
        [[event["name"], event.get("time_unix_nano", event.get("timestamp")), event["attributes"]] for event in events]
        for events in written
    ]
    assert found == expected


@pytest.mark.parametrize("name", DATA)
def test_the_spans_as_otlp(name):
    for span, expected in zip(read(name).data.spans, DATA[name]["read"]["spans"], strict=True):
        ours, theirs = span.to_otel_proto(), ProtoSpan.FromString(base64.b64decode(expected["otlp"]))
        assert from_pairs(ours.attributes) == from_pairs(theirs.attributes)
        for repeated in ("attributes", "events"):  # the stack traces were replaced
            ours.ClearField(repeated)
            theirs.ClearField(repeated)
        assert ours == theirs


@pytest.mark.parametrize("name", DATA)
def test_the_info(name):
    trace, expected = read(name), DATA[name]["read"]
    info = trace.info
    assert info.experiment_id == expected["experiment_id"]
    assert info.timestamp_ms == expected["timestamp_ms"]
    assert info.execution_time_ms == expected["execution_time_ms"]
    assert info.status.value == expected["status"]
    assert info.token_usage == expected["token_usage"]
    assert info.cost == expected["cost"]
    assert trace.data.request == expected["request"]
    assert trace.data.response == expected["response"]


@pytest.mark.parametrize("name", DATA)
def test_the_row_of_the_data_frame(name):
    row = read(name).to_pandas_dataframe_row()
    expected = DATA[name]["read"]["row"]
    assert {key: row[key] for key in expected} == expected


@pytest.mark.parametrize("name", DATA)
def test_the_assessments(name):
    found = [
        {
            "class": type(one).__name__,
            "name": one.name,
            "value": one.value,
            "source": [one.source.source_type, one.source.source_id],
            "rationale": one.rationale,
            "metadata": one.metadata,
            "span_id": one.span_id,
            "create_time_ms": one.create_time_ms,
            "last_update_time_ms": one.last_update_time_ms,
            "assessment_id": one.assessment_id,
            "error": [one.error.error_code, one.error.error_message, one.error.stack_trace] if one.error else None,
            "overrides": one.overrides,
        }
        for one in read(name).info.assessments
    ]
    assert found == DATA[name]["read"]["assessments"]
