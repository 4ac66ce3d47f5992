"""Projects: what is run, what it is told, and what is recorded. In the environment as it is, to be quick."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from toolbox import INVALID, NOT_FOUND, Difference, Facts, Toolbox, case, each, error

FAILED = error("INTERNAL_ERROR")
_REFUSED = {**INVALID, "argv": None}

SHOW = """\
import json, os, sys
keys = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI")
with open(os.environ["SEEN"], "w") as file:
    json.dump({"argv": sys.argv, "cwd": os.getcwd(), "environment": {key: os.environ.get(key) for key in keys}}, file)
"""

MLPROJECT = """\
name: shown
entry_points:
  main:
    parameters:
      first: string
      second: {type: float, default: 0.5}
      third: {default: true}
    command: "python show.py {first} {second} --third {third}"
  plain: {command: python show.py}
  fail: {command: exit 3}
  quoted:
    parameters: {x: string}
    command: python show.py "{x}"
  repeated:
    parameters: {x: string}
    command: python show.py {x} {{x}} {x}
  number:
    parameters: {x: float}
    command: python show.py {x}
  place:
    parameters: {x: path}
    command: python show.py {x}
  link:
    parameters: {x: uri}
    command: python show.py {x}
  other:
    parameters: {x: whatever}
    command: python show.py {x}
  nothing:
    parameters: {x: {type: string, default: null}}
    command: python show.py {x}
  unused:
    parameters: {x: {default: 1}}
    command: python show.py
  unknown: {command: "python show.py {nope}"}
  shell: {command: "python show.py ${HOME}"}
  lines:
    command: |
      python show.py lines
      true
  pipe: {command: "false; python show.py \\"$MLFLOW_RUN_ID\\" | cat"}
  without: {}
  digits: {command: 5}
