"""What may be asked of a prompt, and the same asked of the registered models that prompts are."""

from __future__ import annotations

from typing import Final

from otflow.errors import FilterError
from otflow.search.grammar import parse_filter
from otflow.search.tree import Comparison, Entity, Field, Kind, Op, OrderKey, to_text
from otflow.semconv import PromptKey

__all__ = ["PROMPT_FIELDS", "PromptField", "as_models", "as_versions"]


class PromptField:
    """The fields of a prompt."""

    NAME: Final = Field("name", Kind.TEXT)
    EXPERIMENT: Final = Field(
        "experiment_id",
        Kind.TEXT,
        orderable=False,
        shape=r"[A-Za-z0-9-]+",
        shape_said="the id of an experiment has letters, digits and hyphens",
    )
    """The experiments that it was made or used in: a condition holds where it holds for one of them."""
    TAG: Final = Field("tags", Kind.TEXT, keyed=True, orderable=False)


PROMPT_FIELDS: Final = Entity(
    noun="a prompt",
    names={
        "name": PromptField.NAME,
        "attribute.name": PromptField.NAME,
        "attributes.name": PromptField.NAME,
        "experiment_id": PromptField.EXPERIMENT,
    },
    prefixes={"tag": PromptField.TAG, "tags": PromptField.TAG},
    default_order=(OrderKey(PromptField.NAME),),
    tie_break=(OrderKey(PromptField.NAME),),
)

_IS_PROMPT: Final = Comparison(PromptField.TAG, PromptKey.IS_PROMPT, Op.EQ, "true")


def as_models(text: str | None) -> str:
    """The filter that asks of registered models what `text` asks of prompts.

    Raises:
        FilterError: it is malformed, or asks what cannot be asked.
    """
    return to_text([_IS_PROMPT, *(_as_model(one, text or "") for one in parse_filter(text, PROMPT_FIELDS))])


def as_versions(name: str) -> str:
    """The filter that asks for the versions of a prompt."""
    return to_text([Comparison(PromptField.NAME, "", Op.EQ, name), _IS_PROMPT])


def _as_model(comparison: Comparison, text: str) -> Comparison:
    if comparison.field is not PromptField.EXPERIMENT:
        return comparison
    if comparison.op is not Op.EQ:
        raise FilterError(f"experiment_id can be compared with =, not with {comparison.op.value}", text, 0, len(text))
    return Comparison(PromptField.TAG, PromptKey.EXPERIMENT_IDS, Op.LIKE, f"%,{comparison.value},%")
