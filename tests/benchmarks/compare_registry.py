"""Registering models, loading by alias and searching on SQLite: otflow and MLflow, side by side.

    python tests/benchmarks/compare_registry.py [--rounds 10] [--peer mlflow-3.10.1] [--environments .ci/cache/peers]

Times of one call as the caller sees them, the median; otflow with WAL and synchronous=NORMAL, MLflow as it comes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from peers.environments import python_of

WORKER = Path(__file__).parent / "peers" / "registry.py"


def compare(rounds: int, peer: str, environments: Path) -> dict[str, float]:
    """By question, how many times as long the peer takes."""
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for name in ("otflow", peer):
            command = [python_of(name, environments), str(WORKER), name, f"{directory}/{name}.db", str(rounds)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
            if done.returncode:
                raise SystemExit(done.stderr)
            figures[name] = json.loads(done.stdout.splitlines()[-1])
    print(f"{'ms':40} {'otflow':>10} {peer:>16}")
    found: dict[str, float] = {}
    for question, mine in figures["otflow"].items():
        other = figures[peer][question]
        found[question] = other / mine
        print(f"{question:40} {mine:10.3f} {other:16.2f}   1/{other / mine:.0f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--peer", default="mlflow-3.10.1")
    parser.add_argument("--environments", type=Path, default=Path(".ci/cache/peers"))
    options = parser.parse_args()
    compare(options.rounds, options.peer, options.environments)


if __name__ == "__main__":
    main()
