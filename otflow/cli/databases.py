"""`otflow db …` and `otflow doctor`."""

from __future__ import annotations

import json
import sys
from typing import Any

from otflow.cli.output import masked, put, say
from otflow.cli.places import store_uri
from otflow.tracing.brief import printable

__all__ = ["check", "doctor", "move", "upgrade", "vacuum"]

PROBLEMS = 3


def upgrade(arguments: Any) -> int:
    """Bring the schema up to date."""
    from otflow.store.opening import open_database
    from otflow.store.sql import migrations

    database = open_database(store_uri(arguments.uri, arguments.store))
    try:
        pending = migrations.pending(database)
        before = migrations.version_of(database)
        if before is not None and before > migrations.LATEST:
            migrations.require_latest(database)  # says that this otflow is too old for it
        if not pending:
            put(f"{database.uri} has schema {before}, the latest: nothing to do")
            return 0
        names = ", ".join(pending)
        if arguments.dry_run:
            put(f"{database.uri} would be upgraded from schema {before} to {migrations.LATEST}: {names}")
            return 0
        done = migrations.upgrade(database)
        put(f"{database.uri} is upgraded from schema {before} to {migrations.version_of(database)}: {', '.join(done)}")
        return 0
    finally:
        database.close()


def check(arguments: Any) -> int:
    """Look whether a database holds together."""
    from otflow.store.sql.checking import check_store

    findings = check_store(store_uri(arguments.uri, arguments.store))
    for finding in findings:
        put(f"{'problem' if finding.harmful else 'note'}: {printable(finding.what)}")
    problems = sum(finding.harmful for finding in findings)
    put("no problems found" if not problems else f"{problems} problem{'' if problems == 1 else 's'} found")
    return PROBLEMS if problems else 0


def vacuum(arguments: Any) -> int:
    """Give back the room that deleted rows have left."""
    from otflow.store.sql.vacuuming import vacuum_store

    done = vacuum_store(store_uri(arguments.uri, arguments.store))
    if done.garbage:
        put(f"{done.garbage:,} rows deleted that no trace needs any more")
    put(f"{_bytes(done.before)} before, {_bytes(done.after)} now")
    return 0


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def move(arguments: Any) -> int:
    """Copy a whole store into another, empty database."""
    from otflow.store.sql.moving import move_store

    live = sys.stderr.isatty()

    def progress(table: str, rows: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{table}: {rows:,} rows")
            sys.stderr.flush()

    try:
        moved = move_store(arguments.source, arguments.target, progress=progress)
    finally:
        if live:
            sys.stderr.write("\r\x1b[K")
    width = max(len(table.name) for table in moved)
    for table in moved:
        put(f"{table.name:<{width}}  {table.rows:>12,} rows  {table.checksum}")
    rows = sum(table.rows for table in moved)
    put(f"{rows:,} rows moved; the checksums of both sides agree")
    return 0


def doctor(arguments: Any) -> int:
    """Say how otflow is set up here."""
    from otflow.tracking.diagnosis import diagnose

    found = diagnose(store_uri(arguments.store))
    if arguments.json:
        put(masked(json.dumps(found.to_dict(), indent=2)))
    else:
        for title, facts in found.sections.items():
            put(f"{title}:")
            width = max((len(name) for name in facts), default=0)
            for name, value in facts.items():
                put(f"  {name:<{width}}  {printable(masked(str(value)))}")
        for problem in found.problems:
            say(f"problem: {problem}")
    return PROBLEMS if found.problems else 0
