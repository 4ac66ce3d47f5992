"""What a question asks for: which names it is about, what to look for, and which tools can help."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_CODE = re.compile(r"`([^`]+)`")
_DOTTED_NAME = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_PRONOUN = re.compile(r"\bit\b", re.IGNORECASE)
_TOOLS = {
    "lookup_signature": re.compile(r"\bsignature|\b(which|what)\b.*\b(argument|parameter|default)", re.IGNORECASE),
    "read_source": re.compile(r"\b(implement|source)", re.IGNORECASE),
    "run_examples": re.compile(r"\b(example|show me)", re.IGNORECASE),
}


@dataclass(frozen=True)
class Plan:
    """How to answer a question."""

    searches: list[tuple[str, str | None]]
    """What to search for: the question or its parts, each with the name it is about."""
    names: list[str]
    """The names that the question is about, as it writes them."""
    tools: list[str]
    """Tools to use on each name, or on what the search finds."""
    expressions: list[str]
    """Expressions whose value is asked for."""


def make_plan(question: str, topic: str | None) -> Plan:
    """Plan by a few rules.

    Args:
        question: The question.
        topic: What the conversation was about so far, which "it" refers to.
    """
    code = _CODE.findall(question)
    expressions = [text for text in code if is_call(text)]
    names = [text for text in code if _NAME.fullmatch(text)]
    prose = _CODE.sub(" ", question)
    names += [name for name in _DOTTED_NAME.findall(prose) if name not in names]
    if not names and not expressions and topic and _PRONOUN.search(prose):
        names = [topic]
    tools = [tool for tool, asked in _TOOLS.items() if asked.search(prose)]
    if names:
        searches = [(f"{name} {prose}", name) for name in names]
    else:
        searches = [(part, None) for part in re.split(r"(?<=\?)\s+", question.strip())]
    return Plan(searches, names, tools, expressions)


def is_call(text: str) -> bool:
    try:
        return isinstance(ast.parse(text, mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
