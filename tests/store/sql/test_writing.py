"""What writing costs in statements: the same for one trace as for a hundred."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otflow.entities import AssessmentSource, Feedback, TraceState
from otflow.semconv import Metadata
from otflow.store.opening import open_store
from otflow.store.sql.sqlite import SQLiteDatabase
from otflow.store.sql.store import SqlStore
from otflow.testing.contract.making import new_trace_id, span, write


class Counted:
    """A store whose statements are listened to, on every connection that it has."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        connect = SQLiteDatabase._connect

        def connect_and_listen(database: SQLiteDatabase, *, writer: bool) -> object:
            session = connect(database, writer=writer)
            session.connection.set_trace_callback(self.statements.append)
            return session

        monkeypatch.setattr(SQLiteDatabase, "_connect", connect_and_listen)
        store = open_store(f"sqlite:///{path}")
        assert isinstance(store, SqlStore)
        self.store = store
        store.search_traces(["0"])
        self.put(1)

    def put(self, traces: int, **fields: object) -> list[str]:
        """Write new traces of one span each; the statements that took."""
        self.statements.clear()
        ids = [new_trace_id() for _ in range(traces)]
        metadata = {f"key-{number}": "value" for number in range(10)} | {Metadata.SESSION: "s"}
        self.store.write_traces(
            [
                write(an_id, "0", name="trace", tags={"env": "prod", "team": "a"}, metadata=metadata, **fields)
                for an_id in ids
            ],
            [span(an_id, inputs={"q": 1}, outputs="a", span_type="LLM") for an_id in ids],
        )
        return list(self.statements)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    counted = Counted(tmp_path / "counted.db", monkeypatch)
    yield counted
    counted.store.close()


def test_a_trace_of_one_span_costs_five_statements(counted: Counted) -> None:
    statements = counted.put(1, request_preview="asked", response_preview="answered")
    assert statements[0].startswith("BEGIN")
    assert statements[-1] == "COMMIT"
    assert len(statements) == 5


def test_a_hundred_traces_cost_what_one_costs(counted: Counted) -> None:
    assert len(counted.put(100)) == 5


def test_thousands_of_traces_cost_a_few_statements(counted: Counted) -> None:
    assert len(counted.put(2_000)) < 60


def test_changing_many_traces_costs_a_few_statements(counted: Counted) -> None:
    ids = [new_trace_id() for _ in range(100)]
    running = [write(an_id, "0", name="t", state=TraceState.IN_PROGRESS, execution_duration_ms=None) for an_id in ids]
    finished = [write(an_id, "0", name="t", tags={"env": "prod"}) for an_id in ids]
    counted.store.write_traces(running, [])
    counted.statements.clear()
    counted.store.write_traces(finished, [span(an_id) for an_id in ids])
    assert len(counted.statements) <= 8


def test_reading_a_page_costs_one_query_per_table(counted: Counted) -> None:
    an_id = ""
    for an_id in [new_trace_id() for _ in range(50)]:
        counted.store.write_traces([write(an_id, "0")], [span(an_id), span(an_id, parent_id="e" * 16)])
        counted.store.create_assessment(Feedback(name="f", value=1, trace_id=an_id, source=AssessmentSource("HUMAN")))
    assert len(counted.store.search_traces(["0"])) == 51  # asks for the experiment, once
    counted.statements.clear()
    assert len(counted.store.search_traces(["0"])) == 51
    selects = [statement for statement in counted.statements if statement.startswith("SELECT")]
    assert len(selects) == 3
    assert sum("FROM spans" in statement for statement in selects) == 1

    counted.statements.clear()
    counted.store.get_trace(an_id)
    assert sum(statement.startswith("SELECT") for statement in counted.statements) == 3


@pytest.mark.parametrize(
    ("filter_string", "index"),
    [
        (None, "traces_by_time"),
        ("status = 'OK'", "traces_by_state"),
        ("session = 's'", "traces_by_session_id"),
        ("name = 'trace'", "traces_by_name"),
        ("tags.env = 'prod'", "SEARCH d USING PRIMARY KEY"),
        ("span.name = 'span'", "SEARCH d USING PRIMARY KEY"),
        ("feedback.f = 'yes'", "SEARCH d USING PRIMARY KEY"),
    ],
)
def test_pages_come_out_of_an_index_in_order(counted: Counted, filter_string: str | None, index: str) -> None:
    counted.store.search_traces(["0"], filter_string=filter_string)
    page = next(
        statement for statement in counted.statements[::-1] if "FROM trace" in statement and "LIMIT" in statement
    )
    with counted.store._database.read() as session:
        plan = [row[3] for row in session.all(f"EXPLAIN QUERY PLAN {page}")]
    assert any(index in line for line in plan), plan
    assert not any("TEMP B-TREE" in line for line in plan), plan
    assert not any(line.startswith("SCAN") for line in plan), plan
