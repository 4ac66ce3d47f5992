"""Pages by keyset: a token holds the order keys of the last row, and the next page is what comes after them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otflow.errors import InvalidParameterError

__all__ = ["OrderKey", "after", "order_by", "read_token", "write_token"]


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order.

    Args:
        sql: The expression; it may hold `?`.
        descending: Whether larger values come first. NULL comes last either way.
        parameters: What stands for the `?` in `sql`.
        nullable: Whether the expression may be NULL.
    """

    sql: str
    descending: bool = False
    parameters: tuple[object, ...] = ()
    nullable: bool = False


def order_by(keys: Sequence[OrderKey]) -> tuple[str, list[object]]:
    """The ORDER BY clause of an order, with its parameters."""
    parts: list[str] = []
    parameters: list[object] = []
    for key in keys:
        if key.nullable:
            parts.append(f"({key.sql}) IS NULL")
            parameters += key.parameters
        parts.append(f"{key.sql} DESC" if key.descending else key.sql)
        parameters += key.parameters
    return ", ".join(parts), parameters


def after(keys: Sequence[OrderKey], last: Sequence[object]) -> tuple[str, list[object]]:
    """The condition that a row comes after the one with the order keys `last`, with its parameters."""
    choices: list[str] = []
    parameters: list[object] = []
    equal: list[str] = []
    equal_parameters: list[object] = []
    for key, value in zip(keys, last, strict=True):
        if value is not None:  # nothing comes after NULL
            sign = "<" if key.descending else ">"
            later, later_parameters = f"{key.sql} {sign} ?", [*key.parameters, value]
            if key.nullable:
                later, later_parameters = f"({later} OR ({key.sql}) IS NULL)", [*later_parameters, *key.parameters]
            choices.append(" AND ".join([*equal, later]))
            parameters += [*equal_parameters, *later_parameters]
            equal.append(f"{key.sql} = ?")
            equal_parameters += [*key.parameters, value]
        else:
            equal.append(f"({key.sql}) IS NULL")
            equal_parameters += key.parameters
    condition = f"({' OR '.join(f'({choice})' for choice in choices)})" if choices else "1 = 0"
    first, value = keys[0], last[0]
    if value is not None and not first.nullable and len(keys) > 1:
        # Said once more in the form that an index range starts from.
        sign = "<=" if first.descending else ">="
        return f"{first.sql} {sign} ? AND {condition}", [*first.parameters, value, *parameters]
    return condition, parameters


def write_token(kind: str, keys: Sequence[OrderKey], row: Sequence[object]) -> str:
    """The token of the page after `row`, the values of the order keys."""
    text = json.dumps({"of": kind, "order": _shape(keys), "after": list(row)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_token(kind: str, keys: Sequence[OrderKey], token: object) -> list[Any]:
    """The values of the order keys that a token holds.

    Raises:
        InvalidParameterError: It is not a token, or one of another search.
    """
    last = _after(kind, _shape(keys), token)
    if last is None or len(last) != len(keys):
        raise InvalidParameterError(
            f"Invalid page token {token!r}: it must be the token of the page before, with the same order_by"
        )
    return last


def _after(kind: str, shape: str, token: object) -> list[Any] | None:
    if not isinstance(token, str):
        return None
    try:
        found: Any = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
        if found["of"] != kind or found["order"] != shape:
            return None
        last: list[Any] = list(found["after"])
    except (ValueError, TypeError, LookupError):
        return None
    return last if all(value is None or isinstance(value, (str, int, float)) for value in last) else None


def _shape(keys: Sequence[OrderKey]) -> str:
    return ",".join(f"{'-' if key.descending else '+'}{key.sql}{list(key.parameters) or ''}" for key in keys)
