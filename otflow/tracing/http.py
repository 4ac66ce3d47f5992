"""Traces across HTTP: a middleware for ASGI applications, and helpers for `requests` and `httpx`. Nothing is patched.

app = OtflowMiddleware(app)                     # any ASGI application: Starlette, FastAPI, Quart, …
session = trace_session(requests.Session())     # the requests of this session carry the active trace
client = trace_client(httpx.AsyncClient())      # those of this client, too
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry import context as otel_context

from otflow.entities import SpanType
from otflow.errors import InvalidParameterError
from otflow.semconv import OTel
from otflow.tracing import guard
from otflow.tracing.exporter import writer
from otflow.tracing.propagation import continued, inject, lower
from otflow.tracing.spans import SpanScope, detach

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from requests import PreparedRequest, Response, Session

__all__ = ["OtflowMiddleware", "trace_client", "trace_session"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

_Client = TypeVar("_Client")

_AT_SHUTDOWN_S: Final = 5.0


# -- in --------------------------------------------------------------------------------------------------------


class OtflowMiddleware:
    """Goes on with the trace of whoever sends a request, for as long as the application handles it.

    That is until the last part of a streamed response is sent, or a websocket is closed. When the server shuts down,
    what has ended is written before the application's end is told: some servers then let a signal end the process.

    Args:
        app: The ASGI application.
        span: Whether each request has a span of its own, named by its method and path.

    Example:
        >>> async def app(scope, receive, send): ...
        >>> from otflow.tracing import OtflowMiddleware
        >>> app = OtflowMiddleware(app, span=True)
    """

    def __init__(self, app: _App, *, span: bool = False) -> None:
        self.app = app
        self.span = span

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, _writing_at_the_end(send))
            return
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        before = otel_context.get_current()
        token = otel_context.attach(_context_of(scope, before))
        try:
            if self.span:
                await self._in_span(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        finally:
            detach(token, before, None)

    async def _in_span(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        method = str(scope.get("method") or "WEBSOCKET")
        path = str(scope.get("path", ""))
        attributes = {OTel.HTTP_METHOD: method, OTel.URL_PATH: path}
        with SpanScope(f"{method} {path}", SpanType.UNKNOWN, attributes, None) as live:

            async def noting(message: _Message) -> None:
                if message.get("type") in ("http.response.start", "websocket.http.response.start"):
                    status = message.get("status")
                    live.set_attribute(OTel.HTTP_STATUS, status)
                    if isinstance(status, int) and status >= 500:
                        live.set_status("ERROR")
                await send(message)

            await self.app(scope, receive, noting)


def _writing_at_the_end(send: _Send) -> _Send:
    async def writing(message: _Message) -> None:
        if message.get("type") in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            try:
                writer.flush(_AT_SHUTDOWN_S)  # in the server's own thread, which has nothing else to do by now
            except Exception as error:
                guard.swallow("write traces when the server shuts down", error)
        await send(message)

    return writing


def _context_of(scope: _Message, before: Context) -> Context:
    try:
        return continued(lower(scope.get("headers") or ()), before)
    except Exception as error:
        guard.swallow("go on with the trace of a request", error)
        return before


# -- out -------------------------------------------------------------------------------------------------------


def trace_session(session: Session) -> Session:
    """Have the requests of a `requests.Session` carry the trace that is active when they are sent.

    Args:
        session: The session; its adapters are wrapped. One that is mounted later is not.

    Returns:
        The same session.

    Raises:
        InvalidParameterError: not a session.
    """
    adapters: object = getattr(session, "adapters", None)
    if not hasattr(session, "mount") or not isinstance(adapters, MutableMapping):
        raise InvalidParameterError(f"trace_session takes a requests.Session, not {type(session).__name__}")
    for prefix, adapter in list(session.adapters.items()):
        if not isinstance(adapter, _Adapter):
            session.adapters[prefix] = _Adapter(adapter)  # pyright: ignore[reportArgumentType]
    return session


class _Adapter:
    """An adapter that adds the headers, to a copy: a redirect to another host starts from the request as it was."""

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter

    def send(self, request: PreparedRequest, **arguments: Any) -> Response:
        request = request.copy()
        inject(request.headers)
        return self.adapter.send(request, **arguments)

    def close(self) -> None:
        self.adapter.close()

    def __getattr__(self, name: str) -> Any:
        if name == "adapter":  # on its way through pickle or copy
            raise AttributeError(name)
        return getattr(self.adapter, name)


def trace_client(client: _Client) -> _Client:
    """Have the requests of an `httpx.Client` or `httpx.AsyncClient` carry the trace that is active.

    Args:
        client: The client; an event hook is added to it.

    Returns:
        The same client.

    Raises:
        InvalidParameterError: not a client.
    """
    given: Any = client
    hooks: object = getattr(given, "event_hooks", None)
    if not isinstance(hooks, dict) or not hasattr(given, "send"):
        raise InvalidParameterError(
            f"trace_client takes an httpx.Client or an httpx.AsyncClient, not {type(client).__name__}"
        )
    hook: Any = _async_hook if inspect.iscoroutinefunction(given.send) else _hook
    before: dict[str, list[Any]] = given.event_hooks
    if hook not in before.get("request", []):
        given.event_hooks = {**before, "request": [*before.get("request", []), hook]}
    return client


def _hook(request: Any) -> None:
    inject(request.headers)


async def _async_hook(request: Any) -> None:
    inject(request.headers)
