"""Fails where a benchmark's ratio is far from what the documentation says; part of `.ci/run`.

    python tests/benchmarks/gate.py

Small samples on a machine that may be busy, so the bounds are generous: they catch what has become slow, not what has
become a little slower. Nothing is repeated until it passes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import call_cost
import compare_runs
import compare_stores
import prompt_load
import store_write

AT_MOST = {"root": 1.5, "child": 1.2, "unsampled": 0.4, "disabled": 0.1}
"""Times the cost of a bare SDK span; otherwise see `call_cost.py`."""
AT_LEAST_OF_BARE = 0.3
"""Of the rate of the bare database; see `store_write.py`."""
TIMES_QUICKER = {
    "write": 20,
    "with spans": 10,
    "without spans": 8,
    "tag": 8,
    "span name": 8,
    "feedback": 6,
    "text": 6,
    "get_trace": 4,
}
"""Than MLflow 3.10.1, otflow among twenty times as many traces; see `compare_stores.py`."""
RUNS_TIMES_QUICKER = {
    "start_run + end_run": 8,
    "log_metric": 10,
    "log_metrics, 100": 8,
    "log_param": 10,
    "set_tag": 10,
    "search_runs, 1,000 as a list": 12,
    "search_runs, 1,000 as pandas": 9,
    "search_runs, 100 by metric": 5,
}
"""Than MLflow 3.10.1; see `compare_runs.py`."""

PROMPT_TIMES_QUICKER = 12
"""Than MLflow 3.10.1, a prompt that is in memory; see `prompt_load.py`."""


def main() -> None:
    misses = [
        f"a call ({kind}) costs {found:.2f} times a bare span, more than {AT_MOST[kind]}"
        for kind, found in call_cost.measure(rounds=15, calls=300).items()
        if found > AT_MOST[kind]
    ]
    share = store_write.share_of_bare(traces=1_000, spans=10, rounds=3)
    if share < AT_LEAST_OF_BARE:
        misses.append(f"the store writes at {share:.0%} of the bare rate, less than {AT_LEAST_OF_BARE:.0%}")
    environments = Path(".ci/cache/peers")
    quicker = compare_stores.compare((400, 40), (8_000, 400), "mlflow-3.10.1", environments)
    runs_quicker = compare_runs.compare(3, "mlflow-3.10.1", environments)
    misses += [
        f"{question}: only {found[question]:.1f} times quicker than MLflow, less than {bound}"
        for found, bounds in ((quicker, TIMES_QUICKER), (runs_quicker, RUNS_TIMES_QUICKER))
        for question, bound in bounds.items()
        if found[question] < bound
    ]
    load = {
        name: prompt_load.figures(name, calls, environments)[prompt_load.BY_ALIAS]
        for name, calls in (("otflow", 20_000), ("mlflow-3.10.1", 1_000))
    }
    print(f"load_prompt from memory, µs: otflow {load['otflow']:.2f}, mlflow-3.10.1 {load['mlflow-3.10.1']:.1f}")
    if load["mlflow-3.10.1"] < PROMPT_TIMES_QUICKER * load["otflow"]:
        misses.append(f"load_prompt takes {load['otflow']:.2f} µs, not {PROMPT_TIMES_QUICKER} times less than MLflow's")
    if misses:
        raise SystemExit("\n".join(["", *misses]))


if __name__ == "__main__":
    main()
