"""How writes and spans become traces."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otflow.entities import AssessmentSource, Feedback, Span, Trace, TraceState
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.semconv import Metadata, Tag
from otflow.store.interface import Store, TraceWrite
from otflow.testing.contract.making import MS, ContractTests, new_trace_id, span, write

__all__ = ["WritingContract"]


# The store is shared by the examples, and the test by the stores: each example makes traces of its own.
_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]

_Piece = tuple[str, dict[str, Any]]
"""A `write` or a `span`, with its fields."""


@st.composite
def _pieces(draw: st.DrawFn) -> list[_Piece]:
    """What may be written of one trace without contradiction, beside finished and running versions of the same."""
    maybe = st.sampled_from
    pieces: list[_Piece] = []
    for state in draw(st.lists(maybe(["OK", "ERROR", "IN_PROGRESS"]), max_size=4)):
        said = "running" if state == "IN_PROGRESS" else "finished"
        tags = {draw(maybe("abc")): said} | ({"mlflow.traceName": said} if draw(st.booleans()) else {})
        pieces.append(
            (
                "write",
                {
                    "state": TraceState(state),
                    "request_time_ms": draw(st.integers(0, 5)),
                    "execution_duration_ms": draw(maybe([None, 1, 2])),
                    "request_preview": draw(maybe([None, said])),
                    "response_preview": draw(maybe([None, said])),
                    "client_request_id": draw(maybe([None, said])),
                    "tags": tags,
                    "metadata": {draw(maybe("abc")): said},
                },
            )
        )
    ids = ["1" * 16, "2" * 16, "3" * 16, "4" * 16]
    for span_id in draw(st.lists(maybe(ids), min_size=0 if pieces else 1, max_size=4, unique=True)):
        start = draw(st.integers(0, 5))
        fields: dict[str, Any] = {
            "span_id": span_id,
            "parent_id": draw(maybe([None, *ids])),
            "name": f"span {span_id[0]}",
            "start_ms": start,
            "end_ms": start + draw(st.integers(0, 3)),
            "status": draw(maybe(["OK", "ERROR", "UNSET"])),
            "inputs": draw(maybe([None, "asked"])),
            "outputs": "answered",
            "attributes": {"mlflow.chat.tokenUsage": {"input_tokens": draw(st.integers(0, 5))}}
            if draw(st.booleans())
            else {},
        }
        pieces.append(("span", fields))
        if draw(st.booleans()):
            pieces.append(("span", {**fields, "end_ms": None, "outputs": None, "status": "UNSET"}))
    return pieces


def _send(store: Store, experiment: str, trace_id: str, pieces: list[_Piece]) -> None:
    writes = [write(trace_id, experiment, **fields) for kind, fields in pieces if kind == "write"]
    spans = [span(trace_id, **fields) for kind, fields in pieces if kind == "span"]
    if writes:
        store.write_traces(writes, spans)
    else:
        store.write_spans(experiment, spans)


def _comparable(trace: Trace) -> dict[str, Any]:
    """A trace without its id."""
    tags = {k: v for k, v in trace.info.tags.items() if k not in (Tag.ARTIFACT_LOCATION, Tag.SPANS_LOCATION)}
    return {
        "info": {**trace.info.to_dict(), "trace_id": None, "tags": tags},
        "spans": [{**found.to_dict(), "trace_id": None} for found in trace.data.spans],
    }


class WritingContract(ContractTests):
    """`write_traces` and `write_spans`."""

    def test_a_trace_comes_back_as_it_was_written(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        root = span(trace_id, "root", inputs={"q": 1}, outputs="o", span_type="AGENT")
        child = span(trace_id, "child", parent_id=root.span_id, start_ms=1_200, end_ms=1_300, status="ERROR")
        told = TraceWrite(
            trace_id,
            experiment,
            request_time_ns=1_000 * MS,
            state=TraceState.OK,
            execution_duration_ms=1_000,
            tags={Tag.NAME: "root", "env": "prod"},
            metadata={"git": "abc", Metadata.SESSION: "s1"},
            client_request_id="req-1",
            request_preview="asked",
            response_preview="answered",
        )
        store.write_traces([told], [root, child])

        trace = store.get_trace(trace_id)
        info = trace.info
        assert info.trace_id == trace_id
        assert info.experiment_id == experiment
        assert (info.request_time, info.execution_duration, info.state) == (1_000, 1_000, TraceState.OK)
        assert (info.request_preview, info.response_preview) == ("asked", "answered")
        assert info.client_request_id == "req-1"
        assert info.tags["env"] == "prod"
        assert info.tags[Tag.NAME] == "root"
        assert info.trace_metadata["git"] == "abc"
        assert info.trace_metadata[Metadata.SESSION] == "s1"
        assert info.assessments == []
        assert [found.to_dict() for found in trace.data.spans] == [root.to_dict(), child.to_dict()]

    def test_a_trace_needs_no_spans(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_traces([write(trace_id, experiment, state=TraceState.IN_PROGRESS)], [])
        trace = store.get_trace(trace_id)
        assert trace.info.state is TraceState.IN_PROGRESS
        assert trace.data.spans == []

    def test_a_span_keeps_everything_it_holds(self, store: Store, experiment: str) -> None:
        from otflow.entities import Link, SpanEvent

        trace_id = new_trace_id()
        full = span(
            trace_id,
            "full",
            end_ms=None,
            status="ERROR",
            attributes={
                "text": "é\u2028𝄞", "json-like": "[1", "int": 2**60, "float": 1.5, "bool": True, "list": [1, 2],
                "object": {"a": [None, {"b": "c"}]}, "none": None, "nul": "a\0b",
            },
            status_message="it failed",
            kind=3,
            events=[SpanEvent("event", timestamp=5, attributes={"k": "v"})],
            links=[Link(trace_id=new_trace_id(), span_id="0" * 15 + "7", attributes={"l": 1})],
            scope="scope",
            resource={"service.name": "s"},
        )  # fmt: skip
        store.write_spans(experiment, [full])
        found = store.get_trace(trace_id).data.spans[0]
        assert found.to_dict() == full.to_dict()
        assert found.attributes == full.attributes
        assert found.content() == full.content()
        assert found.end_time_ns is None

    def test_nothing_may_be_written(self, store: Store, experiment: str) -> None:
        store.write_traces([], [])
        store.write_spans(experiment, [])

    def test_writing_again_changes_nothing(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        told, root = write(trace_id, experiment, tags={"a": "b"}, metadata={"m": "n"}), span(trace_id)
        store.write_traces([told], [root])
        before = self.facts(store.get_trace(trace_id))
        store.write_traces([told, told], [root, root])
        store.write_spans(experiment, [root])
        assert self.facts(store.get_trace(trace_id)) == before

    @pytest.mark.parametrize("ended_first", [True, False])
    @pytest.mark.parametrize("together", [True, False])
    def test_a_span_with_an_end_wins(self, store: Store, experiment: str, ended_first: bool, together: bool) -> None:
        trace_id = new_trace_id()
        versions = [
            span(trace_id, "ended", span_id="a" * 16),
            span(trace_id, "open", span_id="a" * 16, end_ms=None),
        ]
        ordered = versions if ended_first else versions[::-1]
        for some in [ordered] if together else [[version] for version in ordered]:
            store.write_spans(experiment, some)
        trace = store.get_trace(trace_id)
        assert [found.name for found in trace.data.spans] == ["ended"]
        assert trace.info.tags[Tag.NAME] == "ended"
        assert trace.info.state is TraceState.OK

    def test_of_two_ended_versions_the_later_written_wins(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        for name in ("first", "second"):
            store.write_spans(experiment, [span(trace_id, name, span_id="a" * 16)])
        assert [found.name for found in store.get_trace(trace_id).data.spans] == ["second"]

    # -- spans alone -----------------------------------------------------------------------------

    def test_spans_alone_make_a_trace(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        root = span(trace_id, "root", start_ms=5_000, end_ms=5_250, inputs={"q": "hi"}, outputs="there")
        child = span(trace_id, "child", parent_id=root.span_id, start_ms=5_100, end_ms=5_200)

        store.write_spans(experiment, [child])
        info = store.get_trace_info(trace_id)
        assert (info.state, info.request_time, info.execution_duration) == (TraceState.IN_PROGRESS, 5_100, None)
        assert Tag.NAME not in info.tags

        store.write_spans(experiment, [root])
        info = store.get_trace_info(trace_id)
        assert (info.state, info.request_time, info.execution_duration) == (TraceState.OK, 5_000, 250)
        assert info.tags[Tag.NAME] == "root"
        assert (info.request_preview, info.response_preview) == ('{"q": "hi"}', '"there"')
        assert info.experiment_id == experiment

    def test_an_open_root_leaves_the_trace_in_progress(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_spans(experiment, [span(trace_id, "root", end_ms=None)])
        info = store.get_trace_info(trace_id)
        assert (info.state, info.tags[Tag.NAME]) == (TraceState.IN_PROGRESS, "root")

    def test_the_state_is_that_of_the_root(self, store: Store, experiment: str) -> None:
        for status, state in (("ERROR", TraceState.ERROR), ("OK", TraceState.OK), ("UNSET", TraceState.OK)):
            trace_id = new_trace_id()
            store.write_spans(experiment, [span(trace_id, status=status), span(trace_id, parent_id="b" * 16)])
            assert store.get_trace_info(trace_id).state is state

    def test_spans_may_come_before_their_trace(self, store: Store, experiment: str) -> None:
        other = store.create_experiment(f"other-{experiment}")
        trace_id = new_trace_id()
        store.write_spans(other, [span(trace_id, "root", start_ms=3_000)])
        store.write_traces([write(trace_id, experiment, name="told", request_time_ms=2_000)], [])
        info = store.get_trace_info(trace_id)
        assert (info.experiment_id, info.request_time, info.tags[Tag.NAME]) == (experiment, 2_000, "told")
        assert [trace.info.trace_id for trace in store.search_traces([experiment])] == [trace_id]
        assert store.search_traces([other]) == []

    def test_spans_may_come_after_their_trace(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        late = span(trace_id, "late", parent_id="b" * 16, start_ms=9_000, end_ms=9_001)
        store.write_traces([], [late])
        assert [found.name for found in store.get_trace(trace_id).data.spans] == ["trace", "late"]
        other = store.create_experiment(f"other-{experiment}")
        store.write_spans(other, [span(trace_id, "later", parent_id="b" * 16, start_ms=9_500)])
        assert len(store.get_trace(trace_id).data.spans) == 3
        assert store.get_trace_info(trace_id).experiment_id == experiment

    def test_spans_of_an_unknown_trace_are_refused(self, store: Store, experiment: str) -> None:
        known, unknown = new_trace_id(), new_trace_id()
        with pytest.raises(InvalidParameterError, match=unknown):
            store.write_traces([write(known, experiment)], [span(known), span(unknown)])
        for trace_id in (known, unknown):
            with pytest.raises(NotFoundError):
                store.get_trace(trace_id)

    # -- merging -----------------------------------------------------------------------------------

    def test_the_earliest_request_time_wins(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        for time in (2_000, 1_000, 3_000):
            store.write_traces([write(trace_id, experiment, request_time_ms=time)], [])
        assert store.get_trace_info(trace_id).request_time == 1_000

    @pytest.mark.parametrize("finished_first", [True, False])
    @pytest.mark.parametrize("state", [TraceState.OK, TraceState.ERROR])
    def test_a_finished_state_wins(
        self, store: Store, experiment: str, finished_first: bool, state: TraceState
    ) -> None:
        trace_id = new_trace_id()
        finished = write(
            trace_id, experiment, state=state, execution_duration_ms=7, request_preview="a", response_preview="b",
            tags={"t": "finished"}, metadata={"m": "finished"},
        )  # fmt: skip
        running = write(
            trace_id, experiment, state=TraceState.IN_PROGRESS, execution_duration_ms=99, request_preview="x",
            response_preview="y", tags={"t": "running", "u": "running"}, metadata={"m": "running", "n": "running"},
        )  # fmt: skip
        for told in (finished, running) if finished_first else (running, finished):
            store.write_traces([told], [])
        info = store.get_trace_info(trace_id)
        assert (info.state, info.execution_duration) == (state, 7)
        assert (info.request_preview, info.response_preview) == ("a", "b")
        assert (info.tags["t"], info.tags["u"]) == ("finished", "running")
        assert (info.trace_metadata["m"], info.trace_metadata["n"]) == ("finished", "running")

    def test_none_never_replaces_a_value(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_traces(
            [write(trace_id, experiment, client_request_id="c", request_preview="a", response_preview="b")], []
        )
        store.write_traces([write(trace_id, experiment, execution_duration_ms=None)], [])
        info = store.get_trace_info(trace_id)
        assert (info.client_request_id, info.request_preview, info.response_preview) == ("c", "a", "b")
        assert info.execution_duration == 1_000

    def test_tags_and_metadata_merge_by_key(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_traces([write(trace_id, experiment, tags={"a": "1", "b": "1", "c": "1"}, metadata={"x": "1"})], [])
        store.write_traces([write(trace_id, experiment, tags={"b": "2", "c": None}, metadata={"y": "2"})], [])
        info = store.get_trace_info(trace_id)
        assert {key: value for key, value in info.tags.items() if not key.startswith("mlflow.")} == {"a": "1", "b": "2"}
        assert (info.trace_metadata["x"], info.trace_metadata["y"]) == ("1", "2")

    def test_what_the_writes_leave_open_the_root_says(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_traces(
            [write(trace_id, experiment, state=TraceState.IN_PROGRESS, execution_duration_ms=None)],
            [span(trace_id, "root", inputs=1, outputs=2, end_ms=1_500, status="ERROR")],
        )
        info = store.get_trace_info(trace_id)
        assert (info.state, info.execution_duration, info.tags[Tag.NAME]) == (TraceState.ERROR, 500, "root")
        assert (info.request_preview, info.response_preview) == ("1", "2")

    def test_assessments_come_with_their_trace(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        feedback = Feedback(name="good", value=True, source=AssessmentSource("HUMAN", "ada"))
        feedback.assessment_id = f"a-{trace_id}"
        told = write(trace_id, experiment, assessments=[feedback])
        store.write_traces([told], [])
        store.write_traces([told], [])
        found = store.get_trace_info(trace_id).assessments
        assert [(one.name, one.assessment_id, one.trace_id) for one in found] == [("good", f"a-{trace_id}", trace_id)]

    # -- aggregates --------------------------------------------------------------------------------

    def test_aggregates_follow_the_spans(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()

        def usage(name: str, tokens: int, **more: Any) -> Span:
            attributes = {
                "mlflow.chat.tokenUsage": {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1},
                "mlflow.llm.cost": {"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75},
            }
            return span(trace_id, name, attributes=attributes, **more)

        def metadata() -> dict[str, Any]:
            found = store.get_trace_info(trace_id).trace_metadata
            return {key: json.loads(value) for key, value in found.items() if key.startswith("mlflow.trace.")}

        root = span(trace_id, "root", span_id="f" * 16)
        first = usage("first", 10, parent_id=root.span_id)
        store.write_traces([write(trace_id, experiment, metadata={"mine": "1"})], [root, first])
        found = metadata()
        assert found[Metadata.TOKEN_USAGE] == {"input_tokens": 10, "output_tokens": 1, "total_tokens": 11}
        assert found[Metadata.COST] == {"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75}
        assert found[Metadata.SIZE_STATS]["num_spans"] == 2
        assert found[Metadata.SIZE_STATS]["total_size_bytes"] == found[Metadata.SIZE_BYTES] > 0

        late = [usage("late", 100, parent_id=root.span_id), usage("below", 1_000, parent_id=first.span_id)]
        store.write_traces([], [*late, first])
        store.write_traces([], late)
        found = metadata()
        # A span below one with a usage is in that one's usage already; costs are summed over all.
        assert found[Metadata.TOKEN_USAGE] == {"input_tokens": 110, "output_tokens": 2, "total_tokens": 112}
        assert found[Metadata.COST] == {"input_cost": 1.5, "output_cost": 0.75, "total_cost": 2.25}
        assert found[Metadata.SIZE_STATS]["num_spans"] == 4
        assert store.search_traces([experiment])[0].info.trace_metadata == store.get_trace_info(trace_id).trace_metadata

        store.write_traces([write(trace_id, experiment)], [])
        assert metadata() == found

    def test_a_usage_that_is_none_is_not_counted(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        strange = ["x", [1], {"input_tokens": "3"}, {"input_tokens": float("nan")}]
        spans = [
            span(trace_id, attributes={"mlflow.chat.tokenUsage": value, "mlflow.llm.cost": value}) for value in strange
        ]
        store.write_spans(experiment, spans)
        metadata = store.get_trace_info(trace_id).trace_metadata
        assert Metadata.TOKEN_USAGE not in metadata
        assert Metadata.COST not in metadata

    # -- bad input -----------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "trace_id", ["", "tr-", "nope", "tr-" + "g" * 32, "tr-" + "A" * 32, "tr-" + "0" * 33, None, 5]
    )
    def test_a_trace_id_has_a_form(self, store: Store, experiment: str, trace_id: Any) -> None:
        with pytest.raises(InvalidParameterError, match="trace id"):
            store.write_traces([write(trace_id, experiment)], [])
        assert store.search_traces([experiment]) == []

    def test_a_span_id_has_a_form(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        forms: list[dict[str, Any]] = [{"span_id": "x"}, {"span_id": ""}, {"parent_id": "0" * 17}]
        for ids in forms:
            with pytest.raises(InvalidParameterError, match="16 hexadecimal"):
                store.write_spans(experiment, [span(trace_id, **ids)])
        with pytest.raises(NotFoundError):
            store.get_trace(trace_id)

    def test_the_experiment_must_exist(self, store: Store) -> None:
        trace_id = new_trace_id()
        for unknown, error in (("999999999", NotFoundError), ("abc", InvalidParameterError), ("-1", NotFoundError)):
            with pytest.raises(error, match=unknown):
                store.write_traces([write(trace_id, unknown)], [span(trace_id)])
            with pytest.raises(error, match=unknown):
                store.write_spans(unknown, [span(trace_id)])
        with pytest.raises(NotFoundError):
            store.get_trace(trace_id)

    def test_a_deleted_experiment_still_takes_traces(self, store: Store, experiment: str) -> None:
        store.delete_experiment(experiment)
        trace_id = self.put(store, experiment)
        assert store.get_trace_info(trace_id).experiment_id == experiment

    def test_characters_that_a_database_cannot_hold(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        bad = "a\0b\ud800c"
        store.write_traces(
            [
                write(
                    trace_id, experiment, name=bad, tags={bad: bad}, metadata={bad: bad}, client_request_id=bad,
                    request_preview=bad, response_preview=bad,
                )
            ],
            [span(trace_id, bad, inputs=bad, span_type=bad, attributes={"k": bad, bad: 1})],
        )  # fmt: skip
        trace = store.get_trace(trace_id)
        assert trace.data.spans[0].name == trace.info.tags[Tag.NAME] == trace.info.client_request_id
        for text in (trace.info.request_preview, *trace.info.tags, *trace.info.tags.values()):
            assert text is not None
            text.encode()
            assert "\0" not in text
        assert len(store.search_traces([experiment])) == 1

    def test_ten_megabytes(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        huge = "é" * 10_000_000
        store.write_traces([write(trace_id, experiment, tags={"huge": huge[:100_000]})], [span(trace_id, outputs=huge)])
        trace = store.get_trace(trace_id)
        assert trace.data.spans[0].outputs == huge
        assert trace.info.tags["huge"] == huge[:100_000]

    # -- many ------------------------------------------------------------------------------------------

    def test_many_traces_at_once(self, store: Store, experiment: str) -> None:
        ids = [new_trace_id() for _ in range(700)]
        store.write_traces(
            [
                write(an_id, experiment, request_time_ms=index, tags={"n": str(index)})
                for index, an_id in enumerate(ids)
            ],
            [span(an_id) for an_id in ids],
        )
        found = store.search_traces([experiment], max_results=500)
        assert [trace.info.trace_id for trace in found] == ids[:199:-1]
        assert all(len(trace.data.spans) == 1 for trace in found)

    def test_threads_may_write_one_trace_together(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for index in range(5):
                    store.write_traces(
                        [write(trace_id, experiment, tags={f"t{number}": str(index)})],
                        [
                            span(trace_id, f"{number}-{index}", parent_id="b" * 16, attributes={
                                "mlflow.chat.tokenUsage": {"input_tokens": 1, "output_tokens": 0, "total_tokens": 1}})
                        ],
                    )  # fmt: skip
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        trace = store.get_trace(trace_id)
        assert len(trace.data.spans) == 30
        assert json.loads(trace.info.trace_metadata[Metadata.TOKEN_USAGE])["input_tokens"] == 30
        assert all(trace.info.tags[f"t{number}"] == "4" for number in range(6))

    @settings(
        max_examples=40,
        suppress_health_check=_SHARED,
        deadline=None,
    )
    @given(pieces=_pieces(), data=st.data())
    def test_the_order_of_writes_does_not_matter(
        self, store: Store, experiment: str, pieces: list[_Piece], data: st.DataObject
    ) -> None:
        """Any order, repetition and grouping of the same writes gives the same trace."""
        one_by_one, shuffled = new_trace_id(), new_trace_id()
        for piece in pieces:
            _send(store, experiment, one_by_one, [piece])
        rest = data.draw(st.permutations(pieces)) + data.draw(st.lists(st.sampled_from(pieces), max_size=3))
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            _send(store, experiment, shuffled, rest[:size])
            rest = rest[size:]
        assert _comparable(store.get_trace(shuffled)) == _comparable(store.get_trace(one_by_one))
        listed = store.search_traces([experiment], max_results=500)
        for trace_id in (one_by_one, shuffled):
            found = [trace for trace in listed if trace.info.trace_id == trace_id]
            assert [_comparable(trace) for trace in found] == [_comparable(store.get_trace(trace_id))]
            store.delete_traces(experiment, trace_ids=[trace_id])
