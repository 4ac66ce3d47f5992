"""Reading traces, and deleting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otflow.entities import AssessmentSource, Feedback, TraceState
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.semconv import Tag
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests, filtered, new_trace_id, span, write

__all__ = ["DeletingContract", "ReadingContract"]

_NEVER_MADE: list[Any] = ["tr-" + "0" * 32, "nope", "", None, "tr-%", "a\0b"]


class ReadingContract(ContractTests):
    """`get_trace` and its like."""

    @pytest.mark.parametrize("trace_id", _NEVER_MADE)
    def test_an_unknown_trace_is_not_found(self, store: Store, trace_id: Any) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.get_trace(trace_id),
            lambda: store.get_trace_info(trace_id),
            lambda: list(store.iter_spans(trace_id)),
        ]
        for call in calls:
            with pytest.raises(NotFoundError):
                call()
        assert store.get_traces([trace_id]) == []

    def test_spans_are_ordered_by_start_the_root_first(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        root = span(trace_id, "root", start_ms=5_000)
        rest = [span(trace_id, str(start), parent_id=root.span_id, start_ms=start) for start in (7_000, 4_000, 6_000)]
        store.write_spans(experiment, [rest[0], root, *rest[1:]])
        expected = ["root", "4000", "6000", "7000"]
        assert [found.name for found in store.get_trace(trace_id).data.spans] == expected
        assert [found.name for found in store.iter_spans(trace_id)] == expected

    def test_get_trace_info_is_the_trace_without_spans(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment, tags={"a": "b"})
        assert store.get_trace_info(trace_id).to_dict() == store.get_trace(trace_id).info.to_dict()

    def test_get_traces_keeps_the_order(self, store: Store, experiment: str) -> None:
        first, second = (self.put(store, experiment, name) for name in ("first", "second"))
        found = store.get_traces([second, "tr-" + "0" * 32, first, second])
        assert [trace.info.trace_id for trace in found] == [second, first]
        assert [[one.name for one in trace.data.spans] for trace in found] == [["second"], ["first"]]
        assert store.get_traces([]) == []

    def test_a_long_trace_is_read_in_pages(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        root = span(trace_id, "root", start_ms=0)
        children = [span(trace_id, f"c{index}", parent_id=root.span_id, start_ms=index // 3) for index in range(2_500)]
        store.write_spans(experiment, [root, *children])
        names = [found.name for found in store.iter_spans(trace_id, page_size=100)]
        assert len(names) == 2_501
        assert names == [found.name for found in store.get_trace(trace_id).data.spans]
        assert set(names) == {"root", *(f"c{index}" for index in range(2_500))}

    def test_the_store_says_where_spans_and_artifacts_are(self, store: Store) -> None:
        for location, expected in (
            ("s3://bucket/path", "s3://bucket/path/traces/{}/artifacts"),
            ("s3://bucket/path/?x=1", "s3://bucket/path/traces/{}/artifacts?x=1"),
            ("s3://bucket/path#here", "s3://bucket/path/traces/{}/artifacts#here"),
            ("/data/x?y", "/data/x?y/traces/{}/artifacts"),
        ):
            experiment = store.create_experiment(new_trace_id(), artifact_location=location)
            trace_id = self.put(store, experiment, tags={Tag.ARTIFACT_LOCATION: "lie", Tag.SPANS_LOCATION: "lie"})
            tags = store.get_trace_info(trace_id).tags
            assert tags[Tag.ARTIFACT_LOCATION] == expected.format(trace_id)
            assert tags[Tag.SPANS_LOCATION] == Tag.SPANS_IN_STORE


class DeletingContract(ContractTests):
    """`delete_traces`."""

    def test_delete_by_id(self, store: Store, experiment: str) -> None:
        other = store.create_experiment(f"other-{experiment}")
        gone, stays, elsewhere = (
            self.put(store, where, name)
            for where, name in ((experiment, "gone"), (experiment, "stays"), (other, "elsewhere"))
        )
        assert store.delete_traces(experiment, trace_ids=[gone, gone, elsewhere, "tr-" + "0" * 32, "nope"]) == 1
        assert store.delete_traces(experiment, trace_ids=[gone]) == 0
        with pytest.raises(NotFoundError):
            store.get_trace(gone)
        assert filtered(store, experiment, None) == ["stays"]
        assert len(store.get_traces([stays, elsewhere])) == 2

    def test_delete_by_time(self, store: Store, experiment: str) -> None:
        for time in (30, 10, 20):
            self.put(store, experiment, f"at {time}", request_time_ms=time)
        assert store.delete_traces(experiment, max_timestamp_ms=0) == 0
        assert store.delete_traces(experiment, max_timestamp_ms=20) == 2
        assert filtered(store, experiment, None) == ["at 30"]

    def test_the_oldest_go_first(self, store: Store, experiment: str) -> None:
        for time in (30, 10, 20):
            self.put(store, experiment, f"at {time}", request_time_ms=time)
        assert store.delete_traces(experiment, max_timestamp_ms=100, max_traces=2) == 2
        assert filtered(store, experiment, None) == ["at 30"]

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"max_timestamp_ms": 1, "trace_ids": ["x"]},
            {"max_traces": 1},
            {"max_traces": 1, "trace_ids": ["x"]},
            {"max_traces": 0, "max_timestamp_ms": 1},
            {"max_traces": -1, "max_timestamp_ms": 1},
            {"trace_ids": []},
            {"max_timestamp_ms": "x"},
            {"trace_ids": "tr-x"},
        ],
    )
    def test_delete_needs_to_know_what(self, store: Store, experiment: str, arguments: dict[str, Any]) -> None:
        self.put(store, experiment, request_time_ms=1)
        with pytest.raises(InvalidParameterError):
            store.delete_traces(experiment, **arguments)
        assert len(store.search_traces([experiment])) == 1

    def test_deleting_in_an_unknown_experiment_deletes_nothing(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        assert store.delete_traces("999999999", trace_ids=[trace_id]) == 0
        assert store.get_trace(trace_id)

    def test_nothing_is_left_of_a_deleted_trace(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment, "old", tags={"env": "prod"})
        store.create_assessment(Feedback(name="good", value=True, trace_id=trace_id, source=AssessmentSource("HUMAN")))
        store.link_traces_to_run([trace_id], "run-1")
        store.link_prompts_to_trace(trace_id, [("greeting", "1")])
        assert store.delete_traces(experiment, trace_ids=[trace_id]) == 1

        store.write_traces([write(trace_id, experiment, name="new", state=TraceState.ERROR)], [])
        trace = store.get_trace(trace_id)
        assert (trace.data.spans, trace.info.assessments, trace.info.tags[Tag.NAME]) == ([], [], "new")
        assert "env" not in trace.info.tags
        for question in (
            "tags.env = 'prod'", "span.name = 'old'", "feedback.good = 'true'", "run_id = 'run-1'",
            "prompt = 'greeting/1'",
        ):  # fmt: skip
            assert filtered(store, experiment, question) == []
