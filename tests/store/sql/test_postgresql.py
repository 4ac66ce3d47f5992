"""The contract on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.testing import StoreContract


@pytest.fixture(scope="module")
def shared(new_postgresql: Callable[[], str]) -> Iterator[Store]:
    store = open_store(new_postgresql())
    yield store
    store.close()


class TestPostgreSQL(StoreContract):
    @pytest.fixture
    def store(self, shared: Store) -> Store:
        return shared
