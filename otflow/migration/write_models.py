"""Logged models, into our tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otflow.migration.context import Target, place_of
from otflow.migration.memory import Remembered, recall, remember
from otflow.migration.merging import mark, marks, merge, part, under
from otflow.migration.records import SourceModel, Values
from otflow.store.sql.connection import Session
from otflow.store.sql.statements import insert_rows, select_in, upsert

__all__ = ["write_models"]

_FIELDS: Final = (
    "name", "artifact_location", "creation_time_ms", "last_update_time_ms", "status", "status_message",
    "lifecycle_stage", "model_type", "source_run_id",
)  # fmt: skip
_TABLES: Final = (("tag", "logged_model_tags"), ("param", "logged_model_params"))
_INSERT_POINTS: Final = (
    "INSERT INTO logged_model_metrics"
    " (model_id, key, dataset_name, dataset_digest, run, time_ms, step, value, is_nan) VALUES {} ON CONFLICT DO NOTHING"
)
_POINTS: Final = "points"


class _Done:
    """What was done to some models."""

    def __init__(self) -> None:
        self.new = self.updated = self.unchanged = 0
        self.kept: list[str] = []
        self.lost: list[tuple[str, str]] = []
        """Models and runs of points whose run is not there."""


def write_models(target: Target, found: Sequence[SourceModel]) -> None:
    """Write logged models with all that is known of them."""
    placed = [(one, place_of(target, "logged models", f"the logged model {one.model_id}", one.experiment_id))
              for one in found]  # fmt: skip
    models = [(one, number) for one, number in placed if number is not None]
    done = target.write(lambda session: _write(session, models))
    report = target.report
    report.add("logged models", new=done.new, updated=done.updated, unchanged=done.unchanged)
    for note in done.kept:
        report.note(note)
    if not target.dry_run:  # in a dry run no run is there
        for model_id, run_id in done.lost:
            report.skip("metric points", f"points of the logged model {model_id}", f"their run {run_id} is not there")


def _write(session: Session, models: Sequence[tuple[SourceModel, int]]) -> _Done:
    done = _Done()
    ids = [one.model_id for one, _ in models]
    known, stored = recall(session, "model", ids), _stored(session, ids)
    for one, experiment in models:
        values: Values = {
            **under("field", one.fields), **under("tag", {**one.tags}), **under("param", {**one.params})
        }  # fmt: skip
        now = {**marks(values), _POINTS: mark(len(one.points))}
        before = known.get(one.model_id)
        if before is not None and (before.marks == now or one.model_id not in stored):
            done.unchanged += 1
            continue
        if one.model_id not in stored:
            session.run(
                f"INSERT INTO logged_models (model_id, experiment_id, {', '.join(_FIELDS)})"
                f" VALUES ({', '.join('?' * (len(_FIELDS) + 2))})",
                (one.model_id, experiment, *(one.fields[name] for name in _FIELDS)),
            )
            for name, table in _TABLES:
                _insert(session, table, one.model_id, part(name, values))
            done.new += 1
        else:
            changed = _update(session, one, values, stored[one.model_id], before, done)
            grown = before is not None and before.marks.get(_POINTS) != now[_POINTS]
            done.updated += changed or grown
            done.unchanged += not (changed or grown)
        _add_points(session, one, done)
        remember(session, "model", [(one.model_id, one.model_id, now)])
    return done


def _insert(session: Session, table: str, model_id: str, pairs: Values) -> None:
    statement = upsert(table, ("model_id", "key", "value"), ("model_id", "key"))
    insert_rows(session, statement, [(model_id, key, value) for key, value in sorted(pairs.items())])


def _update(
    session: Session, one: SourceModel, values: Values, stored: Values, before: Remembered | None, done: _Done
) -> bool:
    marks_before = None if before is None else {key: was for key, was in before.marks.items() if key != _POINTS}
    changes = merge(marks_before, values, stored)
    fields = part("field", changes.put)
    if fields:
        settings = ", ".join(f"{column} = ?" for column in fields)
        session.run(f"UPDATE logged_models SET {settings} WHERE model_id = ?", (*fields.values(), one.model_id))
    for name, table in _TABLES:
        _insert(session, table, one.model_id, part(name, changes.put))
    for key in changes.drop:
        if key.startswith("tag/"):
            session.run(
                "DELETE FROM logged_model_tags WHERE model_id = ? AND key = ?", (one.model_id, key.removeprefix("tag/"))
            )
    done.kept += [
        f"logged model {one.model_id}: {key} was changed on both sides; otflow's stays"
        for key in changes.kept
        if key != "field/last_update_time_ms"
    ]
    return bool(changes)


def _stored(session: Session, ids: Sequence[str]) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for model_id, *row in select_in(
        session, f"SELECT model_id, {', '.join(_FIELDS)} FROM logged_models WHERE model_id IN {{}}", ids
    ):
        found[model_id] = under("field", dict(zip(_FIELDS, row, strict=True)))
    for name, table in _TABLES:
        for model_id, key, value in select_in(
            session, f"SELECT model_id, key, value FROM {table} WHERE model_id IN {{}}", list(found)
        ):
            found[model_id][f"{name}/{key}"] = value
    return found


def _add_points(session: Session, one: SourceModel, done: _Done) -> None:
    run_ids = sorted({point[3] for point in one.points})
    runs = dict(select_in(session, "SELECT run_id, number FROM runs WHERE run_id IN {}", run_ids))
    done.lost += [(one.model_id, run_id) for run_id in run_ids if run_id not in runs]
    rows = [
        (one.model_id, key, name, digest, runs[run_id], *rest)
        for key, name, digest, run_id, *rest in one.points
        if run_id in runs
    ]
    insert_rows(session, _INSERT_POINTS, sorted(rows))
