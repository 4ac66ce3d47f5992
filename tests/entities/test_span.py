"""Spans as plain data."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.trace import INVALID_SPAN, Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otflow.entities import LiveSpan, Span, SpanEvent, SpanStatus, SpanStatusCode, SpanType
from otflow.errors import InvalidParameterError

TRACE_ID = f"tr-{1:032x}"
MLFLOW_3 = {
    "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==",
    "span_id": "AAAAAAAAAAI=",
    "parent_span_id": None,
    "name": "n",
    "start_time_unix_nano": 5,
    "end_time_unix_nano": 9,
    "events": [{"name": "e", "time_unix_nano": 6, "attributes": {"a": [1, 2]}}],
    "status": {"code": "STATUS_CODE_OK", "message": ""},
    "attributes": {"mlflow.traceRequestId": f'"{TRACE_ID}"', "mlflow.spanType": '"LLM"', "x": "1"},
}
MLFLOW_2 = {
    "name": "n",
    "context": {"trace_id": f"0x{1:032x}", "span_id": f"0x{2:016x}"},
    "parent_id": None,
    "start_time": 5,
    "end_time": 9,
    "status_code": "OK",
    "status_message": "",
    "attributes": {"mlflow.traceRequestId": '"abc"', "mlflow.spanType": '"LLM"', "x": "1"},
    "events": [{"name": "e", "timestamp": 6, "attributes": {"a": [1, 2]}}],
}


def context(span_id: int = 2) -> SpanContext:
    return SpanContext(1, span_id, is_remote=False, trace_flags=TraceFlags(1))


def recorded(**changes: Any) -> ReadableSpan:
    given: dict[str, Any] = {
        "name": "n",
        "context": context(),
        "attributes": {"mlflow.spanType": '"LLM"'},
        "start_time": 5,
        "end_time": 9,
        "status": Status(StatusCode.OK),
    }
    return ReadableSpan(**{**given, **changes})


def without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}


class TestOfOpenTelemetry:
    def test_is_copied(self):
        span = Span(
            recorded(
                kind=SpanKind.CLIENT,
                parent=context(3),
                status=Status(StatusCode.ERROR, "no"),
                events=[Event("e", {"a": (1, 2)}, 6)],
                links=[Link(context(4), {"why": "x"})],
                attributes={"mlflow.spanType": '"LLM"', "a": 1, "b": (1.5, 2.0), "c": "text", "d": '{"e": null}'},
            )
        )
        assert span.trace_id == span.request_id == TRACE_ID
        assert span.otel_trace_id == f"{1:032x}"
        assert (span.span_id, span.parent_id) == (f"{2:016x}", f"{3:016x}")
        assert (span.name, span.start_time_ns, span.end_time_ns) == ("n", 5, 9)
        assert span.status == SpanStatus(SpanStatusCode.ERROR, "no")
        assert span.status_code == "ERROR"
        assert span.kind == SpanKind.CLIENT.value
        assert span.span_type == "LLM"
        assert span.attributes == {
            "mlflow.traceRequestId": TRACE_ID,
            "mlflow.spanType": "LLM",
            "a": 1,
            "b": [1.5, 2.0],
            "c": "text",
            "d": {"e": None},
        }
        assert [(event.name, event.timestamp, event.attributes) for event in span.events] == [("e", 6, {"a": (1, 2)})]
        assert [(link.trace_id, link.span_id, link.attributes) for link in span.links] == [
            (TRACE_ID, f"{4:016x}", {"why": "x"})
        ]

    def test_a_copy_does_not_follow_the_original(self):
        original = TracerProvider().get_tracer("scope").start_span("n")
        span = Span(original)
        original.set_attribute("late", 1)
        original.add_event("late")
        original.end()
        assert span.get_attribute("late") is None
        assert span.events == []
        assert span.end_time_ns is None
        assert span.scope == "scope"

    def test_the_trace_id_that_it_says_of_itself_counts(self):
        span = Span(recorded(attributes={"mlflow.traceRequestId": '"abc"'}))
        assert span.trace_id == "abc"
        assert span.otel_trace_id == f"{1:032x}"

    def test_recorded_is_in_the_trace_that_recorded_it(self):
        span = Span.recorded(recorded(attributes={"mlflow.traceRequestId": '"forged"', "a": 1}), "tr-x")
        assert span.trace_id == "tr-x"
        assert span.attributes == {"mlflow.traceRequestId": "tr-x", "a": 1}
        assert span.otel_trace_id == f"{1:032x}"

    @pytest.mark.parametrize("nothing", [None, "x", {}, INVALID_SPAN])
    def test_anything_else_is_refused(self, nothing):
        with pytest.raises(InvalidParameterError, match=r"otel_span.*but got"):
            Span(nothing)


class TestReading:
    def span(self, **attributes: Any) -> Span:
        return Span(recorded(attributes=attributes))

    def test_what_is_not_there(self):
        span = Span.of(trace_id=TRACE_ID, span_id=f"{2:016x}", parent_id=None, name="n", start_ns=5, end_ns=None)
        assert span.span_type == SpanType.UNKNOWN
        assert (span.inputs, span.outputs, span.model_name, span.llm_cost) == (None, None, None, None)
        assert (span.attributes, span.events, span.links, span.resource) == ({}, [], [], {})
        assert (span.kind, span.scope, span.end_time_ns) == (0, "", None)
        assert span.status == SpanStatus("UNSET")
        assert span.get_attribute("x") is None

    def test_well_known_attributes(self):
        span = self.span(
            **{
                "mlflow.spanInputs": '{"q": ["a"]}',
                "mlflow.spanOutputs": "null",
                "mlflow.llm.model": '"tiny"',
                "mlflow.llm.cost": '{"total_cost": 0.5}',
            }
        )
        assert span.inputs == {"q": ["a"]}
        assert span.outputs is None
        assert span.model_name == "tiny"
        assert span.llm_cost == {"total_cost": 0.5}
        assert self.span(**{"mlflow.llm.cost": '"much"'}).llm_cost is None

    def test_lists_are_the_callers_own(self):
        span = Span.from_dict(MLFLOW_3)
        span.events.clear()
        span.attributes.clear()
        assert len(span.events) == 1
        assert span.attributes

    def test_content_is_read_only_when_it_is_asked_for(self):
        span = Span.of(
            trace_id=TRACE_ID,
            span_id=f"{2:016x}",
            parent_id=None,
            name="n",
            start_ns=5,
            end_ns=9,
            status_code="OK",
            content="not read",
        )
        assert (span.name, span.trace_id, span.start_time_ns, span.status_code) == ("n", TRACE_ID, 5, "OK")
        assert repr(span)
        assert hash(span)
        assert span.content() == "not read"
        with pytest.raises(ValueError, match="Expecting value"):
            span.attributes  # noqa: B018

    def test_content_leaves_out_what_is_empty(self):
        span = Span.of(trace_id=TRACE_ID, span_id=f"{2:016x}", parent_id=None, name="n", start_ns=5, end_ns=9)
        assert span.content() == "{}"
        full = Span.of(
            trace_id=TRACE_ID,
            span_id=f"{2:016x}",
            parent_id=None,
            name="n",
            start_ns=5,
            end_ns=9,
            status_code="ERROR",
            status_message="no",
            kind=2,
            attributes={"a": (1, 2)},
            events=[SpanEvent("e", 6), SpanEvent("f", 7, {"a": 1})],
            scope="s",
            resource={"service.name": "x"},
        )
        assert json.loads(full.content()) == {
            "kind": 2,
            "message": "no",
            "attributes": {"a": [1, 2]},
            "events": [{"name": "e", "timestamp": 6}, {"name": "f", "timestamp": 7, "attributes": {"a": 1}}],
            "scope": "s",
            "resource": {"service.name": "x"},
        }

    def test_many_are_cheap(self):
        span = Span.from_dict(MLFLOW_3)
        assert not hasattr(span, "__dict__")
        assert sys.getsizeof(span) < 250

    def test_nothing_can_be_set(self):
        span = Span.from_dict(MLFLOW_3)
        for name in ("name", "trace_id", "span_id", "attributes", "status", "anything"):
            with pytest.raises(AttributeError):
                setattr(span, name, "x")

    def test_text(self):
        assert repr(Span.from_dict(MLFLOW_3)) == (
            f"Span(name='n', trace_id='{TRACE_ID}', span_id='0000000000000002', parent_id=None)"
        )

    def test_equality(self):
        span = Span.from_dict(MLFLOW_3)
        assert span == Span.from_dict(MLFLOW_3)
        assert hash(span) == hash(Span.from_dict(MLFLOW_3))
        assert copy.deepcopy(span) == span
        assert span != Span.from_dict({**MLFLOW_3, "name": "other"})
        assert span != Span.from_dict({**MLFLOW_3, "attributes": {}})
        assert span != "span"


class TestMlflow3:
    def test_is_written_as_it_was_read(self):
        assert Span.from_dict(MLFLOW_3).to_dict() == MLFLOW_3

    def test_every_attribute_is_json_text(self):
        written = Span(
            recorded(attributes={"i": 1, "f": 1.5, "b": True, "l": (1, 2), "s": "text", "t": "12", "d": '{"a": 1}'})
        ).to_dict()["attributes"]
        assert written == {
            "mlflow.traceRequestId": f'"{TRACE_ID}"',
            "i": "1",
            "f": "1.5",
            "b": "true",
            "l": "[1, 2]",
            "s": '"text"',
            "t": "12",
            "d": '{"a": 1}',
        }

    def test_links_are_written_only_where_there_are_any(self):
        assert "links" not in Span.from_dict(MLFLOW_3).to_dict()
        written = Span(recorded(links=[Link(context(3), {"a": (1, 2)})])).to_dict()
        assert written["links"] == [
            {"trace_id": MLFLOW_3["trace_id"], "span_id": "AAAAAAAAAAM=", "attributes": {"a": [1, 2]}}
        ]

    @pytest.mark.parametrize(
        ("text", "span_id"),
        [
            ("AAAAAAAAAAI=", 2),
            (f"{2:016x}", 2),
            (f"0x{2:016x}", 2),
            ("0x2", 2),
            ("ABCDEF0123456789", 0xABCDEF0123456789),
            ("0xMIiJg6TgY=", 0xD3130888983A4E06),
        ],
    )
    def test_ids_in_base64_or_hex(self, text, span_id):
        span = Span.from_dict({**MLFLOW_3, "span_id": text, "parent_span_id": text})
        assert span.span_id == span.parent_id == f"{span_id:016x}"

    @pytest.mark.parametrize("text", ["", "x", "!!!!!!!!!!!!", "AAAA", None, 5, "0x" + "1" * 17, "0xg"])
    def test_ids_that_are_none(self, text):
        with pytest.raises(InvalidParameterError, match="Failed to create a Span object"):
            Span.from_dict({**MLFLOW_3, "span_id": text})

    @pytest.mark.parametrize(
        "key", ["trace_id", "span_id", "parent_span_id", "name", "start_time_unix_nano", "status", "attributes"]
    )
    def test_what_must_be_there(self, key):
        with pytest.raises(InvalidParameterError, match=f"'{key}' is missing"):
            Span.from_dict(without(MLFLOW_3, key))

    @pytest.mark.parametrize("key", ["end_time_unix_nano", "events"])
    def test_what_may_be_left_out(self, key):
        span = Span.from_dict(without(MLFLOW_3, key))
        assert span.name == "n"
        assert span.end_time_ns is None or span.events == []

    @pytest.mark.parametrize("end", [None, 0, "0", ""])
    def test_no_end(self, end):
        assert Span.from_dict({**MLFLOW_3, "end_time_unix_nano": end}).end_time_ns is None

    @pytest.mark.parametrize(
        "change",
        [
            {"status": {"code": "STATUS_CODE_WHAT", "message": ""}},
            {"status": {"code": 2}},
            {"status": None},
            {"attributes": None},
            {"attributes": []},
            {"start_time_unix_nano": None},
            {"start_time_unix_nano": "soon"},
            {"events": [{"name": "e"}]},
            {"events": ["e"]},
            {"links": [{"trace_id": "x", "span_id": "y"}]},
        ],
    )
    def test_what_is_malformed(self, change):
        with pytest.raises(InvalidParameterError, match="Failed to create a Span object"):
            Span.from_dict({**MLFLOW_3, **change})

    @pytest.mark.parametrize("nothing", [None, "x", 5, [], {}])
    def test_what_is_no_span(self, nothing):
        with pytest.raises(InvalidParameterError, match="Failed to create a Span object"):
            Span.from_dict(nothing)

    def test_attributes_that_are_no_json_texts(self):
        span = Span.from_dict(
            {**MLFLOW_3, "attributes": {"mlflow.spanType": "LLM", "a": 1, "b": [1, None], "c": "{not json", "d": None}}
        )
        assert span.attributes == {"mlflow.spanType": "LLM", "a": 1, "b": [1, None], "c": "{not json", "d": None}
        assert Span.from_dict(span.to_dict()).attributes == span.attributes

    @pytest.mark.parametrize("own", [5, None, "", '""', "[1]"])
    def test_a_trace_id_that_is_none(self, own):
        assert Span.from_dict({**MLFLOW_3, "attributes": {"mlflow.traceRequestId": own}}).trace_id == TRACE_ID

    def test_texts_of_inputs_are_kept_to_the_letter(self):
        text = '{"a":1.10,"b":"\\u00e9"}'
        span = Span.from_dict({**MLFLOW_3, "attributes": {"mlflow.spanInputs": text}})
        assert span.to_dict()["attributes"]["mlflow.spanInputs"] == text
        assert span.inputs == {"a": 1.1, "b": "é"}

    def test_status(self):
        for code in ("STATUS_CODE_ERROR", "ERROR"):
            span = Span.from_dict({**MLFLOW_3, "status": {"code": code, "message": "no"}})
            assert span.status == SpanStatus("ERROR", "no")
        assert Span.from_dict({**MLFLOW_3, "status": {"code": "STATUS_CODE_UNSET"}}).status == SpanStatus("UNSET")


class TestMlflow2:
    def test_is_read(self):
        for span in (Span.from_dict_v2(MLFLOW_2), Span.from_dict(MLFLOW_2)):
            assert (span.trace_id, span.otel_trace_id) == ("abc", f"{1:032x}")
            assert (span.span_id, span.parent_id, span.name) == (f"{2:016x}", None, "n")
            assert (span.start_time_ns, span.end_time_ns) == (5, 9)
            assert span.status == SpanStatus("OK")
            assert span.attributes == {"mlflow.traceRequestId": "abc", "mlflow.spanType": "LLM", "x": 1}
            assert span.events == [SpanEvent("e", 6, {"a": [1, 2]})]

    def test_parent_and_error(self):
        span = Span.from_dict_v2({**MLFLOW_2, "parent_id": "0x3", "status_code": "ERROR", "status_message": "no"})
        assert span.parent_id == f"{3:016x}"
        assert span.status == SpanStatus("ERROR", "no")

    @pytest.mark.parametrize("key", list(MLFLOW_2))
    def test_all_of_it_must_be_there(self, key):
        with pytest.raises(InvalidParameterError, match=f"'{key}' is missing"):
            Span.from_dict_v2(without(MLFLOW_2, key))

    @pytest.mark.parametrize("change", [{"status_code": "WHAT"}, {"status_code": None}, {"context": {}}, {"events": 5}])
    def test_what_is_malformed(self, change):
        with pytest.raises(InvalidParameterError):
            Span.from_dict_v2({**MLFLOW_2, **change})


class TestOtlp:
    def test_values_travel_as_values(self):
        span = Span(
            recorded(
                kind=SpanKind.SERVER,
                parent=context(3),
                status=Status(StatusCode.ERROR, "no"),
                links=[Link(context(4))],
                attributes={"mlflow.spanInputs": '{"a": [1, null]}', "text": "x", "json": '"{}"', "n": 2**40},
            )
        )
        proto = span.to_otel_proto()
        attributes = {pair.key: pair.value for pair in proto.attributes}
        assert attributes["mlflow.spanInputs"].kvlist_value.values[0].value.array_value.values[0].int_value == 1
        assert attributes["json"].string_value == "{}"
        assert attributes["n"].int_value == 2**40
        assert proto.parent_span_id == (3).to_bytes(8, "big")
        assert (proto.kind, proto.status.code, proto.status.message) == (2, 2, "no")
        assert Span.from_otel_proto(proto) == span

    def test_a_text_that_reads_as_json_stays_text(self):
        proto = Span(recorded()).to_otel_proto()
        pair = proto.attributes.add()
        pair.key, pair.value.string_value = "mlflow.spanOutputs", '{"a": 1}'
        assert Span.from_otel_proto(proto).outputs == '{"a": 1}'

    def test_what_is_missing(self):
        from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

        span = Span.from_otel_proto(ProtoSpan(name="n", trace_id=b"\1", span_id=b"\2", parent_span_id=bytes(8)))
        assert (span.trace_id, span.span_id, span.parent_id) == (TRACE_ID, f"{2:016x}", None)
        assert (span.end_time_ns, span.kind, span.status.status_code) == (None, 0, SpanStatusCode.UNSET)
        assert span.attributes == {"mlflow.traceRequestId": TRACE_ID}

    def test_ids_of_traces(self):
        proto = Span(recorded(attributes={"mlflow.traceRequestId": '"abc"'})).to_otel_proto()
        assert Span.from_otel_proto(proto).trace_id == "abc"
        del proto.attributes[:]
        assert Span.from_otel_proto(proto).trace_id == TRACE_ID
        assert Span.from_otel_proto(proto, location_id="a.b").trace_id == f"trace:/a.b/{1:032x}"


def test_a_live_span_reads_as_its_copy():
    live = LiveSpan(TracerProvider().get_tracer("scope").start_span("n"), TRACE_ID, "TOOL")
    live.set_inputs({"a": 1})
    live.add_event(SpanEvent("e", 6))
    copied = live.to_immutable_span()
    assert type(copied) is Span
    assert copied.attributes == {**live.attributes, "mlflow.traceRequestId": copied.trace_id}
    assert copied.events == live.events
    assert (copied.name, copied.span_type, copied.inputs) == ("n", "TOOL", {"a": 1})
