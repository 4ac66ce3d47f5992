"""Workspaces behind an HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otflow.entities import Workspace, WorkspaceDeletionMode
from otflow.errors import AlreadyExistsError, InvalidStateError
from otflow.store.opening import in_workspace
from otflow.store.remote.client import HttpClient
from otflow.store.workspace_names import check_artifact_root, check_deletion_mode, check_workspace_name
from otflow.store.workspaces import DEFAULT_WORKSPACE, WorkspaceStore
from otflow.wire import endpoints
from otflow.wire.scalars import Json, member, members, reading

if TYPE_CHECKING:
    from otflow.store.interface import Store

__all__ = ["RemoteWorkspaces"]


class RemoteWorkspaces(WorkspaceStore):
    """The part of the remote store that has to do with workspaces."""

    _http: HttpClient

    @property
    def workspace(self) -> str:
        return self._http.workspace

    def in_workspace(self, name: str) -> Store:
        from otflow.store.remote.store import RemoteStore

        return RemoteStore(in_workspace(self._http.place, name))

    def create_workspace(
        self, name: str, *, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        body = _fields(description, default_artifact_root)
        if name == DEFAULT_WORKSPACE:
            raise AlreadyExistsError(f"Workspace '{name}' already exists.")
        answer = self._http.call(endpoints.CREATE_WORKSPACE, body={"name": check_workspace_name(name), **body})
        return _workspace(member(answer, "workspace", "workspace"))

    def get_workspace(self, name: str) -> Workspace:
        answer = self._http.call(endpoints.GET_WORKSPACE, {"name": str(name)})
        return _workspace(member(answer, "workspace", "workspace"))

    def list_workspaces(self) -> list[Workspace]:
        found = members(self._http.call(endpoints.LIST_WORKSPACES), "workspaces", "list of workspaces")
        return sorted((_workspace(data) for data in found), key=lambda one: one.name)

    def update_workspace(
        self, name: str, *, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        body = _fields(description, default_artifact_root)
        if not body:
            return self.get_workspace(name)
        answer = self._http.call(endpoints.UPDATE_WORKSPACE, {"name": str(name)}, body=body)
        return _workspace(member(answer, "workspace", "workspace"))

    def delete_workspace(self, name: str, mode: WorkspaceDeletionMode = WorkspaceDeletionMode.RESTRICT) -> None:
        checked = check_deletion_mode(mode)
        if name == DEFAULT_WORKSPACE:
            raise InvalidStateError(f"Cannot delete the reserved '{DEFAULT_WORKSPACE}' workspace")
        self._http.call(endpoints.DELETE_WORKSPACE, {"name": str(name)}, query={"mode": checked.value})


def _fields(description: str | None, default_artifact_root: str | None) -> dict[str, str]:
    given: dict[str, str] = {}
    if description is not None:
        given["description"] = str(description)
    if default_artifact_root is not None:
        given["default_artifact_root"] = check_artifact_root(default_artifact_root) or ""
    return given


def _workspace(data: Json) -> Workspace:
    with reading("workspace", data):
        return Workspace(data["name"], data.get("description"), data.get("default_artifact_root") or None)
