"""Reading and checking a file of questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class QuestionsError(Exception):
    """The file cannot be read, or does not hold questions."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Review(_Part):
    """What a person says about a score that code gave."""

    scorer: Text
    value: float = Field(ge=0, le=1)
    reviewer: Text
    rationale: Text


class Question(_Part):
    """A question, and the facts that its answer should state."""

    question: Text
    expected_facts: list[Text] = Field(min_length=1)
    review: Review | None = None


class Script(_Part):
    """The questions of one conversation, in their order."""

    name: Text
    user: Text
    questions: list[Question] = Field(min_length=1)


class _File(_Part):
    conversations: list[Script] = Field(min_length=1)


def read_questions(path: Path) -> list[Script]:
    """The conversations of a JSON file.

    Raises:
        QuestionsError: The file cannot be read, is no JSON, or has another form than `questions.json`.
    """
    try:
        return _File.model_validate_json(path.read_bytes()).conversations
    except OSError as error:
        raise QuestionsError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise QuestionsError(f"{str(path)!r} is no file of questions: {place or 'file'}: {first['msg']}") from None


def first_questions(scripts: list[Script], limit: int | None) -> list[Script]:
    """The first `limit` questions, or all, in the conversations that they belong to."""
    left = sum(len(script.questions) for script in scripts) if limit is None else limit
    taken: list[Script] = []
    for script in scripts:
        if left > 0:
            taken.append(script.model_copy(update={"questions": script.questions[:left]}))
            left -= len(script.questions)
    return taken
