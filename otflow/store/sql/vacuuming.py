"""Giving room back that deleted rows have left."""

from __future__ import annotations

import os
from dataclasses import dataclass

from otflow.store.opening import open_database
from otflow.store.sql import contents, migrations, schema
from otflow.store.sql.connection import Database
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.sqlite import SQLiteDatabase

__all__ = ["Vacuumed", "size_of", "vacuum_store"]


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What was done.

    Args:
        before: Bytes of the database with its log and indexes.
        after: The same, afterwards.
        garbage: Rows deleted that no trace needs any more.
    """

    before: int
    after: int
    garbage: int


def vacuum_store(uri: str) -> Vacuumed:
    """Rewrite a SQLite file without gaps and empty its log; on PostgreSQL, vacuum and analyze our tables.

    Nobody can write to a SQLite file meanwhile, and it takes as much room again while it runs.

    Raises:
        InvalidParameterError: The URI names no SQL database.
        SchemaVersionError: The database is of another version.
        StoreUnavailableError: Somebody else is using the file, or the disk is full.
    """
    database = open_database(uri)
    try:
        migrations.require_latest(database)
        before = size_of(database)
        garbage = database.write(contents.collect)
        if database.dialect is Dialect.SQLITE:
            _run(database, ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"])
        else:
            _run(database, [f"VACUUM (ANALYZE) {table.name}" for table in schema.reference()])
        return Vacuumed(before, size_of(database), garbage)
    finally:
        database.close()


def size_of(database: Database) -> int:
    """How many bytes a database takes."""
    if isinstance(database, SQLiteDatabase):
        files = [database.path, f"{database.path}-wal"]
        return sum(os.path.getsize(file) for file in files if os.path.exists(file))
    names = [table.name for table in schema.reference()]
    with database.read() as session:
        return sum(
            int(session.all("SELECT pg_total_relation_size(to_regclass(?))", (name,))[0][0] or 0) for name in names
        )


def _run(database: Database, statements: list[str]) -> None:
    with database.alone() as session:
        for statement in statements:
            session.run(statement)
