"""Telling webhooks what is in the outbox: by threads that are there only while something is to be told.

**One at a time.** Of one webhook only the oldest row is ever delivered, and the next one once that was taken or given
up; so each webhook hears of things in their order. Different webhooks are called at the same time.
**Processes.** Who delivers a row has its claim in the row (`leases`). A claim ends with its process, or at its time
where nobody can tell whether the process lives; then another process takes the row over. So each event is delivered at
least once: twice only where a process ended, or stood still, between the call and writing that it succeeded.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from dataclasses import dataclass
from typing import Final, TypeVar

from otflow import clock, config
from otflow.errors import InvalidParameterError, InvalidStateError, OtflowError
from otflow.store import leases
from otflow.store.sql.connection import Database, Session
from otflow.store.sql.registry.calling import Outcome, call
from otflow.store.sql.registry.sealing import unseal
from otflow.store.webhook_addresses import parse

__all__ = ["Deliverer"]

_logger = logging.getLogger("otflow")

_SPARE_S: Final = 10.0
"""How much longer than a call a claim holds: for looking up the name, for writing what came of it."""
_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_WISH_S: Final = 300.0
"""How long a receiver may ask to be left alone."""
_SEALED_PAUSE_S: Final = 60.0
"""How long a row waits whose secret this process cannot read: another process may have the key."""
_LOOK_S: Final = 2.0
"""How often is looked whether another process that has a claim still lives."""
_AT_A_LOOK: Final = 32
_NEVER: Final = float("inf")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Candidate:
    number: int
    claim: str
    due_ms: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A row that this process has claimed, and the webhook that it is for."""

    number: int
    claim: str
    until_ms: int
    webhook_id: str
    delivery_id: str
    body: str
    attempts: int
    name: str
    url: str
    secret: str | None


