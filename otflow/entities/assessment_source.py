"""Who says so: where an assessment is from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from otflow.entities.reading import reading
from otflow.errors import InvalidParameterError

__all__ = ["AssessmentSource", "AssessmentSourceType"]


class AssessmentSourceType:
    """The kinds of sources.

    Args:
        source_type: The name of one of them, in any case.

    Raises:
        InvalidParameterError: none has this name.
    """

    SOURCE_TYPE_UNSPECIFIED = "SOURCE_TYPE_UNSPECIFIED"
    LLM_JUDGE = "LLM_JUDGE"
    AI_JUDGE = "AI_JUDGE"
    """The former name of LLM_JUDGE."""
    HUMAN = "HUMAN"
    CODE = "CODE"

    def __init__(self, source_type: str) -> None:
        self._source_type = self._standardize(source_type)

    @classmethod
    def _standardize(cls, source_type: str) -> str:
        name = str(source_type).upper()
        if name == cls.AI_JUDGE:
            warnings.warn("AI_JUDGE is deprecated. Use LLM_JUDGE instead.", FutureWarning, stacklevel=5)
            name = cls.LLM_JUDGE
        allowed = (cls.SOURCE_TYPE_UNSPECIFIED, cls.LLM_JUDGE, cls.HUMAN, cls.CODE)
        if name not in allowed:
            raise InvalidParameterError(f"Invalid assessment source type: {name}. Valid source types: {list(allowed)}")
        return name

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AssessmentSourceType):
            return self._source_type == other._source_type
        return self._source_type == other

    def __hash__(self) -> int:
        return hash(self._source_type)

    def __str__(self) -> str:
        return self._source_type


@dataclass
class AssessmentSource:
    """Who says so.

    Args:
        source_type: A kind of `AssessmentSourceType`, in any case.
        source_id: Which of that kind: a person, a model, a function.

    Raises:
        InvalidParameterError: no such kind.
    """

    source_type: str
    source_id: str = "default"

    def __post_init__(self) -> None:
        self.source_type = str(AssessmentSourceType(self.source_type))

    @classmethod
    def from_dictionary(cls, source_dict: Mapping[str, Any]) -> AssessmentSource:
        """The source that a dictionary describes.

        Raises:
            InvalidParameterError: its kind is missing, or no such kind.
        """
        with reading("AssessmentSource", source_dict):
            return cls(source_dict["source_type"], source_dict.get("source_id") or "default")

    def to_dictionary(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return asdict(self)
