"""Data that Spark reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow.data.dataset_source import DatasetSource
from otflow.errors import InvalidParameterError, OtflowError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SparkDatasetSource"]


class SparkDatasetSource(DatasetSource):
    """A path, a table or a query of Spark. Records of MLflow are understood; nothing is loaded.

    Args:
        path: The path.
        table_name: The table.
        sql: The query.
    """

    def __init__(self, path: str | None = None, table_name: str | None = None, sql: str | None = None) -> None:
        if (path, table_name, sql).count(None) != 2:
            raise InvalidParameterError('Must specify exactly one of "path", "table_name", or "sql"')
        self._told = {
            key: value for key, value in (("path", path), ("table_name", table_name), ("sql", sql)) if value is not None
        }

    @staticmethod
    def _get_source_type() -> str:
        return "spark"

    def load(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Not possible.

        Raises:
            OtflowError: always (NOT_IMPLEMENTED).
        """
        raise OtflowError(f"otflow does not run Spark; load {self._told} with pyspark", "NOT_IMPLEMENTED")

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return dict(self._told)

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described."""
        return cls(source_dict.get("path"), source_dict.get("table_name"), source_dict.get("sql"))
