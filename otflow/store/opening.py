"""Opening a store: the only place that knows URI schemes.

| URI | the store |
|---|---|
| `sqlite:///rel.db`, `sqlite:////abs.db` | a SQLite file; artifacts beside it, in `rel-artifacts` |
| `sqlite:///:memory:` | a SQLite database that ends with the process |
| `postgresql://…`, `postgres://…`, also with `+psycopg` or `+psycopg2` | PostgreSQL, extra `postgres` |
| `http://…`, `https://…` | a server |
| a path, `file:` and a path; empty: `./mlruns` | a directory, which holds `otflow.db` and `otflow-artifacts` |

Behind any of them `#workspace=name` may stand: that workspace of the store. With it a URI is a *place*: what is in two
places never meets.

Other schemes are looked up among the entry points of the group `otflow.stores`: a callable that takes the
URI and returns a `Store`, under the name of the scheme.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from otflow.errors import InvalidParameterError
from otflow.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from otflow.store.interface import Store
    from otflow.store.sql.connection import Database

__all__ = [
    "DATABASE_NAME",
    "in_workspace",
    "is_absolute",
    "normalize_uri",
    "open_database",
    "open_store",
    "split_workspace",
    "upgrade_store",
    "without_secrets",
]

DATABASE_NAME: Final = "otflow.db"
"""The database in a directory that is a store."""

_DEFAULT_DIRECTORY: Final = "mlruns"
_MEMORY: Final = "sqlite:///:memory:"
_POSTGRESQL: Final = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
_ALLOWED: Final = (
    "sqlite:///file.db, postgresql://…, http://…, https://…, file:///directory, or the path of a directory"
)
_ENTRY_POINTS: Final = "otflow.stores"

_ABSOLUTE: Final = ("sqlite:////", "http://", "https://", "postgresql:", "file:///")
_WORKSPACE: Final = "#workspace="
_NAME: Final = re.compile(r"[a-z0-9-]+").fullmatch

# At least two characters: C:\traces is a path.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):").match


@functools.lru_cache(maxsize=256)
def split_workspace(uri: str) -> tuple[str, str | None]:
    """A tracking URI without the workspace that it names, and that workspace; None where it names none."""
    base, mark, name = uri.rpartition(_WORKSPACE)
    return (base, name) if mark and _NAME(name) else (uri, None)


def in_workspace(uri: str, name: str) -> str:
    """A workspace of the store at a tracking URI, whichever workspace the URI names."""
    return f"{split_workspace(uri)[0]}{_WORKSPACE}{name}"


def is_absolute(uri: str) -> bool:
    """Whether a tracking URI surely means the same in every working directory."""
    return uri.startswith(_ABSOLUTE)


def normalize_uri(uri: str | pathlib.Path) -> str:
    """The one form of a tracking URI: absolute, so that it means the same after a change of directory.

    Raises:
        InvalidParameterError: No store is known for it.
    """
    if isinstance(uri, str) and _WORKSPACE in uri:
        base, name = split_workspace(uri)
        if name is not None:
            base = normalize_uri(base)
            return base if name == DEFAULT_WORKSPACE else in_workspace(base, name)
    if isinstance(uri, pathlib.Path):
        return _directory(str(uri))
    if not isinstance(uri, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"a tracking URI is a string or a pathlib.Path, not {type(uri).__name__}: {uri!r}")
    found = _SCHEME(uri)
    scheme = found[1].lower() if found else ""
    if scheme in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(uri)
    if scheme in _POSTGRESQL:
        return "postgresql" + uri[uri.index(":") :]
    if scheme in ("http", "https"):
        return uri.rstrip("/")
    if scheme == "file":
        parts = urlsplit(uri)
        return _directory(url2pathname(parts.path or parts.netloc))
    if uri.partition(":")[0] in ("databricks", "databricks-uc", "uc"):
        raise InvalidParameterError(
            f"the tracking URI {uri!r} means a Databricks workspace, to which otflow does not speak;"
            f" allowed: {_ALLOWED}"
        )
    if scheme and _plugin(scheme) is not None:
        return uri
    if scheme:
        raise InvalidParameterError(
            f"the tracking URI {without_secrets(uri)!r} has the scheme {scheme!r}, for which no store is known;"
            f" allowed: {_ALLOWED}, or a scheme that an installed package brings (entry points {_ENTRY_POINTS!r})"
        )
    return _directory(uri)


def open_store(uri: str | pathlib.Path) -> Store:
    """Open the store at a tracking URI; a database that does not exist is made.

    Raises:
        InvalidParameterError: No store is known for the URI, or there cannot be one in that place.
        SchemaVersionError: The database was written by another version.
        StoreUnavailableError: The database cannot be reached now.
        MissingExtraError: It needs a package that is not installed.
    """
    uri, workspace = split_workspace(normalize_uri(uri))
    opened = _open(uri)
    return opened if workspace is None else opened.in_workspace(workspace)


def _open(uri: str) -> Store:
    scheme = uri.partition(":")[0]
    if scheme == "sqlite":
        from otflow.store.sql.sqlite import SQLiteDatabase
        from otflow.store.sql.store import SqlStore

        path = uri.removeprefix("sqlite:///").partition("?")[0]
        return SqlStore(SQLiteDatabase(path), _artifacts_beside(path))
    if scheme == "postgresql":
        from otflow.store.sql.postgresql import PostgreSQLDatabase
        from otflow.store.sql.store import SqlStore

        return SqlStore(PostgreSQLDatabase(uri), os.path.abspath("otflow-artifacts"))
    if scheme in ("http", "https"):
        from otflow.store.remote.store import RemoteStore

        return RemoteStore(uri)
    plugin = _plugin(scheme)
    if plugin is None:  # it was there when the URI was normalized
        raise InvalidParameterError(f"no store is known for {without_secrets(uri)!r}")
    return plugin(uri)


def upgrade_store(uri: str | pathlib.Path) -> list[str]:
    """Bring the schema of an existing database up to date; the names of the migrations that were run.

    Raises:
        InvalidParameterError: The URI names no SQL database.
    """
    from otflow.store.sql import migrations

    database = open_database(uri)
    try:
        return migrations.upgrade(database)
    finally:
        database.close()


def open_database(uri: str | pathlib.Path, *, must_exist: bool = True) -> Database:
    """The SQL database at a tracking URI, whatever its schema: for its maintenance.

    Args:
        uri: The tracking URI.
        must_exist: Refuse a SQLite file that is not there; it would be made.

    Raises:
        InvalidParameterError: The URI names no SQL database, or none that is there.
        MissingExtraError: It needs a package that is not installed.
    """
    uri = split_workspace(normalize_uri(uri))[0]
    if uri.startswith("sqlite:"):
        from otflow.store.sql.sqlite import SQLiteDatabase

        path = uri.removeprefix("sqlite:///").partition("?")[0]
        if must_exist and not os.path.exists(path):
            raise InvalidParameterError(f"there is no database at {uri}")
        return SQLiteDatabase(path)
    if uri.startswith("postgresql:"):
        from otflow.store.sql.postgresql import PostgreSQLDatabase

        return PostgreSQLDatabase(uri)
    raise InvalidParameterError(
        "only databases, sqlite: and postgresql:, can be upgraded, checked, vacuumed and moved, not "
        f"{without_secrets(uri)!r}"
    )


def without_secrets(uri: str) -> str:
    """A URI, or a text with URIs in it, fit for messages: without the passwords."""
    # The last @ counts: one that a password holds need not be escaped.
    uri = re.sub(r"(://[^/@:\s]*):[^/\s]*@", r"\1@", uri)
    return re.sub(r"(?i)([?&]password=)[^&\s]+", r"\1***", uri)


def _directory(path: str) -> str:
    path = os.path.abspath(path or _DEFAULT_DIRECTORY)
    if os.path.isfile(path):
        raise InvalidParameterError(
            f"the tracking URI {path!r} is a file, where a directory is meant; for a SQLite file write sqlite:///{path}"
        )
    return f"sqlite:///{os.path.join(path, DATABASE_NAME)}"


def _sqlite(uri: str) -> str:
    rest = uri.partition(":")[2]
    place, mark, query = rest.partition("?")
    if place in ("", "//", "///", "//:memory:", "///:memory:"):
        return f"{_MEMORY}{mark}{query}"  # a query keeps databases in memory apart
    if not rest.startswith("///"):
        raise InvalidParameterError(
            f"the tracking URI {uri!r} has {len(rest) - len(rest.lstrip('/'))} slashes behind 'sqlite:';"
            " write sqlite:///relative.db or sqlite:////absolute.db"
        )
    path = rest[3:].partition("?")[0]
    absolute = os.path.abspath(path)
    if path.endswith(("/", os.sep)) or os.path.isdir(absolute):
        raise InvalidParameterError(f"the tracking URI {uri!r} is a directory; sqlite: is followed by a file")
    return f"sqlite:///{absolute}"


def _artifacts_beside(path: str) -> str:
    if path == ":memory:":
        return os.path.abspath("otflow-artifacts")
    return f"{os.path.splitext(path)[0]}-artifacts"


def _plugin(scheme: str) -> Callable[[str], Store] | None:
    from importlib.metadata import entry_points

    for found in entry_points(group=_ENTRY_POINTS, name=scheme):
        return found.load()
    return None
