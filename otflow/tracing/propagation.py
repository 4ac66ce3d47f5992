"""One trace across processes: the W3C headers that carry it, out and in, and the variables of child processes.

Source: W3C Trace Context, W3C Baggage; OpenTelemetry specification, Environment Variables as Context Propagation
Carriers; the two functions whose names end with `headers` or `request` are MLflow's (3.10.1).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterable, Mapping, MutableMapping
from typing import Any, Final

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otflow import config
from otflow.errors import InvalidParameterError
from otflow.tracing import baggage, guard, provider
from otflow.tracing.assembly import open_traces
from otflow.tracing.current import current_span, for_sdk, with_current
from otflow.tracing.spans import unsampled

__all__ = [
    "continued",
    "get_tracing_context_environment",
    "get_tracing_context_headers_for_http_request",
    "inject",
    "lower",
    "set_tracing_context_from_environment",
    "set_tracing_context_from_http_request_headers",
]

_logger = logging.getLogger("otflow")
_propagator = TraceContextTextMapPropagator()

_CARRIED: Final = ("traceparent", "tracestate", "baggage")


# -- out -------------------------------------------------------------------------------------------------------


def get_tracing_context_headers_for_http_request() -> dict[str, str]:
    """The headers by which the receiver of a request goes on with the trace that is active here.

    `traceparent`, and where there is something to say: `tracestate`, and `baggage` with the session, the user, the
    tags and the metadata that the program has set on the trace.

    Returns:
        The headers; none, and a warning in the log, where no span is active.

    Example:
        >>> import otflow
        >>> with otflow.start_span("ask"):
        ...     headers = otflow.tracing.get_tracing_context_headers_for_http_request()
        >>> sorted(headers)
        ['traceparent']
    """
    headers = outgoing()
    if not headers:
        _logger.warning("No span is active: there are no headers to send for it.")
    return headers


def outgoing() -> dict[str, str]:
    """The headers for the span that is current here; none where there is none."""
    span_context = current_span().get_span_context()
    if not span_context.is_valid:
        return {}
    headers: dict[str, str] = {}
    _propagator.inject(headers, for_sdk(otel_context.get_current()))
    trace = open_traces.of_span(span_context.trace_id)
    passed_on = {key: str(value) for key, value in otel_baggage.get_all().items()}
    header = baggage.to_header(baggage.join(baggage.of_trace(trace) if trace is not None else {}, passed_on))
    if header:
        headers["baggage"] = header
    return headers


def get_tracing_context_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child process that is to go on with the trace that is active here.

    `TRACEPARENT`, `TRACESTATE` and `BAGGAGE`, with the values of the headers of those names; what the child finds
    there of an older trace is taken away. The baggage is bounded as a header is: whole members are left out.

    Args:
        environment: What the child gets beside them; a copy of this process's environment by default.

    Returns:
        A new dictionary; where no span is active, what was given.

    Example:
        >>> import os, subprocess, sys, otflow
        >>> with otflow.start_span("parent"):
        ...     child = [sys.executable, "-c", "import os; print(len(os.environ['TRACEPARENT']))"]
        ...     environment = otflow.tracing.get_tracing_context_environment()
        ...     subprocess.run(child, env=environment, capture_output=True).stdout.strip()
        b'55'
    """
    found = config.environment() if environment is None else dict(environment)
    try:
        headers = outgoing()
    except Exception as error:
        guard.swallow("tell a child process of a trace", error)
        return found
    if headers:
        for name in _CARRIED:
            found.pop(name.upper(), None)
        found.update((name.upper(), value) for name, value in headers.items())
    return found


def inject(headers: MutableMapping[str, str]) -> None:
    """Add the headers for the span that is current here to those of a request.

    A `traceparent` that is there already (other instrumentation's) stays, with its `tracestate`; of `baggage`, only
    what is missing is added. Never raises.
    """
    try:
        ours = outgoing()
        names = {str(name).lower(): name for name in headers}
        if "traceparent" not in names:
            for name in ("traceparent", "tracestate"):
                if name in ours:
                    headers[names.get(name, name)] = ours[name]
        if "baggage" in ours:
            name = names.get("baggage", "baggage")
            there = headers.get(name) or ""
            # Theirs as it is, properties and all; ours behind it.
            more = {k: v for k, v in baggage.parse(ours["baggage"]).items() if k not in baggage.parse(there)}
            room = baggage.to_header(more)
            if not there:
                headers[name] = room
            elif room and len(there) + 1 + len(room) <= 8192:
                headers[name] = f"{there},{room}"
    except Exception as error:
        guard.swallow("add the headers of a trace to a request", error)


