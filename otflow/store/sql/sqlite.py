"""SQLite: one file, one connection that writes, some that read."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from otflow import config
from otflow.errors import InvalidParameterError, StoreUnavailableError
from otflow.store.sql.connection import Conflict, Database, Row, Session
from otflow.store.sql.contents import body_text
from otflow.store.sql.dialect import Dialect

__all__ = ["SQLiteDatabase"]

MEMORY: Final = ":memory:"

_TIMEOUT_S: Final = 30.0


def _pragmas(writer: bool) -> list[str]:
    """Settings of a connection, each with its reason."""
    pragmas = [
        # NORMAL: a killed process loses nothing, a power cut may lose the last transactions but never corrupts.
        f"PRAGMA synchronous = {config.SQLITE_SYNCHRONOUS.get()}",
        # Experiments are referenced by their tags and traces; SQLite checks that only when told to.
        "PRAGMA foreign_keys = ON",
        # Sorting and grouping of a page's rows need no file.
        "PRAGMA temp_store = MEMORY",
        # LIKE is case-sensitive, as it is in PostgreSQL and in MLflow's filters; ILIKE lowers both sides.
        "PRAGMA case_sensitive_like = ON",
    ]
    if not writer:
        # A reader that writes would be a bug: it would not hold the writer's lock.
        pragmas.append("PRAGMA query_only = ON")
    return pragmas


class SQLiteSession(Session):
    """A connection of the standard library's sqlite3, in autocommit mode: transactions are said in SQL."""

    dialect = Dialect.SQLITE

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def all(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self.connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: Sequence[object] = ()) -> int:
        return self.connection.execute(statement, parameters).rowcount

    def stream(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        return self.connection.execute(statement, parameters)

    def roll_back(self) -> bool:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            return False
        return True

    def close(self) -> None:
        self.connection.close()


class SQLiteDatabase(Database):
    """A SQLite file, or a database in memory that lives as long as this object."""

    # IMMEDIATE: a transaction that reads before it writes would otherwise fail when another wrote in between.
    begin = "BEGIN IMMEDIATE"

    def __init__(self, path: str) -> None:
        super().__init__(f"sqlite:///{path}", Dialect.SQLITE, _TIMEOUT_S)
        self.path = path

    def _forget(self) -> None:
        super()._forget()
        self._write_lock = threading.Lock()
        self._write_session: SQLiteSession | None = None

    @property
    def in_memory(self) -> bool:
        return self.path == MEMORY

    def connect(self) -> SQLiteSession:
        return self._connect(writer=False)

    def _connect(self, *, writer: bool) -> SQLiteSession:
        if not self.in_memory:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        connection = sqlite3.connect(
            self.path,
            timeout=self.timeout_s,
            isolation_level=None,
            # A connection moves between threads; it is used by one at a time.
            check_same_thread=False,
        )
        try:
            connection.create_function("regexp", 2, _regexp, deterministic=True)
            connection.create_function("otflow_text", 1, body_text, deterministic=True)
            connection.create_function("lower", 1, _lower, deterministic=True)
            for pragma in _pragmas(writer):
                connection.execute(pragma)
            if writer:
                # WAL: readers and the writer do not wait for each other. The mode is a property of the file.
                connection.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            raise
        return SQLiteSession(connection)

    @contextmanager
    def _writer(self) -> Generator[SQLiteSession, None, None]:
        self._check_open()
        lock = self._write_lock
        if not lock.acquire(timeout=self.timeout_s):
            raise StoreUnavailableError(
                f"the store at {self.uri} was busy with another thread's write for {self.timeout_s:g} seconds"
            )
        try:
            self._check_open()  # it may have been closed meanwhile
            with self._in_gate():
                session = self._write_session
                if session is None:
                    session = self._write_session = self._connect(writer=True)
                try:
                    yield session
                except BaseException:
                    if not session.roll_back():
                        self._write_session = None
                        session.close()
                    raise
        finally:
            lock.release()

    def _lend(self) -> AbstractContextManager[Session]:
        # A database in memory has the one connection: another would see another database.
        return self._writer() if self.in_memory else super()._lend()

    def close(self) -> None:
        super().close()
        with self._write_lock:
            if self._write_session is not None:
                self._write_session.close()
                self._write_session = None

    def before_fork(self) -> None:
        """Close what is open, so that the child inherits none of SQLite's own state.

        A child that inherits an open database shares SQLite's memory of locks that the child does not hold (and of
        mutexes that a thread of the parent held), and so may wait for ever or destroy the database.
        Source: "How To Corrupt An SQLite Database File", section 2.6.
        """
        super().before_fork()
        if self.in_memory or self._in_use:
            return
        if self._write_session is not None:
            self._write_session.close()
            self._write_session = None
        while self._idle:
            self._idle.pop().close()

    def named(self, error: Exception) -> Exception:
        if isinstance(error, OSError):
            return InvalidParameterError(f"{self.uri} cannot be opened: {error}")
        if isinstance(error, (OverflowError, UnicodeEncodeError)):
            return InvalidParameterError(f"a value that the database cannot hold: {error}")
        if not isinstance(error, sqlite3.Error):
            return error
        text = str(error)
        if isinstance(error, sqlite3.OperationalError):
            if "locked" in text or "busy" in text:
                return Conflict(text)
            if "unable to open" in text:
                return InvalidParameterError(f"{self.uri} cannot be opened: is there a directory, may it be written?")
            if "no such table" in text:
                return error
            return StoreUnavailableError(f"the store at {self.uri} cannot be used now: {text}")
        if isinstance(error, sqlite3.DatabaseError) and ("not a database" in text or "malformed" in text):
            return InvalidParameterError(f"{self.uri} is not a SQLite database, or it is damaged: {text}")
        return error


def _regexp(pattern: str, text: object) -> bool:
    """`text REGEXP pattern`: SQLite has the operator, not the function."""
    return isinstance(text, str) and re.search(pattern, text) is not None


def _lower(text: Any) -> Any:
    """Lower case for all letters, as PostgreSQL's: SQLite's own knows those of ASCII."""
    return text.lower() if isinstance(text, str) else text
