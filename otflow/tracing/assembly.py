"""The traces that are open in this process: what is known of each beside its spans.

A trace opens with its local root (the first otflow span of a trace id in this process) and closes when
no local root of it is open any more. Spans are not collected here: each goes to the writer as it ends,
because the store assembles in any order. What is kept is small: the record that becomes the `TraceInfo`.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from otflow import config, context
from otflow.entities import TraceState
from otflow.entities.preview import METADATA_LIMIT, preview, request_preview, response_preview
from otflow.entities.values import decode_attribute
from otflow.semconv import Metadata, OTel, SpanKey, Tag
from otflow.store.interface import TraceWrite
from otflow.tracing.environment import process_metadata

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from otflow.entities import LiveSpan

__all__ = ["OpenTrace", "OpenTraces", "open_traces"]


class OpenTrace:
    """One trace that is being made in this process.

    Fields are plain and set under the interpreter's lock only; the writer takes a snapshot.
    """

    __slots__ = (
        "changed",
        "client_request_id",
        "duration_ms",
        "ended",
        "experiment_id",
        "final_state",
        "foreign",
        "known",
        "live",
        "metadata",
        "name",
        "otel_trace_id",
        "parent_span_id",
        "request_preview",
        "response_preview",
        "root",
        "root_span_id",
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
        self.tags: dict[str, str | None] = {}
        self.metadata: dict[str, str] = {}
        self.client_request_id: str | None = None
        self.request_preview: str | None = None
        self.response_preview: str | None = None
        self.state: TraceState | None = None
        """Set by the program, whatever the status of the root."""
        self.final_state: TraceState | None = None
        self.duration_ms: int | None = None

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
            self._settle(root)
            self.root = None  # it may hold much, and the trace is remembered for a while
        return TraceWrite(
            trace_id=self.trace_id,
            experiment_id=self.experiment_id,
            request_time_ns=self.start_ns,
            state=self.final_state or TraceState.IN_PROGRESS,
            execution_duration_ms=self.duration_ms,
            tags={Tag.NAME: self.name, **self.tags},
            metadata={**process_metadata(), **self.metadata},
            client_request_id=self.client_request_id,
            request_preview=self.request_preview,
            response_preview=self.response_preview,
        )

    def _settle(self, root: ReadableSpan) -> None:
        """Take from the ended root span what the trace says of itself."""
        attributes: Any = root.attributes or {}
        inputs, outputs = attributes.get(SpanKey.INPUTS, ""), attributes.get(SpanKey.OUTPUTS, "")
        if isinstance(inputs, str):
            self.metadata[Metadata.INPUTS] = preview(inputs, METADATA_LIMIT)
            self.request_preview = self.request_preview or request_preview(inputs)
        if isinstance(outputs, str):
            self.metadata[Metadata.OUTPUTS] = preview(outputs, METADATA_LIMIT)
            self.response_preview = self.response_preview or response_preview(outputs)
        for key, metadata_key in ((OTel.SESSION_ID, Metadata.SESSION), (OTel.USER_ID, Metadata.USER)):
            if key in attributes:
                self.metadata.setdefault(metadata_key, str(decode_attribute(attributes[key])))
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
        self._local = threading.local()
        self._last: str | None = None

    def get(self, otel_trace_id: int) -> OpenTrace | None:
        """The open trace with this OpenTelemetry id."""
        return self._open.get(otel_trace_id)

    def by_id(self, trace_id: str) -> OpenTrace | None:
        """The open trace with this id, `tr-…`."""
        try:
            return self._open.get(int(trace_id.removeprefix("tr-"), 16))
        except ValueError:
            return None

    def of_span(self, otel_trace_id: int) -> OpenTrace | None:
        """The trace that a span belongs to: an open one, or one that closed lately."""
        return self._open.get(otel_trace_id) or self._recent.get(otel_trace_id)

    def add(self, trace: OpenTrace) -> OpenTrace:
        """Open a trace; where another thread was quicker, the one that is open already."""
        return self._open.setdefault(trace.otel_trace_id, trace)

    def close(self, trace: OpenTrace) -> None:
        """Close a trace whose last local root has ended."""
        self._recent[trace.otel_trace_id] = trace
        self._closed.append(trace.otel_trace_id)
        self._open.pop(trace.otel_trace_id, None)
        if len(self._closed) > self.RECENT:
            self._recent.pop(self._closed.popleft(), None)
        self._last = trace.trace_id
        self._local.last = trace.trace_id

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
