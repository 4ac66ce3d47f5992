"""Runs, metrics and searches with otflow or MLflow: one program for both.

    PYTHON runs.py SUBJECT DATABASE ROUNDS    prints milliseconds by question, the median of the rounds

Run by `compare_runs.py`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

subject, database, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
if subject == "otflow":
    import otflow as mlflow
    from otflow.entities import Metric, Param
else:
    import mlflow  # type: ignore[no-redef]
    from mlflow.entities import Metric, Param  # type: ignore[no-redef]

module: Any = mlflow
SEARCHED = 1_000


def main() -> None:
    module.set_tracking_uri(f"sqlite:///{database}")
    module.set_experiment("bench")
    # What a process pays once is not asked here.
    with module.start_run():
        module.log_metric("warm", 0.0)
        module.log_metrics({f"warm{index}": 0.0 for index in range(100)})
    found = {"start_run + end_run": of(rounds * 10, start_and_end)}
    with module.start_run():
        found["log_metric"] = of(rounds * 20, lambda step: module.log_metric("loss", step * 0.5, step=step))
        found["log_metrics, 100"] = of(rounds * 5, log_hundred)
        found["log_param"] = of(rounds * 10, lambda number: module.log_param(f"p{number}", number))
        found["set_tag"] = of(rounds * 10, lambda number: module.set_tag("tag", number))
    found |= search()
    print(json.dumps(found))


def start_and_end(number: int) -> None:
    module.start_run()
    module.end_run()


def log_hundred(step: int) -> None:
    module.log_metrics({f"m{index}": step * 0.5 for index in range(100)}, step=step)


def search() -> dict[str, float]:
    """Over runs of 10 metrics and 3 params each."""
    client = module.MlflowClient()
    experiment = client.create_experiment("searched")
    for number in range(SEARCHED):
        run_id = client.create_run(experiment, tags={"kind": "even" if number % 2 == 0 else "odd"}).info.run_id
        metrics = [Metric(f"m{index}", number + index / 10, 1_700_000_000_000, 0) for index in range(10)]
        client.log_batch(run_id, metrics, [Param(f"p{index}", str(number % 7)) for index in range(3)])
    found = {
        f"search_runs, {SEARCHED:,} as a list": of(rounds, lambda _: list_all(experiment)),
        f"search_runs, {SEARCHED:,} as pandas": of(rounds, lambda _: module.search_runs([experiment])),
        "search_runs, 100 by metric": of(
            rounds,
            lambda _: module.search_runs(
                [experiment],
                "metrics.m1 > 500 and params.p1 = '3'",
                max_results=100,
                order_by=["metrics.m2 DESC"],
                output_format="list",
            ),
        ),
    }
    assert len(list_all(experiment)) == SEARCHED
    return found


def list_all(experiment: str) -> list[Any]:
    return module.search_runs([experiment], output_format="list")


def of(count: int, act: Callable[[int], object]) -> float:
    """Milliseconds that one call takes, the median."""
    taken: list[float] = []
    for number in range(count):
        begin = time.perf_counter()
        act(number)
        taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
