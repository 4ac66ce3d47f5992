"""The contract of a store for workspaces: rooms that nothing is seen from the outside of.

Every experiment with its runs, traces and logged models, every registered model, prompt and webhook belongs to one
workspace. A store is one workspace of it: `default`, or another through `in_workspace`. What belongs to another one is
not there: by id it raises what an unknown id raises, in a search it is not found, and its names may be used again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from otflow.entities import Workspace, WorkspaceDeletionMode

if TYPE_CHECKING:
    from otflow.store.interface import Store

__all__ = ["DEFAULT_WORKSPACE", "WorkspaceStore"]

DEFAULT_WORKSPACE = "default"
"""The workspace that always exists."""


class WorkspaceStore(ABC):
    """Workspaces, and which one this store is."""

    @property
    @abstractmethod
    def workspace(self) -> str:
        """The name of the workspace that this store is."""

    @abstractmethod
    def in_workspace(self, name: str) -> Store:
        """The same store as another workspace. It shares what the store has open: closing the store closes it.

        Nothing is asked of the store here: in a workspace that does not exist, what makes, changes or searches
        something raises NotFoundError.
        """

    @abstractmethod
    def create_workspace(
        self, name: str, *, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        """Create a workspace; an experiment `Default` of its own is in it.

        Args:
            name: 2 to 63 lowercase letters, digits and single hyphens between them, none of the reserved names.
            description: What it is for.
            default_artifact_root: Where experiments keep artifacts that name no place of their own.

        Raises:
            AlreadyExistsError: the name is taken.
            InvalidParameterError: something is not allowed.
        """

    @abstractmethod
    def get_workspace(self, name: str) -> Workspace:
        """One workspace. Raises NotFoundError."""

    @abstractmethod
    def list_workspaces(self) -> list[Workspace]:
        """All workspaces, by name."""

    @abstractmethod
    def update_workspace(
        self, name: str, *, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        """Change a workspace; None leaves what it is, an empty artifact root stands for none. Raises NotFoundError.

        What was made before keeps its artifacts where they are.
        """

    @abstractmethod
    def delete_workspace(self, name: str, mode: WorkspaceDeletionMode = WorkspaceDeletionMode.RESTRICT) -> None:
        """Delete a workspace.

        Args:
            name: The workspace.
            mode: RESTRICT deletes an empty one only; SET_DEFAULT moves what is in it to the workspace `default`;
                CASCADE deletes what is in it. Artifacts stay where they are.

        Raises:
            NotFoundError: no such workspace.
            InvalidStateError: it is `default`; there is something in it, under RESTRICT; names are taken in `default`,
                under SET_DEFAULT.
        """
