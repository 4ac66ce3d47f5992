"""How a prompt is to be sent to a model."""

from __future__ import annotations

import pydantic
import pytest

from otflow.entities.model_registry import PromptModelConfig, PromptVersion


def test_what_is_set():
    config = PromptModelConfig(
        provider="openai", model_name="g", temperature=0.5, max_tokens=10, stop_sequences=["a"], extra_params={"z": 1}
    )
    assert config.to_dict() == {
        "provider": "openai",
        "model_name": "g",
        "temperature": 0.5,
        "max_tokens": 10,
        "stop_sequences": ["a"],
        "z": 1,
    }
    assert PromptModelConfig().to_dict() == {}
    assert PromptModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"max_tokens": 0}, {"top_p": 2}, {"top_p": -1}, {"top_k": 0}, {"model_name": 5}]
)
def test_what_is_not_allowed(wrong):
    with pytest.raises(pydantic.ValidationError, match=next(iter(wrong))):
        PromptModelConfig(**wrong)
    with pytest.raises(pydantic.ValidationError, match=next(iter(wrong))):
        PromptModelConfig.from_dict(wrong)


def test_in_a_prompt():
    assert PromptVersion("p", 1, "x", model_config=PromptModelConfig(model_name="g")).model_config == {
        "model_name": "g"
    }
    given = {"model_name": "g", "reasoning": {"effort": "low"}}
    assert PromptVersion("p", 1, "x", model_config=given).model_config == given
