"""Webhooks behind an HTTP server, which calls them itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from otflow.entities import Page, Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from otflow.errors import InvalidParameterError
from otflow.store.registry import WebhookStore
from otflow.store.remote.client import HttpClient
from otflow.store.webhook_validation import (
    absent,
    check_description,
    check_events,
    check_max_results,
    check_name,
    check_secret,
    check_status,
)
from otflow.wire import endpoints
from otflow.wire.scalars import member, members
from otflow.wire.webhooks import event_to_json, result_from_json, webhook_from_json

__all__ = ["RemoteWebhooks"]

_ID: Final = re.compile(r"[\w-]+").fullmatch


class RemoteWebhooks(WebhookStore):
    """The part of the remote store that has to do with webhooks."""

    _http: HttpClient

    def create_webhook(
        self,
        name: str,
        url: str,
        events: Sequence[WebhookEvent],
        *,
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus = WebhookStatus.ACTIVE,
    ) -> Webhook:
        body: dict[str, Any] = {
            "name": check_name(name),
            "url": _check_url(url),
            "events": [event_to_json(event) for event in check_events(events)],
            "description": check_description(description),
            "secret": check_secret(secret),
            "status": check_status(status).value,
        }
        answer = self._http.call(endpoints.CREATE_WEBHOOK, body={k: v for k, v in body.items() if v is not None})
        return webhook_from_json(member(answer, "webhook", "webhook"))

    def get_webhook(self, webhook_id: str) -> Webhook:
        answer = self._http.call(endpoints.GET_WEBHOOK, {"webhook_id": _check_id(webhook_id)})
        return webhook_from_json(member(answer, "webhook", "webhook"))

    def list_webhooks(self, *, max_results: int | None = None, page_token: str | None = None) -> Page[Webhook]:
        query: dict[str, Any] = {"max_results": check_max_results(max_results)}
        if page_token:
            query["page_token"] = str(page_token)
        answer = self._http.call(endpoints.LIST_WEBHOOKS, query=query)
        found = [webhook_from_json(data) for data in members(answer, "webhooks", "list of webhooks")]
        return Page(found, answer.get("next_page_token") or None)

    def update_webhook(
        self,
        webhook_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        events: Sequence[WebhookEvent] | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        if description == "" or secret == "":
            raise InvalidParameterError(
                f"The server at {self._http.uri} cannot take the description or the secret of a webhook away; delete "
                "the webhook and create another"
            )
        known = _check_id(webhook_id)
        body: dict[str, Any] = {
            "name": None if name is None else check_name(name),
            "url": None if url is None else _check_url(url),
            "events": None if events is None else [event_to_json(event) for event in check_events(events)],
            "description": check_description(description),
            "secret": check_secret(secret),
            # MLflow's server makes a webhook active where this is not said.
            "status": (self.get_webhook(known).status if status is None else check_status(status)).value,
        }
        answer = self._http.call(
            endpoints.UPDATE_WEBHOOK,
            {"webhook_id": known},
            body={key: value for key, value in body.items() if value is not None},
        )
        return webhook_from_json(member(answer, "webhook", "webhook"))

    def delete_webhook(self, webhook_id: str) -> None:
        self._http.call(endpoints.DELETE_WEBHOOK, {"webhook_id": _check_id(webhook_id)})

    def test_webhook(self, webhook_id: str, event: WebhookEvent | None = None) -> WebhookTestResult:
        body = {} if event is None else {"event": event_to_json(check_events([event])[0])}
        answer = self._http.call(endpoints.TEST_WEBHOOK, {"webhook_id": _check_id(webhook_id)}, body=body)
        return result_from_json(member(answer, "result", "result of a test call"))


def _check_id(webhook_id: object) -> str:
    """The id, if it can be part of a path."""
    text = str(webhook_id)
    if webhook_id is None or _ID(text) is None:
        raise absent(webhook_id)
    return text


def _check_url(url: object) -> str:
    """The URL, if it is a text; where it may lead to is the server's business."""
    if not isinstance(url, str):
        raise InvalidParameterError(f"Webhook URL must be a string, got {type(url).__name__!r}")
    if not url.strip():
        raise InvalidParameterError("Webhook URL cannot be empty or just whitespace")
    return url
