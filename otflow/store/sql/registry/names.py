"""Names of the registry to the rows that they mean: the one place where a workspace keeps apart from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otflow.store.registry_validation import absent_model, absent_version, check_name, check_version
from otflow.store.sql.connection import Session
from otflow.store.sql.rows import clean

__all__ = ["Named", "find", "find_version", "look"]


@dataclass(frozen=True, slots=True)
class Named:
    """A registered model by its number, which its tags, aliases and versions are kept under."""

    number: int
    name: str
    is_prompt: bool


def look(session: Session, workspace: str, name: Any, *, lock: bool = False) -> Named | None:
    """What a name means in a workspace, if it means anything.

    Args:
        session: The transaction.
        workspace: The workspace.
        name: The name of a model or a prompt.
        lock: Whether others are to wait until the transaction ends before they change anything of it.

    Raises:
        InvalidParameterError: nothing can have this name.
    """
    row = session.one(
        "SELECT number, name, is_prompt FROM registered_models WHERE workspace = ? AND name = ?"
        + (session.dialect.for_update if lock else ""),
        (workspace, clean(check_name(name))),
    )
    return None if row is None else Named(row[0], row[1], bool(row[2]))


def find(session: Session, workspace: str, name: Any, prompt: bool | None = None, *, lock: bool = False) -> Named:
    """What a name means in a workspace; see `look`.

    Raises:
        NotFoundError: nothing, or what `prompt` says it must not be.
    """
    found = look(session, workspace, name, lock=lock)
    if found is None or prompt not in (None, found.is_prompt):
        raise absent_model(name)
    return found


def find_version(
    session: Session, workspace: str, name: Any, version: Any, prompt: bool | None = None, *, lock: bool = False
) -> tuple[Named, int]:
    """A version that is there, with the model that it is of; see `look`.

    Raises:
        NotFoundError: there is none.
        InvalidParameterError: nothing can have this name, or no version this number.
    """
    check_name(name)
    number = check_version(version)
    found = look(session, workspace, name, lock=lock)
    if (
        found is None
        or prompt not in (None, found.is_prompt)
        or session.one("SELECT 1 FROM model_versions WHERE model = ? AND version = ?", (found.number, number)) is None
    ):
        raise absent_version(name, version)
    return found, number
