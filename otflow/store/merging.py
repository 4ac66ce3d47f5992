"""How what is said of one trace, in several writes and by its spans, becomes one record.

The record is the same whatever the order in which writes and spans come, and however often they are repeated,
as far as the writes do not contradict each other:

- `request_time`: the earliest that a write named; without a write the root span's start, without a root span
  the earliest start of any span.
- `state`: finished where a write says so (ERROR wins over OK); else that of the root span, once it has ended; until
  then ERROR while the tag `otflow.interrupted` is there.
- duration and previews: what a finished write says, else what an unfinished one says, else what the root span says.
- tags and metadata: key by key, the later write wins; but once a finished write has come,
  an unfinished one only adds.
- the prompts that the tag `mlflow.linkedPrompts` lists: those of all writes.
- the name: the tag `mlflow.traceName`, else the root span's name.
- the experiment: that of the first write; until one comes, that of the first `write_spans`.
- session and user: what a write's metadata say, else what a span says: the root, or of others that started first.

The root span is the one without parent; of several the one that started first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otflow.entities import Span, TraceState
from otflow.entities.preview import request_preview, response_preview
from otflow.entities.values import decode_attribute
from otflow.semconv import Metadata, OTel, SpanKey, Tag
from otflow.store.interface import TraceWrite
from otflow.wire.prompt_links import linked_prompts, linked_text

__all__ = ["SYNTHESIZED_TAGS", "Record", "Root"]

SYNTHESIZED_TAGS: Final = (Tag.ARTIFACT_LOCATION, Tag.SPANS_LOCATION)
"""Tags that the store makes up on reading: what is written under these keys is not kept."""

_IDENTITIES: Final = ((OTel.SESSION_ID, Metadata.SESSION), (OTel.USER_ID, Metadata.USER))
"""Attributes of spans that become metadata of their trace."""

_NOTHING, _UNFINISHED, _FINISHED = 0, 1, 2


@dataclass(slots=True)
class Root:
    """What a trace takes from its root span."""

    start_ns: int
    span_id: str
    end_ns: int | None
    failed: bool
    name: str | None
    request_preview: str | None
    response_preview: str | None

    @classmethod
    def of(cls, span: Span) -> Root:
        """What a span says, if it is the root."""
        inputs, outputs = span.raw_attributes.get(SpanKey.INPUTS), span.raw_attributes.get(SpanKey.OUTPUTS)
        return cls(
            span.start_time_ns,
            span.span_id,
            span.end_time_ns,
            span.status_code == "ERROR",
            span.name,
            request_preview(inputs) if isinstance(inputs, str) else None,
            response_preview(outputs) if isinstance(outputs, str) else None,
        )


@dataclass(slots=True)
class _Said:
    """What the writes of one kind, finished or unfinished, said."""

    duration_ms: int | None = None
    request_preview: str | None = None
    response_preview: str | None = None

    def hear(self, write: TraceWrite) -> None:
        if write.execution_duration_ms is not None:
            self.duration_ms = max(write.execution_duration_ms, self.duration_ms or 0)
        if write.request_preview is not None:
            self.request_preview = write.request_preview
        if write.response_preview is not None:
            self.response_preview = write.response_preview

    @property
    def complete(self) -> bool:
        return None not in (self.duration_ms, self.request_preview, self.response_preview)


@dataclass(slots=True)
class Record:
    """One trace as a store keeps it, without its spans."""

    trace_id: str
    experiment_id: int
    tags: dict[str, str] = field(default_factory=dict[str, str])
    """Without the name and the synthesized ones."""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    client_request_id: str | None = None
    told: int = _NOTHING
    """The most that a write has said of the state."""
    failed: bool = False
    """Whether a finished write said ERROR."""
    told_name: str | None = None
    request_time_ns: int | None = None
    first_ns: int | None = None
    unfinished: _Said = field(default_factory=_Said)
    finished: _Said = field(default_factory=_Said)
    root: Root | None = None
    said_by: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """The place of the span that a metadata value is from: whether it has a parent, its start, its id."""

    # -- taking in -------------------------------------------------------------------------------

    def hear(self, write: TraceWrite, experiment_id: int) -> None:
        """Take in what a write says."""
        if self.told == _NOTHING:
            self.experiment_id = experiment_id
            self.request_time_ns = write.request_time_ns
        elif self.request_time_ns is None or write.request_time_ns < self.request_time_ns:
            self.request_time_ns = write.request_time_ns
        finished = write.state in (TraceState.OK, TraceState.ERROR)
        adds_only = self.told == _FINISHED and not finished
        if finished:
            self.told = _FINISHED
            self.failed = self.failed or write.state is TraceState.ERROR
            self.finished.hear(write)
        else:
            self.told = max(self.told, _UNFINISHED)
            self.unfinished.hear(write)
        if write.client_request_id is not None and not (adds_only and self.client_request_id is not None):
            self.client_request_id = write.client_request_id
        for key, value in write.tags.items():
            self._set_tag(key, value, adds_only)
        for key in self.said_by.keys() & write.metadata.keys():
            del self.said_by[key], self.metadata[key]  # a write has the last word
        self.metadata = {**write.metadata, **self.metadata} if adds_only else {**self.metadata, **write.metadata}

    def _set_tag(self, key: str, value: str | None, adds_only: bool) -> None:
        if key in SYNTHESIZED_TAGS:
            return
        if key == Tag.NAME:
            # A trace always has a name: to delete it is to say nothing.
            if value is not None and not (adds_only and self.told_name is not None):
                self.told_name = value
        elif key == Tag.LINKED_PROMPTS and value is not None and (linked := linked_prompts(value)):
            self.tags[key] = linked_text([*linked_prompts(self.tags.get(key)), *linked])
        elif adds_only:
            if value is not None:
                self.tags.setdefault(key, value)
        elif value is None:
            self.tags.pop(key, None)
        else:
            self.tags[key] = value

    def see(self, span: Span) -> None:
        """Take in what a span says."""
        for attribute, key in _IDENTITIES:
            if attribute in span.raw_attributes:
                self._identify(key, span, span.raw_attributes[attribute])
        if self.complete:
            return
        if self.told == _NOTHING and (self.first_ns is None or span.start_time_ns < self.first_ns):
            self.first_ns = span.start_time_ns
        if span.parent_id is None:
            root = self.root
            if (
                root is None
                or (span.start_time_ns, span.span_id) < (root.start_ns, root.span_id)
                or (span.span_id == root.span_id and (span.end_time_ns is not None or root.end_ns is None))
            ):
                self.root = Root.of(span)

    def _identify(self, key: str, span: Span, value: object) -> None:
        known, place = self.said_by.get(key), [span.parent_id is not None, span.start_time_ns, span.span_id]
        if key in self.metadata if known is None else place > known:
            return
        self.said_by[key] = place
        self.metadata[key] = str(decode_attribute(value))

    # -- giving out ------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether the writes have said all that a span could say."""
        return self.told == _FINISHED and self.told_name is not None and self.finished.complete

    @property
    def time_ns(self) -> int:
        """When the trace began: its `request_time`, which shows as milliseconds, and its place among the others."""
        if self.request_time_ns is not None:
            return self.request_time_ns
        if self.root is not None:
            return self.root.start_ns
        return self.first_ns or 0

    @property
    def state(self) -> str:
        """The trace's state."""
        if self.told == _FINISHED:
            return "ERROR" if self.failed else "OK"
        if self.root is not None and self.root.end_ns is not None:
            return "ERROR" if self.root.failed else "OK"
        return "ERROR" if Tag.INTERRUPTED in self.tags else "IN_PROGRESS"

    @property
    def duration_ms(self) -> int | None:
        """The trace's duration, once it is known."""
        for said in (self.finished, self.unfinished):
            if said.duration_ms is not None:
                return said.duration_ms
        if self.root is not None and self.root.end_ns is not None:
            return max(0, self.root.end_ns - self.root.start_ns) // 1_000_000
        return None

    @property
    def name(self) -> str | None:
        """The trace's name."""
        return self.told_name if self.told_name is not None or self.root is None else self.root.name

    @property
    def request_preview(self) -> str | None:
        """The preview of the request."""
        for said in (self.finished, self.unfinished):
            if said.request_preview is not None:
                return said.request_preview
        return self.root.request_preview if self.root is not None else None

    @property
    def response_preview(self) -> str | None:
        """The preview of the response."""
        for said in (self.finished, self.unfinished):
            if said.response_preview is not None:
                return said.response_preview
        return self.root.response_preview if self.root is not None else None

    # -- keeping -----------------------------------------------------------------------------------

    def merging(self) -> str | None:
        """What cannot be told from the other columns and a later write needs, as JSON text."""
        if self.complete and not self.said_by:
            return None
        root = self.root
        kept: dict[str, Any] = {
            "told": self.told,
            "failed": self.failed,
            "name": self.told_name,
            "time": self.request_time_ns,
            "first": self.first_ns,
            "unfinished": _fields(self.unfinished, _Said),
            "finished": _fields(self.finished, _Said),
            "root": None if root is None else _fields(root, Root),
        }
        if self.said_by:
            kept["said_by"] = self.said_by
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    def recall(self, merging: str | None, columns: Mapping[str, Any]) -> None:
        """Restore what `merging` gave out; `columns` are the trace's own columns, for a complete record."""
        if merging is None:
            self.told = _FINISHED
            self.failed = columns["state"] == "ERROR"
            self.told_name = columns["name"]
            self.request_time_ns = columns["time_ns"]
            self.finished = _Said(columns["duration_ms"], columns["request_preview"], columns["response_preview"])
            return
        kept = json.loads(merging)
        self.told, self.failed, self.told_name = kept["told"], kept["failed"], kept["name"]
        self.request_time_ns, self.first_ns = kept["time"], kept["first"]
        self.unfinished, self.finished = _Said(*kept["unfinished"]), _Said(*kept["finished"])
        self.root = None if kept["root"] is None else Root(*kept["root"])
        self.said_by = kept.get("said_by", {})


def _fields(value: object, kind: type[Any]) -> list[Any]:
    return [getattr(value, name) for name in kind.__slots__]
