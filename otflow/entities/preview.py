"""The few characters of a trace's request and response that a list of traces shows.

The rules are those of the released MLflow 3.10.1, as observed: JSON text is cut; of a chat, only the text of the one
message that matters is shown, in whichever of the usual shapes of requests and responses the messages stand.
"""

from __future__ import annotations

from typing import Any, Final, cast

from otflow.entities.values import clean_text, load

__all__ = ["METADATA_LIMIT", "PREVIEW_LIMIT", "preview", "request_preview", "response_preview"]

PREVIEW_LIMIT: Final = 1000
"""Characters of the previews in a trace's info."""

METADATA_LIMIT: Final = 250
"""Characters of the previews in a trace's metadata (`mlflow.traceInputs`, `mlflow.traceOutputs`)."""

_MEMBERS: Final = ('"messages"', '"choices"', '"input"', '"output"')
_Dict = dict[str, Any]


def preview(text: str, limit: int = PREVIEW_LIMIT) -> str:
    """The text, cut to `limit` characters; the last three are dots where something was cut."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def request_preview(json_text: str, limit: int = PREVIEW_LIMIT) -> str:
    """The preview of a request: of a chat, what the user said last."""
    return preview(_chat_text(json_text, "user") or json_text, limit)


def response_preview(json_text: str, limit: int = PREVIEW_LIMIT) -> str:
    """The preview of a response: of a chat, what the assistant said last."""
    return preview(_chat_text(json_text, "assistant") or json_text, limit)


def _chat_text(json_text: str, role: str) -> str | None:
    # Reading a long text takes a while: only if the name of a member that may hold a message is in it.
    if json_text[:1] != "{" or not any(name in json_text for name in _MEMBERS):
        return None
    try:
        value = load(json_text)
    except ValueError:
        return None
    messages = [cast("_Dict", message) for message in _messages(value) if _is_message(message)]
    said = [message for message in messages if message["role"] == role] or messages
    text = _content_text(said[-1]["content"]) if said else None
    # PostgreSQL stores no NUL in text.
    return clean_text(text).replace("\0", "\ufffd") if text else None


def _messages(value: object) -> list[object]:
    """The messages of the first member that holds some, in MLflow's order of precedence."""
    while isinstance(value, dict):
        body = cast("_Dict", value)
        if found := _list(body.get("messages")):
            return found
        choices = _list(body.get("choices"))
        if choices and isinstance(choices[0], dict):
            message = cast("_Dict", choices[0]).get("message")
            if _is_message(message):
                return [message]
        if found := _list(body.get("input")) or _list(body.get("output")):
            return found
        value = body.get("request")
    return []


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and "role" in value and "content" in value


def _content_text(content: object) -> str | None:
    """The text of a message, or the first text among its parts."""
    if isinstance(content, str):
        return content
    for part in _list(content):
        if isinstance(part, str):
            return part
        if isinstance(part, dict) and cast("_Dict", part).get("type") in ("text", "output_text"):
            text = cast("_Dict", part).get("text")
            return text if isinstance(text, str) else None
    return None
