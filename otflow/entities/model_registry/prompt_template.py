"""Templates of prompts: `{{ variable }}` in texts and chat messages, or Jinja2 where there is a `{% … %}` in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from otflow.errors import ArgumentTypeError, InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Template", "checked_template", "is_jinja", "render_jinja", "single_braces", "substitute", "variables_of"]

Template: TypeAlias = "str | list[dict[str, Any]]"

_VARIABLE = re.compile(r"\{\{\s*([^\W\d][\w.]*)\s*\}\}")
_STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)


def checked_template(template: object) -> Template:
    """A text as it is; a sequence of chat messages as dictionaries of their own.

    Raises:
        ArgumentTypeError: it is neither.
        InvalidParameterError: a message has no role or no content, or there is no message.
    """
    if isinstance(template, str):
        return template
    if not isinstance(template, Sequence) or isinstance(template, (bytes, bytearray)):
        raise ArgumentTypeError(
            f"A template must be a string or a list of chat messages, got {type(template).__name__}: {template!r}"
        )
    messages: list[dict[str, Any]] = []
    for message in cast("Sequence[object]", template):
        if not isinstance(message, Mapping):
            raise InvalidParameterError(
                f"Template must be a list of dicts with role and content, got {type(message).__name__}: {message!r}"
            )
        fields = dict(cast("Mapping[str, Any]", message))
        content = fields.get("content", ())  # no message is without one
        if not isinstance(fields.get("role"), str) or not (content is None or isinstance(content, (str, list))):
            raise InvalidParameterError(f"Template must be a list of dicts with role and content, got {fields!r}")
        messages.append(fields)
    if not messages:
        raise InvalidParameterError("Template must be a list of dicts with role and content; it has no message")
    try:
        json.dumps(messages)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"A prompt's chat messages must be JSON: {error}") from error
    return messages


def variables_of(template: Template) -> set[str]:
    """The names that stand in double braces."""
    found: set[str] = set()

    def collect(text: str) -> str:
        found.update(_VARIABLE.findall(text))
        return text

    _each_text(template, collect)
    return found


def substitute(template: Template, values: Mapping[str, Any]) -> Template:
    """The template with the values that are given in place of their names.

    What a value holds is taken as it is: braces in it are text, not further variables.
    """

    def fill(text: str) -> str:
        return _VARIABLE.sub(lambda found: str(values[found[1]]) if found[1] in values else found[0], text)

    return _each_text(template, fill)


def single_braces(template: Template) -> Template:
    """The template with its variables in single braces, as `str.format` and LangChain read them."""
    return _each_text(template, lambda text: _VARIABLE.sub(r"{\1}", text))


def is_jinja(template: Template) -> bool:
    """Whether the template has a statement of Jinja2, `{% … %}`, in it."""
    found = False

    def look(text: str) -> str:
        nonlocal found
        found = found or _STATEMENT.search(text) is not None
        return text

    _each_text(template, look)
    return found


def render_jinja(template: Template, values: Mapping[str, Any], *, sandbox: bool) -> Template:
    """The template as Jinja2 renders it.

    Args:
        template: The template.
        values: What its variables are; what is missing renders as nothing.
        sandbox: Whether it may only read what is given to it
            (https://jinja.palletsprojects.com/en/stable/sandbox/); needed for every template that is not your own.

    Raises:
        MissingExtraError: Jinja2 is not installed.
        InvalidParameterError: the template is malformed, or does what the sandbox forbids.
    """
    environment = _environment(sandbox)
    from jinja2 import TemplateError

    try:
        return _each_text(template, lambda text: environment.from_string(text).render(**values))
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise InvalidParameterError(f"The Jinja2 template cannot be rendered: {error}") from error


def _environment(sandbox: bool) -> Environment:
    try:
        from jinja2 import Environment
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise MissingExtraError("Jinja2", "jinja", "A prompt with statements of Jinja2") from error
    # A prompt is text for a model, not for a browser: nothing is to be escaped.
    return ImmutableSandboxedEnvironment() if sandbox else Environment()  # noqa: S701


def _each_text(template: Template, change: Callable[[str], str]) -> Template:
    """The template with every text in it changed, keys of dictionaries aside."""

    def walk(value: object) -> Any:
        if isinstance(value, str):
            return change(value)
        if isinstance(value, list):
            return [walk(one) for one in cast("list[object]", value)]
        if isinstance(value, dict):
            return {key: walk(one) for key, one in cast("dict[str, object]", value).items()}
        return value

    return walk(template)
