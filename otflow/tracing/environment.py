"""What is true of the whole process and goes into the metadata of each of its traces."""

from __future__ import annotations

import functools
import getpass
import os
import pathlib
import sys
from collections.abc import Mapping
from types import MappingProxyType

from otflow.semconv import TRACE_SCHEMA_VERSION, Metadata

__all__ = ["process_metadata"]


@functools.cache
def process_metadata() -> Mapping[str, str]:
    """The metadata that says who and what made a trace: user, program, git state. Found out once."""
    repository = _git_directory(pathlib.Path(_program()).parent)
    commit, branch, url = _git_state(repository) if repository is not None else ("", "", "")
    return MappingProxyType(
        {
            Metadata.OS_USER: _user(),
            Metadata.SOURCE_NAME: _source_name(),
            Metadata.SOURCE_TYPE: "NOTEBOOK" if _in_notebook() else "LOCAL",
            Metadata.GIT_COMMIT: commit,
            Metadata.GIT_REPO_URL: url,
            Metadata.GIT_BRANCH: branch,
            Metadata.SCHEMA_VERSION: TRACE_SCHEMA_VERSION,
        }
    )


def _program() -> str:
    program = sys.argv[0] if sys.argv and sys.argv[0] not in {"", "-c", "-m"} else ""
    return os.path.abspath(program) if program else os.path.join(os.getcwd(), "-")


def _source_name() -> str:
    return os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else os.path.basename(sys.executable or "python")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no passwd entry: containers with a numeric user
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and hasattr(shell, "kernel")


def _git_directory(start: pathlib.Path) -> pathlib.Path | None:
    """The `.git` directory of the repository that holds `start`; worktrees and submodules followed."""
    for directory in (start, *start.parents):
        git = directory / ".git"
        try:
            if git.is_dir():
                return git
            if git.is_file():
                text = git.read_text(encoding="utf-8").strip()
                if text.startswith("gitdir:"):
                    return (directory / text.removeprefix("gitdir:").strip()).resolve()
        except OSError:
            return None
    return None


def _git_state(git: pathlib.Path) -> tuple[str, str, str]:
    """Commit, branch and remote URL, read from git's own files: no subprocess on the way of a trace."""
    try:
        common = git
        if (git / "commondir").is_file():
            common = (git / (git / "commondir").read_text(encoding="utf-8").strip()).resolve()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref:"):
            return head, "", _remote_url(common)
        ref = head.removeprefix("ref:").strip()
        return _resolve_ref(common, ref), ref.removeprefix("refs/heads/"), _remote_url(common)
    except (OSError, UnicodeDecodeError):
        return "", "", ""


def _resolve_ref(git: pathlib.Path, ref: str) -> str:
    loose = git / ref
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip()
    packed = git / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8").splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return ""


def _remote_url(git: pathlib.Path) -> str:
    """The URL of the remote `origin`, without any user name or password in it."""
    config = git / "config"
    if not config.is_file():
        return ""
    inside = False
    for raw in config.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if line.startswith("["):
            inside = line.replace(" ", "") == '[remote"origin"]'
        elif inside and line.partition("=")[0].strip() == "url":
            url = line.partition("=")[2].strip()
            scheme, separator, rest = url.partition("://")
            if separator and "@" in rest.partition("/")[0]:
                rest = rest.partition("@")[2]
            return f"{scheme}{separator}{rest}"
    return ""
