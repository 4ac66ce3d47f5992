"""How long the pages of `search_runs` take on a SQLite file with many runs.

    python tests/benchmarks/run_search.py [--runs 100000] [--file FILE] [--only TEXT] [--plans]

The rows are written with `executemany`, not by the store. Each figure is the best of several: of the first page of 100
and of the second, at the end of one page of 1,000 runs. `--plans` prints how SQLite reads each.
"""

from __future__ import annotations

import argparse
import math
import random
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otflow.entities import Page, Run
from otflow.store.interface import Store
from otflow.store.opening import open_store
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.store import SqlStore

METRICS = 10
START_MS = 1_700_000_000_000
CHUNK = 5_000
PAGE = 100

SEARCHES: dict[str, tuple[str | None, list[str] | None]] = {
    "no filter, newest first": (None, None),
    "no filter, oldest first": (None, ["start_time ASC"]),
    "no filter, by metric": (None, ["metrics.m0 DESC"]),
    "metric filter, by the same": ("metrics.m0 > 0.5", ["metrics.m0 ASC"]),
    "metric filter, by another": ("metrics.m0 > 0.5", ["metrics.m1 DESC"]),
    "metric filter, newest first": ("metrics.m0 > 0.5", ["start_time DESC"]),
    "rare metric filter, by the same": ("metrics.m0 > 0.999", ["metrics.m0 DESC"]),
    "rare metric filter, by another": ("metrics.m0 > 0.999", ["metrics.m1 DESC"]),
    "rare metric filter, newest first": ("metrics.m0 > 0.999", None),
    "1 in 20, by another": ("metrics.m0 > 0.95", ["metrics.m1 DESC"]),
    "1 in 20, newest first": ("metrics.m0 > 0.95", None),
    "no match, by another": ("metrics.m0 > 2", ["metrics.m1 DESC"]),
    "1 in 10, all of them last by another": ("metrics.m0 > 0.9", ["metrics.anti DESC"]),
    "1 in 2, all of them last by another": ("metrics.m0 > 0.5", ["metrics.anti DESC"]),
    "two metrics, by a third": ("metrics.m0 > 0.5 AND metrics.m1 < 0.5", ["metrics.m2 ASC"]),
    "metric !=, by the same": ("metrics.m0 != 0.5", ["metrics.m0 DESC"]),
    "metric of few runs, ascending": (None, ["metrics.few ASC"]),
    "metric with NaN, descending": (None, ["metrics.odd DESC"]),
    "metric with few values": (None, ["metrics.epoch DESC"]),
    "param, common": ("params.optimizer = 'adam'", None),
    "param, rare, by metric": ("params.seed = '77'", ["metrics.m0 DESC"]),
    "param and metric, by metric": ("params.optimizer = 'adam' AND metrics.m0 > 0.5", ["metrics.m1 DESC"]),
    "tag": ("tags.team = 'blue'", None),
    "status, rare": ("status = 'FAILED'", None),
    "name": ("run_name = 'run-77'", None),
    "id": (f"run_id = '{77:032x}'", None),
    "ids": ("run_id IN (" + ", ".join(f"'{number:032x}'" for number in range(0, 1_000, 10)) + ")", None),
    "dataset": ("datasets.name = 'ds-3'", None),
    "by a param": (None, ["params.optimizer"]),
    "by a tag, then a metric": (None, ["tags.team", "metrics.m0 DESC"]),
}


