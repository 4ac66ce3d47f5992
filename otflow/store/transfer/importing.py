"""What was read from a file into a store: by id, so that to import twice changes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from otflow.entities import Assessment, Span, TraceInfo
from otflow.entities.values import dump
from otflow.errors import InvalidParameterError
from otflow.semconv import TRACE_ID_PREFIX, Metadata, OTel, SpanKey, Tag
from otflow.store.interface import Store, TraceWrite

__all__ = ["Imported", "Piece", "import_traces"]

_TRACE_ID: Final = re.compile(r"tr-[0-9a-f]{32}").fullmatch
_BARE_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_SPANS_AT_ONCE: Final = 1000
_BYTES_AT_ONCE: Final = 8_000_000
_FROM_SPANS: Final = (Metadata.SIZE_BYTES, Metadata.SIZE_STATS)
"""Metadata that the store computes from the spans, of whatever instrumentation."""


@dataclass(slots=True)
class Piece:
    """What was read at one place of a file: a trace with spans of it, or spans alone.

    Args:
        info: The trace; None where only spans are known.
        experiment: The name of its experiment, where the file says it.
        spans: Spans, of any traces.
        place: Where in the file this is, for messages.
    """

    info: TraceInfo | None = None
    experiment: str | None = None
    spans: list[Span] = field(default_factory=list[Span])
    place: str = ""


@dataclass(slots=True)
class Imported:
    """What an import has written: `traces` counts ids, be they new or there before."""

    traces: int = 0
    spans: int = 0
    assessments: int = 0


def import_traces(
    store: Store,
    pieces: Iterable[Piece],
    *,
    home: Callable[[str | None], str],
    translate: Callable[[list[Span]], list[Span]] | None = None,
) -> Imported:
    """Write what was read into a store; what is there already stays, and is completed.

    Args:
        store: Where to.
        pieces: What was read.
        home: The id of the experiment for traces of the experiment with this name; None where no name is known.
        translate: Makes spans that came without their trace read as ours.

    Raises:
        InvalidParameterError: Something in the file is not allowed; the message says where. What was read before it
            has been written.
    """
    batch = _Batch(store, home)
    try:
        for piece in pieces:
            if piece.info is None and translate is not None:
                piece.spans = translate(piece.spans)
            batch.add(piece)
    except InvalidParameterError:
        batch.flush()
        raise
    batch.flush()
    return batch.imported


class _Batch:
    """Gathers until it is worth a transaction."""

    def __init__(self, store: Store, home: Callable[[str | None], str]) -> None:
        self.imported = Imported()
        self._store = store
        self._home = home
        self._seen: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._traces: list[TraceWrite] = []
        self._spans: list[Span] = []
        self._alone: list[Span] = []
        self._prompts: list[tuple[str, list[tuple[str, str]]]] = []
        self._size = 0

    def add(self, piece: Piece) -> None:
        """Take in a piece."""
        info = piece.info
        if info is not None:
            _give_prefix(piece, info)
            try:
                write = _write(info, self._home(piece.experiment), piece.spans)
            except InvalidParameterError as error:
                raise InvalidParameterError(f"{piece.place}: {error}") from None
            self._traces.append(write)
            self._spans += piece.spans
            prompts = _prompts(info.tags.get(Tag.LINKED_PROMPTS))
            if prompts:
                self._prompts.append((info.trace_id, prompts))
            self._count(info.trace_id)
            self.imported.assessments += len(write.assessments)
        else:
            self._alone += piece.spans
            self._traces += _sessions(piece.spans, self._home)
            for span in piece.spans:
                self._count(span.trace_id)
        self.imported.spans += len(piece.spans)
        self._size += sum(len(span.content()) for span in piece.spans)
        if (
            len(self._spans) + len(self._alone) >= _SPANS_AT_ONCE
            or len(self._traces) >= _SPANS_AT_ONCE
            or self._size >= _BYTES_AT_ONCE
        ):
            self.flush()

    def _count(self, trace_id: str) -> None:
        # Only a digest of each id is kept: a file may hold millions of them.
        key = trace_id[-16:]
        if key not in self._seen:
            self._seen.add(key)
            self.imported.traces += 1

    def flush(self) -> None:
        """Write what was gathered."""
        traces, spans, alone, prompts = self._traces, self._spans, self._alone, self._prompts
        self._clear()
        if traces:
            own = {write.trace_id for write in traces}
            self._store.write_traces(traces, [span for span in spans if span.trace_id in own])
        if alone:
            self._store.write_spans(self._home(None), alone)
        for trace_id, pairs in prompts:
            self._store.link_prompts_to_trace(trace_id, pairs)


def _give_prefix(piece: Piece, info: TraceInfo) -> None:
    """Give the trace and its spans an id of our form where it lacks the prefix only, as early MLflow 2's did."""
    bare = info.trace_id
    if _BARE_ID(bare) is None:
        return
    info.trace_id = TRACE_ID_PREFIX + bare
    piece.spans = [_renamed(span, info.trace_id) if span.trace_id == bare else span for span in piece.spans]


