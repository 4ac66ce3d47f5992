"""The functions that make datasets, those of other packages among them."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import threading
import typing
from collections.abc import Callable
from typing import Any, Final

from otflow.data.dataset import Dataset
from otflow.errors import InvalidParameterError

__all__ = ["get_registered_constructors", "register_constructor"]

_GROUPS: Final = ("otflow.dataset_constructors", "mlflow.dataset_constructor")
_OURS: Final = {
    "from_pandas": "pandas_dataset",
    "from_numpy": "numpy_dataset",
    "from_huggingface": "huggingface_dataset",
    "from_polars": "polars_dataset",
    "from_dict": "records_dataset",
    "from_spark": "elsewhere",
    "from_tensorflow": "elsewhere",
    "load_delta": "elsewhere",
}
_logger = logging.getLogger("otflow")
_theirs: dict[str, Callable[..., Dataset]] = {}
_lock: Final = threading.Lock()
_entered = False


def register_constructor(constructor_fn: Callable[..., Dataset], constructor_name: str | None = None) -> str:
    """Make a function known that makes datasets; `otflow.data` has it from then on.

    Args:
        constructor_fn: The function; it says that it returns a `Dataset`, and takes `name` and `digest`.
        constructor_name: Its name, which begins with `from_` or `load_`; by default the function's own.

    Returns:
        The name.

    Raises:
        InvalidParameterError: something is not allowed.
    """
    name = constructor_name or constructor_fn.__name__
    if not name.startswith(("load_", "from_")):
        raise InvalidParameterError(
            f"Invalid dataset constructor name: {name}. Constructor name must start with 'load_' or 'from_'."
        )
    if not {"name", "digest"} <= set(inspect.signature(constructor_fn).parameters):
        raise InvalidParameterError(
            f"Invalid dataset constructor function: {constructor_fn.__name__}. It must take `name` and `digest`."
        )
    if not _makes_dataset(constructor_fn):
        raise InvalidParameterError(
            f"Invalid dataset constructor function: {constructor_fn.__name__}. Function must have a return type"
            " annotation that is a subclass of otflow.data.dataset.Dataset."
        )
    _theirs[name] = constructor_fn
    return name


def _makes_dataset(function: Callable[..., Any]) -> bool:
    try:
        found = typing.get_type_hints(function).get("return")
    except NameError:  # a name that only type checkers know
        return False
    return isinstance(found, type) and issubclass(found, Dataset)


def get_registered_constructors() -> dict[str, Callable[..., Any]]:
    """The functions that make datasets, by their names."""
    ours = {name: getattr(importlib.import_module(f"otflow.data.{module}"), name) for name, module in _OURS.items()}
    return {**ours, **registered()}


def registered() -> dict[str, Callable[..., Dataset]]:
    """Those of other packages."""
    global _entered
    with _lock:
        if not _entered:
            _entered = True
            for group in _GROUPS:
                for entry in importlib.metadata.entry_points(group=group):
                    try:
                        register_constructor(entry.load(), entry.name)
                    except Exception as error:
                        _logger.warning("the dataset constructor %r cannot be loaded: %s", entry.value, error)
        return _theirs
