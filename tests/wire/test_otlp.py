from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otflow.entities import Link, Span, SpanEvent
from otflow.entities.values import encode_attribute
from otflow.errors import InvalidParameterError, OtflowError
from otflow.wire.otlp import decode_spans, encode_spans, span_from_json

DATA = Path(__file__).parent.parent / "data"
EXCHANGES: list[dict[str, Any]] = json.loads((DATA / "mlflow_exchanges.json").read_text())
CAPTURES = sorted((DATA / "otlp").glob("*.otlp.pb"))
TRACE_ID = "tr-32380668b3917424880202ace135da2b"


def exchange(call: str, method: str, path: str) -> dict[str, Any]:
    return next(x for x in EXCHANGES if (x["call"], x["method"]) == (call, method) and x["path"].endswith(path))


# -- what the released MLflow sends and answers ------------------------------------------------------------------


def test_the_recorded_body_of_a_child_span() -> None:
    (span,) = decode_spans(bytes.fromhex(exchange("trace", "POST", "/v1/traces")["request"]["hex"]))
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE_ID, "4b150d8ec699d25f", "c67667a2292bb3d2")
    assert (span.name, span.span_type, span.status.status_code.value) == ("llm", "CHAT_MODEL", "OK")
    assert (span.start_time_ns, span.end_time_ns) == (1795405002066046192, 1795405002066325978)
    assert span.inputs == {"messages": [{"role": "user", "content": "hi"}]}
    assert span.outputs == {"choices": [1]}
    assert span.attributes == {
        "mlflow.traceRequestId": TRACE_ID,
        "mlflow.spanType": "CHAT_MODEL",
        "model": "m",
        "mlflow.spanInputs": {"messages": [{"role": "user", "content": "hi"}]},
        "mlflow.spanOutputs": {"choices": [1]},
        "mlflow.chat.tokenUsage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    }
    assert span.raw_attributes["mlflow.spanInputs"] == '{"messages": [{"role": "user", "content": "hi"}]}'
    assert [(event.name, event.timestamp, event.attributes) for event in span.events] == [
        ("ev", 1795405002066178, {"a": 1})
    ]


@pytest.mark.parametrize("recorded", [x for x in EXCHANGES if "hex" in (x["request"] or {})], ids=lambda x: x["call"])
def test_a_recorded_body_is_sent_as_mlflow_sends_it(recorded: dict[str, Any]) -> None:
    theirs = ExportTraceServiceRequest.FromString(bytes.fromhex(recorded["request"]["hex"]))
    ours = ExportTraceServiceRequest.FromString(encode_spans(decode_spans(theirs.SerializeToString())))
    for span in ours.resource_spans[0].scope_spans[0].spans:
        assert span.kind == 1  # MLflow leaves the kind unspecified, which OTLP reads as INTERNAL
        span.kind = 0  # type: ignore[assignment]
    for request in (theirs, ours):
        request.resource_spans[0].resource.attributes.sort(key=lambda item: item.key)
    assert ours == theirs


def test_the_spans_of_a_recorded_answer() -> None:
    answer = exchange("get_trace", "GET", "/traces/get")["response"]
    root, child = [span_from_json(span) for span in answer["trace"]["spans"]]
    (sent,) = decode_spans(bytes.fromhex(exchange("trace", "POST", "/v1/traces")["request"]["hex"]))
    assert (root.name, root.parent_id, root.inputs, root.outputs) == ("agent", None, {"q": "hi"}, "answer")
    assert (root.start_time_ns, root.end_time_ns) == (1795405001869486863, 1795405002098816026)
    assert child.to_dict() == sent.to_dict()


# -- what others send ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name.split(".")[0])
def test_spans_of_other_instrumentation_come_through_whole(path: Path) -> None:
    request = ExportTraceServiceRequest.FromString(path.read_bytes())
    spans = decode_spans(path.read_bytes())
    assert len(spans) == sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans) > 10
    again = ExportTraceServiceRequest.FromString(encode_spans(spans))
    assert _comparable(again) == _comparable(request)
    assert [span.content() for span in decode_spans(encode_spans(spans))] == [span.content() for span in spans]


