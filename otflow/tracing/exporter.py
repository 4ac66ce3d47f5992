"""The way of ended spans into the store: one queue, one writer thread a process, batches in one transaction.

**Loss.** A span is in the store at most `TRACE_FLUSH_INTERVAL_MS` plus one transaction after it ended, so a killed
process loses at most that. Exit, `sys.exit`, unhandled exceptions and the end of a `multiprocessing` child flush;
`os._exit` does not, as it is made not to.
**Order.** The mark of a trace stands in the queue before its spans; the store takes the rest in any order.
**Full queue.** The thread that finds the queue full writes a batch itself: producers slow down, nothing is dropped.
**Failing store.** A batch that cannot be written now is kept and tried again, with growing pauses; one that
can never be written is tried trace by trace, and what the store refuses is counted and logged.
**Fork.** What is queued belongs to the parent; the child starts with an empty queue and a writer of its own.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from otflow import config, context
from otflow.entities import Span
from otflow.errors import OtflowError, StoreUnavailableError
from otflow.store.interface import TraceWrite
from otflow.tracing import guard
from otflow.tracing.assembly import OpenTrace, open_traces
from otflow.tracing.intake import take

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["SpanWriter", "flush_trace_async_logging", "writer"]

_logger = logging.getLogger("otflow")

_BATCH = 2000
"""Queue items in one transaction."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
"""Pauses between tries of a store that cannot be reached."""
_RELIEF_S = 1.0
"""How long a thread that finds the queue full waits for the writer."""
_HARD_LIMIT = 10
"""While the store cannot be reached the queue may grow to this many times its size; then the oldest go, counted."""


class _Batch:
    """What goes into one store in one transaction."""

    __slots__ = ("spans", "traces", "uri")

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.traces: list[TraceWrite] = []
        self.spans: list[Span] = []

    def split(self) -> list[_Batch]:
        """One batch a trace, for finding out which of them a store refuses."""
        parts: dict[str, _Batch] = {}
        for trace in self.traces:
            parts.setdefault(trace.trace_id, _Batch(self.uri)).traces.append(trace)
        for span in self.spans:
            parts.setdefault(span.trace_id, _Batch(self.uri)).spans.append(span)
        return list(parts.values())


