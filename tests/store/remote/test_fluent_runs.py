"""The companion over HTTP: our fluent functions against a released MLflow's server, and its client's view of it."""

from __future__ import annotations

import math
import uuid

import numpy as np
import pytest

import otflow
from otflow.entities import Metric, Param, RunTag
from otflow.errors import InvalidParameterError

from .conftest import ReleasedMlflow

pytestmark = pytest.mark.differential


@pytest.fixture
def experiment(mlflow_server: str) -> str:
    otflow.set_tracking_uri(mlflow_server)
    return otflow.set_experiment(f"fluent-{uuid.uuid4().hex}").experiment_id


@otflow.trace
def step(number: int) -> int:
    return number + 1


def test_a_run_from_beginning_to_end(experiment: str) -> None:
    with otflow.start_run(run_name="whole", tags={"team": "a"}, description="all of it") as run:
        otflow.log_params({"lr": 0.1, "model": "small"})
        for number in range(3):
            otflow.log_metric("loss", 1 / (number + 1), step=number)
        otflow.log_metrics({"nan": math.nan, "inf": math.inf})
        otflow.set_tags({"a": 1, "b": 2})
        otflow.delete_tag("a")
        otflow.log_text("hello", "notes/hello.txt")
        otflow.log_dict({"x": [1, 2]}, "config.json")
        otflow.log_image(np.zeros((4, 4), dtype=np.uint8), "black.png")
        otflow.log_table({"q": ["2 + 2?"], "a": [4]}, "answers.json")
        otflow.log_input(otflow.data.from_dict([{"q": "2 + 2?"}], name="sums"), context="evaluation")
        model = otflow.create_external_model("agent", params={"v": "1"})
        otflow.log_metric("score", 0.7, model_id=model.model_id)
        step(1)
    run_id = run.info.run_id
    found = otflow.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"lr": "0.1", "model": "small"}
    assert found.data.metrics["loss"] == 1 / 3
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] > 1e308
    assert (found.data.tags["b"], "a" in found.data.tags) == ("2", False)
    assert [point.step for point in otflow.Client().get_metric_history(run_id, "loss")] == [0, 1, 2]
    assert otflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello"
    assert otflow.artifacts.load_dict(f"runs:/{run_id}/config.json") == {"x": [1, 2]}
    assert otflow.load_table("answers.json").to_dict("list") == {"q": ["2 + 2?"], "a": [4]}
    assert found.inputs.dataset_inputs[0].dataset.name == "sums"
    assert [one.model_id for one in found.inputs.model_inputs] == [model.model_id]
    assert [point.value for point in otflow.get_logged_model(model.model_id).metrics or ()] == [0.7]
    (trace,) = otflow.search_traces(run_id=run_id, return_type="list")
    assert trace.data.spans[0].outputs == 2
    (again,) = otflow.search_runs(filter_string="metrics.loss < 0.5 AND params.lr = '0.1'", output_format="list")
    assert again.info.run_id == run_id
    (ranked,) = otflow.search_logged_models(
        filter_string="metrics.score > 0.5",
        order_by=[{"field_name": "metrics.score", "ascending": False}],
        output_format="list",
    )
    assert ranked.model_id == model.model_id


def test_batches_beyond_the_limits_of_a_request(experiment: str) -> None:
    client = otflow.Client()
    run_id = client.create_run(experiment).info.run_id
    client.log_batch(
        run_id,
        [Metric("many", float(number), number, number) for number in range(2_500)],
        [Param(f"p{number}", str(number)) for number in range(250)],
        [RunTag(f"t{number}", str(number)) for number in range(150)],
    )
    found = client.get_run(run_id).data
    assert (len(found.params), found.metrics) == (250, {"many": 2_499.0})
    assert sum(key.startswith("t") for key in found.tags) == 150
    assert len(client.get_metric_history(run_id, "many")) == 2_500
    with pytest.raises(InvalidParameterError, match="Changing param values"):
        client.log_batch(run_id, [Metric("never", 1.0, 1, 1)], [Param("p1", "other")])
    assert "never" not in client.get_run(run_id).data.metrics


def test_the_released_client_sees_the_same(experiment: str, released_mlflow: ReleasedMlflow) -> None:
    with otflow.start_run(run_name="seen", tags={"k": "v"}) as run:
        otflow.log_params({"a": 1})
        otflow.log_metric("m", 0.5, step=3)
    seen = released_mlflow.run(
        """
        run = mlflow.MlflowClient().get_run(run_id)
        result = [run.info.run_name, run.info.status, run.data.params, run.data.metrics, run.data.tags["k"]]
        """,
        run_id=run.info.run_id,
    )
    assert seen == ["seen", "FINISHED", {"a": "1"}, {"m": 0.5}, "v"]


def test_a_run_of_the_released_client(experiment: str, released_mlflow: ReleasedMlflow) -> None:
    run_id = released_mlflow.run(
        """
        with mlflow.start_run(experiment_id=experiment, run_name="theirs", tags={"k": "v"}) as run:
            mlflow.log_params({"a": 1})
            mlflow.log_metric("m", float("nan"), step=2)
            mlflow.log_text("hi", "t.txt")
        result = run.info.run_id
        """,
        experiment=experiment,
    )
    found = otflow.get_run(run_id)
    assert (found.info.run_name, found.info.status, found.data.params) == ("theirs", "FINISHED", {"a": "1"})
    assert math.isnan(found.data.metrics["m"])
    assert otflow.artifacts.load_text(f"runs:/{run_id}/t.txt") == "hi"
