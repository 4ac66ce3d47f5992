"""Starting and ending spans."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from contextvars import Token
from typing import Any, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, TraceFlags

from otflow import clock
from otflow.entities import (
    LiveSpan,
    NoOpSpan,
    SpanType,
    TraceLocationBase,
)
from otflow.entities.policy import ContentPolicy
from otflow.entities.values import dump, encode_attribute
from otflow.semconv import TRACE_ID_PREFIX, SpanKey
from otflow.tracing import guard, privacy, provider
from otflow.tracing.assembly import MOST_KNOWN, OpenTrace, open_traces
from otflow.tracing.current import current_span, for_sdk, with_current
from otflow.tracing.exporter import writer
from otflow.tracing.opening import begins_again, open_trace

__all__ = [
    "SpanScope",
    "begin",
    "detach",
    "finish",
    "log_trace",
    "start_span",
    "start_span_no_context",
    "strings",
    "unsampled",
]

_logger = logging.getLogger("otflow")

_UNSAMPLED = otel_context.create_key("otflow-unsampled")
"""Set in the context below a root that was not sampled, so that its children are not taken for roots."""

_NO_OP = NoOpSpan()


# -- beginning and ending ----------------------------------------------------------------------------


def begin(
    name: str,
    attributes: dict[str, Any],
    parent: Context,
    *,
    destination: TraceLocationBase | None = None,
    sampling_ratio: float | None = None,
    start_time_ns: int | None = None,
    uri: str | None = None,
    experiment_id: str | None = None,
) -> tuple[LiveSpan | None, Context]:
    """Start a span under whatever span is current in `parent`.

    Args:
        name: The span's name.
        attributes: Attributes as OpenTelemetry holds them, the type among them.
        parent: The OpenTelemetry context to start in.
        destination: Where a new trace goes, instead of what the context says.
        sampling_ratio: The share of spans to record, instead of what the setting says of new traces.
        start_time_ns: Unix time in nanoseconds; now by default.
        uri: The store a new trace goes to; the current one by default.
        experiment_id: The experiment a new trace goes to; the active one by default.

    Returns:
        The span, None where nothing is to be recorded; and the context of what runs below it.
    """
    if not provider.is_enabled():
        return None, unsampled(parent)
    parent_context = current_span(parent).get_span_context()
    trace: OpenTrace | None = None
    if parent_context.trace_id:
        trace = open_traces.of_span(parent_context.trace_id)
    if _UNSAMPLED in parent:
        return None, parent
    if (trace is None or sampling_ratio is not None) and not provider.is_sampled(sampling_ratio):
        return None, unsampled(parent)
    if start_time_ns is None:
        start_time_ns = clock.now_ns()
    if LiveSpan.policy is not None:
        name = LiveSpan.policy.name(name)
    span = provider.maker().start(name, for_sdk(parent), parent_context, attributes, start_time_ns)
    made: SpanContext = span.get_span_context()
    if not span.is_recording():  # the application's own sampler said no; it is asked of what starts below, too
        return None, unsampled(with_current(span, parent) if made.is_valid else parent)
    if not made.trace_flags & TraceFlags.SAMPLED:  # recorded for other span processors than otflow's
        return LiveSpan.wrap(span, f"{TRACE_ID_PREFIX}{made.trace_id:032x}"), with_current(span, parent)
    if trace is None or (trace.ended and begins_again(trace, parent_context.span_id)):
        trace = open_trace(span, name, parent_context.span_id, start_time_ns, destination, uri, experiment_id)
    live = LiveSpan.wrap(span, trace.trace_id)
    trace.live[made.span_id] = live
    if len(trace.known) < MOST_KNOWN:
        trace.known.add(made.span_id)
    return live, with_current(span, parent)


def encoded(
    span_type: str | None, attributes: Mapping[str, Any] | None, policy: ContentPolicy | None
) -> dict[str, Any]:
    """The attributes that a span starts with, as OpenTelemetry holds them, as far as the policy lets them be kept."""
    found: dict[str, Any] = {SpanKey.TYPE: dump(span_type or SpanType.UNKNOWN)}
    if attributes is None:
        return found
    if not isinstance(attributes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        _logger.warning("Attributes must be a dictionary, not %s; ignored.", type(attributes).__name__)
        return found
    for key, value in attributes.items():
        if policy is None:
            found[str(key)] = encode_attribute(str(key), value)
        elif (kept := policy.attribute(str(key), value)) is not None:
            found[policy.key(str(key))] = kept
    return found


def finish(live: LiveSpan, error: BaseException | None) -> None:
    """End a span that a scope owns, unless the program ended it itself. Never raises."""
    if live.otel_span.end_time is not None:
        return
    if error is not None and not isinstance(error, GeneratorExit):
        try:
            live.fail(error)
        except Exception as failure:
            guard.swallow("record an exception", failure)
    try:
        live.end()
    except Exception as failure:
        guard.swallow("end a span", failure)


def detach(token: Token[Context], previous: Context, live: LiveSpan | None) -> None:
    """Make `previous` current again after `live`.

    In another context than the one it was made current in (a generator closed by the garbage collector, a
    callback, another task) the token is of no use: there the span is taken away only if it is the current one.
    """
    try:
        _runtime_context.detach(token)
    except (ValueError, RuntimeError):
        if live is not None and current_span() is live.otel_span:
            _runtime_context.attach(previous)


# OpenTelemetry's public `detach` logs a traceback where the token is of another context: see `detach`.
_runtime_context: Any = getattr(otel_context, "_RUNTIME_CONTEXT", otel_context)


class SpanScope(contextlib.ContextDecorator):
    """What `start_span` returns: a `with` statement around it is the span's life."""

    def __init__(
        self,
        name: str,
        span_type: str | None,
        attributes: dict[str, Any] | None,
        trace_destination: TraceLocationBase | None,
    ) -> None:
        self._arguments = (name, span_type, attributes, trace_destination)
        self._live: LiveSpan | None = None
        self._token: Token[Context] | None = None
        self._previous: Context = Context()

    def _recreate_cm(self) -> SpanScope:
        return SpanScope(*self._arguments)  # a new span a call, where the scope is used as a decorator

    def __enter__(self) -> LiveSpan:
        try:
            return self._begin()
        except Exception as error:
            guard.swallow("start a span", error)
            return cast("LiveSpan", _NO_OP)

    def _begin(self) -> LiveSpan:
        name, span_type, attributes, destination = self._arguments
        self._previous = previous = otel_context.get_current()
        given = encoded(span_type, attributes, LiveSpan.policy)
        live, below = begin(str(name), given, previous, destination=destination)
        self._token = otel_context.attach(below)
        if live is None:
            return cast("LiveSpan", _NO_OP)
        if destination is not None and live.parent_id is not None:
            _logger.warning("trace_destination is for the root span of a trace; on span %r it is ignored.", name)
        self._live = live
        return live

    def __exit__(self, exc_type: object, exc: BaseException | None, tb: object) -> None:
        live, token = self._live, self._token
        try:
            if live is not None:
                finish(live, exc)
        finally:  # Ctrl-C may come in between
            if token is not None:
                detach(token, self._previous, live)


