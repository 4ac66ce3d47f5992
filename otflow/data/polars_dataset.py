"""Datasets that are data frames of polars."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from otflow.data.dataset import Dataset
from otflow.data.dataset_source import DatasetSource
from otflow.data.dataset_source_registry import source_or_code
from otflow.data.digest_utils import ROWS, compute_rows_digest
from otflow.data.schema import ColSpec, DataType, Schema, UnknownTypeError
from otflow.errors import InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    import polars

__all__ = ["PolarsDataset", "from_polars"]

_logger = logging.getLogger("otflow")

_TYPES: Final = {
    "Boolean": "boolean",
    **dict.fromkeys(("Int8", "Int16", "Int32", "UInt8", "UInt16"), "integer"),
    **dict.fromkeys(("Int64", "UInt32"), "long"),
    "Float32": "float",
    "Float64": "double",
    **dict.fromkeys(("String", "Utf8", "Categorical", "Enum"), "string"),
    "Binary": "binary",
    **dict.fromkeys(("Date", "Datetime"), "datetime"),
}


class PolarsDataset(Dataset):
    """A data frame of polars.

    Args:
        df: The data frame.
        source: Where it comes from.
        targets: The column that holds what is right.
        name: The name.
        digest: What stands for its content; computed by default.
        predictions: The column that holds what a model said.

    Raises:
        InvalidParameterError: something is not allowed, such as a column that is not there.
    """

    def __init__(
        self,
        df: polars.DataFrame,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        for what, column in (("targets", targets), ("predictions", predictions)):
            if column is not None and column not in df.columns:
                raise InvalidParameterError(f"DataFrame does not contain specified {what} column: '{column}'")
        self._df = df
        self._targets = targets
        self._predictions = predictions
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        # polars' own hashes change from one version to the next.
        return compute_rows_digest(self._df.columns, self._df.head(ROWS).iter_rows(), self._df.height)

    @property
    def df(self) -> polars.DataFrame:
        """The data frame."""
        return self._df

    @property
    def targets(self) -> str | None:
        """The column that holds what is right."""
        return self._targets

    @property
    def predictions(self) -> str | None:
        """The column that holds what a model said."""
        return self._predictions

    @property
    def profile(self) -> dict[str, int]:
        """The numbers of rows and of values."""
        return {"num_rows": self._df.height, "num_elements": self._df.height * self._df.width}

    @cached_property
    def schema(self) -> Schema[ColSpec] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The names and types of the columns; None where a column has none."""
        try:
            columns = [ColSpec(_type(dtype), name) for name, dtype in self._df.schema.items()]
        except UnknownTypeError as error:
            _logger.warning("the dataset has no schema: %s", error)
            return None
        return Schema(columns) if columns else None


def _type(dtype: Any) -> DataType:
    name = dtype.base_type().__name__
    if name in ("List", "Array"):
        return DataType("array", _type(dtype.inner))
    if name == "Struct":
        return DataType("object", None, tuple((field.name, _type(field.dtype), True) for field in dtype.fields))
    if name not in _TYPES:
        raise UnknownTypeError(f"there is no type for {dtype}")
    return DataType(_TYPES[name])


def from_polars(
    df: polars.DataFrame,
    source: str | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PolarsDataset:
    """A dataset of a data frame of polars.

    Args:
        df: The data frame; not a lazy one.
        source: Where it comes from: a path, a URI, or a source; by default the program that runs.
        targets: The column that holds what is right.
        name: The name; `dataset` by default.
        digest: What stands for its content; computed by default, from the first 10,000 rows, the number of all of
            them and the names of the columns.
        predictions: The column that holds what a model said.

    Raises:
        InvalidParameterError: something is not allowed, such as a column that is not there.
        NotFoundError: nothing is known of such sources.
        MissingExtraError: polars is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError("polars", "polars", "otflow.data.from_polars") from error
    if not isinstance(df, polars.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"a polars.DataFrame is needed, not {type(df).__module__}.{type(df).__name__}")
    return PolarsDataset(df, source_or_code(source), targets, name, digest, predictions)
