"""Datasets that are arrays of numpy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from otflow.data.dataset import Dataset
from otflow.data.dataset_source import DatasetSource
from otflow.data.dataset_source_registry import source_or_code
from otflow.data.digest_utils import compute_numpy_digest
from otflow.data.schema import Schema, TensorDatasetSchema, TensorSpec
from otflow.errors import InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    import numpy

__all__ = ["NumpyDataset", "from_numpy"]

_logger = logging.getLogger("otflow")


class NumpyDataset(Dataset):
    """Arrays of numpy.

    Args:
        features: What a model is given: an array, or several by their names.
        source: Where it comes from.
        targets: What is right: such too.
        name: The name.
        digest: What stands for its content; computed by default.
    """

    def __init__(
        self,
        features: numpy.ndarray[Any, Any] | dict[str, numpy.ndarray[Any, Any]],
        source: DatasetSource,
        targets: numpy.ndarray[Any, Any] | dict[str, numpy.ndarray[Any, Any]] | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        self._features = features
        self._targets = targets
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return compute_numpy_digest(self._features, self._targets)

    @property
    def features(self) -> Any:
        """What a model is given."""
        return self._features

    @property
    def targets(self) -> Any | None:
        """What is right."""
        return self._targets

    @property
    def profile(self) -> dict[str, Any]:
        """Shapes, numbers of items and of bytes."""
        return {
            f"{what}_{name}": _each(part, measure)
            for what, part in (("features", self._features), ("targets", self._targets))
            if part is not None
            for name, measure in _MEASURES.items()
        }

    @cached_property
    def schema(self) -> TensorDatasetSchema | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What the arrays hold, and their shapes but for the first length; None where an array has no length."""
        parts = [_specs(part) for part in (self._features, self._targets) if part is not None]
        if any(spec is None for spec in parts):
            _logger.warning("the dataset has no schema: an array without dimensions")
            return None
        return TensorDatasetSchema(*parts)  # pyright: ignore[reportArgumentType]


_MEASURES: dict[str, Callable[[Any], Any]] = {
    "shape": lambda array: array.shape,
    "size": lambda array: int(array.size),
    "nbytes": lambda array: int(array.nbytes),
}


def _each(part: Any, measure: Callable[[Any], Any]) -> Any:
    if isinstance(part, Mapping):
        return {key: measure(array) for key, array in cast("Mapping[str, Any]", part).items()}
    return measure(part)


def _specs(part: Any) -> Schema[TensorSpec] | None:
    named: Any = [(None, part)]
    if isinstance(part, Mapping):
        named = cast("Mapping[str, Any]", part).items()
    if any(array.ndim == 0 for _, array in named):
        return None
    return Schema([TensorSpec(array.dtype, (-1, *array.shape[1:]), name) for name, array in named])


def from_numpy(
    features: numpy.ndarray[Any, Any] | dict[str, numpy.ndarray[Any, Any]],
    source: str | DatasetSource | None = None,
    targets: numpy.ndarray[Any, Any] | dict[str, numpy.ndarray[Any, Any]] | None = None,
    name: str | None = None,
    digest: str | None = None,
) -> NumpyDataset:
    """A dataset of arrays of numpy.

    Args:
        features: What a model is given: an array, or several by their names.
        source: Where it comes from: a path, a URI, or a source; by default the program that runs.
        targets: What is right: such too.
        name: The name; `dataset` by default.
        digest: What stands for its content; computed by default, from the first 10,000 items of each array and its
            shape.

    Raises:
        InvalidParameterError: something is no array.
        NotFoundError: nothing is known of such sources.
        MissingExtraError: pandas is not installed.

    Example:
        >>> import numpy, otflow
        >>> otflow.data.from_numpy(numpy.zeros((2, 3)), targets=numpy.zeros(2)).profile["features_shape"]
        (2, 3)
    """
    try:
        import numpy
        import pandas as _  # noqa: F401 - its hashes are the digest
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas", "otflow.data.from_numpy") from error
    for what, part in (("features", features), ("targets", targets)):
        if part is None and what == "targets":
            continue
        arrays: list[Any] = list(part.values()) if isinstance(part, Mapping) else [part]
        wrong = next((array for array in arrays if not isinstance(array, numpy.ndarray)), None)
        if wrong is not None or part is None or not arrays:
            raise InvalidParameterError(
                f"`{what}` must be a numpy.ndarray, or a dictionary of them, not {type(part).__name__}"
            )
    return NumpyDataset(features, source_or_code(source), targets, name, digest)
