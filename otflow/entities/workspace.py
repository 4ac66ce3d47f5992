"""Workspaces: rooms that experiments, models and prompts are kept apart in."""

from __future__ import annotations

from enum import Enum
from typing import Any

from otflow.entities.plain import PlainEntity

__all__ = ["Workspace", "WorkspaceDeletionMode"]


class WorkspaceDeletionMode(str, Enum):
    """What becomes of what is in a workspace that is deleted."""

    SET_DEFAULT = "SET_DEFAULT"
    """It moves to the default workspace."""
    CASCADE = "CASCADE"
    """It is deleted too."""
    RESTRICT = "RESTRICT"
    """The workspace is not deleted while there is something in it."""


class Workspace(PlainEntity):
    """A room that experiments, models and prompts are kept apart in.

    Args:
        name: The name.
        description: What it is for.
        default_artifact_root: Where artifacts of its experiments are kept, unless an experiment says otherwise.
    """

    _fields = ("name", "description", "default_artifact_root")

    def __init__(self, name: str, description: str | None = None, default_artifact_root: str | None = None) -> None:
        self.name = name
        self.description = description
        self.default_artifact_root = default_artifact_root

    def to_dict(self) -> dict[str, str | None]:
        """The workspace as a dictionary."""
        return dict(self)

    @classmethod
    def from_dict(cls, payload: dict[str, Any]) -> Workspace:
        """The workspace that a dictionary describes.

        Raises:
            InvalidParameterError: it has no name.
        """
        return cls.from_dictionary(payload)

    def __repr__(self) -> str:
        return f"Workspace({', '.join(f'{name}={value!r}' for name, value in self)})"
