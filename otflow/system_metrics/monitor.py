"""The thread that looks at the machine while a run is active."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Final

from otflow import clock, config, context
from otflow.entities import Metric
from otflow.system_metrics.sources import Source, check, sources

__all__ = ["SystemMetricsMonitor", "start", "wanted"]

_logger = logging.getLogger("otflow")

_FIRST: Final = "cpu_utilization_percentage"
_LAST_WORD_S: Final = 2.0
"""How long the end of a run waits for the last point to be written."""


def wanted(log_system_metrics: bool | None) -> bool:
    """Whether a run records system metrics: the argument of `start_run`, else the setting.

    Raises:
        MissingExtraError: it does, and cannot.
    """
    asked = config.ENABLE_SYSTEM_METRICS_LOGGING.get() if log_system_metrics is None else log_system_metrics
    if asked:
        check()
    return asked


def start(run_id: str, uri: str, *, resumed: bool = False) -> SystemMetricsMonitor:
    """Record system metrics of a run until `stop` is called.

    Args:
        run_id: The run.
        uri: The store that it is in.
        resumed: Whether it may have system metrics already; their steps go on then.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    monitor = SystemMetricsMonitor(run_id, uri, sources(), resumed=resumed)
    monitor.start()
    return monitor


class SystemMetricsMonitor(threading.Thread):
    """Looks at the machine every so often; every so many looks make a point, their mean.

    A daemon: it never keeps a process alive. A look or a write that fails is logged, the first time, and left out.

    Args:
        run_id: The run.
        uri: The store that it is in.
        sources: What is looked at.
        resumed: Whether the run may have points already.
    """

    def __init__(self, run_id: str, uri: str, sources: Sequence[Source], *, resumed: bool = False) -> None:
        super().__init__(name="otflow-system-metrics", daemon=True)
        self._run_id = run_id
        self._uri = uri
        self._sources = sources
        self._resumed = resumed
        self._interval_s = config.SYSTEM_METRICS_SAMPLING_INTERVAL.get()
        self._looks = config.SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING.get()
        node = config.SYSTEM_METRICS_NODE_ID.get()
        self._prefix = f"system/{node}/" if node else "system/"
        self._step: int | None = None
        self._over = threading.Event()
        self._failed = False

    def run(self) -> None:
        """Look until `stop` is called."""
        seen: list[Mapping[str, float]] = []
        while not self._over.wait(self._interval_s):
            seen.append(self._look())
            if len(seen) >= self._looks:
                self._write(seen)
                seen = []
        if seen:
            self._write(seen)

    def stop(self) -> None:
        """End it, once what was seen is written; a store that hangs is not waited for."""
        self._over.set()
        if self.is_alive():
            self.join(_LAST_WORD_S)

    def _look(self) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for source in self._sources:
            try:
                found.update(source())
            except Exception as error:  # what a machine can raise here is not known
                self._tell("looking at the machine", error)
        return found

    def _write(self, seen: Sequence[Mapping[str, float]]) -> None:
        values: dict[str, list[float]] = {}
        for one in seen:
            for name, value in one.items():
                values.setdefault(name, []).append(value)
        now = clock.now_ms()
        try:
            store = context.store(self._uri)
            if self._step is None:
                self._step = self._first_step()
            points = [
                Metric(self._prefix + name, round(sum(some) / len(some), 1), now, self._step)
                for name, some in values.items()
            ]
            store.log_batch(self._run_id, metrics=points)
            self._step += 1
        except Exception as error:  # the run of the user goes on
            self._tell("writing system metrics", error)

    def _first_step(self) -> int:
        if not self._resumed:
            return 0
        points = context.store(self._uri).get_metric_history(self._run_id, self._prefix + _FIRST)
        return max((point.step for point in points), default=-1) + 1

    def _tell(self, doing: str, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            _logger.warning("Failed at %s of run %s: %s. It is tried again.", doing, self._run_id, error)
