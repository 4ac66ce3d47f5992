"""The explicit object API: a method checks its arguments and makes one store call."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otflow import context
from otflow.entities import (
    Attachment,
    Experiment,
    LiveSpan,
    Page,
    Span,
    SpanStatus,
    SpanStatusCode,
    SpanType,
    Trace,
    ViewType,
)
from otflow.entities.attachment import reference_facts
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.attachments import inline_span
from otflow.store.interface import Store
from otflow.tracing.annotations import kept_tag, settled_store
from otflow.tracing.assembly import open_traces
from otflow.tracing.renamed import formerly
from otflow.tracing.search import experiments_to_search, scoped_filter, show
from otflow.tracing.spans import start_detached

__all__ = ["Client", "MlflowClient"]

_logger = logging.getLogger("otflow")


class Client:
    """The object API over one store, independent of what is active in the process.

    Args:
        tracking_uri: The store; the current one by default.
        registry_uri: The store of registered models and prompts; the same by default.
        workspace_store_uri: The store of workspaces; the same by default.

    Example:
        >>> import otflow
        >>> client = otflow.Client()
        >>> root = client.start_trace("request", inputs={"q": "hi"})
        >>> step = client.start_span("step", root.trace_id, root.span_id)
        >>> client.end_span(step.trace_id, step.span_id, outputs="hello")
        >>> client.end_trace(root.trace_id, outputs="hello")
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        workspace_store_uri: str | None = None,
    ) -> None:
        self._uri = tracking_uri if tracking_uri is not None else context.get_tracking_uri()
        self._registry_uri = registry_uri or self._uri
        self._workspace_store_uri = workspace_store_uri or self._uri

    @property
    def tracking_uri(self) -> str:
        """The store's URI, as it was given."""
        return self._uri

    def _store(self) -> Store:
        return context.store(self._uri)

    def _settled(self) -> Store:
        return settled_store(self._uri)

    # -- traces ----------------------------------------------------------------------------------

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
            uri=self._uri,
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
        return self._settled().search_traces(
            where,
            filter_string=scoped_filter(filter_string, run_id, model_id),
            order_by=order_by,
            max_results=max_results,
            page_token=page_token,
            include_spans=include_spans,
        )

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

    # -- experiments -----------------------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: dict[str, Any] | None = None
    ) -> str:
        """Create an experiment and return its id; see `otflow.create_experiment`."""
        return self._store().create_experiment(name, artifact_location=artifact_location, tags=_string_values(tags))

    def get_experiment(self, experiment_id: str) -> Experiment:
        """One experiment by its id, deleted ones too. Raises NotFoundError."""
        return self._store().get_experiment(experiment_id)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """One experiment by its exact name, deleted ones too."""
        return self._store().get_experiment_by_name(name)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Page[Experiment]:
        """One page of the experiments that match; see `otflow.search_experiments`."""
        return self._store().search_experiments(
            view_type=view_type,
            filter_string=filter_string,
            order_by=order_by,
            max_results=1000 if max_results is None else max_results,
            page_token=page_token,
        )

    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment deleted; `restore_experiment` undoes it. Raises NotFoundError."""
        self._store().delete_experiment(experiment_id)

    def restore_experiment(self, experiment_id: str) -> None:
        """Undo `delete_experiment`. Raises NotFoundError."""
        self._store().restore_experiment(experiment_id)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Rename an experiment. Raises NotFoundError, AlreadyExistsError."""
        self._store().rename_experiment(experiment_id, new_name)

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag on an experiment. Raises NotFoundError."""
        self._store().set_experiment_tag(experiment_id, key, str(value))

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Delete a tag of an experiment. Raises NotFoundError."""
        self._store().delete_experiment_tag(experiment_id, key)


def _string_values(tags: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: value if isinstance(value, str) else str(value) for key, value in (tags or {}).items()}


MlflowClient = Client
"""The name that MLflow gives this class."""
