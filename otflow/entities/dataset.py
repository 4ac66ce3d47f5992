"""The record of a dataset that a run used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otflow.entities.plain import PlainEntity

__all__ = ["Dataset", "DatasetInput", "InputTag"]


class Dataset(PlainEntity):
    """The record of a dataset: what it is, and where it comes from.

    Args:
        name: The name.
        digest: A hash of its content, short.
        source_type: The kind of its source, such as `"http"`.
        source: The source, as JSON text.
        schema: The schema, as JSON text.
        profile: Facts such as the number of rows, as JSON text.
    """

    _fields = ("digest", "name", "profile", "schema", "source", "source_type")

    def __init__(
        self,
        name: str,
        digest: str,
        source_type: str,
        source: str,
        schema: str | None = None,
        profile: str | None = None,
    ) -> None:
        self.name = name
        self.digest = digest
        self.source_type = source_type
        self.source = source
        self.schema = schema
        self.profile = profile

    def to_dictionary(self) -> dict[str, Any]:
        """The record as a dictionary."""
        return dict(self.__dict__)


class InputTag(PlainEntity):
    """A tag of a dataset as one run used it."""

    _fields = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class DatasetInput(PlainEntity):
    """A dataset as one run used it.

    Args:
        dataset: The record of the dataset.
        tags: What is said of this use; `mlflow.data.context` says what for.
    """

    _fields = ("dataset", "tags")

    def __init__(self, dataset: Dataset, tags: Sequence[InputTag] | None = None) -> None:
        self.dataset = dataset
        self.tags = list(tags or ())

    def to_dictionary(self) -> dict[str, Any]:
        """The use as a dictionary."""
        return {"dataset": self.dataset.to_dictionary(), "tags": {tag.key: tag.value for tag in self.tags}}
