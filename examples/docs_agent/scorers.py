"""How good an answer is, computed from its trace."""

from __future__ import annotations

import re
from typing import NamedTuple

from otflow.entities import SpanType, Trace

_STATEMENT = re.compile(r"(.+?) \[([\w.:# ]+)\]$", re.DOTALL | re.MULTILINE)


class Score(NamedTuple):
    """A score from 0 to 1, and why."""

    value: float
    rationale: str


def groundedness(trace: Trace) -> Score:
    """The share of the answer's statements that stand word for word in a retrieved document."""
    statements = statements_of(answer_of(trace))
    if not statements:
        return Score(0.0, "The answer states nothing.")
    documents = [
        squeeze(document["page_content"])
        for span in trace.search_spans(span_type=SpanType.RETRIEVER)
        for document in span.outputs or []
    ]
    absent = [text for text in statements if not any(squeeze(text) in document for document in documents)]
    grounded = len(statements) - len(absent)
    rationale = f"{grounded} of {len(statements)} statements stand in the retrieved documents."
    if absent:
        rationale += f" Not found: {'; '.join(shortened(text) for text in absent)}"
    return Score(grounded / len(statements), rationale)


def correctness(trace: Trace, expected_facts: list[str]) -> Score:
    """The share of the expected facts that the answer states."""
    answer = squeeze(answer_of(trace)).casefold()
    missing = [fact for fact in expected_facts if squeeze(fact).casefold() not in answer]
    stated = len(expected_facts) - len(missing)
    rationale = f"{stated} of {len(expected_facts)} expected facts are stated."
    if missing:
        rationale += f" Missing: {'; '.join(missing)}"
    return Score(stated / len(expected_facts), rationale)


def answer_of(trace: Trace) -> str:
    """What the agent answered: the outputs of its span."""
    agent = trace.search_spans(span_type=SpanType.AGENT)[0]
    return str(agent.outputs or "")


def statements_of(answer: str) -> list[str]:
    """The parts of an answer, each of which ends with its source in brackets."""
    return [text.strip() for text, _ in _STATEMENT.findall(answer)]


def squeeze(text: str) -> str:
    return " ".join(text.split())


def shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{squeeze(text)[:limit]}…"
