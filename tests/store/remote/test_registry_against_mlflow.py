"""The registry of a released MLflow's server: our functions, its client's view of what they do, and what is sent."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

import otflow
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError
from otflow.semconv import RegistryKey
from otflow.store.remote.client import HttpClient
from otflow.store.remote.registry import Kinds
from otflow.store.remote.store import RemoteStore
from otflow.wire.endpoints import Endpoint

from .conftest import ReleasedMlflow

pytestmark = pytest.mark.differential

SOURCE = "s3://bucket/model"


@pytest.fixture
def name() -> str:
    return f"model-{uuid.uuid4().hex}"


@pytest.fixture
def sent(store: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The store methods that requests are for, from now on."""
    seen: list[str] = []
    call = HttpClient.call

    def spy(client: HttpClient, endpoint: Endpoint, *args: Any, **more: Any) -> Any:
        seen.append(endpoint.store_method)
        return call(client, endpoint, *args, **more)

    monkeypatch.setattr(HttpClient, "call", spy)
    return seen


def test_from_registering_to_loading(mlflow_server: str, name: str) -> None:
    otflow.set_tracking_uri(mlflow_server)
    otflow.set_experiment(f"registry-{name}")
    with otflow.start_run() as run:
        otflow.log_text("hello", "model/x.txt")
        model = otflow.create_external_model("agent")
    first = otflow.register_model(f"runs:/{run.info.run_id}/model", name, tags={"a": "b"})
    assert (first.version, first.run_id, first.tags) == ("1", run.info.run_id, {"a": "b"})
    second = otflow.register_model(model.model_uri, name)
    assert (second.version, second.source, second.run_id) == ("2", model.model_uri, run.info.run_id)
    assert RegistryKey.MODEL_VERSIONS in otflow.get_logged_model(model.model_id).tags
    client = otflow.Client()
    client.set_registered_model_alias(name, "champion", first.version)
    assert otflow.artifacts.load_text(f"models:/{name}@champion/x.txt") == "hello"
    assert model.model_id in otflow.artifacts.load_text(f"models:/{name}/latest/MLmodel")
    assert client.copy_model_version(f"models:/{name}@champion", f"{name}-copy").source == f"models:/{name}/1"
    assert otflow.artifacts.load_text(f"models:/{name}-copy/1/x.txt") == "hello"
    assert [one.version for one in otflow.search_model_versions(filter_string=f"name = '{name}'")] == ["2", "1"]
    assert [one.name for one in otflow.search_registered_models(filter_string=f"name = '{name}'")] == [name]


def test_the_released_client_sees_the_same(mlflow_server: str, name: str, released_mlflow: ReleasedMlflow) -> None:
    otflow.set_tracking_uri(mlflow_server)
    client = otflow.Client()
    client.create_registered_model(name, {"team": "a"}, "what it is")
    client.create_model_version(name, SOURCE, tags={"a": "b"}, description="one")
    client.set_registered_model_alias(name, "champion", "1")
    seen = released_mlflow.run(
        """
        model = mlflow.MlflowClient().get_registered_model(name)
        version = mlflow.MlflowClient().get_model_version_by_alias(name, "champion")
        result = [model.description, model.tags, model.aliases, version.source, version.tags, version.description]
        """,
        name=name,
    )
    assert seen == ["what it is", {"team": "a"}, {"champion": "1"}, SOURCE, {"a": "b"}, "one"]


def test_what_the_released_client_registers(mlflow_server: str, name: str, released_mlflow: ReleasedMlflow) -> None:
    released_mlflow.run(
        """
        client = mlflow.MlflowClient()
        client.create_registered_model(name, {"team": "a"})
        client.create_model_version(name, "s3://bucket/theirs", tags={"a": "b"})
        client.set_registered_model_alias(name, "champion", "1")
        mlflow.genai.register_prompt(f"{name}-prompt", "hello {{ x }}")
        result = None
        """,
        name=name,
    )
    otflow.set_tracking_uri(mlflow_server)
    client = otflow.Client()
    assert client.get_model_version_by_alias(name, "champion").source == "s3://bucket/theirs"
    with pytest.raises(NotFoundError):
        client.get_registered_model(f"{name}-prompt")
    with pytest.raises(NotFoundError):
        client.get_model_version(f"{name}-prompt", "1")
    with pytest.raises(AlreadyExistsError, match="prompt"):
        otflow.register_model(SOURCE, f"{name}-prompt")
    store = client._registry()  # pyright: ignore[reportPrivateUsage]
    assert store.get_model_version(f"{name}-prompt", "1", prompt=True).tags[RegistryKey.PROMPT_TEXT] == "hello {{ x }}"
    assert [one.name for one in client.search_registered_models(f"name LIKE '{name}%'")] == [name]


