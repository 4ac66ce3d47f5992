"""Assessments: what people, judges and code say of a trace."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Final

from otflow.clock import now_ms
from otflow.entities import Assessment
from otflow.entities.values import dump
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError
from otflow.store.merging import Record
from otflow.store.sql import terms as index
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.rows import (
    ASSESSMENT_COLUMNS,
    assessment_from_row,
    assessment_row,
    assessment_value_row,
    clean,
    clean_id,
    record_from_row,
)
from otflow.store.sql.statements import insert_rows, lock_traces, select_in

__all__ = [
    "add_assessments",
    "assessments_of",
    "create_assessment",
    "delete_assessment",
    "get_assessment",
    "update_assessment",
]

_COLUMNS: Final = ", ".join(ASSESSMENT_COLUMNS)
_INSERT: Final = f"INSERT INTO assessments ({_COLUMNS}) VALUES {{}} ON CONFLICT DO NOTHING"
_CHANGEABLE: Final = ("name", "expectation", "feedback", "rationale", "metadata")


def assessments_of(session: Session, trace_ids: Sequence[str]) -> dict[str, list[Assessment]]:
    """The assessments of traces, oldest first."""
    found: dict[str, list[Assessment]] = {}
    for row in select_in(
        session,
        f"SELECT {_COLUMNS} FROM assessments WHERE trace_id IN {{}} ORDER BY trace_id, create_time_ms, position",
        trace_ids,
    ):
        found.setdefault(row[1], []).append(assessment_from_row(row))
    return found


def get_assessment(session: Session, trace_id: str, assessment_id: str) -> Assessment:
    """One assessment of one trace."""
    row = _row(session, trace_id, assessment_id)
    if row is None:
        if session.one("SELECT 1 FROM traces WHERE trace_id = ?", (trace_id,)) is None:
            raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
        raise _absent(trace_id, assessment_id)
    return assessment_from_row(row)


def add_assessments(session: Session, given: Sequence[tuple[Assessment, str]]) -> None:
    """Keep assessments that came with their trace; what is kept already stays as it is."""
    rows: list[tuple[object, ...]] = []
    overridden: list[tuple[str, str]] = []
    records: dict[str, Record] = {}
    for assessment, trace_id in given:
        settle(assessment)
        rows.append(assessment_row(assessment, trace_id))
        if assessment.overrides:
            overridden.append((assessment.overrides, trace_id))
        records.setdefault(trace_id, _locked(session, trace_id))
    before = {trace_id: index.assessment_terms(session, trace_id) for trace_id in records}
    insert_rows(session, _INSERT, rows)
    for both_ids in overridden:
        session.run("UPDATE assessments SET valid = 0 WHERE assessment_id = ? AND trace_id = ?", both_ids)
    for trace_id, record in records.items():
        _reindex(session, record, before[trace_id])


def create_assessment(session: Session, assessment: Assessment) -> Assessment:
    """Keep a new assessment; see `TraceStore.create_assessment`."""
    trace_id = assessment.trace_id
    if not isinstance(trace_id, str):
        raise InvalidParameterError(f"an assessment needs the id of its trace, not {trace_id!r}")
    if assessment.name is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise InvalidParameterError("an assessment needs a name, not None")
    trace_id = clean(trace_id)
    record = _locked(session, trace_id)
    before = index.assessment_terms(session, trace_id)
    assessment = copy(assessment)
    settle(assessment)
    assessment.valid = True
    if assessment.overrides:
        assessment.overrides = clean_id(assessment.overrides)
        if _row(session, trace_id, assessment.overrides) is None:
            raise _absent(trace_id, assessment.overrides)
        session.run("UPDATE assessments SET valid = 0 WHERE assessment_id = ?", (assessment.overrides,))
    row = assessment_row(assessment, trace_id)
    columns = f"({', '.join('?' * len(row))})"
    if session.run(_INSERT.format(columns), row) == 0:
        raise AlreadyExistsError(f"there is an assessment with ID '{assessment.assessment_id}' already")
    _reindex(session, record, before)
    return assessment_from_row(row)


def update_assessment(session: Session, trace_id: str, assessment_id: str, changes: Mapping[str, object]) -> Assessment:
    """Change fields of an assessment; see `TraceStore.update_assessment`."""
    unknown = sorted(set(changes) - set(_CHANGEABLE))
    if unknown:
        raise InvalidParameterError(
            f"{', '.join(unknown)} of an assessment cannot be changed; what can: {', '.join(_CHANGEABLE)}"
        )
    record = _locked(session, trace_id)
    before = index.assessment_terms(session, trace_id)
    row = _row(session, trace_id, assessment_id)
    if row is None:
        raise _absent(trace_id, assessment_id)
    columns: dict[str, object] = {"last_update_time_ms": now_ms()}
    if changes.get("name") is not None:
        columns["name"] = clean(str(changes["name"]))
    if changes.get("rationale") is not None:
        columns["rationale"] = clean(str(changes["rationale"]))
    if changes.get("metadata") is not None:
        columns["metadata"] = _merged_metadata(row[10], changes["metadata"])
    assessment: Any = assessment_from_row(row)
    for kind, other in (("feedback", "expectation"), ("expectation", "feedback")):
        if changes.get(kind) is None:
            continue
        if row[3] == other:
            raise InvalidParameterError(f"Cannot update {kind} value on {_WITH_ARTICLE[other]} assessment.")
        setattr(assessment, kind, changes[kind])
        _, columns["value"], columns["number"], columns["error"] = assessment_value_row(assessment)
    session.run(
        f"UPDATE assessments SET {', '.join(f'{column} = ?' for column in columns)} WHERE assessment_id = ?",
        (*columns.values(), assessment_id),
    )
    _reindex(session, record, before)
    return get_assessment(session, trace_id, assessment_id)


_WITH_ARTICLE: Final = {"feedback": "a Feedback", "expectation": "an Expectation"}


def delete_assessment(session: Session, trace_id: str, assessment_id: str) -> None:
    """Delete an assessment; see `TraceStore.delete_assessment`."""
    rows = lock_traces(session, [trace_id])
    row = _row(session, trace_id, assessment_id)
    if not rows or row is None:
        return
    before = index.assessment_terms(session, trace_id)
    session.run("DELETE FROM assessments WHERE assessment_id = ?", (assessment_id,))
    overridden = row[13]
    if overridden is not None:
        session.run(
            "UPDATE assessments SET valid = 1 WHERE assessment_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM assessments o WHERE o.trace_id = ? AND o.overrides = ?)",
            (overridden, trace_id, overridden),
        )
    _reindex(session, record_from_row(rows[0]), before)


def settle(assessment: Assessment) -> None:
    """Give an assessment the id and the times that it lacks."""
    if assessment.assessment_id is None:
        assessment.assessment_id = f"a-{uuid.uuid4().hex}"
    if assessment.create_time_ms is None:
        assessment.create_time_ms = now_ms()
    if assessment.last_update_time_ms is None:
        assessment.last_update_time_ms = assessment.create_time_ms


def _row(session: Session, trace_id: str, assessment_id: str) -> Row | None:
    return session.one(
        f"SELECT {_COLUMNS} FROM assessments WHERE assessment_id = ? AND trace_id = ?", (assessment_id, trace_id)
    )


def _absent(trace_id: str, assessment_id: str) -> NotFoundError:
    return NotFoundError(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'")


def _locked(session: Session, trace_id: str) -> Record:
    rows = lock_traces(session, [trace_id])
    if not rows:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return record_from_row(rows[0])


def _reindex(session: Session, record: Record, before: set[tuple[str, str]]) -> None:
    """Make the terms of a trace's assessments true again."""
    after = index.assessment_terms(session, record.trace_id)
    index.delete(session, index.of_trace(record, before - after))
    index.insert(session, index.of_trace(record, after - before))


def _merged_metadata(old: str | None, new: object) -> str:
    if not isinstance(new, Mapping):
        raise InvalidParameterError(f"the metadata of an assessment are a dict of strings, not {new!r}")
    merged: dict[object, object] = {**json.loads(old or "{}"), **new}
    return clean(dump(merged))
