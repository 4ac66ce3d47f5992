"""Workspaces."""

from __future__ import annotations

from otflow import context
from otflow.client.connected import Connected
from otflow.entities import Workspace, WorkspaceDeletionMode
from otflow.store.workspace_names import check_deletion_mode

__all__ = ["WorkspaceClient"]


class WorkspaceClient(Connected):
    """Workspaces: rooms of a store that nothing is seen from the outside of."""

    def create_workspace(
        self, name: str, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        """Create a workspace.

        Args:
            name: 2 to 63 lowercase letters, digits and single hyphens between them.
            description: What it is for.
            default_artifact_root: Where experiments keep artifacts that name no place of their own.

        Raises:
            AlreadyExistsError: the name is taken.
            InvalidParameterError: an argument that is not allowed.
        """
        return self._workspaces().create_workspace(
            name, description=description, default_artifact_root=default_artifact_root
        )

    def get_workspace(self, name: str) -> Workspace:
        """One workspace. Raises NotFoundError."""
        return self._workspaces().get_workspace(name)

    def list_workspaces(self) -> list[Workspace]:
        """All workspaces, by name."""
        return self._workspaces().list_workspaces()

    def update_workspace(
        self, name: str, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        """Change a workspace; see `otflow.update_workspace`.

        Raises:
            NotFoundError: no such workspace.
            InvalidParameterError: an argument that is not allowed.
        """
        return self._workspaces().update_workspace(
            name, description=description, default_artifact_root=default_artifact_root
        )

    def delete_workspace(self, name: str, mode: str = WorkspaceDeletionMode.RESTRICT) -> None:
        """Delete a workspace; see `otflow.delete_workspace`.

        Raises:
            NotFoundError: no such workspace.
            InvalidStateError: it is `default`, or what is in it is in the way.
            InvalidParameterError: no such mode.
        """
        self._workspaces().delete_workspace(name, check_deletion_mode(mode))
        context.forget_workspace(self._workspace_store_uri, name)

    def get_workspace_store_uri(self) -> str:
        """The URI of the store that workspaces are kept in."""
        return self._workspace_store_uri
