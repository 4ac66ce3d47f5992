"""One trace across processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otflow
from otflow.entities import TraceState
from otflow.errors import InvalidParameterError
from otflow.tracing import (
    OtflowMiddleware,
    baggage,
    get_tracing_context_headers_for_http_request,
    set_tracing_context_from_http_request_headers,
    trace_client,
    trace_session,
)
from otflow.tracing.propagation import inject

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


def stored(trace_id: str):
    otflow.flush_trace_async_logging()
    return otflow.get_trace(trace_id)


# -- out -------------------------------------------------------------------------------------------------------


def test_nothing_to_send_without_a_span(caplog):
    assert get_tracing_context_headers_for_http_request() == {}
    assert "No span is active" in caplog.text


def test_the_ids_travel():
    with otflow.start_span("root") as root:
        headers = get_tracing_context_headers_for_http_request()
    assert list(headers) == ["traceparent"]
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, "tr-" + trace_id, span_id) == ("00", root.trace_id, root.span_id)
    assert int(flags, 16) & 1


def test_what_the_program_said_travels():
    with otflow.start_span("root"):
        otflow.update_current_trace(
            tags={"team a": "x,y;z=ü +", "mlflow.internal": "no"},
            metadata={"mlflow.trace.session": "s 1", "mlflow.trace.user": "ada", "build": "7"},
        )
        header = get_tracing_context_headers_for_http_request()["baggage"]
    assert header.isascii()
    assert header.startswith("session.id=s%201,user.id=ada,")
    assert baggage.parse(header) == {
        "session.id": "s 1",
        "user.id": "ada",
        "otflow.tag.team%20a": "x,y;z=ü +",
        "otflow.metadata.build": "7",
    }


def test_opentelemetry_reads_the_same():
    from opentelemetry import baggage as otel_baggage
    from opentelemetry.baggage.propagation import W3CBaggagePropagator

    header = baggage.to_header({"k": "x,y;z=ü +%"})
    context = W3CBaggagePropagator().extract({"baggage": header})
    assert otel_baggage.get_baggage("k", context) == "x,y;z=ü +%"


@given(st.dictionaries(st.from_regex(r"[a-z.!%]{1,20}", fullmatch=True), st.text(max_size=3000), max_size=100))
def test_the_header_keeps_within_the_limits(values):
    header = baggage.to_header(values)
    assert len(header) <= 8192
    assert header.count(",") < 64
    assert header.isascii()
    # What is malformed, or holds control characters, is not read.
    assert (
        baggage.parse(header).items()
        <= {key: value.encode("utf-8", "replace").decode() for key, value in values.items()}.items()
    )


@given(st.text())
def test_any_header_can_be_parsed(header):
    assert len(baggage.parse(header)) <= 64


# -- in --------------------------------------------------------------------------------------------------------


def test_spans_go_on_with_the_sender_s_trace():
    headers = {
        "TraceParent": HEADERS["traceparent"],
        "tracestate": "vendor=1",
        "BAGGAGE": "session.id=theirs,user.id=ada,k=v,"
        "otflow.tag.kept=1,otflow.tag.here=theirs,otflow.tag.mlflow.traceName=no",
    }
    with set_tracing_context_from_http_request_headers(headers) as value:
        assert value is None
        assert otflow.get_current_active_span() is None
        with otflow.start_span("one") as one:
            otflow.update_current_trace(tags={"here": "ours"})
            sent_on = get_tracing_context_headers_for_http_request()
        with otflow.start_span("two") as two:
            pass
    assert {one.trace_id, two.trace_id} == {f"tr-{TRACE}"}
    assert one.parent_id == two.parent_id == SPAN
    assert sent_on["tracestate"] == "vendor=1"
    assert baggage.parse(sent_on["baggage"])["k"] == "v"
    trace = stored(f"tr-{TRACE}")
    assert {span.name for span in trace.data.spans} == {"one", "two"}
    assert {"kept": "1", "here": "ours"}.items() <= trace.info.tags.items()
    assert "mlflow.traceName" not in trace.info.tags  # it is the sender's to say
    assert trace.info.trace_metadata["mlflow.trace.session"] == "theirs"
    with otflow.start_span("after") as after:
        pass
    assert after.trace_id != one.trace_id


def test_the_record_stays_the_sender_s(tmp_path):
    with otflow.start_span("sender") as sender:
        headers = get_tracing_context_headers_for_http_request()
        code = (
            "import json, sys, otflow\n"
            "with otflow.tracing.set_tracing_context_from_http_request_headers(json.loads(sys.argv[1])):\n"
            "    with otflow.start_span('receiver', span_type='TOOL') as span:\n"
            "        span.set_inputs({'theirs': 1})\n"
            "        span.set_status('ERROR')\n"
        )
        subprocess.run([sys.executable, "-c", code, json.dumps(headers)], check=True, cwd=tmp_path, timeout=60)
        sender.set_inputs({"q": 1})
    trace = stored(sender.trace_id)
    assert trace.info.state is TraceState.OK
    assert trace.info.tags["mlflow.traceName"] == "sender"
    assert trace.info.request_preview == '{"q": 1}'
    assert [(span.name, span.parent_id) for span in trace.data.spans] == [
        ("sender", None),
        ("receiver", sender.span_id),
    ]


def test_an_unsampled_sender_is_respected():
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
    with set_tracing_context_from_http_request_headers(headers):
        with otflow.start_span("nothing") as span:
            pass
        assert get_tracing_context_headers_for_http_request() == headers
    assert span.trace_id == "MLFLOW_NO_OP_SPAN_TRACE_ID"


@pytest.mark.parametrize("traceparent", ["nonsense", f"00-{'0' * 32}-{'0' * 16}-01", ""])
def test_a_malformed_parent_is_none(traceparent):
    with set_tracing_context_from_http_request_headers({"traceparent": traceparent}), otflow.start_span("own") as span:
        pass
    assert span.parent_id is None


@pytest.mark.parametrize("headers", [{}, {"baggage": "a=b"}, None, 5])
def test_headers_without_a_parent_are_refused(headers):
    with (
        pytest.raises(InvalidParameterError, match=r"traceparent|mapping"),
        set_tracing_context_from_http_request_headers(headers),
    ):
        pass


def test_an_exception_goes_through_and_the_context_is_restored():
    with pytest.raises(KeyError), set_tracing_context_from_http_request_headers(HEADERS):
        raise KeyError
    with otflow.start_span("own") as span:
        pass
    assert span.parent_id is None


def test_with_a_provider_of_its_own(monkeypatch):
    monkeypatch.setenv("OTFLOW_USE_DEFAULT_TRACER_PROVIDER", "true")
    otflow.tracing.reset()
    with set_tracing_context_from_http_request_headers(HEADERS), otflow.start_span("in") as span:
        assert get_tracing_context_headers_for_http_request()["traceparent"].split("-")[2] == span.span_id
    assert (span.trace_id, span.parent_id) == (f"tr-{TRACE}", SPAN)


# -- requests and httpx ------------------------------------------------------------------------------------------


def test_headers_that_are_there_stay():
    with otflow.start_span("root"):
        otflow.update_current_trace(metadata={"mlflow.trace.session": "ours", "mlflow.trace.user": "ada"})
        headers = {"Traceparent": "theirs", "Baggage": "session.id=theirs;p=1"}
        inject(headers)
    assert headers == {"Traceparent": "theirs", "Baggage": "session.id=theirs;p=1,user.id=ada"}


def test_requests_carry_the_trace():
    import requests

    seen = []

    class Recorder(requests.adapters.BaseAdapter):
        def send(self, request, **arguments):
            seen.append(dict(request.headers))
            answer = requests.Response()
            answer.status_code, answer.request, answer.url = 200, request, request.url
            return answer

        def close(self):
            pass

    with requests.Session() as session:
        session.mount("http://", Recorder())
        assert trace_session(trace_session(session)) is session
        session.get("http://x/")
        with otflow.start_span("root") as root:
            session.get("http://x/")
    assert "traceparent" not in seen[0]
    assert root.span_id in seen[1]["traceparent"]


@pytest.mark.parametrize("wrong", [None, "x", 5])
def test_only_sessions_and_clients(wrong):
    with pytest.raises(InvalidParameterError, match="trace_session"):
        trace_session(wrong)
    with pytest.raises(InvalidParameterError, match="trace_client"):
        trace_client(wrong)


def test_httpx_carries_the_trace_through_the_middleware():
    import asyncio

    import httpx

    seen = []

    async def app(scope, receive, send):
        with otflow.start_span("handler") as span:
            seen.append((span.trace_id, span.parent_id))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask() -> None:
        transport = httpx.ASGITransport(OtflowMiddleware(app))
        async with trace_client(httpx.AsyncClient(transport=transport, base_url="http://x")) as client:
            with otflow.start_span("root") as root:
                await client.get("/")
            assert seen == [(root.trace_id, root.span_id)]

    asyncio.run(ask())
    echo = httpx.MockTransport(lambda request: httpx.Response(200, json=dict(request.headers)))
    with trace_client(httpx.Client(transport=echo)) as client, otflow.start_span("root") as root:
        assert root.span_id in client.get("http://x/").json()["traceparent"]


# -- a server in a process of its own ------------------------------------------------------------------------------

SERVER = """
import asyncio, sys
import otflow, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from otflow.tracing import OtflowMiddleware

