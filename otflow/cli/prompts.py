"""`otflow prompts`: list, show, compare and register prompts, and move their aliases."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from otflow.cli.output import put, say
from otflow.cli.places import opened, store_uri
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.tracing.brief import printable

if TYPE_CHECKING:
    from otflow.client import Client
    from otflow.entities.model_registry import Prompt, PromptVersion

__all__ = ["alias", "diff", "listing", "register", "show", "versions"]

_OWN = "_mlflow_"
"""How the keys of tags begin that are not the user's."""


@contextmanager
def _client(arguments: Any, *, create: bool = False) -> Generator[Client, None, None]:
    """A client of the store that is meant, which is closed at the end."""
    from otflow import context
    from otflow.client import Client

    uri = store_uri(arguments.store) if arguments.store else context.get_registry_uri()
    with opened(uri, create=create):
        pass  # says what is wrong where there is no such store
    try:
        yield Client(uri)
    finally:
        context.close_store(uri)


def listing(arguments: Any) -> int:
    """List the prompts that match."""
    from otflow.tracing.search import all_pages

    with _client(arguments) as client:
        found = all_pages(lambda size, token: client.search_prompts(arguments.filter, size, token), arguments.limit)
    if _as_table(arguments):
        rows = [(one.name, _day(one.creation_timestamp), _tags(one), one.description or "") for one in found]
        _table(("NAME", "CREATED", "TAGS", "DESCRIPTION"), rows)
    else:
        _json((_prompt(one) for one in found), as_list=arguments.format == "json")
    return 0


def versions(arguments: Any) -> int:
    """List the versions of a prompt, the newest first."""
    with _client(arguments) as client:
        found: list[PromptVersion] = []
        token: str | None = None
        while True:
            page = client.search_prompt_versions(arguments.name, page_token=token)
            found += page
            token = page.token
            if not token:
                break
        if not found:
            client.load_prompt(arguments.name)  # says what is not there
    if _as_table(arguments):
        rows = [
            (str(one.version), _day(one.creation_timestamp), ", ".join(one.aliases), one.commit_message or "")
            for one in found
        ]
        _table(("VERSION", "CREATED", "ALIASES", "MESSAGE"), rows)
    else:
        _json(map(_version, found), as_list=arguments.format == "json")
    return 0


def show(arguments: Any) -> int:
    """Show a version of a prompt, whole."""
    with _client(arguments) as client:
        found = _loaded(client, arguments.prompt)
    if arguments.format == "json" or (arguments.format is None and not sys.stdout.isatty()):
        put(json.dumps(_version(found), indent=2, ensure_ascii=False))
        return 0
    facts = {
        "prompt": found.uri,
        "aliases": ", ".join(found.aliases),
        "created": _day(found.creation_timestamp),
        "message": found.commit_message or "",
        "tags": " ".join(f"{key}={value}" for key, value in sorted(found.tags.items())),
        "variables": ", ".join(sorted(found.variables)),
    }
    for label, text in facts.items():
        if text:
            put(f"{label + ':':11}{_shown(text)}")
    put("")
    for line in found.lines():
        put(_shown(line))
    return 0


def diff(arguments: Any) -> int:
    """Show what changes from one version to another."""
    with _client(arguments) as client:
        before, after = _loaded(client, arguments.before), _loaded(client, arguments.after)
    for line in before.diff(after, context=arguments.context).splitlines():
        put(_shown(line))
    return 0


def register(arguments: Any) -> int:
    """Register a version of a prompt, whose template is read from a file."""
    text = sys.stdin.read() if arguments.file == "-" else _read(arguments.file)
    template = _messages(arguments.file, text) if arguments.chat else text
    tags = dict(_pair(text) for text in arguments.tag or ())
    with _client(arguments, create=True) as client:
        made = client.register_prompt(arguments.name, template, commit_message=arguments.message, tags=tags)
        for name in arguments.alias or ():
            client.set_prompt_alias(made.name, name, made.version)
    put(made.uri)
    return 0


def alias(arguments: Any) -> int:
    """Make an alias mean a version, or delete it."""
    if (arguments.version is None) != arguments.delete:
        raise InvalidParameterError("give the version that the alias is to mean, or --delete")
    with _client(arguments) as client:
        if arguments.delete:
            client.delete_prompt_alias(arguments.name, arguments.alias)
            say(f"{arguments.name}@{arguments.alias} is deleted")
        else:
            client.set_prompt_alias(arguments.name, arguments.alias, arguments.version)
            say(f"{arguments.name}@{arguments.alias} means version {arguments.version}")
    return 0


# -- inside ----------------------------------------------------------------------------------------------


def _loaded(client: Client, named: str) -> PromptVersion:
    """The version that is named by a URI, with or without `prompts:/`, or by a name alone."""
    uri = named if named.startswith("prompts:/") or not ("/" in named or "@" in named) else f"prompts:/{named}"
    found = client.load_prompt(uri)
    if found is None:
        raise NotFoundError(f"there is no prompt {named!r}")
    return found


def _read(name: str) -> str:
    with open(name, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise InvalidParameterError(f"{name} is no text in UTF-8: {error}") from error


def _messages(name: str, text: str) -> list[dict[str, Any]]:
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise InvalidParameterError(f"{name} holds no chat messages: {error}") from error
    if not isinstance(found, list):
        raise InvalidParameterError(f"{name} holds no chat messages: it must hold a JSON list of them")
    return cast("list[dict[str, Any]]", found)


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise InvalidParameterError(f"a tag is written KEY=VALUE, not {text!r}")
    return key, value


def _as_table(arguments: Any) -> bool:
    return arguments.format == "table" or (arguments.format is None and sys.stdout.isatty())


def _shown(text: str) -> str:
    return printable(text) if sys.stdout.isatty() else text


def _day(time_ms: int | None) -> str:
    if not time_ms:
        return ""
    return datetime.fromtimestamp(time_ms / 1000, tz=timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M")


def _tags(prompt: Prompt) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(prompt.tags.items()) if not key.startswith(_OWN))


def _prompt(prompt: Prompt) -> dict[str, Any]:
    return dict(prompt)


def _version(prompt: PromptVersion) -> dict[str, Any]:
    fields = dict(prompt)
    return {**fields, "variables": sorted(fields["variables"])}


def _json(found: Iterable[dict[str, Any]], *, as_list: bool) -> None:
    if as_list:
        put(json.dumps(list(found), indent=2, ensure_ascii=False))
    else:
        for one in found:
            put(json.dumps(one, ensure_ascii=False))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    cells = [[printable(" ".join(cell.split())) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    for line in (head, *cells):
        put("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
