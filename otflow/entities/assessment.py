"""What is said of a trace: how good it is, and what was to be expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from otflow import clock
from otflow.entities.assessment_source import AssessmentSource, AssessmentSourceType
from otflow.entities.plain import texts
from otflow.entities.reading import reading
from otflow.entities.span_event import stack_trace_of, text_of
from otflow.entities.timestamps import time_from_text, time_to_text
from otflow.entities.values import dump, load
from otflow.errors import InvalidParameterError

__all__ = [
    "Assessment",
    "AssessmentError",
    "Expectation",
    "ExpectationValue",
    "Feedback",
    "FeedbackValue",
    "FeedbackValueType",
]

Scalar: TypeAlias = float | int | str | bool
FeedbackValueType: TypeAlias = Scalar | dict[str, Scalar] | list[Scalar]
"""What a feedback's value can be."""

_FORMAT = "JSON_FORMAT"
"""How the values of expectations are serialized where they are more than a scalar."""


@dataclass
class AssessmentError:
    """What went wrong in judging.

    Args:
        error_code: What kind of error.
        error_message: What it said.
        stack_trace: Where it was raised.
    """

    error_code: str
    error_message: str | None = None
    stack_trace: str | None = None

    @classmethod
    def of(cls, error: Exception | AssessmentError | str) -> AssessmentError:
        """The error that an exception, or just a message, stands for.

        Raises:
            InvalidParameterError: none of these.
        """
        if isinstance(error, AssessmentError):
            return error
        if isinstance(error, str):
            return cls("ASSESSMENT_ERROR", error)
        if isinstance(error, Exception):  # pyright: ignore[reportUnnecessaryIsInstance]
            return cls(type(error).__name__, text_of(error), stack_trace_of(error))
        raise InvalidParameterError(f"'error' must be an Exception, AssessmentError, or string. Got: {type(error)}")

    @classmethod
    def from_dictionary(cls, error_dict: Mapping[str, Any]) -> AssessmentError:
        """The error that a dictionary describes.

        Raises:
            InvalidParameterError: no code.
        """
        with reading("AssessmentError", error_dict):
            return cls(error_dict["error_code"], error_dict.get("error_message"), error_dict.get("stack_trace"))

    def to_dictionary(self) -> dict[str, Any]:
        """The error as a dictionary."""
        return {"error_code": self.error_code, "error_message": self.error_message, "stack_trace": self.stack_trace}


@dataclass
class ExpectationValue:
    """What was to be expected.

    Args:
        value: Any value that JSON can hold.
    """

    value: Any

    def to_dictionary(self) -> dict[str, Any]:
        """The value as a dictionary: lists and dictionaries as JSON text, as MLflow's wire has them."""
        if isinstance(self.value, (str, bool, int, float)) or self.value is None:
            return {"value": self.value}
        return {"serialized_value": {"serialization_format": _FORMAT, "value": dump(self.value)}}

    @classmethod
    def from_dictionary(cls, d: Mapping[str, Any]) -> ExpectationValue:
        """The value that a dictionary describes.

        Raises:
            InvalidParameterError: no value, or none that can be read.
        """
        with reading("ExpectationValue", d):
            if "value" in d:
                return cls(d["value"])
            if "serialized_value" not in d:
                raise InvalidParameterError(
                    "Either 'value' or 'serialized_value' must be present in the dictionary representation of an"
                    f" Expectation; it has {list(d)}"
                )
            serialized = d["serialized_value"]
            written = serialized.get("serialization_format")
            if written != _FORMAT:
                raise InvalidParameterError(f"unknown serialization format {written!r}; only {_FORMAT} is allowed")
            return cls(load(serialized["value"]))


@dataclass
class FeedbackValue:
    """A judgement, or why there is none.

    Args:
        value: The judgement.
        error: What went wrong in judging.
    """

    value: Any
    error: AssessmentError | None = None

    def to_dictionary(self) -> dict[str, Any]:
        """The judgement as a dictionary, of what JSON can hold; what is not set of an error is left out."""
        value = self.value
        if value is not None and not isinstance(value, (str, bool, int, float)):
            value = load(dump(value))
        found: dict[str, Any] = {"value": value}
        if self.error is not None:
            found["error"] = {key: text for key, text in self.error.to_dictionary().items() if text is not None}
        return found

    @classmethod
    def from_dictionary(cls, d: Mapping[str, Any]) -> FeedbackValue:
        """The judgement that a dictionary describes.

        Raises:
            InvalidParameterError: no dictionary, or the error in it has no code.
        """
        with reading("FeedbackValue", d):
            error = d.get("error")
            return cls(d.get("value"), AssessmentError.from_dictionary(error) if error else None)


