"""The way to one destination: what waits for it, its retries, its spool, and the count of all that."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from otflow import config
from otflow.errors import OtflowError, StoreUnavailableError
from otflow.tracing import guard
from otflow.tracing.assembly import open_traces
from otflow.tracing.spool import Batch, Spool, SpoolFullError, directory

if TYPE_CHECKING:
    from otflow.store.interface import TraceWrite
    from otflow.tracing.destinations import Destination

__all__ = ["HARD_LIMIT", "MOST_BYTES", "NO_ROOM", "UNREADABLE", "Lane"]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
"""Pauses between tries of a destination that cannot be reached."""
_SPILL_AFTER_S: Final = 1.0
"""How long a destination may be away, or at work on one batch, before what waits for it goes to disk."""
_SLOW_BYTES_A_S: Final = 5 * 2**20
_ADOPT_EVERY_S: Final = 30.0
"""How often the spools of processes that have died are looked for."""
HARD_LIMIT: Final = 10
"""Where there is no spool, so many times the size of the queue may wait in memory; then the oldest go, counted."""
MOST_BYTES: Final = 64 * 2**20
"""About how many bytes may wait in memory for one destination."""

REFUSED: Final = "the destination refused it"
NO_ROOM: Final = "no room in memory, and none on disk"
DAMAGED: Final = "its file in the spool was damaged"
UNREADABLE: Final = "the span could not be read"
LATE: Final = "the process ended, and there was no spool"


class Lane:
    """One destination and what waits for it.

    `add` and `spill` may be called by any thread and never wait for the destination; `work` needs `sending`.

    Args:
        destination: Where batches go.
        limit: How many spans may wait in memory before they go to disk.
    """

    def __init__(self, destination: Destination, limit: int) -> None:
        self.destination = destination
        self.name = destination.name
        self.limit = limit
        self.sending = threading.Lock()
        """Held while a batch is on its way."""
        self._state = threading.Lock()
        """Held for moments, around what `delivery` reads."""
        self._pending: deque[Batch] = deque()
        self._held = 0
        """How many spans, open ones too, and marks of traces are pending."""
        self._bytes = 0
        self._on_the_way: Batch | None = None
        self._began = 0.0
        self._away_since = 0.0
        self._pause_s = 0.0
        self.retry_at = 0.0
        self.unusable = False
        """Whether the destination is away for a reason that waiting does not change."""
        self._spool = _spool_for(self.name)
        self._adopt_at = 0.0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        # The count, in spans that have ended.
        self._waiting = 0
        self.written = 0
        self.spilled = 0
        self.retried = 0
        self.recovered = 0
        self.lost: Counter[str] = Counter()

    # -- in ----------------------------------------------------------------------------------------------

    def add(self, batch: Batch) -> None:
        """Take a batch."""
        with self._state:
            self._push(batch)

    def _push(self, batch: Batch) -> None:
        self._pending.append(batch)
        self._bytes += batch.size
        self._held += len(batch)
        self._waiting += batch.ended

    def _push_back(self, batch: Batch) -> None:
        self._pending.appendleft(batch)
        self._bytes += batch.size
        self._held += len(batch)
        self._waiting += batch.ended

    def _pop(self) -> Batch:
        batch = self._pending.popleft()
        self._bytes -= batch.size
        self._held -= len(batch)
        self._waiting -= batch.ended
        return batch

    def lose(self, spans: int, why: str) -> None:
        """Count spans that nobody will see."""
        if spans:
            with self._state:
                self.lost[why] += spans

    @property
    def full(self) -> bool:
        """Whether as much waits in memory as may."""
        return self._held >= self.limit or self._bytes >= MOST_BYTES

    @property
    def _too_much(self) -> bool:
        return self._held > self.limit * HARD_LIMIT or self._bytes > MOST_BYTES * HARD_LIMIT

    @property
    def idle(self) -> bool:
        """Whether all that was added has been delivered or lost."""
        return not self._pending and self._on_the_way is None and (self._spool is None or self._spool.empty)

    @property
    def away(self) -> bool:
        """Whether the destination could not be reached when it was tried last."""
        return bool(self._away_since)

    @property
    def stuck(self) -> bool:
        """Whether the destination is at one batch for longer than a slow one would be."""
        sent = self._on_the_way
        return sent is not None and time.monotonic() - self._began > _SPILL_AFTER_S + sent.size / _SLOW_BYTES_A_S

    @property
    def pause_s(self) -> float:
        """How long to wait before the next try."""
        return max(0.0, self.retry_at - time.monotonic())

    # -- out ---------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Deliver what waits, what is on disk first, until nothing is left or the destination is away."""
        try:
            self._adopt()
            while True:
                if not self._replay():
                    return
                with self._state:
                    if self._spool is not None and not self._spool.empty:
                        continue  # what waited longest has been put on disk just now, and comes first
                    if not self._pending:
                        break
                    batch = self._pop()
                    self._on_the_way, self._began = batch, time.monotonic()
                delivered = False
                try:
                    delivered = self._deliver(batch, batch.ended)
                finally:
                    with self._state:
                        self._on_the_way = None
                        if not delivered:
                            self._push_back(batch)
                if not delivered:
                    return
            self._back()
        except Exception as error:
            guard.swallow("write traces", error)
            self._is_away()

    def _back(self) -> None:
        self._away_since = self._pause_s = self.retry_at = 0.0
        self.unusable = False

    def _is_away(self) -> None:
        now = time.monotonic()
        self._away_since = self._away_since or now
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2 or _FIRST_PAUSE_S)
        self.retry_at = now + self._pause_s

    def _deliver(self, batch: Batch, ended: int) -> bool:
        """Deliver a batch, or find out what of it is refused; False where it is to be tried again."""
        if batch.tries:
            with self._state:
                self.retried += ended
        batch.tries += 1
        lost: Counter[str] = Counter()
        try:
            self._send(batch, lost)
        except StoreUnavailableError as error:
            self._is_away()
            guard.swallow(f"reach {self.name} (it is tried again)", error)
            return False
        with self._state:
            self.lost.update(lost)
            self.written += ended - sum(lost.values())
        return True

    def _send(self, batch: Batch, lost: Counter[str]) -> None:
        try:
            without = self.destination.send(batch.traces, batch.spans)
            if without:
                lost[REFUSED] += without
        except StoreUnavailableError:
            raise
        except Exception as error:
            self._check_usable()
            parts = batch.split()
            if len(parts) > 1:
                for part in parts:
                    self._send(part, lost)
                return
            if not batch.traces and self._told_again(batch):
                return
            lost[REFUSED] += batch.ended
            guard.swallow("write a trace", error)

    def _check_usable(self) -> None:
        """Raise StoreUnavailableError if nothing at all can be delivered now: then no batch is to blame."""
        check = getattr(self.destination, "check", None)
        if check is None:
            return
        try:
            check()
        except StoreUnavailableError:
            raise
        except Exception as error:
            self.unusable = True
            raise StoreUnavailableError(str(error)) from error

    def _told_again(self, batch: Batch) -> bool:
        """Whether spans are taken together with the mark of their trace: the store may have lost the first one."""
        trace = open_traces.by_id(batch.spans[0].trace_id)
        if trace is None:
            return False
        try:
            self.destination.send([trace.to_write()], batch.spans)
        except StoreUnavailableError:
            raise
        except Exception:  # what is wrong with it was said before
            return False
        return True

    # -- the spool -----------------------------------------------------------------------------------------

    def _adopt(self) -> None:
        if self._spool is None or time.monotonic() < self._adopt_at:
            return
        self._adopt_at = time.monotonic() + _ADOPT_EVERY_S
        try:
            self._spool.adopt()
        except OSError as error:
            guard.swallow("look for spans that ended processes left on disk", error)

    def _replay(self) -> bool:
        """Deliver what is on disk; False where the destination is away."""
        spool = self._spool
        while spool is not None and not spool.empty:
            try:
                found = spool.first()
            except ValueError as error:
                message, *counted = error.args
                spans = counted[0] if counted else 0
                with self._state:
                    self.lost[DAMAGED] += spans
                    self.spilled -= spans
                guard.swallow("read a file of the spool (it is set aside)", OtflowError(str(message)))
                continue
            if found is None:
                return True
            batch, own = found
            lost: Counter[str] = Counter()
            try:
                self._send(batch, lost)
            except StoreUnavailableError as error:
                self._is_away()
                guard.swallow(f"reach {self.name} (it is tried again)", error)
                return False
            ended, refused = batch.ended, sum(lost.values())
            spool.done()
            with self._state:
                if own:
                    self.spilled -= ended
                    self.lost.update(lost)
                    self.written += ended - refused
                    self.retried += ended
                else:
                    self.recovered += ended - refused
        return True

    def spill(self, *, all_of_it: bool = False) -> None:
        """Put what waits on disk, if the destination has been away or at one batch for a while.

        Where too much waits for one that is only slow, whoever makes more of it waits too.
        """
        away = self._away_since and (self.full or time.monotonic() - self._away_since > _SPILL_AFTER_S)
        if not (all_of_it or away or self.stuck or self.unusable):
            return
        with self._state:
            if all_of_it and self._on_the_way is not None:
                # Its thread may be at it still: what it is told twice is there once.
                self._push_back(self._on_the_way)
            while self._pending and self._spool is not None:
                try:
                    self._spool.append(self._pending[0])
                except (OSError, SpoolFullError) as error:
                    guard.swallow("keep spans on disk while their destination is away", error)
                    break
                self.spilled += self._pop().ended
            if self._too_much:
                self._shed()

    def _shed(self) -> None:
        """Lose the oldest spans, until no more is held than may be. Holds the state's lock."""
        marks: list[TraceWrite] = []
        while self._pending and self._too_much:
            batch = self._pop()
            marks += batch.traces  # small, and the spans to come are nothing without them
            if batch.ended:
                self.lost[NO_ROOM] += batch.ended
                guard.swallow(f"keep spans for {self.name}", MemoryError("too many wait"))
        if marks:
            self._push_back(Batch(marks[-self.limit :]))

    # -- its thread ------------------------------------------------------------------------------------------

    def kick(self) -> None:
        """Let the lane's thread deliver what waits."""
        with self._state:
            thread = self._thread
            if thread is None or not thread.is_alive():
                self._thread = thread = threading.Thread(target=self._run, name="otflow-writer-lane", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is shutting down; whoever flushes delivers
                    return
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            if self.pause_s == 0:
                with self.sending:
                    self.work()

    def deliver(self, deadline: float, patient: bool) -> bool:
        """Deliver what waits, in the calling thread; whether all of it is delivered.

        Args:
            deadline: When to give up, as `time.monotonic` counts.
            patient: Whether to try again until then where the destination is away.
        """
        if not self.sending.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        try:
            if patient or self.pause_s == 0:
                self.work()
            while patient and not self.idle and not self.unusable and (left := deadline - time.monotonic()) > 0:
                time.sleep(min(left, self.pause_s))
                self.work()
            if self.away:
                self.spill()
            return self.idle
        finally:
            self.sending.release()

    def stop(self) -> None:
        """End the thread; the next `kick` starts a new one."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._stopping = True
            self._wake.set()
            thread.join()
            self._stopping = False
            self._wake.clear()

    # -- the end ---------------------------------------------------------------------------------------------

    def leave(self) -> tuple[int, int]:
        """Put all that waits on disk, for the next process; how many spans are there, and how many are lost."""
        self.spill(all_of_it=True)
        with self._state:
            lost, self._waiting, self._held, self._bytes = self._waiting, 0, 0, 0
            self._pending.clear()
            if lost:
                self.lost[LATE] += lost
            return self.spilled, lost

    def close(self, *, in_child: bool = False) -> None:
        """Leave the spool to whoever comes next."""
        if self._spool is not None:
            self._spool.close(in_child=in_child)

    def counts(self) -> tuple[int, int, int, int, int, dict[str, int]]:
        """Waiting, written, spilled, retried, recovered and lost, at one moment."""
        with self._state:
            waiting = self._waiting + (self._on_the_way.ended if self._on_the_way is not None else 0)
            return waiting, self.written, self.spilled, self.retried, self.recovered, dict(self.lost)


def _spool_for(name: str) -> Spool | None:
    megabytes = guard.setting(config.SPOOL_MAX_MB)
    if megabytes == 0 or ":memory:" in name:
        return None
    return Spool(directory(), name, megabytes * 2**20)
