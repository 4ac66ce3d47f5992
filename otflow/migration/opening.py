"""What a source is: a database of MLflow's, a directory of its file store, or neither; open for reading only."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from otflow.errors import InvalidParameterError, OtflowError
from otflow.migration.database.source import DatabaseSource
from otflow.migration.database.tables import Tables
from otflow.migration.records import Source
from otflow.migration.report import ImportReport
from otflow.store.opening import DATABASE_NAME, normalize_uri, without_secrets
from otflow.store.sql import schema
from otflow.store.sql.connection import Conflict, Database, Session
from otflow.store.sql.sqlite import SQLiteDatabase, SQLiteSession

__all__ = ["is_directory", "open_source"]

_NEEDED: Final = ("experiments", "runs")
_OURS: Final = "schema_migrations"
_OTHERS: Final = ("mysql", "mssql", "oracle")


@contextmanager
def open_source(given: str | Path, report: ImportReport) -> Generator[Source, None, None]:
    """Open what holds MLflow's data, for reading.

    Args:
        given: The URI of a database, the path of a SQLite file, or a directory.
        report: What is told of what cannot be read.

    Raises:
        InvalidParameterError: There is nothing, or something that is not MLflow's.
        MissingExtraError: It needs a package that is not installed.
    """
    uri = str(given)
    if uri.startswith("file:"):
        uri = url2pathname(urlsplit(uri).path or urlsplit(uri).netloc)
    if "://" not in uri and not uri.startswith("sqlite:") and os.path.isdir(uri):
        yield _directory(os.path.abspath(uri), report)
        return
    if "://" not in uri and not uri.startswith("sqlite:"):
        if not os.path.exists(uri):
            raise InvalidParameterError(f"there is no file and no directory {uri!r}")
        uri = f"sqlite:///{os.path.abspath(uri)}"
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in _OTHERS:
        raise InvalidParameterError(
            f"{without_secrets(uri)} is a database of the kind {scheme}; SQLite, PostgreSQL and directories are read"
        )
    if scheme in ("http", "https"):
        raise InvalidParameterError(
            f"{without_secrets(uri)} is a server; name the database behind it, or run the import where that is"
        )
    with _session(normalize_uri(uri)) as (session, name):
        columns = schema.tables_of(session)
        _check(name, columns)
        report.source = name
        yield DatabaseSource(name, Tables(session, columns), report)


def is_directory(uri: str) -> bool:
    """Whether a path is a directory of MLflow's file store."""
    with os.scandir(uri) as entries:
        return any(entry.is_dir() and os.path.exists(os.path.join(entry.path, "meta.yaml")) for entry in entries)


def _directory(path: str, report: ImportReport) -> Source:
    from otflow.migration.directory.source import DirectorySource

    if is_directory(path) or os.path.isdir(os.path.join(path, ".trash")):
        report.source = path
        return DirectorySource(path, report)
    if os.path.exists(os.path.join(path, DATABASE_NAME)):
        raise _ours(path)
    inner = [name for name in ("mlruns", "mlflow.db") if os.path.exists(os.path.join(path, name))]
    hint = f"; did you mean {os.path.join(path, inner[0])}?" if inner else ""
    raise InvalidParameterError(f"the directory {path} holds no experiments of MLflow's{hint}")


def _check(uri: str, columns: Mapping[str, object]) -> None:
    if _OURS in columns:
        raise _ours(uri)
    missing = [table for table in _NEEDED if table not in columns]
    if missing:
        raise InvalidParameterError(
            f"the database at {uri} is not MLflow's: there is no table {' and no table '.join(missing)}"
        )


def _ours(uri: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{uri} is otflow's own; to bring a store into an empty one, use otflow db move, to bring traces into"
        " another, otflow traces export and otflow traces import"
    )


@contextmanager
def _session(uri: str) -> Generator[tuple[Session, str], None, None]:
    """A connection that sees the database at one moment, and its name in messages."""
    if uri.startswith("postgresql:"):
        from otflow.store.sql.postgresql import PostgreSQLDatabase

        database: Database = PostgreSQLDatabase(uri)
        try:
            with database.snapshot() as session:
                yield session, database.uri
        except Conflict as conflict:
            raise InvalidParameterError(f"{database.uri} cannot be read now: {conflict}") from conflict
        finally:
            database.close()
        return
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    if not os.path.isfile(path):
        raise InvalidParameterError(f"there is no database at {uri}")
    with _named(path), _sqlite(path) as connection:
        yield SQLiteSession(connection), uri


@contextmanager
def _named(path: str) -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.Error as error:
        named = SQLiteDatabase(path).named(error)
        if isinstance(named, OtflowError):
            raise named from error
        raise InvalidParameterError(f"{path} cannot be read: {named}") from error


@contextmanager
def _sqlite(path: str) -> Generator[sqlite3.Connection, None, None]:
    """A connection in a snapshot of a file, which stays as it is.

    With a write-ahead log readers are in nobody's way. Without one, as MLflow has it, a server that still runs could
    not write as long as we read: then a copy is read that takes no longer than the disk needs.
    """
    if _has_log(path):
        with closing(_connect(path, "mode=ro")) as connection, _snapshot(connection):
            yield connection
        return
    folder = tempfile.mkdtemp(prefix="otflow-import-")
    try:
        with closing(_copy(path, os.path.join(folder, "copy.db"))) as copy, _snapshot(copy):
            yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_log(path: str) -> bool:
    """Whether there is a write-ahead log, as there is while somebody has a database with one open."""
    return os.path.exists(f"{path}-wal")


def _copy(path: str, place: str) -> sqlite3.Connection:
    """A copy of a file without a log.

    One that would have a log if it were open is read as a file that nobody writes to, as SQLite would make that log
    otherwise, and leave it behind. If somebody has begun to write meanwhile, it is read as usual.
    """
    with open(path, "rb") as file:
        would_have_log = file.read(20)[18:20] == b"\2\2"
    before = os.stat(path)
    copy = _copied(path, "mode=ro&immutable=1" if would_have_log else "mode=ro", place)
    after = os.stat(path)
    if would_have_log and (
        _has_log(path) or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size)
    ):
        copy.close()
        copy = _copied(path, "mode=ro", place)
    return copy


def _copied(path: str, how: str, place: str) -> sqlite3.Connection:
    if os.path.exists(place):
        os.remove(place)
    copy = sqlite3.connect(place, isolation_level=None)
    try:
        copy.execute("PRAGMA synchronous = OFF")
        with closing(_connect(path, how)) as connection:
            connection.backup(copy)
    except BaseException:
        copy.close()
        raise
    copy.text_factory = _text
    return copy


def _connect(path: str, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{Path(path).as_uri()}?{how}", uri=True, isolation_level=None, timeout=30)
    connection.text_factory = _text
    return connection


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Generator[None, None, None]:
    connection.execute("BEGIN")
    connection.execute("SELECT COUNT(*) FROM sqlite_master")  # the moment that is seen is that of the first read
    yield
    with suppress(sqlite3.Error):
        connection.execute("ROLLBACK")


def _text(data: bytes) -> str:
    """A text; bytes that are none are shown as such, and stop nothing."""
    return data.decode("utf-8", "replace")
