"""Artifacts in a directory of this machine."""

from __future__ import annotations

import os
import shutil
from typing import BinaryIO, ClassVar

from otflow.entities import FileInfo
from otflow.errors import InvalidParameterError
from otflow.files.paths import inner_path
from otflow.files.progress import Progress
from otflow.files.repository import PARTIAL, ArtifactRepository, copy_into

__all__ = ["LocalRepository"]


class LocalRepository(ArtifactRepository):
    """A local directory; it is made when the first file comes.

    Args:
        uri: How it was named.
        root: Its path.
    """

    at_once: ClassVar[int] = 1  # one disk: several threads would only wait for each other

    def __init__(self, uri: str, root: str) -> None:
        super().__init__(uri)
        self.root = os.path.abspath(root)

    def local_path(self, path: str) -> str:
        """Where a file or directory is."""
        return os.path.join(self.root, *path.split("/")) if path else self.root

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        super().log_artifacts(local_dir, artifact_path)
        # Directories without files are directories here.
        target = self.local_path(inner_path(artifact_path))
        os.makedirs(target, exist_ok=True)
        for place, directories, _ in os.walk(local_dir):
            for name in directories:
                inside = os.path.relpath(os.path.join(place, name), local_dir)
                os.makedirs(os.path.join(target, inside), exist_ok=True)

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        """Copy a file or a directory; see `ArtifactRepository`. The whole root is not copied without `dst_path`."""
        if dst_path is None and not artifact_path and os.path.isdir(self.root):
            return self.root
        return super().download_artifacts(artifact_path, dst_path)

    def _put(self, path: str, source: BinaryIO) -> None:
        self._write(path, source)

    def _put_file(self, local: str, path: str, progress: Progress) -> None:
        self._write(path, local)
        progress.add(os.path.getsize(local))

    def _write(self, path: str, source: BinaryIO | str) -> None:
        target = self.local_path(path)
        if os.path.isdir(target):
            raise InvalidParameterError(f"Invalid artifact path: {path!r} is a directory")
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InvalidParameterError(f"Invalid artifact path: {path!r} is below a file, not a directory") from None
        copy_into(source, target)

    def _open(self, path: str) -> BinaryIO:
        return open(self.local_path(path), "rb")

    def _fetch(self, path: str, target: str, progress: Progress) -> None:
        self._opened(path).close()
        os.makedirs(os.path.dirname(target), exist_ok=True)
        copy_into(self.local_path(path), target)
        progress.add(os.path.getsize(target))

    def _list(self, path: str) -> list[FileInfo]:
        try:
            entries = [entry for entry in os.scandir(self.local_path(path)) if not entry.name.startswith(PARTIAL)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        prefix = f"{path}/" if path else ""
        found: list[FileInfo] = []
        for entry in entries:
            try:
                is_dir = entry.is_dir()
                found.append(FileInfo(f"{prefix}{entry.name}", is_dir, None if is_dir else entry.stat().st_size))
            except FileNotFoundError:  # deleted meanwhile, or a link that leads nowhere
                continue
        return found

    def _delete(self, path: str) -> None:
        target = self.local_path(path)
        if os.path.isdir(target) and not os.path.islink(target):
            shutil.rmtree(target)
        elif os.path.lexists(target):
            os.unlink(target)
