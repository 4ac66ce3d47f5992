"""Moving a whole store from one database into another, empty one: all of it, or nothing.

The source is read in one snapshot, the target written in one transaction, both row by row. A digest of every table is
made from the rows that were read, and once more from what the target then holds; only if all agree is it committed.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from otflow.errors import InvalidParameterError, InvalidStateError, OtflowError
from otflow.store.opening import normalize_uri, open_database
from otflow.store.sql import migrations, schema
from otflow.store.sql.connection import Database, Row, Session
from otflow.store.sql.contents import body_text, stored_body
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.schema import Table
from otflow.store.sql.statements import insert_rows

__all__ = ["MovedTable", "move_store", "row_digest"]

_BODY: Final = ("contents", "body")
"""The column that holds the same text in several forms: on SQLite compressed or not."""
_ROWS_AT_ONCE: Final = 1000
_BYTES_AT_ONCE: Final = 4_000_000
_MODULUS: Final = 2**128


@dataclass(slots=True)
class MovedTable:
    """What was moved of one table.

    Args:
        name: The table.
        rows: How many rows.
        checksum: The sum of its rows' digests, 32 hex digits; the same in whatever order they are read.
    """

    name: str
    rows: int
    checksum: str


@dataclass(slots=True)
class _Digest:
    rows: int = 0
    total: int = 0

    def add(self, row: Row) -> None:
        self.rows += 1
        self.total = (self.total + row_digest(row)) % _MODULUS

    def of(self, name: str) -> MovedTable:
        return MovedTable(name, self.rows, f"{self.total:032x}")


@dataclass(slots=True)
class _Batch:
    """Rows that are gathered until they are worth a statement."""

    rows: list[Row] = field(default_factory=list[Row])
    size: int = 0

    def add(self, row: Row) -> bool:
        """Take in a row; whether it is time to write."""
        self.rows.append(row)
        self.size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        return len(self.rows) >= _ROWS_AT_ONCE or self.size >= _BYTES_AT_ONCE


def move_store(
    source_uri: str, target_uri: str, *, progress: Callable[[str, int], None] | None = None
) -> list[MovedTable]:
    """Copy all of one database into another one, which has nothing in it; the source stays as it is.

    Args:
        source_uri: A database of the schema of this otflow.
        target_uri: Another one; made where it does not exist.
        progress: Called with the name of a table and the number of its rows that were copied so far.

    Returns:
        The tables, with the checksums that both sides agree in.

    Raises:
        InvalidParameterError: Both are the same database, or one is none.
        InvalidStateError: There is something in the target already, or what arrived is not what was sent.
        SchemaVersionError: One of the databases is of another version.
    """
    source_uri, target_uri = normalize_uri(source_uri), normalize_uri(target_uri)
    if target_uri.startswith("sqlite:///:memory:"):
        raise InvalidParameterError(f"what is moved to {target_uri} would be gone at once; name a file")
    source = open_database(source_uri)
    try:
        target = open_database(target_uri, must_exist=False)
        try:
            if source.uri == target.uri:
                raise InvalidParameterError(f"the source and the target are the same database: {source.uri}")
            return _move(source, target, progress or _silent)
        finally:
            target.close()
    finally:
        source.close()


def _silent(table: str, rows: int) -> None:
    del table, rows


def _move(source: Database, target: Database, progress: Callable[[str, int], None]) -> list[MovedTable]:
    migrations.require_latest(source)
    tables = schema.reference()
    is_new = not migrations.exists(target)
    try:
        migrations.prepare(target, "")
        # The work may be run again from the start, so the snapshot is taken in it.
        return target.write(lambda session: _copy_all(source, session, target.uri, tables, progress))
    except BaseException:
        if is_new:
            _remove_file(target)
        raise


def _copy_all(
    source: Database, session: Session, target_uri: str, tables: list[Table], progress: Callable[[str, int], None]
) -> list[MovedTable]:
    _lock(session, tables)
    _check_empty(session, target_uri, tables)
    with source.snapshot() as reading:
        for side, opened in ((source.uri, reading), (target_uri, session)):
            _check_tables(side, opened, tables)
        for table in reversed(tables):
            session.run(f"DELETE FROM {table.name}")
        moved = [_copy(reading, session, table, progress) for table in tables]
        numbers = schema.numbering(reading, tables)
    for table, sent in zip(tables, moved, strict=True):
        arrived = _digest(_plain(session.stream(_select(table)), _body_place(table))).of(table.name)
        if arrived != sent:
            raise InvalidStateError(
                f"the table {table.name} has arrived with {arrived.rows} rows and checksum {arrived.checksum}, and was"
                f" sent with {sent.rows} rows and checksum {sent.checksum}; nothing was kept"
            )
    schema.set_numbering(session, numbers)
    return moved


def _copy(reading: Session, writing: Session, table: Table, progress: Callable[[str, int], None]) -> MovedTable:
    digest, batch = _Digest(), _Batch()
    body = _body_place(table)
    insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES {{}}"
    for row in _plain(reading.stream(_select(table)), body):
        digest.add(row)
        stored = row
        if body is not None:
            stored = (*row[:body], stored_body(row[body], writing.dialect), *row[body + 1 :])
        if batch.add(stored):
            insert_rows(writing, insert, batch.rows)
            batch = _Batch()
            progress(table.name, digest.rows)
    insert_rows(writing, insert, batch.rows)
    progress(table.name, digest.rows)
    return digest.of(table.name)


def _body_place(table: Table) -> int | None:
    """Where in a row the column is whose form is the database's own."""
    name, column = _BODY
    return table.columns.index(column) if table.name == name else None


