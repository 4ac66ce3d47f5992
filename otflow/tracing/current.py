"""Which span is current: the one in OpenTelemetry's context, or, in a private provider, one of otflow's own there.

Spans of a private provider never reach the application's exporters. Were they current for OpenTelemetry, the
application's own spans would become children of something that its backend never sees.
"""

from __future__ import annotations

from opentelemetry import context as otel_context
from opentelemetry import trace as trace_api
from opentelemetry.context import Context
from opentelemetry.trace import Span

__all__ = ["current_span", "for_sdk", "keep_apart", "with_current"]

_OWN = otel_context.create_key("otflow-span")
_apart = False


def keep_apart(apart: bool) -> None:
    """Keep otflow's current span apart from OpenTelemetry's, or not."""
    global _apart
    _apart = apart


def current_span(context: Context | None = None) -> Span:
    """The span that is current for otflow in `context`, by default the current one; an invalid one where none is."""
    if not _apart:
        return trace_api.get_current_span(context)
    found = otel_context.get_value(_OWN, context)
    return found if isinstance(found, Span) else trace_api.INVALID_SPAN


def with_current(span: Span, context: Context) -> Context:
    """`context`, with `span` as the span that is current for otflow."""
    if not _apart:
        return trace_api.set_span_in_context(span, context)
    return otel_context.set_value(_OWN, span, context)


def for_sdk(context: Context) -> Context:
    """`context` as the SDK must see it to start a span of otflow's below the right parent."""
    return context if not _apart else trace_api.set_span_in_context(current_span(context), context)
