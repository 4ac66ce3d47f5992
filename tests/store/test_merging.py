"""What a store keeps of a record is enough to go on merging."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import TraceState
from otflow.semconv import Tag
from otflow.store.merging import Record
from otflow.store.sql.rows import record_from_row, trace_row
from otflow.testing.contract.making import span, write

TRACE = "tr-" + "1" * 32
_maybe = st.none() | st.sampled_from(["a", "é\0"])

_writes = st.builds(
    lambda **fields: write(TRACE, "0", **fields),
    name=st.none() | st.just("told"),
    state=st.sampled_from([TraceState.OK, TraceState.ERROR, TraceState.IN_PROGRESS]),
    request_time_ms=st.integers(0, 3),
    execution_duration_ms=st.none() | st.integers(0, 3),
    request_preview=_maybe,
    response_preview=_maybe,
    client_request_id=_maybe,
    tags=st.dictionaries(st.sampled_from(["x", "y", Tag.NAME]), st.none() | st.just("v")),
)
_spans = st.builds(
    lambda **fields: span(TRACE, "seen", **fields),
    span_id=st.sampled_from(["1" * 16, "2" * 16]),
    parent_id=st.none() | st.just("3" * 16),
    start_ms=st.integers(0, 3),
    end_ms=st.none() | st.integers(3, 5),
    inputs=st.none() | st.just("asked"),
)


def _take(record: Record, said: Any) -> None:
    if hasattr(said, "tags"):
        record.hear(said, 0)
    else:
        record.see(said)


@given(st.lists(_writes | _spans, min_size=1, max_size=6))
def test_a_record_survives_being_stored_at_any_time(all_said: list[Any]) -> None:
    kept, stored = Record(TRACE, 0), Record(TRACE, 0)
    for said in all_said:
        _take(kept, said)
        _take(stored, said)
        stored = record_from_row(trace_row(stored, None))
    assert trace_row(stored, None)[:16] == trace_row(kept, None)[:16]


def test_in_every_order_a_finished_write_and_the_root_agree() -> None:
    said = [
        write(TRACE, "0", state=TraceState.IN_PROGRESS, execution_duration_ms=None, request_time_ms=5),
        write(TRACE, "0", state=TraceState.ERROR, execution_duration_ms=7, request_time_ms=6, response_preview="end"),
        span(TRACE, "root", start_ms=4, inputs="asked", outputs="answered"),
        span(TRACE, "child", parent_id="3" * 16, start_ms=1),
    ]
    found: set[tuple[object, ...]] = set()
    for order in itertools.permutations(said):
        record = Record(TRACE, 0)
        for one in order:
            _take(record, one)
        found.add(trace_row(record, None)[:9])
    assert found == {(TRACE, 0, 5_000_000, 7, "ERROR", "root", None, '"asked"', "end")}
