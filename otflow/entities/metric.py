"""What a run records: metrics, params and tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otflow.entities.plain import PlainEntity
from otflow.errors import InvalidParameterError, OtflowError

__all__ = ["Metric", "Param", "RunTag"]


class Param(PlainEntity):
    """A parameter of a run: set once."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class RunTag(PlainEntity):
    """A tag of a run."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class Metric(PlainEntity):
    """One point of a metric.

    Args:
        key: The name of the metric.
        value: The value.
        timestamp: When it was measured, Unix time in milliseconds.
        step: The step of the training, or of whatever is measured.
        model_id: The logged model that it is about.
        dataset_name: The name of the dataset that it was measured on.
        dataset_digest: The digest of that dataset.
        run_id: The run that it was logged to.
    """

    _fields = ("dataset_digest", "dataset_name", "key", "model_id", "run_id", "step", "timestamp", "value")

    def __init__(
        self,
        key: str,
        value: float,
        timestamp: int,
        step: int,
        model_id: str | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        run_id: str | None = None,
    ) -> None:
        if (dataset_name is None) != (dataset_digest is None):
            raise InvalidParameterError(
                "Both dataset_name and dataset_digest must be provided if one is provided:"
                f" {dataset_name!r}, {dataset_digest!r}"
            )
        # Past __setattr__: histories hold millions of these.
        self.__dict__.update(
            key=key,
            value=value,
            timestamp=timestamp,
            step=step,
            model_id=model_id,
            dataset_name=dataset_name,
            dataset_digest=dataset_digest,
            run_id=run_id,
        )

    key: str
    value: float
    timestamp: int
    step: int
    model_id: str | None
    dataset_name: str | None
    dataset_digest: str | None
    run_id: str | None

    def to_dictionary(self) -> dict[str, Any]:
        """The point as a dictionary."""
        return dict(self.__dict__)

    @classmethod
    def from_dictionary(cls, metric_dict: Mapping[str, Any]) -> Metric:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The point that such a dictionary describes.

        Raises:
            OtflowError: a member is missing.
        """
        missing = [key for key in ("key", "value", "timestamp", "step") if key not in metric_dict]
        if missing:
            raise OtflowError(f"Missing required keys {missing} in metric dictionary")
        return cls(**{key: metric_dict[key] for key in cls._fields if key in metric_dict})
