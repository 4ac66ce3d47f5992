"""The traces that are open in this process: what is known of each beside its spans.

A trace opens with its local root (the first otflow span of a trace id in this process) and closes when
no local root of it is open any more. Spans are not collected here: each goes to the writer as it ends,
because the store assembles in any order. What is kept is small: the record that becomes the `TraceInfo`.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from otflow import config, context
from otflow.entities import TraceState
from otflow.entities.preview import METADATA_LIMIT, preview, request_preview, response_preview
from otflow.entities.values import decode_attribute
from otflow.semconv import Metadata, OTel, SpanKey, Tag
from otflow.store.interface import TraceWrite
from otflow.store.leases import EVER, lease
from otflow.tracing import privacy
from otflow.tracing.environment import process_metadata
from otflow.wire.conventions import additions
from otflow.wire.prompt_links import linked_text

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from otflow.entities import Assessment, LiveSpan

__all__ = ["MOST_KNOWN", "OpenTrace", "OpenTraces", "open_traces"]

MOST_KNOWN: Final = 100_000
"""Ids of spans that a trace remembers, so that what starts late below them is known to be of it."""


class OpenTrace:
    """One trace that is being made in this process.

    Fields are plain and set under the interpreter's lock only; the writer takes a snapshot.
    """

    __slots__ = (
        "__weakref__",
        "assessments",
        "beat_at",
        "changed",
        "client_request_id",
        "duration_ms",
        "ended",
        "evicted",
        "experiment_id",
        "final_state",
        "foreign",
        "inherited",
        "interrupted",
        "known",
        "live",
        "metadata",
        "name",
        "otel_trace_id",
        "parent_span_id",
        "prompts",
        "remote",
        "request_preview",
        "response_preview",
        "root",
        "root_span_id",
        "shown",
        "skipped",
        "start_ns",
        "state",
        "tags",
        "trace_id",
        "uri",
    )

    def __init__(self, otel_trace_id: int, trace_id: str, name: str, uri: str, experiment_id: str | None) -> None:
        self.otel_trace_id = otel_trace_id
        self.trace_id = trace_id
        self.name = name
        self.uri = uri
        self.experiment_id = experiment_id
        self.start_ns = 0
        self.root_span_id = 0
        self.parent_span_id = 0
        """The span above the local root, if it has one: another library's, or another process's."""
        self.remote = False
        """Whether it is part of another process's trace, whose name, state and times are not for this one to say."""
        self.live: dict[int, LiveSpan] = {}
        """Spans of otflow's making that have not ended, by OpenTelemetry span id."""
        self.foreign: set[int] = set()
        """Spans of other instrumentation that have not ended and are to be stored, by OpenTelemetry span id."""
        self.known: set[int] = set()
        """Spans that are stored, ended ones too: what starts below them belongs to the trace."""
        self.skipped: dict[int, int] = {}
        """Spans that are not stored, with the stored one that they are below."""
        self.root: ReadableSpan | None = None
        """The local root, from its end until the writer has taken from it what it needs."""
        self.ended = False
        self.changed = False
        """Whether the writer has something to write of it beside spans."""
        self.assessments: list[Assessment] = []
        """What other instrumentation said of its quality, until the writer has taken it."""
        self.tags: dict[str, str | None] = {}
        self.prompts: dict[tuple[str, str], None] = {}
        """The versions of prompts that were loaded in it, as name and version, in the order of their first use."""
        self.metadata: dict[str, str] = {}
        self.client_request_id: str | None = None
        self.request_preview: str | None = None
        self.response_preview: str | None = None
        self.state: TraceState | None = None
        """Set by the program, whatever the status of the root."""
        self.final_state: TraceState | None = None
        self.duration_ms: int | None = None
        self.shown: set[int] = set()
        """Open spans whose start has been written."""
        self.beat_at = 0.0
        """When the store heard last that its process lives, as `time.monotonic` counts; 0 if never."""
        self.inherited = False
        """Whether the process that this one was forked from is making it."""
        self.interrupted = False
        """Whether the process has ended before the trace, as far as can be told."""
        self.evicted = False

    def to_write(self) -> TraceWrite:
        """What the store is to know of this trace now."""
        self.changed = False
        if self.experiment_id is None:
            self.experiment_id = context.default_experiment_id(self.uri)
        model_id = config.ACTIVE_MODEL_ID.get()
        if model_id is not None:
            self.metadata.setdefault(Metadata.MODEL_ID, model_id)
        root = self.root
        if root is not None:
            if not self.remote:
                self._settle(root)
            self.root = None  # it may hold much, and the trace is remembered for a while
        if self.remote:
            return TraceWrite(
                trace_id=self.trace_id,
                experiment_id=self.experiment_id,
                request_time_ns=self.start_ns,
                tags={**self.tags, **self._links()},
                metadata={**self.metadata},
                client_request_id=self.client_request_id,
                assessments=[self.assessments.pop(0) for _ in range(len(self.assessments))],
            )
        return TraceWrite(
            trace_id=self.trace_id,
            experiment_id=self.experiment_id,
            request_time_ns=self.start_ns,
            state=self.final_state or TraceState.IN_PROGRESS,
            execution_duration_ms=self.duration_ms,
            tags={Tag.NAME: self.name, **self._life(), **self.tags, **self._links()},
            metadata={**process_metadata(), **self.metadata},
            client_request_id=self.client_request_id,
            request_preview=self.request_preview,
            response_preview=self.response_preview,
            assessments=[self.assessments.pop(0) for _ in range(len(self.assessments))],
        )

    def _links(self) -> dict[str, str]:
        """The tag that lists the prompts."""
        return {Tag.LINKED_PROMPTS: linked_text(self.prompts.copy())} if self.prompts else {}

    def _life(self) -> dict[str, str | None]:
        """The tags that say who is making the trace, until it has ended."""
        if self.inherited:
            return {}
        if self.final_state is not None:
            return {Tag.WRITER: None, Tag.INTERRUPTED: None} if self.beat_at else {}
        self.beat_at = time.monotonic()
        if self.interrupted:
            return {Tag.WRITER: None, Tag.INTERRUPTED: "true"}
        return {Tag.WRITER: lease(EVER if self.evicted else 0), Tag.INTERRUPTED: None}

    def _settle(self, root: ReadableSpan) -> None:
        """Take from the ended root span what the trace says of itself."""
        policy = privacy.policy()
        attributes: Any = root.attributes or {}
        if policy is not None:
            attributes = policy.encoded(attributes)  # another library's root, or one written to by another library
        attributes = {**attributes, **additions(attributes, root.events)}
        inputs, outputs = attributes.get(SpanKey.INPUTS, ""), attributes.get(SpanKey.OUTPUTS, "")
        if policy is not None:
            translated = policy.encoded({SpanKey.INPUTS: inputs, SpanKey.OUTPUTS: outputs})
            inputs, outputs = translated.get(SpanKey.INPUTS, ""), translated.get(SpanKey.OUTPUTS, "")
        if isinstance(inputs, str):
            self.metadata[Metadata.INPUTS] = preview(inputs, METADATA_LIMIT)
            self.request_preview = self.request_preview or request_preview(inputs)
        if isinstance(outputs, str):
            self.metadata[Metadata.OUTPUTS] = preview(outputs, METADATA_LIMIT)
            self.response_preview = self.response_preview or response_preview(outputs)
        for key, metadata_key in ((OTel.SESSION_ID, Metadata.SESSION), (OTel.USER_ID, Metadata.USER)):
            if key in attributes:
                said = str(decode_attribute(attributes[key]))
                said = said if policy is None else policy.text(said, "metadata")
                self.metadata.setdefault(metadata_key, said)
        failed = root.status.status_code.name == "ERROR"
        self.final_state = self.state or (TraceState.ERROR if failed else TraceState.OK)
        self.duration_ms = max(0, (root.end_time or 0) - (root.start_time or 0)) // 1_000_000


