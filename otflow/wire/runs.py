"""Runs, metrics, params, tags, inputs and outputs ↔ the JSON of MLflow's REST API."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from otflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LifecycleStage,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunTag,
)
from otflow.wire.scalars import Json, integer, malformed, member, members, reading

__all__ = [
    "dataset_input_to_json",
    "metric_from_json",
    "metric_to_json",
    "model_output_to_json",
    "pairs_from_json",
    "pairs_to_json",
    "run_from_json",
    "run_info_from_json",
    "run_info_to_json",
    "run_to_json",
]


def pairs_to_json(pairs: Mapping[str, str] | Iterable[Param] | Iterable[RunTag]) -> list[dict[str, str]]:
    """Tags or params as they travel."""
    if isinstance(pairs, Mapping):
        return [{"key": key, "value": value} for key, value in cast("Mapping[str, str]", pairs).items()]
    return [{"key": pair.key, "value": pair.value} for pair in pairs]


def pairs_from_json(data: object, key: str, what: str) -> dict[str, str]:
    """Tags or params that have travelled."""
    return {str(pair.get("key")): str(pair.get("value", "")) for pair in members(data, key, what)}


# -- metrics -----------------------------------------------------------------------------------------


def metric_to_json(metric: Metric) -> dict[str, Any]:
    """A point as it travels; what is no finite number is a text, as protobuf writes it."""
    value: float | str = metric.value
    if isinstance(value, float) and not math.isfinite(value):
        value = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    data: dict[str, Any] = {
        "key": metric.key,
        "value": value,
        "timestamp": metric.timestamp,
        "step": metric.step,
        "model_id": metric.model_id,
        "dataset_name": metric.dataset_name,
        "dataset_digest": metric.dataset_digest,
        "run_id": metric.run_id,
    }
    return {key: item for key, item in data.items() if item is not None}


def metric_from_json(data: Json) -> Metric:
    """The point that has travelled.

    Raises:
        OtflowError: `data` is none.
    """
    with reading("metric", data):
        return Metric(
            key=data["key"],
            value=float(data.get("value", 0.0)),
            timestamp=integer(data.get("timestamp")),
            step=integer(data.get("step")),
            model_id=data.get("model_id") or None,
            dataset_name=data.get("dataset_name") or None,
            dataset_digest=data.get("dataset_digest") or None,
            run_id=data.get("run_id") or None,
        )


# -- inputs and outputs ------------------------------------------------------------------------------


def dataset_input_to_json(used: DatasetInput) -> dict[str, Any]:
    """The use of a dataset as it travels."""
    dataset = {key: value for key, value in used.dataset.to_dictionary().items() if value is not None}
    return {"tags": [{"key": tag.key, "value": tag.value} for tag in used.tags], "dataset": dataset}


def _dataset_input_from_json(data: Json) -> DatasetInput:
    dataset = member(data, "dataset", "dataset")
    with reading("dataset", dataset):
        entity = Dataset(
            name=dataset["name"],
            digest=dataset["digest"],
            source_type=dataset["source_type"],
            source=dataset["source"],
            schema=dataset.get("schema") or None,
            profile=dataset.get("profile") or None,
        )
    labels = pairs_from_json(data, "tags", "tags of a dataset")
    return DatasetInput(entity, [InputTag(key, value) for key, value in labels.items()])


def model_output_to_json(made: LoggedModelOutput) -> dict[str, Any]:
    """A model that a run made, as it travels."""
    return {"model_id": made.model_id, "step": made.step}


# -- runs --------------------------------------------------------------------------------------------


def run_info_to_json(info: RunInfo) -> dict[str, Any]:
    """What a run is, as it travels; old clients read `run_uuid`."""
    data = {**dict(info), "run_uuid": info.run_id}
    return {key: value for key, value in data.items() if value is not None}


def run_info_from_json(data: Json) -> RunInfo:
    """What a run is, as it has travelled.

    Raises:
        OtflowError: `data` is no such thing.
    """
    run_id = data.get("run_id") or data.get("run_uuid")
    if not isinstance(run_id, str):
        raise malformed("run", data)
    with reading("run", data):
        return RunInfo(
            run_id=run_id,
            experiment_id=str(data["experiment_id"]),
            user_id=data.get("user_id", ""),
            status=data.get("status", "RUNNING"),
            start_time=integer(data.get("start_time")),
            end_time=integer(data["end_time"]) if data.get("end_time") is not None else None,
            lifecycle_stage=data.get("lifecycle_stage", LifecycleStage.ACTIVE),
            artifact_uri=data.get("artifact_uri"),
            run_name=data.get("run_name"),
        )


def run_to_json(run: Run, metrics: Sequence[Metric]) -> dict[str, Any]:
    """A run as it travels.

    Args:
        run: The run.
        metrics: The last points of its metrics: the run itself has their values only.
    """
    return {
        "info": run_info_to_json(run.info),
        "data": {
            "metrics": [metric_to_json(metric) for metric in metrics],
            "params": pairs_to_json(run.data.params),
            "tags": pairs_to_json(run.data.tags),
        },
        "inputs": {
            "dataset_inputs": [dataset_input_to_json(used) for used in run.inputs.dataset_inputs],
            "model_inputs": [{"model_id": used.model_id} for used in run.inputs.model_inputs],
        },
        "outputs": {"model_outputs": [model_output_to_json(made) for made in run.outputs.model_outputs]},
    }


def run_from_json(data: Json) -> Run:
    """The run that has travelled.

    Raises:
        OtflowError: `data` is none.
    """
    recorded, inputs = member(data, "data", "run"), member(data, "inputs", "run")
    outputs = member(data, "outputs", "run")
    metrics = [metric_from_json(metric) for metric in members(recorded, "metrics", "metrics of a run")]
    return Run(
        run_info_from_json(member(data, "info", "run")),
        RunData.of(
            {metric.key: metric.value for metric in metrics},
            pairs_from_json(recorded, "params", "params of a run"),
            pairs_from_json(recorded, "tags", "tags of a run"),
        ),
        RunInputs(
            [_dataset_input_from_json(used) for used in members(inputs, "dataset_inputs", "datasets of a run")],
            [
                LoggedModelInput(str(used.get("model_id")))
                for used in members(inputs, "model_inputs", "models of a run")
            ],
        ),
        RunOutputs(
            [
                LoggedModelOutput(str(made.get("model_id")), integer(made.get("step")))
                for made in members(outputs, "model_outputs", "models of a run")
            ]
        ),
    )