def _comparable(request: ExportTraceServiceRequest) -> list[Any]:
    """The spans with their scope and resource, without what an otflow span does not hold."""
    found: list[Any] = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.ClearField("flags")
                span.ClearField("trace_state")
                for link in span.links:
                    link.ClearField("flags")
                    link.ClearField("trace_state")
                found.append((sorted(map(str, resource.resource.attributes)), scope.scope.name, str(span)))
    return sorted(found, key=str)


def test_spans_of_the_plain_exporter_keep_their_json_texts() -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="n")
    texts = {
        "mlflow.traceRequestId": f'"tr-{(b"t" * 16).hex()}"',
        "mlflow.spanOutputs": "42",
        "mlflow.spanType": '"LLM"',
    }
    for key, value in texts.items():
        span.attributes.add(key=key).value.string_value = value
    (decoded,) = decode_spans(request.SerializeToString())
    assert dict(decoded.raw_attributes) == texts
    assert (decoded.outputs, decoded.span_type) == (42, "LLM")


# -- every span ------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.sampled_from(["mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.x", "custom", "a.b"]) | TEXT.filter(bool)
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NATIVE = st.dictionaries(KEYS, st.booleans() | INT64 | st.floats(allow_nan=False) | TEXT, max_size=3)
TRACE_IDS = st.integers(min_value=1, max_value=2**128 - 1).map(lambda number: f"tr-{number:032x}")
SPAN_IDS = st.integers(min_value=1, max_value=2**64 - 1).map(lambda number: f"{number:016x}")
TIMES = st.integers(min_value=1, max_value=2**63)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    values = draw(st.dictionaries(KEYS, VALUES, max_size=5))
    return Span.of(
        trace_id=draw(TRACE_IDS),
        span_id=draw(SPAN_IDS),
        parent_id=draw(st.none() | SPAN_IDS),
        name=draw(TEXT),
        start_ns=draw(TIMES),
        end_ns=draw(st.none() | TIMES),
        status_code=draw(st.sampled_from(["UNSET", "OK", "ERROR"])),
        status_message=draw(TEXT),
        kind=draw(st.integers(min_value=0, max_value=4)),
        attributes={key: encode_attribute(key, value) for key, value in values.items()},
        events=[SpanEvent(draw(TEXT), draw(TIMES), draw(NATIVE)) for _ in range(draw(st.integers(0, 2)))],
        links=[Link(draw(TRACE_IDS), draw(SPAN_IDS), draw(NATIVE)) for _ in range(draw(st.integers(0, 2)))],
        scope=draw(TEXT),
        resource=draw(NATIVE),
    )


@given(spans())
def test_a_span_comes_back(span: Span) -> None:
    (back,) = decode_spans(encode_spans([span]))
    assert back.to_dict() == span.to_dict()
    assert repr(back.attributes) == repr(span.attributes)
    assert json.loads(back.content()).get("links") == json.loads(span.content()).get("links")
    assert (back.kind, back.scope, dict(back.resource)) == (span.kind, span.scope, dict(span.resource))


@given(st.lists(spans(), max_size=4))
def test_spans_are_grouped_by_resource_and_scope(many: list[Span]) -> None:
    request = ExportTraceServiceRequest.FromString(encode_spans(many))
    assert sorted(span.span_id for span in decode_spans(request.SerializeToString())) == sorted(
        span.span_id for span in many
    )
    scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
    assert len(scopes) == len({(repr(sorted(dict(span.resource).items())), span.scope) for span in many})


def span(**changes: Any) -> Span:
    fields: dict[str, Any] = {"trace_id": TRACE_ID, "span_id": "ab" * 8, "parent_id": None, "name": "n"}
    return Span.of(**{**fields, "start_ns": 1, "end_ns": 2, "status_code": "OK", **changes})


def test_values_that_json_has_no_form_for_come_back() -> None:
    attributes = {"mlflow.spanInputs": '{"nan": NaN, "inf": [Infinity, -Infinity]}', "n": float("inf")}
    (back,) = decode_spans(encode_spans([span(attributes=attributes)]))
    assert math.isnan(back.inputs["nan"])
    assert back.inputs["inf"] == [math.inf, -math.inf]
    assert back.raw_attributes["n"] == math.inf


