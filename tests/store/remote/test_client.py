from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otflow.errors import (
    AlreadyExistsError,
    InvalidParameterError,
    NotFoundError,
    OtflowError,
    StoreUnavailableError,
)
from otflow.store.remote.client import HttpClient
from otflow.wire.endpoints import CREATE_EXPERIMENT, GET_EXPERIMENT, SEARCH_TRACES

SECRET = "hunter2"


class Server:
    """A server that gives the answers it was told to, in turn, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = outer.answers.pop(0) if outer.answers else (200, {}, b"{}")
                if status == 0:  # no answer at all
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing: standard error belongs to the test run."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, status: int, content: object = None, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self.answers.append((status, headers, body))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def client(server: Server) -> Iterator[HttpClient]:
    client = HttpClient(f"http://{server.address}/prefix/")
    yield client
    client.close()


# -- where and who ---------------------------------------------------------------------------------------------


def test_the_path_of_the_uri_comes_before_that_of_the_endpoint(server: Server, client: HttpClient) -> None:
    server.answer(200, {"experiment": {}})
    assert client.call(GET_EXPERIMENT, query={"experiment_id": "a b"}) == {"experiment": {}}
    assert server.requests[0][:2] == ("GET", "/prefix/api/2.0/mlflow/experiments/get?experiment_id=a+b")


@pytest.mark.parametrize(
    "uri", ["http://", "ftp://host", "http://host:port", f"http://user:{SECRET}@:80x", "host:5000"]
)
def test_a_malformed_uri_is_refused_without_repeating_it(uri: str) -> None:
    with pytest.raises(InvalidParameterError, match="tracking URI") as caught:
        HttpClient(uri)
    assert SECRET not in str(caught.value)


def test_credentials_in_the_uri_are_sent_and_not_shown(server: Server) -> None:
    client = HttpClient(f"http://me:{SECRET}%40@{server.address}")
    client.call(SEARCH_TRACES, body={})
    assert server.requests[0][2]["Authorization"] == "Basic bWU6aHVudGVyMkA="
    assert client.uri == f"http://{server.address}"


def test_a_token_goes_before_a_user_name(server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    client.call(SEARCH_TRACES, body={})
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    client.call(SEARCH_TRACES, body={})
    sent = [headers["Authorization"] for _, _, headers, _ in server.requests]
    assert sent == ["Basic bWU6aHVudGVyMg==", "Bearer t0ken"]


# -- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "RESOURCE_DOES_NOT_EXIST", NotFoundError),
        (400, "INVALID_PARAMETER_VALUE", InvalidParameterError),
        (400, "RESOURCE_ALREADY_EXISTS", AlreadyExistsError),
        (503, "TEMPORARILY_UNAVAILABLE", StoreUnavailableError),
        (403, "PERMISSION_DENIED", OtflowError),
        (500, "INTERNAL_ERROR", OtflowError),
    ],
)
def test_an_error_comes_back_as_the_class_of_a_local_store(
    server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch, status: int, code: str, kind: type[OtflowError]
) -> None:
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server.answer(status, {"error_code": code, "message": "what was wrong"})
    with pytest.raises(OtflowError, match="what was wrong") as caught:
        client.call(SEARCH_TRACES, body={})
    assert type(caught.value) is kind
    assert caught.value.error_code == code


def test_sql_in_a_message_is_not_passed_on(server: Server, client: HttpClient) -> None:
    """Such are the messages of the released MLflow's server."""
    sql = "(sqlite3.IntegrityError) {}\n[SQL: INSERT INTO t VALUES (?)]\n[parameters: (1,)]\n(Background on this error)"
    server.answer(400, {"error_code": "BAD_REQUEST", "message": sql.format("FOREIGN KEY constraint failed")})
    server.answer(400, {"error_code": "BAD_REQUEST", "message": sql.format("UNIQUE constraint failed: t.name")})
    server.answer(
        400,
        {
            "error_code": "RESOURCE_ALREADY_EXISTS",
            "message": "Experiment(name=x) already exists. Error: " + sql.format("UNIQUE constraint failed"),
        },
    )
    for kind in (NotFoundError, AlreadyExistsError, AlreadyExistsError):
        with pytest.raises(kind) as caught:
            client.call(SEARCH_TRACES, body={})
        assert not any(word in str(caught.value) for word in ("SQL", "INSERT", "sqlite", "parameters", "Background"))


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 405, 422, 500])
def test_an_answer_that_is_not_json_is_an_error_that_names_the_server(
    server: Server, client: HttpClient, status: int
) -> None:
    server.answer(status, b"<html>", Location="http://elsewhere")
    with pytest.raises(OtflowError, match=server.address):
        client.call(SEARCH_TRACES, body={})
    assert len(server.requests) == 1


