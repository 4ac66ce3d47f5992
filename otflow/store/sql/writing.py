"""Writing traces and spans: a few statements a batch, whatever the number of traces in it.

1. Rows are made for all traces of the batch as if they were new, and inserted; what exists already stays.
2. Only those that exist are read, told the batch again, and written back.
3. Spans are written, before them what is long in them (`otflow.store.sql.contents`);
   then the aggregates of the traces that existed, where the batch finishes them.
Rows are written in the order of their keys, so that two transactions never wait for each other in a ring.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from otflow.entities import Span
from otflow.errors import InvalidParameterError
from otflow.semconv import Tag
from otflow.store.aggregates import aggregates
from otflow.store.interface import TraceWrite
from otflow.store.merging import Record
from otflow.store.sql import contents
from otflow.store.sql import terms as index
from otflow.store.sql.assessments import add_assessments
from otflow.store.sql.connection import Session
from otflow.store.sql.dialect import values
from otflow.store.sql.rows import (
    SPAN_COLUMNS,
    TRACE_COLUMNS,
    check_trace_id,
    facts_of_row,
    record_from_row,
    span_row,
    trace_row,
)
from otflow.store.sql.scope import Kind, Scope
from otflow.store.sql.statements import in_chunks, insert_rows, lock_traces, span_facts, upsert
from otflow.store.sql.terms import Term
from otflow.store.validation import with_fitting_labels
from otflow.wire.prompt_links import linked_prompts

__all__ = ["Batch"]

_INSERT_TRACES: Final = (
    f"INSERT INTO traces ({', '.join(TRACE_COLUMNS)}) VALUES {{}} ON CONFLICT DO NOTHING RETURNING trace_id"
)
_UPSERT_TRACES: Final = upsert("traces", TRACE_COLUMNS, ["trace_id"])
_UPSERT_SPANS: Final = upsert(
    "spans", SPAN_COLUMNS, ["trace_id", "span_id"], " WHERE excluded.end_ns IS NOT NULL OR spans.end_ns IS NULL"
)


@dataclass(slots=True)
class _Part:
    """What a batch has of one trace."""

    trace_id: str
    writes: list[tuple[TraceWrite, int]] = field(default_factory=list[tuple[TraceWrite, int]])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    rows: dict[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    packed: dict[str, contents.Packed] = field(default_factory=dict[str, contents.Packed])

    def add_span(self, span: Span) -> None:
        known = self.spans.get(span.span_id)
        if known is None or span.end_time_ns is not None or known.end_time_ns is None:
            packed = contents.pack(span)
            if packed is None:
                self.rows[span.span_id] = span_row(span)
            else:
                self.rows[span.span_id] = span_row(span, packed.document, packed.moved_bytes)
                self.packed[span.span_id] = packed
            self.spans[span.span_id] = span

    def tell(self, record: Record) -> None:
        """Let a record take in this part."""
        for write, experiment_id in self.writes:
            record.hear(write, experiment_id)
        for span in self.spans.values():
            record.see(span)

    def stats(self) -> dict[str, str]:
        return aggregates([facts_of_row(row) for row in self.rows.values()])

    def finishes(self) -> bool:
        """Whether the trace may end with this batch: then its aggregates are worth computing now."""
        return any(write.state.value in ("OK", "ERROR") for write, _ in self.writes) or any(
            span.parent_id is None and span.end_time_ns is not None for span in self.spans.values()
        )

    def span_terms(self) -> set[tuple[str, str]]:
        """Field and value of the terms of the spans."""
        return index.span_terms({(row[3], row[4]) for row in self.rows.values()})


class Batch:
    """What one call writes, checked and sorted out before the transaction begins.

    Args:
        traces: The writes, with the numbers of their experiments.
        spans: The spans.
        home: The experiment of traces that are known from spans only; None where there are none such.
    """

    def __init__(self, traces: Iterable[tuple[TraceWrite, int]], spans: Iterable[Span], home: int | None) -> None:
        parts: dict[str, _Part] = {}
        for write, experiment_id in traces:
            trace_id = write.trace_id
            part = parts.get(trace_id)
            if part is None:
                part = parts[check_trace_id(trace_id)] = _Part(trace_id)
            part.writes.append((with_fitting_labels(write), experiment_id))
        for span in spans:
            trace_id = span.trace_id
            part = parts.get(trace_id)
            if part is None:
                part = parts[check_trace_id(trace_id)] = _Part(trace_id)
            part.add_span(span)
        self.parts = [parts[trace_id] for trace_id in sorted(parts)]
        self._records: dict[str, Record] = {}
        self._rows: list[tuple[object, ...]] = []
        for part in self.parts:
            if part.writes or home is not None:
                record = self._records[part.trace_id] = Record(
                    part.trace_id, part.writes[0][1] if part.writes else home or 0
                )
                part.tell(record)
                self._rows.append(trace_row(record, part.stats()))

    def write(self, session: Session, scope: Scope | None) -> None:
        """Write all of it, in the transaction of `session`.

        Args:
            session: The transaction.
            scope: The workspace that traces which are there already must be in; None for any.

        Raises:
            InvalidParameterError: a trace is that of another workspace, or a span that of a trace that is nowhere.
        """
        made = self._insert_traces(session)
        terms: list[Term] = []
        for part in self.parts:
            if part.trace_id in made:
                record = self._records[part.trace_id]
                terms += index.of_trace(record, [*index.tag_terms(record.tags), *part.span_terms()])
        packed = [
            (part.trace_id, span_id, one) for part in self.parts if part.packed for span_id, one in part.packed.items()
        ]
        if packed:
            contents.write(session, packed)
        insert_rows(session, _UPSERT_SPANS, [row for part in self.parts for row in part.rows.values()])
        old_parts = [part for part in self.parts if part.trace_id not in made]
        if old_parts:
            terms += self._merge(session, old_parts, scope)
        index.insert(session, terms)
        self._link_prompts(session)
        given = [
            (assessment, part.trace_id)
            for part in self.parts
            for write, _ in part.writes
            for assessment in write.assessments
        ]
        if given:
            add_assessments(session, given)

    def _link_prompts(self, session: Session) -> None:
        """Let traces be found by the prompts that their tags list."""
        linked = {
            (name, version, part.trace_id)
            for part in self.parts
            for write, _ in part.writes
            if Tag.LINKED_PROMPTS in write.tags
            for name, version in linked_prompts(write.tags[Tag.LINKED_PROMPTS])
        }
        if linked:
            insert_rows(
                session,
                "INSERT INTO trace_prompts (name, version, trace_id) VALUES {} ON CONFLICT DO NOTHING",
                sorted(linked),
            )

    def _insert_traces(self, session: Session) -> set[str]:
        """Insert the traces that do not exist; their ids."""
        made: set[str] = set()
        for chunk in in_chunks(self._rows, len(TRACE_COLUMNS)):
            parameters = list(chain.from_iterable(chunk))
            made.update(
                row[0] for row in session.all(_INSERT_TRACES.format(values(len(TRACE_COLUMNS), len(chunk))), parameters)
            )
        return made

    def _merge(self, session: Session, parts: list[_Part], scope: Scope | None) -> list[Term]:
        """Tell traces that exist what this batch has of them; the terms to be added."""
        found = {row[0]: row for row in lock_traces(session, [part.trace_id for part in parts])}
        if scope is not None:
            own = set(scope.within(session, Kind.EXPERIMENT, [row[1] for row in found.values()]))
            taken = next((trace_id for trace_id, row in found.items() if row[1] not in own), None)
            if taken is not None:
                raise InvalidParameterError(
                    f"the id {taken} is that of a trace which is not in the workspace {scope.workspace!r}"
                )
        finished = {part.trace_id for part in parts if part.finishes()}
        facts = span_facts(session, sorted(finished))
        rows: list[tuple[object, ...]] = []
        terms: list[Term] = []
        gone: list[Term] = []
        for part in parts:
            old = found.get(part.trace_id)
            if old is None:
                raise InvalidParameterError(
                    f"a span names the trace {part.trace_id}, which neither the store nor a trace of this batch has"
                )
            record, before = record_from_row(old), record_from_row(old)
            part.tell(record)
            stats = aggregates(facts.get(part.trace_id, ())) if part.trace_id in finished else None
            row = trace_row(record, stats)
            if part.rows or stats is not None:
                rows.append(row)
            elif row[:15] != tuple(old[:15]) or row[16] != old[16]:
                rows.append((*row[:15], old[15], row[16]))  # without spans the aggregates are what they were
            if (record.experiment_id, record.time_ns) != (before.experiment_id, before.time_ns):
                others = index.stored(session, [part.trace_id]).get(part.trace_id, set())
                gone += index.of_trace(before, [*index.tag_terms(before.tags), *others])
                terms += index.of_trace(record, [*index.tag_terms(record.tags), *others])
            else:
                lost = set(index.tag_terms(before.tags)) - set(index.tag_terms(record.tags))
                gone += index.of_trace(before, lost)
                terms += index.of_trace(record, [*index.tag_terms(record.tags), *part.span_terms()])
        index.delete(session, gone)
        insert_rows(session, _UPSERT_TRACES, rows)
        return terms
