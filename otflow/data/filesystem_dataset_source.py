"""Data in files that a URI names."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from otflow.data.dataset_source import DatasetSource

__all__ = ["FileSystemDatasetSource"]


class FileSystemDatasetSource(DatasetSource):
    """A file or a directory that a path or a URI names."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """The path or URI."""

    @abstractmethod
    def load(self, dst_path: str | None = None) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Bring it here.

        Args:
            dst_path: A local directory to bring it to. By default a new one, and what is local stays where it is.

        Returns:
            The local path.
        """

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return {"uri": self.uri}
