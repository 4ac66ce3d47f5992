"""Prompts: templates with versions and aliases, loaded where they are used and linked to what uses them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from otflow import config, context
from otflow.client import Client
from otflow.client.prompt_cache import checked_ttl, done_before, place, prompt_cache, reference, undone
from otflow.errors import NotFoundError, OtflowError
from otflow.store.opening import split_workspace
from otflow.tracing.prompt_links import note_prompt
from otflow.tracing.search import all_pages

if TYPE_CHECKING:
    from pydantic import BaseModel

    from otflow.entities.model_registry import Prompt, PromptModelConfig, PromptVersion

__all__ = [
    "delete_prompt_alias",
    "delete_prompt_model_config",
    "delete_prompt_tag",
    "delete_prompt_version_tag",
    "get_prompt_tags",
    "load_prompt",
    "register_prompt",
    "search_prompts",
    "set_prompt_alias",
    "set_prompt_model_config",
    "set_prompt_tag",
    "set_prompt_version_tag",
]

_logger = logging.getLogger("otflow")


# -- making and loading ----------------------------------------------------------------------------------


def register_prompt(
    name: str,
    template: str | list[dict[str, Any]],
    commit_message: str | None = None,
    tags: dict[str, str] | None = None,
    response_format: type[BaseModel] | dict[str, Any] | None = None,
    model_config: PromptModelConfig | dict[str, Any] | None = None,
) -> PromptVersion:
    """Add a version to a prompt, which is made where there is none. What a version says never changes.

    Args:
        name: Its name: letters, digits, `-`, `_` and `.`.
        template: A text, or chat messages: dictionaries with `role` and `content`. Variables stand in double braces.
        commit_message: What this version changes; the description of a prompt that is made for it, too.
        tags: Tags of the version, which are set on the prompt, too: searches ask for those.
        response_format: How the answer is to look: a pydantic class or a JSON schema.
        model_config: How it is to be sent to a model; see `otflow.entities.model_registry.PromptModelConfig`.

    Returns:
        The version.

    Raises:
        InvalidParameterError: an argument is not allowed, or the name is that of a registered model.

    Example:
        >>> import otflow
        >>> prompt = otflow.register_prompt("greeting", "Hello {{ name }}!", commit_message="The first words")
        >>> prompt.version, prompt.format(name="Ada")
        (1, 'Hello Ada!')
    """
    return Client().register_prompt(name, template, commit_message, tags, response_format, model_config)


def load_prompt(
    name_or_uri: str,
    version: str | int | None = None,
    allow_missing: bool = False,
    link_to_model: bool = True,
    model_id: str | None = None,
    cache_ttl_seconds: float | None = None,
) -> PromptVersion:
    """A version of a prompt; what is being made here is linked to it: the trace, the active run, the logged model.

    A version that was loaded is kept in memory: what an alias means and which version is the latest for
    `OTFLOW_ALIAS_PROMPT_CACHE_TTL_SECONDS` (60), the version of a number for
    `OTFLOW_VERSION_PROMPT_CACHE_TTL_SECONDS` (without end). What this process changes itself is seen at once.

    Args:
        name_or_uri: The name, or `prompts:/<name>/<version>`, `prompts:/<name>@<alias>`; the alias `latest` always
            means the version with the highest number.
        version: The number of the version, beside a name; the latest by default.
        allow_missing: Return None where there is no such prompt, version or alias.
        link_to_model: Link the logged model to it.
        model_id: The logged model; the active one by default, if there is one.
        cache_ttl_seconds: How old what is told from memory may be; 0 asks the registry.

    Returns:
        The version. It belongs to the caller: changing it changes nothing for others.

    Raises:
        NotFoundError: no such prompt, or no such version.
        InvalidParameterError: no such alias; the name is that of a model; an argument is not allowed.

    Example:
        >>> import otflow
        >>> first = otflow.register_prompt("farewell", "Bye {{ name }}!")
        >>> otflow.set_prompt_alias("farewell", "production", first.version)
        >>> with otflow.start_span("leave") as span:
        ...     prompt = otflow.load_prompt("prompts:/farewell@production")
        >>> otflow.get_trace(span.trace_id).info.tags["mlflow.linkedPrompts"]
        '[{"name": "farewell", "version": "1"}]'
    """
    wanted = reference(name_or_uri, version)
    ttl_s = checked_ttl(cache_ttl_seconds)
    prompt = prompt_cache.get(place(context.get_registry_uri()), wanted, ttl_s)
    if prompt is None:
        prompt = Client().load_prompt(name_or_uri, version, allow_missing, ttl_s)
        if prompt is None:
            return None  # pyright: ignore[reportReturnType] - the signature is MLflow's
    note_prompt(prompt.name, prompt.version)
    if context.open_runs:
        run = context.active_run()
        if run is not None and split_workspace(run.uri)[1] == split_workspace(context.place())[1]:
            _link("run", run.uri, run.id, prompt)
    if link_to_model:
        model = model_id or context.active_model_id(context.place()) or config.ACTIVE_MODEL_ID.get()
        if model:
            _link("model", context.place(), model, prompt)
    return prompt


def _link(what: str, uri: str, known_id: str, prompt: PromptVersion) -> None:
    """Link a run or a model to a prompt, once in this process; no load fails for it."""
    pair = (prompt.name, str(prompt.version))
    if done_before(what, uri, known_id, *pair):
        return
    try:
        store = context.store(uri)
        if what == "run":
            store.link_prompts_to_run(known_id, [pair])
        else:
            store.link_prompts_to_logged_model(known_id, [pair])
    except OtflowError as error:
        undone(what, uri, known_id, *pair)
        _logger.warning("The %s %s could not be linked to %s: %s", what, known_id, prompt.uri, error)


def search_prompts(filter_string: str | None = None, max_results: int | None = None) -> list[Prompt]:
    """The prompts that match, by name.

    Args:
        filter_string: Over `name`, `tags.<key>` and `experiment_id` (the experiments that a prompt was registered or
            loaded in), such as `name LIKE 'support-%' AND tags.team = 'search' AND experiment_id = '0'`.
        max_results: How many at the most; all by default.

    Raises:
        FilterError: the expression is malformed; the message points at the token.

    Example:
        >>> import otflow
        >>> prompt = otflow.register_prompt("summary", "Sum up: {{ text }}", tags={"team": "search"})
        >>> otflow.search_prompts("tags.team = 'search'")[0].name
        'summary'
    """
    client = Client()
    return all_pages(lambda size, token: client.search_prompts(filter_string, size, token), max_results)


# -- aliases ---------------------------------------------------------------------------------------------


def set_prompt_alias(name: str, alias: str, version: int) -> None:
    """Make an alias mean a version of a prompt, whatever it meant.

    Args:
        name: The name of the prompt.
        alias: Letters, digits, `-` and `_`; not `latest`, nor `v1` and the like.
        version: The number of the version.

    Raises:
        NotFoundError: no such prompt, or no such version.
        InvalidParameterError: the alias is not allowed.

    Example:
        >>> import otflow
        >>> prompt = otflow.register_prompt("welcome", "Welcome, {{ name }}")
        >>> otflow.set_prompt_alias("welcome", "production", prompt.version)
        >>> otflow.load_prompt("prompts:/welcome@production").aliases
        ['production']
    """
    Client().set_prompt_alias(name, alias, version)


def delete_prompt_alias(name: str, alias: str) -> None:
    """Delete an alias of a prompt; one that is not there is no error.

    Args:
        name: The name of the prompt.
        alias: The alias.

    Raises:
        NotFoundError: no such prompt.
    """
    Client().delete_prompt_alias(name, alias)


# -- tags and configuration ------------------------------------------------------------------------------


def get_prompt_tags(name: str) -> dict[str, str]:
    """The tags of a prompt; its versions have their own.

    Raises:
        NotFoundError: no such prompt.
    """
    prompt = Client().get_prompt(name)
    if prompt is None:
        raise NotFoundError(f"Prompt with name={name} not found")
    return prompt.tags


def set_prompt_tag(name: str, key: str, value: str) -> None:
    """Set a tag of a prompt, whatever it was.

    Raises:
        NotFoundError: no such prompt.
        InvalidParameterError: the key or the value is not allowed.
    """
    Client().set_prompt_tag(name, key, value)


def delete_prompt_tag(name: str, key: str) -> None:
    """Delete a tag of a prompt; one that is not there is no error.

    Raises:
        NotFoundError: no such prompt.
    """
    Client().delete_prompt_tag(name, key)


def set_prompt_version_tag(name: str, version: str | int, key: str, value: str) -> None:
    """Set a tag of a version of a prompt. What the version says is not changed by tags.

    Raises:
        NotFoundError: no such version.
        InvalidParameterError: the key or the value is not allowed.
    """
    Client().set_prompt_version_tag(name, version, key, value)


def delete_prompt_version_tag(name: str, version: str | int, key: str) -> None:
    """Delete a tag of a version of a prompt; one that is not there is no error.

    Raises:
        NotFoundError: no such version.
    """
    Client().delete_prompt_version_tag(name, version, key)


def set_prompt_model_config(name: str, version: str | int, model_config: PromptModelConfig | dict[str, Any]) -> None:
    """Say how a version of a prompt is to be sent to a model. Unlike the template this can be changed afterwards.

    Args:
        name: The name of the prompt.
        version: The number of the version.
        model_config: A `PromptModelConfig`, or a dictionary of its fields and whatever else the provider takes.

    Raises:
        NotFoundError: no such version.
        InvalidParameterError: a value is not allowed.

    Example:
        >>> import otflow
        >>> prompt = otflow.register_prompt("answer", "Answer {{ question }}")
        >>> otflow.genai.set_prompt_model_config("answer", 1, {"model_name": "small", "temperature": 0.2})
        >>> otflow.load_prompt("answer").model_config
        {'model_name': 'small', 'temperature': 0.2}
    """
    Client().set_prompt_model_config(name, version, model_config)


def delete_prompt_model_config(name: str, version: str | int) -> None:
    """Take back what `set_prompt_model_config` said; nothing said is no error.

    Raises:
        NotFoundError: no such version.
    """
    Client().delete_prompt_model_config(name, version)
