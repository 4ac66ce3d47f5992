"""What is sent to the server for traces and spans that are written: read, merge, write.

MLflow's server replaces a trace's info by the one it is sent, so what is there is read and merged first
(`otflow.store.merging`); two processes that write one trace at the same moment can still lose a tag to each other.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from otflow.entities import Assessment, Span, TraceInfo, TraceLocation, TraceState
from otflow.entities.values import clean_text
from otflow.errors import InvalidParameterError
from otflow.semconv import Metadata, SpanKey, Tag
from otflow.store.aggregates import SpanFacts, aggregates, usage_text
from otflow.store.interface import TraceWrite
from otflow.store.merging import SYNTHESIZED_TAGS, Record

__all__ = ["Draft", "portions"]

_TRACE_ID: Final = re.compile(r"tr-[0-9a-f]{32}").fullmatch
_PORTION_BYTES: Final = 4 * 2**20
_PORTION_SPANS: Final = 2000


@dataclass(slots=True)
class Draft:
    """What is to be written of one trace.

    Attributes:
        trace_id: The trace.
        experiment_id: Where it belongs.
        known: What the server knows of it; None for a new trace.
        writes: What is said of it.
        spans: The spans to write, by id.
        stored: The spans that the server had before, by id; None where they were not read.
    """

    trace_id: str
    experiment_id: str
    known: TraceInfo | None = None
    writes: list[TraceWrite] = field(default_factory=list[TraceWrite])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    stored: dict[str, Span] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.trace_id, str) or _TRACE_ID(self.trace_id) is None:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"A trace id is 'tr-' and 32 hexadecimal digits, not {self.trace_id!r}")

    def know(self, info: TraceInfo | None) -> None:
        """Take in what the server knows: a trace stays where it is, unless a write moves one that spans have made."""
        self.known = info
        if (
            info is not None
            and info.experiment_id is not None
            and not (
                # What is said of a trace that spans have made says where it belongs, too.
                self.writes and Metadata.SCHEMA_VERSION not in info.trace_metadata
            )
        ):
            self.experiment_id = info.experiment_id

    def add(self, span: Span) -> None:
        """Take a span; of two with one id the one with an end time wins, else the later."""
        if "\0" in span.name:
            span = _renamed(span)
        before = self.spans.get(span.span_id)
        if before is None or span.end_time_ns is not None or before.end_time_ns is None:
            self.spans[span.span_id] = span

    @property
    def finished(self) -> bool:
        """Whether the trace is finished by what is known or written."""
        states = [write.state for write in self.writes]
        if self.known is not None:
            states.append(self.known.state)
        return TraceState.OK in states or TraceState.ERROR in states

    @property
    def needs_stored_spans(self) -> bool:
        """Whether the spans that the server has must be read before.

        For the aggregates of a finished trace, and because an unended span must not replace an ended one. While a
        trace runs the server's own sums do; reading a long trace again with each of its batches would not.
        """
        if self.known is None or Tag.SPANS_LOCATION not in self.known.tags or not self.spans:
            return False
        spans = self.spans.values()
        return self.finished or any(span.end_time_ns is None or span.parent_id is None for span in spans)

    def recall(self, stored: Iterable[Span]) -> None:
        """Take in the spans that the server has."""
        before = {span.span_id: span for span in stored}
        self.stored = before
        self.spans = {
            span_id: span
            for span_id, span in self.spans.items()
            if span.end_time_ns is not None or span_id not in before or before[span_id].end_time_ns is None
        }

    @property
    def needs_info(self) -> bool:
        """Whether the trace's info is to be written: the spans alone do not say all of it."""
        return bool(self.writes or self.known is None or (self.stored is not None and self.spans))

    def merged(self) -> tuple[TraceInfo, list[str]]:
        """The trace's info as it is to be, and the keys of the tags to delete."""
        record = self._record()
        known = self.known
        gone = [key for key in (known.tags if known is not None else ()) if key not in record.tags]
        tags = dict(record.tags)
        if known is not None and Tag.ARTIFACT_LOCATION in known.tags:
            tags[Tag.ARTIFACT_LOCATION] = known.tags[Tag.ARTIFACT_LOCATION]
        if record.name is not None:
            tags[Tag.NAME] = record.name
        # Without this mark MLflow's server answers with an error where the trace has no spans.
        tags[Tag.SPANS_LOCATION] = Tag.SPANS_IN_STORE
        spans = {**(self.stored or {}), **self.spans}
        facts = [_facts(span) for span in spans.values()] if self._has_all_spans else []
        info = TraceInfo(
            trace_id=self.trace_id,
            trace_location=TraceLocation.from_experiment_id(self.experiment_id),
            request_time=record.time_ns // 1_000_000,
            state=TraceState(record.state),
            request_preview=_clean(record.request_preview),
            response_preview=_clean(record.response_preview),
            client_request_id=_clean(record.client_request_id),
            execution_duration=record.duration_ms,
            trace_metadata=_clean_texts({**record.metadata, **aggregates(facts)}),
            tags=_clean_texts(tags),
            assessments=self._assessments(),
        )
        return info, [key for key in gone if key not in tags]

    @property
    def _has_all_spans(self) -> bool:
        return self.stored is not None or self.known is None or Tag.SPANS_LOCATION not in self.known.tags

    def _record(self) -> Record:
        record = Record(self.trace_id, 0)
        known = self.known
        if known is not None:
            tags = {key: value for key, value in known.tags.items() if key not in SYNTHESIZED_TAGS}
            if _says_no_more(known, self._seen_before()):
                record.tags = {key: value for key, value in tags.items() if key != Tag.NAME}
                record.metadata = dict(known.trace_metadata)
                record.first_ns = known.request_time * 1_000_000
            else:
                record.hear(_as_write(known, tags), 0)
        for write in self.writes:
            record.hear(write, 0)
        for span in (*(self.stored or {}).values(), *self.spans.values()):
            record.see(span)
        return record

    def _seen_before(self) -> Record:
        before = Record(self.trace_id, 0)
        for span in (self.stored or {}).values():
            before.see(span)
        return before

    def _assessments(self) -> list[Assessment]:
        found: dict[str | None, Assessment] = {}
        for assessment in self.known.assessments if self.known is not None else ():
            found[assessment.assessment_id] = assessment
        for write in self.writes:
            for assessment in write.assessments:
                settled = copy.copy(assessment)
                settled.trace_id = self.trace_id
                settled.assessment_id = assessment.assessment_id or f"a-{uuid.uuid4().hex}"
                found[settled.assessment_id] = settled
        return list(found.values())


