"""Versions of prompts: a template, how its answer looks, and how it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from otflow.entities.model_registry.prompt_template import (
    Template,
    checked_template,
    is_jinja,
    render_jinja,
    single_braces,
    substitute,
    variables_of,
)
from otflow.entities.plain import PlainEntity
from otflow.errors import ArgumentTypeError, InvalidParameterError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from otflow.entities.model_registry.prompt_model_config import PromptModelConfig

__all__ = ["PromptVersion", "copied_json"]

_SHOWN = 30  # characters of the template in the text form


class PromptVersion(PlainEntity):
    """One version of a prompt.

    Args:
        name: The name of the prompt.
        version: The number of the version, from 1.
        template: A text, or chat messages: dictionaries with `role` and `content`. Variables stand in double braces.
        commit_message: What this version changed.
        creation_timestamp: Unix time in milliseconds.
        tags: Tags of this version.
        aliases: The aliases of the prompt that mean this version.
        last_updated_timestamp: Unix time in milliseconds.
        user_id: Who made it.
        response_format: How the answer is to look: a pydantic class or a JSON schema.
        model_config: How it is to be sent to a model.

    Raises:
        InvalidParameterError: the template, the response format or the model configuration is not allowed.

    Example:
        ```python
        from otflow.entities.model_registry import PromptVersion

        prompt = PromptVersion("greeting", 1, "Hello {{ name }}!")
        assert prompt.format(name="Ada") == "Hello Ada!"
        ```
    """

    _fields = (
        "aliases",
        "commit_message",
        "creation_timestamp",
        "description",
        "is_text_prompt",
        "last_updated_timestamp",
        "model_config",
        "name",
        "response_format",
        "tags",
        "template",
        "uri",
        "user_id",
        "variables",
        "version",
    )
    _settable = frozenset({"aliases", "last_updated_timestamp", "name"})
    _DERIVED = frozenset({"description", "is_text_prompt", "uri", "variables"})

    def __init__(
        self,
        name: str,
        version: int,
        template: str | list[dict[str, Any]],
        commit_message: str | None = None,
        creation_timestamp: int | None = None,
        tags: dict[str, str] | None = None,
        aliases: list[str] | None = None,
        last_updated_timestamp: int | None = None,
        user_id: str | None = None,
        response_format: type[BaseModel] | dict[str, Any] | None = None,
        model_config: PromptModelConfig | dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.version = _number(version)
        self.template: Template = checked_template(template)
        self.commit_message = commit_message
        self.creation_timestamp = creation_timestamp or 0
        self.tags: dict[str, str] = dict(tags or {})
        self.aliases: list[str] = list(aliases or ())
        self.last_updated_timestamp = last_updated_timestamp
        self.user_id = user_id
        self.response_format: dict[str, Any] | None = (
            None if response_format is None else self.convert_response_format_to_dict(response_format)
        )
        self.model_config: dict[str, Any] | None = None if model_config is None else _model_config(model_config)

    @property
    def description(self) -> str | None:
        """The commit message, under the name that all entities of the registry have for it."""
        return self.commit_message

    @description.setter
    def description(self, description: str | None) -> None:
        self.__dict__["commit_message"] = description

    @property
    def is_text_prompt(self) -> bool:
        """Whether the template is a text, rather than chat messages."""
        return isinstance(self.template, str)

    @property
    def uri(self) -> str:
        """The URI that means this version: `prompts:/<name>/<version>`."""
        return f"prompts:/{self.name}/{self.version}"

    @property
    def variables(self) -> set[str]:
        """The names that stand in double braces in the template."""
        return variables_of(self.template)

    @staticmethod
    def convert_response_format_to_dict(response_format: type[BaseModel] | dict[str, Any]) -> dict[str, Any]:
        """The JSON schema of a pydantic class; a dictionary is taken for one.

        Raises:
            ArgumentTypeError: it is neither.
        """
        if isinstance(response_format, dict):
            return response_format
        schema = getattr(response_format, "model_json_schema", None)
        if schema is None:
            raise ArgumentTypeError(
                f"response_format must be a pydantic class or a JSON schema, got {response_format!r}"
            )
        return schema()

    def format(
        self, allow_partial: bool = False, use_jinja_sandbox: bool = True, **kwargs: Any
    ) -> PromptVersion | str | list[dict[str, Any]]:
        """The prompt with its variables filled in.

        Args:
            allow_partial: Whether variables may stay open.
            use_jinja_sandbox: Whether a template with statements of Jinja2 may only read what is given to it. Turn it
                off for templates of your own alone.
            **kwargs: What the variables are. Values are taken as they are: braces in them are text.

        Returns:
            The text or the messages; with variables left open, the prompt version with the rest of the template. In
            Jinja2 what is missing renders as nothing, so that nothing is ever left open.

        Raises:
            InvalidParameterError: variables are missing, and `allow_partial` is False; a Jinja2 template is malformed.
            MissingExtraError: the template is one of Jinja2, which is not installed.
        """
        if is_jinja(self.template):
            return render_jinja(self.template, kwargs, sandbox=use_jinja_sandbox)
        missing = self.variables - kwargs.keys()
        if missing and not allow_partial:
            raise InvalidParameterError(
                f"Missing variables: {{{', '.join(map(repr, sorted(missing)))}}}. "
                "To partially format the prompt, set `allow_partial=True`."
            )
        filled = substitute(self.template, kwargs)
        if not missing:
            return filled
        return PromptVersion.from_dictionary({**dict(self), "template": filled})

    def to_single_brace_format(self) -> str | list[dict[str, Any]]:
        """The template with its variables in single braces, as `str.format` and LangChain read them."""
        return single_braces(self.template)

    def diff(self, other: PromptVersion, context: int = 3) -> str:
        """What changes from this version to another, as a unified diff of template, response format and model config.

        Args:
            other: The other version.
            context: How many equal lines to show around each change.

        Returns:
            The diff, empty where nothing changed.
        """
        import difflib

        lines = difflib.unified_diff(self.lines(), other.lines(), self.uri, other.uri, n=context, lineterm="")
        return "\n".join(lines)

    def lines(self) -> list[str]:
        """The template with response format and model config as lines of text, one for each line of a message."""
        if isinstance(self.template, str):
            lines = self.template.splitlines()
        else:
            lines: list[str] = []
            for message in self.template:
                content = message["content"]
                text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)
                rest = {key: value for key, value in message.items() if key not in ("role", "content")}
                lines += [f"[{message['role']}]", *text.splitlines()]
                if rest:
                    lines += json.dumps(rest, indent=2, ensure_ascii=False).splitlines()
        for title, part in (("response_format", self.response_format), ("model_config", self.model_config)):
            if part is not None:
                lines += [f"[{title}]", *json.dumps(part, indent=2, ensure_ascii=False, sort_keys=True).splitlines()]
        return lines

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> PromptVersion:
        """The version that a dictionary of its fields describes."""
        given = {name: the_dict[name] for name in cls._fields if name in the_dict and name not in cls._DERIVED}
        if "description" in the_dict:
            given.setdefault("commit_message", the_dict["description"])
        return cls(**given)

    @classmethod
    def restored(cls, **fields: Any) -> PromptVersion:
        """The version that a store has: its fields, all of them, as they were checked when it was made."""
        made = cls.__new__(cls)
        made.__dict__.update(fields)
        return made

    def copied(self) -> PromptVersion:
        """An equal version that shares nothing with this one that can be changed."""
        made = type(self).__new__(type(self))
        fields = made.__dict__
        fields.update(self.__dict__)
        fields["tags"] = fields["tags"].copy()
        fields["aliases"] = fields["aliases"].copy()
        if type(fields["template"]) is not str:
            fields["template"] = copied_json(fields["template"])
        if fields["response_format"] is not None:
            fields["response_format"] = copied_json(fields["response_format"])
        if fields["model_config"] is not None:
            fields["model_config"] = copied_json(fields["model_config"])
        return made

    def __repr__(self) -> str:
        text = self.template if isinstance(self.template, str) else json.dumps(self.template)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        return f"PromptVersion(name={self.name}, version={self.version}, template={shown})"


def copied_json(value: Any) -> Any:
    """A JSON value that shares no list and no dictionary with another one."""
    if isinstance(value, dict):
        return {key: copied_json(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [copied_json(one) for one in cast("list[Any]", value)]
    return value


def _number(version: object) -> int:
    try:
        return int(cast("Any", version))
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"A prompt's version must be a number, got {version!r}") from error


def _model_config(config: object) -> dict[str, Any]:
    # pydantic is slow to load, and prompts without a configuration do not need it.
    from otflow.entities.model_registry.prompt_model_config import checked_model_config

    return checked_model_config(config)