def build(path: str, runs: int) -> None:
    """Fill a new file with runs of one experiment."""
    store = open_store(f"sqlite:///{path}")
    experiment = int(store.create_experiment("benchmark"))
    store.close()
    chance = random.Random(7)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executemany(
        "INSERT INTO datasets (number, experiment_id, name, digest, source_type, source)"
        " VALUES (?, ?, ?, ?, 'local', '{}')",
        [(number + 1, experiment, f"ds-{number}", f"digest-{number}") for number in range(10)],
    )
    for start in range(1, runs + 1, CHUNK):
        numbers = range(start, min(start + CHUNK, runs + 1))
        metrics: list[Sequence[object]] = []
        for number in numbers:
            values: dict[str, float] = {f"m{index}": chance.random() for index in range(METRICS - 4)}
            values["anti"] = 1 - values["m0"]
            values["epoch"] = float(number % 5)
            values["odd"] = math.nan if number % 3 == 0 else chance.gauss(0, 1)
            values["few" if number % 100 == 0 else "many"] = chance.random()
            metrics += [
                (number, key, experiment, START_MS, 1, 0.0 if math.isnan(value) else value, int(math.isnan(value)))
                for key, value in values.items()
            ]
        with connection:
            connection.executemany(
                "INSERT INTO runs (number, run_id, experiment_id, name, user_id, status, start_ns, end_time_ms,"
                " lifecycle_stage, artifact_uri) VALUES (?, ?, ?, ?, 'ada', ?, ?, ?, ?, ?)",
                [
                    (number, f"{number:032x}", experiment, f"run-{number}",
                     "FAILED" if number % 1000 == 0 else "FINISHED", (START_MS + number) * 1_000_000,
                     START_MS + number + 1,
                     "deleted" if number % 50 == 0 else "active", f"/artifacts/{number:032x}")
                    for number in numbers
                ],
            )  # fmt: skip
            connection.executemany(
                "INSERT INTO run_tags (run, key, value) VALUES (?, ?, ?)",
                [
                    (number, key, value)
                    for number in numbers
                    for key, value in (
                        ("mlflow.runName", f"run-{number}"),
                        ("mlflow.source.name", "/somewhere/train.py"),
                        ("mlflow.source.type", "LOCAL"),
                        ("mlflow.user", "ada"),
                        ("team", ("red", "green", "blue")[number % 3]),
                    )
                ],
            )
            connection.executemany(
                "INSERT INTO run_params (run, key, value) VALUES (?, ?, ?)",
                [
                    (number, key, value)
                    for number in numbers
                    for key, value in (
                        ("optimizer", ("adam", "sgd")[number % 2]),
                        ("lr", str(chance.random())),
                        ("seed", str(number % 20_000)),
                    )
                ],
            )
            connection.executemany(
                "INSERT INTO latest_metrics (run, key, experiment_id, time_ms, step, value, is_nan)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                metrics,
            )
            connection.executemany(
                "INSERT INTO run_datasets (run, dataset, position, context, tags) VALUES (?, ?, 0, 'training', '{}')",
                [(number, number % 10 + 1) for number in numbers if number % 10 < 5],
            )
    connection.close()


def best_ms(call: Any, times: int) -> float:
    """The quickest of several calls, in milliseconds."""
    figures: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        figures.append(1000 * (time.perf_counter() - start))
    return min(figures)


def print_plans(store: SqlStore, search: Any) -> None:
    """How SQLite reads what a search asks."""

    def show(session: Session) -> None:
        original = session.all

        def shown(statement: str, parameters: Sequence[object] = ()) -> list[Row]:
            for row in original(f"EXPLAIN QUERY PLAN {statement}", parameters):
                print("      ", row[3])
            return original(statement, parameters)

        session.all = shown  # type: ignore[method-assign]
        try:
            search(session)
        finally:
            session.all = original  # type: ignore[method-assign]

    with store._database.snapshot() as session:  # pyright: ignore[reportPrivateUsage]
        show(session)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--file", help="where the database is, or is to be made; in a temporary folder by default")
    parser.add_argument("--plans", action="store_true")
    parser.add_argument("--only", default="", help="searches whose names contain this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or f"{folder}/runs.db"
        if not Path(path).exists():
            start = time.perf_counter()
            build(path, options.runs)
            print(f"{options.runs:,} runs written in {time.perf_counter() - start:.1f} s")
        store = open_store(f"sqlite:///{path}")
        assert isinstance(store, SqlStore)
        experiments = [experiment.experiment_id for experiment in store.search_experiments()]
        print(f"{'':40}{'first page':>12}{'second':>12}{'runs':>8}   ms, pages of {PAGE}")
        for name, (filter_string, order_by) in SEARCHES.items():
            if options.only not in name:
                continue

            def page(
                token: str | None = None, filter_string: str | None = filter_string, order_by: Any = order_by
            ) -> Page[Run]:
                return store.search_runs(
                    experiments, filter_string=filter_string, order_by=order_by, max_results=PAGE, page_token=token
                )

            first = page()
            figure = best_ms(page, 5)
            second = f"{best_ms(lambda token=first.token: page(token), 5):.1f}" if first.token else "-"
            print(f"{name:40}{figure:12.1f}{second:>12}{len(first):8}")
            if options.plans:
                from otflow.store.sql import run_search

                def keys(session: Session, filter_string: Any = filter_string, order_by: Any = order_by) -> None:
                    query = run_search.run_query(filter_string, order_by, session.dialect)
                    run_search.page_keys(session, [int(one) for one in experiments], query, ["active"], PAGE, None)

                print_plans(store, keys)
        print(f"{'1,000 runs':40}{thousand(store, experiments):12.1f}")
        store.close()


def thousand(store: Store, experiments: Sequence[str]) -> float:
    """A page of 1,000 runs with all that they recorded, in milliseconds."""
    return best_ms(lambda: store.search_runs(experiments, max_results=1_000), 10)


if __name__ == "__main__":
    main()
