"""Batches on disk, while the destination that they are for is away: appended now, read in order later.

A directory per destination holds segments, files that are only appended to. A segment belongs to the process that
holds its lock (`flock`), and so to nobody once that process has died, in whatever way; then any other process with the
same destination takes it over. A record is a frame (mark, length, checksum) and a JSON document. Nothing is marked as
done: a segment is deleted when all of it has been delivered, and what a killed process had delivered of one is
delivered again, which changes nothing, because writing is idempotent.

**What breaks it.** A record that was being written when the process died ends the segment: it was not acknowledged.
A record whose checksum is wrong ends it too; then the file is set aside under the ending `.damaged`.
A killed process loses nothing of what was appended; a power failure may, for nothing is synced.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import uuid
import zlib
from collections import deque
from typing import Any, Final

from otflow import config
from otflow.entities import Span, TraceState
from otflow.store.interface import TraceWrite

try:
    import fcntl
except ImportError:  # no such locks: segments of other processes are left alone
    fcntl = None

__all__ = ["Batch", "Spool", "SpoolFullError", "directory"]

_FRAME: Final = struct.Struct("<4sII")
_MARK: Final = b"OTS1"
_SEGMENT_BYTES: Final = 8 * 2**20
_ENDING: Final = ".spool"
_DAMAGED: Final = ".damaged"


def directory() -> str:
    """Where the spools of all destinations are."""
    chosen = config.SPOOL_DIR.get()
    return os.path.abspath(chosen) if chosen else config.spool_directory()


class SpoolFullError(Exception):
    """There is no room under the limit. Never leaves this room."""


class Batch:
    """What goes to one destination in one piece."""

    __slots__ = ("size", "spans", "traces", "tries")

    def __init__(self, traces: list[TraceWrite] | None = None, spans: list[Span] | None = None) -> None:
        self.traces = traces if traces is not None else []
        self.spans = spans if spans is not None else []
        self.size = 0
        """About how many bytes of memory it takes, where that was found out."""
        self.tries = 0

    def __len__(self) -> int:
        return len(self.traces) + len(self.spans)

    def copy(self) -> Batch:
        """The same, for one more destination."""
        batch = Batch([*self.traces], [*self.spans])
        batch.size = self.size
        return batch

    @property
    def ended(self) -> int:
        """How many spans in it have ended: those are counted."""
        return sum(span.end_time_ns is not None for span in self.spans)

    def split(self) -> list[Batch]:
        """One batch a trace, for finding out which of them a destination refuses."""
        parts: dict[str, Batch] = {}
        for trace in self.traces:
            parts.setdefault(trace.trace_id, Batch()).traces.append(trace)
        for span in self.spans:
            parts.setdefault(span.trace_id, Batch()).spans.append(span)
        return list(parts.values())

    def encode(self) -> bytes:
        """The batch as a record."""
        document = {"traces": [_trace_out(trace) for trace in self.traces], "spans": [_span_out(s) for s in self.spans]}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    @classmethod
    def decode(cls, record: bytes) -> Batch:
        """The batch that a record was made from."""
        document = json.loads(record.decode("utf-8", "surrogatepass"))
        return cls([_trace_in(found) for found in document["traces"]], [_span_in(found) for found in document["spans"]])


def _trace_out(trace: TraceWrite) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(trace, name) for name in TraceWrite.__slots__ if name != "assessments"}
    found["state"] = trace.state.value
    if trace.assessments:
        from otflow.wire.assessments import assessment_to_json

        found["assessments"] = [assessment_to_json(assessment) for assessment in trace.assessments]
    return found


def _trace_in(found: dict[str, Any]) -> TraceWrite:
    found["state"] = TraceState(found["state"])
    if "assessments" in found:
        from otflow.wire.assessments import assessment_from_json

        found["assessments"] = [assessment_from_json(assessment) for assessment in found["assessments"]]
    return TraceWrite(**found)


def _span_out(span: Span) -> list[Any]:
    return [
        span.trace_id, span.otel_trace_id, span.span_id, span.parent_id, span.name,
        span.start_time_ns, span.end_time_ns, span.status_code, span.content(),
    ]  # fmt: skip


def _span_in(found: list[Any]) -> Span:
    trace_id, otel_trace_id, span_id, parent_id, name, start_ns, end_ns, status_code, content = found
    return Span.of(
        trace_id=trace_id,
        otel_trace_id=otel_trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        start_ns=start_ns,
        end_ns=end_ns,
        status_code=status_code,
        content=content,
    )


class _Segment:
    """One file, open and locked."""

    __slots__ = ("counts", "fd", "own", "path", "read", "written")

    def __init__(self, path: str, fd: int, own: bool) -> None:
        self.path = path
        self.fd = fd
        self.own = own
        """Whether this process made it, and counts what is in it."""
        self.read = 0
        self.written = os.fstat(fd).st_size
        self.counts: deque[int] = deque()
        """How many ended spans the records have that are not delivered; of own segments."""


class Spool:
    """The batches that wait on disk for one destination. Safe to use from several threads.

    Args:
        directory: Where the spools of all destinations are.
        name: The destination.
        limit: How many bytes all its segments may have together.
    """

    def __init__(self, directory: str, name: str, limit: int) -> None:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self.directory = os.path.join(directory, digest)
        self._limit = limit
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._others_bytes = 0

    @property
    def empty(self) -> bool:
        """Whether nothing waits that this process holds."""
        return not self._segments

    def adopt(self) -> None:
        """Take over the segments of processes that have died. Raises OSError."""
        if fcntl is None or not os.path.isdir(self.directory):
            return
        with self._lock:
            known = {segment.path for segment in self._segments}
            found: list[_Segment] = []
            others = 0
            for entry in sorted(os.listdir(self.directory)):
                path = os.path.join(self.directory, entry)
                if not entry.endswith(_ENDING) or path in known:
                    continue
                try:
                    fd = os.open(path, os.O_RDWR | os.O_APPEND)
                except FileNotFoundError:
                    continue
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    there = os.path.exists(path)  # else its owner has finished it meanwhile
                except OSError:
                    there = False
                    others += os.fstat(fd).st_size
                if there:
                    found.append(_Segment(path, fd, own=False))
                else:
                    os.close(fd)
            self._others_bytes = others
            self._segments[:0] = found

    def append(self, batch: Batch) -> None:
        """Add a batch behind all others.

        Raises:
            SpoolFullError: it would pass the limit.
            OSError: the disk is full, say. Nothing is added then.
        """
        record = batch.encode()
        frame = _FRAME.pack(_MARK, len(record), zlib.crc32(record)) + record
        with self._lock:
            if sum(segment.written for segment in self._segments) + self._others_bytes + len(frame) > self._limit:
                raise SpoolFullError(f"{self._limit} bytes")
            last = self._segments[-1] if self._segments else None
            if last is None or not last.own or last.written + len(frame) > _SEGMENT_BYTES:
                last = self._new()
                self._segments.append(last)
            try:
                done = 0
                while done < len(frame):
                    done += os.write(last.fd, memoryview(frame)[done:])
            except OSError:
                os.ftruncate(last.fd, last.written)
                if last.written == 0:
                    self._drop(last)
                raise
            last.written += len(frame)
            last.counts.append(batch.ended)

    def first(self) -> tuple[Batch, bool] | None:
        """The batch that waits longest, and whether this process counts it; None where none does.

        Raises:
            ValueError: A segment is damaged; it has been set aside. `args[1]` ended spans of this process were in it.
        """
        with self._lock:
            while self._segments:
                segment = self._segments[0]
                record = self._record(segment)
                if record is None:
                    self._drop(segment)
                    continue
                try:
                    return Batch.decode(record), segment.own
                except (ValueError, TypeError, KeyError) as error:  # written by another version, say
                    raise self._set_aside(segment, f"cannot be read: {error}") from error
            return None

    def done(self) -> None:
        """Forget the batch that `first` gave: it is delivered."""
        with self._lock:
            segment = self._segments[0]
            _, length, _ = _FRAME.unpack(_read(segment.fd, segment.read, _FRAME.size))
            segment.read += _FRAME.size + length
            if segment.own:
                segment.counts.popleft()
            if segment.read >= segment.written:
                self._drop(segment)

    def close(self, *, in_child: bool = False) -> None:
        """Leave what waits to the process that comes next; in a forked child: to the parent, whose it is."""
        # Closing a copy of a descriptor leaves the lock with the other holders.
        if in_child:
            self._lock = threading.Lock()
        with self._lock:
            for segment in self._segments:
                os.close(segment.fd)
            self._segments.clear()

    # -- inside, with the lock held --------------------------------------------------------------------

    def _new(self) -> _Segment:
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        number = f"{os.getpid():010d}-{uuid.uuid4().hex[:12]}"
        # In order of time, so that what is taken over is read in the order in which it was written.
        path = os.path.join(self.directory, f"{_next_number():020d}-{number}{_ENDING}")
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_EX)
        return _Segment(path, fd, own=True)

    def _record(self, segment: _Segment) -> bytes | None:
        head = _read(segment.fd, segment.read, _FRAME.size)
        if len(head) < _FRAME.size:
            return None
        mark, length, checksum = _FRAME.unpack(head)
        if mark == _MARK and segment.read + _FRAME.size + length > os.fstat(segment.fd).st_size and not segment.own:
            return None  # what its process was writing when it died
        record = _read(segment.fd, segment.read + _FRAME.size, length) if mark == _MARK else b""
        if mark != _MARK or len(record) != length or zlib.crc32(record) != checksum:
            raise self._set_aside(segment, "has a wrong checksum")
        return record

    def _set_aside(self, segment: _Segment, why: str) -> ValueError:
        self._segments.remove(segment)
        os.replace(segment.path, segment.path.removesuffix(_ENDING) + _DAMAGED)
        os.close(segment.fd)
        return ValueError(f"{segment.path} {why}, at byte {segment.read}", sum(segment.counts))

    def _drop(self, segment: _Segment) -> None:
        self._segments.remove(segment)
        try:
            os.unlink(segment.path)
        finally:
            os.close(segment.fd)


def _next_number() -> int:
    from otflow import clock

    return clock.now_ns()


def _read(fd: int, offset: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length > 0:
        piece = os.pread(fd, length, offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)
