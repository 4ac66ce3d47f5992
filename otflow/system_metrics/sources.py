"""What can be measured of a machine: each source gives numbers by name, in megabytes (10⁶ bytes), percent and watts."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from otflow.errors import MissingExtraError

__all__ = ["Source", "check", "sources"]

_logger = logging.getLogger("otflow")

Source = Callable[[], Mapping[str, float]]
"""One look at one thing."""

_MB: Final = 1e6


def check() -> None:
    """Whether system metrics can be measured here.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    _psutil()


def sources() -> list[Source]:
    """What there is to measure on this machine, from now on.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    psutil = _psutil()
    return [_cpu(psutil), _memory(psutil), _disk(psutil), _network(psutil), *_gpus()]


def _psutil() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise MissingExtraError("psutil", "system-metrics", "Logging system metrics") from error
    return psutil


def _cpu(psutil: Any) -> Source:
    psutil.cpu_percent()  # the first call measures nothing: the second one, since the first
    return lambda: {"cpu_utilization_percentage": psutil.cpu_percent()}


def _memory(psutil: Any) -> Source:
    def look() -> Mapping[str, float]:
        memory = psutil.virtual_memory()
        return {
            "system_memory_usage_megabytes": memory.used / _MB,
            "system_memory_usage_percentage": memory.used / memory.total * 100,
        }

    return look


def _disk(psutil: Any) -> Source:
    def look() -> Mapping[str, float]:
        disk = psutil.disk_usage(os.sep)
        return {
            "disk_usage_percentage": disk.percent,
            "disk_usage_megabytes": disk.used / _MB,
            "disk_available_megabytes": disk.free / _MB,
        }

    return look


def _network(psutil: Any) -> Source:
    """What came and went since the beginning."""
    first = psutil.net_io_counters()

    def look() -> Mapping[str, float]:
        now = psutil.net_io_counters()
        if first is None or now is None:  # a machine without a network
            return {}
        return {
            "network_receive_megabytes": (now.bytes_recv - first.bytes_recv) / _MB,
            "network_transmit_megabytes": (now.bytes_sent - first.bytes_sent) / _MB,
        }

    return look


def _gpus() -> list[Source]:
    """A source for each GPU of NVIDIA; none where there is no such GPU, or no way to ask it."""
    try:
        import pynvml  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        return []
    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
        return [_gpu(nvml, index, nvml.nvmlDeviceGetHandleByIndex(index)) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError as error:
        _logger.debug("GPUs are not measured: %s", error)
        return []


def _gpu(nvml: Any, index: int, handle: Any) -> Source:
    def look() -> Mapping[str, float]:
        found: dict[str, float] = {}
        for part in (_gpu_memory, _gpu_use, _gpu_power):
            try:
                found.update(part(nvml, handle))
            except nvml.NVMLError as error:  # not every GPU can be asked everything
                _logger.debug("GPU %d: %s", index, error)
        return {f"gpu_{index}_{name}": value for name, value in found.items()}

    return look


def _gpu_memory(nvml: Any, handle: Any) -> Mapping[str, float]:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return {
        "memory_usage_percentage": memory.used / memory.total * 100,
        "memory_usage_megabytes": memory.used / _MB,
    }


def _gpu_use(nvml: Any, handle: Any) -> Mapping[str, float]:
    return {"utilization_percentage": nvml.nvmlDeviceGetUtilizationRates(handle).gpu}


def _gpu_power(nvml: Any, handle: Any) -> Mapping[str, float]:
    used, allowed = nvml.nvmlDeviceGetPowerUsage(handle), nvml.nvmlDeviceGetEnforcedPowerLimit(handle)
    return {"power_usage_watts": used / 1000, "power_usage_percentage": used / allowed * 100}