def unsampled(parent: Context) -> Context:
    """`parent`, with the note that nothing below is to be recorded."""
    return otel_context.set_value(_UNSAMPLED, True, parent)


# -- the fluent functions ------------------------------------------------------------------------------


def start_span(
    name: str = "span",
    span_type: str | None = SpanType.UNKNOWN,
    attributes: dict[str, Any] | None = None,
    trace_destination: TraceLocationBase | None = None,
) -> SpanScope:
    """Start a span that is current, and the parent of what starts inside, for the length of a `with` statement.

    On top level it is the root of a new trace. An exception that leaves the `with` statement sets the status to
    ERROR, is recorded as an event, and goes on untouched.

    Args:
        name: The name of the span.
        span_type: One of `SpanType`, or any other name.
        attributes: Attributes to set from the start.
        trace_destination: Where the trace goes instead of the active experiment; for root spans only.

    Returns:
        A context manager that gives the `LiveSpan`; where tracing is off or the trace not sampled, a `NoOpSpan`.

    Example:
        >>> import otflow
        >>> with otflow.start_span("add", attributes={"exact": True}) as span:
        ...     span.set_inputs({"a": 1, "b": 2})
        ...     span.set_outputs(3)
    """
    return SpanScope(name, span_type, attributes, trace_destination)


