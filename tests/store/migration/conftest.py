"""What the released MLflow writes and answers: a process of it for the session, of `OTFLOW_TEST_MLFLOW_PYTHON`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otflow import MlflowClient

HERE = Path(__file__).parent


def load(name: str) -> Any:
    """A module beside this file that MLflow's Python reads, too."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_ours(uri: str, *, is_directory: bool = False) -> dict[str, Any]:
    """What otflow answers about all that it has."""
    return load("read_back").read(MlflowClient(uri), is_directory=is_directory)


class Oracle:
    """The released MLflow, in a process of its own."""

    def __init__(self, python: str, folder: Path) -> None:
        # A driver for PostgreSQL: ours, which that Python may load.
        drivers = folder / "drivers"
        drivers.mkdir()
        found = importlib.util.find_spec("psycopg2")
        if found is not None and found.origin is not None:
            for path in Path(found.origin).parent.parent.glob("psycopg2*"):
                (drivers / path.name).symlink_to(path)
        self._log = (folder / "oracle.log").open("w")
        self._process = subprocess.Popen(
            [python, str(HERE / "oracle.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(drivers), "PYTHONSAFEPATH": ""},
        )

    def ask(self, **request: Any) -> Any:
        """Have something done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, Path(self._log.name).read_text()[-3000:]
        answer = json.loads(line)
        assert "error" not in answer, f"{answer['error']}\n{Path(self._log.name).read_text()[-3000:]}"
        return answer["ok"]

    def read(self, uri: str) -> Any:
        """What MLflow answers about all that it has."""
        return self.ask(do="read", uri=uri)

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)
        self._log.close()


@dataclass(frozen=True)
class Written:
    """What MLflow has written.

    Args:
        uri: Where to.
        made: The ids of some of it.
        answers: What MLflow answers about it.
    """

    uri: str
    made: dict[str, Any]
    answers: dict[str, Any]

    @property
    def path(self) -> Path:
        return Path(self.uri.removeprefix("sqlite:///"))


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    """The released MLflow."""
    python = os.environ.get("OTFLOW_TEST_MLFLOW_PYTHON", "")
    if not python:
        pytest.skip("OTFLOW_TEST_MLFLOW_PYTHON names no Python with mlflow==3.10.1")
    oracle = Oracle(python, tmp_path_factory.mktemp("oracle"))
    yield oracle
    oracle.close()


def _write(oracle: Oracle, uri: str, root: Path) -> Written:
    made = oracle.ask(do="write", uri=uri, root=str(root))
    return Written(uri, made, oracle.read(uri))


@pytest.fixture(scope="session")
def written(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A SQLite file of MLflow's; not to be changed."""
    folder = tmp_path_factory.mktemp("mlflow-sqlite")
    return _write(oracle, f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


@pytest.fixture(scope="session")
def written_postgresql(
    oracle: Oracle, new_postgresql: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Written:
    """A PostgreSQL database of MLflow's; not to be changed."""
    if not oracle.ask(do="drivers"):
        pytest.skip("MLflow's Python cannot load psycopg2: it is not installed here, or for another version of Python")
    uri = new_postgresql().replace("postgresql://", "postgresql+psycopg2://", 1)
    return _write(oracle, uri, tmp_path_factory.mktemp("mlflow-postgresql"))


@pytest.fixture(scope="session")
def written_directory(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A directory of MLflow's file store; not to be changed."""
    folder = tmp_path_factory.mktemp("mlflow-directory")
    return _write(oracle, f"{folder}/mlruns", folder / "artifacts")


@pytest.fixture
def copied(written: Written, tmp_path: Path) -> Written:
    """A copy of the SQLite file, which a test may change."""
    path = tmp_path / "copy.db"
    shutil.copyfile(written.path, path)
    return Written(f"sqlite:///{path}", written.made, written.answers)


def execute(uri: str, *statements: str) -> None:
    """Run statements on a SQLite file."""
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
