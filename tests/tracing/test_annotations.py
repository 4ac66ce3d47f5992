"""Tags, feedback and expectations: on traces that are stored, and on traces that are being made."""

from __future__ import annotations

import pytest

import otflow
from otflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback
from otflow.errors import InvalidParameterError, NotFoundError

UNKNOWN = "tr-" + "0" * 32


@pytest.fixture
def trace_id() -> str:
    return otflow.log_trace("ask", request="q", response="a")


def assessments(trace_id: str):
    return otflow.get_trace(trace_id).info.assessments


class TestTags:
    def test_on_a_stored_trace(self, trace_id):
        otflow.set_trace_tag(trace_id, "k", "v")
        otflow.set_trace_tag(trace_id, "k", "w")
        otflow.set_trace_tag(trace_id, "n", 5)  # type: ignore[arg-type]
        tags = otflow.get_trace(trace_id).info.tags
        assert (tags["k"], tags["n"]) == ("w", "5")
        otflow.delete_trace_tag(trace_id, "k")
        assert "k" not in otflow.get_trace(trace_id).info.tags

    def test_on_a_trace_that_is_being_made(self):
        with otflow.start_span("a") as span:
            otflow.update_current_trace(tags={"k": "first", "gone": "1"})
            otflow.set_trace_tag(span.trace_id, "k", "second")
            otflow.delete_trace_tag(span.trace_id, "gone")
            otflow.update_current_trace(tags={"later": "1"})
        tags = otflow.get_trace(span.trace_id).info.tags
        assert (tags["k"], tags["later"]) == ("second", "1")
        assert "gone" not in tags

    def test_unknown_traces_and_tags(self, trace_id):
        with pytest.raises(NotFoundError):
            otflow.set_trace_tag(UNKNOWN, "k", "v")
        with pytest.raises(NotFoundError):
            otflow.delete_trace_tag(UNKNOWN, "k")
        with pytest.raises(NotFoundError, match="nope"):
            otflow.delete_trace_tag(trace_id, "nope")

    def test_limits(self, trace_id):
        with pytest.raises(InvalidParameterError, match="250"):
            otflow.set_trace_tag(trace_id, "k" * 251, "v")
        otflow.set_trace_tag(trace_id, "k", "v" * 9000)
        assert len(otflow.get_trace(trace_id).info.tags["k"]) == 8000

    def test_the_former_name_of_the_parameter(self, trace_id):
        with pytest.warns(FutureWarning, match="request_id"):
            otflow.set_trace_tag(request_id=trace_id, key="k", value="v")  # type: ignore[call-arg]
        with pytest.warns(FutureWarning, match="request_id"):
            assert otflow.get_trace(request_id=trace_id).info.tags["k"] == "v"  # type: ignore[call-arg]


class TestFeedback:
    @pytest.mark.parametrize("value", [1, 0.5, True, "yes", ["a", 1], {"a": 0.5, "b": False}, {}])
    def test_values_come_back_as_they_were(self, trace_id, value):
        logged = otflow.log_feedback(trace_id=trace_id, name="f", value=value, rationale="r", metadata={"m": "1"})
        [found] = assessments(trace_id)
        assert found == logged
        assert isinstance(found, Feedback)
        assert found.value == value
        assert type(found.value) is type(value)
        assert (found.rationale, found.metadata, found.valid) == ("r", {"m": "1"}, True)
        assert found.source == AssessmentSource("CODE", "default")
        assert found.assessment_id.startswith("a-")
        assert found.trace_id == trace_id

    def test_errors(self, trace_id):
        try:
            raise TimeoutError("too slow")
        except TimeoutError as error:
            otflow.log_feedback(trace_id=trace_id, error=error)
        otflow.log_feedback(trace_id=trace_id, error=AssessmentError("RATE_LIMIT", "later"))
        otflow.log_feedback(trace_id=trace_id, value=1, error=ValueError("both"))
        first, second, third = assessments(trace_id)
        assert first.name == "feedback"
        assert first.value is None
        assert (first.error_code, first.error_message) == ("TimeoutError", "too slow")
        assert "raise TimeoutError" in first.feedback.error.stack_trace
        assert (second.error_code, second.error_message) == ("RATE_LIMIT", "later")
        assert (third.value, third.error_code) == (1, "ValueError")

    def test_neither_value_nor_error(self, trace_id):
        with pytest.raises(InvalidParameterError, match="value"):
            otflow.log_feedback(trace_id=trace_id, name="f")
        assert assessments(trace_id) == []

    @pytest.mark.parametrize("value", [object(), b"x", {1, 2}])
    def test_values_that_are_none_are_refused(self, trace_id, value):
        with pytest.raises(InvalidParameterError):
            otflow.log_feedback(trace_id=trace_id, value=value)
        assert assessments(trace_id) == []

    def test_on_a_span_and_on_a_trace_that_is_being_made(self):
        with otflow.start_span("a") as span:
            otflow.log_feedback(trace_id=span.trace_id, value=1, span_id=span.span_id)
            otflow.log_expectation(trace_id=span.trace_id, name="e", value="x")
        trace = otflow.get_trace(span.trace_id)
        assert trace.info.state == "OK"
        [feedback] = trace.search_assessments("feedback")
        assert feedback.span_id == span.span_id
        assert trace.search_assessments(span_id=span.span_id) == [feedback]
        assert trace.search_assessments(type="expectation")[0].value == "x"

    def test_unknown_trace(self):
        with pytest.raises(NotFoundError):
            otflow.log_feedback(trace_id=UNKNOWN, value=1)
        with pytest.raises(InvalidParameterError, match="trace_id"):
            otflow.log_feedback(trace_id=None, value=1)  # type: ignore[arg-type]

    def test_sources(self, trace_id):
        source = AssessmentSource("human", "ada")
        assert otflow.log_feedback(trace_id=trace_id, value=1, source=source).source.source_type == "HUMAN"
        with pytest.raises(InvalidParameterError, match="MARTIAN"):
            AssessmentSource("MARTIAN")
        with pytest.raises(InvalidParameterError, match="source"):
            otflow.log_feedback(trace_id=trace_id, value=1, source="HUMAN")  # type: ignore[arg-type]


