"""Workspaces: rooms of a store that nothing is seen from the outside of; see also `otflow.set_workspace`."""

from __future__ import annotations

from otflow.client import Client
from otflow.entities import Workspace, WorkspaceDeletionMode

__all__ = ["create_workspace", "delete_workspace", "get_workspace", "list_workspaces", "update_workspace"]


def create_workspace(name: str, description: str | None = None, default_artifact_root: str | None = None) -> Workspace:
    """Create a workspace. `set_workspace` makes it the active one.

    Args:
        name: 2 to 63 lowercase letters and digits, with single hyphens between them; unique in the store.
        description: What it is for.
        default_artifact_root: Where experiments keep artifacts that name no place of their own: a path or a URI. By
            default a directory of the workspace below the store's own place for artifacts.

    Returns:
        The workspace.

    Raises:
        AlreadyExistsError: the name is taken.
        InvalidParameterError: an argument that is not allowed.

    Example:
        >>> import otflow
        >>> otflow.create_workspace("team-blue", description="What the blue team does").name
        'team-blue'
    """
    return Client().create_workspace(name, description, default_artifact_root)


def get_workspace(name: str) -> Workspace:
    """One workspace.

    Args:
        name: Its name.

    Raises:
        NotFoundError: there is none of this name.
    """
    return Client().get_workspace(name)


def list_workspaces() -> list[Workspace]:
    """All workspaces of the store, by name; `default` is always among them."""
    return Client().list_workspaces()


def update_workspace(name: str, description: str | None = None, default_artifact_root: str | None = None) -> Workspace:
    """Change a workspace.

    Args:
        name: The workspace.
        description: What it is for; None leaves what it is.
        default_artifact_root: Where experiments that are made from now on keep their artifacts; None leaves what it is,
            an empty text stands for the store's own place.

    Returns:
        The workspace as it is now.

    Raises:
        NotFoundError: there is none of this name.
        InvalidParameterError: an argument that is not allowed.
    """
    return Client().update_workspace(name, description, default_artifact_root)


def delete_workspace(name: str, *, mode: str = WorkspaceDeletionMode.RESTRICT) -> None:
    """Delete a workspace. Artifacts stay where they are, whatever the mode.

    Args:
        name: The workspace.
        mode: `"RESTRICT"` deletes it only where nothing is in it, deleted experiments counted; `"SET_DEFAULT"` moves
            what is in it to the workspace `default`; `"CASCADE"` deletes what is in it for good.

    Raises:
        NotFoundError: there is none of this name.
        InvalidStateError: it is `default`; something is in it, with RESTRICT; names are taken in `default`, with
            SET_DEFAULT.
        InvalidParameterError: no such mode.

    Example:
        >>> import otflow
        >>> created = otflow.create_workspace("short-lived")
        >>> otflow.delete_workspace("short-lived")
    """
    Client().delete_workspace(name, mode)