def test_numbers_that_json_has_no_form_for_are_refused_without_repeating_the_body(client: HttpClient) -> None:
    with pytest.raises(InvalidParameterError, match="NaN") as caught:
        client.call(SEARCH_TRACES, body={"a": float("nan"), "b": SECRET * 1000})
    assert SECRET not in str(caught.value)


# -- trying again ----------------------------------------------------------------------------------------------


def test_a_request_is_tried_again_while_the_server_is_overloaded(server: Server, client: HttpClient) -> None:
    server.answer(503)
    server.answer(429, None, **{"Retry-After": "0"})
    server.answer(502)
    server.answer(200, {"traces": []})
    assert client.call(SEARCH_TRACES, body={"x": 1}) == {"traces": []}
    assert [body for *_, body in server.requests] == [b'{"x": 1}'] * 4


def test_a_connection_that_breaks_is_tried_again(server: Server, client: HttpClient) -> None:
    server.answer(0)
    assert client.call(SEARCH_TRACES, body={}) == {}
    assert len(server.requests) == 2


def test_a_request_that_must_not_be_repeated_is_not(server: Server, client: HttpClient) -> None:
    server.answer(0)
    with pytest.raises(StoreUnavailableError):
        client.call(CREATE_EXPERIMENT, body={"name": "n"})
    server.answer(504)
    with pytest.raises(StoreUnavailableError):
        client.call(CREATE_EXPERIMENT, body={"name": "n"})
    assert len(server.requests) == 2
    server.answer(429)
    client.call(CREATE_EXPERIMENT, body={"name": "n"})
    assert len(server.requests) == 4


def test_retries_end(server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    for _ in range(5):
        server.answer(503)
    with pytest.raises(StoreUnavailableError, match="503"):
        client.call(SEARCH_TRACES, body={})
    assert len(server.requests) == 3


def test_a_long_retry_after_is_not_waited_for(
    server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_TIMEOUT", "5")
    server.answer(429, None, **{"Retry-After": "3600"})
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        client.call(SEARCH_TRACES, body={})
    assert time.monotonic() - started < 5


# -- out of reach ----------------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_given_up_within_the_configured_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.http.shutdown()
    server.http.server_close()
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_TIMEOUT", "0.5")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", SECRET)
    client = HttpClient(f"http://me:{SECRET}@{server.address}")
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="Connection refused") as caught:
        client.call(SEARCH_TRACES, body={"secret": SECRET})
    assert time.monotonic() - started < 2
    assert server.address in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_server_that_does_not_answer_is_given_up_within_the_configured_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_TIMEOUT", "0.3")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = HttpClient(f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError, match=r"0\.3 s"):
            client.call(SEARCH_TRACES, body={})
        assert time.monotonic() - started < 2


def test_an_unknown_host_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreUnavailableError, match=r"nowhere\.invalid"):
        HttpClient(f"http://me:{SECRET}@nowhere.invalid").call(SEARCH_TRACES, body={})


def test_closing_ends_the_pauses(server: Server, client: HttpClient) -> None:
    server.answer(429, None, **{"Retry-After": "60"})
    caught: list[BaseException] = []

    def call() -> None:
        try:
            client.call(SEARCH_TRACES, body={})
        except OtflowError as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not server.requests:
        thread.join(0.01)
    client.close()
    client.close()
    thread.join(10)
    assert [type(error) for error in caught] == [StoreUnavailableError]
    with pytest.raises(OtflowError, match="closed"):
        client.call(SEARCH_TRACES, body={})


def test_a_child_leaves_the_connections_of_its_parent_alone(server: Server, client: HttpClient) -> None:
    client.call(SEARCH_TRACES, body={})
    session = client._session  # pyright: ignore[reportPrivateUsage]
    client.after_fork_in_child()
    assert client.call(SEARCH_TRACES, body={}) == {}
    assert client._session is not session  # pyright: ignore[reportPrivateUsage]
