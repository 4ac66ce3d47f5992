"""Data in a volume of Databricks' Unity Catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow.data.dataset_source import DatasetSource
from otflow.errors import OtflowError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["UCVolumeDatasetSource"]


class UCVolumeDatasetSource(DatasetSource):
    """A path in a volume. Records of MLflow are understood; nothing is loaded.

    Args:
        path: The path.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path

    @staticmethod
    def _get_source_type() -> str:
        return "uc_volume"

    def load(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Not possible.

        Raises:
            OtflowError: always (NOT_IMPLEMENTED).
        """
        raise OtflowError(f"otflow does not read volumes of Databricks, such as {self.path}", "NOT_IMPLEMENTED")

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return {"path": self.path}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described."""
        return cls(source_dict.get("path"))
