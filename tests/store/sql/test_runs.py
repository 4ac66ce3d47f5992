"""Runs in SQL databases: what the contract leaves open, and what is only ours."""

from __future__ import annotations

import logging
import math
import re
import threading
from typing import Any

import pytest

from otflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.semconv import RunKey
from otflow.store.interface import Store
from otflow.store.naming import random_name
from otflow.store.opening import open_database, open_store
from otflow.store.sql.checking import check_store
from otflow.store.sql.moving import move_store


@pytest.fixture
def run(sql_store: Store) -> str:
    return sql_store.create_run("0").info.run_id


def statements(store: Any, monkeypatch: pytest.MonkeyPatch, work: Any) -> int:
    """How many statements the work takes, without those that begin and end transactions."""
    from otflow.store.sql.sqlite import SQLiteSession

    seen: list[str] = []
    for name in ("all", "run"):
        original = getattr(SQLiteSession, name)

        def spy(self: Any, statement: str, parameters: Any = (), original: Any = original) -> Any:
            seen.append(statement)
            return original(self, statement, parameters)

        monkeypatch.setattr(SQLiteSession, name, spy)
    work()
    monkeypatch.undo()
    return len([one for one in seen if not one.startswith(("BEGIN", "COMMIT"))])


# -- making and changing -------------------------------------------------------------------------------


def test_random_names() -> None:
    names = {random_name() for _ in range(200)}
    assert len(names) > 150
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d{1,3}", name) for name in names)


def test_who_starts_a_run(sql_store: Store) -> None:
    assert sql_store.create_run("0").info.user_id == "unknown"
    assert sql_store.create_run("0", tags={RunKey.USER: "ada"}).info.user_id == "ada"
    assert sql_store.create_run("0", user_id="bob", tags={RunKey.USER: "ada"}).info.user_id == "bob"


def test_first_tags_are_limited_in_length_only(sql_store: Store) -> None:
    run = sql_store.create_run("0", tags={"a$b": 5, "long": "v" * 8_001})  # type: ignore[dict-item]
    tags = sql_store.get_run(run.info.run_id).data.tags
    assert (tags["a$b"], tags["long"]) == ("5", "v" * 8_000)
    with pytest.raises(InvalidParameterError, match="250"):
        sql_store.create_run("0", tags={"k" * 251: "v"})


@pytest.mark.parametrize(("given", "kept"), [(1.9, 1), (-1, -1), (True, 1)])
def test_times_are_whole_milliseconds(sql_store: Store, given: Any, kept: int) -> None:
    run = sql_store.create_run("0", start_time_ms=given).info
    assert sql_store.update_run(run.run_id, end_time_ms=given).end_time == kept
    found = sql_store.get_run(run.run_id).info
    assert (found.start_time, found.end_time) == (kept, kept)
    assert type(found.start_time) is int


@pytest.mark.parametrize("given", ["x", 2**63, math.nan, math.inf, [5]])
def test_times_that_are_none(sql_store: Store, run: str, given: Any) -> None:
    with pytest.raises(InvalidParameterError, match="start_time"):
        sql_store.create_run("0", start_time_ms=given)
    with pytest.raises(InvalidParameterError, match="end_time"):
        sql_store.update_run(run, end_time_ms=given)
    assert sql_store.get_run(run).info.end_time is None


def test_a_run_that_goes_on_has_not_ended(sql_store: Store, run: str) -> None:
    sql_store.update_run(run, status="FINISHED", end_time_ms=5)
    assert sql_store.update_run(run, name="other").end_time == 5
    assert sql_store.update_run(run, status="RUNNING").end_time is None
    assert sql_store.update_run(run, status="SCHEDULED", end_time_ms=7).end_time == 7


def test_nothing_to_change(sql_store: Store, run: str) -> None:
    before = sql_store.get_run(run)
    assert sql_store.update_run(run) == before.info
    assert sql_store.get_run(run) == before


def test_the_tag_of_the_name_can_go(sql_store: Store, run: str) -> None:
    name = sql_store.get_run(run).info.run_name
    sql_store.delete_run_tag(run, RunKey.NAME)
    found = sql_store.get_run(run)
    assert (found.info.run_name, found.data.tags) == (name, {})


