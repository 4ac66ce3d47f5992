"""Tracing never breaks the program it watches: failures are logged once a kind and time of trouble, and counted."""

from __future__ import annotations

import logging
import threading
import time
from typing import TypeVar

from otflow.config import Setting
from otflow.errors import InvalidParameterError, OtflowError

__all__ = ["after_fork_in_child", "failures", "reset", "setting", "swallow"]

_T = TypeVar("_T")

_logger = logging.getLogger("otflow")
_lock = threading.Lock()
_failures: dict[str, int] = {}
_last: dict[str, float] = {}
"""When each kind of failure was seen last, as `time.monotonic` counts."""
_QUIET_S = 600.0
"""A kind of failure that was not seen for so long is news again."""
_KINDS = 100
"""How many kinds of failure are told apart by what stands in parentheses."""


def swallow(where: str, error: BaseException) -> None:
    """Take note of a failure inside otflow that must not reach the user's code.

    Args:
        where: What could not be done, in words: the key under which failures are counted.
        error: What happened. Logged the first time, and when there was none of its kind for ten minutes (with its
            traceback, unless it is one of otflow's own, whose message says all); counted otherwise.
    """
    now = time.monotonic()
    with _lock:
        if where not in _failures and len(_failures) >= _KINDS:
            where = where.partition(" (")[0]  # texts that name ids are without end
        count = _failures.get(where, 0) + 1
        _failures[where] = count
        news = now - _last.get(where, float("-inf")) >= _QUIET_S
        _last[where] = now
    if news:
        _logger.warning(
            "Could not %s: %s: %s. The traced program is not affected; further failures of this kind are counted, "
            "not logged.",
            where,
            type(error).__name__,
            error,
            exc_info=None if isinstance(error, OtflowError) else error,
        )


def setting(wanted: Setting[_T]) -> _T:
    """The value of a setting; its default where the environment holds one that is not allowed."""
    try:
        return wanted.get()
    except InvalidParameterError as error:
        swallow(f"use the setting {wanted.name} (its default holds)", error)
        return wanted.default


def failures() -> dict[str, int]:
    """How often what could not be done, since the process began or `reset`."""
    with _lock:
        return dict(_failures)


def reset() -> None:
    """Forget the counts, so that the next failure is logged again."""
    with _lock:
        _failures.clear()
        _last.clear()


def after_fork_in_child() -> None:
    """Replace the lock, which the parent may have held."""
    global _lock
    _lock = threading.Lock()
