"""Workspaces as plain data."""

from __future__ import annotations

import pytest

from otflow.entities import Workspace, WorkspaceDeletionMode
from otflow.errors import InvalidParameterError


def test_a_workspace():
    workspace = Workspace("a", "b")
    assert workspace.to_dict() == {"name": "a", "description": "b", "default_artifact_root": None}
    assert Workspace.from_dict(workspace.to_dict()) == workspace
    assert repr(Workspace("a")) == "Workspace(name='a', description=None, default_artifact_root=None)"
    with pytest.raises(InvalidParameterError, match="name"):
        Workspace.from_dict({})


def test_ways_to_delete_one():
    assert {mode.value for mode in WorkspaceDeletionMode} == {"SET_DEFAULT", "CASCADE", "RESTRICT"}
