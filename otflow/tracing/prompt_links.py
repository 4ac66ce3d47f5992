"""The prompts that a trace has used: noted on the trace that is being made, and written with it."""

from __future__ import annotations

from otflow import context
from otflow.semconv import SpanKey
from otflow.store.opening import split_workspace
from otflow.tracing import guard
from otflow.tracing.active import get_current_active_span
from otflow.tracing.assembly import open_traces
from otflow.tracing.current import current_span
from otflow.tracing.exporter import writer
from otflow.wire.prompt_links import linked_prompts, linked_text

__all__ = ["note_prompt"]


def note_prompt(name: str, version: int) -> None:
    """Link a version of a prompt to the trace and the span that are being made in this flow of control, if any are."""
    if not open_traces.any:
        return
    span_context = current_span().get_span_context()
    trace = open_traces.get(span_context.trace_id) if span_context.is_valid else None
    if trace is None or split_workspace(trace.uri)[1] != split_workspace(context.place())[1]:
        return  # in another workspace the name means another prompt
    try:
        pair = (name, str(version))
        if pair not in trace.prompts:
            trace.prompts[pair] = None
            writer.changed(trace)
        span = get_current_active_span()
        if span is not None:
            said = span.get_attribute(SpanKey.LINKED_PROMPTS)
            there = linked_prompts(said if isinstance(said, str) else None)
            if pair not in there:
                span.set_attribute(SpanKey.LINKED_PROMPTS, linked_text([*there, pair]))
    except Exception as error:
        guard.swallow("link a prompt to its trace", error)
