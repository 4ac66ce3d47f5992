"""Webhooks on a server of the released MLflow, which calls a receiver that verifies with otflow."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from otflow import Client, webhooks
from otflow.entities import WebhookStatus
from otflow.errors import InvalidParameterError

pytestmark = pytest.mark.differential

SECRET = "s3cret"
LONGEST_S = 60


class Receiver:
    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                calls.put((dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(202)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"taken")

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def client(calling_server: str) -> Client:
    return Client(calling_server)


def test_what_mlflow_sends_is_verified(client, calling_server, receiver):
    webhook = client.create_webhook("one", receiver.url, ["registered_model.created"], secret=SECRET)
    requests.post(
        f"{calling_server}/api/2.0/mlflow/registered-models/create",
        json={"name": "a model", "description": "wörter", "tags": [{"key": "k", "value": "v"}]},
        timeout=LONGEST_S,
    ).raise_for_status()
    headers, body = receiver.calls.get(timeout=LONGEST_S)
    delivery = webhooks.verify(body, headers, SECRET)
    assert delivery.event == "registered_model.created"
    assert delivery.data == {"name": "a model", "tags": {"k": "v"}, "description": "wörter"}
    with pytest.raises(webhooks.InvalidSignatureError):
        webhooks.verify(body, headers, "another")
    client.delete_webhook(webhook.webhook_id)


def test_test_calls_say_the_same(client, receiver, tmp_path, monkeypatch):
    """MLflow's server and ours send the same examples, and report the same of what is answered."""
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    events = [
        *("registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted"),
        *("model_version_alias.created", "model_version_alias.deleted", "prompt.created", "prompt_version.created"),
        *("prompt_tag.set", "prompt_tag.deleted", "prompt_version_tag.set", "prompt_version_tag.deleted"),
        *("prompt_alias.created", "prompt_alias.deleted"),
    ]
    told: list[list[Any]] = []
    for side in (client, Client(f"sqlite:///{tmp_path}/t.db")):
        webhook = side.create_webhook("one", receiver.url, events, secret=SECRET)
        said: list[Any] = []
        for event in (None, *events):
            result = side.test_webhook(webhook.webhook_id, event)
            headers, body = receiver.calls.get(timeout=LONGEST_S)
            delivery = webhooks.verify(body, headers, SECRET)
            names = {name for name in headers if name.startswith("X-MLflow")} | {headers["Content-Type"]}
            said.append((result, delivery.event, delivery.data, names))
        told.append(said)
        assert receiver.calls.empty()
        side.delete_webhook(webhook.webhook_id)
    assert told[0] == told[1]


def test_a_receiver_that_is_not_there(client):
    webhook = client.create_webhook("one", "http://127.0.0.1:1/", ["prompt.created"])
    result = client.test_webhook(webhook.webhook_id)
    assert (result.success, result.response_status, result.response_body) == (False, None, None)
    assert result.error_message
    client.delete_webhook(webhook.webhook_id)


def test_a_webhook_that_is_changed_stays_disabled(client, receiver):
    """MLflow's server makes it active where a request does not say what it is to be."""
    webhook = client.create_webhook("one", receiver.url, ["prompt.created"], status="DISABLED")
    assert client.update_webhook(webhook.webhook_id, name="two").status is WebhookStatus.DISABLED
    assert client.get_webhook(webhook.webhook_id).status is WebhookStatus.DISABLED
    client.delete_webhook(webhook.webhook_id)


def test_what_the_server_cannot_take_away_is_refused(client, receiver):
    webhook = client.create_webhook("one", receiver.url, ["prompt.created"], description="words", secret=SECRET)
    for more in ({"description": ""}, {"secret": ""}):
        with pytest.raises(InvalidParameterError, match="delete the webhook"):
            client.update_webhook(webhook.webhook_id, **more)
    client.delete_webhook(webhook.webhook_id)
