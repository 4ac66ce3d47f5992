"""Prompts: names that versions of a prompt are kept under."""

from __future__ import annotations

from collections.abc import Mapping

from otflow.entities.plain import PlainEntity

__all__ = ["Prompt"]


class Prompt(PlainEntity):
    """A name that versions of a prompt are kept under.

    Args:
        name: The name, unique among the prompts and models of its workspace.
        description: What it is.
        creation_timestamp: Unix time in milliseconds.
        tags: Tags of the prompt; its versions have their own.
    """

    _fields = ("name", "description", "creation_timestamp", "tags")

    def __init__(
        self,
        name: str,
        description: str | None = None,
        creation_timestamp: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self.creation_timestamp = creation_timestamp
        self.tags: dict[str, str] = dict(tags or {})
