"""Prompts: registered, loaded, changed, found; linked to the traces, runs and models that use them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

import otflow
from otflow import context, genai
from otflow.entities.model_registry import PromptModelConfig, PromptVersion
from otflow.errors import AlreadyExistsError, FilterError, InvalidParameterError, InvalidStateError, NotFoundError

TAG = "mlflow.linkedPrompts"


class Answer(pydantic.BaseModel):
    text: str
    score: int = 0


@pytest.fixture
def client() -> otflow.Client:
    return otflow.Client()


@pytest.fixture
def behind() -> Iterator[Any]:
    """The store, as another process changes it."""
    return context.store()


def linked(text: str | None) -> list[str]:
    return [f"{one['name']}/{one['version']}" for one in json.loads(text or "[]")]


class TestRegistering:
    def test_a_text(self, client: otflow.Client):
        made = otflow.register_prompt("p", "Hi {{ name }}", commit_message="first", tags={"a": "b", "n": 5})
        assert (made.name, made.version, made.uri, made.commit_message) == ("p", 1, "prompts:/p/1", "first")
        assert (made.tags, made.variables, made.format(name="Ada")) == ({"a": "b", "n": "5"}, {"name"}, "Hi Ada")
        prompt = client.get_prompt("p")
        assert prompt is not None
        assert (prompt.description, prompt.tags) == ("first", {"a": "b", "n": "5", "_mlflow_experiment_ids": ",0,"})
        assert otflow.load_prompt("p") == made

    def test_messages_with_a_format_and_a_configuration(self):
        messages = [{"role": "system", "content": "You are {{ role }}"}, {"role": "user", "content": "{{ question }}"}]
        config = PromptModelConfig(model_name="m", temperature=0, extra_params={"seed": 1})
        otflow.register_prompt("p", messages, response_format=Answer, model_config=config)
        found = otflow.load_prompt("p", 1, cache_ttl_seconds=0)
        assert (found.template, found.is_text_prompt) == (messages, False)
        assert found.response_format == Answer.model_json_schema()
        assert found.model_config == {"model_name": "m", "temperature": 0.0, "seed": 1}
        assert found.format(role="Ada", question="?")[0] == {"role": "system", "content": "You are Ada"}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": "a/b"},
            {"name": ""},
            {"name": None},
            {"name": "ä"},
            {"template": None},
            {"template": []},
            {"template": [{"role": "user"}]},
            {"template": "x" * 100_001},
            {"response_format": 5},
            {"model_config": {"top_p": 2}},
            {"model_config": 5},
            {"tags": [1]},
            {"tags": {"a@b": "c"}},
            {"commit_message": 5},
        ],
    )
    def test_bad_input_leaves_nothing_behind(self, client: otflow.Client, wrong: dict[str, Any]):
        with pytest.raises(InvalidParameterError):
            otflow.register_prompt(**{"name": "p", "template": "x", **wrong})
        assert client.get_prompt("p") is None
        assert otflow.search_prompts() == []

    def test_a_registered_model_keeps_its_name(self, behind: Any):
        behind.create_registered_model("m")
        with pytest.raises(InvalidParameterError, match="'m' is the name of a registered model"):
            otflow.register_prompt("m", "x")
        with pytest.raises(AlreadyExistsError):
            otflow.Client().create_prompt("m")
        assert otflow.load_prompt("m", allow_missing=True) is None

    def test_a_prompt_first_and_its_versions_then(self, client: otflow.Client):
        made = client.create_prompt("p", description="d", tags={"k": "v"})
        assert (made.name, made.description, made.tags) == ("p", "d", {"k": "v"})
        with pytest.raises(AlreadyExistsError):
            client.create_prompt("p")
        with pytest.raises(NotFoundError):
            otflow.load_prompt("p")
        made = client.create_prompt_version(
            "p", "x", description="c", tags={"a": "b"}, model_config={"model_name": "m"}
        )
        assert (made.version, made.commit_message, made.model_config) == (1, "c", {"model_name": "m"})
        assert client.get_prompt("p").tags == {"k": "v"}  # type: ignore[union-attr]
        with pytest.raises(NotFoundError):
            client.create_prompt_version("q", "x")
        with pytest.raises(InvalidParameterError, match="is_prompt"):
            client.create_prompt("r", tags={"mlflow.prompt.is_prompt": "false"})


class TestLoading:
    def test_by_all_its_names(self, client: otflow.Client):
        for text in ("one", "two"):
            otflow.register_prompt("p", text)
        otflow.set_prompt_alias("p", "production", 1)
        for name, version, template in (
            ("p", None, "two"),
            ("p", 1, "one"),
            ("p", "1", "one"),
            ("prompts:/p/2", None, "two"),
            ("prompts:/p@production", None, "one"),
            ("prompts:/p@latest", None, "two"),
        ):
            assert otflow.load_prompt(name, version).template == template
        assert client.get_prompt_version("p", 2).template == "two"  # type: ignore[union-attr]
        assert client.get_prompt_version("p", "production").template == "one"  # type: ignore[union-attr]
        assert client.get_prompt_version_by_alias("p", "Latest").template == "two"
        assert client.parse_prompt_uri("prompts:/p@production") == ("p", "1")
        assert client.parse_prompt_uri("prompts:/nope/7") == ("nope", "7")

    def test_what_is_not_there(self, client: otflow.Client):
        otflow.register_prompt("p", "x")
        for name, version in (("nope", None), ("p", 9), ("prompts:/p/9", None), ("prompts:/nope@a", None)):
            with pytest.raises(NotFoundError):
                otflow.load_prompt(name, version)
            assert otflow.load_prompt(name, version, allow_missing=True) is None
        with pytest.raises(InvalidParameterError):
            otflow.load_prompt("prompts:/p@nope")
        assert otflow.load_prompt("prompts:/p@nope", allow_missing=True) is None
        with pytest.raises(InvalidParameterError):  # it names nothing, rather than something that is missing
            otflow.load_prompt("prompts:/p", allow_missing=True)
        with pytest.raises(InvalidParameterError):
            otflow.load_prompt("prompts:/p/1", version=1)
        for ttl in (-1, "x", float("nan"), True):
            with pytest.raises(InvalidParameterError, match="cache_ttl_seconds"):
                otflow.load_prompt("p", cache_ttl_seconds=ttl)  # type: ignore[arg-type]
        assert client.get_prompt("nope") is None

    @pytest.mark.parametrize("wanted", [("m",), ("m", 1), ("m", 9), ("prompts:/m/1",), ("prompts:/m@a",)])
    def test_a_registered_model_is_no_prompt(self, client: otflow.Client, wanted: tuple[Any, ...]):
        client.create_registered_model("m")
        client.create_model_version("m", "s3://bucket/m")
        client.set_registered_model_alias("m", "a", "1")
        for load in (otflow.load_prompt, client.load_prompt):
            with pytest.raises(InvalidParameterError, match="'m' is registered as a model"):
                load(*wanted)
            assert load(*wanted, allow_missing=True) is None
        for version in (1, 9, "a", "nope"):
            with pytest.raises(InvalidParameterError, match="'m' is registered as a model"):
                client.get_prompt_version("m", version)
        with pytest.raises(InvalidParameterError, match="'m' is registered as a model"):
            client.get_prompt_version_by_alias("m", "a")
        assert client.get_prompt("m") is None

    def test_a_version_that_says_nothing_is_an_error_of_its_own(self, behind: Any):
        otflow.register_prompt("p", [{"role": "user", "content": "x"}])
        behind.set_model_version_tag("p", "1", "mlflow.prompt.text", "{")
        with pytest.raises(InvalidStateError, match="'p'"):
            otflow.load_prompt("p", 1)


class TestMemory:
    def test_what_others_change_is_seen_in_time(self, behind: Any):
        for text in ("one", "two"):
            otflow.register_prompt("p", text)
        otflow.set_prompt_alias("p", "a", 1)
        assert otflow.load_prompt("prompts:/p@a").version == 1
        behind.set_registered_model_alias("p", "a", "2")
        assert otflow.load_prompt("prompts:/p@a").version == 1
        assert otflow.Client().load_prompt("prompts:/p@a").version == 1  # type: ignore[union-attr]
        assert otflow.load_prompt("prompts:/p@a", cache_ttl_seconds=0).version == 2
        assert otflow.load_prompt("prompts:/p@a").version == 2

    def test_what_this_process_changes_is_seen_at_once(self, client: otflow.Client):
        otflow.register_prompt("p", "one")
        assert otflow.load_prompt("p").version == 1
        otflow.register_prompt("p", "two")
        assert otflow.load_prompt("p").version == 2
        otflow.set_prompt_alias("p", "a", 1)
        assert otflow.load_prompt("p", 1).aliases == ["a"]
        otflow.set_prompt_alias("p", "a", 2)
        assert [otflow.load_prompt("prompts:/p@a").version, otflow.load_prompt("p", 1).aliases] == [2, []]
        assert otflow.load_prompt("p", 2).aliases == ["a"]
        genai.set_prompt_version_tag("p", 2, "k", "v")
        assert otflow.load_prompt("prompts:/p@a").tags == {"k": "v"}
        genai.delete_prompt_version_tag("p", "2", "k")
        assert otflow.load_prompt("p").tags == {}
        genai.set_prompt_model_config("p", 2, {"model_name": "m", "seed": 1})
        assert otflow.load_prompt("p", 2).model_config == {"model_name": "m", "seed": 1}
        genai.delete_prompt_model_config("p", 2)
        assert otflow.load_prompt("p", 2).model_config is None
        client.delete_prompt_version("p", "2")
        assert otflow.load_prompt("p").version == 1
        for name, version in (("p", 2), ("prompts:/p@a", None)):
            assert otflow.load_prompt(name, version, allow_missing=True) is None
        client.delete_prompt("p")
        assert otflow.load_prompt("p", 1, allow_missing=True) is None
        otflow.register_prompt("p", "anew")
        assert otflow.load_prompt("p", 1).template == "anew"

    def test_the_store_is_not_asked_again(self, behind: Any, monkeypatch: pytest.MonkeyPatch):
        otflow.register_prompt("p", "one")
        first = otflow.load_prompt("p", 1)
        monkeypatch.setattr(type(behind), "get_model_version", None)
        assert otflow.load_prompt("p", 1) == otflow.load_prompt("prompts:/p/1") == first

    def test_a_caller_cannot_poison_it(self):
        otflow.register_prompt("p", [{"role": "user", "content": "Hi"}])
        for _ in range(2):
            found = otflow.load_prompt("p", 1)
            assert (found.template[0]["content"], found.tags) == ("Hi", {})  # type: ignore[index]
            found.template[0]["content"] = "poison"  # type: ignore[index]
            found.tags["poison"] = "x"

    def test_stores_are_kept_apart(self, tmp_path: Any):
        otflow.register_prompt("p", "here")
        assert otflow.load_prompt("p", 1).template == "here"
        otflow.set_tracking_uri(f"sqlite:///{tmp_path}/other.db")
        assert otflow.load_prompt("p", 1, allow_missing=True) is None
        otflow.register_prompt("p", "there")
        assert otflow.load_prompt("p", 1).template == "there"

    def test_a_registry_elsewhere(self, tmp_path: Any):
        otflow.set_registry_uri(f"sqlite:///{tmp_path}/registry.db")
        otflow.register_prompt("p", "x")
        with otflow.start_run() as run:
            otflow.load_prompt("p", 1)
        assert linked(otflow.get_run(run.info.run_id).data.tags[TAG]) == ["p/1"]
        assert [one.name for one in otflow.search_prompts()] == ["p"]
        assert otflow.Client(registry_uri=otflow.get_tracking_uri()).get_prompt("p") is None


class TestChanging:
    @pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V22", "a b", "a/b", "", "a" * 256, None])
    def test_aliases_that_are_none(self, alias: Any):
        otflow.register_prompt("p", "x")
        with pytest.raises(InvalidParameterError):
            otflow.set_prompt_alias("p", alias, 1)

    def test_aliases(self, client: otflow.Client):
        otflow.register_prompt("p", "x")
        for name, version in (("p", 9), ("nope", 1), ("p", 0)):
            with pytest.raises(NotFoundError):
                otflow.set_prompt_alias(name, "a", version)
        for version in ("x", None, True):
            with pytest.raises(InvalidParameterError):
                otflow.set_prompt_alias("p", "a", version)  # type: ignore[arg-type]
        otflow.set_prompt_alias("p", "v1x", 1)
        client.delete_prompt_alias("p", "v1x")
        otflow.delete_prompt_alias("p", "v1x")
        with pytest.raises(NotFoundError):
            otflow.delete_prompt_alias("nope", "a")

    def test_tags_of_a_prompt(self):
        otflow.register_prompt("p", "x")
        genai.set_prompt_tag("p", "k", "v")
        assert genai.get_prompt_tags("p")["k"] == "v"
        genai.delete_prompt_tag("p", "k")
        genai.delete_prompt_tag("p", "k")
        assert "k" not in genai.get_prompt_tags("p")
        for call in (
            lambda: genai.get_prompt_tags("nope"),
            lambda: genai.set_prompt_tag("nope", "k", "v"),
            lambda: genai.delete_prompt_tag("nope", "k"),
            lambda: genai.set_prompt_version_tag("p", 9, "k", "v"),
            lambda: genai.delete_prompt_version_tag("p", 9, "k"),
            lambda: genai.set_prompt_model_config("p", 9, {"model_name": "m"}),
            lambda: genai.delete_prompt_model_config("p", 9),
        ):
            with pytest.raises(NotFoundError):
                call()

    @pytest.mark.parametrize(
        "key", ["mlflow.prompt.text", "mlflow.prompt.is_prompt", "_mlflow_prompt_type", "_mlflow_prompt_model_config"]
    )
    def test_a_version_never_changes_what_it_says(self, key: str):
        otflow.register_prompt("p", "x")
        for call in (
            lambda: genai.set_prompt_version_tag("p", 1, key, "y"),
            lambda: genai.delete_prompt_version_tag("p", 1, key),
        ):
            with pytest.raises(InvalidParameterError, match="register a new version"):
                call()
        assert otflow.load_prompt("p", 1, cache_ttl_seconds=0).template == "x"

    def test_a_prompt_stays_one(self):
        otflow.register_prompt("p", "x")
        with pytest.raises(InvalidParameterError):
            genai.set_prompt_tag("p", "mlflow.prompt.is_prompt", "false")
        with pytest.raises(InvalidParameterError):
            genai.delete_prompt_tag("p", "mlflow.prompt.is_prompt")
        assert otflow.load_prompt("p", cache_ttl_seconds=0).version == 1

    @pytest.mark.parametrize("config", [None, 5, {"temperature": -1}, {"max_tokens": 0}])
    def test_configurations_that_are_none(self, config: Any):
        otflow.register_prompt("p", "x", model_config={"model_name": "m"})
        with pytest.raises(InvalidParameterError):
            genai.set_prompt_model_config("p", 1, config)
        assert otflow.load_prompt("p", 1).model_config == {"model_name": "m"}

    def test_deleted_versions(self, client: otflow.Client):
        for text in ("one", "two"):
            otflow.register_prompt("p", text)
        client.delete_prompt_version("p", "2")
        assert otflow.register_prompt("p", "three").version == 3  # a number never comes to mean something else
        for version in ("9", "x"):
            with pytest.raises((NotFoundError, InvalidParameterError)):
                client.delete_prompt_version("p", version)
        client.delete_prompt("p")
        with pytest.raises(NotFoundError):
            client.delete_prompt("p")


class TestSearching:
    def test_prompts(self, client: otflow.Client):
        for number in range(5):
            otflow.register_prompt(f"p{number}", "x", tags={"odd": str(number % 2)})
        assert [one.name for one in otflow.search_prompts()] == [f"p{number}" for number in range(5)]
        assert [one.name for one in otflow.search_prompts("tags.odd = '1'")] == ["p1", "p3"]
        assert [one.name for one in otflow.search_prompts("name LIKE 'p%'", max_results=2)] == ["p0", "p1"]
        page = client.search_prompts(max_results=3)
        assert [one.name for one in client.search_prompts(max_results=3, page_token=page.token)] == ["p3", "p4"]
        assert len(client.search_prompts(max_results=None)) == 5  # type: ignore[arg-type]
        with pytest.raises(FilterError):
            otflow.search_prompts("version = 1")

    def test_by_the_experiments_that_used_them(self):
        otflow.register_prompt("p", "x")
        here = otflow.set_experiment("elsewhere").experiment_id
        otflow.register_prompt("q", "x")
        assert [one.name for one in otflow.search_prompts(f"experiment_id = '{here}'")] == ["q"]
        otflow.load_prompt("p")
        assert [one.name for one in otflow.search_prompts(f"experiment_id = '{here}'")] == ["p", "q"]
        assert [one.name for one in otflow.search_prompts("experiment_id = '0'")] == ["p"]
        assert [one.tags["_mlflow_experiment_ids"] for one in otflow.search_prompts()] == [f",0,{here},", f",{here},"]

    def test_versions(self, client: otflow.Client):
        for text in ("one", "two", "three"):
            otflow.register_prompt("p", text)
        page = client.search_prompt_versions("p", max_results=2)
        assert [one.template for one in page] == ["three", "two"]
        assert [one.template for one in client.search_prompt_versions("p", 2, page.token)] == ["one"]
        assert client.search_prompt_versions("nope") == []
        assert "-two" in client.search_prompt_versions("p")[1].diff(page[0])


class TestTraces:
    def test_a_trace_lists_the_prompts_that_it_used(self):
        otflow.register_prompt("p", "x")
        otflow.register_prompt("q", "x")

        @otflow.trace
        def outer() -> None:
            otflow.load_prompt("p", 1)
            otflow.load_prompt("p")
            with otflow.start_span("inner"):
                otflow.load_prompt("q", 1)
                otflow.load_prompt("nope", allow_missing=True)

        outer()
        trace = otflow.get_trace(otflow.get_last_active_trace_id() or "")
        assert trace is not None
        assert linked(trace.info.tags[TAG]) == ["p/1", "q/1"]
        assert {span.name: linked(span.attributes.get(TAG)) for span in trace.data.spans} == {
            "outer": ["p/1"],
            "inner": ["q/1"],
        }
        for text, count in (("prompt = 'q/1'", 1), ("prompt = 'q/2'", 0)):
            assert len(otflow.search_traces(filter_string=text, return_type="list")) == count

    def test_nothing_is_asked_of_the_store_while_it_runs(self, behind: Any, monkeypatch: pytest.MonkeyPatch):
        otflow.register_prompt("p", "x")
        otflow.load_prompt("p", 1)
        calls: list[str] = []
        for name in ("link_prompts_to_trace", "get_model_version", "link_prompt_to_experiment", "set_trace_tag"):
            monkeypatch.setattr(type(behind), name, lambda *_args, name=name, **_more: calls.append(name))
        with otflow.start_span("s") as span:
            for _ in range(3):
                otflow.load_prompt("p", 1)
        assert calls == []
        assert linked(otflow.get_trace(span.trace_id).info.tags[TAG]) == ["p/1"]  # type: ignore[union-attr]

    def test_what_was_linked_otherwise_stays(self, client: otflow.Client):
        one, two = (otflow.register_prompt("p", text) for text in ("one", "two"))
        with otflow.start_span("s") as span:
            otflow.load_prompt("p", 1)
            otflow.update_current_trace(tags={"a": "b"})
        client.link_prompt_versions_to_trace([two, one], span.trace_id)
        tags = otflow.get_trace(span.trace_id).info.tags  # type: ignore[union-attr]
        assert (linked(tags[TAG]), tags["a"]) == (["p/1", "p/2"], "b")

    def test_each_task_and_thread_links_its_own_trace(self):
        for number in range(4):
            otflow.register_prompt(f"p{number}", "x")

        @otflow.trace
        async def step(number: int) -> str | None:
            await asyncio.sleep(0)
            otflow.load_prompt(f"p{number}", 1)
            return otflow.get_active_trace_id()

        @otflow.trace
        def in_thread(number: int) -> str | None:
            otflow.load_prompt(f"p{number}", 1)
            return otflow.get_active_trace_id()

        async def all_of_them() -> list[str | None]:
            return await asyncio.gather(*(step(number) for number in range(4)))

        ids = asyncio.run(all_of_them())
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            ids += pool.map(in_thread, range(4))
        found = [linked(otflow.get_trace(trace_id or "").info.tags[TAG]) for trace_id in ids]  # type: ignore[union-attr]
        assert found == [[f"p{number}/1"] for number in range(4)] * 2

    def test_without_tracing_and_in_foreign_spans(self):
        from opentelemetry.sdk.trace import TracerProvider

        otflow.register_prompt("p", "x")
        with TracerProvider().get_tracer("other").start_as_current_span("foreign"):
            assert otflow.load_prompt("p", 1).version == 1
        otflow.tracing.disable()
        with otflow.start_span("off"):
            assert otflow.load_prompt("p", 1).version == 1
        assert otflow.search_traces(return_type="list") == []


class TestRunsAndModels:
    def test_a_run_lists_the_prompts_that_it_used(self, client: otflow.Client):
        for name in ("p", "q"):
            otflow.register_prompt(name, "x")
        with otflow.start_run() as run:
            otflow.load_prompt("p", 1)
            otflow.load_prompt("q")
            otflow.load_prompt("prompts:/p@latest")
            client.load_prompt("q", 1)
            otflow.register_prompt("r", "x")
        run_id = run.info.run_id
        assert linked(client.get_run(run_id).data.tags[TAG]) == ["p/1", "q/1"]
        assert [one.uri for one in client.list_logged_prompts(run_id)] == ["prompts:/p/1", "prompts:/q/1"]
        client.delete_prompt("q")
        assert [one.uri for one in client.list_logged_prompts(run_id)] == ["prompts:/p/1"]

    def test_once_in_a_process(self, behind: Any, monkeypatch: pytest.MonkeyPatch):
        otflow.register_prompt("p", "x")
        calls: list[Any] = []
        monkeypatch.setattr(type(behind), "link_prompts_to_run", lambda _self, *args: calls.append(args))
        with otflow.start_run() as first:
            for _ in range(3):
                otflow.load_prompt("p", 1)
        with otflow.start_run() as second:
            otflow.load_prompt("p", 1)
        assert [call[0] for call in calls] == [first.info.run_id, second.info.run_id]

    def test_linked_by_hand(self, client: otflow.Client):
        prompt = otflow.register_prompt("p", "x")
        otflow.set_prompt_alias("p", "a", 1)
        run_id = client.create_run("0").info.run_id
        for one in (prompt, "prompts:/p/1", "prompts:/p@a", "p"):
            client.link_prompt_version_to_run(run_id, one)
        assert linked(client.get_run(run_id).data.tags[TAG]) == ["p/1"]
        for wrong in ("prompts:/p/9", "nope"):
            with pytest.raises(NotFoundError):
                client.link_prompt_version_to_run(run_id, wrong)
        with pytest.raises(InvalidParameterError):
            client.link_prompt_version_to_run(run_id, 5)  # type: ignore[arg-type]
        with pytest.raises(NotFoundError):
            client.link_prompt_version_to_run("0" * 32, prompt)
        client.detach_prompt_from_run(run_id, "prompts:/p@a")
        assert client.list_logged_prompts(run_id) == []
        with pytest.raises(InvalidParameterError, match="prompts:/p/1"):
            client.detach_prompt_from_run(run_id, "prompts:/p/1")
        with pytest.raises(NotFoundError):
            client.list_logged_prompts("0" * 32)

    def test_a_detached_prompt_is_linked_again(self, client: otflow.Client):
        otflow.register_prompt("p", "x")
        with otflow.start_run() as run:
            otflow.load_prompt("p", 1)
            client.detach_prompt_from_run(run.info.run_id, "prompts:/p/1")
            otflow.load_prompt("p", 1)
        assert [one.uri for one in client.list_logged_prompts(run.info.run_id)] == ["prompts:/p/1"]

    def test_logged_models(self, client: otflow.Client):
        for name in ("p", "q"):
            otflow.register_prompt(name, "x")
        named = otflow.create_external_model("named")
        with otflow.set_active_model(name="active") as active:
            otflow.load_prompt("p", 1)
            otflow.load_prompt("q", 1, link_to_model=False)
        otflow.load_prompt("q", 1, model_id=named.model_id)
        assert linked(otflow.get_logged_model(active.model_id).tags[TAG]) == ["p/1"]
        assert linked(otflow.get_logged_model(named.model_id).tags[TAG]) == ["q/1"]
        client.link_prompt_version_to_model("p", "1", named.model_id)
        assert linked(otflow.get_logged_model(named.model_id).tags[TAG]) == ["q/1", "p/1"]
        with pytest.raises(NotFoundError):
            client.link_prompt_version_to_model("p", "9", named.model_id)
        with pytest.raises(NotFoundError):
            client.link_prompt_version_to_model("p", "1", "m-none")

    def test_no_load_fails_for_a_link(self, caplog: pytest.LogCaptureFixture):
        otflow.register_prompt("p", "x")
        assert otflow.load_prompt("p", 1, model_id="m-none").version == 1
        assert "m-none could not be linked to prompts:/p/1" in caplog.text


class TestTemplates:
    """Templates come from a registry that others write to."""

    @pytest.mark.parametrize(
        "text",
        [
            "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
            "{% set x = name.__init__.__globals__ %}{{ x }}",
            "{% if 1 %}{{ cycler.__init__.__globals__.os.popen('id').read() }}{% endif %}",
            "{% if 1 %}{{ ''['__class__'] }}{{ ''|attr('__class__') }}{% endif %}",
            "{% if 1 %}{{ '{0.__class__.__init__.__globals__}'.format(name) }}{% endif %}",
            "{% include '/etc/passwd' %}",
        ],
    )
    def test_a_hostile_one_reaches_nothing(self, text: str):
        otflow.register_prompt("p", text)
        try:
            said = otflow.load_prompt("p", 1).format(name="Ada")
        except InvalidParameterError:
            return
        assert isinstance(said, str)
        assert not any(word in said for word in ("<class", "root:", "uid=", "__builtins__", "function"))

    def test_a_harmless_one_is_rendered(self):
        otflow.register_prompt("p", "{% for one in items %}{{ one }};{% endfor %}{{ name }}")
        assert otflow.load_prompt("p").format(items=["a", "b"], name="{{ name }}") == "a;b;{{ name }}"

    def test_values_are_data(self):
        otflow.register_prompt("p", "{{ a }} {{ b }}")
        loaded = otflow.load_prompt("p")
        assert loaded.format(a="{{ b }}", b="{% x %}") == "{{ b }} {% x %}"
        partial = loaded.format(allow_partial=True, a="1")
        assert isinstance(partial, PromptVersion)
        assert (partial.template, partial.uri, loaded.template) == ("1 {{ b }}", "prompts:/p/1", "{{ a }} {{ b }}")


class TestWorkspaces:
    def test_each_has_prompts_of_its_own(self):
        otflow.create_workspace("red")
        otflow.register_prompt("p", "here")
        assert otflow.load_prompt("p", 1).template == "here"
        otflow.set_workspace("red")
        assert otflow.load_prompt("p", 1, allow_missing=True) is None
        otflow.register_prompt("p", "there")
        with otflow.start_run() as run:
            assert otflow.load_prompt("p", 1).template == "there"
        assert linked(otflow.get_run(run.info.run_id).data.tags[TAG]) == ["p/1"]
        otflow.set_workspace(None)
        assert otflow.load_prompt("p", 1).template == "here"
        assert [one.name for one in otflow.search_prompts()] == ["p"]
