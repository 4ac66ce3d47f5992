"""Text to syntax tree. Every error is a FilterError that points at the token it is about.

    filter      = [ comparison { "AND" comparison } ]
    comparison  = name operator literal | name [ "NOT" ] "IN" "(" literal { "," literal } ")"
                | name "IS" [ "NOT" ] "NULL"
    operator    = "=" | "!=" | "<" | "<=" | ">" | ">=" | "LIKE" | "ILIKE" | "RLIKE"
    name        = part { "." part }               nothing between the parts
    part        = bare word | `…` | "…" | '…'     the mark doubled is the mark itself
    literal     = '…' | "…" | number | "true" | "false"
    order       = name [ "ASC" | "DESC" ]

Words in capitals may be written in any case; names may not. In a literal a doubled mark is the mark itself, and so is
one behind a backslash; every other backslash is a backslash, as in the released MLflow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from otflow.errors import FilterError
from otflow.search.fields import TRACE_FIELDS
from otflow.search.patterns import problem_of
from otflow.search.tree import Comparison, Entity, Field, Kind, Literal, Op, OrderKey

__all__ = ["parse_filter", "parse_order_by"]

_MAX_LENGTH: Final = 500_000
_MAX_COMPARISONS: Final = 100
"""Databases have limits of their own (expression depth, parameters): these are below them, and say so nicely."""
_MAX_VALUES: Final = 10_000
_MAX_PATTERN: Final = 5_000

_NOT_SPACE: Final = re.compile(r"\S")
_PART: Final = re.compile(r"[^\s'\"`.,;()=<>!~]+|`(?:``|[^`])*`|\"(?:\"\"|[^\"])*\"|'(?:''|[^'])*'")
_SIGNS: Final = re.compile(r"[=<>!~]+")
_WORD: Final = re.compile(r"[^\W\d]\w*")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])", re.ASCII)
_TOKEN: Final = re.compile(r"'[^']*'?|\"[^\"]*\"?|`[^`]*`?|[=<>!~]+|[^\s'\"`,;()=<>!~]+|.", re.DOTALL)
_BEYOND_SQL: Final = 2**63

_SIGN_OPS: Final = {op.value: op for op in (Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE)}
_WORD_OPS: Final = {op.value: op for op in Op if op not in _SIGN_OPS.values()}
_WORD_OP: Final = re.compile(rf"(?:{'|'.join(_WORD_OPS)})\b".replace(" ", r"\s+"), re.IGNORECASE)
_NOT_LIKE: Final = re.compile(r"NOT\s+[IR]?LIKE\b", re.IGNORECASE)
_MEANT: Final = {"==": "=", "<>": "!=", "=<": "<=", "=>": ">=", "=~": "RLIKE", "~": "RLIKE"}


def parse_filter(text: str | None, entity: Entity = TRACE_FIELDS) -> tuple[Comparison, ...]:
    """The comparisons of a filter, all of which must hold.

    Args:
        text: The filter; None and an empty one ask nothing.
        entity: What it is about.

    Raises:
        FilterError: it is malformed, or asks what cannot be asked.
    """
    if text is None:
        return ()
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FilterError(f"a filter is a text, not {_said(text)}", _said(text), 0)
    return _Parser(text, entity).filter()


def parse_order_by(clauses: Sequence[str] | None, entity: Entity = TRACE_FIELDS) -> tuple[OrderKey, ...]:
    """The keys of an order, with those that decide between equals at the end.

    Args:
        clauses: A name each, with ASC (which is the default) or DESC behind it; None and no clauses are the
            entity's default order.
        entity: What is ordered.

    Raises:
        FilterError: a clause is malformed, orders by what has no order, or by the same as another one.
    """
    if clauses is None:
        clauses = ()
    if isinstance(clauses, str) or not isinstance(clauses, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FilterError(f"order_by is a list of texts, not {_said(clauses)}", _said(clauses), 0)
    keys: list[OrderKey] = []
    for clause in clauses:
        if not isinstance(clause, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FilterError(f"an order_by clause is a text, not {_said(clause)}", _said(clause), 0)
        key = _Parser(clause, entity).order_key()
        if any((key.field, key.key) == (other.field, other.key) for other in keys):
            raise FilterError(f"order_by has {key.field.name} twice", clause, 0, len(clause))
        keys.append(key)
    rest = entity.tie_break if keys else (*entity.default_order, *entity.tie_break)
    for key in rest:
        if all((key.field, key.key) != (other.field, other.key) for other in keys):
            keys.append(key)
    return tuple(keys)


def _said(value: object) -> str:
    """A value that should have been a text, for messages."""
    return f"an object of type {type(value).__name__}"


class _Parser:
    """Reads one text from left to right; `at` is where it is."""

    def __init__(self, text: str, entity: Entity) -> None:
        self.text = text
        self.entity = entity
        self.at = 0
        self.values = 0
        if len(text) > _MAX_LENGTH:
            shown = text[:60] + "…"
            raise FilterError(f"a filter has at most {_MAX_LENGTH} characters, this one has {len(text)}", shown, 0, 60)

    # -- the rules -------------------------------------------------------------------------------

    def filter(self) -> tuple[Comparison, ...]:
        comparisons: list[Comparison] = []
        self.skip()
        while self.at < len(self.text) or comparisons:
            if len(comparisons) == _MAX_COMPARISONS:
                raise self.error(f"a filter has at most {_MAX_COMPARISONS} conditions")
            comparisons.append(self.comparison())
            self.skip()
            if self.at == len(self.text):
                break
            if not self.keyword("AND"):
                raise self.error(self.unexpected("AND or the end"))
            self.skip()
        return tuple(comparisons)

    def order_key(self) -> OrderKey:
        self.skip()
        start = self.at
        field, key = self.name()
        if not field.orderable:
            raise self.error(f"results cannot be ordered by {field.name}: it may have several values", start, self.at)
        self.skip()
        descending = self.keyword("DESC")
        if not descending:
            self.keyword("ASC")
        self.skip()
        if self.at < len(self.text):
            raise self.error(self.unexpected("ASC, DESC or the end"))
        return OrderKey(field, key, descending)

    def comparison(self) -> Comparison:
        field, key = self.name()
        self.skip()
        start = self.at
        op = self.operator(field)
        if op not in field.kind.ops:
            allowed = ", ".join(one.value for one in field.kind.ops)
            raise self.error(
                f"{field.name} cannot be compared with {op.value}; what can be used: {allowed}", start, self.at
            )
        self.skip()
        if op in (Op.IS_NULL, Op.IS_NOT_NULL):
            return Comparison(field, key, op, None)
        if op in (Op.IN, Op.NOT_IN):
            return Comparison(field, key, op, self.listed(field, op))
        return Comparison(field, key, op, self.literal(field, op))

    # -- names -----------------------------------------------------------------------------------

    def name(self) -> tuple[Field, str]:
        start = self.at
        parts: list[str] = []
        while True:
            match = _PART.match(self.text, self.at)
            if match is None:
                raise self.error(self.unexpected("a name" if not parts else "the rest of a name behind the dot"))
            part = match.group()
            mark = part[0]
            parts.append(part[1:-1].replace(mark * 2, mark) if mark in "`\"'" else part)
            self.at = match.end()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return self.resolved(".".join(parts), start)

    def resolved(self, name: str, start: int) -> tuple[Field, str]:
        entity = self.entity
        field = entity.names.get(name)
        if field is not None:
            return field, ""
        for prefix, keyed in entity.prefixes.items():
            if name.startswith(prefix + ".") and len(name) > len(prefix) + 1:
                return keyed, name[len(prefix) + 1 :]
        if name in entity.prefixes or name.rstrip(".") in entity.prefixes:
            raise self.error(f"{name} needs the key that is meant: {name.rstrip('.')}.<key>", start, self.at)
        if name.upper() in ("NOT", "AND", "OR"):
            self.at = start
            raise self.error(self.unexpected("a name"))
        known = [*entity.names, *entity.prefixes]
        close = get_close_matches(name, known, 1) or get_close_matches(name.lower(), known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {_fields_of(entity)}"
        raise self.error(f"{entity.noun} cannot be asked for {_shortened(name)!r}; {hint}", start, self.at)

    # -- operators -------------------------------------------------------------------------------

    def operator(self, field: Field) -> Op:
        signs = _SIGNS.match(self.text, self.at)
        if signs is not None:
            op = _SIGN_OPS.get(signs.group())
            if op is None:
                meant = _MEANT.get(signs.group())
                hint = f", write {meant}" if meant else ""
                raise self.error(f"there is no comparator {signs.group()}{hint}; {self.operators(field)}")
            self.at = signs.end()
            return op
        words = _WORD_OP.match(self.text, self.at)
        if words is not None:
            self.at = words.end()
            return _WORD_OPS[" ".join(words.group().upper().split())]
        negated = _NOT_LIKE.match(self.text, self.at)
        if negated is not None:
            problem = f"there is no comparator {negated.group().upper()}; {self.operators(field)}"
            raise self.error(problem, self.at, negated.end())
        raise self.error(f"{self.unexpected('a comparator')}; {self.operators(field)}")

    def operators(self, field: Field) -> str:
        return f"{field.name} can be compared with {', '.join(op.value for op in field.kind.ops)}"

    # -- values ----------------------------------------------------------------------------------

    def listed(self, field: Field, op: Op) -> tuple[Literal, ...]:
        if not self.text.startswith("(", self.at):
            raise self.error(self.unexpected(f"a list in parentheses behind {op.value}"))
        self.at += 1
        values: list[Literal] = []
        while True:
            self.skip()
            if self.text.startswith(")", self.at):
                if not values:
                    raise self.error(f"the list behind {op.value} is empty; it needs one value at least")
                break
            values.append(self.literal(field, op))
            self.skip()
            if self.text.startswith(")", self.at):
                break
            if not self.text.startswith(",", self.at):
                raise self.error(self.unexpected("a comma or a closing parenthesis"))
            self.at += 1
        self.at += 1
        return tuple(values)

    def literal(self, field: Field, op: Op) -> Literal:
        start = self.at
        self.values += 1
        if self.values > _MAX_VALUES:
            raise self.error(f"a filter has at most {_MAX_VALUES} values")
        mark = self.text[start : start + 1]
        value = self.quoted(mark) if mark in ("'", '"') else self.number_or_word(field)
        problem, value = _checked(value, field, op)
        if problem:
            raise self.error(problem, start, self.at)
        return value

    def quoted(self, mark: str) -> str:
        """The text of a literal in quotation marks."""
        text, start = self.text, self.at
        pieces: list[str] = []
        at = start + 1
        while True:
            end = text.find(mark, at)
            if end < 0:
                raise self.error(f"the text that starts here has no closing {mark}", start, len(text))
            bare = text[at:end].rstrip("\\")
            slashes = end - at - len(bare)
            pieces += [bare, "\\" * (slashes // 2)]
            at = end + 1
            if slashes % 2:
                if text.find(mark, at) < 0 and not text[at:].strip():
                    # The last mark of all: as in the released MLflow it closes, and the backslash is itself.
                    pieces.append("\\" * (slashes - slashes // 2))
                    break
                pieces.append(mark)
            elif text.startswith(mark, at):
                pieces.append(mark)
                at += 1
            else:
                break
        self.at = at
        return "".join(pieces)

    def number_or_word(self, field: Field) -> Literal:
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            return _number(number.group())
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise self.error(self.unexpected(field.kind.literals))
        lowered = word.group().lower()
        if lowered in ("true", "false"):
            self.at = word.end()
            return lowered == "true"
        if lowered == "null":
            raise self.error("nothing equals NULL; write IS NULL or IS NOT NULL")
        raise self.error(self.unexpected(field.kind.literals))

    # -- small ones ------------------------------------------------------------------------------

    def skip(self) -> None:
        match = _NOT_SPACE.search(self.text, self.at)
        self.at = len(self.text) if match is None else match.start()

    def keyword(self, word: str) -> bool:
        match = _WORD.match(self.text, self.at)
        if match is None or match.group().upper() != word:
            return False
        self.at = match.end()
        return True

    def token_end(self, start: int) -> int:
        match = _TOKEN.match(self.text, start)
        return start + 1 if match is None else match.end()

    def unexpected(self, expected: str) -> str:
        """What to say where something else should stand."""
        if self.at >= len(self.text):
            return f"the text ends where {expected} should stand"
        token = self.text[self.at : self.token_end(self.at)]
        said = f"found {_shortened(token)} where {expected} should stand"
        if token.upper() in ("OR", "NOT") or token in ("(", ")"):
            return f"{said}: conditions are joined by AND only, without OR, NOT and parentheses"
        return f"found nothing where {expected} should stand" if token.isspace() else said

    def error(self, problem: str, start: int | None = None, end: int | None = None) -> FilterError:
        """The error that points at the token at `start`; without it at the next one."""
        begin = self.at if start is None else start
        return FilterError(problem, self.text, begin, self.token_end(begin) if end is None else end)


def _shortened(token: str) -> str:
    return token if len(token) <= 40 else f"{token[:39]}…"


def _fields_of(entity: Entity) -> str:
    names = dict.fromkeys(field.name for field in entity.names.values())
    keyed = dict.fromkeys(f"{field.name}.<key>" for field in entity.prefixes.values())
    return ", ".join([*names, *keyed])


def _number(text: str) -> int | float:
    """A number; a whole one beyond what databases can hold becomes a float."""
    if len(text) <= 20 and text.lstrip("+-").isdigit() and -_BEYOND_SQL <= int(text) < _BEYOND_SQL:
        return int(text)
    return float(text)


def _checked(value: Literal, field: Field, op: Op) -> tuple[str | None, Literal]:
    """What is wrong with comparing so, if anything is; and the value to compare with."""
    kind = field.kind
    if isinstance(value, float) and not math.isfinite(value):
        return "the number is too large", value
    if kind is Kind.NUMBER:
        return _as_number(value, field)
    if isinstance(value, str):
        if op in (Op.LT, Op.LE, Op.GT, Op.GE):
            return f"{op.value} compares numbers: write a number without quotes", value
        if op is Op.RLIKE:
            return problem_of(value), value
        if op in (Op.LIKE, Op.ILIKE) and len(value) > _MAX_PATTERN:
            return f"a pattern has at most {_MAX_PATTERN} characters, this one has {len(value)}", value
        if field.shape is not None and op in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN) and not re.fullmatch(field.shape, value):
            return field.shape_said, value
        return None, value
    if kind is not Kind.VALUE:
        return f"{field.name} is compared with {kind.literals}", value
    if op in (Op.LIKE, Op.ILIKE, Op.RLIKE):
        return f"{op.value} takes a pattern: write it in quotes", value
    if isinstance(value, bool) and op in (Op.LT, Op.LE, Op.GT, Op.GE):
        return f"{op.value} compares numbers, not true and false", value
    return None, value


def _as_number(value: Literal, field: Field) -> tuple[str | None, Literal]:
    """A number; for some fields it may be in quotes, as in the released MLflow."""
    if isinstance(value, str) and not field.unquoted and _NUMBER.fullmatch(value.strip()):
        value = _number(value.strip())
        if isinstance(value, float) and not math.isfinite(value):
            return "the number is too large", value
    if isinstance(value, (str, bool)):
        return f"{field.name} is compared with a number{', without quotes' if field.unquoted else ''}", value
    return None, value
