"""Comparisons of the filter language as SQL conditions. Every value is bound: no text of a filter becomes SQL.

A comparison with what is not there does not hold: `!=` and `NOT IN` ask for a value that is another one.
On SQLite a connection brings `PRAGMA case_sensitive_like = ON`, `REGEXP` and a `lower` that knows all letters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from otflow.search.tree import Literal, Op
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.rows import clean

__all__ = [
    "Operand",
    "Sql",
    "all_of",
    "any_of",
    "end_ns",
    "number_condition",
    "sql",
    "text_condition",
    "time_condition",
    "value_condition",
]

Operand: TypeAlias = "Literal | tuple[Literal, ...] | None"
"""What is compared with: a tuple for IN and NOT IN, None for IS NULL and IS NOT NULL."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL, and what stands for the `?` in it, in order."""

    text: str
    parameters: tuple[object, ...] = ()


_PATTERNS: Final = {
    # Without ESCAPE '' a backslash would escape on PostgreSQL and not on SQLite. The collation "default" is that of
    # the database, which knows all letters; the columns' own, "C", knows those of ASCII.
    Dialect.SQLITE: {Op.LIKE: "{} LIKE {}", Op.ILIKE: "lower({}) LIKE {}", Op.RLIKE: "{} REGEXP {}"},
    Dialect.POSTGRESQL: {
        Op.LIKE: "{} LIKE {} ESCAPE ''",
        Op.ILIKE: "({}) COLLATE \"default\" ILIKE {} ESCAPE ''",
        Op.RLIKE: '({}) COLLATE "default" ~ {}',
    },
}


def sql(template: str, *parts: object) -> Sql:
    """A piece whose `{}` are pieces, put in as they are, and values, bound; a tuple is a list in parentheses."""
    texts: list[str] = []
    parameters: list[object] = []
    for part in parts:
        if isinstance(part, Sql):
            texts.append(part.text)
            parameters += part.parameters
        elif isinstance(part, tuple):
            values = cast("tuple[object, ...]", part)
            texts.append(f"({', '.join('?' * len(values))})")
            parameters += [_bound(value) for value in values]
        else:
            texts.append("?")
            parameters.append(_bound(part))
    return Sql(template.format(*texts), tuple(parameters))


def _bound(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def all_of(conditions: Sequence[Sql]) -> Sql:
    """All of these hold."""
    return sql(" AND ".join(["{}"] * len(conditions)), *conditions)


def any_of(conditions: Sequence[Sql]) -> Sql:
    """One of these holds."""
    return sql(f"({' OR '.join(['{}'] * len(conditions))})", *conditions)


# -- by kind of value ------------------------------------------------------------------------------


def number_condition(number: Sql, op: Op, value: Operand) -> Sql:
    """A condition on an expression that is a number or NULL."""
    return sql(f"{{}} {op.value}", number) if value is None else sql(f"{{}} {op.value} {{}}", number, value)


_MS: Final = 1_000_000
_INT64_MAX: Final = 2**63 - 1


def end_ns(time_ms: float) -> int:
    """The first nanosecond that is later than the millisecond `time_ms`, within what the database can hold."""
    return _start_ns(math.floor(time_ms) + 1)


def _start_ns(time_ms: int) -> int:
    return max(-_INT64_MAX, min(_INT64_MAX, time_ms * _MS))


def time_condition(nanoseconds: Sql, op: Op, value: Operand) -> Sql:
    """A condition, said in milliseconds, on a time in nanoseconds; bounds are such that an index can be used."""
    if isinstance(value, (int, float)):
        if op in (Op.LT, Op.GE):
            return number_condition(nanoseconds, op, _start_ns(math.ceil(value)))
        if op in (Op.LE, Op.GT):
            return number_condition(nanoseconds, Op.LT if op is Op.LE else Op.GE, end_ns(value))
    return number_condition(sql(f"({{}} / {_MS})", nanoseconds), op, value)


def text_condition(text: Sql, op: Op, value: Operand, dialect: Dialect) -> Sql:
    """A condition on an expression that is a text or NULL."""
    template = _PATTERNS[dialect].get(op)
    if template is None:
        return number_condition(text, op, value)
    return sql(template, text, str(value).lower() if op is Op.ILIKE else value)


def value_condition(text: Sql, number: Sql, op: Op, value: Operand, dialect: Dialect) -> Sql:
    """A condition on a JSON value, given as its text and, where it is a number or a boolean, its number.

    A number is compared with the number, a text with the text; true and false are texts.
    """
    if value is None:
        return number_condition(text, op, value)
    if isinstance(value, tuple):
        texts = tuple(_text(one) for one in value if isinstance(one, (str, bool)))
        numbers = tuple(one for one in value if not isinstance(one, (str, bool)))
        if op is Op.IN:
            lists = [
                sql("{} IN {}", expression, some) for expression, some in ((text, texts), (number, numbers)) if some
            ]
            return any_of(lists)
        others = [sql("{} IS NOT NULL", text)]
        if texts:
            others.append(sql("{} NOT IN {}", text, texts))
        if numbers:
            others.append(sql("({} IS NULL OR {} NOT IN {})", number, number, numbers))
        return all_of(others)
    if isinstance(value, (str, bool)):
        return text_condition(text, op, _text(value), dialect)
    if op is Op.NE:
        return sql("{} IS NOT NULL AND ({} IS NULL OR {} != {})", text, number, number, value)
    return number_condition(number, op, value)


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else "true" if value else "false"
