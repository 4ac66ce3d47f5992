"""How otflow is set up in this process and on this machine, and what is wrong with it. Nothing is changed or made."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from otflow import __version__, config, context
from otflow.errors import OtflowError
from otflow.store.opening import normalize_uri, open_database, open_store, without_secrets

if TYPE_CHECKING:
    from otflow.store.sql.connection import Session

__all__ = ["Diagnosis", "diagnose"]

_PACKAGES: Final = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
    "pydantic",
    "requests",
    "psycopg",
    "pandas",
    "pyarrow",
    "starlette",
    "uvicorn",
    "mlflow",
)
_PREFIXES: Final = ("OTFLOW_", "MLFLOW_", "OTEL_")
_SECRET: Final = re.compile(r"(?i)token|password|passwd|secret|header|(^|_)key$|api_?key|credential|authorization")
_MASK: Final = "***"
_INSTRUMENTORS: Final = ("opentelemetry_instrumentor", "openinference_instrumentor")
_ROOM_BYTES: Final = 100_000_000
"""With less room than this on the disk, writing may fail soon."""


@dataclass(slots=True)
class Diagnosis:
    """What was found.

    Args:
        sections: Facts by name, by the title of their section.
        problems: What is wrong, a sentence each.
    """

    sections: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    problems: list[str] = field(default_factory=list[str])

    def to_dict(self) -> dict[str, Any]:
        """What was found, as JSON can hold it."""
        return {**self.sections, "problems": self.problems}


def diagnose(uri: str | None = None, *, mask_envs: bool = True) -> Diagnosis:
    """Look at versions, settings, the store, and what OpenTelemetry has here.

    Args:
        uri: The store to look at; the current one by default.
        mask_envs: Whether the values of variables that may hold secrets are hidden. Passwords in URIs always are.
    """
    found = Diagnosis()
    found.sections["versions"] = _versions()
    found.sections["settings"] = _settings(found.problems, mask_envs)
    found.sections["environment"] = {
        name: _shown(name, text, mask_envs) for name, text in config.variables(_PREFIXES).items()
    }
    found.sections["store"] = _store(context.get_tracking_uri() if uri is None else uri, found.problems)
    found.sections["opentelemetry"] = _opentelemetry()
    return found


def _versions() -> dict[str, str]:
    versions = {
        "otflow": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
    }
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _settings(problems: list[str], mask: bool) -> dict[str, str]:
    """The settings that differ from their defaults."""
    found: dict[str, str] = {}
    for setting in config.SETTINGS:
        name = setting.variables[0]
        try:
            value: object = setting.get()
        except OtflowError as error:
            problems.append(_masked_error(str(error), mask and bool(_SECRET.search(setting.name))))
            continue
        if value != setting.default:
            found[name] = _shown(name, str(value), mask)
    return found


def _masked_error(text: str, secret: bool) -> str:
    return f"{text.rpartition(', not ')[0]}, not {_MASK}" if secret else without_secrets(text)


def _shown(name: str, text: str, mask: bool) -> str:
    if mask and _SECRET.search(name):
        return _MASK
    return re.sub(r"(?i)(\bpassword=)[^&\s]+", rf"\1{_MASK}", re.sub(r"(://[^/:@\s]*):[^\s]*@", rf"\1:{_MASK}@", text))


# -- the store -----------------------------------------------------------------------------------------


def _store(uri: str, problems: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"uri": _shown("", uri, True)}
    try:
        uri = normalize_uri(uri)
        facts["place"] = _shown("", uri, True)
        if uri.startswith(("sqlite:", "postgresql:")):
            _database(uri, facts, problems)
        else:
            facts["reachable"] = _reachable(uri)
    except Exception as error:  # whatever is wrong with it is what is asked for
        facts["opens"] = False
        problems.append(f"the store cannot be used: {_shown('', str(error), True)}")
    return facts


def _reachable(uri: str) -> bool:
    store = open_store(uri)
    try:
        store.search_experiments(max_results=1)
        return True
    finally:
        store.close()


def _database(uri: str, facts: dict[str, Any], problems: list[str]) -> None:
    from otflow.store.sql import migrations
    from otflow.store.sql.vacuuming import size_of

    path = uri.removeprefix("sqlite:///").partition("?")[0] if uri.startswith("sqlite:") else None
    if path is not None:
        _disk(path, facts, problems)
        if not os.path.exists(path):
            facts["exists"] = False  # it is made when the first trace is written
            return
    database = open_database(uri)
    try:
        version = migrations.version_of(database)
        facts["schema"] = f"{version} of {migrations.LATEST}"
        migrations.require_latest(database)
        with database.read() as session:
            facts["opens"] = True
            if path is not None:
                facts["journal mode"] = session.all("PRAGMA journal_mode")[0][0]
                facts["synchronous"] = config.SQLITE_SYNCHRONOUS.get()
            else:
                facts["server"] = session.all("SHOW server_version")[0][0]
            facts["traces"] = session.all("SELECT COUNT(*) FROM traces")[0][0]
            facts["experiments"] = session.all("SELECT COUNT(*) FROM experiments")[0][0]
        facts["bytes"] = size_of(database)
        facts["writable"] = _tries(lambda: database.write(_nothing), "written to", problems)
    finally:
        database.close()


def _nothing(session: Session) -> None:
    """A transaction that changes nothing: it can begin only where something could be changed."""
    del session


def _tries(work: Callable[[], object], what: str, problems: list[str]) -> bool:
    try:
        work()
    except Exception as error:
        problems.append(f"the store cannot be {what}: {_shown('', str(error), True)}")
        return False
    return True


def _disk(path: str, facts: dict[str, Any], problems: list[str]) -> None:
    folder = os.path.dirname(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    facts["free bytes on disk"] = free
    if free < _ROOM_BYTES:
        problems.append(f"only {free:,} bytes are free on the disk of {path}")
    if not os.access(folder if not os.path.exists(path) else path, os.W_OK):
        problems.append(f"{path} may not be written to")


# -- OpenTelemetry -------------------------------------------------------------------------------------


def _opentelemetry() -> dict[str, Any]:
    from opentelemetry import trace as trace_api

    provider = trace_api.get_tracer_provider()
    kind = type(provider)
    facts: dict[str, Any] = {"tracer provider": f"{kind.__module__}.{kind.__qualname__}"}
    for group in _INSTRUMENTORS:
        names = sorted({entry.name for entry in metadata.entry_points(group=group)})
        facts[group.replace("_", " ") + "s"] = ", ".join(names) if names else "none installed"
    return facts
