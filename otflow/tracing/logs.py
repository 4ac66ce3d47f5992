"""GenAI content in log events: prompts and answers that instrumentation emits as OpenTelemetry log records.

Instrumentation that follows the GenAI conventions may put the messages of a call into log records
(`gen_ai.user.message`, `gen_ai.choice`, `gen_ai.client.inference.operation.details`, …) that name their span, instead
of into the span.
otflow joins the logger provider of the application as it joins its tracer provider, and adds such records, as span
events, to the span that it stores. The application's span itself is left as it is: its own exporters see no more than
before. Nothing of the application's other log records is read.

Where the application has no logger provider, one of otflow's is put in place that drops everything else, and gives
way to one that is registered later.

Source: OpenTelemetry semantic conventions for GenAI events; the event name is the field `event_name` of the record,
before OpenTelemetry 1.35 its attribute `event.name`.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import _logs as logs_api
from opentelemetry import trace as trace_api

from otflow import clock
from otflow.entities import Span, SpanEvent
from otflow.entities.values import decode_attribute, dump
from otflow.semconv import SCOPE, GenAI
from otflow.tracing import evaluation_events, guard, privacy
from otflow.tracing.assembly import OpenTrace, open_traces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["attach", "join", "logger_provider", "successor"]

_MOST_HELD = 1000
"""Spans whose events wait for their end."""
_MOST_ENDED = 64
"""Spans of other instrumentation that are remembered after their end, for events that come late."""

_lock = threading.Lock()
_joined: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""Providers that have otflow's processor, by `id`. (Not a set: Logfire's cannot be hashed.)"""


class _State:
    def __init__(self) -> None:
        self.registered: Any = None
        """What was registered with OpenTelemetry when `join` looked last."""
        self.events: Any = None
        """The same for the event logger provider of old versions."""
        self.private = False


_state = _State()


# -- joining -----------------------------------------------------------------------------------------


def join(private: bool | None = None) -> None:
    """Add otflow's log record processor to the logger provider that is registered now; register one if none is.

    Cheap where nothing has changed. Never raises.

    Args:
        private: Whether otflow keeps apart from what is registered with OpenTelemetry; as last said by default.
    """
    try:
        if private is not None:
            _state.private = private
        if _state.private:
            return
        registered = logs_api.get_logger_provider()
        if registered is not _state.registered:
            with _lock:
                _state.registered = _joined_provider(registered)
        events_api = sys.modules.get("opentelemetry._events")  # of old versions; loaded by those who use it
        if events_api is not None and _state.events is None:
            with _lock:
                _state.events = _joined_event_provider(events_api)
    except Exception as error:
        guard.swallow("join the logger provider", error)


def _joined_provider(registered: Any) -> Any:
    if registered is _own:
        return registered
    if isinstance(registered, _proxy()):
        _register(logs_api, "_LOGGER_PROVIDER", "set_logger_provider", _own)
        return _own
    add = getattr(registered, "add_log_record_processor", None)
    if callable(add) and _joined.get(id(registered)) is not registered:
        add(_processor)
        _joined[id(registered)] = registered
    return registered


def _proxy() -> Any:
    return cast("Any", logs_api)._internal.ProxyLoggerProvider


def _joined_event_provider(events_api: Any) -> Any:
    registered = events_api.get_event_logger_provider()
    if type(registered).__name__ == "ProxyEventLoggerProvider":
        registered = _OwnEventLoggerProvider(events_api)
        _register(events_api, "_EVENT_LOGGER_PROVIDER", "set_event_logger_provider", registered)
    return registered


def _register(api: Any, variable: str, setter: str, provider: Any) -> None:
    """Put a provider in place without using up the one time that OpenTelemetry lets the application set its own."""
    home = getattr(api, "_internal", api)
    if hasattr(home, variable):
        setattr(home, variable, provider)
    else:
        getattr(api, setter)(provider)


def logger_provider() -> Any:
    """The logger provider for instrumentation that is to use the same as otflow; None for the registered one."""
    return _own if _state.private else None


