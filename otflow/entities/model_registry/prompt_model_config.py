"""How a prompt is to be sent to a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from otflow.errors import ArgumentTypeError, InvalidParameterError

__all__ = ["PromptModelConfig", "checked_model_config"]


class PromptModelConfig(BaseModel):
    """How a prompt is to be sent to a model.

    Attributes:
        provider: Who runs the model, such as `"openai"`.
        model_name: The name of the model.
        temperature: How random the answer is, 0 or more.
        max_tokens: How many tokens the answer may have, 1 or more.
        top_p: The share of the likeliest tokens that is chosen from, 0 to 1.
        top_k: How many of the likeliest tokens are chosen from, 1 or more.
        frequency_penalty: What repeated tokens cost.
        presence_penalty: What tokens that were there cost.
        stop_sequences: Where the answer ends.
        extra_params: Whatever else the provider takes.

    Raises:
        pydantic.ValidationError: a value is not allowed.
    """

    provider: str | None = None
    model_name: str | None = None
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, gt=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, gt=0)
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: list[str] | None = None
    extra_params: dict[str, Any] = Field(default_factory=dict)

    model_config = {"protected_namespaces": ()}

    def to_dict(self) -> dict[str, Any]:
        """What is set, the extra parameters among the others."""
        fields = self.model_dump(exclude_none=True)
        extra: dict[str, Any] = fields.pop("extra_params", {})
        return {**fields, **extra}

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any]) -> PromptModelConfig:
        """The configuration that a dictionary describes; keys that are no field are extra parameters.

        Raises:
            pydantic.ValidationError: a value is not allowed.
        """
        fields: dict[str, Any] = {key: value for key, value in config_dict.items() if key in cls.model_fields}
        extra = {key: value for key, value in config_dict.items() if key not in cls.model_fields}
        if extra and isinstance(fields.setdefault("extra_params", {}), dict):
            fields["extra_params"] = {**fields["extra_params"], **extra}
        return cls.model_validate(fields)


def checked_model_config(config: object) -> dict[str, Any]:
    """A configuration, or a dictionary of one, as the dictionary that is kept.

    Raises:
        ArgumentTypeError: it is neither.
        InvalidParameterError: a value is not allowed.
    """
    if isinstance(config, PromptModelConfig):
        return config.to_dict()
    if not isinstance(config, Mapping):
        raise ArgumentTypeError(f"model_config must be a PromptModelConfig or a dict, got {type(config).__name__}")
    fields: dict[str, Any] = {str(key): value for key, value in config.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    try:
        return PromptModelConfig.from_dict(fields).to_dict()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}, got {one['input']!r}" for one in error.errors()
        )
        raise InvalidParameterError(f"model_config is not allowed: {wrong}") from error
