"""What MLflow keeps in `mlflow.models`: the validation of evaluation results."""

from __future__ import annotations

from otflow.evaluation.thresholds import (
    EvaluationResult,
    MetricThreshold,
    MetricThresholdClassException,
    ModelValidationFailedException,
    validate_evaluation_results,
)

__all__ = [
    "EvaluationResult",
    "MetricThreshold",
    "MetricThresholdClassException",
    "ModelValidationFailedException",
    "validate_evaluation_results",
]
