"""Imports that are repeated: without a change, after changes on both sides, after one that was killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otflow import MlflowClient
from otflow.entities import AssessmentSource, WorkspaceDeletionMode
from otflow.migration.importing import import_mlflow
from otflow.migration.report import ImportReport
from otflow.store.opening import open_database, open_store
from otflow.store.sql.checking import check_store
from otflow.store.sql.schema import reference

from .conftest import Oracle, Written, execute, read_ours
from .test_against_mlflow import the_same

pytestmark = pytest.mark.differential


def outcomes(report: ImportReport) -> dict[str, tuple[int, int, int, int]]:
    return {
        noun: (count.new, count.updated, count.unchanged, count.skipped)
        for noun, count in report.counts.items()
        if count.new or count.updated or count.unchanged or count.skipped
    }


def rows_of(uri: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that a database of ours holds."""
    database = open_database(uri)
    try:
        with database.read() as session:
            return {
                table.name: sorted(session.all(f"SELECT {', '.join(table.columns)} FROM {table.name}"), key=repr)
                for table in reference()
            }
    finally:
        database.close()


@pytest.mark.parametrize("source", ["written", "written_directory"])
def test_a_second_import_changes_nothing(source: str, uri: str, request: pytest.FixtureRequest) -> None:
    written: Written = request.getfixturevalue(source)
    first = outcomes(import_mlflow(written.uri, uri))
    before = rows_of(uri)
    second = outcomes(import_mlflow(written.uri, uri))
    assert all(new == updated == skipped == 0 for new, updated, _, skipped in second.values()), second
    assert second["runs"][2] == first["runs"][0] == 8
    assert second["traces"][2] == first["traces"][0] == 5
    assert rows_of(uri) == before


def test_a_dry_run_tells_the_same_and_writes_nothing(written: Written, uri: str, tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path}/new.db"
    tried = import_mlflow(written.uri, new, dry_run=True)
    assert not (tmp_path / "new.db").exists()
    open_store(uri).close()
    before = rows_of(uri)
    again = import_mlflow(written.uri, uri, dry_run=True)
    assert rows_of(uri) == before
    done = import_mlflow(written.uri, uri)
    assert outcomes(tried) == outcomes(again) == outcomes(done)


