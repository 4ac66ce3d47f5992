"""Experiments."""

from __future__ import annotations

import os
import secrets
from typing import Any

import pytest

from otflow.entities import Experiment, ViewType
from otflow.errors import AlreadyExistsError, FilterError, InvalidParameterError, InvalidStateError, NotFoundError
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["ExperimentContract"]


def _name() -> str:
    return f"experiment-{secrets.token_hex(8)}"


class ExperimentContract(ContractTests):
    """`ExperimentStore`."""

    def test_the_default_exists(self, store: Store) -> None:
        default = store.get_experiment("0")
        assert (default.experiment_id, default.name, default.lifecycle_stage) == ("0", "Default", "active")

    def test_a_new_experiment(self, store: Store) -> None:
        name = _name()
        experiment_id = store.create_experiment(name, tags={"team": "a", "n": 5})  # type: ignore[dict-item]
        found = store.get_experiment(experiment_id)
        assert (found.experiment_id, found.name, found.lifecycle_stage) == (experiment_id, name, "active")
        assert found.tags == {"team": "a", "n": "5"}
        assert found.creation_time == found.last_update_time
        assert found.creation_time is not None
        assert found.creation_time > 0
        assert str(found.artifact_location).endswith(f"/{experiment_id}")
        by_name = store.get_experiment_by_name(name)
        assert by_name is not None
        assert by_name.experiment_id == experiment_id

    def test_ids_are_numbers_that_are_not_given_out_again(self, store: Store) -> None:
        first, second = store.create_experiment(_name()), store.create_experiment(_name())
        assert 0 < int(first) < int(second)

    @pytest.mark.parametrize("name", [None, "", 5, True, ["x"], "x" * 501])
    def test_a_name_is_a_string_of_1_to_500_characters(self, store: Store, experiment: str, name: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_experiment(name)
        with pytest.raises(InvalidParameterError):
            store.rename_experiment(experiment, name)

    @pytest.mark.parametrize("prefix", [" ", "a/b", "new\nline", "é", "x" * 400, "nul\0", "\ud800"])
    def test_strange_names(self, store: Store, prefix: str) -> None:
        experiment_id = store.create_experiment(prefix + _name())
        assert store.get_experiment_by_name(store.get_experiment(experiment_id).name) is not None

    def test_a_name_is_taken_once(self, store: Store) -> None:
        name = _name()
        experiment_id = store.create_experiment(name)
        with pytest.raises(AlreadyExistsError, match=name):
            store.create_experiment(name)
        store.delete_experiment(experiment_id)
        with pytest.raises(AlreadyExistsError, match="deleted"):
            store.create_experiment(name)
        assert store.create_experiment(name.upper()) != experiment_id

    def test_where_artifacts_go(self, store: Store) -> None:
        here = os.getcwd()
        for given, kept in (
            ("/data/x", "/data/x"),
            ("file:///data/x", "file:///data/x"),
            ("s3://b/p#frag", "s3://b/p#frag"),
            ("s3://b/p?x=1", "s3://b/p?x=1"),
            ("/data/x#y", "/data/x#y"),
            ("mlflow-artifacts:/x", "mlflow-artifacts:/x"),
            ("relative/path", f"{here}/relative/path"),
            ("./here", f"{here}/here"),
            ("file:rel", f"file://{here}/rel"),
        ):
            found = store.get_experiment(store.create_experiment(_name(), artifact_location=given))
            assert found.artifact_location == kept
        empty = store.create_experiment(_name(), artifact_location="")
        assert str(store.get_experiment(empty).artifact_location).endswith(f"/{empty}")

    def test_an_unknown_experiment(self, store: Store) -> None:
        unknown: list[Any] = ["999999999", "-1", "9" * 30]
        for experiment_id in unknown:
            with pytest.raises(NotFoundError, match=experiment_id):
                store.get_experiment(experiment_id)
        for experiment_id in ("abc", "", "1.5", None):
            with pytest.raises(InvalidParameterError, match="integer"):
                store.get_experiment(experiment_id)  # type: ignore[arg-type]
        assert store.get_experiment_by_name(_name()) is None
        assert store.get_experiment_by_name(None) is None  # type: ignore[arg-type]

    # -- life and death ----------------------------------------------------------------------------

    def test_delete_and_restore(self, store: Store, experiment: str) -> None:
        store.delete_experiment(experiment)
        found = store.get_experiment(experiment)
        assert found.lifecycle_stage == "deleted"
        by_name = store.get_experiment_by_name(found.name)
        assert by_name is not None
        assert by_name.experiment_id == experiment
        with pytest.raises(NotFoundError, match=experiment):
            store.delete_experiment(experiment)
        store.restore_experiment(experiment)
        assert store.get_experiment(experiment).lifecycle_stage == "active"
        with pytest.raises(NotFoundError, match=experiment):
            store.restore_experiment(experiment)
        for change in (store.delete_experiment, store.restore_experiment):
            with pytest.raises(NotFoundError):
                change("999999999")

    def test_rename(self, store: Store, experiment: str) -> None:
        name, taken = _name(), _name()
        store.create_experiment(taken)
        store.rename_experiment(experiment, name)
        store.rename_experiment(experiment, name)
        assert store.get_experiment(experiment).name == name
        with pytest.raises(AlreadyExistsError, match=taken):
            store.rename_experiment(experiment, taken)
        with pytest.raises(NotFoundError):
            store.rename_experiment("999999999", _name())
        store.delete_experiment(experiment)
        with pytest.raises(InvalidStateError):
            store.rename_experiment(experiment, _name())
        assert store.get_experiment(experiment).name == name

    def test_traces_stay_when_an_experiment_is_deleted(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        store.delete_experiment(experiment)
        store.restore_experiment(experiment)
        assert store.get_trace(trace_id).info.experiment_id == experiment

    # -- tags ----------------------------------------------------------------------------------------

    def test_tags(self, store: Store, experiment: str) -> None:
        values: list[Any] = ["v", "w", 5, None]
        for value in values:
            store.set_experiment_tags(experiment, {"k": value})
            assert store.get_experiment(experiment).tags == {"k": str(value)}
        store.delete_experiment_tag(experiment, "k")
        assert store.get_experiment(experiment).tags == {}
        with pytest.raises(NotFoundError, match="k"):
            store.delete_experiment_tag(experiment, "k")

    @pytest.mark.parametrize("key", [None, 5, "", ".", "a$b", "/a", "a/../b", "k" * 251])
    def test_a_tag_key_has_a_form(self, store: Store, experiment: str, key: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.set_experiment_tags(experiment, {key: "v"})
        assert store.get_experiment(experiment).tags == {}

    def test_how_long_tags_may_be(self, store: Store, experiment: str) -> None:
        store.set_experiment_tags(experiment, {"k" * 250: "v" * 5_000})
        assert store.get_experiment(experiment).tags == {"k" * 250: "v" * 5_000}
        with pytest.raises(InvalidParameterError, match="5000"):
            store.set_experiment_tags(experiment, {"k": "v" * 5_001})

    def test_tags_of_an_experiment_that_is_not_active(self, store: Store, experiment: str) -> None:
        store.set_experiment_tags(experiment, {"k": "v"})
        store.delete_experiment(experiment)
        with pytest.raises(InvalidParameterError, match="deleted"):
            store.set_experiment_tags(experiment, {"k": "w"})
        with pytest.raises(InvalidParameterError, match="deleted"):
            store.delete_experiment_tag(experiment, "k")
        with pytest.raises(NotFoundError):
            store.set_experiment_tags("999999999", {"k": "v"})
        with pytest.raises(NotFoundError):
            store.delete_experiment_tag("999999999", "k")
        assert store.get_experiment(experiment).tags == {"k": "v"}

    # -- searching -----------------------------------------------------------------------------------

    def _family(self, store: Store) -> tuple[str, list[str]]:
        """Three experiments with a prefix that no other test has."""
        family = _name()
        return family, [store.create_experiment(f"{family}-{one}", tags={"one": one}) for one in "abc"]

    def test_search(self, store: Store) -> None:
        family, (a, b, c) = self._family(store)

        def found(condition: str = "", **search: Any) -> list[str]:
            question = f"name LIKE '{family}%'" + (f" AND {condition}" if condition else "")
            return [one.experiment_id for one in store.search_experiments(filter_string=question, **search)]

        assert sorted(found()) == sorted([a, b, c])
        assert found("tags.one = 'b'") == [b]
        assert found("tags.one != 'b'", order_by=["name"]) == [a, c]
        assert found(f"name = '{family}-a'") == [a]
        assert found(f"name ILIKE '{family.upper()}-A'") == [a]
        assert found("creation_time > 0", order_by=["name DESC"]) == [c, b, a]
        assert found("creation_time < 0") == []
        assert found(order_by=["experiment_id ASC"]) == [a, b, c]
        store.delete_experiment(b)
        assert found(order_by=["name"]) == [a, c]
        assert found(view_type=ViewType.DELETED_ONLY) == [b]
        assert found(view_type=ViewType.ALL, order_by=["name"]) == [a, b, c]

    def test_pages(self, store: Store) -> None:
        family, ids = self._family(store)
        question = f"name LIKE '{family}%'"
        for order in (None, ["name"], ["name DESC"], ["creation_time", "name"]):
            seen: list[Experiment] = []
            token: str | None = None
            while True:
                page = store.search_experiments(filter_string=question, order_by=order, max_results=1, page_token=token)
                seen += page
                token = page.token
                if token is None:
                    break
            whole = store.search_experiments(filter_string=question, order_by=order)
            assert [one.experiment_id for one in seen] == [one.experiment_id for one in whole]
            assert sorted(one.experiment_id for one in seen) == sorted(ids)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"max_results": 0}, {"max_results": -1}, {"max_results": 50_001}, {"max_results": "5"},
            {"max_results": None}, {"page_token": "nonsense"}, {"page_token": 5}, {"view_type": 9},
        ],
    )  # fmt: skip
    def test_search_arguments(self, store: Store, arguments: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError):
            store.search_experiments(**arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"filter_string": "nonsense"}, {"filter_string": "nonsense = 'x'"}, {"filter_string": "name = "},
            {"order_by": ["nonsense"]}, {"order_by": ["name SIDEWAYS"]},
        ],
    )  # fmt: skip
    def test_search_questions_that_mean_nothing(self, store: Store, arguments: dict[str, Any]) -> None:
        with pytest.raises(FilterError):
            store.search_experiments(**arguments)
