"""Webhooks: addresses that hear of what happens in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from otflow.entities.plain import PlainEntity
from otflow.errors import InvalidParameterError

__all__ = ["Webhook", "WebhookAction", "WebhookEntity", "WebhookEvent", "WebhookStatus", "WebhookTestResult"]


class WebhookStatus(str, Enum):
    """Whether a webhook is called."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"

    def __str__(self) -> str:
        return self.value

    def is_active(self) -> bool:
        """Whether it is called."""
        return self is WebhookStatus.ACTIVE


class WebhookEntity(str, Enum):
    """What an event happens to."""

    REGISTERED_MODEL = "registered_model"
    MODEL_VERSION = "model_version"
    MODEL_VERSION_TAG = "model_version_tag"
    MODEL_VERSION_ALIAS = "model_version_alias"
    PROMPT = "prompt"
    PROMPT_VERSION = "prompt_version"
    PROMPT_TAG = "prompt_tag"
    PROMPT_VERSION_TAG = "prompt_version_tag"
    PROMPT_ALIAS = "prompt_alias"

    def __str__(self) -> str:
        return self.value


class WebhookAction(str, Enum):
    """What happens in an event."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    SET = "set"

    def __str__(self) -> str:
        return self.value


_ACTIONS = {
    WebhookEntity.REGISTERED_MODEL: (WebhookAction.CREATED,),
    WebhookEntity.MODEL_VERSION: (WebhookAction.CREATED,),
    WebhookEntity.MODEL_VERSION_TAG: (WebhookAction.SET, WebhookAction.DELETED),
    WebhookEntity.MODEL_VERSION_ALIAS: (WebhookAction.CREATED, WebhookAction.DELETED),
    WebhookEntity.PROMPT: (WebhookAction.CREATED,),
    WebhookEntity.PROMPT_VERSION: (WebhookAction.CREATED,),
    WebhookEntity.PROMPT_TAG: (WebhookAction.SET, WebhookAction.DELETED),
    WebhookEntity.PROMPT_VERSION_TAG: (WebhookAction.SET, WebhookAction.DELETED),
    WebhookEntity.PROMPT_ALIAS: (WebhookAction.CREATED, WebhookAction.DELETED),
}


class WebhookEvent(PlainEntity):
    """What a webhook hears of.

    Args:
        entity: What it happens to.
        action: What happens.

    Raises:
        InvalidParameterError: there is no such event.
    """

    _fields = ("entity", "action")

    def __init__(self, entity: str | WebhookEntity, action: str | WebhookAction) -> None:
        try:
            self.entity = WebhookEntity(entity)
            self.action = WebhookAction(action)
        except ValueError as error:
            known = ", ".join(f"{one}.{action}" for one, actions in _ACTIONS.items() for action in actions)
            raise InvalidParameterError(
                f"No webhook event is called {entity}.{action}; the events are {known}"
            ) from error
        allowed = _ACTIONS[self.entity]
        if self.action not in allowed:
            raise InvalidParameterError(
                f"Invalid action '{action}' for entity '{entity}'. Valid actions are: {[str(one) for one in allowed]}"
            )

    @classmethod
    def from_str(cls, event_str: str) -> WebhookEvent:
        """The event of this text, such as `"prompt.created"`.

        Raises:
            InvalidParameterError: there is none.
        """
        entity, dot, action = event_str.partition(".")
        if not dot:
            raise InvalidParameterError(
                f"Invalid event string format: {event_str}. Expected format: 'entity.action' "
                "(e.g., 'registered_model.created')"
            )
        return cls(entity, action)

    def __str__(self) -> str:
        return f"{self.entity}.{self.action}"

    def __repr__(self) -> str:
        return f"WebhookEvent(entity={self.entity}, action={self.action})"


class Webhook(PlainEntity):
    """An address that hears of what happens in the registry.

    Args:
        webhook_id: The id.
        name: The name.
        url: The address.
        events: What it hears of, one event at least.
        creation_timestamp: Unix time in milliseconds.
        last_updated_timestamp: Unix time in milliseconds.
        description: What it is for.
        status: Whether it is called.
        secret: What its calls are signed with; never shown in the text form.
        workspace: The workspace it belongs to.

    Raises:
        InvalidParameterError: there is no event, or the status is none.
    """

    _fields = (
        "webhook_id",
        "name",
        "url",
        "events",
        "creation_timestamp",
        "last_updated_timestamp",
        "description",
        "status",
        "secret",
        "workspace",
    )

    def __init__(
        self,
        webhook_id: str,
        name: str,
        url: str,
        events: Sequence[WebhookEvent],
        creation_timestamp: int,
        last_updated_timestamp: int,
        description: str | None = None,
        status: str | WebhookStatus = WebhookStatus.ACTIVE,
        secret: str | None = None,
        workspace: str | None = None,
    ) -> None:
        if not events:
            raise InvalidParameterError("Webhook events cannot be empty")
        self.webhook_id = webhook_id
        self.name = name
        self.url = url
        self.events: list[WebhookEvent] = list(events)
        self.creation_timestamp = creation_timestamp
        self.last_updated_timestamp = last_updated_timestamp
        self.description = description
        try:
            self.status = WebhookStatus(status)
        except ValueError as error:
            raise InvalidParameterError(f"Invalid webhook status {status!r}; it is ACTIVE or DISABLED") from error
        self.secret = secret
        self.workspace = workspace if workspace is not None else "default"

    def __repr__(self) -> str:
        shown = (name for name in self._fields if name not in ("description", "secret"))
        return f"Webhook({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


class WebhookTestResult(PlainEntity):
    """What came of a test call of a webhook.

    Args:
        success: Whether the address answered with a status of 2xx.
        response_status: The HTTP status of the answer.
        response_body: The body of the answer.
        error_message: Why there was no answer.
    """

    _fields = ("success", "response_status", "response_body", "error_message")

    def __init__(
        self,
        success: bool,
        response_status: int | None = None,
        response_body: str | None = None,
        error_message: str | None = None,
    ) -> None:
        self.success = success
        self.response_status = response_status
        self.response_body = response_body
        self.error_message = error_message

    def __repr__(self) -> str:
        return f"WebhookTestResult({', '.join(f'{name}={value!r}' for name, value in self)})"
