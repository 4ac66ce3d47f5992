"""Workspaces: made, listed, changed, deleted."""

from __future__ import annotations

from typing import Final

from otflow.entities import Workspace, WorkspaceDeletionMode
from otflow.errors import AlreadyExistsError, InvalidStateError, NotFoundError
from otflow.store.sql import purging
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.rows import clean, clean_id
from otflow.store.workspace_names import check_artifact_root, check_workspace_name
from otflow.store.workspaces import DEFAULT_WORKSPACE

__all__ = ["artifact_root", "create", "delete", "get", "listed", "require", "update"]

_COLUMNS: Final = "name, description, default_artifact_root"
_NAMED: Final = {"experiments": "experiments", "registered_models": "registered models and prompts"}
"""Tables whose rows have names that are unique in a workspace, and what the rows are."""
_OWNED: Final = {**_NAMED, "webhooks": "webhooks"}
_CONFLICTS_SHOWN: Final = 5
_OWN_DEFAULT: Final = "Default"
"""The experiment that a workspace has for what names none; see `otflow.context.default_experiment_id`."""


def require(session: Session, name: str) -> Row:
    """The row of a workspace, which stays until the transaction ends.

    Raises:
        NotFoundError: there is none.
    """
    # Shared: those that make things in a workspace do not wait for each other, only who deletes it waits.
    lock = " FOR SHARE" if session.dialect.for_update else ""
    row = session.one(f"SELECT {_COLUMNS} FROM workspaces WHERE name = ?{lock}", (name,))
    if row is None:
        raise _absent(name)
    return row


def artifact_root(session: Session, name: str, root_of_store: str) -> str:
    """Where experiments of a workspace keep artifacts that name no place of their own; see `require`."""
    own = require(session, name)[2]
    if own:
        return own
    return root_of_store if name == DEFAULT_WORKSPACE else f"{root_of_store}/workspaces/{name}"


def create(session: Session, name: str, description: str | None, default_artifact_root: str | None) -> Workspace:
    """Create a workspace; see `WorkspaceStore.create_workspace`."""
    row = session.one(
        f"INSERT INTO workspaces ({_COLUMNS}) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}",
        (
            check_workspace_name(name),
            None if description is None else clean(str(description)),
            check_artifact_root(default_artifact_root) or None,
        ),
    )
    if row is None:
        raise AlreadyExistsError(f"Workspace '{name}' already exists.")
    return Workspace(*row)


def get(session: Session, name: str) -> Workspace:
    """One workspace."""
    row = session.one(f"SELECT {_COLUMNS} FROM workspaces WHERE name = ?", (clean_id(name),))
    if row is None:
        raise _absent(name)
    return Workspace(*row)


def listed(session: Session) -> list[Workspace]:
    """All workspaces, by name."""
    return [Workspace(*row) for row in session.all(f"SELECT {_COLUMNS} FROM workspaces ORDER BY name")]


def update(session: Session, name: str, description: str | None, default_artifact_root: str | None) -> Workspace:
    """Change a workspace; see `WorkspaceStore.update_workspace`."""
    changes: dict[str, str | None] = {}
    if description is not None:
        changes["description"] = clean(str(description))
    if default_artifact_root is not None:
        changes["default_artifact_root"] = check_artifact_root(default_artifact_root) or None
    if not changes:
        return get(session, name)
    settings = ", ".join(f"{column} = ?" for column in changes)
    row = session.one(
        f"UPDATE workspaces SET {settings} WHERE name = ? RETURNING {_COLUMNS}", (*changes.values(), clean_id(name))
    )
    if row is None:
        raise _absent(name)
    return Workspace(*row)


# -- deleting ------------------------------------------------------------------------------------------


def delete(session: Session, name: str, mode: WorkspaceDeletionMode) -> None:
    """Delete a workspace; see `WorkspaceStore.delete_workspace`."""
    if name == DEFAULT_WORKSPACE:
        raise InvalidStateError(f"Cannot delete the reserved '{DEFAULT_WORKSPACE}' workspace")
    # Gone first: nobody can add to it from here on, and where it is not empty the transaction undoes it.
    if session.run("DELETE FROM workspaces WHERE name = ?", (clean_id(name),)) == 0:
        raise _absent(name)
    if mode is WorkspaceDeletionMode.RESTRICT:
        _require_empty(session, name)
    elif mode is WorkspaceDeletionMode.SET_DEFAULT:
        _move_to_default(session, name)
    else:
        purging.delete_all_of(session, name)


def _require_empty(session: Session, name: str) -> None:
    counts = {
        what: (session.one(f"SELECT COUNT(*) FROM {table} WHERE workspace = ?", (name,)) or (0,))[0]
        for table, what in _OWNED.items()
    }
    held = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if held:
        raise InvalidStateError(
            f"Cannot delete workspace '{name}': it still contains {held}, deleted ones counted. Remove or reassign them"
            " before deleting the workspace, or delete it with the mode SET_DEFAULT or CASCADE."
        )


def _move_to_default(session: Session, name: str) -> None:
    # Both have an experiment `Default`, which nobody chose to name so.
    session.run(
        "UPDATE experiments SET name = ? WHERE workspace = ? AND name = ?"
        " AND NOT EXISTS (SELECT 1 FROM experiments x WHERE x.workspace = ? AND x.name = ?)",
        (f"{_OWN_DEFAULT} ({name})", name, _OWN_DEFAULT, name, f"{_OWN_DEFAULT} ({name})"),
    )
    conflicts: list[str] = []
    for table, what in _NAMED.items():
        names = [
            repr(row[0])
            for row in session.all(
                f"SELECT t.name FROM {table} t JOIN {table} d ON d.name = t.name AND d.workspace = ?"
                " WHERE t.workspace = ? ORDER BY t.name",
                (DEFAULT_WORKSPACE, name),
            )
        ]
        if names:
            shown = ", ".join(names[:_CONFLICTS_SHOWN])
            more = f" and {len(names) - _CONFLICTS_SHOWN} more" if len(names) > _CONFLICTS_SHOWN else ""
            conflicts.append(f"{what}: {shown}{more}")
    if conflicts:
        raise InvalidStateError(
            f"Cannot move what is in workspace '{name}' to '{DEFAULT_WORKSPACE}', where these names are taken:"
            f" {'; '.join(conflicts)}. Rename or remove them, then try again."
        )
    for table in _OWNED:
        session.run(f"UPDATE {table} SET workspace = ? WHERE workspace = ?", (DEFAULT_WORKSPACE, name))


def _absent(name: object) -> NotFoundError:
    return NotFoundError(f"Workspace '{name}' not found")
