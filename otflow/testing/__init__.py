"""For tests: of programs that otflow traces, and of stores that are made for otflow."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otflow.testing.kit import CapturedTraces, capture_traces, fixed_clock, fixed_ids, reset
    from otflow.testing.store_contract import StoreContract

_HOMES: dict[str, str] = {
    "CapturedTraces": "kit",
    "StoreContract": "store_contract",
    "capture_traces": "kit",
    "fixed_clock": "kit",
    "fixed_ids": "kit",
    "reset": "kit",
}

__all__ = ["CapturedTraces", "StoreContract", "capture_traces", "fixed_clock", "fixed_ids", "reset"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"otflow.testing.{home}"), name)
    globals()[name] = value
    return value
