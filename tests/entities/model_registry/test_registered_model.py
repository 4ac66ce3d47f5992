"""Registered models and their versions as plain data."""

from __future__ import annotations

import pytest

from otflow.entities import LoggedModelParameter, Metric
from otflow.entities.model_registry import (
    ModelVersion,
    ModelVersionDeploymentJobState,
    ModelVersionSearch,
    ModelVersionTag,
    Prompt,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelDeploymentJobState,
    RegisteredModelSearch,
    RegisteredModelTag,
)
from otflow.errors import InvalidParameterError


def test_registered_model():
    model = RegisteredModel("n", 1, 2, "d", [], [RegisteredModelTag("a", "b")], [RegisteredModelAlias("z", "1")])
    assert dict(model) == {
        "aliases": {"z": "1"},
        "creation_timestamp": 1,
        "deployment_job_id": None,
        "deployment_job_state": None,
        "description": "d",
        "last_updated_timestamp": 2,
        "latest_versions": [],
        "name": "n",
        "tags": {"a": "b"},
        "workspace": "default",
    }
    assert RegisteredModel.from_dictionary(dict(model)) == model
    bare = RegisteredModelSearch("n")
    assert (bare.latest_versions, bare.tags, bare.aliases) == (None, {}, {})
    for name in ("deployment_job_id", "description", "last_updated_timestamp", "latest_versions", "name"):
        setattr(model, name, "set")
        assert getattr(model, name) == "set"
    for name in ("tags", "aliases", "creation_timestamp", "workspace"):
        with pytest.raises(AttributeError, match=name):
            setattr(model, name, None)


def test_model_version():
    version = ModelVersion(
        "n",
        "1",
        5,
        tags=[ModelVersionTag("a", "b")],
        params=[LoggedModelParameter("p", "v")],
        metrics=[Metric("m", 1.0, 2, 3)],
    )
    assert (version.status, version.workspace, version.aliases, version.tags) == ("READY", "default", [], {"a": "b"})
    assert ModelVersion.from_dictionary(dict(version)) == version
    assert [name for name, _ in version] == sorted(name for name, _ in version)
    version.aliases.append("best")
    for name in ("aliases", "current_stage", "description", "last_updated_timestamp", "name"):
        setattr(version, name, "set")
        assert getattr(version, name) == "set"
    for name in ("version", "source", "run_id", "status", "tags"):
        with pytest.raises(AttributeError, match=name):
            setattr(version, name, None)
    assert ModelVersionSearch("n", "1", 5).tags == {}


def test_prompt():
    assert dict(Prompt("n", "d", 5, {"a": "b"})) == {
        "name": "n",
        "description": "d",
        "creation_timestamp": 5,
        "tags": {"a": "b"},
    }
    assert Prompt("n") == Prompt("n")
    assert Prompt("n").tags == {}


def test_deployment_job_states():
    states = RegisteredModelDeploymentJobState
    assert [states.from_string(states.to_string(state)) for state in states.all_states()] == [0, 1, 2, 3, 4]
    assert states.to_string(states.CONNECTED) == "CONNECTED"
    with pytest.raises(InvalidParameterError, match="9"):
        states.to_string(9)
    with pytest.raises(InvalidParameterError, match="'x'"):
        states.from_string("x")
    assert dict(ModelVersionDeploymentJobState("1", "2", "3", "4", "5"))["job_state"] == "3"
