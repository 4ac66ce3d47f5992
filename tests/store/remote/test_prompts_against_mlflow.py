"""Prompts over HTTP: a released MLflow's server as the store, and its client as the other reader and writer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import otflow
from otflow import genai
from otflow.errors import InvalidParameterError, NotFoundError

from .conftest import ReleasedMlflow
from .proxy import CountingProxy

pytestmark = pytest.mark.differential

TAG = "mlflow.linkedPrompts"
READ = """
p = mlflow.MlflowClient().get_prompt_version(name, version)
result = {f: getattr(p, f) for f in (
    "name", "version", "template", "commit_message", "tags", "response_format", "model_config")}
result["aliases"] = list(p.aliases)
"""


@pytest.fixture
def proxy(mlflow_server: str) -> Iterator[CountingProxy]:
    made = CountingProxy(mlflow_server)
    yield made
    made.close()


@pytest.fixture
def name(mlflow_server: str) -> str:
    otflow.set_tracking_uri(mlflow_server)
    otflow.set_experiment(f"prompts-{uuid.uuid4().hex}")
    return f"p-{uuid.uuid4().hex[:10]}"


@pytest.mark.parametrize(
    ("template", "more"),
    [
        ("Hi {{ name }}, é", {}),
        ("x", {"commit_message": "c", "tags": {"a": "b", "ü": "ß"}}),
        (
            [{"role": "system", "content": "é"}, {"role": "user", "content": "{{ x }}", "name": "n"}],
            {"response_format": {"type": "object", "é": [1, None]}, "model_config": {"model_name": "m", "seed": 1}},
        ),
        ('[{"role": "user", "content": "a text that looks like messages"}]', {}),
    ],
)
def test_mlflow_reads_what_we_write(name: str, released_mlflow: ReleasedMlflow, template: Any, more: Any) -> None:
    ours = otflow.register_prompt(name, template, **more)
    otflow.set_prompt_alias(name, "production", 1)
    theirs = released_mlflow.run(READ, name=name, version=1)
    assert theirs == {
        "name": name,
        "version": 1,
        "template": template,
        "commit_message": more.get("commit_message", ""),  # MLflow's client takes the answer's empty text as it is
        "tags": more.get("tags", {}),
        "aliases": ["production"],
        "response_format": more.get("response_format"),
        "model_config": more.get("model_config"),
    }
    assert ours.template == template
    found = released_mlflow.run(
        "result = [[p.name, p.tags] for p in mlflow.MlflowClient().search_prompts(f\"name = '{name}'\")]", name=name
    )
    assert [one[0] for one in found] == [name]
    assert found[0][1]["_mlflow_experiment_ids"] == f",{_here()},"


def _here() -> str:
    from otflow import context

    return context.experiment_id()


@pytest.mark.parametrize(
    ("template", "more"),
    [
        ("Hi {{ name }}, é", {"commit_message": "c", "tags": {"a": "b"}}),
        (
            [{"role": "user", "content": "{{ x }}"}],
            {"response_format": {"type": "object"}, "model_config": {"temperature": 0.5}},
        ),
    ],
)
def test_we_read_what_mlflow_writes(name: str, released_mlflow: ReleasedMlflow, template: Any, more: Any) -> None:
    released_mlflow.run(
        """
        result = mlflow.register_prompt(name, template, **more).version
        mlflow.set_prompt_alias(name, "production", result)
        mlflow.MlflowClient().set_prompt_version_tag(name, result, "later", "x")
        """,
        name=name,
        template=template,
        more=more,
    )
    for one in (f"prompts:/{name}@production", f"prompts:/{name}/1", name):
        found = otflow.load_prompt(one)
        assert (found.name, found.version, found.template) == (name, 1, template)
        assert found.tags == {**more.get("tags", {}), "later": "x"}
        assert (found.commit_message, found.aliases) == (more.get("commit_message"), ["production"])
        assert (found.response_format, found.model_config) == (more.get("response_format"), more.get("model_config"))
    assert [one.name for one in otflow.search_prompts(f"name = '{name}'")] == [name]


def test_what_mlflow_finds_of_a_trace_a_run_and_a_model(name: str, released_mlflow: ReleasedMlflow) -> None:
    otflow.register_prompt(name, "x")
    with otflow.start_run() as run, otflow.set_active_model(name="agent") as model, otflow.start_span("s") as span:
        otflow.load_prompt(name, 1)
    otflow.flush_trace_async_logging()
    found = released_mlflow.run(
        """
        client = mlflow.MlflowClient()
        traces = client.search_traces(
            locations=[experiment], filter_string=f"prompt = '{name}/1'", include_spans=False
        )
        result = [
            [trace.info.trace_id for trace in traces],
            client.get_trace(trace_id).info.tags["mlflow.linkedPrompts"],
            client.get_run(run_id).data.tags["mlflow.linkedPrompts"],
            client.get_logged_model(model_id).tags["mlflow.linkedPrompts"],
        ]
        """,
        experiment=_here(),
        name=name,
        trace_id=span.trace_id,
        run_id=run.info.run_id,
        model_id=model.model_id,
    )
    text = json.dumps([{"name": name, "version": "1"}])
    assert found == [[span.trace_id], text, text, text]


def test_one_request_each(name: str, proxy: CountingProxy) -> None:
    otflow.set_tracking_uri(proxy.uri)
    otflow.set_experiment(f"prompts-{uuid.uuid4().hex}")
    client = otflow.Client()
    otflow.register_prompt(name, "first", tags={"team": "a"})
    otflow.load_prompt(name)
    calls: dict[str, Callable[[], Any]] = {
        "register": lambda: otflow.register_prompt(name, "further"),
        "register with tags": lambda: otflow.register_prompt(name, "further", tags={"team": "a"}),
        "load version": lambda: otflow.load_prompt(name, 2, cache_ttl_seconds=0),
        "set alias": lambda: otflow.set_prompt_alias(name, "production", 2),
        "load alias": lambda: otflow.load_prompt(f"prompts:/{name}@production", cache_ttl_seconds=0),
        "load latest": lambda: otflow.load_prompt(name, cache_ttl_seconds=0),
        "delete alias": lambda: otflow.delete_prompt_alias(name, "production"),
        "get prompt": lambda: client.get_prompt(name),
        "get version": lambda: client.get_prompt_version(name, 1),
        "search": lambda: otflow.search_prompts(f"name = '{name}'"),
        "versions": lambda: client.search_prompt_versions(name),
        "set tag": lambda: genai.set_prompt_tag(name, "k", "v"),
        "delete tag": lambda: genai.delete_prompt_tag(name, "k"),
        "set version tag": lambda: genai.set_prompt_version_tag(name, 1, "k", "v"),
        "set model config": lambda: genai.set_prompt_model_config(name, 1, {"model_name": "m"}),
        "delete prompt": lambda: client.delete_prompt(name),
    }
    made: dict[str, list[str]] = {}
    for label, call in calls.items():
        with proxy.requests_of_call() as requests:
            call()
        made[label] = requests
    assert {label: requests for label, requests in made.items() if len(requests) != 1} == {}


def test_no_request_for_what_is_remembered(name: str, proxy: CountingProxy) -> None:
    otflow.set_tracking_uri(proxy.uri)
    otflow.set_experiment(f"prompts-{uuid.uuid4().hex}")
    otflow.register_prompt(name, "x")
    with otflow.start_run() as run:
        otflow.load_prompt(name, 1)
        with proxy.requests_of_call() as requests:
            for _ in range(5):
                otflow.load_prompt(name, 1)
        assert requests == []
    assert [one.uri for one in otflow.Client().list_logged_prompts(run.info.run_id)] == [f"prompts:/{name}/1"]


def test_a_first_load_in_a_new_process_is_one_request_and_its_link(name: str, proxy: CountingProxy) -> None:
    otflow.register_prompt(name, "x")
    otflow.set_prompt_alias(name, "production", 1)
    experiment_id = _here()
    otflow.set_tracking_uri(proxy.uri)  # a store that knows nothing yet
    otflow.set_experiment(experiment_id=experiment_id)
    for one in (f"prompts:/{name}@production", f"prompts:/{name}/1", name):
        with proxy.requests_of_call() as requests:
            otflow.load_prompt(one)
        of_links = [one for one in requests if one.endswith("/registered-models/get")]
        assert len(requests) - len(of_links) <= 1, requests
        assert len(of_links) <= 1, requests


def test_what_is_not_there(name: str) -> None:
    for call in (
        lambda: otflow.load_prompt(name),
        lambda: otflow.load_prompt(name, 1),
        lambda: otflow.load_prompt(f"prompts:/{name}@a"),
        lambda: otflow.set_prompt_alias(name, "a", 1),
        lambda: otflow.Client().delete_prompt(name),
        lambda: genai.set_prompt_version_tag(name, 1, "k", "v"),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert otflow.load_prompt(name, allow_missing=True) is None
    otflow.register_prompt(name, "x")
    with pytest.raises(InvalidParameterError):
        otflow.load_prompt(f"prompts:/{name}@a")
    assert otflow.load_prompt(f"prompts:/{name}@a", allow_missing=True) is None


def test_a_model_is_no_prompt(name: str, released_mlflow: ReleasedMlflow) -> None:
    released_mlflow.run("mlflow.MlflowClient().create_registered_model(name)", name=name)
    with pytest.raises(InvalidParameterError, match="registered model"):
        otflow.register_prompt(name, "x")
    assert otflow.load_prompt(name, allow_missing=True) is None
    with pytest.raises(NotFoundError):
        otflow.Client().delete_prompt(name)
    assert released_mlflow.run("result = mlflow.MlflowClient().get_registered_model(name).name", name=name) == name