def test_lone_surrogates_travel_escaped() -> None:
    (back,) = decode_spans(encode_spans([span(name="a\ud800b", attributes={"k": "\udfff"}, status_message="\udc00")]))
    assert back.name == "a\\ud800b"
    assert back.raw_attributes["k"] == "\\udfff"


def test_ten_megabytes_travel_whole() -> None:
    text = "x" * 10_000_000
    (back,) = decode_spans(encode_spans([span(attributes={"mlflow.spanInputs": json.dumps({"q": text})})]))
    assert back.inputs == {"q": text}


@pytest.mark.parametrize(
    "changes", [{"trace_id": "tr-1"}, {"span_id": "xyz"}, {"parent_id": "1"}, {"start_ns": -1}, {"end_ns": 2**64}]
)
def test_what_otlp_cannot_carry_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match="OTLP"):
        encode_spans([span(**changes)])


@pytest.mark.parametrize("body", [b"\xff\xff", b"not protobuf"])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidParameterError, match="ExportTraceServiceRequest"):
        decode_spans(body)


@pytest.mark.parametrize(
    ("trace_id", "span_id"), [(b"", b"s" * 8), (b"t" * 16, b""), (b"\0" * 16, b"s" * 8), (b"t", b"s")]
)
def test_ids_of_the_wrong_length_are_refused(trace_id: bytes, span_id: bytes) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=trace_id, span_id=span_id)
    with pytest.raises(InvalidParameterError, match=r"is not a (trace|span) id"):
        decode_spans(request.SerializeToString())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidParameterError):
        decode_spans(body)


# -- JSON ------------------------------------------------------------------------------------------------------


def test_numbers_may_be_strings_and_names_camel_case() -> None:
    decoded = span_from_json(
        {
            "traceId": "32380668b3917424880202ace135da2b",
            "spanId": "4b150d8ec699d25f",
            "parentSpanId": "c67667a2292bb3d2",
            "startTimeUnixNano": "5",
            "endTimeUnixNano": "7",
            "kind": 3,
            "status": {"code": 2, "message": "bad"},
            "attributes": [
                {"key": "i", "value": {"intValue": "9007199254740993"}},
                {"key": "d", "value": {"doubleValue": "NaN"}},
                {"key": "b", "value": {"bytesValue": "/wA="}},
                {"key": "none", "value": {}},
                {"key": "text", "value": {"stringValue": '{"a": 1}'}},
                {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": False}, {}]}}},
            ],
        }
    )
    assert (decoded.trace_id, decoded.span_id, decoded.parent_id) == (TRACE_ID, "4b150d8ec699d25f", "c67667a2292bb3d2")
    assert (decoded.start_time_ns, decoded.end_time_ns, decoded.kind) == (5, 7, 2)
    assert (decoded.status.status_code.value, decoded.status.description) == ("ERROR", "bad")
    assert decoded.attributes["i"] == 9007199254740993
    assert math.isnan(decoded.attributes["d"])
    assert decoded.attributes["none"] is None
    assert decoded.attributes["text"] == '{"a": 1}'
    assert decoded.attributes["list"] == [False, None]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"trace_id": "!!", "span_id": "!!"},
        {"trace_id": "MjgGaLORdCSIAgKs4TXaKw==", "span_id": "SxUNjsaZ0l8=", "attributes": 5},
        {"trace_id": "MjgGaLORdCSIAgKs4TXaKw==", "span_id": "SxUNjsaZ0l8=", "start_time_unix_nano": "soon"},
        {"trace_id": "MjgGaLORdCSIAgKs4TXaKw==", "span_id": "SxUNjsaZ0l8=", "status": "OK"},
        {
            "trace_id": "MjgGaLORdCSIAgKs4TXaKw==",
            "span_id": "SxUNjsaZ0l8=",
            "attributes": [{"key": "a", "value": {"x": 1}}],
        },
    ],
)
def test_a_malformed_span_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(OtflowError):
        span_from_json(data)
