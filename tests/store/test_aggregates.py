"""What a trace says about all of its spans."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from otflow.semconv import Metadata
from otflow.store.aggregates import SpanFacts, aggregates


def _usage(tokens: int, **more: int) -> str:
    return json.dumps({"input_tokens": tokens, "output_tokens": 2 * tokens, "total_tokens": 3 * tokens, **more})


def _span(span_id: str, parent_id: str | None = None, usage: str | None = None, cost: str | None = None) -> SpanFacts:
    return SpanFacts(span_id, parent_id, 10, usage, cost)


def test_no_spans_say_nothing() -> None:
    assert aggregates([]) == {}


def test_sizes_are_those_of_the_released_mlflow() -> None:
    # What MLflow says of a trace whose spans have these sizes.
    sizes = [380, 417, 517, 617, 717, 817]
    found = aggregates([SpanFacts(str(size), None, size, None, None) for size in sizes])
    assert json.loads(found[Metadata.SIZE_STATS]) == {
        "total_size_bytes": sum(sizes), "num_spans": 6, "max": 817, "p25": 442, "p50": 567, "p75": 692,
    }  # fmt: skip
    assert found[Metadata.SIZE_BYTES] == str(sum(sizes))
    assert set(found) == {Metadata.SIZE_STATS, Metadata.SIZE_BYTES}


def test_usage_leaves_out_what_is_below_a_usage() -> None:
    spans = [
        _span("root"),
        _span("a", "root", _usage(1)),
        _span("between", "a"),
        _span("a1", "between", _usage(10)),
        _span("b", "root"),
        _span("b1", "b", _usage(100, cache_read_input_tokens=5)),
    ]
    assert json.loads(aggregates(spans)[Metadata.TOKEN_USAGE]) == {
        "input_tokens": 101, "output_tokens": 202, "total_tokens": 303, "cache_read_input_tokens": 5,
    }  # fmt: skip


def test_costs_are_summed_over_all_spans() -> None:
    cost = json.dumps({"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3})
    found = aggregates([_span("a", None, None, cost), _span("b", "a", None, cost)])
    assert json.loads(found[Metadata.COST]) == {"input_cost": 0.2, "output_cost": 0.4, "total_cost": 0.6}


def test_a_part_of_a_usage_counts_as_it_is() -> None:
    found = aggregates([_span("a", None, '{"input_tokens": 3}')])
    assert json.loads(found[Metadata.TOKEN_USAGE]) == {"input_tokens": 3, "output_tokens": 0, "total_tokens": 0}


def test_parents_in_a_ring_and_deep_ones() -> None:
    ring = [_span("a", "b", _usage(1)), _span("b", "c"), _span("c", "b")]
    assert json.loads(aggregates(ring)[Metadata.TOKEN_USAGE])["input_tokens"] == 1
    deep = [_span("0", None, _usage(1))] + [_span(str(depth), str(depth - 1)) for depth in range(1, 20_000)]
    deep.append(_span("last", "19999", _usage(5)))
    assert json.loads(aggregates(deep)[Metadata.TOKEN_USAGE])["input_tokens"] == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.none() | st.sampled_from("abcdefg"),
            st.none() | st.text() | st.builds(_usage, st.integers(0, 9)),
            st.none() | st.just('{"total_cost": 0.1}') | st.just("NaN"),
        ),
        unique_by=lambda one: one[0],
    ),
    st.randoms(),
)
def test_the_order_of_spans_does_not_matter(
    spans: list[tuple[str, str | None, str | None, str | None]], random: object
) -> None:
    facts = [_span(*one) for one in spans]
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert aggregates(shuffled) == aggregates(facts)
