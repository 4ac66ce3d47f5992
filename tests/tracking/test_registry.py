"""Registering models: the fluent face."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

import otflow
from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.errors import (
    AlreadyExistsError,
    FilterError,
    InvalidParameterError,
    NotFoundError,
    OtflowError,
)
from otflow.semconv import RegistryKey
from otflow.tracking.env_pack import EnvPackConfig


@pytest.fixture
def client() -> otflow.Client:
    return otflow.Client()


def noted(model_id: str) -> list[dict[str, object]]:
    """The versions that a logged model knows it was registered as."""
    return json.loads(otflow.get_logged_model(model_id).tags.get("mlflow.modelVersions", "[]"))


def to_stage(client: otflow.Client, name: str, version: str, stage: str) -> None:
    """Move a version to a stage, without the warning that stages go."""
    with pytest.warns(FutureWarning):
        client.transition_model_version_stage(name, version, stage)


class TestRegistering:
    def test_a_logged_model(self):
        with otflow.start_run() as run:
            model = otflow.create_external_model("agent")
        version = otflow.register_model(model.model_uri, "support", tags={"team": "a", "n": 5})
        assert isinstance(version, ModelVersion)
        assert (version.name, version.version, version.source) == ("support", 1, model.model_uri)
        assert (version.run_id, version.model_id) == (run.info.run_id, model.model_id)
        assert version.tags == {"team": "a", "n": "5"}
        assert noted(model.model_id) == [{"name": "support", "version": 1}]
        otflow.register_model(model.model_uri, "support")
        otflow.register_model(model.model_uri, "other")
        assert noted(model.model_id) == [
            {"name": "support", "version": 1},
            {"name": "support", "version": 2},
            {"name": "other", "version": 1},
        ]
        text = otflow.artifacts.load_text("models:/support/1/MLmodel")
        assert model.model_id in text

    def test_a_note_that_is_none_is_written_anew(self):
        model = otflow.create_external_model("agent", tags={RegistryKey.MODEL_VERSIONS: "nonsense"})
        otflow.register_model(model.model_uri, "support")
        assert noted(model.model_id) == [{"name": "support", "version": 1}]

    def test_a_version_of_a_logged_model_is_of_its_run(self, client: otflow.Client):
        with otflow.start_run() as run:
            model = otflow.create_external_model("agent")
        with otflow.start_run() as other:
            free = otflow.create_external_model("free", source_run_id=other.info.run_id)
        alone = otflow.create_external_model("alone")
        client.create_registered_model("m")
        made = run.info.run_id
        for source, more, wanted in (
            ("s3://bucket/x", {"model_id": model.model_id}, (made, model.model_id)),
            (model.model_uri, {}, (made, model.model_id)),
            (model.model_uri, {"model_id": model.model_id}, (made, model.model_id)),
            (model.model_uri, {"run_id": other.info.run_id}, (other.info.run_id, model.model_id)),
            ("s3://bucket/x", {"model_id": free.model_id, "run_id": made}, (made, free.model_id)),
            ("s3://bucket/x", {"model_id": alone.model_id}, (None, alone.model_id)),
            ("s3://bucket/x", {}, (None, None)),
        ):
            version = client.create_model_version("m", source, **more)
            assert (version.run_id, version.model_id) == wanted
            assert client.get_model_version("m", version.version) == version

    def test_artifacts_of_a_run(self):
        with otflow.start_run() as run:
            otflow.log_text("hello", "model/x.txt")
        uri = f"runs:/{run.info.run_id}/model"
        version = otflow.register_model(uri, "m")
        assert (version.run_id, version.model_id) == (run.info.run_id, None)
        assert version.source == f"{run.info.artifact_uri}/model"
        assert otflow.artifacts.load_text("models:/m/1/x.txt") == "hello"
        assert otflow.register_model(f"runs:///{run.info.run_id}/model/", "m").source == version.source

    def test_a_logged_model_by_its_run(self, caplog):
        with otflow.start_run() as run:
            otflow.create_external_model("agent")
            model = otflow.create_external_model("agent")
            otflow.create_external_model("another")
        otflow.create_external_model("agent")
        with caplog.at_level(logging.INFO, "otflow"):
            version = otflow.register_model(f"runs:/{run.info.run_id}/agent", "m")
        assert (version.source, version.run_id) == (model.model_uri, run.info.run_id)
        assert noted(model.model_id) == [{"name": "m", "version": 1}]
        assert f"registering model based on {model.model_uri} instead" in caplog.text
        assert "Created version '1' of model 'm'." in caplog.text

    def test_a_model_among_the_artifacts_goes_first(self):
        with otflow.start_run() as run:
            otflow.create_external_model("agent")
            otflow.log_text("flavors: {}", "agent/MLmodel")
        assert otflow.register_model(f"runs:/{run.info.run_id}/agent", "m").source == f"{run.info.artifact_uri}/agent"

    @pytest.mark.parametrize("path", ["", "/", "/nothing"])
    def test_what_a_run_does_not_have(self, client, path):
        with otflow.start_run() as run:
            otflow.log_text("x", "y.txt")
        with pytest.raises((NotFoundError, InvalidParameterError)):
            otflow.register_model(f"runs:/{run.info.run_id}{path}", "m")
        with pytest.raises(NotFoundError):
            otflow.register_model(f"runs:/{'0' * 32}/model", "m")
        assert client.search_registered_models() == []

    def test_a_version_of_another_model(self, client):
        with otflow.start_run() as run:
            model = otflow.create_external_model("agent")
        otflow.register_model(model.model_uri, "staging", tags={"a": "b"})
        client.set_registered_model_alias("staging", "champion", "1")
        to_stage(client, "staging", "1", "Staging")
        for number, end in enumerate(("/1", "@champion", "/latest", "/Staging", "/staging"), start=1):
            version = otflow.register_model(f"models:/staging{end}", "production")
            assert (version.version, version.source) == (number, "models:/staging/1")
            assert (version.run_id, version.model_id, version.tags) == (run.info.run_id, model.model_id, {})
        # Where it is does not depend on the one that it was made of.
        client.delete_registered_model("staging")
        assert model.model_id in otflow.artifacts.load_text("models:/production/1/MLmodel")

    @pytest.mark.parametrize("uri", ["models:/none/1", "models:/m/9", f"models:/m-{'0' * 32}", "models:/none@a"])
    def test_what_is_not_there(self, client, uri):
        otflow.register_model(otflow.create_external_model().model_uri, "m")
        with pytest.raises(NotFoundError):
            otflow.register_model(uri, "new")
        with pytest.raises(NotFoundError):
            otflow.register_model(uri, "m")
        assert [model.name for model in client.search_registered_models()] == ["m"]
        assert len(client.search_model_versions()) == 1

    def test_paths_and_uris(self, tmp_path, client):
        Path(tmp_path, "model").mkdir()
        Path(tmp_path, "model", "x.txt").write_text("local")
        for number, uri in enumerate((str(tmp_path / "model"), "model", f"file://{tmp_path}/model"), start=1):
            version = otflow.register_model(uri, "m")
            assert (version.source, version.run_id) == (uri, None)
            assert otflow.artifacts.load_text(f"models:/m/{number}/x.txt") == "local"
        assert otflow.register_model("s3://bucket/x", "m").source == "s3://bucket/x"
        assert client.get_model_version_download_uri("m", "4") == "s3://bucket/x"

    @pytest.mark.parametrize(
        "arguments",
        [
            {"model_uri": ""}, {"model_uri": None}, {"model_uri": 5}, {"model_uri": "models:/"},
            {"name": ""}, {"name": None}, {"name": 5}, {"tags": ["a"]}, {"tags": {"a!": "b"}},
            {"await_registration_for": "x"}, {"env_pack": "nonsense"},
        ],
        ids=str,
    )  # fmt: skip
    def test_arguments_that_are_not_allowed(self, client, arguments):
        with pytest.raises(InvalidParameterError):
            otflow.register_model(**{"model_uri": "s3://bucket/x", "name": "m", **arguments})
        assert client.search_registered_models() == []

    @pytest.mark.parametrize("wait", [0, None, -1, 1.5])
    def test_waiting(self, wait):
        assert otflow.register_model("s3://bucket/x", "m", wait).status == "READY"

    @pytest.mark.parametrize("how", ["run", "model", "version", "path"])
    def test_with_its_environment(self, tmp_path, how):
        with otflow.start_run() as run:
            otflow.log_text("flavors: {}", "model/MLmodel")
            model = otflow.create_external_model("agent")
        otflow.register_model(f"runs:/{run.info.run_id}/model", "first")
        Path(tmp_path, "local").mkdir()
        Path(tmp_path, "local", "MLmodel").write_text("flavors: {}")
        uris = {
            "run": f"runs:/{run.info.run_id}/model",
            "model": model.model_uri,
            "version": "models:/first/1",
            "path": str(tmp_path / "local"),
        }
        config = EnvPackConfig(name="databricks_model_serving", install_dependencies=False)
        version = otflow.register_model(uris[how], "m", env_pack=config)
        packed = otflow.artifacts.list_artifacts(f"models:/m/{version.version}/_env")
        assert [info.path for info in packed] == ["_env/env_pack.json", "_env/model_environment.tar.gz"]
        assert otflow.artifacts.load_dict("models:/m/1/_env/env_pack.json")["requirements_installed"] is False
        assert otflow.artifacts.load_text("models:/m/1/MLmodel")

    def test_an_environment_that_cannot_be_packed(self, client, tmp_path):
        with pytest.raises(NotFoundError):
            otflow.register_model(str(tmp_path / "none"), "m", env_pack="databricks_model_serving")
        Path(tmp_path, "local").mkdir()
        Path(tmp_path, "local", "requirements.txt").write_text("./not-there\n")
        with pytest.raises(OtflowError):
            otflow.register_model(str(tmp_path / "local"), "m", env_pack="databricks_model_serving")
        assert client.search_registered_models() == []

    def test_the_name_of_a_prompt(self, client):
        store = client._registry()
        store.create_registered_model("greeting", tags={RegistryKey.IS_PROMPT: "true"})
        with pytest.raises(AlreadyExistsError, match="greeting"):
            otflow.register_model("s3://bucket/x", "greeting")
        with pytest.raises(NotFoundError):
            store.get_latest_version("greeting")

    def test_what_is_said(self, caplog):
        with caplog.at_level(logging.INFO, "otflow"):
            otflow.register_model("s3://bucket/x", "m")
            otflow.register_model("s3://bucket/x", "m")
        assert [record.getMessage() for record in caplog.records] == [
            "Successfully registered model 'm'.",
            "Created version '1' of model 'm'.",
            "Registered model 'm' already exists. Creating a new version of this model...",
            "Created version '2' of model 'm'.",
        ]


class TestTags:
    def test_of_a_version(self, client):
        otflow.register_model("s3://bucket/x", "m")
        otflow.set_model_version_tag("m", "1", "k", 5)
        otflow.set_model_version_tag("m", 1, "none", None)
        assert client.get_model_version("m", "1").tags == {"k": "5", "none": "None"}
        for arguments in (("m",), ("m", "1"), ("m", None, "k", "v"), ("m", "x", "k", "v")):
            with pytest.raises(InvalidParameterError):
                otflow.set_model_version_tag(*arguments)
        with pytest.raises(NotFoundError):
            otflow.set_model_version_tag("m", "2", "k", "v")


class TestSearching:
    @pytest.fixture(autouse=True)
    def there(self, client):
        for name in ("b", "a", "C"):
            client.create_registered_model(name, tags={"first": name})
        for number in range(3):
            client.create_model_version("b", f"s3://bucket/{number}", tags={"n": number})
        store = client._registry()
        store.create_model_version("p", "dummy", create_model=True, prompt=True, tags={RegistryKey.IS_PROMPT: "true"})

    def test_registered_models(self):
        found = otflow.search_registered_models()
        assert type(found) is list
        assert all(isinstance(model, RegisteredModel) for model in found)
        assert [model.name for model in found] == ["C", "a", "b"]
        assert [model.name for model in otflow.search_registered_models(2, "name != 'C'", ["name DESC"])] == ["b", "a"]
        assert [model.name for model in otflow.search_registered_models(max_results=1)] == ["C"]
        assert otflow.search_registered_models(max_results=0) == []

    def test_versions(self):
        found = otflow.search_model_versions()
        assert type(found) is list
        assert sorted(version.version for version in found) == [1, 2, 3]
        ordered = otflow.search_model_versions(2, "version_number > 1", ["version_number DESC"])
        assert [version.version for version in ordered] == [3, 2]
        assert [one.version for one in otflow.search_model_versions(filter_string="tags.n = '1'")] == [2]

    def test_more_than_a_page(self, client):
        for number in range(1_005):
            client.create_registered_model(f"many-{number}")
        assert len(otflow.search_registered_models(filter_string="name LIKE 'many%'")) == 1_005
        assert len(otflow.search_registered_models(1_002)) == 1_002

    def test_malformed(self):
        for search in (otflow.search_registered_models, otflow.search_model_versions):
            with pytest.raises(FilterError, match=r"\^"):
                search(filter_string="name ~ 'a'")
            with pytest.raises(InvalidParameterError):
                search(order_by=["nonsense"])


class TestAnotherRegistry:
    """The registry in another store than runs and logged models."""

    @pytest.fixture
    def registry(self, tmp_path):
        uri = f"sqlite:///{tmp_path}/registry.db"
        otflow.set_registry_uri(uri)
        return uri

    def test_it_is_elsewhere(self, registry, tmp_path):
        with otflow.start_run() as run:
            model = otflow.create_external_model("agent")
            otflow.log_text("hello", "model/x.txt")
        otflow.register_model(model.model_uri, "m")
        otflow.register_model(f"runs:/{run.info.run_id}/model", "m")
        assert noted(model.model_id) == [{"name": "m", "version": 1}]
        assert model.model_id in otflow.artifacts.load_text("models:/m/1/MLmodel")
        assert otflow.artifacts.load_text("models:/m/latest/x.txt") == "hello"
        here, there = otflow.Client(otflow.get_tracking_uri()), otflow.Client(registry_uri=registry)
        assert here.search_registered_models() == []
        assert [one.run_id for one in there.search_model_versions(order_by=["version_number"])] == [run.info.run_id] * 2
        assert otflow.artifacts.download_artifacts("models:/m/2/x.txt", registry_uri=registry).endswith("x.txt")
        with pytest.raises(NotFoundError):
            otflow.artifacts.download_artifacts("models:/m/2", registry_uri=otflow.get_tracking_uri())

    def test_a_client_of_its_own(self, registry):
        model = otflow.create_external_model("agent")
        client = otflow.Client(otflow.get_tracking_uri(), registry)
        client.create_registered_model("m")
        version = client.create_model_version("m", model.model_uri, model_id=model.model_id)
        assert version.model_id == model.model_id
        assert client.get_model_version_download_uri("m", "1") == model.artifact_location
        assert client.copy_model_version("models:/m/1", "copy").source == "models:/m/1"
        assert client.get_model_version_download_uri("copy", "1") == model.artifact_location


class TestArtifacts:
    def test_by_version_alias_and_stage(self, client, tmp_path):
        with otflow.start_run() as run:
            for number in (1, 2):
                otflow.log_text(f"v{number}", f"model-{number}/x.txt")
                otflow.log_text("y", f"model-{number}/deep/y.txt")
                otflow.register_model(f"runs:/{run.info.run_id}/model-{number}", "m")
        client.set_registered_model_alias("m", "champion", "1")
        to_stage(client, "m", "1", "Production")
        for end, text in (("/1", "v1"), ("/2", "v2"), ("@champion", "v1"), ("/latest", "v2"), ("/production", "v1")):
            assert otflow.artifacts.load_text(f"models:/m{end}/x.txt") == text
            copy = otflow.artifacts.download_artifacts(f"models:/m{end}", dst_path=str(tmp_path / f"c{end[1:]}"))
            assert sorted(os.listdir(copy)) == ["deep", "x.txt"]
        listed = otflow.artifacts.list_artifacts("models:/m@champion")
        assert [info.path for info in listed] == ["deep", "x.txt"]
        assert [info.path for info in otflow.artifacts.list_artifacts("models:/m/1/deep")] == ["deep/y.txt"]
        repository = otflow.artifacts.get_artifact_repository("models:/m/1/deep")
        assert [info.path for info in repository.list_artifacts()] == ["y.txt"]

    @pytest.mark.parametrize(
        ("uri", "error"),
        [
            ("models:/m/9", NotFoundError), ("models:/none/1", NotFoundError),
            ("models:/m@none", InvalidParameterError),
            ("models:/m/Production", NotFoundError), ("models:/m/nonsense", InvalidParameterError),
            ("models:/m/1/none.txt", NotFoundError), ("models:/", InvalidParameterError),
            ("models:m/1", InvalidParameterError),
        ],
    )  # fmt: skip
    def test_what_is_not_there(self, uri, error):
        with otflow.start_run() as run:
            otflow.log_text("x", "model/x.txt")
        otflow.register_model(f"runs:/{run.info.run_id}/model", "m")
        with pytest.raises(error):
            otflow.artifacts.download_artifacts(uri)

    def test_a_version_whose_source_is_of_a_run(self, client):
        with otflow.start_run() as run:
            otflow.log_text("x", "model/x.txt")
        client.create_registered_model("m")
        client.create_model_version("m", f"runs:/{run.info.run_id}/model")
        assert otflow.artifacts.load_text("models:/m/1/x.txt") == "x"


class TestClient:
    def test_prompts_are_no_models(self, client):
        with pytest.raises(InvalidParameterError, match="Prompts cannot be registered as models"):
            client.create_registered_model("p", tags={RegistryKey.IS_PROMPT: "true"})
        store = client._registry()
        store.create_model_version("p", "dummy", create_model=True, prompt=True)
        store.set_registered_model_alias("p", "a", "1")
        for call in (
            lambda: client.get_registered_model("p"),
            lambda: client.delete_registered_model("p"),
            lambda: client.set_registered_model_tag("p", "k", "v"),
            lambda: client.delete_registered_model_tag("p", "k"),
            lambda: client.set_registered_model_alias("p", "b", "1"),
            lambda: client.delete_registered_model_alias("p", "a"),
            lambda: client.create_model_version("p", "s3://bucket/x"),
            lambda: client.get_model_version("p", "1"),
            lambda: client.get_model_version_by_alias("p", "a"),
            lambda: client.delete_model_version("p", "1"),
            lambda: client.set_model_version_tag("p", "1", "k", "v"),
            lambda: client.delete_model_version_tag("p", "1", "k"),
        ):
            with pytest.raises(NotFoundError):
                call()
        with pytest.raises(AlreadyExistsError, match="prompt"):
            client.create_registered_model("p")
        assert client.search_registered_models() == []

    def test_versions(self, client):
        model = otflow.create_external_model("agent")
        client.create_registered_model("m", {"t": 1}, "what it is")
        version = client.create_model_version(
            "m", model.model_uri, "a-run", {"k": 5}, "https://example.org", "text", 0, model.model_id
        )
        assert (version.run_id, version.run_link, version.description) == ("a-run", "https://example.org", "text")
        assert (version.tags, version.model_id) == ({"k": "5"}, model.model_id)
        # Only registering by `register_model` is noted.
        assert noted(model.model_id) == []
        with pytest.raises(NotFoundError):
            client.create_model_version("m", "s3://bucket/x", model_id=f"m-{'0' * 32}")
        for source in (None, "", 5):
            with pytest.raises(InvalidParameterError, match="source"):
                client.create_model_version("m", source)
        assert [one.version for one in client.search_model_versions()] == [1]
        assert client.update_model_version("m", 1, "other").description == "other"
        client.delete_model_version("m", "1")
        assert client.update_registered_model("m").description is None
        assert client.rename_registered_model("m", "n").name == "n"
        client.delete_registered_model("n")

    def test_copying(self, client):
        with otflow.start_run():
            model = otflow.create_external_model("agent")
        original = otflow.register_model(model.model_uri, "m", tags={"a": "b"})
        client.update_model_version("m", "1", "text")
        client.set_registered_model_alias("m", "champion", "1")
        for number, end in enumerate(("/1", "@champion", "/latest"), start=1):
            copy = client.copy_model_version(f"models:/m{end}", "copy")
            assert (copy.name, copy.version, copy.source) == ("copy", number, "models:/m/1")
            assert (copy.run_id, copy.model_id) == (original.run_id, original.model_id)
            assert (copy.tags, copy.description, copy.aliases) == ({"a": "b"}, "text", [])
        assert client.copy_model_version("models:/copy/1", "m").version == 2
        for uri in ("runs:/x/y", model.model_uri, "", None, "s3://bucket"):
            with pytest.raises(InvalidParameterError):
                client.copy_model_version(uri, "new")
        for uri in ("models:/m/99", "models:/none/1"):
            with pytest.raises(NotFoundError):
                client.copy_model_version(uri, "new")
        with pytest.raises(InvalidParameterError):
            client.copy_model_version("models:/m/1", "")
        assert [one.name for one in client.search_registered_models()] == ["copy", "m"]

    def test_stages_are_deprecated(self, client):
        otflow.register_model("s3://bucket/x", "m")
        with pytest.warns(FutureWarning, match="transition_model_version_stage") as warned:
            assert client.transition_model_version_stage("m", "1", "Staging").current_stage == "Staging"
        assert warned[0].filename == __file__
        with pytest.warns(FutureWarning, match="get_latest_versions"):
            assert [one.version for one in client.get_latest_versions("m", ["Staging"])] == [1]
        with pytest.warns(FutureWarning, match="get_model_version_stages"):
            assert client.get_model_version_stages("m", "1") == ["None", "Staging", "Production", "Archived"]

    def test_tags_by_stage(self, client):
        otflow.register_model("s3://bucket/x", "m")
        to_stage(client, "m", "1", "Staging")
        with pytest.warns(FutureWarning, match="stage") as warned:
            client.set_model_version_tag("m", key="k", value="v", stage="Staging")
        assert warned[0].filename == __file__
        assert client.get_model_version("m", "1").tags == {"k": "v"}
        with pytest.warns(FutureWarning, match="stage"):
            client.delete_model_version_tag("m", key="k", stage="staging")
        assert client.get_model_version("m", "1").tags == {}
        with pytest.warns(FutureWarning), pytest.raises(NotFoundError, match="Production"):
            client.set_model_version_tag("m", key="k", value="v", stage="Production")
        for arguments in ({}, {"version": "1", "stage": "Staging"}):
            with pytest.raises(InvalidParameterError, match="stage"):
                client.set_model_version_tag("m", key="k", value="v", **arguments)
            with pytest.raises(InvalidParameterError, match="stage"):
                client.delete_model_version_tag("m", key="k", **arguments)

    def test_every_error_is_ours(self, client):
        for call in (
            lambda: client.get_model_version(None, "1"),
            lambda: client.get_registered_model(None),
            lambda: client.set_registered_model_alias("m", None, "1"),
            lambda: client.rename_registered_model("m", None),
        ):
            with pytest.raises(OtflowError):
                call()
