"""Webhooks and their events as plain data."""

from __future__ import annotations

import pytest

from otflow.entities import Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from otflow.errors import InvalidParameterError

# Every event of MLflow's documentation.
EVENTS = [
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
]


@pytest.mark.parametrize("event", EVENTS)
def test_every_event(event):
    read = WebhookEvent.from_str(event)
    assert str(read) == event
    assert read == WebhookEvent(*event.split("."))
    assert repr(read) == "WebhookEvent(entity={}, action={})".format(*event.split("."))


@pytest.mark.parametrize("event", ["x", ".", "prompt.zz", "zz.created", "registered_model.deleted", "prompt.updated"])
def test_no_event(event):
    with pytest.raises(InvalidParameterError, match=r"event|action"):
        WebhookEvent.from_str(event)


def test_a_webhook():
    event = WebhookEvent("prompt", "created")
    webhook = Webhook("w", "n", "https://x", [event], 1, 2, secret="hush")
    assert webhook.status is WebhookStatus.ACTIVE
    assert [status.is_active() for status in WebhookStatus] == [True, False]
    assert webhook.workspace == "default"
    assert "hush" not in repr(webhook)
    assert Webhook("w", "n", "u", [event], 1, 2, status="DISABLED").status == "DISABLED"
    with pytest.raises(InvalidParameterError, match="cannot be empty"):
        Webhook("w", "n", "u", [], 1, 2)
    with pytest.raises(InvalidParameterError, match="'x'"):
        Webhook("w", "n", "u", [event], 1, 2, status="x")


def test_a_test_of_one():
    assert repr(WebhookTestResult(True, 200)) == (
        "WebhookTestResult(success=True, response_status=200, response_body=None, error_message=None)"
    )
