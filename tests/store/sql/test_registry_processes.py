"""Versions that several processes add to one registered model at once, on each database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

from otflow.store.opening import open_store

PROCESSES = 8
ROUNDS = 10
LONGEST_S = 120

ADDS = """
import sys
from otflow.store.opening import open_store

uri, number, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = open_store(uri)
print("ready", flush=True)
sys.stdin.readline()
given = []
for turn in range(rounds):
    made = store.create_model_version(
        f"model-{turn % 2}",
        f"s3://bucket/{number}/{turn}",
        tags={"by": str(number)},
        create_model=True,
        model_tags={"first": str(number)},
        prompt=False,
    )
    store.set_registered_model_alias(made.name, "champion", made.version)
    store.set_registered_model_tag(made.name, "last", str(number))
    given.append(f"{made.name}/{made.version}")
store.close()
print(" ".join(given), flush=True)
"""


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_eight_processes_add_versions(uri: str, tmp_path: Path) -> None:
    store = open_store(uri)  # the schema is there before they begin
    script = tmp_path / "adds.py"
    script.write_text(ADDS)
    children = [
        subprocess.Popen(
            [sys.executable, str(script), uri, str(number), str(ROUNDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for child in children:
            assert pipe(child.stdout).readline() == "ready\n", pipe(child.stderr).read()
        for child in children:
            pipe(child.stdin).write("go\n")
            pipe(child.stdin).flush()
        given: list[str] = []
        for child in children:
            output, errors = child.communicate(timeout=LONGEST_S)
            assert (child.returncode, errors) == (0, "")
            given += output.split()
    finally:
        for child in children:
            child.kill()
            child.communicate()

    each = PROCESSES * ROUNDS // 2
    assert sorted(given) == sorted(f"model-{model}/{number}" for model in (0, 1) for number in range(1, each + 1))
    for name in ("model-0", "model-1"):
        model = store.get_registered_model(name)
        versions = store.search_model_versions(filter_string=f"name = '{name}'", order_by=["version_number"])
        assert [version.version for version in versions] == list(range(1, each + 1))
        for number in range(PROCESSES):
            own = [version for version in versions if version.tags == {"by": str(number)}]
            # Each process sees its own versions in the order in which it added them.
            assert [version.source for version in own] == [
                f"s3://bucket/{number}/{turn}" for turn in range(int(name[-1]), ROUNDS, 2)
            ]
        assert model.tags.keys() == {"first", "last"}
        assert list(model.aliases) == ["champion"]
        assert [version.version for version in model.latest_versions or ()] == [each]
    store.close()
