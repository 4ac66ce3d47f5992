"""What a store accepts of the registry. Limits and messages are those of the released MLflow, as observed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from otflow.errors import AlreadyExistsError, ArgumentTypeError, InvalidParameterError, NotFoundError
from otflow.semconv import RegistryKey
from otflow.store.run_validation import check_key

__all__ = [
    "ACTIVE_STAGES",
    "LATEST",
    "MAX_MODELS",
    "MAX_VERSIONS",
    "STAGES",
    "absent_alias",
    "absent_model",
    "absent_version",
    "check_alias",
    "check_kind_of_tag",
    "check_name",
    "check_new_alias",
    "check_stage",
    "check_stages",
    "check_tag",
    "check_tag_key",
    "check_tags",
    "check_text",
    "check_version",
    "is_prompt",
    "taken",
]

MAX_MODELS: Final = 1_000
"""The longest page of a search of registered models."""
MAX_VERSIONS: Final = 200_000
"""The longest page of a search of versions."""

STAGES: Final = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES: Final = ("Staging", "Production")
"""The stages that others are archived from."""
LATEST: Final = "latest"
"""The alias that always means the version with the highest number."""

_NAME_LIMIT: Final = 256
_ALIAS_LIMIT: Final = 255
_TAG_VALUE_LIMIT: Final = 100_000
_HIGHEST: Final = 2**63 - 1

_ALIAS = re.compile(r"[\w\-]*").fullmatch
_VERSION_ALIAS = re.compile(r"v\d+", re.IGNORECASE).fullmatch


# -- what is not there, and what is --------------------------------------------------------------------


def absent_model(name: object) -> NotFoundError:
    """The error that says there is no such registered model."""
    return NotFoundError(f"Registered Model with name={name} not found")


def absent_version(name: object, version: object) -> NotFoundError:
    """The error that says there is no such version."""
    return NotFoundError(f"Model Version (name={name}, version={version}) not found")


def absent_alias(alias: object) -> InvalidParameterError:
    """The error that says there is no such alias."""
    return InvalidParameterError(f"Registered model alias {alias} not found.")


def taken(name: object, *, by_prompt: bool, for_prompt: bool) -> AlreadyExistsError:
    """The error that says a name is not free."""
    if by_prompt == for_prompt:
        return AlreadyExistsError(f"{'Prompt' if by_prompt else 'Registered Model'} (name={name}) already exists.")
    wanted, there = ("prompt", "registered model") if for_prompt else ("registered model", "prompt")
    return AlreadyExistsError(
        f"Tried to create a {wanted} with name {name!r}, but the name is already taken by a {there}."
        " A model and a prompt cannot have the same name."
    )


# -- names ---------------------------------------------------------------------------------------------


def check_name(name: Any) -> str:
    """The name, if a registered model may have it: any text that is not blank, up to a length."""
    if name is None or name == "":
        raise InvalidParameterError("Missing value for required parameter 'name'.")
    if not isinstance(name, str):
        raise ArgumentTypeError(f"The name of a registered model must be a string, got {name!r}")
    if not name.strip():
        raise InvalidParameterError(f"The name of a registered model must not be blank, got {name!r}")
    return _fitting(name, "name", _NAME_LIMIT)


def check_alias(alias: Any) -> str:
    """The alias, if it may be asked for."""
    if alias is None or alias == "":
        raise InvalidParameterError("Registered model alias name cannot be empty.")
    if not isinstance(alias, str):
        raise ArgumentTypeError(f"A registered model alias must be a string, got {alias!r}")
    if _ALIAS(alias) is None:
        raise InvalidParameterError(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    return _fitting(alias, "Registered model alias name", _ALIAS_LIMIT)


def check_new_alias(alias: Any) -> str:
    """The alias, if a version may have it: not one that means a version already."""
    checked = check_alias(alias)
    if checked.lower() == LATEST:
        raise InvalidParameterError("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS(checked):
        raise InvalidParameterError(f"Version alias name '{checked}' is reserved.")
    return checked


def check_version(version: Any) -> int:
    """The number of a version; one that no version can have is 0, which none has."""
    number: int | None = None
    if isinstance(version, (str, int)) and not isinstance(version, bool):
        try:
            number = int(version)
        except ValueError:
            number = None
    elif isinstance(version, float) and version.is_integer():
        number = int(version)
    if number is None:
        shown = f"'{version}'" if isinstance(version, str) else repr(version)
        raise InvalidParameterError(f"Parameter 'version' must be an integer, got {shown}.")
    return number if 0 < number <= _HIGHEST else 0


def check_stage(stage: Any) -> str:
    """The stage as it is spelled, if it is one in whatever case."""
    found = next((one for one in STAGES if isinstance(stage, str) and one.lower() == stage.lower()), None)
    if found is None:
        raise InvalidParameterError(f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(STAGES)}.")
    return found


def check_stages(stages: Any) -> list[str] | None:
    """The stages that are asked for; None for all."""
    if stages is None:
        return None
    if isinstance(stages, str) or not isinstance(stages, Sequence):
        raise ArgumentTypeError(f"stages is a list of stages, not {stages!r}")
    return [check_stage(stage) for stage in cast("Sequence[object]", stages)] or None


# -- tags and texts ------------------------------------------------------------------------------------


def check_tag_key(key: Any) -> str:
    """The key, if a tag may have it."""
    if key is None:
        raise InvalidParameterError("Missing value for required parameter 'key'.")
    return check_key(key, "key", "key")


def check_tag(key: Any, value: Any) -> tuple[str, str]:
    """Key and value of a tag as texts."""
    return check_tag_key(key), _fitting(str(value), "value", _TAG_VALUE_LIMIT)


def check_tags(tags: Any) -> dict[str, str]:
    """First tags, as texts."""
    if tags is None:
        return {}
    if not isinstance(tags, Mapping):
        raise ArgumentTypeError(f"tags is a dictionary of strings, not {tags!r}")
    return dict(check_tag(key, value) for key, value in cast("Mapping[object, object]", tags).items())


def check_text(parameter: str, text: Any) -> str | None:
    """A text that may be missing."""
    if text is not None and not isinstance(text, str):
        raise ArgumentTypeError(f"{parameter} must be a string, got {text!r}")
    return text


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether these tags of a registered model make it a prompt."""
    return tags.get(RegistryKey.IS_PROMPT, "").lower() == "true"


def check_kind_of_tag(key: str, value: str | None, *, prompt: bool) -> None:
    """Whether a tag may be set, or deleted (`value` is None): models do not become prompts, nor the reverse."""
    if key == RegistryKey.IS_PROMPT and is_prompt({key: value or ""}) != prompt:
        raise InvalidParameterError(
            f"The tag {key} says whether a name is that of a prompt, and cannot be changed afterwards"
        )


def _fitting(text: str, called: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidParameterError(f"'{called}' exceeds the maximum length of {limit} characters")
    return text
