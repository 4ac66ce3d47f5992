"""Open traces whose process has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from otflow.entities import TraceState
from otflow.entities.values import dump, load
from otflow.semconv import Tag
from otflow.store.interface import TraceWrite
from otflow.store.leases import is_dead
from otflow.store.sql.connection import Database, Row, Session
from otflow.store.sql.statements import select_in
from otflow.store.sql.terms import tag_field
from otflow.store.sql.writing import Batch

__all__ = ["settle"]

_NEXT_LEASE: Final = "SELECT MIN(value) FROM trace_terms WHERE experiment_id = ? AND field = ? AND value > ?"
"""One step from lease to lease in the index: there are few of them, whatever the number of open traces."""
_OF_LEASE: Final = "SELECT trace_id FROM trace_terms WHERE experiment_id = ? AND field = ? AND value = ?"
_AGAIN: Final = (
    "SELECT trace_id, experiment_id, time_ns, tags FROM traces WHERE state = 'IN_PROGRESS' AND trace_id IN {}"
)
_OPEN_SPANS: Final = "SELECT trace_id, span_id, content FROM spans WHERE end_ns IS NULL AND trace_id IN {}"
_AT_ONCE: Final = 500
_FIELD: Final = tag_field(Tag.WRITER)
_MESSAGE: Final = "interrupted: the process ended"


def settle(database: Database) -> int:
    """See `TraceStore.settle_interrupted`."""
    dead: list[str] = []
    with database.read() as session:
        for (experiment_id,) in session.all("SELECT experiment_id FROM experiments"):
            for lease in _leases(session, experiment_id):
                if is_dead(lease):
                    dead += [row[0] for row in session.all(_OF_LEASE, (experiment_id, _FIELD, lease))]
    settled = 0
    for start in range(0, len(dead), _AT_ONCE):
        ids = dead[start : start + _AT_ONCE]
        settled += database.write(lambda session, ids=ids: _settle(session, ids))
    return settled


def _leases(session: Session, experiment_id: int) -> Iterator[str]:
    lease = ""
    while True:
        [(lease,)] = session.all(_NEXT_LEASE, (experiment_id, _FIELD, lease))
        if lease is None:
            return
        yield lease


def _dead(rows: list[Row]) -> list[Row]:
    known: dict[str, bool] = {}
    found: list[Row] = []
    for row in rows:
        lease: object = json.loads(row[3]).get(Tag.WRITER)
        if isinstance(lease, str):
            if lease not in known:
                known[lease] = is_dead(lease)
            if known[lease]:
                found.append(row)
    return found


def _settle(session: Session, trace_ids: list[str]) -> int:
    rows = _dead(select_in(session, _AGAIN, trace_ids))  # some may have ended or been heard of meanwhile
    if not rows:
        return 0
    writes = [
        (
            TraceWrite(
                trace_id=trace_id,
                experiment_id=str(experiment_id),
                request_time_ns=time_ns,
                state=TraceState.IN_PROGRESS,
                tags={Tag.WRITER: None, Tag.INTERRUPTED: "true"},
            ),
            experiment_id,
        )
        for trace_id, experiment_id, time_ns, _ in rows
    ]
    Batch(writes, [], home=None).write(session, None)
    for trace_id, span_id, content in select_in(session, _OPEN_SPANS, [row[0] for row in rows]):
        found = load(content)
        found["message"] = _MESSAGE
        session.run(
            "UPDATE spans SET status = 'ERROR', content = ? WHERE trace_id = ? AND span_id = ?",
            (dump(found), trace_id, span_id),
        )
    return len(rows)
