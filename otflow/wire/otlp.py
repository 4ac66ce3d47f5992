"""Spans ↔ OTLP: the protobuf `ExportTraceServiceRequest`, and the JSON in which MLflow's REST API answers with spans.

What travels: ids, parent, name, kind, times, status, attributes, events, links, the scope's name, the resource. What an
otflow span does not hold is not kept: trace state, flags, dropped counts, schema URLs, the scope's version.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from otflow.entities import Link, Span, SpanEvent
from otflow.entities.values import AttributeValue, clean_text, dump, encode_attribute
from otflow.errors import InvalidParameterError
from otflow.semconv import TRACE_ID_PREFIX
from otflow.wire.attributes import holds_text, received, sendable, sent
from otflow.wire.scalars import Json, integer, malformed, member, members

__all__ = ["decode_spans", "encode_spans", "span_from_json"]

_TRACE_ID: Final = re.compile(r"tr-([0-9a-f]{32})")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
_STATUS_CODES: Final = ("UNSET", "OK", "ERROR")
"""The names of the status codes; the position is the number on the wire."""
_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


# -- spans → protobuf ------------------------------------------------------------------------------------------


def encode_spans(
    spans: Iterable[Span],
    attributes_of: Callable[[Span], Mapping[str, object]] | None = None,
    here: Mapping[str, object] | None = None,
) -> bytes:
    """The body of `POST /v1/traces` that carries the spans.

    Args:
        spans: The spans.
        attributes_of: What travels as the attributes of a span; by default what MLflow's server expects.
        here: The resource of spans that name none, which are this process's.

    Raises:
        InvalidParameterError: An id or a time is not one that OTLP can carry.
    """
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from otflow.entities.otel_proto import to_pairs

    request: Any = ExportTraceServiceRequest()
    resources: dict[str, Any] = {}
    scopes: dict[tuple[str, str], Any] = {}
    for span in spans:
        made_by = span.resource or here or {}
        resource = dump(dict(made_by)) if made_by else ""
        if resource not in resources:
            resources[resource] = request.resource_spans.add()
            resources[resource].resource.attributes.extend(to_pairs(_sendable(made_by)))
        scope = (resource, span.scope)
        if scope not in scopes:
            scopes[scope] = resources[resource].scope_spans.add()
            if span.scope:
                scopes[scope].scope.name = clean_text(span.scope)
        attributes = _sent_attributes(span) if attributes_of is None else _sendable(attributes_of(span))
        _fill_span(scopes[scope].spans.add(), span, attributes)
    return request.SerializeToString()


def _sent_attributes(span: Span) -> dict[str, object]:
    return {key: sent(key, raw) for key, raw in span.raw_attributes.items()}


def _fill_span(target: Any, span: Span, attributes: dict[str, object]) -> None:
    from otflow.entities.otel_proto import to_pairs

    target.trace_id = _trace_id_bytes(span.trace_id)
    target.span_id = _span_id_bytes(span.span_id)
    if span.parent_id:
        target.parent_span_id = _span_id_bytes(span.parent_id)
    target.name = clean_text(span.name)
    target.kind = span.kind + 1
    target.start_time_unix_nano = _time(span.start_time_ns)
    if span.end_time_ns is not None:
        target.end_time_unix_nano = _time(span.end_time_ns)
    target.status.code = _STATUS_CODES.index(span.status_code)
    target.status.message = clean_text(span.status.description)
    target.attributes.extend(to_pairs(attributes))
    for event in span.events:
        item = target.events.add(name=clean_text(event.name), time_unix_nano=_time(event.timestamp))
        item.attributes.extend(to_pairs(_sendable(event.attributes)))
    for link in span.links:
        item = target.links.add(trace_id=_trace_id_bytes(link.trace_id), span_id=_span_id_bytes(link.span_id))
        item.attributes.extend(to_pairs(_sendable(link.attributes)))


def _sendable(attributes: Mapping[str, object]) -> dict[str, object]:
    return {key: sendable(value) for key, value in attributes.items()}


def _time(ns: int) -> int:
    if not 0 <= ns < 2**64:
        raise InvalidParameterError(f"{ns} ns cannot travel as OTLP: a time is from 0 to 2**64 - 1 ns after 1970")
    return ns


def _trace_id_bytes(trace_id: str) -> bytes:
    match = _TRACE_ID.fullmatch(trace_id)
    if match is None:
        raise InvalidParameterError(
            f"A trace id is 'tr-' and 32 hexadecimal digits, not {trace_id!r}: it cannot travel as OTLP"
        )
    return bytes.fromhex(match[1])


def _span_id_bytes(span_id: str) -> bytes:
    if _SPAN_ID.fullmatch(span_id) is None:
        raise InvalidParameterError(f"A span id is 16 hexadecimal digits, not {span_id!r}: it cannot travel as OTLP")
    return bytes.fromhex(span_id)


# -- protobuf → spans ------------------------------------------------------------------------------------------


def decode_spans(body: bytes) -> list[Span]:
    """The spans of an `ExportTraceServiceRequest`, in its order.

    Raises:
        InvalidParameterError: The bytes are not such a request, or an id in it has not the right length.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from otflow.entities.otel_proto import from_pairs

    try:
        request: Any = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise InvalidParameterError("The body is not a protobuf ExportTraceServiceRequest") from None
    spans: list[Span] = []
    for resource_spans in request.resource_spans:
        resource = from_pairs(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope.name
            spans.extend(_span_of_proto(span, resource, scope) for span in scope_spans.spans)
    return spans


def _span_of_proto(span: Any, resource: dict[str, object], scope: str) -> Span:
    from otflow.entities.otel_proto import from_pairs

    return Span.of(
        trace_id=_trace_id(span.trace_id),
        span_id=_span_id(span.span_id),
        parent_id=_span_id(span.parent_span_id) if span.parent_span_id.strip(b"\0") else None,
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano or None,
        status_code=_named(_STATUS_CODES, span.status.code),
        status_message=span.status.message,
        kind=max(0, int(span.kind) - 1),
        attributes=_received_attributes(from_pairs(span.attributes)),
        events=[SpanEvent(event.name, event.time_unix_nano, from_pairs(event.attributes)) for event in span.events],
        links=[
            Link(_trace_id(link.trace_id), _span_id(link.span_id), from_pairs(link.attributes)) for link in span.links
        ],
        scope=scope,
        resource=resource,
    )


def _received_attributes(values: dict[str, object]) -> dict[str, AttributeValue]:
    text = holds_text(values)
    return {key: received(key, value, text=text) for key, value in values.items()}


def _trace_id(value: bytes) -> str:
    if len(value) != 16 or not any(value):
        raise InvalidParameterError(f"{value.hex() or 'Nothing'} is not a trace id: 16 bytes, not all of them zero")
    return TRACE_ID_PREFIX + value.hex()


def _span_id(value: bytes) -> str:
    if len(value) != 8 or not any(value):
        raise InvalidParameterError(f"{value.hex() or 'Nothing'} is not a span id: 8 bytes, not all of them zero")
    return value.hex()


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


# -- JSON → spans ----------------------------------------------------------------------------------------------


def span_from_json(data: Json) -> Span:
    """A span of the answers of `GET /api/3.0/mlflow/traces/get` and `batchGet`: OTLP in protobuf's JSON form.

    A string in such an answer is a string, never JSON text. Names may be in snake or camel case, ids in base64, as
    protobuf writes bytes, or in hex, as OTLP's own JSON does.

    Raises:
        OtflowError: The span is malformed.
    """
    parent = _first(data, "parent_span_id", "parentSpanId")
    status = member(data, "status", "status of a span")
    return Span.of(
        trace_id=_trace_id(_json_id(_first(data, "trace_id", "traceId"), 16)),
        span_id=_span_id(_json_id(_first(data, "span_id", "spanId"), 8)),
        parent_id=_span_id(_json_id(parent, 8)) if parent else None,
        name=str(data.get("name") or ""),
        start_ns=integer(_first(data, "start_time_unix_nano", "startTimeUnixNano")),
        end_ns=integer(_first(data, "end_time_unix_nano", "endTimeUnixNano")) or None,
        status_code=_json_enum(status.get("code"), "STATUS_CODE_", _STATUS_CODES),
        status_message=str(status.get("message") or ""),
        kind=max(0, _KINDS.index(_json_enum(data.get("kind"), "SPAN_KIND_", _KINDS)) - 1),
        attributes={key: encode_attribute(key, value) for key, value in _json_attributes(data).items()},
        events=[
            SpanEvent(
                str(event.get("name") or ""),
                integer(_first(event, "time_unix_nano", "timeUnixNano")),
                cast("Any", _json_attributes(event)),
            )
            for event in members(data, "events", "events of a span")
        ],
        links=[
            Link(
                _trace_id(_json_id(_first(link, "trace_id", "traceId"), 16)),
                _span_id(_json_id(_first(link, "span_id", "spanId"), 8)),
                _json_attributes(link),
            )
            for link in members(data, "links", "links of a span")
        ],
    )


def _first(data: Json, snake: str, camel: str) -> object:
    return data[snake] if snake in data else data.get(camel)


def _json_attributes(data: Json) -> dict[str, object]:
    items = members(data, "attributes", "attributes")
    return {str(item.get("key")): _json_value(item.get("value")) for item in items}


def _json_value(value: object) -> object:
    if not value:
        return None
    if not isinstance(value, Mapping) or len(cast("Json", value)) != 1:
        raise malformed("attribute value", cast("object", value))
    ((kind, inner),) = cast("Json", value).items()
    if kind in ("string_value", "stringValue"):
        return str(inner)
    if kind in ("bool_value", "boolValue"):
        return bool(inner)
    if kind in ("int_value", "intValue"):
        return integer(inner)
    if kind in ("double_value", "doubleValue"):
        return _json_float(inner)
    if kind in ("bytes_value", "bytesValue"):
        return _base64(inner)
    if kind in ("array_value", "arrayValue"):
        return [_json_value(item) for item in members(inner, "values", "array")]
    if kind in ("kvlist_value", "kvlistValue"):
        return {str(item.get("key")): _json_value(item.get("value")) for item in members(inner, "values", "kvlist")}
    raise malformed("attribute value", cast("object", value))


def _json_float(value: object) -> float:
    try:
        return float(cast("Any", value))  # protobuf writes "NaN", "Infinity" and "-Infinity" as strings
    except (TypeError, ValueError):
        raise malformed("number", value) from None


def _base64(value: object) -> bytes:
    try:
        return base64.b64decode(cast("Any", value), validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise malformed("base64 text", value) from None


def _json_id(value: object, size: int) -> bytes:
    if isinstance(value, str) and len(value) == 2 * size:
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise malformed("id", value) from None
    return _base64(value)


def _json_enum(value: object, prefix: str, names: Sequence[str]) -> str:
    if isinstance(value, int):
        return _named(names, value)
    name = str(value or "").removeprefix(prefix)
    return name if name in names else names[0]
