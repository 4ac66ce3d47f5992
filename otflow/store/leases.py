"""Who is making a trace, and whether that process lives: the value of the tag `otflow.writer` of an open trace.

The text is `host|system|pid|start|beat`: the host's name; what tells boots and containers of one name apart; the
process and when it started, so that another process with the same number is not taken for it; and the Unix time in
seconds at which it said so last. On the same system the process itself is looked for; elsewhere all there is is the
time since it was heard of.
"""

from __future__ import annotations

import functools
import os
import platform
from typing import Final

from otflow import clock

__all__ = ["EVER", "is_dead", "lease"]

_SILENT_S: Final = 300
"""After so long without a word a process on another system is taken for dead."""
EVER: Final = 10 * 365 * 86400
"""For a trace that nobody will speak of for long: seconds to add to its lease."""


def lease(extra_s: int = 0) -> str:
    """The lease of a trace that this process is making, as of now."""
    return f"{_me(os.getpid())}|{clock.now_ms() // 1000 + extra_s}"


def is_dead(text: str) -> bool:
    """Whether the process that gave a lease has ended; of what is no lease nothing is known."""
    parts = text.rsplit("|", 4)
    if len(parts) != 5:
        return False
    host, system, pid, start, beat = parts
    if not pid.isdecimal() or not beat.isdecimal():
        return False
    if (host, system) == _system():
        return not _lives(int(pid), start)
    return clock.now_ms() // 1000 - int(beat) > _SILENT_S


@functools.lru_cache(maxsize=1)
def _me(pid: int) -> str:
    host, system = _system()
    return f"{host}|{system}|{pid}|{_start(pid)}"


@functools.cache
def _system() -> tuple[str, str]:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read(8)
        return platform.node()[:64], f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return platform.node()[:64], platform.system()


def _start(pid: int) -> str:
    """When a process started, in ticks since the boot; empty where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _lives(pid: int, start: str) -> bool:
    if start:
        return _start(pid) == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
