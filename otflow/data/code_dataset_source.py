"""Data that came into being in a program."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from otflow.data.dataset_source import DatasetSource
from otflow.errors import OtflowError
from otflow.source_code import source_tags

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CodeDatasetSource", "NotLoadableError"]


class NotLoadableError(OtflowError, builtins.NotImplementedError):
    """A source says where data comes from, and has no data. MLflow's error is the built-in one."""


class CodeDatasetSource(DatasetSource):
    """The program that made the data: the source where none is given.

    Args:
        tags: What is known of the program; of the one that runs, by default: user, file, commit.
    """

    def __init__(self, tags: dict[Any, Any] | None = None) -> None:
        self._tags = source_tags() if tags is None else tags

    @property
    def tags(self) -> dict[Any, Any]:
        """What is known of the program."""
        return self._tags

    @staticmethod
    def _get_source_type() -> str:
        return "code"

    def load(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Not possible: a program cannot be loaded.

        Raises:
            NotLoadableError: always.
        """
        raise NotLoadableError("data that a program made cannot be loaded again: run the program", "NOT_IMPLEMENTED")

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return {"tags": self._tags}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described."""
        return cls(source_dict.get("tags") or {})
