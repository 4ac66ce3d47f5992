"""Writing and searching traces on SQLite: otflow and MLflow, side by side.

    python tests/benchmarks/compare_stores.py [--traces 2000] [--searched 100000] [--peer-traces 200]
        [--peer-searched 10000] [--peer mlflow-3.10.1] [--environments .ci/cache/peers] [--keep DIRECTORY]

Writing: traces of 10 spans until they are durable, as CPU time of the process a trace; in slices that take turns.
Searching: the first 100 of traces of 5 spans that match; otflow among ten times as many traces. Both on SQLite:
otflow with WAL and synchronous=NORMAL, MLflow as it comes, logging synchronously. MLflow's database takes a while to
fill; `--keep` keeps both for the next run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from peers.environments import python_of

WORKER = Path(__file__).parent / "peers" / "store.py"
SLICES = 4


def run(python: str, *arguments: object) -> dict[str, Any]:
    done = subprocess.run([python, str(WORKER), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(
    traces: tuple[int, int], searched: tuple[int, int], peer: str, environments: Path, keep: Path | None = None
) -> dict[str, float]:
    """By question, and for writing, how many times as long the peer takes.

    Args:
        traces: How many otflow and the peer write.
        searched: Among how many they search.
        peer: The other's name.
        environments: Where the peers' environments are.
        keep: Where databases are kept.
    """
    own = "otflow"
    pythons = {name: python_of(name, environments) for name in (own, peer)}
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        home = keep or Path(directory)
        home.mkdir(parents=True, exist_ok=True)
        written: dict[str, list[float]] = {own: [], peer: []}
        for number in range(SLICES):
            for name, count in zip((own, peer), traces, strict=True):
                some = count // SLICES
                figures = run(pythons[name], "write", name, f"{directory}/w-{name}-{number}.db", some, 10)
                written[name].append(figures["cpu"] / some * 1000)
        ours, theirs = statistics.median(written[own]), statistics.median(written[peer])
        found["write"] = theirs / ours
        print(f"writing a trace of 10 spans    {own} {ours:.2f} ms CPU, {peer} {theirs:.1f} ms: 1/{theirs / ours:.0f}")
        for name, count in zip((own, peer), searched, strict=True):
            if not (home / f"{name}.db").exists():
                run(pythons[name], "write", name, home / f"{name}.db", count, 5)
        answers = {name: run(pythons[name], "search", name, home / f"{name}.db", 5) for name in (own, peer)}
    print(f"\nsearch, ms{'':20} {own:>12} {peer:>16}   ({searched[0]:,} and {searched[1]:,} traces)")
    for question, mine in answers[own].items():
        other = answers[peer][question]
        if other is None:
            print(f"{question:30} {mine:12.2f} {'refused':>16}")
        else:
            found[question] = other / mine
            print(f"{question:30} {mine:12.2f} {other:16.1f}   1/{other / mine:.0f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=2_000)
    parser.add_argument("--searched", type=int, default=100_000)
    parser.add_argument("--peer-traces", type=int, default=200)
    parser.add_argument("--peer-searched", type=int, default=10_000)
    parser.add_argument("--peer", default="mlflow-3.10.1")
    parser.add_argument("--environments", type=Path, default=Path(".ci/cache/peers"))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    compare(
        (options.traces, options.peer_traces),
        (options.searched, options.peer_searched),
        options.peer,
        options.environments,
        options.keep,
    )


if __name__ == "__main__":
    main()
