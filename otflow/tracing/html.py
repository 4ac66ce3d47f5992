"""A trace as a piece of HTML: what a notebook shows, without a server, a script or anything from the network.

Everything that comes out of a trace is escaped. What is made is bounded, whatever the trace holds: so many spans, so
many characters of a value, so many altogether; what is left out is counted in its place.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, cast

from otflow.entities import Assessment, Link, Span, SpanEvent, SpanType, Trace
from otflow.semconv import Metadata, OTel, SpanKey, Tag
from otflow.tracing.conversation import conversation, said
from otflow.tracing.display import CHUNK_PREFIX, cost_text, error_text, format_duration, moment_text, tokens_text
from otflow.tracing.forest import Forest, failed

__all__ = ["trace_html"]

_T = TypeVar("_T")

_MAX_SPANS: Final = 100
_MAX_DEPTH: Final = 40
_MAX_VALUE: Final = 4_000
"""Characters of one value."""
_MAX_TOTAL: Final = 150_000
"""Characters of HTML after which only the tree is drawn. A Jupyter server drops the output of a kernel that sends more
than a megabyte a second (`iopub_data_rate_limit`), and a cell may show ten traces."""
_MAX_STACK: Final = 3_900
"""Characters of a stack trace, of its end."""
_MAX_ITEMS: Final = 100
"""Items of one list or dictionary; attributes, events, links and assessments of one span."""
_MAX_NESTED: Final = 12

# The text is in the page's own color, whatever decides that: Jupyter's theme, VS Code's, the browser's scheme. Other
# colors are of a middle brightness, and mixed with it where the browser can, to be read on light and on dark.
_COLORS: Final = {
    "ok model": "#2e9e5b",
    "error": "#d6505b",
    "open tool": "#b98514",
    "data": "#4c84d9",
    "agent": "#a86bd1",
}
_STYLE: Final = (
    """
