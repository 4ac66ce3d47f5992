"""What a repeated import may change: a merge of what the source said last time, what it says now, and what is there.

Of each value that the source once had, a short digest is kept, its *mark*. What the source has not changed since is
left as it is, whatever became of it here. What it has changed is brought up to date, unless it was changed here too:
then ours stays, and the report names it. What was deleted here does not come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from otflow.migration.records import Value

__all__ = ["Changes", "Marks", "mark", "marks", "merge", "part", "under"]

Marks = dict[str, str]


@dataclass(slots=True)
class Changes:
    """What is to be done.

    Args:
        put: Values to be written.
        drop: Keys to be deleted.
        kept: Keys whose value was changed on both sides.
    """

    put: dict[str, Value] = field(default_factory=dict[str, Value])
    drop: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)


def mark(value: Value) -> str:
    """The mark of a value."""
    return hashlib.blake2b(f"{type(value).__name__}:{value}".encode("utf-8", "replace"), digest_size=6).hexdigest()


def marks(values: Mapping[str, Value]) -> Marks:
    """The marks of values, by key."""
    return {key: mark(value) for key, value in values.items()}


def merge(before: Mapping[str, str] | None, source: Mapping[str, Value], target: Mapping[str, Value]) -> Changes:
    """What is to be done to `target`.

    Args:
        before: The marks of the last import; None where there was none.
        source: The values of the source.
        target: The values that are there.
    """
    changes = Changes()
    known = before or {}
    for key, value in source.items():
        if known.get(key) == mark(value) or (key in target and target[key] == value):
            continue
        is_ours = key not in known if key in target else key in known
        if is_ours or (key in target and mark(target[key]) != known[key]):
            changes.kept.append(key)
        else:
            changes.put[key] = value
    changes.drop = [key for key in known if key not in source and key in target and mark(target[key]) == known[key]]
    return changes


def under(name: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values with keys that begin with a name, so that those of several parts can be merged at once."""
    return {f"{name}/{key}": value for key, value in values.items()}


def part(name: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Undo `under`: the values of one part."""
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in values.items() if key.startswith(start)}
