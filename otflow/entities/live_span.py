"""A span that is being recorded: otflow's view of an OpenTelemetry SDK span."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry.trace import Status, StatusCode

from otflow import clock, config
from otflow.entities import contentless
from otflow.entities.policy import ContentPolicy
from otflow.entities.span import Span, with_trace_id
from otflow.entities.span_event import SpanEvent, text_of
from otflow.entities.span_status import SpanStatus, SpanStatusCode
from otflow.entities.span_type import SpanType
from otflow.entities.values import dump, encode_attribute
from otflow.errors import InvalidParameterError
from otflow.semconv import SpanKey

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import SpanContext

__all__ = ["LiveSpan"]

_logger = logging.getLogger("otflow")

_STATUS_CODES = {
    SpanStatusCode.UNSET: StatusCode.UNSET,
    SpanStatusCode.OK: StatusCode.OK,
    SpanStatusCode.ERROR: StatusCode.ERROR,
}


class LiveSpan(Span):
    """A span that can still be written to; ended, it is read-only.

    Reading goes to the OpenTelemetry span underneath, so that what other instrumentation sets on it
    is seen here too. Setting anything on an ended span changes nothing and logs a warning.

    Args:
        otel_span: The OpenTelemetry SDK span.
        trace_id: The id of the trace it belongs to, `tr-…`.
        span_type: One of `SpanType`, or any other name.
    """

    __slots__ = ("_otel",)

    end_failed: ClassVar[Callable[[Any, Exception], None] | None] = None
    """Called with an OpenTelemetry span when a span processor of somebody else's has failed on its end."""
    before_end: ClassVar[tuple[Callable[[LiveSpan], None], ...]] = ()
    """Called with each span when it is about to end (`otflow.tracing.configure(span_processors=…)`)."""

    policy: ClassVar[ContentPolicy | None] = None
    """What is asked before content is kept (`otflow.tracing.set_privacy_rules`); None where all is."""

    def __init__(self, otel_span: SdkSpan, trace_id: str, span_type: str = SpanType.UNKNOWN) -> None:
        self._otel = otel_span
        self._trace_id = trace_id
        attributes = otel_span.attributes
        if attributes is not None and SpanKey.TYPE not in attributes:
            otel_span.set_attribute(SpanKey.TYPE, dump(span_type))

    @classmethod
    def wrap(cls, otel_span: SdkSpan, trace_id: str) -> LiveSpan:
        """A view of a span whose attributes are already in place."""
        self = cls.__new__(cls)
        self._otel = otel_span
        self._trace_id = trace_id
        return self

    # -- reading ---------------------------------------------------------------------------------

    @property
    def otel_span(self) -> SdkSpan:
        """The OpenTelemetry span underneath."""
        return self._otel

    @property
    def trace_id(self) -> str:
        return self._trace_id

    @property
    def otel_context(self) -> SpanContext:
        """The ids of the OpenTelemetry span, as numbers."""
        return self._otel.get_span_context()

    @property
    def otel_trace_id(self) -> str:
        return f"{self.otel_context.trace_id:032x}"

    @property
    def span_id(self) -> str:
        return f"{self.otel_context.span_id:016x}"

    @property
    def parent_id(self) -> str | None:
        parent = self._otel.parent
        return f"{parent.span_id:016x}" if parent is not None else None

    @property
    def name(self) -> str:
        return self._otel.name

    @property
    def start_time_ns(self) -> int:
        return self._otel.start_time or 0

    @property
    def end_time_ns(self) -> int | None:
        return self._otel.end_time

    @property
    def status(self) -> SpanStatus:
        return SpanStatus.from_otel_status(self._otel.status)

    @property
    def raw_attributes(self) -> Mapping[str, Any]:
        return with_trace_id(self._otel.attributes or {}, self._trace_id)

    @property
    def events(self) -> list[SpanEvent]:
        return self.to_immutable_span().events

    @property
    def links(self) -> Any:
        return self.to_immutable_span().links

    def content(self) -> str:
        return self.to_immutable_span().content()

    def to_dict(self) -> dict[str, Any]:
        return self.to_immutable_span().to_dict()

    def to_otel_proto(self) -> Any:
        return self.to_immutable_span().to_otel_proto()

    def to_immutable_span(self) -> Span:
        """A copy of the span as it is now."""
        return Span.recorded(self._otel, self._trace_id)

    def __repr__(self) -> str:
        return (
            f"LiveSpan(name={self.name!r}, trace_id={self.trace_id!r}, "
            f"span_id={self.span_id!r}, parent_id={self.parent_id!r})"
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LiveSpan):
            return self._otel is other._otel
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._otel)

    # -- writing ---------------------------------------------------------------------------------

    def set_span_type(self, span_type: str) -> None:
        """Set the type of the span."""
        self._otel.set_attribute(SpanKey.TYPE, dump(span_type))

    def set_inputs(self, inputs: Any) -> None:
        """Set the input values of the span; they are serialized now."""
        if LiveSpan.policy is None:
            self._otel.set_attribute(SpanKey.INPUTS, dump(inputs))
        else:
            self._set(SpanKey.INPUTS, inputs, LiveSpan.policy)

    def set_outputs(self, outputs: Any) -> None:
        """Set the output values of the span; they are serialized now."""
        if LiveSpan.policy is None:
            self._otel.set_attribute(SpanKey.OUTPUTS, dump(outputs))
        else:
            self._set(SpanKey.OUTPUTS, outputs, LiveSpan.policy)

    def _set(self, key: str, value: Any, policy: ContentPolicy) -> None:
        """Set an attribute to what may be kept of a value."""
        kept = policy.attribute(key, value)
        if kept is not None:
            self._otel.set_attribute(policy.key(key), kept)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute; values that OpenTelemetry cannot hold are kept as JSON text."""
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            _logger.warning("An attribute's key must be a string, not %s; ignored.", type(key).__name__)
            return
        if LiveSpan.policy is None:
            self._otel.set_attribute(key, encode_attribute(key, value))
        else:
            self._set(key, value, LiveSpan.policy)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes at once; anything but a dictionary is ignored with a warning."""
        if not isinstance(attributes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            _logger.warning("Attributes must be a dictionary, not %s; ignored.", type(attributes).__name__)
            return
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_status(self, status: SpanStatusCode | SpanStatus | str) -> None:
        """Set the status. Once it is OK it stays so: what the program says counts for more than what goes wrong.

        Source: OpenTelemetry specification, Trace API, Set Status.

        Args:
            status: A `SpanStatus`, a `SpanStatusCode`, or its name: "OK", "ERROR" or "UNSET".

        Raises:
            InvalidParameterError: any other value.
        """
        if not isinstance(status, SpanStatus):
            try:
                status = SpanStatus(SpanStatusCode(status))
            except ValueError:
                raise InvalidParameterError(
                    f"{status!r} is not a span status; allowed are: {', '.join(c.value for c in SpanStatusCode)}"
                ) from None
        code = _STATUS_CODES[SpanStatusCode(status.status_code)]
        description = status.description if code is StatusCode.ERROR else None
        if description and LiveSpan.policy is not None:
            description = LiveSpan.policy.message(description)
        self._otel.set_status(Status(code, description))

    def add_event(self, event: SpanEvent) -> None:
        """Add an event.

        Raises:
            InvalidParameterError: not a `SpanEvent`.
        """
        if not isinstance(event, SpanEvent):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"event must be a SpanEvent, not {type(event).__name__}: {event!r}")
        name, attributes = event.name, dict(event.attributes)
        if LiveSpan.policy is not None:
            name, attributes = LiveSpan.policy.event(name, attributes)
        self._otel.add_event(name, attributes, event.timestamp)

    def record_exception(self, exception: str | Exception) -> None:
        """Record an exception as an event, and set the status to ERROR.

        Raises:
            InvalidParameterError: neither a string nor an exception.
        """
        if isinstance(exception, str):
            exception = Exception(exception)
        elif not isinstance(exception, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(
                f"exception must be a string or an Exception, not {type(exception).__name__}: {exception!r}"
            )
        self.fail(exception)

    def fail(self, exception: BaseException) -> None:
        """Set the status to ERROR and add the `exception` event."""
        self.add_event(SpanEvent.from_exception(exception))  # pyright: ignore[reportArgumentType]
        self.set_status(SpanStatus(SpanStatusCode.ERROR, f"{type(exception).__name__}: {text_of(exception)}"))

    def end(
        self,
        outputs: Any | None = None,
        attributes: dict[str, Any] | None = None,
        status: SpanStatus | SpanStatusCode | str | None = None,
        end_time_ns: int | None = None,
    ) -> None:
        """End the span; an unset status becomes OK. Ending twice changes nothing and logs a warning.

        Args:
            outputs: The output values of the span.
            attributes: Attributes to set before the end.
            status: The status to set before the end.
            end_time_ns: The end time, Unix time in nanoseconds; now by default.

        Raises:
            InvalidParameterError: `status` is not a status; the span stays open.
        """
        otel = self._otel
        if otel.end_time is not None:
            _logger.warning("Span %r of trace %s has ended already; ignored.", self.name, self._trace_id)
            return
        if status is not None:
            self.set_status(status)
        if attributes is not None:
            self.set_attributes(attributes)
        if outputs is not None:
            self.set_outputs(outputs)
        if otel.status.status_code is StatusCode.UNSET:
            otel.set_status(_OK)
        if LiveSpan.before_end:
            self._process(LiveSpan.before_end)
        try:
            otel.end(clock.now_ns() if end_time_ns is None else end_time_ns)
        except Exception as error:
            if LiveSpan.end_failed is None:
                raise
            LiveSpan.end_failed(otel, error)

    def _process(self, processors: tuple[Callable[[LiveSpan], None], ...]) -> None:
        failed = False
        for processor in processors:
            try:
                returned: Any = processor(self)
                if returned is not None:
                    self._refuse(processor, returned)
            except Exception as error:
                failed = True
                # Not the message: it may hold what the processor was to take out.
                _logger.warning(
                    "A span processor, %s, failed on span %r: %s%s",
                    getattr(processor, "__qualname__", type(processor).__name__),
                    self.name,
                    type(error).__name__,
                    _place_of(error),
                )
        if failed and config.SPAN_PROCESSOR_FAILURE.get() != "KEEP":
            self._empty()

    def _refuse(self, processor: Callable[[LiveSpan], None], returned: Any) -> None:
        """Say that nobody takes what a processor returns.

        Raises:
            TypeError: it is to be awaited: the processor has not done its work.
        """
        if isinstance(returned, Awaitable):
            if isinstance(returned, Coroutine):
                returned.close()
            raise TypeError("a span processor cannot be asynchronous")
        if returned is not self:
            _logger.warning(
                "A span processor, %s, returned %s, which is ignored: it is to change the span that it is given.",
                getattr(processor, "__qualname__", type(processor).__name__),
                type(returned).__name__,
            )

    def _empty(self) -> None:
        """Take out all content."""
        from opentelemetry.sdk.trace import Event
        from opentelemetry.sdk.util import BoundedList

        otel: Any = self._otel
        for key, value in dict(otel.attributes or {}).items():
            if not contentless.is_harmless(key, value):
                otel.set_attribute(key, encode_attribute(key, _FAILED))
        events: list[Any] = []
        for event in otel.events:
            name, attributes = contentless.event(event.name, event.attributes or {})
            events.append(Event(name, attributes, event.timestamp))
        kept: Any = BoundedList
        otel._events = kept.from_seq(max(len(events), 1), events)  # the API has no way to take one back
        if otel.status.status_code is StatusCode.ERROR:
            otel.set_status(Status(StatusCode.ERROR, contentless.error_type(otel.status.description or "")))

    # -- making ----------------------------------------------------------------------------------

    @classmethod
    def from_immutable_span(
        cls,
        span: Span,
        parent_span_id: str | None = None,
        trace_id: str | None = None,
        experiment_id: str | None = None,
        otel_trace_id: str | None = None,
    ) -> LiveSpan:
        """A live copy of an ended span, under another parent or in another trace; it is not recorded by itself.

        Args:
            span: The span to copy.
            parent_span_id: The new parent's id, 16 hex digits; the old parent by default.
            trace_id: The new trace's id, `tr-…`; the old trace by default.
            experiment_id: Kept on the copy as an attribute.
            otel_trace_id: The new trace's OpenTelemetry id, 32 hex digits; taken from `trace_id` by default.
        """
        from opentelemetry.sdk.trace import _Span  # pyright: ignore[reportPrivateUsage]
        from opentelemetry.trace import SpanContext, TraceFlags

        trace_id = trace_id or span.trace_id
        number = int(otel_trace_id or trace_id.removeprefix("tr-"), 16)
        flags = TraceFlags(TraceFlags.SAMPLED)
        parent_id = parent_span_id or span.parent_id
        parent = SpanContext(number, int(parent_id, 16), is_remote=False, trace_flags=flags) if parent_id else None
        otel = _Span(
            name=span.name,
            context=SpanContext(number, int(span.span_id, 16), is_remote=False, trace_flags=flags),
            parent=parent,
            attributes=dict(span.raw_attributes),
        )
        otel.start(start_time=span.start_time_ns)
        live = cls.wrap(otel, trace_id)
        if experiment_id is not None:
            otel.set_attribute(SpanKey.EXPERIMENT_ID, dump(experiment_id))
        for event in span.events:
            live.add_event(event)
        live.set_status(span.status)
        return live


def _place_of(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f" ({traceback.tb_frame.f_code.co_filename}, line {traceback.tb_lineno})" if traceback is not None else ""


_OK = Status(StatusCode.OK)
_FAILED = "[redaction failed]"
