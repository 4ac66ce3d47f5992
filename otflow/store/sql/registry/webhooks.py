"""Webhooks: made, read, changed, deleted."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otflow.clock import now_ms, now_ns
from otflow.entities import Page, Webhook, WebhookEvent, WebhookStatus
from otflow.store.sql import keyset, workspaces
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.keyset import OrderKey
from otflow.store.sql.registry.sealing import seal
from otflow.store.sql.rows import clean, clean_id
from otflow.store.webhook_addresses import check_reachable
from otflow.store.webhook_validation import (
    absent,
    check_description,
    check_events,
    check_max_results,
    check_name,
    check_secret,
    check_status,
)

__all__ = ["Draft", "contact", "create", "delete", "draft", "get", "page", "update"]

_COLUMNS: Final = "webhook_id, name, url, events, creation_time_ms, last_update_time_ms, description, status, workspace"
_ORDER: Final = (OrderKey("creation_time_ms", descending=True), OrderKey("webhook_id", descending=True))


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written of a webhook, by column; checked before the transaction begins."""

    columns: dict[str, object]


def draft(
    *,
    name: str | None = None,
    url: str | None = None,
    events: Sequence[WebhookEvent] | None = None,
    description: str | None = None,
    secret: str | None = None,
    status: WebhookStatus | None = None,
) -> Draft:
    """Check what a webhook is to be; None says nothing. An empty secret is none."""
    columns: dict[str, object] = {}
    if name is not None:
        columns["name"] = check_name(name)
    if events is not None:
        columns["events"] = json.dumps([str(event) for event in check_events(events)])
    if description is not None:
        columns["description"] = clean(check_description(description) or "")
    if status is not None:
        columns["status"] = check_status(status).value
    if secret is not None:
        columns["secret"] = seal(check_secret(secret))
    if url is not None:
        columns["url"] = clean(check_reachable(url))  # last: it asks the network
    return Draft(columns)


def create(session: Session, workspace: str, draft: Draft) -> Webhook:
    """Create a webhook from a draft that says at least name, URL, events and status."""
    workspaces.require(session, workspace)
    moment_ns = now_ns()
    now = moment_ns // 1_000_000
    columns = {
        "webhook_id": _new_id(moment_ns),
        "workspace": workspace,
        "creation_time_ms": now,
        "last_update_time_ms": now,
        **draft.columns,
    }
    session.run(
        f"INSERT INTO webhooks ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        list(columns.values()),
    )
    return get(session, workspace, str(columns["webhook_id"]))


def _new_id(moment_ns: int) -> str:
    """A UUID of version 7: those of one millisecond, too, sort as they were made."""
    ms, rest_ns = divmod(moment_ns, 1_000_000)
    fraction = (rest_ns << 12) // 1_000_000
    bits = (ms & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=bits))


def get(session: Session, workspace: str, webhook_id: str) -> Webhook:
    """One webhook of a workspace."""
    row = session.one(
        f"SELECT {_COLUMNS} FROM webhooks WHERE webhook_id = ? AND workspace = ?", (clean_id(webhook_id), workspace)
    )
    if row is None:
        raise absent(webhook_id)
    return _webhook(row)


def contact(session: Session, workspace: str, webhook_id: str) -> tuple[Webhook, str | None]:
    """One webhook, and its secret as it is stored."""
    webhook = get(session, workspace, webhook_id)
    row = session.one("SELECT secret FROM webhooks WHERE webhook_id = ?", (webhook.webhook_id,))
    return webhook, None if row is None else row[0]


def page(session: Session, workspace: str, max_results: int | None, page_token: str | None) -> Page[Webhook]:
    """One page of the webhooks of a workspace, the newest first."""
    limit = check_max_results(max_results)
    condition, parameters = "workspace = ?", [workspace]
    if page_token:
        after, more = keyset.after(_ORDER, keyset.read_token("webhooks", _ORDER, page_token))
        condition, parameters = f"{condition} AND {after}", [*parameters, *more]
    order, _ = keyset.order_by(_ORDER)
    rows = session.all(
        f"SELECT {_COLUMNS} FROM webhooks WHERE {condition} ORDER BY {order} LIMIT ?", [*parameters, limit + 1]
    )
    found = [_webhook(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(found)
    last = found[-1]
    return Page(found, keyset.write_token("webhooks", _ORDER, (last.creation_timestamp, last.webhook_id)))


def update(session: Session, workspace: str, webhook_id: str, draft: Draft) -> Webhook:
    """Change what a draft says of a webhook."""
    columns = {**draft.columns, "last_update_time_ms": now_ms()}
    assignments = ", ".join(f"{column} = ?" for column in columns)
    row = session.one(
        f"UPDATE webhooks SET {assignments} WHERE webhook_id = ? AND workspace = ? RETURNING {_COLUMNS}",
        (*columns.values(), clean_id(webhook_id), workspace),
    )
    if row is None:
        raise absent(webhook_id)
    return _webhook(row)


def delete(session: Session, workspace: str, webhook_id: str) -> None:
    """Delete a webhook, and what it is still to be told."""
    known = clean_id(webhook_id)
    # In this order: who emits an event keeps the webhook from being deleted until the event is in the outbox.
    if session.run("DELETE FROM webhooks WHERE webhook_id = ? AND workspace = ?", (known, workspace)) == 0:
        raise absent(webhook_id)
    session.run("DELETE FROM webhook_deliveries WHERE webhook_id = ?", (known,))


def _webhook(row: Row) -> Webhook:
    return Webhook(
        webhook_id=row[0],
        name=row[1],
        url=row[2],
        events=[WebhookEvent.from_str(event) for event in json.loads(row[3])],
        creation_timestamp=row[4],
        last_updated_timestamp=row[5],
        description=row[6],
        status=row[7],
        workspace=row[8],
    )
