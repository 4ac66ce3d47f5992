"""Tracking URIs, and what they open."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from otflow.errors import InvalidParameterError
from otflow.store.opening import normalize_uri, open_store


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("", "sqlite:///{here}/mlruns/otflow.db"),
        (".", "sqlite:///{here}/otflow.db"),
        ("traces", "sqlite:///{here}/traces/otflow.db"),
        ("./a/../traces", "sqlite:///{here}/traces/otflow.db"),
        ("/data/traces/", "sqlite:////data/traces/otflow.db"),
        (Path("traces"), "sqlite:///{here}/traces/otflow.db"),
        (Path("/data"), "sqlite:////data/otflow.db"),
        ("file:///data/my%20traces", "sqlite:////data/my traces/otflow.db"),
        ("file:/data", "sqlite:////data/otflow.db"),
        ("file:traces", "sqlite:///{here}/traces/otflow.db"),
        ("file://localhost/data", "sqlite:////data/otflow.db"),
        ("sqlite:///x.db", "sqlite:///{here}/x.db"),
        ("sqlite:///a/../x.db", "sqlite:///{here}/x.db"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("sqlite:////data/x.db?timeout=5", "sqlite:////data/x.db"),
        ("sqlite+pysqlite:////data/x.db", "sqlite:////data/x.db"),
        ("SQLite:////data/x.db", "sqlite:////data/x.db"),
        ("sqlite://", "sqlite:///:memory:"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://u:p@h:5432/d?sslmode=require", "postgresql://u:p@h:5432/d?sslmode=require"),
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql+psycopg2://h/d", "postgresql://h/d"),
        ("postgresql+psycopg://h/d", "postgresql://h/d"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("https://h/prefix", "https://h/prefix"),
    ],
)
def test_normalize(uri: str | Path, expected: str) -> None:
    found = normalize_uri(uri)
    assert found == expected.format(here=os.getcwd())
    assert normalize_uri(found) == found


@pytest.mark.parametrize(
    "uri",
    ["mysql://h/d", "mssql+pyodbc://h/d", "s3://bucket/x", "databricks", "databricks://profile", "databricks-uc",
     "uc:h", "nonsense:x", "sqlite://x.db", "sqlite:x.db", "sqlite:////data/"],
)  # fmt: skip
def test_what_is_no_store_is_refused(uri: str) -> None:
    for call in (normalize_uri, open_store):
        with pytest.raises(InvalidParameterError) as caught:
            call(uri)
        assert uri in str(caught.value)
        assert "sqlite:" in str(caught.value)


@pytest.mark.parametrize("uri", [None, 5, b"x", ["x"]])
def test_a_uri_is_text_or_a_path(uri: Any) -> None:
    with pytest.raises(InvalidParameterError, match="string"):
        normalize_uri(uri)


def test_passwords_are_not_repeated() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        normalize_uri("mysql://ada:secret@h/d")
    assert "mysql://ada@h/d" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_is_no_directory() -> None:
    Path("x.db").touch()
    Path("folder").mkdir()
    with pytest.raises(InvalidParameterError, match="sqlite:///"):
        normalize_uri("x.db")
    with pytest.raises(InvalidParameterError, match="directory"):
        normalize_uri("sqlite:///folder")


def test_a_directory_holds_the_database_and_the_artifacts() -> None:
    store = open_store("traces")
    assert Path("traces/otflow.db").is_file()
    assert store.get_experiment("0").artifact_location == f"{os.getcwd()}/traces/otflow-artifacts/0"
    store.close()


def test_artifacts_of_a_file_are_beside_it() -> None:
    store = open_store("sqlite:///deep/my.db")
    experiment = store.create_experiment("mine")
    assert store.get_experiment(experiment).artifact_location == f"{os.getcwd()}/deep/my-artifacts/{experiment}"
    assert store.uri == f"sqlite:///{os.getcwd()}/deep/my.db"
    store.close()


def test_other_schemes_come_from_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        assert group == "otflow.stores"
        return [EntryPoint("mine", "builtins:len", group)] if name == "mine" else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert normalize_uri("mine://x") == "mine://x"
    assert open_store("mine://x") == len("mine://x")
    with pytest.raises(InvalidParameterError, match="no store is known"):
        open_store("yours://x")
