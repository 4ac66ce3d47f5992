"""What webhooks are to be told: written in the transaction of the change itself, delivered after it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from otflow import clock
from otflow.entities import WebhookEvent
from otflow.store.sql.connection import Session
from otflow.store.sql.rows import clean
from otflow.store.sql.statements import insert_rows
from otflow.wire.webhooks import event_body

__all__ = ["emit"]


def emit(session: Session, workspace: str, event: WebhookEvent, data: Mapping[str, object]) -> None:
    """Note an event for each webhook of the workspace that is to hear of it.

    Args:
        session: The transaction that makes the change.
        workspace: Where it happens.
        event: What happens.
        data: What is said of it, as MLflow's webhooks say it.
    """
    webhooks = session.all(
        "SELECT webhook_id, events FROM webhooks WHERE workspace = ? AND status = 'ACTIVE'"
        " ORDER BY creation_time_ms, webhook_id" + session.dialect.for_reference,
        (workspace,),
    )
    if not webhooks:
        return
    # Also where none of them is to hear of this: something may have been left by a process that has ended.
    session.emitted = True
    listening = [webhook_id for webhook_id, events in webhooks if str(event) in json.loads(events)]
    if listening:
        body = clean(event_body(event, data, clock.now_ns()))
        insert_rows(
            session,
            "INSERT INTO webhook_deliveries (delivery_id, webhook_id, event, body, attempts, due_ms, claim) VALUES {}",
            [(str(uuid.uuid4()), webhook_id, str(event), body, 0, clock.now_ms(), "") for webhook_id in listening],
        )
