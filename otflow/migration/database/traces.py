"""Traces with tags, metadata, assessments and links; their spans, from the table or from a file of artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from otflow.entities import Assessment, Span, TraceInfo, TraceLocation, TraceState
from otflow.errors import OtflowError
from otflow.migration.database.tables import Tables
from otflow.migration.records import SourceTrace
from otflow.migration.report import ImportReport
from otflow.migration.span_files import file_mark, spans_of_file, with_prefix
from otflow.semconv import Tag
from otflow.store.sql.connection import Row
from otflow.store.sql.rows import assessment_from_row
from otflow.wire.portable import read_span

__all__ = ["spans", "state_of", "traces"]

_COLUMNS: Final = (
    "request_id", "experiment_id", "timestamp_ms", "execution_time_ms", "status", "client_request_id",
    "request_preview", "response_preview",
)  # fmt: skip
_ASSESSMENT: Final = (
    "trace_id", "assessment_id", "name", "assessment_type", "value", "error", "source_type", "source_id", "rationale",
    "assessment_metadata", "span_id", "run_id", "overrides", "valid", "created_timestamp", "last_updated_timestamp",
)  # fmt: skip
_KINDS: Final = ("feedback", "expectation")


def state_of(status: Any) -> TraceState:
    """The state that a status says; one that nobody knows says nothing."""
    try:
        return TraceState(str(status))
    except ValueError:
        return TraceState.STATE_UNSPECIFIED


def traces(tables: Tables, report: ImportReport) -> Iterator[list[SourceTrace]]:
    """All traces, page by page, without their spans."""
    for rows in tables.pages("trace_info", _COLUMNS):
        found: dict[str, SourceTrace] = {}
        for row in rows:
            try:
                found[row[0]] = _trace(row)
            except (TypeError, ValueError) as error:
                report.skip("traces", f"the trace {row[0]}", error)
        ids = list(found)
        for an_id, key, value in tables.of("trace_tags", ("request_id", "key", "value"), ids):
            found[an_id].info.tags[key] = value or ""
        for an_id, key, value in tables.of("trace_request_metadata", ("request_id", "key", "value"), ids):
            found[an_id].info.trace_metadata[key] = value or ""
        for row in tables.of("assessments", _ASSESSMENT, ids):
            try:
                found[row[0]].info.assessments.append(_assessment(row, found[row[0]].info.trace_id))
            except (TypeError, ValueError, LookupError, OtflowError) as error:
                report.skip("assessments", f"the assessment {row[1]} of the trace {row[0]}", error)
        _add_links(tables, found)
        marks = ("trace_id", "COUNT(*)", "COUNT(end_time_unix_nano)", "SUM(LENGTH(content))")
        for an_id, count, ended, size in tables.of("spans", marks, ids, grouped=True):
            found[an_id].mark, found[an_id].size = f"{count}/{ended}/{size}", int(size or 0)
        for trace in found.values():
            if not trace.mark:
                trace.mark, trace.size = file_mark(trace.info.tags.get(Tag.ARTIFACT_LOCATION))
        yield list(found.values())


def _trace(row: Row) -> SourceTrace:
    an_id, experiment_id, time_ms, duration_ms, status, client_request_id, request, response = row
    info = TraceInfo(
        trace_id=with_prefix(an_id),
        trace_location=TraceLocation.from_experiment_id(str(experiment_id)),
        request_time=int(time_ms),
        state=state_of(status),
        request_preview=request,
        response_preview=response,
        client_request_id=client_request_id,
        execution_duration=None if duration_ms is None else int(duration_ms),
        trace_metadata={},
        tags={},
        assessments=[],
    )
    return SourceTrace(info, int(experiment_id), an_id)


def _assessment(row: Row, trace_id: str) -> Assessment:
    (_, an_id, name, kind, value, error, source_type, source_id, rationale, metadata, span_id, run_id, overrides,
     valid, created, updated) = row  # fmt: skip
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of assessment; there are {', '.join(_KINDS)}")
    if value is not None:
        json.loads(value)
    return assessment_from_row(
        (
            an_id, trace_id, name, kind, value, None, error, source_type, source_id or "default", rationale, metadata,
            span_id, run_id, overrides, valid, int(created), int(updated), 0,
        )
    )  # fmt: skip


def _add_links(tables: Tables, found: dict[str, SourceTrace]) -> None:
    for an_id, kind, other in tables.of(
        "entity_associations", ("source_id", "destination_type", "destination_id"), list(found),
        also=" AND source_type = 'trace'",
    ):  # fmt: skip
        if kind == "run":
            found[an_id].run_ids.append(str(other))
        elif kind == "prompt_version" and "/" in other:
            name, _, version = str(other).rpartition("/")
            found[an_id].prompts.append((name, version))


def spans(tables: Tables, wanted: Sequence[SourceTrace], report: ImportReport) -> dict[str, list[Span]]:
    """The spans of traces, by the ids that these have here."""
    found: dict[str, list[Span]] = {trace.info.trace_id: [] for trace in wanted}
    ids = {trace.source_id: trace for trace in wanted}
    for an_id, span_id, content in tables.of("spans", ("trace_id", "span_id", "content"), list(ids)):
        try:
            found[ids[an_id].info.trace_id].append(read_span(json.loads(content)))
        except (TypeError, ValueError, LookupError, OtflowError) as error:
            ids[an_id].broken = True
            report.skip("spans", f"the span {span_id} of the trace {an_id}", error)
    for trace in wanted:
        if not found[trace.info.trace_id] and not trace.broken:
            found[trace.info.trace_id] = spans_of_file(trace, report)
    return found
