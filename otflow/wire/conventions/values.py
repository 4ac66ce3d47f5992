"""Reading attribute values that may be structured, or JSON text of what is, or JSON text of such a text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from otflow.entities.values import load

__all__ = ["Dict", "as_dict", "as_list", "data", "is_dict", "is_list", "json_value", "nested", "number", "text"]

Dict = dict[str, Any]

_MAX_INDEX = 100_000
"""Indices from here on are no positions in a list."""


def data(value: object) -> Any:
    """The value, with objects and arrays that stand there as JSON text read; other texts stay texts."""
    if isinstance(value, tuple):
        return list(cast("tuple[Any, ...]", value))
    for _ in range(2):  # JSON text, or a JSON string that holds it
        if not isinstance(value, str):
            return value
        first = value.lstrip()[:1]
        if first not in ("{", "[", '"'):
            return value
        try:
            found: Any = load(value)
        except ValueError:
            return value
        if first != '"':
            return found
        value = found
    return value


def json_value(value: object) -> Any:
    """The value of a text that is meant as JSON, numbers and the like too; the text itself where it is not."""
    found = data(value)
    if not isinstance(found, str):
        return found
    try:
        return load(found)
    except ValueError:
        return found


def text(value: object) -> str | None:
    """The value as text: a string, what a JSON string says, or a number."""
    if isinstance(value, str):
        if value[:1] == '"' and value[-1:] == '"':
            try:
                found = load(value)
            except ValueError:
                return value
            return found if isinstance(found, str) else value
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def number(value: object) -> float | None:
    """The value as a finite number that is not negative; the text of one too."""
    if isinstance(value, str):
        try:
            value = float(value) if any(sign in value for sign in ".eE") else int(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) and value >= 0 else None


def is_dict(value: object) -> TypeGuard[Dict]:
    """Whether the value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether the value is an array."""
    return isinstance(value, list)


def as_dict(value: object) -> Dict:
    """The value if it is an object, else an empty one."""
    return cast("Dict", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def nested(attributes: Mapping[str, Any], prefix: str) -> Any:
    """What attributes with dotted keys below a prefix are together; None where there are none.

    Objects whose keys are all indices become lists, in the order of the indices, whatever is missing between them.
    """
    start = len(prefix) + 1
    prefix += "."
    root: Dict = {}
    for key, value in attributes.items():
        if key.startswith(prefix):
            steps = key[start:].split(".")
            node = root
            for step in steps[:-1]:
                child = node.get(step)
                if not isinstance(child, dict):
                    child = node[step] = {}
                node = cast("Dict", child)
            if not isinstance(node.get(steps[-1]), dict):
                node[steps[-1]] = value
    return _listed(root) if root else None


def _listed(node: Dict) -> Any:
    for key, value in node.items():
        if isinstance(value, dict):
            node[key] = _listed(cast("Dict", value))
        elif isinstance(value, tuple):
            node[key] = list(cast("tuple[Any, ...]", value))
    if all(key.isascii() and key.isdigit() and len(key) < 7 and int(key) < _MAX_INDEX for key in node):
        return [node[key] for key in sorted(node, key=int)]
    return node