class TestExpectation:
    @pytest.mark.parametrize("value", [42, "x", True, ["a", {"b": None}], {"a": [1, 2.5, None]}])
    def test_any_json(self, trace_id, value):
        otflow.log_expectation(trace_id=trace_id, name="e", value=value)
        [found] = assessments(trace_id)
        assert isinstance(found, Expectation)
        assert found.value == value
        assert found.source == AssessmentSource("HUMAN", "default")

    def test_no_value(self, trace_id):
        with pytest.raises(InvalidParameterError, match="value"):
            otflow.log_expectation(trace_id=trace_id, name="e", value=None)


class TestChanging:
    def test_update_keeps_what_is_not_said(self, trace_id):
        old = otflow.log_feedback(trace_id=trace_id, name="f", value=1, rationale="r", metadata={"a": "1"})
        new = otflow.update_assessment(trace_id, old.assessment_id, Feedback(name="g", value=2, metadata={"b": "2"}))
        assert (new.name, new.value, new.rationale) == ("g", 2, "r")
        assert new.metadata == {"a": "1", "b": "2"}
        assert (new.assessment_id, new.create_time_ms) == (old.assessment_id, old.create_time_ms)
        assert assessments(trace_id) == [new]

    def test_a_feedback_stays_one(self, trace_id):
        feedback = otflow.log_feedback(trace_id=trace_id, value=1)
        expectation = otflow.log_expectation(trace_id=trace_id, name="e", value=1)
        with pytest.raises(InvalidParameterError):
            otflow.update_assessment(trace_id, feedback.assessment_id, Expectation(name="e", value=1))
        with pytest.raises(InvalidParameterError):
            otflow.update_assessment(trace_id, expectation.assessment_id, Feedback(value=1))

    def test_override_and_its_deletion(self, trace_id):
        old = otflow.log_feedback(trace_id=trace_id, name="f", value=0.1, rationale="bad")
        new = otflow.override_feedback(
            trace_id=trace_id,
            assessment_id=old.assessment_id,
            value=0.9,
            source=AssessmentSource("HUMAN", "ada"),
        )
        assert (new.name, new.overrides, new.valid) == ("f", old.assessment_id, True)
        assert otflow.get_assessment(trace_id, old.assessment_id).valid is False
        trace = otflow.get_trace(trace_id)
        assert [one.value for one in trace.search_assessments("f")] == [0.9]
        assert len(trace.search_assessments("f", all=True)) == 2
        otflow.delete_assessment(trace_id, new.assessment_id)
        assert otflow.get_assessment(trace_id, old.assessment_id).valid is True

    def test_only_feedback_is_overridden(self, trace_id):
        expectation = otflow.log_expectation(trace_id=trace_id, name="e", value=1)
        with pytest.raises(InvalidParameterError, match="feedback"):
            otflow.override_feedback(trace_id=trace_id, assessment_id=expectation.assessment_id, value=1)

    def test_unknown_assessments(self, trace_id):
        with pytest.raises(NotFoundError):
            otflow.get_assessment(trace_id, "a-none")
        with pytest.raises(NotFoundError):
            otflow.update_assessment(trace_id, "a-none", Feedback(value=1))
        with pytest.raises(NotFoundError):
            otflow.override_feedback(trace_id=trace_id, assessment_id="a-none", value=1)
        otflow.delete_assessment(trace_id, "a-none")

    def test_deleting_twice(self, trace_id):
        one = otflow.log_feedback(trace_id=trace_id, value=1)
        otflow.delete_assessment(trace_id, one.assessment_id)
        otflow.delete_assessment(trace_id, one.assessment_id)
        assert assessments(trace_id) == []
