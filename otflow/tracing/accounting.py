"""What became of the spans that ended: `otflow.tracing.delivery()`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from otflow.tracing.destinations import destinations
from otflow.tracing.exporter import writer

__all__ = ["Delivery", "delivery"]


@dataclass(frozen=True)
class Delivery:
    """A count of spans that ended, at one moment; it adds up: `ended == queued + written + spilled + lost`.

    Attributes:
        ended: Spans of this process that ended and were to be delivered. A span that goes to two destinations counts
            twice, and so does one that is delivered anew because a log record came after its end.
        queued: Those that wait in memory, or are on their way now.
        written: Those that the destination has: committed, where it is a store; accepted, where it is a collector.
        spilled: Those that wait on disk for a destination that is away. The process may die; they are delivered
            when the destination is back, by this process or by another one with the same destination.
        lost: Those that nobody will see.
        why: How many were lost for which reason.
        retried: How often a span was tried again; no part of the sum.
        recovered: Spans that other processes left on disk and this one has delivered; no part of the sum.
        destinations: The same for each destination, by its name.
    """

    ended: int = 0
    queued: int = 0
    written: int = 0
    spilled: int = 0
    lost: int = 0
    why: Mapping[str, int] = field(default_factory=dict[str, int])
    retried: int = 0
    recovered: int = 0
    destinations: Mapping[str, Delivery] = field(default_factory=dict[str, "Delivery"])


def delivery() -> Delivery:
    """What became of the spans that ended in this process until now: queued, written, spilled, retried, lost and why.

    The count begins with the process. In a child made by `os.fork` it begins at 0: what was queued or spilled at that
    moment is its parent's. Spans that are still open are not counted, nor are spans that are not recorded.

    Example:
        >>> import otflow
        >>> @otflow.trace
        ... def work():
        ...     return 42
        >>> work()
        42
        >>> otflow.flush_trace_async_logging()
        >>> count = otflow.tracing.delivery()
        >>> count.queued, count.lost
        (0, 0)
    """
    queued, elsewhere, lanes = writer.count()
    parts: dict[str, Delivery] = {}
    waiting: Counter[str] = Counter()
    for uri, spans in queued.items():
        for destination in destinations(uri):
            waiting[destination.name] += spans
    for lane in lanes:
        in_lane, written, spilled, retried, recovered, lost = lane.counts()
        queued_here = in_lane + waiting.pop(lane.name, 0)
        parts[lane.name] = _of(queued_here, written, spilled, lost, retried, recovered)
    for name, spans in waiting.items():
        parts[name] = _of(spans, 0, 0, {}, 0, 0)
    why = Counter(elsewhere)
    for part in parts.values():
        why.update(part.why)
    totals = {
        name: sum(getattr(part, name) for part in parts.values())
        for name in ("queued", "written", "spilled", "retried", "recovered")
    }
    whole = _of(totals["queued"], totals["written"], totals["spilled"], why, totals["retried"], totals["recovered"])
    return replace(whole, destinations=MappingProxyType(parts))


def _of(queued: int, written: int, spilled: int, why: Mapping[str, int], retried: int, recovered: int) -> Delivery:
    lost = sum(why.values())
    return Delivery(
        ended=queued + written + spilled + lost,
        queued=queued,
        written=written,
        spilled=spilled,
        lost=lost,
        why=MappingProxyType({reason: count for reason, count in why.items() if count}),
        retried=retried,
        recovered=recovered,
    )
