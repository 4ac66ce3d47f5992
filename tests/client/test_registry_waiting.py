"""Versions that a server takes its time to register."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import otflow
from otflow.errors import OtflowError


class Slow(BaseHTTPRequestHandler):
    """A server that needs a while for each version: `states` are those that it tells, one after the other."""

    states: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def do_GET(self) -> None:
        if "registered-models" in self.path:
            self.send({"registered_model": {"name": "m"}})
        else:
            self.answer()

    def answer(self) -> None:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        version = {"name": "m", "version": "1", "source": "s3://b/x", "status": state, "status_message": "why"}
        self.send({"model_version": version})

    def send(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Slow]]:
    handler = type("Handler", (Slow,), {"states": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    otflow.set_tracking_uri(f"http://127.0.0.1:{running.server_port}")
    yield handler
    running.shutdown()
    running.server_close()
    thread.join()


def test_it_is_awaited(server: type[Slow]) -> None:
    server.states = ["PENDING_REGISTRATION", "PENDING_REGISTRATION", "READY"]
    version = otflow.Client().create_model_version("m", "s3://b/x", await_creation_for=1)
    assert version.status == "READY"


@pytest.mark.parametrize("wait", [0, None])
def test_it_is_not_awaited(server: type[Slow], wait: int | None) -> None:
    server.states = ["PENDING_REGISTRATION"]
    assert otflow.register_model("s3://b/x", "m", wait).status == "PENDING_REGISTRATION"


def test_it_takes_too_long(server: type[Slow]) -> None:
    server.states = ["PENDING_REGISTRATION"]
    with pytest.raises(OtflowError, match=r"Exceeded 0.1 seconds .* version 1 of 'm'"):
        otflow.register_model("s3://b/x", "m", 0.1)  # pyright: ignore[reportArgumentType]


def test_it_fails(server: type[Slow]) -> None:
    server.states = ["PENDING_REGISTRATION", "FAILED_REGISTRATION"]
    with pytest.raises(OtflowError, match="FAILED_REGISTRATION: why"):
        otflow.register_model("s3://b/x", "m", 1)
