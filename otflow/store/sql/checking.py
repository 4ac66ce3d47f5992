"""Whether a database holds together: its file, its schema, and what is kept twice for the sake of speed.

Read in one snapshot and in bounded memory; nothing is changed. What is found is a `Problem`, or a `note`, which
harms nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from otflow.errors import InvalidParameterError
from otflow.semconv import Metadata
from otflow.store.aggregates import aggregates
from otflow.store.opening import open_database
from otflow.store.sql import migrations, schema
from otflow.store.sql import terms as index
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import Dialect, values
from otflow.store.sql.rows import TRACE_COLUMNS, clean, record_from_row
from otflow.store.sql.statements import in_chunks, span_facts
from otflow.store.sql.terms import Term

__all__ = ["Finding", "check_store"]

T = TypeVar("T")

_TRACES_AT_ONCE: Final = 200
_SHOWN: Final = 5

_ORPHANS: Final = (
    ("spans", "trace_id", "traces", "spans of traces that are not there"),
    ("assessments", "trace_id", "traces", "assessments of traces that are not there"),
    ("trace_terms", "trace_id", "traces", "search terms of traces that are not there"),
    ("trace_prompts", "trace_id", "traces", "links of prompts to traces that are not there"),
    ("traces", "experiment_id", "experiments", "traces of experiments that are not there"),
    ("experiment_tags", "experiment_id", "experiments", "tags of experiments that are not there"),
    ("runs", "experiment_id", "experiments", "runs of experiments that are not there"),
    ("datasets", "experiment_id", "experiments", "datasets of experiments that are not there"),
    ("logged_models", "experiment_id", "experiments", "logged models of experiments that are not there"),
    *(
        (f"logged_model_{things}", "model_id", "logged_models", f"{things} of logged models that are not there")
        for things in ("tags", "params", "metrics")
    ),
)
_OF_RUNS: Final = (
    ("run_tags", "tags"),
    ("run_params", "params"),
    ("run_metrics", "points of metrics"),
    ("latest_metrics", "last points of metrics"),
    ("run_datasets", "uses of datasets"),
    ("run_models", "links of logged models"),
    ("logged_model_metrics", "points of metrics of logged models"),
)
"""Tables whose column `run` is the number of a run, with what is in them."""
_OF_MODELS: Final = (
    ("registered_model_tags", "tags"),
    ("registered_model_aliases", "aliases"),
    ("model_versions", "versions"),
)
"""Tables whose column `model` is the number of a registered model, with what is in them."""
_OF_VERSIONS: Final = (("model_version_tags", "tags"), ("registered_model_aliases", "aliases"))
_BROKEN: Final = (
    (
        "content_uses",
        "owner",
        "length(c.hash) = 40 AND NOT EXISTS (SELECT 1 FROM contents o WHERE o.hash = c.hash)",
        "parts of the content of spans that are not there, in",
    ),
    (
        "contents",
        "hash",
        "c.parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM contents o WHERE o.hash = c.parent)",
        "texts that go on from one that is not there",
    ),
    *(
        (
            table,
            "run",
            "NOT EXISTS (SELECT 1 FROM runs o WHERE o.number = c.run)",
            f"{what} of runs that are not there, by their numbers",
        )
        for table, what in _OF_RUNS
    ),
    *(
        (
            table,
            "model",
            "NOT EXISTS (SELECT 1 FROM registered_models o WHERE o.number = c.model)",
            f"{what} of registered models that are not there, by their numbers",
        )
        for table, what in _OF_MODELS
    ),
    *(
        (
            table,
            "model",
            "NOT EXISTS (SELECT 1 FROM model_versions o WHERE o.model = c.model AND o.version = c.version)",
            f"{what} of versions that are not there, by the numbers of their registered models",
        )
        for table, what in _OF_VERSIONS
    ),
    (
        "model_versions",
        "model",
        "EXISTS (SELECT 1 FROM registered_models o WHERE o.number = c.model AND o.last_version < c.version)",
        "versions whose number would be given out again, by the numbers of their registered models",
    ),
    (
        "run_datasets",
        "dataset",
        "NOT EXISTS (SELECT 1 FROM datasets o WHERE o.number = c.dataset)",
        "uses of datasets that are not there, by their numbers",
    ),
    (
        "latest_metrics",
        "run",
        "EXISTS (SELECT 1 FROM runs o WHERE o.number = c.run AND o.experiment_id <> c.experiment_id)",
        "metrics that are searched for in another experiment than that of their run, by the number of the run",
    ),
    (
        "latest_metrics",
        "run",
        (
            "NOT EXISTS (SELECT 1 FROM run_metrics m WHERE m.run = c.run AND m.key = c.key AND m.time_ms = c.time_ms"
            " AND m.step = c.step AND m.value = c.value AND m.is_nan = c.is_nan)"
            " OR EXISTS (SELECT 1 FROM run_metrics m WHERE m.run = c.run AND m.key = c.key"
            " AND (m.step, m.time_ms, m.value, m.is_nan) > (c.step, c.time_ms, c.value, c.is_nan))"
        ),
        "metrics whose value is not that of their last point, by the numbers of their runs",
    ),
    (
        "run_metrics",
        "run",
        "NOT EXISTS (SELECT 1 FROM latest_metrics l WHERE l.run = c.run AND l.key = c.key)",
        "points of metrics that no search finds for lack of the last point, by the numbers of their runs",
    ),
)
_COPIES: Final = (
    ("session_id", Metadata.SESSION),
    ("user_id", Metadata.USER),
    ("run_id", Metadata.SOURCE_RUN),
    ("model_id", Metadata.MODEL_ID),
)
"""Columns of traces that repeat a member of their metadata."""
_STATES: Final = ("OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        what: What it is, in one sentence.
        harmful: Whether something is lost, wrong or not found by a search because of it.
    """

    what: str
    harmful: bool = True