def successor() -> Any:
    """The logger provider of the application; None where it has none."""
    current = logs_api.get_logger_provider()
    return None if current is _own or isinstance(current, _proxy()) else current


# -- providers of otflow's own -----------------------------------------------------------------------


class _OwnLoggerProvider(logs_api.LoggerProvider):
    """Takes GenAI events, drops the rest; hands all on once the application has registered a provider."""

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> logs_api.Logger:
        return _OwnLogger(name, version, schema_url, attributes)


class _OwnLogger(logs_api.Logger):
    _heir: tuple[Any, Any] = (None, None)

    def _successor(self) -> Any:
        if _state.private:
            return None
        provider = successor()
        if provider is None:
            return None
        if self._heir[0] is not provider:
            join()
            arguments = (self._name, self._version, self._schema_url, self._attributes)
            self._heir = (provider, provider.get_logger(*arguments))
        return self._heir[1]

    def emit(self, record: Any = None, **fields: Any) -> None:
        heir = self._successor()
        if heir is not None:
            heir.emit(record, **fields) if record is not None else heir.emit(**fields)
            if id(self._heir[0]) in _joined:
                return
        try:
            made = record if record is not None else logs_api.LogRecord(**fields)
            _take(getattr(made, "log_record", made), self._name)
        except Exception as error:
            guard.swallow("take a log event", error)

    def enabled(self, **fields: Any) -> bool:
        heir = self._successor()
        if heir is not None and hasattr(heir, "enabled"):
            return heir.enabled(**fields)
        return _is_genai(fields.get("event_name"))


class _OwnEventLoggerProvider:
    """The same for the event logger of OpenTelemetry before 1.35."""

    def __init__(self, events_api: Any) -> None:
        self._api = events_api

    def get_event_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Any:
        return _OwnEventLogger(self, (name, version, schema_url, attributes))

    def successor(self) -> Any:
        current = self._api.get_event_logger_provider()
        return None if current is self else current


class _OwnEventLogger:
    def __init__(self, provider: _OwnEventLoggerProvider, arguments: tuple[Any, ...]) -> None:
        self._provider = provider
        self._arguments = arguments

    def emit(self, event: Any) -> None:
        provider = self._provider.successor()
        if provider is not None:
            join()
            provider.get_event_logger(*self._arguments).emit(event)
            return
        try:
            _take(event, self._arguments[0])
        except Exception as error:
            guard.swallow("take a log event", error)


class _LogRecordProcessor:
    """What otflow adds to the application's logger provider: takes GenAI events, and leaves them as they are.

    Not derived from the SDK's class, which has other abstract methods from version to version.
    """

    def on_emit(self, log_record: Any) -> None:
        """Take a record, if it is a GenAI event. Called in the thread that emits it."""
        try:
            scope = log_record.instrumentation_scope
            _take(log_record.log_record, scope.name if scope is not None else "")
        except Exception as error:
            guard.swallow("take a log event", error)

    emit = on_emit  # its name in old versions

    def enabled(self, **fields: Any) -> bool:
        """Whether a record of this event name would be taken."""
        return _is_genai(fields.get("event_name"))

    def shutdown(self) -> None:
        """Nothing to do: what was taken is with its span."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing to do."""
        del timeout_millis
        return True


_own: Final = _OwnLoggerProvider()
_processor: Final = _LogRecordProcessor()


# -- taking --------------------------------------------------------------------------------------------


def _is_genai(name: object) -> bool:
    return isinstance(name, str) and name.startswith(GenAI.EVENTS)


