"""What the parts of the store have in common that have to do with the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from otflow.store.sql.connection import Database, Session

if TYPE_CHECKING:
    from otflow.store.sql.registry.deliverer import Deliverer

__all__ = ["RegistryPart"]

T = TypeVar("T")


class RegistryPart:
    """One workspace of a SQL database, as the registry sees it."""

    _database: Database
    _workspace: str
    _origin: RegistryPart
    """The store that was opened, whose workspaces share what tells webhooks."""
    _deliverer: Deliverer | None = None
    """What tells webhooks; made when there is something to tell for the first time. Of the origin only."""

    def _change(self, work: Callable[[Session], T]) -> T:
        """Run a change of the registry in one transaction; webhooks hear of it afterwards."""
        emitted = False

        def noting(session: Session) -> T:
            nonlocal emitted
            session.emitted = False
            result = work(session)
            emitted = session.emitted
            return result

        result = self._database.write(noting)
        if emitted:
            self._open_deliverer().wake()
        return result

    def _open_deliverer(self) -> Deliverer:
        found = self._origin._deliverer
        if found is None:
            from otflow.store.sql.registry.deliverer import Deliverer

            # Two threads at once: both get the one that came first. A lock could be held at a fork.
            found = self._origin.__dict__.setdefault("_deliverer", Deliverer(self._database))
        return found

    def _close_deliverer(self) -> None:
        """Tell webhooks what is due, for as long as the settings say, before the database is closed."""
        if self._origin._deliverer is not None:
            self._origin._deliverer.close()
