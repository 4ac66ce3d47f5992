"""What the active run records: params, metrics, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow import clock
from otflow.client import Client
from otflow.client.async_logging import LogBatch, RunOperations, log_queue
from otflow.entities import Dataset as DatasetEntity
from otflow.entities import Metric, Param, RunTag
from otflow.errors import InvalidParameterError
from otflow.tracking.active_model import get_active_model_id
from otflow.tracking.runs import active_or_new

if TYPE_CHECKING:
    from otflow.data.dataset import Dataset

__all__ = [
    "delete_tag",
    "flush_async_logging",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "set_tag",
    "set_tags",
]


def log_param(key: str, value: Any, synchronous: bool | None = None) -> Any:
    """Record a parameter of the active run; where none is active, one is started.

    Args:
        key: The name.
        value: The value; what is no string is kept as one.
        synchronous: Whether to wait until it is stored; by default what `ENABLE_ASYNC_LOGGING` says.

    Returns:
        The value; with `synchronous=False` what can be waited for.

    Raises:
        InvalidParameterError: the name is not allowed, or the parameter has another value already.

    Example:
        >>> import otflow
        >>> with otflow.start_run():
        ...     otflow.log_param("temperature", 0.2)
        0.2
    """
    operations = _log(None, LogBatch(params=[Param(key, str(value))]), synchronous)
    return value if operations is None else operations


def log_params(
    params: dict[str, Any], synchronous: bool | None = None, run_id: str | None = None
) -> RunOperations | None:
    """Record parameters, all of them or none.

    Args:
        params: Names and values.
        synchronous: Whether to wait until they are stored.
        run_id: The run; the active one by default.

    Raises:
        InvalidParameterError: a name is not allowed, or a parameter has another value already.
        NotFoundError: no such run.
    """
    batch = LogBatch(params=[Param(key, str(value)) for key, value in _items(params, "params")])
    return _log(run_id, batch, synchronous)


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    synchronous: bool | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
    dataset: Dataset | DatasetEntity | None = None,
) -> RunOperations | None:
    """Record one point of a metric.

    Args:
        key: The name.
        value: The value; NaN is kept, infinities become the largest float.
        step: The step; 0 by default.
        synchronous: Whether to wait until it is stored.
        timestamp: Unix time in milliseconds; now by default.
        run_id: The run; the active one by default, and where none is active a new one.
        model_id: The logged model that it is about; the active one by default, else those that the run has made.
        dataset: What it was measured on.

    Raises:
        InvalidParameterError: the name or a number is not allowed.
        NotFoundError: no such run, or no such model.

    Example:
        >>> import otflow
        >>> with otflow.start_run() as run:
        ...     for step in range(3):
        ...         otflow.log_metric("loss", 1 / (step + 1), step=step)
        >>> otflow.get_run(run.info.run_id).data.metrics
        {'loss': 0.3333333333333333}
    """
    return log_metrics({key: value}, step, synchronous, run_id, timestamp, model_id, dataset)


def log_metrics(
    metrics: dict[str, float],
    step: int | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
    model_id: str | None = None,
    dataset: Dataset | DatasetEntity | None = None,
) -> RunOperations | None:
    """Record one point of each of several metrics, all of them or none; see `log_metric`.

    Args:
        metrics: Names and values.
        step: The step of all of them.
        synchronous: Whether to wait until they are stored.
        run_id: The run.
        timestamp: Unix time in milliseconds.
        model_id: The logged model that they are about.
        dataset: What they were measured on.

    Raises:
        InvalidParameterError: a name or a number is not allowed.
        NotFoundError: no such run, or no such model.
    """
    now = timestamp if timestamp is not None else clock.now_ms()
    at = step if step is not None else 0
    model = model_id or get_active_model_id()
    name, digest = (None, None) if dataset is None else (dataset.name, dataset.digest)
    points = [Metric(key, value, now, at, model, name, digest) for key, value in _items(metrics, "metrics")]
    return _log(run_id, LogBatch(points), synchronous)


def set_tag(key: str, value: Any, synchronous: bool | None = None) -> RunOperations | None:
    """Set a tag of the active run; where none is active, one is started.

    Args:
        key: The name.
        value: The value; what is no string is kept as one.
        synchronous: Whether to wait until it is stored.

    Raises:
        InvalidParameterError: the name is not allowed.
    """
    return _log(None, LogBatch(tags=[RunTag(key, str(value))]), synchronous)


def set_tags(tags: dict[str, Any], synchronous: bool | None = None) -> RunOperations | None:
    """Set tags of the active run, all of them or none; see `set_tag`.

    Args:
        tags: Names and values; what is no string is kept as one.
        synchronous: Whether to wait until they are set; by default as the setting `ENABLE_ASYNC_LOGGING` says.
    """
    return _log(None, LogBatch(tags=[RunTag(key, str(value)) for key, value in _items(tags, "tags")]), synchronous)


def delete_tag(key: str) -> None:
    """Delete a tag of the active run.

    Args:
        key: The name of the tag.

    Raises:
        NotFoundError: the run has no such tag.
    """
    scope = active_or_new()
    Client(scope.uri).delete_tag(scope.id, key)


def flush_async_logging() -> None:
    """Wait until all that was logged with `synchronous=False` is stored, or has failed."""
    log_queue.flush()


def _log(run_id: str | None, batch: LogBatch, synchronous: bool | None) -> RunOperations | None:
    if run_id is not None:
        return Client().log(run_id, batch, synchronous, link_models=True)
    scope = active_or_new()
    return Client(scope.uri).log(scope.id, batch, synchronous, link_models=True)


def _items(values: Any, what: str) -> Any:
    try:
        return values.items()
    except AttributeError:
        raise InvalidParameterError(f"{what} must be a dictionary, not {values!r}") from None
