"""Runs that nobody waits for: their status, their end, and what the end of this process means for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import otflow
from otflow.projects import SubmittedRun

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes and signals of POSIX")

POINTS = """\
entry_points:
  main:
    command: "echo $$ > started; read line < gate; exit $line"
  stubborn:
    command: "trap '' TERM; echo $$ > started; read line < gate"
  quick:
    command: "true"
"""


@pytest.fixture
def directory(project, tracking) -> Path:
    """A project that says when it has started, and ends with the exit code that is written to its `gate`."""
    found = project(files={"MLproject": POINTS})
    os.mkfifo(found / "gate")
    os.mkfifo(found / "started")
    return found


def start(directory: Path, entry_point: str = "main") -> tuple[SubmittedRun, int]:
    submitted = otflow.run(str(directory), entry_point, env_manager="local", synchronous=False)
    return submitted, int((directory / "started").read_text())


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("code", "status"), [("0", "FINISHED"), ("3", "FAILED")])
def test_the_status_follows_the_process(directory, code, status):
    submitted, _ = start(directory)
    assert isinstance(submitted, SubmittedRun)
    assert (submitted.get_status(), otflow.get_run(submitted.run_id).info.status) == ("RUNNING", "RUNNING")
    (directory / "gate").write_text(code)
    assert submitted.wait() is (status == "FINISHED")
    assert submitted.wait() is (status == "FINISHED")
    assert (submitted.get_status(), otflow.get_run(submitted.run_id).info.status) == (status, status)
    submitted.cancel()
    assert submitted.get_status() == status


def test_a_run_that_is_cancelled_was_killed(directory):
    submitted, pid = start(directory)
    submitted.cancel()
    assert not lives(pid)
    assert (submitted.get_status(), submitted.wait()) == ("KILLED", False)
    assert otflow.get_run(submitted.run_id).info.status == "KILLED"
    submitted.cancel()


def test_a_process_that_does_not_listen_is_ended_by_force(directory, monkeypatch):
    monkeypatch.setattr("otflow.projects.submitted_run._GRACE_S", 0.05)
    submitted, pid = start(directory, "stubborn")
    submitted.cancel()
    assert not lives(pid)
    assert submitted.get_status() == "KILLED"


def test_many_at_once(directory):
    submitted = [
        otflow.run(str(directory), "quick", env_manager="local", synchronous=False, parameters={"n": n})
        for n in range(8)
    ]
    assert all(run.wait() for run in submitted)
    assert len({run.run_id for run in submitted}) == 8


def child(code: str, directory: Path) -> subprocess.Popen[str]:
    """A program of its own that runs the project."""
    program = f"import otflow, signal\n{textwrap.dedent(code)}"
    return subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OTFLOW_TRACKING_URI": otflow.get_tracking_uri()},
    )


def test_the_end_of_the_program_waits_for_its_runs(directory):
    program = child(
        """
        import sys
        run = otflow.run(sys.argv[1], env_manager="local", synchronous=False)
        print(run.run_id, flush=True)
        """,
        directory,
    )
    (directory / "started").read_text()
    run_id = program.stdout.readline().strip()
    assert program.poll() is None
    assert otflow.get_run(run_id).info.status == "RUNNING"
    (directory / "gate").write_text("0")
    _, said = program.communicate(timeout=60)
    assert program.returncode == 0, said
    assert otflow.get_run(run_id).info.status == "FINISHED"


@pytest.mark.parametrize(
    "code",
    [
        'otflow.run(sys.argv[1], env_manager="local")',
        'otflow.run(sys.argv[1], env_manager="local", synchronous=False); signal.pause()',
        'otflow.run(sys.argv[1], env_manager="local", synchronous=False)',
    ],
    ids=["synchronous", "asynchronous", "exiting"],
)
def test_an_interrupted_program_ends_its_runs(directory, code):
    program = child(f"import sys\n{code}", directory)
    pid = int((directory / "started").read_text())
    if "synchronous=False)" in code and "pause" not in code:
        wait_until_it_exits(program)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=60)
    assert not lives(pid)
    [found] = otflow.search_runs(output_format="list")
    assert found.info.status == "KILLED"


def wait_until_it_exits(program: subprocess.Popen[str]) -> None:
    """Until the main thread waits at its exit: it has nothing else to do, and sleeps."""
    stat = Path(f"/proc/{program.pid}/stat")
    deadline = time.monotonic() + 10
    while stat.exists() and time.monotonic() < deadline and stat.read_text().rpartition(")")[2].split()[0] != "S":
        os.sched_yield()


def test_a_child_of_the_process_waits_for_nothing(directory):
    submitted, _ = start(directory)
    done = os.fork()
    if done == 0:
        from otflow.projects import submitted_run

        os._exit(len(submitted_run._open))
    assert os.waitstatus_to_exitcode(os.waitpid(done, 0)[1]) == 0
    (directory / "gate").write_text("0")
    assert submitted.wait()
