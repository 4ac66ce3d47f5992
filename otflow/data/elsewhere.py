"""Datasets of Spark, Delta and TensorFlow: what to do in their place."""

from __future__ import annotations

from typing import Any, NoReturn

from otflow.errors import InvalidParameterError, OtflowError

__all__ = ["from_spark", "from_tensorflow", "load_delta"]


def _not_there(name: str, instead: str) -> NoReturn:
    raise OtflowError(f"otflow.data.{name} is not available: {instead}", "NOT_IMPLEMENTED")


def from_spark(
    df: Any,  # noqa: ARG001
    path: str | None = None,  # noqa: ARG001
    table_name: str | None = None,  # noqa: ARG001
    version: str | None = None,  # noqa: ARG001
    sql: str | None = None,  # noqa: ARG001
    targets: str | None = None,  # noqa: ARG001
    name: str | None = None,  # noqa: ARG001
    digest: str | None = None,  # noqa: ARG001
    predictions: str | None = None,  # noqa: ARG001
) -> NoReturn:
    """Not available: give `df.toPandas()` to `from_pandas`.

    Raises:
        OtflowError: always (NOT_IMPLEMENTED).
    """
    _not_there(
        "from_spark",
        "otflow does not run Spark; give df.toPandas() to otflow.data.from_pandas, with "
        "source=otflow.data.spark_dataset_source.SparkDatasetSource(…) to say where it comes from",
    )


def load_delta(
    path: str | None = None,
    table_name: str | None = None,
    version: str | None = None,  # noqa: ARG001
    targets: str | None = None,  # noqa: ARG001
    name: str | None = None,  # noqa: ARG001
    digest: str | None = None,  # noqa: ARG001
) -> NoReturn:
    """Not available: give the table as a data frame to `from_pandas`.

    Raises:
        InvalidParameterError: not one of `path` and `table_name` is given.
        OtflowError: always else (NOT_IMPLEMENTED).
    """
    if (path is None) == (table_name is None):
        raise InvalidParameterError("Must specify exactly one of `table_name` or `path`.")
    _not_there(
        "load_delta",
        "otflow does not run Spark; give the table as a data frame to otflow.data.from_pandas, with "
        "source=otflow.data.delta_dataset_source.DeltaDatasetSource(…) to say where it comes from",
    )


def from_tensorflow(
    features: Any,  # noqa: ARG001
    source: Any = None,  # noqa: ARG001
    targets: Any = None,  # noqa: ARG001
    name: str | None = None,  # noqa: ARG001
    digest: str | None = None,  # noqa: ARG001
) -> NoReturn:
    """Not available: give `tensor.numpy()` to `from_numpy`.

    Raises:
        OtflowError: always (NOT_IMPLEMENTED).
    """
    _not_there("from_tensorflow", "give tensor.numpy() to otflow.data.from_numpy")
