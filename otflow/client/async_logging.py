"""Logging to runs without waiting: one queue, one thread that writes.

What was put first is written first. Batches that wait for the same run are written together; where that fails, each is
tried alone, so that each caller hears of its own. A queue that is full makes the caller wait: nothing is dropped. Exit
and `flush` wait until all is written. The thread begins with the first batch, and ends when there was none for a while.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from otflow import context
from otflow.entities import Metric, Param, RunTag
from otflow.errors import OtflowError

__all__ = ["LogBatch", "LogQueue", "RunOperations", "log_queue"]

_logger = logging.getLogger("otflow")

_MOST_WAITING: Final = 10_000
_MOST_TOGETHER: Final = 1_000
_IDLE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class LogBatch:
    """What one call records."""

    metrics: Sequence[Metric] = ()
    params: Sequence[Param] = ()
    tags: Sequence[RunTag] = ()

    def __len__(self) -> int:
        return len(self.metrics) + len(self.params) + len(self.tags)


class RunOperations:
    """What was logged without waiting, to be waited for.

    Args:
        operation_futures: One for each thing that was logged.
    """

    def __init__(self, operation_futures: Sequence[Future[None]]) -> None:
        self._operation_futures = list(operation_futures)

    def wait(self) -> None:
        """Wait until all of it is stored.

        Raises:
            OtflowError: some of it could not be.
        """
        failures: list[BaseException] = []
        for future in self._operation_futures:
            error = future.exception()
            if error is not None:
                failures.append(error)
        if failures:
            raise OtflowError(
                "The following failures occurred while performing one or more async logging operations: "
                f"{[f'{type(error).__name__}: {error}' for error in failures]}"
            ) from failures[0]


@dataclass(frozen=True, slots=True)
class _Waiting:
    uri: str
    run_id: str
    batch: LogBatch
    link_models: bool
    future: Future[None]

    @property
    def place(self) -> tuple[str, str, bool]:
        return self.uri, self.run_id, self.link_models


class LogQueue:
    """The queue and its thread."""

    def __init__(self) -> None:
        self._at_exit = False
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a child of a process: what waits there is the parent's to write."""
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._writing = 0
        self._thread: threading.Thread | None = None

    def put(self, uri: str, run_id: str, batch: LogBatch, *, link_models: bool = False) -> Future[None]:
        """Take a batch for the run; the future tells when it is stored."""
        future: Future[None] = Future()
        with self._changed:
            if not self._at_exit:
                self._at_exit = True
                atexit.register(self.flush)
            self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING)
            self._waiting.append(_Waiting(uri, run_id, batch, link_models, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="otflow-log-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return future

    def flush(self) -> None:
        """Wait until all that was taken is stored, or has failed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._writing)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._waiting, _IDLE_S):
                    self._thread = None
                    return
                together = self._next()
                self._writing = len(together)
            try:
                _write(together)
            finally:
                with self._changed:
                    self._writing = 0
                    self._changed.notify_all()

    def _next(self) -> list[_Waiting]:
        together = [self._waiting.popleft()]
        count = len(together[0].batch)
        while self._waiting and self._waiting[0].place == together[0].place:
            count += len(self._waiting[0].batch)
            if count > _MOST_TOGETHER:
                break
            together.append(self._waiting.popleft())
        return together


def _write(together: Sequence[_Waiting]) -> None:
    if len(together) > 1:
        with contextlib.suppress(Exception):  # whose it was is found out below
            _store(together)
            for one in together:
                one.future.set_result(None)
            return
    for one in together:
        try:
            _store([one])
        except Exception as error:
            _logger.error("Logging to run %s failed: %s", one.run_id, error)  # noqa: TRY400  # the caller has the rest
            one.future.set_exception(error)
        else:
            one.future.set_result(None)


def _store(together: Sequence[_Waiting]) -> None:
    first = together[0]
    context.store(first.uri).log_batch(
        first.run_id,
        metrics=[metric for one in together for metric in one.batch.metrics],
        params=[param for one in together for param in one.batch.params],
        tags=[tag for one in together for tag in one.batch.tags],
        link_models=first.link_models,
    )


log_queue = LogQueue()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=log_queue.forget)
