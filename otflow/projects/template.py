"""The command of an entry point: a line for the shell with places for parameters, that no value can get out of.

A value never becomes part of what the shell reads. It is handed to the shell as an argument, and its place in the
command holds a reference to it, in the form that fits where it stands: bare, in single or in double quotes. Inside of
quotes the value is itself quoted once more, as MLflow does, so that it survives a second shell (`bash -c "… {name}"`).
Where a shell evaluates what a variable holds (arithmetic, `[[ … ]]`), and where it has no say (comments,
here-documents), no parameter may stand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from otflow.errors import ExecutionError

__all__ = ["CommandTemplate", "ShellCommand"]

# A doubled brace is a brace; `{name}` is a place; any other brace is a mistake.
_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_WORD_END: Final = frozenset(" \t\n;&|()<>")


class _Within(Enum):
    """What a place in a shell command is inside of."""

    PLAIN = "the command"
    PARENTHESES = "parentheses"
    SINGLE = "single quotes"
    DOUBLE = "double quotes"
    ESCAPES = "$'…'"
    BACKTICKS = "backticks; write $(…)"
    BRACES = "${…}"
    ARITHMETIC = "arithmetic, which would evaluate its value"
    BRACKETS = "[[ … ]], which may evaluate its value; write [ … ]"
    COMMENT = "a comment"
    DOCUMENT = "a here-document, or behind one"


_FIT: Final = frozenset({_Within.PLAIN, _Within.PARENTHESES, _Within.SINGLE, _Within.DOUBLE})


@dataclass(frozen=True)
class _Place:
    name: str


@dataclass(frozen=True)
class ShellCommand:
    """What to run.

    Attributes:
        words: The argument list.
        text: A line for people that does the same.
    """

    words: tuple[str, ...]
    text: str

    @classmethod
    def of_words(cls, words: Iterable[str]) -> ShellCommand:
        """A command without a shell."""
        found = tuple(words)
        return cls(found, shlex.join(found))


@dataclass(frozen=True)
class CommandTemplate:
    """A command of an MLproject file, as it was read.

    Attributes:
        text: The command as it was written.
        pieces: What the shell reads, and between it the names of parameters with what they are inside of.
        ended_in: What the end of the command is inside of.
    """

    text: str
    pieces: tuple[str | tuple[str, _Within], ...]
    ended_in: _Within

    @classmethod
    def parse(cls, text: str) -> CommandTemplate:
        """Read a command.

        Raises:
            ExecutionError: a brace is neither doubled nor part of a place, or a place is where no value is safe.
        """
        if "\0" in text:
            raise ExecutionError(f"the command {text!r} holds a NUL character")
        reader = _Reader(text.rstrip(), list(_tokens(text.rstrip())))
        reader.read()
        return cls(text, tuple(reader.pieces), reader.within[-1])

    @property
    def names(self) -> list[str]:
        """The parameters that have a place, in their order."""
        return list(dict.fromkeys(piece[0] for piece in self.pieces if not isinstance(piece, str)))

    def fill(self, values: Mapping[str, str], more: Mapping[str, str], shell: str) -> ShellCommand:
        """The command with values in their places.

        Args:
            values: The value of each parameter that has a place.
            more: Further parameters, which go to the end as `--name value`.
            shell: The program that reads it.

        Raises:
            ExecutionError: a place has no value, or nothing can be added to the end of the command.
        """
        missing = [name for name in self.names if name not in values]
        if missing:
            raise ExecutionError(
                f"the command {self.text!r} has places for {', '.join(map(repr, missing))}, which are no parameters of"
                " the entry point; a brace that is the shell's is written twice: ${{HOME}}"
            )
        if more and self.ended_in is not _Within.PLAIN:
            raise ExecutionError(
                f"the command {self.text!r} ends inside of {self.ended_in.value}: the parameters"
                f" {', '.join(map(repr, more))} cannot be added to it"
            )
        arguments: dict[str, str] = {}  # by value, the variable that holds it
        script = "".join(
            piece if isinstance(piece, str) else _reference(piece[1], values[piece[0]], arguments)
            for piece in self.pieces
        )
        shown = "".join(
            piece if isinstance(piece, str) else _shown(piece[1], values[piece[0]]) for piece in self.pieces
        )
        for name, value in more.items():
            for word in (f"--{name}", value):
                script += f" {_reference(_Within.PLAIN, word, arguments)}"
                shown += f" {shlex.quote(word)}"
        if not arguments:
            return ShellCommand((shell, "-c", script), shown)
        taken = " ".join(f"{variable}=${{{number}}}" for number, variable in enumerate(arguments.values(), 1))
        script = f"{taken}; shift {len(arguments)}; {script}"
        return ShellCommand((shell, "-c", script, shell, *arguments), shown)


def _reference(within: _Within, value: str, arguments: dict[str, str]) -> str:
    """What stands in the command for a value."""
    bare = within in (_Within.PLAIN, _Within.PARENTHESES)
    held = value if bare else shlex.quote(value)
    variable = arguments.setdefault(held, f"otflow_value_{len(arguments)}")
    if bare:
        return f'"${{{variable}}}"'
    return f"${{{variable}}}" if within is _Within.DOUBLE else f"'\"${{{variable}}}\"'"


def _shown(within: _Within, value: str) -> str:
    quoted = shlex.quote(value)
    if within is _Within.SINGLE:
        return quoted.replace("'", "'\"'\"'")
    return re.sub(r'([\\"$`])', r"\\\1", quoted) if within is _Within.DOUBLE else quoted


def _tokens(text: str) -> Iterable[str | _Place]:
    """The characters that the shell will read, and the places between them."""
    end = 0
    for found in _BRACES.finditer(text):
        yield from text[end : found.start()]
        end = found.end()
        if found[0] in ("{{", "}}"):
            yield found[0][0]
        elif found[1]:
            yield _Place(found[1])
        else:
            raise ExecutionError(
                f"the command {text!r} has a brace at {found.start()} that belongs to no place; parameters are written"
                " {name}, and a brace that is the shell's is written twice: ${{HOME}}"
            )
    yield from text[end:]


class _Reader:
    """Follows the shell's quoting through a command.

    Source: POSIX, Shell Command Language, 2.2 Quoting and 2.3 Token Recognition; Bash Reference Manual, 3.1.2.
    """

    def __init__(self, text: str, tokens: list[str | _Place]) -> None:
        self.text = text
        self.tokens = tokens
        self.pieces: list[str | tuple[str, _Within]] = []
        self.within = [_Within.PLAIN]

    def read(self) -> None:
        """Read all of it into `pieces`."""
        at = 0
        while at < len(self.tokens):
            token = self.tokens[at]
            if isinstance(token, _Place):
                self._place(token)
                at += 1
                continue
            step = self._step(at, token)
            for passed in self.tokens[at : at + step]:
                if isinstance(passed, _Place):
                    raise self._refused(passed, "behind a backslash")
                self._literal(passed)
            at += step

    def _place(self, place: _Place) -> None:
        for within in self.within:
            if within not in _FIT:
                raise self._refused(place, f"inside of {within.value}")
        self.pieces.append((place.name, self.within[-1]))

    def _refused(self, place: _Place, where: str) -> ExecutionError:
        return ExecutionError(
            f"the command {self.text!r} has the parameter {place.name!r} {where}: no value is safe there"
        )

    def _literal(self, text: str) -> None:
        if self.pieces and isinstance(self.pieces[-1], str):
            self.pieces[-1] += text
        else:
            self.pieces.append(text)

    def _next(self, at: int, text: str) -> bool:
        return self.tokens[at : at + len(text)] == list(text)

    def _at_word_start(self, at: int) -> bool:
        return at == 0 or self.tokens[at - 1] in _WORD_END

    def _step(self, at: int, token: str) -> int:
        """Take what begins here; returns how many characters it has."""
        now = self.within[-1]
        if now is _Within.COMMENT:
            if token == "\n":
                self.within.pop()
            return 1
        if now is _Within.DOCUMENT:
            return 1
        if now is _Within.SINGLE:
            if token == "'":
                self.within.pop()
            return 1
        if token == "\\":
            return min(2, len(self.tokens) - at)
        if token == {_Within.DOUBLE: '"', _Within.ESCAPES: "'", _Within.BACKTICKS: "`", _Within.BRACES: "}"}.get(now):
            self.within.pop()
            return 1
        if now in (_Within.ESCAPES, _Within.BACKTICKS):
            return 1
        return self._opened(at, token) or self._unquoted(at, token)

    def _opened(self, at: int, token: str) -> int:
        """Take what begins an expansion, or a quotation; 0 if it is none."""
        for text, within in (
            ("$((", _Within.ARITHMETIC),
            ("$[", _Within.ARITHMETIC),
            ("$(", _Within.PARENTHESES),
            ("${", _Within.BRACES),
            ("`", _Within.BACKTICKS),
        ):
            if self._next(at, text):
                self.within.append(within)
                return len(text)
        if self.within[-1] is _Within.DOUBLE:
            return 1
        if self._next(at, "$'"):
            self.within.append(_Within.ESCAPES)
            return 2
        if token in "'\"":
            self.within.append(_Within.SINGLE if token == "'" else _Within.DOUBLE)
            return 1
        return 0

    def _unquoted(self, at: int, token: str) -> int:
        now = self.within[-1]
        if now is _Within.ARITHMETIC:
            if token in "([":
                self.within.append(_Within.ARITHMETIC)
            elif token in ")]":
                self.within.pop()
                return 2 if self._next(at, "))") and self.within[-1] is not _Within.ARITHMETIC else 1
            return 1
        if now is _Within.BRACKETS:
            if self._next(at, "]]") and self._at_word_start(at):
                self.within.pop()
                return 2
            return 1
        if now is _Within.BRACES:
            return 1
        return self._plain(at, token)

    def _plain(self, at: int, token: str) -> int:
        if self._next(at, "<<<"):
            return 3
        if self._next(at, "<<"):
            self.within.append(_Within.DOCUMENT)
            return 2
        if self._next(at, "(("):
            self.within.append(_Within.ARITHMETIC)
            return 2
        if token == "(":
            self.within.append(_Within.PARENTHESES)
        elif token == ")" and self.within[-1] is _Within.PARENTHESES:
            self.within.pop()
        elif token == "#" and self._at_word_start(at):
            self.within.append(_Within.COMMENT)
        elif self._next(at, "[[") and self._at_word_start(at):
            self.within.append(_Within.BRACKETS)
            return 2
        return 1
