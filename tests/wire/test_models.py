"""Logged models in transit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import LoggedModel, LoggedModelStatus, Metric
from otflow.errors import OtflowError
from otflow.wire.models import model_from_json, model_to_json, status_from_json, status_to_json

names = st.text(min_size=1, max_size=20)
times = st.integers(0, 2**53)
maybe = st.none() | names
pairs = st.dictionaries(names, st.text(max_size=20), max_size=4)


@st.composite
def models(draw):
    return LoggedModel(
        experiment_id=str(draw(st.integers(0, 99))),
        model_id=draw(names),
        name=draw(names),
        artifact_location=draw(names),
        creation_timestamp=draw(times),
        last_updated_timestamp=draw(times),
        model_type=draw(maybe),
        source_run_id=draw(maybe),
        status=draw(st.sampled_from(LoggedModelStatus)),
        status_message=draw(maybe),
        tags=draw(pairs),
        params=draw(pairs),
        metrics=draw(st.none() | st.just([Metric("m", 0.5, 3, 1)])),
    )


@given(models())
def test_a_model_comes_back(model):
    found = model_from_json(json.loads(json.dumps(model_to_json(model), allow_nan=False)))
    assert found.to_dictionary() == model.to_dictionary()


@pytest.mark.parametrize("status", LoggedModelStatus)
def test_states(status):
    assert status_from_json(status_to_json(status)) is status


def test_a_state_that_is_not_known():
    assert status_from_json("LOGGED_MODEL_DREAMING") is LoggedModelStatus.UNSPECIFIED


def test_what_a_released_server_says():
    found = model_from_json(
        {
            "info": {
                "model_id": "m-739bc44644524dc5a8719171412f95a3",
                "experiment_id": "2",
                "name": "pend",
                "creation_timestamp_ms": 1795404999365,
                "last_updated_timestamp_ms": "1795404999530",
                "artifact_uri": "mlflow-artifacts:/2/models/m-739bc44644524dc5a8719171412f95a3/artifacts",
                "status": "LOGGED_MODEL_UPLOAD_FAILED",
                "model_type": "",
                "tags": [{"key": "mlflow.user", "value": "ada"}],
            },
            "data": {"params": [{"key": "p", "value": "2"}]},
        }
    )
    assert (found.status, found.model_type, found.source_run_id) == (LoggedModelStatus.FAILED, None, None)
    assert (found.tags, found.params, found.metrics) == ({"mlflow.user": "ada"}, {"p": "2"}, None)
    assert found.last_updated_timestamp == 1795404999530


@pytest.mark.parametrize(
    "data", [{}, {"info": {"model_id": "m"}}, {"info": 5}, {"info": {}, "data": {"metrics": [{}]}}]
)
def test_what_is_no_model(data):
    with pytest.raises(OtflowError, match="malformed"):
        model_from_json(data)
