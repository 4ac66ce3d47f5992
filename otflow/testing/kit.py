"""For tests of traced programs: what was traced, the same each time, and a clean slate."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Generator
from typing import Any

from opentelemetry.sdk.trace.id_generator import IdGenerator

from otflow import clock, context
from otflow.client.async_logging import log_queue
from otflow.entities import Trace
from otflow.tracing import guard, provider
from otflow.tracing.assembly import open_traces
from otflow.tracing.exporter import writer

__all__ = ["CapturedTraces", "capture_traces", "fixed_clock", "fixed_ids", "reset"]


class CapturedTraces:
    """The traces that were made inside of `capture_traces`."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._final: list[Trace] | None = None

    @property
    def traces(self) -> list[Trace]:
        """The traces, oldest first; those that are still being made too."""
        return self._read() if self._final is None else self._final

    def _read(self) -> list[Trace]:
        writer.flush()
        store = context.store(self._uri)
        experiments = [experiment.experiment_id for experiment in store.search_experiments()]
        traces: list[Trace] = []
        token: str | None = None
        while True:
            page = store.search_traces(experiments, order_by=["timestamp_ms ASC"], page_token=token)
            traces.extend(page)
            token = page.token
            if not token:
                traces.sort(key=lambda trace: min((s.start_time_ns for s in trace.data.spans), default=0))
                return traces

    def close(self) -> None:
        """Keep what is there now."""
        self._final = [copy.deepcopy(trace) for trace in self._read()]  # whole: the store is closed next


_names = itertools.count(1)


@contextlib.contextmanager
def capture_traces() -> Generator[CapturedTraces]:
    """Keep the traces that are made inside of the `with` statement in memory instead of in the current store.

    Example:
        >>> import otflow
        >>> from otflow.testing import capture_traces
        >>> @otflow.trace
        ... def greet(name):
        ...     return f"hello {name}"
        >>> with capture_traces() as captured:
        ...     _ = greet("ada")
        >>> captured.traces[0].data.spans[0].inputs
        {'name': 'ada'}
    """
    uri = f"sqlite:///:memory:?capture={next(_names)}"
    with context.temporary(uri):
        captured = CapturedTraces(uri)
        try:
            yield captured
        finally:
            captured.close()
            context.close_store(uri)


class _SequentialIds(IdGenerator):
    def __init__(self, start: int) -> None:
        self._traces = itertools.count(start)
        self._spans = itertools.count(start)

    def generate_trace_id(self) -> int:
        return next(self._traces)

    def generate_span_id(self) -> int:
        return next(self._spans)

    def is_trace_id_random(self) -> bool:
        return False


@contextlib.contextmanager
def fixed_ids(start: int = 1) -> Generator[None]:
    """Number traces and spans from `start` on instead of drawing random ids, inside of the `with` statement.

    Example:
        >>> import otflow
        >>> from otflow.testing import capture_traces, fixed_ids
        >>> with capture_traces() as captured, fixed_ids():
        ...     with otflow.start_span("step"):
        ...         pass
        >>> captured.traces[0].info.trace_id
        'tr-00000000000000000000000000000001'
    """
    tracer: Any = provider.maker().tracer
    before = tracer.id_generator
    tracer.id_generator = _SequentialIds(start)
    try:
        yield
    finally:
        tracer.id_generator = before


@contextlib.contextmanager
def fixed_clock(start_ns: int = 1_700_000_000_000_000_000, step_ns: int = 1_000_000) -> Generator[None]:
    """Let the clock of otflow stand still but for one step at each look, inside of the `with` statement.

    Args:
        start_ns: Unix time in nanoseconds.
        step_ns: How far each look at the clock moves it, in nanoseconds.
    """
    ticks = itertools.count(start_ns, step_ns)
    clock.use(lambda: next(ticks))
    try:
        yield
    finally:
        clock.use(None)


def reset() -> None:
    """Forget all state of this process: store, experiment, runs, open traces, the last trace, configuration.

    What has ended is written first. Tracer providers that otflow has joined stay joined: OpenTelemetry knows no way
    back.
    """
    log_queue.flush()
    writer.reset()
    open_traces.reset()
    provider.reset()
    guard.reset()
    context.reset()
    clock.use(None)
