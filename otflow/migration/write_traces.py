"""Traces, through the same door as all others, so that searches find them; remembered in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otflow.entities import Assessment, Span
from otflow.entities.values import dump
from otflow.errors import InvalidParameterError
from otflow.migration.context import Target, place_of
from otflow.migration.memory import recall, remember
from otflow.migration.merging import Changes, Marks, mark, marks, merge, part, under
from otflow.migration.records import Source, SourceTrace, Values, texts
from otflow.semconv import Metadata, Tag
from otflow.store.interface import TraceWrite
from otflow.store.merging import SYNTHESIZED_TAGS
from otflow.store.sql.assessments import add_assessments, assessments_of, delete_assessment
from otflow.store.sql.connection import Session
from otflow.store.sql.rows import clean, record_from_row
from otflow.store.sql.statements import insert_rows, lock_traces
from otflow.store.sql.writing import Batch

__all__ = ["write_traces"]

_BYTES_AT_ONCE: Final = 8_000_000
_FROM_SPANS: Final = (Metadata.SIZE_BYTES, Metadata.SIZE_STATS)
"""Metadata that our store computes from the spans."""
_TOLD: Final = "told"
_SPANS: Final = "spans"
"""The marks of what cannot be changed here: it is written whenever it is new."""


@dataclass(slots=True)
class _Part:
    """What is to be done for one trace."""

    trace: SourceTrace
    experiment: int
    values: Values
    now: Marks
    spans: list[Span] = field(default_factory=list[Span])

    @property
    def trace_id(self) -> str:
        return self.trace.info.trace_id


@dataclass(slots=True)
class _Done:
    """What was done to some traces."""

    new: int = 0
    updated: int = 0
    spans: int = 0
    assessments: int = 0
    kept: list[str] = field(default_factory=list[str])


def write_traces(target: Target, source: Source, found: Sequence[SourceTrace]) -> None:
    """Write traces with their spans, assessments and links."""
    parts: list[_Part] = []
    for trace in found:
        what = f"the trace {trace.info.trace_id}"
        number = place_of(target, "traces", what, trace.experiment_id)
        if number is not None:
            said = _values(trace)
            now = {**marks(said), _TOLD: _told_mark(trace), _SPANS: mark(trace.mark)}
            parts.append(_Part(trace, number, said, now))
    fresh = _fresh(target, parts)
    target.report.add("traces", unchanged=len(parts) - len(fresh))
    for group in _groups(fresh):
        spans = source.spans([one.trace for one in group])
        for one in group:
            one.spans = spans[one.trace_id]
            if one.trace.broken:
                del one.now[_SPANS]
        _write_group(target, group)


def _values(trace: SourceTrace) -> Values:
    """What may be changed here: tags and assessments."""
    info = trace.info
    tags = texts({key: value for key, value in info.tags.items() if key not in SYNTHESIZED_TAGS})
    return {
        **under("tag", {**tags}),
        **under("assessment", {str(one.assessment_id): _text(one) for one in info.assessments}),
    }


def _told_mark(trace: SourceTrace) -> str:
    """One mark of all that cannot be changed here."""
    info = trace.info
    told = [
        info.state.value, info.request_time, info.execution_duration, info.request_preview, info.response_preview,
        info.client_request_id, sorted(info.trace_metadata.items()), sorted(trace.run_ids), sorted(trace.prompts),
    ]  # fmt: skip
    return mark(json.dumps(told))


def _text(one: Assessment) -> str:
    return clean(dump(one.to_dictionary())) + f"{one.run_id}"


def _fresh(target: Target, parts: Sequence[_Part]) -> list[_Part]:
    """Those that are new, or changed since the last import."""
    with target.database.read() as session:
        known = recall(session, "trace", [one.trace_id for one in parts])
    return [one for one in parts if one.trace_id not in known or known[one.trace_id].marks != one.now]


def _groups(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    group: list[_Part] = []
    size = 0
    for one in parts:
        if group and size + one.trace.size > _BYTES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(one)
        size += one.trace.size
    if group:
        yield group


def _write_group(target: Target, group: Sequence[_Part]) -> None:
    """Write some traces; those that our store does not take are told, and the others written without them."""
    try:
        done = target.write(lambda session: _write(session, group))
    except InvalidParameterError as error:
        if len(group) == 1:
            target.report.skip("traces", f"the trace {group[0].trace.source_id}", error)
            return
        for one in group:
            _write_group(target, [one])
        return
    report = target.report
    report.add("traces", new=done.new, updated=done.updated, unchanged=len(group) - done.new - done.updated)
    report.add("spans", new=done.spans)
    report.add("assessments", new=done.assessments)
    for note in done.kept:
        report.note(note)


def _write(session: Session, group: Sequence[_Part]) -> _Done:
    done = _Done()
    known = recall(session, "trace", [one.trace_id for one in group])
    there = {row[0]: row for row in lock_traces(session, [one.trace_id for one in group])}
    new = [one for one in group if one.trace_id not in there and one.trace_id not in known]
    old = [one for one in group if one.trace_id in there]
    stored = assessments_of(session, [one.trace_id for one in old])
    writes = [(_whole(one), one.experiment) for one in new]
    spans = [span for one in new for span in one.spans]
    given: list[tuple[Assessment, str]] = []
    for one in old:
        before = known[one.trace_id].marks if one.trace_id in known else None
        record = record_from_row(there[one.trace_id])
        assessments = {str(found.assessment_id): _text(found) for found in stored.get(one.trace_id, [])}
        tags = {**record.tags, **({} if record.name is None else {Tag.NAME: record.name})}
        was = None if before is None else {key: found for key, found in before.items() if key not in (_TOLD, _SPANS)}
        changes = merge(was, one.values, {**under("tag", {**tags}), **under("assessment", {**assessments})})
        told = before is None or before.get(_TOLD) != one.now[_TOLD]
        grown = before is None or before.get(_SPANS) is None or before[_SPANS] != one.now.get(_SPANS)
        done.updated += bool(told or changes or (grown and not one.trace.broken))
        if told or changes:
            writes.append((_some(one, changes, record.metadata if before is None else {}), record.experiment_id))
        if grown:
            spans += one.spans
        given += _replace_assessments(session, one, changes, assessments)
        done.kept += [f"trace {one.trace_id}: {key} was changed on both sides; otflow's stays" for key in changes.kept]
    Batch(writes, spans, home=None).write(session, None)
    given += [(assessment, one.trace_id) for one in new for assessment in one.trace.info.assessments]
    if given:
        add_assessments(session, given)
    _link(session, [*new, *old])
    remember(session, "trace", [(one.trace_id, one.trace_id, one.now) for one in group])
    done.new, done.spans, done.assessments = len(new), len(spans), len(given)
    return done


def _whole(one: _Part) -> TraceWrite:
    """All that is said of a new trace."""
    return _told(one, {**one.trace.info.tags}, _metadata(one))


def _some(one: _Part, changes: Changes, metadata: Mapping[str, str]) -> TraceWrite:
    """What was changed of a trace that is there; of its metadata, `metadata` stay."""
    tags = {key: str(value) for key, value in part("tag", changes.put).items()}
    gone = {key.removeprefix("tag/"): None for key in changes.drop if key.startswith("tag/")}
    return _told(one, {**tags, **gone}, {**_metadata(one), **metadata})


def _metadata(one: _Part) -> dict[str, str]:
    metadata = dict(one.trace.info.trace_metadata)
    if one.spans:
        for key in _FROM_SPANS:
            metadata.pop(key, None)
    return metadata


def _told(one: _Part, tags: dict[str, str | None], metadata: dict[str, str]) -> TraceWrite:
    info = one.trace.info
    return TraceWrite(
        trace_id=info.trace_id,
        experiment_id=str(one.experiment),
        request_time_ns=_time_ns(info.request_time, one.spans),
        state=info.state,
        execution_duration_ms=info.execution_duration,
        tags=tags,
        metadata=metadata,
        client_request_id=info.client_request_id,
        request_preview=info.request_preview,
        response_preview=info.response_preview,
    )


def _time_ns(time_ms: int, spans: Sequence[Span]) -> int:
    """The time in nanoseconds, of one that is known in milliseconds: that of the root span, if it is the same."""
    for span in spans:
        if span.parent_id is None and span.start_time_ns // 1_000_000 == time_ms:
            return span.start_time_ns
    return time_ms * 1_000_000


def _replace_assessments(
    session: Session, one: _Part, changes: Changes, there: Mapping[str, str]
) -> list[tuple[Assessment, str]]:
    """Delete what is gone or changed; what is to be written."""
    put = part("assessment", changes.put)
    gone = {key.removeprefix("assessment/") for key in changes.drop if key.startswith("assessment/")}
    for an_id in sorted((put.keys() & there.keys()) | gone):
        delete_assessment(session, one.trace_id, an_id)
    return [(found, one.trace_id) for found in one.trace.info.assessments if str(found.assessment_id) in put]


def _link(session: Session, parts: Sequence[_Part]) -> None:
    runs = {(clean(run_id), one.trace_id) for one in parts for run_id in one.trace.run_ids}
    insert_rows(session, "INSERT INTO trace_runs (run_id, trace_id) VALUES {} ON CONFLICT DO NOTHING", sorted(runs))
    prompts = {
        (clean(name), clean(version), one.trace_id)
        for one in parts
        for name, version in (*one.trace.prompts, *_tagged(one.trace.info.tags.get(Tag.LINKED_PROMPTS)))
    }
    insert_rows(
        session,
        "INSERT INTO trace_prompts (name, version, trace_id) VALUES {} ON CONFLICT DO NOTHING",
        sorted(prompts),
    )


def _tagged(text: str | None) -> list[tuple[str, str]]:
    """The prompt versions that the tag lists; one that was set to something else lists none."""
    try:
        return [(str(entry["name"]), str(entry["version"])) for entry in json.loads(text or "[]")]
    except (ValueError, TypeError, LookupError):
        return []
