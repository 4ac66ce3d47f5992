"""Questions on the terminal, or in a notebook; secrets are not shown while they are typed."""

from __future__ import annotations

import getpass
import sys

from otflow.errors import OtflowError
from otflow.source_code import source_type

__all__ = ["ask", "ask_secret", "may_ask"]


def may_ask() -> bool:
    """Whether somebody is there to answer."""
    if source_type() == "NOTEBOOK":
        return True
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # no standard input, or a closed one
        return False


def ask(question: str, what: str, *, empty: bool = False) -> str:
    """An answer, without the spaces around it.

    Args:
        question: What to print.
        what: What is asked for, for the error.
        empty: Whether nothing is an answer.

    Raises:
        OtflowError: There is none.
    """
    try:
        answer = input(question).strip()
    except EOFError:
        answer, empty = "", False
    return _given(answer, what, empty)


def ask_secret(question: str, what: str, *, empty: bool = False) -> str:
    """An answer that is not shown, as it was typed; see `ask`."""
    try:
        answer = getpass.getpass(question)
    except EOFError:
        answer, empty = "", False
    return _given(answer, what, empty)


def _given(answer: str, what: str, empty: bool) -> str:
    if not answer and not empty:
        raise OtflowError(f"Not logged in: {what} is missing")
    return answer
