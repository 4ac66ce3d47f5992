"""The contract on SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.testing import StoreContract


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/contract.db")
    yield store
    store.close()


class TestSQLite(StoreContract):
    @pytest.fixture
    def store(self, shared: Store) -> Store:
        return shared
