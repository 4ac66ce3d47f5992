"""Webhooks ↔ the JSON of MLflow's REST API, and what a webhook is told: body, headers, signature.

Source: MLflow's documentation, "Webhooks"; verified against a server of the released MLflow 3.10.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from otflow.entities import Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from otflow.wire.scalars import Json, integer, members, reading

__all__ = [
    "DELIVERY_ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "event_body",
    "event_to_json",
    "example",
    "result_from_json",
    "result_to_json",
    "signature",
    "webhook_from_json",
    "webhook_to_json",
]

SIGNATURE_HEADER: Final = "X-MLflow-Signature"
DELIVERY_ID_HEADER: Final = "X-MLflow-Delivery-Id"
TIMESTAMP_HEADER: Final = "X-MLflow-Timestamp"

_MODEL: Final = {"name": "example_model"}
_PROMPT: Final = {"name": "example_prompt"}
_VERSION: Final = {"version": "1"}
_TAG: Final = {"key": "example_key", "value": "example_value"}
_KEY: Final = {"key": "example_key"}
_ALIAS: Final = {"alias": "example_alias"}
_TAGS: Final = {"tags": {"example_key": "example_value"}}

_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "registered_model.created": {**_MODEL, **_TAGS, "description": "An example registered model"},
    "model_version.created": {
        **_MODEL,
        **_VERSION,
        "source": "models:/123",
        "run_id": "abcd1234abcd5678",
        **_TAGS,
        "description": "An example model version",
    },
    "model_version_tag.set": {**_MODEL, **_VERSION, **_TAG},
    "model_version_tag.deleted": {**_MODEL, **_VERSION, **_KEY},
    "model_version_alias.created": {**_MODEL, **_ALIAS, **_VERSION},
    "model_version_alias.deleted": {**_MODEL, **_ALIAS},
    "prompt.created": {**_PROMPT, **_TAGS, "description": "An example prompt"},
    "prompt_version.created": {
        **_PROMPT,
        **_VERSION,
        "template": "Hello {{name}}!",
        **_TAGS,
        "description": "An example prompt version",
    },
    "prompt_tag.set": {**_PROMPT, **_TAG},
    "prompt_tag.deleted": {**_PROMPT, **_KEY},
    "prompt_version_tag.set": {**_PROMPT, **_VERSION, **_TAG},
    "prompt_version_tag.deleted": {**_PROMPT, **_VERSION, **_KEY},
    "prompt_alias.created": {**_PROMPT, **_ALIAS, **_VERSION},
    "prompt_alias.deleted": {**_PROMPT, **_ALIAS},
}


# -- what a webhook is told --------------------------------------------------------------------------


def example(event: WebhookEvent) -> Mapping[str, Any]:
    """What a test call says of an event."""
    return _EXAMPLES[str(event)]


def event_body(event: WebhookEvent, data: Mapping[str, object], time_ns: int) -> str:
    """The body of a call, in ASCII."""
    moment = datetime.fromtimestamp(time_ns // 1000 / 1_000_000, tz=timezone.utc)
    return json.dumps(
        {
            "entity": event.entity.value,
            "action": event.action.value,
            "timestamp": moment.isoformat(timespec="microseconds"),
            "data": data,
        }
    )


def signature(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a call: HMAC-SHA256 over `delivery_id.timestamp.body`."""
    signed = f"{delivery_id}.{timestamp}.".encode("utf-8", "surrogatepass") + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


# -- the REST API ------------------------------------------------------------------------------------


def event_to_json(event: WebhookEvent) -> dict[str, str]:
    """The event as it travels."""
    return {"entity": event.entity.name, "action": event.action.name}


def _events_from_json(data: Sequence[Json]) -> list[WebhookEvent]:
    return [WebhookEvent(str(one["entity"]).lower(), str(one["action"]).lower()) for one in data]


def webhook_to_json(webhook: Webhook) -> dict[str, Any]:
    """The webhook as it travels: without its secret."""
    data: dict[str, Any] = {
        "webhook_id": webhook.webhook_id,
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": [event_to_json(event) for event in webhook.events],
        "status": webhook.status.value,
        "creation_timestamp": webhook.creation_timestamp,
        "last_updated_timestamp": webhook.last_updated_timestamp,
    }
    return {key: value for key, value in data.items() if value is not None}


def webhook_from_json(data: Json, workspace: str | None = None) -> Webhook:
    """The webhook that has travelled.

    Args:
        data: The JSON object.
        workspace: The workspace it is in.

    Raises:
        OtflowError: `data` is none.
    """
    events = members(data, "events", "events of a webhook")
    with reading("webhook", data):
        return Webhook(
            webhook_id=data["webhook_id"],
            name=data["name"],
            url=data["url"],
            events=_events_from_json(events),
            creation_timestamp=integer(data.get("creation_timestamp")),
            last_updated_timestamp=integer(data.get("last_updated_timestamp")),
            description=data.get("description"),
            status=data.get("status", WebhookStatus.ACTIVE),
            workspace=workspace,
        )


def result_to_json(result: WebhookTestResult) -> dict[str, Any]:
    """What came of a test call, as it travels."""
    return {key: value for key, value in result if value is not None}


def result_from_json(data: Json) -> WebhookTestResult:
    """What came of a test call, after it has travelled.

    Raises:
        OtflowError: `data` is none.
    """
    with reading("result of a test call", data):
        status = data.get("response_status")
        return WebhookTestResult(
            success=bool(data.get("success", False)),
            response_status=None if status is None else integer(status),
            response_body=data.get("response_body"),
            error_message=data.get("error_message"),
        )
