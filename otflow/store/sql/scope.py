"""What one workspace may see of a database: the one place where workspaces are kept apart.

Experiments belong to a workspace; runs, traces and logged models to an experiment. Whoever names one of them by its id
asks `Scope` first, in the same transaction; what is in another workspace is then not there. Names (of experiments and
of registered models) are looked up together with the workspace, where they are looked up.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Final, TypeVar

from otflow.errors import NotFoundError
from otflow.store.sql.connection import Database, Session
from otflow.store.sql.statements import select_in

__all__ = ["Kind", "Scope"]

T = TypeVar("T")

_MOST_KNOWN: Final = 10_000
"""Ids that a scope remembers of each kind."""
_KNOWN_FOR_S: Final = 5.0
"""How long it remembers them: another process may delete the workspace, or a trace whose id then is used elsewhere."""


class Kind(Enum):
    """What an id is one of: its table, the column of the id, and what is said where there is none."""

    EXPERIMENT = ("experiments", "experiment_id", "No Experiment with id={} exists")
    RUN = ("runs", "run_id", "Run with id={} not found")
    TRACE = ("traces", "trace_id", "Trace with ID '{}' not found.")
    MODEL = ("logged_models", "model_id", "Logged model with ID '{}' not found.")

    @property
    def statement(self) -> str:
        """A SELECT of ids and their workspaces."""
        table, column, _ = self.value
        join = "" if self is Kind.EXPERIMENT else " JOIN experiments e ON e.experiment_id = t.experiment_id"
        owner = "t" if self is Kind.EXPERIMENT else "e"
        return f"SELECT t.{column}, {owner}.workspace FROM {table} t{join} WHERE t.{column} IN {{}}"

    def absent(self, an_id: object) -> NotFoundError:
        """What is said of an id that is not there."""
        return NotFoundError(self.value[2].format(an_id))


class Scope:
    """One workspace.

    Ids that were found to be in it are remembered for a while: they leave a workspace only by a deletion.

    Args:
        workspace: Its name.
        database: The database, if the scope lives for longer than a transaction: after a deletion there, nothing that
            was known before is known.
    """

    def __init__(self, workspace: str, database: Database | None = None) -> None:
        self.workspace = workspace
        self._database = database
        self._forget()

    def _forget(self) -> None:
        self._deletions = 0 if self._database is None else self._database.deletions
        self._until = time.monotonic() + _KNOWN_FOR_S
        self._known: dict[Kind, set[object]] = {kind: set() for kind in Kind}

    def _remembered(self, kind: Kind) -> set[object]:
        """The ids that are known to be in the workspace. Asked for before the database is."""
        deletions = 0 if self._database is None else self._database.deletions
        if deletions != self._deletions or time.monotonic() >= self._until:
            self._forget()
        return self._known[kind]

    def require(self, session: Session, kind: Kind, ids: Collection[object]) -> None:
        """Raise NotFoundError where an id is that of another workspace; one that is nowhere is left to who looks it up.

        Args:
            session: The transaction.
            kind: What they are ids of.
            ids: The ids as the columns have them.
        """
        if self._remembered(kind).issuperset(ids):
            return
        for an_id, own in self._own(session, kind, ids).items():
            if own is False:
                raise kind.absent(an_id)

    def hold(self, session: Session, experiments: Collection[int]) -> None:
        """Raise NotFoundError where an experiment is not in the workspace, or nowhere.

        What would be written into one that is gone, nobody could find again: one that is not known to be there stays
        until the transaction ends.
        """
        known = self._remembered(Kind.EXPERIMENT)
        wanted = sorted({number for number in experiments if number not in known})
        if not wanted:
            return
        statement = Kind.EXPERIMENT.statement + session.dialect.for_reference
        own = {number for number, workspace in select_in(session, statement, wanted) if workspace == self.workspace}
        for number in wanted:
            if number not in own:
                raise Kind.EXPERIMENT.absent(number)
        known.update(own)

    def within(self, session: Session, kind: Kind, ids: Sequence[T]) -> list[T]:
        """Those of the ids that are in the workspace, in their order."""
        own = self._own(session, kind, ids)
        return [an_id for an_id in ids if own.get(an_id)]

    def _own(self, session: Session, kind: Kind, ids: Iterable[object]) -> dict[object, bool | None]:
        """Whether each id is in the workspace; None where there is no such id."""
        known = self._remembered(kind)
        wanted = list(dict.fromkeys(ids))
        unknown = [an_id for an_id in wanted if an_id not in known]
        own: dict[object, bool | None] = dict.fromkeys(wanted, True)
        if unknown:
            own.update(dict.fromkeys(unknown))
            found = select_in(session, kind.statement, unknown)
            own.update((an_id, workspace == self.workspace) for an_id, workspace in found)
            if len(known) + len(found) > _MOST_KNOWN:
                known.clear()
            known.update(an_id for an_id, workspace in found if workspace == self.workspace)
        return own
