"""How long `otflow db import` takes, and how much memory, for a SQLite file like those of MLflow.

    python tests/benchmarks/import_mlflow.py [--runs 5000] [--points 100000] [--traces 2000] [--into URI]

The source is made here, with tables and columns like those that the released MLflow makes. The second import has
nothing to do.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import resource
import sqlite3
import tempfile
import time
from pathlib import Path

from otflow.migration.importing import import_mlflow

TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT, lifecycle_stage TEXT,
    creation_time BIGINT, last_update_time BIGINT);
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time BIGINT,
    end_time BIGINT, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT, PRIMARY KEY (key, run_uuid));
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT, PRIMARY KEY (key, run_uuid));
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN,
    PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE TABLE trace_info (request_id TEXT PRIMARY KEY, experiment_id INTEGER, timestamp_ms BIGINT,
    execution_time_ms BIGINT, status TEXT, client_request_id TEXT, request_preview TEXT, response_preview TEXT);
CREATE TABLE trace_tags (key TEXT, value TEXT, request_id TEXT, PRIMARY KEY (key, request_id));
CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);
CREATE TABLE trace_request_metadata (key TEXT, value TEXT, request_id TEXT, PRIMARY KEY (key, request_id));
CREATE INDEX index_metadata_request_id ON trace_request_metadata (request_id);
CREATE TABLE assessments (assessment_id TEXT PRIMARY KEY, trace_id TEXT, name TEXT, assessment_type TEXT, value TEXT,
    error TEXT, created_timestamp BIGINT, last_updated_timestamp BIGINT, source_type TEXT, source_id TEXT, run_id TEXT,
    span_id TEXT, rationale TEXT, overrides TEXT, valid BOOLEAN, assessment_metadata TEXT);
CREATE INDEX index_assessments_trace_id ON assessments (trace_id, created_timestamp);
CREATE TABLE spans (trace_id TEXT, experiment_id INTEGER, span_id TEXT, parent_span_id TEXT, name TEXT, type TEXT,
    status TEXT, start_time_unix_nano BIGINT, end_time_unix_nano BIGINT, content TEXT, PRIMARY KEY (trace_id, span_id));
"""
START_MS = 1_700_000_000_000
EXPERIMENTS = 5
SPANS = 6


def write_source(path: Path, runs: int, points: int, traces: int) -> None:
    chance = random.Random(1)
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    connection.executemany(
        "INSERT INTO experiments VALUES (?, ?, ?, 'active', ?, ?)",
        [
            (n, f"experiment {n}" if n else "Default", f"/artifacts/{n}", START_MS + n, START_MS)
            for n in range(EXPERIMENTS)
        ],
    )
    each = points // max(1, runs)
    for number in range(runs):
        run_id = f"{chance.getrandbits(128):032x}"
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, 'me', 'FINISHED', ?, ?, 'active', ?, ?)",
            (run_id, f"run {number}", START_MS + number, START_MS + number + 9, f"/a/{run_id}", number % EXPERIMENTS),
        )
        connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(f"tag {n}", f"{n}", run_id) for n in range(6)])
        connection.executemany(
            "INSERT INTO params VALUES (?, ?, ?)", [(f"param {n}", "0.1", run_id) for n in range(10)]
        )
        connection.executemany(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
            [(f"metric {n % 5}", chance.random(), START_MS + n, run_id, n // 5) for n in range(each)],
        )
    for number in range(traces):
        _write_trace(connection, chance, number)
    connection.commit()
    connection.close()


def _write_trace(connection: sqlite3.Connection, chance: random.Random, number: int) -> None:
    bare, time_ms = f"{chance.getrandbits(128):032x}", START_MS + number
    trace_id = f"tr-{bare}"
    connection.execute(
        "INSERT INTO trace_info VALUES (?, ?, ?, 50, 'OK', NULL, 'a question', 'an answer')",
        (trace_id, number % EXPERIMENTS, time_ms),
    )
    tags = {"mlflow.traceName": "agent", "env": "prod", "mlflow.trace.spansLocation": "TRACKING_STORE"}
    connection.executemany("INSERT INTO trace_tags VALUES (?, ?, ?)", [(*pair, trace_id) for pair in tags.items()])
    metadata = {"mlflow.trace.session": f"s-{number % 50}", "mlflow.user": "me", "mlflow.trace_schema.version": "3"}
    connection.executemany(
        "INSERT INTO trace_request_metadata VALUES (?, ?, ?)", [(*pair, trace_id) for pair in metadata.items()]
    )
    connection.execute(
        "INSERT INTO assessments VALUES (?, ?, 'good', 'feedback', 'true', NULL, ?, ?, 'HUMAN', 'me', NULL, NULL, NULL,"
        " NULL, 1, NULL)",
        (f"a-{bare}", trace_id, time_ms, time_ms),
    )
    ids = [f"{chance.getrandbits(64):016x}" for _ in range(SPANS)]
    for place, span_id in enumerate(ids):
        parent = ids[0] if place else None
        start = time_ms * 1_000_000 + place
        content = {
            "trace_id": _base64(bare),
            "span_id": _base64(span_id),
            "parent_span_id": parent and _base64(parent),
            "name": f"step {place}",
            "start_time_unix_nano": start,
            "end_time_unix_nano": start + 1000,
            "events": [],
            "status": {"code": "STATUS_CODE_OK", "message": ""},
            "attributes": {
                "mlflow.traceRequestId": json.dumps(trace_id),
                "mlflow.spanType": '"CHAT_MODEL"' if place else '"AGENT"',
                "mlflow.spanInputs": json.dumps({"messages": [{"role": "user", "content": "a question " * 50}]}),
                "mlflow.spanOutputs": json.dumps("an answer " * 50),
            },
        }
        connection.execute(
            "INSERT INTO spans VALUES (?, ?, ?, ?, ?, 'CHAT_MODEL', 'OK', ?, ?, ?)",
            (
                trace_id,
                number % EXPERIMENTS,
                span_id,
                parent,
                f"step {place}",
                start,
                start + 1000,
                json.dumps(content),
            ),
        )


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--traces", type=int, default=2_000)
    parser.add_argument("--into", help="by default a SQLite file that is removed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "mlflow.db"
        write_source(source, arguments.runs, arguments.points, arguments.traces)
        into = arguments.into or f"sqlite:///{folder}/otflow.db"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for which in ("first import", "second import"):
            began = time.perf_counter()
            report = import_mlflow(source, into)
            print(f"{which}: {time.perf_counter() - began:.2f} s")
        counts = {noun: count.new + count.unchanged for noun, count in report.counts.items()}
        print(f"{counts['runs']:,} runs, {arguments.points:,} points, {counts['traces']:,} traces")
        print(f"peak memory: {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:+.0f} MB")


if __name__ == "__main__":
    main()
