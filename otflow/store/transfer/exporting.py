"""Traces out of a store one by one, in bounded memory whatever their number and size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from otflow.entities import Span, TraceInfo
from otflow.errors import NotFoundError
from otflow.semconv import Metadata
from otflow.store.attachments import inline_span
from otflow.store.interface import Store

__all__ = ["Stored", "stored_infos", "stored_traces"]

_PAGE: Final = 100
_AT_ONCE: Final = 8_000_000
"""Bytes of spans that are read together; a trace that is bigger is read span by span."""


@dataclass(slots=True)
class Stored:
    """One trace.

    Args:
        info: The trace.
        experiment: The name of its experiment.
        spans: Its spans, the root first; to be walked through once.
    """

    info: TraceInfo
    experiment: str | None
    spans: Iterable[Span]


def stored_infos(
    store: Store,
    experiment_ids: Sequence[str],
    *,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
    limit: int | None = None,
    page_size: int = _PAGE,
) -> Iterator[list[TraceInfo]]:
    """The traces that match, without their spans, page by page.

    Args:
        store: Where they are.
        experiment_ids: The experiments to search.
        filter_string: The search expression.
        order_by: Order clauses; the newest first by default.
        limit: How many at most; all by default.
        page_size: Traces in one page.

    Raises:
        FilterError: The expression is malformed.
    """
    token: str | None = None
    left = limit
    while left is None or left > 0:
        page = store.search_traces(
            experiment_ids,
            filter_string=filter_string,
            order_by=order_by,
            max_results=page_size if left is None else min(page_size, left),
            page_token=token,
            include_spans=False,
        )
        if page:
            yield [trace.info for trace in page]
        if left is not None:
            left -= len(page)
        token = page.token
        if not token:
            return


def stored_traces(
    store: Store,
    experiment_ids: Sequence[str],
    *,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
    limit: int | None = None,
) -> Iterator[Stored]:
    """The traces that match, whole; the arguments are those of `stored_infos`.

    A trace that is deleted meanwhile is left out.
    """
    names, attachments = _Names(store), _Attachments(store)
    for page in stored_infos(store, experiment_ids, filter_string=filter_string, order_by=order_by, limit=limit):
        for group in _groups(page):
            if len(group) == 1 and _size(group[0]) > _AT_ONCE:
                yield from _one(store, group[0], names, attachments)
            else:
                for trace in store.get_traces([info.trace_id for info in group]):
                    yield Stored(trace.info, names.of(trace.info), attachments.put_back(trace.data.spans))


def _one(store: Store, info: TraceInfo, names: _Names, attachments: _Attachments) -> Iterator[Stored]:
    """A trace that is too big to be in memory at once."""
    try:
        spans = store.iter_spans(info.trace_id, page_size=_page_size(info))
        first = next(spans, None)
    except NotFoundError:
        return
    yield Stored(info, names.of(info), attachments.put_back(_chained(first, spans)))


def _chained(first: Span | None, rest: Iterator[Span]) -> Iterator[Span]:
    if first is not None:
        yield first
    yield from rest


class _Attachments:
    """The attachments that spans name: inside of a file they stand where they stood when the span was made."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put_back(self, spans: Iterable[Span]) -> Iterator[Span]:
        for span in spans:
            yield inline_span(span, self._read)

    def _read(self, sha256: str) -> bytes | None:
        try:
            return self._store.read_attachment(sha256)
        except NotFoundError:
            return None


class _Names:
    """The names of experiments, each asked for once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, str | None] = {}

    def of(self, info: TraceInfo) -> str | None:
        experiment_id = info.experiment_id
        if experiment_id is None:
            return None
        if experiment_id not in self._known:
            try:
                self._known[experiment_id] = self._store.get_experiment(experiment_id).name
            except NotFoundError:
                self._known[experiment_id] = None
        return self._known[experiment_id]


def _groups(infos: Sequence[TraceInfo]) -> Iterator[list[TraceInfo]]:
    """The traces, in their order, in groups that are small enough to be read together."""
    group: list[TraceInfo] = []
    total = 0
    for info in infos:
        size = _size(info)
        if group and total + size > _AT_ONCE:
            yield group
            group, total = [], 0
        group.append(info)
        total += size
    if group:
        yield group


def _size(info: TraceInfo) -> int:
    """Bytes of a trace's spans, as its metadata say; of a trace that does not say, more than are read together."""
    text = info.trace_metadata.get(Metadata.SIZE_BYTES)
    if text is None:
        return 0 if Metadata.SIZE_STATS in info.trace_metadata else _AT_ONCE + 1
    return int(text) if text.isdecimal() else _AT_ONCE + 1


def _page_size(info: TraceInfo) -> int:
    """Spans that are read at once of a big trace: as many as fit, should they be of one size."""
    stats = _stats(info)
    size, count = stats.get("total_size_bytes", 0), stats.get("num_spans", 0)
    if size <= 0 or count <= 0:
        return 100
    return max(1, min(1000, int(_AT_ONCE / (size / count)), int(_AT_ONCE * 4 / max(1, stats.get("max", 0)))))


def _stats(info: TraceInfo) -> dict[str, int]:
    try:
        found: Any = json.loads(info.trace_metadata.get(Metadata.SIZE_STATS, "{}"))
    except ValueError:
        return {}
    items = cast("dict[str, Any]", found).items() if isinstance(found, dict) else ()
    return {key: value for key, value in items if isinstance(value, int)}
