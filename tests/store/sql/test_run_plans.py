"""How SQLite finds runs and points: by an index, so that a page costs the same however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otflow.entities import Metric
from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql.sqlite import SQLiteSession

RUNS = 40


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/plans.db")
    for number in range(RUNS):
        run_id = opened.create_run("0").info.run_id
        opened.log_batch(run_id, metrics=[Metric(name, number / RUNS, 1, 1) for name in ("a", "b")])
    yield opened
    opened.close()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What SQLite says of each statement that is run from now on."""
    found: list[str] = []
    original = SQLiteSession.all

    def explained(self: SQLiteSession, statement: str, parameters: Any = ()) -> Any:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            found.extend(row[3] for row in original(self, f"EXPLAIN QUERY PLAN {statement}", parameters))
        return original(self, statement, parameters)

    monkeypatch.setattr(SQLiteSession, "all", explained)
    return found


def read_through(plans: list[str], tables: str) -> list[str]:
    return [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in tables.split()]


def test_a_page_of_a_history(store: Store, plans: list[str]) -> None:
    run_id = store.search_runs(["0"], max_results=1)[0].info.run_id
    store.log_batch(run_id, metrics=[Metric("long", 0.5, step, step) for step in range(100)])
    plans.clear()
    page = store.get_metric_history(run_id, "long", max_results=10)
    page = store.get_metric_history(run_id, "long", max_results=10, page_token=page.token)
    assert [point.step for point in page] == list(range(10, 20))
    assert any("run_metrics USING PRIMARY KEY" in plan for plan in plans)
    assert read_through(plans, "run_metrics runs") == []
    assert not any("TEMP B-TREE" in plan for plan in plans)


@pytest.mark.parametrize(
    ("filter_string", "order"),
    [
        ("metrics.a > 0.5", ["metrics.a DESC"]),
        ("metrics.a > 0.5", ["start_time DESC"]),
        (None, ["metrics.a DESC"]),
        (None, None),
    ],
)
def test_a_page_of_runs(store: Store, plans: list[str], filter_string: str | None, order: list[str] | None) -> None:
    found = store.search_runs(["0"], filter_string=filter_string, order_by=order, max_results=5)
    assert len(found) == 5
    assert read_through(plans, "runs r latest_metrics run_metrics run_params run_tags") == []
