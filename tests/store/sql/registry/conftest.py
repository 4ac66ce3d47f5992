"""Receivers of webhooks on real sockets, with and without TLS, and stores that may call them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from otflow.entities import WebhookEvent
from otflow.store.sql.registry.outbox import emit

LONGEST_S = 60


@dataclass(frozen=True)
class Call:
    """A request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def delivery_id(self) -> str:
        return self.headers["X-MLflow-Delivery-Id"]

    @property
    def name(self) -> str:
        return self.said["data"]["name"]

    def is_signed_with(self, secret: str) -> bool:
        """As MLflow's documentation says it, apart from otflow's own code."""
        content = f"{self.delivery_id}.{self.headers['X-MLflow-Timestamp']}.{self.body.decode()}"
        digest = hmac.new(secret.encode(), content.encode(), hashlib.sha256).digest()
        return self.headers.get("X-MLflow-Signature") == f"v1,{base64.b64encode(digest).decode()}"


@dataclass
class Answer:
    """What a receiver answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: threading.Event | None = None


class Receiver:
    """A server that keeps what it is told, and answers what `answers` holds, or 200."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        calls: queue.Queue[Call] = queue.Queue()
        answers: queue.Queue[Answer] = queue.Queue()
        self.calls, self.answers = calls, answers
        self.always: Answer | None = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls.put(Call(self.path, dict(self.headers.items()), body))
                try:
                    answer = answers.get_nowait()
                except queue.Empty:
                    answer = receiver.always or Answer()
                if answer.after is not None:
                    answer.after.wait(LONGEST_S)
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer.body)
                except OSError:  # the caller has gone
                    pass

            def do_GET(self) -> None:
                calls.put(Call(self.path, dict(self.headers.items()), b""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, client_address: None
        self.scheme = "http"
        if context is not None:
            self.scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def next(self) -> Call:
        """The next request; waits for it."""
        return self.calls.get(timeout=LONGEST_S)

    def all(self, count: int) -> list[Call]:
        """So many requests, and no more."""
        found = [self.next() for _ in range(count)]
        assert self.calls.empty()
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets webhooks lead to this machine, without TLS."""
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    monkeypatch.setenv("OTFLOW_WEBHOOK_FLUSH_TIMEOUT", "0")


@pytest.fixture
def receiver(allowed: None) -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def new_receiver(allowed: None) -> Iterator[Callable[..., Receiver]]:
    """Makes further receivers."""
    made: list[Receiver] = []

    def make(context: ssl.SSLContext | None = None) -> Receiver:
        made.append(Receiver(context))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(
    authority: trustme.CA, new_receiver: Callable[..., Receiver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Receiver:
    """A receiver with a certificate for `localhost` and `hook.example.com`, which the settings make trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "hook.example.com").configure_cert(context)
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("OTFLOW_WEBHOOK_CA_BUNDLE", str(bundle))
    return new_receiver(context)


MODEL_CREATED = WebhookEvent("registered_model", "created")


def put(store: Any, *names: str, workspace: str = "default") -> None:
    """Write events into the outbox, a transaction each, and wake nobody."""
    for name in names:
        store._database.write(lambda session, name=name: emit(session, workspace, MODEL_CREATED, {"name": name}))


@pytest.fixture(name="put")
def put_fixture() -> Callable[..., None]:
    return put


@pytest.fixture(name="answer")
def answer_fixture() -> type[Answer]:
    return Answer


@pytest.fixture
def outbox() -> Callable[[Any], list[tuple[Any, ...]]]:
    """The rows of the outbox: event, attempts, due_ms, claim."""

    def rows(store: Any) -> list[tuple[Any, ...]]:
        with store._database.read() as session:
            return session.all("SELECT event, attempts, due_ms, claim FROM webhook_deliveries ORDER BY number")

    return rows


@pytest.fixture
def make_due() -> Callable[[Any], None]:
    """Make everything in the outbox due, as if the time had come."""

    def change(store: Any) -> None:
        store._database.write(lambda session: session.run("UPDATE webhook_deliveries SET due_ms = 0"))

    return change
