"""`otflow webhooks …`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from otflow.cli.output import put, say
from otflow.cli.places import opened, store_uri
from otflow.entities import Webhook, WebhookEvent
from otflow.store.interface import Store
from otflow.store.webhook_addresses import without_secrets
from otflow.tracing.brief import printable
from otflow.wire.webhooks import webhook_to_json

__all__ = ["deliver", "show", "test"]

_HEAD: Final = ("ID", "NAME", "STATUS", "URL", "EVENTS")


def show(arguments: Any) -> int:
    """List the webhooks."""
    with opened(store_uri(arguments.store)) as store:
        found = list(_all(store))
    if (arguments.format or ("table" if sys.stdout.isatty() else "jsonl")) == "jsonl":
        for webhook in found:
            events = [str(event) for event in webhook.events]
            put(json.dumps({**webhook_to_json(webhook), "url": without_secrets(webhook.url), "events": events}))
        return 0
    lines = [_HEAD, *(_cells(webhook) for webhook in found)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEAD) - 1)]
    for line in lines:
        put("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]))
    return 0


def _all(store: Store) -> Iterator[Webhook]:
    token: str | None = None
    while True:
        page = store.list_webhooks(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _cells(webhook: Webhook) -> tuple[str, ...]:
    return (
        printable(webhook.webhook_id),
        printable(webhook.name),
        webhook.status.value,
        printable(without_secrets(webhook.url)),
        ", ".join(str(event) for event in webhook.events),
    )


def test(arguments: Any) -> int:
    """Call a webhook with an example."""
    event = None if arguments.event is None else WebhookEvent.from_str(arguments.event)
    with opened(store_uri(arguments.store)) as store:
        result = store.test_webhook(arguments.webhook_id, event)
    if result.error_message:
        say(f"otflow: {result.error_message}")
    else:
        put(f"the receiver answered with the HTTP status {result.response_status}")
        body = printable((result.response_body or "").strip())
        if body:
            put(body)
    return 0 if result.success else 1


def deliver(arguments: Any) -> int:
    """Deliver what processes that have ended left behind."""
    with opened(store_uri(arguments.store)) as store:
        before = store.count_undelivered()
        count = store.deliver_webhooks(arguments.timeout)
        left = store.count_undelivered()
    put(f"{count} delivered, {max(0, before - count - left)} given up, {left} left")
    return 0
