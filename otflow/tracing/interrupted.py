"""When a store is asked to say of open traces whose process has ended that they were interrupted."""

from __future__ import annotations

import time
from typing import Final

from otflow import context
from otflow.store.interface import Store
from otflow.tracing import guard

__all__ = ["settle", "settle_open_stores"]

_EVERY_S: Final = 2.0
_asked: dict[str, float] = {}
"""When each store was asked last, as `time.monotonic` counts."""


def settle(store: Store) -> None:
    """Ask a store, unless it was asked a moment ago. Never raises: who reads will hear of the failure anyway."""
    now = time.monotonic()
    if now - _asked.get(store.uri, -_EVERY_S) < _EVERY_S and ":memory:" not in store.uri:
        return
    _asked[store.uri] = now
    try:
        store.settle_interrupted()
    except Exception as error:
        guard.swallow("find traces whose process has ended", error)


def settle_open_stores() -> None:
    """Ask the stores that are open in this process."""
    for store in context.open_stores():
        settle(store)
