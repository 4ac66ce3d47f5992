"""`otflow traces tail`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from otflow import clock
from otflow.cli.output import put, terminal_width, wants_color
from otflow.cli.places import experiment_ids, opened, store_uri
from otflow.cli.rows import TraceTable
from otflow.entities import TraceInfo, TraceState
from otflow.errors import NotFoundError, StoreUnavailableError
from otflow.store.interface import Store
from otflow.store.transfer.exporting import stored_infos
from otflow.wire import portable

__all__ = ["Follower", "tail"]

_LATE_MS: Final = 10 * 60 * 1000
"""How much later than they began traces may come and be seen."""
_THOROUGH: Final = 10
"""Every so many looks all of that time is read again; else only until nothing is new."""
_RUNNING: Final = 1000
"""Traces still running whose end is waited for; of more, those that began last."""


def tail(arguments: Any) -> int:
    """Show the last traces, and follow those that come."""
    kind = arguments.format or ("table" if sys.stdout.isatty() else "jsonl")
    table = TraceTable(terminal_width(), wants_color())
    left = arguments.count
    with opened(store_uri(arguments.store)) as store:
        where = experiment_ids(store, arguments.experiment)
        follower = Follower(store, where, arguments.filter)
        first = follower.last(arguments.limit)
        if kind == "table":
            table.measure(first)
            put(table.head())
        infos: Sequence[TraceInfo] = first
        while True:
            for info in infos:
                put(table.line(info) if kind == "table" else json.dumps(portable.info_dict(info), default=str))
                if left is not None:
                    left -= 1
                    if left == 0:
                        return 0
            sys.stdout.flush()
            if not arguments.follow:
                return 0
            time.sleep(arguments.interval)
            try:
                infos = follower.look()
            except StoreUnavailableError:
                infos = []  # tried again at the next look


class Follower:
    """What is new in a store since the last look.

    Args:
        store: The store.
        where: The experiments.
        expression: The search expression.
    """

    def __init__(self, store: Store, where: Sequence[str], expression: str | None) -> None:
        self._store = store
        self._where = where
        self._expression = expression
        self._seen: dict[str, tuple[int, TraceState]] = {}
        """Time and state of the traces that were seen and began not long ago."""
        self._looks = 0

    def last(self, count: int) -> list[TraceInfo]:
        """The last `count` traces, the oldest first; those before them count as seen."""
        found: list[TraceInfo] = []
        if count:
            for page in self._pages(limit=count):
                found += page
        shown = found[::-1]
        # What began lately and is not among them was there before.
        for page in self._recent():
            for info in page:
                self._remember(info)
        for info in shown:
            self._remember(info)
        return shown

    def look(self) -> list[TraceInfo]:
        """Traces that came since, and those that have ended since, the oldest first."""
        self._looks += 1
        thorough = self._looks % _THOROUGH == 0
        new: dict[str, TraceInfo] = {}
        looked: set[str] = set()
        for page in self._recent():
            before = len(new)
            for info in page:
                looked.add(info.trace_id)
                known = self._seen.get(info.trace_id)
                if known is None or known[1] is not info.state:
                    new[info.trace_id] = info
            if len(new) == before and not thorough:
                break
        for info in self._ended(looked):
            new[info.trace_id] = info
        for info in new.values():
            self._remember(info)
        self._forget()
        return sorted(new.values(), key=lambda info: (info.request_time, info.trace_id))

    def _recent(self) -> Iterator[list[TraceInfo]]:
        horizon = clock.now_ms() - _LATE_MS
        for page in self._pages():
            fresh = [info for info in page if info.request_time >= horizon]
            yield fresh
            if len(fresh) < len(page):
                return

    def _pages(self, limit: int | None = None) -> Iterator[list[TraceInfo]]:
        return stored_infos(self._store, self._where, filter_string=self._expression, limit=limit)

    def _ended(self, looked: set[str]) -> Iterator[TraceInfo]:
        """Those that were running when they were seen, have ended since, and were not looked at now."""
        running = [
            name for name, (_, state) in self._seen.items() if state is TraceState.IN_PROGRESS and name not in looked
        ]
        for trace_id in running[-_RUNNING:]:
            try:
                info = self._store.get_trace_info(trace_id)
            except NotFoundError:
                del self._seen[trace_id]
                continue
            if info.state is not TraceState.IN_PROGRESS:
                yield info

    def _remember(self, info: TraceInfo) -> None:
        self._seen[info.trace_id] = (info.request_time, info.state)

    def _forget(self) -> None:
        horizon = clock.now_ms() - 2 * _LATE_MS
        running = 0
        for trace_id, (time_ms, state) in reversed(list(self._seen.items())):
            if state is TraceState.IN_PROGRESS:
                running += 1
                if running <= _RUNNING:
                    continue
            if time_ms < horizon:
                del self._seen[trace_id]