# -- in --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def set_tracing_context_from_http_request_headers(headers: Mapping[str, str]) -> Generator[None]:
    """Go on with the trace of whoever sent a request: spans that start inside are children of the sender's span.

    They belong to the sender's trace and go to the store of this process. Name, state and times of the trace are the
    sender's to say. The session, the user, the tags and the metadata in `baggage` hold where the program here sets no
    others. Where the sender's trace is not sampled, nothing is recorded inside. A malformed `traceparent` counts as
    none: spans begin a trace of their own.

    Args:
        headers: The headers of the request; names in upper or lower case.

    Raises:
        InvalidParameterError: there is no `traceparent` among the headers.

    Example:
        >>> import otflow
        >>> headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        >>> with otflow.tracing.set_tracing_context_from_http_request_headers(headers):
        ...     with otflow.start_span("answer") as span:
        ...         print(span.trace_id, span.parent_id)
        tr-0af7651916cd43dd8448eb211c80319c b7ad6b7169203331
    """
    found = lower(headers)
    if "traceparent" not in found:
        raise InvalidParameterError(
            "the headers of the request must have a 'traceparent', as those of "
            "get_tracing_context_headers_for_http_request have"
        )
    with _inside(found):
        yield


@contextlib.contextmanager
def set_tracing_context_from_environment(environment: Mapping[str, str] | None = None) -> Generator[None]:
    """Go on with the trace of the process that started this one, as with that of a request's sender.

    For the main function of a program. Where the environment has no well-formed `TRACEPARENT`, nothing changes: spans
    begin traces of their own.

    Args:
        environment: The variables; this process's environment by default.

    Example:
        >>> import otflow
        >>> variables = {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        >>> with otflow.tracing.set_tracing_context_from_environment(variables):
        ...     with otflow.start_span("main") as span:
        ...         print(span.trace_id, span.parent_id)
        tr-0af7651916cd43dd8448eb211c80319c b7ad6b7169203331
    """
    variables = config.environment() if environment is None else environment
    with _inside({name: str(variables[name.upper()]) for name in _CARRIED if name.upper() in variables}):
        yield


@contextlib.contextmanager
def _inside(headers: Mapping[str, str]) -> Generator[None]:
    before = otel_context.get_current()
    try:
        context = continued(headers, before)
    except Exception as error:
        guard.swallow("go on with a trace of another process", error)
        context = before
    token = otel_context.attach(context)
    try:
        yield
    finally:
        otel_context.detach(token)


def lower(headers: Any) -> dict[str, str]:
    """Headers by name in lower case; of several with one name, all, separated by commas, as HTTP has it.

    Args:
        headers: A mapping, or pairs, of texts or bytes.

    Raises:
        InvalidParameterError: neither.
    """
    pairs: Iterable[Any] = headers.items() if hasattr(headers, "items") else headers
    found: dict[str, str] = {}
    try:
        for name, value in pairs:
            key, text = _text(name).lower(), _text(value)
            found[key] = f"{found[key]},{text}" if key in found else text
    except (TypeError, ValueError):
        raise InvalidParameterError(f"headers must be a mapping of texts, not {type(headers).__name__}") from None
    return found


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def continued(headers: Mapping[str, str], context: Context) -> Context:
    """`context`, with the sender's span current; the same where the headers name none.

    Args:
        headers: By name in lower case.
        context: The context to start from. Where its current span belongs to the sender's trace already (other
            instrumentation has seen the headers, too), that span stays current.
    """
    from opentelemetry import trace as trace_api

    carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    span: Span = trace_api.get_current_span(_propagator.extract(carrier, Context()))
    span_context = span.get_span_context()
    if not span_context.is_valid:
        return context
    members = baggage.parse(headers.get("baggage", ""))
    provider.maker()  # which settles whose current span is meant
    here = current_span(context).get_span_context()
    if here.trace_id != span_context.trace_id:
        context = with_current(span, context)
        if not span_context.trace_flags.sampled:
            context = unsampled(context)
    for key, value in members.items():
        context = otel_baggage.set_baggage(key, value, context)
    return baggage.with_received(baggage.received(span_context.trace_id, members.items()), context)
