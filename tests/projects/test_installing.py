"""Environments that are made, once, whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import otflow
from otflow.errors import ExecutionError
from otflow.projects.environment import Definition
from otflow.projects.installing import Installed, install

PROGRAM = """\
import json, os, sys
import greeting
with open(os.environ["SEEN"], "w") as file:
    json.dump({"argv": [sys.prefix, greeting.WORD, *sys.argv[1:]], "cwd": "", "environment": dict(os.environ)}, file)
"""


@pytest.fixture(autouse=True)
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    return tmp_path / "environments"


def wheel(directory: Path, word: str = "hello") -> None:
    """A package that is installed without asking an index."""
    with zipfile.ZipFile(directory / "greeting-1.0-py3-none-any.whl", "w") as packed:
        packed.writestr("greeting.py", f"WORD = {word!r}\n")
        info = "greeting-1.0.dist-info"
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")


@pytest.mark.parametrize("manager", ["virtualenv", "uv"])
def test_a_project_runs_in_an_environment_of_its_own(project, tracking, seen, environments, manager):
    directory = project(
        files={
            "MLproject": "entry_points: {main: {command: 'python greet.py {x}', parameters: {x: string}}}",
            "greet.py": PROGRAM,
            "python_env.yaml": f"python: '{sys.version_info.major}.{sys.version_info.minor}'\n"
            "dependencies: [-r requirements.txt]\n",
            "requirements.txt": "./greeting-1.0-py3-none-any.whl\n",
        }
    )
    wheel(directory)
    submitted = otflow.run(str(directory), parameters={"x": "a b"}, env_manager=manager)
    [place] = [path for path in environments.iterdir() if path.is_dir()]
    found = seen.read()
    assert found["argv"] == [str(place), "hello", "a b"]
    assert found["environment"]["VIRTUAL_ENV"] == str(place)
    assert otflow.get_run(submitted.run_id).data.tags["mlflow.project.env"] == manager
    before = (place / "otflow-environment.json").stat().st_mtime_ns

    otflow.run(str(directory), "greet.py", env_manager=manager)
    assert seen.argv[:2] == [str(place), "hello"]
    assert (place / "otflow-environment.json").stat().st_mtime_ns == before, "made once"


def bare_environment() -> Definition:
    return Definition("uv")


def test_an_environment_that_is_broken_is_made_anew(tmp_path):
    made = install(bare_environment(), str(tmp_path))
    assert install(bare_environment(), str(tmp_path)) == made
    for harm in (
        lambda: os.unlink(Path(made.directory) / "otflow-environment.json"),
        lambda: os.unlink(made.python),
        lambda: (os.unlink(made.python), os.symlink("/nowhere/python", made.python)),
        lambda: (os.unlink(made.python), Path(made.python).write_text("#!/bin/false\n"), os.chmod(made.python, 0o755)),
    ):
        (Path(made.directory) / "old").touch()
        harm()
        assert install(bare_environment(), str(tmp_path)) == made
        assert not (Path(made.directory) / "old").exists()
        subprocess.run([made.python, "-c", ""], check=True, timeout=60)


def test_what_cannot_be_made_leaves_nothing(tmp_path, environments, project, tracking):
    directory = project(files={"python_env.yaml": "dependencies: ['./nothing.whl']\n"})
    with pytest.raises(ExecutionError, match=r"cannot be made: uv ended with"):
        otflow.run(str(directory), "plain", env_manager="uv")
    assert [path for path in environments.iterdir() if path.is_dir()] == []
    [found] = otflow.search_runs(output_format="list")
    assert (found.info.status, found.data.tags["mlflow.project.env"]) == ("FAILED", "uv")


def test_two_processes_make_one_environment(tmp_path, environments):
    code = (
        "from otflow.projects.environment import Definition\nfrom otflow.projects.installing import install\n"
        "made = install(Definition('uv'), '.')\n"
        "print(made.directory, open(made.directory + '/otflow-environment.json').read())\n"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        for _ in range(3)
    ]
    said = [program.communicate(timeout=120) for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1
    assert len([path for path in environments.iterdir() if path.is_dir()]) == 1


def test_a_process_that_was_killed_while_making_one_blocks_nobody(tmp_path, environments):
    code = (
        "import os\nfrom otflow.projects import installing\nfrom otflow.projects.environment import Definition\n"
        "installing._mark = lambda *given: os.kill(os.getpid(), 9)\n"
        "installing.install(Definition('uv'), '.')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == -9
    assert [path for path in environments.iterdir() if path.is_dir()] != []
    assert os.path.isfile(install(bare_environment(), str(tmp_path)).python)


def test_what_makes_it_has_to_be_there(project, tracking, monkeypatch, tmp_path):
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "programs" / "python"))
    directory = project(files={"conda.yaml": "dependencies: []"})
    for more, match in (
        ({}, "Could not find conda"),
        ({"env_manager": "conda"}, "Could not find conda"),
        ({"env_manager": "uv"}, "pip install uv"),
    ):
        with pytest.raises(ExecutionError, match=match):
            otflow.run(str(directory), "plain", **more)
    monkeypatch.setenv("MLFLOW_CONDA_HOME", str(tmp_path))
    with pytest.raises(ExecutionError, match="Could not find conda"):
        otflow.run(str(directory), "plain")
    assert otflow.search_runs(output_format="list") == []


def test_a_python_that_is_nowhere_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExecutionError, match=r"needs Python 3\.999, which is not installed here"):
        install(Definition("virtualenv", "3.999"), str(tmp_path))


def test_another_python_is_found_on_the_path(tmp_path, monkeypatch):
    from otflow.projects.installing import _interpreter

    (tmp_path / "python3.42").write_text("#!/bin/sh\necho 3.42.1\n")
    os.chmod(tmp_path / "python3.42", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert _interpreter("3.42") == _interpreter("3.42.1") == str(tmp_path / "python3.42")
    with pytest.raises(ExecutionError, match="pyenv"):
        _interpreter("3.42.2")
    assert _interpreter(None) == sys.executable
    assert _interpreter(f"{sys.version_info.major}") == sys.executable


CONDA = """\
#!/bin/sh
# What conda does as far as projects see it: it makes a Python at the place that is named.
echo "$@" >> "$0.calls"
while [ "$1" != "--prefix" ]; do shift; done
mkdir -p "$2/bin" && ln -s PYTHON "$2/bin/python"
"""


@pytest.mark.skipif(shutil.which("conda") is not None, reason="conda itself would be used")
def test_conda_is_told_what_to_make(project, tracking, seen, tmp_path, monkeypatch):
    home = tmp_path / "conda"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "conda").write_text(CONDA.replace("PYTHON", sys.executable))
    (home / "bin" / "activate").write_text('export ACTIVATED="$1" PATH="$1/bin:$PATH"\n')
    os.chmod(home / "bin" / "conda", 0o755)
    monkeypatch.setenv("OTFLOW_CONDA_HOME", str(home))
    directory = project(files={"conda.yaml": "dependencies: [python=3.11]"})
    submitted = otflow.run(str(directory), parameters={"first": "a 'b' $c"})
    found = seen.read()
    assert found["argv"] == ["show.py", "a 'b' $c", "0.5"]
    place = found["environment"]["ACTIVATED"]
    assert found["environment"]["CONDA_PREFIX"] == place
    assert otflow.get_run(submitted.run_id).data.tags["mlflow.project.env"] == "conda"
    calls = (home / "bin" / "conda.calls").read_text().splitlines()
    assert calls == [f"env create --quiet --prefix {place} --file {directory / 'conda.yaml'}"]
    otflow.run(str(directory), "show.py")
    assert len((home / "bin" / "conda.calls").read_text().splitlines()) == 1
    assert Installed(place, "conda").python == f"{place}/bin/python"
