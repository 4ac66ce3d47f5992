"""Views and stages."""

from __future__ import annotations

import pytest

from otflow.entities import LifecycleStage, ViewType
from otflow.errors import InvalidParameterError


@pytest.mark.parametrize(
    ("view", "name", "stages"),
    [
        (ViewType.ACTIVE_ONLY, "active_only", ["active"]),
        (ViewType.DELETED_ONLY, "deleted_only", ["deleted"]),
        (ViewType.ALL, "all", ["active", "deleted"]),
    ],
)
def test_views(view, name, stages):
    assert ViewType.to_string(view) == name
    assert ViewType.from_string(name) == view
    assert LifecycleStage.view_type_to_stages(view) == stages
    for stage in ("active", "deleted"):
        assert LifecycleStage.matches_view_type(view, stage) is (stage in stages)


def test_numbers():
    assert (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL) == (1, 2, 3)
    assert LifecycleStage.view_type_to_stages() == ["active", "deleted"]
    assert LifecycleStage.view_type_to_stages(9) == []


def test_stages():
    assert LifecycleStage.is_valid("active")
    assert LifecycleStage.is_valid("deleted")
    assert not LifecycleStage.is_valid("ACTIVE")
    assert not LifecycleStage.is_valid(None)


def test_what_is_none():
    for name in ("ALL", "x", ""):
        with pytest.raises(InvalidParameterError, match="is not a view type"):
            ViewType.from_string(name)
    with pytest.raises(InvalidParameterError, match="4 is not a view type"):
        ViewType.to_string(4)
    with pytest.raises(InvalidParameterError, match="Invalid lifecycle stage 'x'"):
        LifecycleStage.matches_view_type(1, "x")
    with pytest.raises(InvalidParameterError, match="9 is not a view type"):
        LifecycleStage.matches_view_type(9, "active")
