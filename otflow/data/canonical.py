"""One text for each value, the same in every process: what digests are made of where pandas has no hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, cast

__all__ = ["canonical", "is_missing"]

_DEPTH: Final = 40
"""How deep values are looked into."""
_MISSING: Final = frozenset({"NAType", "NaTType"})


def is_missing(value: object) -> bool:
    """Whether a value is none: None, NaN, or what pandas writes for them."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in _MISSING


def canonical(value: Any, depth: int = _DEPTH) -> str:
    """The text that stands for a value; no matter the order of keys, nor where in memory it is.

    Args:
        value: Any value.
        depth: How deep to look into it.
    """
    if isinstance(value, str):
        return json.dumps(value)
    if is_missing(value):
        return "null"
    if value is True or value is False:
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if depth <= 0:
        return "…"
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return "{" + ",".join(sorted(f"{canonical(key, 1)}:{canonical(item, depth - 1)}" for key, item in items)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical(item, depth - 1) for item in cast("list[Any]", value)) + "]"
    if isinstance(value, set | frozenset):
        return "<" + ",".join(sorted(canonical(item, depth - 1) for item in cast("set[Any]", value))) + ">"
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        plain = value.tolist()
        if type(plain) is not type(value):
            return canonical(plain, depth)
    return _told(value, depth)


def _told(value: Any, depth: int) -> str:
    """Of what is not plain data: its `repr`; its class and its attributes where that only says where it is."""
    text = repr(value)
    if f"{id(value):x}" not in text.lower():
        return text
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{kind}{canonical(getattr(value, '__dict__', None) or {}, depth - 1)}"
