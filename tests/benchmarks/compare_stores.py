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
    own, peer = "otflow", options.peer
    pythons = {name: python_of(name, options.environments) for name in (own, peer)}
    with tempfile.TemporaryDirectory() as directory:
        home = options.keep or Path(directory)
        home.mkdir(parents=True, exist_ok=True)
        written: dict[str, list[float]] = {own: [], peer: []}
        for number in range(SLICES):
            for name, traces in ((own, options.traces), (peer, options.peer_traces)):
                some = traces // SLICES
                figures = run(pythons[name], "write", name, f"{directory}/w-{name}-{number}.db", some, 10)
                written[name].append(figures["cpu"] / some * 1000)
        ours, theirs = statistics.median(written[own]), statistics.median(written[peer])
        print(f"writing a trace of 10 spans    {own} {ours:.2f} ms CPU, {peer} {theirs:.1f} ms: 1/{theirs / ours:.0f}")
        for name, traces in ((own, options.searched), (peer, options.peer_searched)):
            if not (home / f"{name}.db").exists():
                run(pythons[name], "write", name, home / f"{name}.db", traces, 5)
        answers = {name: run(pythons[name], "search", name, home / f"{name}.db", 5) for name in (own, peer)}
    print(f"\nsearch, ms{'':20} {own:>12} {peer:>16}   ({options.searched:,} and {options.peer_searched:,} traces)")
    for question, mine in answers[own].items():
        other = answers[peer][question]
        if other is None:
            print(f"{question:30} {mine:12.2f} {'refused':>16}")
        else:
            print(f"{question:30} {mine:12.2f} {other:16.1f}   1/{other / mine:.0f}")


if __name__ == "__main__":
    main()
