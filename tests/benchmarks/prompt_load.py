"""What `load_prompt` costs where the prompt is in memory: otflow and MLflow, side by side.

    python tests/benchmarks/prompt_load.py [--calls 20000] [--peer mlflow-3.10.1] [--environments .ci/cache/peers]

Exits with 1 where a load by alias, with no trace, run or model active, takes more than `LIMIT_US` microseconds.
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

WORKER = Path(__file__).parent / "peers" / "prompt_load.py"
LIMIT_US = 5.0
BY_ALIAS = "load_prompt, a text by its alias"


def figures(name: str, calls: int, environments: Path) -> dict[str, float]:
    """Microseconds by question."""
    with tempfile.TemporaryDirectory() as directory:
        command = [python_of(name, environments), str(WORKER), name, f"{directory}/prompts.db", str(calls)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
        if done.returncode:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--peer", default="mlflow-3.10.1")
    parser.add_argument("--environments", type=Path, default=Path(".ci/cache/peers"))
    options = parser.parse_args()
    ours = figures("otflow", options.calls, options.environments)
    theirs = figures(options.peer, max(200, options.calls // 20), options.environments)
    print(f"{'µs':38} {'otflow':>8} {options.peer:>16}")
    for question, mine in ours.items():
        print(f"{question:38} {mine:8.2f} {theirs[question]:16.1f}   1/{theirs[question] / mine:.0f}")
    slow = ours[BY_ALIAS] > LIMIT_US
    if slow:
        print(f"a load by alias takes more than {LIMIT_US:g} µs", file=sys.stderr)
    return int(slow)


if __name__ == "__main__":
    raise SystemExit(main())
