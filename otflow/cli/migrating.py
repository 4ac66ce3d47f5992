"""`otflow db import`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from otflow.cli.databases import PROBLEMS
from otflow.cli.output import hide, put, say
from otflow.cli.places import store_uri
from otflow.tracing.brief import printable

if TYPE_CHECKING:
    from otflow.migration.report import ImportReport

__all__ = ["load"]

_SHOWN = 20
_PAUSE_S = 0.1


def load(arguments: Any) -> int:
    """Bring over what MLflow has recorded."""
    from otflow.migration.importing import import_mlflow

    hide([arguments.source])
    progress = _Progress()
    try:
        report = import_mlflow(
            arguments.source,
            store_uri(arguments.into),
            artifacts=arguments.artifacts,
            dry_run=arguments.dry_run,
            progress=progress.show,
        )
    finally:
        progress.clear()
    _tell(report)
    return PROBLEMS if report.total_skipped else 0


class _Progress:
    """One line on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0.0

    def show(self, noun: str, count: int) -> None:
        now = time.monotonic()
        if self._live and now - self._shown >= _PAUSE_S:
            self._shown = now
            sys.stderr.write(f"\r\x1b[K{noun}: {count:,}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")


def _tell(report: ImportReport) -> None:
    width = max(len(noun) for noun in report.counts)
    put(f"{'':<{width}}  {'new':>11}  {'updated':>9}  {'unchanged':>11}  {'skipped':>9}")
    for noun, count in report.counts.items():
        if count.new or count.updated or count.unchanged or count.skipped:
            put(f"{noun:<{width}}  {count.new:>11,}  {count.updated:>9,}  {count.unchanged:>11,}  {count.skipped:>9,}")
    for kind, lines, total in (
        ("note", report.notes, len(report.notes)),
        ("skipped", report.skipped, report.total_skipped),
    ):
        for line in lines[:_SHOWN]:
            put(f"{kind}: {printable(line)}")
        if total > _SHOWN:
            put(f"{kind}: {total - _SHOWN:,} more")
    done = "would be imported" if report.dry_run else "imported"
    say(f"{report.source} {done} into {report.target}")
