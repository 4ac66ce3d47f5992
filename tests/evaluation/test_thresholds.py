"""Whether a candidate is good enough."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import otflow
from otflow.errors import InvalidParameterError, MissingFileError, OtflowError
from otflow.models import (
    EvaluationResult,
    MetricThreshold,
    MetricThresholdClassException,
    ModelValidationFailedException,
)


def at_least(threshold=None, **more):
    return MetricThreshold(threshold=threshold, **{"greater_is_better": True, **more})


def check(threshold, candidate, baseline=None):
    otflow.validate_evaluation_results(
        {"a": threshold},
        EvaluationResult({"a": candidate}),
        None if baseline is None else EvaluationResult({"a": baseline}),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "greater_is_better.*defined"),
        ({"threshold": 1}, "greater_is_better.*defined"),
        ({"threshold": 1, "greater_is_better": "yes"}, "greater_is_better.*boolean"),
        ({"threshold": "x", "greater_is_better": True}, "threshold.*number"),
        ({"threshold": True, "greater_is_better": True}, "threshold.*number"),
        ({"min_absolute_change": -1, "greater_is_better": True}, "min_absolute_change.*positive"),
        ({"min_absolute_change": "x", "greater_is_better": True}, "min_absolute_change.*positive"),
        ({"min_relative_change": 1, "greater_is_better": True}, "min_relative_change.*floating"),
        ({"min_relative_change": 1.5, "greater_is_better": True}, "min_relative_change.*between 0 and 1"),
        ({"greater_is_better": True}, "one of"),
    ],
)
def test_thresholds_that_are_none(arguments, said):
    with pytest.raises(MetricThresholdClassException, match=said) as caught:
        MetricThreshold(**arguments)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_what_a_threshold_says():
    threshold = at_least(0.5, min_absolute_change=0.1, min_relative_change=0.2)
    assert (threshold.threshold, threshold.min_absolute_change, threshold.min_relative_change) == (0.5, 0.1, 0.2)
    assert str(threshold) == (
        "Threshold: 0.5. Minimum Absolute Change: 0.1. Minimum Relative Change: 0.2. Greater value is better."
    )
    assert str(MetricThreshold(threshold=1, greater_is_better=False)) == "Threshold: 1. Lower value is better."


@pytest.mark.parametrize(
    ("threshold", "candidate", "baseline"),
    [
        (at_least(0.5), 0.5, None),
        (at_least(0.5, greater_is_better=False), 0.5, None),
        (at_least(0.5), 0.6, 0.9),
        (at_least(min_absolute_change=0.1), 0.3, 0.2),
        (at_least(min_absolute_change=0.1, greater_is_better=False), 0.2, 0.3),
        (at_least(min_relative_change=0.1), 0.22, 0.2),
        (at_least(min_relative_change=0.5, greater_is_better=False), 0.1, 0.2),
        (at_least(min_relative_change=0.5), -1, -2),
        (at_least(min_relative_change=0.1), 0.1, 0),
    ],
)
def test_good_enough(threshold, candidate, baseline):
    check(threshold, candidate, baseline)


@pytest.mark.parametrize(
    ("threshold", "candidate", "baseline", "said"),
    [
        (at_least(0.5), 0.4, None, "value threshold check failed: candidate model a = 0.4, a threshold = 0.5."),
        (at_least(0.5, greater_is_better=False), 0.6, None, "value threshold"),
        (at_least(0.5), math.nan, None, "value threshold"),
        (at_least(min_absolute_change=0.1), 0.4, 0.35, "minimum absolute change check failed"),
        (at_least(min_relative_change=0.1), 0.4, 0.39, "minimum relative change check failed"),
        (at_least(min_relative_change=0.1), 0, 0, "minimum relative change check failed"),
        (at_least(min_absolute_change=0.1), 0.4, None, "missing from the evaluation result of the baseline"),
        (at_least(min_absolute_change=0.1), 0.4, math.nan, "cannot be compared"),
    ],
)
def test_not_good_enough(threshold, candidate, baseline, said):
    with pytest.raises(ModelValidationFailedException, match=said) as caught:
        check(threshold, candidate, baseline)
    assert caught.value.error_code == "BAD_REQUEST"


def test_all_reasons_are_said():
    thresholds = {"a": at_least(0.9, min_absolute_change=0.1, min_relative_change=0.5), "z": at_least(1)}
    with pytest.raises(ModelValidationFailedException) as caught:
        otflow.validate_evaluation_results(thresholds, EvaluationResult({"a": 0.4}), EvaluationResult({"a": 0.39}))
    assert caught.value.message == (
        "Metric a value threshold check failed: candidate model a = 0.4, a threshold = 0.9. Metric a minimum absolute"
        " change check failed: candidate model a = 0.4, baseline model a = 0.39, a minimum absolute change threshold ="
        " 0.1. Metric a minimum relative change check failed: candidate model a = 0.4, baseline model a = 0.39, a"
        " minimum relative change threshold = 0.5.\nMetric validation failed: metric z was missing from the evaluation"
        " result of the candidate model."
    )


@pytest.mark.parametrize("thresholds", [None, [1], {"a": 5}, {5: at_least(1)}, "a"])
def test_what_is_no_dictionary_of_thresholds(thresholds):
    with pytest.raises(InvalidParameterError, match="validation thresholds"):
        otflow.validate_evaluation_results(thresholds, EvaluationResult({"a": 1}))


@pytest.mark.parametrize("candidate", [{"a": 1}, None, 5])
def test_what_is_no_result(candidate):
    with pytest.raises(InvalidParameterError, match="EvaluationResult"):
        otflow.validate_evaluation_results({"a": at_least(1)}, candidate)


def test_results_are_kept(tmp_path):
    result = EvaluationResult({"a": 1.5}, {"note": "x", "rows": pd.DataFrame({"n": [1]})}, run_id="r")
    assert (result.run_id, list(result.tables)) == ("r", ["rows"])
    result.save(str(tmp_path / "kept"))
    assert (tmp_path / "kept" / "artifacts").is_dir()
    again = EvaluationResult.load(str(tmp_path / "kept"))
    assert (again.metrics, again.artifacts, again.run_id) == ({"a": 1.5}, {"note": "x"}, None)
    with pytest.raises(MissingFileError):
        EvaluationResult.load(str(tmp_path / "none"))


def test_they_are_errors_of_ours():
    assert issubclass(ModelValidationFailedException, OtflowError)
