"""What a webhook may be, as the released MLflow has it; where it may lead to is in `webhook_addresses`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast

from otflow.entities import WebhookEvent, WebhookStatus
from otflow.errors import InvalidParameterError, NotFoundError

__all__ = [
    "MAX_RESULTS",
    "absent",
    "check_description",
    "check_events",
    "check_max_results",
    "check_name",
    "check_secret",
    "check_status",
]

MAX_RESULTS: Final = 1000
_DEFAULT_RESULTS: Final = 100
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?").fullmatch


def absent(webhook_id: object) -> NotFoundError:
    """An error that says there is no such webhook."""
    return NotFoundError(f"Webhook with ID {webhook_id} not found.")


def check_name(name: object) -> str:
    """The name, if a webhook may have it."""
    if not isinstance(name, str):
        raise InvalidParameterError(f"Webhook name must be a string, got {type(name).__name__!r}")
    if _NAME(name) is None:
        raise InvalidParameterError(
            f"Webhook name {name!r} is invalid. It must start and end with a letter or digit, be at most 63 characters"
            " long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )
    return name


def check_events(events: Any) -> list[WebhookEvent]:
    """The events, each once, in MLflow's order: by entity, then by action."""
    if isinstance(events, (str, bytes)) or not isinstance(events, Sequence) or not events:
        raise InvalidParameterError(f"Webhook events must be a non-empty list of WebhookEvent objects: {events!r}.")
    found: dict[str, WebhookEvent] = {}
    for given in cast("Sequence[object]", events):
        event = WebhookEvent.from_str(given) if isinstance(given, str) else given
        if not isinstance(event, WebhookEvent):
            raise InvalidParameterError(f"Webhook events must be a non-empty list of WebhookEvent objects: {events!r}.")
        found[str(event)] = event
    return sorted(found.values(), key=lambda event: (event.entity.value, event.action.value))


def check_status(status: object) -> WebhookStatus:
    """The status, if there is such a one."""
    try:
        return WebhookStatus(status)
    except ValueError as error:
        raise InvalidParameterError(f"Invalid webhook status {status!r}; it is ACTIVE or DISABLED") from error


def check_secret(secret: object) -> str | None:
    """The secret; an empty one is none. No message holds it."""
    if secret is None or secret == "":
        return None
    if not isinstance(secret, str):
        raise InvalidParameterError(f"The secret of a webhook must be a string, got {type(secret).__name__!r}")
    try:
        secret.encode()
    except UnicodeEncodeError:
        raise InvalidParameterError("The secret of a webhook must be a text that UTF-8 can encode") from None
    return secret


def check_description(description: object) -> str | None:
    """The description, if it is a text."""
    if description is None or isinstance(description, str):
        return description
    raise InvalidParameterError(f"The description of a webhook must be a string, got {type(description).__name__!r}")


def check_max_results(max_results: object) -> int:
    """How many webhooks a page holds; without a number, or with 0, so many as MLflow's."""
    if max_results is None:
        return _DEFAULT_RESULTS
    if isinstance(max_results, bool) or not isinstance(max_results, int) or not 0 <= max_results <= MAX_RESULTS:
        raise InvalidParameterError(f"max_results must be between 1 and {MAX_RESULTS}, not {max_results!r}.")
    return max_results or _DEFAULT_RESULTS
