"""Limits of spans: OpenTelemetry's, and otflow's own on the length of a value.

OpenTelemetry's limits are for what a span has too much of: 128 attributes and events, by default. The SDK drops the
oldest attributes, which would be a span's inputs, and cuts JSON texts in the middle. Here cut texts are made JSON
again, what was dropped is counted on the span, and values are kept below the setting ATTRIBUTE_MAX_BYTES.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

from otflow import config, otel_variables
from otflow.entities import Span, SpanEvent
from otflow.entities.truncation import is_json, repaired, truncated
from otflow.semconv import OTel
from otflow.tracing import guard

if TYPE_CHECKING:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
    from opentelemetry.sdk.trace.sampling import Sampler

    from otflow.errors import InvalidParameterError

__all__ = ["fitted", "ignored", "keep_own", "sampler", "span_limits"]

MOST_ATTRIBUTES: Final = 16_384
"""Attributes of a span in a provider that otflow makes: OpenInference needs five for each message with a tool call."""
MOST_EVENTS: Final = 100_000
"""Events of such a span: a generator's span has one for each item."""
MOST_OF_OTHERS: Final = 128
"""Links of such a span, and attributes of a link or an event: the specification's default."""

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
    """The limits of a provider that otflow makes: what `OTEL_*` variables say, else wide ones.

    All are given: the SDK refuses to make a span where a variable holds no number, and takes an empty one for no limit.
    """
    from opentelemetry.sdk.trace import SpanLimits

    found = otel_variables.otel_limits(ignored)
    of_all = found.get("ATTRIBUTE_COUNT_LIMIT")
    length = found.get("ATTRIBUTE_VALUE_LENGTH_LIMIT", SpanLimits.UNSET)
    else_of_all = MOST_OF_OTHERS if of_all is None else of_all
    return SpanLimits(
        max_attributes=else_of_all,
        max_span_attributes=found.get("SPAN_ATTRIBUTE_COUNT_LIMIT", MOST_ATTRIBUTES if of_all is None else of_all),
        max_events=found.get("SPAN_EVENT_COUNT_LIMIT", MOST_EVENTS),
        max_links=found.get("SPAN_LINK_COUNT_LIMIT", MOST_OF_OTHERS),
        max_event_attributes=found.get("EVENT_ATTRIBUTE_COUNT_LIMIT", else_of_all),
        max_link_attributes=found.get("LINK_ATTRIBUTE_COUNT_LIMIT", else_of_all),
        max_attribute_length=length,
        max_span_attribute_length=found.get("SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
    )


def sampler() -> Sampler | None:
    """The sampler of such a provider: None for what the SDK makes of `OTEL_*` variables.

    The SDK takes an empty variable for an unknown sampler, and a missing share for a malformed one.
    """
    from opentelemetry.sdk.trace import sampling

    name, argument = otel_variables.otel_sampler()
    if not name:
        return sampling.DEFAULT_ON
    if not argument and name == "traceidratio":
        return sampling.TraceIdRatioBased(1.0)
    if not argument and name == "parentbased_traceidratio":
        return sampling.ParentBasedTraceIdRatio(1.0)
    return None


def ignored(error: InvalidParameterError) -> None:
    """Say that a variable of OpenTelemetry's holds something that is not allowed. Its name begins the message."""
    guard.swallow(f"use the variable {str(error).partition(' ')[0]} (it counts as not set)", error)


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
