"""Chats among the values of spans: which messages a value holds, and what each says, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

__all__ = ["conversation", "said"]

_HOLDERS: Final = ("messages", "input", "output", "choices")
"""Where requests and answers of chat APIs keep their messages."""
_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
"""The types of a message's parts that are text, in the chat completion and the responses API."""


def conversation(value: object) -> tuple[list[dict[str, Any]], object]:
    """The messages of a value that is a chat, or holds one, and whatever else it holds.

    Args:
        value: Inputs or outputs of a span: a message, a list of messages, the request or the answer of a chat API.

    Returns:
        The messages, each with its `role`; none where the value is no chat, and then the rest is the whole value.
    """
    whole = _message(value)
    if whole:
        return [whole], None
    messages = _all_messages(value)
    if messages:
        return messages, None
    held = _members(value)
    for key in _HOLDERS:
        items = held.get(key)
        rest = {name: item for name, item in held.items() if name != key}
        messages = _all_messages(items)
        if not messages and isinstance(items, list):
            choices = [_members(choice) for choice in cast("list[Any]", items)]
            messages = _all_messages([choice.get("message") for choice in choices])
            if messages:
                # Why an answer ended, say, is told beside what it was.
                rest[key] = [{name: item for name, item in one.items() if name != "message"} for one in choices]
        if messages:
            return messages, rest or None
    return [], value


def said(message: Mapping[str, Any]) -> tuple[str, object]:
    """What a message says in words, its calls of tools among them, and whatever else it holds; the role is neither."""
    lines: list[str] = []
    rest = {key: value for key, value in message.items() if key != "role" and value is not None}
    content = rest.pop("content", None)
    if isinstance(content, str):
        lines.append(content)
    elif isinstance(content, list):
        parts = cast("list[Any]", content)
        texts = [_part(part) for part in parts]
        lines += [text for text in texts if text is not None]
        others = [part for part, text in zip(parts, texts, strict=True) if text is None]
        if others:
            rest["content"] = others
    elif content is not None:
        rest["content"] = content
    calls: object = rest.get("tool_calls")
    if isinstance(calls, list):
        written = [_call(call) for call in cast("list[Any]", calls)]
        if all(written):
            del rest["tool_calls"]
            lines += written
    return "\n".join(line for line in lines if line), rest or None


def _all_messages(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    found = [_message(item) for item in cast("list[Any]", value)]
    return found if all(found) else []


def _message(value: object) -> dict[str, Any]:
    """The value, if it is a message; empty otherwise."""
    held = _members(value)
    return held if isinstance(held.get("role"), str) and not held.keys().isdisjoint({"content", "tool_calls"}) else {}


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _part(part: object) -> str | None:
    """The text of a part that is nothing else."""
    if isinstance(part, str):
        return part
    held = _members(part)
    text = held.get("text")
    plain = held.get("type", "text") in _TEXTS and held.keys() <= {"type", "text"}
    return text if plain and isinstance(text, str) else None


def _call(call: object) -> str:
    """A call of a tool as it would be written in code; empty where it is something else."""
    held = _members(call)
    function = _members(held.get("function"))
    name, arguments, id_ = function.get("name"), function.get("arguments", ""), held.get("id")
    if not isinstance(name, str) or not isinstance(arguments, str):
        return ""
    known = held.keys() <= {"id", "type", "function", "index"} and function.keys() <= {"name", "arguments"}
    return f"{name}({arguments}){f'  # {id_}' if id_ else ''}" if known else ""
