"""Datasets of which only the source is known."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from otflow.data.dataset import Dataset, schema_json
from otflow.data.dataset_source import DatasetSource
from otflow.data.schema import Schema
from otflow.errors import InvalidParameterError

__all__ = ["MetaDataset"]


class MetaDataset(Dataset):
    """A dataset of which only the source is known, and perhaps the schema: nothing is read.

    Args:
        source: Where it is.
        name: The name; `dataset` by default.
        digest: What stands for its content; by default for the name, the source and the schema.
        schema: The names and types of its columns.

    Raises:
        InvalidParameterError: something is not allowed.
    """

    def __init__(
        self,
        source: DatasetSource,
        name: str | None = None,
        digest: str | None = None,
        schema: Schema[Any] | None = None,
    ) -> None:
        if not isinstance(source, DatasetSource):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"a source must be a DatasetSource, not {source!r}")
        self._name = name
        self._source = source
        self._schema = schema
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        told = [self.name, self._get_source_type(), self.source.to_json(), schema_json(self._schema)]
        return hashlib.md5(json.dumps(told).encode(), usedforsecurity=False).hexdigest()[:8]

    @property
    def schema(self) -> Schema[Any] | None:
        """The names and types of the columns, where they are known."""
        return self._schema

    def to_dict(self) -> dict[str, Any]:
        """The record of it."""
        told = super().to_dict()
        if told["schema"] is None:
            del told["schema"]
        return told