def test_a_name_beside_other_tags_that_are_refused(sql_store: Store, run: str) -> None:
    before = sql_store.get_run(run)
    sql_store.log_batch(run, params=[Param("p", "1")])
    with pytest.raises(InvalidParameterError):
        sql_store.log_batch(run, params=[Param("p", "2")], tags=[RunTag(RunKey.NAME, "other")])
    assert sql_store.get_run(run).info == before.info


@pytest.mark.parametrize("text", ["nul\0", "\ud800", "é" * 100])
def test_strange_texts(sql_store: Store, text: str) -> None:
    run = sql_store.create_run("0", run_name=text, user_id=text, tags={"t": text}).info.run_id
    sql_store.log_batch(run, params=[Param("p", text)], tags=[RunTag("u", text)])
    sql_store.log_batch(run, params=[Param("p", text)])
    dataset = Dataset(text, "d", "local", text, text, text)
    for _ in range(2):
        sql_store.log_inputs(run, datasets=[DatasetInput(dataset, [InputTag("t", text)])])
    found = sql_store.get_run(run)
    kept = str(found.info.run_name)
    assert found.data.tags == {"t": kept, "u": kept, RunKey.NAME: kept}
    assert (found.info.user_id, found.data.params) == (kept, {"p": kept})
    (used,) = found.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.source, used.tags) == (kept, kept, [InputTag("t", kept)])
    assert [kept] == re.findall(r"^(?:nul\u2400|.*[^\0\ud800].*)$", kept)


# -- values --------------------------------------------------------------------------------------------


def test_long_values_are_cut(sql_store: Store, run: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "otflow"):
        sql_store.log_batch(run, params=[Param("p", "v" * 6_001)], tags=[RunTag("t", "v" * 8_001)])
        sql_store.log_batch(run, params=[Param("p", "v" * 6_002)])
    data = sql_store.get_run(run).data
    assert (data.params["p"], data.tags["t"]) == ("v" * 6_000, "v" * 8_000)
    assert "6001 characters" in caplog.text


