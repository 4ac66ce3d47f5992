"""What holds of every place that artifacts are kept in."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import secrets
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, ClassVar, Final, TypeVar, cast

from otflow.entities import FileInfo
from otflow.errors import ArgumentTypeError, InvalidParameterError, MissingFileError, OtflowError
from otflow.files.paths import checked_path, inner_path, is_name
from otflow.files.progress import Progress

__all__ = ["PARTIAL", "ArtifactRepository", "copy_into", "rereadable"]

PARTIAL: Final = ".otflow-partial-"
"""How the names of local files begin that are being written; what a killed process leaves behind is none's artifact."""
_IN_MEMORY: Final = 8 << 20
"""Bytes of a stream that are kept in memory before they go to a temporary file."""
_T = TypeVar("_T")


class ArtifactRepository(ABC):
    """A directory of artifacts, wherever it is.

    - **Paths** are relative to the root, with `/`. One that leads elsewhere raises InvalidParameterError before
      anything is done; so does a listing of the storage that names something elsewhere, as OtflowError.
    - **Writing.** A file appears whole or not at all where the place allows it, and replaces what had its name; its
      directories come into being with it.
    - **Reading.** What is not there raises MissingFileError, which is a `FileNotFoundError` too. Lists are by name.
    - **Threads.** Safe to use from several, and from several processes: the last writer of a file wins.

    Args:
        uri: The root.
    """

    at_once: ClassVar[int] = 8
    """Files that are on their way at the same time."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    # -- what a place brings ----------------------------------------------------------------------

    @abstractmethod
    def _put(self, path: str, source: BinaryIO) -> None:
        """Make a file of what a stream has, from where it stands. It may be one that cannot be rewound."""

    @abstractmethod
    def _open(self, path: str) -> BinaryIO:
        """Open a file for reading; `FileNotFoundError` or NotFoundError where there is none."""

    @abstractmethod
    def _list(self, path: str) -> list[FileInfo]:
        """What is in a directory; nothing where there is none, or where it is a file."""

    @abstractmethod
    def _delete(self, path: str) -> None:
        """Delete a file, or a directory with all that is in it; nothing where there is neither."""

    # -- writing ----------------------------------------------------------------------------------

    def write(self, artifact_path: str, data: bytes | bytearray | memoryview | BinaryIO) -> None:
        """Make a file.

        Args:
            artifact_path: Where.
            data: What is to be in it; of a stream, what it has from where it stands.
        """
        path = inner_path(artifact_path, empty=False)
        if isinstance(data, (bytes, bytearray, memoryview)):
            self._put(path, io.BytesIO(data))
            return
        with Progress("Uploading artifacts", None) as progress:
            self._put(path, progress.watch(data))

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Copy a local file, or a directory under its name, into a directory.

        Args:
            local_file: The file.
            artifact_path: The directory; the root by default.

        Raises:
            MissingFileError: there is no such file.
        """
        directory, local = checked_path(artifact_path), _local(local_file)
        if os.path.isdir(local):
            self.log_artifacts(local, posixpath.join(directory, os.path.basename(os.path.abspath(local))))
            return
        self._upload([(local, posixpath.join(directory, os.path.basename(local)))])

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Copy what is in a local directory into a directory.

        Args:
            local_dir: The local directory.
            artifact_path: The directory; the root by default.

        Raises:
            MissingFileError: there is no such local directory, or a link in it leads nowhere; nothing is copied then.
        """
        directory, local = checked_path(artifact_path), _local(local_dir)
        if not os.path.isdir(local):
            raise MissingFileError(f"No such directory: '{local}'")
        files: list[tuple[str, str]] = []
        for place, _, names in os.walk(local):
            relative = os.path.relpath(place, local).replace(os.sep, "/")
            inside = directory if relative == "." else posixpath.join(directory, relative)
            files += [(os.path.join(place, name), posixpath.join(inside, name)) for name in sorted(names)]
        self._upload(files)

    def _upload(self, files: list[tuple[str, str]]) -> None:
        """Copy local files, if all of them are there."""
        total = 0
        for local, _ in files:
            try:
                total += os.stat(local).st_size
            except (FileNotFoundError, NotADirectoryError):
                raise MissingFileError(f"No such file or directory: '{local}'") from None
        with Progress("Uploading artifacts", total) as progress:
            self._each(lambda file: self._put_file(file[0], file[1], progress), files)

    def _put_file(self, local: str, path: str, progress: Progress) -> None:
        with open(local, "rb") as source:
            self._put(path, progress.watch(source))

    def _each(self, act: Callable[[_T], object], what: list[_T]) -> None:
        """Do something to each, several at a time; after the first error nothing more is begun."""
        if len(what) < 2 or self.at_once < 2:
            for item in what:
                act(item)
            return
        with ThreadPoolExecutor(min(self.at_once, len(what)), "otflow-artifacts") as pool:
            running = [pool.submit(act, item) for item in what]
            try:
                for one in running:
                    one.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a directory, all by default."""
        self._delete(inner_path(artifact_path))

    # -- reading ----------------------------------------------------------------------------------

    def read(self, artifact_path: str) -> bytes:
        """The content of a file.

        Raises:
            MissingFileError: there is none.
        """
        with self._opened(inner_path(artifact_path, empty=False)) as source:
            return source.read()

    def _opened(self, path: str) -> BinaryIO:
        try:
            return self._open(path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise _absent(path) from None

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """What is in a directory, by name; nothing where there is none, or where it is a file.

        Args:
            path: The directory; the root by default.
        """
        return self._listed(inner_path(path))

    def _listed(self, path: str) -> list[FileInfo]:
        found = self._list(path)
        for info in found:
            # A storage can name what it likes; what is downloaded must not be written elsewhere for it.
            name = info.path.rpartition("/")[2]
            if info.path != (f"{path}/{name}" if path else name) or not is_name(name):
                raise OtflowError(f"{self.uri} lists {info.path!r} in {path!r}, which is not there", "INVALID_STATE")
        return sorted(found, key=lambda info: info.path)

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        """Copy a file or a directory here.

        Args:
            artifact_path: What; all by default. With a `/` at its end: what is in that directory.
            dst_path: The local directory that it is put into, which is made; a new temporary one by default.

        Returns:
            The path of the copy: in `dst_path` and of the same name, or `dst_path` itself with a `/`.

        Raises:
            MissingFileError: there is nothing of that name.
        """
        path = inner_path(artifact_path)
        into = _destination(dst_path)
        inside = artifact_path is not None and os.fspath(artifact_path).endswith("/")
        target = os.path.join(into, "" if inside else posixpath.basename(path))
        found = list(self._walk(path))
        if not found and not self._is_directory(path):
            if inside:
                raise _absent(path)
            with Progress("Downloading artifacts", None) as progress:
                self._fetch(path, target, progress)
            return target
        start = len(path) + 1 if path else 0

        def here(info: FileInfo) -> str:
            return os.path.join(target, *info.path[start:].split("/"))

        os.makedirs(target, exist_ok=True)
        for info in found:
            if info.is_dir:
                os.makedirs(here(info), exist_ok=True)
        files = [info for info in found if not info.is_dir]
        with Progress("Downloading artifacts", sum(info.file_size or 0 for info in files)) as progress:
            self._each(lambda info: self._fetch(info.path, here(info), progress), files)
        return target

    def _walk(self, path: str) -> Iterator[FileInfo]:
        """What is in a directory, at any depth; a directory before what is in it."""
        for info in self._listed(path):
            yield info
            if info.is_dir:
                yield from self._walk(info.path)

    def _is_directory(self, path: str) -> bool:
        """Whether there is a directory, though no file is in it."""
        if not path:
            return True
        parent, _, _ = path.rpartition("/")
        return any(info.is_dir and info.path == path for info in self._list(parent))

    def _fetch(self, path: str, target: str, progress: Progress) -> None:
        """Copy a file to a local path."""
        with self._opened(path) as source:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            copy_into(progress.watch(source), target)


def copy_into(source: BinaryIO | str, target: str) -> None:
    """Make a local file of what a stream has, or of another file: whole, or not at all.

    Of a file its mode and times are kept too.
    """
    temporary = os.path.join(os.path.dirname(target), PARTIAL + secrets.token_hex(8))
    try:
        if isinstance(source, str):
            shutil.copy2(source, temporary)
        else:
            with open(temporary, "xb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def rereadable(source: BinaryIO) -> Generator[BinaryIO]:
    """A stream that can be rewound, with what the given one has from where it stands."""
    if _can_seek(source):
        yield source
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.seek(0)
        yield cast("BinaryIO", copy)


def _can_seek(source: BinaryIO) -> bool:
    try:
        return source.seekable()
    except AttributeError:  # whatever has a `read` is taken
        return False


def _local(path: object) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentTypeError(f"a local path must be a string or a path, not {path!r}")
    return str(os.fspath(cast("str | os.PathLike[str]", path)))


def _destination(dst_path: str | None) -> str:
    if dst_path is None:
        return tempfile.mkdtemp(prefix="otflow-")
    into = os.path.abspath(_local(dst_path))
    if os.path.isfile(into):
        raise InvalidParameterError(f"dst_path must be a directory: {dst_path!r} is a file")
    return into


def _absent(path: str) -> MissingFileError:
    return MissingFileError(f"Failed to download artifacts from path '{path}', please ensure that the path is correct.")
