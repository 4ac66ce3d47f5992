"""Threads, processes, forks and failures."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from otflow.errors import InvalidParameterError, InvalidStateError, OtflowError, StoreUnavailableError
from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql import sqlite
from otflow.store.sql.store import SqlStore
from otflow.testing.contract.making import new_trace_id, span, write


def _put(store: Store) -> str:
    trace_id = new_trace_id()
    store.write_traces([write(trace_id, "0")], [span(trace_id)])
    return trace_id


def test_a_closed_store_says_so(sql_store: Store) -> None:
    sql_store.close()
    sql_store.close()
    with pytest.raises(InvalidStateError, match="closed"):
        sql_store.search_traces(["0"])
    with pytest.raises(InvalidStateError, match="closed"):
        _put(sql_store)


def test_opened_again_it_is_the_same_store(uri: str) -> None:
    first = open_store(uri)
    trace_id = _put(first)
    experiment = first.create_experiment("mine")
    first.close()
    second = open_store(uri)
    assert second.get_trace(trace_id).data.spans
    assert second.get_experiment(experiment).name == "mine"
    assert second.uri == first.uri
    second.close()


def test_two_stores_on_one_database_see_each_other(uri: str) -> None:
    first, second = open_store(uri), open_store(uri)
    trace_id = _put(first)
    assert second.get_trace(trace_id)
    second.set_trace_tag(trace_id, "env", "prod")
    assert first.get_trace(trace_id).info.tags["env"] == "prod"
    first.close()
    second.close()


def test_many_threads(sql_store: Store) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                assert sql_store.get_trace(_put(sql_store))
                sql_store.search_traces(["0"], max_results=5)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(sql_store.search_traces(["0"], max_results=500)) == 80


def test_several_processes(uri: str) -> None:
    code = textwrap.dedent(
        """
        import sys
        from otflow.store.opening import open_store
        from otflow.testing.contract.making import new_trace_id, span, write
        store = open_store(sys.argv[1])
        for _ in range(20):
            trace_id = new_trace_id()
            store.write_traces([write(trace_id, "0")], [span(trace_id)])
        store.close()
        """
    )
    # The database does not exist: whoever comes first makes it.
    running = [subprocess.Popen([sys.executable, "-c", code, uri], stderr=subprocess.PIPE, text=True) for _ in range(8)]
    assert [process.communicate()[1] for process in running] == [""] * 8
    store = open_store(uri)
    assert len(store.search_traces(["0"], max_results=500)) == 160
    assert [one.name for one in store.search_experiments()] == ["Default"]
    store.close()


def _in_child(work: Callable[[], None]) -> int:
    """Run something in a forked child; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork(sql_store: Store) -> None:
    before = _put(sql_store)
    sql_store.search_traces(["0"])

    def child() -> None:
        sql_store.after_fork_in_child()
        assert sql_store.get_trace(before)
        for _ in range(20):
            _put(sql_store)

    sql_store.before_fork()
    try:
        code = _in_child(child)
    finally:
        sql_store.after_fork_in_parent()
    assert code == 0
    _put(sql_store)
    assert len(sql_store.search_traces(["0"])) == 22


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_waits_for_what_is_being_written(sql_store: Store) -> None:
    stop = threading.Event()
    written: list[str] = []

    def child() -> None:
        sql_store.after_fork_in_child()
        _put(sql_store)

    def work() -> None:
        while not stop.is_set():
            written.append(_put(sql_store))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            sql_store.before_fork()
            try:
                code = _in_child(child)
            finally:
                sql_store.after_fork_in_parent()
            assert code == 0
    finally:
        stop.set()
        thread.join()
    found = {trace.info.trace_id for trace in sql_store.get_traces(written)}
    assert found == set(written)


# -- SQLite ----------------------------------------------------------------------------------------


def test_a_lock_that_does_not_come_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_TIMEOUT_S", 0.05)
    store = open_store(f"sqlite:///{tmp_path}/locked.db")
    trace_id = _put(store)
    other = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match=r"locked\.db was busy"):
        _put(store)
    assert store.get_trace(trace_id)  # reading goes on
    other.execute("COMMIT")
    other.close()
    _put(store)
    store.close()


def test_a_failing_write_leaves_nothing(sql_store: Store) -> None:
    assert isinstance(sql_store, SqlStore)

    def half(session: object) -> None:
        session.run("DELETE FROM experiments")  # type: ignore[attr-defined]
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        sql_store._database.write(half)
    assert sql_store.get_experiment("0").name == "Default"
    _put(sql_store)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(b"Dear Ada, " * 1_000)
    with pytest.raises(InvalidParameterError, match=r"letter\.db is not a SQLite database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"Dear Ada")


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidParameterError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/file/x.db")


def test_directories_are_made(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a/b/x.db")
    _put(store)
    store.close()
    assert (tmp_path / "a" / "b" / "x.db").is_file()


def test_in_memory() -> None:
    store = open_store("sqlite:///:memory:")
    trace_id = _put(store)
    assert store.get_trace(trace_id)
    assert len(store.search_traces(["0"])) == 1
    store.close()


def test_the_file_survives_a_kill(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import os, signal, sys
        from otflow.store.opening import open_store
        from otflow.testing.contract.making import new_trace_id, span, write
        store = open_store(sys.argv[1])
        for _ in range(10):
            trace_id = new_trace_id()
            store.write_traces([write(trace_id, "0")], [span(trace_id)])
            print(trace_id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    uri = f"sqlite:///{tmp_path}/killed.db"
    said = subprocess.run([sys.executable, "-c", code, uri], capture_output=True, text=True).stdout.split()
    store = open_store(uri)
    assert [trace.info.trace_id for trace in store.get_traces(said)] == said
    assert len(said) == 10
    store.close()


# -- PostgreSQL --------------------------------------------------------------------------------------


def test_a_connection_that_was_cut_is_replaced(new_postgresql: Callable[[], str]) -> None:
    import psycopg

    uri = new_postgresql()
    store = open_store(uri)
    _put(store)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    _put(store)
    assert len(store.search_traces(["0"])) == 2
    store.close()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_store("postgresql://ada:secret@127.0.0.1:1/none")
    assert "postgresql://ada@127.0.0.1:1/none" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_psycopg_may_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(OtflowError, match=r"otflow\[postgres\]"):
        open_store("postgresql://127.0.0.1/none")


def test_opening_imports_little(tmp_path: Path) -> None:
    code = (
        "import sys; from otflow.store.opening import open_store; open_store('sqlite:///x.db').search_traces(['0']);"
        "print([name for name in ('psycopg', 'pydantic', 'requests', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr
