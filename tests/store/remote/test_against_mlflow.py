"""The remote store and a released MLflow: its server as the other end, its client as the second opinion."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from otflow.entities import (
    AssessmentSource,
    Expectation,
    ExpectationValue,
    Feedback,
    FeedbackValue,
    Span,
    SpanEvent,
    Trace,
    TraceState,
    ViewType,
)
from otflow.entities.values import encode_attribute
from otflow.errors import AlreadyExistsError, FilterError, InvalidParameterError, NotFoundError, OtflowError
from otflow.store.interface import TraceWrite
from otflow.store.remote.store import RemoteStore

from .conftest import ReleasedMlflow

pytestmark = pytest.mark.differential

START_NS = 1_790_000_000_123_456_789
MS = 1_000_000


def new_trace_id() -> str:
    return f"tr-{uuid.uuid4().hex}"


def make_span(trace_id: str, span_id: str, parent_id: str | None = None, **changes: Any) -> Span:
    attributes = {"mlflow.traceRequestId": trace_id, "mlflow.spanType": "UNKNOWN", **changes.pop("attributes", {})}
    fields: dict[str, Any] = {
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_id": parent_id,
        "name": "root" if parent_id is None else "child",
        "start_ns": START_NS,
        "end_ns": START_NS + 5 * MS,
        "status_code": "OK",
        "attributes": {key: encode_attribute(key, value) for key, value in attributes.items()},
    }
    return Span.of(**{**fields, **changes})


def make_write(trace_id: str, experiment_id: str, **changes: Any) -> TraceWrite:
    fields: dict[str, Any] = {"request_time_ns": START_NS, "state": TraceState.OK, "execution_duration_ms": 5}
    return TraceWrite(trace_id, experiment_id, **{**fields, **changes})


ROOT, CHILD = "a1" * 8, "b2" * 8
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
ATTRIBUTES: dict[str, Any] = {
    "plain": "text",
    "digits": "123",
    "number": 5,
    "float": 1.5,
    "yes": True,
    "nothing": None,
    "list": ["a", "b"],
    "mixed": [1, "a", None],
    "nested": {"a": [{"b": None}], "n": 2**60 + 1},
    "words": "null",
    "unicode": "ä€😀",
}


@pytest.fixture
def written(store: RemoteStore, experiment_id: str) -> str:
    """A trace with all that a trace can have, written by the remote store."""
    trace_id = new_trace_id()
    spans = [
        make_span(
            trace_id,
            CHILD,
            ROOT,
            name="llm",
            start_ns=START_NS + MS,
            end_ns=START_NS + 3 * MS,
            status_code="ERROR",
            status_message="it broke",
            attributes={
                "mlflow.spanType": "CHAT_MODEL",
                "mlflow.spanInputs": {"messages": [{"role": "user", "content": "hi"}]},
                "mlflow.spanOutputs": ["a", 1, None],
                "mlflow.chat.tokenUsage": USAGE,
            },
            events=[SpanEvent("exception", START_NS + 2 * MS, {"exception.message": "bad", "n": 1, "l": ["x", "y"]})],
        ),
        make_span(
            trace_id,
            ROOT,
            name="agent",
            attributes={
                "mlflow.spanType": "AGENT",
                "mlflow.spanInputs": {"q": "hi", "f": 1.0, "none": None, "e": []},
                "mlflow.spanOutputs": "answer",
                **ATTRIBUTES,
            },
        ),
    ]
    write = make_write(
        trace_id,
        experiment_id,
        tags={"mlflow.traceName": "agent", "env": "test", "unicode": "ä€😀"},
        metadata={"mlflow.trace.session": "s1", "mlflow.trace.user": "u1", "git": "abc"},
        client_request_id="request-1",
        request_preview="asked",
        response_preview="said",
    )
    store.write_traces([write], spans)
    store.create_assessment(
        Feedback(
            name="faith",
            value=0.5,
            source=AssessmentSource("LLM_JUDGE", "judge"),
            trace_id=trace_id,
            span_id=CHILD,
            rationale="because",
            metadata={"k": "v"},
        )
    )
    store.create_assessment(Expectation(name="truth", value={"a": [1, "b"]}, trace_id=trace_id))
    store.create_assessment(Feedback(name="broken", error=ValueError("rate"), trace_id=trace_id))
    return trace_id


# -- what is written -------------------------------------------------------------------------------------------


def check_written(trace: Trace, trace_id: str, experiment_id: str) -> None:
    info = trace.info
    assert (info.trace_id, info.experiment_id, info.client_request_id) == (trace_id, experiment_id, "request-1")
    assert (info.request_time, info.execution_duration, info.state) == (START_NS // MS, 5, TraceState.OK)
    assert (info.request_preview, info.response_preview) == ("asked", "said")
    assert info.tags["mlflow.traceName"] == "agent"
    assert (info.tags["env"], info.tags["unicode"]) == ("test", "ä€😀")
    assert info.tags["mlflow.artifactLocation"].endswith(f"/{experiment_id}/traces/{trace_id}/artifacts")
    assert info.trace_metadata["mlflow.trace.session"] == "s1"
    assert info.trace_metadata["mlflow.trace.user"] == "u1"
    assert info.trace_metadata["git"] == "abc"
    assert json.loads(info.trace_metadata["mlflow.trace.sizeStats"])["num_spans"] == 2
    assert info.token_usage == USAGE
    root, child = trace.data.spans
    assert (root.name, root.span_id, root.parent_id, root.span_type) == ("agent", ROOT, None, "AGENT")
    assert (root.start_time_ns, root.end_time_ns) == (START_NS, START_NS + 5 * MS)
    assert root.inputs == {"q": "hi", "f": 1.0, "none": None, "e": []}
    assert root.outputs == "answer"
    assert {key: root.attributes[key] for key in ATTRIBUTES} == ATTRIBUTES
    assert (child.name, child.parent_id, child.span_type) == ("llm", ROOT, "CHAT_MODEL")
    assert child.inputs == {"messages": [{"role": "user", "content": "hi"}]}
    assert child.outputs == ["a", 1, None]
    assert (child.status.status_code.value, child.status.description) == ("ERROR", "it broke")
    (event,) = child.events
    assert (event.name, event.timestamp) == ("exception", START_NS + 2 * MS)
    assert {key: list(v) if isinstance(v, tuple) else v for key, v in event.attributes.items()} == {
        "exception.message": "bad",
        "n": 1,
        "l": ["x", "y"],
    }
    assessments = {assessment.name: assessment for assessment in info.assessments}
    faith, truth, broken = assessments["faith"], assessments["truth"], assessments["broken"]
    assert isinstance(faith, Feedback)
    assert (faith.value, faith.rationale, faith.metadata, faith.span_id) == (0.5, "because", {"k": "v"}, CHILD)
    assert faith.source == AssessmentSource("LLM_JUDGE", "judge")
    assert faith.assessment_id
    assert isinstance(truth, Expectation)
    assert truth.value == {"a": [1, "b"]}
    assert broken.feedback is not None
    assert broken.feedback.error is not None
    assert (broken.feedback.error.error_code, broken.feedback.error.error_message) == ("ValueError", "rate")


def test_a_trace_reads_as_it_was_written(store: RemoteStore, experiment_id: str, written: str) -> None:
    check_written(store.get_trace(written), written, experiment_id)


def test_a_search_finds_it_with_its_spans(store: RemoteStore, experiment_id: str, written: str) -> None:
    page = store.search_traces([experiment_id], filter_string="tags.env = 'test' AND span.name = 'llm'")
    assert page.token is None
    (trace,) = page
    check_written(trace, written, experiment_id)
    (info_only,) = store.search_traces([experiment_id], include_spans=False)
    assert info_only.data.spans == []
    assert info_only.info.to_dict() == trace.info.to_dict() == store.get_trace_info(written).to_dict()
    assert [span.name for span in store.iter_spans(written)] == ["agent", "llm"]


def as_their_client_reads(trace: Trace) -> dict[str, Any]:
    """The info, without the one thing that the released client does not read: whether an expectation is valid."""
    info = json.loads(json.dumps(trace.info.to_dict()))
    for assessment in info["assessments"]:
        if "expectation" in assessment:
            assert assessment.pop("valid") is True
    return info


def test_the_released_client_reads_the_same(
    store: RemoteStore, experiment_id: str, written: str, released_mlflow: ReleasedMlflow
) -> None:
    theirs = released_mlflow.run(
        """
        trace = mlflow.get_trace(trace_id)
        result = {
            "info": trace.info.to_dict(),
            "usage": trace.info.token_usage,
            "assessments": sorted(a.name for a in trace.info.assessments),
            "values": [(s.name, s.span_type, s.parent_id, s.inputs, s.outputs, s.attributes) for s in trace.data.spans],
            "spans": [s.to_dict() for s in trace.data.spans],
        }
        """,
        trace_id=written,
    )
    ours = store.get_trace(written)
    assert as_their_client_reads(ours) == theirs["info"]
    assert theirs["usage"] == USAGE
    assert theirs["assessments"] == ["broken", "faith", "truth"]
    assert theirs["values"] == [
        [s.name, s.span_type, s.parent_id, s.inputs, s.outputs, dict(s.attributes)] for s in ours.data.spans
    ]
    assert theirs["spans"] == json.loads(json.dumps([span.to_dict() for span in ours.data.spans]))


def test_a_trace_of_the_released_client(
    store: RemoteStore, experiment_id: str, released_mlflow: ReleasedMlflow
) -> None:
    theirs = released_mlflow.run(
        """
        mlflow.set_experiment(experiment_id=experiment_id)

        @mlflow.trace(span_type="TOOL", attributes={"digits": "123", "list": [1, "a"]})
        def tool(x):
            raise ValueError("no " + x)

        with mlflow.start_span("agent", span_type="AGENT") as span:
            span.set_inputs({"q": "hi", "n": None, "nan": float("nan")})
            mlflow.update_current_trace(
                tags={"env": "prod"}, metadata={"mlflow.trace.session": "s2"}, client_request_id="r2"
            )
            span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
            try:
                tool("luck")
            except ValueError:
                pass
            span.set_outputs({"a": [1, {"b": 2.5}]})
        mlflow.log_feedback(trace_id=span.trace_id, name="good", value=True, rationale="yes")
        mlflow.log_expectation(trace_id=span.trace_id, name="truth", value=[1, 2])
        trace = mlflow.get_trace(span.trace_id)
        result = {"info": trace.info.to_dict(), "spans": [s.to_dict() for s in trace.data.spans]}
        """,
        experiment_id=experiment_id,
    )
    ours = store.get_trace(theirs["info"]["trace_id"])
    assert as_their_client_reads(ours) == theirs["info"]
    assert json.loads(json.dumps([span.to_dict() for span in ours.data.spans])) == theirs["spans"]
    assert (ours.info.tags["env"], ours.info.client_request_id) == ("prod", "r2")
    assert ours.info.token_usage == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    root, tool = ours.data.spans
    assert root.inputs["q"] == "hi"
    assert root.outputs == {"a": [1, {"b": 2.5}]}
    assert (tool.span_type, tool.inputs, tool.attributes["digits"]) == ("TOOL", {"x": "luck"}, "123")
    assert tool.attributes["list"] == [1, "a"]
    assert tool.status.status_code.value == "ERROR"
    assert tool.events[0].attributes["exception.message"] == "no luck"
    assert {assessment.name for assessment in ours.info.assessments} == {"good", "truth"}


# -- merging ---------------------------------------------------------------------------------------------------


def test_writing_again_changes_nothing(store: RemoteStore, experiment_id: str, written: str) -> None:
    before = store.get_trace(written)
    write = make_write(written, experiment_id, tags={"env": "test"}, metadata={"git": "abc"})
    for _ in range(2):
        store.write_traces([write], before.data.spans)
        store.write_spans(experiment_id, before.data.spans)
    after = store.get_trace(written)
    assert after.info.to_dict() == before.info.to_dict()
    assert [span.to_dict() for span in after.data.spans] == [span.to_dict() for span in before.data.spans]


def test_a_trace_is_seen_while_it_runs_and_then_finished(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    running = make_write(trace_id, experiment_id, state=TraceState.IN_PROGRESS, execution_duration_ms=None)
    running.tags = {"mlflow.traceName": "agent", "early": "1", "gone": "1"}
    running.assessments = [Feedback(name="early", value=True)]
    store.write_traces([running], [make_span(trace_id, CHILD, ROOT, attributes={"mlflow.chat.tokenUsage": USAGE})])
    trace = store.get_trace(trace_id)
    assert (trace.info.state, [span.name for span in trace.data.spans]) == (TraceState.IN_PROGRESS, ["child"])
    finished = make_write(trace_id, experiment_id, state=TraceState.ERROR, request_time_ns=START_NS + 9 * MS)
    finished.tags = {"late": "2", "gone": None}
    finished.metadata = {"m": "1"}
    store.write_traces([finished], [make_span(trace_id, ROOT, attributes={"mlflow.chat.tokenUsage": USAGE})])
    store.write_traces([running], [])
    info = store.get_trace(trace_id).info
    assert (info.state, info.execution_duration, info.request_time) == (TraceState.ERROR, 5, START_NS // MS)
    assert info.tags["early"] == "1"
    assert info.tags["late"] == "2"
    assert info.trace_metadata["m"] == "1"
    assert info.token_usage == USAGE  # the root's, which holds the child's
    assert json.loads(info.trace_metadata["mlflow.trace.sizeStats"])["num_spans"] == 2
    assert "early" in [assessment.name for assessment in info.assessments]


def test_what_a_finished_trace_leaves_open_its_late_root_says(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    store.write_traces([make_write(trace_id, experiment_id, execution_duration_ms=None)], [])
    store.write_spans(experiment_id, [make_span(trace_id, ROOT, attributes={"mlflow.spanOutputs": "out"})])
    info = store.get_trace_info(trace_id)
    assert (info.tags["mlflow.traceName"], info.execution_duration, info.response_preview) == ("root", 5, '"out"')


def test_a_trace_that_spans_made_elsewhere_moves_with_its_feedback(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    store.write_spans("0", [make_span(trace_id, ROOT)])
    store.create_assessment(Feedback(name="early", value=True, trace_id=trace_id))
    store.write_traces([make_write(trace_id, experiment_id, tags={"a": "1"})], [])
    info = store.get_trace_info(trace_id)
    assert (info.experiment_id, info.tags["a"]) == (experiment_id, "1")
    assert [assessment.name for assessment in info.assessments] == ["early"]


def test_threads_write_one_trace_together(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()

    def work(number: int) -> None:
        span = make_span(trace_id, f"{number:016x}", ROOT, attributes={"mlflow.chat.tokenUsage": USAGE})
        store.write_traces([make_write(trace_id, experiment_id, tags={f"t{number}": "1"})], [span])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(1, 5)))
    info = store.get_trace_info(trace_id)
    assert {f"t{number}" for number in range(1, 5)} <= set(info.tags)
    assert info.token_usage == {key: 4 * value for key, value in USAGE.items()}


def test_a_tag_written_as_none_is_deleted(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    store.write_traces([make_write(trace_id, experiment_id, tags={"a": "1", "b": "2"})], [])
    store.write_traces([make_write(trace_id, experiment_id, tags={"a": None})], [])
    tags = store.get_trace_info(trace_id).tags
    assert "a" not in tags
    assert tags["b"] == "2"


def test_spans_alone_make_a_trace(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    store.write_spans(experiment_id, [make_span(trace_id, CHILD, ROOT)])
    info = store.get_trace_info(trace_id)
    assert (info.state, info.request_time, info.experiment_id) == (
        TraceState.IN_PROGRESS,
        START_NS // MS,
        experiment_id,
    )
    root = make_span(
        trace_id,
        ROOT,
        start_ns=START_NS - 2 * MS,
        attributes={"mlflow.spanInputs": {"q": 1}, "mlflow.spanOutputs": "out"},
        status_code="ERROR",
    )
    store.write_spans(experiment_id, [root])
    info = store.get_trace_info(trace_id)
    assert (info.state, info.request_time, info.execution_duration) == (TraceState.ERROR, START_NS // MS - 2, 7)
    assert (info.request_preview, info.response_preview) == ('{"q": 1}', '"out"')
    assert info.tags["mlflow.traceName"] == "root"
    assert json.loads(info.trace_metadata["mlflow.trace.sizeStats"])["num_spans"] == 2


def test_late_and_repeated_spans_keep_the_sums_true(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    store.write_traces([make_write(trace_id, experiment_id)], [make_span(trace_id, ROOT)])
    late = make_span(trace_id, CHILD, ROOT, attributes={"mlflow.chat.tokenUsage": USAGE})
    for _ in range(3):
        store.write_spans("0", [late])  # where it belongs is known: the argument is for new traces
    info = store.get_trace_info(trace_id)
    assert (info.token_usage, info.experiment_id) == (USAGE, experiment_id)


def test_an_unended_span_does_not_replace_an_ended_one(store: RemoteStore, experiment_id: str) -> None:
    trace_id = new_trace_id()
    open_span = make_span(trace_id, ROOT, end_ns=None, status_code="UNSET")
    store.write_spans(experiment_id, [open_span])
    info = store.get_trace_info(trace_id)
    assert (info.state, info.execution_duration) == (TraceState.IN_PROGRESS, None)
    store.write_spans(experiment_id, [make_span(trace_id, ROOT)])
    store.write_spans(experiment_id, [open_span])
    (span,) = store.get_trace(trace_id).data.spans
    assert span.end_time_ns == START_NS + 5 * MS
    assert store.get_trace_info(trace_id).state is TraceState.OK


def test_a_trace_without_spans(store: RemoteStore, experiment_id: str, released_mlflow: ReleasedMlflow) -> None:
    trace_id, other = new_trace_id(), new_trace_id()
    store.write_traces([make_write(trace_id, experiment_id), make_write(other, experiment_id)], [])
    store.write_spans(experiment_id, [make_span(other, ROOT)])
    assert store.get_trace(trace_id).data.spans == []
    assert [len(trace.data.spans) for trace in store.get_traces([trace_id, other, new_trace_id()])] == [0, 1]
    assert len(store.search_traces([experiment_id])) == 2


def test_a_span_of_a_trace_that_nobody_named_is_refused(store: RemoteStore, experiment_id: str) -> None:
    trace_id, unknown = new_trace_id(), new_trace_id()
    with pytest.raises(InvalidParameterError, match=unknown):
        store.write_traces([make_write(trace_id, experiment_id)], [make_span(unknown, ROOT)])
    with pytest.raises(NotFoundError):
        store.get_trace_info(trace_id)


def test_an_unknown_experiment_is_refused_before_anything_is_written(store: RemoteStore, experiment_id: str) -> None:
    known, lost = new_trace_id(), new_trace_id()
    with pytest.raises(NotFoundError, match="987654"):
        store.write_spans("987654", [make_span(lost, ROOT)])
    writes = [make_write(known, experiment_id), make_write(lost, "987654")]
    with pytest.raises(NotFoundError, match="987654"):
        store.write_traces(writes, [make_span(known, ROOT), make_span(lost, ROOT)])
    assert store.get_traces([known, lost]) == []


# -- odd values ------------------------------------------------------------------------------------------------


def test_ten_megabytes_of_inputs(store: RemoteStore, experiment_id: str) -> None:
    trace_id, text = new_trace_id(), "ä" * 10_000_000
    store.write_traces(
        [make_write(trace_id, experiment_id)],
        [make_span(trace_id, ROOT, attributes={"mlflow.spanInputs": {"q": text}}), make_span(trace_id, CHILD, ROOT)],
    )
    root, _ = store.get_trace(trace_id).data.spans
    assert root.inputs == {"q": text}


def test_values_that_the_server_would_choke_on(
    store: RemoteStore, experiment_id: str, released_mlflow: ReleasedMlflow
) -> None:
    trace_id = new_trace_id()
    deep: Any = "end"
    for _ in range(60):
        deep = {"d": deep}
    values = {
        "mlflow.spanInputs": {"big": 2**70, "nan": float("nan"), "inf": float("-inf"), "deep": deep},
        "mlflow.spanOutputs": '{"n": 1180591620717411303424}',
        "text": '{"a": 1}',
        "big": {"n": 2**64},
        "huge": 2**70,
        "surrogate": "a\ud800b",
        "list as text": "[1, 2]",
    }
    store.write_traces([make_write(trace_id, experiment_id)], [make_span(trace_id, ROOT, attributes=values)])
    (span,) = store.get_trace(trace_id).data.spans
    assert span.inputs["big"] == str(2**70)
    assert span.inputs["nan"] != span.inputs["nan"]
    assert span.inputs["inf"] == float("-inf")
    assert span.outputs == '{"n": 1180591620717411303424}'
    assert span.attributes["text"] == '{"a": 1}'
    assert span.attributes["big"] == {"n": str(2**64)}
    assert span.attributes["huge"] == str(2**70)
    assert span.attributes["surrogate"] == "a\\ud800b"
    assert span.attributes["list as text"] == "[1, 2]"
    names = released_mlflow.run("result = [s.name for s in mlflow.get_trace(trace_id).data.spans]", trace_id=trace_id)
    assert names == ["root"]


# -- annotating ------------------------------------------------------------------------------------------------


def test_tags(store: RemoteStore, written: str) -> None:
    store.set_trace_tag(written, "k", "v")
    store.set_trace_tag(written, "k", "w")
    assert store.get_trace_info(written).tags["k"] == "w"
    store.delete_trace_tag(written, "k")
    assert "k" not in store.get_trace_info(written).tags
    with pytest.raises(NotFoundError, match="'k'"):
        store.delete_trace_tag(written, "k")


def test_an_unknown_trace_is_not_found(store: RemoteStore) -> None:
    unknown = new_trace_id()
    calls = [
        lambda: store.get_trace(unknown),
        lambda: store.get_trace_info(unknown),
        lambda: list(store.iter_spans(unknown)),
        lambda: store.set_trace_tag(unknown, "k", "v"),
        lambda: store.delete_trace_tag(unknown, "k"),
        lambda: store.link_prompts_to_trace(unknown, [("p", "1")]),
        lambda: store.create_assessment(Feedback(name="f", value=1, trace_id=unknown)),
        lambda: store.get_assessment(unknown, "a-1"),
        lambda: store.update_assessment(unknown, "a-1", {"rationale": "r"}),
    ]
    for call in calls:
        with pytest.raises(NotFoundError) as caught:
            call()
        assert unknown in str(caught.value)
        assert "SQL" not in str(caught.value)


def test_assessments_change_override_and_go(store: RemoteStore, written: str) -> None:
    first = store.create_assessment(Feedback(name="f", value="a", trace_id=written))
    assert first.assessment_id is not None
    assert first.create_time_ms is not None
    changed = store.update_assessment(
        written, first.assessment_id, {"feedback": FeedbackValue("b"), "rationale": "why", "metadata": {"m": "1"}}
    )
    assert (changed.feedback, changed.rationale, changed.metadata) == (FeedbackValue("b"), "why", {"m": "1"})
    assert store.get_assessment(written, first.assessment_id) == changed
    with pytest.raises(InvalidParameterError):
        store.update_assessment(written, first.assessment_id, {"expectation": ExpectationValue(1)})
    second = store.create_assessment(Feedback(name="f", value="c", trace_id=written, overrides=first.assessment_id))
    assert second.assessment_id is not None
    assert second.overrides == first.assessment_id
    assert store.get_assessment(written, first.assessment_id).valid is False
    store.delete_assessment(written, second.assessment_id)
    store.delete_assessment(written, second.assessment_id)
    assert store.get_assessment(written, first.assessment_id).valid is True
    with pytest.raises(NotFoundError, match=second.assessment_id):
        store.get_assessment(written, second.assessment_id)
    with pytest.raises(NotFoundError, match="a-none"):
        store.create_assessment(Feedback(name="f", value=1, trace_id=written, overrides="a-none"))


def test_links(store: RemoteStore, experiment_id: str, written: str, released_mlflow: ReleasedMlflow) -> None:
    run_id = released_mlflow.run(
        "result = mlflow.MlflowClient().create_run(experiment_id).info.run_id", experiment_id=experiment_id
    )
    store.link_traces_to_run([written, written], run_id)
    store.link_traces_to_run([written], run_id)
    found = store.search_traces([experiment_id], filter_string=f"attributes.run_id = '{run_id}'")
    assert [trace.info.trace_id for trace in found] == [written]
    with pytest.raises(OtflowError, match="unlink") as caught:
        store.unlink_traces_from_run([written], run_id)
    assert caught.value.error_code == "NOT_IMPLEMENTED"
    store.link_prompts_to_trace(written, [("greeting", "1")])
    store.link_prompts_to_trace(written, [("greeting", "1"), ("farewell", "2")])
    assert json.loads(store.get_trace_info(written).tags["mlflow.linkedPrompts"]) == [
        {"name": "greeting", "version": "1"},
        {"name": "farewell", "version": "2"},
    ]
    found = store.search_traces([experiment_id], filter_string="prompt = 'farewell/2'")
    assert [trace.info.trace_id for trace in found] == [written]


# -- searching and deleting ------------------------------------------------------------------------------------


def test_pages(store: RemoteStore, experiment_id: str) -> None:
    ids = [new_trace_id() for _ in range(5)]
    writes = [make_write(trace_id, experiment_id, request_time_ns=START_NS + n * MS) for n, trace_id in enumerate(ids)]
    store.write_traces(writes, [make_span(trace_id, ROOT) for trace_id in ids])
    token, seen = None, []
    while True:
        page = store.search_traces([experiment_id], max_results=2, page_token=token)
        seen += [trace.info.trace_id for trace in page]
        token = page.token
        if token is None:
            break
    assert seen == ids[::-1]
    oldest = store.search_traces([experiment_id], order_by=["timestamp_ms ASC"], max_results=1)
    assert [trace.info.trace_id for trace in oldest] == ids[:1]
    assert store.search_traces(["987654"]) == []
    assert store.search_traces([]) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"filter_string": "bogus ~ 3"},
        {"filter_string": "tags.env = "},
        {"filter_string": "status = 'OK' OR status = 'ERROR'"},
        {"order_by": ["bogus DESC"]},
    ],
    ids=str,
)
def test_a_malformed_filter_is_refused_with_a_caret(
    store: RemoteStore, experiment_id: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(FilterError, match=r"\^"):
        store.search_traces([experiment_id], **arguments)


def test_names_that_only_otflow_knows(store: RemoteStore, experiment_id: str, written: str) -> None:
    for text in ("session = 's1'", "user = 'u1' AND state = 'OK'", f"trace_id = '{written}'"):
        found = store.search_traces([experiment_id], filter_string=text, order_by=["request_time DESC", "trace_id"])
        assert [trace.info.trace_id for trace in found] == [written], text


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_results": 0},
        {"max_results": 50_001},
        {"page_token": "bogus"},
    ],
    ids=str,
)
def test_a_malformed_search_is_refused(store: RemoteStore, experiment_id: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        store.search_traces([experiment_id], **arguments)


def test_deleting(store: RemoteStore, experiment_id: str) -> None:
    ids = [new_trace_id() for _ in range(4)]
    base = START_NS // MS
    store.write_traces([make_write(t, experiment_id, request_time_ns=(base + n) * MS) for n, t in enumerate(ids)], [])
    assert store.delete_traces(experiment_id, trace_ids=[ids[3], new_trace_id()]) == 1
    assert store.delete_traces(experiment_id, max_timestamp_ms=0) == 0  # the server itself would delete all
    assert store.delete_traces(experiment_id, max_timestamp_ms=base + 2, max_traces=1) == 1
    assert [trace.info.trace_id for trace in store.get_traces(ids)] == ids[1:3]
    assert store.delete_traces(experiment_id, max_timestamp_ms=base + 1) == 1
    for arguments in (
        {},
        {"trace_ids": []},
        {"max_timestamp_ms": 1, "trace_ids": ["a"]},
        {"max_timestamp_ms": 1, "max_traces": 0},
    ):
        with pytest.raises(InvalidParameterError):
            store.delete_traces(experiment_id, **arguments)


# -- experiments -----------------------------------------------------------------------------------------------


def test_experiments(store: RemoteStore) -> None:
    name = f"house-{uuid.uuid4().hex}"
    experiment_id = store.create_experiment(name, tags={"team": "a"}, artifact_location="file:///somewhere")
    experiment = store.get_experiment(experiment_id)
    assert (experiment.name, experiment.tags, experiment.lifecycle_stage) == (name, {"team": "a"}, "active")
    assert experiment.artifact_location == "file:///somewhere"
    by_name = store.get_experiment_by_name(name)
    assert by_name is not None
    assert by_name.experiment_id == experiment_id
    assert store.get_experiment_by_name(name + "x") is None
    store.set_experiment_tags(experiment_id, {"k": "v"})
    store.delete_experiment_tag(experiment_id, "team")
    assert store.get_experiment(experiment_id).tags == {"k": "v"}
    store.rename_experiment(experiment_id, name + "-new")
    store.delete_experiment(experiment_id)
    assert store.get_experiment(experiment_id).lifecycle_stage == "deleted"
    found = store.search_experiments(view_type=ViewType.DELETED_ONLY, filter_string=f"name LIKE '{name}%'")
    assert [found_one.experiment_id for found_one in found] == [experiment_id]
    with pytest.raises(NotFoundError, match=experiment_id):
        store.delete_experiment(experiment_id)
    store.restore_experiment(experiment_id)
    with pytest.raises(NotFoundError, match=experiment_id):
        store.restore_experiment(experiment_id)


def test_errors_about_experiments(store: RemoteStore, experiment_id: str) -> None:
    name = store.get_experiment(experiment_id).name
    with pytest.raises(NotFoundError, match="987654"):
        store.get_experiment("987654")
    with pytest.raises(NotFoundError, match="987654"):
        store.rename_experiment("987654", "x")
    with pytest.raises(AlreadyExistsError, match=name):
        store.create_experiment(name)
    with pytest.raises(AlreadyExistsError, match="Default"):
        store.rename_experiment(experiment_id, "Default")
    with pytest.raises(InvalidParameterError, match="abc"):
        store.get_experiment("abc")
    with pytest.raises(InvalidParameterError, match="9"):
        store.search_experiments(view_type=9)
    with pytest.raises(FilterError, match=r"\^"):
        store.search_experiments(filter_string="name ~ 3")
    with pytest.raises(NotFoundError, match="nokey"):
        store.delete_experiment_tag(experiment_id, "nokey")


def test_pages_of_experiments(store: RemoteStore) -> None:
    prefix = uuid.uuid4().hex
    ids = [store.create_experiment(f"{prefix}-{n}") for n in range(3)]
    first = store.search_experiments(filter_string=f"name LIKE '{prefix}%'", order_by=["name ASC"], max_results=2)
    rest = store.search_experiments(
        filter_string=f"name LIKE '{prefix}%'", order_by=["name ASC"], max_results=2, page_token=first.token
    )
    assert [experiment.experiment_id for experiment in (*first, *rest)] == ids
    assert rest.token is None