def _plain(rows: Iterator[Row], body: int | None) -> Iterator[Row]:
    """The rows with the text itself in place of its form."""
    if body is None:
        return rows
    return ((*row[:body], body_text(row[body]), *row[body + 1 :]) for row in rows)


def _select(table: Table) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {table.name}"


def _digest(rows: Iterator[Row]) -> _Digest:
    digest = _Digest()
    for row in rows:
        digest.add(row)
    return digest


def row_digest(row: Sequence[Any]) -> int:
    """A number of 128 bits made of the values of a row and their types, the same whatever database they are from."""
    found = hashlib.blake2b(digest_size=16)
    for value in row:
        kind, data = _canonical(value)
        found.update(kind)
        found.update(len(data).to_bytes(8, "big"))
        found.update(data)
    return int.from_bytes(found.digest(), "big")


def _canonical(value: object) -> tuple[bytes, bytes]:
    if value is None:
        return b"n", b""
    if isinstance(value, str):
        return b"t", value.encode("utf-8", "surrogatepass")
    if isinstance(value, int):  # a boolean is one of SQLite's integers
        return b"i", str(int(value)).encode()
    if isinstance(value, float):
        return b"f", struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"b", value
    raise OtflowError(f"a value of the type {type(value).__name__} is not known how to move")


# -- whether it can be done ----------------------------------------------------------------------------


def _lock(session: Session, tables: list[Table]) -> None:
    """Keep other writers out; on SQLite they are kept out already."""
    if session.dialect is Dialect.POSTGRESQL:
        session.run(f"LOCK TABLE {', '.join(table.name for table in tables)} IN SHARE ROW EXCLUSIVE MODE")


def _check_empty(session: Session, uri: str, tables: list[Table]) -> None:
    for table in tables:
        count = (session.one(f"SELECT COUNT(*) FROM (SELECT 1 FROM {table.name} LIMIT {table.rows + 1}) AS t") or (0,))[
            0
        ]
        if count > table.rows:
            raise InvalidStateError(
                f"the store at {uri} is not empty: there are rows in {table.name}. A store is moved into an empty one;"
                " to add traces to those that are there, use otflow traces export and import"
            )


def _check_tables(uri: str, session: Session, tables: list[Table]) -> None:
    there = schema.tables_of(session)
    for table in tables:
        missing = set(table.columns) - there.get(table.name, frozenset())
        if missing:
            raise InvalidStateError(
                f"the database at {uri} lacks columns of {table.name}: {', '.join(sorted(missing))};"
                " see: otflow db check"
            )


def _remove_file(database: Database) -> None:
    """Remove a SQLite file that was made for a move that failed."""
    database.close()
    path = getattr(database, "path", None)
    if isinstance(path, str) and not database.in_memory:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.remove(path + suffix)
