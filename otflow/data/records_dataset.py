"""Datasets that are plain Python values: no package is needed. otflow's; MLflow has no such kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from otflow.data.canonical import is_missing
from otflow.data.dataset import Dataset
from otflow.data.dataset_source import DatasetSource
from otflow.data.dataset_source_registry import source_or_code
from otflow.data.digest_utils import ROWS, compute_rows_digest
from otflow.data.schema import ColSpec, Schema, UnknownTypeError, type_of_all
from otflow.errors import InvalidParameterError

__all__ = ["RecordsDataset", "from_dict"]

_logger = logging.getLogger("otflow")


class RecordsDataset(Dataset):
    """Records: dictionaries, one for each row.

    Args:
        records: The records.
        source: Where they come from.
        targets: The key of what is right.
        name: The name.
        digest: What stands for the content; computed by default.
        predictions: The key of what a model said.

    Raises:
        InvalidParameterError: something is not allowed, such as a key that is not there.
    """

    def __init__(
        self,
        records: Sequence[Mapping[str, Any]],
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        self._records = [dict(record) for record in records]
        self._keys = list(dict.fromkeys(key for record in self._records for key in record))
        for what, key in (("targets", targets), ("predictions", predictions)):
            if key is not None and key not in self._keys:
                raise InvalidParameterError(f"No record has the {what} {key!r}; there are: {self._keys}")
        self._targets = targets
        self._predictions = predictions
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return compute_rows_digest(sorted(self._keys), self._records[:ROWS], len(self._records))

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records."""
        return self._records

    @property
    def targets(self) -> str | None:
        """The key of what is right."""
        return self._targets

    @property
    def predictions(self) -> str | None:
        """The key of what a model said."""
        return self._predictions

    @property
    def profile(self) -> dict[str, int]:
        """The numbers of records and of values."""
        return {"num_rows": len(self._records), "num_elements": sum(len(record) for record in self._records)}

    @cached_property
    def schema(self) -> Schema[ColSpec] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The keys and the types of their values; None where values have none."""
        columns: list[ColSpec] = []
        for key in self._keys:
            values = [record.get(key) for record in self._records]
            try:
                columns.append(ColSpec(type_of_all(values), key, not any(map(is_missing, values))))
            except UnknownTypeError as error:
                _logger.warning("the dataset has no schema: %r: %s", key, error)
                return None
        return Schema(columns) if columns else None


def from_dict(
    data: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
    source: str | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> RecordsDataset:
    """A dataset of plain Python values; no package is needed.

    Args:
        data: Records, one dictionary for each; or columns, lists of the same length by their names.
        source: Where it comes from: a path, a URI, or a source; by default the program that runs.
        targets: The key of what is right.
        name: The name; `dataset` by default.
        digest: What stands for its content; computed by default, from the first 10,000 records, the number of all of
            them and their keys.
        predictions: The key of what a model said.

    Raises:
        InvalidParameterError: something is not allowed, such as columns of several lengths.
        NotFoundError: nothing is known of such sources.

    Example:
        >>> import otflow
        >>> sums = otflow.data.from_dict([{"q": "1 + 1?", "a": 2}, {"q": "2 + 2?", "a": 4}], targets="a")
        >>> sums.profile, sums.schema
        ({'num_rows': 2, 'num_elements': 4}, ['q': string (required), 'a': long (required)])
    """
    return RecordsDataset(_records(data), source_or_code(source), targets, name, digest, predictions)


def _records(data: Any) -> list[dict[str, Any]]:
    records: Any = data
    if isinstance(data, Mapping):
        columns = {key: list(_column(key, column)) for key, column in cast("Mapping[Any, Any]", data).items()}
        lengths = {key: len(column) for key, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidParameterError(f"columns must be of the same length; there are: {lengths}")
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    elif not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise InvalidParameterError(f"a list of dictionaries, or a dictionary of lists, is needed, not {data!r}")
    for record in records:
        if not isinstance(record, Mapping) or not all(
            isinstance(key, str) for key in cast("Mapping[Any, Any]", record)
        ):
            raise InvalidParameterError(f"a record must be a dictionary with texts as keys, not {record!r}")
    return records


def _column(key: object, column: Any) -> Sequence[Any]:
    if not isinstance(column, Sequence) or isinstance(column, str | bytes):
        raise InvalidParameterError(f"column {key!r} must be a list, not {column!r}")
    return cast("Sequence[Any]", column)
