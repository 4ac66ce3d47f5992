"""Tables as files: JSON of columns and rows, as pandas calls "split", or Parquet."""

from __future__ import annotations

import io
import json
import posixpath
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from otflow.errors import InvalidParameterError, MissingExtraError, OtflowError
from otflow.files.images import is_image

if TYPE_CHECKING:
    import pandas

__all__ = ["appended", "checked_table_path", "import_pandas", "read_table", "table", "with_images"]


def import_pandas(purpose: str) -> Any:
    """The package pandas.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas", purpose) from error
    return pandas


def checked_table_path(path: str) -> str:
    """The path, if a table may have it.

    Raises:
        InvalidParameterError: its extension is another one.
    """
    if posixpath.splitext(str(path))[1] not in (".json", ".parquet"):
        raise InvalidParameterError(
            f"Invalid artifact file path '{path}'. Please ensure the file you are trying to log as a table has a file"
            " name with either '.json' or '.parquet' extension."
        )
    return path


def table(data: Any) -> pandas.DataFrame:
    """A data frame of a dictionary of columns, of one row, or of a data frame.

    Raises:
        InvalidParameterError: it is none of these, or the columns differ in length.
    """
    pd = import_pandas("log_table")
    if isinstance(data, pd.DataFrame):
        return data.reset_index(drop=True)
    if not isinstance(data, Mapping):
        raise InvalidParameterError(f"data must be a pandas.DataFrame or a dictionary, not {type(data).__name__}")
    columns = cast("Mapping[Any, Any]", data)
    if columns and not any(_is_column(value) for value in columns.values()):
        return pd.DataFrame({key: pd.Series([value]) for key, value in columns.items()})
    try:
        return pd.DataFrame(dict(columns))
    except ValueError as error:
        raise InvalidParameterError(f"no table can be made of this dictionary: {error}") from error


def _is_column(value: object) -> bool:
    return isinstance(value, (list, tuple)) or (hasattr(value, "__len__") and hasattr(value, "dtype"))


def with_images(frame: pandas.DataFrame, save: Callable[[Any], Mapping[str, str]]) -> pandas.DataFrame:
    """The table with a reference in place of each image.

    Args:
        frame: The table.
        save: Called with each image; gives the reference to it.
    """
    found: dict[Any, list[Any]] = {}
    for column in frame.columns:
        values: list[Any] = frame[column].tolist() if frame[column].dtype == object else []
        if any(is_image(value) for value in values):
            found[column] = [save(value) if is_image(value) else value for value in values]
    changed = cast("Any", frame).copy() if found else frame
    for column, values in found.items():
        changed[column] = values
    return changed


def appended(frame: pandas.DataFrame, path: str, before: bytes | None) -> bytes:
    """The content of a file with this table behind what is there already.

    Args:
        frame: The table.
        path: The name of the file.
        before: What is there; None for nothing.

    Raises:
        OtflowError: what is there is no table.
        MissingExtraError: pyarrow is needed and not installed.
    """
    if path.endswith(".parquet"):
        return _parquet(frame, path, before)
    added = json.loads(
        frame.to_json(orient="split", index=False, date_format="iso", double_precision=15, default_handler=str)
    )
    if before is None:
        return _json(added)
    known = _split(before, path)
    columns = [*known["columns"], *(column for column in added["columns"] if column not in known["columns"])]
    rows = [
        [row.get(column) for column in columns]
        for part in (known, added)
        for row in (dict(zip(part["columns"], values, strict=True)) for values in part["data"])
    ]
    return _json({"columns": columns, "data": rows})


def _json(split: Mapping[str, Any]) -> bytes:
    return json.dumps(split, separators=(",", ":")).encode()


def _split(content: bytes, path: str) -> dict[str, Any]:
    try:
        split = json.loads(content)
        return {"columns": list(split["columns"]), "data": list(split["data"])}
    except (ValueError, TypeError, LookupError) as error:
        raise OtflowError(f"{path!r} is there already, and is no table", "BAD_REQUEST") from error


def _parquet(frame: pandas.DataFrame, path: str, before: bytes | None) -> bytes:
    pd = import_pandas("log_table")
    whole = frame if before is None else pd.concat([read_table(before, path), frame], ignore_index=True)
    target = io.BytesIO()
    try:
        whole.to_parquet(target, index=False)
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "Writing Parquet") from error
    return target.getvalue()


def _column(pd: Any, values: list[Any]) -> Any:
    return pd.Series(values, dtype="object" if any(isinstance(value, str) for value in values) else None)


def read_table(content: bytes, path: str) -> pandas.DataFrame:
    """The table that a file holds.

    Raises:
        OtflowError: it holds none.
        MissingExtraError: pandas or pyarrow is needed and not installed.
    """
    pd = import_pandas("load_table")
    if not path.endswith(".parquet"):
        split = _split(content, path)
        columns = zip(*split["data"], strict=True) if split["data"] else ((),) * len(split["columns"])
        # Texts stay objects: newer pandas would turn None into NaN among them.
        found = {name: _column(pd, list(values)) for name, values in zip(split["columns"], columns, strict=True)}
        return pd.DataFrame(found)
    try:
        return pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "Reading Parquet") from error
