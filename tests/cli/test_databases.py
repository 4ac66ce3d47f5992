"""`otflow db …` on SQLite, and `otflow doctor`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from otflow.store.opening import open_store

from .conftest import Run, trace_id, write_trace


def path_of(uri: str) -> str:
    return uri.removeprefix("sqlite:///")


def execute(uri: str, *statements: str) -> None:
    connection = sqlite3.connect(path_of(uri), isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# -- check ---------------------------------------------------------------------------------------------


def test_a_sound_database(run: Run, uri: str) -> None:
    done = run("db", "check", uri)
    assert (done.code, done.out, done.err) == (0, "no problems found\n", "")
    assert run("db", "check", "--store", uri).code == 0


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM traces WHERE trace_id LIKE '%1'", "2 spans of traces that are not there"),
        ("DELETE FROM experiments WHERE name = 'other'", "1 traces of experiments that are not there"),
        ("DELETE FROM trace_terms WHERE field = 'tag.env'", "4 traces that a search by tag"),
        ("UPDATE traces SET session_id = 'x' WHERE trace_id LIKE '%2'", "1 trace whose column session_id"),
        ("UPDATE spans SET usage = '{\"input_tokens\": 9}'", "whose token usage"),
        ("UPDATE traces SET tags = '[' WHERE trace_id LIKE '%3'", "1 trace whose column tags is not a JSON object"),
        ("UPDATE traces SET state = 'GONE' WHERE trace_id LIKE '%3'", "in a state that is none of"),
        ("ALTER TABLE spans DROP COLUMN usage", "the table spans has no column usage"),
        ("DROP TABLE trace_runs", "the table trace_runs is not there"),
    ],
)
def test_what_is_wrong_is_found(run: Run, uri: str, statement: str, told: str) -> None:
    execute(uri, "PRAGMA foreign_keys = OFF", statement)
    done = run("db", "check", uri)
    assert done.code == 3
    assert told in done.out
    assert done.out.splitlines()[-1].endswith("found")


def test_terms_too_many_are_a_note(run: Run, uri: str) -> None:
    execute(uri, f"INSERT INTO trace_terms VALUES (0, 'span.name', 'former', 1, '{trace_id(1)}')")
    done = run("db", "check", uri)
    assert done.code == 0
    assert done.out.startswith("note: 1 search terms more")


def test_a_damaged_file(run: Run, uri: str) -> None:
    execute(uri, "PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path_of(uri), "r+b") as file:
        for place in range(8192, os.path.getsize(path_of(uri)), 4096):
            file.seek(place)
            file.write(b"\xff" * 200)
    done = run("db", "check", uri)
    assert done.code == 3
    assert "the file is damaged" in done.out
    assert not done.err


def test_a_file_cut_off(run: Run, uri: str) -> None:
    execute(uri, "PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(path_of(uri), os.path.getsize(path_of(uri)) // 8192 * 4096)
    done = run("db", "check", uri)
    assert done.code == 3
    assert "the file is damaged" in done.out
    assert not done.err


def test_a_file_that_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("milk, eggs, bread\n" * 100)
    done = run("db", "check", f"sqlite:///{tmp_path}/notes.db")
    assert done.code == 1
    assert "is not a SQLite database" in done.err


@pytest.mark.parametrize("command", ["upgrade", "check", "vacuum", "move"])
def test_only_databases_can_be_kept_in_order(run: Run, tmp_path: Path, command: str) -> None:
    done = run("db", command, "http://127.0.0.1:9", *([f"sqlite:///{tmp_path}/new.db"] if command == "move" else []))
    assert done.code == 1
    assert done.err == (
        "otflow: only databases, sqlite: and postgresql:, can be upgraded, checked, vacuumed and moved, not "
        "'http://127.0.0.1:9'\n"
    )


def test_nothing_is_moved_into_memory(run: Run, uri: str) -> None:
    done = run("db", "move", uri, "sqlite://")
    assert done.code == 1
    assert "would be gone at once" in done.err


def test_a_move_that_was_killed_is_done_again(uri: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/moved.db"
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, uri, target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert killed.wait(timeout=60) == -signal.SIGKILL
    finally:
        killed.kill()
    done = subprocess.run(
        [sys.executable, "-m", "otflow", "db", "move", uri, target], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "the checksums of both sides agree" in done.stdout


KILLED = """
import os, signal, sys
from otflow.store.sql import moving

