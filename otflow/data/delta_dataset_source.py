"""Data in a Delta table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow.data.dataset_source import DatasetSource
from otflow.errors import InvalidParameterError, OtflowError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DeltaDatasetSource"]


class DeltaDatasetSource(DatasetSource):
    """A Delta table, by its path or its name. Records of MLflow are understood; nothing is loaded.

    Args:
        path: The path.
        delta_table_name: The name.
        delta_table_version: Which version of the table.
        delta_table_id: The id that Databricks gave it.
    """

    def __init__(
        self,
        path: str | None = None,
        delta_table_name: str | None = None,
        delta_table_version: int | None = None,
        delta_table_id: str | None = None,
    ) -> None:
        if (path, delta_table_name).count(None) != 1:
            raise InvalidParameterError('Must specify exactly one of "path" or "table_name"')
        self.path = path
        self.delta_table_name = delta_table_name
        self.delta_table_version = delta_table_version
        self.delta_table_id = delta_table_id

    @staticmethod
    def _get_source_type() -> str:
        return "delta_table"

    def load(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Not possible.

        Raises:
            OtflowError: always (NOT_IMPLEMENTED).
        """
        raise OtflowError(
            f"otflow does not load Delta tables; read {self.path or self.delta_table_name} with pyspark or deltalake",
            "NOT_IMPLEMENTED",
        )

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        told: dict[str, Any] = {"path": self.path} if self.path is not None else {}
        if self.delta_table_name is not None:
            told["delta_table_name"] = self.delta_table_name
        if self.delta_table_version is not None:
            told["delta_table_version"] = self.delta_table_version
        if self.delta_table_name is not None and not _outside_of_unity_catalog(self.delta_table_name):
            told |= {"is_databricks_uc_table": True, "delta_table_id": self.delta_table_id}
        return told

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described."""
        return cls(
            source_dict.get("path"),
            source_dict.get("delta_table_name"),
            source_dict.get("delta_table_version"),
            source_dict.get("delta_table_id"),
        )


def _outside_of_unity_catalog(table: str) -> bool:
    catalog, _, rest = table.partition(".")
    return "." in rest and catalog in ("hive_metastore", "spark_catalog", "samples")
