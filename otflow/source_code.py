"""What program this is: who runs it, from which file, at which commit. No subprocess: git's own files are read."""

from __future__ import annotations

import functools
import getpass
import os
import pathlib
import sys

from otflow.semconv import RunKey

__all__ = ["git_root", "git_state", "source_name", "source_tags", "source_type", "user", "without_login"]


def source_tags() -> dict[str, str]:
    """The tags that say where a run, a model or a dataset comes from."""
    tags = {RunKey.USER: user(), RunKey.SOURCE_NAME: _argument() or source_name(), RunKey.SOURCE_TYPE: source_type()}
    commit = git_state()[0]
    if commit:
        tags[RunKey.GIT_COMMIT] = commit
    return tags


def git_root(directory: str) -> str | None:
    """The working tree that a directory is in; None where it is in none."""
    start = pathlib.Path(directory).absolute()
    return next((str(found) for found in (start, *start.parents) if (found / ".git").exists()), None)


def git_state(directory: str | None = None) -> tuple[str, str, str]:
    """Commit, branch and remote URL of the program, or of a directory, now; empty where there are none."""
    if directory is None:
        repository = _git_directory(pathlib.Path(_program()).parent)
    else:  # which may become a repository meanwhile
        repository = _git_directory.__wrapped__(pathlib.Path(directory).absolute())
    return _git_state(repository) if repository is not None else ("", "", "")


def source_name() -> str:
    """The name of the program's file; that of Python's where it has none."""
    return os.path.basename(_argument() or sys.executable or "python")


def source_type() -> str:
    """`NOTEBOOK` or `LOCAL`."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return "NOTEBOOK" if shell is not None and hasattr(shell, "kernel") else "LOCAL"


@functools.cache
def user() -> str:
    """The name of the operating system's user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no passwd entry: containers with a numeric user
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _argument() -> str:
    return sys.argv[0] if sys.argv else ""


def _program() -> str:
    program = _argument() if _argument() not in {"", "-c", "-m"} else ""
    return os.path.abspath(program) if program else os.path.join(os.getcwd(), "-")


@functools.lru_cache(maxsize=16)
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
            return without_login(line.partition("=")[2].strip())
    return ""


def without_login(url: str) -> str:
    """The URL of a repository without any user name or password in it."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not separator or "@" not in authority:
        return url
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
