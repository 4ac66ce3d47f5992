"""Whatever an entity holds, its dictionary, its JSON and its OTLP message give it back."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    Expectation,
    Experiment,
    ExperimentTag,
    Feedback,
    Link,
    Span,
    SpanEvent,
    SpanStatusCode,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from otflow.entities.timestamps import time_from_text, time_to_text
from otflow.entities.values import encode_attribute
from otflow.errors import InvalidParameterError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.sampled_from(["a", "b.c", "mlflow.spanInputs", "mlflow.x", "ž", ""])
native = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
    )


values = nested(st.none() | native | st.integers())
otlp_values = nested(st.none() | native)
times = st.integers(1, 2**62)
milliseconds = st.integers(-62_135_596_800_000, 253_402_300_799_999)  # the years 1 to 9999
trace_ids = st.integers(1, 2**128 - 1).map(lambda number: f"tr-{number:032x}")
span_ids = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
string_maps = st.dictionaries(texts, texts, max_size=3)
events = st.builds(SpanEvent, texts, times, st.dictionaries(texts, native | st.lists(texts, max_size=2), max_size=3))
links = st.builds(Link, trace_ids, span_ids, st.dictionaries(texts, native, max_size=2))


@st.composite
def spans(draw: st.DrawFn, values: st.SearchStrategy[Any] = values) -> Span:
    attributes = draw(st.dictionaries(keys, values, max_size=4))
    trace_id = draw(trace_ids)
    return Span.of(
        trace_id=trace_id,
        span_id=draw(span_ids),
        parent_id=draw(st.none() | span_ids),
        name=draw(texts),
        start_ns=draw(times),
        end_ns=draw(st.none() | times),
        status_code=draw(st.sampled_from(SpanStatusCode)).value,
        status_message=draw(texts),
        kind=draw(st.integers(0, 4)),
        attributes={
            "mlflow.traceRequestId": f'"{trace_id}"',
            **{key: encode_attribute(key, value) for key, value in attributes.items()},
        },
        events=draw(st.lists(events, max_size=2)),
        links=draw(st.lists(links, max_size=2)),
        scope=draw(texts),
        resource=draw(st.dictionaries(texts, native, max_size=2)),
    )


sources = st.builds(AssessmentSource, st.sampled_from(["HUMAN", "LLM_JUDGE", "CODE"]), texts.filter(bool))
common = {
    "source": sources,
    "trace_id": trace_ids,
    "metadata": st.none() | st.dictionaries(texts, texts, min_size=1, max_size=2),
    "span_id": st.none() | span_ids,
    "create_time_ms": milliseconds,
    "last_update_time_ms": milliseconds,
}
errors = st.builds(AssessmentError, texts.filter(bool), st.none() | texts, st.none() | texts)
feedbacks = st.builds(
    Feedback,
    name=texts,
    value=values,
    error=errors,
    rationale=st.none() | texts,
    overrides=st.none() | texts,
    valid=st.booleans(),
    **common,
)
expectations = st.builds(Expectation, name=texts, value=values.filter(lambda value: value is not None), **common)


@st.composite
def assessments(draw: st.DrawFn) -> Assessment:
    one: Any = draw(feedbacks | expectations)
    one.assessment_id = draw(st.none() | texts)
    one.run_id = draw(st.none() | texts)
    return one


infos = st.builds(
    TraceInfo,
    trace_id=trace_ids,
    trace_location=texts.map(TraceLocation.from_experiment_id)
    | st.builds(TraceLocation.from_databricks_uc_schema, texts, texts),
    request_time=milliseconds,
    state=st.sampled_from(TraceState),
    request_preview=st.none() | texts,
    response_preview=st.none() | texts,
    client_request_id=st.none() | texts,
    execution_duration=st.none() | st.integers(0, 2**40),
    trace_metadata=string_maps,
    tags=string_maps,
    assessments=st.lists(assessments(), max_size=2),
)
traces = st.builds(Trace, infos, st.builds(TraceData, st.lists(spans(), max_size=3)))


@given(spans())
def test_span_dictionaries(span):
    again = Span.from_dict(json.loads(json.dumps(span.to_dict())))
    assert again == span
    assert again.to_dict() == span.to_dict()
    assert again.attributes == span.attributes
    assert (again.trace_id, again.events, again.links) == (span.trace_id, span.events, span.links)


@given(spans())
def test_span_content(span):
    again = Span.of(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        start_ns=span.start_time_ns,
        end_ns=span.end_time_ns,
        status_code=span.status_code,
        content=span.content(),
    )
    assert again.content() == span.content()
    assert again == span
    assert (again.kind, again.scope, again.resource) == (span.kind, span.scope, span.resource)
    assert again.status == span.status


@given(spans(otlp_values))
def test_span_messages(span):
    proto = span.to_otel_proto()
    again = Span.from_otel_proto(type(proto).FromString(proto.SerializeToString()))
    assert again == span
    assert (again.attributes, again.events, again.links) == (span.attributes, span.events, span.links)
    assert (again.kind, again.trace_id) == (span.kind, span.trace_id)


@given(spans())
def test_span_messages_of_large_numbers(span):
    proto = span.to_otel_proto()
    assert Span.from_otel_proto(proto).to_otel_proto() == proto


@given(spans())
def test_span_pickles(span):
    again = pickle.loads(pickle.dumps(span))
    assert again == span
    assert again.content() == span.content()


@given(assessments())
def test_assessment_dictionaries(one):
    again = Assessment.from_dictionary(json.loads(json.dumps(one.to_dictionary())))
    assert again.to_dictionary() == one.to_dictionary()
    if isinstance(one, Feedback):
        assert again == one
    else:  # its `valid` is None until it is stored
        assert (again.value, again.name, again.source) == (one.value, one.name, one.source)


@given(infos)
def test_info_dictionaries(info):
    again = TraceInfo.from_dict(json.loads(json.dumps(info.to_dict())))
    assert again == info


@given(traces, st.booleans())
def test_trace_json(trace, pretty):
    again = Trace.from_json(trace.to_json(pretty=pretty))
    assert again == trace
    assert again.to_json() == trace.to_json()


@given(traces)
def test_trace_dictionaries(trace):
    assert Trace.from_dict(trace.to_dict()) == trace
    assert Trace.from_dictionary(trace.to_dict()) == trace


@given(texts, texts, string_maps, st.none() | st.integers(0))
def test_experiment_dictionaries(experiment_id, name, tags, created):
    experiment = Experiment(
        experiment_id, name, "/x", "active", [ExperimentTag(*pair) for pair in tags.items()], created, created
    )
    assert Experiment.from_dictionary(dict(experiment)) == experiment


@given(milliseconds)
def test_times(time_ms):
    assert time_from_text(time_to_text(time_ms)) == time_ms


@given(st.text() | st.integers() | st.none() | st.dictionaries(st.sampled_from(["info", "data", "spans"]), values))
def test_anything_else_is_refused_with_our_error(anything):
    for cls in (Trace, TraceInfo, Span):
        with pytest.raises(InvalidParameterError):
            cls.from_dict(anything)
