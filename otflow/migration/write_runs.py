"""Runs, into our tables.

First what they say of themselves, then the points of their metrics in portions, then the memory that they are whole.
An import after one that ended in between finds them without it, and does them again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from otflow.migration.context import Target, place_of
from otflow.migration.memory import Remembered, recall, remember
from otflow.migration.merging import Marks, mark, marks, merge, part, under
from otflow.migration.records import Source, SourceRun, Values
from otflow.semconv import RunKey
from otflow.store.sql.connection import Session
from otflow.store.sql.dialect import values
from otflow.store.sql.rows import json_object
from otflow.store.sql.run_values import INSERT_POINTS, UPSERT_LATEST
from otflow.store.sql.statements import in_chunks, insert_rows, select_in, upsert

__all__ = ["write_runs"]

_FIELDS: Final = ("name", "user_id", "status", "start_ns", "end_time_ms", "lifecycle_stage", "artifact_uri")
_UPSERT_TAGS: Final = upsert("run_tags", ("run", "key", "value"), ("run", "key"))
_FIXED: Final = "fixed"
_POINTS: Final = "points"
"""The marks of what cannot be changed here, only be added to."""


@dataclass(slots=True)
class _Done:
    """What was done to some runs."""

    numbers: dict[str, int] = field(default_factory=dict[str, int])
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    grown: list[SourceRun] = field(default_factory=list[SourceRun])
    """Those with points that were not read before."""
    finished: list[tuple[str, str, Marks]] = field(default_factory=list[tuple[str, str, Marks]])
    kept: list[str] = field(default_factory=list[str])


def write_runs(target: Target, source: Source, found: Sequence[SourceRun]) -> None:
    """Write runs with all that they recorded."""
    placed = [(run, place_of(target, "runs", f"the run {run.run_id}", run.experiment_id)) for run in found]
    runs = [(run, number) for run, number in placed if number is not None]
    done = target.write(lambda session: _write(session, runs))
    for note in done.kept:
        target.report.note(note)
    for portion in source.points(done.grown) if done.grown else ():
        if target.dry_run:
            target.report.add("metric points", new=len(portion))
            continue
        rows = sorted((done.numbers[point[0]], *point[1:]) for point in portion)
        added = target.write(lambda session, rows=rows: _write_points(session, rows))
        target.report.add("metric points", new=added, unchanged=len(rows) - added)
    target.write(lambda session: remember(session, "run", done.finished))
    target.report.add("runs", new=done.new, updated=done.updated, unchanged=done.unchanged)


def _values(run: SourceRun) -> Values:
    """What may be changed here: all that a row says, and tags."""
    return {**under("field", run.fields), **under("tag", {**run.tags})}


def _fixed_mark(run: SourceRun) -> str:
    """One mark of what is only added to: params, datasets and models."""
    used = sorted([one.name, one.digest, sorted(one.labels.items())] for one in run.datasets)
    return mark(json.dumps([sorted(run.params.items()), used, sorted(run.models)]))


def _write(session: Session, runs: Sequence[tuple[SourceRun, int]]) -> _Done:
    done = _Done()
    known = recall(session, "run", [run.run_id for run, _ in runs])
    there = _numbers(session, [run.run_id for run, _ in runs])
    fresh: list[tuple[SourceRun, int, Values]] = []
    for run, experiment in runs:
        said = _values(run)
        now = {**marks(said), _FIXED: _fixed_mark(run), _POINTS: mark(run.points)}
        before = known.get(run.run_id)
        if before is not None and (before.marks == now or run.run_id not in there):
            done.unchanged += 1  # what was deleted here for good stays so
            continue
        done.finished.append((run.run_id, run.run_id, now))
        if run.points and (before is None or before.marks.get(_POINTS) != now[_POINTS]):
            done.grown.append(run)
        fresh.append((run, experiment, said))
    new = [(run, experiment) for run, experiment, _ in fresh if run.run_id not in there]
    done.numbers = {**there, **_insert(session, new)}
    done.new = len(new)
    made = {run.run_id for run, _ in new}
    _update(session, [(run, said) for run, _, said in fresh if run.run_id not in made], known, done)
    _add_uses(session, [(run, experiment) for run, experiment, _ in fresh], done.numbers)
    return done


def _numbers(session: Session, run_ids: Sequence[str]) -> dict[str, int]:
    return dict(select_in(session, "SELECT run_id, number FROM runs WHERE run_id IN {}", run_ids))


def _insert(session: Session, runs: Sequence[tuple[SourceRun, int]]) -> dict[str, int]:
    """Insert new runs; their numbers."""
    insert_rows(
        session,
        f"INSERT INTO runs (run_id, experiment_id, {', '.join(_FIELDS)}) VALUES {{}}",
        [(run.run_id, experiment, *(run.fields[name] for name in _FIELDS)) for run, experiment in runs],
    )
    numbers = _numbers(session, [run.run_id for run, _ in runs])
    for table, pairs in (("run_tags", "tags"), ("run_params", "params")):
        rows = [
            (numbers[run.run_id], key, value) for run, _ in runs for key, value in sorted(getattr(run, pairs).items())
        ]
        insert_rows(session, f"INSERT INTO {table} (run, key, value) VALUES {{}}", rows)
    return numbers


def _update(
    session: Session, runs: Sequence[tuple[SourceRun, Values]], known: dict[str, Remembered], done: _Done
) -> None:
    """Bring runs that are there up to date."""
    stored = _stored(session, [done.numbers[run.run_id] for run, _ in runs])
    for run, said in runs:
        number = done.numbers[run.run_id]
        before = known.get(run.run_id)
        marked = {} if before is None else before.marks
        was = {key: found for key, found in marked.items() if key not in (_FIXED, _POINTS)}
        changes = merge(None if before is None else was, said, stored[number])
        fields = part("field", changes.put)
        if fields:
            settings = ", ".join(f"{column} = ?" for column in fields)
            session.run(f"UPDATE runs SET {settings} WHERE number = ?", (*fields.values(), number))
        rows = [(number, key, value) for key, value in sorted(part("tag", changes.put).items())]
        insert_rows(session, _UPSERT_TAGS, rows)
        insert_rows(
            session,
            "INSERT INTO run_params (run, key, value) VALUES {} ON CONFLICT DO NOTHING",
            [(number, key, value) for key, value in sorted(run.params.items())],
        )
        for key in changes.drop:
            if key.startswith("tag/"):
                session.run("DELETE FROM run_tags WHERE run = ? AND key = ?", (number, key.removeprefix("tag/")))
        done.kept += [f"run {run.run_id}: {key} was changed on both sides; otflow's stays" for key in changes.kept]
        if changes or run in done.grown or marked.get(_FIXED) != _fixed_mark(run):
            done.updated += 1
        else:
            done.unchanged += 1


def _stored(session: Session, numbers: Sequence[int]) -> dict[int, Values]:
    found: dict[int, Values] = {}
    for number, *row in select_in(
        session, f"SELECT number, {', '.join(_FIELDS)} FROM runs WHERE number IN {{}}", numbers
    ):
        found[number] = under("field", dict(zip(_FIELDS, row, strict=True)))
    for number, key, value in select_in(session, "SELECT run, key, value FROM run_tags WHERE run IN {}", numbers):
        found[number][f"tag/{key}"] = value
    return found


def _add_uses(session: Session, runs: Sequence[tuple[SourceRun, int]], numbers: dict[str, int]) -> None:
    """Add the datasets that runs use, and the models that they use and made; what is there stays."""
    wanted = {
        (experiment, one.name, one.digest): (one.source_type, one.source, one.schema, one.profile)
        for run, experiment in runs
        for one in run.datasets
    }
    insert_rows(
        session,
        "INSERT INTO datasets (experiment_id, name, digest, source_type, source, schema, profile) VALUES {}"
        " ON CONFLICT DO NOTHING",
        [(*key, *rest) for key, rest in sorted(wanted.items())],
    )
    known: dict[tuple[int, str, str], int] = {}
    for experiment, name, digest, number in select_in(
        session,
        "SELECT experiment_id, name, digest, number FROM datasets WHERE digest IN {}",
        sorted({key[2] for key in wanted}),
    ):
        known[experiment, name, digest] = number
    insert_rows(
        session,
        "INSERT INTO run_datasets (run, dataset, context, tags, position) VALUES {} ON CONFLICT DO NOTHING",
        [
            (
                numbers[run.run_id], known[experiment, one.name, one.digest], one.labels.get(RunKey.DATASET_CONTEXT),
                json_object(dict(sorted(one.labels.items()))), place,
            )
            for run, experiment in runs
            for place, one in enumerate(run.datasets)
        ],
    )  # fmt: skip
    insert_rows(
        session,
        "INSERT INTO run_models (run, made, model_id, step, position) VALUES {} ON CONFLICT DO NOTHING",
        [
            (numbers[run.run_id], made, model_id, step, place)
            for run, _ in runs
            for place, (made, model_id, step) in enumerate(run.models)
        ],
    )


_Row = tuple[int, str, int, int, float, int]
"""Number of the run, key, time, step, value, whether it is NaN: as in the key of `run_metrics`."""


def _write_points(session: Session, rows: Sequence[_Row]) -> int:
    """Add points of metrics, and make the last point of each metric true; how many were new."""
    added = 0
    for chunk in in_chunks(rows, 6):
        added += session.run(INSERT_POINTS.format(values(6, len(chunk))), list(chain.from_iterable(chunk)))
    last: dict[tuple[int, str], _Row] = {}
    for row in rows:
        known = last.get(row[:2])
        if known is None or (row[3], row[2], row[4], row[5]) > (known[3], known[2], known[4], known[5]):
            last[row[:2]] = row
    homes = dict(
        select_in(
            session, "SELECT number, experiment_id FROM runs WHERE number IN {}", sorted({row[0] for row in rows})
        )
    )
    insert_rows(session, UPSERT_LATEST, [(key[0], key[1], homes[key[0]], *row[2:]) for key, row in last.items()])
    return added
