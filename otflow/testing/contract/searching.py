"""`search_traces`: what matches, in which order, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from otflow.entities import AssessmentSource, Expectation, Feedback, Span, Trace, TraceState
from otflow.errors import FilterError, InvalidParameterError
from otflow.search.tree import quote
from otflow.semconv import Metadata, Tag
from otflow.store.interface import Store, TraceWrite
from otflow.testing.contract.making import ContractTests, filtered, new_trace_id, span, write

__all__ = ["FilterContract", "PageContract"]


class PageContract(ContractTests):
    """Order and pages."""

    def test_the_newest_come_first(self, store: Store, experiment: str) -> None:
        for time in (20, 30, 10):
            self.put(store, experiment, str(time), request_time_ms=time)
        assert filtered(store, experiment, None) == ["30", "20", "10"]
        assert filtered(store, experiment, "") == ["30", "20", "10"]
        assert filtered(store, experiment, None, order_by=[]) == ["30", "20", "10"]

    def test_at_the_same_time_the_id_decides(self, store: Store, experiment: str) -> None:
        ids = sorted(self.put(store, experiment) for _ in range(5))
        assert [trace.info.trace_id for trace in store.search_traces([experiment])] == ids

    def test_spans_come_with_the_traces_unless_not_wanted(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment, tags={"a": "b"})
        with_spans = store.search_traces([experiment])
        without = store.search_traces([experiment], include_spans=False)
        assert [trace.to_dict() for trace in with_spans] == [store.get_trace(trace_id).to_dict()]
        assert without[0].data.spans == []
        assert without[0].info.to_dict() == with_spans[0].info.to_dict()

    def test_experiments(self, store: Store, experiment: str) -> None:
        others = [store.create_experiment(f"{experiment}-{number}") for number in range(3)]
        for number, where in enumerate([*others, experiment]):
            self.put(store, where, str(number), request_time_ms=number)
            self.put(store, where, str(number + 10), request_time_ms=number + 10)

        def found(*experiments: Any, **search: Any) -> list[str]:
            return [trace.info.tags[Tag.NAME] for trace in store.search_traces(experiments, **search)]

        assert found(*others) == ["12", "11", "10", "2", "1", "0"]
        assert found(experiment, experiment) == ["13", "3"]
        assert found(*others, filter_string="span.name = '11'") == ["11"]
        assert found(*others, order_by=["timestamp_ms ASC"], max_results=2) == ["0", "1"]
        assert found("999999999", "abc", experiment) == ["13", "3"]
        assert found() == []
        with pytest.raises(InvalidParameterError):
            store.search_traces(experiment)  # a string is a sequence of strings
        store.delete_experiment(experiment)
        assert found(experiment) == ["13", "3"]

    @pytest.mark.parametrize("max_results", [0, -1, 50_001, "5", None, 1.5, True])
    def test_a_page_has_1_to_50000_traces(self, store: Store, experiment: str, max_results: Any) -> None:
        with pytest.raises(InvalidParameterError, match="max_results"):
            store.search_traces([experiment], max_results=max_results)
        assert store.search_traces([experiment], max_results=50_000) == []

    @pytest.mark.parametrize("order_by", [
        None, ["timestamp_ms ASC"], ["execution_time_ms DESC"], ["execution_time_ms"], ["name", "timestamp_ms DESC"],
        ["tags.rank"], ["tags.rank DESC"], ["metadata.rank", "status DESC"], ["trace_id DESC"],
    ])  # fmt: skip
    @pytest.mark.parametrize("filter_string", [None, "tags.kind = 'odd'", "span.name = 'even' AND status = 'OK'"])
    def test_pages_hold_everything_once(
        self, store: Store, experiment: str, order_by: list[str] | None, filter_string: str | None
    ) -> None:
        _many(store, experiment)
        whole = store.search_traces([experiment], order_by=order_by, filter_string=filter_string)
        pages = _all_pages(store, experiment, order_by=order_by, filter_string=filter_string)
        assert [len(page) for page in pages[:-1]] == [3] * (len(pages) - 1)
        assert [trace.info.trace_id for page in pages for trace in page] == [trace.info.trace_id for trace in whole]
        assert len(whole) == (20 if filter_string is None else 10)

    def test_what_has_no_value_comes_last(self, store: Store, experiment: str) -> None:
        for rank in ("b", None, "a"):
            self.put(store, experiment, str(rank), tags={} if rank is None else {"rank": rank})
        assert filtered(store, experiment, None, order_by=["tags.rank ASC"]) == ["a", "b", "None"]
        assert filtered(store, experiment, None, order_by=["tags.rank DESC"]) == ["b", "a", "None"]

    @pytest.mark.parametrize("filter_string", [None, "tags.kind = 'all'"])
    def test_pages_stay_true_while_traces_come_and_go(
        self, store: Store, experiment: str, filter_string: str | None
    ) -> None:
        for time in range(10):
            self.put(store, experiment, str(time), request_time_ms=time, tags={"kind": "all"})
        first = store.search_traces([experiment], max_results=4, filter_string=filter_string)
        assert [trace.info.tags[Tag.NAME] for trace in first] == ["9", "8", "7", "6"]
        self.put(store, experiment, "newer", request_time_ms=100, tags={"kind": "all"})
        gone = [first[-1].info.trace_id] + [
            trace.info.trace_id for trace in store.search_traces([experiment]) if trace.info.tags[Tag.NAME] == "4"
        ]
        store.delete_traces(experiment, trace_ids=gone)
        rest = filtered(store, experiment, filter_string, page_token=first.token, max_results=100)
        assert rest == ["5", "3", "2", "1", "0"]

    def test_the_last_page_has_no_token(self, store: Store, experiment: str) -> None:
        for time in range(4):
            self.put(store, experiment, request_time_ms=time)
        assert store.search_traces([experiment], max_results=4).token is None
        assert store.search_traces([experiment], max_results=5).token is None
        page = store.search_traces([experiment], max_results=2)
        assert store.search_traces([experiment], max_results=2, page_token=page.token).token is None

    def test_a_token_is_one_of_the_same_search(self, store: Store, experiment: str) -> None:
        for time in range(4):
            self.put(store, experiment, request_time_ms=time)
        token = store.search_traces([experiment], max_results=1).token
        assert token
        others: list[Any] = ["nonsense", "e30=", "é", 5, token[:-4], token + "AAAA"]
        for other in others:
            with pytest.raises(InvalidParameterError, match="token"):
                store.search_traces([experiment], page_token=other)
        with pytest.raises(InvalidParameterError, match="token"):
            store.search_traces([experiment], page_token=token, order_by=["name"])
        assert len(store.search_traces([experiment], page_token="")) == 4

    @pytest.mark.parametrize("order_by", [["nonsense"], ["timestamp_ms SIDEWAYS"], ["feedback.x"], "timestamp_ms"])
    def test_orders_that_mean_nothing(self, store: Store, experiment: str, order_by: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.search_traces([experiment], order_by=order_by)


def _many(store: Store, experiment: str) -> None:
    """Twenty traces, with equals in every order."""
    writes: list[TraceWrite] = []
    spans: list[Span] = []
    for number in range(20):
        trace_id = new_trace_id()
        kind = "odd" if number % 2 else "even"
        writes.append(
            write(
                trace_id,
                experiment,
                name=f"name {number % 3}",
                request_time_ms=number // 4,
                execution_duration_ms=None if number % 5 == 0 else number % 4,
                tags={"kind": kind} | ({} if number % 3 else {"rank": str(number % 4)}),
                metadata={} if number % 4 else {"rank": str(number % 3)},
            )
        )
        spans.append(span(trace_id, kind))
    store.write_traces(writes, spans)


def _all_pages(store: Store, experiment: str, **search: Any) -> Sequence[list[Trace]]:
    pages: list[list[Trace]] = []
    token: str | None = None
    while True:
        page = store.search_traces([experiment], max_results=3, page_token=token, **search)
        pages.append(page)
        token = page.token
        if token is None:
            return pages


class FilterContract(ContractTests):
    """What the filters find; three traces are searched, `one`, `two` and `three`."""

    @pytest.fixture
    def searched(self, store: Store, experiment: str) -> str:
        """The experiment with the three traces."""
        ids = {name: new_trace_id() for name in ("one", "two", "three")}
        store.write_traces(
            [
                write(
                    ids["one"], experiment, name="one", request_time_ms=300, execution_duration_ms=10,
                    tags={"env": "prod", "with space": "x", "a.b": "dot", "100%": "50%"},
                    metadata={Metadata.SESSION: "s1", Metadata.USER: "ada", "git": "abc", Metadata.SOURCE_RUN: "run-1"},
                    client_request_id="req-1", request_preview="hello", response_preview="world",
                ),
                write(
                    ids["two"], experiment, name="two", request_time_ms=200, execution_duration_ms=20,
                    state=TraceState.ERROR, tags={"env": "dev"},
                    metadata={Metadata.SESSION: "s2", Metadata.MODEL_ID: "m-1"}, client_request_id="req-2",
                ),
                write(
                    ids["three"], experiment, name="three", request_time_ms=100, execution_duration_ms=None,
                    state=TraceState.IN_PROGRESS, tags={"env": "Prod"},
                ),
            ],
            [
                span(ids["one"], "retrieve", span_type="RETRIEVER", outputs="alpha",
                     attributes={"top_k": 5, "label": "x", "flag": True}),
                span(ids["one"], "Generate", span_type="LLM", status="ERROR", attributes={"temperature": 0.5}),
                span(ids["two"], "generate", span_type="LLM", attributes={"temperature": 1.5, "score": float("nan")}),
                span(ids["three"], "step", end_ms=None, parent_id="e" * 16,
                     attributes={"top_k": "5 of 7", "nul": "\0"}),
            ],
        )  # fmt: skip
        source = AssessmentSource("HUMAN")
        for name, value in (("one", True), ("two", False)):
            store.create_assessment(Feedback(name="good", value=value, trace_id=ids[name], source=source))
        for name, value in (("one", 0.9), ("two", 0.2)):
            store.create_assessment(Feedback(name="score", value=value, trace_id=ids[name], source=source))
        store.create_assessment(Feedback(name="verdict", value="yes", trace_id=ids["one"], source=source))
        store.create_assessment(Feedback(name="verdict", error=ValueError("no"), trace_id=ids["three"], source=source))
        store.create_assessment(Expectation(name="answer", value="42", trace_id=ids["two"], source=source))
        store.link_traces_to_run([ids["two"]], "run-2")
        store.link_prompts_to_trace(ids["three"], [("greeting", "3")])
        return experiment

    @pytest.mark.parametrize(
        ("filter_string", "expected"),
        [
            # what a trace has once
            ("status = 'OK'", "one"),
            ("status != 'OK'", "two three"),
            ("status IN ('OK', 'ERROR')", "one two"),
            ("attributes.status = 'IN_PROGRESS'", "three"),
            ("timestamp_ms = 200", "two"),
            ("timestamp_ms != 200", "one three"),
            ("timestamp_ms < 200", "three"),
            ("timestamp_ms <= 200", "two three"),
            ("timestamp_ms > 200", "one"),
            ("timestamp >= 200", "one two"),
            ("timestamp_ms > 100 AND timestamp_ms < 300", "two"),
            ("execution_time_ms > 10", "two"),
            ("execution_time_ms >= 0", "one two"),
            ("end_time_ms = 220", "two"),
            ("name = 'one'", "one"),
            ("name LIKE 't%'", "two three"),
            ("name LIKE 'T%'", ""),
            ("name ILIKE 'T%'", "two three"),
            ("name RLIKE '^t.*e$'", "three"),
            ("name NOT IN ('one', 'two')", "three"),
            ("client_request_id = 'req-1'", "one"),
            ("client_request_id IS NULL", "three"),
            ("client_request_id IS NOT NULL", "one two"),
            # tags and metadata
            ("tags.env = 'prod'", "one"),
            ("tag.env = 'dev'", "two"),
            ("tags.env != 'prod'", "two three"),
            ("tags.env LIKE 'pro%'", "one"),
            ("tags.env ILIKE 'pro%'", "one three"),
            ("tags.env IN ('prod', 'dev')", "one two"),
            ("tags.env NOT IN ('prod')", "two three"),
            ("tags.`with space` = 'x'", "one"),
            ("tags.`a.b` = 'dot'", "one"),
            ("tags.`100%` = '50%'", "one"),
            ("tags.absent = 'x'", ""),
            ("tags.absent != 'x'", ""),
            ("tags.absent IS NULL", "one two three"),
            ("tags.`with space` IS NOT NULL", "one"),
            (f"tags.`{Tag.NAME}` = 'two'", "two"),
            ("metadata.git = 'abc'", "one"),
            (f"metadata.`{Metadata.SESSION}` = 's2'", "two"),
            (f"metadata.`{Metadata.USER}` = 'ada'", "one"),
            ("session = 's1'", "one"),
            ("user = 'ada'", "one"),
            ("model_id = 'm-1'", "two"),
            # runs and prompts
            ("run_id = 'run-1'", "one"),
            ("run_id = 'run-2'", "two"),
            ("run_id = 'run-3'", ""),
            ("prompt = 'greeting/3'", "three"),
            ("prompt = 'greeting/4'", ""),
            # spans
            ("span.name = 'retrieve'", "one"),
            ("span.name = 'generate'", "two"),
            ("span.name LIKE 'gen%'", "two"),
            ("span.name ILIKE 'gen%'", "one two"),
            ("span.name != 'retrieve'", "one two three"),
            ("span.name IN ('retrieve', 'step')", "one three"),
            ("span.name RLIKE '^[a-z]+e$'", "one two"),
            ("span.type = 'LLM'", "one two"),
            ("span.type = 'RETRIEVER'", "one"),
            ("span.type NOT IN ('LLM', 'RETRIEVER')", "three"),
            ("span.status = 'ERROR'", "one"),
            ("span.type = 'LLM' AND span.status = 'OK'", "two"),
            ("span.name = 'retrieve' AND span.type = 'LLM'", ""),
            ("span.attributes.top_k = '5'", "one"),
            ("span.attributes.top_k LIKE '5%'", "one three"),
            ("span.attributes.label = 'x'", "one"),
            ("span.attributes.temperature > 1", "two"),
            ("span.attributes.temperature <= 1.5", "one two"),
            ("span.content LIKE '%alpha%'", "one"),
            ("trace.text LIKE '%retrieve%'", "one"),
            # assessments
            ("feedback.good = 'true'", "one"),
            ("feedback.good = 'false'", "two"),
            ("feedback.verdict = 'yes'", "one"),
            ("feedback.verdict IS NOT NULL", "one three"),
            ("feedback.verdict IS NULL", "two"),
            ("feedback.score > 0.5", "one"),
            ("feedback.score <= 0.9", "one two"),
            ("feedback.absent = 'yes'", ""),
            ("expectation.answer = '42'", "two"),
            ("expectation.good = 'true'", ""),
            # together
            ("tags.env = 'prod' AND status = 'OK' AND span.name = 'retrieve' AND feedback.good = 'true'", "one"),
            ("tags.env = 'prod' AND status = 'ERROR'", ""),
        ],
    )
    def test_filter(self, store: Store, searched: str, filter_string: str, expected: str) -> None:
        assert filtered(store, searched, filter_string) == expected.split()
        oldest_first = filtered(store, searched, filter_string, order_by=["timestamp_ms ASC"])
        assert oldest_first == expected.split()[::-1]

    @pytest.mark.parametrize(
        "filter_string",
        [
            "nonsense", "nonsense = 'x'", "status =", "status = OK", "status = 'OK' OR status = 'ERROR'", "= 'x'",
            "status = 'OK' AND", "tags.env > 'a'", "timestamp_ms = 'x'", "name RLIKE '('", "name = 'unclosed",
        ],
    )  # fmt: skip
    def test_a_filter_that_means_nothing(self, store: Store, experiment: str, filter_string: str) -> None:
        with pytest.raises(FilterError) as caught:
            store.search_traces([experiment], filter_string=filter_string)
        assert filter_string in str(caught.value)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"

    def test_what_a_filter_says_is_never_sql(self, store: Store, searched: str) -> None:
        for text in ("' OR 1=1 --", "%", "?", '"', "\\", "\\'", "\0", "x" * 10_000, "é", "$.", "{}", "%s"):
            for field in ("tags.env", "span.name", "metadata.git", "span.attributes.label", "feedback.verdict", "name"):
                assert filtered(store, searched, f"{field} = {quote(text)}") == []
            assert filtered(store, searched, f"tags.`{text.replace('`', '``')}` = 'x'") == []

    def test_long_values_are_told_apart(self, store: Store, experiment: str) -> None:
        long = "v" * 5_000
        self.put(store, experiment, "a", tags={"long": long + "a", "k" * 240: "x"})
        self.put(store, experiment, "b", tags={"long": long + "b"}, span_name=long + "b")
        assert filtered(store, experiment, f"tags.long = '{long}a'") == ["a"]
        assert filtered(store, experiment, f"span.name = '{long}b'") == ["b"]
        assert filtered(store, experiment, f"span.name = '{long}a'") == []
        assert filtered(store, experiment, f"tags.`{'k' * 240}` = 'x'") == ["a"]

    def test_a_trace_that_changes_is_found_as_it_is_now(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_traces(
            [write(trace_id, experiment, name="t", request_time_ms=50, tags={"env": "dev"})], [span(trace_id, "first")]
        )
        self.put(store, experiment, "other", request_time_ms=40, tags={"env": "prod"})
        store.write_traces(
            [write(trace_id, experiment, name="t", request_time_ms=30, tags={"env": "prod"})],
            [span(trace_id, "second", parent_id="e" * 16)],
        )
        assert filtered(store, experiment, "tags.env = 'prod'") == ["other", "t"]
        assert filtered(store, experiment, "tags.env = 'dev'") == []
        for name in ("first", "second"):
            assert filtered(store, experiment, f"span.name = '{name}'") == ["t"]
