"""Workspaces and experiments, into our tables.

`Default` goes into `Default`. An experiment keeps its number where that is free, else it is given the next one. Where
its name is taken by another one of the same workspace, the two become one; only if that one is deleted and this one is
not, or the other way round, it gets a name of its own, with a number behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otflow.migration.context import Target
from otflow.migration.memory import recall, remember
from otflow.migration.merging import Changes, marks, merge, part, under
from otflow.migration.records import SourceExperiment, SourceWorkspace, Values
from otflow.store.sql import schema
from otflow.store.sql.connection import Session
from otflow.store.sql.statements import insert_rows, upsert

__all__ = ["free_name", "write_experiments", "write_workspaces"]

_DEFAULT: Final = 0
_LARGEST: Final = 2**63 - 1
_COLUMNS: Final = (
    "name", "artifact_location", "lifecycle_stage", "creation_time_ms", "last_update_time_ms",
)  # fmt: skip
_CHANGEABLE: Final = ("name", "artifact_location", "lifecycle_stage", "last_update_time_ms")
_UPSERT_TAGS: Final = upsert("experiment_tags", ("experiment_id", "key", "value"), ("experiment_id", "key"))


def write_workspaces(target: Target, found: Sequence[SourceWorkspace]) -> None:
    """Make the workspaces that are not there."""

    def work(session: Session) -> int:
        before = _count(session, "workspaces")
        rows = [(one.name, one.fields["description"], one.fields["default_artifact_root"]) for one in found]
        insert_rows(
            session,
            "INSERT INTO workspaces (name, description, default_artifact_root) VALUES {} ON CONFLICT DO NOTHING",
            rows,
        )
        return _count(session, "workspaces") - before

    new = target.write(work)
    target.report.add("workspaces", new=new, unchanged=len(found) - new)


def _count(session: Session, table: str) -> int:
    return session.all(f"SELECT COUNT(*) FROM {table}")[0][0]


def free_name(session: Session, table: str, workspace: str, name: str) -> str:
    """A name that is not taken in the workspace: the name, or one with a number behind."""
    number, free = 1, name
    while session.one(f"SELECT 1 FROM {table} WHERE workspace = ? AND name = ?", (workspace, free)):
        number += 1
        free = f"{name} ({number})"
    return free


def write_experiments(target: Target, found: Sequence[SourceExperiment]) -> None:
    """Write experiments with their tags, and say where each has gone in `target.experiments`."""

    def work(session: Session) -> list[tuple[SourceExperiment, int, str, list[str]]]:
        done = [(one, *_write(session, one)) for one in found]
        numbers = [number for _, number, outcome, _ in done if outcome == "new"]
        if numbers:  # the next one that is made here gets a number behind these
            schema.set_numbering(session, {"experiments": max(*numbers, _highest(session))})
        return done

    for one, number, outcome, notes in target.write(work):
        target.experiments[one.experiment_id] = number
        target.report.add("experiments", **{outcome: 1})
        for note in notes:
            target.report.note(note)


def _highest(session: Session) -> int:
    return session.all("SELECT COALESCE(MAX(experiment_id), 0) FROM experiments")[0][0]


def _write(session: Session, one: SourceExperiment) -> tuple[int, str, list[str]]:
    """Number, outcome and notes."""
    values: Values = {**under("field", {key: one.fields[key] for key in _CHANGEABLE}), **under("tag", {**one.tags})}
    known = recall(session, "experiment", [one.key]).get(one.key)
    notes: list[str] = []
    if known is not None and _there(session, int(known.target)):
        number, before = int(known.target), known.marks
        if before == marks(values):
            return number, "unchanged", notes
    else:
        number, made, notes = _place(session, one)
        before = None
        if made:
            insert_rows(session, _UPSERT_TAGS, [(number, key, value) for key, value in sorted(one.tags.items())])
            remember(session, "experiment", [(one.key, str(number), marks(values))])
            return number, "new", notes
    changes = merge(before, values, _stored(session, number))
    fields = part("field", changes.put)
    if before is None or number == _DEFAULT:
        fields = {}  # it was there before: only tags are added
        changes.kept = [key for key in changes.kept if not key.startswith("field/")]
    _change(session, number, fields, changes, notes)
    notes += [f"experiment {one.fields['name']!r}: {key} was changed on both sides; otflow's stays"
              for key in changes.kept if key != "field/last_update_time_ms"]  # fmt: skip
    remember(session, "experiment", [(one.key, str(number), marks(values))])
    return number, "updated" if fields or part("tag", changes.put) or changes.drop else "unchanged", notes


def _there(session: Session, number: int) -> bool:
    return session.one("SELECT 1 FROM experiments WHERE experiment_id = ?", (number,)) is not None


def _place(session: Session, one: SourceExperiment) -> tuple[int, bool, list[str]]:
    """The number for an experiment that is not known yet, whether it was made, and notes."""
    name, stage = str(one.fields["name"]), one.fields["lifecycle_stage"]
    if one.experiment_id == _DEFAULT:
        return _DEFAULT, False, []
    row = session.one(
        "SELECT experiment_id, lifecycle_stage FROM experiments WHERE workspace = ? AND name = ?", (one.workspace, name)
    )
    if row is not None and row[1] == stage:
        return row[0], False, [f"experiment {name!r}: one of that name is there (number {row[0]}); the two become one"]
    notes: list[str] = []
    if row is not None:
        name = free_name(session, "experiments", one.workspace, name)
        notes.append(
            f"experiment {one.fields['name']!r}: the name is that of one that is {row[1]};"
            f" it is brought over as {name!r}"
        )
    columns, values = ["workspace", *_COLUMNS], [one.workspace, name, *(one.fields[key] for key in _COLUMNS[1:])]
    if 0 < one.experiment_id < _LARGEST and not _there(session, one.experiment_id):
        columns, values = ["experiment_id", *columns], [one.experiment_id, *values]
    else:
        notes.append(f"experiment {one.fields['name']!r}: the number {one.experiment_id} is taken; it gets another one")
    number = session.all(
        f"INSERT INTO experiments ({', '.join(columns)}) VALUES ({', '.join('?' * len(values))})"
        " RETURNING experiment_id",
        values,
    )[0][0]
    return number, True, notes


def _stored(session: Session, number: int) -> Values:
    row = session.all(f"SELECT {', '.join(_CHANGEABLE)} FROM experiments WHERE experiment_id = ?", (number,))[0]
    tags = dict(session.all("SELECT key, value FROM experiment_tags WHERE experiment_id = ?", (number,)))
    return {**under("field", dict(zip(_CHANGEABLE, row, strict=True))), **under("tag", tags)}


def _change(session: Session, number: int, fields: Values, changes: Changes, notes: list[str]) -> None:
    if "name" in fields:
        wanted = str(fields["name"])
        # Not that of the source: a workspace that was deleted here may have left its experiments to another one.
        workspace = session.all("SELECT workspace FROM experiments WHERE experiment_id = ?", (number,))[0][0]
        fields["name"] = free_name(session, "experiments", workspace, wanted)
        if fields["name"] != wanted:
            notes.append(f"experiment {wanted!r}: the name is taken; it is brought over as {fields['name']!r}")
    if fields:
        settings = ", ".join(f"{column} = ?" for column in fields)
        session.run(f"UPDATE experiments SET {settings} WHERE experiment_id = ?", (*fields.values(), number))
    rows = [(number, key, value) for key, value in sorted(part("tag", changes.put).items())]
    insert_rows(session, _UPSERT_TAGS, rows)
    for key in changes.drop:
        if key.startswith("tag/"):
            session.run(
                "DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?", (number, key.removeprefix("tag/"))
            )
