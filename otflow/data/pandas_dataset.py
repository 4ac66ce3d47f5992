"""Datasets that are data frames of pandas."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from otflow.data.dataset import Dataset
from otflow.data.dataset_source import DatasetSource
from otflow.data.dataset_source_registry import source_or_code
from otflow.data.digest_utils import compute_pandas_digest
from otflow.data.schema import ColSpec, DataType, Schema, UnknownTypeError, numpy_type, type_of_all
from otflow.errors import InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    import pandas

__all__ = ["PandasDataset", "frame_schema", "from_pandas"]

_logger = logging.getLogger("otflow")


class PandasDataset(Dataset):
    """A data frame of pandas.

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
        df: pandas.DataFrame,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        for what, column in (("targets", targets), ("predictions", predictions)):
            if column is not None and column not in df.columns:
                raise InvalidParameterError(
                    f"The specified pandas DataFrame does not contain the specified {what} column '{column}'."
                )
        self._df = df
        self._targets = targets
        self._predictions = predictions
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return compute_pandas_digest(self._df)

    @property
    def df(self) -> pandas.DataFrame:
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
        return {"num_rows": len(self._df), "num_elements": int(self._df.size)}

    @cached_property
    def schema(self) -> Schema[ColSpec] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The names and types of the columns; None where a column has none."""
        return frame_schema(self._df)


def from_pandas(
    df: pandas.DataFrame,
    source: str | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PandasDataset:
    """A dataset of a data frame of pandas.

    Args:
        df: The data frame.
        source: Where it comes from: a path, a URI, or a source; by default the program that runs.
        targets: The column that holds what is right.
        name: The name; `dataset` by default.
        digest: What stands for its content; computed by default, from the first 10,000 rows, the number of all of
            them and the names of the columns.
        predictions: The column that holds what a model said.

    Raises:
        InvalidParameterError: something is not allowed, such as a column that is not there.
        NotFoundError: nothing is known of such sources.
        MissingExtraError: pandas is not installed.

    Example:
        >>> import otflow, pandas
        >>> dataset = otflow.data.from_pandas(pandas.DataFrame({"x": [1, 2]}), name="numbers")
        >>> dataset.name, dataset.digest, dataset.profile
        ('numbers', '300830b9', {'num_rows': 2, 'num_elements': 2})
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas", "otflow.data.from_pandas") from error
    if not isinstance(df, pandas.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"a pandas.DataFrame is needed, not {type(df).__module__}.{type(df).__name__}")
    return PandasDataset(df, source_or_code(source), targets, name, digest, predictions)


def frame_schema(df: pandas.DataFrame) -> Schema[ColSpec] | None:
    """The schema of a data frame; None, and a line in the log, where a column has no type that can be told."""
    if not df.shape[1] or not df.columns.is_unique:
        _logger.warning("the dataset has no schema: it has no columns, or two of one name")
        return None
    columns: list[ColSpec] = []
    for index, name in enumerate(df.columns):
        column = cast("Any", df).iloc[:, index]
        try:
            columns.append(ColSpec(_column_type(column), name, not bool(column.isna().any())))
        except UnknownTypeError as error:
            _logger.warning("the dataset has no schema: column %r: %s", name, error)
            return None
    return Schema(columns)


_INFERRED: Final = {
    "string": "string",
    "empty": "any",
    "boolean": "boolean",
    "bytes": "binary",
    "mixed-integer-float": "double",
    "date": "datetime",
    "datetime": "datetime",
    "datetime64": "datetime",
}
"""Types of what pandas finds in a column of objects."""


def _column_type(column: Any) -> DataType:
    import pandas
    from pandas.api import types

    dtype: Any = column.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return _column_type(pandas.Series(dtype.categories))
    if types.is_object_dtype(dtype):
        return _object_type(column)
    if types.is_string_dtype(dtype):
        return DataType("string")
    if types.is_datetime64_any_dtype(dtype):
        return DataType("datetime")
    return numpy_type(_numpy_dtype(dtype))


def _object_type(column: Any) -> DataType:
    from pandas.api import types

    if not len(column):
        return DataType("string")
    found = types.infer_dtype(column, skipna=True)
    if found in _INFERRED:
        if found == "empty" and any(isinstance(value, float) for value in column):
            return DataType("double")  # NaN, and nothing else
        return DataType(_INFERRED[found])
    kind = type_of_all(column.tolist())
    # Whole numbers and gaps are floats to pandas.
    return DataType("double") if kind.name in ("integer", "long") and column.isna().any() else kind


def _numpy_dtype(dtype: Any) -> Any:
    """The type of numpy that a type of pandas stands for."""
    import numpy

    for attribute in ("numpy_dtype", "subtype"):  # of Int64 and the types of Arrow; of sparse columns
        dtype = getattr(dtype, attribute, dtype)
    if not isinstance(dtype, numpy.dtype):
        raise UnknownTypeError(f"there is no type for {dtype}")
    return cast("Any", dtype)
