"""What every kind of dataset has."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from otflow import entities
from otflow.data.dataset_source import DatasetSource
from otflow.data.schema import Schema, TensorDatasetSchema
from otflow.errors import InvalidParameterError

__all__ = ["Dataset"]


class Dataset(ABC):
    """A dataset: a name, a digest of its content, its schema, a few numbers, and where it comes from.

    Args:
        source: Where it comes from.
        name: The name; `dataset` by default.
        digest: What stands for its content; computed by default.
    """

    def __init__(self, source: DatasetSource, name: str | None = None, digest: str | None = None) -> None:
        for what, given in (("name", name), ("digest", digest)):
            if not isinstance(given, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidParameterError(f"the {what} of a dataset must be a text, not {given!r}")
        self._name = name
        self._source = source
        self._digest = digest or self._compute_digest()

    @abstractmethod
    def _compute_digest(self) -> str:
        """What stands for the content."""

    @property
    def name(self) -> str:
        """The name."""
        return "dataset" if self._name is None else self._name

    @property
    def digest(self) -> str:
        """What stands for the content: the same for the same content."""
        return self._digest

    @property
    def source(self) -> DatasetSource:
        """Where it comes from."""
        return self._source

    @property
    def profile(self) -> Any | None:
        """A few numbers, such as that of the rows."""
        return None

    @property
    def schema(self) -> Any | None:
        """The names and types of the columns; None where there are none to be told."""
        return None

    def _get_source_type(self) -> str:
        return self.source._get_source_type()  # pyright: ignore[reportPrivateUsage]

    def to_dict(self) -> dict[str, Any]:
        """The record of it: all texts, as JSON where they are not plain."""
        told: dict[str, Any] = {
            "name": self.name,
            "digest": self.digest,
            "source": self.source.to_json(),
            "source_type": self._get_source_type(),
        }
        if type(self).schema is not Dataset.schema:
            told["schema"] = schema_json(self.schema)
        if type(self).profile is not Dataset.profile:
            told["profile"] = None if self.profile is None else json.dumps(self.profile)
        return told

    def to_json(self) -> str:
        """The record of it as JSON text."""
        return json.dumps(self.to_dict())

    def _to_mlflow_entity(self) -> entities.Dataset:
        """The record of it, as a run keeps it."""
        told = self.to_dict()
        return entities.Dataset(
            name=told["name"],
            digest=told["digest"],
            source_type=told["source_type"],
            source=told["source"],
            schema=told.get("schema"),
            profile=told.get("profile"),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, digest={self.digest!r}, profile={self.profile!r})"


def schema_json(schema: Schema[Any] | TensorDatasetSchema | None) -> str | None:
    """A schema as the record of a dataset has it."""
    if isinstance(schema, Schema):
        return json.dumps({"mlflow_colspec": json.loads(schema.to_json())})
    return None if schema is None else json.dumps(schema.to_dict())
