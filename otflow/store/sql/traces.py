"""Reading, annotating and deleting traces."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otflow.entities import Page, Span, Trace, TraceData, TraceInfo
from otflow.entities.moved import Fetch
from otflow.errors import NotFoundError
from otflow.semconv import Tag
from otflow.store import validation
from otflow.store.aggregates import aggregates
from otflow.store.merging import SYNTHESIZED_TAGS, Record
from otflow.store.sql import contents, searching
from otflow.store.sql import terms as index
from otflow.store.sql.assessments import assessments_of
from otflow.store.sql.conditions import end_ns
from otflow.store.sql.connection import Database, Row, Session
from otflow.store.sql.dialect import values
from otflow.store.sql.rows import (
    MOVED,
    SPAN_COLUMNS,
    TRACE_COLUMNS,
    clean,
    clean_id,
    info_from_row,
    record_from_row,
    span_from_row,
    trace_row,
)
from otflow.store.sql.span_pages import SpanPages
from otflow.store.sql.statements import in_chunks, insert_rows, lock_traces, select_in, span_facts, upsert

__all__ = ["Reader", "delete", "delete_tag", "get", "get_info", "iter_spans", "link_prompts", "link_run", "search",
           "set_tag", "unlink_run"]  # fmt: skip

Locations = Callable[[Session, Sequence[int]], Mapping[int, str]]
"""Where experiments keep their artifacts, by their numbers."""

LONG_TRACE: Final = 1000
"""Spans from which on a trace is not read as a whole."""

_SPAN_COLUMNS: Final = ", ".join(SPAN_COLUMNS)
_SPAN_ORDER: Final = "trace_id, CASE WHEN parent_id IS NULL THEN 0 ELSE 1 END, start_ns, span_id"
_SELECT_TRACES: Final = f"SELECT {', '.join(TRACE_COLUMNS)} FROM traces WHERE trace_id IN {{}}"
_UPSERT: Final = upsert("traces", TRACE_COLUMNS, ["trace_id"])

# -- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs beside a session.

    Args:
        database: The database, for what is read later.
        locations: Where experiments keep their artifacts.
    """

    database: Database
    locations: Locations


def get(session: Session, trace_ids: Sequence[str], reader: Reader) -> list[Trace]:
    """Whole traces by id, in the order asked."""
    wanted = list(dict.fromkeys(trace_ids))
    traces = {trace.info.trace_id: trace for trace in _whole(session, _rows(session, wanted), reader)}
    return [traces[trace_id] for trace_id in wanted if trace_id in traces]


def get_info(session: Session, trace_id: str, locations: Locations) -> TraceInfo:
    """One trace without its spans."""
    return _infos(session, [_row(session, trace_id)], locations)[0]


def search(
    session: Session,
    experiments: Sequence[int],
    reader: Reader,
    *,
    filter_string: str | None,
    order_by: Sequence[str] | None,
    max_results: int,
    page_token: str | None,
    include_spans: bool,
) -> Page[Trace]:
    """One page of traces; see `TraceStore.search_traces`."""
    rows, token = searching.search_rows(session, experiments, filter_string, order_by, max_results, page_token)
    if include_spans:
        return Page(_whole(session, rows, reader), token)
    return Page([Trace(info, TraceData([])) for info in _infos(session, rows, reader.locations)], token)


def iter_spans(database: Database, trace_id: str, page_size: int) -> Iterator[Span]:
    """The spans of a trace; only their ids and one page of them are in memory at a time."""
    with database.read() as session:
        _row(session, trace_id)
        ids = _span_ids(session, trace_id)
    fetch = contents.fetcher(database)
    for start in range(0, len(ids), page_size):
        page = [f"{one:016x}" for one in ids[start : start + page_size]]
        with database.read() as session:
            found = _spans_of(session, trace_id, page, fetch)
        for span_id in page:
            if span_id in found:  # else it was deleted meanwhile
                yield found[span_id]


def _span_ids(session: Session, trace_id: str) -> array[int]:
    rows = session.stream(f"SELECT span_id FROM spans WHERE trace_id = ? ORDER BY {_SPAN_ORDER}", (trace_id,))
    return array("Q", (int(row[0], 16) for row in rows))


def _spans_of(session: Session, trace_id: str, span_ids: Sequence[str], fetch: Fetch) -> dict[str, Span]:
    rows = select_in(
        session, f"SELECT {_SPAN_COLUMNS} FROM spans WHERE trace_id = ? AND span_id IN {{}}", span_ids, [trace_id]
    )
    return {span.span_id: span for span in _read_spans(session, rows, fetch)}


