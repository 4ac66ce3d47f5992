"""The nouns of the registry as plain data: registered models, their versions, prompts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otflow.entities.model_registry.model_version import (
        ModelVersion,
        ModelVersionDeploymentJobState,
        ModelVersionSearch,
        ModelVersionTag,
    )
    from otflow.entities.model_registry.prompt import Prompt
    from otflow.entities.model_registry.prompt_model_config import PromptModelConfig
    from otflow.entities.model_registry.prompt_version import PromptVersion
    from otflow.entities.model_registry.registered_model import (
        RegisteredModel,
        RegisteredModelAlias,
        RegisteredModelDeploymentJobState,
        RegisteredModelSearch,
        RegisteredModelTag,
    )

_HOMES: dict[str, str] = {
    "ModelVersion": "model_version",
    "ModelVersionDeploymentJobState": "model_version",
    "ModelVersionSearch": "model_version",
    "ModelVersionTag": "model_version",
    "Prompt": "prompt",
    "PromptModelConfig": "prompt_model_config",
    "PromptVersion": "prompt_version",
    "RegisteredModel": "registered_model",
    "RegisteredModelAlias": "registered_model",
    "RegisteredModelDeploymentJobState": "registered_model",
    "RegisteredModelSearch": "registered_model",
    "RegisteredModelTag": "registered_model",
}

__all__ = [
    "ModelVersion",
    "ModelVersionDeploymentJobState",
    "ModelVersionSearch",
    "ModelVersionTag",
    "Prompt",
    "PromptModelConfig",
    "PromptVersion",
    "RegisteredModel",
    "RegisteredModelAlias",
    "RegisteredModelDeploymentJobState",
    "RegisteredModelSearch",
    "RegisteredModelTag",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
