"""The chapter on workspaces on a released MLflow's server that has them, as far as that server keeps them apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otflow.store.interface import Store
from otflow.store.remote.store import RemoteStore
from otflow.testing.contract.workspaces import WorkspaceContract

pytestmark = pytest.mark.differential

CANNOT: dict[str, list[str]] = {
    "MLflow deletes no traces of an experiment that is not there, and says nothing": [
        "test_workspace_is_closed_to_others[delete_traces]"
    ],
    "MLflow's server has no way to unlink": ["test_workspace_is_closed_to_others[unlink_traces_from_run]"],
    "MLflow links what is in two workspaces": ["test_workspace_links_do_not_lead_out"],
    "a method of several requests can fail in between": ["test_workspace_traces_of_others_are_not_written_to"],
    "MLflow fails to delete what hangs on an experiment": ["test_workspace_deleted_with_what_is_in_it"],
}


@pytest.fixture(scope="module")
def shared(mlflow_workspaces: str) -> Iterator[Store]:
    store = RemoteStore(mlflow_workspaces)
    yield store
    store.close()


class TestRemoteWorkspaces(WorkspaceContract):
    @pytest.fixture
    def store(self, shared: Store, request: pytest.FixtureRequest) -> Store:
        for reason, names in CANNOT.items():
            if any(f"{request.node.name}$".startswith(name) for name in names):
                pytest.xfail(reason)
        return shared