def _span_pages(session: Session, trace_id: str, database: Database) -> SpanPages:
    fetch = contents.fetcher(database)

    def read(span_ids: Sequence[str]) -> list[Span]:
        with database.read() as later:
            found = _spans_of(later, trace_id, span_ids, fetch)
        try:
            return [found[span_id] for span_id in span_ids]
        except KeyError as missing:
            raise NotFoundError(f"the span {missing} of the trace {trace_id} was deleted from the store") from None

    return SpanPages(_span_ids(session, trace_id), read)


def _read_spans(session: Session, rows: Sequence[Row], fetch: Fetch) -> list[Span]:
    """The spans of rows; what is elsewhere of them is read now as far as it is little."""
    spans = [span_from_row(row, fetch) for row in rows]
    moved = [span for span, row in zip(spans, rows, strict=True) if row[11].startswith(MOVED)]
    if moved:
        contents.preload(session, moved)
    return spans


def _rows(session: Session, trace_ids: Sequence[str]) -> list[Row]:
    return select_in(session, _SELECT_TRACES, trace_ids) if trace_ids else []


def _row(session: Session, trace_id: str) -> Row:
    rows = _rows(session, [trace_id])
    if not rows:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return rows[0]


_NUM_SPANS: Final = re.compile(r'num_spans\\*": *(\d+)')


def _span_count(row: Row) -> int | None:
    """How many spans a trace has, as its aggregates say; None where they are not known yet."""
    found = _NUM_SPANS.search(row[15] or "")
    return int(found[1]) if found is not None else None


def _whole(session: Session, rows: Sequence[Row], reader: Reader) -> list[Trace]:
    if not rows:
        return []
    counts = {row[0]: _span_count(row) for row in rows}
    unknown = [trace_id for trace_id, count in counts.items() if count is None]
    if unknown:
        counts.update(
            select_in(session, "SELECT trace_id, COUNT(*) FROM spans WHERE trace_id IN {} GROUP BY trace_id", unknown)
        )
    long = {trace_id for trace_id, count in counts.items() if (count or 0) > LONG_TRACE}
    fetch = contents.fetcher(reader.database)
    spans: dict[str, Sequence[Span]] = {trace_id: _span_pages(session, trace_id, reader.database) for trace_id in long}
    found = select_in(
        session,
        f"SELECT {_SPAN_COLUMNS} FROM spans WHERE trace_id IN {{}} ORDER BY {_SPAN_ORDER}",
        [row[0] for row in rows if row[0] not in long],
    )
    for span in _read_spans(session, found, fetch):
        own: Any = spans.setdefault(span.trace_id, [])
        own.append(span)
    return [Trace(info, TraceData(spans.get(info.trace_id, []))) for info in _infos(session, rows, reader.locations)]


def _infos(session: Session, rows: Sequence[Row], locations: Locations) -> list[TraceInfo]:
    if not rows:
        return []
    where = locations(session, [row[1] for row in rows])
    assessments = assessments_of(session, [row[0] for row in rows])
    unknown = [row[0] for row in rows if row[15] is None]
    facts = span_facts(session, unknown) if unknown else {}
    return [
        info_from_row(
            row,
            where[row[1]],
            aggregates(facts.get(row[0], ())) if row[15] is None else None,
            assessments.get(row[0], []),
        )
        for row in rows
    ]


# -- annotating ------------------------------------------------------------------------------------


def set_tag(session: Session, trace_id: str, key: str, value: str) -> None:
    """Set one tag of a trace."""
    key, value = validation.check_trace_tag(key, value)
    if key in SYNTHESIZED_TAGS:
        return
    _change_tag(session, trace_id, clean(key), clean(value))


def delete_tag(session: Session, trace_id: str, key: str) -> None:
    """Delete one tag of a trace."""
    if key in SYNTHESIZED_TAGS:
        return
    key = clean(str(key))
    absent = NotFoundError(f"No trace tag with key '{key}' for trace with ID '{trace_id}'")
    rows = lock_traces(session, [trace_id])
    if not rows or (rows[0][5] is None if key == Tag.NAME else key not in json.loads(rows[0][13])):
        raise absent
    _change_tag(session, trace_id, key, None)


