"""What a trace's metadata say about all of its spans: token usage, cost and sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, NamedTuple

from otflow.semconv import CostKey, Metadata, OTel, SpanKey, TokenUsageKey

__all__ = ["SpanFacts", "aggregates", "usage_text"]

_USAGE_KEYS: tuple[str, ...] = (TokenUsageKey.INPUT, TokenUsageKey.OUTPUT, TokenUsageKey.TOTAL)
_DETAIL_KEYS: tuple[str, ...] = (TokenUsageKey.CACHE_READ, TokenUsageKey.CACHE_CREATION, TokenUsageKey.REASONING)
"""Counts that are part of the others, and there only where a span states them."""
_USAGE = frozenset((*_USAGE_KEYS, *_DETAIL_KEYS))
_ABSURD = 1e18
"""Numbers from here on are mistakes; they would make every sum useless."""
_COST_KEYS: tuple[str, ...] = (CostKey.INPUT, CostKey.OUTPUT, CostKey.TOTAL)
_COST = frozenset(_COST_KEYS)


class SpanFacts(NamedTuple):
    """What the aggregates need of one span; `usage` and `cost` are the JSON texts of the attributes."""

    span_id: str
    parent_id: str | None
    size: int
    usage: str | None
    cost: str | None


def aggregates(spans: Sequence[SpanFacts]) -> dict[str, str]:
    """The metadata of a trace with these spans.

    Token usage leaves out the spans below one that has a usage of its own: an agent's sum already holds that of
    its calls. Costs are summed over all spans. Both as MLflow does.
    """
    if not spans:
        return {}
    metadata = _sizes([span.size for span in spans])
    if any(span.usage is not None for span in spans) and (usage := _usage(spans)):
        metadata[Metadata.TOKEN_USAGE] = json.dumps(usage)
    if any(span.cost is not None for span in spans) and (cost := _cost(spans)):
        metadata[Metadata.COST] = json.dumps(cost)
    return metadata


def _sizes(sizes: list[int]) -> dict[str, str]:
    total = sum(sizes)
    sizes.sort()
    p25, p50, p75 = (_percentile(sizes, quarter) for quarter in (1, 2, 3))
    stats = (
        f'{{"total_size_bytes": {total}, "num_spans": {len(sizes)}, "max": {sizes[-1]},'
        f' "p25": {p25}, "p50": {p50}, "p75": {p75}}}'
    )
    return {Metadata.SIZE_STATS: stats, Metadata.SIZE_BYTES: str(total)}


def usage_text(attributes: Mapping[str, Any]) -> Any:
    """The JSON text of a span's token usage: MLflow's attribute, else what the GenAI conventions have for it."""
    text = attributes.get(SpanKey.CHAT_USAGE)
    if text is not None:
        return text
    read, written = attributes.get(OTel.GEN_AI_INPUT_TOKENS), attributes.get(OTel.GEN_AI_OUTPUT_TOKENS)
    if not isinstance(read, int) and not isinstance(written, int):
        return None
    read, written = read or 0, written or 0
    return json.dumps({TokenUsageKey.INPUT: read, TokenUsageKey.OUTPUT: written, TokenUsageKey.TOTAL: read + written})


def _percentile(ordered: list[int], quarter: int) -> int:
    """The value at `quarter`/4 of the way, between two neighbours by proportion."""
    whole, rest = divmod((len(ordered) - 1) * quarter, 4)
    value = ordered[whole]
    return value if rest == 0 else value + (ordered[whole + 1] - value) * rest // 4


def _usage(spans: Sequence[SpanFacts]) -> dict[str, float] | None:
    own = {span.span_id: usage for span in spans if (usage := _numbers(span.usage, _USAGE)) is not None}
    if not own:
        return None
    parents = {span.span_id: span.parent_id for span in spans}
    total: dict[str, float] = dict.fromkeys(_USAGE_KEYS, 0)
    covered: dict[str, bool] = {}
    for span_id, usage in own.items():
        if _is_below_usage(parents.get(span_id), own, parents, covered):
            continue
        for key in _USAGE_KEYS:
            total[key] += usage.get(key, 0)
        for key in _DETAIL_KEYS:
            if key in usage:
                total[key] = total.get(key, 0) + usage[key]
    return total


def _is_below_usage(
    span_id: str | None, own: dict[str, Any], parents: dict[str, str | None], covered: dict[str, bool]
) -> bool:
    """Whether a span or one above it has a usage; what is found out is kept in `covered`."""
    path: dict[str, None] = {}
    answer = False
    while span_id is not None and span_id not in path:
        if span_id in own:
            answer = True
            break
        if span_id in covered:
            answer = covered[span_id]
            break
        path[span_id] = None
        span_id = parents.get(span_id)
    for passed in path:
        covered[passed] = answer
    return answer


def _cost(spans: Sequence[SpanFacts]) -> dict[str, float] | None:
    costs = [cost for span in spans if (cost := _numbers(span.cost, _COST))]
    if not costs:
        return None
    return {key: fsum(cost.get(key, 0.0) for cost in costs) for key in _COST_KEYS}


def _numbers(text: str | None, keys: frozenset[str]) -> dict[str, Any] | None:
    """A JSON object in which these keys are numbers or absent; anything else is no usage and no cost."""
    if text is None:
        return None
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    numbers: dict[str, Any] = {}
    for key, value in found.items():  # pyright: ignore[reportUnknownVariableType]
        if key in keys and value is not None:
            # NaN is not smaller than anything.
            if not isinstance(value, (int, float)) or not -_ABSURD < value < _ABSURD:
                return None
            numbers[key] = value
    return numbers
