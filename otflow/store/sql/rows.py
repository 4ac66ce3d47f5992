"""Entities to rows and back. A row is a tuple in the order of the columns named here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any, Final

from otflow.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    Expectation,
    ExpectationValue,
    Feedback,
    FeedbackValue,
    Span,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from otflow.entities.moved import Fetch
from otflow.entities.values import clean_text, dump, load
from otflow.errors import InvalidParameterError
from otflow.semconv import Metadata, SpanKey, Tag
from otflow.store.aggregates import SpanFacts, usage_text
from otflow.store.merging import Record

__all__ = [
    "ASSESSMENT_COLUMNS",
    "SPAN_COLUMNS",
    "TRACE_COLUMNS",
    "assessment_from_row",
    "assessment_row",
    "assessment_value_row",
    "check_trace_id",
    "clean",
    "clean_id",
    "facts_of_row",
    "info_from_row",
    "json_object",
    "record_from_row",
    "span_from_row",
    "span_row",
    "trace_row",
]

_TRACE_ID = re.compile(r"tr-[0-9a-f]{32}").fullmatch
_SPAN_ID = re.compile(r"[0-9a-f]{16}").fullmatch

NUL_REPLACEMENT: Final = "\u2400"
"""SYMBOL FOR NULL: PostgreSQL's text holds every character but U+0000."""


def clean(text: str) -> str:
    """The text as both databases can hold it: without NUL characters and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", NUL_REPLACEMENT)
    return text if text.isascii() else clean_text(text)


def clean_id(value: object) -> str:
    """An id or a name that a caller asks for, in the form in which it would be stored."""
    return clean(str(value))


def _clean_or_none(text: str | None) -> str | None:
    return None if text is None else clean(text)


def json_object(value: dict[str, str]) -> str:
    """A JSON object of strings, clean as `clean` makes texts."""
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text:
        text = json.dumps({clean(key): clean(item) for key, item in value.items()}, ensure_ascii=False)
    return text if text.isascii() else clean_text(text, "\\\\")


# -- traces ----------------------------------------------------------------------------------------

TRACE_COLUMNS: Final = (
    "trace_id", "experiment_id", "time_ns", "duration_ms", "state", "name", "client_request_id",
    "request_preview", "response_preview", "session_id", "user_id", "run_id", "model_id",
    "tags", "metadata", "stats", "merging",
)  # fmt: skip


def check_trace_id(trace_id: object) -> str:
    """The id, if it may be one."""
    if not isinstance(trace_id, str) or _TRACE_ID(trace_id) is None:
        raise InvalidParameterError(f"a trace id is 'tr-' and 32 hexadecimal digits, not {trace_id!r}")
    return trace_id


def trace_row(record: Record, stats: dict[str, str] | None) -> tuple[object, ...]:
    """The row of a trace; `stats` is None where they are not known."""
    metadata = record.metadata
    return (
        record.trace_id,
        record.experiment_id,
        record.time_ns,
        record.duration_ms,
        record.state,
        _clean_or_none(record.name),
        _clean_or_none(record.client_request_id),
        _clean_or_none(record.request_preview),
        _clean_or_none(record.response_preview),
        _clean_or_none(metadata.get(Metadata.SESSION)),
        _clean_or_none(metadata.get(Metadata.USER)),
        _clean_or_none(metadata.get(Metadata.SOURCE_RUN)),
        _clean_or_none(metadata.get(Metadata.MODEL_ID)),
        json_object(record.tags),
        json_object(metadata),
        None if stats is None else json.dumps(stats),
        None if (merging := record.merging()) is None else clean_text(merging.replace("\\u0000", "\\u2400"), "\\\\"),
    )


def record_from_row(row: Sequence[Any]) -> Record:
    """The record that a row was made from."""
    columns: dict[str, Any] = dict(zip(TRACE_COLUMNS, row, strict=True))
    record = Record(
        trace_id=columns["trace_id"],
        experiment_id=columns["experiment_id"],
        tags=json.loads(columns["tags"]),
        metadata=json.loads(columns["metadata"]),
        client_request_id=columns["client_request_id"],
    )
    record.recall(columns["merging"], columns)
    return record


def info_from_row(
    row: Sequence[Any], artifact_location: str, stats: dict[str, str] | None, assessments: list[Assessment]
) -> TraceInfo:
    """The trace that a row describes.

    Args:
        row: A row of `traces`.
        artifact_location: Where its experiment keeps artifacts.
        stats: The metadata that follow from the spans, where the row does not know them.
        assessments: The trace's assessments.
    """
    trace_id = row[0]
    tags: dict[str, str] = {
        Tag.ARTIFACT_LOCATION: _below(artifact_location, f"traces/{trace_id}/artifacts"),
        Tag.SPANS_LOCATION: Tag.SPANS_IN_STORE,
    }
    if row[5] is not None:
        tags[Tag.NAME] = row[5]
    tags.update(json.loads(row[13]))
    metadata: dict[str, str] = json.loads(row[14])
    metadata.update(stats if stats is not None else json.loads(row[15] or "{}"))
    return TraceInfo(
        trace_id=trace_id,
        trace_location=TraceLocation.from_experiment_id(str(row[1])),
        request_time=row[2] // 1_000_000,
        state=TraceState(row[4]),
        request_preview=row[7],
        response_preview=row[8],
        client_request_id=row[6],
        execution_duration=row[3],
        trace_metadata=metadata,
        tags=tags,
        assessments=assessments,
    )


def _below(location: str, path: str) -> str:
    """A path below a location, which is a path or a URI; a URI's query and fragment stay at its end."""
    if "://" not in location:
        return f"{location.rstrip('/')}/{path}"
    end = next((index for index, char in enumerate(location) if char in "?#"), len(location))
    return f"{location[:end].rstrip('/')}/{path}{location[end:]}"