.otflow-trace{font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color1,inherit);
border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:6px 10px;margin:4px 0;max-width:100%;overflow-x:auto}
.otflow-trace summary{cursor:pointer}.otflow-trace .id{white-space:nowrap}
.otflow-trace ul{list-style:none;margin:0;padding:0 0 0 16px;border-left:1px solid rgba(128,128,128,.25)}
.otflow-trace>details>ul{padding-left:0;border-left:0}
.otflow-trace pre{font:12px/1.4 var(--jp-code-font-family,ui-monospace,monospace);white-space:pre-wrap;
overflow-wrap:anywhere;background:rgba(128,128,128,.1);color:inherit;border-radius:4px;margin:2px 0 6px;padding:4px 8px}
.otflow-trace dl{margin:2px 0 4px 16px}.otflow-trace dt{opacity:.75}.otflow-trace dd{margin:0}
.otflow-trace .meta{opacity:.75}.otflow-trace .kind{border:1px solid currentColor;border-radius:3px;padding:0 4px;
font-size:11px}
.otflow-trace .bar{display:block;height:3px;background:rgba(128,128,128,.18);margin:1px 0 3px}
.otflow-trace .bar i{display:block;height:3px;min-width:2px;background:#5b7fd6}
""".strip().replace("\n", "")
    + "".join(
        f".otflow-trace .{name}{{color:{color};color:color-mix(in srgb,{color} 60%,currentColor)}}"
        for names, color in _COLORS.items()
        for name in names.split()
    )
)

_KINDS: Final[dict[str, str]] = {
    SpanType.AGENT: "agent",
    SpanType.CHAT_MODEL: "model",
    SpanType.LLM: "model",
    SpanType.RETRIEVER: "data",
    SpanType.RERANKER: "data",
    SpanType.EMBEDDING: "data",
    SpanType.TOOL: "tool",
}
_STATES: Final[dict[str, str]] = {"OK": "ok", "ERROR": "error", "IN_PROGRESS": "open"}
_LIST: Final = '<ul role="list">'
"""A list without bullets, which some browsers otherwise do not announce as one."""
_ALREADY_SAID: Final = frozenset({SpanKey.TRACE_ID, SpanKey.TYPE, SpanKey.INPUTS, SpanKey.OUTPUTS, SpanKey.CHAT_USAGE})


def trace_html(trace: Trace) -> str:
    """A trace as one `<div>`: its facts, the tree of its spans, and what went into each and came out."""
    return "".join(_Page(trace).parts())


class _Page:
    """The pieces of one trace's HTML."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.left = _MAX_TOTAL
        self.forest = Forest(trace.data.spans)
        self.chosen = self.forest.chosen(_MAX_SPANS, _MAX_DEPTH)
        ids = self.forest.places.keys()
        self.assessments: dict[str | None, list[Assessment]] = {}
        for assessment in trace.info.assessments:
            owner = assessment.span_id if assessment.span_id in ids else None
            self.assessments.setdefault(owner, []).append(assessment)
        self.begin = trace.info.request_time * 1_000_000
        duration_ms = trace.info.execution_duration
        self.took = None if duration_ms is None else duration_ms * 1_000_000
        """How long the trace took; from the root, where it is there, which counts nanoseconds."""
        for root in self.forest.roots[:1]:
            span = self.forest.spans[root]
            self.begin = span.start_time_ns
            if span.end_time_ns is not None:
                self.took = span.end_time_ns - span.start_time_ns
        self.length = max(1, self.took or 0)

    def parts(self) -> Iterator[str]:
        for part in self._all():
            self.left -= len(part)
            yield part

    def _all(self) -> Iterator[str]:
        name = _escaped(self.trace.info.tags.get(Tag.NAME) or self.trace.info.trace_id, 200)
        yield f'<div class="otflow-trace" role="group" aria-label="Trace {name}"><style>{_STYLE}</style>'
        yield "<details open><summary>"
        yield from self._head()
        yield "</summary>"
        yield from self._facts()
        yield from self._tree()
        yield "</details></div>"

    # -- the trace as a whole ----------------------------------------------------------------------------

    def _head(self) -> Iterator[str]:
        info = self.trace.info
        state = info.state.value
        yield f"<b>{_escaped(info.tags.get(Tag.NAME) or 'Trace', 200)}</b> "
        yield f'<span class="{_STATES.get(state, "meta")}">{_escaped(state)}</span> '
        facts = [
            format_duration(self.took) if self.took is not None else "",
            tokens_text(info.token_usage),
            cost_text(info.cost),
            moment_text(info.request_time),
        ]
        yield f'<span class="meta">{_escaped(" · ".join(fact for fact in facts if fact))} · '
        yield f'<span class="id">{_escaped(info.trace_id, 100)}</span></span>'

    def _facts(self) -> Iterator[str]:
        info = self.trace.info
        rows = [
            (label, info.trace_metadata[key])
            for label, key in (("session", Metadata.SESSION), ("user", Metadata.USER))
            if key in info.trace_metadata
        ]
        rows += [(key, value) for key, value in sorted(info.tags.items()) if not key.startswith("mlflow.")]
        if rows:
            yield '<div class="meta">'
            yield " · ".join(f"{_escaped(key, 100)}: {_escaped(value, 200)}" for key, value in rows[:_MAX_ITEMS])
            yield f"{_more(len(rows) - _MAX_ITEMS, 'tag')}</div>"
        if not self.trace.data.spans:
            for label, preview in (("inputs", info.request_preview), ("outputs", info.response_preview)):
                if preview is not None:
                    yield "<dl>"
                    yield from self._value(label, preview)
                    yield "</dl>"
        yield from self._given(None)

    def _given(self, span_id: str | None) -> Iterator[str]:
        return self._each(self.assessments.get(span_id, []), "assessment", self._assessment)

    def _assessment(self, assessment: Assessment) -> str:
        expectation = assessment.expectation
        held = expectation or assessment.feedback
        if assessment.error is not None:
            said = f"{assessment.error.error_code}: {assessment.error.error_message}"
            value = f'<span class="error">{_escaped(said, 500)}</span>'
        else:
            value = f"<b>{_escaped(_json(None if held is None else held.value, 500), 600)}</b>"
        source = f"{assessment.source.source_type} {assessment.source.source_id}"
        rationale = f": {_escaped(assessment.rationale, _MAX_VALUE)}" if assessment.rationale else ""
        overridden = " (overridden)" if assessment.valid is False else ""
        kind = "feedback" if expectation is None else "expectation"
        return (
            f'<div><span class="meta">{kind}</span> {_escaped(assessment.name, 200)} = {value}'
            f' <span class="meta">[{_escaped(source, 200)}]{overridden}</span>{rationale}</div>'
        )

    # -- the spans ---------------------------------------------------------------------------------------

    def _tree(self) -> Iterator[str]:
        # A stack instead of recursion; an entry is a span, the number of spans left out, or what closes a list.
        stack: list[int | str] = ["</ul>", *reversed(self._shown(self.forest.roots))]
        yield _LIST
        while stack:
            entry = stack.pop()
            if isinstance(entry, str):
                yield entry
                continue
            yield "<li>"
            yield from self._span(entry)
            children = self._shown(self.forest.children(entry))
            if children:
                yield _LIST
                stack += ["</ul></li>", *reversed(children)]
            else:
                yield "</li>"

    def _shown(self, places: Iterable[int]) -> list[int | str]:
        rows: list[int | str] = []
        hidden = errors = 0
        for place in places:
            if place in self.chosen:
                rows.append(place)
            else:
                hidden += self.forest.sizes[place]
                errors += self.forest.errors[place]
        if hidden:
            failures = f", {errors:,} of them failed" if errors else ""
            rows.append(f'<li class="meta">… {hidden:,} more {"span" if hidden == 1 else "spans"}{failures}</li>')
        return rows

    def _span(self, place: int) -> Iterator[str]:
        span = self.forest.spans[place]
        kind = str(span.span_type)
        took = "in progress"
        if span.end_time_ns is not None:
            took = format_duration(span.end_time_ns - span.start_time_ns)
        state = "open" if span.end_time_ns is None else "error" if failed(span) else "meta"
        model = span.get_attribute(SpanKey.LLM_MODEL)
        facts = [
            str(model) if model else "",
            tokens_text(span.get_attribute(SpanKey.CHAT_USAGE)),
            cost_text(span.get_attribute(SpanKey.LLM_COST)),
        ]
        yield "<details><summary>"
        yield f'<b>{_escaped(span.name, 200)}</b> <span class="kind {_KINDS.get(kind, "meta")}">'
        yield f'{_escaped(kind, 50)}</span> <span class="{state}">{"ERROR " if failed(span) else ""}{took}</span> '
        yield f'<span class="meta">{_escaped(" · ".join(fact for fact in facts if fact), 300)}</span>'
        yield f"{self._bar(span)}</summary><dl>"
        if failed(span):
            yield f'<dt>error</dt><dd><pre class="error">{_escaped(error_text(span), _MAX_VALUE)}</pre></dd>'
        if place in self.forest.orphans:
            yield f"<dt>parent</dt><dd>{_escaped(span.parent_id or '', 50)}, which is not in the trace</dd>"
        for label, key in (("inputs", SpanKey.INPUTS), ("outputs", SpanKey.OUTPUTS)):
            value = span.get_attribute(key)
            if value is not None:
                yield from self._value(label, value)
        yield from self._attributes(span)
        yield from self._events(span.events)
        yield from self._each(span.links, "link", self._link)
        yield "</dl></details>"
        yield from self._given(span.span_id)

    def _bar(self, span: Span) -> str:
        end = span.end_time_ns if span.end_time_ns is not None else self.begin + self.length
        left = min(100.0, max(0.0, (span.start_time_ns - self.begin) / self.length * 100))
        width = min(100.0 - left, max(0.0, (end - span.start_time_ns) / self.length * 100))
        return f'<span class="bar" aria-hidden="true"><i style="margin-left:{left:.2f}%;width:{width:.2f}%"></i></span>'

    def _attributes(self, span: Span) -> Iterator[str]:
        own = {key: value for key, value in span.attributes.items() if key not in _ALREADY_SAID}
        if not own:
            return
        shown = dict(list(own.items())[:_MAX_ITEMS])
        yield f"<dt>attributes</dt><dd><pre>{self._text(shown)}</pre>"
        yield f"{_more(len(own) - _MAX_ITEMS, 'attribute')}</dd>"

    def _events(self, events: list[SpanEvent]) -> Iterator[str]:
        own = [event for event in events if not event.name.startswith(CHUNK_PREFIX)]
        yield from self._each(own, "event", self._event)
        chunks = len(events) - len(own)
        if chunks:
            yield f"<dt>streamed</dt><dd>{chunks:,} {'chunk' if chunks == 1 else 'chunks'}</dd>"

    def _event(self, event: SpanEvent) -> str:
        attributes: dict[str, Any] = dict(event.attributes or {})
        stack = str(attributes.pop(OTel.EXCEPTION_STACKTRACE, None) or "")
        before = len(stack) - _MAX_STACK
        if before > 0:  # its end says most
            stack = f"{before:,} characters before …{stack[before:]}"
        shown = "".join(f"<pre>{self._text(value)}</pre>" for value in (attributes, stack) if value)
        return f"<dt>{_escaped(event.name, 200)}</dt><dd>{shown}</dd>"

    def _link(self, link: Link) -> str:
        about = f"<pre>{self._text(link.attributes)}</pre>" if link.attributes else ""
        return f"<dt>link</dt><dd>{_escaped(f'{link.trace_id} {link.span_id}', 100)}{about}</dd>"

    # -- values ------------------------------------------------------------------------------------------

    def _value(self, label: str, value: object) -> Iterator[str]:
        messages, rest = conversation(value)
        yield f"<dt>{label}</dt><dd>"
        # The newest messages are what a long chat is opened for.
        yield _more(len(messages) - _MAX_ITEMS, "message", "earlier")
        yield from self._each(messages[-_MAX_ITEMS:], "message", self._message)
        if not messages or rest is not None:
            yield f"<pre>{self._text(rest)}</pre>"
        yield "</dd>"

    def _message(self, message: dict[str, Any]) -> str:
        text, beside = said(message)
        shown = "".join(f"<pre>{self._text(one)}</pre>" for one in (text, beside) if one)
        return f"<div><b>{_escaped(message['role'], 50)}</b>{shown}</div>"

    def _text(self, value: object) -> str:
        if self.left <= 0:
            return "… left out, because the page is long"
        return _escaped(value if isinstance(value, str) else _json(value, _MAX_VALUE), _MAX_VALUE)

    def _each(self, items: Sequence[_T], what: str, draw: Callable[[_T], str]) -> Iterator[str]:
        """The items, as many as there is room for; the others are counted."""
        for number, item in enumerate(items):
            if number == _MAX_ITEMS or self.left <= 0:
                yield _more(len(items) - number, what)
                return
            yield draw(item)


def _json(value: object, limit: int) -> str:
    """JSON on many lines, of which not much more is made than will be shown."""
    return json.dumps(_small(value, limit, _MAX_NESTED), ensure_ascii=False, indent=2, default=str)


def _small(value: object, limit: int, depth: int) -> object:
    if isinstance(value, str):
        return _cut(value, limit)
    if isinstance(value, dict | list) and depth <= 0:
        return "…"
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        found = {
            _cut(str(key), 200): _small(item, limit, depth - 1)
            for key, item, _ in zip(members.keys(), members.values(), range(_MAX_ITEMS), strict=False)
        }
        if len(members) > _MAX_ITEMS:
            found["…"] = f"{len(members) - _MAX_ITEMS:,} more"
        return found
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        few = [_small(item, limit, depth - 1) for item in items[:_MAX_ITEMS]]
        return [*few, f"… {len(items) - _MAX_ITEMS:,} more"] if len(items) > _MAX_ITEMS else few
    return value


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… {len(text) - limit:,} characters more"


def _more(number: int, what: str, kind: str = "more") -> str:
    return f'<div class="meta">… {number:,} {kind} {what}{"" if number == 1 else "s"}</div>' if number > 0 else ""


def _escaped(text: object, limit: int | None = None) -> str:
    string = str(text)
    # Lone surrogates cannot be sent to a browser, and control characters say nothing there.
    clean = string if limit is None else _cut(string, limit)
    clean = clean.encode("utf-8", "replace").decode("utf-8")
    return html.escape("".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in clean))