class OpenTraces:
    """All traces that are open in this process, and the ones that closed lately.

    The ones that closed lately are remembered so that a span which ends after its root (a background task,
    a late callback) still finds where its trace was written.
    """

    RECENT = 1024

    def __init__(self) -> None:
        self._open: dict[int, OpenTrace] = {}
        self._recent: dict[int, OpenTrace] = {}
        self._closed: deque[int] = deque()
        """The ids of the recent ones, in the order in which they closed. (A dict's first key takes long to find.)"""
        self._evicted: weakref.WeakValueDictionary[int, OpenTrace] = weakref.WeakValueDictionary()
        """Open traces that are remembered only by their open spans, and so as long as the program has one of these."""
        self._local = threading.local()
        self._last: str | None = None

    def get(self, otel_trace_id: int) -> OpenTrace | None:
        """The open trace with this OpenTelemetry id."""
        return self._open.get(otel_trace_id) or (self._evicted.get(otel_trace_id) if self._evicted else None)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def any(self) -> bool:
        """Whether a trace is open."""
        return bool(self._open)

    def by_id(self, trace_id: str) -> OpenTrace | None:
        """The open trace with this id, `tr-…`."""
        try:
            return self.get(int(trace_id.removeprefix("tr-"), 16))
        except ValueError:
            return None

    def of_span(self, otel_trace_id: int) -> OpenTrace | None:
        """The trace that a span belongs to: an open one, or one that closed lately."""
        found = self._open.get(otel_trace_id) or self._recent.get(otel_trace_id)
        if found is None and self._evicted:
            found = self._evicted.get(otel_trace_id)
        return found

    def add(self, trace: OpenTrace) -> OpenTrace:
        """Open a trace; where another thread was quicker, the one that is open already."""
        return self._open.setdefault(trace.otel_trace_id, trace)

    def close(self, trace: OpenTrace) -> None:
        """Close a trace whose last local root has ended."""
        self._recent[trace.otel_trace_id] = trace
        self._closed.append(trace.otel_trace_id)
        self._open.pop(trace.otel_trace_id, None)
        if len(self._closed) > self.RECENT:
            gone = self._recent.pop(self._closed.popleft(), None)
            if gone is not None and (gone.live or gone.foreign):
                self._remember(gone, gone.live.values())
        self._last = trace.trace_id
        self._local.last = trace.trace_id

    def closed_last(self) -> int | None:
        """The OpenTelemetry id of the trace that closed last."""
        return self._closed[-1] if self._closed else None

    def closed_since(self, otel_trace_id: int | None) -> list[OpenTrace]:
        """The traces that closed after the one with this id, in order, as far as they are remembered."""
        found: dict[int, OpenTrace] = {}
        for one in reversed(list(self._closed)):
            if one == otel_trace_id:
                break
            trace = self._recent.get(one)
            if trace is not None:
                found.setdefault(one, trace)
        return list(reversed(found.values()))

    def evict(self, limit: int) -> list[tuple[OpenTrace, list[LiveSpan]]]:
        """Forget the oldest open traces and spans until `limit` of each are left; what was forgotten.

        A span that ends later all the same finds its trace again: the program holds the span, and from now on the span
        its trace.
        """
        found: list[tuple[OpenTrace, list[LiveSpan]]] = []
        traces = self.all()
        live = sum(len(trace.live) for trace in traces)
        left = len(traces)
        for trace in traces:
            if left <= limit and live <= limit:
                break
            spans: list[LiveSpan] = []
            for span_id, span in list(trace.live.items()):
                if left <= limit and live <= limit:
                    break
                trace.foreign.add(span_id)  # so that its end is taken
                trace.live.pop(span_id, None)
                trace.shown.discard(span_id)
                spans.append(span)
                live -= 1
            self._remember(trace, spans)
            if not trace.live:
                trace.evicted = True
                self._open.pop(trace.otel_trace_id, None)
                left -= 1
            found.append((trace, spans))
        return found

    def _remember(self, trace: OpenTrace, spans: Iterable[LiveSpan]) -> None:
        """From now on the program holds the open spans, and they their trace."""
        for span in spans:
            held: Any = span.otel_span
            held._otflow_trace = trace
        self._evicted[trace.otel_trace_id] = trace

    def last_trace_id(self, thread_local: bool) -> str | None:
        """The trace that closed last, in this process or in this thread."""
        return getattr(self._local, "last", None) if thread_local else self._last

    def all(self) -> list[OpenTrace]:
        """The open traces, oldest first."""
        return list(self._open.values())

    def reset(self) -> None:
        """Forget all traces."""
        self.__init__()


open_traces = OpenTraces()
"""The traces that are open in this process."""
