"""Prompts ↔ the registered models and model versions that they are in the registry, as MLflow has them.

A prompt is a registered model with the tag `mlflow.prompt.is_prompt`. Its versions have that tag too, and what else a
version says is in its tags: the template, its kind, the response format, the model configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from otflow.entities.model_registry import ModelVersion, Prompt, PromptVersion, RegisteredModel
from otflow.errors import InvalidStateError
from otflow.semconv import PromptKey

__all__ = [
    "OF_VERSIONS",
    "SOURCE",
    "is_prompt",
    "model_of_prompt",
    "model_tags",
    "prompt_from_model",
    "prompt_from_version",
    "version_of_prompt",
    "version_tags",
    "with_experiments",
]

SOURCE: Final = "dummy-source"
"""The source of a version of a prompt, for which a registry asks and a prompt has none: MLflow's word."""

OF_VERSIONS: Final = frozenset(
    {PromptKey.IS_PROMPT, PromptKey.TEXT, PromptKey.TYPE, PromptKey.RESPONSE_FORMAT, PromptKey.MODEL_CONFIG}
)
"""The tags of a version that say what the version is; they are not among the tags of the prompt version."""

_TRUE: Final = "true"
_TEXT, _CHAT = "text", "chat"


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether tags of a registered model, or of a version of one, say that it is one of a prompt."""
    return tags.get(PromptKey.IS_PROMPT, "").lower() == _TRUE


# -- prompts and registered models -----------------------------------------------------------------------


def model_tags(tags: Mapping[str, str], experiment_ids: Iterable[str] = ()) -> dict[str, str]:
    """The tags of the registered model that a prompt with these tags is."""
    made = {PromptKey.IS_PROMPT: _TRUE, **{key: tags[key] for key in tags if key != PromptKey.IS_PROMPT}}
    ids = with_experiments(tags.get(PromptKey.EXPERIMENT_IDS), experiment_ids)
    return {**made, PromptKey.EXPERIMENT_IDS: ids} if ids else made


def with_experiments(text: str | None, experiment_ids: Iterable[str]) -> str:
    """The value of the tag `_mlflow_experiment_ids` that names further experiments; those it names stay."""
    named = dict.fromkeys(one for one in [*(text or "").split(","), *experiment_ids] if one)
    return f",{','.join(named)}," if named else ""


def prompt_from_model(model: RegisteredModel) -> Prompt:
    """The prompt that a registered model is."""
    tags = {key: value for key, value in model.tags.items() if key != PromptKey.IS_PROMPT}
    return Prompt(model.name, model.description or None, model.creation_timestamp, tags)


def model_of_prompt(prompt: Prompt) -> RegisteredModel:
    """The registered model that a prompt is."""
    return RegisteredModel(
        prompt.name, prompt.creation_timestamp, description=prompt.description, tags=model_tags(prompt.tags)
    )


# -- versions ----------------------------------------------------------------------------------------------


def version_tags(prompt: PromptVersion) -> dict[str, str]:
    """The tags of the model version that a version of a prompt is: its own, and those that say what it is."""
    template = prompt.template
    made = {key: value for key, value in prompt.tags.items() if key not in OF_VERSIONS}
    made[PromptKey.IS_PROMPT] = _TRUE
    made[PromptKey.TYPE] = _TEXT if isinstance(template, str) else _CHAT
    made[PromptKey.TEXT] = template if isinstance(template, str) else json.dumps(template)
    if prompt.response_format is not None:
        made[PromptKey.RESPONSE_FORMAT] = json.dumps(prompt.response_format)
    if prompt.model_config is not None:
        made[PromptKey.MODEL_CONFIG] = json.dumps(prompt.model_config)
    return made


def version_of_prompt(prompt: PromptVersion) -> ModelVersion:
    """The model version that a version of a prompt is."""
    return ModelVersion(
        name=prompt.name,
        version=str(prompt.version),
        creation_timestamp=prompt.creation_timestamp,
        last_updated_timestamp=prompt.last_updated_timestamp,
        description=prompt.commit_message,
        user_id=prompt.user_id,
        source=SOURCE,
        tags=version_tags(prompt),
        aliases=list(prompt.aliases),
    )


def prompt_from_version(version: ModelVersion) -> PromptVersion:
    """The version of a prompt that a model version is.

    Raises:
        InvalidStateError: its tags do not say what it is.
    """
    tags = version.tags
    if not is_prompt(tags) or PromptKey.TEXT not in tags:
        raise InvalidStateError(f"Version {version.version} of {version.name!r} is not one of a prompt")
    text = tags[PromptKey.TEXT]
    return PromptVersion.restored(
        name=version.name,
        version=int(version.version),
        template=_messages(version, text) if tags.get(PromptKey.TYPE) == _CHAT else text,
        commit_message=version.description,
        creation_timestamp=version.creation_timestamp,
        tags={key: value for key, value in tags.items() if key not in OF_VERSIONS},
        aliases=list(version.aliases),
        last_updated_timestamp=version.last_updated_timestamp,
        user_id=version.user_id or None,
        response_format=_json(version, PromptKey.RESPONSE_FORMAT),
        model_config=_json(version, PromptKey.MODEL_CONFIG),
    )


def _messages(version: ModelVersion, text: str) -> list[dict[str, Any]]:
    messages = _read(version, PromptKey.TEXT, text)
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in cast("list[object]", messages)):
        raise InvalidStateError(f"Version {version.version} of {version.name!r}: its text is no list of chat messages")
    return cast("list[dict[str, Any]]", messages)


def _json(version: ModelVersion, key: str) -> Any:
    text = version.tags.get(key)
    return _read(version, key, text) if text is not None else None


def _read(version: ModelVersion, key: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidStateError(f"Version {version.version} of {version.name!r}: {key} is no JSON: {error}") from error
