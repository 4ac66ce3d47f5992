"""Traces and spans."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from otflow.client.connected import Connected
from otflow.entities import (
    Attachment,
    LiveSpan,
    Page,
    Span,
    SpanStatus,
    SpanStatusCode,
    SpanType,
    Trace,
)
from otflow.entities.attachment import reference_facts
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.attachments import inline_span
from otflow.tracing.annotations import kept_tag
from otflow.tracing.assembly import open_traces
from otflow.tracing.renamed import formerly
from otflow.tracing.search import check_run, experiments_to_search, scoped_filter, show
from otflow.tracing.spans import start_detached

__all__ = ["TraceClient"]

_logger = logging.getLogger("otflow")


class TraceClient(Connected):
    """Traces and spans."""

    def start_trace(
        self,
        name: str,
        span_type: str = SpanType.UNKNOWN,
        inputs: Any | None = None,
        attributes: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
        experiment_id: str | None = None,
        start_time_ns: int | None = None,
    ) -> Span:
        """Start a trace and its root span, to be ended by `end_trace`; see `otflow.start_span_no_context`."""
        return start_detached(
            name,
            span_type,
            None,
            inputs=inputs,
            attributes=attributes,
            tags=tags,
            experiment_id=experiment_id,
            start_time_ns=start_time_ns,
            uri=self.place,
        )

    def end_trace(
        self,
        trace_id: str,
        outputs: Any | None = None,
        attributes: dict[str, Any] | None = None,
        status: SpanStatus | str = SpanStatusCode.OK,
        end_time_ns: int | None = None,
    ) -> None:
        """End a trace that `start_trace` started, by ending its root span.

        Raises:
            NotFoundError: no such trace is active in this process.
        """
        trace = open_traces.by_id(trace_id)
        root = trace.live.get(trace.root_span_id) if trace is not None else None
        if root is None:
            self._refuse_end(trace_id)
        else:
            root.end(outputs, attributes, status, end_time_ns)

    def _refuse_end(self, trace_id: str) -> None:
        info = self._settled().get_trace_info(trace_id)  # raises where there is no such trace at all
        raise InvalidParameterError(f"trace {trace_id} is not active in this process (state {info.state.value})")

    def start_span(
        self,
        name: str,
        trace_id: str,
        parent_id: str,
        span_type: str = SpanType.UNKNOWN,
        inputs: Any | None = None,
        attributes: dict[str, Any] | None = None,
        start_time_ns: int | None = None,
    ) -> Span:
        """Start a span below another one of an active trace, to be ended by `end_span`.

        Raises:
            InvalidParameterError: no parent is given.
            NotFoundError: no such trace is active in this process, or it has no such open span.
        """
        if not parent_id:
            raise InvalidParameterError("parent_id must name the parent span; a root span is started by start_trace")
        return start_detached(
            name,
            span_type,
            self._open_span(trace_id, parent_id),
            inputs=inputs,
            attributes=attributes,
            start_time_ns=start_time_ns,
        )

    def end_span(
        self,
        trace_id: str,
        span_id: str,
        outputs: Any | None = None,
        attributes: dict[str, Any] | None = None,
        status: SpanStatus | str = SpanStatusCode.OK,
        end_time_ns: int | None = None,
    ) -> None:
        """End a span that `start_span` started.

        A span that is not open in this process is left alone, with a warning.
        """
        try:
            live = self._open_span(trace_id, span_id)
        except NotFoundError as error:
            _logger.warning("%s; nothing is ended.", error)
            return
        live.end(outputs, attributes, status, end_time_ns)

    def _open_span(self, trace_id: str, span_id: str) -> LiveSpan:
        trace = open_traces.by_id(trace_id)
        try:
            live = trace.live.get(int(span_id, 16)) if trace is not None else None
        except ValueError:
            live = None
        if live is None:
            raise NotFoundError(f"no open span with the id {span_id!r} in trace {trace_id!r} in this process")
        return live

    @formerly(request_id="trace_id")
    def get_trace(self, trace_id: str, display: bool = True) -> Trace:
        """One trace, whole.

        Args:
            trace_id: The id of the trace.
            display: In a notebook, whether to show it below the cell.

        Raises:
            NotFoundError: no such trace.
        """
        found = self._settled().get_trace(trace_id)
        if display:
            show([found])
        return found

    def iter_spans(self, trace_id: str, page_size: int = 1000) -> Iterator[Span]:
        """The spans of a trace, the root first, then by start time; however many they are, a page is in memory.

        Args:
            trace_id: The id of the trace.
            page_size: How many spans are read at once.

        Raises:
            NotFoundError: no such trace.
            InvalidParameterError: `page_size` is not positive.
        """
        return self._settled().iter_spans(trace_id, page_size=page_size)

    def get_attachment(self, uri: str) -> Attachment:
        """An image, a sound or a file that was part of a span.

        Args:
            uri: The reference that stands in its place, as `Span.attachments` lists them; or a `data:` URL.

        Raises:
            NotFoundError: the store has no such attachment.
            InvalidParameterError: neither a reference nor a data URL.
        """
        if isinstance(uri, str) and uri.startswith("data:"):  # pyright: ignore[reportUnnecessaryIsInstance]
            return Attachment.from_data_url(uri)
        facts = reference_facts(uri)
        return Attachment.referred(facts, self._settled().read_attachment(facts["sha256"]))

    def inline_attachments(self, span: Span) -> Span:
        """The span with its attachments as they were set, in base64, in place of the references to them.

        Args:
            span: A span of a trace in this store.
        """
        store = self._settled()

        def read(sha256: str) -> bytes | None:
            try:
                return store.read_attachment(sha256)
            except NotFoundError:
                return None

        return inline_span(span, read)

    def search_traces(
        self,
        experiment_ids: list[str] | None = None,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: list[str] | None = None,
        page_token: str | None = None,
        run_id: str | None = None,
        include_spans: bool = True,
        model_id: str | None = None,
        locations: list[str] | None = None,
    ) -> Page[Trace]:
        """One page of the traces that match a search expression; its `token` leads to the next page.

        Raises:
            FilterError: the expression is malformed; the message points at the token.
            InvalidParameterError: an argument that is not allowed.
        """
        where = experiments_to_search(experiment_ids, locations)
        if max_results <= 0:
            return Page()
        store = self._settled()
        page = store.search_traces(
            where,
            filter_string=scoped_filter(filter_string, run_id, model_id),
            order_by=order_by,
            max_results=max_results,
            page_token=page_token,
            include_spans=include_spans,
        )
        if run_id is not None and not page and page_token is None:
            check_run(store, run_id, where)
        return page

    def delete_traces(
        self,
        experiment_id: str,
        max_timestamp_millis: int | None = None,
        max_traces: int | None = None,
        trace_ids: list[str] | None = None,
    ) -> int:
        """Delete traces, by id or up to a time; with `max_traces`, the oldest first.

        Args:
            experiment_id: The experiment they are in.
            max_timestamp_millis: Those that began at this time or before, Unix time in milliseconds.
            max_traces: How many at the most; with `max_timestamp_millis` only.
            trace_ids: Those with these ids.

        Returns:
            How many were deleted.

        Raises:
            InvalidParameterError: both or neither of `max_timestamp_millis` and `trace_ids`, or `max_traces` < 1.
        """
        return self._settled().delete_traces(
            experiment_id, max_timestamp_ms=max_timestamp_millis, max_traces=max_traces, trace_ids=trace_ids
        )

    @formerly(request_id="trace_id")
    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        """Set a tag on a trace; see `otflow.set_trace_tag`."""
        for kept, text in kept_tag(key, value).items():
            self._settled().set_trace_tag(trace_id, kept, text)

    @formerly(request_id="trace_id")
    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        """Delete a tag of a trace; see `otflow.delete_trace_tag`."""
        self._settled().delete_trace_tag(trace_id, key)

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        """Link traces to a run, besides the run that they were made under.

        Raises:
            InvalidParameterError: no traces, too many, or no run.
        """
        self._settled().link_traces_to_run(trace_ids, run_id)

    def unlink_traces_from_run(self, trace_ids: list[str], run_id: str) -> None:
        """Undo `link_traces_to_run`."""
        self._settled().unlink_traces_from_run(trace_ids, run_id)

    def link_prompt_versions_to_trace(self, prompt_versions: Sequence[Any], trace_id: str) -> None:
        """Link versions of prompts to a trace.

        Args:
            prompt_versions: Objects with a `name` and a `version`.
            trace_id: The id of the trace.

        Raises:
            NotFoundError: no such trace.
        """
        pairs = [(str(prompt.name), str(prompt.version)) for prompt in prompt_versions]
        self._settled().link_prompts_to_trace(trace_id, pairs)
