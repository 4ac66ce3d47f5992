"""Versions of one prompt that many processes register at once, on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import otflow
from otflow.semconv import PromptKey

PROCESSES = 8
VERSIONS = 6
LONGEST_S = 120

REGISTERS = """
import sys
import otflow

uri, number, versions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
otflow.set_tracking_uri(uri)
otflow.search_prompts()
print("ready", flush=True)
sys.stdin.readline()
for step in range(versions):
    made = otflow.register_prompt("shared", f"{number}/{step} {{{{ name }}}}", tags={f"by-{number}": str(step)})
    print(made.version, flush=True)
"""


@pytest.fixture
def uri(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/t.db"
    make: Callable[[], str] = request.getfixturevalue("new_postgresql")
    return make()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_versions_count_on_without_gaps(uri: str, tmp_path: Path) -> None:
    script = tmp_path / "registers.py"
    script.write_text(textwrap.dedent(REGISTERS))
    otflow.set_tracking_uri(uri)
    otflow.search_prompts()  # makes the schema
    children = [
        subprocess.Popen(
            [sys.executable, str(script), uri, str(number), str(VERSIONS)],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n", child.stderr.read() if child.stderr else ""
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        outputs = [child.communicate(timeout=LONGEST_S) for child in children]
    finally:
        for child in children:
            child.kill()
    assert [error for _, error in outputs] == [""] * PROCESSES
    made = [[int(line) for line in output.split()] for output, _ in outputs]
    assert sorted(version for of_one in made for version in of_one) == list(range(1, PROCESSES * VERSIONS + 1))
    assert all(of_one == sorted(of_one) for of_one in made)
    client = otflow.Client()
    found = client.search_prompt_versions("shared")
    assert [one.version for one in found] == list(range(PROCESSES * VERSIONS, 0, -1))
    # Each process finds its own texts under the numbers that it was told.
    texts = {one.version: one.template for one in found}
    for number, of_one in enumerate(made):
        assert [texts[version] for version in of_one] == [f"{number}/{step} {{{{ name }}}}" for step in range(VERSIONS)]
    prompt = client.get_prompt("shared")
    assert prompt is not None
    assert {f"by-{number}": str(VERSIONS - 1) for number in range(PROCESSES)}.items() <= prompt.tags.items()
    assert prompt.tags[PromptKey.EXPERIMENT_IDS] == ",0,"
