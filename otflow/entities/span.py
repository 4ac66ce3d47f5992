"""A span as plain data: what stores write and read, and what searches return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from otflow.entities.attachment import attachment_uris
from otflow.entities.link import Link
from otflow.entities.moved import Fetch, MovedAttributes, Pieces
from otflow.entities.span_dict import own_trace_id, span_from_dict, span_from_dict_v2, span_to_dict
from otflow.entities.span_event import SpanEvent
from otflow.entities.span_status import SpanStatus, SpanStatusCode
from otflow.entities.span_type import SpanType
from otflow.entities.truncation import LONGEST_LABEL, label
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
        "_fetch",
        "_kind",
        "_links",
        "_moved_events",
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
        self._moved_events: Pieces = []
        self._span_id = f"{context.span_id:016x}"
        self._parent_id = f"{parent.span_id:016x}" if parent is not None else None
        self._name = otel_span.name
        self._kind = otel_span.kind.value
        self._start_ns = otel_span.start_time or 0
        self._end_ns = otel_span.end_time
        self._status_code = status.status_code.name
        self._status_message = status.description or ""
        self._attributes: Mapping[str, Any] | None = with_trace_id(attributes, self._trace_id)
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
        self._fetch: Fetch | None = None

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

    def with_fitting_labels(self) -> Span:
        """This span, which nobody else holds yet, with a name and a status message that are no documents."""
        if len(self._name) > _LONG or len(self._status_message) > _LONG:
            self._name, self._status_message = label(self._name), label(self._status_message)
        return self

    def with_changed_events(self, events: Sequence[SpanEvent]) -> Span:
        """This span, which nobody else holds yet, with these events instead of its own."""
        self._parsed()
        self._events, self._content = list(events), None
        return self

    def with_events(self, events: Sequence[SpanEvent]) -> Span:
        """This span, which nobody else holds yet, with more events, in the order of time."""
        self._events = sorted((*(self._events or ()), *events), key=lambda event: event.timestamp)
        return self

    def with_attributes(self, attributes: Mapping[str, Any]) -> Span:
        """A copy of this span with these attributes, as OpenTelemetry holds them, instead of its own."""
        self._parsed()
        copy = Span.__new__(type(self))
        for name in Span.__slots__:
            if hasattr(self, name):
                setattr(copy, name, getattr(self, name))
        copy._attributes = dict(attributes)
        copy._content = None
        return copy

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
        fetch: Fetch | None = None,
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
            fetch: Where `content` has a member `moved`: how what it names is read, each when it is asked for.
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
        self._fetch = fetch
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
        if self._fetch is not None:
            attributes, rest = dict(self._parsed()), self.rest()
            # What was elsewhere is not: the text is made anew each time, and not kept.
            return dump({"attributes": attributes, **rest} if attributes else rest)
        if self._content is None:
            attributes, rest = self._attributes, self.rest()
            self._content = dump({"attributes": attributes, **rest} if attributes else rest)
        return self._content

    def rest(self) -> dict[str, Any]:
        """The members of `content` beside the attributes."""
        self._parsed()
        found: dict[str, Any] = {}
        if self._kind:
            found["kind"] = self._kind
        if self._status_message:
            found["message"] = self._status_message
        if events := self.events if self._fetch is not None else self._events:
            found["events"] = [
                {"name": event.name, "timestamp": event.timestamp, "attributes": event.attributes}
                if event.attributes
                else {"name": event.name, "timestamp": event.timestamp}
                for event in events
            ]
        if self._links:
            found["links"] = [link.to_dict() for link in self._links]
        if self._scope:
            found["scope"] = self._scope
        if self._resource:
            found["resource"] = dict(self._resource)
        return found

    def is_long(self, limit: int) -> bool:
        """Whether one of the values may have so many characters; quick to answer."""
        if self._content is not None:
            return self._fetch is not None or len(self._content) >= limit
        for value in self._parsed().values():
            if type(value) is str and len(value) >= limit:
                return True
        return (bool(self._events) or len(self._parsed()) > _MANY) and len(self.content()) >= limit

    def moved(self) -> list[Pieces]:
        """The values that are elsewhere in the store, as far as they were not read yet."""
        attributes = self._parsed()
        found = attributes.moved() if isinstance(attributes, MovedAttributes) else []
        return [*found, self._moved_events] if self._fetch is not None and self._events is None else found

    def settle(self, fetch: Fetch) -> None:
        """Read all values that are elsewhere now, with `fetch`."""
        self._fetch = fetch
        attributes = self._parsed()
        if isinstance(attributes, MovedAttributes):
            self._attributes = attributes.settled(fetch)
        self._events = self.events
        self._content = self._fetch = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, in this process or another, has all of its content: it cannot ask the store.
        if self._fetch is not None:
            self._content, self._fetch = self.content(), None
            self._attributes = None
        slots = [name for cls in type(self).__mro__ for name in getattr(cls, "__slots__", ())]
        state = {name: getattr(self, name) for name in slots if hasattr(self, name)}
        return _restored, (type(self), state)

    def _parsed(self) -> Mapping[str, Any]:
        """The attributes, after reading the JSON text if that has not been done yet."""
        attributes = self._attributes
        if attributes is None:
            found: dict[str, Any] = load(self._content or "{}")
            self._kind = found.get("kind", 0)
            self._status_message = found.get("message", "")
            self._events = [_event(event) for event in found.get("events", ())]
            self._links = [Link.from_dict(link) for link in found.get("links", ())]
            self._scope = found.get("scope", "")
            self._resource = found.get("resource")
            here: dict[str, Any] = found.get("attributes") or {}
            attributes = here
            moved = found.get("moved")
            if moved is not None and self._fetch is not None:
                attributes = MovedAttributes(here, moved.get("attributes") or {}, self._fetch, moved.get("rows"))
                if "events" in moved:
                    self._events, self._moved_events = None, moved["events"]
            self._attributes = attributes
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
        if self._events is None and self._fetch is not None:
            self._events = [_event(event) for event in load(self._fetch(self._moved_events))]
        return list(self._events or ())

    @property
    def attachments(self) -> list[str]:
        """References to the images, sounds and files that the store keeps apart from the span, each once.

        `Client.get_attachment` reads one.
        """
        texts = [self.raw_attributes, *(event.attributes for event in self.events)]
        found = (
            uri
            for values in texts
            for value in values.values()
            if isinstance(value, str)
            for uri in attachment_uris(value)
        )
        return list(dict.fromkeys(found))

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


_LONG = LONGEST_LABEL // 4
_MANY = 24
"""Attributes from which on all of them together may be long: conventions that give each part of a message its own."""


def _event(found: Mapping[str, Any]) -> SpanEvent:
    return SpanEvent(found["name"], found["timestamp"], found.get("attributes") or {})


def _restored(cls: type[Span], state: Mapping[str, Any]) -> Span:
    """A copy of a span, for `pickle` and `copy`."""
    span = cls.__new__(cls)
    for name, value in state.items():
        setattr(span, name, value)
    return span


def with_trace_id(attributes: Mapping[str, Any], trace_id: str) -> dict[str, Any]:
    """The attributes of a recorded span, with the trace's id among them, as MLflow has it.

    It is not set on the OpenTelemetry span: there it would only say again what the span's context says.
    """
    own = f'"{trace_id}"'
    return {SpanKey.TRACE_ID: own, **attributes, SpanKey.TRACE_ID: own}  # in the first place, with the last word
