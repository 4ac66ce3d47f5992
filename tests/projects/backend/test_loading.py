"""Backends of other packages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import otflow
from otflow.errors import ExecutionError
from otflow.projects.backend import AbstractBackend

MODULE = """\
import otflow
from otflow.projects import SubmittedRun
from otflow.projects.backend import AbstractBackend

CALLS = []


class Done(SubmittedRun):
    def __init__(self, run_id, succeeds):
        self._run_id = run_id
        self.succeeds = succeeds

    @property
    def run_id(self):
        return self._run_id

    def wait(self):
        CALLS.append("wait")
        return self.succeeds

    def get_status(self):
        return "FINISHED" if self.succeeds else "FAILED"

    def cancel(self):
        CALLS.append("cancel")


class Backend(AbstractBackend):
    def run(self, project_uri, entry_point, params, version, backend_config, tracking_uri, experiment_id):
        CALLS.append([project_uri, entry_point, params, version, backend_config, tracking_uri, experiment_id])
        run = otflow.Client(tracking_uri).create_run(experiment_id)
        return Done(run.info.run_id, backend_config.get("succeeds", True))


def make():
    return Backend()


def broken():
    raise RuntimeError("no")


def nothing():
    return 5
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking: str) -> str:
    info = tmp_path / "packages" / "elsewhere-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[otflow.project_backend]\nelsewhere=elsewhere_backend:Backend\nlocal=elsewhere_backend:broken\n"
        "broken=elsewhere_backend:broken\nabsent=no_such_module:x\nnothing=elsewhere_backend:nothing\n"
        "[mlflow.project_backend]\ntheirs=elsewhere_backend:make\n"
    )
    (tmp_path / "packages" / "elsewhere_backend.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.delitem(sys.modules, "elsewhere_backend", raising=False)
    return tracking


@pytest.mark.parametrize("name", ["elsewhere", "theirs"])
def test_a_package_brings_a_backend(plugin, name):
    submitted = otflow.run(
        "anywhere://x",
        "train",
        version="v",
        parameters={"a": 1},
        backend=name,
        backend_config={"own": 1},
        storage_dir="/st",
        docker_args={"q": 1},
        run_name="named",
        run_id="abc",
        env_manager="uv",
        synchronous=False,
    )
    import elsewhere_backend

    assert [
        [
            "anywhere://x",
            "train",
            {"a": 1},
            "v",
            {
                "own": 1,
                "ENV_MANAGER": "uv",
                "SYNCHRONOUS": False,
                "DOCKER_ARGS": {"q": 1},
                "STORAGE_DIR": "/st",
                "build_image": False,
                "docker_auth": None,
                "_mlflow_local_backend_run_id": "abc",
            },
            plugin,
            "0",
        ]
    ] == elsewhere_backend.CALLS
    found = otflow.get_run(submitted.run_id)
    assert found.info.run_name == "named"
    assert found.data.tags["mlflow.project.backend"] == name


def test_its_runs_are_waited_for(plugin, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"succeeds": False}))
    with pytest.raises(ExecutionError, match="failed"):
        otflow.run("x", backend="elsewhere", backend_config=str(tmp_path / "config.json"))
    import elsewhere_backend

    assert elsewhere_backend.CALLS[-1] == "wait"


def test_what_cannot_be_loaded_is_said(plugin, project):
    for name, match in (
        ("broken", "'broken'.*RuntimeError: no"),
        ("absent", "'absent'.*ModuleNotFoundError"),
        ("nothing", "no method `run`"),
        ("zzz", r"\['absent', 'broken', 'elsewhere', 'kubernetes', 'local', 'nothing', 'theirs'\]"),
        (["elsewhere"], "unsupported"),
    ):
        with pytest.raises(ExecutionError, match=match):
            otflow.run(".", backend=name)


def test_ours_are_not_replaced(plugin, project, seen):
    otflow.run(str(project()), "plain", backend="local", env_manager="local")
    assert seen.argv == ["show.py"]


def test_a_backend_has_to_run_projects():
    with pytest.raises(TypeError, match="abstract"):
        AbstractBackend()  # type: ignore[abstract]
