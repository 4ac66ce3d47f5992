"""Puts the table of settings, made from `otflow.config`, into the configuration page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow.config import SETTINGS

if TYPE_CHECKING:
    from otflow.config import Setting

_PLACE = "<!-- settings -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return markdown.replace(_PLACE, table())


def table() -> str:
    """The settings as a Markdown table."""
    return "\n".join(["| Variable | Allowed | Default | Meaning |", "|---|---|---|---|", *map(_row, SETTINGS)])


def _row(setting: Setting[Any]) -> str:
    kind = setting.kind.name.removeprefix("one of ").removeprefix("a ")
    return f"| `{setting.variables[0]}` | {kind} | {_default(setting.default)} | {setting.meaning} |"


def _default(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
