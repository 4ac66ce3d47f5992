"""`otflow.artifacts`: artifacts by their URIs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

import otflow
from otflow import artifacts
from otflow.errors import InvalidParameterError, MissingFileError, NotFoundError, OtflowError


def tree(root: str | Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in Path(root).rglob("*") if path.is_file())


def paths(found: list[otflow.entities.FileInfo]) -> list[tuple[str, bool, int | None]]:
    return [(info.path, info.is_dir, info.file_size) for info in found]


@pytest.fixture
def run() -> otflow.ActiveRun:
    with otflow.start_run() as run:
        otflow.log_text("plain", "plain.txt")
        otflow.log_text("deep", "d/e/deep.txt")
        otflow.log_dict({"a": [1]}, "d/ü #1.json")
    return run


def forms(run: otflow.ActiveRun, path: str) -> list[str]:
    root = run.info.artifact_uri
    return [
        f"runs:/{run.info.run_id}/{path}",
        f"runs:///{run.info.run_id}/{path}",
        f"{root}/{path}",
        f"file://{root}/{path}",
    ]


class TestListing:
    def test_of_a_run(self, run):
        run_id = run.info.run_id
        everything = [("d", True, None), ("plain.txt", False, 5)]
        for arguments in (
            {"run_id": run_id},
            {"run_id": run_id, "artifact_path": ""},
            {"artifact_uri": f"runs:/{run_id}"},
        ):
            assert paths(artifacts.list_artifacts(**arguments)) == everything
        inside = [("d/e", True, None), ("d/ü #1.json", False, 22)]
        assert paths(artifacts.list_artifacts(run_id=run_id, artifact_path="d")) == inside
        assert paths(artifacts.list_artifacts(run_id=run_id, artifact_path="d/")) == inside
        assert artifacts.list_artifacts(run_id=run_id, artifact_path="plain.txt") == []
        assert artifacts.list_artifacts(run_id=run_id, artifact_path="nothing") == []

    def test_of_a_uri(self, run):
        for uri in forms(run, "d"):
            assert [info.path for info in artifacts.list_artifacts(uri)] == ["d/e", "d/ü #1.json"]
            assert [info.path for info in artifacts.list_artifacts(f"{uri}/")] == ["e", "ü #1.json"]
        for name in ("plain.txt", "nothing"):
            for uri in forms(run, name):
                assert artifacts.list_artifacts(uri) == []

    def test_of_another_store(self, run, tmp_path):
        here = otflow.get_tracking_uri()
        otflow.set_tracking_uri(f"sqlite:///{tmp_path}/other.db")
        with pytest.raises(NotFoundError):
            artifacts.list_artifacts(run_id=run.info.run_id)
        assert len(artifacts.list_artifacts(run_id=run.info.run_id, tracking_uri=here)) == 2


class TestDownloading:
    def test_a_file_of_a_run_is_copied(self, run):
        copy = artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="plain.txt")
        assert os.path.basename(copy) == "plain.txt"
        assert not copy.startswith(run.info.artifact_uri)
        assert Path(copy).read_text() == "plain"

    def test_what_is_local_stays_where_it_is_unless_it_is_to_go_elsewhere(self, run, tmp_path):
        for uri in (
            f"{run.info.artifact_uri}/d",
            f"file://{run.info.artifact_uri}/d",
            Path(run.info.artifact_uri) / "d",
        ):
            assert artifacts.download_artifacts(uri) == f"{run.info.artifact_uri}/d"
        Path("relative").mkdir()
        assert artifacts.download_artifacts("relative/") == str(tmp_path / "relative")
        assert artifacts.download_artifacts(run_id=run.info.run_id) == run.info.artifact_uri
        for number, uri in enumerate(forms(run, "d")):
            to = tmp_path / "to" / str(number)
            assert artifacts.download_artifacts(uri, dst_path=str(to)) == str(to / "d")
            assert tree(to) == ["d/e/deep.txt", "d/ü #1.json"]
            inside = tmp_path / "inside" / str(number)
            assert artifacts.download_artifacts(f"{uri}/", dst_path=str(inside)) == os.path.join(inside, "")
            assert tree(inside) == ["e/deep.txt", "ü #1.json"]
        whole = artifacts.download_artifacts(run_id=run.info.run_id, dst_path=tmp_path / "whole")
        assert tree(whole) == ["d/e/deep.txt", "d/ü #1.json", "plain.txt"]

    def test_a_storage_of_fsspec(self, tmp_path):
        repository = artifacts.get_artifact_repository("memory://downloads/root")
        repository.write("a/b.txt", b"b")
        copy = artifacts.download_artifacts("memory://downloads/root/a", dst_path=str(tmp_path / "to"))
        assert tree(copy) == ["b.txt"]
        assert artifacts.load_text("memory://downloads/root/a/b.txt") == "b"
        assert paths(artifacts.list_artifacts("memory://downloads/root")) == [("root/a", True, None)]

    def test_what_is_missing(self, run, tmp_path):
        for uri in forms(run, "nothing"):
            with pytest.raises(MissingFileError, match="nothing"):
                artifacts.download_artifacts(uri)
            with pytest.raises(FileNotFoundError):
                artifacts.download_artifacts(uri, dst_path=str(tmp_path / "to"))
        for uri in ("runs:/nope/x", f"models:/m-{'0' * 32}/x", "models:/m-nope"):
            with pytest.raises(NotFoundError, match=r"nope|0000"):
                artifacts.download_artifacts(uri)


class TestArguments:
    @pytest.mark.parametrize("act", [artifacts.list_artifacts, artifacts.download_artifacts])
    def test_either_a_uri_or_a_run(self, act, run):
        for arguments in (
            {},
            {"artifact_path": "x"},
            {"artifact_uri": "x", "run_id": "y"},
            {"artifact_uri": "", "run_id": "y"},
        ):
            with pytest.raises(InvalidParameterError, match="Exactly one of `run_id` or `artifact_uri`"):
                act(**arguments)
        with pytest.raises(InvalidParameterError, match="`artifact_path` cannot be specified"):
            act(artifact_uri="x", artifact_path="y")
        with pytest.raises(InvalidParameterError, match="5"):
            act(artifact_uri=5)
        with pytest.raises(InvalidParameterError, match="empty"):
            act("")

    @pytest.mark.parametrize("act", [artifacts.list_artifacts, artifacts.download_artifacts])
    @pytest.mark.parametrize("path", ["../x", "/etc/passwd", "d/../../x", "%2e%2e/x"])
    def test_paths_that_lead_elsewhere(self, act, path, run):
        with pytest.raises(InvalidParameterError):
            act(run_id=run.info.run_id, artifact_path=path)
        with pytest.raises(InvalidParameterError):
            act(
                f"runs:/{run.info.run_id}/./{path.lstrip('/')}"
                if path[0] != "/"
                else f"runs:/{run.info.run_id}/../{path}"
            )

    @pytest.mark.parametrize(
        "uri", ["runs:/", "runs:abc/x", "models:/", "models:abc", "weird://x/y", "mlflow-artifacts:/x"]
    )
    def test_uris_that_are_none(self, uri):
        with pytest.raises(InvalidParameterError, match=uri.split("/")[0]):
            artifacts.download_artifacts(uri)


class TestLoading:
    def test_text_dictionaries_and_images(self, run, tmp_path):
        PIL.Image.new("RGB", (2, 3), "red").save(tmp_path / "i.png")
        otflow.log_artifact(str(tmp_path / "i.png"), run_id=run.info.run_id)
        for uri in forms(run, "plain.txt"):
            assert artifacts.load_text(uri) == "plain"
        for uri in forms(run, "d/ü #1.json")[:3]:
            assert artifacts.load_dict(uri) == {"a": [1]}
        for uri in forms(run, "i.png"):
            image = artifacts.load_image(uri)
            assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (2, 3), (255, 0, 0))

    def test_what_is_something_else(self, run, tmp_path):
        (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
        otflow.log_artifact("binary", run_id=run.info.run_id)
        uri = f"runs:/{run.info.run_id}"
        for load, path in [
            (artifacts.load_text, "binary"),
            (artifacts.load_dict, "binary"),
            (artifacts.load_dict, "plain.txt"),
            (artifacts.load_image, "plain.txt"),
        ]:
            with pytest.raises(OtflowError, match="Unable to form") as raised:
                load(f"{uri}/{path}")
            assert raised.value.error_code == "BAD_REQUEST"

    @pytest.mark.parametrize("load", [artifacts.load_text, artifacts.load_dict, artifacts.load_image])
    def test_what_is_missing_or_a_directory(self, load, run):
        for uri in (
            f"runs:/{run.info.run_id}/nothing",
            f"runs:/{run.info.run_id}/d",
            f"runs:/{run.info.run_id}",
            "nothing",
        ):
            with pytest.raises(MissingFileError):
                load(uri)
        with pytest.raises(InvalidParameterError):
            load(None)

    def test_without_pillow(self):
        code = "import sys; sys.modules['PIL'] = None\nimport otflow\notflow.artifacts.load_image('x.png')"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert "otflow[images]" in answer.stderr.splitlines()[-1]


class TestModels:
    def test_of_a_logged_model(self, tmp_path):
        model = otflow.initialize_logged_model(name="agent")
        client = otflow.Client()
        (tmp_path / "up" / "inner").mkdir(parents=True)
        (tmp_path / "up" / "inner" / "a.txt").write_text("a")
        client.log_model_artifacts(model.model_id, str(tmp_path / "up"))
        client.log_model_artifact(model.model_id, str(tmp_path / "up" / "inner" / "a.txt"))
        everything = [("a.txt", False, 1), ("inner", True, None)]
        assert paths(client.list_logged_model_artifacts(model.model_id)) == everything
        assert paths(client.list_logged_model_artifacts(model.model_id, "inner")) == [("inner/a.txt", False, 1)]
        uri = f"models:/{model.model_id}"
        assert paths(artifacts.list_artifacts(uri)) == paths(artifacts.list_artifacts(f"{uri}/")) == everything
        assert artifacts.load_text(f"{uri}/inner/a.txt") == "a"
        assert tree(artifacts.download_artifacts(uri, dst_path=str(tmp_path / "to"))) == ["a.txt", "inner/a.txt"]
        with pytest.raises(InvalidParameterError):
            client.list_logged_model_artifacts(model.model_id, "../")
        with pytest.raises(MissingFileError):
            client.log_model_artifact(model.model_id, "missing")
        for act in (
            lambda: client.log_model_artifact("m-nope", str(tmp_path / "up" / "inner" / "a.txt")),
            lambda: client.log_model_artifacts("m-nope", str(tmp_path / "up")),
            lambda: client.list_logged_model_artifacts("m-nope"),
        ):
            with pytest.raises(NotFoundError, match="m-nope"):
                act()