class Deliverer:
    """The delivering side of one open database.

    Args:
        database: Where the outbox is.

    Attributes:
        first_pause_s: How long a row waits before it is tried again for the first time; each time twice as long.
        jitter_s: How much longer at most, by chance, so that those who failed at once do not come back at once.
        delivered: How many rows were delivered by this process.
    """

    first_pause_s: float = 1.0
    jitter_s: float = 1.0

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._workers = 0
        self._busy = 0
        self._news = 0
        """Counts what may have changed in the outbox, so that nobody goes to sleep over it."""
        self._resting: object | None = None
        """Stands for the worker that waits for the next row to become due, if one does."""
        self._next_due = _NEVER
        """When the next row becomes due that nobody has claimed, as `time.monotonic` counts."""
        self._started = False
        self.delivered = 0
        self._given_up: dict[str, int] = {}

    # -- from outside ----------------------------------------------------------------------------

    def wake(self) -> None:
        """Deliver what is due, in the background."""
        self._check_process()
        with self._changed:
            self._stir()

    def flush(self, timeout_s: float) -> None:
        """Wait until all is delivered that is due until then, at most so long."""
        end = time.monotonic() + timeout_s
        self.wake()
        with self._changed:
            alone = not self._workers and not self._closed
            self._workers += alone
        if alone:  # no thread can be started any more, as when Python ends
            self._work(end)
        with self._changed:
            while self._workers and (self._resting is None or self._busy or self._next_due <= end):
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    def close(self) -> None:
        """Deliver what is due, for as long as the settings say, and let no thread go on."""
        self._check_process()
        if not self._closed:
            self._at_exit()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        if self._started and self._pid == os.getpid():
            self.flush(_value(config.WEBHOOK_FLUSH_TIMEOUT))

    def _check_process(self) -> None:
        if self._pid != os.getpid():  # the threads stayed with the parent
            self._forget()

    # -- threads ---------------------------------------------------------------------------------

    def _stir(self) -> None:
        """Let a worker look: one that rests, or a new one where all are busy; the lock is held."""
        self._news += 1
        self._resting = None
        self._changed.notify_all()
        if not self._closed and self._busy == self._workers:
            self._start()

    def _start(self) -> None:
        """Start one more worker, if there may be one more; the lock is held."""
        if self._workers >= _value(config.WEBHOOK_DELIVERY_MAX_WORKERS):
            return
        if not self._started:
            self._started = True
            atexit.register(self._at_exit)
        self._workers += 1
        try:
            threading.Thread(target=self._work, name="otflow-webhooks", daemon=True).start()
        except RuntimeError:
            self._workers -= 1

    def _work(self, end: float | None = None) -> None:
        """Deliver until nothing is left; until then at the latest, if a time is given. Counted as a worker."""
        counted = True
        try:
            while not self._closed and (end is None or time.monotonic() < end):
                news = self._news
                job, more, look_at, due_at = self._look()
                if job is not None:
                    self._deliver(job, more or self._news != news)
                elif not self._rest(news, look_at, due_at, end):
                    counted = False
                    return
        except InvalidStateError:  # the store was closed
            return
        except OtflowError as error:
            _logger.warning("Could not deliver to webhooks: %s. It is tried again with the next change.", error)
        except Exception:
            _logger.exception("Could not deliver to webhooks. It is tried again with the next change.")
        finally:
            if counted:
                with self._changed:
                    self._workers -= 1
                    self._changed.notify_all()

    def _rest(self, news: int, look_at: float, due_at: float, end: float | None) -> bool:
        """Wait until there may be something to do; whether this thread is to look again, or is counted no more."""
        with self._changed:
            if self._news != news:
                return True
            done = look_at == _NEVER or self._resting is not None or (end is not None and look_at > end)
            if done or self._closed:
                self._workers -= 1  # at once: whoever wakes a moment later starts another
                self._changed.notify_all()
                return False
            me = self._resting = object()
            self._next_due = due_at
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._resting is not me or self._closed, look_at - time.monotonic())
            if self._resting is me:
                self._resting = None
            return True

    # -- one row ---------------------------------------------------------------------------------

    def _look(self) -> tuple[_Job | None, bool, float, float]:
        """Claim a row that is to be delivered.

        Returns:
            The row, and whether there may be more. Where there is none: when to look again, and when the first row
            becomes due that nobody has claimed, as `time.monotonic` counts.
        """
        now = clock.now_ms()
        with self._database.read() as session:
            heads = _heads(session)
        ready: list[_Candidate] = []
        looks_s: list[float] = []
        dues_s: list[float] = []
        for head in heads:
            if head.due_ms <= now or (head.claim and leases.is_dead(head.claim)):
                ready.append(head)
            elif head.claim:
                looks_s.append(min((head.due_ms - now) / 1000, _LOOK_S))
            else:
                dues_s.append((head.due_ms - now) / 1000)
        for place, candidate in enumerate(ready):
            job = self._database.write(lambda session, wanted=candidate: _claim(session, wanted))
            if job is not None:
                return job, place + 1 < len(ready), _NEVER, _NEVER
        if ready:  # others were faster
            looks_s.append(_LOOK_S)
        moment = time.monotonic()
        due_at = moment + min(dues_s, default=_NEVER)
        return None, False, min(moment + min(looks_s, default=_NEVER), due_at), due_at

    def _deliver(self, job: _Job, more: bool) -> None:
        with self._changed:
            self._busy += 1
            if more:
                self._stir()
        try:
            try:
                secret = unseal(job.secret)
            except OtflowError as error:
                self._postpone(job, error)
                return
            outcome = call(job.url, job.body, job.delivery_id, secret)
            self._settle(job, outcome)
        finally:
            with self._changed:
                self._busy -= 1
                self._stir()

    def _settle(self, job: _Job, outcome: Outcome) -> None:
        """Write what came of a call."""
        if not outcome.success and outcome.may_pass and job.attempts <= _value(config.WEBHOOK_REQUEST_MAX_RETRIES):
            pause_s = min(self.first_pause_s * 2 ** min(job.attempts - 1, 30), _LONGEST_PAUSE_S)
            pause_s += random.uniform(0.0, self.jitter_s)
            pause_s = max(pause_s, min(outcome.retry_after_s, _LONGEST_WISH_S))
            self._database.write(lambda session: _release(session, job, job.attempts, pause_s))
            return
        self._database.write(lambda session: _remove(session, job))
        if outcome.success:
            self.delivered += 1
        else:
            self._report(job, f"gave it up after {job.attempts} calls", str(outcome))

    def _postpone(self, job: _Job, error: OtflowError) -> None:
        self._database.write(lambda session: _release(session, job, job.attempts - 1, _SEALED_PAUSE_S))
        self._report(job, "left it for a process that can sign it", error.message)

    def _report(self, job: _Job, what: str, why: str) -> None:
        """Log a failure of a webhook: the first one, then each time there are ten times as many."""
        with self._changed:
            count = self._given_up[job.webhook_id] = self._given_up.get(job.webhook_id, 0) + 1
        if count == 10 ** (len(str(count)) - 1):
            try:
                place = parse(job.url).shown
            except OtflowError:
                place = "an address that is not allowed"
            _logger.warning(
                "Could not tell the webhook %r at %s of an event, and %s: %s. (%d so far; further ones are counted, "
                "and logged as they become ten times as many.)",
                job.name, place, what, why, count,
            )  # fmt: skip


