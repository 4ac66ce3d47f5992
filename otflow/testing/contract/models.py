"""Logged models: what they are, what is known of them, and searching them."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from otflow.entities import LoggedModel, LoggedModelStatus, Metric
from otflow.errors import FilterError, InvalidParameterError, NotFoundError
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["LoggedModelContract"]

_ABSENT = f"m-{'0' * 32}"

_Change = Callable[[Store, str], object]
_CHANGES: dict[str, _Change] = {
    "state": lambda store, model: store.finalize_logged_model(model, LoggedModelStatus.READY),
    "tags": lambda store, model: store.set_logged_model_tags(model, {"a": "b"}),
    "no tags": lambda store, model: store.set_logged_model_tags(model, {}),
    "tag": lambda store, model: store.delete_logged_model_tag(model, "kept"),
    "params": lambda store, model: store.log_logged_model_params(model, {"a": "b"}),
    "no params": lambda store, model: store.log_logged_model_params(model, {}),
    "reading": lambda store, model: store.get_logged_model(model),
}

_FILTERS: Final = [
    (None, "delta gamma beta alpha"),
    ("", "delta gamma beta alpha"),
    ("name = 'alpha'", "alpha"),
    ("attributes.name != 'alpha'", "delta gamma beta"),
    ("name LIKE 'a%'", "alpha"),
    ("name ILIKE 'AL%'", "alpha"),
    ("name IN ('alpha', 'beta')", "beta alpha"),
    ("name NOT IN ('alpha', 'beta')", "delta gamma"),
    ("model_type = 'agent'", "delta beta"),
    ("model_type IS NULL", "gamma alpha"),
    ("status = 'READY'", "beta"),
    ("status != 'READY'", "delta gamma alpha"),
    ("source_run_id IS NOT NULL", "beta alpha"),
    ("source_run_id != 'x'", "beta alpha"),
    ("creation_timestamp > 5.5 AND creation_time > 0", "delta gamma beta alpha"),
    ("last_updated_timestamp < 5", ""),
    ("params.lr = '0.1'", "beta"),
    ("params.lr != '0.1'", "delta gamma"),
    ("params.lr IN ('0.1', '0.3')", "delta beta"),
    ("params.lr IS NULL", "alpha"),
    ("params.`lr` LIKE '0%'", "delta gamma beta"),
    ("tags.rank = '1'", "beta"),
    ("tags.rank NOT IN ('0')", "delta gamma beta"),
    ("tags.nope != 'x'", ""),
    # One point that is so is enough.
    ("metrics.acc > 0.6", "delta gamma alpha"),
    ("metrics.acc < 0.1", "alpha"),
    ("metrics.acc = 0.9", "alpha"),
    ("metrics.acc != 0.9", "delta gamma beta alpha"),
    ("metrics.acc != 0.5", "delta gamma alpha"),
    ("metrics.acc IN (0.5, 0.7)", "gamma beta"),
    ("metrics.loss > 0", "gamma alpha"),
    ("metrics.loss < 5", "gamma alpha"),
    ("metrics.loss != 1", "gamma beta"),
    ("metrics.loss IS NULL", "delta"),
    ("metrics.loss IS NOT NULL", "gamma beta alpha"),
    ("metrics.nope > 0", ""),
    ("tags.same = 'x' AND metrics.acc > 0.6 AND params.lr = '0.2'", "gamma"),
]
_ORDERS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("name", {}, "alpha beta delta gamma"),
    ("name", {"ascending": False}, "gamma delta beta alpha"),
    ("creation_timestamp", {}, "alpha beta gamma delta"),
    ("creation_time", {"ascending": False}, "delta gamma beta alpha"),
    ("status", {}, "delta gamma alpha beta"),
    # What is missing is last in either direction, the newest first.
    ("model_type", {}, "delta beta gamma alpha"),
    ("model_type", {"ascending": False}, "delta beta gamma alpha"),
    # The latest point counts; a number comes before NaN, and NaN before nothing.
    ("metrics.acc", {}, "alpha delta gamma beta"),
    ("metrics.acc", {"ascending": False}, "beta gamma delta alpha"),
    ("metrics.loss", {}, "alpha gamma beta delta"),
    ("metrics.loss", {"ascending": False}, "gamma alpha beta delta"),
    ("metrics.`acc`", {"dataset_name": "d1"}, "delta gamma beta alpha"),
    ("metrics.acc", {"dataset_name": "d1", "ascending": False}, "gamma delta beta alpha"),
    ("metrics.acc", {"dataset_name": "d1", "dataset_digest": "z"}, "delta gamma beta alpha"),
    ("metrics.acc", {"dataset_name": None, "dataset_digest": None}, "alpha delta gamma beta"),
    ("metrics.nope", {}, "delta gamma beta alpha"),
]

_WRONG: Final[list[dict[str, Any]]] = [
    {"max_results": 0}, {"max_results": -1}, {"max_results": "5"}, {"max_results": 50_001},
    {"page_token": "nonsense"},
    {"datasets": [{}]}, {"datasets": [{"dataset_name": ""}]}, {"datasets": [{"dataset_digest": "x"}]},
    {"datasets": ["d1"]}, {"datasets": "d1"}, {"datasets": {"dataset_name": "d1"}},
    {"datasets": [{"dataset_name": 5}]}, {"datasets": [{"dataset_name": "d1", "nonsense": 1}]},
    {"order_by": ["name"]}, {"order_by": "name"}, {"order_by": {"field_name": "name"}}, {"order_by": [{}]},
    {"order_by": [{"field_name": None}]}, {"order_by": [{"field_name": "nonsense"}]},
    {"order_by": [{"field_name": "name DESC"}]}, {"order_by": [{"field_name": "params.p"}]},
    {"order_by": [{"field_name": "tags.t"}]}, {"order_by": [{"field_name": "metrics."}]},
    {"order_by": [{"field_name": "name", "ascending": "no"}]},
    {"order_by": [{"field_name": "name", "nonsense": 1}]},
    {"order_by": [{"field_name": "name", "dataset_name": "d1"}]},
    {"order_by": [{"field_name": "metrics.acc", "dataset_digest": "x"}]},
]  # fmt: skip

_NONSENSE: Final = [
    "nonsense", "nonsense = 'x'", "name =", "name = alpha", "name > 'a'", "foo.bar = 'x'", "metrics.acc LIKE '1'",
    "metrics.acc > '0.5'", "name = 'a' OR name = 'b'", "params.p > 1", "metric.acc > 1", "tag.t = '1'",
]  # fmt: skip


def _names(models: Sequence[LoggedModel]) -> list[str]:
    return [model.name for model in models]


class LoggedModelContract(ContractTests):
    """`LoggedModelStore`."""

    # -- making --------------------------------------------------------------------------------------

    def test_a_model_with_nothing(self, store: Store, experiment: str) -> None:
        model = store.create_logged_model(experiment)
        assert re.fullmatch("m-[0-9a-f]{32}", model.model_id)
        assert re.fullmatch("[a-z]+-[a-z]+-[0-9]+", model.name)
        assert model.experiment_id == experiment
        location = store.get_experiment(experiment).artifact_location
        assert model.artifact_location == f"{location}/models/{model.model_id}/artifacts"
        assert model.model_uri == f"models:/{model.model_id}"
        assert model.status is LoggedModelStatus.PENDING
        assert (model.model_type, model.source_run_id, model.status_message) == (None, None, None)
        assert (model.tags, model.params, model.metrics) == ({}, {}, None)
        assert model.last_updated_timestamp == model.creation_timestamp > 1_000_000_000_000
        assert store.get_logged_model(model.model_id) == model

    def test_a_model_with_everything(self, store: Store, experiment: str) -> None:
        model = store.create_logged_model(
            experiment,
            name="agent v1 é",
            source_run_id="a-run-that-nobody-knows",
            tags={"b": "2", "a": "1", "": "", "any key=é%": "x"},
            params={"temperature": "0.5", "prompt": "p" * 20_000},
            model_type="agent",
            status=LoggedModelStatus.READY,
        )
        assert model.name == "agent v1 é"
        assert model.source_run_id == "a-run-that-nobody-knows"
        assert model.tags == {"b": "2", "a": "1", "": "", "any key=é%": "x"}
        assert model.params == {"temperature": "0.5", "prompt": "p" * 20_000}
        assert (model.model_type, model.status) == ("agent", LoggedModelStatus.READY)
        assert store.get_logged_model(model.model_id) == model

    def test_values_of_a_model_are_texts(self, store: Store, experiment: str) -> None:
        values: Any = {"n": None, "i": 5, "d": {"a": 1}}
        texts = {"n": "None", "i": "5", "d": "{'a': 1}"}
        model = store.create_logged_model(experiment, tags=values, params=values)
        assert (model.tags, model.params) == (texts, texts)
        other = store.create_logged_model(experiment)
        store.set_logged_model_tags(other.model_id, values)
        store.log_logged_model_params(other.model_id, values)
        found = store.get_logged_model(other.model_id)
        assert (found.tags, found.params) == (texts, texts)

    def test_names_of_models_need_not_be_unique(self, store: Store, experiment: str) -> None:
        first, second = (store.create_logged_model(experiment, name="same") for _ in range(2))
        assert first.model_id != second.model_id

    @pytest.mark.parametrize("name", ["", "a/b", "a:b", "a.b", "a%b", 'a"b', "a'b", ".", 5, "n" * 501])
    def test_names_that_no_model_has(self, store: Store, experiment: str, name: Any) -> None:
        with pytest.raises(InvalidParameterError, match="name"):
            store.create_logged_model(experiment, name=name)
        assert store.search_logged_models([experiment]) == []

    @pytest.mark.parametrize("arguments", [{"tags": ["a"]}, {"params": "a"}, {"tags": {"k" * 251: "v"}}, {"status": 5}])
    def test_models_that_cannot_be(self, store: Store, experiment: str, arguments: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_logged_model(experiment, **arguments)
        assert store.search_logged_models([experiment]) == []

    def test_experiments_that_take_no_models(self, store: Store, experiment: str) -> None:
        with pytest.raises(NotFoundError, match="999999999"):
            store.create_logged_model("999999999")
        with pytest.raises(InvalidParameterError, match="abc"):
            store.create_logged_model("abc")
        model = store.create_logged_model(experiment, name="before")
        store.delete_experiment(experiment)
        with pytest.raises(InvalidParameterError, match="deleted"):
            store.create_logged_model(experiment)
        assert store.get_logged_model(model.model_id).name == "before"
        assert _names(store.search_logged_models([experiment])) == ["before"]

    # -- changing ------------------------------------------------------------------------------------

    def test_a_model_is_finalized(self, store: Store, experiment: str) -> None:
        model = store.create_logged_model(experiment, tags={"a": "b"}, params={"c": "d"})
        ready = store.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        assert ready.status is LoggedModelStatus.READY
        assert ready.last_updated_timestamp >= model.last_updated_timestamp
        assert (ready.tags, ready.params) == (model.tags, model.params)
        assert store.get_logged_model(model.model_id) == ready
        failed = store.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
        assert failed.status is LoggedModelStatus.FAILED
        assert store.get_logged_model(model.model_id) == failed

    @pytest.mark.parametrize("status", ["ready", "", None, 2])
    def test_states_that_no_model_has(self, store: Store, experiment: str, status: Any) -> None:
        model = store.create_logged_model(experiment)
        with pytest.raises(InvalidParameterError, match=re.escape(repr(status))):
            store.finalize_logged_model(model.model_id, status)
        assert store.get_logged_model(model.model_id) == model

    def test_tags_of_a_model(self, store: Store, experiment: str) -> None:
        model = store.create_logged_model(experiment, tags={"a": "1", "b": "2"}).model_id
        store.set_logged_model_tags(model, {"b": "3", "c": "x" * 20_000})
        assert store.get_logged_model(model).tags == {"a": "1", "b": "3", "c": "x" * 20_000}
        store.delete_logged_model_tag(model, "b")
        assert store.get_logged_model(model).tags == {"a": "1", "c": "x" * 20_000}
        with pytest.raises(NotFoundError, match="'b'"):
            store.delete_logged_model_tag(model, "b")
        with pytest.raises(InvalidParameterError):
            store.set_logged_model_tags(model, {"good": "1", "k" * 251: "2"})
        assert store.get_logged_model(model).tags == {"a": "1", "c": "x" * 20_000}

    def test_params_of_a_model(self, store: Store, experiment: str) -> None:
        model = store.create_logged_model(experiment, params={"a": "1"}).model_id
        store.log_logged_model_params(model, {"b": "2"})
        store.log_logged_model_params(model, {"a": "1", "c": "3"})
        assert store.get_logged_model(model).params == {"a": "1", "b": "2", "c": "3"}
        with pytest.raises(InvalidParameterError, match=r"(?s)'b'.*'2'.*'5'"):
            store.log_logged_model_params(model, {"d": "4", "b": "5"})
        assert store.get_logged_model(model).params == {"a": "1", "b": "2", "c": "3"}

    def test_a_model_with_many_tags_and_params(self, store: Store, experiment: str) -> None:
        many = {str(number): str(number) for number in range(1500)}
        model = store.create_logged_model(experiment, tags=many, params=many)
        found = store.get_logged_model(model.model_id)
        assert (found.tags, found.params) == (many, many)

    @pytest.mark.parametrize("change", _CHANGES)
    def test_models_that_are_not_there(self, store: Store, experiment: str, change: str) -> None:
        deleted = store.create_logged_model(experiment, tags={"kept": "1"}).model_id
        store.delete_logged_model(deleted)
        for model_id in (_ABSENT, deleted):
            with pytest.raises(NotFoundError, match=f"Logged model with ID '{model_id}' not found"):
                _CHANGES[change](store, model_id)
        for nothing in ("", None):
            unsaid: Any = nothing
            with pytest.raises(InvalidParameterError, match="`model_id` must be a non-empty string"):
                _CHANGES[change](store, unsaid)

    def test_a_deleted_model(self, store: Store, experiment: str) -> None:
        kept, gone = (store.create_logged_model(experiment, name=name) for name in ("kept", "gone"))
        store.delete_logged_model(gone.model_id)
        store.delete_logged_model(gone.model_id)
        assert _names(store.search_logged_models([experiment])) == ["kept"]
        assert store.get_logged_model(kept.model_id) == kept
        with pytest.raises(NotFoundError, match=_ABSENT):
            store.delete_logged_model(_ABSENT)

    # -- metrics -------------------------------------------------------------------------------------

    def test_metrics_of_a_model(self, store: Store, experiment: str) -> None:
        model, other = (store.create_logged_model(experiment).model_id for _ in range(2))
        first, second = (store.create_run(experiment).info.run_id for _ in range(2))
        points = [
            Metric("loss", 0.5, 10, 0, model_id=model),
            Metric("loss", 0.25, 20, 1, model_id=model),
            Metric("acc", 0.9, 20, 1, model_id=model, dataset_name="data", dataset_digest="d1"),
            Metric("nan", math.nan, 30, 0, model_id=model),
            Metric("inf", math.inf, 40, 0, model_id=model),
        ]
        store.log_batch(first, metrics=[*reversed(points), Metric("loss", 7.0, 1, 0), points[0]])
        store.log_batch(second, metrics=[Metric("loss", 0.125, 15, 0, model_id=model)])
        found = store.get_logged_model(model).metrics
        assert found is not None
        # All points, by time.
        assert [
            (one.key, one.timestamp, one.step, one.dataset_name, one.dataset_digest, one.run_id) for one in found
        ] == [
            ("loss", 10, 0, None, None, first),
            ("loss", 15, 0, None, None, second),
            ("acc", 20, 1, "data", "d1", first),
            ("loss", 20, 1, None, None, first),
            ("nan", 30, 0, None, None, first),
            ("inf", 40, 0, None, None, first),
        ]  # fmt: skip
        assert {one.model_id for one in found} == {model}
        assert [one.value for one in found if one.key == "loss"] == [0.5, 0.125, 0.25]
        assert math.isnan(found[4].value)
        assert found[5].value == sys.float_info.max
        searched = store.search_logged_models([experiment])[1].metrics or []
        assert list(map(repr, searched)) == list(map(repr, found))
        assert store.get_logged_model(other).metrics is None

    # -- searching -----------------------------------------------------------------------------------

    @pytest.fixture
    def four_models(self, store: Store, experiment: str) -> dict[str, LoggedModel]:
        """Four models: alpha, beta, gamma, delta."""
        run = store.create_run(experiment).info.run_id
        models = {
            name: store.create_logged_model(
                experiment,
                name=name,
                source_run_id=run if name < "c" else None,
                tags={"rank": str(rank), "same": "x"},
                params={"lr": f"0.{rank}"} if rank else None,
                model_type="agent" if rank % 2 else None,
            )
            for rank, name in enumerate(("alpha", "beta", "gamma", "delta"))
        }
        store.finalize_logged_model(models["beta"].model_id, LoggedModelStatus.READY)
        points = [
            ("alpha", "acc", 0.9, None), ("alpha", "acc", 0.05, None), ("beta", "acc", 0.5, None),
            ("gamma", "acc", 0.7, ("d1", "x")), ("gamma", "acc", 0.3, ("d2", "y")),
            ("delta", "acc", 0.99, ("d1", "z")), ("delta", "acc", 0.2, ("d1", "x")),
            ("beta", "loss", math.nan, None), ("alpha", "loss", 1.0, None), ("gamma", "loss", 2.0, None),
        ]  # fmt: skip
        store.log_batch(
            run,
            metrics=[
                Metric(key, value, time, 9 - time if time < 9 else 0, models[name].model_id, *(dataset or (None, None)))
                for time, (name, key, value, dataset) in enumerate(points)
            ],
        )
        return models

    def test_filters_of_models(self, store: Store, experiment: str, four_models: dict[str, LoggedModel]) -> None:
        def found(filter_string: str | None, **more: Any) -> str:
            return " ".join(_names(store.search_logged_models([experiment], filter_string=filter_string, **more)))

        assert {text: found(text) for text, _ in _FILTERS} == dict(_FILTERS)
        assert found(f"model_id = '{four_models['beta'].model_id}'") == "beta"
        assert found(f"experiment_id = '{experiment}' AND source_run_id = '{four_models['beta'].source_run_id}'") == (
            "beta alpha"
        )

    @pytest.mark.usefixtures("four_models")
    def test_models_by_datasets(self, store: Store, experiment: str) -> None:
        def found(filter_string: str | None, *datasets: Any) -> list[str]:
            return _names(store.search_logged_models([experiment], filter_string=filter_string, datasets=datasets))

        high = "metrics.acc > 0.25"
        assert found(high) == ["delta", "gamma", "beta", "alpha"]
        assert found(high, {"dataset_name": "d1"}) == ["delta", "gamma"]
        assert found(high, {"dataset_name": "d1", "dataset_digest": None}) == ["delta", "gamma"]
        assert found(high, {"dataset_name": "d1", "dataset_digest": "x"}) == ["gamma"]
        assert found(high, {"dataset_name": "d1", "dataset_digest": "x"}, {"dataset_name": "d2"}) == ["gamma"]
        assert found(high, {"dataset_name": "nope"}) == []
        # Without a condition on metrics: models that were measured on them at all.
        assert found(None, {"dataset_name": "d2"}) == ["gamma"]
        assert found("name != 'delta'", {"dataset_name": "d1"}) == ["gamma"]

    @pytest.mark.parametrize(("field", "more", "expected"), _ORDERS)
    @pytest.mark.usefixtures("four_models")
    def test_orders_and_pages_of_models(
        self,
        store: Store,
        experiment: str,
        field: str,
        more: dict[str, Any],
        expected: str,
    ) -> None:
        order = [{"field_name": field, **more}]
        assert " ".join(_names(store.search_logged_models([experiment], order_by=order))) == expected
        for size in (1, 3):
            seen: list[str] = []
            token: str | None = None
            while True:
                page = store.search_logged_models([experiment], order_by=order, max_results=size, page_token=token)
                seen += _names(page)
                token = page.token
                if token is None:
                    break
            assert " ".join(seen) == expected

    def test_several_orders_of_models(self, store: Store, experiment: str, four_models: dict[str, LoggedModel]) -> None:
        def found(*order: Any) -> list[str]:
            return _names(store.search_logged_models([experiment], order_by=order))

        assert found() == ["delta", "gamma", "beta", "alpha"]
        assert found({"field_name": "model_type"}, {"field_name": "name"}) == ["beta", "delta", "alpha", "gamma"]
        assert found({"field_name": "name"}, {"field_name": "name", "ascending": False}) == sorted(four_models)

    def test_the_newest_model_of_one_millisecond_is_first(self, store: Store, experiment: str) -> None:
        names = [f"model {number}" for number in range(30)]
        for name in names:
            store.create_logged_model(experiment, name=name)
        assert _names(store.search_logged_models([experiment])) == names[::-1]

    def test_models_of_experiments(self, store: Store, experiment: str) -> None:
        other = store.create_experiment(f"{experiment}-other")
        for where in (experiment, other, experiment):
            store.create_logged_model(where, name=f"in {where}")

        def found(*experiments: Any) -> list[str]:
            return _names(store.search_logged_models(experiments))

        assert found(experiment) == [f"in {experiment}"] * 2
        assert found(experiment, experiment, "999999999") == [f"in {experiment}"] * 2
        assert found(other, experiment) == [f"in {experiment}", f"in {other}", f"in {experiment}"]
        assert found() == []

    @pytest.mark.parametrize("arguments", _WRONG)
    def test_arguments_of_a_search_for_models(self, store: Store, experiment: str, arguments: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError):
            store.search_logged_models([experiment], **arguments)

    @pytest.mark.parametrize("text", _NONSENSE)
    def test_filters_of_models_that_mean_nothing(self, store: Store, experiment: str, text: str) -> None:
        with pytest.raises(FilterError):
            store.search_logged_models([experiment], filter_string=text)

    def test_a_token_of_another_order_of_models(self, store: Store, experiment: str) -> None:
        for _ in range(2):
            store.create_logged_model(experiment)
        token = store.search_logged_models([experiment], max_results=1).token
        assert token is not None
        with pytest.raises(InvalidParameterError, match="page token"):
            store.search_logged_models([experiment], order_by=[{"field_name": "name"}], page_token=token)
