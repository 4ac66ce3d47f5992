"""Prompts as the registered models and model versions that they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.model_registry import ModelVersion, Prompt, PromptVersion, RegisteredModel
from otflow.errors import InvalidParameterError, InvalidStateError
from otflow.wire.prompt_links import linked_prompts, linked_text, without_link
from otflow.wire.prompts import (
    OF_VERSIONS,
    is_prompt,
    model_of_prompt,
    model_tags,
    prompt_from_model,
    prompt_from_version,
    version_of_prompt,
    version_tags,
    with_experiments,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {"role": st.text(), "content": st.text() | st.none() | st.lists(json_values, max_size=2)},
    optional={"name": st.text(), "more": json_values},
)
own_tags = st.dictionaries(st.text(min_size=1).filter(lambda key: key not in OF_VERSIONS), st.text(), max_size=4)
configurations = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.text(),
        "model_name": st.text(),
        "temperature": st.floats(0, 10),
        "max_tokens": st.integers(1, 10**9),
        "stop_sequences": st.lists(st.text(), max_size=2),
        "seed": st.integers(-5, 5),
    },
)
versions = st.builds(
    PromptVersion,
    name=st.text(min_size=1),
    version=st.integers(1, 2**40),
    template=st.text() | st.lists(messages, min_size=1, max_size=3),
    commit_message=st.none() | st.text(),
    creation_timestamp=st.integers(1, 2**45),
    tags=own_tags,
    aliases=st.lists(st.text(min_size=1), max_size=3),
    last_updated_timestamp=st.none() | st.integers(1, 2**45),
    user_id=st.none() | st.text(min_size=1),
    response_format=st.none() | st.dictionaries(st.text(), json_values, max_size=3),
    model_config=st.none() | configurations,
)


@given(versions)
def test_a_version_survives_being_a_model_version(prompt: PromptVersion):
    found = prompt_from_version(version_of_prompt(prompt))
    assert dict(found) == dict(prompt)
    assert repr(found) == repr(prompt)


@given(versions)
def test_its_tags_are_texts(prompt: PromptVersion):
    tags = version_tags(prompt)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in tags.items())
    assert is_prompt(tags)


@given(
    st.builds(
        Prompt,
        name=st.text(min_size=1),
        description=st.none() | st.text(min_size=1),
        creation_timestamp=st.none() | st.integers(0),
        tags=own_tags,
    )
)
def test_a_prompt_survives_being_a_registered_model(prompt: Prompt):
    found = prompt_from_model(model_of_prompt(prompt))
    assert (found.name, found.description, found.creation_timestamp) == (
        prompt.name,
        prompt.description,
        prompt.creation_timestamp,
    )
    assert with_experiments(found.tags.pop("_mlflow_experiment_ids", ""), ()) == with_experiments(
        prompt.tags.pop("_mlflow_experiment_ids", ""), ()
    )
    assert found.tags == prompt.tags


def test_what_mlflow_has_written_is_read():
    # Recorded from the released client and server.
    tags = {
        "_mlflow_prompt_model_config": '{"model_name": "m", "temperature": 0.1}',
        "_mlflow_prompt_response_format": '{"type": "object"}',
        "_mlflow_prompt_type": "text",
        "a": "b",
        "mlflow.prompt.is_prompt": "true",
        "mlflow.prompt.text": "Hi {{name}}",
    }
    found = prompt_from_version(ModelVersion("p1", "1", 5, 6, "c", source="dummy-source", tags=tags, aliases=["prod"]))
    assert dict(found) == dict(
        PromptVersion(
            "p1",
            1,
            "Hi {{name}}",
            "c",
            5,
            {"a": "b"},
            ["prod"],
            6,
            response_format={"type": "object"},
            model_config={"model_name": "m", "temperature": 0.1},
        )
    )
    assert version_tags(found) == tags


def test_a_text_that_looks_like_messages_stays_a_text():
    text = json.dumps([{"role": "user", "content": "x"}])
    assert prompt_from_version(version_of_prompt(PromptVersion("p", 1, text))).template == text


def test_a_version_without_a_kind_is_a_text():
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "x"}
    assert prompt_from_version(ModelVersion("p", "1", 5, tags=tags)).template == "x"


def test_messages_that_mlflow_allows_are_read_as_they_are():
    tags = version_tags(PromptVersion("p", 1, [{"role": "u", "content": "x"}]))
    tags["mlflow.prompt.text"] = '[{"role": "u"}]'
    assert prompt_from_version(ModelVersion("p", "1", 5, tags=tags)).template == [{"role": "u"}]


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"mlflow.prompt.is_prompt": "true"},
        {"mlflow.prompt.is_prompt": "false", "mlflow.prompt.text": "x"},
        {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "x", "_mlflow_prompt_type": "chat"},
        {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "{}", "_mlflow_prompt_type": "chat"},
        {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "[1]", "_mlflow_prompt_type": "chat"},
        {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "x", "_mlflow_prompt_model_config": "{"},
        {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "x", "_mlflow_prompt_response_format": "nan?"},
    ],
)
def test_tags_that_say_no_version_are_refused_by_name(tags: dict[str, str]):
    with pytest.raises(InvalidStateError, match="'broken'"):
        prompt_from_version(ModelVersion("broken", "3", 5, tags=tags))


def test_a_prompts_own_tags_do_not_say_what_it_is():
    prompt = PromptVersion("p", 1, "x", tags={"mlflow.prompt.text": "another", "mlflow.prompt.other": "kept"})
    assert prompt_from_version(version_of_prompt(prompt)).template == "x"
    assert prompt_from_version(version_of_prompt(prompt)).tags == {"mlflow.prompt.other": "kept"}
    assert model_tags({"mlflow.prompt.is_prompt": "false"}) == {"mlflow.prompt.is_prompt": "true"}
    assert prompt_from_model(RegisteredModel("p", tags=model_tags({"a": "b"}, ["7"]))).tags == {
        "a": "b",
        "_mlflow_experiment_ids": ",7,",
    }


@given(st.lists(st.integers(0, 50).map(str)), st.lists(st.integers(0, 50).map(str)))
def test_experiments_are_added_once(first: list[str], second: list[str]):
    text = with_experiments(with_experiments(None, first), second)
    assert text == with_experiments(text, second) == with_experiments(text, [])
    assert [one for one in text.split(",") if one] == list(dict.fromkeys(first + second))


pairs = st.lists(st.tuples(st.text(min_size=1), st.integers(1, 10**6).map(str)), max_size=6)


@given(pairs)
def test_links_survive_being_a_text(linked: list[tuple[str, str]]):
    assert linked_prompts(linked_text(linked)) == list(dict.fromkeys(linked))


@given(st.text() | json_values.map(json.dumps))
def test_any_text_lists_links_or_none(text: str):
    assert linked_prompts(linked_text(linked_prompts(text))) == linked_prompts(text)


def test_very_many_links_stay_within_what_a_tag_holds():
    linked = [(f"prompt-{number}", "1") for number in range(1000)]
    text = linked_text(linked)
    assert len(text) <= 8000
    listed = linked_prompts(text)
    assert listed == linked[: len(listed)]
    assert len(listed) > 150


def test_a_link_is_taken_away():
    linked = [("a", "1"), ("b", "1")]
    assert without_link(linked, ("a", "1"), "r") == [("b", "1")]
    with pytest.raises(InvalidParameterError, match="prompts:/a/2"):
        without_link(linked, ("a", "2"), "r")
