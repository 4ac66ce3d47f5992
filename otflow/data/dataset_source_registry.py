"""The kinds of sources that are known, and which of them a caller means."""

# The names of what a kind of source brings are MLflow's.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import importlib.metadata
import logging
import threading
import warnings
from collections.abc import Sequence
from typing import Any, Final

from otflow.data.artifact_dataset_sources import ARTIFACT_SOURCES
from otflow.data.code_dataset_source import CodeDatasetSource
from otflow.data.dataset_source import DatasetSource
from otflow.data.delta_dataset_source import DeltaDatasetSource
from otflow.data.http_dataset_source import HTTPDatasetSource
from otflow.data.huggingface_dataset_source import HuggingFaceDatasetSource
from otflow.data.spark_dataset_source import SparkDatasetSource
from otflow.data.uc_volume_dataset_source import UCVolumeDatasetSource
from otflow.errors import NotFoundError

__all__ = [
    "DatasetSourceRegistry",
    "get_dataset_source_from_json",
    "get_registered_sources",
    "register_dataset_source",
    "resolve_dataset_source",
    "source_or_code",
]

_GROUPS: Final = ("otflow.dataset_sources", "mlflow.dataset_source")
_logger = logging.getLogger("otflow")


class DatasetSourceRegistry:
    """Kinds of sources; of several that take the same source, the one that was registered last is meant."""

    def __init__(self) -> None:
        self.sources: list[type[DatasetSource]] = []

    def register(self, source: type[DatasetSource]) -> None:
        """Make a kind known."""
        self.sources.append(source)

    def register_entrypoints(self) -> None:
        """Make known what installed packages offer under `otflow.dataset_sources` and `mlflow.dataset_source`."""
        for group in _GROUPS:
            for entry in importlib.metadata.entry_points(group=group):
                try:
                    self.register(entry.load())
                except Exception as error:
                    _logger.warning("the dataset source %r cannot be loaded: %s", entry.value, error)

    def resolve(self, raw_source: Any, candidate_sources: Sequence[type[DatasetSource]] | None = None) -> DatasetSource:
        """The source that is meant.

        Args:
            raw_source: What a caller gave, such as a path or a URL.
            candidate_sources: The kinds that come into question; by default all.

        Raises:
            NotFoundError: none of them takes it.
        """
        candidates = tuple(candidate_sources or ())
        found = [
            kind
            for kind in reversed(self.sources)
            if (not candidates or issubclass(kind, candidates)) and kind._can_resolve(raw_source)
        ]
        if not found:
            raise NotFoundError(
                f"Could not find a source information resolver for the specified dataset source: {raw_source}."
            )
        if len(found) > 1:
            warnings.warn(
                f"The specified dataset source can be interpreted in multiple ways: "
                f"{', '.join(kind.__name__ for kind in found)}. {found[0].__name__} is assumed.",
                stacklevel=2,
            )
        return found[0]._resolve(raw_source)

    def get_source_from_json(self, source_json: str, source_type: str) -> DatasetSource:
        """The source that a record describes.

        Args:
            source_json: The JSON text.
            source_type: The kind.

        Raises:
            NotFoundError: the kind is not known.
        """
        for kind in reversed(self.sources):
            if kind._get_source_type() == source_type:
                return kind.from_json(source_json)
        raise NotFoundError(f"Could not parse dataset source from JSON due to unrecognized source type: {source_type}.")


_registry: DatasetSourceRegistry | None = None
_lock: Final = threading.Lock()


def _known() -> DatasetSourceRegistry:
    global _registry
    with _lock:
        if _registry is None:
            made = DatasetSourceRegistry()
            for kind in (
                *ARTIFACT_SOURCES,
                HTTPDatasetSource,
                HuggingFaceDatasetSource,
                SparkDatasetSource,
                DeltaDatasetSource,
                CodeDatasetSource,
                UCVolumeDatasetSource,
            ):
                made.register(kind)
            made.register_entrypoints()
            _registry = made
        return _registry


def register_dataset_source(source: type[DatasetSource]) -> None:
    """Make a kind of source known, so that `source=` and `get_source` find it.

    Args:
        source: The class.
    """
    _known().register(source)


def resolve_dataset_source(
    raw_source: Any, candidate_sources: Sequence[type[DatasetSource]] | None = None
) -> DatasetSource:
    """The source that is meant.

    Args:
        raw_source: What a caller gave, such as a path or a URL.
        candidate_sources: The kinds that come into question; by default all.

    Raises:
        NotFoundError: none of them takes it.
    """
    return _known().resolve(raw_source, candidate_sources)


def get_dataset_source_from_json(source_json: str, source_type: str) -> DatasetSource:
    """The source that a record describes.

    Args:
        source_json: The JSON text.
        source_type: The kind.

    Raises:
        NotFoundError: the kind is not known.
    """
    return _known().get_source_from_json(source_json, source_type)


def get_registered_sources() -> list[type[DatasetSource]]:
    """The kinds of sources that are known."""
    return list(_known().sources)


def source_or_code(source: Any) -> DatasetSource:
    """The source of a new dataset.

    Args:
        source: A source; what means one; None for the program that runs.
    """
    if isinstance(source, DatasetSource) or hasattr(source, "_get_source_type"):  # MLflow's own are as good
        return source
    return CodeDatasetSource() if source is None else resolve_dataset_source(source)
