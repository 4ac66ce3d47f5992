"""The one clock of otflow, so that tests can put another in its place."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["now_ms", "now_ns", "use"]

_source: Callable[[], int] = time.time_ns


def now_ns() -> int:
    """Unix time in nanoseconds."""
    return _source()


def now_ms() -> int:
    """Unix time in milliseconds."""
    return _source() // 1_000_000


def use(source: Callable[[], int] | None) -> None:
    """Read the time from `source` (Unix time in nanoseconds) from now on; None restores the system's clock."""
    global _source
    _source = time.time_ns if source is None else source