def _renamed(span: Span, trace_id: str) -> Span:
    attributes = {**span.raw_attributes, SpanKey.TRACE_ID: dump(trace_id)}
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
        attributes=attributes,
        events=span.events,
        links=span.links,
        scope=span.scope,
        resource=span.resource,
    )


def _write(info: TraceInfo, experiment_id: str, spans: list[Span]) -> TraceWrite:
    if _TRACE_ID(info.trace_id) is None:
        raise InvalidParameterError(f"a trace id is 'tr-' and 32 hexadecimal digits, not {info.trace_id!r}")
    strangers = {span.trace_id for span in spans} - {info.trace_id}
    if strangers:
        raise InvalidParameterError(f"the trace {info.trace_id} holds a span of the trace {min(strangers)}")
    metadata = dict(info.trace_metadata)
    if spans:
        for key in _FROM_SPANS:
            metadata.pop(key, None)
    return TraceWrite(
        trace_id=info.trace_id,
        experiment_id=experiment_id,
        request_time_ns=_request_time_ns(info.request_time, spans),
        state=info.state,
        execution_duration_ms=info.execution_duration,
        tags=dict(info.tags),
        metadata=metadata,
        client_request_id=info.client_request_id,
        request_preview=info.request_preview,
        response_preview=info.response_preview,
        assessments=[_assessment(one, info.trace_id) for one in info.assessments],
    )


def _request_time_ns(request_time_ms: int, spans: list[Span]) -> int:
    """The time in nanoseconds, of one that is known in milliseconds: that of the root span, if it is the same."""
    for span in spans:
        if span.parent_id is None and span.start_time_ns // 1_000_000 == request_time_ms:
            return span.start_time_ns
    return request_time_ms * 1_000_000


def _assessment(assessment: Assessment, trace_id: str) -> Assessment:
    """The assessment, with an id that is the same each time if it has none."""
    assessment.trace_id = trace_id
    if assessment.assessment_id is None:
        text = dump(assessment.to_dictionary())
        assessment.assessment_id = f"a-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    return assessment


def _sessions(spans: list[Span], home: Callable[[str | None], str]) -> list[TraceWrite]:
    """For traces known by their spans only: what these say of session and user, as metadata."""
    first: dict[str, int] = {}
    said: dict[str, dict[str, str]] = {}
    for span in spans:
        first[span.trace_id] = min(span.start_time_ns, first.get(span.trace_id, span.start_time_ns))
        for key, member in ((OTel.SESSION_ID, Metadata.SESSION), (OTel.USER_ID, Metadata.USER)):
            value = span.get_attribute(key)
            if isinstance(value, str) and value:
                said.setdefault(span.trace_id, {}).setdefault(member, value)
    return [TraceWrite(trace_id, home(None), first[trace_id], metadata=metadata) for trace_id, metadata in said.items()]


def _prompts(text: str | None) -> list[tuple[str, str]]:
    """The prompt versions that the tag lists; one that was set to something else lists none."""
    try:
        found: Any = json.loads(text or "[]")
        return [(str(entry["name"]), str(entry["version"])) for entry in found]
    except (ValueError, TypeError, LookupError):
        return []
