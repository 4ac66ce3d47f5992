"""How fast a store writes traces, against the bare database doing the same inserts.

    python tests/benchmarks/store_write.py [URI] [--traces 2000] [--spans 10]

On SQLite the yardstick is `executemany` of the very rows that the store wrote, into a second database with the same
schema and settings, in as many transactions. Run in a directory of its own by default; prints spans per second.
"""

from __future__ import annotations

import argparse
import gc
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from otflow.entities import Span, TraceState
from otflow.semconv import Metadata, SpanKey, Tag
from otflow.store.interface import Store, TraceWrite
from otflow.store.opening import open_store

BATCH = 200
"""Traces in one transaction."""

_METADATA = {
    "mlflow.user": "ada",
    "mlflow.source.name": "agent.py",
    "mlflow.source.type": "LOCAL",
    "mlflow.source.git.commit": "0" * 40,
    "mlflow.source.git.repoURL": "",
    "mlflow.source.git.branch": "main",
    Metadata.SCHEMA_VERSION: "3",
    Metadata.INPUTS: '{"question": "what?"}',
    Metadata.OUTPUTS: '"because"',
    Metadata.SESSION: "session-1",
}
_USAGE = '{"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}'


def make(number: int, spans: int) -> tuple[TraceWrite, list[Span]]:
    """One trace and its spans, as the tracing side makes them."""
    trace_id = f"tr-{number * 0x9E3779B97F4A7C15 % 2**128:032x}"
    start = 1_700_000_000_000_000_000 + number * 1_000_000
    write = TraceWrite(
        trace_id,
        "0",
        request_time_ns=start,
        state=TraceState.OK,
        execution_duration_ms=5,
        tags={Tag.NAME: "agent", "env": "prod", "release": f"v{number % 10}"},
        metadata=dict(_METADATA),
        request_preview='{"question": "what?"}',
        response_preview='"because"',
    )
    root = f"{number * 1_000 + 1:016x}"
    made = [
        Span.of(
            trace_id=trace_id,
            span_id=f"{number * 1_000 + 1 + index:016x}",
            parent_id=root if index else None,
            name=("agent", "retrieve", "generate", "tool")[index % 4],
            start_ns=start + index,
            end_ns=start + index + 4_000_000,
            status_code="OK",
            attributes={
                SpanKey.TRACE_ID: f'"{trace_id}"',
                SpanKey.TYPE: '"LLM"' if index else '"AGENT"',
                SpanKey.INPUTS: '{"question": "what is the answer to it all?"}',
                SpanKey.OUTPUTS: '"' + "because " * 40 + '"',
                "temperature": 0.5,
                **({SpanKey.CHAT_USAGE: _USAGE} if index % 4 == 2 else {}),
            },
        )
        for index in range(spans)
    ]
    for span in made:
        span.content()  # that is the tracing side's cost
    return write, made


def write_with(store: Store, made: Sequence[tuple[TraceWrite, list[Span]]]) -> float:
    """Seconds that a store takes."""
    gc.collect()
    start = time.perf_counter()
    for first in range(0, len(made), BATCH):
        some = made[first : first + BATCH]
        store.write_traces([write for write, _ in some], [span for _, spans in some for span in spans])
    return time.perf_counter() - start


def write_bare(path: Path, like: Path, batches: int) -> float:
    """Seconds that `executemany` takes for the rows of a database, into another with the same schema."""
    source = sqlite3.connect(like)
    tables = ("traces", "spans", "trace_terms")
    rows = {table: source.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    target = sqlite3.connect(path, isolation_level=None)
    for (statement,) in source.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
    ):
        target.execute(statement)
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = NORMAL")
    gc.collect()
    start = time.perf_counter()
    for batch in range(batches):
        target.execute("BEGIN IMMEDIATE")
        for table in tables:
            size = -(-len(rows[table]) // batches)
            some = rows[table][batch * size : (batch + 1) * size]
            if some:
                target.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(some[0]))})", some)
        target.execute("COMMIT")
    return time.perf_counter() - start


def share_of_bare(traces: int, spans: int, rounds: int, uri: str | None = None) -> float:
    """The store's rate as a share of the bare database's; NaN where there is no bare one."""
    best_store = best_bare = float("inf")
    for number in range(rounds):
        made = [make(number * traces + index + 1, spans) for index in range(traces)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "store.db"
            store = open_store(uri or f"sqlite:///{path}")
            best_store = min(best_store, write_with(store, made))
            store.close()
            if uri is None:
                best_bare = min(best_bare, write_bare(Path(folder) / "bare.db", path, -(-traces // BATCH)))
    print(f"store: {traces * spans / best_store:,.0f} spans/s ({best_store:.3f} s)")
    if uri is not None:
        return float("nan")
    print(f"bare:  {traces * spans / best_bare:,.0f} spans/s ({best_bare:.3f} s)")
    print(f"the store writes at {best_bare / best_store:.0%} of the bare rate")
    return best_bare / best_store


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri", nargs="?")
    parser.add_argument("--traces", type=int, default=2_000)
    parser.add_argument("--spans", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    share_of_bare(arguments.traces, arguments.spans, arguments.rounds, arguments.uri)


if __name__ == "__main__":
    main()
