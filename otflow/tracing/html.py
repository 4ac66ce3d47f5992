"""A trace as a piece of HTML: what a notebook shows, without a server, a script or anything from the network.

Everything that comes out of a trace is escaped. What is made is bounded, whatever the trace holds: so many spans, so
many characters of a value, so many altogether; what is left out is counted in its place.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from otflow.entities import Assessment, Span, SpanEvent, SpanType, Trace
from otflow.semconv import Metadata, OTel, SpanKey, Tag
from otflow.tracing.display import cost_text, error_text, format_duration, moment_text, tokens_text
from otflow.tracing.forest import Forest, failed

__all__ = ["trace_html"]

_MAX_SPANS: Final = 100
_MAX_DEPTH: Final = 40
_MAX_VALUE: Final = 4_000
"""Characters of one value."""
_MAX_TOTAL: Final = 400_000
"""Characters of values altogether; afterwards they are left out."""
_MAX_ITEMS: Final = 100
"""Items of one list or dictionary, attributes and events of one span, and assessments."""
_MAX_NESTED: Final = 12

# Colors of a middle brightness, which can be read on light and on dark; everything else is the page's own color.
_STYLE: Final = """
.otflow-trace{font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color1,inherit);
border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:6px 10px;margin:4px 0;max-width:100%;overflow-x:auto}
.otflow-trace summary{cursor:pointer}
.otflow-trace ul{list-style:none;margin:0;padding:0 0 0 16px;border-left:1px solid rgba(128,128,128,.25)}
.otflow-trace>details>ul{padding-left:0;border-left:0}
.otflow-trace pre{font:12px/1.4 var(--jp-code-font-family,ui-monospace,monospace);white-space:pre-wrap;
overflow-wrap:anywhere;background:rgba(128,128,128,.1);color:inherit;border-radius:4px;margin:2px 0 6px;padding:4px 8px}
.otflow-trace dl{margin:2px 0 4px 16px}.otflow-trace dt{opacity:.75}.otflow-trace dd{margin:0}
.otflow-trace .meta{opacity:.75}.otflow-trace .kind{border:1px solid currentColor;border-radius:3px;padding:0 4px;
font-size:11px}
.otflow-trace .bar{display:block;height:3px;background:rgba(128,128,128,.18);margin:1px 0 3px}
.otflow-trace .bar i{display:block;height:3px;min-width:2px;background:#5b7fd6}
.otflow-trace .ok{color:#2e9e5b}.otflow-trace .error{color:#d6505b}.otflow-trace .open{color:#b98514}
.otflow-trace .model{color:#2e9e5b}.otflow-trace .data{color:#4c84d9}.otflow-trace .tool{color:#b98514}
.otflow-trace .agent{color:#a86bd1}
""".strip().replace("\n", "")

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
        for assessment in trace.info.assessments[: _MAX_ITEMS * 10]:
            owner = assessment.span_id if assessment.span_id in ids else None
            self.assessments.setdefault(owner, []).append(assessment)
        self.begin = trace.info.request_time * 1_000_000
        duration = trace.info.execution_duration
        self.length = max(1, (duration or 0) * 1_000_000)
        for root in self.forest.roots[:1]:
            span = self.forest.spans[root]
            self.begin = span.start_time_ns
            if span.end_time_ns is not None:
                self.length = max(1, span.end_time_ns - span.start_time_ns)

    def parts(self) -> Iterator[str]:
        yield f'<div class="otflow-trace"><style>{_STYLE}</style><details open><summary>'
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
            format_duration(info.execution_duration * 1_000_000) if info.execution_duration is not None else "",
            tokens_text(info.token_usage),
            cost_text(info.cost),
            moment_text(info.request_time),
            info.trace_id,
        ]
        yield f'<span class="meta">{_escaped(" · ".join(fact for fact in facts if fact))}</span>'

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
                    yield f"<dl>{self._value(label, preview)}</dl>"
        yield from self._given(None)

    def _given(self, span_id: str | None) -> Iterator[str]:
        given = self.assessments.get(span_id, [])
        for assessment in given[:_MAX_ITEMS]:
            yield f"<div>{self._assessment(assessment)}</div>"
        yield _more(len(given) - _MAX_ITEMS, "assessment")

    def _assessment(self, assessment: Assessment) -> str:
        expectation = assessment.expectation
        held = expectation or assessment.feedback
        if assessment.error is not None:
            said = f"{assessment.error.error_code}: {assessment.error.error_message}"
            value = f'<span class="error">{_escaped(said, 500)}</span>'
        else:
            value = f"<b>{_escaped(_json(None if held is None else held.value, 500), 600)}</b>"
        source = f"{assessment.source.source_type} {assessment.source.source_id}"
        rationale = f": {_escaped(assessment.rationale, 1000)}" if assessment.rationale else ""
        overridden = " (overridden)" if assessment.valid is False else ""
        kind = "feedback" if expectation is None else "expectation"
        return (
            f'<span class="meta">{kind}</span> {_escaped(assessment.name, 200)} = {value}'
            f' <span class="meta">[{_escaped(source, 200)}]{overridden}</span>{rationale}'
        )

    # -- the spans ---------------------------------------------------------------------------------------

    def _tree(self) -> Iterator[str]:
        # A stack instead of recursion; an entry is a span, the number of spans left out, or what closes a list.
        stack: list[int | str] = ["</ul>", *reversed(self._shown(self.forest.roots))]
        yield "<ul>"
        while stack:
            entry = stack.pop()
            if isinstance(entry, str):
                yield entry
                continue
            yield "<li>"
            yield from self._span(entry)
            children = self._shown(self.forest.children(entry))
            if children:
                yield "<ul>"
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
                yield self._value(label, value)
        yield from self._attributes(span)
        yield from self._events(span.events)
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
        for event in events[:_MAX_ITEMS]:
            attributes: dict[str, Any] = dict(event.attributes or {})
            trace_back = attributes.pop(OTel.EXCEPTION_STACKTRACE, None)
            yield f"<dt>{_escaped(event.name, 200)}</dt><dd>"
            if attributes:
                yield f"<pre>{self._text(attributes)}</pre>"
            if trace_back:
                yield f"<pre>{self._text(str(trace_back)[-_MAX_VALUE:])}</pre>"
            yield "</dd>"
        yield _more(len(events) - _MAX_ITEMS, "event")

    # -- values ------------------------------------------------------------------------------------------

    def _value(self, label: str, value: object) -> str:
        messages = _messages(value)
        if not messages:
            return f"<dt>{label}</dt><dd><pre>{self._text(value)}</pre></dd>"
        said = "".join(
            f"<div><b>{_escaped(message['role'], 50)}</b><pre>{self._text(_said(message))}</pre></div>"
            for message in messages[:_MAX_ITEMS]
        )
        return f"<dt>{label}</dt><dd>{said}{_more(len(messages) - _MAX_ITEMS, 'message')}</dd>"

    def _text(self, value: object) -> str:
        if self.left <= 0:
            return "…"
        text = value if isinstance(value, str) else _json(value, _MAX_VALUE)
        text = _cut(text, _MAX_VALUE)
        self.left -= len(text)
        return _escaped(text)


def _messages(value: object) -> list[dict[str, Any]]:
    """The messages of a chat, where a value is one."""
    found: object = value
    if isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        found = held.get("messages") or held.get("input")
        choices: object = held.get("choices")
        if isinstance(choices, list):
            found = [_member(choice, "message") for choice in cast("list[Any]", choices)]
    if not isinstance(found, list):
        return []
    items = cast("list[Any]", found)
    good = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
    return good if len(good) == len(items) and all(isinstance(item.get("role"), str) for item in good) else []


def _member(value: object, key: str) -> object:
    return cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None


def _said(message: Mapping[str, Any]) -> object:
    rest = {key: value for key, value in message.items() if key != "role" and value is not None}
    return rest["content"] if rest.keys() == {"content"} else rest


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


def _more(number: int, what: str) -> str:
    return f'<div class="meta">… {number:,} more {what}{"" if number == 1 else "s"}</div>' if number > 0 else ""


def _escaped(text: object, limit: int | None = None) -> str:
    string = str(text)
    # Lone surrogates cannot be sent to a browser, and control characters say nothing there.
    clean = string if limit is None else _cut(string, limit)
    clean = clean.encode("utf-8", "replace").decode("utf-8")
    return html.escape("".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in clean))