# -- spans -----------------------------------------------------------------------------------------

SPAN_COLUMNS: Final = (
    "trace_id", "span_id", "parent_id", "name", "type", "status", "start_ns", "end_ns", "size", "usage", "cost",
    "content",
)  # fmt: skip


def span_row(span: Span, document: str | None = None, elsewhere: int = 0) -> tuple[Any, ...]:
    """The row of a span whose trace id is checked.

    Args:
        span: The span.
        document: What its column `content` holds, where that is not all of its content.
        elsewhere: The length in bytes of what is not in there.
    """
    span_id, parent_id = span.span_id, span.parent_id
    if _SPAN_ID(span_id) is None:
        raise InvalidParameterError(f"a span id is 16 hexadecimal digits, not {span_id!r}")
    if parent_id is not None and _SPAN_ID(parent_id) is None:
        raise InvalidParameterError(f"the id of a span's parent is 16 hexadecimal digits, not {parent_id!r}")
    attributes = span.raw_attributes
    content = span.content() if document is None else document
    if not content.isascii():
        content = clean_text(content, "\\\\")
        size = len(content.encode())
    else:
        size = len(content)
    usage, cost = usage_text(attributes), attributes.get(SpanKey.LLM_COST)
    return (
        span.trace_id,
        span_id,
        parent_id,
        clean(span.name),
        _type_of(span, attributes.get(SpanKey.TYPE)),
        span.status_code,
        span.start_time_ns,
        span.end_time_ns,
        size + elsewhere,
        clean(usage) if isinstance(usage, str) else None,
        clean(cost) if isinstance(cost, str) else None,
        content,
    )


def _type_of(span: Span, text: object) -> str:
    """The type of a span; `text` is its attribute, nearly always the JSON text of a plain word."""
    if isinstance(text, str) and text[:1] == '"' == text[-1:] and (word := text[1:-1]).isalnum() and word.isascii():
        return word
    return clean(str(span.span_type))


