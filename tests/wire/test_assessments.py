from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import (
    AssessmentError,
    AssessmentSource,
    Expectation,
    ExpectationValue,
    Feedback,
    FeedbackValue,
)
from otflow.errors import InvalidParameterError, OtflowError
from otflow.wire.assessments import assessment_from_json, assessment_to_json, changes_to_json

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "mlflow_exchanges.json").read_text()
)
ANSWERED = [x for x in EXCHANGES if x["path"].endswith("/assessments")]


@pytest.mark.parametrize("exchange", ANSWERED, ids=lambda x: x["call"])
def test_recorded_assessments_come_back_as_they_were(exchange: dict[str, Any]) -> None:
    data = exchange["response"]["assessment"]
    assert assessment_to_json(assessment_from_json(data)) == data


@pytest.mark.parametrize("exchange", ANSWERED, ids=lambda x: x["call"])
def test_assessments_are_sent_as_mlflow_sends_them(exchange: dict[str, Any]) -> None:
    sent = exchange["request"]["assessment"]
    assessment = assessment_from_json(sent)
    assessment.assessment_id = None
    assert assessment_to_json(assessment) == sent


def test_the_recorded_feedback() -> None:
    data = next(x for x in ANSWERED if x["call"] == "log_feedback")["response"]["assessment"]
    feedback = assessment_from_json(data)
    assert isinstance(feedback, Feedback)
    assert (feedback.name, feedback.value, feedback.rationale) == ("faith", 0.9, "ok")
    assert feedback.source == AssessmentSource("LLM_JUDGE", "gpt")
    assert feedback.metadata == {"a": "b"}
    assert feedback.create_time_ms == feedback.last_update_time_ms == 1795405002408
    assert feedback.valid is True


def test_the_recorded_error() -> None:
    data = next(x for x in ANSWERED if x["call"] == "log_feedback(error)")["response"]["assessment"]
    feedback = assessment_from_json(data)
    assert feedback.feedback == FeedbackValue(
        None, AssessmentError("ValueError", "rate", "ValueError('rate')ValueError: rate")
    )


def test_the_recorded_update() -> None:
    request = next(x for x in EXCHANGES if x["call"] == "update_assessment")["request"]
    data, mask = changes_to_json({"name": "exp", "expectation": ExpectationValue(43)})
    assert data == {"assessment_name": "exp", "expectation": {"value": 43}}
    assert ",".join(mask) == request["update_mask"]


def test_a_field_that_may_not_change_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="'source'"):
        changes_to_json({"source": 1})


@pytest.mark.parametrize(
    "value", ["text", 1, 1.5, True, [1, "a"], {"a": [1, None]}, 2**53 + 1, -(2**70), float("inf")], ids=repr
)
def test_an_expectation_comes_back(value: Any) -> None:
    sent = json.loads(json.dumps(assessment_to_json(Expectation(name="e", value=value, trace_id="tr-1"))))
    back = assessment_from_json(sent)
    assert isinstance(back, Expectation)
    assert back.value == value
    assert type(back.value) is type(value)


@given(
    value=st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text()),
    rationale=st.none() | st.text(),
    valid=st.booleans(),
    times=st.tuples(*[st.integers(min_value=0, max_value=2**42)] * 2),
)
def test_a_feedback_comes_back(value: Any, rationale: str | None, valid: bool, times: tuple[int, int]) -> None:
    feedback = Feedback(
        name="f",
        value=value,
        trace_id="tr-1",
        span_id="ab" * 8,
        rationale=rationale,
        valid=valid,
        metadata={"k": "v"},
        create_time_ms=times[0],
        last_update_time_ms=times[1],
        overrides="a-1",
    )
    feedback.assessment_id = "a-2"
    assert assessment_from_json(json.loads(json.dumps(assessment_to_json(feedback)))) == feedback


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"assessment_name": "n"},
        {"assessment_name": "n", "feedback": 5},
        {"assessment_name": "n", "expectation": {"serialized_value": {"value": "{"}}},
        {"assessment_name": "n", "feedback": {"value": 1}, "create_time": "soon"},
    ],
)
def test_a_malformed_assessment_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(OtflowError, match="malformed"):
        assessment_from_json(data)
