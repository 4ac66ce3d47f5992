"""From an ended OpenTelemetry span to the span that leaves this process; runs in the writer's thread.

Every span that is stored or exported passes here once, foreign ones too. What must not leave the call at all is
taken out earlier, when it is set on the span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otflow.entities import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["take"]


def take(ended: ReadableSpan, trace_id: str) -> Span:
    """The span as it is stored: with what other conventions say translated, under otflow's trace id."""
    return Span.recorded(ended, trace_id)
