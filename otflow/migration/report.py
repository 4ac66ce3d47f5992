"""What an import has done, thing by thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["NOUNS", "Count", "ImportReport"]

NOUNS: Final = (
    "workspaces", "experiments", "runs", "metric points", "logged models", "traces", "spans", "assessments",
    "registered models", "prompts", "versions", "webhooks",
)  # fmt: skip
"""What is counted, in the order in which it is told."""

_SHOWN: Final = 1000


@dataclass(slots=True)
class Count:
    """How many things of one kind there were."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


def _no_progress(noun: str, count: int) -> None:
    del noun, count


@dataclass(slots=True)
class ImportReport:
    """What an import has done.

    Args:
        source: What was read.
        target: What was written.
        counts: For each of `NOUNS`, what became of them.
        skipped: What was not brought over, with the reason; the first thousand.
        notes: What one should know: names that were taken, what was changed on both sides.
        dry_run: Whether nothing was written.
    """

    source: str = ""
    target: str = ""
    counts: dict[str, Count] = field(default_factory=lambda: {noun: Count() for noun in NOUNS})
    skipped: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    dry_run: bool = False
    progress: Callable[[str, int], None] = _no_progress

    def add(self, noun: str, *, new: int = 0, updated: int = 0, unchanged: int = 0) -> None:
        """Count things."""
        count = self.counts[noun]
        count.new += new
        count.updated += updated
        count.unchanged += unchanged
        self.progress(noun, count.new + count.updated + count.unchanged + count.skipped)

    def skip(self, noun: str, what: str, reason: object) -> None:
        """Count a thing that is not brought over, and say why."""
        self.counts[noun].skipped += 1
        if len(self.skipped) < _SHOWN:
            self.skipped.append(f"{what}: {reason}")

    def note(self, what: str) -> None:
        """Say something once."""
        if what not in self.notes and len(self.notes) < _SHOWN:
            self.notes.append(what)

    @property
    def total_skipped(self) -> int:
        """How many things were not brought over."""
        return sum(count.skipped for count in self.counts.values())
