"""Traces as Parquet (extra `parquet`): a row a span, in row groups that are written as soon as they are full.

What one would group and filter by has columns of its own, those of the trace repeated in each row. `span` and, in the
first row of each trace, `trace` hold the whole as JSON text, as in `otflow.wire.portable`; from these two a file
is read back. A trace without spans has one row, whose columns of the span are empty.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import IO, Any, Final, cast

from otflow.entities import Span, TraceInfo
from otflow.entities.values import attribute_json
from otflow.errors import InvalidParameterError, MissingExtraError
from otflow.semconv import CostKey, Metadata, SpanKey, Tag, TokenUsageKey
from otflow.store.aggregates import usage_text
from otflow.store.transfer.exporting import Stored
from otflow.store.transfer.files import TraceWriter
from otflow.store.transfer.importing import Piece
from otflow.wire import portable

__all__ = ["COLUMNS", "ParquetTraces", "read_parquet"]

COLUMNS: Final = (
    ("trace_id", "text", "id of the trace, `tr-…`"),
    ("experiment", "text", "name of its experiment"),
    ("trace_name", "text", "its name"),
    ("trace_state", "text", "`OK`, `ERROR` or `IN_PROGRESS`"),
    ("trace_time", "time", "when it began, to the millisecond"),
    ("trace_duration_ms", "integer", "how long it took"),
    ("session", "text", "its session"),
    ("user", "text", "its user"),
    ("tags", "map", "its tags"),
    ("metadata", "map", "its metadata"),
    ("span_id", "text", "id of the span, 16 hex digits"),
    ("parent_id", "text", "id of its parent; empty for a root"),
    ("name", "text", "its name"),
    ("type", "text", "its type"),
    ("status", "text", "`UNSET`, `OK` or `ERROR`"),
    ("status_message", "text", "what went wrong"),
    ("start_time", "time", "when it started, to the nanosecond"),
    ("end_time", "time", "when it ended; empty while it is open"),
    ("duration_ns", "integer", "how long it took"),
    ("model", "text", "the language model that was called"),
    ("provider", "text", "who runs it"),
    ("input_tokens", "number", "tokens of the request"),
    ("output_tokens", "number", "tokens of the answer"),
    ("total_tokens", "number", "both"),
    ("cost", "number", "what the call cost, in US dollars"),
    ("inputs", "text", "its inputs, JSON text"),
    ("outputs", "text", "its outputs, JSON text"),
    ("span", "text", "the whole span, JSON text"),
    ("trace", "text", "in the first row of a trace: all else that is known of it, JSON text"),
)
"""Name, kind and meaning of each column."""

_ROWS: Final = 10_000
_BYTES: Final = 32_000_000
_INT64: Final = range(-(2**63), 2**63)


def _pyarrow(what: str) -> tuple[Any, Any]:
    try:
        # It brings no types.
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", what) from None
    return arrow, parquet


class ParquetTraces(TraceWriter):
    """Writes traces as Parquet."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._arrow, parquet = _pyarrow("writing Parquet")
        self._schema = _schema(self._arrow)
        self._writer: Any = parquet.ParquetWriter(_Unclosed(stream), self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def write(self, trace: Stored) -> None:
        own = _of_trace(trace)
        known: dict[str, Any] = {"info": portable.info_dict(trace.info)}
        if trace.experiment is not None:
            known["otflow"] = {"experiment": trace.experiment}
        text: str | None = json.dumps(known, default=str)
        for span in self.counted(trace.spans):
            self._add({**own, **_of_span(span), "trace": text})
            text = None
        if text is not None:
            self._add({**own, "trace": text})
        self.traces += 1

    def _add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._size += sum(len(row.get(key) or "") for key in ("span", "trace", "inputs", "outputs"))
        if len(self._rows) >= _ROWS or self._size >= _BYTES:
            self._flush()

    def _flush(self) -> None:
        rows, self._rows, self._size = self._rows, [], 0
        self._writer.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


class _Unclosed:
    """A stream that pyarrow may not close."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._place = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._stream.write(data)
        self._place += size
        return size

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def _schema(arrow: Any) -> Any:
    kinds = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "time": arrow.timestamp("ns", tz="UTC"),
        "map": arrow.map_(arrow.string(), arrow.string()),
    }
    return arrow.schema([(name, kinds[kind]) for name, kind, _ in COLUMNS])


def _of_trace(trace: Stored) -> dict[str, Any]:
    info: TraceInfo = trace.info
    return {
        "trace_id": info.trace_id,
        "experiment": trace.experiment,
        "trace_name": info.tags.get(Tag.NAME),
        "trace_state": info.state.value,
        "trace_time": _time(info.request_time * 1_000_000),
        "trace_duration_ms": info.execution_duration,
        "session": info.trace_metadata.get(Metadata.SESSION),
        "user": info.trace_metadata.get(Metadata.USER),
        "tags": list(portable.info_dict(info).get("tags", {}).items()),
        "metadata": sorted(info.trace_metadata.items()),
    }


def _of_span(span: Span) -> dict[str, Any]:
    attributes = span.raw_attributes
    usage, cost = _numbers(usage_text(attributes)), _numbers(attributes.get(SpanKey.LLM_COST))
    provider = span.get_attribute(SpanKey.LLM_PROVIDER)
    end = span.end_time_ns
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "type": str(span.span_type),
        "status": span.status_code,
        "status_message": span.status.description,
        "start_time": _time(span.start_time_ns),
        "end_time": None if end is None else _time(end),
        "duration_ns": None if end is None else _time(end - span.start_time_ns),
        "model": span.model_name,
        "provider": provider if isinstance(provider, str) else None,
        "input_tokens": usage.get(TokenUsageKey.INPUT),
        "output_tokens": usage.get(TokenUsageKey.OUTPUT),
        "total_tokens": usage.get(TokenUsageKey.TOTAL),
        "cost": cost.get(CostKey.TOTAL),
        "inputs": attribute_json(attributes[SpanKey.INPUTS]) if SpanKey.INPUTS in attributes else None,
        "outputs": attribute_json(attributes[SpanKey.OUTPUTS]) if SpanKey.OUTPUTS in attributes else None,
        "span": json.dumps(portable.span_dict(span), default=str),
    }


def _time(ns: int) -> int | None:
    """A time that the column can hold; the exact one is in `span`."""
    return ns if ns in _INT64 else None


def _numbers(text: object) -> Mapping[str, float]:
    try:
        found: Any = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    items = cast("dict[str, Any]", found).items()
    return {
        key: float(value) for key, value in items if type(value) is float or (type(value) is int and value in _INT64)
    }


# -- reading -----------------------------------------------------------------------------------------


def read_parquet(stream: IO[bytes], name: str) -> Iterator[Piece]:
    """What a file that was written here holds, some rows at a time.

    Raises:
        InvalidParameterError: It is not a Parquet file, or not one of traces.
    """
    arrow, parquet = _pyarrow("reading Parquet")
    with tempfile.TemporaryFile() as copy:
        # Parquet is read from its end; a pipe has none to go to.
        source: Any = stream
        if not stream.seekable():
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            source = copy
        try:
            file = parquet.ParquetFile(source)
        except (arrow.ArrowInvalid, OSError) as error:
            raise InvalidParameterError(f"{name}: not Parquet: {error}") from None
        missing = {"trace_id", "trace", "span"} - set(file.schema_arrow.names)
        if missing:
            raise InvalidParameterError(
                f"{name}: not Parquet of traces: there is no column {', '.join(sorted(missing))}"
            )
        row = 0
        for batch in file.iter_batches(batch_size=500, columns=["trace_id", "trace", "span"]):
            yield from _pieces(batch.to_pylist(), row, name)
            row += batch.num_rows


def _pieces(rows: list[dict[str, Any]], first: int, name: str) -> Iterator[Piece]:
    piece: Piece | None = None
    last: str | None = None
    for number, row in enumerate(rows, first + 1):
        place = f"{name}, row {number}"
        try:
            if piece is None or row["trace"] is not None or row["trace_id"] != last:
                if piece is not None:
                    yield piece
                info, experiment = (None, None) if row["trace"] is None else portable.info_from_text(row["trace"])
                piece, last = Piece(info, experiment, [], place), row["trace_id"]
            if row["span"] is not None:
                piece.spans.append(portable.read_span(json.loads(row["span"])))
        except (InvalidParameterError, ValueError, LookupError, TypeError) as error:
            raise InvalidParameterError(f"{place}: {error}") from None
    if piece is not None:
        yield piece
