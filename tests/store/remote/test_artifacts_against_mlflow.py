"""Artifacts of runs on a server of the released MLflow: what otflow writes MLflow reads, and the reverse."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import otflow
from otflow.errors import InvalidParameterError, MissingFileError
from otflow.files.server import ServerRepository


@pytest.fixture
def run_id(mlflow_server: str, experiment_id: str) -> str:
    otflow.set_tracking_uri(mlflow_server)
    return otflow.Client().create_run(experiment_id).info.run_id


def test_otflow_alone(run_id, tmp_path):
    client = otflow.Client()
    assert isinstance(client.run_repository(run_id), ServerRepository)
    assert client.list_artifacts(run_id) == []
    client.log_text(run_id, "text", "d/a b.txt")
    client.log_stream(run_id, io.BytesIO(b"x" * 3_000_000), "big")
    client.log_text(run_id, "", "empty")
    (tmp_path / "up" / "inner").mkdir(parents=True)
    (tmp_path / "up" / "inner" / "u v.txt").write_text("u")
    client.log_artifact(run_id, str(tmp_path / "up"), "copies")
    assert [(info.path, info.is_dir, info.file_size) for info in client.list_artifacts(run_id)] == [
        ("big", False, 3_000_000),
        ("copies", True, None),
        ("d", True, None),
        ("empty", False, 0),
    ]
    copy = Path(client.download_artifacts(run_id, "", str(tmp_path / "down")))
    assert (copy / "copies" / "up" / "inner" / "u v.txt").read_text() == "u"
    assert (copy / "big").stat().st_size == 3_000_000
    assert otflow.artifacts.load_text(f"runs:/{run_id}/d/a b.txt") == "text"
    assert otflow.artifacts.load_text(f"runs:/{run_id}/empty") == ""
    for missing in ("nothing", "d/nothing"):
        with pytest.raises(MissingFileError):
            client.download_artifacts(run_id, missing)
        with pytest.raises(MissingFileError):
            otflow.artifacts.load_text(f"runs:/{run_id}/{missing}")
    with pytest.raises(InvalidParameterError, match="Invalid path"):  # the server's words: it takes no such names
        client.log_text(run_id, "x", "a#b")
    client.run_repository(run_id).delete_artifacts("d")
    assert client.list_artifacts(run_id, "d") == []


def test_each_reads_what_the_other_writes(run_id, released_mlflow):
    client = otflow.Client()
    client.log_dict(run_id, {"a": [1, 2]}, "ours.json")
    released_mlflow.run("mlflow.log_dict({'b': 3}, 'd/theirs.json', run_id=run_id)", run_id=run_id)
    assert otflow.artifacts.load_dict(f"runs:/{run_id}/d/theirs.json") == {"b": 3}
    found = released_mlflow.run(
        """
        uri = f"runs:/{run_id}"
        paths = [file.path for file in mlflow.artifacts.list_artifacts(run_id=run_id)]
        result = [mlflow.artifacts.load_dict(f"{uri}/ours.json"), paths]
        """,
        run_id=run_id,
    )
    assert found == [{"a": [1, 2]}, ["d", "ours.json"]]
