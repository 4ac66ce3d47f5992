"""Feedback and expectations."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from otflow import clock
from otflow.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    AssessmentSourceType,
    Expectation,
    ExpectationValue,
    Feedback,
    FeedbackValue,
)
from otflow.errors import InvalidParameterError

CODE = AssessmentSource("CODE")
FEEDBACK = {
    "assessment_id": "a-1",
    "assessment_name": "n",
    "trace_id": "tr-1",
    "source": {"source_type": "HUMAN", "source_id": "me"},
    "create_time": "2024-01-02T03:04:05.678Z",
    "last_update_time": "2024-01-02T03:04:06Z",
    "feedback": {"value": 1},
    "valid": True,
}
EXPECTATION = {
    **{key: value for key, value in FEEDBACK.items() if key not in {"feedback", "valid"}},
    "expectation": {"value": 1},
}
FULL = {"span_id": "s", "rationale": "r", "metadata": {"a": "b"}, "overrides": "a-0", "run_id": "r-1", "valid": False}


@pytest.fixture
def at_five():
    clock.use(lambda: 5_000_000)
    yield
    clock.use(None)


def without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}


def raised() -> Exception:
    try:
        raise ValueError("é")
    except ValueError as error:
        return error


class TestFeedback:
    def test_defaults(self, at_five):
        one = Feedback(value=0.5)
        assert (one.name, one.value, one.source) == ("feedback", 0.5, AssessmentSource("CODE", "default"))
        assert (one.create_time_ms, one.last_update_time_ms) == (5, 5)
        assert one.valid is True
        assert (one.feedback, one.expectation) == (FeedbackValue(0.5), None)
        for name in ("trace_id", "run_id", "rationale", "metadata", "span_id", "assessment_id", "error", "overrides"):
            assert getattr(one, name) is None
        assert (one.error_code, one.error_message) == (None, None)

    def test_by_position(self):
        one = Feedback("n", 1, None, AssessmentSource("HUMAN"), "t", {"a": "b"}, "s", 1, 2, "r", "o", False)
        assert one.to_dictionary() == {
            "assessment_name": "n",
            "trace_id": "t",
            "span_id": "s",
            "source": {"source_type": "HUMAN", "source_id": "default"},
            "create_time": "1970-01-01T00:00:00.001Z",
            "last_update_time": "1970-01-01T00:00:00.002Z",
            "feedback": {"value": 1},
            "rationale": "r",
            "metadata": {"a": "b"},
            "overrides": "o",
            "valid": False,
        }

    def test_made_before_but_updated_now(self, at_five):
        one = Feedback(value=1, create_time_ms=3)
        assert (one.create_time_ms, one.last_update_time_ms) == (3, 5)

    @pytest.mark.parametrize("value", [False, 0, "", [], {}, math.nan])
    def test_any_value_but_none(self, value):
        assert Feedback(value=value).value is value

    def test_neither_value_nor_error(self):
        with pytest.raises(InvalidParameterError, match="Either `value` or `error` must be provided"):
            Feedback(name="n")

    def test_both_value_and_error(self):
        one = Feedback(value=1, error="why")
        assert (one.value, one.error_message) == (1, "why")

    def test_value_can_be_set(self):
        one = Feedback(value=1)
        one.value = 2
        assert one.feedback == FeedbackValue(2)
        failed = Feedback(error=AssessmentError("C"))
        failed.value = 3
        assert failed.feedback == FeedbackValue(3, AssessmentError("C"))

    @pytest.mark.parametrize("source", ["HUMAN", AssessmentSourceType("HUMAN"), 5, {}])
    def test_no_source(self, source):
        with pytest.raises(InvalidParameterError, match=r"`source` must be an instance of `AssessmentSource`\. Got"):
            Feedback(value=1, source=source)

    @pytest.mark.parametrize("field", ["trace_id", "span_id", "rationale", "overrides"])
    def test_no_text(self, field):
        with pytest.raises(InvalidParameterError, match=f"`{field}` must be a string, not int: 5"):
            Feedback(value=1, **{field: 5})

    def test_equality_and_text(self, at_five):
        assert Feedback(value=1) == Feedback(value=1)
        assert Feedback(value=1) != Feedback(value=2)
        assert Feedback("n", 1) != Expectation("n", 1)
        assert repr(Feedback(value=1)) == (
            "Feedback(name='feedback', source=AssessmentSource(source_type='CODE', source_id='default'), "
            "trace_id=None, run_id=None, rationale=None, metadata=None, span_id=None, create_time_ms=5, "
            "last_update_time_ms=5, assessment_id=None, error=None, expectation=None, "
            "feedback=FeedbackValue(value=1, error=None), overrides=None, valid=True)"
        )


class TestErrors:
    def test_of_an_exception(self):
        one = Feedback(error=raised())
        assert one.error is not None
        assert one.feedback is not None
        assert one.error is one.feedback.error
        assert (one.value, one.error_code, one.error_message) == (None, "ValueError", "é")
        assert str(one.error.stack_trace).startswith("Traceback (most recent call last):")
        assert str(one.error.stack_trace).endswith("ValueError: é")

    def test_of_an_exception_never_raised(self):
        assert Feedback(error=ValueError()).error == AssessmentError("ValueError", "", "ValueError")

    def test_of_a_text(self):
        assert Feedback(error="why").error == AssessmentError("ASSESSMENT_ERROR", "why")

    def test_of_an_error(self):
        error = AssessmentError("RATE_LIMIT", "slow", "trace")
        assert Feedback(error=error).error is error

    @pytest.mark.parametrize("error", [5, KeyboardInterrupt(), ValueError])
    def test_of_anything_else(self, error):
        with pytest.raises(
            InvalidParameterError, match=r"must be an Exception, AssessmentError, or string\. Got: <class"
        ):
            Feedback(error=error)

    def test_of_an_exception_that_cannot_be_printed(self):
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        assert Feedback(error=Unprintable()).error_message == "<Unprintable: unprintable>"

    def test_dictionaries(self):
        assert AssessmentError("C").to_dictionary() == {"error_code": "C", "error_message": None, "stack_trace": None}
        full = AssessmentError("C", "m", "s" * 5000)
        assert AssessmentError.from_dictionary(full.to_dictionary()) == full
        assert AssessmentError.from_dictionary({"error_code": "C", "more": 1}) == AssessmentError("C")
        with pytest.raises(InvalidParameterError, match="'error_code' is missing"):
            AssessmentError.from_dictionary({})

    def test_in_the_dictionary_of_a_feedback(self):
        assert Feedback(error=AssessmentError("C")).to_dictionary()["feedback"] == {
            "value": None,
            "error": {"error_code": "C"},
        }


class TestExpectation:
    def test_defaults(self, at_five):
        one = Expectation(name="answer", value={"a": [1]})
        assert (one.name, one.value, one.source) == ("answer", {"a": [1]}, AssessmentSource("HUMAN", "default"))
        assert (one.create_time_ms, one.last_update_time_ms, one.valid) == (5, 5, None)
        assert (one.feedback, one.expectation) == (None, ExpectationValue({"a": [1]}))

    def test_no_value(self):
        with pytest.raises(InvalidParameterError, match="The `value` field must be specified"):
            Expectation("e", None)

    def test_no_source(self):
        with pytest.raises(InvalidParameterError, match="`source` must be an instance"):
            Expectation("e", 1, source="HUMAN")  # type: ignore[arg-type]

    def test_value_can_be_set(self):
        one = Expectation("e", 1)
        one.value = [2]
        assert one.expectation == ExpectationValue([2])

    @pytest.mark.parametrize("value", ["text", '{"a": 1}', True, 0, 0.5])
    def test_scalars_are_written_as_they_are(self, value):
        assert Expectation("e", value).to_dictionary()["expectation"] == {"value": value}

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({"a": [1, None]}, '{"a": [1, null]}'),
            ([], "[]"),
            ((1, 2), "[1, 2]"),
            (datetime.date(2020, 1, 2), '"2020-01-02"'),
        ],
    )
    def test_anything_else_as_json_text(self, value, text):
        written = {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": text}}
        assert Expectation("e", value).to_dictionary()["expectation"] == written


class TestAssessment:
    def test_of_either_kind(self):
        assert Assessment("a", CODE, feedback=FeedbackValue(1)).valid is None
        assert Assessment("a", CODE, expectation=ExpectationValue(1)).feedback is None

    @pytest.mark.parametrize("given", [{}, {"feedback": FeedbackValue(1), "expectation": ExpectationValue(1)}])
    def test_of_both_or_neither(self, given):
        with pytest.raises(InvalidParameterError, match="Exactly one of `expectation` or `feedback`"):
            Assessment("a", CODE, **given)

    @pytest.mark.parametrize("source", [None, "CODE"])
    def test_no_source(self, source):
        with pytest.raises(InvalidParameterError, match="`source` must be an instance"):
            Assessment("a", source, feedback=FeedbackValue(1))

    def test_error(self):
        error = AssessmentError("C")
        one = Assessment("a", CODE, feedback=FeedbackValue(1), error=error)
        assert one.feedback == FeedbackValue(1, error)
        with pytest.raises(InvalidParameterError, match="Cannot set `error` when `expectation` is specified"):
            Assessment("a", CODE, expectation=ExpectationValue(1), error=error)


class TestDictionaries:
    @pytest.mark.parametrize("data", [FEEDBACK, {**FEEDBACK, **FULL}, EXPECTATION, {**EXPECTATION, **FULL}])
    def test_are_written_as_they_were_read(self, data):
        assert Assessment.from_dictionary(data).to_dictionary() == data

    def test_kinds(self):
        assert type(Assessment.from_dictionary(FEEDBACK)) is Feedback
        assert type(Assessment.from_dictionary(EXPECTATION)) is Expectation

    def test_times(self):
        one = Assessment.from_dictionary(FEEDBACK)
        assert (one.create_time_ms, one.last_update_time_ms) == (1_704_164_645_678, 1_704_164_646_000)

    def test_of_no_trace(self):
        written = Feedback(value=1).to_dictionary()
        assert written["trace_id"] == ""
        assert Assessment.from_dictionary(written).trace_id is None

    @pytest.mark.parametrize("key", ["assessment_name", "source", "create_time", "last_update_time"])
    @pytest.mark.parametrize("data", [FEEDBACK, EXPECTATION])
    def test_what_must_be_there(self, data, key):
        with pytest.raises(InvalidParameterError, match=f"'{key}' is missing"):
            Assessment.from_dictionary(without(data, key))

    @pytest.mark.parametrize("key", ["assessment_id", "trace_id"])
    def test_what_may_be_left_out(self, key):
        assert getattr(Assessment.from_dictionary(without(FEEDBACK, key)), key) is None

    def test_valid(self):
        assert Assessment.from_dictionary(without(FEEDBACK, "valid")).valid is True
        assert Assessment.from_dictionary({**FEEDBACK, "valid": None}).valid is None
        assert Assessment.from_dictionary(EXPECTATION).valid is None

    @pytest.mark.parametrize(
        "data", [{}, without(FEEDBACK, "feedback"), {**FEEDBACK, "feedback": {}}, {**FEEDBACK, "feedback": None}]
    )
    def test_neither_kind(self, data):
        with pytest.raises(InvalidParameterError, match="Unknown assessment type"):
            Assessment.from_dictionary(data)

    def test_the_other_kind(self):
        with pytest.raises(InvalidParameterError, match="`feedback` must exist in the dictionary"):
            Feedback.from_dictionary(EXPECTATION)
        with pytest.raises(InvalidParameterError, match="`expectation` must exist in the dictionary"):
            Expectation.from_dictionary(FEEDBACK)

    @pytest.mark.parametrize(
        "data",
        [
            None,
            "x",
            {**FEEDBACK, "source": None},
            {**FEEDBACK, "source": {"source_type": "WHAT"}},
            {**FEEDBACK, "create_time": "x"},
            {**FEEDBACK, "metadata": 5},
            {**FEEDBACK, "feedback": 5},
            {**FEEDBACK, "feedback": {"value": None}},
            {**FEEDBACK, "feedback": {"error": {}, "value": None}},
            {**EXPECTATION, "expectation": {"value": None}},
            {**EXPECTATION, "expectation": {"other": 1}},
            {**EXPECTATION, "expectation": {"serialized_value": {"serialization_format": "XML", "value": "1"}}},
            {**EXPECTATION, "expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": "{"}}},
        ],
    )
    def test_what_is_malformed(self, data):
        with pytest.raises(InvalidParameterError):
            Assessment.from_dictionary(data)

    def test_metadata_are_texts(self):
        assert Feedback(value=1, metadata={"a": 1}).to_dictionary()["metadata"] == {"a": "1"}  # type: ignore[dict-item]
        assert "metadata" not in Feedback(value=1, metadata={}).to_dictionary()

    def test_values_are_what_json_has(self):
        assert Feedback(value=(1, {2})).to_dictionary()["feedback"] == {"value": [1, [2]]}
        assert Feedback(value=2**70).to_dictionary()["feedback"] == {"value": 2**70}

    def test_of_values(self):
        assert FeedbackValue.from_dictionary({"value": 1}) == FeedbackValue(1)
        assert FeedbackValue.from_dictionary({"error": {"error_code": "C"}}) == FeedbackValue(
            None, AssessmentError("C")
        )
        assert ExpectationValue.from_dictionary({"value": 1}) == ExpectationValue(1)
        assert ExpectationValue.from_dictionary(ExpectationValue([1]).to_dictionary()) == ExpectationValue([1])
        with pytest.raises(InvalidParameterError, match="Either 'value' or 'serialized_value' must be present"):
            ExpectationValue.from_dictionary({})
