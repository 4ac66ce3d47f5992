"""What the docker command is told. The engine is not asked for: a program stands in that writes its words down."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otflow
from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects.docker import Docker, checked_args, image_name, run_words, with_login
from otflow.projects.project import DockerEnvironment

STAND_IN = """\
#!/usr/bin/env python3
import json, os, shutil, sys
words = sys.argv[1:]
entry = {"words": words}
if words[0] == "--config":
    place = words[1]
    with open(place + "/config.json") as file:
        entry["login"] = json.load(file)
    entry["mode"] = oct(os.stat(place + "/config.json").st_mode & 0o777)
    words = words[2:]
if words[0] == "build":
    entry["files"] = {
        os.path.relpath(os.path.join(where, name), words[-1]): open(os.path.join(where, name)).read()
        for where, _, names in os.walk(words[-1]) for name in names
    }
if words[0] == "run":
    entry["environment"] = {key: text for key, text in os.environ.items() if key.startswith(("MLFLOW_", "OTFLOW_"))}
with open(os.path.dirname(os.path.abspath(__file__)) + "/calls.jsonl", "a") as file:
    file.write(json.dumps(entry) + "\\n")
if words[0] == "info":
    sys.exit(0 if os.path.exists(os.path.dirname(os.path.abspath(__file__)) + "/daemon") else "Cannot connect")
if words[0] == "image":
    if "RepoDigests" in words[2]:
        print(json.dumps(["other@sha256:0", words[-1].rpartition(":")[0] + "@sha256:123"]))
    elif "missing" in words[-1]:
        sys.exit(1)
    else:
        print("sha256:abc")
if words[0] == "run":
    image = next(at for at, word in enumerate(words) if at and not word.startswith("-"))
    os.execvp(words[image + 1], words[image + 1:])
"""


class Engine:
    """The program that stands in for docker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "docker").write_text(STAND_IN)
        os.chmod(directory / "docker", 0o755)
        (directory / "daemon").touch()

    def calls(self) -> list[dict]:
        path = self.directory / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def last(self, word: str) -> dict:
        return next(call for call in reversed(self.calls()) if word in call["words"][:3])


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Engine:
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return Engine(directory)


FILE = """\
name: My Project!
docker_env:
  image: repo/base:1
  volumes: ["/data:/data:ro"]
  environment: [["FIXED", "a b"], "TAKEN"]
entry_points:
  main:
    parameters: {x: string}
    command: "python show.py {x}"
"""


