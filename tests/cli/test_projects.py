"""`otflow run`."""

from __future__ import annotations

import json

import pytest

import otflow

PROGRAM = "import json, sys; open('seen.json', 'w').write(json.dumps(sys.argv[1:]))"
FILE = """\
entry_points:
  main:
    parameters: {a: string}
    command: "python show.py {a}"
  fail: {command: exit 3}
"""


@pytest.fixture
def directory(tmp_path):
    found = tmp_path / "project"
    found.mkdir()
    (found / "show.py").write_text(PROGRAM)
    (found / "MLproject").write_text(FILE)
    return found


@pytest.fixture
def store(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


def test_a_project_is_run_and_its_run_printed(run, directory, store):
    done = run(
        "run", directory, "-P", "a=b=c d", "-P", "more=", "--env-manager", "local", "-s", store, "--run-name", "n"
    )
    assert (done.code, done.err) == (0, "")
    assert json.loads((directory / "seen.json").read_text()) == ["b=c d", "--more", ""]
    found = otflow.Client(store).get_run(done.out.strip())
    assert (found.info.status, found.info.run_name, found.data.params) == ("FINISHED", "n", {"a": "b=c d", "more": ""})


@pytest.mark.parametrize("words", [("show.py",), ("-e", "show.py")])
def test_an_entry_point_is_named_in_two_ways(run, directory, store, words):
    done = run("run", directory, *words, "--env-manager=local", "-s", store, "--experiment-name", "made")
    assert done.code == 0
    found = otflow.Client(store).get_run(done.out.strip())
    assert found.data.tags["mlflow.project.entryPoint"] == "show.py"
    assert otflow.Client(store).get_experiment(found.info.experiment_id).name == "made"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("-e", "fail"), "failed"),
        ((), "missing parameters: 'a'"),
        (("-P", "a"), "--param-list takes NAME=VALUE, not 'a'"),
        (("-P", "=a"), "--param-list takes NAME=VALUE"),
        (("-P", "a=1", "-P", "a=2"), "'a' twice"),
        (("-A", "a b", "-P", "a=1"), "'a b'"),
        (("-c", "{", "-P", "a=1"), "--backend-config takes"),
        (("-c", "[1]", "-P", "a=1"), "backend_config is a dictionary"),
        (("-b", "nope"), "'nope'"),
        (("-b", "kubernetes", "-c", "{}"), "kube-job-template-path"),
        (("--experiment-id", "1", "--experiment-name", "a"), "only one of"),
    ],
)
def test_what_is_wrong_is_one_sentence(run, directory, store, words, match):
    done = run("run", directory, "--env-manager", "local", "-s", store, *words)
    assert (done.code, done.out) == (1, "")
    assert match in done.err
    assert len(done.lines) == 0
