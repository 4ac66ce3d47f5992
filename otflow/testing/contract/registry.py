"""The registry: registered models, their versions, aliases, stages and tags, and prompts beside them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from otflow.entities.model_registry import ModelVersion
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError
from otflow.semconv import RegistryKey
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["RegistryContract"]

_SOURCE: Final = "s3://bucket/model"
_PROMPT: Final = {RegistryKey.IS_PROMPT: "true"}

_Call = Callable[[Store, str], object]
_OF_MODELS: Final[dict[str, _Call]] = {
    "get": lambda store, name: store.get_registered_model(name),
    "rename": lambda store, name: store.rename_registered_model(name, f"{name}-new"),
    "update": lambda store, name: store.update_registered_model(name, description="d"),
    "delete": lambda store, name: store.delete_registered_model(name),
    "set tag": lambda store, name: store.set_registered_model_tag(name, "k", "v"),
    "delete tag": lambda store, name: store.delete_registered_model_tag(name, "k"),
    "delete alias": lambda store, name: store.delete_registered_model_alias(name, "a"),
    "by alias": lambda store, name: store.get_model_version_by_alias(name, "a"),
    "latest by alias": lambda store, name: store.get_model_version_by_alias(name, "latest"),
    "latest of stages": lambda store, name: store.get_latest_versions(name),
    "latest": lambda store, name: store.get_latest_version(name),
    "new version": lambda store, name: store.create_model_version(name, _SOURCE),
}
_Versioned = Callable[[Store, str, Any], object]
_OF_VERSIONS: Final[dict[str, _Versioned]] = {
    "get": lambda store, name, version: store.get_model_version(name, version),
    "update": lambda store, name, version: store.update_model_version(name, version, description="d"),
    "stage": lambda store, name, version: store.transition_model_version_stage(name, version, "Staging"),
    "where": lambda store, name, version: store.get_model_version_download_uri(name, version),
    "set tag": lambda store, name, version: store.set_model_version_tag(name, version, "k", "v"),
    "delete tag": lambda store, name, version: store.delete_model_version_tag(name, version, "k"),
    "alias": lambda store, name, version: store.set_registered_model_alias(name, "a", version),
    "delete": lambda store, name, version: store.delete_model_version(name, version),
}
_Kind = Callable[[Store, str, bool], object]
_BY_KIND: Final[dict[str, _Kind]] = {
    "get": lambda store, name, prompt: store.get_registered_model(name, prompt=prompt),
    "set tag": lambda store, name, prompt: store.set_registered_model_tag(name, "k", "v", prompt=prompt),
    "delete tag": lambda store, name, prompt: store.delete_registered_model_tag(name, "k", prompt=prompt),
    "set alias": lambda store, name, prompt: store.set_registered_model_alias(name, "a", "1", prompt=prompt),
    "by alias": lambda store, name, prompt: store.get_model_version_by_alias(name, "a", prompt=prompt),
    "delete alias": lambda store, name, prompt: store.delete_registered_model_alias(name, "a", prompt=prompt),
    "latest": lambda store, name, prompt: store.get_latest_version(name, prompt=prompt),
    "latest of stages": lambda store, name, prompt: store.get_latest_versions(name, prompt=prompt),
    "version": lambda store, name, prompt: store.get_model_version(name, "1", prompt=prompt),
    "set tag of version": lambda store, name, prompt: store.set_model_version_tag(name, "1", "k", "v", prompt=prompt),
    "delete tag of version": lambda store, name, prompt: store.delete_model_version_tag(name, "1", "k", prompt=prompt),
    "new version": lambda store, name, prompt: store.create_model_version(name, _SOURCE, prompt=prompt),
    "delete version": lambda store, name, prompt: store.delete_model_version(name, "1", prompt=prompt),
    "delete": lambda store, name, prompt: store.delete_registered_model(name, prompt=prompt),
}
_NO_KEYS: Final = ["", None, "a!", "a,b", "a//b", "../x", "/a", "a/", ".", "k" * 251, 5]
_NO_ALIASES: Final = ["", None, "a b", "a/b", "a:b", "a@b", "a.b", "a'b", "a" * 256, 5]
_TAKEN_ALIASES: Final = ["latest", "LATEST", "v1", "V12", "v01"]
_NO_VERSIONS: Final = ["abc", "1.0", "", "1a", "²", None, True, 1.5, ["1"]]


def _number(version: ModelVersion) -> int:
    return int(version.version)


class RegistryContract(ContractTests):
    """`RegistryStore`, but for its searches."""

    @pytest.fixture
    def name(self) -> str:
        """A name that no other test has."""
        return f"model-{uuid.uuid4().hex}"

    @pytest.fixture
    def model(self, store: Store, name: str) -> str:
        """A registered model with one version."""
        store.create_model_version(name, _SOURCE, create_model=True)
        return name

    # -- registered models ---------------------------------------------------------------------------

    def test_a_registered_model_with_nothing(self, store: Store, name: str) -> None:
        made = store.create_registered_model(name)
        assert (made.name, made.description, made.tags, made.aliases, made.latest_versions) == (name, None, {}, {}, [])
        assert made.last_updated_timestamp == made.creation_timestamp
        assert (made.creation_timestamp or 0) > 1_000_000_000_000
        assert dict(store.get_registered_model(name)) == dict(made)

    def test_a_registered_model_with_everything(self, store: Store, name: str) -> None:
        values: Any = {"a": "1", "number": 5, "none": None, "with space/and:colon": "é" * 1000, "empty": ""}
        made = store.create_registered_model(name, tags=values, description="what it is")
        assert made.description == "what it is"
        assert made.tags == {"a": "1", "number": "5", "none": "None", "with space/and:colon": "é" * 1000, "empty": ""}
        assert dict(store.get_registered_model(name)) == dict(made)

    @pytest.mark.parametrize("suffix", ["/x", ":x", ".x", " x", "'x", '"x', "%", "é", "\\", "n" * 200])
    def test_names_of_registered_models(self, store: Store, name: str, suffix: str) -> None:
        store.create_registered_model(name + suffix)
        store.create_model_version(name + suffix, _SOURCE)
        assert store.get_registered_model(name + suffix).name == name + suffix
        assert _number(store.get_latest_version(name + suffix)) == 1

    @pytest.mark.parametrize("wrong", ["", None, 5, " ", "n" * 257])
    def test_names_that_no_registered_model_has(self, store: Store, model: str, wrong: Any) -> None:
        for call in _OF_MODELS.values():
            with pytest.raises(InvalidParameterError, match="name"):
                call(store, wrong)
        with pytest.raises(InvalidParameterError, match="name"):
            store.create_registered_model(wrong)
        with pytest.raises(InvalidParameterError, match="name"):
            store.rename_registered_model(model, wrong)
        with pytest.raises(InvalidParameterError, match="name"):
            store.get_model_version(wrong, "1")
        assert store.get_registered_model(model).name == model

    def test_a_name_is_taken(self, store: Store, name: str) -> None:
        store.create_registered_model(name, description="first")
        with pytest.raises(AlreadyExistsError, match=name):
            store.create_registered_model(name)
        with pytest.raises(AlreadyExistsError, match=name):
            store.create_registered_model(name, tags=_PROMPT)
        store.create_registered_model(f"{name}-p", tags=_PROMPT)
        with pytest.raises(AlreadyExistsError, match=name):
            store.create_registered_model(f"{name}-p")
        assert store.get_registered_model(name).description == "first"

    @pytest.mark.parametrize(
        "arguments",
        [{"tags": ["a"]}, {"tags": {"a!": "b"}}, {"tags": {"k": "v" * 100_001}}, {"description": 5}],
        ids=["list", "key", "value", "description"],
    )
    def test_registered_models_that_cannot_be(self, store: Store, name: str, arguments: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_registered_model(name, **arguments)
        with pytest.raises(NotFoundError):
            store.get_registered_model(name)

    @pytest.mark.parametrize("call", _OF_MODELS)
    def test_a_registered_model_that_is_not_there(self, store: Store, name: str, call: str) -> None:
        with pytest.raises(NotFoundError, match=name):
            _OF_MODELS[call](store, name)
        store.create_registered_model(name)
        store.delete_registered_model(name)
        with pytest.raises(NotFoundError, match=name):
            _OF_MODELS[call](store, name)

    def test_a_registered_model_is_renamed(self, store: Store, model: str) -> None:
        store.set_registered_model_alias(model, "champion", "1")
        store.set_registered_model_tag(model, "k", "v")
        store.set_model_version_tag(model, "1", "k", "w")
        new = f"{model}-new"
        renamed = store.rename_registered_model(model, new)
        assert (renamed.name, renamed.tags, list(renamed.aliases)) == (new, {"k": "v"}, ["champion"])
        version = store.get_model_version_by_alias(new, "champion")
        assert (version.name, _number(version), version.tags, version.aliases) == (new, 1, {"k": "w"}, ["champion"])
        with pytest.raises(NotFoundError):
            store.get_registered_model(model)
        with pytest.raises(NotFoundError):
            store.get_model_version(model, "1")
        # The old name is free.
        store.create_registered_model(model)
        with pytest.raises(AlreadyExistsError):
            store.rename_registered_model(new, model)
        assert store.get_registered_model(new).tags == {"k": "v"}
        assert store.rename_registered_model(new, new).name == new

    def test_a_registered_model_is_described(self, store: Store, name: str) -> None:
        made = store.create_registered_model(name, description="one")
        changed = store.update_registered_model(name, description="two")
        assert changed.description == "two"
        assert (changed.last_updated_timestamp or 0) >= (made.creation_timestamp or 0)
        assert changed.creation_timestamp == made.creation_timestamp
        assert not store.update_registered_model(name).description
        with pytest.raises(InvalidParameterError):
            store.update_registered_model(name, description=5)  # pyright: ignore[reportArgumentType]

    def test_nothing_is_left_of_a_deleted_model(self, store: Store, model: str) -> None:
        store.set_registered_model_alias(model, "a", "1")
        store.set_registered_model_tag(model, "k", "v")
        store.set_model_version_tag(model, "1", "k", "v")
        store.delete_registered_model(model)
        assert store.search_model_versions(filter_string=f"name = '{model}'") == []
        made = store.create_registered_model(model)
        assert (made.tags, made.aliases, made.latest_versions) == ({}, {}, [])
        version = store.create_model_version(model, _SOURCE)
        assert (_number(version), version.tags, version.aliases) == (1, {}, [])

    # -- tags ----------------------------------------------------------------------------------------

    def test_tags_of_models_and_versions(self, store: Store, model: str) -> None:
        value: Any
        for value, text in (("a", "a"), (5, "5"), (None, "None"), ("", ""), ("v" * 100_000, "v" * 100_000)):
            store.set_registered_model_tag(model, "k", value)
            store.set_model_version_tag(model, "1", "k", value)
            assert store.get_registered_model(model).tags == {"k": text}
            assert store.get_model_version(model, "1").tags == {"k": text}
        for _ in range(2):  # the second time there is none, which is no error
            store.delete_registered_model_tag(model, "k")
            store.delete_model_version_tag(model, "1", "k")
        assert store.get_registered_model(model).tags == store.get_model_version(model, "1").tags == {}

    @pytest.mark.parametrize("key", _NO_KEYS)
    def test_keys_that_no_tag_has(self, store: Store, model: str, key: Any) -> None:
        for call in (
            lambda: store.set_registered_model_tag(model, key, "v"),
            lambda: store.delete_registered_model_tag(model, key),
            lambda: store.set_model_version_tag(model, "1", key, "v"),
            lambda: store.delete_model_version_tag(model, "1", key),
            lambda: store.create_model_version(model, _SOURCE, tags={key: "v"}),
        ):
            with pytest.raises(InvalidParameterError, match="key"):
                call()
        assert store.get_registered_model(model).tags == {}
        assert _number(store.get_latest_version(model)) == 1

    def test_values_that_no_tag_has(self, store: Store, model: str) -> None:
        with pytest.raises(InvalidParameterError, match="100000"):
            store.set_registered_model_tag(model, "k", "v" * 100_001)
        with pytest.raises(InvalidParameterError, match="100000"):
            store.set_model_version_tag(model, "1", "k", "v" * 100_001)

    # -- aliases -------------------------------------------------------------------------------------

    def test_aliases(self, store: Store, model: str) -> None:
        store.create_model_version(model, _SOURCE)
        for alias in ("champion", "a_b-c", "é", "1", "v1x", "v", "Production", "a" * 255):
            store.set_registered_model_alias(model, alias, "1")
            assert _number(store.get_model_version_by_alias(model, alias)) == 1
            store.set_registered_model_alias(model, alias, "2")
            assert _number(store.get_model_version_by_alias(model, alias)) == 2
        store.set_registered_model_alias(model, "champion", "1")
        aliases = store.get_registered_model(model).aliases
        assert {alias: int(version) for alias, version in aliases.items()} == {
            "champion": 1, "a_b-c": 2, "é": 2, "1": 2, "v1x": 2, "v": 2, "Production": 2, "a" * 255: 2,
        }  # fmt: skip
        assert store.get_model_version(model, "1").aliases == ["champion"]
        for _ in range(2):
            store.delete_registered_model_alias(model, "champion")
        assert store.get_model_version(model, "1").aliases == []
        with pytest.raises(InvalidParameterError, match="alias champion not found"):
            store.get_model_version_by_alias(model, "champion")

    def test_the_alias_latest(self, store: Store, model: str) -> None:
        for _ in range(10):
            store.create_model_version(model, _SOURCE)
        store.transition_model_version_stage(model, "2", "Production")
        assert _number(store.get_model_version_by_alias(model, "latest")) == 11
        assert _number(store.get_latest_version(model)) == 11
        store.delete_model_version(model, "11")
        assert _number(store.get_latest_version(model)) == 10

    @pytest.mark.parametrize("alias", _NO_ALIASES)
    def test_aliases_that_cannot_be(self, store: Store, model: str, alias: Any) -> None:
        for call in (
            lambda: store.set_registered_model_alias(model, alias, "1"),
            lambda: store.get_model_version_by_alias(model, alias),
            lambda: store.delete_registered_model_alias(model, alias),
        ):
            with pytest.raises(InvalidParameterError, match="alias"):
                call()
        assert store.get_registered_model(model).aliases == {}

    @pytest.mark.parametrize("alias", _TAKEN_ALIASES)
    def test_aliases_that_mean_a_version_already(self, store: Store, model: str, alias: str) -> None:
        with pytest.raises(InvalidParameterError, match="reserved"):
            store.set_registered_model_alias(model, alias, "1")
        store.delete_registered_model_alias(model, alias)
        assert store.get_registered_model(model).aliases == {}

    def test_an_alias_goes_with_its_version(self, store: Store, model: str) -> None:
        store.create_model_version(model, _SOURCE)
        store.set_registered_model_alias(model, "one", "1")
        store.set_registered_model_alias(model, "two", "2")
        store.delete_model_version(model, "1")
        assert list(store.get_registered_model(model).aliases) == ["two"]
        with pytest.raises(InvalidParameterError):
            store.get_model_version_by_alias(model, "one")

    # -- versions ------------------------------------------------------------------------------------

    def test_a_version_with_nothing(self, store: Store, model: str) -> None:
        made = store.create_model_version(model, _SOURCE)
        assert (made.name, _number(made), made.source, made.status) == (model, 2, _SOURCE, "READY")
        assert made.current_stage == "None"
        assert (made.run_id, made.run_link, made.description, made.user_id) == (None, None, None, None)
        assert (made.tags, made.aliases) == ({}, [])
        assert made.last_updated_timestamp == made.creation_timestamp > 1_000_000_000_000
        assert dict(store.get_model_version(model, "2")) == dict(made)
        latest = store.get_registered_model(model)
        assert [dict(version) for version in latest.latest_versions or ()] == [dict(made)]
        assert latest.last_updated_timestamp == made.creation_timestamp

    def test_a_version_with_everything(self, store: Store, name: str) -> None:
        made = store.create_model_version(
            name,
            _SOURCE,
            run_id="0" * 32,
            tags={"a": "b", "n": 5},  # pyright: ignore[reportArgumentType]
            run_link="https://example.org/run",
            description="what it is",
            create_model=True,
            model_tags={"team": "one"},
        )
        assert (made.run_id, made.run_link, made.description) == ("0" * 32, "https://example.org/run", "what it is")
        assert made.tags == {"a": "b", "n": "5"}
        assert dict(store.get_model_version(name, "1")) == dict(made)
        assert store.get_registered_model(name).tags == {"team": "one"}
        # Of a model that is there already, nothing changes.
        store.create_model_version(name, _SOURCE, create_model=True, model_tags={"team": "two"})
        assert store.get_registered_model(name).tags == {"team": "one"}

    @pytest.mark.parametrize(
        "arguments",
        [{"tags": ["a"]}, {"description": 5}, {"run_id": 5}, {"source": 5}, {"model_tags": "x"}, {"tags": {"!": "v"}}],
        ids=str,
    )
    def test_versions_that_cannot_be(self, store: Store, name: str, arguments: dict[str, Any]) -> None:
        given: dict[str, Any] = {"source": _SOURCE, "create_model": True, **arguments}
        with pytest.raises(InvalidParameterError):
            store.create_model_version(name, **given)
        with pytest.raises(NotFoundError):
            store.get_registered_model(name)

    def test_numbers_of_versions(self, store: Store, model: str) -> None:
        assert [_number(store.create_model_version(model, _SOURCE)) for _ in range(3)] == [2, 3, 4]
        store.delete_model_version(model, "2")
        assert _number(store.create_model_version(model, _SOURCE)) == 5
        store.delete_model_version(model, "5")
        # A number does not come to mean something else.
        assert _number(store.create_model_version(model, _SOURCE)) == 6

    def test_versions_from_several_threads(self, store: Store, name: str) -> None:
        def add(_: int) -> list[int]:
            return [_number(store.create_model_version(name, _SOURCE, create_model=True)) for _ in range(4)]

        with ThreadPoolExecutor(4) as pool:
            numbers = [number for some in pool.map(add, range(4)) for number in some]
        assert sorted(numbers) == list(range(1, 17))

    @pytest.mark.parametrize("call", _OF_VERSIONS)
    def test_a_version_that_is_not_there(self, store: Store, model: str, call: str) -> None:
        act = _OF_VERSIONS[call]
        for version in ("99", "0", "-1", "9" * 30, 99):
            with pytest.raises(NotFoundError, match=str(version)):
                act(store, model, version)
        with pytest.raises(NotFoundError, match="no-such-model"):
            act(store, "no-such-model", "1")
        store.delete_model_version(model, "1")
        with pytest.raises(NotFoundError, match=model):
            act(store, model, "1")
        assert store.get_registered_model(model).aliases == {}

    @pytest.mark.parametrize("call", _OF_VERSIONS)
    def test_a_version_that_no_number_is(self, store: Store, model: str, call: str) -> None:
        for version in _NO_VERSIONS:
            with pytest.raises(InvalidParameterError, match="version"):
                _OF_VERSIONS[call](store, model, version)
        found = store.get_model_version(model, "1")
        assert (found.description, found.current_stage, found.tags, found.aliases) == (None, "None", {}, [])

    @pytest.mark.parametrize("version", ["1", 1, "01", " 1", "+1"])
    def test_ways_to_write_a_version(self, store: Store, model: str, version: Any) -> None:
        assert _number(store.get_model_version(model, version)) == 1

    def test_a_version_is_described(self, store: Store, model: str) -> None:
        before = store.get_model_version(model, "1")
        changed = store.update_model_version(model, "1", description="new")
        assert changed.description == "new"
        assert changed.creation_timestamp == before.creation_timestamp <= (changed.last_updated_timestamp or 0)
        assert not store.update_model_version(model, "1", description="").description
        with pytest.raises(InvalidParameterError, match="no new field"):
            store.update_model_version(model, "1")

    # -- where artifacts are -------------------------------------------------------------------------

    def test_where_a_version_is(self, store: Store, model: str) -> None:
        assert store.get_model_version_download_uri(model, "1") == _SOURCE
        other = store.create_model_version(model, "runs:/abc/model", storage_location="s3://elsewhere/x")
        assert store.get_model_version_download_uri(model, str(other.version)) == "s3://elsewhere/x"

    def test_a_version_of_a_version(self, store: Store, model: str) -> None:
        copy = store.create_model_version(f"{model}-copy", f"models:/{model}/1", create_model=True)
        assert copy.source == f"models:/{model}/1"
        assert store.get_model_version_download_uri(f"{model}-copy", "1") == _SOURCE
        store.create_model_version(f"{model}-copy", f"models:/{model}-copy/1")
        # Where it is, was settled when it was made.
        store.delete_registered_model(model)
        assert store.get_model_version_download_uri(f"{model}-copy", "2") == _SOURCE

    def test_a_version_by_alias_of_a_version(self, store: Store, model: str) -> None:
        store.create_model_version(model, "s3://bucket/second")
        store.set_registered_model_alias(model, "champion", "1")
        store.transition_model_version_stage(model, "1", "Staging")
        for which, place in (("@champion", _SOURCE), ("/Staging", _SOURCE), ("/latest", "s3://bucket/second")):
            made = store.create_model_version(f"{model}-{which[1:]}", f"models:/{model}{which}", create_model=True)
            assert store.get_model_version_download_uri(made.name, "1") == place

    def test_a_version_of_a_logged_model(self, store: Store, experiment: str, model: str) -> None:
        logged = store.create_logged_model(experiment)
        made = store.create_model_version(model, logged.model_uri, model_id=logged.model_id)
        assert made.source == logged.model_uri
        assert store.get_model_version_download_uri(model, str(made.version)) == logged.artifact_location

    def test_the_logged_model_of_a_version_is_kept(self, store: Store, experiment: str, model: str) -> None:
        logged = store.create_logged_model(experiment)
        made = store.create_model_version(model, logged.model_uri, model_id=logged.model_id)
        assert made.model_id == store.get_model_version(model, str(made.version)).model_id == logged.model_id

    @pytest.mark.parametrize("end", ["/99", "@nope", "/Archived", "x/1"])
    def test_a_version_of_what_is_not_there(self, store: Store, model: str, end: str) -> None:
        with pytest.raises((NotFoundError, InvalidParameterError)):
            store.create_model_version(f"{model}-copy", f"models:/{model}{end}", create_model=True)
        with pytest.raises(NotFoundError):
            store.get_registered_model(f"{model}-copy")

    # -- stages --------------------------------------------------------------------------------------

    def test_stages(self, store: Store, model: str) -> None:
        for _ in range(3):
            store.create_model_version(model, _SOURCE)
        staged = store.transition_model_version_stage(model, "1", "production")
        assert staged.current_stage == "Production"
        assert (staged.last_updated_timestamp or 0) >= staged.creation_timestamp
        store.transition_model_version_stage(model, "2", "PRODUCTION")
        store.transition_model_version_stage(model, "3", "Staging")

        def latest(*stages: str) -> list[tuple[int, str | None]]:
            return [(_number(one), one.current_stage) for one in store.get_latest_versions(model, stages or None)]

        assert latest() == [(2, "Production"), (3, "Staging"), (4, "None")]
        assert latest("production") == [(2, "Production")]
        assert latest("None", "staging") == [(3, "Staging"), (4, "None")]
        assert latest("Archived") == []
        found = store.get_registered_model(model).latest_versions or []
        assert [_number(one) for one in found] == [2, 3, 4]
        store.transition_model_version_stage(model, "4", "Production", archive_existing_versions=True)
        assert latest() == [(2, "Archived"), (3, "Staging"), (4, "Production")]
        assert store.get_model_version(model, "1").current_stage == "Archived"

    @pytest.mark.parametrize("stage", ["foo", "", None, 5])
    def test_stages_that_are_none(self, store: Store, model: str, stage: Any) -> None:
        with pytest.raises(InvalidParameterError, match="stage"):
            store.transition_model_version_stage(model, "1", stage)
        with pytest.raises(InvalidParameterError, match="stage"):
            store.get_latest_versions(model, [stage])
        with pytest.raises(InvalidParameterError, match="stage"):
            store.get_latest_versions(model, "Production")

    @pytest.mark.parametrize("stage", ["None", "Archived"])
    def test_stages_that_nothing_is_archived_from(self, store: Store, model: str, stage: str) -> None:
        with pytest.raises(InvalidParameterError, match=stage):
            store.transition_model_version_stage(model, "1", stage, archive_existing_versions=True)

    # -- prompts -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("call", _BY_KIND)
    @pytest.mark.parametrize("prompt", [True, False])
    def test_models_and_prompts_are_kept_apart(self, store: Store, name: str, call: str, prompt: bool) -> None:
        store.create_model_version(name, _SOURCE, create_model=True, prompt=prompt, tags=_PROMPT if prompt else None)
        store.set_registered_model_alias(name, "a", "1")
        with pytest.raises(NotFoundError, match=name):
            _BY_KIND[call](store, name, not prompt)
        assert store.get_model_version_by_alias(name, "a").aliases == ["a"]
        _BY_KIND[call](store, name, prompt)

    @pytest.mark.parametrize("prompt", [True, False])
    def test_a_version_makes_a_model_of_its_kind(self, store: Store, name: str, prompt: bool) -> None:
        store.create_model_version(name, _SOURCE, create_model=True, prompt=prompt)
        tags = store.get_registered_model(name, prompt=prompt).tags
        assert (tags.get(RegistryKey.IS_PROMPT) == "true") is prompt
        with pytest.raises(AlreadyExistsError, match=name):
            store.create_model_version(name, _SOURCE, create_model=True, prompt=not prompt)
        assert _number(store.get_latest_version(name)) == 1

    def test_a_model_does_not_become_a_prompt(self, store: Store, name: str) -> None:
        store.create_registered_model(name)
        store.create_registered_model(f"{name}-p", tags=_PROMPT)
        with pytest.raises(InvalidParameterError, match="prompt"):
            store.set_registered_model_tag(name, RegistryKey.IS_PROMPT, "true")
        with pytest.raises(InvalidParameterError, match="prompt"):
            store.set_registered_model_tag(f"{name}-p", RegistryKey.IS_PROMPT, "false")
        with pytest.raises(InvalidParameterError, match="prompt"):
            store.delete_registered_model_tag(f"{name}-p", RegistryKey.IS_PROMPT)
        store.set_registered_model_tag(f"{name}-p", RegistryKey.IS_PROMPT, "true")
