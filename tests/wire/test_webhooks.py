"""Webhooks ↔ the JSON of MLflow's REST API."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from otflow.errors import OtflowError
from otflow.wire.webhooks import example, result_from_json, result_to_json, webhook_from_json, webhook_to_json

EVENTS = [WebhookEvent("prompt", "created"), WebhookEvent("model_version_tag", "deleted")]
# An answer of a server of the released MLflow.
ANSWER = {
    "webhook_id": "78cdb548-e43d-4f83-b031-f2b41b869ab3",
    "name": "r",
    "url": "https://example.com/hook",
    "events": [{"entity": "PROMPT", "action": "CREATED"}],
    "status": "DISABLED",
    "creation_timestamp": 1795996512095,
    "last_updated_timestamp": 1795996512095,
}


def test_an_answer_of_mlflow():
    webhook = webhook_from_json(ANSWER)
    assert webhook.events == [WebhookEvent("prompt", "created")]
    assert (webhook.status, webhook.description, webhook.secret) == (WebhookStatus.DISABLED, None, None)
    assert webhook_to_json(webhook) == ANSWER


@given(st.text(), st.none() | st.text(), st.lists(st.sampled_from(EVENTS), min_size=1), st.sampled_from(WebhookStatus))
def test_a_webhook_travels_without_its_secret(name, description, events, status):
    webhook = Webhook("id", name, "https://x", events, 1, 2, description, status, secret="s3cret-of-it")
    text = json.dumps(webhook_to_json(webhook))
    assert "s3cret-of-it" not in text
    again = webhook_from_json(json.loads(text))
    assert {**dict(again), "secret": None} == {**dict(webhook), "secret": None}


@given(st.booleans(), st.none() | st.integers(100, 599), st.none() | st.text(), st.none() | st.text())
def test_what_came_of_a_test_call_travels(success, status, body, error):
    result = WebhookTestResult(success, status, body, error)
    assert result_from_json(json.loads(json.dumps(result_to_json(result)))) == result


@pytest.mark.parametrize(
    "change",
    [
        {"webhook_id": None},
        {"events": []},
        {"events": [{}]},
        {"events": 5},
        {"status": "X"},
        {"creation_timestamp": "x"},
    ],
)
def test_answers_that_are_none(change):
    data = {**ANSWER, **change}
    with pytest.raises(OtflowError):
        webhook_from_json({key: value for key, value in data.items() if value is not None})


def test_there_is_an_example_of_each_event():
    for event in ("registered_model.created", "prompt_alias.deleted", "model_version.created"):
        assert example(WebhookEvent.from_str(event))["name"].startswith("example_")
