"""Runs: one execution, with what it was given, what it measured and what it made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from otflow.entities.dataset import DatasetInput
from otflow.entities.logged_model import LoggedModelInput, LoggedModelOutput
from otflow.entities.metric import Metric, Param, RunTag
from otflow.entities.plain import PlainEntity
from otflow.errors import OtflowError

__all__ = ["Run", "RunData", "RunInfo", "RunInputs", "RunOutputs"]


class RunInfo(PlainEntity):
    """What a run is, without what it recorded.

    Args:
        run_id: The id, 32 hexadecimal digits.
        experiment_id: The experiment that it is in.
        user_id: Who started it.
        status: `"RUNNING"`, `"SCHEDULED"`, `"FINISHED"`, `"FAILED"` or `"KILLED"`.
        start_time: Unix time in milliseconds.
        end_time: Unix time in milliseconds; None while it runs.
        lifecycle_stage: "active" or "deleted".
        artifact_uri: Where its artifacts are.
        run_name: The name.
    """

    _fields = (
        "artifact_uri",
        "end_time",
        "experiment_id",
        "lifecycle_stage",
        "run_id",
        "run_name",
        "start_time",
        "status",
        "user_id",
    )
    _ASKED: ClassVar = ("artifact_uri", "end_time", "run_id", "run_name", "start_time", "status", "user_id")

    run_id: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str | None
    run_name: str | None

    def __init__(
        self,
        run_id: str,
        experiment_id: str,
        user_id: str,
        status: str,
        start_time: int,
        end_time: int | None,
        lifecycle_stage: str,
        artifact_uri: str | None = None,
        run_name: str | None = None,
    ) -> None:
        # Past __setattr__: a search makes thousands of these.
        self.__dict__.update(
            run_id=run_id,
            experiment_id=experiment_id,
            user_id=user_id,
            status=status,
            start_time=start_time,
            end_time=end_time,
            lifecycle_stage=lifecycle_stage,
            artifact_uri=artifact_uri,
            run_name=run_name,
        )
        if experiment_id is None or user_id is None or status is None or start_time is None:  # pyright: ignore[reportUnnecessaryComparison]
            absent = next(
                name for name in ("experiment_id", "user_id", "status", "start_time") if self.__dict__[name] is None
            )
            raise OtflowError(f"{absent} cannot be None")

    @classmethod
    def get_searchable_attributes(cls) -> list[str]:
        """The attributes that a filter may name."""
        return list(cls._ASKED)

    @classmethod
    def get_orderable_attributes(cls) -> list[str]:
        """The attributes that an order may name."""
        return list(cls._ASKED)


class RunData(PlainEntity):
    """What a run recorded.

    Args:
        metrics: The last point of each metric: of the largest step, and of these the latest.
        params: The parameters.
        tags: The tags.
    """

    _fields = ("metrics", "params", "tags")

    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]

    def __init__(
        self,
        metrics: Iterable[Metric] | None = None,
        params: Iterable[Param] | None = None,
        tags: Iterable[RunTag] | None = None,
    ) -> None:
        self.__dict__.update(
            metrics={metric.key: metric.value for metric in metrics or ()},
            params={param.key: param.value for param in params or ()},
            tags={tag.key: tag.value for tag in tags or ()},
        )

    @classmethod
    def of(cls, metrics: dict[str, float], params: dict[str, str], tags: dict[str, str]) -> RunData:
        """The data that these are already."""
        data = cls.__new__(cls)
        data.__dict__.update(metrics=metrics, params=params, tags=tags)
        return data

    def to_dictionary(self) -> dict[str, Any]:
        """The data as a dictionary."""
        return dict(self.__dict__)


class RunInputs(PlainEntity):
    """What a run used.

    Args:
        dataset_inputs: The datasets.
        model_inputs: The logged models.
    """

    _fields = ("dataset_inputs", "model_inputs")

    def __init__(
        self, dataset_inputs: Sequence[DatasetInput], model_inputs: Sequence[LoggedModelInput] | None = None
    ) -> None:
        self.dataset_inputs = list(dataset_inputs)
        self.model_inputs = list(model_inputs or ())

    def to_dictionary(self) -> dict[str, Any]:
        """The inputs as a dictionary."""
        return {
            "model_inputs": self.model_inputs,
            "dataset_inputs": [one.to_dictionary() for one in self.dataset_inputs],
        }


class RunOutputs(PlainEntity):
    """What a run made.

    Args:
        model_outputs: The logged models.
    """

    _fields = ("model_outputs",)

    def __init__(self, model_outputs: Sequence[LoggedModelOutput]) -> None:
        self.model_outputs = list(model_outputs)

    def to_dictionary(self) -> dict[str, Any]:
        """The outputs as a dictionary."""
        return {"model_outputs": [one.to_dictionary() for one in self.model_outputs]}


class Run(PlainEntity):
    """One execution.

    Args:
        run_info: What it is.
        run_data: What it recorded.
        run_inputs: What it used.
        run_outputs: What it made.
    """

    _fields = ("data", "info", "inputs", "outputs")

    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs

    def __init__(
        self,
        run_info: RunInfo,
        run_data: RunData,
        run_inputs: RunInputs | None = None,
        run_outputs: RunOutputs | None = None,
    ) -> None:
        if run_info is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise OtflowError("run_info cannot be None")
        self.__dict__.update(info=run_info, data=run_data, inputs=run_inputs, outputs=run_outputs)

    def to_dictionary(self) -> dict[str, Any]:
        """The run as a dictionary."""
        parts = {"info": dict(self.info)}
        for name, part in (("data", self.data), ("inputs", self.inputs), ("outputs", self.outputs)):
            if part is not None:  # pyright: ignore[reportUnnecessaryComparison]
                parts[name] = part.to_dictionary()
        return parts