def facts_of_row(row: Sequence[Any]) -> SpanFacts:
    """What the aggregates need of a row of `spans`."""
    return SpanFacts(row[1], row[2], row[8], row[9], row[10])


MOVED: Final = '{"moved"'
"""How the document of a span begins that has long values elsewhere."""


def span_from_row(row: Sequence[Any], fetch: Fetch) -> Span:
    """The span of a row of `spans`; what is elsewhere of it is read with `fetch`."""
    return Span.of(
        trace_id=row[0],
        span_id=row[1],
        parent_id=row[2],
        name=row[3],
        start_ns=row[6],
        end_ns=row[7],
        status_code=row[5],
        content=row[11],
        fetch=fetch if row[11].startswith(MOVED) else None,
    )


# -- assessments -----------------------------------------------------------------------------------

ASSESSMENT_COLUMNS: Final = (
    "assessment_id", "trace_id", "name", "kind", "value", "number", "error", "source_type", "source_id", "rationale",
    "metadata", "span_id", "run_id", "overrides", "valid", "create_time_ms", "last_update_time_ms",
    "position",
)  # fmt: skip


def assessment_value_row(assessment: Assessment) -> tuple[str, str | None, float | None, str | None]:
    """The columns `kind`, `value`, `number` and `error`."""
    if assessment.expectation is not None:
        value: Any = assessment.expectation.value
        return ("expectation", clean(dump(value)), _number(value), None)
    if assessment.feedback is not None:
        value, error = assessment.feedback.value, assessment.feedback.error
        return (
            "feedback",
            None if value is None else clean(dump(value)),
            _number(value),
            None if error is None else clean(dump(error.to_dictionary())),
        )
    raise InvalidParameterError(
        f"the assessment {assessment.name!r} holds no value: one of `feedback` and `expectation` is needed"
    )


def _number(value: object) -> float | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == number else None


def assessment_row(assessment: Assessment, trace_id: str) -> tuple[object, ...]:
    """The row of an assessment whose id and times are settled."""
    source = assessment.source
    metadata = assessment.metadata
    return (
        _clean_or_none(assessment.assessment_id),
        trace_id,
        clean_id(assessment.name),
        *assessment_value_row(assessment),
        clean_id(source.source_type),
        clean_id(source.source_id),
        _clean_or_none(assessment.rationale),
        None if metadata is None else clean(dump(metadata)),
        _clean_or_none(assessment.span_id),
        _clean_or_none(assessment.run_id),
        _clean_or_none(assessment.overrides),
        0 if assessment.valid is False else 1,
        assessment.create_time_ms,
        assessment.last_update_time_ms,
        time.time_ns(),
    )


def assessment_from_row(row: Sequence[Any]) -> Assessment:
    """The assessment of a row of `assessments`."""
    (assessment_id, trace_id, name, kind, value, _, error, source_type, source_id, rationale, metadata, span_id,
     run_id, overrides, valid, created, updated, _) = row  # fmt: skip
    source = AssessmentSource(source_type=source_type, source_id=source_id)
    common: dict[str, Any] = {
        "name": name,
        "source": source,
        "trace_id": trace_id,
        "metadata": None if metadata is None else json.loads(metadata),
        "span_id": span_id,
        "create_time_ms": created,
        "last_update_time_ms": updated,
    }
    found: Any = None if value is None else load(value)
    assessment: Assessment
    # The constructors refuse an assessment without a value: one that is stored is read whatever it holds.
    if kind == "expectation":
        assessment = Expectation(value=0, **common)
        assessment.expectation = ExpectationValue(found)
        assessment.rationale, assessment.overrides = rationale, overrides
    else:
        assessment = Feedback(value=0, rationale=rationale, overrides=overrides, **common)
        assessment.error = None if error is None else AssessmentError.from_dictionary(json.loads(error))
        assessment.feedback = FeedbackValue(found, assessment.error)
    assessment.valid = bool(valid)
    assessment.assessment_id, assessment.run_id = assessment_id, run_id
    return assessment
