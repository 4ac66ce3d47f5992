"""Registered models and prompts with their versions, and webhooks, into our tables.

A name that another model or prompt has here already is not shared, as both count their versions from 1: what is brought
over gets the name with a number behind. A webhook with a secret comes over disabled: its secret cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from otflow.migration.context import Target
from otflow.migration.memory import recall, remember
from otflow.migration.merging import Changes, marks, merge, part, under
from otflow.migration.records import DELETED_VERSION, SourceRegistered, SourceVersion, SourceWebhook, Values
from otflow.migration.write_experiments import free_name
from otflow.store.registry_validation import is_prompt
from otflow.store.sql.connection import Session
from otflow.store.sql.statements import insert_rows, upsert

__all__ = ["write_registered_models", "write_webhooks"]

T = TypeVar("T")

_MODEL: Final = ("description", "creation_time_ms", "last_update_time_ms")
_VERSION: Final = (
    "description", "user_id", "current_stage", "source", "storage_location", "run_id", "run_link", "model_id", "status",
    "status_message", "creation_time_ms", "last_update_time_ms",
)  # fmt: skip
_WEBHOOK: Final = ("name", "description", "url", "events", "status", "creation_time_ms", "last_update_time_ms")
_SILENT: Final = "last_update_time_ms"
_TAGS: Final = upsert("registered_model_tags", ("model", "key", "value"), ("model", "key"))
_ALIASES: Final = upsert("registered_model_aliases", ("model", "alias", "version"), ("model", "alias"))
_VERSION_TAGS: Final = upsert(
    "model_version_tags", ("model", "version", "key", "value"), ("model", "version", "key")
)  # fmt: skip


@dataclass(slots=True)
class _Done:
    """What was done to a registered model."""

    outcome: str = "unchanged"
    versions: dict[str, int] = field(default_factory=lambda: {"new": 0, "updated": 0, "unchanged": 0})
    notes: list[str] = field(default_factory=list[str])
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def write_registered_models(target: Target, found: Sequence[SourceRegistered]) -> None:
    """Write registered models and prompts, each in a transaction of its own."""
    for one in found:
        done = target.write(lambda session, one=one: _write(session, one))
        report = target.report
        report.add("prompts" if is_prompt(one.tags) else "registered models", **{done.outcome: 1})
        report.add("versions", **done.versions)
        for note in done.notes:
            report.note(note)
        for what, reason in done.skipped:
            report.skip("versions", what, reason)


def _values(one: SourceRegistered, versions: Sequence[SourceVersion]) -> Values:
    values: Values = {
        **under("field", {key: one.fields[key] for key in _MODEL}),
        **under("tag", {**one.tags}),
        **under("alias", {**one.aliases}),
    }
    for version in versions:
        values |= under(f"version/{version.version}", _of_version(version))
    return values


def _of_version(version: SourceVersion) -> Values:
    return {**under("field", {key: version.fields[key] for key in _VERSION}), **under("tag", {**version.tags})}


def _write(session: Session, one: SourceRegistered) -> _Done:
    done = _Done()
    versions = [version for version in one.versions if version.fields["current_stage"] != DELETED_VERSION]
    values = _values(one, versions)
    now = marks(values)
    known = recall(session, "registered model", [one.key]).get(one.key)
    if known is None:
        number, before = _make(session, one, done), None
    else:
        row = session.one("SELECT number FROM registered_models WHERE number = ?", (int(known.target),))
        number, before = None if row is None else int(row[0]), known.marks
        if before == now or number is None:  # what was deleted here stays so
            done.versions["unchanged"] = len(versions)
            return done
    stored = _stored(session, number)
    of_model = _only_model(values)
    changes = merge(None if before is None else _only_model(before), of_model, _only_model(stored))
    _change(session, number, changes)
    _note_kept(one, changes, done)
    if before is not None and changes:
        done.outcome = "updated"
    for version in versions:
        _write_version(session, one, number, version, stored, before, done)
    gone = {version.version for version in one.versions} - {version.version for version in versions}
    for version in sorted(gone) if before is not None else ():
        _delete_version(session, one, number, version, stored, before or {}, done)
    _count_on(session, number, max((version.version for version in one.versions), default=0))
    remember(session, "registered model", [(one.key, str(number), now)])
    return done


def _only_model(values: dict[str, T]) -> dict[str, T]:
    return {key: value for key, value in values.items() if not key.startswith("version/")}


def _make(session: Session, one: SourceRegistered, done: _Done) -> int:
    name = free_name(session, "registered_models", one.workspace, one.name)
    if name != one.name:
        done.notes.append(
            f"{'prompt' if is_prompt(one.tags) else 'registered model'} {one.name!r}: the name is taken;"
            f" it is brought over as {name!r}"
        )
    done.outcome = "new"
    return session.all(
        "INSERT INTO registered_models (workspace, name, is_prompt, description, creation_time_ms, last_update_time_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
        (one.workspace, name, int(is_prompt(one.tags)), *(one.fields[key] for key in _MODEL)),
    )[0][0]


def _count_on(session: Session, number: int, last: int) -> None:
    """Give out numbers of versions behind those that MLflow has given out, of deleted ones too."""
    session.run(
        "UPDATE registered_models SET last_version = ? WHERE number = ? AND last_version < ?", (last, number, last)
    )


def _stored(session: Session, number: int) -> Values:
    row = session.all(f"SELECT {', '.join(_MODEL)} FROM registered_models WHERE number = ?", (number,))[0]
    found: Values = under("field", dict(zip(_MODEL, row, strict=True)))
    for key, value in session.all("SELECT key, value FROM registered_model_tags WHERE model = ?", (number,)):
        found[f"tag/{key}"] = value
    for alias, version in session.all("SELECT alias, version FROM registered_model_aliases WHERE model = ?", (number,)):
        found[f"alias/{alias}"] = version
    for version, *fields in session.all(
        f"SELECT version, {', '.join(_VERSION)} FROM model_versions WHERE model = ?", (number,)
    ):
        found |= under(f"version/{version}/field", dict(zip(_VERSION, fields, strict=True)))
    for version, key, value in session.all(
        "SELECT version, key, value FROM model_version_tags WHERE model = ?", (number,)
    ):
        found[f"version/{version}/tag/{key}"] = value
    return found


def _change(session: Session, number: int, changes: Changes) -> None:
    _set(session, "registered_models", "number = ?", (number,), part("field", changes.put))
    insert_rows(session, _TAGS, [(number, key, value) for key, value in sorted(part("tag", changes.put).items())])
    insert_rows(session, _ALIASES, [(number, key, value) for key, value in sorted(part("alias", changes.put).items())])
    for key in changes.drop:
        kind, _, rest = key.partition("/")
        if kind == "tag":
            session.run("DELETE FROM registered_model_tags WHERE model = ? AND key = ?", (number, rest))
        elif kind == "alias":
            session.run("DELETE FROM registered_model_aliases WHERE model = ? AND alias = ?", (number, rest))


def _set(session: Session, table: str, condition: str, key: tuple[object, ...], fields: Values) -> None:
    if fields:
        settings = ", ".join(f"{column} = ?" for column in fields)
        session.run(f"UPDATE {table} SET {settings} WHERE {condition}", (*fields.values(), *key))


def _note_kept(one: SourceRegistered, changes: Changes, done: _Done, of: str = "") -> None:
    done.notes += [
        f"{one.name!r}{of}: {key} was changed on both sides; otflow's stays"
        for key in changes.kept
        if not key.endswith(_SILENT)
    ]


def _write_version(
    session: Session, one: SourceRegistered, number: int, version: SourceVersion, stored: Values,
    before: dict[str, str] | None, done: _Done,
) -> None:  # fmt: skip
    name = f"version/{version.version}"
    there, was = part(name, stored), {key: str(value) for key, value in part(name, {**(before or {})}).items()}
    if not there and not was:
        insert_rows(
            session,
            f"INSERT INTO model_versions (model, version, {', '.join(_VERSION)}) VALUES {{}}",
            [(number, version.version, *(version.fields[key] for key in _VERSION))],
        )
        rows = [(number, version.version, key, value) for key, value in sorted(version.tags.items())]
        insert_rows(session, _VERSION_TAGS, rows)
        done.versions["new"] += 1
        return
    if there and not was:
        done.skipped.append(
            (f"version {version.version} of {one.name!r}", "a version of that number was made in otflow")
        )
        return
    changes = merge(was, _of_version(version), there) if there else Changes()
    key = (number, version.version)
    _set(session, "model_versions", "model = ? AND version = ?", key, part("field", changes.put))
    rows = [(*key, tag, value) for tag, value in sorted(part("tag", changes.put).items())]
    insert_rows(session, _VERSION_TAGS, rows)
    for dropped in changes.drop:
        if dropped.startswith("tag/"):
            session.run(
                "DELETE FROM model_version_tags WHERE model = ? AND version = ? AND key = ?",
                (*key, dropped.removeprefix("tag/")),
            )
    _note_kept(one, changes, done, f", version {version.version}")
    done.versions["updated" if changes else "unchanged"] += 1


def _delete_version(
    session: Session, one: SourceRegistered, number: int, version: int, stored: Values, before: dict[str, str],
    done: _Done,
) -> None:  # fmt: skip
    """Delete a version that MLflow has deleted since, unless it was changed here."""
    name = f"version/{version}"
    there = part(name, stored)
    if not there:
        return
    if marks(there) != part(name, {**before}):
        done.notes.append(f"{one.name!r}: version {version} was deleted in MLflow, and changed in otflow; it stays")
        return
    for table in ("model_version_tags", "registered_model_aliases", "model_versions"):
        session.run(f"DELETE FROM {table} WHERE model = ? AND version = ?", (number, version))
    done.versions["updated"] += 1


# -- webhooks ------------------------------------------------------------------------------------------


def write_webhooks(target: Target, found: Sequence[SourceWebhook]) -> None:
    """Write webhooks, without their secrets."""
    for one in found:
        if one.has_secret:
            one.fields["status"] = "DISABLED"
        outcome, kept = target.write(lambda session, one=one: _write_webhook(session, one))
        target.report.add("webhooks", **{outcome: 1})
        for key in kept:
            target.report.note(f"webhook {one.fields['name']!r}: {key} was changed on both sides; otflow's stays")
        if one.has_secret and outcome == "new":
            target.report.note(
                f"webhook {one.fields['name']!r}: its secret is encrypted and cannot be brought over; it is disabled"
                " until you give it a secret and enable it"
            )


def _write_webhook(session: Session, one: SourceWebhook) -> tuple[str, list[str]]:
    values = {key: one.fields[key] for key in _WEBHOOK}
    now = marks(values)
    known = recall(session, "webhook", [one.webhook_id]).get(one.webhook_id)
    row = session.one(f"SELECT {', '.join(_WEBHOOK)} FROM webhooks WHERE webhook_id = ?", (one.webhook_id,))
    if known is not None and (known.marks == now or row is None):
        return "unchanged", []
    remember(session, "webhook", [(one.webhook_id, one.webhook_id, now)])
    if row is None:
        insert_rows(
            session,
            f"INSERT INTO webhooks (webhook_id, workspace, {', '.join(_WEBHOOK)}) VALUES {{}}",
            [(one.webhook_id, one.workspace, *values.values())],
        )
        return "new", []
    changes = merge(None if known is None else known.marks, values, dict(zip(_WEBHOOK, row, strict=True)))
    _set(session, "webhooks", "webhook_id = ?", (one.webhook_id,), changes.put)
    return "updated" if changes else "unchanged", [key for key in changes.kept if key != _SILENT]
