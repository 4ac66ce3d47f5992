"""Registered models and versions, there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.errors import OtflowError
from otflow.wire.registry import (
    registered_model_from_json,
    registered_model_to_json,
    version_from_json,
    version_to_json,
)

# What a released MLflow's server answered.
VERSION = {
    "name": "reg",
    "version": "1",
    "creation_timestamp": 1795405003888,
    "last_updated_timestamp": 1795405003888,
    "current_stage": "None",
    "description": "",
    "source": "models:/m-739bc44644524dc5a8719171412f95a3",
    "run_id": "4d7e9df13ca34cab9ec0c60329162a6d",
    "status": "READY",
    "tags": [{"key": "a", "value": "b"}],
    "run_link": "",
    "aliases": ["champ"],
}
MODEL = {
    "name": "reg",
    "creation_timestamp": 1795405003800,
    "last_updated_timestamp": 1795405003888,
    "latest_versions": [VERSION],
    "aliases": [{"alias": "champ", "version": "1"}],
}

texts = st.text(min_size=1, max_size=10)
maybe = st.none() | texts
tags = st.dictionaries(texts, st.text(max_size=10), max_size=3)
times = st.integers(0, 2**53)
versions = st.builds(
    ModelVersion,
    name=texts,
    version=st.integers(1, 2**53).map(str),
    creation_timestamp=times,
    last_updated_timestamp=times,
    description=maybe,
    user_id=maybe,
    current_stage=st.sampled_from(["None", "Staging", "Production", "Archived"]),
    source=texts,
    run_id=maybe,
    status=st.sampled_from(["READY", "PENDING_REGISTRATION", "FAILED_REGISTRATION"]),
    status_message=maybe,
    tags=tags,
    run_link=maybe,
    aliases=st.lists(texts, max_size=3),
    model_id=maybe,
)
models = st.builds(
    RegisteredModel,
    name=texts,
    creation_timestamp=times,
    last_updated_timestamp=times,
    description=maybe,
    latest_versions=st.lists(versions, max_size=2),
    tags=tags,
    aliases=st.dictionaries(texts, st.integers(1, 99).map(str), max_size=3),
    deployment_job_id=maybe,
)


def plain(entity: Any) -> dict[str, Any]:
    fields = dict(entity)
    if "latest_versions" in fields:
        fields["latest_versions"] = [dict(version) for version in fields["latest_versions"]]
    return fields


@given(versions)
def test_versions_come_back(version: ModelVersion) -> None:
    assert plain(version_from_json(json.loads(json.dumps(version_to_json(version))))) == plain(version)


@given(models)
def test_registered_models_come_back(model: RegisteredModel) -> None:
    travelled = json.loads(json.dumps(registered_model_to_json(model)))
    assert plain(registered_model_from_json(travelled)) == plain(model)


def test_numbers_travel_as_texts() -> None:
    version = ModelVersion("m", 3, 1, aliases=["a"])
    assert version_to_json(version)["version"] == "3"
    model = registered_model_to_json(RegisteredModel("m", 1, 1, aliases={"a": 3}))  # pyright: ignore[reportArgumentType]
    assert model["aliases"] == [{"alias": "a", "version": "3"}]


def test_what_a_released_server_answers() -> None:
    assert version_to_json(version_from_json(VERSION)) == VERSION
    assert registered_model_to_json(registered_model_from_json(MODEL)) == MODEL
    version = version_from_json(VERSION)
    assert (version.version, version.description, version.run_link, version.aliases) == ("1", None, None, ["champ"])


@pytest.mark.parametrize("data", [{}, {"name": "m"}, {"name": "m", "version": "1", "aliases": "x"}, {"name": None}])
def test_malformed_versions(data: dict[str, Any]) -> None:
    with pytest.raises(OtflowError, match="malformed"):
        version_from_json(data)


@pytest.mark.parametrize("data", [{}, {"name": "m", "tags": "x"}, {"name": "m", "aliases": [{}]}])
def test_malformed_registered_models(data: dict[str, Any]) -> None:
    with pytest.raises(OtflowError, match="malformed"):
        registered_model_from_json(data)