def test_a_call_is_one_request_in_the_steady_state(store: RemoteStore, sent: list[str], name: str) -> None:
    store.create_model_version(name, SOURCE, create_model=True, prompt=False)
    sent.clear()
    store.create_model_version(name, SOURCE, create_model=True, prompt=False)
    store.set_registered_model_tag(name, "k", "v", prompt=False)
    store.delete_registered_model_tag(name, "k", prompt=False)
    store.set_registered_model_alias(name, "a", "1", prompt=False)
    store.get_model_version_by_alias(name, "a", prompt=False)
    store.get_model_version(name, "2", prompt=False)
    store.set_model_version_tag(name, "1", "k", "v", prompt=False)
    store.get_registered_model(name, prompt=False)
    assert sent == [
        "create_model_version", "set_registered_model_tag", "delete_registered_model_tag",
        "set_registered_model_alias", "get_model_version_by_alias", "get_model_version", "set_model_version_tag",
        "get_registered_model",
    ]  # fmt: skip
    store.get_latest_version(name, prompt=False)
    assert sent[-1] == "get_latest_versions"


def test_a_name_that_becomes_a_prompts(store: RemoteStore, mlflow_server: str, name: str) -> None:
    store.create_model_version(name, SOURCE, create_model=True, prompt=False)
    other = RemoteStore(mlflow_server)
    other.delete_registered_model(name)
    other.create_model_version(name, SOURCE, create_model=True, prompt=True)
    other.close()
    # That it is no prompt was known; it is asked again before anybody is told that there is none.
    assert int(store.get_model_version(name, "1", prompt=True).version) == 1
    with pytest.raises(NotFoundError):
        store.get_model_version(name, "1", prompt=False)


def test_eight_processes_over_http(mlflow_server: str, name: str, tmp_path: Path) -> None:
    script = tmp_path / "adds.py"
    script.write_text(
        "import sys\n"
        "from otflow.store.opening import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "print(*[store.create_model_version(sys.argv[2], 's3://b/x', create_model=True, prompt=False).version"
        " for _ in range(3)])\n"
    )
    children = [
        subprocess.Popen([sys.executable, str(script), mlflow_server, name], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    outputs = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children] == [0] * 8
    assert sorted(int(number) for output in outputs for number in output.split()) == list(range(1, 25))


class TestAnotherRegistry:
    """Runs and logged models in a database here, the registry on a server."""

    @pytest.fixture(autouse=True)
    def registry(self, mlflow_server: str, tmp_path: Path) -> None:
        otflow.set_tracking_uri(f"sqlite:///{tmp_path}/tracking.db")
        otflow.set_registry_uri(mlflow_server)

    def test_what_the_server_can_reach(self, name: str) -> None:
        otflow.create_experiment("in a bucket", artifact_location="s3://bucket/root")
        otflow.set_experiment("in a bucket")
        model = otflow.initialize_logged_model("agent")
        version = otflow.register_model(model.model_uri, name)
        # The server does not know the logged model: it is told where its artifacts are.
        assert (version.version, version.source) == ("1", model.artifact_location)
        assert otflow.Client().get_model_version_download_uri(name, "1") == model.artifact_location
        assert RegistryKey.MODEL_VERSIONS in otflow.get_logged_model(model.model_id).tags
        assert otflow.Client(otflow.get_tracking_uri()).search_registered_models() == []

    def test_what_the_server_cannot_reach(self, name: str) -> None:
        with pytest.raises(InvalidParameterError, match="local path"):
            otflow.register_model(otflow.create_external_model("agent").model_uri, name)


def test_what_is_known_of_names_is_bounded() -> None:
    kinds = Kinds()
    for number in range(3_000):
        kinds.note(str(number), number % 2 == 0)
        assert kinds.get("0") is True  # what is used stays
    assert kinds.get("1") is None
    assert kinds.get("2999") is False
    kinds.forget("2999")
    assert kinds.get("2999") is None
