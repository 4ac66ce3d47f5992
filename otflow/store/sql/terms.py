"""Terms: an index that lists traces by what they contain, in the order of the list view.

One row of `trace_terms` says: this trace, in this experiment, at this time, has `value` in `field`. The key is
(experiment_id, field, value, time_ns DESC, trace_id), so the traces with a tag, a span name, … come out of
one index range newest first, however rare or common the value is, and a page of them starts where the last ended.

Terms only lead to traces; they never decide. A condition is always checked on the data itself as well
(`traces.tags`, `spans`, `assessments`): values are cut to `LIMIT` characters here, and the fields are

| field             | value                                                  |
|-------------------|--------------------------------------------------------|
| `tag.<key>`       | the tag's value                                        |
| `span.name`       | the name of one of its spans                           |
| `span.type`       | the type of one of its spans                           |
| `assessment`      | the name of one of its valid assessments               |
| `feedback.<name>`, `expectation.<name>` | value of a valid assessment: a string, or other JSON's text |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from otflow.store.merging import Record
from otflow.store.sql.connection import Session
from otflow.store.sql.rows import clean
from otflow.store.sql.statements import insert_rows, select_in

__all__ = [
    "ASSESSMENT",
    "LIMIT",
    "SPAN_NAME",
    "SPAN_TYPE",
    "Term",
    "assessment_field",
    "assessment_terms",
    "clip",
    "delete",
    "insert",
    "of_trace",
    "span_terms",
    "stored",
    "tag_field",
    "tag_terms",
    "value_text",
]

Term = tuple[int, str, str, int, str]
"""A row of `trace_terms`."""

LIMIT = 200
"""Characters of a field or value that are kept: PostgreSQL refuses index rows over 2,700 bytes."""

SPAN_NAME = "span.name"
SPAN_TYPE = "span.type"
ASSESSMENT = "assessment"


def clip(text: str) -> str:
    """A field or a value as `trace_terms` has it."""
    return text[:LIMIT]


def tag_field(key: str) -> str:
    """The field of a tag."""
    return clip(f"tag.{key}")


def assessment_field(kind: str, name: str) -> str:
    """The field of an assessment; `kind` is `feedback` or `expectation`."""
    return clip(f"{kind}.{name}")


def value_text(value: str) -> str:
    """The text that filters compare the value of an assessment with: of JSON text that is a string, the string."""
    return clean(json.loads(value)) if value.startswith('"') else value


# -- what has which terms --------------------------------------------------------------------------


def tag_terms(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Field and value of the terms of tags."""
    return [(tag_field(clean(key)), clip(clean(value))) for key, value in tags.items()]


def span_terms(names_and_types: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Field and value of the terms of spans with these names and types."""
    terms: set[tuple[str, str]] = set()
    for name, kind in names_and_types:
        terms.add((SPAN_NAME, clip(name)))
        terms.add((SPAN_TYPE, clip(kind)))
    return terms


def assessment_terms(session: Session, trace_id: str) -> set[tuple[str, str]]:
    """Field and value of the terms of the assessments that a trace has now."""
    return _assessment_terms(session, [trace_id]).get(trace_id, set())


def stored(session: Session, trace_ids: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """Field and value of the terms of the spans and assessments that traces have now."""
    found = _assessment_terms(session, trace_ids)
    for trace_id, name, kind in select_in(
        session, "SELECT DISTINCT trace_id, name, type FROM spans WHERE trace_id IN {}", trace_ids
    ):
        found.setdefault(trace_id, set()).update(span_terms([(name, kind)]))
    return found


def _assessment_terms(session: Session, trace_ids: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for trace_id, name, kind, value in select_in(
        session, "SELECT trace_id, name, kind, value FROM assessments WHERE valid = 1 AND trace_id IN {}", trace_ids
    ):
        terms = found.setdefault(trace_id, set())
        terms.add((ASSESSMENT, clip(name)))
        if value is not None:
            terms.add((assessment_field(kind, name), clip(value_text(value))))
    return found


def of_trace(record: Record, fields: Iterable[tuple[str, str]]) -> list[Term]:
    """The rows for a trace with these fields and values."""
    experiment_id, time_ns, trace_id = record.experiment_id, record.time_ns, record.trace_id
    return [(experiment_id, name, value, time_ns, trace_id) for name, value in fields]


# -- keeping them ----------------------------------------------------------------------------------

_THE_TERM: Final = "(experiment_id = ? AND field = ? AND value = ? AND time_ns = ? AND trace_id = ?)"
_DELETED_AT_ONCE: Final = 100
"""Well below the depth of an expression that SQLite takes."""


def insert(session: Session, terms: Iterable[Term]) -> None:
    """Add terms; those that are there already stay."""
    insert_rows(
        session,
        "INSERT INTO trace_terms (experiment_id, field, value, time_ns, trace_id) VALUES {} ON CONFLICT DO NOTHING",
        sorted(terms),
    )


def delete(session: Session, terms: Iterable[Term]) -> None:
    """Remove terms."""
    gone = sorted(set(terms))
    for start in range(0, len(gone), _DELETED_AT_ONCE):
        chunk = gone[start : start + _DELETED_AT_ONCE]
        # Not `IN (VALUES …)`: SQLite would read the whole table for it.
        session.run(
            f"DELETE FROM trace_terms WHERE {' OR '.join([_THE_TERM] * len(chunk))}",
            [value for term in chunk for value in term],
        )
