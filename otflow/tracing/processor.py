"""The span processor that otflow adds to the application's tracer provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor

from otflow.entities import SpanEvent
from otflow.semconv import GenAI
from otflow.tracing import evaluation_events, filters, guard, privacy
from otflow.tracing.assembly import MOST_KNOWN, OpenTrace, open_traces
from otflow.tracing.exporter import writer
from otflow.tracing.opening import SCOPE, begins_again, open_trace
from otflow.tracing.sdk_span import announced

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from opentelemetry.trace import SpanContext

__all__ = ["OtflowSpanProcessor"]


class OtflowSpanProcessor(SpanProcessor):
    """Hands ended spans of otflow's traces to the writer.

    What other instrumentation makes is a matter of the span filter: by default, what it makes below a span that is
    stored belongs to the trace and is stored too, and the application's other spans (those above, beside, in other
    traces) are left alone.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note a span of other instrumentation that is to be stored. Called in the thread that starts the span."""
        del parent_context
        try:
            scope, context = span.instrumentation_scope, span.context
            if context is None:
                return
            if scope is not None and scope.name == SCOPE:
                announced.span_id = context.span_id
                return  # whoever starts a span of otflow's knows where its trace is to go
            if not context.trace_flags.sampled:
                return  # recorded for other span processors
            parent = span.parent
            trace = open_traces.of_span(context.trace_id)
            if trace is None or parent is None:
                below = False
            else:
                above = parent.span_id
                below = above in trace.known or above in trace.live or above in trace.skipped
            if filters.admits(span, below):
                self._admit(span, context, trace, below)
            elif below and trace is not None and parent is not None and len(trace.skipped) < MOST_KNOWN:
                trace.skipped[context.span_id] = trace.skipped.get(parent.span_id, parent.span_id)
        except Exception as error:
            guard.swallow("take a started span", error)

    def _admit(self, span: Span, context: SpanContext, trace: OpenTrace | None, below: bool) -> None:
        parent_id = span.parent.span_id if span.parent is not None else 0
        if trace is None or (not below and begins_again(trace, parent_id)):
            trace = open_trace(span, span.name, parent_id, span.start_time or 0)
        if len(trace.known) < MOST_KNOWN:
            trace.known.add(context.span_id)
        trace.foreign.add(context.span_id)
        held: Any = span
        held._otflow_trace = trace  # as long as the span may end, its trace is found

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
            if own is None:
                if context.span_id not in trace.foreign:
                    return
                trace.foreign.discard(context.span_id)
                for event in span.events:
                    if event.name == GenAI.EVALUATION_EVENT:
                        found = dict(event.attributes or {})
                        policy = privacy.policy()
                        if policy is not None:
                            found = policy.event(event.name, found)[1]
                        said = SpanEvent(event.name, event.timestamp, found)
                        evaluation_events.take(trace, context.span_id, said)
            writer.ended(trace, span)
            if context.span_id == trace.root_span_id and not trace.ended:
                trace.root = span
                trace.ended = True
                writer.changed(trace)
                open_traces.close(trace)
                if writer.prompt:
                    writer.flush()
        except Exception as error:
            guard.swallow("take an ended span", error)

    def end_failed(self, span: Span, error: Exception) -> None:
        """Take a span of otflow's although another span processor failed on its end."""
        guard.swallow("end a span in another span processor", error)
        self.on_end(span)

    def shutdown(self) -> None:
        """Write what has ended. Spans that end later, in another provider, are still taken."""
        writer.flush(patient=False)  # at exit, otflow's own handler waits for who is away, and once is enough

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what has ended; whether all of it was written in time."""
        return writer.flush(timeout_millis / 1000)
