"""Versions of prompts that this process has loaded, and the links to them that it has made.

Nothing here takes a lock: what is shared are dictionaries, of which single operations are atomic, and entries that are
replaced and not changed. So a load that is answered from memory waits for nobody, and a fork needs no care.
"""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from otflow import config, context
from otflow.entities.model_registry import PromptVersion
from otflow.errors import ArgumentTypeError, InvalidParameterError
from otflow.store.opening import in_workspace, is_absolute, normalize_uri, split_workspace

__all__ = [
    "LATEST",
    "PREFIX",
    "PromptCache",
    "Reference",
    "checked_ttl",
    "done_before",
    "place",
    "prompt_cache",
    "reference",
    "undone",
]

PREFIX: Final = "prompts:/"
LATEST: Final = "latest"
"""The alias that always means the version with the highest number."""

_URI: Final = re.compile(r"prompts:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[\w-]+))")
_MOST_DONE: Final = 10_000


class Reference(NamedTuple):
    """What names one version of a prompt: the number of the version, or an alias."""

    name: str
    version: int | None
    alias: str | None

    def __str__(self) -> str:
        return f"{PREFIX}{self.name}{f'/{self.version}' if self.alias is None else f'@{self.alias}'}"


def reference(name_or_uri: Any, version: Any = None) -> Reference:
    """What a name with the number of a version (the latest without), or a URI, means.

    Raises:
        InvalidParameterError: it is none of these.
    """
    try:
        return _reference(name_or_uri, version)
    except TypeError as error:  # it cannot be remembered
        raise ArgumentTypeError(
            f"A prompt is named by texts and the number of a version, not by {name_or_uri!r} and {version!r}"
        ) from error


@lru_cache(maxsize=1024, typed=True)
def _reference(name_or_uri: Any, version: Any) -> Reference:
    if not isinstance(name_or_uri, str):
        raise ArgumentTypeError(f"A prompt is named by a text, not by {name_or_uri!r}")
    if not name_or_uri.startswith(PREFIX):
        if not name_or_uri or any(mark in name_or_uri for mark in "/@:"):
            raise InvalidParameterError(
                f"{name_or_uri!r} names no prompt: give its name, or 'prompts:/<name>/<version>' or"
                " 'prompts:/<name>@<alias>'"
            )
        number = None if version is None else _number(version)
        return Reference(name_or_uri, number, LATEST if number is None else None)
    if version is not None:
        raise InvalidParameterError(f"version must not be given beside a URI, got {version!r} beside {name_or_uri!r}")
    found = _URI.fullmatch(name_or_uri)
    if found is None:
        raise InvalidParameterError(
            f"{name_or_uri!r} is not the URI of a prompt: it must be 'prompts:/<name>/<version>' or"
            " 'prompts:/<name>@<alias>', with the number of a version or an alias of the prompt"
        )
    if found["version"] is not None:
        return Reference(found["name"], int(found["version"]), None)
    alias = found["alias"]
    return Reference(found["name"], None, LATEST if alias.lower() == LATEST else alias)


def _number(version: object) -> int:
    if isinstance(version, (int, str)) and not isinstance(version, bool):
        try:
            return int(version)
        except ValueError:
            pass
    raise InvalidParameterError(
        f"version must be the number of a version, got {version!r}; an alias is written 'prompts:/<name>@<alias>'"
    )


def place(uri: str) -> Hashable:
    """What tells the registry at a URI, in the workspace that is active here, from all others."""
    where = _in_workspace(uri, context.workspace())
    # A relative path means another file in another directory.
    return where if is_absolute(where) else normalize_uri(where)


@lru_cache(maxsize=256)
def _in_workspace(uri: str, workspace: str) -> str:
    """`context.place`, remembered."""
    return uri if split_workspace(uri)[1] is not None else in_workspace(uri, workspace)


@dataclass(slots=True)
class _Entry:
    prompt: PromptVersion
    fetched: float
    expires: float
    used: float


class PromptCache:
    """The versions that were loaded, those used last; see `otflow.load_prompt` for how long."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Hashable, Reference], _Entry] = {}
        self._epochs = itertools.count()
        self.epoch = next(self._epochs)
        """Another one after each change: what was asked for before a change is not kept after it."""

    def get(self, where: Hashable, wanted: Reference, ttl_s: float | None = None) -> PromptVersion | None:
        """What is known, if it is young enough: a copy, which belongs to the caller."""
        entry = self._entries.get((where, wanted))
        if entry is None:
            return None
        if ttl_s is None:
            ttl_s = _default_ttl(wanted)
        now = time.monotonic()
        if now >= entry.expires or now - entry.fetched >= ttl_s:
            return None
        entry.used = now
        return entry.prompt.copied()

    def put(
        self, where: Hashable, wanted: Reference, prompt: PromptVersion, epoch: int, ttl_s: float | None = None
    ) -> None:
        """Keep what was asked for when `epoch` was the epoch."""
        if ttl_s is None:
            ttl_s = _default_ttl(wanted)
        key = (where, wanted)
        # A caller who wants no memory leaves none; but what others are told is to be no older than what this one was.
        if epoch != self.epoch or (ttl_s <= 0 and key not in self._entries):
            return
        limit = config.PROMPT_CACHE_MAX_SIZE.get()
        if limit == 0:
            self._entries.pop(key, None)
            return
        now = time.monotonic()
        lasts = ttl_s if ttl_s > 0 else _default_ttl(wanted)
        self._entries[key] = _Entry(prompt.copied(), now, now + lasts, now)
        if len(self._entries) > limit:
            oldest = sorted(self._entries.copy().items(), key=lambda item: item[1].used)
            for old, _ in oldest[: len(oldest) - limit]:
                self._entries.pop(old, None)

    def forget(self, where: Hashable, name: str, concerns: Callable[[Reference, PromptVersion], bool]) -> None:
        """Forget of a prompt what a change concerns."""
        self.epoch = next(self._epochs)
        for key, entry in self._entries.copy().items():
            if key[0] == where and key[1].name == name and concerns(key[1], entry.prompt):
                self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self.epoch = next(self._epochs)
        self._entries.clear()


def _default_ttl(wanted: Reference) -> float:
    if wanted.alias is None:
        return config.VERSION_PROMPT_CACHE_TTL_SECONDS.get()
    return config.ALIAS_PROMPT_CACHE_TTL_SECONDS.get()


def checked_ttl(ttl_s: Any) -> float | None:
    """The time to live, if it is one.

    Raises:
        InvalidParameterError: it is negative, or no number.
    """
    if ttl_s is None:
        return None
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, (int, float)) or math.isnan(ttl_s) or ttl_s < 0:
        raise InvalidParameterError(f"cache_ttl_seconds must be a number of seconds, 0 or more, got {ttl_s!r}")
    return ttl_s


prompt_cache = PromptCache()
"""What this process has loaded."""

_done: dict[tuple[Hashable, ...], None] = {}


def done_before(*what: Hashable) -> bool:
    """Whether this was said to be done in this process before; if not, it is now.

    Only the latest ones are remembered: to do it again must be no harm.
    """
    if what in _done:
        return True
    if len(_done) >= _MOST_DONE:
        for old in list(_done.copy())[: _MOST_DONE // 2]:
            _done.pop(old, None)
    _done[what] = None
    return False


def undone(*what: Hashable) -> None:
    """It is to be done again after all."""
    _done.pop(what, None)


def _forget_all() -> None:
    prompt_cache.clear()
    _done.clear()


context.at_reset(_forget_all)
