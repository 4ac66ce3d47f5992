"""Spans that MLflow has kept as a file among the artifacts, `traces.json`, as it did up to 3.5."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from otflow.entities import Span
from otflow.errors import InvalidParameterError, OtflowError
from otflow.migration.records import SourceTrace
from otflow.migration.report import ImportReport
from otflow.semconv import TRACE_ID_PREFIX, SpanKey, Tag
from otflow.wire.portable import read_span

__all__ = ["file_mark", "is_uri", "local_path", "spans_of_file", "with_prefix"]

_FILE: Final = "traces.json"
_BARE_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:").match


def with_prefix(trace_id: str) -> str:
    """The id as we write it; early MLflow 2 left the prefix out."""
    return TRACE_ID_PREFIX + trace_id if _BARE_ID(trace_id) else trace_id


def local_path(location: str) -> str | None:
    """The path that a location of artifacts is; None where it is none of this machine."""
    if location.startswith("file:"):
        return url2pathname(urlsplit(location).path)
    return None if is_uri(location) else location


def is_uri(location: str) -> bool:
    """Whether a location is a URI; else it is a path."""
    return _SCHEME(location) is not None


def file_mark(location: str | None) -> tuple[str, int]:
    """A mark that changes with the file of a trace's spans, and its size; empty where there is none."""
    path = None if location is None else local_path(location)
    if path is None:
        return "", 0
    try:
        found = os.stat(os.path.join(path, _FILE))
    except OSError:
        return "", 0
    return f"{found.st_size}/{found.st_mtime_ns}", found.st_size


def spans_of_file(trace: SourceTrace, report: ImportReport) -> list[Span]:
    """The spans of a trace that has them in a file; none where it cannot be read, which the report says."""
    tags = trace.info.tags
    location = tags.get(Tag.ARTIFACT_LOCATION)
    if location is None or tags.get(Tag.SPANS_LOCATION) == Tag.SPANS_IN_STORE:
        return []
    found: list[Span] = []
    try:
        for member in _members(location):
            try:
                found.append(_of_trace(read_span(member), trace))
            except OtflowError as error:
                _tell(trace, report, error)
    except InvalidParameterError as error:
        _tell(trace, report, error)
    return found


def _tell(trace: SourceTrace, report: ImportReport, problem: OtflowError) -> None:
    trace.broken = True
    report.skip("spans", f"the spans of the trace {trace.info.trace_id}", problem)


def _members(location: str) -> list[Any]:
    path = local_path(location)
    if path is None:
        raise InvalidParameterError(
            f"they are in {location}, which is no directory of this machine; --artifacts names one"
        )
    path = os.path.join(path, _FILE)
    try:
        with open(path, encoding="utf-8") as file:
            return list(json.load(file)["spans"])
    except OSError as error:
        raise InvalidParameterError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise InvalidParameterError(f"{path} holds no spans: {error}") from None


def _of_trace(span: Span, trace: SourceTrace) -> Span:
    """The span with the id of its trace as we write it."""
    trace_id = trace.info.trace_id
    if span.trace_id == trace_id:
        return span
    attributes = {**span.raw_attributes, SpanKey.TRACE_ID: json.dumps(trace_id)}
    return Span.of(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        start_ns=span.start_time_ns,
        end_ns=span.end_time_ns,
        status_code=span.status_code,
        status_message=span.status.description,
        kind=span.kind,
        attributes=cast("dict[str, Any]", attributes),
        events=span.events,
        links=span.links,
    )
