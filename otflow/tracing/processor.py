"""The span processor that otflow adds to the application's tracer provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from otflow.tracing import guard
from otflow.tracing.assembly import open_traces
from otflow.tracing.exporter import writer

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

__all__ = ["OtflowSpanProcessor"]


class OtflowSpanProcessor(SpanProcessor):
    """Hands ended spans of otflow's traces to the writer.

    What other instrumentation makes below a span of otflow's belongs to the trace and goes to the store too. The
    application's other spans (those above, beside, in other traces) are left alone.
    Opening a trace is the work of whoever starts the otflow span, not of `on_start`: only there is it known
    where the trace is to go.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note a span that starts below one that is the trace's. Called in the thread that starts the span."""
        del parent_context
        try:
            context, parent = span.context, span.parent
            if context is None or parent is None:
                return
            trace = open_traces.of_span(context.trace_id)
            if trace is not None and (parent.span_id in trace.live or parent.span_id in trace.below):
                trace.below.add(context.span_id)
        except Exception as error:
            guard.swallow("take a started span", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span; close its trace if it is the local root. Called in the thread that ends the span."""
        try:
            context = span.context
            if context is None:
                return
            trace = open_traces.of_span(context.trace_id)
            if trace is None:
                return
            own = trace.live.pop(context.span_id, None)
            if own is None and context.span_id not in trace.below:
                return
            trace.below.discard(context.span_id)
            writer.ended(trace, span)
            if context.span_id == trace.root_span_id and not trace.ended:
                trace.root = span
                trace.ended = True
                writer.changed(trace)
                open_traces.close(trace)
                if writer.exiting:
                    writer.flush()
        except Exception as error:
            guard.swallow("take an ended span", error)

    def shutdown(self) -> None:
        """Write what has ended. Spans that end later, in another provider, are still taken."""
        writer.flush()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what has ended; whether all of it was written in time."""
        return writer.flush(timeout_millis / 1000)
