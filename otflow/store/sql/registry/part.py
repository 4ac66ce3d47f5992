"""What the parts of the store have in common that have to do with the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from otflow.store.sql.connection import Database, Session

__all__ = ["RegistryPart"]

T = TypeVar("T")


class RegistryPart:
    """One workspace of a SQL database, as the registry sees it."""

    _database: Database
    _workspace: str

    def _change(self, work: Callable[[Session], T]) -> T:
        """Run a change of the registry in one transaction; webhooks hear of it afterwards."""
        return self._database.write(work)