@dataclass
class Assessment:
    """What is said of a trace: either a feedback or an expectation.

    Args:
        name: What is assessed.
        source: Who says so.
        trace_id: The trace it is about.
        run_id: The run it was made in.
        rationale: Why.
        metadata: Anything else of interest.
        span_id: The span it is about, where it is about one.
        create_time_ms: Unix time in milliseconds; now by default.
        last_update_time_ms: Unix time in milliseconds; now by default.
        assessment_id: Its id; given by the store.
        error: Deprecated: the error of the feedback.
        expectation: What was to be expected.
        feedback: The judgement.
        overrides: The id of the assessment that it stands in for.
        valid: Whether it holds; False once it is overridden.

    Raises:
        InvalidParameterError: both or neither of expectation and feedback, no source, or a field that is no text.
    """

    name: str
    source: AssessmentSource
    trace_id: str | None = None
    run_id: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] | None = None
    span_id: str | None = None
    create_time_ms: int | None = None
    last_update_time_ms: int | None = None
    assessment_id: str | None = None
    error: AssessmentError | None = None
    expectation: ExpectationValue | None = None
    feedback: FeedbackValue | None = None
    overrides: str | None = None
    valid: bool | None = None

    def __post_init__(self) -> None:
        if (self.expectation is None) == (self.feedback is None):
            raise InvalidParameterError("Exactly one of `expectation` or `feedback` should be specified.")
        if not isinstance(self.source, AssessmentSource):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(
                f"`source` must be an instance of `AssessmentSource`. Got {type(self.source)} instead."
            )
        for name in ("trace_id", "run_id", "span_id", "rationale", "overrides"):
            text = getattr(self, name)
            if text is not None and not isinstance(text, str):
                raise InvalidParameterError(f"`{name}` must be a string, not {type(text).__name__}: {text!r}")
        now = clock.now_ms()
        if self.create_time_ms is None:
            self.create_time_ms = now
        if self.last_update_time_ms is None:
            self.last_update_time_ms = now
        if self.error is not None:
            if self.feedback is None:
                raise InvalidParameterError("Cannot set `error` when `expectation` is specified.")
            self.feedback.error = self.error
        elif self.feedback is not None:
            self.error = self.feedback.error

    def to_dictionary(self) -> dict[str, Any]:
        """The assessment as a dictionary, as MLflow 3 writes it; what is empty is left out."""
        found: dict[str, Any] = {}
        if self.assessment_id is not None:
            found["assessment_id"] = self.assessment_id
        found["assessment_name"] = self.name
        found["trace_id"] = self.trace_id or ""
        if self.span_id is not None:
            found["span_id"] = self.span_id
        found["source"] = self.source.to_dictionary()
        found["create_time"] = time_to_text(self.create_time_ms or 0)
        found["last_update_time"] = time_to_text(self.last_update_time_ms or 0)
        if self.feedback is not None:
            found["feedback"] = self.feedback.to_dictionary()
        if self.expectation is not None:
            found["expectation"] = self.expectation.to_dictionary()
        if self.metadata:
            found["metadata"] = texts(self.metadata)
        for name in ("rationale", "overrides", "valid", "run_id"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    @classmethod
    def from_dictionary(cls, d: Mapping[str, Any]) -> Assessment:
        """The feedback or the expectation that a dictionary describes.

        Raises:
            InvalidParameterError: neither; the message says what is missing.
        """
        with reading("Assessment", d):
            if d.get("expectation"):
                return Expectation.from_dictionary(d)
            if d.get("feedback"):
                return Feedback.from_dictionary(d)
            raise InvalidParameterError(
                f"Unknown assessment type: {d.get('assessment_name')}; it must have 'feedback' or 'expectation'"
            )

    @staticmethod
    def _common(d: Mapping[str, Any]) -> dict[str, Any]:
        """The constructor arguments that feedback and expectations share, from a dictionary."""
        metadata = d.get("metadata")
        return {
            "name": d["assessment_name"],
            "source": AssessmentSource.from_dictionary(d["source"]),
            "trace_id": d.get("trace_id") or None,
            "metadata": None if metadata is None else dict(metadata),
            "span_id": d.get("span_id"),
            "create_time_ms": time_from_text(d["create_time"]),
            "last_update_time_ms": time_from_text(d["last_update_time"]),
        }


class Expectation(Assessment):
    """What was to be expected of a trace: a label, a reference answer.

    Args:
        name: What is expected, e.g. "expected_answer".
        value: Any value that JSON can hold.
        source: Who says so; a human by default.
        trace_id: The trace it is about.
        metadata: Anything else of interest.
        span_id: The span it is about, where it is about one.
        create_time_ms: Unix time in milliseconds; now by default.
        last_update_time_ms: Unix time in milliseconds; now by default.

    Raises:
        InvalidParameterError: no value.
    """

    def __init__(
        self,
        name: str,
        value: Any,
        source: AssessmentSource | None = None,
        trace_id: str | None = None,
        metadata: dict[str, str] | None = None,
        span_id: str | None = None,
        create_time_ms: int | None = None,
        last_update_time_ms: int | None = None,
    ) -> None:
        if value is None:
            raise InvalidParameterError("The `value` field must be specified.")
        super().__init__(
            name=name,
            source=source if source is not None else AssessmentSource(AssessmentSourceType.HUMAN),
            trace_id=trace_id,
            metadata=metadata,
            span_id=span_id,
            create_time_ms=create_time_ms,
            last_update_time_ms=last_update_time_ms,
            expectation=ExpectationValue(value),
        )

    @property
    def value(self) -> Any:
        """What was to be expected."""
        return self.expectation.value if self.expectation is not None else None

    @value.setter
    def value(self, value: Any) -> None:
        self.expectation = ExpectationValue(value)

    @classmethod
    def from_dictionary(cls, d: Mapping[str, Any]) -> Expectation:
        """The expectation that a dictionary describes.

        Raises:
            InvalidParameterError: not the dictionary of an expectation; the message says what is missing.
        """
        with reading("Expectation", d):
            if not d.get("expectation"):
                raise InvalidParameterError("`expectation` must exist in the dictionary.")
            found = cls(value=ExpectationValue.from_dictionary(d["expectation"]).value, **cls._common(d))
        found.assessment_id, found.run_id = d.get("assessment_id"), d.get("run_id")
        found.rationale, found.overrides, found.valid = d.get("rationale"), d.get("overrides"), d.get("valid")
        return found


class Feedback(Assessment):
    """A judgement of a trace's quality.

    Args:
        name: What is judged, e.g. "faithfulness".
        value: The judgement: a number, a string, a bool, or a list or dictionary of those.
        error: What went wrong in judging: an exception, an `AssessmentError`, or a message.
        source: Who says so; code by default.
        trace_id: The trace it is about.
        metadata: Anything else of interest.
        span_id: The span it is about, where it is about one.
        create_time_ms: Unix time in milliseconds; now by default.
        last_update_time_ms: Unix time in milliseconds; now by default.
        rationale: Why.
        overrides: The id of the feedback that it stands in for.
        valid: Whether it holds.

    Raises:
        InvalidParameterError: neither a value nor an error.
    """

    def __init__(
        self,
        name: str = "feedback",
        value: Any = None,
        error: Exception | AssessmentError | str | None = None,
        source: AssessmentSource | None = None,
        trace_id: str | None = None,
        metadata: dict[str, str] | None = None,
        span_id: str | None = None,
        create_time_ms: int | None = None,
        last_update_time_ms: int | None = None,
        rationale: str | None = None,
        overrides: str | None = None,
        valid: bool = True,
    ) -> None:
        if value is None and error is None:
            raise InvalidParameterError("Either `value` or `error` must be provided.")
        super().__init__(
            name=name,
            source=source if source is not None else AssessmentSource(AssessmentSourceType.CODE),
            trace_id=trace_id,
            metadata=metadata,
            span_id=span_id,
            create_time_ms=create_time_ms,
            last_update_time_ms=last_update_time_ms,
            feedback=FeedbackValue(value, AssessmentError.of(error) if error is not None else None),
            rationale=rationale,
            overrides=overrides,
            valid=valid,
        )

    @property
    def value(self) -> Any:
        """The judgement."""
        return self.feedback.value if self.feedback is not None else None

    @value.setter
    def value(self, value: Any) -> None:
        self.feedback = FeedbackValue(value, self.error)

    @property
    def error_code(self) -> str | None:
        """The code of the error, if there is one."""
        return self.feedback.error.error_code if self.feedback is not None and self.feedback.error else None

    @property
    def error_message(self) -> str | None:
        """The message of the error, if there is one."""
        return self.feedback.error.error_message if self.feedback is not None and self.feedback.error else None

    @classmethod
    def from_dictionary(cls, d: Mapping[str, Any]) -> Feedback:
        """The feedback that a dictionary describes.

        Raises:
            InvalidParameterError: not the dictionary of a feedback; the message says what is missing.
        """
        with reading("Feedback", d):
            if not d.get("feedback"):
                raise InvalidParameterError("`feedback` must exist in the dictionary.")
            feedback = FeedbackValue.from_dictionary(d["feedback"])
            found = cls(
                value=feedback.value,
                error=feedback.error,
                rationale=d.get("rationale"),
                overrides=d.get("overrides"),
                valid=d.get("valid", True),
                **cls._common(d),
            )
        found.assessment_id, found.run_id = d.get("assessment_id"), d.get("run_id")
        return found
