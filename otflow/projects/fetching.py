"""From the URI of a project to a directory that it can be run in."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from otflow import source_code
from otflow.errors import ExecutionError, InvalidParameterError, MissingFileError
from otflow.files.opening import local_path
from otflow.projects import git
from otflow.projects.project import within

__all__ = ["Checkout", "fetch_project"]

_ZIP: Final = re.compile(r"\.zip$", re.IGNORECASE).search
_MOST_UNPACKED: Final = 4 << 30


@dataclass(frozen=True)
class Checkout:
    """A project that can be run.

    Attributes:
        directory: Where it is.
        source: What a run says that it comes from.
        commit: Its commit; empty where there is none.
        branch: The branch that was asked for; empty where that is none.
        repository: The URL of its repository; empty where there is none.
        temporary: The directory to delete when it is not needed any more.
    """

    directory: str
    source: str
    commit: str = ""
    branch: str = ""
    repository: str = ""
    temporary: str | None = None

    def discard(self) -> None:
        """Delete what was made for it."""
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)


def fetch_project(uri: Any, version: str | None) -> Checkout:
    """Get a project: a directory as it is, all else as a temporary copy.

    Args:
        uri: A path, a `file:` URI, the URI of a git repository, or of a zip file; perhaps with `#subdirectory`.
        version: The branch, tag or commit, where it comes from git.

    Raises:
        InvalidParameterError: that is no URI of a project, or nothing that has versions.
        MissingFileError: there is nothing at that path.
        ExecutionError: it cannot be fetched, or has no such version or subdirectory.
    """
    text = _text(uri)
    if not text.strip() or "\0" in text or text.startswith("-"):
        raise InvalidParameterError(f"the URI of a project is a path or the URI of a git repository, not {uri!r}")
    if version is not None:
        version = git.check_version(version)
    place, subdirectory = _split(text)
    here = place.lower().startswith("file:") or os.path.exists(place)
    protocol = None if here else git.transport(place)
    if protocol is None:
        path = os.path.abspath(os.path.expanduser(local_path(place) or place))
        return _local(path, subdirectory, version)
    if _ZIP(place) and protocol in ("http", "https"):
        _no_version(version, text)
        return _downloaded(place, git.without_password(text), subdirectory)
    return _fetched(place, version, subdirectory, git.without_password(text))


def _text(uri: Any) -> str:
    try:
        return os.fsdecode(uri)
    except TypeError:
        return ""


def _split(text: str) -> tuple[str, str]:
    """The URI, and the subdirectory behind `#`."""
    if os.path.exists(text):
        return text, ""
    place, _, subdirectory = text.partition("#")
    if not subdirectory:
        return place, ""
    parts = subdirectory.replace("\\", "/").split("/")
    if "." in parts or ".." in parts or subdirectory.startswith("/"):
        raise ExecutionError(f"the subdirectory {subdirectory!r} of a project is a path below it, without '.' and '..'")
    return place, subdirectory


def _below(root: str, subdirectory: str) -> str:
    if not subdirectory:
        return root
    path = within(root, subdirectory, "the subdirectory of a project")
    if not os.path.isdir(path):
        raise ExecutionError(f"Could not find the subdirectory {subdirectory!r} of the project")
    return path


def _no_version(version: str | None, uri: str) -> None:
    if version is not None:
        raise ExecutionError(
            f"Setting a version is only supported for Git project URIs, which {git.without_password(uri)!r} is not"
        )


def _local(path: str, subdirectory: str, version: str | None) -> Checkout:
    if not os.path.exists(path):
        raise MissingFileError(f"there is no project at {path!r}")
    source = f"{path}#{subdirectory}" if subdirectory else path
    if not os.path.isdir(path):
        if not zipfile.is_zipfile(path):
            raise InvalidParameterError(
                f"a project is a directory, a git repository or a zip file, which {path!r} is not"
            )
        _no_version(version, path)
        return _unzipped(path, source, subdirectory)
    if git.is_bare_repository(path):
        return _fetched(path, version, subdirectory, source)
    root = source_code.git_root(path)
    if root is None:
        _no_version(version, path)
        return Checkout(_below(path, subdirectory), source)
    inner = os.path.relpath(path, root).replace(os.sep, "/")
    if not subdirectory:
        source = Path(root).as_uri() + ("" if inner == "." else f"#{inner}")
    commit, _, repository = source_code.git_state(path)
    if version is None:
        return Checkout(_below(path, subdirectory), source, commit, "", repository)
    deeper = "/".join(part for part in (inner, subdirectory) if part not in ("", "."))
    return _fetched(root, version, deeper, source, repository)


def _fetched(place: str, version: str | None, subdirectory: str, source: str, repository: str = "") -> Checkout:
    temporary = tempfile.mkdtemp(prefix="otflow-project-")
    try:
        commit = git.fetch(place, version, temporary)
        return Checkout(
            _below(os.path.realpath(temporary), subdirectory),
            source,
            commit.id,
            commit.branch,
            repository or git.without_password(place),
            temporary,
        )
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _downloaded(uri: str, source: str, subdirectory: str) -> Checkout:
    from otflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory(prefix="otflow-project-") as place:
        return _unzipped(download_artifacts(uri, dst_path=place), source, subdirectory)


def _unzipped(path: str, source: str, subdirectory: str) -> Checkout:
    temporary = tempfile.mkdtemp(prefix="otflow-project-")
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
            if size > _MOST_UNPACKED:
                raise ExecutionError(f"the project {source!r} would be {size:,} bytes; allowed are {_MOST_UNPACKED:,}")
            packed.extractall(temporary)  # what leads out of it stays in it: see `ZipFile.extract`
        return Checkout(_below(os.path.realpath(temporary), subdirectory), source, temporary=temporary)
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:  # the last one: it has a password
        shutil.rmtree(temporary, ignore_errors=True)
        raise ExecutionError(f"the project {source!r} cannot be unpacked: {error}") from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
