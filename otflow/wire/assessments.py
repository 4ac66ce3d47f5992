"""Assessments ↔ the JSON of MLflow's REST API: MLflow's dictionaries, but for numbers that JSON cannot."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, cast

from otflow.entities import Assessment, ExpectationValue, FeedbackValue
from otflow.entities.values import dump
from otflow.errors import InvalidParameterError
from otflow.wire.scalars import Json, reading

__all__ = ["assessment_from_json", "assessment_to_json", "changes_to_json"]

_EXACT_IN_DOUBLE: Final = 2**53
_CHANGEABLE: Final = ("name", "expectation", "feedback", "rationale", "metadata")


def assessment_to_json(assessment: Assessment) -> dict[str, Any]:
    """The assessment as it travels."""
    data = assessment.to_dictionary()
    if assessment.expectation is not None:
        data["expectation"] = _expectation_to_json(assessment.expectation)
    return data


def assessment_from_json(data: Json) -> Assessment:
    """The assessment that has travelled: a `Feedback` or an `Expectation`.

    Raises:
        OtflowError: `data` is neither.
    """
    with reading("assessment", data):
        assessment = Assessment.from_dictionary(data)
        assessment.rationale = data.get("rationale")
        assessment.overrides = data.get("overrides")
    return assessment


def changes_to_json(changes: Mapping[str, object]) -> tuple[dict[str, Any], list[str]]:
    """The changed fields of an assessment as they travel, and their names in the update mask; None changes nothing.

    Raises:
        InvalidParameterError: A field is not one that may be changed.
    """
    data: dict[str, Any] = {}
    mask: list[str] = []
    for field, value in changes.items():
        if field in _CHANGEABLE and value is None:
            continue
        if field == "name":
            data["assessment_name"] = value
            mask.append("assessmentName")
        elif field in _CHANGEABLE:
            data[field] = _change_to_json(value)
            mask.append(field)
        else:
            raise InvalidParameterError(
                f"{field!r} of an assessment cannot be changed; allowed are: {', '.join(_CHANGEABLE)}"
            )
    return data, mask


def _change_to_json(value: object) -> object:
    if isinstance(value, FeedbackValue):
        return value.to_dictionary()
    if isinstance(value, ExpectationValue):
        return _expectation_to_json(value)
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else value


def _expectation_to_json(expectation: ExpectationValue) -> dict[str, Any]:
    value = expectation.value
    if (isinstance(value, int) and abs(value) > _EXACT_IN_DOUBLE) or (isinstance(value, float) and not isfinite(value)):
        return {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": dump(value)}}
    return expectation.to_dictionary()
