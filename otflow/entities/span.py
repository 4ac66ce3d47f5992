"""A span as plain data: what stores write and read, and what searches return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from otflow.entities.link import Link
from otflow.entities.span_dict import own_trace_id, span_from_dict, span_from_dict_v2, span_to_dict
from otflow.entities.span_event import SpanEvent
from otflow.entities.span_status import SpanStatus, SpanStatusCode
from otflow.entities.span_type import SpanType
from otflow.entities.values import decode_attribute, dump, load
from otflow.errors import InvalidParameterError
from otflow.semconv import TRACE_ID_PREFIX, OTel, SpanKey

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Span"]


class Span:
    """One step of a trace; read-only.

    Args:
        otel_span: The OpenTelemetry span to copy.

    Raises:
        InvalidParameterError: not a span of the OpenTelemetry SDK.
    """

    __slots__ = (
        "_attributes",
        "_content",
        "_end_ns",
        "_events",
        "_kind",
        "_links",
        "_name",
        "_otel_trace_id",
        "_parent_id",
        "_resource",
        "_scope",
        "_span_id",
        "_start_ns",
        "_status_code",
        "_status_message",
        "_trace_id",
    )

    def __init__(self, otel_span: ReadableSpan) -> None:
        context = getattr(otel_span, "context", None)
        if context is None:
            raise InvalidParameterError(
                "The `otel_span` argument for the Span class must be a ReadableSpan of the OpenTelemetry SDK that is in"
                f" a trace, but got {type(otel_span)}."
            )
        parent = otel_span.parent
        status = otel_span.status
        self._otel_trace_id = f"{context.trace_id:032x}"
        attributes = otel_span.attributes or {}
        self._trace_id = own_trace_id(attributes, self._otel_trace_id)
        self._span_id = f"{context.span_id:016x}"
        self._parent_id = f"{parent.span_id:016x}" if parent is not None else None
        self._name = otel_span.name
        self._kind = otel_span.kind.value
        self._start_ns = otel_span.start_time or 0
        self._end_ns = otel_span.end_time
        self._status_code = status.status_code.name
        self._status_message = status.description or ""
        self._attributes: dict[str, Any] | None = with_trace_id(attributes, self._trace_id)
        self._events: list[SpanEvent] | None = [
            SpanEvent(event.name, event.timestamp, dict(event.attributes or {})) for event in otel_span.events
        ]
        self._links: list[Link] | None = [
            Link(
                f"{TRACE_ID_PREFIX}{link.context.trace_id:032x}",
                f"{link.context.span_id:016x}",
                dict(link.attributes or {}),
            )
            for link in otel_span.links
        ]
        scope = otel_span.instrumentation_scope
        self._scope = scope.name if scope is not None else ""
        self._resource: Mapping[str, Any] | None = None
        self._content: str | None = None

    @classmethod
    def recorded(cls, otel_span: ReadableSpan, trace_id: str) -> Span:
        """A copy of an OpenTelemetry span that is in a trace of otflow's, whatever its attributes say of that.

        Args:
            otel_span: The OpenTelemetry span to copy.
            trace_id: The id of the trace it is in.
        """
        self = Span(otel_span)
        self._trace_id = trace_id
        self._attributes = with_trace_id(otel_span.attributes or {}, trace_id)
        return self

    def below(self, parent_id: str) -> Span:
        """This span, which nobody else holds yet, under another parent (16 hex digits)."""
        self._parent_id = parent_id
        return self

    @classmethod
    def of(
        cls,
        *,
        trace_id: str,
        span_id: str,
        parent_id: str | None,
        name: str,
        start_ns: int,
        end_ns: int | None,
        status_code: str = "UNSET",
        status_message: str = "",
        kind: int = 0,
        attributes: Mapping[str, Any] | None = None,
        events: Sequence[SpanEvent] = (),
        links: Sequence[Link] = (),
        scope: str = "",
        resource: Mapping[str, Any] | None = None,
        content: str | None = None,
        otel_trace_id: str | None = None,
    ) -> Span:
        """A span from its parts.

        Args:
            trace_id: The id of its trace, `tr-…`.
            span_id: Its id, 16 hex digits.
            parent_id: The id of its parent, if it has one.
            name: Its name.
            start_ns: Unix time in nanoseconds.
            end_ns: Unix time in nanoseconds; None while it is open.
            status_code: "UNSET", "OK" or "ERROR".
            status_message: What went wrong.
            kind: The number of its OpenTelemetry `SpanKind`, 0 for internal.
            attributes: As OpenTelemetry holds them.
            events: What happened at moments of its life.
            links: References to other spans.
            scope: The name of the instrumentation that made it.
            resource: What made it, where that is not this process.
            otel_trace_id: OpenTelemetry's id of the trace, 32 hex digits, where `trace_id` does not hold it.
            content: All from `status_message` on as JSON text (see `content`), instead; read when it is asked for.
        """
        self = cls.__new__(cls)
        self._trace_id = trace_id
        self._otel_trace_id = otel_trace_id or trace_id.removeprefix(TRACE_ID_PREFIX)
        self._span_id = span_id
        self._parent_id = parent_id
        self._name = name
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._status_code = status_code
        self._content = content
        if content is not None:
            self._attributes = None
            return self
        self._status_message = status_message
        self._kind = kind
        self._attributes = dict(attributes or {})
        self._events = list(events)
        self._links = list(links)
        self._scope = scope
        self._resource = resource
        return self

    # -- the rest of the span as one JSON text -----------------------------------------------------

    def content(self) -> str:
        """All that has no column of its own in a store, as JSON text: kind, attributes, events, links and the like.

        Members that are empty are left out.
        """
        if self._content is None:
            found: dict[str, Any] = {}
            if self._kind:
                found["kind"] = self._kind
            if self._status_message:
                found["message"] = self._status_message
            if self._attributes:
                found["attributes"] = self._attributes
            if self._events:
                found["events"] = [
                    {"name": event.name, "timestamp": event.timestamp, "attributes": event.attributes}
                    if event.attributes
                    else {"name": event.name, "timestamp": event.timestamp}
                    for event in self._events
                ]
            if self._links:
                found["links"] = [link.to_dict() for link in self._links]
            if self._scope:
                found["scope"] = self._scope
            if self._resource:
                found["resource"] = dict(self._resource)
            self._content = dump(found)
        return self._content

    def _parsed(self) -> dict[str, Any]:
        """The attributes, after reading the JSON text if that has not been done yet."""
        attributes = self._attributes
        if attributes is None:
            found: dict[str, Any] = load(self._content or "{}")
            self._kind = found.get("kind", 0)
            self._status_message = found.get("message", "")
            self._events = [
                SpanEvent(event["name"], event["timestamp"], event.get("attributes") or {})
                for event in found.get("events", ())
            ]
            self._links = [Link.from_dict(link) for link in found.get("links", ())]
            self._scope = found.get("scope", "")
            self._resource = found.get("resource")
            attributes = self._attributes = found.get("attributes") or {}
        return attributes

    # -- reading -----------------------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """The id of the trace, `tr-…`."""
        return self._trace_id

    @property
    def request_id(self) -> str:
        """The former name of `trace_id`."""
        return self.trace_id

    @property
    def otel_trace_id(self) -> str:
        """OpenTelemetry's id of the trace, 32 hex digits."""
        return self._otel_trace_id

    @property
    def span_id(self) -> str:
        """The id of the span, 16 hex digits."""
        return self._span_id

    @property
    def parent_id(self) -> str | None:
        """The id of the parent; None for the root."""
        return self._parent_id

    @property
    def name(self) -> str:
        """The name of the span."""
        return self._name

    @property
    def start_time_ns(self) -> int:
        """When it started, Unix time in nanoseconds."""
        return self._start_ns

    @property
    def end_time_ns(self) -> int | None:
        """When it ended, Unix time in nanoseconds; None while it is open."""
        return self._end_ns

    @property
    def kind(self) -> int:
        """The number of its OpenTelemetry `SpanKind`."""
        self._parsed()
        return self._kind

    @property
    def scope(self) -> str:
        """The name of the instrumentation that made it."""
        self._parsed()
        return self._scope

    @property
    def resource(self) -> Mapping[str, Any]:
        """What made it, where that is not this process."""
        self._parsed()
        return self._resource or {}

    @property
    def status(self) -> SpanStatus:
        """How it ended."""
        self._parsed()
        return SpanStatus(SpanStatusCode(self._status_code), self._status_message)

    @property
    def status_code(self) -> str:
        """The code of `status`: "UNSET", "OK" or "ERROR"."""
        return self._status_code

    @property
    def raw_attributes(self) -> Mapping[str, Any]:
        """The attributes as OpenTelemetry holds them: those of MLflow's keys are JSON texts."""
        return self._parsed()

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes, their values as they were set."""
        return {key: decode_attribute(value) for key, value in self.raw_attributes.items()}

    def get_attribute(self, key: str) -> Any | None:
        """One attribute's value; None where it is not set."""
        value = self.raw_attributes.get(key)
        return None if value is None else decode_attribute(value)

    @property
    def span_type(self) -> str:
        """The type of the span."""
        return self.get_attribute(SpanKey.TYPE) or SpanType.UNKNOWN

    @property
    def inputs(self) -> Any | None:
        """The input values."""
        return self.get_attribute(SpanKey.INPUTS)

    @property
    def outputs(self) -> Any | None:
        """The output values."""
        return self.get_attribute(SpanKey.OUTPUTS)

    @property
    def model_name(self) -> str | None:
        """The language model that was called: as recorded, else as the GenAI conventions or the inputs name it."""
        for key in (SpanKey.LLM_MODEL, OTel.GEN_AI_RESPONSE_MODEL, OTel.GEN_AI_REQUEST_MODEL):
            name = self.get_attribute(key)
            if isinstance(name, str):
                return name
        inputs = self.inputs
        name = cast("dict[str, object]", inputs).get("model") if isinstance(inputs, dict) else None
        return name if isinstance(name, str) else None

    @property
    def llm_cost(self) -> dict[str, float] | None:
        """What the call cost, in US dollars, by `input_cost`, `output_cost` and `total_cost`."""
        cost = self.get_attribute(SpanKey.LLM_COST)
        return cast("dict[str, float]", cost) if isinstance(cost, dict) else None

    @property
    def events(self) -> list[SpanEvent]:
        """What happened at moments of its life."""
        self._parsed()
        return list(self._events or ())

    @property
    def links(self) -> list[Link]:
        """References to other spans."""
        self._parsed()
        return list(self._links or ())

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(name={self.name!r}, trace_id={self.trace_id!r}, "
            f"span_id={self.span_id!r}, parent_id={self.parent_id!r})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.trace_id, self.span_id))

    # -- dictionaries ------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The span as a dictionary, as MLflow 3 writes it: ids in base64, attributes as JSON texts."""
        return span_to_dict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Span:
        """The span that a dictionary describes, be it MLflow 3's form or MLflow 2's.

        Raises:
            InvalidParameterError: not the dictionary of a span; the message says what is missing.
        """
        return span_from_dict(data)

    @classmethod
    def from_dict_v2(cls, data: dict[str, Any]) -> Span:
        """The span that a dictionary of MLflow 2's form describes: ids in hex, an object `context`.

        Raises:
            InvalidParameterError: not the dictionary of a span; the message says what is missing.
        """
        return span_from_dict_v2(data)

    # -- OTLP --------------------------------------------------------------------------------------

    def to_otel_proto(self) -> Any:
        """The OTLP span (`opentelemetry.proto.trace.v1.trace_pb2.Span`)."""
        from otflow.entities.otel_proto import span_to_proto

        return span_to_proto(self)

    @classmethod
    def from_otel_proto(cls, otel_proto_span: Any, location_id: str | None = None) -> Span:
        """The span that an OTLP span stands for.

        Args:
            otel_proto_span: An `opentelemetry.proto.trace.v1.trace_pb2.Span`.
            location_id: Catalog and schema of the trace, which are part of its id where it is kept in such.
        """
        from otflow.entities.otel_proto import span_from_proto

        return span_from_proto(otel_proto_span, location_id)


def with_trace_id(attributes: Mapping[str, Any], trace_id: str) -> dict[str, Any]:
    """The attributes of a recorded span, with the trace's id among them, as MLflow has it.

    It is not set on the OpenTelemetry span: there it would only say again what the span's context says.
    """
    own = f'"{trace_id}"'
    return {SpanKey.TRACE_ID: own, **attributes, SpanKey.TRACE_ID: own}  # in the first place, with the last word
