"""The contract on prompts: registered models of a kind of their own, and the links to their versions."""

# Tests are named for what they check; their arguments are pytest's fixtures.

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from otflow.entities import TraceState
from otflow.entities.model_registry import ModelVersion, PromptVersion
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError
from otflow.search.prompt_fields import as_models, as_versions
from otflow.semconv import PromptKey, RunKey, Tag
from otflow.store.interface import Store, TraceWrite
from otflow.wire.prompt_links import linked_prompts, linked_text
from otflow.wire.prompts import SOURCE, model_tags, prompt_from_version, version_tags

__all__ = ["PromptContract"]


def _name() -> str:
    return f"prompt-{uuid.uuid4().hex[:12]}"


def _add(store: Store, name: str, template: Any = "Hi {{ name }}", **more: Any) -> ModelVersion:
    """Add a version to a prompt, which is made where there is none."""
    tags, experiments = more.pop("tags", {}), more.pop("experiments", ())
    draft = PromptVersion(name, 0, template, tags=tags, **more)
    return store.create_model_version(
        name,
        SOURCE,
        tags=version_tags(draft),
        description=draft.commit_message,
        create_model=True,
        model_tags=model_tags(tags, experiments),
        model_description=draft.commit_message,
        prompt=True,
    )


class PromptContract:
    """Prompts, their versions, aliases and links."""

    def test_a_prompt_is_made_with_its_first_version(self, store: Store):
        name = _name()
        made = prompt_from_version(_add(store, name, commit_message="first", tags={"a": "b"}, experiments=["7"]))
        assert (made.name, made.version, made.template, made.tags) == (name, 1, "Hi {{ name }}", {"a": "b"})
        prompt = store.get_registered_model(name, prompt=True)
        assert prompt.description == "first"
        assert prompt.tags == {"a": "b", PromptKey.IS_PROMPT: "true", PromptKey.EXPERIMENT_IDS: ",7,"}

    def test_all_that_a_version_says_comes_back(self, store: Store):
        name = _name()
        messages = [{"role": "system", "content": "Ü {{ x }}"}, {"role": "user", "content": [{"type": "text"}]}]
        _add(
            store,
            name,
            messages,
            commit_message="c",
            tags={"k": "v"},
            response_format={"type": "object"},
            model_config={"temperature": 0.5, "more": [1]},
        )
        found = prompt_from_version(store.get_model_version(name, "1", prompt=True))
        assert (found.template, found.response_format) == (messages, {"type": "object"})
        assert (found.model_config, found.tags) == ({"temperature": 0.5, "more": [1]}, {"k": "v"})
        assert (found.commit_message, found.aliases, found.version) == ("c", [], 1)

    def test_what_a_further_version_says_of_the_prompt_is_added(self, store: Store):
        name = _name()
        _add(store, name, commit_message="first", tags={"a": "1", "b": "1"}, experiments=["7"])
        _add(store, name, commit_message="second", tags={"a": "2"}, experiments=["8"])
        _add(store, name, experiments=["7"])
        prompt = store.get_registered_model(name, prompt=True)
        assert (prompt.description, prompt.tags["a"], prompt.tags["b"]) == ("first", "2", "1")
        assert prompt.tags[PromptKey.EXPERIMENT_IDS] == ",7,8,"

    def test_a_prompt_is_linked_to_experiments(self, store: Store):
        name = _name()
        _add(store, name)
        for experiment_id in ("3", "4", "3"):
            store.link_prompt_to_experiment(name, experiment_id)
        assert store.get_registered_model(name, prompt=True).tags[PromptKey.EXPERIMENT_IDS] == ",3,4,"
        with pytest.raises(NotFoundError):
            store.link_prompt_to_experiment(_name(), "3")

    def test_prompts_are_found_by_name_tag_and_experiment(self, store: Store):
        name, team = _name(), uuid.uuid4().hex
        number = str(uuid.uuid4().int % 10**12 + 10**12)
        _add(store, name, tags={"team": team}, experiments=["1", number])
        _add(store, _name(), experiments=[f"{number}0"])
        for text in (f"name = '{name}'", f"tags.team = '{team}'", f"experiment_id = '{number}'"):
            assert [one.name for one in store.search_registered_models(filter_string=as_models(text))] == [name]
        assert name not in [one.name for one in store.search_registered_models(filter_string=f"name = '{name}'")]

    def test_the_versions_of_a_prompt_are_found(self, store: Store):
        name = _name()
        for text in ("one", "two", "three"):
            _add(store, name, text)
        found = store.search_model_versions(filter_string=as_versions(name), order_by=["version_number DESC"])
        assert [prompt_from_version(one).template for one in found] == ["three", "two", "one"]

    def test_aliases_and_the_latest_version(self, store: Store):
        name = _name()
        for text in ("one", "two"):
            _add(store, name, text)
        store.set_registered_model_alias(name, "production", "1", prompt=True)
        assert store.get_model_version_by_alias(name, "production", prompt=True).aliases == ["production"]
        latest = prompt_from_version(store.get_latest_version(name, prompt=True))
        assert (latest.version, latest.template, latest.aliases) == (2, "two", [])
        store.set_registered_model_alias(name, "production", "2", prompt=True)
        latest = prompt_from_version(store.get_latest_version(name, prompt=True))
        assert (latest.version, latest.aliases) == (2, ["production"])
        store.delete_registered_model_alias(name, "production", prompt=True)
        with pytest.raises(InvalidParameterError):
            store.get_model_version_by_alias(name, "production", prompt=True)

    def test_a_prompt_without_versions_has_no_latest_one(self, store: Store):
        name = _name()
        store.create_registered_model(name, tags=model_tags({}))
        with pytest.raises(NotFoundError):
            store.get_latest_version(name, prompt=True)

    def test_a_model_is_no_prompt(self, store: Store):
        name = _name()
        store.create_registered_model(name)
        store.create_model_version(name, "s3://bucket/somewhere")
        with pytest.raises(NotFoundError):
            store.get_registered_model(name, prompt=True)
        with pytest.raises(NotFoundError):
            store.get_model_version(name, "1", prompt=True)
        with pytest.raises(NotFoundError):
            store.get_latest_version(name, prompt=True)
        with pytest.raises(NotFoundError):
            store.set_registered_model_alias(name, "a", "1", prompt=True)
        with pytest.raises(NotFoundError):
            store.delete_registered_model(name, prompt=True)
        with pytest.raises(AlreadyExistsError):
            _add(store, name)
        assert store.get_registered_model(name).tags == {}

    def test_what_is_not_there(self, store: Store):
        name = _name()
        _add(store, name)
        for call in (
            lambda: store.get_model_version(name, "9", prompt=True),
            lambda: store.get_model_version(_name(), "1", prompt=True),
            lambda: store.get_latest_version(_name(), prompt=True),
            lambda: store.get_model_version_by_alias(_name(), "a", prompt=True),
            lambda: store.set_registered_model_alias(name, "a", "9", prompt=True),
            lambda: store.set_model_version_tag(name, "9", "k", "v", prompt=True),
            lambda: store.delete_model_version(name, "9", prompt=True),
        ):
            with pytest.raises(NotFoundError):
                call()

    def test_a_deleted_version_is_gone_with_its_aliases(self, store: Store):
        name = _name()
        for text in ("one", "two"):
            _add(store, name, text)
        store.set_registered_model_alias(name, "a", "2", prompt=True)
        store.delete_model_version(name, "2", prompt=True)
        assert int(store.get_latest_version(name, prompt=True).version) == 1
        assert store.get_registered_model(name, prompt=True).aliases == {}

    def test_versions_that_are_added_at_once_count_on(self, store: Store):
        name = _name()
        _add(store, name, "first")

        def add(number: int) -> int:
            return int(_add(store, name, f"text {number}").version)

        with ThreadPoolExecutor(4) as threads:
            made = list(threads.map(add, range(8)))
        assert sorted(made) == list(range(2, 10))

    def test_traces_are_written_with_the_prompts_that_they_used(self, store: Store):
        experiment_id = store.create_experiment(uuid.uuid4().hex)
        trace_id, name = f"tr-{uuid.uuid4().hex}", _name()
        # Two processes of one trace each know of their own prompts; what is said again changes nothing.
        for state, linked in (
            (TraceState.IN_PROGRESS, [(name, "1")]),
            (TraceState.OK, [(name, "2"), (name, "1")]),
            (TraceState.OK, [(name, "2")]),
        ):
            tags: dict[str, str | None] = {Tag.LINKED_PROMPTS: linked_text(linked)}
            store.write_traces([TraceWrite(trace_id, experiment_id, 1_790_000_000_000_000_000, state, tags=tags)], [])
        listed = linked_prompts(store.get_trace_info(trace_id).tags[Tag.LINKED_PROMPTS])
        assert sorted(listed) == [(name, "1"), (name, "2")]
        for version, found in (("1", [trace_id]), ("2", [trace_id]), ("3", [])):
            page = store.search_traces([experiment_id], filter_string=f"prompt = '{name}/{version}'")
            assert [trace.info.trace_id for trace in page] == found

    def test_runs_are_linked_to_prompts(self, store: Store):
        run_id = store.create_run(store.create_experiment(uuid.uuid4().hex)).info.run_id
        store.link_prompts_to_run(run_id, [("p", "1"), ("q", "2")])
        store.link_prompts_to_run(run_id, [("p", "1"), ("p", "2")])
        listed = json.loads(store.get_run(run_id).data.tags[RunKey.LINKED_PROMPTS])
        assert [(one["name"], one["version"]) for one in listed] == [("p", "1"), ("q", "2"), ("p", "2")]
        store.unlink_prompt_from_run(run_id, ("q", "2"))
        with pytest.raises(InvalidParameterError, match="not linked"):
            store.unlink_prompt_from_run(run_id, ("q", "2"))
        listed = json.loads(store.get_run(run_id).data.tags[RunKey.LINKED_PROMPTS])
        assert [one["version"] for one in listed] == ["1", "2"]
        with pytest.raises(NotFoundError):
            store.link_prompts_to_run("0" * 32, [("p", "1")])

    def test_logged_models_are_linked_to_prompts(self, store: Store):
        model_id = store.create_logged_model(store.create_experiment(uuid.uuid4().hex)).model_id
        store.link_prompts_to_logged_model(model_id, [("p", "1")])
        store.link_prompts_to_logged_model(model_id, [("p", "1"), ("q", "1")])
        tags = store.get_logged_model(model_id).tags
        assert tags[RunKey.LINKED_PROMPTS] == '[{"name": "p", "version": "1"}, {"name": "q", "version": "1"}]'
        with pytest.raises(NotFoundError):
            store.link_prompts_to_logged_model("m-none", [("p", "1")])
