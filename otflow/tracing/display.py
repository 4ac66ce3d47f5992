"""A trace as text for the terminal: the tree of its spans, and what was said about it.

Only entities are read: no clock, no store, no settings. Everything that comes out of a trace is made printable
first, so that a trace's content can neither break the tree nor send control sequences to the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TextIO, cast

from otflow.entities import Assessment, Span, SpanType, Trace
from otflow.errors import InvalidParameterError
from otflow.semconv import CostKey, Metadata, OTel, SpanKey, TokenUsageKey
from otflow.tracing.brief import brief_inputs, brief_value, fit, printable
from otflow.tracing.forest import Forest, failed

__all__ = [
    "CHUNK_PREFIX",
    "cost_text",
    "error_text",
    "format_duration",
    "moment_text",
    "print_trace",
    "render_trace",
    "tokens_text",
]

_DEFAULT_WIDTH: Final = 120
_MIN_WIDTH: Final = 40
_DEFAULT_MAX_SPANS: Final = 100
_INDENT: Final = 3
CHUNK_PREFIX: Final = SpanKey.CHUNK_EVENT.partition("{")[0]
"""How the events of what was streamed are called."""

# SGR parameters of ECMA-48, as every terminal knows them.
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN = "1", "2", "31", "32", "33", "34", "35", "36"
_PLAIN: Final = ""
_TYPE_COLORS: Final[dict[str, str]] = {
    SpanType.AGENT: _MAGENTA,
    SpanType.CHAT_MODEL: _GREEN,
    SpanType.LLM: _GREEN,
    SpanType.RETRIEVER: _BLUE,
    SpanType.RERANKER: _BLUE,
    SpanType.EMBEDDING: _BLUE,
    SpanType.TOOL: _YELLOW,
}
_STATUS_COLORS: Final[dict[str, str]] = {"OK": _GREEN, "ERROR": _RED, "IN_PROGRESS": _YELLOW}


@dataclass(frozen=True)
class _Glyphs:
    """The characters that are not in every encoding."""

    branch: str
    last: str
    bar: str
    ellipsis: str
    micro: str
    dot: str

    def encodable(self, encoding: str) -> bool:
        try:
            "".join((self.branch, self.last, self.bar, self.ellipsis, self.micro, self.dot)).encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True


_UNICODE: Final = _Glyphs("├─ ", "└─ ", "│  ", "…", "µ", "·")
_ASCII: Final = _Glyphs("|- ", "`- ", "|  ", "...", "u", "-")


def print_trace(
    trace: Trace,
    *,
    file: TextIO | None = None,
    color: bool | None = None,
    width: int | None = None,
    show_io: bool = True,
    max_spans: int = _DEFAULT_MAX_SPANS,
) -> None:
    """Write a trace as a tree, drawn with ASCII characters where the stream cannot encode others.

    Args:
        trace: The trace, as `otflow.get_trace` and `otflow.search_traces` return it.
        file: Where to; standard output by default.
        color: Whether to color; by default, if the stream is a terminal.
        width: Columns per line; the terminal's by default, 120 where there is none.
        show_io: Whether to show what went into each span and what came out.
        max_spans: How many spans to show at most; the others are counted.

    Raises:
        InvalidParameterError: `trace` is no trace, `width` is below 40, or `max_spans` is below 1.
    """
    stream = sys.stdout if file is None else file
    # A StringIO has no encoding: it takes any character.
    encoding: str = getattr(stream, "encoding", None) or "utf-8"
    text = render_trace(
        trace,
        color=stream.isatty() if color is None else color,
        width=_terminal_width(stream) if width is None else width,
        show_io=show_io,
        max_spans=max_spans,
        unicode=_UNICODE.encodable(encoding),
    )
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def render_trace(
    trace: Trace,
    *,
    color: bool = False,
    width: int | None = None,
    show_io: bool = True,
    max_spans: int = _DEFAULT_MAX_SPANS,
    unicode: bool = True,
) -> str:
    """A trace as a tree of its spans, without a newline at the end.

    Spans whose parent is not in the trace stand beside the root and say so. Where there are more spans than
    `max_spans`, those that failed and those nearest to the root are shown; the others are counted in their place.

    Args:
        trace: The trace, as `otflow.get_trace` and `otflow.search_traces` return it.
        color: Whether to color, with the escape sequences of terminals.
        width: Columns per line, 120 by default; longer lines are cut.
        show_io: Whether to show what went into each span and what came out.
        max_spans: How many spans to show at most.
        unicode: Whether to draw with box-drawing characters; with ASCII characters otherwise.

    Raises:
        InvalidParameterError: `trace` is no trace, `width` is below 40, or `max_spans` is below 1.
    """
    if not isinstance(trace, Trace):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"trace must be a Trace, as otflow.get_trace returns it, not {trace!r}")
    columns = _DEFAULT_WIDTH if width is None else width
    if columns < _MIN_WIDTH:
        raise InvalidParameterError(f"width must be {_MIN_WIDTH} or more, not {width!r}")
    if max_spans < 1:
        raise InvalidParameterError(f"max_spans must be 1 or more, not {max_spans!r}")
    drawing = _Drawing(trace, _UNICODE if unicode else _ASCII, columns, show_io, max_spans)
    return "\n".join(line.text(columns, drawing.glyphs.ellipsis, color) for line in drawing.lines())


def format_duration(duration_ns: int, *, unicode: bool = True) -> str:
    """A duration in the unit that suits it: `850 µs`, `12.3 ms`, `1.23 s`, `2 min 03 s`, `1 h 02 min`."""
    sign, ns = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if ns < 999_500:
        return f"{sign}{ns / 1e3:.0f} {(_UNICODE if unicode else _ASCII).micro}s"
    if ns < 999_500_000:
        return f"{sign}{ns / 1e6:.3g} ms"
    if ns < 59_950_000_000:
        return f"{sign}{ns / 1e9:.3g} s"
    seconds = round(ns / 1e9)
    if seconds < 3600:
        return f"{sign}{seconds // 60} min {seconds % 60:02} s"
    minutes = round(seconds / 60)
    return f"{sign}{minutes // 60} h {minutes % 60:02} min"


@dataclass(frozen=True)
class _Row:
    """One span, or a number of spans beside each other that are not shown."""

    places: tuple[int, ...]
    shown: bool


# -- the text -----------------------------------------------------------------------------------------


@dataclass
class _Line:
    """A line of pieces, each with its color; every piece is made printable when it is added."""

    pieces: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, text: str, style: str = _PLAIN) -> _Line:
        self.pieces.append((printable(text), style))
        return self

    def text(self, width: int, ellipsis: str, color: bool) -> str:
        fitted = fit(self.pieces, width, ellipsis)
        if not color:
            return "".join(text for text, _ in fitted).rstrip()
        return "".join(f"\x1b[{style}m{text}\x1b[0m" if style else text for text, style in fitted)


class _Drawing:
    """The lines of one trace."""

    def __init__(self, trace: Trace, glyphs: _Glyphs, width: int, show_io: bool, max_spans: int) -> None:
        self.trace = trace
        self.glyphs = glyphs
        self.width = width
        self.show_io = show_io
        self.forest = Forest(trace.data.spans)
        # Half of the line is for the tree, half for what it says.
        self.chosen = self.forest.chosen(max_spans, max_depth=width // 2 // _INDENT)
        self.ids = self.forest.places.keys()
        self.assessments: dict[str | None, list[Assessment]] = {}
        for assessment in trace.info.assessments:
            owner = assessment.span_id if assessment.span_id in self.ids else None
            self.assessments.setdefault(owner, []).append(assessment)

    def lines(self) -> Iterator[_Line]:
        yield from self._head()
        yield from self._tree()

    # -- what is said of the trace as a whole

    def _head(self) -> Iterator[_Line]:
        info = self.trace.info
        state = info.state.value
        first = _Line().add(info.trace_id, _BOLD).add("  ").add(state, _STATUS_COLORS.get(state, _PLAIN))
        if info.execution_duration is not None:
            first.add("  ").add(self._duration(info.execution_duration * 1_000_000))
        yield first.add("  ").add(moment_text(info.request_time), _DIM)

        about = [
            f"{label} {info.trace_metadata[key]}"
            for label, key in (("session", Metadata.SESSION), ("user", Metadata.USER))
            if key in info.trace_metadata
        ]
        about += [fact for fact in (tokens_text(info.token_usage), cost_text(info.cost)) if fact]
        if about:
            yield _Line().add("  ").add(f" {self.glyphs.dot} ".join(about))
        tags = [f"{key}={value}" for key, value in sorted(info.tags.items()) if not key.startswith("mlflow.")]
        if tags:
            yield self._detail("  ", "tags", ", ".join(tags))
        if self.show_io and not self.trace.data.spans:
            yield from self._previews()
        for assessment in self.assessments.get(None, ()):
            yield self._assessment("  ", assessment)

    def _previews(self) -> Iterator[_Line]:
        """What is known of inputs and outputs where the spans were not fetched."""
        for label, preview in (("in", self.trace.info.request_preview), ("out", self.trace.info.response_preview)):
            if preview is not None:
                yield self._detail("  ", label, preview)

    # -- the spans

    def _tree(self) -> Iterator[_Line]:
        # A stack instead of recursion: traces may be nested deeper than Python's calls.
        stack: list[tuple[_Row, str, bool]] = self._rows(self.forest.roots, "")
        while stack:
            row, prefix, is_last = stack.pop()
            joint = prefix + (self.glyphs.last if is_last else self.glyphs.branch)
            below = prefix + (" " * _INDENT if is_last else self.glyphs.bar)
            if not row.shown:
                yield _Line().add(joint, _DIM).add(self._count(row.places), _DIM)
                continue
            place = row.places[0]
            children = self._rows(self.forest.children(place), below)
            yield self._span(joint, place)
            yield from self._details(below + (self.glyphs.bar if children else " " * _INDENT), place)
            stack.extend(children)

    def _rows(self, places: Iterable[int], prefix: str) -> list[tuple[_Row, str, bool]]:
        """The rows for spans beside each other, the last one first; those not shown are gathered where they stand."""
        rows: list[_Row] = []
        hidden: list[int] = []
        for place in places:
            if place not in self.chosen:
                hidden.append(place)
                continue
            if hidden:
                rows.append(_Row(tuple(hidden), shown=False))
                hidden = []
            rows.append(_Row((place,), shown=True))
        if hidden:
            rows.append(_Row(tuple(hidden), shown=False))
        return [(row, prefix, number == 0) for number, row in enumerate(reversed(rows))]

    def _count(self, places: Sequence[int]) -> str:
        number = sum(self.forest.sizes[place] for place in places)
        errors = sum(self.forest.errors[place] for place in places)
        text = f"{self.glyphs.ellipsis} {number:,} {'span' if number == 1 else 'spans'} not shown"
        return f"{text} ({errors:,} ERROR)" if errors else text

    def _span(self, joint: str, place: int) -> _Line:
        span = self.forest.spans[place]
        kind = str(span.span_type)
        line = _Line().add(joint, _DIM).add(span.name, _BOLD)
        line.add("  ").add(kind, _TYPE_COLORS.get(kind, _CYAN)).add("  ")
        if span.end_time_ns is None:
            line.add("in progress", _YELLOW)
        else:
            code = span.status.status_code.value
            line.add(self._duration(span.end_time_ns - span.start_time_ns))
            line.add("  ").add(code, _STATUS_COLORS.get(code, _PLAIN))
        if place in self.forest.orphans:
            why = "is below it" if span.parent_id in self.ids else "is not in the trace"
            line.add(f"  (its parent {span.parent_id} {why})", _YELLOW)
        return line

    def _details(self, indent: str, place: int) -> Iterator[_Line]:
        span = self.forest.spans[place]
        if failed(span):
            yield self._detail(indent, "error", error_text(span), _RED)
        if self.show_io:
            for label, key, brief in (
                ("in", SpanKey.INPUTS, brief_inputs),
                ("out", SpanKey.OUTPUTS, brief_value),
            ):
                value = span.get_attribute(key)
                if value is not None:
                    yield self._detail(indent, label, brief(value, self.width, self.glyphs.ellipsis))
                del value  # it may be long, and the next one too
        model = self._model(span)
        if model:
            yield self._detail(indent, "model", model)
        for assessment in self.assessments.get(span.span_id, ()):
            yield self._assessment(indent, assessment)

    def _model(self, span: Span) -> str:
        usage = tokens_text(span.get_attribute(SpanKey.CHAT_USAGE))
        chunks = sum(event.name.startswith(CHUNK_PREFIX) for event in span.events)
        name, provider = span.get_attribute(SpanKey.LLM_MODEL), span.get_attribute(SpanKey.LLM_PROVIDER)
        facts = [
            f"{name} ({provider})" if name and provider else str(name or ""),
            usage,
            cost_text(span.get_attribute(SpanKey.LLM_COST)),
            f"{chunks:,} {'chunk' if chunks == 1 else 'chunks'}" if chunks else "",
        ]
        return f" {self.glyphs.dot} ".join(fact for fact in facts if fact)

    def _assessment(self, indent: str, assessment: Assessment) -> _Line:
        source = f"{assessment.source.source_type} {assessment.source.source_id}"
        expectation = assessment.expectation is not None
        line = _Line().add(indent, _DIM).add("expectation " if expectation else "feedback ", _DIM)
        line.add(assessment.name, _BOLD).add(" = ")
        if assessment.error is not None:
            line.add(f"{assessment.error.error_code}: {assessment.error.error_message}", _RED)
        else:
            held = assessment.expectation if expectation else assessment.feedback
            value: Any = None if held is None else held.value
            rounded = round(value, 4) if isinstance(value, float) else value
            line.add(brief_value(rounded, self.width, self.glyphs.ellipsis), _CYAN)
        line.add(f"  [{source}]", _DIM)
        if assessment.valid is False:
            line.add(" overridden", _YELLOW)
        if assessment.overrides:
            line.add(" overrides an earlier one", _YELLOW)
        return line.add(f": {assessment.rationale}") if assessment.rationale else line

    def _detail(self, indent: str, label: str, text: str, style: str = _PLAIN) -> _Line:
        return _Line().add(indent, _DIM).add(f"{label:<5} ", _DIM).add(text, style)

    def _duration(self, duration_ns: int) -> str:
        return format_duration(duration_ns, unicode=self.glyphs is _UNICODE)


def error_text(span: Span) -> str:
    """What the status says; else what the last exception event says, as other instrumentation leaves it."""
    if span.status.description:
        return span.status.description.strip().partition("\n")[0]
    for event in reversed(span.events):
        if event.name == OTel.EXCEPTION_EVENT:
            kind, message = (event.attributes.get(key) or "" for key in (OTel.EXCEPTION_TYPE, OTel.EXCEPTION_MESSAGE))
            return f"{kind}: {message}".partition("\n")[0]
    return "no message"


def moment_text(time_ms: int) -> str:
    """A Unix time in milliseconds, as people read it."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=time_ms)
    except OverflowError:
        return f"{time_ms} ms since 1970"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def tokens_text(usage: object) -> str:
    """A token usage, as people read it; empty where it is none."""
    if not isinstance(usage, Mapping):
        return ""
    counts = cast("Mapping[str, Any]", usage)
    parts = [
        f"{counts[key]:,} {label}"
        for key, label in (
            (TokenUsageKey.INPUT, "in"),
            (TokenUsageKey.OUTPUT, "out"),
            (TokenUsageKey.CACHE_READ, "read from cache"),
            (TokenUsageKey.CACHE_CREATION, "written to cache"),
        )
        if isinstance(counts.get(key), int)
    ]
    total = counts.get(TokenUsageKey.TOTAL)
    inner = ", ".join(parts)
    if not isinstance(total, int):
        return f"{inner} tokens" if inner else ""
    return f"{total:,} tokens ({inner})" if inner else f"{total:,} tokens"


def cost_text(cost: object) -> str:
    """A cost in dollars; empty where it is none."""
    total: object = cast("Mapping[str, Any]", cost).get(CostKey.TOTAL) if isinstance(cost, Mapping) else None
    return f"${total:.4g}" if isinstance(total, int | float) else ""


def _terminal_width(stream: TextIO) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):  # no terminal, no file, closed
        return _DEFAULT_WIDTH
    return max(_MIN_WIDTH, columns) if columns else _DEFAULT_WIDTH
