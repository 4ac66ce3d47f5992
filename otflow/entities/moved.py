"""Attributes of a span of which some are elsewhere in the store: each is read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from otflow.entities.values import load

__all__ = ["Fetch", "MovedAttributes", "Pieces"]

Pieces: TypeAlias = "list[str | list[Any]]"
"""A text: parts of it as they are, and `[hash, characters]` for those that are elsewhere."""

Fetch: TypeAlias = Callable[[Pieces], str]
"""Reads a text, whole."""


_KEPT: Final = 1024 * 1024
"""Characters of the longest text that is kept: a list of spans with longer ones would fill the memory."""


class MovedAttributes(Mapping[str, Any]):
    """Attributes as a mapping; what is read once is kept, unless it is very long.

    Args:
        here: The attributes but for those in `rows`; None for those that are elsewhere.
        moved: Those that are elsewhere.
        fetch: How they are read.
        rows: More attributes that are elsewhere: the JSON text of a list of keys and values.
    """

    __slots__ = ("_fetch", "_here", "_moved", "_rows")

    def __init__(
        self, here: dict[str, Any], moved: Mapping[str, Pieces], fetch: Fetch, rows: Pieces | None = None
    ) -> None:
        self._here = here
        self._moved = moved
        self._fetch = fetch
        self._rows = rows

    def _all(self, fetch: Fetch) -> dict[str, Any]:
        """All keys, with None for values that were not read yet."""
        if self._rows is not None:
            # New at once, and not changed step by step: another thread may be reading.
            self._here = {**self._here, **dict(load(fetch(self._rows)))}
            self._rows = None
        return self._here

    def __getitem__(self, key: str) -> Any:
        here = self._here if key in self._here else self._all(self._fetch)
        value = here[key]
        if value is None and key in self._moved:
            value = self._fetch(self._moved[key])
            if len(value) <= _KEPT:
                here[key] = value
        return value

    def moved(self) -> list[Pieces]:
        """Those that were not read yet."""
        found = [pieces for key, pieces in self._moved.items() if self._here[key] is None]
        return found if self._rows is None else [*found, self._rows]

    def settled(self, fetch: Fetch) -> dict[str, Any]:
        """All of them, read with `fetch`."""
        here = self._all(fetch)
        for key, pieces in self._moved.items():
            if here[key] is None:
                here[key] = fetch(pieces)
        return here

    def __contains__(self, key: object) -> bool:
        return key in self._here or key in self._all(self._fetch)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all(self._fetch))

    def __len__(self) -> int:
        return len(self._all(self._fetch))

    def __repr__(self) -> str:
        return f"MovedAttributes({self._here!r})"
