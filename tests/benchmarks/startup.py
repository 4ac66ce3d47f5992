"""What it costs to import otflow, and to have the first trace in a new database.

    python tests/benchmarks/startup.py [--rounds 10] [--mlflow PYTHON]

Each figure is the median over fresh processes, the subjects in turn. With `--mlflow`, a python that has
mlflow==3.10.1 installed, the first trace is measured there too.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile

IMPORT = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""

FIRST_TRACE = """
import resource, time
start = time.perf_counter()
import {module} as mlflow
mlflow.set_tracking_uri("sqlite:///first.db")
@mlflow.trace
def first(x):
    return x
first(1)
mlflow.flush_trace_async_logging()
assert mlflow.get_trace(mlflow.get_last_active_trace_id()) is not None
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure(python: str, code: str) -> list[float]:
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([python, "-c", code], cwd=directory, capture_output=True, text=True, check=True)
    return [float(figure) for figure in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--mlflow", metavar="PYTHON")
    options = parser.parse_args()
    sdk: list[float] = []
    own: list[float] = []
    first: list[list[float]] = []
    for _ in range(options.rounds):
        sdk += measure(sys.executable, IMPORT.format(module="opentelemetry.sdk.trace"))
        own += measure(sys.executable, IMPORT.format(module="otflow"))
        first.append(measure(sys.executable, FIRST_TRACE.format(module="otflow")))
    ratio = statistics.median(a / b for a, b in zip(own, sdk, strict=True))
    print(f"import otflow            {ratio:.2f} times importing opentelemetry.sdk.trace")
    seconds = statistics.median(figure[0] for figure in first)
    print(f"first trace, otflow      {seconds:.2f} s, {statistics.median(f[1] for f in first):.0f} MB resident")
    if options.mlflow:
        theirs = [measure(options.mlflow, FIRST_TRACE.format(module="mlflow")) for _ in range(3)]
        seconds = statistics.median(figure[0] for figure in theirs)
        print(f"first trace, mlflow      {seconds:.2f} s, {statistics.median(f[1] for f in theirs):.0f} MB resident")


if __name__ == "__main__":
    main()