def _change_tag(session: Session, trace_id: str, key: str, value: str | None) -> None:
    record, row = _locked(session, trace_id)
    before = index.tag_terms(record.tags)
    if key == Tag.NAME:
        record.told_name = value
        if value is None and record.root is not None:
            record.root.name = None
    elif value is None:
        record.tags.pop(key, None)
    else:
        record.tags[key] = value
    after = index.tag_terms(record.tags)
    changed = trace_row(record, None)
    insert_rows(session, _UPSERT, [(*changed[:15], row[15], changed[16])])
    index.delete(session, index.of_trace(record, set(before) - set(after)))
    index.insert(session, index.of_trace(record, set(after) - set(before)))


def _locked(session: Session, trace_id: str) -> tuple[Record, Row]:
    rows = lock_traces(session, [trace_id])
    if not rows:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return record_from_row(rows[0]), rows[0]


def link_run(session: Session, trace_ids: Sequence[str], run_id: str) -> None:
    """Link traces to a run."""
    validation.check_links(trace_ids, run_id)
    insert_rows(
        session,
        "INSERT INTO trace_runs (run_id, trace_id) VALUES {} ON CONFLICT DO NOTHING",
        [(clean(run_id), trace_id) for trace_id in sorted({clean_id(trace_id) for trace_id in trace_ids})],
    )


def unlink_run(session: Session, trace_ids: Sequence[str], run_id: str) -> None:
    """Undo `link_run`."""
    for chunk in in_chunks([clean_id(trace_id) for trace_id in trace_ids], 1):
        session.run(
            f"DELETE FROM trace_runs WHERE run_id = ? AND trace_id IN {values(len(chunk), 1)}",
            (clean_id(run_id), *chunk),
        )


def link_prompts(session: Session, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
    """Link prompt versions to a trace; the tag `mlflow.linkedPrompts` lists them, as MLflow has it."""
    record, _ = _locked(session, trace_id)
    linked: list[dict[str, str]] = _linked_prompts(record.tags.get(Tag.LINKED_PROMPTS))
    for name, version in prompts:
        entry = {"name": clean_id(name), "version": clean_id(version)}
        if entry not in linked:
            linked.append(entry)
    insert_rows(
        session,
        "INSERT INTO trace_prompts (name, version, trace_id) VALUES {} ON CONFLICT DO NOTHING",
        [(entry["name"], entry["version"], trace_id) for entry in linked],
    )
    _change_tag(session, trace_id, Tag.LINKED_PROMPTS, json.dumps(linked, ensure_ascii=False))


def _linked_prompts(text: str | None) -> list[dict[str, str]]:
    """The prompts that the tag lists; one that was set to something else lists none."""
    try:
        found: Any = json.loads(text or "[]")
        return [{"name": str(entry["name"]), "version": str(entry["version"])} for entry in found]
    except (ValueError, TypeError, LookupError):
        return []


# -- deleting --------------------------------------------------------------------------------------


def delete(
    session: Session,
    experiment: int,
    max_timestamp_ms: int | None,
    max_traces: int | None,
    trace_ids: Sequence[str] | None,
) -> int:
    """Delete traces with all that hangs on them; how many there were."""
    if trace_ids is not None and len(trace_ids) > 0:
        ids = sorted({clean_id(trace_id) for trace_id in trace_ids})
        rows = [row for row in lock_traces(session, ids) if row[1] == experiment]
    else:
        limit = "" if max_traces is None else f" LIMIT {max_traces}"
        found = session.all(
            "SELECT trace_id FROM traces WHERE experiment_id = ? AND time_ns < ?"
            f" ORDER BY time_ns, trace_id DESC{limit}",
            (experiment, end_ns(max_timestamp_ms or 0)),
        )
        rows = lock_traces(session, [row[0] for row in found])
    freed: set[str] = set()
    for chunk in in_chunks(rows, 10):
        freed |= _delete_rows(session, chunk)
    if freed:
        contents.collect(session, freed)
    return len(rows)


def _delete_rows(session: Session, rows: Sequence[Row]) -> set[str]:
    """Delete traces; the hashes of what they needed beside their own rows."""
    ids = [row[0] for row in rows]
    gone: list[index.Term] = []
    fields = index.stored(session, ids)
    for row in rows:
        record = record_from_row(row)
        gone += index.of_trace(record, [*index.tag_terms(record.tags), *fields.get(row[0], ())])
    index.delete(session, gone)
    for table in ("spans", "assessments", "trace_runs", "trace_prompts", "traces"):
        session.run(f"DELETE FROM {table} WHERE trace_id IN {values(len(ids), 1)}", ids)
    return contents.delete_uses(session, ids)
