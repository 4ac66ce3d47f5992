"""What webhooks are to be told: written in the transaction of the change itself, delivered after it."""

from __future__ import annotations

from collections.abc import Mapping

from otflow.entities import WebhookEvent
from otflow.store.sql.connection import Session

__all__ = ["emit"]


def emit(session: Session, workspace: str, event: WebhookEvent, data: Mapping[str, object]) -> None:
    """Note an event for each webhook of the workspace that is to hear of it.

    Args:
        session: The transaction that makes the change.
        workspace: Where it happens.
        event: What happens.
        data: What is said of it, as MLflow's webhooks say it.
    """
