"""What can be read: older schemas, files of spans, rows that are broken; and what is refused."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otflow import MlflowClient
from otflow.cli import main
from otflow.errors import InvalidParameterError, MissingExtraError, OtflowError
from otflow.migration.importing import import_mlflow
from otflow.store.opening import open_store
from otflow.store.sql.checking import check_store

from .conftest import Written, execute, read_ours


@pytest.fixture
def into(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/into.db"


# -- what is refused -----------------------------------------------------------------------------------


def test_what_is_no_source(into: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, and not a short one either" * 50)
    (tmp_path / "empty").mkdir()
    (tmp_path / "above" / "mlruns").mkdir(parents=True)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE experiments (a)").connection.close()
    open_store(f"sqlite:///{tmp_path}/ours.db").close()
    open_store(str(tmp_path / "store")).close()
    for source, told in (
        ("absent.db", "there is no file and no directory 'absent.db'"),
        (f"sqlite:///{tmp_path}/absent.db", "there is no database at"),
        (tmp_path / "text", "is not a SQLite database"),
        (tmp_path / "empty", "holds no experiments of MLflow's"),
        (tmp_path / "above", f"did you mean {tmp_path}/above/mlruns?"),
        (tmp_path / "other.db", "is not MLflow's: there is no table runs"),
        (tmp_path / "ours.db", "is otflow's own; to bring a store into an empty one, use otflow db move"),
        (tmp_path / "store", "is otflow's own"),
        ("mysql+pymysql://me:hush@host/db", "is a database of the kind mysql; SQLite, PostgreSQL and directories"),
        ("http://localhost:5000", "is a server; name the database behind it"),
    ):
        with pytest.raises(InvalidParameterError) as raised:
            import_mlflow(source, into)
        assert told in raised.value.message
        assert "hush" not in raised.value.message
    assert not (tmp_path / "into.db").exists()
    assert not (tmp_path / "absent.db").exists()


def test_a_postgresql_database_of_another_program(new_postgresql: Callable[[], str], into: str) -> None:
    with pytest.raises(InvalidParameterError, match="is not MLflow's: there is no table experiments and no table runs"):
        import_mlflow(new_postgresql(), into)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("sqlite:///:memory:", "would be gone at once"),
        ("http://localhost:5000", "an import writes into a database"),
        ("strange://x", "for which no store is known"),
    ],
)
def test_what_is_no_target(target: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=told):
        import_mlflow(tmp_path, target)


def test_a_target_that_is_mlflows(written: Written) -> None:
    with pytest.raises(OtflowError, match=r"otflow db import 'sqlite:///.*mlflow\.db' --into sqlite:///otflow\.db"):
        import_mlflow(written.uri, written.uri)


# -- older schemas -------------------------------------------------------------------------------------


def test_tables_and_columns_that_are_not_there(copied: Written, into: str) -> None:
    execute(
        copied.uri,
        *(
            f"DROP TABLE {table}"
            for table in (
                "workspaces", "logged_models", "logged_model_metrics", "logged_model_params", "logged_model_tags",
                "assessments", "webhooks", "webhook_events", "entity_associations", "inputs", "input_tags",
                "registered_model_aliases", "evaluation_datasets", "scorers", "jobs",
            )
        ),
        "ALTER TABLE trace_info DROP COLUMN client_request_id",
        "ALTER TABLE trace_info DROP COLUMN request_preview",
        "ALTER TABLE metrics RENAME COLUMN is_nan TO former",
        "DROP INDEX idx_experiments_workspace_creation_time",
        "ALTER TABLE experiments RENAME COLUMN creation_time TO former",
        "ALTER TABLE experiments RENAME COLUMN last_update_time TO former_2",
    )  # fmt: skip
    report = import_mlflow(copied.uri, into)
    assert report.skipped == []
    ours = read_ours(into)
    assert {run: value["name"] for run, value in ours["runs"].items()} == {
        run: value["name"] for run, value in copied.answers["runs"].items()
    }
    assert len(ours["traces"]) == 5
    assert report.counts["logged models"].new == 0
    assert import_mlflow(copied.uri, into).counts["experiments"].new == 0


# -- spans in files ------------------------------------------------------------------------------------


def _into_files(copied: Written, folder: Path) -> list[str]:
    """Take the spans of the traces out of the database, as MLflow kept them up to 3.5."""
    connection = sqlite3.connect(copied.path, isolation_level=None)
    ids = [row[0] for row in connection.execute("SELECT request_id FROM trace_info ORDER BY timestamp_ms")]
    for trace_id in ids:
        spans = [
            json.loads(row[0])
            for row in connection.execute("SELECT content FROM spans WHERE trace_id = ?", (trace_id,))
        ]
        place = folder / trace_id / "artifacts"
        place.mkdir(parents=True)
        (place / "traces.json").write_text(json.dumps({"spans": spans}))
        connection.execute(
            "UPDATE trace_tags SET value = ? WHERE request_id = ? AND key = 'mlflow.artifactLocation'",
            (str(place), trace_id),
        )
    connection.execute("DELETE FROM trace_tags WHERE key = 'mlflow.trace.spansLocation'")
    connection.execute("DELETE FROM spans")
    connection.close()
    return ids


def test_spans_in_files(copied: Written, into: str, tmp_path: Path) -> None:
    ids = _into_files(copied, tmp_path / "files")
    (tmp_path / "files" / ids[1] / "artifacts" / "traces.json").unlink()
    (tmp_path / "files" / ids[2] / "artifacts" / "traces.json").write_text("{")
    execute(
        copied.uri,
        f"UPDATE trace_tags SET value = 'mlflow-artifacts:/1' WHERE request_id = '{ids[3]}'"
        " AND key = 'mlflow.artifactLocation'",
    )
    report = import_mlflow(copied.uri, into)
    assert report.counts["traces"].new == 5
    assert report.counts["spans"].skipped == 3
    told = "\n".join(report.skipped)
    assert f"the spans of the trace {ids[1]}: " in told
    assert "cannot be read: No such file or directory" in told
    assert f"the spans of the trace {ids[2]}: " in told
    assert "they are in mlflow-artifacts:/1, which is no directory of this machine" in told
    ours = read_ours(into)["traces"]
    assert ours[ids[0]]["spans"] == copied.answers["traces"][ids[0]]["spans"]
    assert ours[ids[1]]["spans"] == {}
    assert ours[ids[1]]["info"]["state"] == copied.answers["traces"][ids[1]]["info"]["state"]
    # What is still missing is told again.
    again = import_mlflow(copied.uri, into)
    assert again.skipped == report.skipped
    assert (again.counts["traces"].updated, again.counts["traces"].unchanged) == (0, 5)
    # The file comes back: the next import has it.
    (tmp_path / "files" / ids[2] / "artifacts" / "traces.json").write_text(
        json.dumps({"spans": list(copied.answers["traces"][ids[2]]["spans"].values())})
    )
    again = import_mlflow(copied.uri, into)
    assert again.counts["traces"].updated == 1


def test_ids_of_early_mlflow_2(copied: Written, into: str, tmp_path: Path) -> None:
    ids = _into_files(copied, tmp_path / "files")
    bare = ids[0].removeprefix("tr-")
    file = tmp_path / "files" / ids[0] / "artifacts" / "traces.json"
    spans: list[dict[str, Any]] = []
    for span in copied.answers["traces"][ids[0]]["spans"].values():
        code = span["status"]["code"].removeprefix("STATUS_CODE_")
        spans.append(
            {
                "name": span["name"],
                "context": {"span_id": "0x" + _hex(span["span_id"]), "trace_id": "0x" + _hex(span["trace_id"])},
                "parent_id": None if span["parent_span_id"] is None else "0x" + _hex(span["parent_span_id"]),
                "start_time": span["start_time_unix_nano"],
                "end_time": span["end_time_unix_nano"],
                "status_code": code,
                "status_message": "",
                "attributes": {
                    key: json.dumps(bare if key == "mlflow.traceRequestId" else value)
                    for key, value in span["attributes"].items()
                },
                "events": [],
            }
        )
    file.write_text(json.dumps({"spans": spans}))
    execute(
        copied.uri,
        f"UPDATE trace_info SET request_id = '{bare}' WHERE request_id = '{ids[0]}'",
        f"UPDATE trace_tags SET request_id = '{bare}' WHERE request_id = '{ids[0]}'",
        f"UPDATE trace_request_metadata SET request_id = '{bare}' WHERE request_id = '{ids[0]}'",
        f"UPDATE assessments SET trace_id = '{bare}' WHERE trace_id = '{ids[0]}'",
        f"UPDATE entity_associations SET source_id = '{bare}' WHERE source_id = '{ids[0]}'",
    )
    report = import_mlflow(copied.uri, into)
    assert report.skipped == []
    trace = MlflowClient(into).get_trace(ids[0])
    assert [span.name for span in trace.data.spans] == ["agent", "retrieve", "llm"]
    assert {one.name for one in trace.info.assessments} == {"good", "score", "list"}
    assert import_mlflow(copied.uri, into).counts["traces"].unchanged == 5


def _hex(text: str) -> str:
    import base64

    return base64.b64decode(text).hex()


def test_artifacts_that_a_server_gives_out(copied: Written, into: str, tmp_path: Path) -> None:
    ids = _into_files(copied, tmp_path / "files" / "traces")
    execute(
        copied.uri,
        f"UPDATE trace_tags SET value = replace(value, '{tmp_path}/files', 'mlflow-artifacts:')",
        "UPDATE experiments SET artifact_location = 'mlflow-artifacts:/' || experiment_id",
        "UPDATE runs SET artifact_uri = 'mlflow-artifacts:/' || experiment_id || '/' || run_uuid || '/artifacts'",
        "UPDATE logged_models SET artifact_location = 'mlflow-artifacts://host:80/1/models/' || model_id",
        "UPDATE model_versions SET storage_location = 'mlflow-artifacts:/x' WHERE version = 1",
    )
    run_id, model_id = copied.made["runs"][0], copied.made["models"][0]
    ours = MlflowClient(into)
    plain = import_mlflow(copied.uri, into)
    assert plain.counts["spans"].skipped == 5
    assert "--artifacts names one" in plain.skipped[0]
    assert ours.get_run(run_id).info.artifact_uri == f"mlflow-artifacts:/1/{run_id}/artifacts"
    # Found again with the place of the artifacts, all of it is brought up to date.
    report = import_mlflow(copied.uri, into, artifacts=str(tmp_path / "files"))
    assert report.skipped == []
    assert report.counts["runs"].updated == 8
    assert ours.get_experiment("1").artifact_location == f"{tmp_path}/files/1"
    assert ours.get_run(run_id).info.artifact_uri == f"{tmp_path}/files/1/{run_id}/artifacts"
    assert ours.get_logged_model(model_id).artifact_location == f"{tmp_path}/files/1/models/{model_id}"
    assert ours.get_model_version_download_uri("classifier", "1") == f"{tmp_path}/files/x"
    assert len(ours.get_trace(ids[0]).data.spans) == 3
    again = import_mlflow(copied.uri, into, artifacts=str(tmp_path / "files"))
    assert again.counts["runs"].unchanged == 8
    s3 = import_mlflow(copied.uri, into, artifacts="s3://bucket/root/", dry_run=True)
    assert s3.counts["runs"].updated == 8


# -- rows that are broken ------------------------------------------------------------------------------


def test_broken_rows_are_named_and_stop_nothing(copied: Written, into: str) -> None:
    runs, traces, models = copied.made["runs"], copied.made["traces"], copied.made["models"]
    execute(
        copied.uri,
        "PRAGMA foreign_keys = OFF",
        f"UPDATE runs SET start_time = 'yesterday' WHERE run_uuid = '{runs[1]}'",
        f"UPDATE runs SET end_time = {2**62} WHERE run_uuid = '{runs[3]}'",
        f"UPDATE runs SET experiment_id = 77 WHERE run_uuid = '{runs[5]}'",
        f"UPDATE metrics SET value = 'much' WHERE run_uuid = '{runs[0]}' AND key = 'loss' AND step = 3",
        f"UPDATE logged_models SET status = 9 WHERE model_id = '{models[1]}'",
        f"UPDATE spans SET content = '{{' WHERE trace_id = '{traces[0]}' AND name = 'llm'",
        f"UPDATE trace_info SET request_id = 'tr-odd' WHERE request_id = '{traces[2]}'",
        "UPDATE assessments SET value = '{' WHERE name = 'list'",
        "UPDATE assessments SET assessment_type = 'issue' WHERE name = 'wanted'",
        "UPDATE experiments SET name = '' WHERE experiment_id = 3",
        f"UPDATE params SET value = CAST(X'FF41' AS TEXT) WHERE key = 'lr' AND run_uuid = '{runs[0]}'",
    )
    report = import_mlflow(copied.uri, into)
    told = "\n".join(report.skipped)
    for what in (
        f"the run {runs[1]}: ",
        f"the run {runs[3]}: {2**62} is no time in milliseconds",
        f"the run {runs[5]}: its experiment 77 is not there",
        f"the run {runs[7]}: its experiment 3 is not there",
        f"a point of the metric 'loss' of the run {runs[0]}",
        f"the logged model {models[1]}: 9 is no status",
        f"of the trace {traces[0]}: ",
        "the trace tr-odd: a trace id is 'tr-' and 32 hexadecimal digits",
        "'issue' is no kind of assessment",
        "the experiment 3: it has no name",
    ):
        assert what in told
    assert report.counts["runs"].new == 4
    assert report.counts["traces"].new == 4
    ours = MlflowClient(into)
    run = ours.get_run(runs[0])
    assert run.data.params["lr"] == "\ufffdA"
    assert run.data.metrics["loss"] == 1 / 30
    assert len(ours.get_metric_history(runs[0], "loss")) == 29
    assert [span.name for span in ours.get_trace(traces[0]).data.spans] == ["agent", "retrieve"]
    assert [finding for finding in check_store(into) if finding.harmful] == []
    # What is mended is brought over by the next one.
    execute(copied.uri, f"UPDATE runs SET start_time = 5 WHERE run_uuid = '{runs[1]}'")
    assert import_mlflow(copied.uri, into).counts["runs"].new == 1


def test_values_longer_than_otflow_would_take(copied: Written, into: str) -> None:
    run_id = copied.made["runs"][0]
    execute(
        copied.uri,
        f"UPDATE params SET value = '{'p' * 9000}' WHERE key = 'long'",
        f"UPDATE tags SET value = '{'t' * 20000}' WHERE key = 'long'",
        "UPDATE experiment_tags SET value = '" + "e" * 9000 + "' WHERE key = 'team'",
    )
    assert import_mlflow(copied.uri, into).skipped == []
    run = MlflowClient(into).get_run(run_id)
    assert (len(run.data.params["long"]), len(run.data.tags["long"])) == (9000, 20000)


def test_many_points_in_one_run(copied: Written, uri: str) -> None:
    run_id = copied.made["runs"][3]
    connection = sqlite3.connect(copied.path)
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('many', ?, ?, ?, ?, ?)",
        (
            (0.0 if step % 1000 == 7 else step / 2, 1000 + step, run_id, step, step % 1000 == 7)
            for step in range(50_000)
        ),
    )
    connection.commit()
    connection.close()
    report = import_mlflow(copied.uri, uri)
    assert report.counts["metric points"].new == 50_159
    ours = MlflowClient(uri)
    points = ours.get_metric_history(run_id, "many")
    assert len(points) == 50_000
    assert sum(math.isnan(point.value) for point in points) == 50
    assert ours.get_run(run_id).data.metrics["many"] == 49_999 / 2


def test_what_otflow_has_no_place_for_is_said(copied: Written, into: str) -> None:
    execute(
        copied.uri, "INSERT INTO scorers (experiment_id, scorer_name, scorer_id) VALUES (0, 'a', 'b'), (0, 'c', 'd')"
    )
    assert (
        "scorers are not brought over: otflow has no place for them (2 there)" in import_mlflow(copied.uri, into).notes
    )


# -- directories ---------------------------------------------------------------------------------------


def test_an_old_directory(into: str, tmp_path: Path) -> None:
    run = tmp_path / "mlruns" / "3" / ("a" * 32)
    for folder in ("metrics/sub", "params", "tags", "artifacts"):
        (run / folder).mkdir(parents=True)
    (run.parent / "meta.yaml").write_text(
        "artifact_location: file:///old/3\nexperiment_id: '3'\nlifecycle_stage: active\nname: old\n"
    )
    (run / "meta.yaml").write_text(
        f"artifact_uri: file:///old/3/x\nend_time: 20\nexperiment_id: '3'\nname: ''\nrun_uuid: {'a' * 32}\n"
        "source_type: 4\nstart_time: 10\nstatus: 4\nuser_id: me\n"
    )
    (run / "metrics" / "m").write_text("5 0.5\n6 0.25\n\n7 broken\n")
    (run / "metrics" / "sub" / "n").write_text("5 1e3 9\n")
    (run / "params" / "p").write_text("ünï")
    (run / "tags" / "mlflow.runName").write_text("its name")
    (tmp_path / "mlruns" / "4").mkdir()
    (tmp_path / "mlruns" / "4" / "meta.yaml").write_text("{")
    (run.parent / ("b" * 32)).mkdir()
    (run.parent / ("b" * 32) / "meta.yaml").write_text("status: 1\n")
    report = import_mlflow(tmp_path / "mlruns", into)
    assert [line.partition(":")[0] for line in report.skipped] == [
        f"the experiment in {tmp_path}/mlruns/4",
        f"the run in {run.parent}/{'b' * 32}",
        f"a point of the metric 'm' of the run {'a' * 32}",
    ]
    found = MlflowClient(into).get_run("a" * 32)
    assert (found.info.run_name, found.info.status, found.info.user_id) == ("its name", "FAILED", "me")
    assert found.data.metrics == {"m": 0.25, "sub/n": 1000.0}
    assert found.data.params == {"p": "ünï"}
    assert found.info.artifact_uri == "file:///old/3/x"


def test_a_directory_without_pyyaml(into: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"otflow\[yaml\]"):
        import_mlflow(tmp_path / "mlruns", into)


def test_a_directory_that_has_grown(written_directory: Written, into: str, tmp_path: Path) -> None:
    folder = tmp_path / "mlruns"
    shutil.copytree(written_directory.uri, folder)
    import_mlflow(folder, into)
    run_id = written_directory.made["runs"][0]
    run = folder / written_directory.made["experiments"]["agents"] / run_id
    with (run / "metrics" / "loss").open("a") as file:
        file.write("1800000000000 0.125 1000\n")
    (run / "tags" / "n").write_text("changed")
    report = import_mlflow(f"file://{folder}", into)
    assert (report.counts["runs"].updated, report.counts["metric points"].new) == (1, 1)
    found = MlflowClient(into).get_run(run_id)
    assert (found.data.metrics["loss"], found.data.tags["n"]) == (0.125, "changed")


# -- the command ---------------------------------------------------------------------------------------


def test_the_command(
    written: Written,
    copied: Written,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mine.db")
    assert main(["db", "import", written.uri, "--dry-run"]) == 0
    tried = capsys.readouterr()
    assert "would be imported into" in tried.err
    assert not (tmp_path / "mine.db").exists()
    assert main(["db", "import", written.uri]) == 0
    done = capsys.readouterr()
    assert done.out == tried.out
    lines = [line.split() for line in done.out.splitlines()]
    assert ["runs", "8", "0", "0", "0"] in lines
    assert ["metric", "points", "159", "0", "0", "0"] in lines
    assert done.err == f"{written.uri} imported into sqlite:///{tmp_path}/mine.db\n"
    execute(copied.uri, "UPDATE runs SET start_time = 'x'")
    assert main(["db", "import", copied.uri, "--into", f"sqlite:///{tmp_path}/other.db"]) == 3
    assert "skipped: the run " in capsys.readouterr().out
    assert main(["db", "import", str(tmp_path / "absent")]) == 1
    assert "there is no file and no directory" in capsys.readouterr().err
    assert main(["traces", "search", "-s", written.uri]) == 1
    assert f"otflow db import '{written.uri}' --into" in capsys.readouterr().err
