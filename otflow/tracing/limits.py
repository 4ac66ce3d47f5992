"""Limits of spans: OpenTelemetry's, and otflow's own on the length of a value.

OpenTelemetry's limits are for what a span has too much of: 128 attributes and events, by default. The SDK drops the
oldest attributes, which would be a span's inputs, and cuts JSON texts in the middle. Here cut texts are made JSON
again, what was dropped is counted on the span, and values are kept below the setting ATTRIBUTE_MAX_BYTES.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

from otflow import config
from otflow.entities import Span, SpanEvent
from otflow.entities.truncation import is_json, repaired, truncated
from otflow.semconv import OTel
from otflow.tracing import guard

if TYPE_CHECKING:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.trace import ReadableSpan, SpanLimits

__all__ = ["fitted", "keep_own", "span_limits"]

MOST_ATTRIBUTES: Final = 16_384
"""Attributes of a span in a provider that otflow makes: OpenInference needs five for each message with a tool call."""
MOST_EVENTS: Final = 100_000
"""Events of such a span: a generator's span has one for each item."""

_OWN: Final = "mlflow."
_ENDS: Final = {"{": "}", "[": "]", '"': '"'}


def fitted(span: Span, ended: ReadableSpan) -> Span:
    """The span with cut JSON texts repaired, the number of what was dropped, and values of the allowed length.

    Args:
        span: The span, which nobody else holds yet.
        ended: The OpenTelemetry span that it was made from.
    """
    changed: dict[str, Any] = {}
    attributes = span.raw_attributes
    held: Any = getattr(ended, "_attributes", None)
    cut_at: int | None = getattr(held, "max_value_len", None)
    for key, value in attributes.items():
        if key[:7] == _OWN and type(value) is str and _is_cut(value, cut_at):
            changed[key] = _repaired_within(value, cut_at)
    limit = guard.setting(config.ATTRIBUTE_MAX_BYTES)
    if limit is not None:
        for key, value in {**attributes, **changed}.items():
            if (short := _shortened(value, limit)) is not value:
                changed[key] = short
    if ended.dropped_attributes:
        changed[OTel.DROPPED_ATTRIBUTES] = ended.dropped_attributes
    if ended.dropped_events:
        changed[OTel.DROPPED_EVENTS] = ended.dropped_events
    if ended.dropped_links:
        changed[OTel.DROPPED_LINKS] = ended.dropped_links
    span = span.with_fitting_labels()
    if changed:
        span = span.with_attributes({**attributes, **changed})
    if limit is not None and span.events:
        span = span.with_changed_events([_short_event(event, limit) for event in span.events])
    return span


def _repaired_within(text: str, limit: int | None) -> str:
    """A cut text as JSON again, and no longer than the limit unless that leaves no room to say that it was cut."""
    mended = repaired(text)
    if limit is None:
        return mended
    kept = len(text)
    while len(mended) > limit and kept > 1:
        kept -= max(1, len(mended) - limit)
        mended = repaired(text[: max(kept, 1)])
    return mended


def _is_cut(text: str, cut_at: int | None) -> bool:
    if len(text) == cut_at:
        return not is_json(text)
    # Where the limit is not known: what ends as it began is taken to be whole.
    end = _ENDS.get(text[:1])
    return end is not None and (len(text) < 2 or text[-1] != end)


def _shortened(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return truncated(value, limit)
    if isinstance(value, (list, tuple)):
        items = cast("tuple[Any, ...]", value)
        short = [_shortened(item, limit) for item in items]
        return items if all(one is other for one, other in zip(short, items, strict=True)) else tuple(short)
    return value


def _short_event(event: SpanEvent, limit: int) -> SpanEvent:
    short = {key: _shortened(value, limit) for key, value in event.attributes.items()}
    if all(short[key] is value for key, value in event.attributes.items()):
        return event
    return SpanEvent(event.name, event.timestamp, short)


# -- for providers -----------------------------------------------------------------------------------


def span_limits() -> SpanLimits:
    """The limits of a provider that otflow makes: what `OTEL_*` variables say, else wide ones."""
    from opentelemetry.sdk.trace import SpanLimits

    of_spans, of_events, of_all = config.otel_span_limits()
    return SpanLimits(
        max_span_attributes=None if of_spans or of_all else MOST_ATTRIBUTES,
        max_events=None if of_events else MOST_EVENTS,
    )


@functools.cache
def _own_last() -> type[BoundedAttributes]:
    from opentelemetry.attributes import BoundedAttributes

    class OwnLast(BoundedAttributes):
        """Attributes that, when they are too many, lose the oldest that is not otflow's own."""

        def __setitem__(self, key: str, value: Any) -> None:
            held: dict[str, Any] = self._dict
            if self.maxlen is None or len(held) < self.maxlen:
                if (
                    type(value) is str
                    and type(key) is str
                    and key
                    and self.max_value_len is None
                    and not self._immutable
                ):
                    with self._lock:  # nothing to look into: the SDK's own way takes twice as long
                        held.pop(key, None)
                        held[key] = value
                    return
            elif key not in held:
                for own in [one for one in held if one[:7] == _OWN]:
                    held[own] = held.pop(own)
            super().__setitem__(key, value)

    return OwnLast


def keep_own(span: Any) -> None:
    """Let a span that the SDK has made drop otflow's own attributes last."""
    from opentelemetry.attributes import BoundedAttributes

    held = getattr(span, "_attributes", None)
    if type(held) is BoundedAttributes:
        held.__class__ = _own_last()
