"""The way of ended spans out of the process: one queue, one thread that reads it, a lane for each destination.

**Loss.** A span is in the store at most `TRACE_FLUSH_INTERVAL_MS` plus one transaction after it ended, so a killed
process loses at most that. Exit, `sys.exit`, unhandled exceptions and the end of a `multiprocessing` child flush;
`os._exit` does not, as it is made not to.
**Order.** The mark of a trace stands in the queue before its spans; the store takes the rest in any order.
**Full queue.** The thread that finds the queue full delivers a batch itself: producers slow down, nothing is dropped.
**Failing destination.** What cannot be delivered now is kept and tried again, with growing pauses, and put on disk
(`otflow.tracing.spool`) after a second, or when it is much, or when the process ends. Other destinations do not wait
for it. What can never be delivered is tried trace by trace; what is refused is counted and logged.
**Fork.** What is queued belongs to the parent; the child starts with an empty queue, counts from 0 and has threads of
its own.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from otflow import clock, config, context
from otflow.entities import LiveSpan, Span
from otflow.errors import StoreUnavailableError
from otflow.tracing import guard, interrupted
from otflow.tracing.assembly import OpenTrace, open_traces
from otflow.tracing.destinations import destinations
from otflow.tracing.intake import take
from otflow.tracing.lane import HARD_LIMIT, MOST_BYTES, NO_ROOM, UNREADABLE, Lane
from otflow.tracing.spool import Batch, directory

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["SpanWriter", "flush_trace_async_logging", "writer"]

_logger = logging.getLogger("otflow")

_BATCH = 2000
"""Queue items in one transaction."""
_BATCH_BYTES = MOST_BYTES // 4
"""About how many bytes of spans in one transaction."""
_RELIEF_S = 1.0
"""How long a thread that finds the queue full waits for the writer."""
_NO_RELIEF_S = 5.0
"""How long no thread waits after one has waited in vain."""
_SWEEP_S = 0.25
"""How often open traces are looked at, where there are any."""
_SHOWN_AFTER_NS = 500_000_000
"""How long a span is open before its start is written."""
_BEAT_S = 60.0
"""How often a trace that is open says that its process lives."""
_SETTLE_EVERY_S = 10.0
"""How often a process that writes looks for traces of processes that have died."""
_UNREACHED_S = 1.0
"""The pause after the store could not be asked where a trace belongs."""
_AT_SIGTERM_S = 5.0


class SpanWriter:
    """Takes ended spans from any thread and delivers them to the destinations of their trace."""

    def __init__(self) -> None:
        self._registered_pid = 0
        self.prompt = False
        """Whether the end of a trace waits until it is written: the process ends, or is often frozen."""
        self._lanes: dict[str, Lane] = {}
        self._forget()

    def _forget(self) -> None:
        self._queue: deque[tuple[OpenTrace, ReadableSpan | LiveSpan | None]] = deque()
        self._lanes = {}
        self._dropped = 0
        self._unread = 0
        self._lock = threading.Lock()
        """Held while the queue is read."""
        self._starting = threading.Lock()
        self._evicting = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._resting: list[Any] = []
        self._no_relief_until = 0.0
        self._unreached_until = 0.0
        self._swept_at = 0.0
        self._settle_at = time.monotonic() + _SETTLE_EVERY_S
        self._settings()

    def _settings(self) -> None:
        self._most = self._limit = guard.setting(config.TRACE_QUEUE_MAX_SPANS)
        self._interval_s = guard.setting(config.TRACE_FLUSH_INTERVAL_MS) / 1000
        self.most_open = 2 * guard.setting(config.TRACE_MAX_OPEN)
        """How many traces may be open between two looks at them."""
        sync = guard.setting(config.TRACE_SYNC)
        self.prompt = sync == "TRUE" or (sync == "AUTO" and config.in_lambda())

    # -- producers ---------------------------------------------------------------------------------

    def opened(self, trace: OpenTrace) -> None:
        """Take note of a trace that has been opened."""
        self.changed(trace)
        if len(open_traces) > self.most_open:  # faster than the sweep
            self.evict(self.most_open // 2)

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
        with self._starting:
            thread = self._thread
            if thread is None or not thread.is_alive():  # no other thread was quicker
                self._start_thread()

    def _start_thread(self) -> None:
        if self._registered_pid != os.getpid():
            self._registered_pid = os.getpid()
            self._register_exit()
        thread = threading.Thread(target=self._run, name="otflow-writer", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down: no new threads, so no waiting either
            self.prompt = True

    def _register_exit(self) -> None:
        atexit.register(self._at_exit)
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            # Children of multiprocessing leave by os._exit, after their own finalizers only.
            from multiprocessing.util import Finalize

            Finalize(None, self._at_exit, exitpriority=0)
        if (
            guard.setting(config.TRACE_FLUSH_ON_SIGTERM)
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        ):
            signal.signal(signal.SIGTERM, _at_sigterm)

    def _relieve(self) -> None:
        """Make room in a full queue, in the thread that filled it."""
        if time.monotonic() >= self._no_relief_until:
            if not self._lock.acquire(timeout=_RELIEF_S):
                self._no_relief_until = time.monotonic() + _NO_RELIEF_S
                return
            try:
                self._read_some()
            finally:
                self._lock.release()
            for lane in list(self._lanes.values()):
                if not lane.full:
                    continue
                if not lane.away and lane.sending.acquire(timeout=_RELIEF_S):
                    try:
                        lane.work()
                    finally:
                        lane.sending.release()
                elif lane.away or lane.stuck:  # rather to disk than wait at every span
                    lane.spill()
                    if lane.full and not lane.away:
                        self._no_relief_until = time.monotonic() + _NO_RELIEF_S
            return
        dropped = 0
        for _ in range(len(self._queue) - self._most * HARD_LIMIT):
            trace, span = self._queue.popleft()
            if span is None:
                self._queue.append((trace, None))  # small, and the spans to come are nothing without it
            else:
                dropped += 1
        if dropped:
            self._dropped += dropped
            guard.swallow("keep spans until they are written", MemoryError("the queue is full"))

    # -- the thread that reads the queue -------------------------------------------------------------

    def _run(self) -> None:
        while True:
            pause = self._pause_s()
            if self._wake.wait(pause):
                self._hurry.wait(self._interval_s if pause is None else min(self._interval_s, max(pause, 0.001)))
                self._hurry.clear()
            self._wake.clear()
            try:
                self._sweep()
                with self._lock:
                    self._read_all()
                if time.monotonic() >= self._settle_at:
                    self._settle_at = time.monotonic() + _SETTLE_EVERY_S
                    interrupted.settle_open_stores()
                for lane in list(self._lanes.values()):
                    lane.spill()
                    if not lane.idle and lane.pause_s == 0:
                        lane.kick()
            except Exception as error:
                guard.swallow("write traces", error)
            if self._stopping:
                return

    def _pause_s(self) -> float | None:
        """How long to sleep where nothing ends; None for ever."""
        pauses = [lane.pause_s or _SWEEP_S for lane in list(self._lanes.values()) if not lane.idle]
        if open_traces.any or self._queue:
            pauses.append(_SWEEP_S)
        return min(pauses) if pauses else None

    def _read_all(self) -> None:
        """Hand what is queued now to the lanes; not what is queued meanwhile. Holds the lock."""
        todo = len(self._queue)
        while todo > 0 and time.monotonic() >= self._unreached_until:
            todo -= self._read_some()
            if any(lane.full and not lane.away for lane in self._lanes.values()):
                for lane in self._lanes.values():
                    lane.kick()
                self._limit = min(self._limit, len(self._queue) + 1)  # few spans may be much: who makes more waits now
                return
        self._limit = self._most

    def _read_some(self) -> int:
        """Hand one batch to the lanes; how many items of the queue it took. Holds the lock."""
        batches: dict[str, Batch] = {}
        lost: dict[str, int] = {}
        taken = size = 0
        while self._queue and taken < _BATCH and size < _BATCH_BYTES:
            trace, span = self._queue.popleft()
            taken += 1
            batch = batches.get(trace.uri)
            if batch is None:
                batch = batches[trace.uri] = Batch()
            try:
                if span is None:
                    batch.traces.append(trace.to_write())
                elif type(span) is LiveSpan:
                    batch.spans.append(_as_it_is(span, trace))
                else:
                    ended: Any = span
                    batch.spans.append(take(ended, trace))
                    size += (needed := _size(ended))
                    batch.size += needed
            except StoreUnavailableError as error:  # asked which experiment the trace belongs to
                trace.changed = True
                self._queue.appendleft((trace, span))
                self._unreached_until = time.monotonic() + _UNREACHED_S
                guard.swallow("reach the store (it is tried again)", error)
                break
            except Exception as error:
                if span is not None and type(span) is not LiveSpan:
                    lost[trace.uri] = lost.get(trace.uri, 0) + 1
                guard.swallow("read an ended span", error)
        for uri, batch in batches.items():
            for lane in self._lanes_of(uri, batch):
                lane.lose(lost.get(uri, 0), UNREADABLE)
                if batch.traces or batch.spans:
                    lane.add(batch.copy())
        return taken

    def _lanes_of(self, uri: str, batch: Batch) -> list[Lane]:
        lanes: list[Lane] = []
        try:
            for destination in destinations(uri):
                name = destination.name
                lane = self._lanes.get(name)
                if lane is None or lane.destination is not destination:
                    if lane is not None and lane.idle:
                        lane.destination = destination
                    elif lane is None:
                        lane = self._lanes[name] = Lane(destination, self._most)
                lanes.append(lane)
        except Exception as error:
            guard.swallow("find out where traces go", error)
        if not lanes:
            self._unread += batch.ended
        return lanes

    # -- open traces -----------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Show spans that are open for long, say that this process lives, and keep the number of open ones bounded."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_S:
            return
        self._swept_at = now
        wall = clock.now_ns()
        live = 0
        traces = open_traces.all()
        for trace in traces:
            for span_id, span in list(trace.live.items()):
                live += 1
                if span_id not in trace.shown and wall - span.start_time_ns >= _SHOWN_AFTER_NS:
                    trace.shown.add(span_id)
                    self._queue.append((trace, span))
            if trace.beat_at and now - trace.beat_at >= _BEAT_S:
                trace.beat_at = now
                self.changed(trace)
        limit = guard.setting(config.TRACE_MAX_OPEN)
        self.most_open = 2 * limit
        if live > limit or len(traces) > limit:
            self.evict(limit)

    def evict(self, limit: int) -> None:
        """Write the oldest open traces and spans as they are, until so many are left, and forget them."""
        if not self._evicting.acquire(blocking=False):
            return  # another thread is at it
        try:
            for trace, spans in open_traces.evict(limit):
                trace.changed = True
                self._queue.append((trace, None))
                for span in spans:
                    self._queue.append((trace, span))
        finally:
            self._evicting.release()

    # -- flushing --------------------------------------------------------------------------------------

    def flush(self, timeout_s: float | None = None, *, patient: bool = True) -> bool:
        """Deliver all that has ended until now, in the calling thread.

        Args:
            timeout_s: How long to wait for a writer at work and to try a destination that fails, in seconds;
                the setting TRACE_FLUSH_TIMEOUT_S by default.
            patient: Whether to try a destination that is away again until then, or not at all before its time.

        Returns:
            Whether all of it is delivered, to all destinations.
        """
        if not self._queue and not self._lock.locked() and all(lane.idle for lane in list(self._lanes.values())):
            return True
        deadline = time.monotonic() + (guard.setting(config.TRACE_FLUSH_TIMEOUT_S) if timeout_s is None else timeout_s)
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        todo = len(self._queue)
        try:
            self._unreached_until = 0.0
            while todo > 0 and time.monotonic() >= self._unreached_until:
                todo -= self._read_some()
                for lane in list(self._lanes.values()):
                    if lane.full and not lane.away:
                        lane.deliver(deadline, patient=False)
        except Exception as error:
            guard.swallow("write traces", error)
        finally:
            self._lock.release()
        lanes = list(self._lanes.values())
        if len(lanes) > 1:
            for lane in lanes:
                if not lane.idle:
                    lane.kick()  # none waits for another
        delivered = [lane.deliver(deadline, patient) for lane in lanes]
        return all(delivered) and todo <= 0

    def stop(self) -> None:
        """Deliver what is queued and end the writer's threads; the next span starts new ones."""
        self.flush()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._stopping = True
            self._hurry.set()
            self._wake.set()
            thread.join()
            self._stopping = False
            self._wake.clear()
        for lane in list(self._lanes.values()):
            lane.stop()

    # -- what became of them ---------------------------------------------------------------------------

    @property
    def written(self) -> int:
        """Spans that were delivered, counted once a destination."""
        return sum(lane.written for lane in list(self._lanes.values()))

    @property
    def lost(self) -> int:
        """Spans that were lost, counted once a destination."""
        return sum(sum(lane.lost.values()) for lane in list(self._lanes.values())) + self._dropped + self._unread

    def count(self) -> tuple[dict[str, int], dict[str, int], list[Lane]]:
        """Spans in the queue by URI of their trace, losses that belong to no lane by reason, and the lanes."""
        with self._lock:
            queued: dict[str, int] = {}
            for trace, span in list(self._queue):
                if span is not None and type(span) is not LiveSpan:
                    queued[trace.uri] = queued.get(trace.uri, 0) + 1
            lost = {NO_ROOM: self._dropped, "it has no destination": self._unread}
            return queued, {why: count for why, count in lost.items() if count}, list(self._lanes.values())

    # -- life and death ------------------------------------------------------------------------------

    def _at_exit(self) -> None:
        self.prompt = True
        for trace in open_traces.all():
            if not trace.inherited:
                trace.interrupted = True  # until it ends after all, in another exit handler
                self._queue.append((trace, None))
                for span in list(trace.live.values()):
                    self._queue.append((trace, span))
        if self.flush():
            return
        with self._lock:
            self._read_all()
        kept, lost = 0, 0
        for lane in list(self._lanes.values()):
            on_disk, gone = lane.leave()
            kept += on_disk
            lost += gone
        lost += sum(span is not None for _, span in list(self._queue))
        if kept:
            _logger.warning(
                "%d spans could not be written before the process ended. They are in %s, and the next process that"
                " traces to the same place writes them.",
                kept,
                directory(),
            )
        if lost:
            _logger.error("%d spans could not be written before the process ended; they are lost.", lost)

    def reset(self) -> None:
        """Write what is queued, then forget all else."""
        self.flush()
        with self._lock:
            self._queue.clear()
            lanes = list(self._lanes.values())
            self._lanes = {}
            self._dropped = self._unread = 0
            self._no_relief_until = self._unreached_until = 0.0
            self._settings()
        for lane in lanes:
            lane.stop()
            lane.close()
        if self._wake.is_set():
            self._hurry.set()  # the thread is in a pause, of the length that was set before

    def before_fork(self) -> None:
        """Come to rest, so that the child inherits no write that is half done."""
        deadline = time.monotonic() + guard.setting(config.TRACE_FLUSH_TIMEOUT_S)
        for lock in (self._lock, *(lane.sending for lane in list(self._lanes.values()))):
            if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                self._resting.append(lock)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        while self._resting:
            self._resting.pop().release()

    def after_fork_in_child(self) -> None:
        """Leave the queue to the parent; open traces go on here, and the store hears of them from here too."""
        for lane in self._lanes.values():
            lane.close(in_child=True)
        self._forget()
        for trace in open_traces.all():
            trace.inherited = True
            trace.changed = True
            self._queue.append((trace, None))


