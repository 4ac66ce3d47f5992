"""Files that are written without waiting."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

__all__ = ["ArtifactQueue", "artifact_queue"]

_logger = logging.getLogger("otflow")

_THREADS: Final = 2
_MOST_WAITING: Final = 100


class ArtifactQueue:
    """Writes files in threads of its own; these end with `flush`, and with the process, which waits for them.

    So many files may wait; then `put` waits too.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a child of a process: what waits there is the parent's to write."""
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(_MOST_WAITING)
        self._pool: ThreadPoolExecutor | None = None

    def put(self, what: str, write: Callable[[], None]) -> None:
        """Let a file be written.

        Args:
            what: What it is, for the log where it fails.
            write: Writes it.
        """
        room = self._room
        room.acquire()

        def done(future: Future[None]) -> None:
            room.release()
            error = future.exception()
            if error is not None:
                _logger.error("%s could not be written: %s", what, error)

        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, "otflow-artifact-writer")
            self._pool.submit(write).add_done_callback(done)

    def flush(self) -> None:
        """Wait until all files are written, or have failed."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)


artifact_queue = ArtifactQueue()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=artifact_queue.forget)
