"""The formats of files: JSON lines, OTLP in protobuf, OTLP in JSON; Parquet is in `parquet`.

| format | what a file is | what it holds |
|---|---|---|
| `jsonl` | a trace a line, as `otflow.wire.portable` has it | all of the trace |
| `otlp` | `ExportTraceServiceRequest`s, each after its length as a varint | spans, the rest as an attribute |
| `otlp-json` | an `ExportTraceServiceRequest` a line, as OpenTelemetry's file exporter writes | the same |
| `parquet` | a row a span | all of the trace |

OTLP has no place for what is known of a trace beside its spans. It travels as the attribute `otflow.trace.info`, JSON
text, on the first span, which others pass over. For those others the spans have the attributes of the GenAI semantic
conventions as well; the attribute `otflow.trace.added` names them, so that they are taken off again here.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any, Final, cast

from otflow.entities import Span
from otflow.errors import InvalidParameterError
from otflow.semconv import TRACE_ADDED, TRACE_INFO
from otflow.store.transfer.exporting import Stored
from otflow.store.transfer.importing import Piece
from otflow.wire import otlp, otlp_json, portable

__all__ = ["FORMATS", "TraceWriter", "format_of_name", "open_writer", "read_pieces"]

FORMATS: Final = ("jsonl", "otlp", "otlp-json", "parquet")
_SPANS_IN_REQUEST: Final = 500
_BYTES_IN_REQUEST: Final = 2_000_000
_LONGEST: Final = 2**31
"""Bytes of the longest message that protobuf knows."""
_PORTION: Final = 1_000_000
_SUFFIXES: Final = (
    (".parquet", "parquet"),
    (".otlp.json", "otlp-json"),
    (".otlp.jsonl", "otlp-json"),
    (".otlp", "otlp"),
    (".pb", "otlp"),
    (".jsonl", "jsonl"),
    (".json", "jsonl"),
    (".ndjson", "jsonl"),
)
_MAX_FIRST: Final = 64


def format_of_name(name: str) -> str | None:
    """The format that the name of a file says, if it says one; `.gz` at its end says nothing of it."""
    name = name.lower().removesuffix(".gz")
    return next((kind for suffix, kind in _SUFFIXES if name.endswith(suffix)), None)


# -- writing -----------------------------------------------------------------------------------------


class TraceWriter(ABC):
    """Writes traces to a stream, in one format.

    Args:
        stream: Where to; it stays open.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.traces = 0
        self.spans = 0
        self.left_out = 0
        """Traces that the format cannot hold: in OTLP those without any span."""

    @abstractmethod
    def write(self, trace: Stored) -> None:
        """Write one trace."""

    @abstractmethod
    def close(self) -> None:
        """Write what is still to be written, and leave the stream open."""

    def counted(self, spans: Iterable[Span]) -> Iterator[Span]:
        """The spans, each of them counted."""
        for span in spans:
            self.spans += 1
            yield span


class _JsonLines(TraceWriter):
    def write(self, trace: Stored) -> None:
        for piece in portable.line(trace.info, trace.experiment, self.counted(trace.spans)):
            self.stream.write(piece.encode())
        self.stream.write(b"\n")
        self.traces += 1

    def close(self) -> None:
        self.stream.flush()


