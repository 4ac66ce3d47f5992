"""Where the elements of a JSON text's lists end, without making the values: a history of messages is cut there."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator
from json import decoder
from typing import Any, Final, cast

__all__ = ["list_cuts", "sections"]

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


def sections(text: str, begin: int, cuts: list[int]) -> Iterator[Region]:
    """A list in sections, which begin where lists that have much in common are likely to have a section's beginning.

    What begins a list may change from call to call: a system prompt that tells the time, a history whose oldest
    messages are left out. So sections begin after the first element, and then at elements that are told by their
    content alone: one of 8, of 16, of 32, … the further from the beginning. A list of n elements has about log2(n) / 4
    sections more, and an element that comes nearer to the beginning never stops to be one's first.
    """
    start = begin
    own: list[int] = []
    for index, cut in enumerate(cuts):
        if index and _is_first(text[cuts[index - 1] : cut], index):
            yield start, own
            start, own = cuts[index - 1], []
        own.append(cut)
    yield start, own


def _is_first(element: str, index: int) -> bool:
    return index == 1 or zlib.crc32(element.encode()) % (2 << index.bit_length()) == 0


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
