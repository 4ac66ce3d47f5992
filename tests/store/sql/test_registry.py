"""The registry in SQL: what the contract does not say."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from otflow.entities import WebhookEvent
from otflow.errors import AlreadyExistsError, NotFoundError
from otflow.semconv import RegistryKey
from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql.checking import check_store
from otflow.store.sql.connection import Session
from otflow.store.sql.moving import move_store
from otflow.store.sql.registry import events
from otflow.store.sql.sqlite import SQLiteSession

SOURCE = "s3://bucket/model"


@pytest.fixture
def store(tmp_path: Any) -> Any:
    opened = open_store(f"sqlite:///{tmp_path}/t.db")
    yield opened
    opened.close()


class Statements:
    """What is run on SQLite from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all: list[str] = []
        self.plans: list[str] = []
        original, run = SQLiteSession.all, SQLiteSession.run

        def read(session: SQLiteSession, statement: str, parameters: Any = ()) -> Any:
            self.all.append(statement)
            if statement.startswith("SELECT"):
                plan = original(session, f"EXPLAIN QUERY PLAN {statement}", parameters)
                self.plans.extend(row[3] for row in plan)
            return original(session, statement, parameters)

        def change(session: SQLiteSession, statement: str, parameters: Any = ()) -> int:
            if statement.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK"):
                self.all.append(statement)
            return run(session, statement, parameters)

        monkeypatch.setattr(SQLiteSession, "all", read)
        monkeypatch.setattr(SQLiteSession, "run", change)

    def of(self, work: Callable[[], object]) -> int:
        self.all.clear()
        self.plans.clear()
        work()
        return len(self.all)