def test_a_dry_run_into_an_empty_postgresql_database(written: Written, new_postgresql: Callable[[], str]) -> None:
    uri = new_postgresql()
    assert import_mlflow(written.uri, uri, dry_run=True).counts["runs"].new == 8
    database = open_database(uri)
    with database.read() as session:
        assert session.all("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    database.close()


def test_changes_in_mlflow_are_brought_over(copied: Written, oracle: Oracle, uri: str) -> None:
    import_mlflow(copied.uri, uri)
    oracle.ask(do="change", uri=copied.uri, made=copied.made)
    report = import_mlflow(copied.uri, uri)
    assert report.skipped == []
    assert report.notes == [] or all("secret" in note for note in report.notes)
    the_same(read_ours(uri), oracle.read(copied.uri))
    assert [finding for finding in check_store(uri) if finding.harmful] == []
    found = outcomes(report)
    assert found["experiments"][:3] == (0, 2, 2)
    assert found["runs"][:2] == (1, 5)
    assert found["logged models"][:3] == (0, 2, 2)
    assert found["traces"][:2] == (1, 3)
    assert found["versions"][:2] == (1, 2)
    again = outcomes(import_mlflow(copied.uri, uri))
    assert all(new == updated == 0 for new, updated, _, _ in again.values()), again


def test_what_was_made_in_otflow_stays(copied: Written, oracle: Oracle, uri: str) -> None:
    made = copied.made
    import_mlflow(copied.uri, uri)
    ours = MlflowClient(uri)
    agents, run_ids, trace_ids = made["experiments"]["agents"], made["runs"], made["traces"]
    ours.set_experiment_tag(agents, "team", "of otflow")
    ours.set_experiment_tag(agents, "mlflow.note.content", "edited here")
    ours.set_tag(run_ids[0], "n", "of otflow")
    ours.set_tag(run_ids[0], "new", "of otflow")
    ours.delete_tag(run_ids[0], "empty")
    ours.log_metric(run_ids[3], "loss", 0.5, 1_700_000_009_000, 501)
    ours.log_metric(run_ids[3], "of otflow", 1.0)
    ours.set_trace_tag(trace_ids[0], "later", "of otflow")
    ours.set_trace_tag(trace_ids[1], "env", "staging")
    store = open_store(uri)
    from otflow.entities import Feedback

    added = store.create_assessment(
        Feedback(name="ours", value=1, trace_id=trace_ids[0], source=AssessmentSource("HUMAN", "me"))
    )
    good = next(one for one in store.get_trace_info(trace_ids[0]).assessments if one.name == "good")
    store.update_assessment(trace_ids[0], str(good.assessment_id), {"rationale": "mine"})
    store.delete_traces(agents, trace_ids=[trace_ids[3]])
    own_run = ours.create_run(agents, run_name="of otflow")
    oracle.ask(do="change", uri=copied.uri, made=made)
    report = import_mlflow(copied.uri, uri)

    experiment = ours.get_experiment(agents)
    assert experiment.name == "agents, renamed"
    assert experiment.tags["team"] == "of otflow"
    assert experiment.tags["mlflow.note.content"] == "edited here"
    run = ours.get_run(run_ids[0])
    assert run.data.tags["n"] == "of otflow"
    assert run.data.tags["new"] == "of otflow"
    assert run.data.tags["both"] == "of MLflow"
    assert "empty" not in run.data.tags
    grown = ours.get_run(run_ids[3])
    assert grown.data.metrics["loss"] == 0.5
    assert grown.data.metrics["of otflow"] == 1.0
    assert {point.step for point in ours.get_metric_history(run_ids[3], "loss")} >= {0, 29, 500, 501}
    trace = store.get_trace(trace_ids[0]).info
    assert trace.tags["later"] == "of otflow"
    assert {one.assessment_id for one in trace.assessments} >= {added.assessment_id}
    assert next(one for one in trace.assessments if one.name == "good").rationale == "mine"
    assert [one.name for one in trace.assessments if one.name == "list"] == []
    assert store.get_trace(trace_ids[1]).info.tags["env"] == "staging"
    assert store.get_traces([trace_ids[3]]) == []
    assert ours.get_run(own_run.info.run_id).info.run_name == "of otflow"
    notes = "\n".join(report.notes)
    for what in ("tag/team", "tag/n", "tag/later", f"assessment/{good.assessment_id}"):
        assert f"{what} was changed on both sides" in notes
    store.close()
    assert [finding for finding in check_store(uri) if finding.harmful] == []


_KILLED = """
import os, signal, sys
from otflow.migration.importing import import_mlflow
from otflow.store.sql.connection import Database

write, left = Database.write, int(sys.argv[3])

def killed(self, work):
    global left
    left -= 1
    if left < 0:
        def half(session):
            work(session)
            os.kill(os.getpid(), signal.SIGKILL)
        return write(self, half)
    return write(self, work)

Database.write = killed
import_mlflow(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("transactions", [2, 4, 6, 8])
def test_an_import_that_was_killed_is_done_again(written: Written, uri: str, transactions: int, tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(textwrap.dedent(_KILLED))
    done = subprocess.run(
        [sys.executable, str(program), written.uri, uri, str(transactions)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    report = import_mlflow(written.uri, uri)
    assert report.skipped == []
    the_same(read_ours(uri), written.answers)
    assert [finding for finding in check_store(uri) if finding.harmful] == []


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_the_source_stays_as_it_is(copied: Written, mode: str, tmp_path: Path) -> None:
    execute(copied.uri, f"PRAGMA journal_mode = {mode}")
    before = copied.path.read_bytes()
    import_mlflow(copied.uri, f"sqlite:///{tmp_path}/into.db")
    assert copied.path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("copy")) == ["copy.db"]


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_database_that_a_server_writes_to(copied: Written, mode: str, tmp_path: Path) -> None:
    run_id = copied.made["runs"][0]
    connection = sqlite3.connect(copied.path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute(f"INSERT INTO tags (key, value, run_uuid) VALUES ('live', 'committed', '{run_id}')")
    into = f"sqlite:///{tmp_path}/into.db"
    seen: list[str] = []

    def progress(noun: str, count: int) -> None:
        # While it is read, the server goes on: what it writes now is not of the moment that is read.
        if noun == "experiments" and not seen:
            seen.append(noun)
            connection.execute(f"UPDATE tags SET value = 'too late' WHERE key = 'live' AND run_uuid = '{run_id}'")

    import_mlflow(copied.uri, into, progress=progress)
    assert seen
    assert MlflowClient(into).get_run(run_id).data.tags["live"] == "committed"
    connection.close()


def test_a_file_that_may_only_be_read(copied: Written, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    path = folder / "mlflow.db"
    path.write_bytes(copied.path.read_bytes())
    path.chmod(0o400)
    folder.chmod(0o500)
    try:
        assert import_mlflow(path, f"sqlite:///{tmp_path}/into.db").counts["runs"].new == 8
    finally:
        folder.chmod(0o700)


# -- names and numbers that are taken ------------------------------------------------------------------


def test_names_and_numbers_that_are_taken(written: Written, uri: str) -> None:
    ours = MlflowClient(uri)
    first = ours.create_experiment("mine")  # number 1, which `agents` has in MLflow
    second = ours.create_experiment("gone")
    report = import_mlflow(written.uri, uri)
    agents = ours.get_experiment_by_name("agents")
    assert agents is not None
    assert agents.experiment_id not in (first, second, "0")
    run = ours.get_run(written.made["runs"][0])
    assert run.info.experiment_id == agents.experiment_id
    # The one of MLflow's is deleted, ours is not.
    gone = ours.get_experiment_by_name("gone (2)")
    assert gone is not None
    assert gone.lifecycle_stage == "deleted"
    assert any("the number 1 is taken" in note for note in report.notes)
    assert any("brought over as 'gone (2)'" in note for note in report.notes)
    found = ours.search_traces(locations=[agents.experiment_id])
    assert len(found) == 5
    assert all(trace.info.experiment_id == agents.experiment_id for trace in found)
    again = outcomes(import_mlflow(written.uri, uri))
    assert all(new == updated == 0 for new, updated, _, _ in again.values()), again


def test_experiments_of_one_name_become_one(written: Written, uri: str) -> None:
    ours = MlflowClient(uri)
    mine = ours.create_experiment("agents", tags={"team": "mine"})
    report = import_mlflow(written.uri, uri)
    assert any("the two become one" in note for note in report.notes)
    experiment = ours.get_experiment(mine)
    assert experiment.tags["team"] == "mine"
    assert experiment.tags["mlflow.note.content"] == "a note\nof two lines"
    assert {run.info.run_id for run in ours.search_runs([mine])} >= set(written.made["runs"][:2])


def test_two_databases_into_one(written: Written, written_directory: Written, uri: str) -> None:
    import_mlflow(written.uri, uri)
    report = import_mlflow(written_directory.uri, uri)
    assert any("registered model 'classifier': the name is taken" in note for note in report.notes)
    ours = MlflowClient(uri)
    every = [one.experiment_id for one in ours.search_experiments(view_type=3)]
    assert len(ours.search_runs(every, run_view_type=3)) == 16
    assert len(ours.search_traces(locations=every)) == 10
    for source in (written, written_directory):
        again = outcomes(import_mlflow(source.uri, uri))
        assert all(new == updated == 0 for new, updated, _, _ in again.values()), again


# -- the registry --------------------------------------------------------------------------------------


def test_the_registry(written: Written, uri: str) -> None:
    import_mlflow(written.uri, uri)
    ours = MlflowClient(uri)
    # A deleted version stays deleted, and its number is not given out again.
    assert sorted(int(one.version) for one in ours.search_model_versions("name = 'classifier'")) == [1, 3, 4]
    made = ours.create_model_version("classifier", "/models/new")
    assert int(made.version) == 5
    rows = rows_of(uri)
    webhooks = {row[2]: row for row in rows["webhooks"]}
    assert {name: (json.loads(row[5]), row[6], row[7]) for name, row in webhooks.items()} == {
        "told": (["model_version.created", "prompt.created"], "DISABLED", None),
        "off": (["registered_model.created"], "DISABLED", None),
    }


def test_a_version_made_in_otflow_meanwhile(copied: Written, oracle: Oracle, uri: str) -> None:
    import_mlflow(copied.uri, uri)
    database = open_database(uri)
    try:
        statement = (
            "INSERT INTO model_versions (model, version, current_stage, source, status, creation_time_ms,"
            " last_update_time_ms) SELECT number, 5, 'None', '/mine', 'READY', 1, 1 FROM registered_models"
            " WHERE name = 'classifier'"
        )
        database.write(lambda session: session.run(statement))
        oracle.ask(do="change", uri=copied.uri, made=copied.made)
        report = import_mlflow(copied.uri, uri)
        assert report.skipped == ["version 5 of 'classifier': a version of that number was made in otflow"]
        with database.read() as session:
            assert session.all("SELECT version, source FROM model_versions WHERE source LIKE '/m%' ORDER BY 1") == [
                (1, "/models/1"),
                (5, "/mine"),
            ]
    finally:
        database.close()


def test_another_workspace(copied: Written, uri: str) -> None:
    execute(
        copied.uri,
        "INSERT INTO workspaces (name, description) VALUES ('team-a', 'another team')",
        "UPDATE experiments SET workspace = 'team-a' WHERE name LIKE 'renamed%'",
        "INSERT INTO registered_models (name, workspace, creation_time) VALUES ('classifier', 'team-a', 5)",
    )
    report = import_mlflow(copied.uri, uri)
    assert report.counts["workspaces"].new == 1
    rows = rows_of(uri)
    assert ("team-a", "another team", None) in rows["workspaces"]
    assert {row[1]: row[6] for row in rows["experiments"]}["agents"] == "default"
    assert sorted(row[1] for row in rows["registered_models"] if row[2] == "classifier") == ["default", "team-a"]
    assert os.path.exists(copied.path)


def test_what_a_deleted_workspace_has_left_to_the_default_one(copied: Written, uri: str) -> None:
    execute(
        copied.uri,
        "INSERT INTO workspaces (name) VALUES ('team-a')",
        "INSERT INTO experiments (name, workspace, lifecycle_stage) VALUES ('of the team', 'team-a', 'active')",
    )
    import_mlflow(copied.uri, uri)
    store = open_store(uri)
    store.delete_workspace("team-a", WorkspaceDeletionMode.SET_DEFAULT)
    store.close()
    execute(copied.uri, "UPDATE experiments SET name = 'agents' WHERE workspace = 'team-a'")
    report = import_mlflow(copied.uri, uri)
    assert any("brought over as 'agents (2)'" in note for note in report.notes)
    assert {row[1]: row[6] for row in rows_of(uri)["experiments"]}["agents (2)"] == "default"
