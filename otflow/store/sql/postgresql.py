"""PostgreSQL, through psycopg 3 (extra `postgres`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from otflow.errors import InvalidParameterError, MissingExtraError, StoreUnavailableError
from otflow.store.sql.connection import Conflict, Database, Row, Session
from otflow.store.sql.dialect import Dialect

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgreSQLDatabase", "without_password"]

_TRY_AGAIN = ("40001", "40P01", "55P03", "23505")
"""serialization_failure, deadlock_detected, lock_not_available, unique_violation.

The last one is a name that another transaction took after ours had seen it free: run again, ours sees it taken.
"""
_TIMEOUT_S = 30.0


class PostgreSQLSession(Session):
    """A psycopg connection in autocommit mode: transactions are said in SQL."""

    dialect = Dialect.POSTGRESQL

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection

    def all(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: Sequence[object] = ()) -> int:
        return self._execute(statement, parameters).rowcount

    def stream(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        # Row by row off the wire: a usual cursor would gather all of them first.
        return self.connection.cursor().stream(
            cast("Any", Dialect.POSTGRESQL.sql(statement) if parameters else statement), parameters or None
        )

    def _execute(self, statement: str, parameters: Sequence[object]) -> psycopg.Cursor[Row]:
        # Without parameters psycopg takes the text as it is; with them `%` and `?` are translated.
        if not parameters:
            return self.connection.execute(cast("Any", statement))
        return self.connection.execute(cast("Any", Dialect.POSTGRESQL.sql(statement)), parameters)

    def roll_back(self) -> bool:
        if self.connection.closed or self.connection.broken:
            return False
        from psycopg import Error
        from psycopg.pq import TransactionStatus

        try:
            if self.connection.info.transaction_status is not TransactionStatus.IDLE:
                self.connection.execute("ROLLBACK")
        except Error:
            return False
        return True

    def close(self) -> None:
        self.connection.close()


class PostgreSQLDatabase(Database):
    """A PostgreSQL database; needs version 13 or later."""

    begin_snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, uri: str) -> None:
        super().__init__(without_password(uri), Dialect.POSTGRESQL, _TIMEOUT_S)
        self._conninfo = uri
        try:
            import psycopg
        except ImportError:
            raise MissingExtraError("psycopg", "postgres", f"the store at {self.uri}") from None
        self._psycopg = psycopg

    def connect(self) -> PostgreSQLSession:
        # Sessions are in UTC and answer in UTF-8 whatever the server's settings.
        connection = self._psycopg.connect(
            self._conninfo, autocommit=True, client_encoding="utf8", application_name="otflow", connect_timeout=10
        )
        return PostgreSQLSession(connection)

    def named(self, error: Exception) -> Exception:
        psycopg = self._psycopg
        if not isinstance(error, psycopg.Error):
            return error
        state = error.sqlstate or ""
        if state in _TRY_AGAIN:
            return Conflict(str(error))
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, psycopg.OperationalError):
            if state[:2] == "57" or (not state and "closed" in first_line):
                return Conflict(first_line)  # the server was restarted: a new connection may do
            return StoreUnavailableError(f"the store at {self.uri} cannot be used now: {first_line}")
        if isinstance(error, psycopg.DataError):
            return InvalidParameterError(f"a value that the database cannot hold: {first_line}")
        if isinstance(error, psycopg.ProgrammingError) and not state:
            return InvalidParameterError(f"{self.uri} is not a PostgreSQL URI: {first_line}")
        return error


def without_password(uri: str) -> str:
    """A URI fit for messages and logs."""
    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    if at:
        user = user.partition(":")[0]
    query = "&".join(part for part in parts.query.split("&") if not part.lower().startswith("password="))
    return urlunsplit((parts.scheme, f"{user}{at}{host}", parts.path, query, parts.fragment))