def _size(span: ReadableSpan) -> int:
    """About how many bytes the values of a span take."""
    found = 0
    for values in (span.attributes, *[event.attributes for event in span.events]):
        for value in (values or {}).values():
            if type(value) is str:
                found += len(value)
    return found


def _as_it_is(span: LiveSpan, trace: OpenTrace) -> Span:
    """A span that has not ended, as it is stored meanwhile."""
    found = Span.recorded(span.otel_span, trace.trace_id)
    if LiveSpan.before_end:  # what is to see the content before anybody else has not seen it yet
        found = Span.of(
            trace_id=found.trace_id,
            span_id=found.span_id,
            parent_id=found.parent_id,
            name=found.name,
            start_ns=found.start_time_ns,
            end_ns=None,
        )
    parent = span.otel_span.parent
    if trace.skipped and parent is not None and parent.span_id in trace.skipped:
        found = found.below(f"{trace.skipped[parent.span_id]:016x}")
    return found


writer = SpanWriter()
"""The writer of this process."""


def _at_sigterm(number: int, _frame: object) -> None:
    # In a thread: the main one may be inside of the writer, holding what a flush waits for.
    flushing = threading.Thread(target=writer.flush, args=(_AT_SIGTERM_S,), daemon=True)
    flushing.start()
    flushing.join(_AT_SIGTERM_S)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


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
