"""What the writers share: the target, the report, and where experiments go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from otflow.migration.report import ImportReport
from otflow.store.sql.connection import Database, Session

__all__ = ["Target", "place_of"]

T = TypeVar("T")


class _Undo(Exception):
    """Ends a transaction that was only tried."""


@dataclass(slots=True)
class Target:
    """Where an import writes.

    Args:
        database: Its database.
        report: What is told of what was done.
        dry_run: Whether every transaction is undone.
        experiments: The numbers here of the source's experiments.
    """

    database: Database
    report: ImportReport
    dry_run: bool
    experiments: dict[int, int] = field(default_factory=dict[int, int])

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction; in a dry run, undo it."""
        if not self.dry_run:
            return self.database.write(work)

        results: list[T] = []

        def tried(session: Session) -> None:
            results.append(work(session))
            raise _Undo

        with suppress(_Undo):
            self.database.write(tried)
        return results[-1]


def place_of(target: Target, noun: str, what: str, experiment_id: int) -> int | None:
    """The number here of an experiment of the source; None, and told, where there is none."""
    number = target.experiments.get(experiment_id)
    if number is None:
        target.report.skip(noun, what, f"its experiment {experiment_id} is not there")
    return number
