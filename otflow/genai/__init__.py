"""What is about applications of language models: their prompts; versions of one by the state of its git repository.

Everything is loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from otflow.genai.git_versioning import disable_git_model_versioning, enable_git_model_versioning
    from otflow.tracking.prompts import (
        delete_prompt_alias,
        delete_prompt_model_config,
        delete_prompt_tag,
        delete_prompt_version_tag,
        get_prompt_tags,
        load_prompt,
        register_prompt,
        search_prompts,
        set_prompt_alias,
        set_prompt_model_config,
        set_prompt_tag,
        set_prompt_version_tag,
    )

__all__ = [
    "delete_prompt_alias",
    "delete_prompt_model_config",
    "delete_prompt_tag",
    "delete_prompt_version_tag",
    "disable_git_model_versioning",
    "enable_git_model_versioning",
    "get_prompt_tags",
    "load_prompt",
    "register_prompt",
    "search_prompts",
    "set_prompt_alias",
    "set_prompt_model_config",
    "set_prompt_tag",
    "set_prompt_version_tag",
]

_HOMES: Final[dict[str, str]] = {
    name: module
    for module, names in {
        "otflow.genai.git_versioning": "disable_git_model_versioning enable_git_model_versioning",
        "otflow.tracking.prompts": "delete_prompt_alias delete_prompt_model_config delete_prompt_tag "
        "delete_prompt_version_tag get_prompt_tags load_prompt register_prompt search_prompts set_prompt_alias "
        "set_prompt_model_config set_prompt_tag set_prompt_version_tag",
    }.items()
    for name in names.split()
}
_MODULES: Final = frozenset({"git_versioning"})


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"otflow.genai.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
