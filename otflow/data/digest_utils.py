"""Digests: eight hexadecimal digits that stand for the content of a dataset.

Where MLflow's digest covers what is there, ours is the same one (found by running MLflow 3.10.1): an MD5 over pandas'
row hashes, or numpy's item hashes, of the first 10,000 rows or items, the number of all rows or the shape, and the
names of the columns. MLflow leaves out each column that is neither of numbers nor of texts without a gap, such as the
dictionaries of an evaluation dataset, so that other data has the same digest; here they count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from otflow.data.canonical import canonical

if TYPE_CHECKING:
    import numpy
    import pandas

__all__ = ["ROWS", "compute_numpy_digest", "compute_pandas_digest", "compute_rows_digest"]

ROWS: Final = 10_000
"""How many rows, or items, are looked at."""


def compute_pandas_digest(df: pandas.DataFrame, num_rows: int | None = None) -> str:
    """The digest of a data frame.

    Args:
        df: The data frame.
        num_rows: The number of rows, where the frame is the beginning of something larger.
    """
    from pandas.util import hash_pandas_object

    head = cast("Any", df).head(ROWS)
    seen, rest = _columns(head)
    part = _hashable(head.iloc[:, seen])
    digest = hashlib.md5(usedforsecurity=False)
    digest.update(_int64(hash_pandas_object(part).to_numpy()))
    digest.update(_int64(len(df) if num_rows is None else num_rows))
    for name in df.columns:
        digest.update(str(name).encode())
    for index in rest:
        _update(digest, head.columns[index], head.iloc[:, index].astype(object))
    return digest.hexdigest()[:8]


def compute_numpy_digest(
    features: numpy.ndarray[Any, Any] | Mapping[str, numpy.ndarray[Any, Any]],
    targets: numpy.ndarray[Any, Any] | Mapping[str, numpy.ndarray[Any, Any]] | None = None,
) -> str:
    """The digest of arrays.

    Args:
        features: An array, or several by their names.
        targets: Such too.
    """
    digest = hashlib.md5(usedforsecurity=False)
    parts: list[Any] = [features, {} if targets is None else targets]
    for part in parts:
        arrays: list[Any] = _in_order(part)
        for array in arrays:
            digest.update(_item_hashes(array))
            digest.update(_int64(array.shape))
    return digest.hexdigest()[:8]


def compute_rows_digest(names: Sequence[object], rows: Iterable[object], num_rows: int) -> str:
    """The digest of rows of plain values.

    Args:
        names: The names of the columns.
        rows: The first rows, as sequences or dictionaries.
        num_rows: The number of all rows.
    """
    digest = hashlib.md5(usedforsecurity=False)
    digest.update(str(num_rows).encode())
    digest.update(canonical(list(names)).encode())
    for row in rows:
        digest.update(canonical(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:8]


def _in_order(part: Any) -> list[Any]:
    if isinstance(part, Mapping):
        return [array for _, array in sorted(cast("Mapping[str, Any]", part).items(), key=lambda item: item[0])]
    return [part]


def _int64(values: Any) -> bytes:
    import numpy

    array = numpy.asarray(values)
    return array.astype("<u8" if array.dtype.kind == "u" else "<i8").tobytes()


def _update(digest: Any, name: object, values: Iterable[object]) -> None:
    digest.update(f"\n{name}\n".encode())
    for value in values:
        digest.update(canonical(value).encode("utf-8", "surrogatepass") + b"\n")


def _columns(head: Any) -> tuple[list[int], list[int]]:
    """The columns that MLflow's digest covers, in its order, and the rest."""
    numbers: list[int] = []
    texts: list[int] = []
    rest: list[int] = []
    for index in range(head.shape[1]):
        column = head.iloc[:, index]
        (numbers if _is_numbers(column) else texts if _is_texts(column) else rest).append(index)
    seen = numbers + texts
    if numbers and texts:
        # The order of names where there are both; numbers before texts among the names.
        names = head.columns
        try:
            seen.sort(key=lambda index: (isinstance(names[index], str), names[index]))
        except TypeError:
            seen.sort(key=lambda index: (isinstance(names[index], str), str(names[index])))
    return seen, rest


def _is_numbers(column: Any) -> bool:
    from pandas.api import types

    dtype = column.dtype
    return (types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype)) or types.is_timedelta64_dtype(dtype)


def _is_texts(column: Any) -> bool:
    import pandas

    if isinstance(column.dtype, pandas.CategoricalDtype):
        column = column.astype(object)
    return len(column) == 0 or (
        pandas.api.types.infer_dtype(column, skipna=True) == "string" and not column.isna().any()
    )


def _hashable(frame: Any) -> Any:
    """The frame, so that its row hashes are those that any version of pandas makes."""
    import pandas
    from pandas.api import types

    columns: list[Any] = []
    for index in range(frame.shape[1]):
        column = frame.iloc[:, index]
        if types.is_timedelta64_dtype(column.dtype):
            column = column.astype("timedelta64[ns]")
        elif not types.is_numeric_dtype(column.dtype):
            column = column.astype(object)
        elif hasattr(column.dtype, "numpy_dtype") and not column.isna().any():
            column = column.astype(column.dtype.numpy_dtype)
        columns.append(column.reset_index(drop=True))
    index: Any = frame.index
    if types.is_string_dtype(index.dtype) or types.is_object_dtype(index.dtype):
        index = index.astype(object)
        try:
            pandas.util.hash_pandas_object(index)
        except TypeError:  # labels that have no hash
            index = pandas.Index([canonical(label) for label in index], dtype=object)
    # Names do not count here, and may be there twice.
    unnamed: Any = pandas.DataFrame(dict(enumerate(columns)))
    return unnamed.set_axis(index, axis=0)


def _item_hashes(array: Any) -> bytes:
    import numpy
    from pandas.util import hash_array

    items: Any = numpy.asarray(array.flat[:ROWS])
    if items.dtype.kind in "mM":
        items = items.view("i8")
    elif items.dtype.kind in "US":
        items = items.astype(object)
    if items.dtype.kind in "OV" and not all(isinstance(item, str | bytes) for item in items):
        items = numpy.array([canonical(item) for item in items], dtype=object)
    return _int64(hash_array(items))
