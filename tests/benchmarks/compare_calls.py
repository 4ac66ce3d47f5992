"""What a decorated call costs its caller: otflow, MLflow and others, as ratios to a bare SDK span.

    python tests/benchmarks/compare_calls.py [--rounds 20] [--calls 300] [--environments .ci/cache/peers] [SUBJECT …]

Each library runs in a process with an environment of its own, which is made on first use. All processes are alive at
once and take rounds in turn; every round measures the bare span beside the library in the same process, and the
figure is the median of the rounds' ratios. The bare span has the same JSON attributes and goes through a
BatchSpanProcessor to an exporter that drops it, and so do the spans of the libraries without a store; otflow and
MLflow write to SQLite (otflow: WAL, synchronous=NORMAL; MLflow: its own default, asynchronous logging on), with an
experiment set. MLflow gets a tenth of the calls, since its writer needs that long.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from peers.environments import REQUIREMENTS, python_of

WORKER = Path(__file__).parent / "peers" / "call.py"
KINDS = ("root", "child", "unsampled", "disabled")


class Worker:
    def __init__(self, subject: str, python: str, calls: int) -> None:
        self.subject = subject
        self.figures: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in KINDS}
        self._process = subprocess.Popen(
            [python, str(WORKER), subject, str(calls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._next("ready")

    def _next(self, wanted: str = "") -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.strip()
            if text == wanted or (not wanted and text[:1] in {"{", "n"}):
                return text
        raise SystemExit(f"{self.subject} ended without an answer")

    def measure(self, kind: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        figures = json.loads(self._next())
        if figures is not None:
            cpu, wall = figures["bare"]
            self.figures[kind].append((figures["cpu"] / cpu, figures["wall"] / wall, figures["cpu"]))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def row(self) -> str:
        cells = [f"{self.subject:15}"]
        for kind in KINDS:
            found = self.figures[kind]
            if not found:
                cells.append(f"{'-':>15}")
                continue
            cpu, wall, own = (statistics.median(column) for column in zip(*found, strict=True))
            cells.append(f"{own * 1e6:8.2f} µs     " if kind == "disabled" else f"{cpu:6.2f} ({wall:5.2f}) ")
        return " ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", default=[], metavar="SUBJECT")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--environments", type=Path, default=Path(".ci/cache/peers"))
    options = parser.parse_args()
    subjects = options.subjects or ["otflow", *REQUIREMENTS]
    workers = [
        Worker(
            name,
            python_of(name, options.environments),
            options.calls // 10 if name.startswith("mlflow") else options.calls,
        )
        for name in subjects
    ]
    for _ in range(options.rounds):
        for kind in KINDS:
            for worker in workers:
                worker.measure(kind)
    print("CPU time of the caller as a ratio to a bare SDK span (wall time in parentheses); disabled: a call\n")
    print(f"{'':15} " + " ".join(f"{kind:>15}" for kind in KINDS))
    for worker in workers:
        print(worker.row())
        worker.close()


if __name__ == "__main__":
    main()
