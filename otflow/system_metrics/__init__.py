"""What the machine does while a run is active: processor, memory, disk, network, GPUs, as metrics of that run.

Needs psutil (`pip install 'otflow[system-metrics]'`); GPUs of NVIDIA also need nvidia-ml-py (`otflow[gpu]`).
"""

from __future__ import annotations

from otflow import config
from otflow.errors import InvalidParameterError

__all__ = [
    "disable_system_metrics_logging",
    "enable_system_metrics_logging",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
]


def enable_system_metrics_logging() -> None:
    """Let runs that start from now on record system metrics, where `start_run(log_system_metrics=False)` does not."""
    config.ENABLE_SYSTEM_METRICS_LOGGING.export("true")


def disable_system_metrics_logging() -> None:
    """Let runs that start from now on record no system metrics, where `start_run(log_system_metrics=True)` does not."""
    config.ENABLE_SYSTEM_METRICS_LOGGING.export("false")


def set_system_metrics_sampling_interval(interval: float | None) -> None:
    """Set how often system metrics are looked at.

    Args:
        interval: Seconds, more than 0; None for the default, 10.

    Raises:
        InvalidParameterError: it is no such number.

    Example:
        >>> import otflow
        >>> otflow.set_system_metrics_sampling_interval(1)
    """
    _export(config.SYSTEM_METRICS_SAMPLING_INTERVAL, interval, "interval")


def set_system_metrics_samples_before_logging(samples: int | None) -> None:
    """Set how many looks at the system metrics make one point, which is their mean.

    Args:
        samples: A whole number, 1 or more; None for the default, 1.

    Raises:
        InvalidParameterError: it is no such number.
    """
    _export(config.SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING, samples, "samples")


def set_system_metrics_node_id(node_id: str | None) -> None:
    """Name this machine, where one run is spread over several: metrics read `system/<node id>/…`.

    Args:
        node_id: The name; None for none.
    """
    config.SYSTEM_METRICS_NODE_ID.export(None if node_id is None else str(node_id))


def _export(setting: config.Setting[float] | config.Setting[int], value: float | None, argument: str) -> None:
    if value is not None and not _allowed(setting, value):
        raise InvalidParameterError(f"{argument} must be {setting.kind.name}, not {value!r}")
    setting.export(None if value is None else str(value))


def _allowed(setting: config.Setting[float] | config.Setting[int], value: object) -> bool:
    try:
        setting.kind.parse(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)
