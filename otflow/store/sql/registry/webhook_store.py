"""Webhooks of one workspace of a SQL database."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from otflow import clock
from otflow.entities import Page, Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from otflow.errors import InvalidParameterError
from otflow.store.registry import WebhookStore
from otflow.store.sql.registry import webhooks
from otflow.store.sql.registry.part import RegistryPart
from otflow.store.sql.registry.sealing import unseal
from otflow.store.webhook_validation import check_events, check_name
from otflow.wire.webhooks import event_body, example

__all__ = ["SqlWebhooks"]


class SqlWebhooks(RegistryPart, WebhookStore):
    """The part of the store that has to do with webhooks."""

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
        required: dict[str, Any] = {"name": check_name(name), "events": check_events(events)}
        if url is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise InvalidParameterError("Webhook URL must be a string, got 'NoneType'")
        draft = webhooks.draft(**required, url=url, description=description, secret=secret, status=status)
        return self._database.write(lambda session: webhooks.create(session, self._workspace, draft))

    def get_webhook(self, webhook_id: str) -> Webhook:
        with self._database.read() as session:
            return webhooks.get(session, self._workspace, webhook_id)

    def list_webhooks(self, *, max_results: int | None = None, page_token: str | None = None) -> Page[Webhook]:
        with self._database.read() as session:
            return webhooks.page(session, self._workspace, max_results, page_token)

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
        draft = webhooks.draft(name=name, description=description, url=url, events=events, secret=secret, status=status)
        return self._database.write(lambda session: webhooks.update(session, self._workspace, webhook_id, draft))

    def delete_webhook(self, webhook_id: str) -> None:
        self._database.write(lambda session: webhooks.delete(session, self._workspace, webhook_id))

    def test_webhook(self, webhook_id: str, event: WebhookEvent | None = None) -> WebhookTestResult:
        from otflow.store.sql.registry.calling import call

        with self._database.read() as session:
            webhook, stored = webhooks.contact(session, self._workspace, webhook_id)
        event = webhook.events[0] if event is None else check_events([event])[0]
        body = event_body(event, example(event), clock.now_ns())
        outcome = call(webhook.url, body, str(uuid.uuid4()), unseal(stored))
        error = None if outcome.error is None else f"Failed to test webhook: {outcome.error}"
        return WebhookTestResult(outcome.success, outcome.status, outcome.body, error)

    def deliver_webhooks(self, timeout_s: float) -> int:
        deliverer = self._open_deliverer()
        before = deliverer.delivered
        deliverer.flush(timeout_s)
        return deliverer.delivered - before

    def count_undelivered(self) -> int:
        with self._database.read() as session:
            row = session.one("SELECT COUNT(*) FROM webhook_deliveries")
        return 0 if row is None else row[0]
