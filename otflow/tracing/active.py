"""What is active in this flow of control: the span, the trace, and what the program says of that trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from otflow.entities import LiveSpan, TraceState
from otflow.errors import InvalidParameterError
from otflow.semconv import Metadata
from otflow.tracing import privacy
from otflow.tracing.assembly import OpenTrace, open_traces
from otflow.tracing.current import current_span
from otflow.tracing.exporter import writer
from otflow.tracing.spans import strings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span as SdkSpan

__all__ = [
    "get_active_trace_id",
    "get_current_active_span",
    "get_last_active_trace_id",
    "update_current_trace",
]

_logger = logging.getLogger("otflow")


def get_current_active_span() -> LiveSpan | None:
    """The span that is current in this flow of control, if it belongs to a trace of otflow's; else None.

    Spans of `start_span_no_context` are not made current, so they are never returned.
    """
    otel = current_span()
    span_context = otel.get_span_context()
    if not span_context.is_valid:
        return None
    trace = open_traces.of_span(span_context.trace_id)
    if trace is None:
        return None
    live = trace.live.get(span_context.span_id)
    if live is None and otel.is_recording():
        live = LiveSpan.wrap(cast("SdkSpan", otel), trace.trace_id)  # a span of other instrumentation
    return live


def get_active_trace_id() -> str | None:
    """The id of the trace that is being made in this flow of control, if there is one; else None."""
    trace = _current_trace()
    return trace.trace_id if trace is not None else None


def get_last_active_trace_id(thread_local: bool = False) -> str | None:
    """The id of the trace that ended last, if there is one; else None.

    Args:
        thread_local: In this thread, instead of in this process.
    """
    return open_traces.last_trace_id(thread_local)


def _current_trace() -> OpenTrace | None:
    span_context = current_span().get_span_context()
    return open_traces.of_span(span_context.trace_id) if span_context.is_valid else None


def update_current_trace(
    tags: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    client_request_id: str | None = None,
    request_preview: str | None = None,
    response_preview: str | None = None,
    state: TraceState | str | None = None,
    model_id: str | None = None,
) -> None:
    """Change the trace that is being made in this flow of control.

    Args:
        tags: Tags to set; they can be changed at any time.
        metadata: Metadata to set; it cannot be changed once the trace has ended. The session and the user of a
            trace are the keys `mlflow.trace.session` and `mlflow.trace.user`.
        client_request_id: The caller's own id of the request.
        request_preview: What lists show as the request, instead of the beginning of the root's inputs.
        response_preview: What lists show as the response, instead of the beginning of the root's outputs.
        state: "OK" or "ERROR": the state of the trace, whatever the status of its root.
        model_id: The logged model that the trace belongs to, instead of the active one.

    Raises:
        InvalidParameterError: a preview that is not a string, a state other than OK and ERROR.

    Example:
        >>> import otflow
        >>> @otflow.trace
        ... def answer(question: str) -> str:
        ...     otflow.update_current_trace(tags={"team": "search"}, metadata={"mlflow.trace.session": "s-1"})
        ...     return "42"
    """
    trace = _current_trace()
    if trace is None:
        _logger.warning("No trace is active here: update_current_trace changed nothing.")
        return
    for what, value in (("request_preview", request_preview), ("response_preview", response_preview)):
        if value is not None and not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"{what} must be a string, not {type(value).__name__}: {value!r}")
    new_state = _final_state(state) if state is not None else None
    _warn_of_nonstrings(tags, "tags")
    _warn_of_nonstrings(metadata, "metadata")
    policy = privacy.policy()
    if policy is not None:
        request_preview = policy.preview(request_preview) if request_preview else None
        response_preview = policy.preview(response_preview) if response_preview else None
        if client_request_id is not None:
            client_request_id = policy.text(str(client_request_id), "metadata")
    trace.tags.update(strings(tags, "tags"))
    trace.metadata.update(strings(metadata, "metadata"))
    if model_id is not None:
        trace.metadata[Metadata.MODEL_ID] = model_id
    if client_request_id is not None:
        trace.client_request_id = str(client_request_id)
    if request_preview:
        trace.request_preview = request_preview
    if response_preview:
        trace.response_preview = response_preview
    if new_state is not None:
        trace.state = new_state
    writer.changed(trace)


def _final_state(state: TraceState | str) -> TraceState:
    for allowed in (TraceState.OK, TraceState.ERROR):
        if state == allowed:
            return allowed
    raise InvalidParameterError(f"state must be one of 'OK', 'ERROR', not {state!r}")


def _warn_of_nonstrings(values: Mapping[Any, Any] | None, what: str) -> None:
    wrong = [key for key, value in (values or {}).items() if not isinstance(value, str)]
    if wrong:
        _logger.warning("Values of trace %s should be strings; %s were turned into strings.", what, wrong)
