"""How long the pages of `search_traces` take on a SQLite file with many traces.

    python tests/benchmarks/store_search.py [--traces 100000] [--file FILE] [--plans]

The rows are written with `executemany`, not by the store. Each figure is the best of several first pages of 100, with
and without spans, then the page at a depth of 1,000. `--plans` prints how SQLite reads each.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql.keyset import write_token
from otflow.store.sql.rows import ASSESSMENT_COLUMNS, SPAN_COLUMNS, TRACE_COLUMNS
from otflow.store.sql.searching import BY_TIME, search_rows
from otflow.store.sql.store import SqlStore

SPANS = 5
START_MS = 1_700_000_000_000
CHUNK = 5_000

FILTERS = {
    "no filter": None,
    "tag, common": "tags.env = 'prod'",
    "tag, rare": "tags.release = 'rare'",
    "tag, none": "tags.release = 'never'",
    "tag !=": "tags.env != 'prod'",
    "state, common": "status = 'OK'",
    "state, rare": "status = 'ERROR'",
    "session": "metadata.`mlflow.trace.session` = 'session-7'",
    "name, common": "name = 'agent'",
    "span name, common": "span.name = 'generate'",
    "span name, rare": "span.name = 'rare tool'",
    "span type": "span.type = 'LLM'",
    "span name and type": "span.name = 'generate' AND span.type = 'LLM'",
    "feedback, common": "feedback.good = 'true'",
    "feedback, rare value": "feedback.good = 'unsure'",
    "feedback, rare name": "feedback.odd = 'true'",
    "feedback, number": "feedback.score > 0.5",
    "two tags": "tags.env = 'prod' AND tags.release = 'rare'",
    "tag and state": "tags.env = 'prod' AND status = 'ERROR'",
    "time range": f"timestamp_ms < {START_MS + 1_000}",
    "run": "run_id = 'run-3'",
}


def _trace_id(number: int) -> str:
    return f"tr-{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"


def _is_rare(number: int) -> bool:
    return number % 10_000 == 17


def _rows(traces: Iterable[int]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Rows with the tables that they go into."""
    for number in traces:
        trace_id, time_ms = _trace_id(number), START_MS + number * 10
        env = "dev" if number % 10 == 0 else "prod"
        release = "rare" if _is_rare(number) else f"v{number % 20}"
        session = f"session-{number % 1_000}"
        metadata = json.dumps({"mlflow.trace.session": session, "mlflow.user": "ada"})
        state = "ERROR" if number % 1_000 == 3 else "OK"
        yield "traces", (
            trace_id, 0, time_ms * 1_000_000, 5, state, "agent", None, '{"q": 1}', '"a"', session, None,
            f"run-{number % 500}", None, json.dumps({"env": env, "release": release}), metadata, "{}", None,
        )  # fmt: skip
        names = ["agent", "retrieve", "generate", "tool", "rare tool" if _is_rare(number) else "parse"]
        for index in range(SPANS):
            span_id = f"{number * 10 + index + 1:016x}"
            kind = "LLM" if index == 2 else "TOOL"
            attributes = {"mlflow.spanType": f'"{kind}"', "mlflow.spanInputs": '"' + "x" * 300 + '"'}
            content = json.dumps({"attributes": attributes})
            yield "spans", (
                trace_id, span_id, None if index == 0 else f"{number * 10 + 1:016x}", names[index], kind, "OK",
                time_ms * 1_000_000 + index, time_ms * 1_000_000 + 4_000_000, len(content), None, None, content,
            )  # fmt: skip
        terms = {("tag.env", env), ("tag.release", release), ("span.type", "LLM"), ("span.type", "TOOL")}
        terms |= {("span.name", name) for name in names}
        given: list[tuple[str, str, float | None]] = []
        if number % 2 == 0:
            unsure = number % 10_000 == 18
            given.append(("good", '"unsure"' if unsure else "true", None if unsure else 1.0))
            given.append(("score", str(number % 100 / 100), number % 100 / 100))
        if _is_rare(number):
            given.append(("odd", "true", 1.0))
        for name, value, as_number in given:
            yield "assessments", (
                f"a-{number}-{name}", trace_id, name, "feedback", value, as_number, None, "CODE", "default", None, None,
                None, None, None, 1, time_ms, time_ms, time_ms,
            )  # fmt: skip
            terms |= {("assessment", name), (f"feedback.{name}", value.strip('"'))}
        for field, value in terms:
            yield "trace_terms", (0, field, value, time_ms * 1_000_000, trace_id)


def fill(path: Path, traces: int) -> None:
    """Write the rows."""
    columns = {
        "traces": len(TRACE_COLUMNS),
        "spans": len(SPAN_COLUMNS),
        "assessments": len(ASSESSMENT_COLUMNS),
        "trace_terms": 5,
    }
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    for first in range(0, traces, CHUNK):
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in columns}
        for table, row in _rows(range(first, min(first + CHUNK, traces))):
            rows[table].append(row)
        connection.execute("BEGIN")
        for table, some in rows.items():
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns[table])})", some)
        connection.execute("COMMIT")
    connection.close()


def best_ms(store: Store, **search: Any) -> tuple[float, int]:
    """The shortest time of a page, and how many traces are on it."""
    best, found = float("inf"), 0
    for _ in range(5):
        start = time.perf_counter()
        found = len(store.search_traces(["0"], **search))
        best = min(best, time.perf_counter() - start)
    return best * 1_000, found


def plan(store: SqlStore, filter_string: str | None) -> list[str]:
    """How SQLite reads a first page."""
    asked: list[tuple[str, Any]] = []
    with store._database.read() as session:  # pyright: ignore[reportPrivateUsage]
        ask = session.all

        def listen(statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
            asked.append((statement, parameters))
            return ask(statement, parameters)

        session.all = listen  # type: ignore[method-assign]
        search_rows(session, [0], filter_string, None, 100, None)
        session.all = ask  # type: ignore[method-assign]
        statement, parameters = asked[-1]
        return [row[3] for row in session.all(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--file")
    parser.add_argument("--plans", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(arguments.file or f"{folder}/search.db")
        new = not path.exists()
        store = open_store(f"sqlite:///{path}")
        if new:
            start = time.perf_counter()
            fill(path, arguments.traces)
            took = time.perf_counter() - start
            print(f"{arguments.traces:,} traces filled in {took:.0f} s, {path.stat().st_size:,} bytes")
        print(f"{'':24} {'found':>6} {'page 1':>10} {'no spans':>10} {'page 1000':>10}   (ms)")
        deep = arguments.traces // 2
        token = write_token("traces", BY_TIME, ((START_MS + deep * 10) * 1_000_000, _trace_id(deep)))
        for label, question in FILTERS.items():
            whole, found = best_ms(store, filter_string=question)
            bare, _ = best_ms(store, filter_string=question, include_spans=False)
            far, _ = best_ms(store, filter_string=question, page_token=token)
            print(f"{label:24} {found:6} {whole:10.2f} {bare:10.2f} {far:10.2f}")
            if arguments.plans and isinstance(store, SqlStore):
                for line in plan(store, question):
                    print(f"    {line}")


if __name__ == "__main__":
    main()