def check_store(uri: str) -> list[Finding]:
    """All that is not as it should be in the database at `uri`.

    Raises:
        InvalidParameterError: The URI names no SQL database.
        SchemaVersionError: It is no database of otflow.
    """
    database = open_database(uri)
    try:
        migrations.require_latest(database)
        with database.snapshot() as session:
            findings = [*_integrity(session), *_tables(session)]
            if any(finding.harmful for finding in findings):
                return findings  # what would be compared is not to be trusted
            findings += _orphans(session)
            findings += _Comparison(session).findings()
            return findings
    except InvalidParameterError as error:
        if "malformed" not in str(error):  # so SQLite calls a file that is one of its own, and broken
            raise
        return [Finding(f"the file is damaged, and cannot be read to its end: {error}")]
    finally:
        database.close()


def _integrity(session: Session) -> Iterator[Finding]:
    if session.dialect is not Dialect.SQLITE:
        return
    for (text,) in session.all("PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Finding(f"the file is damaged: {text}")
    for row in session.all("PRAGMA foreign_key_check"):
        yield Finding(f"a row of {row[0]} refers to one of {row[2]} that is not there")


def _tables(session: Session) -> Iterator[Finding]:
    there = schema.tables_of(session)
    for table in schema.reference():
        if table.name not in there:
            yield Finding(f"the table {table.name} is not there")
            continue
        for column in table.columns:
            if column not in there[table.name]:
                yield Finding(f"the table {table.name} has no column {column}")


def _orphans(session: Session) -> Iterator[Finding]:
    orphans = [
        (table, key, f"NOT EXISTS (SELECT 1 FROM {owner} o WHERE o.{key} = c.{key})", what)
        for table, key, owner, what in _ORPHANS
    ]
    for table, key, condition, what in (*orphans, *_BROKEN):
        where = f"FROM {table} c WHERE {condition}"
        count = (session.one(f"SELECT COUNT(*) {where}") or (0,))[0]
        if count:
            some = session.all(f"SELECT DISTINCT c.{key} {where} LIMIT {_SHOWN}")
            yield Finding(f"{count:,} {what}: {_some([str(row[0]) for row in some], count)}")


class _Comparison:
    """What is kept twice, compared trace by trace."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wrong: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._expected = 0

    def findings(self) -> Iterator[Finding]:
        """All that does not agree."""
        for rows in self._batches():
            self._compare(rows)
        for what, some in self._wrong.items():
            count = self._counts[what]
            yield Finding(f"{count:,} {'trace' if count == 1 else 'traces'} {what}: {_some(some, count)}")
        there = (self._session.one("SELECT COUNT(*) FROM trace_terms") or (0,))[0]
        missing = self._counts.get(_TERMS, 0)
        if there > self._expected and not missing:
            yield Finding(
                f"{there - self._expected:,} search terms more than the traces have; they cost room, nothing else",
                False,
            )

    def _batches(self) -> Iterator[list[Row]]:
        """All traces in the order of their ids; a batch's own queries run between two batches."""
        last = ""
        while True:
            rows = self._session.all(
                f"SELECT {', '.join(TRACE_COLUMNS)} FROM traces WHERE trace_id > ?"
                f" ORDER BY trace_id LIMIT {_TRACES_AT_ONCE}",
                (last,),
            )
            if not rows:
                return
            yield rows
            last = rows[-1][0]

    def _note(self, what: str, trace_id: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1
        some = self._wrong.setdefault(what, [])
        if len(some) < _SHOWN:
            some.append(trace_id)

    def _compare(self, rows: Sequence[Row]) -> None:
        readable = [row for row in rows if self._is_readable(row)]
        ids = [row[0] for row in readable]
        facts = span_facts(self._session, ids) if ids else {}
        stored = index.stored(self._session, ids) if ids else {}
        terms: list[Term] = []
        for row in readable:
            columns: dict[str, Any] = dict(zip(TRACE_COLUMNS, row, strict=True))
            metadata: dict[str, Any] = json.loads(columns["metadata"])
            for column, key in _COPIES:
                if columns[column] != (None if metadata.get(key) is None else clean(metadata[key])):
                    self._note(f"whose column {column} is not what their metadata say", row[0])
            if columns["state"] not in _STATES:
                self._note(f"in a state that is none of {', '.join(_STATES)}", row[0])
            if columns["stats"] is not None and json.loads(columns["stats"]) != aggregates(facts.get(row[0], ())):
                self._note("whose token usage, cost or size is not that of their spans", row[0])
            record = record_from_row(row)
            own = {*index.tag_terms(record.tags), *stored.get(row[0], ())}
            terms += index.of_trace(record, own)
        self._expected += len(terms)
        for trace_id in sorted({term[4] for term in self._missing(terms)}):
            self._note(_TERMS, trace_id)

    def _missing(self, terms: list[Term]) -> set[Term]:
        missing: set[Term] = set()
        for chunk in in_chunks(terms, 5):
            # Not `IN (VALUES …)`: SQLite would read the whole table for it.
            rows = self._session.all(
                f"WITH wanted (experiment_id, field, value, time_ns, trace_id) AS (VALUES {values(5, len(chunk))})"
                " SELECT w.experiment_id, w.field, w.value, w.time_ns, w.trace_id FROM wanted w"
                " WHERE NOT EXISTS (SELECT 1 FROM trace_terms t WHERE t.experiment_id = w.experiment_id"
                " AND t.field = w.field AND t.value = w.value AND t.time_ns = w.time_ns AND t.trace_id = w.trace_id)",
                [value for term in chunk for value in term],
            )
            missing.update((row[0], row[1], row[2], row[3], row[4]) for row in rows)
        return missing

    def _is_readable(self, row: Row) -> bool:
        columns: dict[str, Any] = dict(zip(TRACE_COLUMNS, row, strict=True))
        for column in ("tags", "metadata", "stats", "merging"):
            text = columns[column]
            try:
                good = text is None or isinstance(json.loads(text), dict)
            except ValueError:
                good = False
            if not good:
                self._note(f"whose column {column} is not a JSON object", row[0])
                return False
        return True


_TERMS: Final = "that a search by tag, span or feedback may not find, for lack of search terms"


def _some(ids: Sequence[str], count: int) -> str:
    return ", ".join(islice(ids, _SHOWN)) + (", …" if count > len(ids) else "")
