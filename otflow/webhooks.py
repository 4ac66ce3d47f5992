"""For receivers of webhooks: whether a call is genuine, and what it says.

```python
import otflow.webhooks


async def receive(request):  # of Starlette, FastAPI, …
    try:
        delivery = otflow.webhooks.verify(await request.body(), request.headers, SECRET)
    except otflow.webhooks.InvalidSignatureError:
        return Response(status_code=401)
    if delivery.event == "prompt_alias.created":
        deploy(delivery.data["name"], delivery.data["version"])
    return Response(status_code=204)
```

Calls of a released MLflow are verified as well. The payloads are MLflow's, by event, for annotations.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict, cast

from otflow import clock
from otflow.errors import InvalidParameterError, InvalidSignatureError
from otflow.wire.webhooks import DELIVERY_ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

__all__ = [
    "WEBHOOK_SIGNATURE_HEADER",
    "Delivery",
    "InvalidSignatureError",
    "ModelVersionAliasCreatedPayload",
    "ModelVersionAliasDeletedPayload",
    "ModelVersionCreatedPayload",
    "ModelVersionTagDeletedPayload",
    "ModelVersionTagSetPayload",
    "PromptAliasCreatedPayload",
    "PromptAliasDeletedPayload",
    "PromptCreatedPayload",
    "PromptTagDeletedPayload",
    "PromptTagSetPayload",
    "PromptVersionCreatedPayload",
    "PromptVersionTagDeletedPayload",
    "PromptVersionTagSetPayload",
    "RegisteredModelCreatedPayload",
    "WebhookPayload",
    "verify",
]

WEBHOOK_SIGNATURE_HEADER: Final = SIGNATURE_HEADER
"""The header that holds the signature."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a webhook was told, verified.

    Attributes:
        delivery_id: What tells this delivery from others. It is the same each time a call is tried again: a receiver
            that must not act twice remembers the ids that it has seen.
        event: What happened, such as `"prompt_version.created"`.
        timestamp: When it happened, in the form of ISO 8601.
        data: What is said of it: the payload of the event.
    """

    delivery_id: str
    event: str
    timestamp: str
    data: dict[str, Any]


def verify(
    body: bytes | str, headers: Mapping[str, str], secret: str | Sequence[str], *, max_age_s: float = 300.0
) -> Delivery:
    """What a call of a webhook says, if it is signed with the secret and was sent just now.

    Args:
        body: The body as it was received, before anything has parsed it.
        headers: The headers; the case of their names does not matter.
        secret: The webhook's secret; or several, of which one must fit, while it is being replaced.
        max_age_s: How many seconds ago it may have been sent, or by how many the clocks may differ. Older calls may be
            recorded ones that somebody sends again.

    Returns:
        What was delivered.

    Raises:
        InvalidSignatureError: It is not signed, not with this secret, or too old. Answer it with the status 401.
        InvalidParameterError: There is no secret to verify by.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets or not all(secrets):
        raise InvalidParameterError("a secret that is not empty is needed to verify by")
    data = body.encode() if isinstance(body, str) else body
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    given, delivery_id, timestamp = (
        named.get(name.lower(), "") for name in (SIGNATURE_HEADER, DELIVERY_ID_HEADER, TIMESTAMP_HEADER)
    )
    if not given or not delivery_id or not timestamp:
        raise InvalidSignatureError("The call is not signed: headers of an MLflow webhook are missing")
    # All are compared, whichever fits: how long it takes says nothing.
    fitting = [
        hmac.compare_digest(
            signature(one, delivery_id, timestamp, data).encode(), given.encode("utf-8", "surrogatepass")
        )
        for one in secrets
    ]
    if not any(fitting):
        raise InvalidSignatureError("The signature of the call is not that of the secret")
    if not timestamp.isascii() or not timestamp.isdigit():
        raise InvalidSignatureError("The time at which the call was sent is none")
    if abs(clock.now_ns() / 1e9 - int(timestamp[:18])) > max_age_s:
        raise InvalidSignatureError(f"The call was not sent within the last {max_age_s:g} seconds")
    try:
        said = cast("dict[str, Any]", json.loads(data))
        return Delivery(delivery_id, f"{said['entity']}.{said['action']}", str(said["timestamp"]), dict(said["data"]))
    except (ValueError, TypeError, LookupError):
        raise InvalidParameterError("the body of the call is not what an MLflow webhook is told") from None


# -- payloads ----------------------------------------------------------------------------------------


class RegisteredModelCreatedPayload(TypedDict):
    """The payload of `registered_model.created`."""

    name: str
    tags: dict[str, str]
    description: str | None


class ModelVersionCreatedPayload(TypedDict):
    """The payload of `model_version.created`."""

    name: str
    version: str
    source: str
    run_id: str | None
    tags: dict[str, str]
    description: str | None


class ModelVersionTagSetPayload(TypedDict):
    """The payload of `model_version_tag.set`."""

    name: str
    version: str
    key: str
    value: str


class ModelVersionTagDeletedPayload(TypedDict):
    """The payload of `model_version_tag.deleted`."""

    name: str
    version: str
    key: str


class ModelVersionAliasCreatedPayload(TypedDict):
    """The payload of `model_version_alias.created`."""

    name: str
    alias: str
    version: str


class ModelVersionAliasDeletedPayload(TypedDict):
    """The payload of `model_version_alias.deleted`."""

    name: str
    alias: str


class PromptCreatedPayload(TypedDict):
    """The payload of `prompt.created`."""

    name: str
    tags: dict[str, str]
    description: str | None


class PromptVersionCreatedPayload(TypedDict):
    """The payload of `prompt_version.created`."""

    name: str
    version: str
    template: str
    tags: dict[str, str]
    description: str | None


class PromptTagSetPayload(TypedDict):
    """The payload of `prompt_tag.set`."""

    name: str
    key: str
    value: str


class PromptTagDeletedPayload(TypedDict):
    """The payload of `prompt_tag.deleted`."""

    name: str
    key: str


class PromptVersionTagSetPayload(TypedDict):
    """The payload of `prompt_version_tag.set`."""

    name: str
    version: str
    key: str
    value: str


class PromptVersionTagDeletedPayload(TypedDict):
    """The payload of `prompt_version_tag.deleted`."""

    name: str
    version: str
    key: str


class PromptAliasCreatedPayload(TypedDict):
    """The payload of `prompt_alias.created`."""

    name: str
    alias: str
    version: str


class PromptAliasDeletedPayload(TypedDict):
    """The payload of `prompt_alias.deleted`."""

    name: str
    alias: str


WebhookPayload = (
    RegisteredModelCreatedPayload
    | ModelVersionCreatedPayload
    | ModelVersionTagSetPayload
    | ModelVersionTagDeletedPayload
    | ModelVersionAliasCreatedPayload
    | ModelVersionAliasDeletedPayload
    | PromptCreatedPayload
    | PromptVersionCreatedPayload
    | PromptTagSetPayload
    | PromptTagDeletedPayload
    | PromptVersionTagSetPayload
    | PromptVersionTagDeletedPayload
    | PromptAliasCreatedPayload
    | PromptAliasDeletedPayload
)
"""Any of the payloads."""