def _says_no_more(known: TraceInfo, before: Record) -> bool:
    """Whether an info says what the spans of the trace say, so that it need not have been written by anybody."""
    name = known.tags.get(Tag.NAME)
    if known.client_request_id is not None or name not in (None, before.name):
        return False
    if known.request_preview not in (None, before.request_preview):
        return False
    if known.response_preview not in (None, before.response_preview):
        return False
    if known.state is TraceState.IN_PROGRESS:
        return True
    said = (known.state.value, known.request_time, known.execution_duration)
    return said == (before.state, before.time_ns // 1_000_000, before.duration_ms)


def _as_write(known: TraceInfo, tags: dict[str, str]) -> TraceWrite:
    interrupted = Tag.INTERRUPTED in known.tags  # a state that a later write may take back
    finished = known.state is not TraceState.IN_PROGRESS and not interrupted
    return TraceWrite(
        trace_id=known.trace_id,
        experiment_id=known.experiment_id or "",
        request_time_ns=known.request_time * 1_000_000,
        state=TraceState.IN_PROGRESS if interrupted else known.state,
        # The server counts a duration for running traces too; that one is not the last word.
        execution_duration_ms=known.execution_duration if finished else None,
        tags={**tags},
        metadata=dict(known.trace_metadata),
        client_request_id=known.client_request_id,
        request_preview=known.request_preview,
        response_preview=known.response_preview,
    )


def _clean(text: str | None) -> str | None:
    """A text as every database can hold it."""
    return None if text is None else clean_text(text).replace("\0", "\ufffd")


def _clean_texts(texts: dict[str, str]) -> dict[str, str]:
    return {_clean(key) or "": _clean(value) or "" for key, value in texts.items()}


def _renamed(span: Span) -> Span:
    """The span with a name that every database can hold; values inside of it are JSON there, where NUL is escaped."""
    return Span.of(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=_clean(span.name) or "",
        start_ns=span.start_time_ns,
        end_ns=span.end_time_ns,
        status_code=span.status_code,
        content=span.content(),
    )


def _facts(span: Span) -> SpanFacts:
    raw = span.raw_attributes
    usage, cost = usage_text(raw), raw.get(SpanKey.LLM_COST)
    return SpanFacts(
        span.span_id,
        span.parent_id,
        len(span.content()),
        usage if isinstance(usage, str) else None,
        cost if isinstance(cost, str) else None,
    )


def portions(spans: Iterable[Span]) -> Iterator[Sequence[Span]]:
    """The spans in portions that are neither too many nor too long for one request."""
    portion: list[Span] = []
    size = 0
    for span in spans:
        length = len(span.content())
        if portion and (len(portion) >= _PORTION_SPANS or size + length > _PORTION_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(span)
        size += length
    if portion:
        yield portion
