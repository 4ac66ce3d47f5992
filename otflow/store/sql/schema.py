"""The tables of ours as the migrations make them, read from a database in memory: nothing here names a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otflow.store.sql import migrations
from otflow.store.sql.connection import Session
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.sqlite import MEMORY, SQLiteDatabase

__all__ = ["HISTORY", "Table", "numbering", "reference", "set_numbering", "tables_of"]

HISTORY: Final = "schema_migrations"
"""The table that says which migrations were run."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Args:
        name: Its name.
        columns: The names of its columns that are stored, in order.
        rows: The rows that it has in a new database.
    """

    name: str
    columns: tuple[str, ...]
    rows: int


def reference() -> list[Table]:
    """The tables of the latest schema but for its history, in the order in which they refer to each other."""
    database = SQLiteDatabase(MEMORY)
    try:
        migrations.prepare(database, "")
        with database.read() as session:
            # In the order of creation: a table refers to tables that were there.
            names = [
                name
                for name, statement in session.all(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
                    " ORDER BY rowid"
                )
                if name != HISTORY and not str(statement).upper().startswith("CREATE VIRTUAL")
            ]
            return [
                Table(name, _columns(session, name), (session.one(f"SELECT COUNT(*) FROM {name}") or (0,))[0])
                for name in names
            ]
    finally:
        database.close()


def tables_of(session: Session) -> dict[str, frozenset[str]]:
    """All tables of a database, with the names of their columns."""
    if session.dialect is Dialect.SQLITE:
        names = [row[0] for row in session.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: frozenset(_columns(session, name)) for name in names}
    found: dict[str, set[str]] = {}
    for table, column in session.all(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    ):
        found.setdefault(table, set()).add(column)
    return {table: frozenset(columns) for table, columns in found.items()}


def _columns(session: Session, table: str) -> tuple[str, ...]:
    # Generated columns are not among these.
    return tuple(row[0] for row in session.all("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,)))


# -- numbers that are given out once and never again ---------------------------------------------------


def numbering(session: Session, tables: list[Table]) -> dict[str, int]:
    """The highest number that each table with an identity has given out; 0 before the first."""
    names = [table.name for table in tables]
    if session.dialect is Dialect.SQLITE:
        given = dict(session.all("SELECT name, seq FROM sqlite_sequence"))
        return {name: int(given[name]) for name in names if name in given}
    found: dict[str, int] = {}
    for table, column in _identities(session):
        if table in names:
            sequence = _sequence(session, table, column)
            last, called = session.all(f"SELECT last_value, is_called FROM {sequence}")[0]
            highest = (session.one(f"SELECT MAX({column}) FROM {table}") or (None,))[0] or 0
            found[table] = max(last if called else last - 1, highest)
    return found


def set_numbering(session: Session, numbers: dict[str, int]) -> None:
    """Go on behind these numbers."""
    if session.dialect is Dialect.SQLITE:
        for table, number in numbers.items():
            if session.run("UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?", (number, table)) == 0:
                session.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))
        return
    for table, column in _identities(session):
        number = numbers.get(table, 0)
        if number > 0:
            session.all("SELECT setval(pg_get_serial_sequence(?, ?), ?, true)", (table, column, number))


def _identities(session: Session) -> list[tuple[str, str]]:
    return [
        (table, column)
        for table, column in session.all(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND is_identity = 'YES'"
        )
    ]


def _sequence(session: Session, table: str, column: str) -> str:
    return str((session.one("SELECT pg_get_serial_sequence(?, ?)", (table, column)) or ("",))[0])
