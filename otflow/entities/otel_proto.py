"""Spans ↔ OTLP's protobuf messages, for the methods of the entities that MLflow has.

How spans travel to and from servers is the business of `otflow.wire.otlp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2

from otflow.entities.link import Link
from otflow.entities.span_event import SpanEvent
from otflow.entities.span_status import SpanStatus
from otflow.entities.values import clean_text, dump, encode_attribute
from otflow.semconv import TRACE_ID_PREFIX, SpanKey

if TYPE_CHECKING:
    from otflow.entities.span import Span

__all__ = ["event_to_proto", "span_from_proto", "span_to_proto"]

_INT64 = range(-(2**63), 2**63)


def to_any(value: Any) -> Any:
    """The OTLP value of a plain Python value."""
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value) if value in _INT64 else AnyValue(string_value=str(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=clean_text(value))
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=to_pairs(value)))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, Sequence):
        return AnyValue(array_value=ArrayValue(values=[to_any(item) for item in value]))  # pyright: ignore[reportUnknownVariableType]
    return AnyValue(string_value=dump(value))


def to_pairs(attributes: Mapping[Any, Any]) -> list[Any]:
    """The OTLP attributes of plain Python values."""
    return [KeyValue(key=clean_text(str(key)), value=to_any(value)) for key, value in attributes.items()]


def from_any(value: Any) -> Any:
    """The plain Python value of an OTLP value."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [from_any(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return from_pairs(value.kvlist_value.values)
    return getattr(value, kind)


def from_pairs(pairs: Iterable[Any]) -> dict[str, Any]:
    """The plain Python values of OTLP attributes."""
    return {pair.key: from_any(pair.value) for pair in pairs}


def event_to_proto(event: SpanEvent) -> Any:
    """The OTLP event of an event."""
    return trace_pb2.Span.Event(
        name=clean_text(event.name), time_unix_nano=event.timestamp, attributes=to_pairs(event.attributes)
    )


def span_to_proto(span: Span) -> Any:
    """The OTLP span of a span: attributes as values, not as JSON texts."""
    proto: Any = trace_pb2.Span(
        trace_id=bytes.fromhex(span.otel_trace_id),
        span_id=bytes.fromhex(span.span_id),
        name=clean_text(span.name),
        start_time_unix_nano=span.start_time_ns,
        end_time_unix_nano=span.end_time_ns or 0,
        attributes=to_pairs(span.attributes),
        events=[event_to_proto(event) for event in span.events],
        links=[
            trace_pb2.Span.Link(
                trace_id=bytes.fromhex(link.trace_id.removeprefix(TRACE_ID_PREFIX)),
                span_id=bytes.fromhex(link.span_id),
                attributes=to_pairs(link.attributes),
            )
            for link in span.links
        ],
    )
    if span.kind:
        proto.kind = span.kind + 1  # OTLP counts from UNSPECIFIED, the API from INTERNAL
    if span.parent_id:
        proto.parent_span_id = bytes.fromhex(span.parent_id)
    proto.status.CopyFrom(span.status.to_otel_proto_status())
    return proto


def span_from_proto(proto: Any, location_id: str | None) -> Span:
    """The span of an OTLP span: values as they are, also those that would read as JSON texts.

    The id of the trace is the one that the span says of itself, else made of OpenTelemetry's and the location.
    """
    from otflow.entities.span import Span

    hex_trace_id = f"{int.from_bytes(proto.trace_id, 'big'):032x}"
    made = f"trace:/{location_id}/{hex_trace_id}" if location_id else TRACE_ID_PREFIX + hex_trace_id
    values = from_pairs(proto.attributes)
    trace_id = str(values.setdefault(SpanKey.TRACE_ID, made))
    status = SpanStatus.from_otel_proto_status(proto.status)
    return Span.of(
        trace_id=trace_id,
        otel_trace_id=hex_trace_id,
        span_id=_span_id(proto.span_id) or "0" * 16,
        parent_id=_span_id(proto.parent_span_id),
        name=proto.name,
        start_ns=proto.start_time_unix_nano,
        end_ns=proto.end_time_unix_nano or None,
        status_code=status.status_code.value,
        status_message=status.description,
        kind=max(0, proto.kind - 1),
        attributes={key: encode_attribute(key, value) for key, value in values.items()},
        events=[SpanEvent(event.name, event.time_unix_nano, from_pairs(event.attributes)) for event in proto.events],
        links=[
            Link(TRACE_ID_PREFIX + link.trace_id.hex(), link.span_id.hex(), from_pairs(link.attributes))
            for link in proto.links
        ],
    )


def _span_id(number: bytes) -> str | None:
    """The id in hex; None for no id, be it empty or zero."""
    return f"{int.from_bytes(number, 'big'):016x}" if any(number) else None
