"""Searching registered models and their versions."""

from __future__ import annotations

import uuid
from typing import Any, Final

import pytest

from otflow.errors import FilterError, InvalidParameterError
from otflow.semconv import RegistryKey
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["RegistrySearchContract"]

_SOURCE: Final = "s3://bucket/model"
_PROMPT: Final = {RegistryKey.IS_PROMPT: "true"}

_MODEL_FILTERS: Final = [
    ("", "Beta alpha gamma"),
    ("name = '{}alpha'", "alpha"),
    ("name != '{}alpha'", "Beta gamma"),
    ("name LIKE '{}%a%'", "Beta alpha gamma"),
    ("name LIKE '{}b%'", ""),
    ("name ILIKE '{}b%'", "Beta"),
    ("attribute.name = '{}alpha'", "alpha"),
    ("tags.team = 'x'", "Beta alpha"),
    ("tag.team != 'x'", "gamma"),
    ("tags.`team` LIKE '%'", "Beta alpha gamma"),
    ("tags.team ILIKE 'X'", "Beta alpha"),
    ("tags.none != 'x'", ""),
    ("tags.team = 'x' AND name LIKE '%alpha'", "alpha"),
    ("tags.team = 'x' AND tags.team = 'y'", ""),
    ("tags.`mlflow.prompt.is_prompt` = 'true'", "prompt"),
    ("tags.`mlflow.prompt.is_prompt` != 'true'", "Beta alpha gamma"),
]
_OUR_MODEL_FILTERS: Final = [
    ("name IN ('{}alpha', '{}gamma')", "alpha gamma"),
    ("tags.team NOT IN ('x')", "gamma"),
    ("tags.none IS NULL", "Beta alpha gamma"),
    ("attributes.creation_timestamp > 0 AND last_updated_timestamp > 0", "Beta alpha gamma"),
    ("description LIKE 'about%'", "alpha"),
    ("aliases.champion = 1", "gamma"),
]
_MODEL_ORDERS: Final = [
    (None, "Beta alpha gamma"),
    (["name"], "Beta alpha gamma"),
    (["name DESC"], "gamma alpha Beta"),
    (["name asc"], "Beta alpha gamma"),
    (["last_updated_timestamp DESC", "name"], None),
    (["timestamp"], None),
]
_VERSION_FILTERS: Final = [
    ("version_number = 1", "b1 a1"),
    ("version_number = '1'", "b1 a1"),
    ("version_number > 1 AND version_number <= 2", "a2 b2"),
    ("version_number != 1", "a3 a2 b2"),
    ("run_id = 'r1'", "b1 a1"),
    ("run_id IN ('r1', 'r2')", "a2 b2 b1 a1"),
    ("run_id != 'r1'", "a2 b2"),
    ("source_path = 's3://b/1'", "b1"),
    ("source_path LIKE 's3://a/%'", "a3 a2 a1"),
    ("source_path ILIKE 'S3://A/%'", "a3 a2 a1"),
    ("tags.odd = 'yes'", "a3 b1 a1"),
    ("tag.odd != 'yes'", "a2 b2"),
    ("tags.`none` != 'x'", ""),
    ("name ILIKE '%A' AND tags.odd = 'yes'", "a3 a1"),
    ("attribute.name LIKE '%b'", "b2 b1"),
]
_OUR_VERSION_FILTERS: Final = [
    ("version IN (1, 3)", "a3 b1 a1"),
    ("run_id IS NULL", "a3"),
    ("attributes.current_stage = 'None' AND creation_timestamp > 0", "a3 a2 b2 b1 a1"),
    ("description = 'about'", "a1"),
    ("source NOT IN ('s3://b/1')", "a3 a2 b2 a1"),
    ("tags.odd IS NOT NULL AND last_updated_timestamp > 0", "a3 a2 b2 b1 a1"),
]
_VERSION_ORDERS: Final = [
    (["name"], "a3 a2 a1 b2 b1"),
    (["name DESC"], "b2 b1 a3 a2 a1"),
    (["version_number"], "a1 b1 a2 b2 a3"),
    (["version_number DESC"], "a3 a2 b2 a1 b1"),
    (["creation_timestamp", "name", "version_number ASC"], None),
    (["last_updated_timestamp"], None),
]
_WRONG: Final[list[dict[str, Any]]] = [
    {"max_results": 0}, {"max_results": -1}, {"max_results": "5"}, {"max_results": None}, {"max_results": 200_001},
    {"filter_string": 5}, {"filter_string": "nonsense"}, {"filter_string": "name = a"}, {"filter_string": "foo = 'a'"},
    {"filter_string": "name = 'a' OR name = 'b'"}, {"filter_string": "name > 'a'"}, {"filter_string": "tags.k > 5"},
    {"order_by": "name"}, {"order_by": ["tags.k"]}, {"order_by": ["foo"]}, {"order_by": [""]},
    {"order_by": ["name", "name DESC"]}, {"order_by": ["name, version_number"]},
]  # fmt: skip


