"""The same scripts on the released MLflow and on otflow: what they see has to be the same, or differ on purpose."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent


def _load(name: str) -> ModuleType:
    # Tests are no packages, and the harness is a script of its own, too.
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


harness = _load("harness")
CASES = harness.load_cases()

pytestmark = pytest.mark.differential


@pytest.fixture(scope="session")
def mlflow_facts(tmp_path_factory: pytest.TempPathFactory) -> harness.Facts:
    """What the released MLflow does: taken now when its Python is named, else as recorded."""
    python = os.environ.get(harness.VARIABLE)
    if not python:
        return harness.recorded()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return harness.collect(python, "mlflow")
    import fcntl

    # It takes a minute or two: the first worker does it for all.
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "mlflow_facts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / "mlflow_facts.json"
        if not kept.exists():
            kept.write_text(json.dumps(harness.collect(python, "mlflow")), "utf-8")
        return json.loads(kept.read_text("utf-8"))


@pytest.fixture(scope="session")
def otflow_facts() -> harness.Facts:
    return harness.collect(sys.executable, "otflow")


@pytest.mark.parametrize("name", CASES)
def test_same_facts(name: str, mlflow_facts: harness.Facts, otflow_facts: harness.Facts) -> None:
    theirs, ours = mlflow_facts[name], otflow_facts[name]
    if harness.MISSING in ours:
        pytest.xfail(f"otflow has no {', '.join(ours[harness.MISSING])} yet")
    complaints = harness.judge(CASES[name], theirs, ours)
    assert not complaints, "\n\n".join(complaints)


def test_every_case_is_recorded() -> None:
    facts = harness.recorded()
    assert set(facts) == set(CASES)
    assert not [name for name, of_case in facts.items() if harness.BROKEN_OFF in of_case]


def test_the_record_is_what_the_released_mlflow_does(mlflow_facts: harness.Facts) -> None:
    if not os.environ.get(harness.VARIABLE):
        pytest.skip(f"{harness.VARIABLE} names no Python with the released MLflow")
    found = list(harness.differences(harness.recorded(), harness.compared(mlflow_facts)))
    assert not found


class TestHarness:
    def test_a_difference_is_told(self) -> None:
        entry = harness.Case("a.b", lambda tools: iter(()), {}, {}, ())
        assert harness.judge(entry, {"x": {"y": 1}}, {"x": {"y": 1}}) == []
        assert len(harness.judge(entry, {"x": {"y": 1}}, {"x": {"y": True}})) == 1
        assert len(harness.judge(entry, {"x": [1]}, {"x": [1, 2]})) == 1
        assert len(harness.judge(entry, {"x": 1}, {})) == 1
        assert harness.judge(entry, {"x": {"~m": 1}}, {"x": {"~m": 2}}) == []

    def test_an_expected_difference_has_to_be_there_and_as_expected(self) -> None:
        differs = {"x/y": harness_difference("ours")}
        entry = harness.Case("a.b", lambda tools: iter(()), {}, differs, ())
        assert harness.judge(entry, {"x": {"y": "theirs"}}, {"x": {"y": "ours"}}) == []
        assert len(harness.judge(entry, {"x": {"y": "theirs"}}, {"x": {"y": "other"}})) == 1
        assert len(harness.judge(entry, {"x": {"y": "same"}}, {"x": {"y": "same"}})) == 1

    def test_paths_lead_back(self) -> None:
        facts = {"a/b": {"c[0]": [1, {"d": 2}]}}
        for path, _, ours in harness.differences({}, facts):
            assert harness.follow(facts, path) == ours
        assert harness.follow(facts, "a/b/c[0][1]/d") == 2
        assert harness.follow(facts, "a/b/nope") == harness.ABSENT


def harness_difference(ours: object) -> object:
    return sys.modules["toolbox"].Difference(ours, "because")
