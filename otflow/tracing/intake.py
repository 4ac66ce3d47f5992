"""From an ended OpenTelemetry span to the span that leaves this process; runs in the writer's thread.

Every span that is stored or exported passes here once, foreign ones too. What must not leave the call at all is
taken out earlier, when it is set on the span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otflow.entities import Span
from otflow.tracing import logs
from otflow.tracing.limits import fitted
from otflow.tracing.privacy import is_own, outgoing
from otflow.wire.conventions import read

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from otflow.tracing.assembly import OpenTrace

__all__ = ["take"]


def take(ended: ReadableSpan, trace: OpenTrace) -> Span:
    """The span as it is stored: with what other conventions say translated, under otflow's trace id."""
    span = logs.attach(Span.recorded(ended, trace.trace_id), ended)
    # Before anything is cut: of half a secret no rule can tell what it is.
    span = fitted(outgoing(span), ended)
    skipped = trace.skipped
    if skipped and ended.parent is not None and ended.parent.span_id in skipped:
        span = span.below(f"{skipped[ended.parent.span_id]:016x}")
    span = read(span)
    # Once more where something was translated: only now are there inputs and outputs for rules to be about.
    return span if is_own(ended) else outgoing(span)
