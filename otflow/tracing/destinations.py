"""Where the spans of a trace go: its store, collectors that take OTLP, or both.

Without OpenTelemetry's variables, to the store. Where they name a collector for traces, to the collector alone, as with
MLflow; with the setting TRACE_ENABLE_OTLP_DUAL_EXPORT, to both. Where the application's tracer provider has an exporter
of its own that sends to the same collector, the variables are the application's, its exporter sends otflow's spans too,
and otflow sends nothing there: traces go to the store.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from otflow import config, context, otel_variables
from otflow.entities import Span
from otflow.errors import InvalidParameterError
from otflow.store.interface import TraceWrite
from otflow.store.opening import normalize_uri, split_workspace, without_secrets
from otflow.tracing import guard
from otflow.tracing.limits import ignored

if TYPE_CHECKING:
    from otflow.tracing.otlp import OtlpDestination

__all__ = ["Destination", "StoreDestination", "destinations"]


class Destination(Protocol):
    """Something that takes batches. Used by the writer only, one batch at a time."""

    @property
    def name(self) -> str:
        """What it is called in logs and in `delivery()`; holds no secret. One name, one destination."""
        ...

    def send(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> int:
        """Deliver a batch, all of it or nothing.

        What a destination took of a batch before it raised `StoreUnavailableError` is not sent again when the same
        batch comes again.

        Returns:
            How many of the spans it took the batch without, for good: they are lost, and the log says why.

        Raises:
            StoreUnavailableError: trying the same batch again later may succeed.
            OtflowError: it will never be taken; what it is then tried in smaller parts.
        """
        ...


class StoreDestination:
    """The store at a place."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        normal = split_workspace(normalize_uri(uri))[0]
        is_file = normal.startswith("sqlite:///") and not normal.startswith("sqlite:///:memory:")
        self._path = normal.removeprefix("sqlite:///") if is_file else None
        self._file: tuple[int, int] | None = None
        """Which file was written to last: device and inode."""

    @property
    def name(self) -> str:
        # Without opening it: a store that cannot be opened has a name too.
        return without_secrets(normalize_uri(self.uri))

    def send(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> int:
        """Write the batch in one transaction."""
        self._look()
        context.store(self.uri).write_traces(traces, spans)
        return 0

    def check(self) -> None:
        """Raise an error if the store is of no use at all now, whatever is written."""
        context.store(self.uri).search_experiments(max_results=1)

    def _look(self) -> None:
        """Open the store anew where its file is no longer the one that was opened: deleted, or another in its place."""
        if self._path is None:
            return
        try:
            found = os.stat(self._path)
            now = (found.st_dev, found.st_ino)
        except OSError:
            now = None
        if self._file is not None and now != self._file:
            context.close_store(self.uri)
            now = None
        if now is None:
            context.store(self.uri)
            found = os.stat(self._path)
            now = (found.st_dev, found.st_ino)
        self._file = now


class _Exported:
    """Where spans go beside the store, as long as what it was made from does not change."""

    def __init__(self, key: object, beside: tuple[Destination, ...], instead: bool) -> None:
        self.key = key
        self.beside = beside
        self.instead = instead
        """Whether they go there instead of the store."""


_stores: dict[str, StoreDestination] = {}
_collectors: dict[otel_variables.OtlpTraces, OtlpDestination] = {}
_exported: _Exported | None = None


def destinations(uri: str) -> tuple[Destination, ...]:
    """Where the spans of traces that belong to the store at `uri` go; cheap enough to ask for each batch."""
    global _exported
    processors = _processors()
    on, both = guard.setting(config.ENABLE_OTLP_EXPORTER), guard.setting(config.TRACE_ENABLE_OTLP_DUAL_EXPORT)
    key = (otel_variables.otlp_state(), on, both, processors)
    found = _exported
    if found is None or found.key != key:
        found = _exported = _find(key, on, both, processors)
    if found.instead:
        return found.beside
    store = _stores.get(uri)
    if store is None:
        store = _stores[uri] = StoreDestination(uri)
    return (store, *found.beside)


def _find(key: object, on: bool, both: bool, processors: tuple[Any, ...]) -> _Exported:
    beside: list[Destination] = []
    instead = False
    try:
        target = otel_variables.otlp_traces(ignored) if on else None
        if target is not None and _place(target.endpoint) not in _places(processors):
            beside.append(_collector(target))
            instead = not both
    except Exception as error:
        guard.swallow("send traces by OTLP (they go to the store)", error)
    named = otel_variables.traces_exporters() or frozenset()
    unknown = sorted(named - otel_variables.KNOWN_EXPORTERS)
    if unknown and len(processors) <= 1:  # else the application may have set it up
        known = ", ".join(sorted(otel_variables.KNOWN_EXPORTERS))
        error = InvalidParameterError(f"OTEL_TRACES_EXPORTER must be of {known}; {', '.join(unknown)} is not there")
        guard.swallow("send traces where OTEL_TRACES_EXPORTER says (they go to the store)", error)
    if "console" in named:
        from otflow.tracing.otlp import ConsoleDestination

        beside.append(ConsoleDestination())
    return _Exported(key, tuple(beside), instead)


def _collector(target: otel_variables.OtlpTraces) -> OtlpDestination:
    from otflow.tracing.otlp import OtlpDestination

    found = _collectors.get(target)
    if found is None:
        found = _collectors[target] = OtlpDestination(target)
    return found


# -- the application's own exporters -----------------------------------------------------------------------


def _processors() -> tuple[Any, ...]:
    """The span processors of the provider that otflow's spans are made in."""
    from otflow.tracing.provider import tracer_provider

    provider: Any = tracer_provider()
    for _ in range(5):
        active: Any = getattr(provider, "_active_span_processor", None)
        if active is not None:
            return tuple(getattr(active, "_span_processors", ()))
        provider = getattr(provider, "provider", None)  # Logfire's is a proxy of the SDK's
    return ()


def _places(processors: tuple[Any, ...]) -> set[tuple[str, str]]:
    """The collectors that the exporters among the processors send to.

    There is no public way to ask a processor for its exporter, or that for its endpoint: what is found by the names
    that the SDK has used so far counts.
    """
    found: set[tuple[str, str]] = set()
    todo, seen = list(processors), 0
    while todo and seen < 100:  # wrappers hold wrappers; some hold themselves
        seen += 1
        item = todo.pop()
        endpoint: object = getattr(item, "_endpoint", None)
        if type(item).__name__.startswith("OTLPSpanExporter") and isinstance(endpoint, str):
            found.add(_place(endpoint))
            continue
        names = ("_batch_processor", "span_exporter", "_exporter", "exporter", "wrapped_exporter", "processor")
        todo.extend(getattr(item, name, None) for name in names if getattr(item, name, None) is not None)
        several: object = getattr(item, "_span_processors", ())
        if isinstance(several, (list, tuple)):
            todo.extend(cast("list[Any]", several))
    return found


def _place(endpoint: str) -> tuple[str, str]:
    """An endpoint as it is compared: gRPC's exporter keeps host and port only."""
    if "://" not in endpoint and "/" not in endpoint:
        endpoint = f"//{endpoint}"
    parts = urlsplit(endpoint)
    if parts.netloc == "":  # one of gRPC's own addresses
        return endpoint, ""
    return parts.netloc.rpartition("@")[2].lower(), parts.path.rstrip("/")
