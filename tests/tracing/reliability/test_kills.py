"""Processes that are killed, stopped, forked and thrown away: what was acknowledged is there exactly once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.tracing.reliability.programs import environment, names, rows, run, start, until

KILLS = 200

SHOOTING_RANGE = """
import json, random, select

def child(number, pipe):
    while True:
        made = []
        for _ in range(random.randrange(1, 8)):
            with otflow.start_span(f"root-{number}") as root:
                work(1)
            made.append(root.trace_id)
        if writer.flush():
            os.write(pipe, (json.dumps(made) + "\\n").encode())

random.seed(SEED)
work(0)
writer.flush()
running, acknowledged, started = {}, {}, 0
while started < KILLS or running:
    while started < KILLS and len(running) < 4:
        reads, writes = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reads)
            child(started, writes)
        os.close(writes)
        running[pid] = (started, reads, time.monotonic() + random.uniform(0.0, 0.12))
        started += 1
    time.sleep(0.002)
    for pid, (number, reads, at) in list(running.items()):
        if time.monotonic() >= at:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            data = b""
            while piece := os.read(reads, 1 << 20):
                data += piece
            os.close(reads)
            acknowledged[number] = [t for line in data.decode().splitlines() for t in json.loads(line)]
            del running[pid]
print(json.dumps(acknowledged))
"""


def test_two_hundred_kills_at_random_moments(tmp_path):
    done = run(SHOOTING_RANGE.replace("KILLS", str(KILLS)).replace("SEED", str(os.getpid())), tmp_path)
    acknowledged = json.loads(done.stdout)
    assert len(acknowledged) == KILLS
    wanted = {trace_id for ids in acknowledged.values() for trace_id in ids}
    assert len(wanted) > KILLS
    database = tmp_path / "t.db"
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    spans = dict(rows(database, "SELECT trace_id, COUNT(*) FROM spans GROUP BY trace_id"))
    states = dict(rows(database, "SELECT trace_id, state FROM traces"))
    assert {trace_id: spans.get(trace_id) for trace_id in wanted} == dict.fromkeys(wanted, 2)
    assert {states[trace_id] for trace_id in wanted} == {"OK"}


@pytest.mark.parametrize("how", ["sys.exit(3)", "raise RuntimeError('mine')"])
def test_exits_write_everything(tmp_path, how):
    run(f"for n in range(20): work(n)\n{how}", tmp_path, returns=3 if "exit" in how else 1)
    assert len(names(tmp_path)) == 20


def test_an_exception_in_a_thread(tmp_path):
    done = run(
        """
        def fail():
            with otflow.start_span("thread"):
                raise RuntimeError("mine")
        thread = threading.Thread(target=fail)
        thread.start(); thread.join()
        """,
        tmp_path,
    )
    assert "RuntimeError: mine" in done.stderr
    assert rows(tmp_path / "t.db", "SELECT name, status FROM spans") == [("thread", "ERROR")]


def test_os_exit_loses_what_was_not_flushed_and_no_more(tmp_path):
    run("work(1); otflow.flush_trace_async_logging(); work(2); os._exit(0)", tmp_path)
    assert names(tmp_path) in (["work"], ["work", "work"])


def test_a_work_horse_that_writes_through_loses_nothing(tmp_path):
    # As RQ does it: a fork for each job, which leaves by os._exit as soon as the job is done.
    run(
        """
        for n in range(20):
            pid = os.fork()
            if pid == 0:
                work(n)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        """,
        tmp_path,
        OTFLOW_TRACE_SYNC="true",
    )
    assert len(names(tmp_path)) == 20


def test_a_function_that_is_frozen_when_it_has_answered(tmp_path):
    child = start(
        "for n in range(5):\n    work(n)\n    os.kill(os.getpid(), signal.SIGSTOP)",
        tmp_path,
        AWS_LAMBDA_FUNCTION_NAME="f",
        OTFLOW_TRACE_FLUSH_INTERVAL_MS="60000",
    )
    for n in range(5):
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        assert len(names(tmp_path)) == n + 1
        child.send_signal(signal.SIGCONT)
    child.communicate(timeout=60)
    assert child.returncode == 0


@pytest.mark.parametrize("asked", [True, False])
def test_sigterm(tmp_path, asked):
    child = start(
        "work(1)\nprint('ready', flush=True)\ntime.sleep(60)",
        tmp_path,
        OTFLOW_TRACE_FLUSH_INTERVAL_MS="60000",
        OTFLOW_TRACE_FLUSH_ON_SIGTERM="true" if asked else "false",
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.terminate()
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGTERM
    assert (tmp_path / "t.db").exists() is asked
    if asked:
        assert names(tmp_path) == ["work"]


def test_sigterm_is_left_to_the_program_that_handles_it(tmp_path):
    run(
        """
        def mine(number, frame): sys.exit(7)
        signal.signal(signal.SIGTERM, mine)
        work(1)
        assert signal.getsignal(signal.SIGTERM) is mine
        os.kill(os.getpid(), signal.SIGTERM)
        """,
        tmp_path,
        returns=7,
        OTFLOW_TRACE_FLUSH_ON_SIGTERM="true",
    )
    assert names(tmp_path) == ["work"]


def test_stopped_and_continued(tmp_path):
    child = start(
        """
        work(0)
        otflow.flush_trace_async_logging()  # the database is there
        for n in range(1, 200):
            work(n)
            if n == 50: print('half', flush=True)
            time.sleep(0.002)
        """,
        tmp_path,
    )
    assert child.stdout is not None
    child.stdout.readline()
    for _ in range(3):
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        # What is stopped holds no lock for long.
        with contextlib.closing(sqlite3.connect(tmp_path / "t.db", timeout=0.2)) as other:
            other.execute("SELECT COUNT(*) FROM spans").fetchall()
        child.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    assert len(names(tmp_path)) == 200


def test_forks_while_the_writer_is_at_work(tmp_path):
    run(
        """
        work(0)  # a fork amid the imports of a first call is Python's own deadlock
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                work(-1); time.sleep(0.0005)
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads: thread.start()
        for n in range(20):
            with writer._lock if n % 2 else threading.Lock():
                pass
            pid = os.fork()
            if pid == 0:
                with otflow.start_span("child"): work(n)
                assert writer.flush(30)
                assert otflow.tracing.delivery().written == 2, otflow.tracing.delivery()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        for thread in threads: thread.join()
        assert writer.flush(60)
        said = otflow.tracing.delivery()
        assert said.lost == said.spilled == said.queued == 0, said
        """,
        tmp_path,
    )
    assert names(tmp_path).count("child") == 20


def test_a_fork_while_a_thread_holds_the_writers_lock(tmp_path):
    run(
        """
        work(0); writer.flush()
        held = threading.Event()
        def hold():
            with writer._lock:
                held.set(); time.sleep(1.5)
        thread = threading.Thread(target=hold); thread.start(); held.wait()
        pid = os.fork()
        if pid == 0:
            work(1)
            os._exit(0 if writer.flush(20) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        thread.join()
        work(2)
        """,
        tmp_path,
        OTFLOW_TRACE_FLUSH_TIMEOUT_S="0.3",
    )
    assert len(names(tmp_path)) == 3


def test_eight_processes_write_one_file(tmp_path):
    children = [start("for n in range(1000): work(n)", tmp_path) for _ in range(8)]
    for child in children:
        _, err = child.communicate(timeout=120)
        assert (child.returncode, err) == (0, "")
    assert rows(tmp_path / "t.db", "SELECT COUNT(*), COUNT(DISTINCT trace_id) FROM spans") == [(8000, 8000)]
    assert rows(tmp_path / "t.db", "SELECT state, COUNT(*) FROM traces GROUP BY state") == [("OK", 8000)]


APPLICATION = """
import otflow

@otflow.trace
def answer(path):
    return path.encode()

def app(environ, start_response):
    if environ["PATH_INFO"] == "/during":
        with otflow.start_span("request"):
            body = answer("/during")
    else:
        body = answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

answer("/import")
"""


@pytest.mark.parametrize("preload", [True, False])
def test_gunicorn(tmp_path, preload):
    import http.client
    import socket

    (tmp_path / "application.py").write_text(APPLICATION)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-w", "3", "-b", f"127.0.0.1:{port}", "--no-control-socket"][
            : None if _has_control_socket() else -1
        ]
        + (["--preload"] if preload else [])
        + ["application:app"],
        cwd=tmp_path,
        env=environment(tmp_path, OTFLOW_TRACE_FLUSH_INTERVAL_MS="60000"),
        stderr=subprocess.PIPE,
        text=True,
    )

    def get(path: str) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except OSError:
            return None
        finally:
            connection.close()

    try:
        until(lambda: get("/first") == b"/first")
        for n in range(60):
            assert get(f"/{n}") == f"/{n}".encode()
        assert get("/during") == b"/during"
    finally:
        server.terminate()
        _, err = server.communicate(timeout=60)
    assert server.returncode == 0, err
    # By import: once where the application is loaded before the forks, else once a worker.
    assert sorted(names(tmp_path)).count("request") == 1
    assert names(tmp_path).count("answer") == 62 + (1 if preload else 3), err


def _has_control_socket() -> bool:
    done = subprocess.run([sys.executable, "-m", "gunicorn", "--help"], capture_output=True, text=True, check=True)
    return "--no-control-socket" in done.stdout
