"""The spans of a long trace, read in pages as they are asked for."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast, overload

from otflow.entities import Span

__all__ = ["PAGE_SIZE", "SpanPages"]

PAGE_SIZE: Final = 500
_KEPT: Final = 4
"""Pages that are kept in memory."""


class SpanPages(Sequence[Span]):
    """A sequence of spans of which a few pages are in memory at a time, and the ids of all, 8 bytes each.

    A copy of it, by `copy` or `pickle`, is a list of all spans.

    Args:
        ids: The ids of the spans, in their order.
        read: Reads the spans with some ids, in that order; those that were deleted meanwhile raise NotFoundError.
    """

    def __init__(self, ids: array[int], read: Callable[[Sequence[str]], list[Span]]) -> None:
        self._ids = ids
        self._read = read
        self._pages: OrderedDict[int, list[Span]] = OrderedDict()

    def _page(self, number: int) -> list[Span]:
        page = self._pages.get(number)
        if page is None:
            start = number * PAGE_SIZE
            page = self._read([f"{one:016x}" for one in self._ids[start : start + PAGE_SIZE]])
            self._pages[number] = page
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return page

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Span]: ...
    def __getitem__(self, index: int | slice) -> Span | Sequence[Span]:
        if isinstance(index, slice):
            chosen = self._ids[index]
            if len(chosen) > PAGE_SIZE:
                return SpanPages(chosen, self._read)
            return self._read([f"{one:016x}" for one in chosen])
        place = index + len(self._ids) if index < 0 else index
        if not 0 <= place < len(self._ids):
            raise IndexError(f"the trace has {len(self._ids)} spans, none with the index {index}")
        return self._page(place // PAGE_SIZE)[place % PAGE_SIZE]

    def __iter__(self) -> Iterator[Span]:
        for number in range(-(-len(self._ids) // PAGE_SIZE)):
            yield from self._page(number)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SpanPages) and other._ids is self._ids:
            return True
        if not isinstance(other, (list, SpanPages)):
            return NotImplemented
        others = cast("Sequence[Any]", other)
        return len(self) == len(others) and all(mine == one for mine, one in zip(self, others, strict=True))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __add__(self, other: Sequence[Span]) -> list[Span]:
        return [*self, *other]

    def __radd__(self, other: Sequence[Span]) -> list[Span]:
        return [*other, *self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __repr__(self) -> str:
        return f"<{len(self)} spans, read when they are asked for>"