def die(table, rows):
    if table == "spans":
        os.kill(os.getpid(), signal.SIGKILL)

moving.move_store(sys.argv[1], sys.argv[2], progress=die)
"""


def test_there_must_be_a_database(run: Run, tmp_path: Path) -> None:
    none = f"sqlite:///{tmp_path}/none.db"
    for words in (["upgrade"], ["check"], ["vacuum"]):
        assert run("db", *words, none).err == f"otflow: there is no database at {none}\n"
    assert "given twice" in run("db", "check", none, "--store", "sqlite:///other.db").err
    assert list(tmp_path.iterdir()) == []


# -- vacuum --------------------------------------------------------------------------------------------


def test_vacuum_gives_room_back(run: Run, uri: str) -> None:
    for number in range(10, 300):
        write_trace(uri, number) if number < 60 else None
    store = open_store(uri)
    before = store.get_trace(trace_id(1)).to_json()
    store.delete_traces("0", trace_ids=[trace_id(number) for number in range(10, 60)])
    store.close()
    size = os.path.getsize(path_of(uri))
    done = run("db", "vacuum", uri)
    assert done.code == 0, done.err
    assert os.path.getsize(path_of(uri)) < size
    assert run("db", "check", uri).code == 0
    store = open_store(uri)
    assert store.get_trace(trace_id(1)).to_json() == before
    store.close()


# -- move ----------------------------------------------------------------------------------------------


def test_move_prints_a_checksum_for_each_table(run: Run, uri: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/moved.db"
    done = run("db", "move", uri, target)
    assert (done.code, done.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in done.lines[:-1]}
    assert rows["traces"][0] == "4"
    assert rows["spans"][0] == "8"
    assert all(len(row[-1]) == 32 for row in rows.values())
    assert done.lines[-1].endswith("the checksums of both sides agree")
    assert run("db", "check", target).code == 0
    for words in (["search"], ["export"]):
        assert run("traces", *words, "-s", target).out == run("traces", *words, "-s", uri).out
    again = run("db", "move", uri, target)
    assert again.code == 1
    assert "is not empty" in again.err
    assert "same database" in run("db", "move", uri, uri).err


# -- doctor --------------------------------------------------------------------------------------------


def test_doctor_says_how_things_are(run: Run, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("OTFLOW_TRACKING_TOKEN", "sekret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=sekret")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert "sekret" not in done.out
    found = json.loads(run("doctor", "--json").out)
    assert found["environment"]["OTEL_SERVICE_NAME"] == "shop"
    assert found["environment"]["OTEL_EXPORTER_OTLP_HEADERS"] == "***"
    assert found["settings"]["OTFLOW_TRACKING_TOKEN"] == "***"
    store = found["store"]
    assert (store["traces"], store["experiments"], store["journal mode"], store["writable"]) == (4, 2, "wal", True)
    assert {"otflow", "python", "sqlite", "opentelemetry-sdk"} <= found["versions"].keys()
    assert found["problems"] == []


def test_doctor_makes_nothing(run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--json")
    assert done.code == 0
    assert json.loads(done.out)["store"]["exists"] is False
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_problems(run: Run, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "7")
    monkeypatch.setenv("OTFLOW_TRACKING_URI", "nonsense://x")
    done = run("doctor")
    assert done.code == 3
    assert "OTFLOW_TRACE_SAMPLING_RATIO" in done.err
    assert "nonsense" in done.err
    execute(uri, "INSERT INTO schema_migrations VALUES (99, 'future', 0)")
    done = run("doctor", "-s", uri)
    assert done.code == 3
    assert "pip install --upgrade otflow" in done.err
