"""Traces in notebooks: each is shown below the cell that made it, or that asked for it.

Loaded only where IPython is. The hot path of tracing knows nothing of it: after a cell, the traces that have closed
since it began are looked up.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final, cast

from otflow import config
from otflow.entities import Trace
from otflow.tracing import guard
from otflow.tracing.assembly import open_traces
from otflow.tracing.exporter import writer
from otflow.tracing.html import trace_html

__all__ = ["disable_notebook_display", "enable_notebook_display", "enter", "show_after_cell"]

_FLUSH_S: Final = 5.0


class _Notebook:
    def __init__(self) -> None:
        self.on = True
        self.shell: Any = None
        """The shell whose events are listened to."""
        self.closed_last: int | None = None
        """The trace that had closed last before the cell."""
        self.asked: dict[str, Trace | None] = {}
        """The traces that the cell has asked for, by id; those that are too many to be shown are not held."""
        self.cell: object = None
        """The request that the cell runs for."""


_notebook = _Notebook()


def enable_notebook_display() -> None:
    """Show traces in notebooks: below the cell that made them or asked for them. That is the default.

    Example:
        >>> import otflow
        >>> otflow.tracing.enable_notebook_display()
    """
    _notebook.on = True
    enter()


def disable_notebook_display() -> None:
    """Do not show traces in notebooks, whatever a cell makes or asks for; they are stored all the same.

    Example:
        >>> import otflow
        >>> otflow.tracing.disable_notebook_display()
    """
    _notebook.on = False


def enter() -> None:
    """Listen to the cells of this process's notebook, if it has one. Never raises."""
    try:
        Trace.as_html = _html
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        # The shell of a terminal has no kernel, and shows text.
        if shell is None or shell is _notebook.shell or getattr(shell, "kernel", None) is None:
            return
        _notebook.shell = shell
        _notebook.cell = _request()
        _remember()
        shell.events.register("pre_run_cell", _before_cell)
        shell.events.register("post_run_cell", _after_cell)
    except Exception as error:
        guard.swallow("show traces in the notebook", error)


def show_after_cell(traces: Sequence[Trace]) -> None:
    """Show traces below the cell that is running, where there is one."""
    if _notebook.on and _notebook.shell is not None:
        limit = _limit()
        for trace in traces[:limit]:
            held = len(_notebook.asked) < limit or trace.info.trace_id in _notebook.asked
            _notebook.asked[trace.info.trace_id] = trace if held else None


def _limit() -> int:
    return guard.setting(config.MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK)


def _html(trace: Trace) -> str | None:
    try:
        return trace_html(trace) if _notebook.on else None
    except Exception as error:  # the trace reads as text
        guard.swallow("show a trace in the notebook", error)
        return None


def _remember() -> None:
    _notebook.closed_last = open_traces.closed_last()
    _notebook.asked.clear()


def _before_cell(*_: object) -> None:
    try:
        cell = _request()
        # A cell that runs another one goes on after it: what it made before is still to be shown.
        if cell is None or cell != _notebook.cell:
            _notebook.cell = cell
            _remember()
    except Exception as error:
        guard.swallow("show traces in the notebook", error)


def _request() -> object:
    """The id of the request that runs now: https://jupyter-client.readthedocs.io/en/stable/messaging.html ."""
    parent: object = getattr(_notebook.shell, "parent_header", None)
    header = cast("dict[str, Any]", parent).get("header") if isinstance(parent, dict) else None
    return cast("dict[str, Any]", header).get("msg_id") if isinstance(header, dict) else None


def _after_cell(result: Any = None) -> None:
    try:
        if _notebook.on:
            _show(getattr(result, "result", None))
    except Exception as error:
        guard.swallow("show traces in the notebook", error)
    finally:
        _remember()


def _show(result: object) -> None:
    from IPython.display import display  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    shown = {result.info.trace_id} if isinstance(result, Trace) else set[str]()
    limit = _limit()
    asked = {trace_id: trace for trace_id, trace in _notebook.asked.items() if trace_id not in shown}
    found = [trace for trace in asked.values() if trace is not None][:limit]
    shown.update(asked)
    made = [one for one in open_traces.closed_since(_notebook.closed_last) if one.trace_id not in shown]
    wanted = made[: limit - len(found)]
    for trace in [*found, *_stored([(one.uri, one.trace_id) for one in wanted])]:
        display(trace)
    more = len(asked) + len(made) - len(found) - len(wanted)
    if more > 0:
        print(f"… {more:,} more {'trace' if more == 1 else 'traces'} of this cell")  # noqa: T201


def _stored(wanted: list[tuple[str, str]]) -> list[Trace]:
    """Traces as the store has them; those that it does not have, because they went elsewhere, are left out."""
    if not wanted:
        return []
    from otflow import context

    writer.flush(_FLUSH_S, patient=False)
    found: list[Trace] = []
    for uri in dict.fromkeys(uri for uri, _ in wanted):
        store = context.store(uri)
        by_id = {trace.info.trace_id: trace for trace in store.get_traces([id_ for at, id_ in wanted if at == uri])}
        found += [by_id[trace_id] for at, trace_id in wanted if at == uri and trace_id in by_id]
    return found
