"""The spans of a trace as trees, and which of many to show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otflow.entities import Span, SpanStatusCode

__all__ = ["Forest", "failed"]


class Forest:
    """The spans of a trace as trees, by their place in the list: ids may be missing, doubled or circular.

    Attributes:
        spans: The spans as the trace has them.
        places: The place of each span's id.
        order: Every span's place, parents before children, a level at a time.
        orphans: The roots that have a parent, which is not in the trace or is below them.
        sizes: How many spans there are in the tree below each span, itself included.
        errors: How many of them failed.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self.places: dict[str, int] = {}
        # One way through the spans: those of a long trace come from the store page by page.
        parent_ids: list[str | None] = []
        self._starts: list[int] = []
        self._failed: list[bool] = []
        for place, span in enumerate(spans):
            self.places.setdefault(span.span_id, place)
            parent_ids.append(span.parent_id)
            self._starts.append(span.start_time_ns)
            self._failed.append(failed(span))
        self.parents: list[int | None] = [self.places.get(one) if one else None for one in parent_ids]
        self._children: dict[int, list[int]] = {}
        self._has_parent = [bool(one) for one in parent_ids]
        for place in sorted(range(len(spans)), key=self._starts.__getitem__):
            parent = self.parents[place]
            if parent is not None:
                self._children.setdefault(parent, []).append(place)
        self.roots, self.order = self._walk()
        self.orphans = {root for root in self.roots if self._has_parent[root]}
        self.sizes = self._sums([1] * len(spans))
        self.errors = self._sums([int(one) for one in self._failed])

    def children(self, place: int) -> Sequence[int]:
        return self._children.get(place, ())

    def _walk(self) -> tuple[list[int], list[int]]:
        by_start = sorted(range(len(self.parents)), key=self._starts.__getitem__)
        roots = [place for place in by_start if self.parents[place] is None]
        # A true root goes before the orphans, whatever the clocks of their machines say.
        roots.sort(key=self._has_parent.__getitem__)
        order = list(roots)
        seen = set(roots)

        def descend(begin: int) -> None:
            while begin < len(order):
                fresh = [child for child in self.children(order[begin]) if child not in seen]
                seen.update(fresh)
                order.extend(fresh)
                begin += 1

        descend(0)
        for place in by_start:  # what no root leads to: spans that are each other's parents
            if place not in seen:
                self._cut(place)
                roots.append(place)
                seen.add(place)
                order.append(place)
                descend(len(order) - 1)
        return roots, order

    def _cut(self, place: int) -> None:
        parent = self.parents[place]
        if parent is not None:
            self._children[parent].remove(place)
            self.parents[place] = None

    def _sums(self, values: list[int]) -> list[int]:
        """For each span, the sum over it and everything below it."""
        for place in reversed(self.order):
            parent = self.parents[place]
            if parent is not None:
                values[parent] += values[place]
        return values

    def chosen(self, max_spans: int, max_depth: int) -> set[int]:
        """The spans to show: half of the room is for failed ones and the way to them, the rest level by level."""
        depths: dict[int, int] = {}
        for place in self.order:
            parent = self.parents[place]
            depths[place] = 0 if parent is None else depths[parent] + 1
        near = [place for place in self.order if depths[place] <= max_depth]
        if len(near) <= max_spans:
            return set(near)
        chosen: set[int] = set(near[:1])
        for place in near:
            if self._failed[place]:
                way = {place, *self._ancestors(place)} - chosen
                if len(chosen) + len(way) <= max_spans // 2:
                    chosen |= way
        for place in near:
            if len(chosen) >= max_spans:
                break
            parent = self.parents[place]
            if parent is None or parent in chosen:
                chosen.add(place)
        return chosen

    def _ancestors(self, place: int) -> Iterator[int]:
        parent = self.parents[place]
        while parent is not None:
            yield parent
            parent = self.parents[parent]


def failed(span: Span) -> bool:
    """Whether the span's status is ERROR."""
    return span.status_code == SpanStatusCode.ERROR