def test_long_values_are_refused_where_that_is_asked_for(
    sql_store: Store, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTFLOW_TRUNCATE_LONG_VALUES", "false")
    with pytest.raises(InvalidParameterError, match="'Param value' exceeds the maximum length of 6000"):
        sql_store.log_batch(run, params=[Param("p", "v" * 6_001)])
    with pytest.raises(InvalidParameterError, match="'value' exceeds the maximum length of 8000"):
        sql_store.log_batch(run, tags=[RunTag("t", "v" * 8_001)])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Metric("m", None, 1, 1), "Missing value for required parameter 'value'"),  # type: ignore[arg-type]
        (Metric("m", "x", 1, 1), "Invalid value \"x\" for parameter 'value'"),  # type: ignore[arg-type]
        (Metric("m", [1], 1, 1), r"Invalid value \[1\]"),  # type: ignore[arg-type]
        (Metric("m", 10**400, 1, 1), "too large"),
        (Metric("m", 1.0, -1, 1), "Invalid value -1 for parameter 'timestamp'.*nonnegative"),
        (Metric("m", 1.0, 2**63, 1), "'timestamp'"),
        (Metric("m", 1.0, "5", 1), "'timestamp'"),  # type: ignore[arg-type]
        (Metric("m", 1.0, 1, 1.5), "Invalid value 1.5 for parameter 'step'"),  # type: ignore[arg-type]
        (Metric("m", 1.0, 1, 2**63), "'step'"),
        (Metric("m", 1.0, 1, None), "Invalid value null for parameter 'step'"),  # type: ignore[arg-type]
        (Metric(None, 1.0, 1, 1), "Invalid value null for parameter 'name'"),  # type: ignore[arg-type]
        (Metric(5, 1.0, 1, 1), "Invalid value 5 for parameter 'name'"),  # type: ignore[arg-type]
    ],
)
def test_points_that_are_none(sql_store: Store, run: str, metric: Metric, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        sql_store.log_batch(run, metrics=[metric])
    if "parameter" in message:  # in a batch it says which one
        with pytest.raises(InvalidParameterError, match=r"'metrics\[1\]\."):
            sql_store.log_batch(run, metrics=[Metric("good", 1.0, 1, 1), metric])
    assert sql_store.get_run(run).data.metrics == {}


def test_numbers_of_other_kinds(sql_store: Store, run: str) -> None:
    numpy = pytest.importorskip("numpy")
    values = [True, "1.5", numpy.float32(0.5), numpy.int64(3), numpy.array([2.0])]
    sql_store.log_batch(
        run,
        metrics=[Metric(f"m{place}", value, 1.9, 2.0) for place, value in enumerate(values)],  # type: ignore[arg-type]
    )
    assert list(sql_store.get_run(run).data.metrics.values()) == [1.0, 1.5, 0.5, 3.0, 2.0]
    (point,) = sql_store.get_metric_history(run, "m0")
    assert (point.timestamp, point.step, type(point.step)) == (1, 2, int)


def test_the_history_of_a_run_that_is_not_there(sql_store: Store) -> None:
    assert list(sql_store.get_metric_history("0" * 32, "m")) == []


@pytest.mark.parametrize("arguments", [{"max_results": 0}, {"max_results": "5"}, {"page_token": "nonsense"}])
def test_pages_of_a_history_that_are_none(sql_store: Store, run: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        sql_store.get_metric_history(run, "m", **arguments)


def test_what_of_a_param_changed(sql_store: Store, run: str) -> None:
    sql_store.log_batch(run, params=[Param("a", "1"), Param("b", "2")])
    with pytest.raises(InvalidParameterError) as alone:
        sql_store.log_batch(run, params=[Param("a", "9")])
    assert alone.value.message == (
        "Changing param values is not allowed. Param with key='a' was already logged with value='1' for run"
        f" ID='{run}'. Attempted logging new value '9'."
    )
    with pytest.raises(InvalidParameterError) as many:
        sql_store.log_batch(run, params=[Param("a", "1"), Param("b", "9"), Param("c", "3")])
    assert many.value.message == (
        "Changing param values is not allowed. Params were already logged='[{'key': 'b', 'old_value': '2', 'new_value':"
        f" '9'}}]' for run ID='{run}'."
    )


def test_a_batch_of_any_size(sql_store: Store, run: str) -> None:
    many = 20_000
    sql_store.log_batch(
        run,
        metrics=[Metric(f"m{number % 2_000}", float(number), 5, number) for number in range(many)],
        params=[Param(f"p{number}", str(number)) for number in range(5_000)],
        tags=[RunTag(f"t{number}", str(number)) for number in range(5_000)],
    )
    data = sql_store.get_run(run).data
    assert data.metrics == {f"m{number}": float(many - 2_000 + number) for number in range(2_000)}
    assert len(data.params) == 5_000
    assert len(data.tags) == 5_001
    with pytest.raises(InvalidParameterError, match="p4999"):
        sql_store.log_batch(
            run,
            params=[*(Param(f"p{number}", str(number)) for number in range(4_999)), Param("p4999", "x")],
            tags=[RunTag("t", "1")],
        )
    assert "t" not in sql_store.get_run(run).data.tags


def test_how_many_statements(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{tmp_path}/test.db")
    run = store.create_run("0").info.run_id
    metrics = [Metric(f"m{number}", 1.0, 1, 1) for number in range(100)]
    params = [Param(f"p{number}", "1") for number in range(100)]
    store.get_run(run)  # asks whether it is in the workspace, once
    assert statements(store, monkeypatch, lambda: store.log_batch(run, metrics=metrics[:1])) == 3
    assert statements(store, monkeypatch, lambda: store.log_batch(run, metrics=metrics)) == 3
    assert statements(store, monkeypatch, lambda: store.log_batch(run, params=params)) == 2
    assert statements(store, monkeypatch, lambda: store.log_batch(run, tags=[RunTag("a", "1")])) == 2
    assert statements(store, monkeypatch, lambda: store.create_run("0")) == 3
    assert statements(store, monkeypatch, lambda: store.update_run(run, status="FINISHED")) == 2
    store.close()


# -- links ---------------------------------------------------------------------------------------------


def test_many_datasets(sql_store: Store, run: str) -> None:
    inputs = [DatasetInput(Dataset(f"d{number}", "1", "local", "s")) for number in range(1_500)]
    for _ in range(2):
        sql_store.log_inputs(run, datasets=[*inputs, inputs[0]])
    found = sql_store.get_run(run).inputs.dataset_inputs
    assert [one.dataset.name for one in found] == [f"d{number}" for number in range(1_500)]


@pytest.mark.parametrize(("key", "value"), [(None, "v"), ("k", None), ("k" * 256, "v"), ("k", "v" * 501), (5, "v")])
def test_tags_of_datasets_that_are_none(sql_store: Store, run: str, key: Any, value: Any) -> None:
    with pytest.raises(InvalidParameterError):
        sql_store.log_inputs(run, datasets=[DatasetInput(Dataset("d", "1", "local", "s"), [InputTag(key, value)])])
    assert sql_store.get_run(run).inputs.dataset_inputs == []


def test_the_same_models_again(sql_store: Store, run: str) -> None:
    sql_store.log_outputs(run, [LoggedModelOutput("m-1", 1), LoggedModelOutput("m-1", 2)])
    sql_store.log_outputs(run, [LoggedModelOutput("m-1", 3), LoggedModelOutput("m-0", None)])  # type: ignore[arg-type]
    sql_store.log_inputs(run, models=[LoggedModelInput("m-1")])
    found = sql_store.get_run(run)
    assert [(one.model_id, one.step) for one in found.outputs.model_outputs] == [("m-1", 1), ("m-0", 0)]
    assert [one.model_id for one in found.inputs.model_inputs] == ["m-1"]
    with pytest.raises(InvalidParameterError, match="logged model"):
        sql_store.log_outputs(run, [LoggedModelOutput("", 1)])


def test_metrics_of_all_models_of_a_run(sql_store: Store, run: str) -> None:
    used, made, other = (sql_store.create_logged_model("0", name=name).model_id for name in ("used", "made", "other"))
    sql_store.log_inputs(run, models=[LoggedModelInput(used), LoggedModelInput("m-not-there")])
    sql_store.log_outputs(run, [LoggedModelOutput(made, 0)])
    sql_store.log_batch(run, metrics=[Metric("no", 1.0, 1, 1)])
    points = [
        Metric("of-run", 1.0, 1, 1, dataset_name="d", dataset_digest="1"),
        Metric("of-other", 2.0, 1, 1, model_id=other),
    ]
    sql_store.log_batch(run, metrics=[*points, Metric("of-made", 3.0, 1, 1, model_id=made)], link_models=True)

    def metrics(model_id: str) -> list[tuple[Any, ...]]:
        found = sql_store.get_logged_model(model_id).metrics or []
        return [(one.key, one.value, one.dataset_name, one.dataset_digest) for one in found]

    assert metrics(used) == []
    assert sorted(metrics(made)) == [("of-made", 3.0, None, None), ("of-run", 1.0, "d", "1")]
    assert metrics(other) == [("of-other", 2.0, None, None)]
    found = sql_store.get_run(run)
    assert set(found.data.metrics) == {"no", "of-run", "of-other", "of-made"}
    assert [one.model_id for one in found.inputs.model_inputs] == [used, "m-not-there", other]


def test_metrics_of_a_model_that_is_not_there(sql_store: Store, run: str) -> None:
    metrics = [Metric("a", 1.0, 1, 1), Metric("b", 1.0, 1, 1, model_id="m-not-there")]
    with pytest.raises(NotFoundError, match="m-not-there"):
        sql_store.log_batch(run, metrics=metrics, tags=[RunTag("t", "1")])
    data = sql_store.get_run(run).data
    assert (data.metrics, "t" in data.tags) == ({}, False)


# -- several at once -----------------------------------------------------------------------------------


def test_threads_that_write_to_one_run(sql_store: Store, run: str) -> None:
    """No deadlock, whatever the order in which each names its keys; the last point is that of all."""
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                keys = [f"m{place}" for place in range(20)]
                metrics = [Metric(key, float(number), step, step) for key in (keys if number % 2 else keys[::-1])]
                tags = [RunTag(key, str(number)) for key in keys]
                params = [Param(key, "same") for key in keys]
                name = [RunTag(RunKey.NAME, f"name-{number}")]
                sql_store.log_batch(
                    run, metrics=metrics, tags=[*tags, *name], params=params[:: 1 if number % 2 else -1]
                )
                sql_store.update_run(run, name=f"name-{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert errors == []
    found = sql_store.get_run(run)
    assert found.data.metrics == {f"m{place}": 5.0 for place in range(20)}
    assert found.data.params == {f"m{place}": "same" for place in range(20)}
    assert found.data.tags[RunKey.NAME] == found.info.run_name
    assert len(list(sql_store.get_metric_history(run, "m7"))) == 60


def test_one_of_two_values_of_a_param_wins(sql_store: Store, run: str) -> None:
    errors: list[InvalidParameterError] = []
    barrier = threading.Barrier(2)

    def work(value: str) -> None:
        for number in range(20):
            barrier.wait(timeout=60)
            try:
                sql_store.log_batch(run, params=[Param(f"p{number}", value)], metrics=[Metric(value, 1.0, 1, number)])
            except InvalidParameterError as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(value,)) for value in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(errors) == 20
    params = list(sql_store.get_run(run).data.params.values())
    for value in "ab":
        assert len(list(sql_store.get_metric_history(run, value))) == params.count(value)


# -- the whole database --------------------------------------------------------------------------------


def fill(store: Store) -> list[str]:
    runs = [store.create_run("0", tags={"t": "1"}).info.run_id for _ in range(3)]
    model = store.create_logged_model("0", name="model", tags={"a": "b"}, params={"c": "d"}).model_id
    for number, run in enumerate(runs):
        metrics = [Metric("m", value, 1, number) for value in (1.5, math.nan, math.inf)]
        store.log_batch(run, metrics=[*metrics, Metric("of", 1.0, 1, 1, model_id=model)], params=[Param("p", "1")])
        store.log_inputs(
            run,
            datasets=[DatasetInput(Dataset("d", "1", "local", "s"), [InputTag("a", "b")])],
            models=[LoggedModelInput(model)],
        )
        store.log_outputs(run, [LoggedModelOutput(model, number)])
    return runs


def test_moving(uri: str, tmp_path: Any) -> None:
    source = open_store(uri)
    runs = fill(source)
    target_uri = f"sqlite:///{tmp_path}/moved.db"
    move_store(uri, target_uri)
    target = open_store(target_uri)
    for run in runs:
        assert repr(target.get_run(run)) == repr(source.get_run(run))
        assert repr(list(target.get_metric_history(run, "m"))) == repr(list(source.get_metric_history(run, "m")))
    # Numbers go on where the source was: a new run is none of the old ones.
    new = target.create_run("0").info.run_id
    assert target.get_run(new).data.metrics == {}
    source.close()
    target.close()
    assert check_store(target_uri) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM runs WHERE number = 1", "of runs that are not there"),
        ("DELETE FROM latest_metrics WHERE run = 1", "last point"),
        ("UPDATE latest_metrics SET value = 99 WHERE run = 1 AND key = 'm'", "last point"),
        ("UPDATE latest_metrics SET experiment_id = 5 WHERE run = 1", "another experiment"),
        ("DELETE FROM datasets", "datasets that are not there"),
        ("DELETE FROM logged_models", "logged models that are not there"),
        ("UPDATE runs SET experiment_id = 77 WHERE number = 1", "experiments that are not there"),
    ],
)
def test_checking(uri: str, damage: str, words: str) -> None:
    store = open_store(uri)
    fill(store)
    store.close()
    assert check_store(uri) == []
    database = open_database(uri)
    database.write(lambda session: session.run(damage))
    database.close()
    assert words in " ".join(finding.what for finding in check_store(uri) if finding.harmful)
