"""Webhooks by the object API."""

from __future__ import annotations

import itertools

import pytest

import otflow
from otflow import clock
from otflow.entities import WebhookEvent, WebhookStatus
from otflow.errors import InvalidParameterError, NotFoundError

URL = "https://1.1.1.1/hook"


@pytest.fixture
def client(tmp_path) -> otflow.Client:
    return otflow.Client(f"sqlite:///{tmp_path}/webhooks.db")


def test_a_webhook_from_beginning_to_end(client):
    made = client.create_webhook("one", URL, ["prompt.created", WebhookEvent("prompt", "created")], secret="s3cret")
    assert [str(event) for event in made.events] == ["prompt.created"]
    assert client.get_webhook(made.webhook_id) == made
    assert list(client.list_webhooks()) == [made]
    changed = client.update_webhook(made.webhook_id, "two", "words", f"{URL}/2", ["prompt_tag.set"], "", "DISABLED")
    assert (changed.name, changed.description, changed.url) == ("two", "words", f"{URL}/2")
    assert (str(changed.events[0]), changed.status) == ("prompt_tag.set", WebhookStatus.DISABLED)
    client.delete_webhook(made.webhook_id)
    assert list(client.list_webhooks()) == []
    with pytest.raises(NotFoundError):
        client.get_webhook(made.webhook_id)


@pytest.mark.parametrize("step_ns", [1_000, 700_000, 1_000_000])
def test_the_newest_is_the_first(client, step_ns):
    moments = itertools.count(1_790_000_000_000_999_000, step_ns)
    clock.use(lambda: next(moments))
    try:
        names = [client.create_webhook(f"hook-{number}", URL, ["prompt.created"]).name for number in range(12)]
    finally:
        clock.use(None)
    assert [webhook.name for webhook in client.list_webhooks()] == names[::-1]
    first = client.list_webhooks(max_results=5)
    rest = client.list_webhooks(page_token=first.token)
    assert [webhook.name for webhook in [*first, *rest]] == names[::-1]


def test_webhooks_are_kept_where_the_registry_is(tmp_path):
    client = otflow.Client(f"sqlite:///{tmp_path}/traces.db", f"sqlite:///{tmp_path}/registry.db")
    client.create_webhook("one", URL, ["prompt.created"])
    assert len(otflow.Client(f"sqlite:///{tmp_path}/registry.db").list_webhooks()) == 1
    assert len(otflow.Client(f"sqlite:///{tmp_path}/traces.db").list_webhooks()) == 0


@pytest.mark.parametrize("events", [None, [], "prompt.created", ["prompt.updated"], ["nonsense"], [5]])
def test_events_that_are_none(client, events):
    with pytest.raises(InvalidParameterError):
        client.create_webhook("one", URL, events)


def test_where_it_may_not_lead_to_it_is_not_tested(client, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    made = client.create_webhook("one", "https://127.0.0.1:1/hook", ["prompt.created"])
    monkeypatch.delenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS")
    result = client.test_webhook(made.webhook_id)
    assert (result.success, result.response_status, result.response_body) == (False, None, None)
    assert "non-public" in result.error_message


def test_there_is_no_such_event_to_test(client):
    made = client.create_webhook("one", URL, ["prompt.created"], status="DISABLED")
    with pytest.raises(InvalidParameterError):
        client.test_webhook(made.webhook_id, "prompt.updated")
    with pytest.raises(NotFoundError):
        client.test_webhook("x")