class _Otlp(TraceWriter):
    """Requests of a few hundred spans; a request is of one trace only where the trace is as big as that."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._waiting: list[Span] = []
        self._size = 0

    def write(self, trace: Stored) -> None:
        spans = iter(trace.spans)
        first = next(spans, None)
        if first is None:
            self.left_out += 1
            return
        known = {TRACE_INFO: _info_text(trace)}
        for bare in self.counted(chain([first], spans)):
            span = _for_others(bare, known)
            known = {}
            self._waiting.append(span)
            self._size += len(span.content())
            if len(self._waiting) >= _SPANS_IN_REQUEST or self._size >= _BYTES_IN_REQUEST:
                self._flush()
        self.traces += 1

    def close(self) -> None:
        if self._waiting:
            self._flush()

    def _flush(self) -> None:
        body = otlp.encode_spans(self._waiting)
        self._waiting, self._size = [], 0
        self.put(body)

    def put(self, body: bytes) -> None:
        """Write one request."""
        self.stream.write(_varint(len(body)))
        self.stream.write(body)


class _OtlpJson(_Otlp):
    def put(self, body: bytes) -> None:
        self.stream.write(otlp_json.request_to_json(body).encode())
        self.stream.write(b"\n")


def open_writer(kind: str, stream: IO[bytes]) -> TraceWriter:
    """A writer for one of `FORMATS`.

    Raises:
        MissingExtraError: `parquet` without pyarrow.
    """
    if kind == "parquet":
        from otflow.store.transfer.parquet import ParquetTraces

        return ParquetTraces(stream)
    return {"jsonl": _JsonLines, "otlp": _Otlp, "otlp-json": _OtlpJson}[kind](stream)


def _info_text(trace: Stored) -> str:
    known: dict[str, Any] = {"info": portable.info_dict(trace.info)}
    if trace.experiment is not None:
        known["otflow"] = {"experiment": trace.experiment}
    return json.dumps(known, default=str)


def _for_others(span: Span, more: dict[str, Any]) -> Span:
    """The span with what other readers look for, and with more attributes of ours."""
    from otflow.wire.conventions import write

    own, written = span.raw_attributes, write(span).raw_attributes
    added = tuple(key for key in written if key not in own)
    marks: dict[str, Any] = {**more, TRACE_ADDED: added} if added else more
    return _with_attributes(span, {**own, **{key: written[key] for key in added}, **marks}) if marks else span


def _without_added(span: Span) -> Span:
    """The span as it was before `_for_others`, but for `TRACE_INFO`."""
    attributes = span.raw_attributes
    added = attributes.get(TRACE_ADDED)
    if not isinstance(added, (list, tuple)):
        return span
    gone = {TRACE_ADDED, *cast("tuple[object, ...]", added)}
    return _with_attributes(span, {key: value for key, value in attributes.items() if key not in gone})


def _with_attributes(span: Span, attributes: dict[str, Any]) -> Span:
    return Span.of(
        trace_id=span.trace_id,
        otel_trace_id=span.otel_trace_id,
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


# -- reading -----------------------------------------------------------------------------------------


def read_pieces(stream: IO[bytes], kind: str | None, name: str) -> Iterator[Piece]:
    """What a file holds, in bounded memory: a line, a request, or a group of rows at a time.

    Args:
        stream: The file.
        kind: One of `FORMATS`; by default what the first bytes look like. `.gz` files are unpacked.
        name: The name of the file, for messages.

    Raises:
        InvalidParameterError: The file is not of the format; the message says where.
        MissingExtraError: `parquet` without pyarrow.
    """
    try:
        yield from _read(stream, kind, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidParameterError(f"{name}: the packed file is damaged or cut off: {error}") from None


def _read(stream: IO[bytes], kind: str | None, name: str) -> Iterator[Piece]:
    buffered: io.BufferedReader[Any] = (
        cast("Any", stream) if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("Any", stream))
    )
    if buffered.peek(2)[:2] == b"\x1f\x8b":
        buffered = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=buffered)))
    head = buffered.peek(_MAX_FIRST)
    if not head:
        return
    if kind == "parquet" or (kind is None and head[:4] == b"PAR1"):
        from otflow.store.transfer.parquet import read_parquet

        yield from read_parquet(buffered, name)
    elif kind == "otlp" or (kind is None and not _looks_like_json(head, name)):
        yield from _split_infos(_read_otlp(buffered, name))
    else:
        yield from _split_infos(_read_json(buffered, name))


def _looks_like_json(head: bytes, name: str) -> bool:
    return head.lstrip()[:1] in (b"{", b"[", b"\xef") or format_of_name(name) in ("jsonl", "otlp-json")


def _read_json(stream: IO[bytes], name: str) -> Iterator[Piece]:
    """JSON lines of traces or OTLP requests, or JSON documents over several lines."""
    for place, value in _documents(stream, name):
        for one in cast("list[object]", value) if isinstance(value, list) else [value]:
            yield _piece(one, place)


def _piece(value: object, place: str) -> Piece:
    try:
        if otlp_json.is_request(value):
            return _of_request(otlp_json.request_from_json(value), place)
        found = portable.read_line(value)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{place}: {error}") from None
    return Piece(found.info, found.experiment, found.spans, place)


def _documents(stream: IO[bytes], name: str) -> Iterator[tuple[str, object]]:
    first = True
    for number, text in enumerate(stream, 1):
        if not text.strip():
            continue
        try:
            yield f"{name}, line {number}", json.loads(text)
        except (ValueError, RecursionError) as error:
            if not first or text.strip() not in (b"{", b"[", b"\xef\xbb\xbf{", b"\xef\xbb\xbf["):
                raise InvalidParameterError(f"{name}, line {number}: not JSON: {error}") from None
            # Not a line a document, but one that is written over several lines.
            yield from _whole(text + stream.read(), name)
            return
        first = False


def _whole(text: bytes, name: str) -> Iterator[tuple[str, object]]:
    try:
        rest = text.decode("utf-8-sig").strip()
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            yield name, value
            rest = rest[end:].lstrip()
    except (ValueError, RecursionError) as error:
        raise InvalidParameterError(f"{name}: not JSON: {error}") from None


def _read_otlp(stream: io.BufferedReader[Any], name: str) -> Iterator[Piece]:
    """Requests that are each preceded by their length, or one alone.

    A request begins with the byte 0x0A. As a length that would be 10, which no request with a span is as short as.
    """
    if stream.peek(1)[:1] == b"\x0a":
        yield _of_request(stream.read(), name)
        return
    for number in range(1, 2**63):
        place = f"{name}, request {number}"
        size = _read_varint(stream, place)
        if size is None:
            return
        body = _read_exactly(stream, size) if size <= _LONGEST else b""
        if len(body) < size:
            raise InvalidParameterError(f"{place}: the file ends in the middle of it: not OTLP, or cut off")
        yield _of_request(body, place)


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, or fewer at the end of the file; no room is made for what may not be there."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(min(size, _PORTION))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _of_request(body: bytes, place: str) -> Piece:
    """The spans of a request."""
    try:
        spans = otlp.decode_spans(body)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{place}: {error}") from None
    return Piece(spans=[_without_added(span) for span in spans], place=place)


def _split_infos(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces; those whose spans hold what is known of their traces as one piece a trace."""
    for piece in pieces:
        if piece.info is not None or not any(TRACE_INFO in span.raw_attributes for span in piece.spans):
            yield piece
            continue
        by_trace: dict[str, list[Span]] = {}
        for span in piece.spans:
            by_trace.setdefault(span.trace_id, []).append(span)
        for spans in by_trace.values():
            yield _told(spans, piece.place)


def _told(spans: list[Span], place: str) -> Piece:
    for number, span in enumerate(spans):
        text = span.raw_attributes.get(TRACE_INFO)
        if isinstance(text, str):
            try:
                info, experiment = portable.info_from_text(text)
            except (InvalidParameterError, LookupError) as error:
                raise InvalidParameterError(f"{place}: the attribute {TRACE_INFO}: {error}") from None
            bare = {key: value for key, value in span.raw_attributes.items() if key != TRACE_INFO}
            return Piece(info, experiment, [*spans[:number], _with_attributes(span, bare), *spans[number + 1 :]], place)
    return Piece(spans=spans, place=place)


# -- varints: seven bits a byte, the lowest first, the eighth bit says that more follow ----------------


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _read_varint(stream: IO[bytes], place: str) -> int | None:
    number = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            if shift:
                break
            return None
        number |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return number
    raise InvalidParameterError(f"{place}: not OTLP: no length where one is expected")
