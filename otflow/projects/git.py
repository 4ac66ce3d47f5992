"""Fetching projects with git, told nothing that it could take for something else.

git is run with an argument list. URIs and versions are looked at before: none begins with `-`, a transport is one of
those that are allowed (the setting `PROJECT_GIT_PROTOCOLS`), and a version is a name that git itself would give to a
branch, or a commit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from otflow import config
from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects import processes

__all__ = ["Commit", "check_version", "fetch", "is_bare_repository", "transport", "without_password"]

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://").match
_HELPER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)::").match
_SSH: Final = re.compile(r"(?:[^\s@:/\\-][^\s@:/\\]*@)?[^\s@:/\\-][^\s@:/\\]*:[^\s:].*").fullmatch
_COMMIT: Final = re.compile(r"[0-9a-f]{4,40}|[0-9a-f]{64}").fullmatch
# Source: git-check-ref-format(1).
_NO_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[./-]|[./]$|^@$|^$")


@dataclass(frozen=True)
class Commit:
    """What was fetched.

    Attributes:
        id: The commit.
        branch: The branch that was asked for; empty where the version is something else.
    """

    id: str
    branch: str = ""


def transport(uri: str) -> str | None:
    """By what git would fetch a URI; None for what is a path.

    Raises:
        InvalidParameterError: that transport is not allowed.
    """
    found = _HELPER(uri) or _URL(uri)
    if found is not None:
        protocol = found[1].lower()
    elif _SSH(uri) and not (os.name == "nt" and re.match(r"[A-Za-z]:", uri)):
        protocol = "ssh"
    else:
        return None
    allowed = [word.strip() for word in config.PROJECT_GIT_PROTOCOLS.get().split(",")]
    if {"git+ssh": "ssh", "ssh+git": "ssh"}.get(protocol, protocol) not in allowed:
        raise InvalidParameterError(
            f"the project {without_password(uri)!r} would be fetched by the transport {protocol!r}; allowed are"
            f" {', '.join(allowed)} (the setting {config.PROJECT_GIT_PROTOCOLS.variables[0]})"
        )
    if protocol != "file" and _HELPER(uri) is None and urlsplit(uri).netloc.rpartition("@")[2].startswith("-"):
        raise InvalidParameterError(f"the project URI {without_password(uri)!r} has a host that reads like an option")
    if any(char.isspace() or not char.isprintable() for char in uri) and _HELPER(uri) is None:
        raise InvalidParameterError(f"the project URI {without_password(uri)!r} holds a blank or a control character")
    return protocol


def without_password(uri: str) -> str:
    """A URI without a password; without the user either, but for ssh."""
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/@]*)@(.*)", uri, re.DOTALL)
    if found is None:
        return uri
    user = found[2].partition(":")[0]
    return f"{found[1]}{user}@{found[3]}" if "ssh" in found[1] else f"{found[1]}{found[3]}"


def check_version(version: object) -> str:
    """The version, if it can be a branch, a tag or a commit.

    Raises:
        InvalidParameterError: it cannot.
    """
    if not isinstance(version, str) or _NO_REF.search(version):
        raise InvalidParameterError(
            f"the version of a project is the name of a branch, a tag or a commit, not {version!r}"
        )
    return version


def is_bare_repository(directory: str) -> bool:
    """Whether a directory is a repository without a working tree."""
    return os.path.isfile(os.path.join(directory, "HEAD")) and all(
        os.path.isdir(os.path.join(directory, name)) for name in ("objects", "refs")
    )


def fetch(uri: str, version: str | None, directory: str) -> Commit:
    """Put a version of a repository into an empty directory.

    Args:
        uri: The repository: a URI of a transport that is allowed, or an absolute path.
        version: A branch, a tag or a commit; what the repository's HEAD is by default.
        directory: Where to.

    Raises:
        ExecutionError: git is not there, the repository cannot be read, or it has no such version.
    """
    _git(directory, "init", "--quiet")
    _git(directory, "config", "remote.origin.url", uri)
    if version is None:
        _fetch_one(directory, "HEAD", uri)
        return _checked_out(directory, "FETCH_HEAD")
    listed = _git(directory, "ls-remote", "--quiet", "origin", about=uri).splitlines()
    heads = {line.partition("\t")[2] for line in listed}
    for ref in (f"refs/heads/{version}", f"refs/tags/{version}", *([version] if version.startswith("refs/") else [])):
        if ref in heads:
            _fetch_one(directory, f"+{ref}:refs/otflow", uri)
            found = _checked_out(directory, "refs/otflow")
            return Commit(found.id, ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else "")
    if _COMMIT(version):
        _git(directory, "fetch", "--quiet", "origin", "+refs/*:refs/otflow/*", about=uri)
        found = _git(directory, "rev-parse", "--verify", "--quiet", f"{version}^{{commit}}", fails=True).strip()
        if found:
            return _checked_out(directory, found)
    raise ExecutionError(
        f"Unable to checkout version {version!r} of git repo {without_password(uri)}: it has no branch, tag or commit"
        " of that name"
    )


def _fetch_one(directory: str, ref: str, uri: str) -> None:
    words = ["fetch", "--quiet", "--no-tags", "origin", ref]
    try:
        _git(directory, *words, "--depth=1", about=uri)
    except ExecutionError as error:
        if "shallow" not in error.message:
            raise
        _git(directory, *words, about=uri)  # a plain web server has no part of a history


def _checked_out(directory: str, what: str) -> Commit:
    commit = _git(directory, "rev-parse", "--verify", f"{what}^{{commit}}").strip()
    _git(directory, "checkout", "--quiet", "--detach", commit)
    return Commit(commit)


def _git(directory: str, *words: str, about: str | None = None, fails: bool = False) -> str:
    command = ["git", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", *words]
    interactive = sys.stdin is not None and sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=directory,
            env=processes.git_environment(interactive=interactive),
            stdin=None if interactive else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise ExecutionError("projects are fetched with git, which is not installed") from error
    if done.returncode and not fails:
        said = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
        if about is not None:
            said = said.replace(about, without_password(about))
        where = f" of {without_password(about)}" if about is not None else ""
        raise ExecutionError(f"git {words[0]}{where} failed: {said[-1000:]}")
    return done.stdout