class RegistrySearchContract(ContractTests):
    """The searches of `RegistryStore`."""

    @pytest.fixture
    def models(self, store: Store) -> str:
        """Three models and a prompt; what their names begin with."""
        prefix = f"{uuid.uuid4().hex}-"
        store.create_registered_model(f"{prefix}gamma", tags={"team": "y"})
        store.create_registered_model(f"{prefix}alpha", tags={"team": "x"}, description="about")
        store.create_registered_model(f"{prefix}Beta", tags={"team": "x"})
        store.create_registered_model(f"{prefix}prompt", tags=_PROMPT)
        store.create_model_version(f"{prefix}gamma", _SOURCE)
        store.set_registered_model_alias(f"{prefix}gamma", "champion", "1")
        return prefix

    @pytest.fixture
    def versions(self, store: Store) -> str:
        """Two models with versions, and a prompt; what their names begin with."""
        prefix = f"{uuid.uuid4().hex}-"
        for name, number in (("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3)):
            store.create_model_version(
                f"{prefix}{name}",
                f"s3://{name}/{number}",
                run_id=f"r{number}" if number < 3 else None,
                tags={"odd": "yes" if number % 2 else "no"},
                description="about" if (name, number) == ("a", 1) else None,
                create_model=True,
            )
        store.create_model_version(f"{prefix}p", _SOURCE, tags=_PROMPT, create_model=True, prompt=True)
        return prefix

    def _models(self, store: Store, prefix: str, condition: str, **search: Any) -> list[str]:
        asked = [f"name LIKE '{prefix}%'", *([condition.replace("{}", prefix)] if condition else [])]
        page = store.search_registered_models(filter_string=" AND ".join(asked), **search)
        return [model.name.removeprefix(prefix) for model in page]

    def _versions(self, store: Store, prefix: str, condition: str, **search: Any) -> list[str]:
        asked = [f"name LIKE '{prefix}%'", *([condition] if condition else [])]
        page = store.search_model_versions(filter_string=" AND ".join(asked), **search)
        return [f"{version.name.removeprefix(prefix)}{version.version}" for version in page]

    @pytest.mark.parametrize(("condition", "found"), _MODEL_FILTERS)
    def test_filters_of_registered_models(self, store: Store, models: str, condition: str, found: str) -> None:
        assert self._models(store, models, condition) == found.split()

    @pytest.mark.parametrize(("condition", "found"), _OUR_MODEL_FILTERS)
    def test_our_filters_of_registered_models(self, store: Store, models: str, condition: str, found: str) -> None:
        assert self._models(store, models, condition) == found.split()

    @pytest.mark.parametrize(("order", "found"), _MODEL_ORDERS)
    def test_orders_and_pages_of_registered_models(
        self, store: Store, models: str, order: list[str] | None, found: str | None
    ) -> None:
        names = self._models(store, models, "", order_by=order)
        assert names == (names if found is None else found.split())
        pages: list[str] = []
        token = None
        for _ in range(3):
            page = store.search_registered_models(
                filter_string=f"name LIKE '{models}%'", order_by=order, max_results=1, page_token=token
            )
            pages += [model.name.removeprefix(models) for model in page]
            token = page.token
        assert (pages, token) == (names, None)

    def test_a_search_tells_all_of_a_registered_model(self, store: Store, models: str) -> None:
        found = {model.name: model for model in store.search_registered_models(filter_string=f"name LIKE '{models}%'")}
        for name, model in found.items():
            whole = store.get_registered_model(name)
            assert (dict(whole), whole.name) == (dict(model), name)

    @pytest.mark.parametrize(("condition", "found"), _VERSION_FILTERS)
    def test_filters_of_versions(self, store: Store, versions: str, condition: str, found: str) -> None:
        expected = set(found.split())
        assert self._versions(store, versions, condition, order_by=["version_number DESC"]) == sorted(
            expected, key=lambda one: (-int(one[1:]), one)
        )

    @pytest.mark.parametrize(("condition", "found"), _OUR_VERSION_FILTERS)
    def test_our_filters_of_versions(self, store: Store, versions: str, condition: str, found: str) -> None:
        assert set(self._versions(store, versions, condition)) == set(found.split())

    @pytest.mark.parametrize(("order", "found"), _VERSION_ORDERS)
    def test_orders_and_pages_of_versions(
        self, store: Store, versions: str, order: list[str], found: str | None
    ) -> None:
        names = self._versions(store, versions, "", order_by=order)
        assert names == (names if found is None else found.split())
        pages: list[str] = []
        token = None
        for _ in range(3):
            page = store.search_model_versions(
                filter_string=f"name LIKE '{versions}%'", order_by=order, max_results=2, page_token=token
            )
            pages += [f"{version.name.removeprefix(versions)}{version.version}" for version in page]
            token = page.token
        assert (pages, token) == (names, None)

    def test_versions_of_prompts(self, store: Store, versions: str) -> None:
        assert self._versions(store, versions, f"name = '{versions}p'") == []
        assert self._versions(store, versions, "tags.`mlflow.prompt.is_prompt` = 'true'") == ["p1"]

    def test_the_last_updated_version_is_first(self, store: Store, versions: str) -> None:
        before = store.get_model_version(f"{versions}b", "1")
        while True:  # times are in milliseconds
            after = store.update_model_version(f"{versions}b", "1", description="later")
            newest = max(
                version.last_updated_timestamp or 0
                for version in store.search_model_versions(filter_string=f"name = '{versions}a'")
            )
            if (after.last_updated_timestamp or 0) > newest:
                break
        assert self._versions(store, versions, "")[0] == "b1"
        assert after.creation_timestamp == before.creation_timestamp

    def test_a_search_tells_all_of_a_version(self, store: Store, versions: str) -> None:
        store.set_registered_model_alias(f"{versions}a", "champion", "2")
        for version in store.search_model_versions(filter_string=f"name LIKE '{versions}%'"):
            whole = store.get_model_version(version.name, str(version.version))
            assert {**dict(whole), "aliases": None} == {**dict(version), "aliases": None}

    def test_a_search_tells_the_aliases_of_a_version(self, store: Store, versions: str) -> None:
        store.set_registered_model_alias(f"{versions}a", "champion", "2")
        [found] = store.search_model_versions(filter_string=f"name = '{versions}a' AND version_number = 2")
        assert found.aliases == ["champion"]

    @pytest.mark.parametrize("arguments", _WRONG, ids=str)
    def test_arguments_of_a_search_of_the_registry(self, store: Store, arguments: dict[str, Any]) -> None:
        for search in (store.search_registered_models, store.search_model_versions):
            with pytest.raises(InvalidParameterError):
                search(**arguments)

    def test_the_longest_pages(self, store: Store, models: str) -> None:
        with pytest.raises(InvalidParameterError, match="1000"):
            store.search_registered_models(max_results=1_001)
        assert len(self._models(store, models, "", max_results=1_000)) == 3
        assert self._versions(store, models, "", max_results=200_000) == ["gamma1"]

    def test_tokens_are_those_of_the_search(self, store: Store, versions: str) -> None:
        for token in ("nonsense", "e30=", 5):
            with pytest.raises(InvalidParameterError):
                store.search_model_versions(page_token=token)  # pyright: ignore[reportArgumentType]
        page = store.search_model_versions(filter_string=f"name LIKE '{versions}%'", max_results=1)
        with pytest.raises(InvalidParameterError):
            store.search_registered_models(page_token=page.token)

    def test_a_page_is_true_while_versions_come_and_go(self, store: Store, versions: str) -> None:
        search: dict[str, Any] = {"filter_string": f"name = '{versions}a'", "order_by": ["version_number DESC"]}
        first = store.search_model_versions(**search, max_results=1)
        store.create_model_version(f"{versions}a", _SOURCE)
        store.delete_model_version(f"{versions}a", "3")
        rest = store.search_model_versions(**search, page_token=first.token)
        assert [int(version.version) for version in rest] == [2, 1]

    def test_malformed_filters_say_where(self, store: Store) -> None:
        with pytest.raises(FilterError, match=r"\^"):
            store.search_model_versions(filter_string="name = 'a' AND nonsense = 'b'")
