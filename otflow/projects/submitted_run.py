"""Runs of projects that were started, and the processes that do them."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from otflow.client import Client
from otflow.errors import ExecutionError

__all__ = ["LocalSubmittedRun", "Process", "SubmittedRun"]

_logger = logging.getLogger("otflow")
_GRACE_S: Final = 10
"""How long a process may take to end after it was asked to."""


class SubmittedRun(ABC):
    """A run of a project that was started, wherever it is done.

    A backend returns one. It does not have to be safe for use by several threads.
    """

    @property
    @abstractmethod
    def run_id(self) -> str:
        """The id of the run."""

    @abstractmethod
    def wait(self) -> bool:
        """Wait for its end; returns whether it has succeeded."""

    @abstractmethod
    def get_status(self) -> str:
        """`RUNNING`, `FINISHED`, `FAILED` or `KILLED`; of other backends perhaps `SCHEDULED`."""

    @abstractmethod
    def cancel(self) -> None:
        """End it before its time, and wait until it has ended."""


@dataclass(frozen=True)
class Process:
    """What is to be run.

    Attributes:
        words: The argument list.
        directory: Where.
        environment: Its environment, whole.
        text: What is said of it.
        clean_up: What ends what the process itself may leave behind when it is killed.
    """

    words: tuple[str, ...]
    directory: str
    environment: dict[str, str] = field(repr=False)
    text: str
    clean_up: Callable[[], None] | None = None


class LocalSubmittedRun(SubmittedRun):
    """A run that a process on this machine does.

    The status of the run follows the process: `FINISHED` after the exit code 0, `FAILED` after another, `KILLED` when
    it was cancelled. When this process exits it waits for the runs that it has started; when it is interrupted it ends
    them.

    Args:
        run_id: The run.
        place: The store that it is in, with its workspace.
        prepare: Makes what is run: environment, downloads, image.
        discard: Called at the end.
    """

    def __init__(self, run_id: str, place: str, prepare: Callable[[], Process], discard: Callable[[], None]) -> None:
        self._run_id = run_id
        self._place = place
        self._prepare = prepare
        self._discard = discard
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._clean_up: Callable[[], None] | None = None
        self._cancelled = False
        self._status = "RUNNING"
        self.error: Exception | None = None
        """Why it could not be started; None where it could."""
        self._ended = threading.Event()

    def start(self) -> LocalSubmittedRun:
        """Start it, in the background."""
        _open[id(self)] = self
        threading.Thread(target=self._work, name=f"otflow-project-{self._run_id}", daemon=True).start()
        return self

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._run_id

    def wait(self) -> bool:
        """Wait for its end; returns whether it has succeeded."""
        self._ended.wait()
        return self._status == "FINISHED"

    def get_status(self) -> str:
        """`RUNNING`, `FINISHED`, `FAILED` or `KILLED`."""
        return self._status

    def cancel(self) -> None:
        """End the process and those that it has started, and wait until it has ended; its run is `KILLED`."""
        with self._lock:
            if self._status == "RUNNING":
                self._cancelled = True
            process = self._process
        if process is not None and not self._ended.is_set():
            _end(process, signal.SIGTERM)
            if not self._ended.wait(_GRACE_S):
                _end(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._ended.wait()

    def _work(self) -> None:
        status = "FAILED"
        try:
            process = self._prepare()
            code = self._run(process)
            status = "FINISHED" if code == 0 else "KILLED" if self._cancelled else "FAILED"
        except Exception as error:
            self.error = error
            status = "KILLED" if self._cancelled else "FAILED"
        finally:
            self._finish(status)

    def _run(self, process: Process) -> int:
        with self._lock:
            if self._cancelled:
                return -1
            _logger.info("=== Running command '%s' in run with ID '%s' ===", process.text, self._run_id)
            self._clean_up = process.clean_up
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    process.words, cwd=process.directory, env=process.environment, start_new_session=os.name != "nt"
                )
            except (OSError, ValueError) as error:
                raise ExecutionError(f"the command {process.text[:500]!r} cannot be run: {error.args[-1]}") from error
        return self._process.wait()

    def _finish(self, status: str) -> None:
        if status == "KILLED" and self._clean_up is not None:
            with contextlib.suppress(Exception):
                self._clean_up()
        try:
            Client(self._place).set_terminated(self._run_id, status)
        except Exception as error:
            _logger.warning("The run %s could not be ended: %s", self._run_id, error)
        with contextlib.suppress(Exception):
            self._discard()
        outcome = {"FINISHED": "succeeded", "FAILED": "failed", "KILLED": "was cancelled"}[status]
        reason = "" if self.error is None else f": {self.error}"
        _logger.info("=== Run (ID '%s') %s%s ===", self._run_id, outcome, reason)
        with self._lock:
            self._status = status
        _open.pop(id(self), None)
        self._ended.set()


def _end(process: subprocess.Popen[bytes], how: int) -> None:
    """Signal a process, and those of its session."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            process.terminate()
        else:
            os.killpg(process.pid, how)


_open: dict[int, LocalSubmittedRun] = {}
"""Those that have not ended yet."""


def _at_exit() -> None:
    """Wait for what runs; after an interruption, end it."""
    interrupted = getattr(sys, "last_type", None)
    if isinstance(interrupted, type) and issubclass(interrupted, KeyboardInterrupt):
        _cancel_all()
        return
    for run in list(_open.values()):
        try:
            run.wait()
        except KeyboardInterrupt:
            _cancel_all()
            return


def _cancel_all() -> None:
    for run in list(_open.values()):
        with contextlib.suppress(KeyboardInterrupt):
            run.cancel()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.clear)  # the parent waits for them
