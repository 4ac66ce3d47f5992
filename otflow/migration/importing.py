"""An import, from beginning to end.

The source is only read, at one moment where it is a database. The target is written noun by noun, a few hundred things
in a transaction: an import that was ended in between is simply started again. So is one that is to be repeated: what
the source had at the last one is remembered in the table `imports` (see `merging`), once all of it was written.

Ids stay as they are, and so do artifacts: runs and models point to where MLflow has put theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from otflow.errors import InvalidParameterError
from otflow.migration.context import Target
from otflow.migration.opening import open_source
from otflow.migration.records import Source
from otflow.migration.relocating import RelocatedSource
from otflow.migration.report import ImportReport
from otflow.migration.span_files import is_uri
from otflow.migration.write_experiments import write_experiments, write_workspaces
from otflow.migration.write_models import write_models
from otflow.migration.write_registry import write_registered_models, write_webhooks
from otflow.migration.write_runs import write_runs
from otflow.migration.write_traces import write_traces
from otflow.store.opening import normalize_uri, open_database, open_store, split_workspace, without_secrets
from otflow.store.sql import migrations, schema
from otflow.store.sql.connection import Database
from otflow.store.sql.sqlite import MEMORY, SQLiteDatabase

__all__ = ["import_mlflow"]


def import_mlflow(
    source: str | Path,
    into: str | Path,
    *,
    artifacts: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> ImportReport:
    """Bring what MLflow has recorded into an otflow database.

    Args:
        source: A database of MLflow's (`sqlite:///…`, `postgresql://…`, the path of a SQLite file), or a directory of
            its file store. It stays as it is.
        into: The database of otflow's that is written; made where it does not exist.
        artifacts: Where MLflow's server keeps the artifacts that it gives out as `mlflow-artifacts:`; without it, such
            locations stay as they are, and mean that server.
        dry_run: Only find out what would be done.
        progress: Called with a noun, and how many of them were looked at so far.

    Returns:
        What was done, and what was left out and why.

    Raises:
        InvalidParameterError: The source is not MLflow's, or one of the two cannot be opened.
        SchemaVersionError: The target is of another version.
        MissingExtraError: Something is needed that is not installed: `postgres`, for a directory `yaml`.

    Example:
        >>> report = import_mlflow("mlruns.db", "sqlite:///otflow.db")  # doctest: +SKIP
        >>> report.counts["runs"].new  # doctest: +SKIP
        12
    """
    report = ImportReport(dry_run=dry_run)
    if progress is not None:
        report.progress = progress
    uri = split_workspace(normalize_uri(into))[0]  # all workspaces are brought over
    if uri.startswith("sqlite:///:memory:"):
        raise InvalidParameterError(f"what is imported into {uri} would be gone at once; name a file")
    if not uri.startswith(("sqlite:", "postgresql:")):
        raise InvalidParameterError(
            f"an import writes into a database, sqlite:///… or postgresql://…, not into {without_secrets(uri)}"
        )
    with open_source(source, report) as opened:
        target = _open_target(uri, report)
        try:
            _import(opened if artifacts is None else RelocatedSource(opened, _root(artifacts)), target)
        finally:
            target.database.close()
    return report


def _root(artifacts: str) -> str:
    if not artifacts:
        raise InvalidParameterError("the location of the artifacts is empty; name a directory or a URI")
    return artifacts if is_uri(artifacts) else os.path.abspath(artifacts)


def _open_target(uri: str, report: ImportReport) -> Target:
    path = uri.removeprefix("sqlite:///").partition("?")[0] if uri.startswith("sqlite:") else None
    if report.dry_run and path is not None and not os.path.exists(path):
        report.target = uri
        return Target(_in_memory(), report, report.dry_run)  # what is only tried makes no file
    if not report.dry_run:
        open_store(uri).close()  # makes it where there is none
    database = open_database(uri)
    report.target = database.uri
    try:
        if report.dry_run and not migrations.exists(database):
            database = _tried(database)
        migrations.require_latest(database)
    except BaseException:
        database.close()
        raise
    return Target(database, report, report.dry_run)


def _tried(database: Database) -> Database:
    """A database in memory instead of one that is empty.

    Raises:
        SchemaVersionError: It is another program's.
    """
    with database.read() as session:
        is_empty = not schema.tables_of(session)
    if not is_empty:
        migrations.require_latest(database)
    database.close()
    return _in_memory()


def _in_memory() -> Database:
    database = SQLiteDatabase(MEMORY)
    migrations.prepare(database, "")
    return database


def _import(source: Source, target: Target) -> None:
    write_workspaces(target, list(source.workspaces()))
    write_experiments(target, list(source.experiments()))
    for runs in source.runs():
        write_runs(target, source, runs)
    for models in source.models():
        write_models(target, models)
    for traces in source.traces():
        write_traces(target, source, traces)
    for registered in source.registered_models():
        write_registered_models(target, [registered])
    write_webhooks(target, list(source.webhooks()))
    for what, count in source.left_out().items():
        target.report.note(f"{what} are not brought over: otflow has no place for them ({count:,} there)")