def test_a_project_runs_in_its_image(project, tracking, tmp_path, seen, engine, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hush")
    directory = project(files={"MLproject": FILE})
    submitted = otflow.run(
        str(directory),
        parameters={"x": "$(touch owned)"},
        docker_args={"gpus": "all", "t": True, "no": False, "e": "A=b"},
    )
    call = engine.last("run")
    words = call["words"]
    image = words.index("repo/base:1")
    assert words[:image] == [
        "run",
        "--rm",
        f"--name=otflow-{submitted.run_id}",
        "--gpus=all",
        "-t",
        "-eA=b",
        "--volume=/data:/data:ro",
        f"--mount=type=bind,source={tmp_path},target={tmp_path}",
        *(
            f"--env={prefix}_{name}"
            for name in ("RUN_ID", "TRACKING_URI", "EXPERIMENT_ID")
            for prefix in ("OTFLOW", "MLFLOW")
        ),
        "--env=MLFLOW_TRACKING_PASSWORD",
        "--env=FIXED=a b",
        "--env=TAKEN",
    ]
    assert words[image + 1 : image + 3] == ["bash", "-c"]
    assert call["environment"]["MLFLOW_RUN_ID"] == submitted.run_id
    assert call["environment"]["OTFLOW_TRACKING_URI"] == tracking
    assert "hush" not in json.dumps(words)
    assert call["environment"]["MLFLOW_TRACKING_PASSWORD"] == "hush"
    assert seen.argv == ["show.py", "$(touch owned)"]
    assert not (directory / "owned").exists()
    tags = otflow.get_run(submitted.run_id).data.tags
    assert tags["mlflow.project.env"] == "docker"
    assert tags["mlflow.docker.image.uri"] == "repo/base:1"
    assert tags["mlflow.docker.image.id"] == "sha256:abc"
    assert [call["words"][0] for call in engine.calls()] == ["info", "image", "image", "run"]


def test_an_image_is_built_with_the_project_in_it(repository, tracking, seen, engine):
    directory = repository.directory
    (directory / "MLproject").write_text(FILE)
    submitted = otflow.run(str(directory), parameters={"x": "1"}, build_image=True)
    build = engine.last("build")
    image = f"my-project:{repository.commits['second'][:7]}"
    assert build["words"][:3] == ["build", "--quiet", f"--tag={image}"]
    assert build["files"]["Dockerfile"].splitlines() == [
        "FROM repo/base:1",
        "COPY project/ /mlflow/projects/code/",
        "WORKDIR /mlflow/projects/code/",
    ]
    assert build["files"]["project/MLproject"] == FILE
    assert not [name for name in build["files"] if "/.git/" in name]
    assert image in engine.last("run")["words"]
    assert otflow.get_run(submitted.run_id).data.tags["mlflow.docker.image.uri"] == image


def test_an_image_that_is_not_here_is_pulled_with_the_login(project, tracking, seen, engine, tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text('{"credsStore": "desktop", "auths": {"other": {"auth": "x"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    directory = project(files={"MLproject": FILE.replace("repo/base:1", "repo/missing:1")})
    auth = {"username": "me", "password": "hush", "registry": "reg.example.com"}
    otflow.run(str(directory), parameters={"x": "1"}, docker_auth=auth)
    pull = engine.last("pull")
    assert pull["words"][2:] == ["pull", "--quiet", "repo/missing:1"]
    login = base64.b64encode(b"me:hush").decode()
    assert pull["login"] == {"auths": {"other": {"auth": "x"}, "reg.example.com": {"auth": login}}}
    assert pull["mode"] == oct(stat.S_IRUSR | stat.S_IWUSR)
    assert not Path(pull["words"][1]).exists()
    assert "hush" not in "".join(json.dumps(call["words"]) for call in engine.calls())


def test_a_run_that_is_cancelled_leaves_no_container(project, tracking, engine, tmp_path):
    os.mkfifo(tmp_path / "started")
    directory = project(
        files={
            "MLproject": FILE.replace("python show.py", f"echo > {tmp_path}/started; exec sleep 60 #").split(" #")[0]
            + '"'
        }
    )
    submitted = otflow.run(str(directory), parameters={"x": "1"}, synchronous=False)
    (tmp_path / "started").read_text()
    submitted.cancel()
    assert submitted.get_status() == "KILLED"
    assert engine.calls()[-1]["words"] == ["rm", "--force", f"otflow-{submitted.run_id}"]


def test_without_docker_or_its_daemon_it_says_so(project, tracking, engine, monkeypatch):
    directory = project(files={"MLproject": FILE})
    (engine.directory / "daemon").unlink()
    for manager in (None, "local"):
        with pytest.raises(ExecutionError, match="daemon does not answer: Cannot connect"):
            otflow.run(str(directory), parameters={"x": "1"}, env_manager=manager)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ExecutionError, match="docker is not installed"):
        otflow.run(str(directory), parameters={"x": "1"})
    assert otflow.search_runs(output_format="list") == []


def test_an_image_is_called_by_the_project():
    assert image_name("My Project!", "0123456789") == "my-project:0123456"
    assert image_name("--", "") == "docker-project"
    assert image_name("x", "0123456789", "reg:5000/a/b") == "reg:5000/a/b:0123456"


def test_a_push_gives_the_digest(engine):
    docker = Docker.find()
    assert docker.push("reg:5000/a/b:0123456") == "reg:5000/a/b@sha256:123"
    assert [call["words"][0] for call in engine.calls()] == ["info", "push", "image"]


@pytest.mark.parametrize(
    ("given_", "match"),
    [
        ({"-v": "x"}, "'-v'"),
        ({"a b": "x"}, "'a b'"),
        ({"": "x"}, "''"),
        ({5: "x"}, "5"),
        ({"a=b": "x"}, "'a=b'"),
        ({"a": "\0"}, "NUL"),
        ("a", "dictionary"),
    ],
)
def test_options_have_names(given_, match):
    with pytest.raises(InvalidParameterError, match=match):
        checked_args(given_)


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9-]{1,6}", fullmatch=True), st.text(max_size=10) | st.booleans()))
def test_any_option_is_one_word_that_is_no_other(options):
    try:
        words = checked_args(options)
    except InvalidParameterError:
        return
    wanted = [(key, value) for key, value in options.items() if value is not False]
    assert len(words) == len(wanted)
    for word, (key, value) in zip(words, wanted, strict=True):
        assert word.startswith(f"-{key}" if len(key) == 1 else f"--{key}")
        assert word.endswith("" if value is True else str(value))


def test_lists_are_repeated_options():
    assert checked_args({"volume": ["/a:/a", "/b:/b"], "p": [1, 2]}) == (
        "--volume=/a:/a",
        "--volume=/b:/b",
        "-p1",
        "-p2",
    )


@given(st.lists(st.text(max_size=10), min_size=1, max_size=4))
def test_words_of_the_command_are_behind_the_image(command):
    words = run_words(DockerEnvironment("image"), "image", command, name="n")
    assert words == ("run", "--rm", "--name=n", "image", *command)


def test_a_login_goes_before_what_keeps_others():
    assert with_login({"credHelpers": {}, "x": 1}, {"username": "a", "password": "b"}) == {
        "x": 1,
        "auths": {"https://index.docker.io/v1/": {"auth": base64.b64encode(b"a:b").decode()}},
    }
    assert with_login({"credsStore": "s"}, {"dockercfg_path": "p"}) == {"credsStore": "s"}
    for auth, match in ((5, "dictionary"), ({"user": "x"}, "'user'")):
        with pytest.raises(InvalidParameterError, match=match):
            Docker.find(auth)
