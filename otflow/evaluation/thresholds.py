"""Whether the figures of a candidate are good enough, by themselves and beside those of a baseline."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from otflow.errors import InvalidParameterError, MissingFileError, OtflowError

__all__ = [
    "EvaluationResult",
    "MetricThreshold",
    "MetricThresholdClassException",
    "ModelValidationFailedException",
    "validate_evaluation_results",
]

_logger = logging.getLogger("otflow")


class MetricThresholdClassException(InvalidParameterError):
    """A `MetricThreshold` cannot be made of these arguments."""

    def __init__(self, message: object, **kwargs: Any) -> None:
        super().__init__(f"Could not instantiate MetricThreshold class: {message}", **kwargs)


class ModelValidationFailedException(OtflowError):
    """A candidate is not good enough; the message says by which metrics."""

    default_code = "BAD_REQUEST"


class MetricThreshold:
    """What a metric of a candidate has to be.

    Args:
        threshold: The value that it must reach: at least, or at most where lower is better.
        min_absolute_change: By how much it must be better than the baseline's.
        min_relative_change: By what share of the baseline's value it must be better than that, from 0 to 1.
        greater_is_better: Whether greater values are better.

    Raises:
        MetricThresholdClassException: an argument is missing or not allowed.

    Example:
        >>> from otflow.models import MetricThreshold
        >>> str(MetricThreshold(threshold=0.9, greater_is_better=True))
        'Threshold: 0.9. Greater value is better.'
    """

    def __init__(
        self,
        threshold: float | None = None,
        min_absolute_change: float | None = None,
        min_relative_change: float | None = None,
        greater_is_better: bool | None = None,
    ) -> None:
        if threshold is not None and not _is_number(threshold):
            raise MetricThresholdClassException(f"`threshold` parameter must be a number, not {threshold!r}")
        if min_absolute_change is not None and not (_is_number(min_absolute_change) and min_absolute_change > 0):
            raise MetricThresholdClassException(
                f"`min_absolute_change` parameter must be a positive number, not {min_absolute_change!r}"
            )
        if min_relative_change is not None:
            if not isinstance(min_relative_change, float):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise MetricThresholdClassException(
                    f"`min_relative_change` parameter must be a floating point number, not {min_relative_change!r}"
                )
            if not 0 <= min_relative_change <= 1:
                raise MetricThresholdClassException(
                    f"`min_relative_change` parameter must be between 0 and 1, not {min_relative_change!r}"
                )
        if greater_is_better is None:
            raise MetricThresholdClassException("`greater_is_better` parameter must be defined.")
        if not isinstance(greater_is_better, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MetricThresholdClassException(
                f"`greater_is_better` parameter must be a boolean, not {greater_is_better!r}"
            )
        if threshold is None and min_absolute_change is None and min_relative_change is None:
            raise MetricThresholdClassException(
                "no threshold was specified: one of `threshold`, `min_absolute_change` and `min_relative_change` must"
                " be defined."
            )
        self._threshold = threshold
        self._min_absolute_change = min_absolute_change
        self._min_relative_change = min_relative_change
        self._greater_is_better = greater_is_better

    @property
    def threshold(self) -> float | None:
        """The value that it must reach."""
        return self._threshold

    @property
    def min_absolute_change(self) -> float | None:
        """By how much it must be better than the baseline's."""
        return self._min_absolute_change

    @property
    def min_relative_change(self) -> float | None:
        """By what share it must be better than the baseline's."""
        return self._min_relative_change

    @property
    def greater_is_better(self) -> bool:
        """Whether greater values are better."""
        return self._greater_is_better

    def __str__(self) -> str:
        parts = [
            f"{what}: {value}."
            for what, value in (
                ("Threshold", self.threshold),
                ("Minimum Absolute Change", self.min_absolute_change),
                ("Minimum Relative Change", self.min_relative_change),
            )
            if value is not None
        ]
        return " ".join([*parts, f"{'Greater' if self.greater_is_better else 'Lower'} value is better."])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class EvaluationResult:
    """What an evaluation found.

    Args:
        metrics: Values by name.
        artifacts: Further results by name.
        run_id: The run of the evaluation.
    """

    def __init__(
        self, metrics: dict[str, Any], artifacts: dict[str, Any] | None = None, run_id: str | None = None
    ) -> None:
        self._metrics = metrics
        self._artifacts = artifacts or {}
        self._run_id = run_id

    @property
    def metrics(self) -> dict[str, Any]:
        """Values by name."""
        return self._metrics

    @property
    def artifacts(self) -> dict[str, Any]:
        """Further results by name."""
        return self._artifacts

    @property
    def run_id(self) -> str | None:
        """The run of the evaluation."""
        return self._run_id

    @property
    def tables(self) -> dict[str, Any]:
        """Those of the artifacts that are data frames, by name."""
        return {name: value for name, value in self._artifacts.items() if type(value).__name__ == "DataFrame"}

    def save(self, path: str) -> None:
        """Write the metrics, and those artifacts that JSON can say, into a directory, which is made."""
        directory = Path(path)
        (directory / "artifacts").mkdir(parents=True, exist_ok=True)  # where MLflow has the files of artifacts
        (directory / "metrics.json").write_text(json.dumps(self._metrics, default=float), "utf-8")
        plain = {name: value for name, value in self._artifacts.items() if name not in self.tables}
        (directory / "artifacts_metadata.json").write_text(json.dumps(plain, default=str), "utf-8")

    @classmethod
    def load(cls, path: str) -> EvaluationResult:
        """What `save` has written.

        Raises:
            MissingFileError: there is no such directory.
        """
        directory = Path(path)
        try:
            metrics = json.loads((directory / "metrics.json").read_text("utf-8"))
            artifacts = json.loads((directory / "artifacts_metadata.json").read_text("utf-8"))
        except FileNotFoundError as error:
            raise MissingFileError(f"there is no evaluation result at {path!r}") from error
        return cls(metrics, artifacts)


