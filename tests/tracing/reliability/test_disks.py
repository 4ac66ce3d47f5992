"""Disks that fail: never an exception in the traced program, one log line a kind, and recovery when the cause goes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .programs import names, rows, run

PROGRAM = """
import json, logging
logging.basicConfig(stream=sys.stderr, format="LOG %(message)s")
{before}
results = [work(n) for n in range(50)]
assert results == list(range(50))
writer.flush(2.0)
during = otflow.tracing.delivery()
{after}
results = [work(n) for n in range(50)]
assert results == list(range(50))
otflow.flush_trace_async_logging()
deadline = time.monotonic() + 30
while (now := otflow.tracing.delivery()).queued + now.spilled and time.monotonic() < deadline:
    otflow.flush_trace_async_logging()
print(json.dumps([[d.ended, d.queued, d.written, d.spilled, d.lost] for d in (during, now)]))
"""


def go(before: str, after: str, directory: Path, **more: str) -> tuple[list[int], list[int], list[str]]:
    """The count while the disk failed and at the end, and what was logged."""
    more.setdefault("OTFLOW_SPOOL_DIR", str(directory / "spool"))
    done = run(PROGRAM.format(before=before, after=after), directory, **more)
    during, now = json.loads(done.stdout.splitlines()[-1])
    return during, now, [line for line in done.stderr.splitlines() if line.startswith("LOG")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_that_gets_room_again(tmp_path, small_disk):
    fill = f"""
open({str(small_disk / "filler")!r}, "wb").close()
work(0); otflow.flush_trace_async_logging()
try:
    with open({str(small_disk / "filler")!r}, "ab", buffering=0) as file:
        while True: file.write(b"x" * 512)
except OSError: pass
"""
    during, now, log = go(
        fill,
        f"os.unlink({str(small_disk / 'filler')!r})",
        tmp_path,
        OTFLOW_TRACKING_URI=f"sqlite:///{small_disk}/t.db",
    )
    assert during[0] == 51
    assert during[4] == 0, "nothing is lost: it waits in memory, or in the spool on another disk"
    assert during[2] < 51, "the disk was not full"
    assert now == [101, 0, 101, 0, 0]
    assert rows(small_disk / "t.db", "SELECT COUNT(*), COUNT(DISTINCT span_id) FROM spans") == [(101, 101)]
    assert 1 <= len(log) <= 2, log


def test_a_read_only_disk_that_can_be_written_to_again(tmp_path, small_disk):
    mount = f"import subprocess; subprocess.run(['mount', '-o', 'remount,{{}}', {str(small_disk)!r}], check=True)"
    during, now, log = go(
        mount.format("ro"), mount.format("rw"), tmp_path, OTFLOW_TRACKING_URI=f"sqlite:///{small_disk}/t.db"
    )
    assert during[0] == 50
    assert during[2] == during[4] == 0
    assert now == [100, 0, 100, 0, 0]
    assert rows(small_disk / "t.db", "SELECT COUNT(*), COUNT(DISTINCT span_id) FROM spans") == [(100, 100)]
    assert 1 <= len(log) <= 2, log


def test_a_corrupt_database_that_is_put_right(tmp_path):
    during, now, log = go("open('t.db', 'wb').write(b'this is no database, ' * 500)", "os.unlink('t.db')", tmp_path)
    assert during[0] == 50
    assert during[2] == during[4] == 0
    assert now == [100, 0, 100, 0, 0]
    assert names(tmp_path) == ["work"] * 100
    assert 1 <= len(log) <= 2, log


def test_a_disk_that_stays_full_leaves_what_is_counted_for_the_next_process(tmp_path, small_disk):
    fill = f"open({str(small_disk / 'filler')!r}, 'wb').write(b'x' * 1000000)"
    uri = f"sqlite:///{small_disk}/t.db"
    spool = {"OTFLOW_SPOOL_DIR": str(tmp_path / "spool"), "OTFLOW_TRACE_FLUSH_TIMEOUT_S": "1"}
    run(fill + "\nfor n in range(50): work(n)", tmp_path, OTFLOW_TRACKING_URI=uri, **spool)
    (small_disk / "filler").unlink()
    run("work(1)\notflow.flush_trace_async_logging()", tmp_path, OTFLOW_TRACKING_URI=uri, **spool)
    assert rows(small_disk / "t.db", "SELECT COUNT(*), COUNT(DISTINCT span_id) FROM spans") == [(51, 51)]


def test_a_clock_that_steps_back(tmp_path):
    run(
        """
        from otflow import clock
        ticks = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000] * 50)
        clock.now_ns = lambda: next(ticks)
        from otflow.tracing import spans
        for n in range(20): work(n)
        """,
        tmp_path,
    )
    assert rows(tmp_path / "t.db", "SELECT COUNT(*) FROM traces WHERE duration_ms < 0 OR state != 'OK'") == [(0,)]
    assert names(tmp_path) == ["work"] * 20


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "é✓.db", "no#1.db"])
def test_odd_names_of_files(tmp_path, name):
    run("work(1)", tmp_path, OTFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/{name}")
    assert rows(tmp_path / name, "SELECT name FROM spans") == [("work",)]
