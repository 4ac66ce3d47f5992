"""Links to versions of prompts, which traces, runs and logged models have as a tag `mlflow.linkedPrompts`.

Its value is a JSON list of names and versions, as in MLflow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, cast

from otflow.errors import InvalidParameterError

__all__ = ["linked_prompts", "linked_text", "without_link"]

_LONGEST_LINKS: Final = 8000


def linked_prompts(text: str | None) -> list[tuple[str, str]]:
    """The prompt versions, as name and version, that a tag `mlflow.linkedPrompts` lists; one of another form, none."""
    try:
        listed: object = json.loads(text) if text else []
    except ValueError:
        return []
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    found: dict[tuple[str, str], None] = {}
    for entry in entries:
        if isinstance(entry, dict):
            name, version = (
                cast("dict[str, object]", entry).get("name"),
                cast("dict[str, object]", entry).get("version"),
            )
            if isinstance(name, str) and isinstance(version, (str, int)):
                found[name, str(version)] = None
    return list(found)


def linked_text(prompts: Iterable[tuple[str, str]]) -> str:
    """The value of a tag `mlflow.linkedPrompts` that lists these prompt versions, each once.

    Stores cut the value of a tag at 8,000 characters: of very many prompts the first ones are listed.
    """
    listed = [json.dumps({"name": name, "version": version}) for name, version in dict.fromkeys(prompts)]
    length = 0
    for index, entry in enumerate(listed):
        length += len(entry) + 2
        if length > _LONGEST_LINKS:
            return f"[{', '.join(listed[:index])}]"
    return f"[{', '.join(listed)}]"


def without_link(linked: Iterable[tuple[str, str]], prompt: tuple[str, str], run_id: object) -> list[tuple[str, str]]:
    """Links of a run without one of them.

    Raises:
        InvalidParameterError: it is not among them.
    """
    there = list(linked)
    if prompt not in there:
        raise InvalidParameterError(f"Run {run_id!r} is not linked to the prompt 'prompts:/{prompt[0]}/{prompt[1]}'")
    return [one for one in there if one != prompt]
