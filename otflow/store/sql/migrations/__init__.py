"""The schema and its history: ordered migrations, each run in one transaction together with its record.

A migration is a module `m<version>_<name>` with `NAME` and `statements(dialect)`. Migrations that were released
are never changed. A new database is made by running them all, in one transaction, by whoever opens it first.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, Protocol

from otflow.clock import now_ms
from otflow.errors import SchemaVersionError
from otflow.store.sql.connection import Database, Session
from otflow.store.sql.dialect import Dialect

__all__ = ["LATEST", "exists", "pending", "prepare", "require_latest", "upgrade", "version_of"]

_MODULES: Final = ("m0001_initial", "m0002_content", "m0003_runs", "m0004_registry", "m0005_imports")
LATEST: Final = len(_MODULES)
"""The schema version that this otflow reads and writes."""

_OURS: Final = frozenset({"experiments", "traces", "spans", "assessments"})
_ADVISORY_LOCK: Final = 0x07F1_0001
"""Any number, the same in every otflow: holders of the lock change the schema."""


class Migration(Protocol):
    """What a migration module brings."""

    NAME: str

    def statements(self, dialect: Dialect) -> list[str]:
        """The statements to run, in order."""
        ...


def _migration(version: int) -> Migration:
    # Imported when needed: opening a database that is up to date reads no migration.
    module: object = import_module(f"{__name__}.{_MODULES[version - 1]}")
    return module  # pyright: ignore[reportReturnType]


def prepare(database: Database, default_artifact_location: str) -> None:
    """Make the schema where there is none, and refuse one that is older or newer than ours.

    Args:
        database: The database that is being opened.
        default_artifact_location: Where the artifacts of the experiment `Default` go, if it is made now.

    Raises:
        SchemaVersionError: The database belongs to another version of otflow, or to another program.
    """
    with database.read() as session:
        version = _version(session)
    if version is None:
        version = database.write(lambda session: _create(session, database.uri, default_artifact_location))
    _check(database, version)


def exists(database: Database) -> bool:
    """Whether there is a schema of ours, of whatever version."""
    return version_of(database) is not None


def version_of(database: Database) -> int | None:
    """The version of the schema; None where there is none of ours."""
    with database.read() as session:
        return _version(session)


def pending(database: Database) -> list[str]:
    """The names of the migrations that `upgrade` would run, in order.

    Raises:
        SchemaVersionError: There is no schema of ours.
    """
    version = version_of(database)
    if version is None:
        raise _absent(database)
    return [_migration(number).NAME for number in range(version + 1, LATEST + 1)]


def require_latest(database: Database) -> None:
    """Refuse a database without our schema, and one whose schema is older or newer than ours.

    Raises:
        SchemaVersionError: It is such a database.
    """
    version = version_of(database)
    if version is None:
        raise _absent(database)
    _check(database, version)


def _absent(database: Database) -> SchemaVersionError:
    return SchemaVersionError(f"there is no otflow database at {database.uri}; it is made when a store is opened")


def _check(database: Database, version: int) -> None:
    if version < LATEST:
        raise SchemaVersionError(
            f"the database at {database.uri} has schema {version}, this otflow needs schema {LATEST}."
            f" Make a copy of it, then run: otflow db upgrade '{database.uri}'"
        )
    if version > LATEST:
        raise SchemaVersionError(
            f"the database at {database.uri} has schema {version}, this otflow knows schemas up to {LATEST}."
            " It was written by a newer otflow; run: pip install --upgrade otflow"
        )


def upgrade(database: Database) -> list[str]:
    """Bring an existing schema up to date; the names of the migrations that were run, in order."""
    done: list[str] = []
    while True:
        name = database.write(_upgrade_once)
        if name is None:
            return done
        done.append(name)


def _version(session: Session) -> int | None:
    """The schema version; None where there is no schema of ours."""
    tables = _tables(session)
    if "schema_migrations" in tables:
        row = session.one("SELECT MAX(version) FROM schema_migrations")
        return (row[0] if row else None) or 0
    return None


def _tables(session: Session) -> set[str]:
    if session.dialect is Dialect.SQLITE:
        rows = session.all("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        rows = session.all("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    return {row[0] for row in rows}


def _lock(session: Session) -> None:
    """Wait until nobody else changes the schema; on SQLite the write transaction is that lock already."""
    if session.dialect is Dialect.POSTGRESQL:
        session.all("SELECT pg_advisory_xact_lock(?)", (_ADVISORY_LOCK,))


def _create(session: Session, uri: str, default_artifact_location: str) -> int:
    _lock(session)
    version = _version(session)
    if version is not None:  # another process was quicker
        return version
    foreign = _tables(session) & (_OURS | {"alembic_version"})
    if foreign:
        raise SchemaVersionError(
            f"the database at {uri} belongs to another program: it has tables {', '.join(sorted(foreign))} and no"
            " schema_migrations. If it is MLflow's, bring what it holds into a database of otflow's own, with:"
            f" otflow db import '{uri}' --into sqlite:///otflow.db"
        )
    session.run(
        f"CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name {session.dialect.text} NOT NULL,"
        " applied_at_ms BIGINT NOT NULL)"
    )
    for version in range(1, LATEST + 1):
        _run(session, version)
    now = now_ms()
    session.run(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time_ms,"
        " last_update_time_ms) VALUES (0, 'Default', ?, 'active', ?, ?)",
        (default_artifact_location, now, now),
    )
    return LATEST


def _upgrade_once(session: Session) -> str | None:
    _lock(session)
    version = _version(session)
    if version is None:
        raise SchemaVersionError("there is no otflow database here; it is made when a store is opened")
    return _run(session, version + 1) if version < LATEST else None


def _run(session: Session, version: int) -> str:
    migration = _migration(version)
    for statement in migration.statements(session.dialect):
        session.run(statement)
    session.run("INSERT INTO schema_migrations VALUES (?, ?, ?)", (version, migration.NAME, now_ms()))
    return migration.NAME