def _take(record: Any, scope: str) -> None:
    """Keep a record for the span that it names, if it is a GenAI event and the span is one that is stored."""
    attributes: Mapping[str, Any] = record.attributes or {}
    name = getattr(record, "event_name", None) or attributes.get("event.name")
    if not _is_genai(name) or scope == evaluation_events.SCOPE:
        return
    otel_trace_id, span_id = record.trace_id, record.span_id
    if not otel_trace_id or not span_id:
        current = trace_api.get_current_span().get_span_context()
        otel_trace_id, span_id = current.trace_id, current.span_id
    trace = open_traces.of_span(otel_trace_id)
    if trace is None or not (span_id in trace.known or span_id in trace.live):
        return
    timestamp = record.timestamp or getattr(record, "observed_timestamp", None) or clock.now_ns()
    found = event_attributes(attributes, record.body)
    policy = privacy.policy()
    if policy is not None:
        name, found = policy.event(str(name), found)
    event = SpanEvent(str(name), timestamp, found)
    if name == GenAI.EVALUATION_EVENT:
        evaluation_events.take(trace, span_id, event)
    else:
        _hold(trace, span_id, event)


def event_attributes(attributes: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """The attributes of the span event that a log record becomes.

    They are those of the record and the members of its body, nested ones as JSON text; a body without members is the
    attribute `content`.
    """
    found = {str(key): _flat(value) for key, value in attributes.items() if key != "event.name"}
    if isinstance(body, Mapping):
        for key, value in cast("Mapping[Any, Any]", body).items():
            if value is not None:
                found.setdefault(str(key), _flat(value))
    elif body is not None:
        found.setdefault("content", _flat(body))
    return found


def _flat(value: Any) -> Any:
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        items = list(cast("Sequence[Any]", value))
        if all(type(item) is str for item in items):
            return items
    return dump(_plain(value))


def _plain(value: Any) -> Any:
    """Mappings and sequences of any class (records hold frozen ones) as those that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    return value


# -- holding until the span ends -----------------------------------------------------------------------

_Key = tuple[int, int]
"""OpenTelemetry's trace id and span id."""


class _Ended:
    """A span of other instrumentation that has been read already, with the events that it was given."""

    __slots__ = ("events", "span")

    def __init__(self, span: ReadableSpan) -> None:
        self.span = span
        self.events: list[SpanEvent] = []


# No locks: single operations on dictionaries and deques, whose order is chosen so that no event falls between.
_held: dict[_Key, list[SpanEvent]] = {}
_held_order: deque[_Key] = deque()
_ended: dict[_Key, _Ended] = {}
_ended_order: deque[_Key] = deque()


def _hold(trace: OpenTrace, span_id: int, event: SpanEvent) -> None:
    key = (trace.otel_trace_id, span_id)
    events = _held.get(key)
    if events is None:
        events = _held.setdefault(key, [])
        _held_order.append(key)
        if len(_held_order) > _MOST_HELD:
            oldest = _held_order.popleft()
            if oldest != key and _held.pop(oldest, None) is not None:
                guard.swallow("keep log events", MemoryError("too many spans with log events have not ended"))
    events.append(event)
    ended = _ended.get(key)
    if ended is not None:
        from otflow.tracing.exporter import writer

        writer.ended(trace, ended.span)  # once more: the store takes the span written last


def attach(span: Span, ended: ReadableSpan) -> Span:
    """The span with the events that log records brought. Called in the writer's thread.

    Args:
        span: The span that is about to be written.
        ended: The OpenTelemetry span that it was read from.
    """
    context, scope = ended.context, ended.instrumentation_scope
    own = scope is not None and scope.name == SCOPE
    if context is None or (own and not _held):
        return span
    key = (context.trace_id, context.span_id)
    known = _ended.get(key)
    if known is None and not own:
        known = _ended.setdefault(key, _Ended(ended))
        _ended_order.append(key)
        if len(_ended_order) > _MOST_ENDED:
            _ended.pop(_ended_order.popleft(), None)
    events = _held.pop(key, None)
    if known is not None:
        known.events.extend(events or ())
        events = known.events
    return span.with_events([_without_repeats(event, span) for event in events]) if events else span


def _without_repeats(event: SpanEvent, span: Span) -> SpanEvent:
    """The event without those attributes that the span has too, with the same values: they may be long."""
    attributes = span.raw_attributes
    new = {
        key: value
        for key, value in event.attributes.items()
        if key not in attributes or decode_attribute(attributes[key]) != decode_attribute(value)
    }
    return SpanEvent(event.name, event.timestamp, new)
