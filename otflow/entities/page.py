"""One page of the results of a search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

__all__ = ["Page", "PagedList"]

_T = TypeVar("_T")


class Page(list[_T]):
    """A list of results that knows where the next ones begin.

    Attributes:
        token: What to hand to the same search for the next page; None on the last one.
    """

    def __init__(self, items: Iterable[_T] = (), token: str | None = None) -> None:
        super().__init__(items)
        self.token = token

    def to_list(self) -> list[_T]:
        """The results as a plain list."""
        return list(self)


PagedList = Page
"""The name that MLflow gives this class."""
