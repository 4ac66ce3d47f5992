"""Cutting JSON texts so that they stay JSON and say that they were cut."""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = ["LONGEST_LABEL", "MARKER", "SMALLEST", "is_json", "label", "repaired", "truncated"]

MARKER: Final = "…[truncated"
"""How the note begins that stands where something was cut: `…[truncated: 120 characters]`, or `…[truncated]`."""

SMALLEST: Final = 64
"""The smallest limit in bytes: a note must fit in."""

LONGEST_LABEL: Final = 256 * 1024
"""Bytes of the longest name, status message, tag, metadata value and preview: those are read with every list of traces
and spans, whatever is asked of them."""

_LONGEST_NOTE: Final = 48
_TOKEN: Final = re.compile(
    r'[ \t\n\r]+|"(?:[^"\\]|\\.)*"|[\[\]{}:,]|-?(?:Infinity|NaN|\d[\d.eE+-]*)|true|false|null', re.DOTALL
)
_OPEN_STRING: Final = re.compile(r'"(?:[^"\\]|\\(?:[^u]|u[0-9a-fA-F]{4}))*', re.DOTALL)
_CLOSER: Final = {"{": "}", "[": "]"}


def truncated(text: str, max_bytes: int) -> str:
    """A text of at most so many bytes in UTF-8: JSON stays JSON; where something is cut, a note says how much.

    Args:
        text: Any text.
        max_bytes: The limit, at least 64.
    """
    if len(text) * 4 <= max_bytes or len(text.encode("utf-8", "surrogatepass")) <= max_bytes:
        return text
    max_bytes = max(max_bytes, SMALLEST)
    # What is nested deep needs as many bytes to be closed: less and less is kept until it fits.
    room = max_bytes - _LONGEST_NOTE
    json_text = text[:1] in ("{", "[", '"') and is_json(text)
    while True:
        kept = text.encode("utf-8", "surrogatepass")[: max(room, 0)].decode("utf-8", "ignore")
        note = f"{MARKER}: {len(text) - len(kept)} characters]"
        found = _closed(kept, note) if json_text else kept + note
        excess = len(found.encode()) - max_bytes
        if excess <= 0:
            return found
        if room <= 0:
            return json.dumps(note, ensure_ascii=False)
        room -= excess


def label(text: str) -> str:
    """A name, a status message, a tag: as it is, unless it is far too long for what it is."""
    return text if len(text) * 4 <= LONGEST_LABEL else truncated(text, LONGEST_LABEL)


def repaired(text: str) -> str:
    """A JSON text that was cut somewhere, closed and with a note at its end; one that is whole stays as it is."""
    return text if is_json(text) else _closed(text, f"{MARKER}]")


def is_json(text: str) -> bool:
    """Whether a text is JSON, as Python writes it."""
    try:
        json.loads(text)
    except RecursionError:
        return True  # too deep to be read here
    except ValueError:
        return False
    return True


def _closed(text: str, note: str) -> str:
    """The beginning of a JSON text, made whole: it ends in the string that was cut, or behind the last whole value."""
    stack: list[str] = []
    good = 0  # where the text can end, but for what closes it
    key_next = False
    at = 0
    while at < len(text) and (match := _TOKEN.match(text, at)) is not None:
        first, end = match[0][0], match.end()
        if end == len(text) and first in "-0123456789IN":
            break  # there may have been more digits
        if first in "{[":
            stack.append(first)
            good, key_next = end, first == "{"
        elif first in "}]":
            if not stack or _CLOSER[stack.pop()] != first:
                return json.dumps(note, ensure_ascii=False)  # this never was JSON
            good = end
        elif first == ",":
            key_next = bool(stack) and stack[-1] == "{"
        elif first == ":":
            key_next = False
        elif not first.isspace() and not (key_next and first == '"'):
            good = end
        at = end
    if text[at : at + 1] == '"' and not key_next and (opened := _OPEN_STRING.match(text, at)) is not None:
        return f'{text[: opened.end()]}{note}"{_closers(stack)}'
    quoted = json.dumps(note, ensure_ascii=False)
    if not stack:
        return text[:good] if text[:good].strip() else quoted
    comma = "" if text[good - 1] in "{[" else ", "
    member = f"{json.dumps(MARKER[0], ensure_ascii=False)}: {quoted}" if stack[-1] == "{" else quoted
    return f"{text[:good]}{comma}{member}{_closers(stack)}"


def _closers(stack: list[str]) -> str:
    return "".join(_CLOSER[one] for one in reversed(stack))
