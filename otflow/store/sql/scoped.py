"""Transactions of one workspace: what is named by an id is looked for in the workspace before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TypeVar

from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.sql import experiments
from otflow.store.sql.connection import Database, Session
from otflow.store.sql.rows import clean_id
from otflow.store.sql.scope import Kind, Scope

__all__ = ["Scoped"]

T = TypeVar("T")


class Scoped:
    """One workspace of a SQL database.

    Args:
        database: The database.
        workspace: The name of the workspace.
    """

    def __init__(self, database: Database, workspace: str) -> None:
        self._database = database
        self._workspace = workspace
        self._scope = Scope(workspace, database)

    # -- reading ---------------------------------------------------------------------------------

    @contextmanager
    def _read(self, kind: Kind, *ids: object) -> Generator[Session, None, None]:
        with self._database.read() as session:
            self._scope.require(session, kind, ids)
            yield session

    @contextmanager
    def _snapshot(self, kind: Kind = Kind.EXPERIMENT, *ids: object) -> Generator[Session, None, None]:
        with self._database.snapshot() as session:
            self._scope.require(session, kind, ids)
            yield session

    def _own_experiments(self, session: Session, experiment_ids: Sequence[str]) -> list[int]:
        """The numbers of those experiments of the workspace that are named; ids that name none are left out."""
        if isinstance(experiment_ids, str) or not isinstance(experiment_ids, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"experiment_ids is a list of strings, not {experiment_ids!r}")
        numbers: list[int] = []
        for an_id in experiment_ids:
            try:
                numbers.append(experiments.experiment_number(an_id))
            except (InvalidParameterError, NotFoundError):
                continue
        return self._scope.within(session, Kind.EXPERIMENT, numbers)

    # -- writing ---------------------------------------------------------------------------------

    def _write(self, check: Callable[[Session], None], work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction, behind `check`."""

        def checked(session: Session) -> T:
            check(session)
            return work(session)

        return self._database.write(checked)

    def _delete(self, check: Callable[[Session], None], work: Callable[[Session], T]) -> T:
        """Like `_write`; no workspace takes an id for its own afterwards because it was so before."""
        try:
            return self._write(check, work)
        finally:
            self._database.deletions += 1

    def _write_to(self, kind: Kind, ids: Sequence[object], work: Callable[[Session], T]) -> T:
        return self._write(lambda session: self._scope.require(session, kind, ids), work)

    def _write_to_experiment(self, experiment_id: object, work: Callable[[Session], T]) -> T:
        return self._write_to(Kind.EXPERIMENT, [experiments.experiment_number(experiment_id)], work)

    def _write_to_run(self, run_id: object, work: Callable[[Session], T]) -> T:
        return self._write_to(Kind.RUN, [clean_id(run_id)], work)

    def _write_to_trace(self, trace_id: object, work: Callable[[Session], T]) -> T:
        return self._write_to(Kind.TRACE, [clean_id(trace_id)], work)

    def _write_to_model(self, model_id: object, work: Callable[[Session], T]) -> T:
        return self._write_to(Kind.MODEL, [clean_id(model_id)], work)

    def _require_run(self, session: Session, run_id: object, model_ids: Iterable[object]) -> None:
        """A run and the logged models that something links to it."""
        self._scope.require(session, Kind.RUN, [clean_id(run_id)])
        self._scope.require(session, Kind.MODEL, [clean_id(an_id) for an_id in model_ids if an_id])

    def _require_link(self, session: Session, trace_ids: Iterable[object], run_id: object) -> None:
        """A run and the traces that something links to it."""
        self._scope.require(session, Kind.RUN, [clean_id(run_id)])
        self._scope.require(session, Kind.TRACE, [clean_id(an_id) for an_id in trace_ids])
