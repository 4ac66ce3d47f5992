"""Puts the commands, made from the parser, into the page on the command line, and the columns of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otflow.cli.parser import EXIT_CODES, build_parser
from otflow.store.transfer.parquet import COLUMNS

_PLACES = ("<!-- commands -->", "<!-- exit codes -->", "<!-- parquet columns -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    for place, made in zip(_PLACES, (commands(), exit_codes(), columns()), strict=True):
        markdown = markdown.replace(place, made)
    return markdown


def commands() -> str:
    """Each command, with its options and examples."""
    return "\n\n".join(_command(parser) for parser in leaves(build_parser()))


def leaves(parser: Any) -> Iterator[Any]:
    """The parsers of the commands that have no commands of their own."""
    nested = [action for action in parser._actions if hasattr(action, "_name_parser_map")]
    if not nested:
        yield parser
    for action in nested:
        for inner in action.choices.values():
            yield from leaves(inner)


def exit_codes() -> str:
    """The exit codes as a Markdown table."""
    return "\n".join(["| Code | Meaning |", "|---|---|", *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES)])


def columns() -> str:
    """The columns of Parquet files as a Markdown table."""
    rows = [f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in COLUMNS]
    return "\n".join(["| Column | Kind | Meaning |", "|---|---|---|", *rows])


def _command(parser: Any) -> str:
    examples = "\n".join(line.strip() for line in parser.epilog.splitlines()[1:])
    rows = [f"| {_name(action)} | {_text(action.help)} |" for action in parser._actions if action.dest != "help"]
    head = [f"## {parser.prog}", "", parser.description, "", "```sh", examples, "```", ""]
    return "\n".join([*head, "| Option | Meaning |", "|---|---|", *rows])


def _name(action: Any) -> str:
    value = action.metavar or ("|".join(action.choices) if action.choices else "")
    if not action.option_strings:
        return f"`{value}`"
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    return f"{names} `{value}`".replace("|", "\\|") if value and action.nargs != 0 else names


def _text(text: str) -> str:
    return text.replace("|", "\\|")
