"""Reading tables whose columns differ from version to version: what is not there reads as nothing.

The names of tables and columns are those that databases of MLflow 2 and 3 were seen to have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.statements import in_chunks

__all__ = ["PAGE", "Tables"]

PAGE: Final = 500
"""Things that are read, and written, together."""


class Tables:
    """The tables of a database, seen at one moment.

    Args:
        session: A connection in a snapshot.
        columns: The names of the columns that there are, by table.
    """

    def __init__(self, session: Session, columns: Mapping[str, frozenset[str]]) -> None:
        self._session = session
        self._columns = columns
        self._cursors = 0

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether there is a table, or a column in it."""
        return table in self._columns and (column is None or column in self._columns[table])

    def _select(self, table: str, columns: Sequence[str]) -> str:
        there = self._columns[table]
        shown = [_quoted(column) if column in there or "(" in column else "NULL" for column in columns]
        return f"SELECT {', '.join(shown)} FROM {_quoted(table)}"

    def all(self, table: str, columns: Sequence[str], order: str | None = None) -> list[Row]:
        """All rows of a small table."""
        if not self.has(table):
            return []
        end = f" ORDER BY {_quoted(order)}" if order is not None and self.has(table, order) else ""
        return self._session.all(self._select(table, columns) + end)

    def count(self, table: str) -> int:
        """How many rows there are."""
        return self._session.all(f"SELECT COUNT(*) FROM {_quoted(table)}")[0][0] if self.has(table) else 0

    def pages(self, table: str, columns: Sequence[str], *, size: int = PAGE) -> Iterator[list[Row]]:
        """All rows in pages, by the first column, which is the key."""
        if not self.has(table):
            return
        select, key = self._select(table, columns), _quoted(columns[0])
        rows = self._session.all(f"{select} ORDER BY {key} LIMIT ?", (size,))
        while rows:
            yield rows
            rows = self._session.all(f"{select} WHERE {key} > ? ORDER BY {key} LIMIT ?", (rows[-1][0], size))

    def of(
        self, table: str, columns: Sequence[str], keys: Sequence[Any], *, also: str = "", grouped: bool = False
    ) -> list[Row]:
        """The rows whose first column is one of the keys.

        Args:
            table: The table.
            columns: The columns; one with a parenthesis in it is an expression.
            keys: What the first column may be.
            also: A further condition.
            grouped: One row for each key, of expressions over its rows.
        """
        if not keys or not self.has(table, columns[0]):
            return []
        select, key = self._select(table, columns), _quoted(columns[0])
        end = f" GROUP BY {key}" if grouped else self._in_order(table)
        found: list[Row] = []
        for chunk in in_chunks(list(keys), 1):
            marks = ", ".join("?" * len(chunk))
            found += self._session.all(f"{select} WHERE {key} IN ({marks}){also}{end}", list(chunk))
        return found

    def _in_order(self, table: str) -> str:
        # As they were written, as far as the database still knows.
        return " ORDER BY rowid" if self._session.dialect is Dialect.SQLITE and self.has(table) else ""

    def portions(self, table: str, columns: Sequence[str], keys: Sequence[Any], size: int) -> Iterator[list[Row]]:
        """The rows whose first column is one of a few keys, some at a time however many there are."""
        if not keys or not self.has(table):
            return
        marks = ", ".join("?" * len(keys))
        select = f"{self._select(table, columns)} WHERE {_quoted(columns[0])} IN ({marks})"
        if self._session.dialect is Dialect.SQLITE:
            rows = self._session.stream(select, keys)
            portion: list[Row] = []
            for row in rows:
                portion.append(row)
                if len(portion) >= size:
                    yield portion
                    portion = []
            if portion:
                yield portion
            return
        self._cursors += 1
        cursor = f"portions_{self._cursors}"
        self._session.run(f"DECLARE {cursor} NO SCROLL CURSOR FOR {select}", list(keys))
        while rows := self._session.all(f"FETCH FORWARD {size} FROM {cursor}"):
            yield rows
        self._session.run(f"CLOSE {cursor}")


def _quoted(name: str) -> str:
    return name if "(" in name else f'"{name}"'
