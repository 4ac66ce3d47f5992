"""Datasets of Hugging Face's package `datasets`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from otflow.data.dataset import Dataset
from otflow.data.dataset_source import DatasetSource
from otflow.data.dataset_source_registry import source_or_code
from otflow.data.digest_utils import ROWS, compute_pandas_digest
from otflow.data.huggingface_dataset_source import HuggingFaceDatasetSource
from otflow.data.pandas_dataset import frame_schema
from otflow.data.schema import ColSpec, Schema
from otflow.errors import InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    import datasets  # pyright: ignore[reportMissingTypeStubs]
    import pandas

__all__ = ["HuggingFaceDataset", "from_huggingface"]

_logger = logging.getLogger("otflow")


class HuggingFaceDataset(Dataset):
    """A dataset of Hugging Face's `datasets`.

    Args:
        ds: The dataset.
        source: Where it comes from.
        targets: The column that holds what is right.
        name: The name.
        digest: What stands for its content; computed by default.

    Raises:
        InvalidParameterError: something is not allowed, such as a column that is not there.
    """

    def __init__(
        self,
        ds: datasets.Dataset,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        if targets is not None and targets not in ds.column_names:
            raise InvalidParameterError(
                f"The specified Hugging Face dataset does not contain the specified targets column '{targets}'."
            )
        self._ds = ds
        self._targets = targets
        super().__init__(source, name, digest)

    @cached_property
    def _head(self) -> pandas.DataFrame:
        ds: Any = self._ds
        return ds.with_format(None).select(range(min(ROWS, ds.num_rows))).to_pandas()

    def _compute_digest(self) -> str:
        return compute_pandas_digest(self._head, self._ds.num_rows)

    @property
    def ds(self) -> datasets.Dataset:
        """The dataset of Hugging Face."""
        return self._ds

    @property
    def targets(self) -> str | None:
        """The column that holds what is right."""
        return self._targets

    @property
    def profile(self) -> dict[str, Any]:
        """The number of rows; the sizes in bytes, where Hugging Face knows them."""
        return {
            "num_rows": self._ds.num_rows,
            "dataset_size": self._ds.dataset_size,
            "size_in_bytes": self._ds.size_in_bytes,
        }

    @cached_property
    def schema(self) -> Schema[ColSpec] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The names and types of the columns, as the first rows show them; None where a column has none."""
        return frame_schema(self._head)


def from_huggingface(
    ds: Any,
    path: str | None = None,
    targets: str | None = None,
    data_dir: str | None = None,
    data_files: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
    revision: Any = None,
    name: str | None = None,
    digest: str | None = None,
    trust_remote_code: bool | None = None,
    source: str | DatasetSource | None = None,
) -> HuggingFaceDataset:
    """A dataset of a `datasets.Dataset`.

    Args:
        ds: The dataset; of a `DatasetDict`, one of its splits.
        path: What `datasets.load_dataset` was called with, where it was: the name on the hub.
        targets: The column that holds what is right.
        data_dir: As `path`: the directory.
        data_files: As `path`: the files.
        revision: As `path`: the version.
        name: The name; `dataset` by default.
        digest: What stands for its content; computed by default, from the first 10,000 rows, the number of all of
            them and the names of the columns.
        trust_remote_code: As `path`: whether code that comes with the dataset may run.
        source: Where it comes from, where that is not the hub: a path, a URI, or a source; by default the hub where
            `path` is given, else the program that runs.

    Raises:
        InvalidParameterError: something is not allowed, such as a column that is not there.
        NotFoundError: nothing is known of such sources.
        MissingExtraError: a package is not installed.
    """
    try:
        import datasets  # pyright: ignore[reportMissingTypeStubs]
        import pandas as _  # noqa: F401 - its hashes are the digest
    except ImportError as error:
        raise MissingExtraError("datasets", "huggingface", "otflow.data.from_huggingface") from error
    if not isinstance(ds, datasets.Dataset):
        raise InvalidParameterError(
            "The specified Hugging Face dataset must be an instance of `datasets.Dataset`."
            f" Instead, found an instance of: {type(ds)}"
        )
    origin: Any = source
    if source is not None and path is not None:
        _logger.warning("from_huggingface was given both `source` and `path`: `path` is left out")
    elif path is not None:
        origin = HuggingFaceDatasetSource(
            path, ds.config_name, data_dir, data_files, ds.split, revision, trust_remote_code
        )
    return HuggingFaceDataset(ds, source_or_code(origin), targets, name, digest)
