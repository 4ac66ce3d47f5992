"""What is left of a workspace that is deleted, and who makes things in it meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from otflow.entities import Dataset, DatasetInput, LoggedModelInput, LoggedModelOutput, RunTag, WorkspaceDeletionMode
from otflow.entities.attachment import Attachment
from otflow.errors import NotFoundError, OtflowError
from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql import scope
from otflow.store.sql.schema import reference
from otflow.testing.contract.making import new_trace_id, span, write
from otflow.testing.contract.workspaces import furnish


def counts(store: Any) -> dict[str, int]:
    """The rows of each table."""
    with store._database.read() as session:
        return {table.name: session.all(f"SELECT COUNT(*) FROM {table.name}")[0][0] for table in reference()}


def test_nothing_is_left(sql_store: Store):
    furnish(sql_store)
    before = counts(sql_store)
    sql_store.create_workspace("team")
    workspace = sql_store.in_workspace("team")
    things = furnish(workspace)
    long = new_trace_id()
    messages = [{"role": "user", "content": f"{number} " * 3_000} for number in range(4)]
    workspace.write_traces([write(long, things.experiment)], [span(long, inputs=messages)])
    workspace.link_traces_to_run([things.trace], things.run)
    workspace.link_prompts_to_trace(things.trace, [("p", "1")])
    workspace.log_inputs(
        things.run,
        datasets=[DatasetInput(Dataset("d", "1", "local", "s"))],
        models=[LoggedModelInput(things.model)],
    )
    workspace.log_outputs(things.run, [LoggedModelOutput(things.model, 1)])
    workspace.log_logged_model_params(things.model, {"p": "1"})
    assert counts(sql_store) != before
    sql_store.delete_workspace("team", WorkspaceDeletionMode.CASCADE)
    assert counts(sql_store) == before


def test_an_attachment_is_read_where_a_trace_has_it(sql_store: Store):
    sql_store.create_workspace("team")
    workspace = sql_store.in_workspace("team")
    experiment = workspace.create_experiment("e")
    content = bytes(range(256)) * 40
    url = Attachment(content, "image/png").data_url()
    trace = new_trace_id()
    # Once as a value of its own, once in the midst of a history that is kept as a chain.
    history = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    history += [{"role": "user", "content": "words " * 500} for _ in range(3)]
    workspace.write_traces([write(trace, experiment)], [span(trace, inputs={"messages": history})])
    sha256 = Attachment(content).sha256
    assert len(workspace.get_trace(trace).data.spans[0].attachments) == 1
    assert workspace.read_attachment(sha256) == content
    with pytest.raises(NotFoundError):
        sql_store.read_attachment(sha256)
    own = new_trace_id()
    sql_store.write_traces([write(own, "0")], [span(own, outputs={"image": url})])
    assert sql_store.read_attachment(sha256) == content


def test_nothing_is_made_in_one_that_is_being_deleted(sql_store: Store):
    sql_store.create_workspace("team")
    workspace = sql_store.in_workspace("team")
    start = threading.Barrier(3)
    made: list[str] = []

    def make() -> None:
        start.wait()
        for number in range(200):
            try:
                made.append(workspace.create_experiment(f"{threading.get_ident()}-{number}"))
            except OtflowError:
                return

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    sql_store.delete_workspace("team", WorkspaceDeletionMode.CASCADE)
    for thread in threads:
        thread.join()
    for an_id in made:
        with pytest.raises(NotFoundError):
            sql_store.get_experiment(an_id)
    left: Any = sql_store
    with left._database.read() as session:
        assert session.all("SELECT workspace FROM experiments WHERE workspace <> 'default'") == []


class TestWhatWasThereBefore:
    """A workspace remembers ids for a while; not those that a deletion took from it."""

    @pytest.fixture
    def elsewhere(self, sql_store: Store, uri: str) -> Iterator[Store]:
        """The store as another process has it open."""
        store = open_store(uri)
        yield store
        store.close()

    @staticmethod
    def look(workspace: Store, experiment: str, run: str, trace: str) -> int:
        """How much of these is there."""
        found = 0
        for work in (
            lambda: workspace.get_experiment(experiment),
            lambda: workspace.get_run(run),
            lambda: workspace.get_trace(trace),
            lambda: workspace.log_batch(run, tags=[RunTag("a", "b")]),
            lambda: workspace.set_trace_tag(trace, "a", "b"),
        ):
            try:
                work()
                found += 1
            except NotFoundError:
                pass
        return found

    def test_what_was_moved_is_not_in_one_of_the_same_name(self, sql_store: Store):
        sql_store.create_workspace("team")
        workspace = sql_store.in_workspace("team")
        things = furnish(workspace)
        ids = (things.experiment, things.run, things.trace)
        assert self.look(workspace, *ids) == 5
        sql_store.delete_workspace("team", WorkspaceDeletionMode.SET_DEFAULT)
        assert self.look(workspace, *ids) == 0
        sql_store.create_workspace("team")
        assert self.look(workspace, *ids) == 0
        assert self.look(sql_store, *ids) == 5

    def test_nor_where_another_process_moved_it(
        self, sql_store: Store, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
    ):
        sql_store.create_workspace("team")
        workspace = sql_store.in_workspace("team")
        things = furnish(workspace)
        ids = (things.experiment, things.run, things.trace)
        assert self.look(workspace, *ids) == 5
        elsewhere.delete_workspace("team", WorkspaceDeletionMode.SET_DEFAULT)
        now = time.monotonic()
        monkeypatch.setattr(scope.time, "monotonic", lambda: now + 60.0)
        assert self.look(workspace, *ids) == 0

    def test_nothing_is_written_into_an_experiment_that_another_process_deleted(
        self, sql_store: Store, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
    ):
        sql_store.create_workspace("team")
        workspace = sql_store.in_workspace("team")
        experiment, trace = workspace.create_experiment("e"), new_trace_id()
        workspace.write_traces([write(trace, experiment)], [span(trace)])
        workspace.write_spans(experiment, [span(trace)])
        elsewhere.delete_workspace("team", WorkspaceDeletionMode.CASCADE)
        now = time.monotonic()
        monkeypatch.setattr(scope.time, "monotonic", lambda: now + 60.0)
        for work in (
            lambda: workspace.write_traces([write(trace, experiment)], [span(trace)]),
            lambda: workspace.write_spans(experiment, [span(trace)]),
            lambda: workspace.write_traces([write(trace, experiment)], []),
            lambda: workspace.write_spans(experiment, []),
            lambda: workspace.create_run(experiment),
        ):
            with pytest.raises(NotFoundError):
                work()
        assert {counts(sql_store)[table] for table in ("traces", "spans", "runs")} == {0}

    def test_the_id_of_a_trace_that_was_deleted_is_free(self, sql_store: Store):
        sql_store.create_workspace("team")
        workspace = sql_store.in_workspace("team")
        experiment, trace = workspace.create_experiment("e"), new_trace_id()
        workspace.write_traces([write(trace, experiment)], [span(trace)])
        assert workspace.get_trace(trace).info.trace_id == trace
        assert workspace.delete_traces(experiment, trace_ids=[trace]) == 1
        sql_store.write_traces([write(trace, "0")], [span(trace)])
        with pytest.raises(NotFoundError):
            workspace.get_trace(trace)
        assert sql_store.get_trace(trace).info.experiment_id == "0"
