"""Running traced programs in processes of their own, and reading what is in the store afterwards."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

HEADER = """
import os, signal, sys, threading, time
import otflow
from otflow.tracing.exporter import writer

@otflow.trace
def work(n):
    return n
"""


def program(body: str) -> str:
    return textwrap.dedent(HEADER) + textwrap.dedent(body)


def environment(directory: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{directory}/t.db", **more}


def start(body: str, directory: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program(body)],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(directory, **more),
    )


def run(body: str, directory: Path, *, returns: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    child = start(body, directory, **more)
    out, err = child.communicate(timeout=120)
    assert child.returncode == returns, err
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


def rows(database: Path, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def names(directory: Path) -> list[str]:
    return [str(name) for (name,) in rows(directory / "t.db", "SELECT name FROM spans ORDER BY start_ns")]


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition; fail where it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
