"""`otflow traces search` and `otflow traces get`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import IO, Any, Final

from otflow.cli.output import open_output, terminal_width, wants_color
from otflow.cli.places import experiment_ids, opened, store_uri
from otflow.cli.rows import TraceTable
from otflow.entities import Trace, TraceData, TraceInfo
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.interface import Store
from otflow.store.transfer.exporting import Stored, stored_infos, stored_traces
from otflow.store.transfer.files import open_writer
from otflow.tracing.display import render_trace
from otflow.wire import portable

__all__ = ["get", "search"]


def search(arguments: Any) -> int:
    """List the traces that match."""
    to_terminal = arguments.output == "-" and sys.stdout.isatty()
    kind = arguments.format or ("table" if to_terminal else "jsonl")
    with opened(store_uri(arguments.store)) as store:
        wanted: dict[str, Any] = {
            "filter_string": arguments.filter,
            "order_by": arguments.order_by,
            "limit": arguments.limit,
        }
        where = experiment_ids(store, arguments.experiment)
        with open_output(arguments.output) as out:
            if kind == "tree":
                for number, stored in enumerate(stored_traces(store, where, **wanted)):
                    _put(out, ("\n" if number else "") + _tree(_whole(stored), to_terminal) + "\n")
                return 0
            pages = stored_infos(store, where, **wanted)
            lines = _table(pages, to_terminal) if kind == "table" else _json(pages, as_list=kind == "json")
            for line in lines:
                _put(out, line)
    return 0


def _put(out: IO[bytes], text: str) -> None:
    encoding: str = getattr(sys.stdout, "encoding", None) or "utf-8"
    out.write(text.encode(encoding if out is sys.stdout.buffer else "utf-8", "backslashreplace"))


def _whole(stored: Stored) -> Trace:
    return Trace(stored.info, TraceData(list(stored.spans)))


def _tree(trace: Trace, to_terminal: bool) -> str:
    return render_trace(trace, color=to_terminal and wants_color(), width=terminal_width())


def _table(pages: Iterator[list[TraceInfo]], to_terminal: bool) -> Iterator[str]:
    table = TraceTable(terminal_width(), to_terminal and wants_color())
    for number, page in enumerate(pages):
        if number == 0:
            table.measure(page)
            yield table.head() + "\n"
        for info in page:
            yield table.line(info) + "\n"


def _json(pages: Iterator[list[TraceInfo]], *, as_list: bool) -> Iterator[str]:
    """The infos as JSON objects, a line each, or as one JSON list."""
    between = "[\n" if as_list else ""
    for page in pages:
        for info in page:
            text = json.dumps(portable.info_dict(info), default=str)
            yield f"{between}{text}" if as_list else f"{text}\n"
            between = ",\n" if as_list else ""
    if as_list:
        yield "[]\n" if between == "[\n" else "\n]\n"


def get(arguments: Any) -> int:
    """Show traces, whole."""
    to_terminal = arguments.output == "-" and sys.stdout.isatty()
    kind = arguments.format or ("tree" if to_terminal else "json")
    if kind == "otlp" and to_terminal:
        raise InvalidParameterError("otlp is binary: write it to a file with --output, or take otlp-json")
    with opened(store_uri(arguments.store)) as store:
        traces = [_found(store, trace_id) for trace_id in arguments.trace_id]
        with open_output(arguments.output) as out:
            if kind in ("tree", "json"):
                for number, trace in enumerate(traces):
                    if kind == "json":
                        for piece in _pretty(trace):
                            _put(out, piece)
                    else:
                        _put(out, ("\n" if number else "") + _tree(trace, to_terminal) + "\n")
                return 0
            writer = open_writer(kind, out)
            for trace in traces:
                writer.write(Stored(trace.info, None, trace.data.spans))
            writer.close()
    return 0


def _pretty(trace: Trace) -> Iterator[str]:
    """What `Trace.to_json(pretty=True)` gives, a span at a time."""
    head, tail = Trace(trace.info, TraceData([])).to_json(pretty=True).rsplit("[]", 1)
    yield f"{head}["
    between = "\n"
    for span in trace.data.spans:
        text = json.dumps(span.to_dict(), indent=2, default=str).replace("\n", "\n" + _DEEP)
        yield f"{between}{_DEEP}{text}"
        between = ",\n"
    yield f"\n    ]{tail}\n" if between == ",\n" else f"]{tail}\n"


_DEEP: Final = 6 * " "


def _found(store: Store, trace_id: str) -> Trace:
    name = trace_id if trace_id.startswith("tr-") else f"tr-{trace_id}"
    try:
        return store.get_trace(name.lower())
    except NotFoundError:
        raise NotFoundError(f"there is no trace {trace_id!r} in {store.uri}") from None
