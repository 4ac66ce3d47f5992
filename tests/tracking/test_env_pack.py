"""Environments of models, really made, packed, unpacked elsewhere and run."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from otflow.errors import InvalidParameterError, MissingFileError, OtflowError
from otflow.tracking.archives import pack_directory
from otflow.tracking.env_pack import ARCHIVE, DESCRIPTION, EnvPackConfig, checked_env_pack, pack_environment

NAME = "databricks_model_serving"
WHEEL = "tinytool-1.2-py3-none-any.whl"


@pytest.fixture
def model_dir(tmp_path) -> Path:
    """A model that needs one package, which brings a program; its wheel is beside it."""
    import zipfile

    directory = tmp_path / "model"
    directory.mkdir()
    info = "tinytool-1.2.dist-info"
    with zipfile.ZipFile(directory / WHEEL, "w") as wheel:
        wheel.writestr("tinytool.py", "def main():\n    print('tiny', 7)\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinytool\nVersion: 1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntiny = tinytool:main\n")
        wheel.writestr(f"{info}/RECORD", "")
    (directory / "MLmodel").write_text("flavors: {}\n")
    (directory / "requirements.txt").write_text(f"./{WHEEL}\n")
    (directory / "python_env.yaml").write_text(f"python: {sys.version_info.major}.{sys.version_info.minor}.0\n")
    return directory


@pytest.fixture(params=["uv", "pip"])
def tool(request, monkeypatch, tmp_path) -> str:
    """Each of the two ways; uv takes nothing from the network, nor from the caches of whoever runs the tests."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    if request.param == "pip":
        without_uv(monkeypatch)
    return request.param


def without_uv(monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_arguments, **_options: None)


def unpacked(archive: Path, place: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(place, filter="fully_trusted")
    return place


def run(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_runs_elsewhere(model_dir, tool, tmp_path):
    before = {path.name for path in model_dir.iterdir()}
    files = pack_environment(model_dir, EnvPackConfig(name=NAME))
    assert files == [model_dir / ARCHIVE, model_dir / DESCRIPTION]
    assert {path.name for path in model_dir.iterdir()} == before | {"_env"}
    about = json.loads(files[1].read_text())
    assert about["sha256"] == hashlib.sha256(files[0].read_bytes()).hexdigest()
    assert about["bytes"] == files[0].stat().st_size
    assert about["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert about["platform"] == sysconfig.get_platform()
    assert about["requirements_installed"] is True
    assert about["packages"] == ["tinytool==1.2"]
    place = unpacked(files[0], tmp_path / "else where")
    assert run(place / "bin" / "python", "-c", "import tinytool; tinytool.main()") == "tiny 7"
    assert run(place / "bin" / "tiny") == "tiny 7"
    texts = b"".join(path.read_bytes() for path in (place / "bin").iterdir() if not path.is_symlink())
    assert b"otflow-env-" not in texts + (place / "pyvenv.cfg").read_bytes()


def test_twice_the_same_is_the_same(model_dir, tool, tmp_path):
    first, second = (pack_environment(model_dir, EnvPackConfig(name=NAME), tmp_path / name)[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_without_dependencies(model_dir, tool, tmp_path):
    files = pack_environment(model_dir, EnvPackConfig(name=NAME, install_dependencies=False), tmp_path / "target")
    assert files == [tmp_path / "target" / ARCHIVE, tmp_path / "target" / DESCRIPTION]
    about = json.loads(files[1].read_text())
    assert (about["packages"], about["requirements_installed"]) == ([], False)
    assert not (model_dir / "_env").exists()


def test_what_cannot_be_installed_leaves_nothing(model_dir, tool, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (model_dir / "requirements.txt").write_text("--find-links https://ada:hunter2@localhost:9/x\nno-such-package==1\n")
    with pytest.raises(OtflowError, match="Failed to install") as caught:
        pack_environment(model_dir, EnvPackConfig(name=NAME))
    assert "hunter2" not in str(caught.value)
    assert not (model_dir / "_env").exists()
    assert list(temporary.iterdir()) == []


def test_another_python_needs_uv(model_dir, monkeypatch):
    without_uv(monkeypatch)
    (model_dir / "python_env.yaml").write_text("python: '3.1'\n")
    with pytest.raises(OtflowError, match=r"needs Python 3\.1, this is .*install uv"):
        pack_environment(model_dir, EnvPackConfig(name=NAME))


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match="no directory"):
        pack_environment(tmp_path / "none", EnvPackConfig(name=NAME))


class TestConfig:
    def test_what_stands_for_one(self):
        assert checked_env_pack(None) is None
        assert checked_env_pack(NAME) == EnvPackConfig(name=NAME, install_dependencies=True)
        config = EnvPackConfig(name=NAME, install_dependencies=False)
        assert checked_env_pack(config) is config

    @pytest.mark.parametrize(
        "given", ["x", "", 3, {"name": NAME}, EnvPackConfig(name="x"), EnvPackConfig(name=NAME, install_dependencies=1)]
    )
    def test_what_does_not(self, given, tmp_path):
        with pytest.raises(InvalidParameterError, match="env_pack"):
            checked_env_pack(given)
        with pytest.raises(InvalidParameterError):
            pack_environment(tmp_path, given)

    def test_one_is_needed(self, tmp_path):
        with pytest.raises(InvalidParameterError, match="not None"):
            pack_environment(tmp_path, None)


class TestArchive:
    def test_times_owners_and_order_do_not_matter(self, tmp_path):
        for name, order, time in (("a", ["x", "y"], 1), ("b", ["y", "x"], 10**9)):
            for file in order:
                (tmp_path / name / file).parent.mkdir(exist_ok=True)
                (tmp_path / name / file).write_text(file)
                os.utime(tmp_path / name / file, (time, time))
            (tmp_path / name / "__pycache__").mkdir()
            (tmp_path / name / "link").symlink_to("x")
            pack_directory(tmp_path / name, tmp_path / f"{name}.tar.gz")
        data = (tmp_path / "a.tar.gz").read_bytes()
        assert data == (tmp_path / "b.tar.gz").read_bytes()
        with tarfile.open(tmp_path / "a.tar.gz") as tar:
            assert tar.getnames() == ["link", "x", "y"]
            assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
        assert gzip.decompress(data)

    def test_files_that_are_one_are_kept_as_two(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "x").write_text("1")
        os.link(tmp_path / "a" / "x", tmp_path / "a" / "y")
        (tmp_path / "a" / "x").chmod(0o777)
        pack_directory(tmp_path / "a", tmp_path / "a.tar.gz")
        with tarfile.open(tmp_path / "a.tar.gz") as tar:
            assert [(member.isreg(), member.mode) for member in tar] == [(True, 0o755)] * 2