def _value(setting: config.Setting[T]) -> T:
    """The value of a setting; its default where the environment holds one that is not allowed."""
    try:
        return setting.get()
    except InvalidParameterError as error:
        _logger.warning("%s; the default holds", error)
        return setting.default


def _heads(session: Session) -> list[_Candidate]:
    """The oldest row of each active webhook, the one that is due first coming first."""
    return [
        _Candidate(*row)
        for row in session.all(
            "SELECT d.number, d.claim, d.due_ms FROM webhooks w JOIN webhook_deliveries d ON d.number ="
            " (SELECT MIN(e.number) FROM webhook_deliveries e WHERE e.webhook_id = w.webhook_id)"
            " WHERE w.status = 'ACTIVE' ORDER BY d.due_ms, d.number LIMIT ?",
            (_AT_A_LOOK,),
        )
    ]


def _claim(session: Session, wanted: _Candidate) -> _Job | None:
    """Claim a row, unless somebody else has been there since it was seen."""
    claim = leases.lease()
    until_ms = clock.now_ms() + int((_value(config.WEBHOOK_REQUEST_TIMEOUT) + _SPARE_S) * 1000)
    row = session.one(
        "UPDATE webhook_deliveries SET claim = ?, due_ms = ?, attempts = attempts + 1"
        " WHERE number = ? AND claim = ? AND due_ms = ? RETURNING webhook_id, delivery_id, body, attempts",
        (claim, until_ms, wanted.number, wanted.claim, wanted.due_ms),
    )
    if row is None:
        return None
    webhook_id, delivery_id, body, attempts = row
    webhook = session.one("SELECT name, url, secret FROM webhooks WHERE webhook_id = ?", (webhook_id,))
    if webhook is None:
        session.run("DELETE FROM webhook_deliveries WHERE webhook_id = ?", (webhook_id,))
        return None
    return _Job(wanted.number, claim, until_ms, webhook_id, delivery_id, body, attempts, *webhook)


def _release(session: Session, job: _Job, attempts: int, pause_s: float) -> None:
    """Let a row be delivered again after a pause."""
    session.run(
        "UPDATE webhook_deliveries SET claim = '', due_ms = ?, attempts = ?"
        " WHERE number = ? AND claim = ? AND due_ms = ?",
        (clock.now_ms() + int(pause_s * 1000), attempts, job.number, job.claim, job.until_ms),
    )


def _remove(session: Session, job: _Job) -> None:
    """Take a row out of the outbox, unless it is somebody else's by now."""
    session.run(
        "DELETE FROM webhook_deliveries WHERE number = ? AND claim = ? AND due_ms = ?",
        (job.number, job.claim, job.until_ms),
    )
