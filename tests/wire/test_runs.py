"""Runs in transit."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
)
from otflow.errors import OtflowError
from otflow.wire.runs import metric_from_json, metric_to_json, run_from_json, run_to_json

texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=20)
times = st.integers(0, 2**53)
maybe = st.none() | names
pairs = st.dictionaries(names, texts, max_size=4)


@st.composite
def metrics(draw):
    name = draw(maybe)
    return Metric(
        draw(names),
        draw(st.floats()),
        draw(times),
        draw(st.integers(-(2**53), 2**53)),
        draw(maybe),
        name,
        None if name is None else draw(names),
        draw(maybe),
    )


@st.composite
def runs(draw):
    info = RunInfo(
        draw(names), str(draw(st.integers(0, 99))), draw(texts), draw(st.sampled_from(["RUNNING", "FINISHED"])),
        draw(times), draw(st.none() | times), draw(st.sampled_from(["active", "deleted"])), draw(maybe), draw(maybe),
    )  # fmt: skip
    last = {metric.key: metric for metric in draw(st.lists(metrics(), max_size=4))}
    used = [
        DatasetInput(
            Dataset(draw(names), draw(names), draw(names), draw(names), draw(maybe), draw(maybe)),
            [InputTag(key, value) for key, value in draw(pairs).items()],
        )
        for _ in range(draw(st.integers(0, 2)))
    ]
    values = {key: metric.value for key, metric in last.items()}
    run = Run(
        info,
        RunData.of(values, draw(pairs), draw(pairs)),
        RunInputs(used, [LoggedModelInput(one) for one in draw(st.lists(names, max_size=2))]),
        RunOutputs([LoggedModelOutput(one, draw(times)) for one in draw(st.lists(names, max_size=2))]),
    )
    return run, list(last.values())


def same(one, other):
    return one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


@given(metrics())
def test_a_point_comes_back(metric):
    found = metric_from_json(json.loads(json.dumps(metric_to_json(metric), allow_nan=False)))
    assert all(same(value, dict(found)[field]) for field, value in metric)


@given(runs())
def test_a_run_comes_back(pair):
    run, points = pair
    found = run_from_json(json.loads(json.dumps(run_to_json(run, points), allow_nan=False)))
    assert (found.info, found.inputs, found.outputs) == (run.info, run.inputs, run.outputs)
    assert (found.data.params, found.data.tags) == (run.data.params, run.data.tags)
    assert found.data.metrics.keys() == run.data.metrics.keys()
    assert all(same(value, found.data.metrics[key]) for key, value in run.data.metrics.items())


def test_what_a_released_server_says():
    found = run_from_json(
        {
            "info": {
                "run_uuid": "4d7e9df13ca34cab9ec0c60329162a6d",
                "experiment_id": "2",
                "run_name": "r1",
                "user_id": "ada",
                "status": "RUNNING",
                "start_time": 1795404995844,
                "artifact_uri": "mlflow-artifacts:/2/4d7e9df13ca34cab9ec0c60329162a6d/artifacts",
                "lifecycle_stage": "active",
                "run_id": "4d7e9df13ca34cab9ec0c60329162a6d",
            },
            "data": {
                "metrics": [
                    {"key": "loss", "value": 0.3, "timestamp": 1795404996200, "step": 3},
                    {"key": "acc", "value": "NaN", "timestamp": "1795404996139", "step": "2"},
                ],
                "params": [{"key": "lr", "value": "0.1"}],
                "tags": [{"key": "t", "value": "1"}, {"key": "empty"}],
            },
            "inputs": {},
            "outputs": {},
        }
    )
    assert (found.info.run_id, found.info.end_time, found.info.run_name) == (
        "4d7e9df13ca34cab9ec0c60329162a6d",
        None,
        "r1",
    )
    assert found.data.metrics["loss"] == 0.3
    assert math.isnan(found.data.metrics["acc"])
    assert found.data.tags == {"t": "1", "empty": ""}
    assert (found.inputs.dataset_inputs, found.outputs.model_outputs) == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"info": {}},
        {"info": {"run_id": "r"}},
        {"info": {"run_id": "r", "experiment_id": "0", "start_time": "soon"}},
        {"info": {"run_id": "r", "experiment_id": "0"}, "data": {"metrics": [{"key": "m", "value": "x"}]}},
        {"info": {"run_id": "r", "experiment_id": "0"}, "data": {"metrics": 5}},
        {"info": {"run_id": "r", "experiment_id": "0"}, "inputs": {"dataset_inputs": [{"dataset": {"name": "d"}}]}},
    ],
)
def test_what_is_no_run(data):
    with pytest.raises(OtflowError, match="malformed"):
        run_from_json(data)
