"""What is kept of the things that were imported: where they went, and marks of what the source said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from otflow.migration.merging import Marks
from otflow.store.sql.connection import Session
from otflow.store.sql.statements import insert_rows, select_in, upsert

__all__ = ["Remembered", "recall", "remember"]

_UPSERT = upsert("imports", ("kind", "id", "target", "marks"), ("kind", "id"))


class Remembered(NamedTuple):
    """What is kept of one thing."""

    target: str
    marks: Marks


def recall(session: Session, kind: str, ids: Sequence[str]) -> dict[str, Remembered]:
    """What is kept of those of these things that were imported before."""
    return {
        row[0]: Remembered(row[1], json.loads(row[2]))
        for row in select_in(session, "SELECT id, target, marks FROM imports WHERE kind = ? AND id IN {}", ids, (kind,))
    }


def remember(session: Session, kind: str, things: Sequence[tuple[str, str, Marks]]) -> None:
    """Keep of things their ids, where they went, and their marks."""
    rows = [(kind, an_id, target, json.dumps(marks, ensure_ascii=False)) for an_id, target, marks in sorted(things)]
    insert_rows(session, _UPSERT, rows)
