"""`otflow webhooks …`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otflow.entities import WebhookEvent
from otflow.store.opening import open_store
from otflow.store.sql.registry.outbox import emit

from .conftest import Run

EVENT = WebhookEvent("registered_model", "created")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a receiver, which answers with the status that the path begins with."""
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(int(self.path[1:4]))
            self.end_headers()
            self.wfile.write(f"heard of {said['data']['name']}\x1b[31m".encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Any]:
    store = open_store(f"sqlite:///{tmp_path}/webhooks.db")
    yield store
    store.close()


def test_list(run: Run, store: Any) -> None:
    assert run("webhooks", "list", "-s", store.uri).out == ""
    made = store.create_webhook("one", "https://1.1.1.1/a/path-secret?token=query-secret", [EVENT], secret="key-secret")
    done = run("webhooks", "list", "-s", store.uri)
    [line] = done.lines
    assert json.loads(line)["webhook_id"] == made.webhook_id
    assert json.loads(line)["events"] == ["registered_model.created"]
    table = run("webhooks", "list", "-s", store.uri, "--format", "table")
    assert table.lines[0].split() == ["ID", "NAME", "STATUS", "URL", "EVENTS"]
    assert table.lines[1].split() == [
        made.webhook_id, "one", "ACTIVE", "https://1.1.1.1/a/…", "registered_model.created",
    ]  # fmt: skip
    assert "secret" not in done.out + table.out


def test_list_of_many(run: Run, store: Any) -> None:
    for number in range(103):
        store.create_webhook(f"w{number}", "https://1.1.1.1/", [EVENT], status="DISABLED")
    assert len(run("webhooks", "list", "-s", store.uri).lines) == 103


def test_test(run: Run, store: Any, receiver: str) -> None:
    good = store.create_webhook("good", f"{receiver}/200", [EVENT])
    done = run("webhooks", "test", "-s", store.uri, good.webhook_id)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == "the receiver answered with the HTTP status 200"
    assert done.lines[1].startswith("heard of example_model")
    assert "\x1b" not in done.out
    other = run("webhooks", "test", "-s", store.uri, "--event", "prompt.created", good.webhook_id)
    assert "heard of example_prompt" in other.out
    bad = store.create_webhook("bad", f"{receiver}/500", [EVENT])
    assert run("webhooks", "test", "-s", store.uri, bad.webhook_id).code == 1


def test_what_cannot_be_tested(run: Run, store: Any, receiver: str) -> None:
    nobody = store.create_webhook("nobody", "http://127.0.0.1:1/path-secret", [EVENT])
    done = run("webhooks", "test", "-s", store.uri, nobody.webhook_id)
    assert (done.code, done.out) == (1, "")
    assert "cannot be reached" in done.err
    assert "secret" not in done.err
    assert "not found" in run("webhooks", "test", "-s", store.uri, "x").err
    assert run("webhooks", "test", "-s", store.uri, "--event", "x", nobody.webhook_id).code == 1


def test_deliver(run: Run, store: Any, receiver: str) -> None:
    assert run("webhooks", "deliver", "-s", store.uri).out == "0 delivered, 0 given up, 0 left\n"
    store.create_webhook("good", f"{receiver}/200", [EVENT])
    store.create_webhook("gone", f"{receiver}/404", [EVENT])
    for name in "abc":
        store._database.write(lambda session, name=name: emit(session, "default", EVENT, {"name": name}))
    assert run("webhooks", "deliver", "-s", store.uri).out == "3 delivered, 3 given up, 0 left\n"
