"""One metric of one run with very many points: writing them, and reading the history page by page, on SQLite.

    python tests/benchmarks/metric_history.py [--points 1000000] [--page 10000]

Prints what a page takes at the beginning, in the middle and at the end: a page's time does not depend on its place, so
that reading the history as a whole is linear.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import otflow
from otflow.entities import Metric

BATCH = 10_000


def measure(points: int, page: int) -> list[float]:
    """Milliseconds that each page takes, in order."""
    client = otflow.Client()
    run_id = client.create_run("0").info.run_id
    begin = time.perf_counter()
    for start in range(0, points, BATCH):
        batch = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(start, start + BATCH)]
        client.log_batch(run_id, batch)
    print(f"writing {points:,} points, {BATCH:,} at once: {time.perf_counter() - begin:.1f} s")
    taken: list[float] = []
    count, begin = 0, time.perf_counter()
    for point in client.iter_metric_history(run_id, "loss", page_size=page):
        assert point.step == count
        count += 1
        if count % page == 0:
            taken.append((time.perf_counter() - begin) * 1000)
            begin = time.perf_counter()
    assert count == points
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--page", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        otflow.set_tracking_uri(f"sqlite:///{directory}/history.db")
        taken = measure(options.points, options.page)
        third = max(1, len(taken) // 3)
        for name, some in (("first", taken[:third]), ("middle", taken[third:-third]), ("last", taken[-third:])):
            print(f"a page of {options.page:,}, {name} third: {statistics.median(some or [0.0]):.1f} ms")


if __name__ == "__main__":
    main()
