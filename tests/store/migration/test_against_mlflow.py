"""What was imported is what MLflow answers about it, call by call."""

from __future__ import annotations

from typing import Any

import pytest

from otflow.migration.importing import import_mlflow
from otflow.store.sql.checking import check_store

from .conftest import Written, read_ours

pytestmark = pytest.mark.differential


def difference(ours: Any, theirs: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    """Where two things differ, each place by itself."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted({*ours, *theirs})
        return [one for key in keys for one in difference(ours.get(key), theirs.get(key), f"{place}/{key}")]
    return [] if ours == theirs else [(place, ours, theirs)]


def the_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for part in theirs:
        assert ours[part].keys() == theirs[part].keys(), part
        for key, value in theirs[part].items():
            assert difference(ours[part][key], value) == [], (part, key)


@pytest.mark.parametrize("source", ["written", "written_postgresql", "written_directory"])
def test_all_reads_are_the_same(source: str, uri: str, request: pytest.FixtureRequest) -> None:
    written: Written = request.getfixturevalue(source)
    report = import_mlflow(written.uri, uri)
    assert report.skipped == []
    ours, theirs = read_ours(uri, is_directory=source == "written_directory"), written.answers
    if source == "written_directory":
        # Of a logged model's metric a directory tells the last point only, though it has them all, as a database does;
        # and where a point is one of a model or a dataset, the step of it as 0.
        for run in (*ours["runs"].values(), *theirs["runs"].values()):
            run["histories"].pop("accuracy", None)
        for key, model in theirs["models"].items():
            assert all(point in ours["models"][key]["metrics"] for point in model["metrics"])
            ours["models"][key]["metrics"] = model["metrics"]
    the_same(ours, theirs)
    assert [finding for finding in check_store(uri) if finding.harmful] == []