async def plain(request):
    with otflow.start_span("work"):
        return PlainTextResponse("ok")

async def stream(request):
    async def parts():
        for number in range(3):
            with otflow.start_span(f"part {number}"):
                await asyncio.sleep(0)
            yield str(number)
    return StreamingResponse(parts())

async def fails(request):
    raise RuntimeError("no")

app = Starlette(routes=[Route("/plain", plain), Route("/stream", stream), Route("/fails", fails)])
uvicorn.run(OtflowMiddleware(app, span=True), port=int(sys.argv[1]), log_level="error")
"""


@pytest.fixture
def server(tmp_path):
    import socket

    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)],
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/shared.db"},
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(20)


def test_two_processes_make_one_tree(tmp_path, server):
    import requests

    uri, process = server
    otflow.set_tracking_uri(f"sqlite:///{tmp_path}/shared.db")
    session = trace_session(requests.Session())
    with otflow.start_span("client") as client:
        otflow.update_current_trace(tags={"team": "a"})
        assert session.get(f"{uri}/plain", timeout=20).text == "ok"
        assert session.get(f"{uri}/stream", timeout=20).text == "012"
        assert session.get(f"{uri}/fails", timeout=20).status_code == 500
    session.close()
    urllib.request.urlopen(f"{uri}/plain", timeout=20).close()  # one that carries nothing
    process.terminate()
    process.wait(20)
    trace = stored(client.trace_id)
    spans = {span.name: span for span in trace.data.spans}
    parents = {
        name: next((other.name for other in spans.values() if other.span_id == span.parent_id), None)
        for name, span in spans.items()
    }
    assert parents == {
        "client": None,
        "GET /plain": "client",
        "work": "GET /plain",
        "GET /stream": "client",
        **{f"part {number}": "GET /stream" for number in range(3)},
        "GET /fails": "client",
    }
    assert spans["GET /fails"].status.status_code.value == "ERROR"
    assert spans["GET /plain"].get_attribute("http.response.status_code") == 200
    assert trace.info.tags["mlflow.traceName"] == "client"
    assert trace.info.state is TraceState.OK
    own = [found for found in otflow.search_traces(return_type="list") if found.info.trace_id != client.trace_id]
    assert [found.info.tags["mlflow.traceName"] for found in own] == ["GET /plain"]


# -- with the released MLflow --------------------------------------------------------------------------------------

MLFLOW = """
import json, sys
import mlflow
from mlflow.tracing import get_tracing_context_headers_for_http_request, set_tracing_context_from_http_request_headers
if len(sys.argv) > 1:
    with set_tracing_context_from_http_request_headers(json.loads(sys.argv[1])):
        with mlflow.start_span("theirs") as span:
            print(json.dumps([span.trace_id, span.parent_id]))
else:
    with mlflow.start_span("theirs") as span:
        print(json.dumps([span.trace_id, span.span_id, get_tracing_context_headers_for_http_request()]))
"""


def mlflow(tmp_path, *arguments: str):
    python = os.environ.get("OTFLOW_TEST_MLFLOW_PYTHON", "")
    if not python:
        pytest.skip("OTFLOW_TEST_MLFLOW_PYTHON names no Python with mlflow==3.10.1")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/theirs.db"}
    done = subprocess.run(
        [python, "-c", MLFLOW, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_mlflow_goes_on_with_our_traces(tmp_path):
    with otflow.start_span("ours") as ours:
        otflow.update_current_trace(tags={"a": "b"})
        headers = get_tracing_context_headers_for_http_request()
    assert mlflow(tmp_path, json.dumps(headers)) == [ours.trace_id, ours.span_id]


def test_we_go_on_with_mlflow_s_traces(tmp_path):
    trace_id, span_id, headers = mlflow(tmp_path)
    with set_tracing_context_from_http_request_headers(headers), otflow.start_span("ours") as ours:
        pass
    assert (ours.trace_id, ours.parent_id) == (trace_id, span_id)
