"""Webhooks."""

from __future__ import annotations

from collections.abc import Sequence

from otflow.client.connected import Connected
from otflow.entities import Page, Webhook, WebhookEvent, WebhookStatus, WebhookTestResult

__all__ = ["WebhookClient"]


class WebhookClient(Connected):
    """Webhooks: addresses that hear of what happens in the registry."""

    def create_webhook(
        self,
        name: str,
        url: str,
        events: Sequence[str | WebhookEvent],
        description: str | None = None,
        secret: str | None = None,
        status: str | WebhookStatus | None = None,
    ) -> Webhook:
        """Create a webhook.

        Args:
            name: At most 63 letters, digits, `.`, `_` and `-`. Names need not differ.
            url: Where it leads to: `https://…`, at an address of the public internet, unless the settings allow more.
            events: What it hears of, such as `"prompt_version.created"`.
            description: What it is for.
            secret: What its calls are signed with; `otflow.webhooks.verify` verifies them. It never comes back.
            status: `"ACTIVE"`, the default, or `"DISABLED"`.

        Raises:
            InvalidParameterError: One of these is not allowed.

        Example:
            >>> client.create_webhook(
            ...     "deploy", "https://ci.example.com/hook", ["prompt_alias.created"], secret="…"
            ... )  # doctest: +SKIP
        """
        return self._registry().create_webhook(
            name,
            url,
            _events(events),
            description=description,
            secret=secret,
            status=WebhookStatus.ACTIVE if status is None else _status(status),
        )

    def get_webhook(self, webhook_id: str) -> Webhook:
        """One webhook, without its secret. Raises NotFoundError."""
        return self._registry().get_webhook(webhook_id)

    def list_webhooks(self, max_results: int | None = None, page_token: str | None = None) -> Page[Webhook]:
        """One page of the webhooks, the newest first.

        Args:
            max_results: How many at most, up to 1,000; 100 by default.
            page_token: The `token` of the page before.
        """
        return self._registry().list_webhooks(max_results=max_results, page_token=page_token)

    def update_webhook(
        self,
        webhook_id: str,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        events: Sequence[str | WebhookEvent] | None = None,
        secret: str | None = None,
        status: str | WebhookStatus | None = None,
    ) -> Webhook:
        """Change a webhook; see `create_webhook`.

        Args:
            webhook_id: The webhook.
            name: A new name.
            description: A new description.
            url: A new URL.
            events: What it hears of from now on.
            secret: A new secret; an empty one takes the secret away.
            status: While it is `"DISABLED"` nothing new is noted for it, and what was noted before waits.

        Raises:
            NotFoundError: There is no such webhook.
            InvalidParameterError: One of these is not allowed.
        """
        return self._registry().update_webhook(
            webhook_id,
            name=name,
            description=description,
            url=url,
            events=None if events is None else _events(events),
            secret=secret,
            status=None if status is None else _status(status),
        )

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook, and what it was still to be told. Raises NotFoundError."""
        self._registry().delete_webhook(webhook_id)

    def test_webhook(self, webhook_id: str, event: str | WebhookEvent | None = None) -> WebhookTestResult:
        """Call a webhook now with an example, once; whether it is active does not matter.

        Args:
            webhook_id: The webhook.
            event: The event that the example is of; by default the first one that the webhook hears of.

        Returns:
            What the receiver answered, or why it did not.

        Raises:
            NotFoundError: There is no such webhook.
            InvalidParameterError: There is no such event.
        """
        return self._registry().test_webhook(webhook_id, None if event is None else _events([event])[0])


def _events(events: Sequence[str | WebhookEvent]) -> list[WebhookEvent]:
    from otflow.store.webhook_validation import check_events

    return check_events(events)


def _status(status: object) -> WebhookStatus:
    from otflow.store.webhook_validation import check_status

    return check_status(status)
