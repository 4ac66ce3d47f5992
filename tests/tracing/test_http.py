"""The ASGI middleware: every kind of connection, in a server of its own and driven by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import urllib.request

import pytest

import otflow
from otflow.tracing import OtflowMiddleware, get_tracing_context_headers_for_http_request

SERVER = """
import asyncio, contextlib, sys
import otflow, uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from otflow.tracing import OtflowMiddleware

@otflow.trace
async def tidy():
    await asyncio.sleep(0)

@otflow.trace
def tidy_in_a_thread():
    pass

async def background(request):
    return PlainTextResponse("ok", background=BackgroundTask(tidy))

async def thread(request):
    return PlainTextResponse("ok", background=BackgroundTask(tidy_in_a_thread))

async def stream(request):
    async def parts():
        for number in range(3):
            with otflow.start_span(f"part {number}"):
                await asyncio.sleep(0.01)
            yield str(number)
    return StreamingResponse(parts())

async def chat(socket):
    await socket.accept()
    async for text in socket.iter_text():
        with otflow.start_span(f"answer {text}"):
            await socket.send_text(text.upper())

async def refuses(socket):
    await socket.close(4000)

async def breaks(socket):
    await socket.accept()
    raise RuntimeError("no")

@contextlib.asynccontextmanager
async def lifespan(app):
    with otflow.start_span("up"):
        pass
    yield {"ready": True}
    with otflow.start_span("down"):
        pass

async def state(request):
    return PlainTextResponse(str(request.state.ready))

app = Starlette(
    routes=[
        Route("/background", background), Route("/thread", thread), Route("/stream", stream), Route("/state", state),
        WebSocketRoute("/chat", chat), WebSocketRoute("/refuses", refuses), WebSocketRoute("/breaks", breaks),
    ],
    lifespan=lifespan,
)
sock = __import__("socket").socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(OtflowMiddleware(app, span=True), log_level="critical")).run(sockets=[sock])
"""


class Server:
    def __init__(self, directory) -> None:
        self.uri = f"sqlite:///{directory}/shared.db"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env={**os.environ, "OTFLOW_TRACKING_URI": self.uri},
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.place = f"127.0.0.1:{self.process.stdout.readline().strip()}"

    def get(self, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"http://{self.place}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture
def server(tmp_path):
    started = Server(tmp_path)
    otflow.set_tracking_uri(started.uri)
    try:
        yield started
    finally:
        started.stop()


def spans_below(trace_id: str) -> dict[str, object]:
    otflow.flush_trace_async_logging()
    return {span.name: span for span in otflow.get_trace(trace_id).data.spans}


def test_what_http_requests_leave(server):
    with otflow.start_span("client") as client:
        headers = get_tracing_context_headers_for_http_request()
        assert server.get("/stream", headers) == "012"
        assert server.get("/background", headers) == "ok"
        assert server.get("/thread", headers) == "ok"
        assert server.get("/state", {}) == "True"  # which the lifespan has set
    server.stop()
    spans = spans_below(client.trace_id)
    parents = {"GET /stream", "GET /background", "GET /thread"}
    assert {span.parent_id for name, span in spans.items() if name in parents} == {client.span_id}
    stream = spans["GET /stream"]
    for number in range(3):
        part = spans[f"part {number}"]
        assert part.parent_id == stream.span_id
        assert stream.start_time_ns <= part.start_time_ns <= part.end_time_ns <= stream.end_time_ns
    assert spans["tidy"].parent_id == spans["GET /background"].span_id
    assert spans["tidy_in_a_thread"].parent_id == spans["GET /thread"].span_id
    assert len(spans) == 9
    names = [trace.info.tags["mlflow.traceName"] for trace in otflow.search_traces(return_type="list")]
    assert sorted(names) == ["GET /state", "client", "down", "up"]


def test_what_websockets_leave(server):
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect

    with otflow.start_span("client") as client:
        headers = get_tracing_context_headers_for_http_request()
        with connect(f"ws://{server.place}/chat", additional_headers=headers, open_timeout=60) as chat:
            for text in ("a", "b"):
                chat.send(text)
                assert chat.recv(timeout=60) == text.upper()
        with pytest.raises(InvalidStatus):
            connect(f"ws://{server.place}/refuses", additional_headers=headers, open_timeout=60)
        with (
            connect(f"ws://{server.place}/breaks", additional_headers=headers, open_timeout=60) as broken,
            pytest.raises(ConnectionClosed),
        ):
            broken.recv(timeout=60)
    server.stop()
    spans = spans_below(client.trace_id)
    chat_span = spans["WEBSOCKET /chat"]
    assert {spans[name].parent_id for name in ("answer a", "answer b")} == {chat_span.span_id}
    assert chat_span.end_time_ns >= spans["answer b"].end_time_ns
    assert chat_span.status.status_code.value != "ERROR"
    assert spans["WEBSOCKET /breaks"].status.status_code.value == "ERROR"
    assert {spans[f"WEBSOCKET /{name}"].parent_id for name in ("chat", "refuses", "breaks")} == {client.span_id}


# -- by hand -------------------------------------------------------------------------------------------------------


def run(app, scope, *, span: bool = True) -> list[dict]:
    sent: list[dict] = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(OtflowMiddleware(app, span=span)(scope, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["lifespan", "another"])
def test_other_scopes_go_through_untouched(kind):
    seen = []

    async def app(scope, receive, send):
        seen.extend([scope, await receive()])
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async def receive():
        return "startup"

    async def send(message):
        seen.append(message["type"])

    scope = {"type": kind, "state": {}}
    asyncio.run(OtflowMiddleware(app, span=True)(scope, receive, send))
    assert seen == [scope, "startup", "lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen[0] is scope
    assert otflow.search_traces(return_type="list") == []


GOOD = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
HOSTILE = [
    [(b"traceparent", b"\xff\xfe" * 30)],
    [(b"traceparent", b"")],
    [
        (b"traceparent", GOOD),
        (b"tracestate", b"\xe9,==,,"),
        (b"baggage", b"\xe9"),
    ],
    [(b"traceparent", GOOD), (b"baggage", b"a=" + b"x" * 1_000_000)],
    [(b"traceparent", GOOD), (b"baggage", b"session.id=%ff%00," * 1000)],
    [("traceparent", None)],
    [(b"traceparent",)],
    None,
    5,
]


@pytest.mark.parametrize("headers", HOSTILE)
def test_no_header_harms_the_application(headers):
    async def app(scope, receive, send):
        with otflow.start_span("work"):
            await send({"type": "http.response.start", "status": 200, "headers": []})

    sent = run(app, {"type": "http", "method": "GET", "path": "/x", "headers": headers})
    assert [message["status"] for message in sent] == [200]


@pytest.mark.parametrize(
    "message", [{}, {"type": "http.response.start"}, {"type": "http.response.start", "status": "?"}]
)
def test_a_message_that_is_wrong_is_the_server_s_to_refuse(message):
    async def app(scope, receive, send):
        await send(message)

    assert run(app, {"type": "http", "method": "GET", "path": "/x"}) == [message]


def test_a_client_that_goes_away_ends_the_span():
    async def app(scope, receive, send):
        await asyncio.sleep(600)

    async def main():
        task = asyncio.create_task(
            OtflowMiddleware(app, span=True)({"type": "http", "method": "GET", "path": "/slow"}, None, None)
        )
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    otflow.flush_trace_async_logging()
    (trace,) = otflow.search_traces(return_type="list")
    assert trace.data.spans[0].name == "GET /slow"
    assert trace.data.spans[0].status.status_code.value == "ERROR"
