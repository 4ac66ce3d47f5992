"""Moving whole databases between SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.cli import main
from otflow.entities import Feedback, Span, TraceState
from otflow.errors import InvalidParameterError, InvalidStateError, SchemaVersionError
from otflow.store.interface import TraceWrite
from otflow.store.opening import open_store
from otflow.store.sql import moving, schema
from otflow.store.sql.checking import check_store
from otflow.store.sql.moving import move_store, row_digest
from otflow.store.sql.vacuuming import vacuum_store


def fill(uri: str) -> None:
    """Experiments, one of them deleted, traces with long and odd values, assessments, links."""
    store = open_store(uri)
    other = store.create_experiment("other", tags={"team": "ä\u2028"})
    store.delete_experiment(store.create_experiment("gone"))
    for number in range(1, 30):
        an_id = f"tr-{number:032x}"
        span = Span.of(
            trace_id=an_id,
            span_id=f"{number:016x}",
            parent_id=None,
            name=f"größe {number}\x00",
            start_ns=number * 10**9,
            end_ns=number * 10**9 + 5,
            attributes={"mlflow.spanInputs": f'"{"word " * 20_000}{number}"' if number % 5 == 0 else "1", "n": 2**62},
        )
        store.write_traces([TraceWrite(an_id, other, number * 10**9, TraceState.OK, tags={"k": str(number)})], [span])
        store.create_assessment(Feedback("score", number / 7, trace_id=an_id))
    store.link_traces_to_run([f"tr-{1:032x}"], "run")
    store.link_prompts_to_trace(f"tr-{1:032x}", [("p", "1")])
    store.close()


def content(uri: str) -> list[str]:
    store = open_store(uri)
    ids = [experiment.experiment_id for experiment in store.search_experiments(view_type=3)]
    found = [store.get_experiment(an_id).name for an_id in ids]
    found += [trace.to_json() for trace in store.search_traces(ids, max_results=1000)]
    found += [trace.info.trace_id for trace in store.search_traces(ids, filter_string="run_id = 'run'")]
    store.close()
    return found


def test_there_and_back(tmp_path: Path, new_postgresql: Callable[[], str]) -> None:
    first, second, third = f"sqlite:///{tmp_path}/1.db", new_postgresql(), f"sqlite:///{tmp_path}/3.db"
    fill(first)
    told: list[tuple[str, int]] = []
    there = move_store(first, second, progress=lambda table, rows: told.append((table, rows)))
    assert {table.name: table.rows for table in there}["traces"] == 29
    assert ("traces", 29) in told
    back = move_store(second, third)
    assert there == back
    assert content(first) == content(second) == content(third)
    for uri in (first, second, third):
        assert check_store(uri) == []


def test_numbers_that_were_given_out_are_not_given_again(
    uri: str, tmp_path: Path, new_postgresql: Callable[[], str]
) -> None:
    fill(uri)
    for target in (f"sqlite:///{tmp_path}/new.db", new_postgresql()):
        move_store(uri, target)
        store = open_store(target)
        assert store.create_experiment("next") == "3"
        store.close()


def test_an_empty_store_moves_too(uri: str, new_postgresql: Callable[[], str]) -> None:
    open_store(uri).close()
    target = new_postgresql()
    move_store(uri, target)
    store = open_store(target)
    assert store.create_experiment("first") == "1"
    store.close()


def test_only_into_an_empty_store(uri: str, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/source.db"
    fill(source)
    store = open_store(uri)
    store.create_experiment("mine")
    store.close()
    with pytest.raises(InvalidStateError, match="is not empty: there are rows in experiments"):
        move_store(source, uri)
    assert content(uri) == ["mine", "Default"]


def test_the_source_must_be_a_store_of_this_version(uri: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/new.db"
    with pytest.raises(InvalidParameterError, match="there is no database"):
        move_store(f"sqlite:///{tmp_path}/none.db", uri)
    (tmp_path / "empty.db").touch()
    with pytest.raises(SchemaVersionError, match="no otflow database"):
        move_store(f"sqlite:///{tmp_path}/empty.db", uri)
    fill(target)
    with pytest.raises(InvalidParameterError, match="same database"):
        move_store(target, target)


def test_a_mismatch_leaves_nothing(uri: str, tmp_path: Path) -> None:
    """A target that keeps something else than it was given, as a trigger of somebody's might."""
    source = f"sqlite:///{tmp_path}/source.db"
    fill(source)
    open_store(uri).close()
    before = content(uri)
    if uri.startswith("sqlite"):
        statement = (
            "CREATE TRIGGER meddle AFTER INSERT ON traces BEGIN"
            " UPDATE traces SET name = 'x' WHERE trace_id = new.trace_id; END"
        )
        connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
        connection.execute(statement)
        connection.commit()
        connection.close()
    else:
        import psycopg

        with psycopg.connect(uri) as connection:
            connection.execute(
                "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN NEW.name = 'x'; RETURN NEW; END $$"
            )
            connection.execute("CREATE TRIGGER meddle BEFORE INSERT ON traces FOR EACH ROW EXECUTE FUNCTION meddle()")
    with pytest.raises(InvalidStateError, match="the table traces has arrived with 29 rows and checksum"):
        move_store(source, uri)
    assert content(uri) == before
    assert main(["db", "move", source, uri]) == 1


def test_a_file_that_was_made_for_a_move_that_failed_is_gone(tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/source.db"
    fill(source)

    def stop(table: str, rows: int) -> None:
        if table == "spans":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_store(source, f"sqlite:///{tmp_path}/new.db", progress=stop)
    assert [path.name for path in tmp_path.glob("new.db*")] == []


def test_big_tables_are_moved_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = f"sqlite:///{tmp_path}/source.db", f"sqlite:///{tmp_path}/new.db"
    fill(source)
    monkeypatch.setattr(moving, "_ROWS_AT_ONCE", 7)
    told: list[tuple[str, int]] = []
    move_store(source, target, progress=lambda table, rows: told.append((table, rows)))
    assert [rows for table, rows in told if table == "traces"] == [7, 14, 21, 28, 29]
    assert content(source) == content(target)


def test_every_table_of_the_schema_is_moved(uri: str) -> None:
    """What a later migration adds is moved without a word here."""
    open_store(uri).close()
    from otflow.store.opening import open_database

    database = open_database(uri)
    with database.read() as session:
        there = {name for name in schema.tables_of(session) if not name.startswith("sqlite_")}
    database.close()
    assert {table.name for table in schema.reference()} | {schema.HISTORY} == there


def test_vacuum(uri: str) -> None:
    fill(uri)
    before = content(uri)
    done = vacuum_store(uri)
    assert done.before > 0
    assert done.after > 0
    assert content(uri) == before
    store = open_store(uri)
    store.delete_traces("1", max_timestamp_ms=10**9)
    store.close()
    if uri.startswith("sqlite"):
        assert vacuum_store(uri).after < done.after
    assert check_store(uri) == []


VALUES = st.none() | st.text(max_size=5) | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=5)
ROWS = st.lists(VALUES, max_size=4).map(tuple)


@given(ROWS, ROWS)
def test_rows_that_differ_have_other_digests(one: tuple[object, ...], two: tuple[object, ...]) -> None:
    same = len(one) == len(two) and all(
        type(a) is type(b) and repr(a) == repr(b) for a, b in zip(one, two, strict=True)
    )
    assert (row_digest(one) == row_digest(two)) == same
