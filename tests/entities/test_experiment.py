"""Experiments and their tags."""

from __future__ import annotations

import pytest

from otflow.entities import Experiment, ExperimentTag
from otflow.errors import InvalidParameterError

FIELDS = {
    "artifact_location": "/x",
    "creation_time": 1,
    "experiment_id": "7",
    "last_update_time": 2,
    "lifecycle_stage": "active",
    "name": "n",
    "tags": {"a": "b"},
    "workspace": "default",
}


def experiment() -> Experiment:
    return Experiment("7", "n", "/x", "active", [ExperimentTag("a", "b")], 1, 2)


def test_fields():
    assert dict(experiment()) == FIELDS
    assert list(dict(experiment())) == sorted(FIELDS)
    assert Experiment.DEFAULT_EXPERIMENT_NAME == "Default"


def test_defaults():
    bare = Experiment("7", "n", None, "active")
    assert (bare.tags, bare.creation_time, bare.last_update_time, bare.workspace) == ({}, None, None, "default")


def test_dictionaries():
    assert Experiment.from_dictionary(FIELDS) == experiment()
    assert Experiment.from_dictionary({**FIELDS, "tags": [ExperimentTag("a", "b")], "more": 1}) == experiment()
    assert ExperimentTag.from_dictionary({"key": "a", "value": "b"}) == ExperimentTag("a", "b")
    for data in ({"experiment_id": "7"}, {}, None):
        with pytest.raises(InvalidParameterError, match="Failed to create an Experiment object"):
            Experiment.from_dictionary(data)  # type: ignore[arg-type]


def test_nothing_can_be_set():
    with pytest.raises(AttributeError, match=r"Experiment\.name cannot be set"):
        experiment().name = "other"
    with pytest.raises(AttributeError):
        ExperimentTag("a", "b").key = "c"


def test_equality_and_text():
    assert experiment() == experiment()
    assert len({experiment(), experiment()}) == 1
    assert experiment() != Experiment("8", "n", "/x", "active")
    assert experiment() != FIELDS
    assert repr(ExperimentTag("a", "b")) == "<ExperimentTag: key='a', value='b'>"
    assert repr(experiment()) == (
        "<Experiment: artifact_location='/x', creation_time=1, experiment_id='7', last_update_time=2, "
        "lifecycle_stage='active', name='n', tags={'a': 'b'}, workspace='default'>"
    )