"""
_ACCIDENT = "an error of its insides escapes there; ours says what is wrong"
_QUOTES = "the value as it was given, not as it was quoted for the shell"


def _project(t: Toolbox, name: str, files: dict[str, str] | None = None) -> str:
    """The directory of a project."""
    directory = os.path.join(t.directory, f"project-{name.replace(' ', '-')}")
    os.environ["SEEN"] = os.path.join(directory, "seen.json")
    # The Python of this process, and the command that the released MLflow starts where it does not wait.
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    for name, text in {"show.py": SHOW, "MLproject": MLPROJECT, **(files or {})}.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return directory


def _seen() -> Any:
    """What the program has seen; None if it was not run."""
    path = os.environ["SEEN"]
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    os.unlink(path)
    return found


def _argv() -> Any:
    found = _seen()
    return None if found is None else found["argv"][1:]


def _run(t: Toolbox, directory: str, entry_point: str = "plain", **arguments: Any) -> dict[str, Any]:
    """The record of a run, and the arguments that its program got."""
    arguments.setdefault("env_manager", "local")
    outcome = t.outcome(lambda: t.mlflow.get_run(t.mlflow.run(directory, entry_point, **arguments).run_id))
    if "value" in outcome:
        outcome["value"]["tags"].pop("mlflow.source.name", None)
        outcome = {"value": {key: outcome["value"][key] for key in ("status", "here", "params", "tags")}}
    return {**outcome, "argv": _argv()}


def _statuses(t: Toolbox) -> list[str]:
    return [run.info.status for run in t.mlflow.search_runs(output_format="list")]


@case(needs=("run",))
def a_run(t: Toolbox) -> Facts:
    directory = _project(t, "run")
    submitted = t.mlflow.run(directory, parameters={"first": "word"}, env_manager="local")
    yield "a run", isinstance(submitted, t.mlflow.projects.SubmittedRun)
    yield "status", submitted.get_status()
    yield "wait", submitted.wait()
    run = t.mlflow.get_run(submitted.run_id)
    yield "record", run
    yield "source", run.data.tags["mlflow.source.name"] == directory
    seen = _seen()
    yield "argv", seen["argv"]
    yield "cwd", seen["cwd"] == directory
    yield (
        "told",
        [
            seen["environment"]["MLFLOW_RUN_ID"] == submitted.run_id,
            seen["environment"]["MLFLOW_EXPERIMENT_ID"] == t.experiment_id,
            seen["environment"]["MLFLOW_TRACKING_URI"] == t.mlflow.get_tracking_uri(),
        ],
    )
    yield "active", t.mlflow.active_run()
    yield "last", t.mlflow.last_active_run() is None
    yield (
        "named",
        t.mlflow.get_run(t.mlflow.run(directory, "plain", run_name="name", env_manager="local").run_id).info.run_name,
    )
    with t.mlflow.start_run() as parent:
        child = t.mlflow.run(directory, "plain", env_manager="local")
        yield "parent", t.mlflow.get_parent_run(child.run_id).info.run_id == parent.info.run_id
        yield "still active", t.mlflow.active_run().info.run_id == parent.info.run_id
    yield "public", sorted(t.mlflow.projects.__all__)


@case(
    needs=("run",),
    differs={
        "two words/value/params/first": Difference("a b", _QUOTES),
        "quotes/value/params/first": Difference('it\'s "$(id)" `id`', _QUOTES),
        "empty/value/params/first": Difference("", _QUOTES),
        "lines/value/params/first": Difference("a\nb", _QUOTES),
        "emoji/value/params/first": Difference("é 🐎", _QUOTES),
        "more/value/params/b c": Difference("d e", _QUOTES),
        "more/argv": Difference(
            ["a", "0.5", "--third", "True", "--z", "1", "--b c", "d e"], "a name with a blank is one word, too"
        ),
        "list/value/params/first": Difference("[1, 2]", _QUOTES),
        "in quotes/value/params/x": Difference("a b", _QUOTES),
        "number wrong": Difference({**FAILED, "argv": None}, "it is documented that a float has to be one"),
        "parameters list": Difference(_REFUSED, _ACCIDENT),
        "nul": Difference(_REFUSED, _ACCIDENT),
        "unknown place/error": Difference("INTERNAL_ERROR", _ACCIDENT),
        "place of the shell/error": Difference("INTERNAL_ERROR", _ACCIDENT),
        "no command/error": Difference("INTERNAL_ERROR", _ACCIDENT),
        "a number for a command/error": Difference("INTERNAL_ERROR", _ACCIDENT),
    },
)
def parameters(t: Toolbox) -> Facts:
    directory = _project(t, "parameters")
    for label, first in (
        ("word", "word"),
        ("two words", "a b"),
        ("quotes", 'it\'s "$(id)" `id`'),
        ("empty", ""),
        ("dash", "-x"),
        ("lines", "a\nb"),
        ("emoji", "é 🐎"),
        ("none", None),
        ("truth", True),
        ("half", 0.5),
        ("list", [1, 2]),
    ):
        yield label, _run(t, directory, "main", parameters={"first": first})
    yield "all", _run(t, directory, "main", parameters={"first": "a", "second": 1, "third": "c"})
    yield "missing", _run(t, directory, "main")
    yield "more", _run(t, directory, "main", parameters={"first": "a", "z": 1, "b c": "d e"})
    yield "in quotes", _run(t, directory, "quoted", parameters={"x": "a b"})
    yield "repeated", _run(t, directory, "repeated", parameters={"x": "a"})
    yield "number", _run(t, directory, "number", parameters={"x": "1e-3"})
    yield "number wrong", _run(t, directory, "number", parameters={"x": "abc"})
    yield "other type", _run(t, directory, "other", parameters={"x": "abc"})
    yield "null for a default", _run(t, directory, "nothing")
    yield "unused", _run(t, directory, "unused")
    yield "key wrong", _run(t, directory, parameters={"$(x)": "a"})
    yield "parameters list", _run(t, directory, parameters=["a"])
    yield "nul", _run(t, directory, parameters={"a": "b\0c"})
    yield "unknown place", _run(t, directory, "unknown")
    yield "place of the shell", _run(t, directory, "shell")
    yield "no command", _run(t, directory, "without")
    yield "a number for a command", _run(t, directory, "digits")
    yield "several lines", _run(t, directory, "lines")
    found = _run(t, directory, "pipe")
    yield "a pipe", [found["value"]["status"], len(found["argv"])]


@case(needs=("run",))
def paths(t: Toolbox) -> Facts:
    directory = _project(t, "paths", {"data.txt": "x"})
    outside = os.path.join(directory, "data.txt")
    yield "absolute", _run(t, directory, "place", parameters={"x": outside})
    yield "file URI", _run(t, directory, "place", parameters={"x": f"file://{outside}"})
    yield "relative to the project", _run(t, directory, "place", parameters={"x": "data.txt"})
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield "relative", _run(t, directory, "place", parameters={"x": "data.txt"})
    finally:
        os.chdir(before)
    yield "missing", _run(t, directory, "place", parameters={"x": "/nowhere/at/all"})
    with t.mlflow.start_run() as run:
        t.mlflow.log_text("x", "sub/file.txt")
    uri = f"runs:/{run.info.run_id}/sub"
    found = _run(t, directory, "place", parameters={"x": uri}, storage_dir=f"{directory}/storage")
    place = found["argv"][0]
    yield "artifact", [found["value"]["params"] == {"x": uri}, os.listdir(place), os.path.basename(place)]
    yield "in storage", place.startswith(f"{directory}/storage/")
    yield "artifact missing", _run(t, directory, "place", parameters={"x": f"{uri}/none"})
    yield "link", _run(t, directory, "link", parameters={"x": "s3://a/b"})
    yield "link of a letter", _run(t, directory, "link", parameters={"x": "a:b"})
    yield "no link", _run(t, directory, "link", parameters={"x": "data.txt"})
    yield "a path is no link", _run(t, directory, "link", parameters={"x": "/etc/hosts"})


@case(
    needs=("run",),
    differs={
        "script quoted/value/params/a": Difference("b c", _QUOTES),
        "nowhere": Difference({**NOT_FOUND, "argv": None}, _ACCIDENT),
        **each({**INVALID, "argv": None}, _ACCIDENT, "no entry point", "no uri", "a number for a uri", "an option"),
        "an empty uri": Difference({**INVALID, "argv": None}, "an empty text is no directory"),
    },
)
def entry_points(t: Toolbox) -> Facts:
    directory = _project(t, "points", {"go.sh": 'python show.py "$@"', "sub/show.py": SHOW, "text.txt": ""})
    yield "script", _run(t, directory, "show.py", parameters={"a": 1})
    yield "script quoted", _run(t, directory, "show.py", parameters={"a": "b c"})
    yield "shell script", _run(t, directory, "go.sh", parameters={"a": 1})
    yield "in a directory", _run(t, directory, "sub/show.py")
    yield "subdirectory", _run(t, f"{directory}#sub", "show.py")
    yield "no subdirectory", _run(t, f"{directory}#none", "show.py")
    yield "upwards", _run(t, f"{directory}#..", "show.py")
    yield "unknown", _run(t, directory, "unknown entry")
    yield "missing script", _run(t, directory, "none.py")
    yield "text", _run(t, directory, "text.txt")
    yield "empty", _run(t, directory, "")
    yield "no entry point", _run(t, directory, None)
    yield "nowhere", _run(t, "nowhere/at/all")
    yield "no uri", _run(t, None)
    yield "a number for a uri", _run(t, 5)
    yield "an empty uri", _run(t, "")
    yield "an option", _run(t, "--upload-pack=x")
    yield "file URI", _run(t, f"file://{directory}")
    plain = _project(t, "plain")
    os.unlink(os.path.join(plain, "MLproject"))
    yield "without a file", _run(t, plain, "show.py")
    yield "without a file, main", _run(t, plain, "main")


@case(needs=("run",))
def failing(t: Toolbox) -> Facts:
    directory = _project(t, "failing")
    yield "fails", t.outcome(lambda: t.mlflow.run(directory, "fail", env_manager="local"))
    yield "statuses", _statuses(t)
    exceptions = t.mlflow.exceptions
    yield "class", issubclass(exceptions.ExecutionException, exceptions.MlflowException)
    try:
        t.mlflow.run(directory, "fail", env_manager="local")
    except exceptions.ExecutionException as caught:
        yield "caught", [caught.error_code, caught.get_http_status_code()]


@case(
    needs=("run",),
    differs={
        "cancelled": Difference([None, "KILLED", "KILLED", False], "what was cancelled was killed, and runs no more"),
    },
)
def not_waited_for(t: Toolbox) -> Facts:
    directory = _project(t, "not waited for", {"MLproject": f"{MLPROJECT}  sleep: {{command: sleep 60}}\n"})
    start = lambda entry: t.mlflow.run(directory, entry, env_manager="local", synchronous=False, parameters={})
    submitted = start("plain")
    yield "done", [submitted.wait(), submitted.get_status(), t.mlflow.get_run(submitted.run_id).info.status]
    record = t.mlflow.get_run(submitted.run_id)
    yield "record", record
    yield "argv", _argv()
    submitted = start("fail")
    yield "failed", [submitted.wait(), submitted.get_status(), t.mlflow.get_run(submitted.run_id).info.status]
    submitted = start("sleep")
    yield "running", [submitted.get_status(), t.mlflow.get_run(submitted.run_id).info.status]
    done = submitted.cancel()
    status = t.mlflow.get_run(submitted.run_id).info.status
    yield "cancelled", [done, submitted.get_status(), status, submitted.wait()]
    yield "cancelled again", submitted.cancel()


@case(
    needs=("run",),
    differs={
        "config a list": Difference({**INVALID, "argv": None}, _ACCIDENT),
        "config a number": Difference({**INVALID, "argv": None}, _ACCIDENT),
        "config no file": Difference({**INVALID, "argv": None}, _ACCIDENT),
        "config not JSON": Difference({**INVALID, "argv": None}, _ACCIDENT),
        "kubernetes": Difference({**FAILED, "argv": None}, _ACCIDENT),
    },
)
def where(t: Toolbox) -> Facts:
    directory = _project(t, "where")
    yield "experiment", _run(t, directory, experiment_name="another one")["value"]["here"]
    yield "made", t.mlflow.get_experiment_by_name("another one") is not None
    yield "by id", _run(t, directory, experiment_id=t.experiment_id)["value"]["here"]
    yield "by number", _run(t, directory, experiment_id=int(t.experiment_id))["value"]["here"]
    yield "both", _run(t, directory, experiment_id="0", experiment_name="x")
    yield "no such experiment", _run(t, directory, experiment_id="123456")
    yield "unknown backend", _run(t, directory, backend="nope")
    yield "databricks", _run(t, directory, backend="databricks")
    yield "kubernetes", _run(t, directory, backend="kubernetes")
    yield "config", _run(t, directory, backend_config={"a": 1})
    yield "config a list", _run(t, directory, backend_config=[1])
    yield "config a number", _run(t, directory, backend_config=5)
    yield "config no file", _run(t, directory, backend_config="nowhere.json")
    yield "config not JSON", _run(t, directory, backend_config="config.yaml")
    yield "env_manager", _run(t, directory, env_manager="nope")
    yield "version", _run(t, directory, version="main")
    yield "docker_args", _run(t, directory, docker_args={"a": "b"})
    with t.mlflow.start_run(run_name="first") as run:
        pass
    yield "going on", _run(t, directory, run_id=run.info.run_id, run_name="again", parameters={"a": 1})
    yield "going on with none", _run(t, directory, run_id="0" * 32)


_FILES = {
    "empty": "",
    "list": "- a\n",
    "broken": "a: [\n",
    "no entry points": "name: x\n",
    "number for a name": "name: 5\nentry_points: {plain: {command: python show.py}}\n",
    "unknown key": "foo: x\nentry_points: {plain: {command: python show.py}}\n",
    "entry points a list": "entry_points: [a]\n",
    "entry point a text": "entry_points: {plain: abc}\n",
    "parameters a list": "entry_points: {plain: {parameters: [a], command: x}}\n",
    "parameter of nothing": "entry_points: {plain: {parameters: {a: }, command: x}}\n",
    "tag of Python": "name: !!python/object/apply:os.getcwd []\n",
    "conda_env missing": "conda_env: c.yaml\nentry_points: {plain: {command: python show.py}}\n",
    "python_env missing": "python_env: c.yaml\nentry_points: {plain: {command: python show.py}}\n",
    "two environments": "python_env: c\nconda_env: d\nentry_points: {plain: {command: python show.py}}\n",
    "docker and another": "python_env: c\ndocker_env: {image: x}\nentry_points: {plain: {command: python show.py}}\n",
    "docker without image": "name: a\ndocker_env: {imag: x}\nentry_points: {plain: {command: python show.py}}\n",
    "docker without name": "docker_env: {image: x}\nentry_points: {plain: {command: python show.py}}\n",
    "docker a text": "name: a\ndocker_env: x\nentry_points: {plain: {command: python show.py}}\n",
    "docker volumes": "name: a\ndocker_env: {image: x, volumes: 5}\nentry_points: {plain: {command: python show.py}}\n",
    "type in capitals": "entry_points: {plain: {parameters: {a: FLOAT}, command: 'python show.py {a}'}}\n",
    "name with a blank": "entry_points: {plain: {parameters: {a b: {default: 1}}, command: 'python show.py {a b}'}}\n",
}


@case(
    needs=("run",),
    differs=each(
        {**FAILED, "argv": None},
        _ACCIDENT,
        "empty",
        "list",
        "broken",
        "entry points a list",
        "entry point a text",
        "parameters a list",
        "parameter of nothing",
        "tag of Python",
        "docker a text",
    ),
)
def files(t: Toolbox) -> Facts:
    for label, text in _FILES.items():
        yield label, _run(t, _project(t, label, {"MLproject": text}))
    named = _project(t, "small", {"mlproject": "entry_points: {plain: {command: python show.py small}}\n"})
    os.unlink(os.path.join(named, "MLproject"))
    yield "small letters", _run(t, named)
    named = _project(t, "ending", {"MLproject.yaml": MLPROJECT})
    os.unlink(os.path.join(named, "MLproject"))
    yield "with an ending", _run(t, named)


def _git(directory: str, *words: str) -> str:
    """Git as nobody in particular, at one time: the commits are the same each time."""
    who = {f"GIT_{kind}_{key}": "a" for kind in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    when = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-01-01T00:00:00Z")
    environment = {**os.environ, **who, **when, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *words], cwd=directory, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@case(
    needs=("run",),
    differs={
        "after/branch": Difference("main", "the working tree of the caller is not touched"),
        "after/remotes": Difference("", "the repository of the caller is not touched"),
        "with a remote/mlflow.source.git.repoURL": Difference("https://example.com/a.git", "no password is recorded"),
        **each(INVALID, _ACCIDENT, "transport ext", "version option", "version empty"),
    },
)
def repositories(t: Toolbox) -> Facts:
    one = "entry_points: {plain: {command: python show.py one}}\n"
    directory = _project(t, "repository", {"MLproject": one, "sub/show.py": SHOW})
    _git(directory, "init", "-q", "-b", "main")
    _git(directory, "add", ".")
    _git(directory, "commit", "-q", "-m", "one")
    _git(directory, "tag", "v1")
    first = _git(directory, "rev-parse", "HEAD")
    _git(directory, "checkout", "-q", "-b", "side")
    with open(os.path.join(directory, "MLproject"), "w", encoding="utf-8") as file:
        file.write("entry_points: {plain: {command: python show.py two}}\n")
    _git(directory, "commit", "-q", "-a", "-m", "two")
    _git(directory, "checkout", "-q", "main")
    keys = ("name", "type", "git.commit", "git.branch", "git.repoURL")

    def tags(uri: str, entry_point: str = "plain", **more: Any) -> Any:
        submitted = t.mlflow.run(uri, entry_point, env_manager="local", **more)
        found = t.mlflow.get_run(submitted.run_id).data.tags
        seen = _seen()
        return {
            **{f"mlflow.source.{key}": found.get(f"mlflow.source.{key}") for key in keys},
            "argv": seen["argv"],
            "~cwd": seen["cwd"],
        }

    yield "as it is", t.outcome(lambda: tags(directory))
    yield "in a subdirectory", t.outcome(lambda: tags(os.path.join(directory, "sub"), "show.py"))
    yield "subdirectory named", t.outcome(lambda: tags(f"{directory}#sub", "show.py"))
    yield "branch", t.outcome(lambda: tags(directory, version="side"))
    yield (
        "after",
        {
            "branch": _git(directory, "branch", "--show-current"),
            "remotes": _git(directory, "remote"),
        },
    )
    for label, version in (("tag", "v1"), ("commit", first)):
        yield label, t.outcome(lambda version=version: tags(directory, version=version))
    yield "unknown version", t.outcome(lambda: tags(directory, version="nope"))
    yield "version option", t.outcome(lambda: tags(directory, version="--upload-pack=x"))
    yield "version empty", t.outcome(lambda: tags(directory, version=""))
    yield "transport ext", t.outcome(lambda: tags("ext::sh -c exit"))
    _git(directory, "checkout", "-q", "main")
    subprocess.run(["git", "remote", "remove", "origin"], cwd=directory, capture_output=True, check=False, timeout=60)
    _git(directory, "remote", "add", "origin", "https://user:secret@example.com/a.git")
    yield "with a remote", tags(directory)