class SpanWriter:
    """Takes ended spans from any thread and writes them to the store of their trace."""

    def __init__(self) -> None:
        self.written = 0
        """Spans that are in a store."""
        self.lost = 0
        """Spans that no store took."""
        self._registered_pid = 0
        self._exiting = False
        self._forget()

    def _forget(self) -> None:
        self._queue: deque[tuple[OpenTrace, ReadableSpan | None]] = deque()
        self._kept: list[_Batch] = []
        self._pause_s = 0.0
        self._retry_at = 0.0
        self._lock = threading.Lock()
        """Held while writing."""
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._resting = False
        self._limit = guard.setting(config.TRACE_QUEUE_MAX_SPANS)
        self._interval_s = guard.setting(config.TRACE_FLUSH_INTERVAL_MS) / 1000

    # -- producers ---------------------------------------------------------------------------------

    def changed(self, trace: OpenTrace) -> None:
        """Note that the store is to hear of a trace, beside its spans."""
        if not trace.changed:
            trace.changed = True
            self._put(trace, None)

    def ended(self, trace: OpenTrace, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        self._put(trace, span)

    def _put(self, trace: OpenTrace, span: ReadableSpan | None) -> None:
        self._queue.append((trace, span))
        if not self._wake.is_set():
            self._start()
            self._wake.set()
        if len(self._queue) >= self._limit:
            self._relieve()

    def _start(self) -> None:
        thread = self._thread
        if thread is not None and thread.is_alive():
            return
        if self._registered_pid != os.getpid():
            self._registered_pid = os.getpid()
            self._register_exit()
        thread = threading.Thread(target=self._run, name="otflow-writer", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down: no new threads, so no waiting either
            self._exiting = True

    def _register_exit(self) -> None:
        atexit.register(self._at_exit)
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            # Children of multiprocessing leave by os._exit, after their own finalizers only.
            from multiprocessing.util import Finalize

            Finalize(None, self._at_exit, exitpriority=0)

    def _relieve(self) -> None:
        """Make room in a full queue, in the thread that filled it."""
        if time.monotonic() >= self._retry_at:
            if self._lock.acquire(timeout=_RELIEF_S):
                try:
                    self._write_some()
                finally:
                    self._lock.release()
            else:  # the store is slower than that: let the queue grow for a while rather than wait at every span
                self._retry_at = time.monotonic() + _LONGEST_PAUSE_S
            return
        dropped = 0
        for _ in range(len(self._queue) - self._limit * _HARD_LIMIT):
            trace, span = self._queue.popleft()
            if span is None:
                self._queue.append((trace, None))  # small, and the spans to come are nothing without it
            else:
                dropped += 1
        if dropped:
            self.lost += dropped
            guard.swallow("keep spans while the store cannot be reached", MemoryError("the queue is full"))

    # -- the writer --------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._hurry.wait(max(self._interval_s, self._retry_at - time.monotonic()))
            self._hurry.clear()
            self._wake.clear()
            with self._lock:
                self._write_all()
            if self._stopping:
                return
            if self._kept:
                self._wake.set()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Write all that has ended until now, in the calling thread.

        Args:
            timeout_s: How long to wait for a writer at work and to try a store that fails, in seconds;
                the setting TRACE_FLUSH_TIMEOUT_S by default.

        Returns:
            Whether all of it is written.
        """
        if not self._queue and not self._kept and not self._lock.locked():
            return True
        deadline = time.monotonic() + (guard.setting(config.TRACE_FLUSH_TIMEOUT_S) if timeout_s is None else timeout_s)
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        try:
            self._write_all()
            while self._kept and (left := deadline - time.monotonic()) > 0:
                time.sleep(min(left, self._pause_s))
                self._write_all()
            return not self._kept
        finally:
            self._lock.release()

    def _write_all(self) -> None:
        """Write what is kept and what is queued now; not what is queued meanwhile. Holds the lock."""
        try:
            self._write_kept()
            todo = len(self._queue)
            while todo > 0 and not self._kept:
                todo -= self._write_some()
        except Exception as error:
            guard.swallow("write traces", error)

    def _write_some(self) -> int:
        """Take one batch from the queue and write it; how many items it took. Holds the lock."""
        items: list[tuple[OpenTrace, ReadableSpan | None]] = []
        while self._queue and len(items) < _BATCH:
            items.append(self._queue.popleft())
        self._kept.extend(self._batches(items))
        self._write_kept()
        return len(items)

    def _batches(self, items: list[tuple[OpenTrace, ReadableSpan | None]]) -> list[_Batch]:
        batches: dict[str, _Batch] = {}
        for trace, span in items:
            batch = batches.get(trace.uri)
            if batch is None:
                batch = batches[trace.uri] = _Batch(trace.uri)
            try:
                if span is None:
                    batch.traces.append(trace.to_write())
                else:
                    batch.spans.append(take(span, trace))
            except Exception as error:
                self.lost += span is not None
                guard.swallow("read an ended span", error)
        return list(batches.values())

    def _write_kept(self) -> None:
        kept, self._kept = self._kept, []
        for index, batch in enumerate(kept):
            try:
                self._write(batch)
            except StoreUnavailableError as error:
                self._kept = kept[index:]
                self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2 or _FIRST_PAUSE_S)
                self._retry_at = time.monotonic() + self._pause_s
                guard.swallow("reach the store (it is tried again)", error)
                return
        self._pause_s = self._retry_at = 0.0

    def _write(self, batch: _Batch) -> None:
        try:
            context.store(batch.uri).write_traces(batch.traces, batch.spans)
            self.written += len(batch.spans)
        except StoreUnavailableError:
            raise
        except Exception as error:
            parts = batch.split()
            if len(parts) > 1:
                for part in parts:
                    self._write(part)
                return
            self.lost += len(batch.spans)
            what = str(error) if isinstance(error, OtflowError) else f"{type(error).__name__}: {error}"
            guard.swallow(f"write a trace ({what[:200]})", error)

    # -- life and death ------------------------------------------------------------------------------

    @property
    def exiting(self) -> bool:
        """Whether the process is on its way out: from now on a trace is written when it ends."""
        return self._exiting

    def stop(self) -> None:
        """Write what is queued and end the writer thread; the next span starts a new one."""
        self.flush()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._stopping = True
            self._hurry.set()
            self._wake.set()
            thread.join()
            self._stopping = False
            self._wake.clear()

    def _at_exit(self) -> None:
        self._exiting = True
        if not self.flush():
            spans = sum(span is not None for _, span in list(self._queue))
            spans += sum(len(batch.spans) for batch in self._kept)
            self.lost += spans
            _logger.error("%d spans could not be written before the process ended; they are lost.", spans)

    def reset(self) -> None:
        """Write what is queued, then forget all else."""
        self.flush()
        self.written = self.lost = 0
        self._exiting = False
        with self._lock:
            self._queue.clear()
            self._kept.clear()
            self._pause_s = self._retry_at = 0.0
            self._limit = guard.setting(config.TRACE_QUEUE_MAX_SPANS)
            self._interval_s = guard.setting(config.TRACE_FLUSH_INTERVAL_MS) / 1000
        if self._wake.is_set():
            self._hurry.set()  # the thread is in a pause, of the length that was set before

    def before_fork(self) -> None:
        """Come to rest, so that the child inherits no write that is half done."""
        self._resting = self._lock.acquire(timeout=guard.setting(config.TRACE_FLUSH_TIMEOUT_S))

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._resting:
            self._resting = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Leave the queue to the parent; open traces go on here, and the store hears of them from here too."""
        self._exiting = False
        self._forget()
        for trace in open_traces.all():
            trace.changed = True
            self._queue.append((trace, None))


writer = SpanWriter()
"""The writer of this process."""


def _before_fork() -> None:
    writer.before_fork()
    context.before_fork()


def _after_fork_in_parent() -> None:
    context.after_fork_in_parent()
    writer.after_fork_in_parent()


def _after_fork_in_child() -> None:
    guard.after_fork_in_child()
    context.after_fork_in_child()
    writer.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def flush_trace_async_logging(terminate: bool = False) -> None:
    """Write all spans that have ended until now; afterwards they are in the store.

    Args:
        terminate: Also end the writer thread; a span that ends later starts a new one.
    """
    if terminate:
        writer.stop()
    else:
        writer.flush()
