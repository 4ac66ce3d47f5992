"""What git says about the working directory: branch, commit, changes. Asked of the command, never through a shell."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from otflow.search.tree import quote
from otflow.semconv import RunKey
from otflow.source_code import without_login

__all__ = ["GitInfo", "GitOperationError"]

_logger = logging.getLogger("otflow")

_TIMEOUT_S: Final = 60.0
_DIFF_BYTES: Final = 1_000_000
"""The longest diff that is kept."""

# What a repository or its user may configure does not run programs here, and does not change what is printed.
_SAME_FOR_ALL: Final = (
    "--no-optional-locks",
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=true",
    "-c",
    "diff.noprefix=false",
    "-c",
    "diff.mnemonicPrefix=false",
)
_DIFF: Final = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "HEAD", "--")


class GitOperationError(Exception):
    """Git does not say what state the working directory is in; the message says why."""


@dataclass(kw_only=True)
class GitInfo:
    """The state of a git repository.

    Args:
        branch: The branch that is checked out.
        commit: The id of its last commit.
        dirty: Whether tracked files differ from that commit.
        repo_url: The URL of the remote.
        diff: By what the files differ; a long one is cut, and says so.
    """

    branch: str
    commit: str
    dirty: bool = False
    repo_url: str | None = None
    diff: str | None = None

    @classmethod
    def from_env(cls, remote_name: str) -> GitInfo:
        """The state of the repository around the working directory.

        Args:
            remote_name: The remote whose URL is the repository's.

        Raises:
            GitOperationError: There is none, it has no commit, no branch is checked out, or git is not there.
        """
        try:
            here = os.getcwd()
        except OSError:
            raise GitOperationError("The working directory is gone") from None
        if _git("rev-parse", "--git-dir") is None:
            raise GitOperationError(f"Not in a git repository, or in one that git refuses to read: {here}")
        branch = _git("symbolic-ref", "--quiet", "--short", "HEAD")
        if branch is None:
            raise GitOperationError(f"No branch is checked out (detached HEAD): {here}")
        commit = _git("rev-parse", "--quiet", "--verify", "HEAD^{commit}")
        if commit is None:
            raise GitOperationError(f"The branch {branch} has no commit yet: {here}")
        status = _git("status", "--porcelain", "--untracked-files=no")
        if status is None:  # a bare repository has no files
            raise GitOperationError(f"Git does not say what has changed: {here}")
        url = _git("remote", "get-url", "--", str(remote_name)) if remote_name else None
        if url is None:
            _logger.warning("No remote named %r found. Repository URL will not be set.", remote_name)
        return cls(
            branch=branch,
            commit=commit,
            dirty=bool(status),
            repo_url=without_login(url) if url else None,
            diff=_diff() if status else None,
        )

    def to_mlflow_tags(self) -> dict[str, str]:
        """The tags of a logged model that stands for this state."""
        tags = {
            RunKey.GIT_BRANCH: self.branch,
            RunKey.GIT_COMMIT: self.commit,
            RunKey.GIT_DIRTY: str(self.dirty).lower(),
        }
        if self.repo_url is not None:
            tags[RunKey.GIT_REPO_URL] = self.repo_url
        if self.diff is not None:
            tags[RunKey.GIT_DIFF] = self.diff
        return tags

    def to_search_filter_string(self) -> str:
        """The filter that finds the logged models which stand for this state, whatever the diff."""
        tags = self.to_mlflow_tags()
        tags.pop(RunKey.GIT_DIFF, None)
        return " AND ".join(f"tags.`{key}` = {quote(text)}" for key, text in tags.items())


def _git(*arguments: str) -> str | None:
    """What a git command prints; None where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program and a list of arguments
            [_program(), *_SAME_FOR_ALL, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitOperationError(f"Git cannot be asked: {type(error).__name__}") from None
    return _text(done.stdout) if done.returncode == 0 else None


def _diff() -> str | None:
    """By what the files differ from the commit; None where git prints nothing, as for changes inside of submodules."""
    try:
        with subprocess.Popen(  # noqa: S603 - as above
            [_program(), *_SAME_FOR_ALL, *_DIFF],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as running:
            data = running.stdout.read(_DIFF_BYTES + 1) if running.stdout is not None else b""
            running.kill()  # what does not fit is not waited for
    except OSError as error:
        raise GitOperationError(f"Git cannot be asked: {type(error).__name__}") from None
    if len(data) > _DIFF_BYTES:
        return f"{_text(data[:_DIFF_BYTES])}\n… (the diff is longer than {_DIFF_BYTES:,} bytes: the rest is not kept)"
    return _text(data) or None


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise GitOperationError("The command git is not installed, or not in PATH")
    return found


def _text(data: bytes) -> str:
    # Files may be in any encoding, and databases take no NUL.
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}").rstrip("\n")