def test_how_many_statements(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Statements(monkeypatch)
    # One of those that change something asks which webhooks are to hear of it.
    assert counted.of(lambda: store.create_model_version("m", SOURCE, create_model=True)) <= 7
    assert counted.of(lambda: store.create_model_version("m", SOURCE, tags={"a": "b"}, create_model=True)) == 5
    assert counted.of(lambda: store.set_registered_model_alias("m", "a", "1")) == 4
    assert counted.of(lambda: store.get_model_version("m", "1")) == 5
    assert counted.of(lambda: store.get_model_version_by_alias("m", "a")) == 5
    assert counted.of(lambda: store.set_model_version_tag("m", "1", "k", "v")) == 4
    assert counted.of(lambda: store.set_registered_model_tag("m", "k", "v")) == 2


def test_lists_take_as_many_statements_as_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        store.create_registered_model(f"m{number}", tags={"a": "b", "c": "d"})
        for _ in range(3):
            store.create_model_version(f"m{number}", SOURCE, tags={"a": "b", "c": "d"})
        store.set_registered_model_alias(f"m{number}", "a", "1")
        store.transition_model_version_stage(f"m{number}", "1", "Production")
    counted = Statements(monkeypatch)
    for search in (store.search_registered_models, store.search_model_versions):
        one = counted.of(lambda search=search: search(max_results=1))
        assert one <= 6
        assert counted.of(search) == one
    assert len(store.search_registered_models()) == 30
    assert len(store.search_model_versions()) == 90
    assert counted.of(lambda: store.get_registered_model("m0")) <= 8


@pytest.mark.parametrize(
    "search",
    [
        lambda store: store.search_registered_models(max_results=5),
        lambda store: store.search_registered_models(filter_string="name = 'm3'"),
        lambda store: store.search_model_versions(max_results=5),
        lambda store: store.search_model_versions(filter_string="name = 'm3'"),
        lambda store: store.search_model_versions(filter_string="run_id = 'r3'"),
        lambda store: store.search_model_versions(filter_string="run_id IN ('r3', 'r4')"),
        lambda store: store.search_model_versions(filter_string="model_id = 'm-1'"),
        lambda store: store.get_registered_model("m3"),
        lambda store: store.get_latest_version("m3"),
        lambda store: store.get_model_version_by_alias("m3", "champion"),
    ],
)
def test_what_is_asked_for_is_found_by_an_index(
    store: Store, monkeypatch: pytest.MonkeyPatch, search: Callable[[Store], object]
) -> None:
    for number in range(10):
        store.create_model_version(f"m{number}", SOURCE, run_id=f"r{number}", create_model=True)
        store.set_registered_model_alias(f"m{number}", "champion", "1")
    counted = Statements(monkeypatch)
    counted.of(lambda: search(store))
    scanned = [plan for plan in counted.plans if plan.startswith("SCAN") and "INDEX" not in plan]
    assert [plan for plan in scanned if plan.split()[1] in ("v", "m", "t", "g", "a")] == []


@pytest.mark.parametrize("kind", [False, True])
def test_workspaces_see_nothing_of_each_other(sql_store: Store, kind: bool) -> None:
    with pytest.raises(NotFoundError, match="Workspace"):
        sql_store.in_workspace("other").create_registered_model("same")
    sql_store.create_workspace("other")
    other = sql_store.in_workspace("other")
    logged = sql_store.create_logged_model("0")
    sql_store.create_model_version("same", "s3://ours", create_model=True, prompt=kind, tags={"k": "ours"})
    sql_store.set_registered_model_alias("same", "a", "1")
    calls: list[Callable[[], object]] = [
        lambda: other.get_registered_model("same"),
        lambda: other.get_model_version("same", "1"),
        lambda: other.get_model_version_by_alias("same", "a"),
        lambda: other.get_latest_versions("same"),
        lambda: other.get_latest_version("same"),
        lambda: other.get_model_version_download_uri("same", "1"),
        lambda: other.create_model_version("same", SOURCE),
        lambda: other.create_model_version("mine", "models:/same/1", create_model=True),
        lambda: other.create_model_version("mine", logged.model_uri, create_model=True),
        lambda: other.update_registered_model("same", description="x"),
        lambda: other.update_model_version("same", "1", description="x"),
        lambda: other.transition_model_version_stage("same", "1", "Staging"),
        lambda: other.rename_registered_model("same", "mine"),
        lambda: other.set_registered_model_tag("same", "k", "x"),
        lambda: other.delete_registered_model_tag("same", "k"),
        lambda: other.set_model_version_tag("same", "1", "k", "x"),
        lambda: other.delete_model_version_tag("same", "1", "k"),
        lambda: other.set_registered_model_alias("same", "b", "1"),
        lambda: other.delete_registered_model_alias("same", "a"),
        lambda: other.delete_model_version("same", "1"),
        lambda: other.delete_registered_model("same"),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()
    anything = "tags.`mlflow.prompt.is_prompt` LIKE '%'"
    assert other.search_registered_models(filter_string=anything) == []
    assert other.search_model_versions(filter_string=anything) == []
    theirs = other.create_model_version("same", "s3://theirs", create_model=True, prompt=not kind)
    assert (theirs.version, theirs.workspace) == (1, "other")
    assert [one.source for one in other.search_model_versions(filter_string=anything)] == ["s3://theirs"]
    ours = sql_store.get_model_version_by_alias("same", "a")
    assert (ours.source, ours.tags, ours.workspace, ours.aliases) == ("s3://ours", {"k": "ours"}, "default", ["a"])
    assert [one.workspace for one in sql_store.search_registered_models(filter_string=anything)] == ["default"]


def test_a_name_that_several_want_at_once(sql_store: Store) -> None:
    outcomes: list[str] = []
    for number in range(4):
        sql_store.create_registered_model(f"m{number}")

    def rename(number: int) -> None:
        try:
            sql_store.rename_registered_model(f"m{number}", "wanted")
            outcomes.append("renamed")
        except AlreadyExistsError:
            outcomes.append("taken")

    def create() -> None:
        try:
            sql_store.create_registered_model("wanted")
            outcomes.append("created")
        except AlreadyExistsError:
            outcomes.append("taken")

    threads = [threading.Thread(target=rename, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes)[1:] == ["taken"] * 7
    assert min(outcomes) in ("created", "renamed")


def test_writers_and_a_deletion_at_once(sql_store: Store) -> None:
    errors: list[Exception] = []

    def add() -> None:
        for _ in range(10):
            try:
                sql_store.create_model_version("m", SOURCE, tags={"a": "b"}, create_model=True)
            except Exception as error:
                errors.append(error)

    def delete() -> None:
        for _ in range(10):
            try:
                sql_store.delete_registered_model("m")
            except NotFoundError:
                continue
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work) for work in (add, add, delete)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    sql_store.create_model_version("m", SOURCE, create_model=True)
    numbers = [version.version for version in sql_store.search_model_versions(order_by=["version_number"])]
    assert numbers == list(range(1, len(numbers) + 1))


def test_texts_that_a_database_cannot_hold(sql_store: Store) -> None:
    made = sql_store.create_model_version(
        "a\0b\ud800", "s3://x\0", description="d\0", tags={"k": "v\0\ud800"}, create_model=True
    )
    assert "\0" not in f"{made.name}{made.source}{made.description}{made.tags}"
    assert sql_store.get_model_version("a\0b\ud800", "1").tags == made.tags
    assert [one.name for one in sql_store.search_registered_models(filter_string="name LIKE 'a%'")] == [made.name]


def fill(store: Store) -> None:
    store.create_model_version("m", SOURCE, tags={"a": "b"}, create_model=True, model_tags={"c": "d"})
    store.create_model_version("m", SOURCE)
    store.create_model_version("p", "dummy", create_model=True, prompt=True)
    store.set_registered_model_alias("m", "champion", "1")
    store.delete_model_version("m", "2")


def test_a_registry_moves(tmp_path: Any, new_postgresql: Callable[[], str]) -> None:
    uris = [f"sqlite:///{tmp_path}/from.db", new_postgresql(), f"sqlite:///{tmp_path}/to.db"]
    store = open_store(uris[0])
    fill(store)
    store.close()
    for source, target in pairwise(uris):
        move_store(source, target)
        assert check_store(target) == []
    store = open_store(uris[2])
    version = store.get_model_version_by_alias("m", "champion", prompt=False)
    assert (version.source, version.tags, store.get_registered_model("m").tags) == (SOURCE, {"a": "b"}, {"c": "d"})
    # Neither numbers of models nor of versions are given out twice.
    assert store.create_model_version("m", SOURCE).version == 3
    store.create_model_version("new", SOURCE, create_model=True)
    assert store.get_registered_model("p", prompt=True).name == "p"
    store.close()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("DELETE FROM registered_models WHERE name = 'm'", "versions of registered models that are not there"),
        ("DELETE FROM model_versions", "aliases of versions that are not there"),
        ("UPDATE registered_models SET last_version = 0", "would be given out again"),
    ],
)
def test_damage_is_found(tmp_path: Any, damage: str, found: str) -> None:
    uri = f"sqlite:///{tmp_path}/t.db"
    store = open_store(uri)
    fill(store)
    store.close()
    assert check_store(uri) == []
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute(damage)
    connection.close()
    assert any(found in finding.what for finding in check_store(uri))


