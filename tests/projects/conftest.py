"""Projects in directories and repositories, and what their programs saw."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import otflow

# Writes down how it was called.
SHOW = """\
import json, os, sys
with open(os.environ["SEEN"], "w") as file:
    json.dump({"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ)}, file)
"""

MLPROJECT = """\
name: shown
entry_points:
  main:
    parameters:
      first: string
      second: {type: float, default: 0.5}
    command: "python show.py {first} {second}"
  plain:
    command: python show.py
  fail:
    command: exit 3
"""

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Makes the directory of a project: `project("name", {"MLproject": …})`."""

    def make(name: str = "project", files: Mapping[str, str] | None = None) -> Path:
        directory = tmp_path / name
        for path, text in {"show.py": SHOW, "MLproject": MLPROJECT, **(files or {})}.items():
            if text is not None:
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (directory / path).write_text(text, encoding="utf-8")
        return directory

    return make


@dataclass
class Seen:
    """What a program that was run has written down."""

    path: Path

    def read(self) -> dict[str, Any]:
        found = json.loads(self.path.read_text(encoding="utf-8"))
        self.path.unlink()
        return found

    @property
    def argv(self) -> list[str]:
        return self.read()["argv"]


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seen:
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    return Seen(tmp_path / "seen.json")


@pytest.fixture
def tracking(tmp_path: Path) -> str:
    """The store that runs are in."""
    uri = f"sqlite:///{tmp_path}/runs.db"
    otflow.set_tracking_uri(uri)
    return uri


def git(directory: Path, *words: str) -> str:
    """Run git in a repository, as a person of no particular configuration."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }
    done = subprocess.run(
        ["git", *words], cwd=directory, capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Repository:
    """A repository of a project whose entry point says at which commit it is.

    Attributes:
        directory: Its working tree.
        commits: By what the program of each prints: `first` (which has the tag `v1`), `second` (`main`), `side`.
    """

    directory: Path
    commits: dict[str, str]


@pytest.fixture
def repository(project: Project) -> Repository:
    def says(word: str) -> str:
        return f"name: told\nentry_points:\n  main:\n    command: python show.py {word}\n"

    directory = project("repository", {"MLproject": says("first"), "sub/MLproject": says("sub"), "sub/show.py": SHOW})
    git(directory, "init", "-q", "-b", "main")
    commits: dict[str, str] = {}

    def commit(word: str) -> None:
        (directory / "MLproject").write_text(says(word), encoding="utf-8")
        git(directory, "add", ".")
        git(directory, "commit", "-q", "-m", word)
        commits[word] = git(directory, "rev-parse", "HEAD")

    commit("first")
    git(directory, "tag", "v1")
    commit("second")
    git(directory, "checkout", "-q", "-b", "side")
    commit("side")
    git(directory, "checkout", "-q", "main")
    return Repository(directory, commits)


@pytest.fixture
def bare(repository: Repository) -> Path:
    """The same, without a working tree, and ready for a plain web server."""
    directory = repository.directory.parent / "served" / "bare.git"
    directory.parent.mkdir(exist_ok=True)
    git(repository.directory, "clone", "-q", "--bare", str(repository.directory), str(directory))
    git(directory, "update-server-info")
    return directory
