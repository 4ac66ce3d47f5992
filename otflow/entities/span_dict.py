"""Spans ↔ dictionaries: MLflow 3's form (ids in base64, attributes as JSON texts), and to read also MLflow 2's."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from otflow.entities.link import Link
from otflow.entities.reading import reading
from otflow.entities.span_event import SpanEvent
from otflow.entities.span_status import SpanStatus, SpanStatusCode
from otflow.entities.values import attribute_json, decode_attribute, encode_attribute
from otflow.semconv import TRACE_ID_PREFIX, SpanKey

if TYPE_CHECKING:
    from otflow.entities.span import Span

__all__ = ["own_trace_id", "span_from_dict", "span_from_dict_v2", "span_to_dict"]

_MLFLOW = "mlflow."


def span_to_dict(span: Span) -> dict[str, Any]:
    """The dictionary of a span."""
    status = span.status
    found: dict[str, Any] = {
        "trace_id": _to_base64(span.otel_trace_id),
        "span_id": _to_base64(span.span_id),
        "parent_span_id": _to_base64(span.parent_id) if span.parent_id else None,
        "name": span.name,
        "start_time_unix_nano": span.start_time_ns,
        "end_time_unix_nano": span.end_time_ns,
        "events": [
            {"name": event.name, "time_unix_nano": event.timestamp, "attributes": _plain(event.attributes)}
            for event in span.events
        ],
        "status": {"code": status.status_code.proto_name, "message": status.description},
        "attributes": {key: attribute_json(value) for key, value in span.raw_attributes.items()},
    }
    links = span.links
    if links:
        found["links"] = [
            {
                "trace_id": _to_base64(link.trace_id.removeprefix(TRACE_ID_PREFIX)),
                "span_id": _to_base64(link.span_id),
                "attributes": _plain(link.attributes),
            }
            for link in links
        ]
    return found


def span_from_dict(data: Mapping[str, Any]) -> Span:
    """The span of a dictionary; see `Span.from_dict`."""
    from otflow.entities.span import Span

    with reading("Span", data):
        if "context" in data:
            return span_from_dict_v2(data)
        status = data["status"]
        code = status["code"]
        attributes = data["attributes"]
        trace_id = _to_hex(data["trace_id"], 32)
        return Span.of(
            trace_id=own_trace_id(attributes, trace_id),
            otel_trace_id=trace_id,
            span_id=_to_hex(data["span_id"], 16),
            parent_id=_to_hex(data["parent_span_id"], 16) if data["parent_span_id"] else None,
            name=data["name"],
            start_ns=int(data["start_time_unix_nano"]),
            end_ns=_end_ns(data.get("end_time_unix_nano")),
            status_code=SpanStatusCode.of_proto_name(code).value,
            status_message=status.get("message") or "",
            attributes=_read_attributes(attributes),
            events=[
                SpanEvent(event["name"], int(event["time_unix_nano"]), dict(event.get("attributes") or {}))
                for event in data.get("events") or ()
            ],
            links=[
                Link(
                    TRACE_ID_PREFIX + _to_hex(link["trace_id"], 32),
                    _to_hex(link["span_id"], 16),
                    dict(link.get("attributes") or {}),
                )
                for link in data.get("links") or ()
            ],
        )


def span_from_dict_v2(data: Mapping[str, Any]) -> Span:
    """The span of a dictionary of MLflow 2's form; see `Span.from_dict_v2`."""
    from otflow.entities.span import Span

    with reading("Span", data):
        context, attributes = data["context"], data["attributes"]
        trace_id = _to_hex(context["trace_id"], 32)
        status = SpanStatus(data["status_code"], data["status_message"] or "")
        return Span.of(
            trace_id=own_trace_id(attributes, trace_id),
            otel_trace_id=trace_id,
            span_id=_to_hex(context["span_id"], 16),
            parent_id=_to_hex(data["parent_id"], 16) if data["parent_id"] else None,
            name=data["name"],
            start_ns=int(data["start_time"]),
            end_ns=_end_ns(data["end_time"]),
            status_code=status.status_code.value,
            status_message=status.description,
            attributes=_read_attributes(attributes),
            events=[SpanEvent.from_dictionary(event) for event in data["events"]],
        )


def own_trace_id(attributes: Mapping[str, Any], hex_trace_id: str) -> str:
    """The id of the trace: what the span says of itself, else what OpenTelemetry's id gives."""
    own = decode_attribute(attributes.get(SpanKey.TRACE_ID))
    return own if isinstance(own, str) and own else TRACE_ID_PREFIX + hex_trace_id


def _to_base64(hex_id: str) -> str:
    return base64.b64encode(bytes.fromhex(hex_id)).decode("ascii")


def _to_hex(text: Any, digits: int) -> str:
    """An id in hex, of one in hex (with or without 0x) or base64."""
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is not an id of {digits // 2} bytes in base64 or hex")
    if len(text) == digits or (text.startswith("0x") and len(text) <= digits + 2):
        try:
            return f"{int(text, 16):0{digits}x}"
        except ValueError:
            pass  # base64, then, which may well begin with 0x
    try:
        found = base64.b64decode(text, validate=True).hex()
    except ValueError:
        found = ""
    if len(found) != digits:
        raise ValueError(f"{text!r} is not an id of {digits // 2} bytes in base64 or hex")
    return found


def _read_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as OpenTelemetry holds them, of JSON texts; any other text is a value itself."""
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        if isinstance(value, str):
            decoded = decode_attribute(value)
            # The text itself where it is one already: nothing that is in it is lost on the way.
            kept = key.startswith(_MLFLOW) and decoded is not value
            found[key] = value if kept else encode_attribute(key, decoded)
        else:
            found[key] = encode_attribute(key, value)
    return found


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
        for key, value in attributes.items()
    }


def _end_ns(value: Any) -> int | None:
    """An end time; None, as 0 in OTLP, is none."""
    return int(value or 0) or None