def start_span_no_context(
    name: str,
    span_type: str = SpanType.UNKNOWN,
    parent_span: LiveSpan | None = None,
    inputs: Any | None = None,
    attributes: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    experiment_id: str | None = None,
    start_time_ns: int | None = None,
) -> LiveSpan:
    """Start a span without making it current; it must be ended by its `end` method.

    Args:
        name: The name of the span.
        span_type: One of `SpanType`, or any other name.
        parent_span: The parent; without one the span is the root of a new trace.
        inputs: The input values of the span.
        attributes: Attributes to set from the start.
        tags: Tags to set on the trace.
        metadata: Metadata to set on the trace.
        experiment_id: The experiment of the trace, instead of the active one; for root spans only.
        start_time_ns: The start time, Unix time in nanoseconds; now by default.

    Returns:
        The span; where tracing is off or the trace not sampled, a `NoOpSpan`.

    Example:
        >>> import otflow
        >>> root = otflow.start_span_no_context("request", inputs={"q": "hi"})
        >>> child = otflow.start_span_no_context("step", parent_span=root)
        >>> child.end()
        >>> root.end(outputs="hello")
    """
    try:
        return start_detached(
            name,
            span_type,
            parent_span,
            inputs=inputs,
            attributes=attributes,
            tags=tags,
            metadata=metadata,
            experiment_id=experiment_id,
            start_time_ns=start_time_ns,
        )
    except Exception as error:
        guard.swallow("start a span", error)
        return cast("LiveSpan", _NO_OP)


def start_detached(
    name: str,
    span_type: str,
    parent_span: LiveSpan | None,
    *,
    inputs: Any | None = None,
    attributes: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    experiment_id: str | None = None,
    start_time_ns: int | None = None,
    uri: str | None = None,
) -> LiveSpan:
    """What `start_span_no_context` does, for callers that say where the trace goes."""
    all_attributes = encoded(span_type, attributes, LiveSpan.policy)
    if inputs is not None:
        policy = LiveSpan.policy
        kept = dump(inputs) if policy is None else policy.attribute(SpanKey.INPUTS, inputs)
        if kept is not None:
            all_attributes[SpanKey.INPUTS] = kept
    parent = Context()
    if parent_span is not None:
        if not isinstance(parent_span, LiveSpan):  # pyright: ignore[reportUnnecessaryIsInstance]
            return cast("LiveSpan", _NO_OP)  # below a NoOpSpan nothing is recorded
        parent = with_current(parent_span.otel_span, parent)
    live, _ = begin(
        str(name),
        all_attributes,
        parent,
        start_time_ns=start_time_ns,
        uri=uri,
        experiment_id=experiment_id,
    )
    if live is None:
        return cast("LiveSpan", _NO_OP)
    if tags or metadata:
        trace = open_traces.get(live.otel_context.trace_id)
        if trace is not None:
            trace.tags.update(strings(tags, "tags"))
            trace.metadata.update(strings(metadata, "metadata"))
            writer.changed(trace)
    return live


def strings(values: Mapping[Any, Any] | None, where: str) -> dict[str, str]:
    """Tags or metadata as the texts that may be kept.

    Args:
        values: What was given.
        where: "tags" or "metadata".
    """
    policy = privacy.policy()
    if policy is not None and values:
        values = policy.typed(dict(values), where)
    texts = {str(key): value if isinstance(value, str) else str(value) for key, value in (values or {}).items()}
    return texts if policy is None else policy.labels(texts, where)


def log_trace(
    name: str = "Task",
    request: Any | None = None,
    response: Any | None = None,
    intermediate_outputs: dict[str, Any] | None = None,
    attributes: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    start_time_ms: int | None = None,
    execution_time_ms: int | None = None,
) -> str:
    """Record a trace of one span after the fact.

    Args:
        name: The name of the trace and of its span.
        request: The input of the span.
        response: The output of the span.
        intermediate_outputs: Outputs on the way, by name.
        attributes: Attributes of the span.
        tags: Tags of the trace.
        start_time_ms: When it started, Unix time in milliseconds; by default it starts and ends now.
        execution_time_ms: How long it took, in milliseconds.

    Returns:
        The id of the trace.

    Example:
        >>> import otflow
        >>> trace_id = otflow.log_trace("ask", request="2 + 2?", response="4", execution_time_ms=120)
    """
    start_ns = clock.now_ns() if start_time_ms is None else int(start_time_ms * 1_000_000)
    span = start_span_no_context(name, inputs=request, attributes=attributes, tags=tags, start_time_ns=start_ns)
    if intermediate_outputs:
        span.set_attribute(SpanKey.INTERMEDIATE_OUTPUTS, intermediate_outputs)
    end_ns = start_ns + int((execution_time_ms or 0) * 1_000_000)
    span.end(outputs=response, end_time_ns=end_ns)
    return span.trace_id
