"""`otflow traces export` and `import`, through real files."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from otflow.store.opening import open_store

from .conftest import Run, trace_id

DATA = Path(__file__).parent.parent / "data"
FROM_MLFLOW: dict[str, Any] = json.loads((DATA / "mlflow_traces.json").read_text(encoding="utf-8"))
CAPTURES = sorted((DATA / "otlp").glob("*.otlp.pb"))
NAMES = {"jsonl": "t.jsonl", "otlp": "t.otlp", "otlp-json": "t.otlp.json", "parquet": "t.parquet"}


def exported(run: Run, uri: str, path: Path) -> bytes:
    done = run("traces", "export", "-s", uri, "-o", path)
    assert (done.code, done.out) == (0, ""), done.err
    return path.read_bytes()


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_exported_and_imported_is_the_same_to_the_byte(run: Run, uri: str, tmp_path: Path, kind: str) -> None:
    lines = exported(run, uri, tmp_path / "before.jsonl")
    first = exported(run, uri, tmp_path / NAMES[kind])
    target = f"sqlite:///{tmp_path}/target.db"
    for _ in range(2):  # the second time changes nothing
        done = run("traces", "import", "-s", target, tmp_path / NAMES[kind])
        assert (done.code, done.out) == (0, "")
        assert done.err == "4 traces with 8 spans and 2 assessments imported\n"
        assert exported(run, target, tmp_path / "after.jsonl") == lines
        assert exported(run, target, tmp_path / f"again-{NAMES[kind]}") == first
    assert run("db", "check", target).code == 0


def test_an_import_finds_again_what_the_search_found(run: Run, uri: str, tmp_path: Path) -> None:
    exported(run, uri, tmp_path / "t.jsonl")
    target = f"sqlite:///{tmp_path}/target.db"
    run("traces", "import", "-s", target, tmp_path / "t.jsonl")
    for words in (
        ["--filter", "tags.env = 'prod'"],
        ["--filter", "feedback.good > 0.4"],
        ["--filter", "prompt = 'greeting/3'"],
        ["--filter", "session = 's1'"],
        ["-e", "other"],
    ):
        expected = run("traces", "search", "-s", uri, *words).lines
        assert expected
        assert run("traces", "search", "-s", target, *words).lines == expected
    store = open_store(target)
    child = store.get_trace(trace_id(1)).data.spans[1]
    store.close()
    assert (child.kind, child.scope, child.resource) == (2, "some.library", {"service.name": "shop"})
    assert child.raw_attributes["compact"] == '{"a":1}'


@pytest.mark.parametrize("kind", NAMES)
def test_through_pipes(run: Run, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    data = exported(run, uri, tmp_path / NAMES[kind])

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(data)))
    target = f"sqlite:///{tmp_path}/target.db"
    assert run("traces", "import", "-s", target, "-").err.startswith("4 traces with 8 spans")
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    from otflow.cli import main

    assert main(["traces", "export", "-s", uri, "--format", kind]) == 0
    assert out.buffer.getvalue() == data  # type: ignore[attr-defined]


def test_packed_files(run: Run, uri: str, tmp_path: Path) -> None:
    data = exported(run, uri, tmp_path / "t.jsonl")
    packed = exported(run, uri, tmp_path / "t.jsonl.gz")
    assert gzip.decompress(packed) == data
    done = run("traces", "import", "-s", f"sqlite:///{tmp_path}/new.db", tmp_path / "t.jsonl.gz")
    assert done.err.startswith("4 traces")


def test_export_of_what_matches(run: Run, uri: str, tmp_path: Path) -> None:
    run("traces", "export", "-s", uri, "-e", "Default", "--filter", "status = 'ERROR'", "-o", tmp_path / "t.jsonl")
    (line,) = (tmp_path / "t.jsonl").read_text().splitlines()
    data = json.loads(line)
    assert data["info"]["trace_id"] == trace_id(2)
    assert data["otflow"] == {"experiment": "Default"}


def test_an_export_that_fails_leaves_no_file(run: Run, uri: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("before")
    done = run("traces", "export", "-s", uri, "--filter", "nonsense", "-o", tmp_path / "t.jsonl")
    assert done.code == 1
    assert (tmp_path / "t.jsonl").read_text() == "before"
    assert list(tmp_path.glob(".t.jsonl*")) == []


# -- where to ------------------------------------------------------------------------------------------


def test_into_an_experiment(run: Run, uri: str, tmp_path: Path) -> None:
    exported(run, uri, tmp_path / "t.jsonl")
    target = f"sqlite:///{tmp_path}/target.db"
    assert run("traces", "import", "-s", target, "-e", "all of them", tmp_path / "t.jsonl").code == 0
    assert len(run("traces", "search", "-s", target, "-e", "all of them").lines) == 4
    assert run("traces", "search", "-s", target, "-e", "Default").lines == []
    assert "id 77" in run("traces", "import", "-s", target, "-e", 77, tmp_path / "t.jsonl").err


def test_experiments_are_found_again_by_name(run: Run, uri: str, tmp_path: Path) -> None:
    exported(run, uri, tmp_path / "t.jsonl")
    target = f"sqlite:///{tmp_path}/target.db"
    store = open_store(target)
    store.create_experiment("first here")
    other = store.create_experiment("other")
    store.close()
    run("traces", "import", "-s", target, tmp_path / "t.jsonl")
    store = open_store(target)
    assert store.get_trace_info(trace_id(4)).experiment_id == other
    store.delete_experiment(other)
    store.close()
    assert "'other' is deleted" in run("traces", "import", "-s", target, "-e", "other", tmp_path / "t.jsonl").err


# -- from elsewhere ------------------------------------------------------------------------------------


def id_of(info: dict[str, Any]) -> str:
    """The id of a trace in the form of MLflow 3 or of MLflow 2, then perhaps without prefix."""
    given: str = info.get("trace_id") or info["request_id"]
    return given if given.startswith("tr-") else f"tr-{given}"


def test_traces_that_mlflow_wrote(run: Run, tmp_path: Path) -> None:
    traces = [entry["trace"] for entry in FROM_MLFLOW.values() if "info" in entry.get("trace", {})]
    assert traces
    lines, list_, pretty = tmp_path / "t.jsonl", tmp_path / "list.json", tmp_path / "pretty.json"
    lines.write_text("".join(json.dumps(trace) + "\n" for trace in traces))
    list_.write_text(json.dumps(traces, indent=2))
    pretty.write_text("\n".join(json.dumps(trace, indent=2) for trace in traces))
    for path in (lines, list_, pretty):
        target = f"sqlite:///{tmp_path}/{path.stem}.db"
        done = run("traces", "import", "-s", target, path)
        assert done.code == 0, done.err
        store = open_store(target)
        for data in traces:
            found = store.get_trace(id_of(data["info"]))
            assert len(found.data.spans) == len(data["data"]["spans"])
            assert found.info.state.value == data["info"].get("state", data["info"].get("status"))
            assert len(found.info.assessments) == len(data["info"].get("assessments", []))
            tags = data["info"].get("tags", {})
            pairs = tags.items() if isinstance(tags, dict) else [(tag["key"], tag["value"]) for tag in tags]
            own = {key: text for key, text in pairs if "Location" not in key}
            assert own.items() <= found.info.tags.items()
        store.close()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_captures_of_other_instrumentation(run: Run, tmp_path: Path, path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    assert run("traces", "import", "-s", target, path).code == 0
    before = exported(run, target, tmp_path / "a.jsonl")
    assert len(before.splitlines()) > 5
    assert b'"mlflow.spanInputs"' in before  # it reads like ours
    run("traces", "import", "-s", target, path)
    assert exported(run, target, tmp_path / "b.jsonl") == before
    # As OpenTelemetry's collector would have written it.
    exported(run, target, tmp_path / "t.otlp.json")
    second = f"sqlite:///{tmp_path}/second.db"
    run("traces", "import", "-s", second, tmp_path / "t.otlp.json")
    assert exported(run, second, tmp_path / "c.jsonl") == before


def test_a_file_that_is_no_traces_is_refused_by_its_place(run: Run, uri: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    good = exported(run, uri, tmp_path / "t.jsonl").splitlines()
    for name, data, told in (
        ("words.jsonl", b"no traces", "line 1: not JSON"),
        ("half.jsonl", good[0] + b"\n" + good[1][:100] + b"\n", "line 2: not JSON"),
        ("other.jsonl", b'{"a": 1}\n', "line 1: not a trace"),
        ("bad.jsonl", good[0] + b'\n{"info": {}, "data": {}}\n', "line 2: "),
        ("cut.otlp", exported(run, uri, tmp_path / "t.otlp")[:-10], "ends in the middle"),
        ("noise.otlp", bytes(range(200, 256)), "not OTLP"),
        ("noise.parquet", b"PAR1 and nothing", "not Parquet"),
        ("id.jsonl", good[0].replace(trace_id(4).encode(), b"tr-short"), "32 hexadecimal digits"),
    ):
        (tmp_path / name).write_bytes(data)
        done = run("traces", "import", "-s", target, tmp_path / name)
        assert (done.code, done.out) == (1, ""), name
        assert told in done.err, name
        assert name in done.err
        assert "Traceback" not in done.err
    # What came before the offence is there, and an import of the whole file completes it.
    assert len(run("traces", "search", "-s", target).lines) == 1


def test_an_empty_file_holds_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").touch()
    done = run("traces", "import", "-s", f"sqlite:///{tmp_path}/target.db", tmp_path / "t.jsonl")
    assert (done.code, done.err) == (0, "0 traces with 0 spans and 0 assessments imported\n")
    assert run("traces", "import", tmp_path / "none.jsonl").err.endswith("none.jsonl\n")


def test_parquet_is_for_everybody(run: Run, uri: str, tmp_path: Path) -> None:
    import pyarrow.parquet

    from otflow.store.transfer.parquet import COLUMNS

    exported(run, uri, tmp_path / "t.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == [name for name, _, _ in COLUMNS]
    rows = table.to_pylist()
    assert len(rows) == 8
    model = next(row for row in rows if row["trace_id"] == trace_id(1) and row["name"] == "model")
    assert (model["model"], model["total_tokens"], model["session"]) == ("m-1", 7.0, "s1")
    assert dict(model["tags"]) == {"env": "prod", "mlflow.traceName": "ask 1"}
    assert table.column("start_time").cast("int64").to_pylist()[rows.index(model)] == 1_767_225_601_000_001_000
    assert [row["trace"] is not None for row in rows if row["trace_id"] == trace_id(1)] == [True, False]
