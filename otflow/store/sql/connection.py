"""What both databases have in common: sessions, transactions, and the one place where foreign errors are named.

**Writing.** `write` runs a function in one transaction, one at a time per process on SQLite. The function may be run
again from the start (another process was in the way, PostgreSQL found a deadlock), so it changes nothing but
the database.
**Reading.** `read` lends a connection, `snapshot` one that sees the database at one moment. Readers never
wait for the writer.
**Forks.** A connection belongs to the process that opened it. In a child those of the parent are put aside,
neither used nor closed: closing would end the parent's session, or remove SQLite's log under its feet.
"""

from __future__ import annotations

import os
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar

from otflow.errors import InvalidStateError, OtflowError, StoreUnavailableError
from otflow.store.sql.dialect import Dialect

__all__ = ["Conflict", "Database", "Session"]

T = TypeVar("T")
Row = tuple[Any, ...]

_IDLE_READERS: Final = 4
"""Connections that are kept open between reads; more are opened when needed and closed afterwards."""

_abandoned: list[object] = []
"""Connections of the parent process: referenced for ever, so that no finalizer closes them."""


class Conflict(Exception):
    """A transaction met another one and may succeed when it is run again. Never leaves this room."""


class Session(ABC):
    """One connection in use by one thread."""

    dialect: Dialect
    emitted: bool = False
    """Whether webhooks are to be told of what was done (`registry.outbox`)."""

    @abstractmethod
    def all(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a statement and fetch its rows."""

    @abstractmethod
    def run(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement; how many rows it changed."""

    @abstractmethod
    def stream(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """Run a statement and fetch its rows one by one; no other statement may run until the last one was fetched."""

    @abstractmethod
    def roll_back(self) -> bool:
        """End the transaction, if one is open, undoing it; whether the connection can be used further."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def one(self, statement: str, parameters: Sequence[object] = ()) -> Row | None:
        """Run a statement and fetch its first row, if there is one."""
        rows = self.all(statement, parameters)
        return rows[0] if rows else None


class Database(ABC):
    """A database that is open in this process.

    Args:
        uri: Where it is, without a password.
        dialect: How it speaks.
        timeout_s: How long a write waits for other writers before it gives up.
    """

    def __init__(self, uri: str, dialect: Dialect, timeout_s: float) -> None:
        self.uri = uri
        self.dialect = dialect
        self.timeout_s = timeout_s
        self.deletions = 0
        """Another number after each deletion here of what others may remember the ids of."""
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._idle: list[Session] = []
        self._closed = False
        self._gate = threading.Condition()
        self._in_use = 0

    # -- what a database brings ------------------------------------------------------------------

    @abstractmethod
    def connect(self) -> Session:
        """Open one more connection."""

    @abstractmethod
    def named(self, error: Exception) -> Exception:
        """The error that a driver's error is to our callers; `Conflict` where running again may help."""

    begin: str = "BEGIN"
    begin_snapshot: str = "BEGIN"

    def _writer(self) -> AbstractContextManager[Session]:
        """Lend a connection for one write transaction."""
        return self._lend()

    @property
    def in_memory(self) -> bool:
        """Whether the database is in the memory of this process: a child begins with an empty one."""
        return False

    # -- transactions ----------------------------------------------------------------------------

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction, again while others are in its way; all of it happens, or nothing."""
        deadline = time.monotonic() + self.timeout_s
        pause = 0.001
        while True:
            try:
                with self._errors(), self._writer() as session:
                    session.run(self.begin)
                    result = work(session)
                    session.run("COMMIT")
                    return result
            except Conflict as conflict:
                if time.monotonic() >= deadline:
                    raise StoreUnavailableError(
                        f"the store at {self.uri} was busy with other writers for {self.timeout_s:g} seconds:"
                        f" {conflict}"
                    ) from conflict.__cause__
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 0.1)

    @contextmanager
    def read(self) -> Generator[Session, None, None]:
        """Lend a connection for reading."""
        with self._errors(), self._lend() as session:
            yield session

    @contextmanager
    def snapshot(self) -> Generator[Session, None, None]:
        """Lend a connection for several reads that see the database at one moment."""
        with self.read() as session:
            session.run(self.begin_snapshot)
            yield session
            session.roll_back()

    @contextmanager
    def alone(self) -> Generator[Session, None, None]:
        """Lend the connection that writes, outside of any transaction, for statements that run in none."""
        with self._errors(), self._writer() as session:
            yield session

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._check_process()
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def before_fork(self) -> None:
        """Come to rest: wait until no connection is in use, and let none be used until the fork is done."""
        self._gate.acquire()
        self._gate.wait_for(lambda: self._in_use == 0, self.timeout_s)

    def after_fork_in_parent(self) -> None:
        """Go on after `before_fork`."""
        self._gate.release()

    def after_fork_in_child(self) -> None:
        """Put the parent's connections aside."""
        _abandoned.append(self.__dict__.copy())
        self._forget()

    # -- inside ----------------------------------------------------------------------------------

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            self.after_fork_in_child()

    def _check_open(self) -> None:
        self._check_process()
        if self._closed:
            raise InvalidStateError(f"the store at {self.uri} is closed")

    def _lend(self) -> AbstractContextManager[Session]:
        return self._lend_idle()

    @contextmanager
    def _lend_idle(self) -> Generator[Session, None, None]:
        """Lend an idle connection or a new one; after an error it is rolled back, and closed if it is broken."""
        self._check_open()
        with self._in_gate():
            try:
                session = self._idle.pop()
            except IndexError:
                session = self.connect()
            try:
                yield session
            except BaseException:
                if session.roll_back():
                    self._return(session)
                else:
                    session.close()
                raise
            self._return(session)

    @contextmanager
    def _in_gate(self) -> Generator[None, None, None]:
        """Count a connection as in use; see `before_fork`."""
        gate = self._gate
        with gate:
            self._in_use += 1
        try:
            yield
        finally:
            with gate:
                self._in_use -= 1
                gate.notify_all()

    def _return(self, session: Session) -> None:
        if self._closed or len(self._idle) >= _IDLE_READERS:
            session.close()
        else:
            self._idle.append(session)

    @contextmanager
    def _errors(self) -> Generator[None, None, None]:
        try:
            yield
        except (OtflowError, Conflict):
            raise
        except Exception as error:
            named = self.named(error)
            if named is error:
                raise
            raise named from error