# -- validation ----------------------------------------------------------------------------------------


def validate_evaluation_results(
    validation_thresholds: dict[str, MetricThreshold],
    candidate_result: EvaluationResult,
    baseline_result: EvaluationResult | None = None,
) -> None:
    """Say whether a candidate is good enough, by itself and beside a baseline.

    Args:
        validation_thresholds: What its metrics have to be, by name.
        candidate_result: What was found of it.
        baseline_result: What was found of what it is compared with.

    Raises:
        ModelValidationFailedException: it is not; all reasons are in the message.
        InvalidParameterError: the arguments are of wrong types.

    Example:
        >>> import otflow
        >>> from otflow.models import EvaluationResult, MetricThreshold
        >>> thresholds = {"accuracy": MetricThreshold(threshold=0.9, greater_is_better=True)}
        >>> otflow.validate_evaluation_results(thresholds, EvaluationResult({"accuracy": 0.93}))
    """
    thresholds: Any = validation_thresholds
    if not isinstance(thresholds, Mapping) or not all(
        isinstance(name, str) and isinstance(one, MetricThreshold)
        for name, one in cast("Mapping[Any, Any]", thresholds).items()
    ):
        raise InvalidParameterError(
            "The validation thresholds argument must be a dictionary that maps strings to MetricThreshold objects."
        )
    candidate = _metrics(candidate_result)
    baseline = None if baseline_result is None else _metrics(baseline_result)
    failures = [
        failure
        for name, threshold in validation_thresholds.items()
        if (failure := _failure(name, threshold, candidate, baseline))
    ]
    if failures:
        raise ModelValidationFailedException("\n".join(failures))


def _metrics(result: Any) -> Mapping[str, Any]:
    metrics = getattr(result, "metrics", None)
    if not isinstance(metrics, Mapping):
        raise InvalidParameterError(f"an EvaluationResult is needed, not {result!r}")
    return cast("Mapping[str, Any]", metrics)


def _failure(
    name: str, threshold: MetricThreshold, candidate: Mapping[str, Any], baseline: Mapping[str, Any] | None
) -> str:
    """Why a metric is not good enough; empty where it is."""
    if name not in candidate:
        return f"Metric validation failed: metric {name} was missing from the evaluation result of the candidate model."
    value = candidate[name]
    compared = threshold.min_absolute_change is not None or threshold.min_relative_change is not None
    reasons: list[str] = []
    if threshold.threshold is not None and not _reaches(value, threshold.threshold, threshold.greater_is_better):
        reasons.append(
            f"Metric {name} value threshold check failed: candidate model {name} = {value}, {name} threshold ="
            f" {threshold.threshold}."
        )
    if compared and (baseline is None or name not in baseline):
        reasons.append(
            f"Model comparison failed: metric {name} was missing from the evaluation result of the baseline model."
        )
    elif compared and baseline is not None:
        reasons += _too_close(name, threshold, value, baseline[name])
    return " ".join(reasons)


def _reaches(value: float, bound: float, greater_is_better: bool) -> bool:
    return value >= bound if greater_is_better else value <= bound


def _too_close(name: str, threshold: MetricThreshold, value: float, before: float) -> list[str]:
    """By which of the required changes the candidate is not better than the baseline."""
    # As decimals, as they are written: 0.3 is 0.1 more than 0.2.
    if not (math.isfinite(value) and math.isfinite(before)):
        return [
            f"Metric {name} cannot be compared: candidate model {name} = {value}, baseline model {name} = {before}."
        ]
    gain = _exact(value) - _exact(before)
    if not threshold.greater_is_better:
        gain = -gain
    found: list[str] = []
    shown = f"candidate model {name} = {value}, baseline model {name} = {before}"
    absolute, relative = threshold.min_absolute_change, threshold.min_relative_change
    if absolute is not None and not gain >= _exact(absolute):
        found.append(
            f"Metric {name} minimum absolute change check failed: {shown}, {name} minimum absolute change threshold ="
            f" {absolute}."
        )
    if relative is None:
        return found
    if before == 0:
        _logger.warning(
            "Metric %s of the baseline is 0, so no share of it can be required: it is only checked that the candidate"
            " is better.",
            name,
        )
        enough = gain > 0
    else:
        enough = gain / abs(_exact(before)) >= _exact(relative)
    if not enough:
        found.append(
            f"Metric {name} minimum relative change check failed: {shown}, {name} minimum relative change threshold ="
            f" {relative}."
        )
    return found


def _exact(number: float) -> Decimal:
    return Decimal(str(float(number)))
