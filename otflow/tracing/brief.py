"""Values and lines in few characters: nothing of what is cut is made, and nothing reaches the terminal unescaped."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

from otflow.entities.values import dump

__all__ = ["brief_inputs", "brief_value", "fit", "printable"]


def brief_inputs(value: object, limit: int, ellipsis: str) -> str:
    """A call's arguments as they are written: `question="…", k=3`."""
    if not isinstance(value, dict):
        return brief_value(value, limit, ellipsis)
    items = cast("dict[str, Any]", value).items()
    room = limit if len(items) == 1 else limit // 2
    return _joined((f"{key}={brief_value(item, room, ellipsis)}" for key, item in items), limit, ellipsis)


def brief_value(value: object, limit: int, ellipsis: str) -> str:
    """A value in about `limit` characters; documents by their ids, a chat by its last message, the rest as JSON."""
    items = _items(value)
    documents = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict) and "page_content" in item]
    if items and len(documents) == len(items):
        names = _joined((_document_name(document, ellipsis) for document in documents), limit, ellipsis)
        return f"{len(items)} {'document' if len(items) == 1 else 'documents'}: {names}"
    messages = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict) and "role" in item]
    if items and len(messages) == len(items) and "content" in messages[-1]:
        last = f"{messages[-1]['role']}: {_brief(messages[-1]['content'], limit, ellipsis)}"
        return last if len(items) == 1 else f"{len(items)} messages, the last one {last}"
    return _brief(value, limit, ellipsis)


def _items(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _document_name(document: dict[str, Any], ellipsis: str) -> str:
    metadata = document.get("metadata")
    uri: object = cast("dict[str, Any]", metadata).get("doc_uri") if isinstance(metadata, dict) else None
    return str(document.get("id") or uri or _brief(document["page_content"], 30, ellipsis))


def _brief(value: object, limit: int, ellipsis: str) -> str:
    """JSON of which only as much is made as will be shown."""
    if isinstance(value, str):
        return json.dumps(value if len(value) <= limit else value[:limit] + ellipsis, ensure_ascii=False)
    if isinstance(value, dict | list) and limit <= 0:
        return ellipsis
    room = limit // 2
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        parts = (f"{_brief(str(key), 40, ellipsis)}: {_brief(item, room, ellipsis)}" for key, item in pairs)
        return f"{{{_joined(parts, limit, ellipsis)}}}"
    if isinstance(value, list):
        parts = (_brief(item, room, ellipsis) for item in cast("list[Any]", value))
        return f"[{_joined(parts, limit, ellipsis)}]"
    text = dump(value)
    return text if len(text) <= limit else text[:limit] + ellipsis


def _joined(parts: Iterable[str], limit: int, ellipsis: str) -> str:
    taken: list[str] = []
    length = 0
    for part in parts:
        if length > limit:
            taken.append(ellipsis)
            break
        taken.append(part)
        length += len(part) + 2
    return ", ".join(taken)


# -- characters and columns ---------------------------------------------------------------------------


def printable(text: str) -> str:
    """The text with escapes for what moves the cursor, turns the direction of writing or cannot be encoded."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() and c > "\x7f" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def fit(pieces: list[tuple[str, str]], width: int, ellipsis: str) -> list[tuple[str, str]]:
    """The pieces, cut to `width` columns; the last columns are an ellipsis where something was cut."""
    # A line that is far too long need not be measured to its end.
    if sum(len(text) for text, _ in pieces) <= width * 2 and _width(pieces) <= width:
        return pieces
    room = width - len(ellipsis)
    fitted: list[tuple[str, str]] = []
    for text, style in pieces:
        for end, character in enumerate(text):
            room -= _columns(character)
            if room < 0:
                return [*fitted, (text[:end] + ellipsis, style)]
        fitted.append((text, style))
    return [*fitted, (ellipsis, "")]


def _width(pieces: list[tuple[str, str]]) -> int:
    return sum(len(text) if text.isascii() else sum(map(_columns, text)) for text, _ in pieces)
