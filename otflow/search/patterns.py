"""Whether a regular expression may be run: it must compile, and must not take time exponential in the text.

Python's `re` backtracks and cannot be interrupted: a filter with `(a+)+$` would stop the whole process. So what makes
that possible is refused: a repetition whose body can match the same text in several ways, and many repetitions after
one another. The test is cautious, it refuses some harmless patterns too.
"""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["MAX_LENGTH", "MAX_REPETITIONS", "problem_of"]

MAX_LENGTH: Final = 500
"""Characters that a pattern may have."""

MAX_REPETITIONS: Final = 5
"""Repetitions without a small bound that a pattern may have: each may multiply the time by the length of the text."""

_FEW: Final = 10
"""Repeating up to so often is cheap, whatever is repeated."""

_REPEATS: Final = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def problem_of(pattern: str) -> str | None:
    """What is wrong with a pattern, in words; None where it may be run."""
    if len(pattern) > MAX_LENGTH:
        return f"a regular expression has at most {MAX_LENGTH} characters, this one has {len(pattern)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
            repeated = list(_repeated(_parse(pattern)))
    except (re.error, OverflowError, RecursionError) as error:
        return f"the regular expression is invalid: {error}"
    if len(repeated) > MAX_REPETITIONS:
        return f"a regular expression has at most {MAX_REPETITIONS} repetitions without a small bound"
    if any(_is_ambiguous(body) for body in repeated):
        return "the regular expression may take exponential time: it repeats a group that itself repeats or branches"
    return None


def _parse(pattern: str) -> Any:
    # What `re` itself compiles from; it has no public name.
    module = "re._parser" if sys.version_info >= (3, 11) else "sre_parse"
    return importlib.import_module(module).parse(pattern)


def _repeated(node: Any) -> Iterator[Any]:
    """The bodies that are repeated more than a few times."""
    for operator, argument in node:
        if str(operator) in _REPEATS and argument[1] > _FEW:
            yield argument[2]
        for body in _bodies(argument):
            yield from _repeated(body)


def _is_ambiguous(node: Any) -> bool:
    """Whether there may be two ways to match the same text: a repetition of variable length, or a doubtful branch."""
    for operator, argument in node:
        name = str(operator)
        if name in _REPEATS and argument[0] != argument[1]:
            return True
        if name == "BRANCH" and not _starts_tell(argument[1]):
            return True
        if any(_is_ambiguous(body) for body in _bodies(argument)):
            return True
    return False


def _starts_tell(alternatives: Any) -> bool:
    """Whether the first character says which alternative it is."""
    starts = [alternative[0] if len(alternative) else None for alternative in alternatives]
    characters = {start[1] for start in starts if start is not None and str(start[0]) == "LITERAL"}
    return len(characters) == len(starts)


def _bodies(argument: Any) -> Iterator[Any]:
    """The parts of a pattern inside of another's argument: `re` gives them a class of their own."""
    if type(argument).__name__ == "SubPattern":
        yield argument
    elif isinstance(argument, (tuple, list)):
        for part in argument:  # pyright: ignore[reportUnknownVariableType]
            yield from _bodies(part)
