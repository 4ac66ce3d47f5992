"""Datasets: what data was used, told without keeping it.

Everything is loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from otflow import entities
from otflow.errors import InvalidParameterError

if TYPE_CHECKING:
    from otflow.data.dataset import Dataset
    from otflow.data.dataset_source import DatasetSource
    from otflow.data.dataset_source_registry import get_dataset_source_from_json, get_registered_sources
    from otflow.data.elsewhere import from_spark, from_tensorflow, load_delta
    from otflow.data.huggingface_dataset import from_huggingface
    from otflow.data.numpy_dataset import from_numpy
    from otflow.data.pandas_dataset import from_pandas
    from otflow.data.polars_dataset import from_polars
    from otflow.data.records_dataset import from_dict

__all__ = [
    "Dataset",
    "DatasetSource",
    "from_dict",
    "from_huggingface",
    "from_numpy",
    "from_pandas",
    "from_polars",
    "from_spark",
    "from_tensorflow",
    "get_dataset_source_from_json",
    "get_registered_sources",
    "get_source",
    "load_delta",
]

_HOMES: Final[dict[str, str]] = {
    name: module
    for module, names in {
        "dataset": "Dataset",
        "dataset_source": "DatasetSource",
        "dataset_source_registry": "get_dataset_source_from_json get_registered_sources",
        "elsewhere": "from_spark from_tensorflow load_delta",
        "huggingface_dataset": "from_huggingface",
        "numpy_dataset": "from_numpy",
        "pandas_dataset": "from_pandas",
        "polars_dataset": "from_polars",
        "records_dataset": "from_dict",
    }.items()
    for name in names.split()
}


def get_source(dataset: Dataset | entities.Dataset | entities.DatasetInput) -> DatasetSource:
    """Where a dataset comes from.

    Args:
        dataset: A dataset, or the record of one that a run used.

    Raises:
        InvalidParameterError: it is something else.
        NotFoundError: nothing is known of such sources.

    Example:
        >>> import otflow
        >>> made = otflow.data.from_dict([{"x": 1}], source="https://example.com/x.json")
        >>> otflow.data.get_source(made).url
        'https://example.com/x.json'
    """
    from otflow.data.dataset import Dataset
    from otflow.data.dataset_source_registry import get_dataset_source_from_json

    record = dataset.dataset if isinstance(dataset, entities.DatasetInput) else dataset
    if isinstance(record, Dataset):
        return record.source
    if not isinstance(record, entities.Dataset):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(
            f"Unrecognized dataset type {type(dataset)}. Expected one of: `otflow.data.dataset.Dataset`,"
            " `otflow.entities.Dataset`, `otflow.entities.DatasetInput`."
        )
    return get_dataset_source_from_json(record.source, record.source_type)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is not None:
        value = globals()[name] = getattr(importlib.import_module(f"otflow.data.{home}"), name)
        return value
    if name.startswith(("from_", "load_")):
        from otflow.data.dataset_registry import registered

        if name in registered():
            return registered()[name]
    if not name.startswith("_"):
        try:
            return importlib.import_module(f"otflow.data.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"otflow.data.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
