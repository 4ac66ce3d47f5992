"""Where the elements of a JSON text's lists end, without making the values: a history of messages is cut there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json import decoder
from typing import Any, Final, cast

__all__ = ["list_cuts"]

_DEPTH: Final = 5
"""Levels of objects and lists that are looked into."""
_SHORT: Final = 32
"""Characters from which on an element that is neither an object nor a list ends a piece of its own."""

_scan: Final[Callable[[str, int], tuple[Any, int]]] = cast("Any", json.JSONDecoder()).scan_once
_string: Final[Callable[[str, int], tuple[str, int]]] = vars(decoder)["scanstring"]
_blank: Final[Any] = re.compile(r"[ \t\n\r]*").match

Region = tuple[int, list[int]]


def list_cuts(text: str) -> list[Region]:
    """Where lists begin, each with the ends of its elements; nothing where the text is not JSON.

    Of lists inside of lists only the outer one counts, unless it has but one element.
    """
    if text[:1] not in ("{", "["):
        return []
    found: list[Region] = []
    try:
        _value(text, 0, 0, found)
    except (ValueError, StopIteration, IndexError, RecursionError):
        return []
    return found


def _value(text: str, start: int, depth: int, found: list[Region]) -> int:
    """Where the value that starts here ends."""
    first = text[start]
    if depth < _DEPTH:
        if first == "{":
            return _object(text, start + 1, depth + 1, found)
        if first == "[":
            return _array(text, start + 1, depth + 1, found)
    return _scan(text, start)[1]


def _object(text: str, start: int, depth: int, found: list[Region]) -> int:
    at: int = _blank(text, start).end()
    if text[at] == "}":
        return at + 1
    while True:
        if text[at] != '"':
            raise ValueError(text[at])
        at = _blank(text, _string(text, at + 1)[1]).end()
        if text[at] != ":":
            raise ValueError(text[at])
        at = _blank(text, _value(text, _blank(text, at + 1).end(), depth, found)).end()
        if text[at] == "}":
            return at + 1
        if text[at] != ",":
            raise ValueError(text[at])
        at = _blank(text, at + 1).end()


def _array(text: str, start: int, depth: int, found: list[Region]) -> int:
    begin: int = _blank(text, start).end()
    if text[begin] == "]":
        return begin + 1
    before = len(found)
    cuts: list[int] = []
    at, ends = begin, 0
    while True:
        # Only of the first element is it worth to know what lists it has: it may stay the only one.
        end = _value(text, at, depth, found) if not ends else _scan(text, at)[1]
        ends += 1
        if ends == 2:
            del found[before:]
        if text[at] in "{[" or end - at >= _SHORT:
            cuts.append(end)
        at = _blank(text, end).end()
        if text[at] == "]":
            break
        if text[at] != ",":
            raise ValueError(text[at])
        at = _blank(text, at + 1).end()
    if len(found) == before:
        if not cuts or cuts[-1] != end:
            cuts.append(end)
        found.append((begin, cuts))
    return at + 1
