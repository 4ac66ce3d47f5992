"""One entry of a listing of artifacts."""

from __future__ import annotations

from otflow.entities.plain import PlainEntity

__all__ = ["FileInfo"]


class FileInfo(PlainEntity):
    """A file or a directory among artifacts.

    Args:
        path: The path below the root of the artifacts, with `/`.
        is_dir: Whether it is a directory.
        file_size: The size in bytes; None for a directory.
    """

    _fields = ("file_size", "is_dir", "path")

    def __init__(self, path: str, is_dir: bool, file_size: int | None) -> None:
        self.path = path
        self.is_dir = is_dir
        self.file_size = file_size
