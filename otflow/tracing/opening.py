"""Opening a trace: what is true in the context when its local root starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow import context
from otflow.entities import LiveSpan, MlflowExperimentLocation, TraceLocationBase
from otflow.semconv import SCOPE, TRACE_ID_PREFIX, Metadata
from otflow.tracing import baggage
from otflow.tracing.assembly import OpenTrace, open_traces
from otflow.tracing.exporter import writer
from otflow.tracing.logs import join

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span

__all__ = ["SCOPE", "begins_again", "open_trace"]


def begins_again(trace: OpenTrace, parent_span_id: int) -> bool:
    """Whether a span below `parent_span_id` opens a trace anew that has closed in this process before.

    So it is where an application's own span has several local roots below it, one after the other.
    """
    return trace.ended and parent_span_id == trace.parent_span_id != 0


def open_trace(
    span: Span,
    name: str,
    parent_span_id: int,
    start_time_ns: int,
    destination: TraceLocationBase | None = None,
    uri: str | None = None,
    experiment_id: str | None = None,
) -> OpenTrace:
    """Open the trace whose local root `span` is.

    Args:
        span: The local root, which has just started.
        name: The name of the trace.
        parent_span_id: The span above it, another library's or another process's; 0 for none.
        start_time_ns: Unix time in nanoseconds.
        destination: Where the trace goes, instead of what the context says.
        uri: The place the trace goes to; the current one by default.
        experiment_id: The experiment the trace goes to; by default that of the active run, else the active one.
    """
    span_context: Any = span.get_span_context()
    otel_trace_id: int = span_context.trace_id
    here = context.place()
    uri = here if uri is None else context.place(uri)
    run = context.run_of_trace(uri)
    if experiment_id is None:
        where = destination or context.destination()
        if isinstance(where, MlflowExperimentLocation):
            experiment_id = where.experiment_id
        elif run is not None:
            experiment_id = run.experiment_id
        elif uri == here:
            experiment_id = context.chosen_experiment_id(here)
    if LiveSpan.policy is not None:
        name = LiveSpan.policy.name(name)  # of a root that another library made
    trace = OpenTrace(otel_trace_id, f"{TRACE_ID_PREFIX}{otel_trace_id:032x}", name, uri, experiment_id)
    trace.start_ns = start_time_ns
    trace.root_span_id = span_context.span_id
    trace.parent_span_id = parent_span_id
    before = open_traces.of_span(otel_trace_id) if parent_span_id else None
    if before is not None:  # closed, with spans that are still to end
        trace.live, trace.foreign, trace.shown = before.live, before.foreign, before.shown
        trace.known.update(before.live, before.foreign)
    if run is not None:
        trace.metadata[Metadata.SOURCE_RUN] = run.id
    model_id = context.active_model_id(trace.uri)
    if model_id is not None:
        trace.metadata[Metadata.MODEL_ID] = model_id
    baggage.apply(trace)
    join()
    opened = open_traces.add(trace)
    if opened is trace:
        writer.opened(trace)
    return opened
