"""Logged models in SQL: what the contract does not say."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path

from otflow.errors import InvalidParameterError
from otflow.store.interface import Store


def _at_once(*calls: Callable[[], object]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_writers_at_once_change_no_param(sql_store: Store) -> None:
    model = sql_store.create_logged_model("0").model_id
    refused: list[str] = []

    def log(value: str) -> None:
        try:
            sql_store.log_logged_model_params(model, {"a": "same", "b": value, "c": value})
        except InvalidParameterError:
            refused.append(value)

    _at_once(*(functools.partial(log, str(number)) for number in range(8)))
    params = sql_store.get_logged_model(model).params
    assert params["a"] == "same"
    assert params["b"] == params["c"]
    assert sorted([*refused, params["b"]]) == [str(number) for number in range(8)]


def test_writers_of_tags_do_not_wait_for_each_other_in_a_ring(sql_store: Store) -> None:
    model = sql_store.create_logged_model("0").model_id
    keys = [str(number) for number in range(50)]

    def setting(order: list[str]) -> Callable[[], None]:
        return lambda: sql_store.set_logged_model_tags(model, dict.fromkeys(order, order[0]))

    _at_once(*map(setting, (keys, keys[::-1], keys[25:] + keys[:25])))
    assert len(set(sql_store.get_logged_model(model).tags.values())) == 1


def test_models_are_where_the_artifacts_of_their_experiment_are(sql_store: Store, tmp_path: Path) -> None:
    for number, (location, expected) in enumerate([
        ("s3://bucket/root", "s3://bucket/root/models/{}/artifacts"),
        ("s3://bucket/root/", "s3://bucket/root/models/{}/artifacts"),
        (str(tmp_path), f"{tmp_path}/models/{{}}/artifacts"),
    ]):  # fmt: skip
        model = sql_store.create_logged_model(sql_store.create_experiment(f"e{number}", artifact_location=location))
        assert model.artifact_location == expected.format(model.model_id)
