from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otflow.errors import OtflowError
from otflow.wire.experiments import experiment_from_json, experiment_to_json

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "mlflow_exchanges.json").read_text()
)


def test_recorded_experiments_come_back_as_they_were() -> None:
    answer = next(x for x in EXCHANGES if x["call"] == "search_experiments")["response"]
    for data in answer["experiments"]:
        assert experiment_to_json(experiment_from_json(data)) == data


def test_the_recorded_experiment() -> None:
    answer = next(x for x in EXCHANGES if x["call"] == "get_experiment")["response"]
    experiment = experiment_from_json(answer["experiment"])
    assert (experiment.experiment_id, experiment.name, experiment.tags) == ("2", "wire-demo2", {"team": "a"})
    assert (experiment.lifecycle_stage, experiment.artifact_location) == ("active", "mlflow-artifacts:/2")
    assert experiment.creation_time == experiment.last_update_time == 1795404995220


def test_times_may_be_strings() -> None:
    experiment = experiment_from_json({"experiment_id": "1", "name": "n", "creation_time": "1795404995220"})
    assert experiment.creation_time == 1795404995220


@pytest.mark.parametrize("data", [{}, {"experiment_id": 1, "name": "n"}, {"experiment_id": "1"}, {"name": "n"}])
def test_a_malformed_experiment_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(OtflowError, match="malformed"):
        experiment_from_json(data)
