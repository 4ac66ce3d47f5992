"""`otflow.run`: what is run, what it is told, and what is recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otflow
from otflow.errors import ExecutionError, InvalidParameterError, MissingFileError, NotFoundError
from otflow.exceptions import ExecutionException, MlflowException
from otflow.projects import SubmittedRun, run

pytestmark = pytest.mark.usefixtures("tracking")


def run_locally(uri, *words, **more):
    return otflow.run(str(uri), *words, env_manager="local", **more)


def runs() -> list[otflow.entities.Run]:
    return otflow.search_runs(output_format="list")


def tags_of(submitted: SubmittedRun) -> dict[str, str]:
    tags = otflow.get_run(submitted.run_id).data.tags
    return {key: text for key, text in tags.items() if key not in ("mlflow.user", "mlflow.runName")}


def test_an_entry_point_is_run_and_recorded(project, seen):
    directory = project()
    submitted = run_locally(directory, parameters={"first": "it's $(id)", "more": 3})
    found = seen.read()
    assert found["argv"] == ["show.py", "it's $(id)", "0.5", "--more", "3"]
    assert found["cwd"] == str(directory)
    recorded = otflow.get_run(submitted.run_id)
    assert (submitted.get_status(), recorded.info.status) == ("FINISHED", "FINISHED")
    assert recorded.data.params == {"first": "it's $(id)", "second": "0.5", "more": "3"}
    assert tags_of(submitted) == {
        "mlflow.source.name": str(directory),
        "mlflow.source.type": "PROJECT",
        "mlflow.project.entryPoint": "main",
        "mlflow.project.backend": "local",
    }


def test_the_process_is_told_of_its_run(project, seen, tracking):
    experiment_id = otflow.set_experiment("told").experiment_id
    submitted = run_locally(project(), "plain")
    environment = seen.read()["environment"]
    for prefix in ("OTFLOW", "MLFLOW"):
        assert environment[f"{prefix}_RUN_ID"] == submitted.run_id
        assert environment[f"{prefix}_TRACKING_URI"] == tracking
        assert environment[f"{prefix}_EXPERIMENT_ID"] == experiment_id


def test_a_relative_store_is_the_same_one_in_the_project(project, seen, tmp_path):
    otflow.set_tracking_uri("sqlite:///here.db")
    run_locally(project(), "plain")
    assert seen.read()["environment"]["OTFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/here.db"


def test_what_the_project_logs_is_in_the_run(project):
    program = """\
    import otflow
    with otflow.start_run(run_name="ignored by nobody") as run:
        otflow.log_metric("score", 0.5)
        otflow.set_tag("inside", "yes")
    with otflow.start_run():
        otflow.log_param("second", "run")
    """
    directory = project(files={"train.py": textwrap.dedent(program)})
    submitted = run_locally(directory, "train.py")
    found = otflow.get_run(submitted.run_id)
    assert found.data.metrics == {"score": 0.5}
    assert found.data.tags["inside"] == "yes"
    assert found.data.tags["mlflow.source.type"] == "PROJECT"
    assert found.info.status == "FINISHED"
    assert len(runs()) == 2


def test_scripts_are_entry_points(project, seen, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/sh")
    directory = project(files={"go.sh": 'exec "$PYTHON" show.py shell "$@"', "deep/inner.py": "", "MLproject": None})
    monkeypatch.setenv("PYTHON", sys.executable)
    run_locally(directory, "show.py", parameters={"a b": "c d", "n": 1})
    assert seen.argv == ["show.py", "--a b", "c d", "--n", "1"]
    run_locally(directory, "go.sh", parameters={"x": "$(id)"})
    assert seen.argv == ["show.py", "shell", "--x", "$(id)"]
    run_locally(directory, "deep/inner.py")
    (directory / "-c.py").write_text((directory / "show.py").read_text())
    run_locally(directory, "-c.py")
    assert seen.argv == ["./-c.py"]


def test_python_is_that_of_this_process(project, seen):
    directory = project(
        files={"MLproject": "entry_points: {main: {command: 'python -c \"import sys; print(sys.prefix)\" > $SEEN'}}"}
    )
    run_locally(directory)
    assert seen.path.read_text().strip() == sys.prefix


def test_the_first_broken_thing_is_told_and_nothing_is_written(project, tmp_path):
    directory = project()
    for words, more, error, match in (
        (("main",), {}, ExecutionError, "missing parameters: 'first'"),
        (("main",), {"parameters": {"first": "x", "second": "y"}}, ExecutionError, "'second' is to be a number"),
        (("nothing",), {}, ExecutionError, r"'nothing' among the entry points \['main', 'plain', 'fail'\]"),
        (("nothing.py",), {}, ExecutionError, "script 'nothing.py'"),
        (("../other.py",), {}, ExecutionError, "inside of the project"),
        ((5,), {}, InvalidParameterError, "entry point"),
        (("plain", "v1"), {}, ExecutionError, "only supported for Git"),
        (("plain", "--upload-pack=x"), {}, InvalidParameterError, "version"),
        (("plain",), {"parameters": ["a"]}, InvalidParameterError, "dictionary"),
        (("plain",), {"parameters": {"$(x)": 1}}, InvalidParameterError, "Names may only contain"),
        (("plain",), {"parameters": {"a": "b\0c"}}, InvalidParameterError, "NUL"),
        (("plain",), {"parameters": {"a": "\ud800"}}, InvalidParameterError, "character"),
        (("plain",), {"docker_args": ["a"]}, InvalidParameterError, "docker_args"),
        (("plain",), {"docker_args": {"-x": "a"}}, InvalidParameterError, "option"),
        (("plain",), {"storage_dir": 5}, InvalidParameterError, "storage_dir"),
        (("plain",), {"backend": "nope"}, ExecutionError, r"'nope'.*\['kubernetes', 'local'\]"),
        (("plain",), {"backend": "databricks"}, ExecutionError, "does not speak to Databricks"),
        (("plain",), {"backend_config": "a.yaml"}, InvalidParameterError, r"ends in '\.json'"),
        (("plain",), {"backend_config": "a.json"}, InvalidParameterError, "cannot be read"),
        (("plain",), {"experiment_name": "a", "experiment_id": "0"}, ExecutionError, "only one of"),
        (("plain",), {"experiment_id": "77"}, NotFoundError, "77"),
        (("plain",), {"run_id": "0" * 32}, NotFoundError, "not found"),
        (("main",), {"experiment_name": "new"}, ExecutionError, "missing"),
    ):
        with pytest.raises(error, match=match):
            run_locally(directory, *words, **more)
    assert runs() == []
    assert [found.name for found in otflow.search_experiments()] == ["Default"]


@pytest.mark.parametrize("uri", [None, 5, "", "  ", "--upload-pack=x", "a\0b"])
def test_what_is_no_uri_is_refused(uri):
    with pytest.raises(InvalidParameterError, match="URI of a project"):
        otflow.run(uri)


def test_env_manager_is_one_of_four(project):
    with pytest.raises(InvalidParameterError, match=r"'pipenv'.*\['local', 'conda', 'virtualenv', 'uv'\]"):
        otflow.run(str(project()), "plain", env_manager="pipenv")


def test_a_directory_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingFileError, match="no project"):
        otflow.run("nowhere")


def test_a_command_that_fails_raises_and_its_run_failed(project):
    with pytest.raises(ExecutionException, match="failed") as caught:
        run_locally(project(), "fail")
    assert isinstance(caught.value, MlflowException)
    [found] = runs()
    assert found.info.status == "FAILED"
    assert found.info.run_id in str(caught.value)


def test_names_experiments_and_parents(project, seen):
    directory = project()
    submitted = run_locally(directory, "plain", run_name="named", experiment_name="made")
    found = otflow.get_run(submitted.run_id)
    assert found.info.run_name == "named"
    assert found.info.experiment_id == otflow.get_experiment_by_name("made").experiment_id
    with otflow.start_run() as parent:
        child = run_locally(directory, "plain", experiment_id=found.info.experiment_id)
    assert otflow.get_parent_run(child.run_id).info.run_id == parent.info.run_id
    assert otflow.active_run() is None
    with otflow.start_run() as other:
        pass
    again = run_locally(directory, "plain", run_id=other.info.run_id, run_name="resumed", parameters={"a": 1})
    found = otflow.get_run(again.run_id)
    assert (again.run_id, found.info.run_name, found.info.status) == (other.info.run_id, "resumed", "FINISHED")


def test_a_deleted_run_does_not_go_on(project):
    with otflow.start_run() as other:
        pass
    otflow.delete_run(other.info.run_id)
    with pytest.raises(otflow.OtflowError, match="deleted"):
        run_locally(project(), "plain", run_id=other.info.run_id)


def test_paths_are_absolute_and_remote_ones_downloaded(project, seen, tmp_path):
    parameters = "{p: path, d: {type: path, default: show.py}}"
    points = f"entry_points: {{main: {{parameters: {parameters}, command: 'python show.py {{p}} {{d}}'}}}}"
    directory = project(files={"MLproject": points})
    (tmp_path / "data.txt").write_text("local")
    submitted = run_locally(directory, parameters={"p": "data.txt"})
    assert seen.argv[1:] == [str(tmp_path / "data.txt"), str(directory / "show.py")]
    assert otflow.get_run(submitted.run_id).data.params == {"p": "data.txt", "d": "show.py"}

    with otflow.start_run() as source:
        otflow.log_text("remote", "data/file.txt")
    uri = f"runs:/{source.info.run_id}/data"
    run_locally(directory, parameters={"p": uri}, storage_dir=str(tmp_path / "storage"))
    path = Path(seen.argv[1])
    assert path.is_relative_to(tmp_path / "storage")
    assert (path / "file.txt").read_text() == "remote"
    run_locally(directory, parameters={"p": uri})
    assert not Path(seen.argv[1]).exists(), "a temporary copy is deleted"

    with pytest.raises(MissingFileError):
        run_locally(directory, parameters={"p": f"{uri}/nothing"})
    assert runs()[0].info.status == "FAILED"


def test_one_project_runs_another(project, seen):
    program = "import otflow\nwith otflow.start_run():\n    otflow.run('.', 'show.py', env_manager='local')\n"
    directory = project(files={"steps.py": program})
    outer = run_locally(directory, "steps.py")
    inner = next(found for found in runs() if found.info.run_id != outer.run_id)
    assert seen.read()["environment"]["OTFLOW_RUN_ID"] == inner.info.run_id
    assert inner.data.tags["mlflow.parentRunId"] == outer.run_id


def test_a_run_is_in_the_active_workspace(project, seen, tracking):
    otflow.create_workspace("team")
    otflow.set_workspace("team")
    experiment_id = otflow.create_experiment("theirs")
    with otflow.start_run(experiment_id=experiment_id) as parent:
        submitted = run_locally(project(), "plain", experiment_id=experiment_id)
    environment = seen.read()["environment"]
    assert (environment["MLFLOW_WORKSPACE"], environment["OTFLOW_WORKSPACE"]) == ("team", "team")
    assert environment["OTFLOW_TRACKING_URI"] == tracking
    found = otflow.get_run(submitted.run_id)
    assert (found.info.status, found.data.tags["mlflow.parentRunId"]) == ("FINISHED", parent.info.run_id)
    otflow.set_workspace(None)
    run_locally(project(), "plain")
    assert "OTFLOW_WORKSPACE" not in seen.read()["environment"]


def test_files_and_names_in_odd_places(project, seen, tmp_path):
    directory = project("a #b 'c", {"MLproject": None, "mlproject": "entry_points: {main: {command: python show.py}}"})
    run_locally(directory)
    assert seen.read()["cwd"] == str(directory)
    run_locally(directory.as_uri())
    assert seen.read()["cwd"] == str(directory)


def test_projects_is_a_module_with_run():
    assert otflow.projects.run is run is otflow.run


def test_a_command_that_is_too_long_fails_its_run(project):
    with pytest.raises(ExecutionError, match="cannot be run"):
        run_locally(project(), "show.py", parameters={"a": "x" * 3_000_000})
    assert runs()[0].info.status == "FAILED"


def test_reading_an_mlproject_file_needs_yaml(project, tmp_path):
    directory = project()
    code = (
        "import sys; sys.modules['yaml'] = None\nimport otflow\n"
        f"try:\n    otflow.run({str(directory)!r}, env_manager='local')\n"
        "except otflow.errors.MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert "pip install 'otflow[projects]'" in done.stdout, done.stderr


def test_nothing_of_ours_stays_in_the_environment(project, seen):
    before = dict(os.environ)
    run_locally(project(), "plain")
    assert {key: text for key, text in os.environ.items() if before.get(key) != text} == {}
