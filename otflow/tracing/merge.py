"""Taking a trace that was made elsewhere into the one that is being made here."""

from __future__ import annotations

import logging
from typing import Any, cast

from opentelemetry import context as otel_context
from opentelemetry import trace as trace_api
from opentelemetry.context import Context

from otflow.entities import LiveSpan, NoOpSpan, Span, SpanStatusCode, Trace, TraceState
from otflow.errors import InvalidParameterError, OtflowError
from otflow.semconv import SpanKey
from otflow.tracing import privacy, provider
from otflow.tracing.active import get_current_active_span
from otflow.tracing.assembly import open_traces
from otflow.tracing.exporter import writer
from otflow.tracing.spans import start_span_no_context

__all__ = ["add_trace"]

_logger = logging.getLogger("otflow")

_NOT_COPIED = frozenset({SpanKey.TRACE_ID, SpanKey.EXPERIMENT_ID})


def add_trace(trace: Trace | dict[str, Any], target: LiveSpan | None = None) -> None:
    """Add a complete trace, say of a remote service, to the one that is being made here.

    Its spans are made anew below the target, with ids of their own; order, names, times, inputs, outputs,
    attributes, events and status stay. Its tags are added where there are none of the same key; its metadata and
    assessments remain with the original.

    Args:
        trace: The trace, or its dictionary form.
        target: The span to add it under; the current span by default. Where there is none, a new trace is made,
            whose root is named `Remote Trace <…>` after the root of the trace added.

    Raises:
        InvalidParameterError: not a trace, or a trace that is still in progress.

    Example:
        >>> import otflow
        >>> remote_id = otflow.log_trace("remote", request="q", response="a")
        >>> remote = otflow.get_trace(remote_id).to_dict()
        >>> with otflow.start_span("local"):
        ...     otflow.add_trace(remote)
    """
    trace = _checked(trace)
    spans = _parents_first(trace.data.spans)
    if not spans or not provider.is_enabled():
        return
    if target is None:
        target = get_current_active_span()
    elif not isinstance(target, LiveSpan):  # pyright: ignore[reportUnnecessaryIsInstance]
        if not isinstance(target, NoOpSpan):
            raise InvalidParameterError(f"target must be a span, not {type(target).__name__}: {target!r}")
        return  # below a NoOpSpan nothing is recorded
    if target is not None:
        if target.otel_span.end_time is not None:
            _logger.warning("Span %r has ended; trace %s is not added to it.", target.name, trace.info.trace_id)
            return
        _copy_tags(trace, target)
        _copy(spans, target)
        return
    top = spans[0]
    root = start_span_no_context(
        f"Remote Trace <{top.name}>", top.span_type, start_time_ns=min(span.start_time_ns for span in spans)
    )
    if isinstance(root, LiveSpan):  # pyright: ignore[reportUnnecessaryIsInstance]
        _copy_tags(trace, root)
        _copy(spans, root)
        if SpanKey.INPUTS in top.raw_attributes:
            root.set_inputs(top.inputs)
        if SpanKey.OUTPUTS in top.raw_attributes:
            root.set_outputs(top.outputs)
        root.end(status=top.status, end_time_ns=max(span.end_time_ns or 0 for span in spans))


def _copy_tags(trace: Trace, target: LiveSpan) -> None:
    """Take over the tags that somebody set, where the trace has no such tag yet; MLflow's own are of the original."""
    own = open_traces.get(target.otel_context.trace_id)
    if own is None:
        return
    policy = privacy.policy()
    tags = trace.info.tags if policy is None else policy.labels(trace.info.tags, "tags")
    for key, value in tags.items():
        if not key.startswith("mlflow."):
            own.tags.setdefault(key, value)
    writer.changed(own)


def _checked(trace: Any) -> Trace:
    if isinstance(trace, dict):
        try:
            trace = Trace.from_dict(cast("dict[str, Any]", trace))
        except OtflowError:
            raise
        except Exception as error:
            raise InvalidParameterError(f"this is not the dictionary form of a trace: {error!r}") from None
    if not isinstance(trace, Trace):
        raise InvalidParameterError(f"trace must be a Trace or its dictionary form, not {type(trace).__name__}")
    running = [span.name for span in trace.data.spans if span.end_time_ns is None]
    if trace.info.state == TraceState.IN_PROGRESS or running:
        which = f"; open spans: {running}" if running else ""
        raise InvalidParameterError(
            f"trace {trace.info.trace_id} is still in progress{which}; only a complete trace can be added"
        )
    return trace


def _parents_first(spans: list[Span]) -> list[Span]:
    """The spans in an order in which each comes after its parent, else as they were; cycles are broken."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in spans:
        parent = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else None
        children.setdefault(parent, []).append(span)
    ordered: list[Span] = []
    stack = list(reversed(children.get(None, [])))
    seen: set[str] = set()
    while stack:
        span = stack.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        ordered.append(span)
        stack.extend(reversed(children.get(span.span_id, [])))
    ordered.extend(span for span in spans if span.span_id not in seen)
    return ordered


def _copy(spans: list[Span], target: LiveSpan) -> None:
    """Make the spans anew below `target`: through the tracer, so that they leave by every door that spans have."""
    tracer = provider.maker().tracer
    top = trace_api.set_span_in_context(target.otel_span, otel_context.get_current())
    trace = open_traces.of_span(target.otel_context.trace_id)
    contexts: dict[str, Context] = {}
    started: list[tuple[LiveSpan, Span]] = []
    for span in spans:
        parent = contexts.get(span.parent_id or "", top)
        name = span.name
        attributes = {key: value for key, value in span.raw_attributes.items() if key not in _NOT_COPIED}
        if LiveSpan.policy is not None:
            name, attributes = LiveSpan.policy.name(name), LiveSpan.policy.encoded(attributes)
        otel: Any = tracer.start_span(
            name, parent, kind=_kind(span), attributes=attributes, start_time=span.start_time_ns
        )
        contexts[span.span_id] = trace_api.set_span_in_context(otel, top)
        if otel.is_recording():
            live = LiveSpan.wrap(otel, target.trace_id)
            started.append((live, span))
            if trace is not None:
                trace.live[live.otel_context.span_id] = live
    for live, span in reversed(started):  # children first, as spans end
        for event in span.events:
            live.add_event(event)
        if span.status.status_code != SpanStatusCode.UNSET:
            live.set_status(span.status)
        live.otel_span.end(span.end_time_ns)


def _kind(span: Span) -> trace_api.SpanKind:
    return trace_api.SpanKind(span.kind)
