"""The syntax tree of a filter: comparisons that all must hold, and keys of an order.

Its texts are filters again: `parse_filter(to_text(tree)) == tree`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

__all__ = ["Comparison", "Entity", "Field", "Kind", "Literal", "Op", "OrderKey", "quote", "to_text"]

Literal: TypeAlias = str | int | float | bool
"""What a field is compared with."""


class Op(Enum):
    """The comparators, as they are written."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    RLIKE = "RLIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


_EVERY: Final = (Op.EQ, Op.NE, Op.IN, Op.NOT_IN, Op.IS_NULL, Op.IS_NOT_NULL)
_ORDER: Final = (Op.LT, Op.LE, Op.GT, Op.GE)
_PATTERN: Final = (Op.LIKE, Op.ILIKE, Op.RLIKE)


class Kind(Enum):
    """What values a field has."""

    NUMBER = "number"
    TEXT = "text"
    CONTENT = "content"
    """A text as large as what was traced: it is searched, not compared."""
    VALUE = "value"
    """Whatever JSON can say. With a number it compares as a number; with a quoted text as text, which is the text
    itself for a string and the JSON text for anything else."""

    @property
    def ops(self) -> tuple[Op, ...]:
        """The comparators that such a field takes."""
        return _OPS[self]

    @property
    def literals(self) -> str:
        """How the values that such a field is compared with are written, for messages."""
        return _LITERALS[self]


_OPS: Final[Mapping[Kind, tuple[Op, ...]]] = {
    Kind.NUMBER: (*_EVERY, *_ORDER),
    Kind.TEXT: (*_EVERY, *_PATTERN),
    Kind.CONTENT: (Op.LIKE, Op.ILIKE),
    Kind.VALUE: (*_EVERY, *_ORDER, *_PATTERN),
}
_LITERALS: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "a number",
    Kind.TEXT: "a text in single or double quotes",
    Kind.CONTENT: "a text in single or double quotes",
    Kind.VALUE: "a text in single or double quotes, a number, true or false",
}


@dataclass(frozen=True, slots=True)
class Field:
    """Something that an entity can be asked for.

    Attributes:
        name: How it is written; a keyed one is written with a key behind it, `tags.env`.
        kind: What values it has.
        keyed: Whether there is one value per key.
        orderable: Whether results can be ordered by it: it has one value, or none.
        shape: A regular expression that a text which it equals must match, if there is one.
        shape_said: How to say that.
        unquoted: Whether a number that it is compared with may not stand in quotes.
    """

    name: str
    kind: Kind
    keyed: bool = False
    orderable: bool = True
    shape: str | None = None
    shape_said: str = ""
    unquoted: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """What may be asked of one kind of thing.

    Attributes:
        noun: What the thing is called in messages.
        names: Every way to write a field that has no key, with its dots.
        prefixes: Every way to write what stands before a key.
        default_order: The order where none is asked for.
        tie_break: What decides between equals, where the order does not say it already.
    """

    noun: str
    names: Mapping[str, Field]
    prefixes: Mapping[str, Field]
    default_order: tuple[OrderKey, ...]
    tie_break: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition: a field, a comparator and what to compare with.

    Attributes:
        field: The field.
        key: The key, of a keyed field; else empty.
        op: The comparator.
        value: A tuple for IN and NOT IN, None for IS NULL and IS NOT NULL.
    """

    field: Field
    key: str
    op: Op
    value: Literal | tuple[Literal, ...] | None

    def __str__(self) -> str:
        text = f"{_path(self.field, self.key)} {self.op.value}"
        if self.value is None:
            return text
        if isinstance(self.value, tuple):
            return f"{text} ({', '.join(_literal(one) for one in self.value)})"
        return f"{text} {_literal(self.value)}"


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order: a field and a direction. What has no value comes last in either direction."""

    field: Field
    key: str = ""
    descending: bool = False

    def __str__(self) -> str:
        return f"{_path(self.field, self.key)} {'DESC' if self.descending else 'ASC'}"


def to_text(comparisons: Iterable[Comparison]) -> str:
    """A filter that says these comparisons."""
    return " AND ".join(map(str, comparisons))


def quote(text: str) -> str:
    """A text as a literal of the language; without need of doubling, the released MLflow reads it the same way."""
    mark = '"' if "'" in text and '"' not in text else "'"
    # Backslashes are themselves, except before the mark: there they are counted in pairs.
    parts = text.split(mark)
    return mark + (mark * 2).join(part + "\\" * (len(part) - len(part.rstrip("\\"))) for part in parts) + mark


def _path(asked: Field, key: str) -> str:
    return f"{asked.name}.{_quoted_key(key)}" if asked.keyed else asked.name


def _quoted_key(key: str) -> str:
    mark = next((mark for mark in "`\"'" if mark not in key), "`")
    return mark + key.replace(mark, mark * 2) + mark


def _literal(value: Literal) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