class TestEvents:
    """What webhooks are told, in the transaction of the change itself."""

    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
        heard: list[tuple[str, dict[str, object]]] = []

        def emit(session: Session, workspace: str, event: WebhookEvent, data: Mapping[str, object]) -> None:
            assert session.one("SELECT 1") == (1,)
            assert workspace == "default"
            heard.append((str(event), dict(data)))

        monkeypatch.setattr(events, "emit", emit)
        return heard

    def test_of_models(self, store: Store, told: list[tuple[str, dict[str, object]]]) -> None:
        store.create_registered_model("m", tags={"a": "b"}, description="d")
        store.create_model_version("m", SOURCE, run_id="r", tags={"a": "b"}, description="d")
        store.create_model_version("new", SOURCE, create_model=True, model_tags={"c": "d"})
        store.set_model_version_tag("m", "1", "k", "v")
        store.set_registered_model_alias("m", "champion", "1")
        for _ in range(2):  # the second time nothing happens
            store.delete_model_version_tag("m", "1", "k")
            store.delete_registered_model_alias("m", "champion")
        store.set_registered_model_tag("m", "k", "v")
        store.delete_registered_model_tag("m", "k")
        assert told == [
            ("registered_model.created", {"name": "m", "tags": {"a": "b"}, "description": "d"}),
            (
                "model_version.created",
                {
                    "name": "m", "version": "1", "source": SOURCE, "run_id": "r", "tags": {"a": "b"},
                    "description": "d",
                },
            ),
            ("registered_model.created", {"name": "new", "tags": {"c": "d"}, "description": None}),
            (
                "model_version.created",
                {"name": "new", "version": "1", "source": SOURCE, "run_id": None, "tags": {}, "description": None},
            ),
            ("model_version_tag.set", {"name": "m", "version": "1", "key": "k", "value": "v"}),
            ("model_version_alias.created", {"name": "m", "alias": "champion", "version": "1"}),
            ("model_version_tag.deleted", {"name": "m", "version": "1", "key": "k"}),
            ("model_version_alias.deleted", {"name": "m", "alias": "champion"}),
        ]  # fmt: skip

    def test_of_prompts(self, store: Store, told: list[tuple[str, dict[str, object]]]) -> None:
        kept = {RegistryKey.IS_PROMPT: "true", RegistryKey.PROMPT_TEXT: "Hello {{name}}!"}
        store.create_model_version(
            "p", "dummy", tags={**kept, "a": "b"}, description="d", create_model=True, prompt=True
        )
        store.set_registered_model_tag("p", "k", "v")
        store.delete_registered_model_tag("p", "k")
        store.set_model_version_tag("p", "1", "k", "v")
        store.delete_model_version_tag("p", "1", "k")
        store.set_registered_model_alias("p", "prod", "1")
        store.delete_registered_model_alias("p", "prod")
        assert told == [
            ("prompt.created", {"name": "p", "tags": {}, "description": None}),
            (
                "prompt_version.created",
                {"name": "p", "version": "1", "template": "Hello {{name}}!", "tags": {"a": "b"}, "description": "d"},
            ),
            ("prompt_tag.set", {"name": "p", "key": "k", "value": "v"}),
            ("prompt_tag.deleted", {"name": "p", "key": "k"}),
            ("prompt_version_tag.set", {"name": "p", "version": "1", "key": "k", "value": "v"}),
            ("prompt_version_tag.deleted", {"name": "p", "version": "1", "key": "k"}),
            ("prompt_alias.created", {"name": "p", "alias": "prod", "version": "1"}),
            ("prompt_alias.deleted", {"name": "p", "alias": "prod"}),
        ]

    def test_nothing_is_told_of_what_does_not_happen(
        self, store: Store, told: list[tuple[str, dict[str, object]]]
    ) -> None:
        with pytest.raises(NotFoundError):
            store.set_model_version_tag("none", "1", "k", "v")
        with pytest.raises(NotFoundError):
            store.set_registered_model_alias("none", "a", "1")
        assert told == []
