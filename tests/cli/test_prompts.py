"""`otflow prompts`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

import otflow

from .conftest import Run


@pytest.fixture
def filled(tmp_path: Path) -> str:
    """A store with a prompt of two versions, and one of messages."""
    uri = f"sqlite:///{tmp_path}/prompts.db"
    client = otflow.Client(uri)
    client.register_prompt("greeting", "Hello {{ name }}!\nBye.", commit_message="first", tags={"team": "a"})
    client.register_prompt("greeting", "Hi {{ name }}!\nBye.", commit_message="shorter")
    client.set_prompt_alias("greeting", "production", 1)
    client.register_prompt("support", [{"role": "system", "content": "é"}], model_config={"model_name": "m"})
    return uri


def test_list(run: Run, filled: str) -> None:
    done = run("prompts", "list", "-s", filled)
    assert (done.code, done.err) == (0, "")
    assert [json.loads(line)["name"] for line in done.lines] == ["greeting", "support"]
    assert json.loads(run("prompts", "list", "-s", filled, "--limit", 1, "--format", "json").out)[0]["description"]
    table = run("prompts", "list", "-s", filled, "--filter", "tags.team = 'a'", "--format", "table").lines
    assert [line.split()[0] for line in table] == ["NAME", "greeting"]
    assert "team=a" in table[1]
    assert "_mlflow" not in table[1]
    assert run("prompts", "list", "-s", filled, "--filter", "nope = 1").code == 1


def test_versions(run: Run, filled: str) -> None:
    found = [json.loads(line) for line in run("prompts", "versions", "greeting", "-s", filled).lines]
    assert [one["version"] for one in found] == [2, 1]
    assert found[1]["variables"] == ["name"]
    table = run("prompts", "versions", "greeting", "-s", filled, "--format", "table").lines
    assert "shorter" in table[1]
    assert "production" in table[2]
    done = run("prompts", "versions", "nope", "-s", filled)
    assert (done.code, done.out) == (1, "")
    assert "nope" in done.err


@pytest.mark.parametrize("named", ["greeting@production", "prompts:/greeting@production", "greeting/1"])
def test_show(run: Run, filled: str, named: str) -> None:
    found = json.loads(run("prompts", "show", named, "-s", filled).out)
    assert (found["template"], found["uri"], found["aliases"]) == (
        "Hello {{ name }}!\nBye.",
        "prompts:/greeting/1",
        ["production"],
    )
    text = run("prompts", "show", named, "-s", filled, "--format", "text").out
    assert "message:   first" in text
    assert text.endswith("\nHello {{ name }}!\nBye.\n")


def test_show_messages(run: Run, filled: str) -> None:
    text = run("prompts", "show", "support", "-s", filled, "--format", "text").out
    assert "[system]\né\n[model_config]\n" in text
    assert run("prompts", "show", "support/9", "-s", filled).code == 1


def test_diff(run: Run, filled: str) -> None:
    lines = run("prompts", "diff", "greeting@production", "greeting", "-s", filled).lines
    assert lines[:2] == ["--- prompts:/greeting/1", "+++ prompts:/greeting/2"]
    assert lines[3:] == ["-Hello {{ name }}!", "+Hi {{ name }}!", " Bye."]
    assert " Bye." not in run("prompts", "diff", "greeting/1", "greeting/2", "-U", 0, "-s", filled).lines
    assert run("prompts", "diff", "greeting", "greeting/2", "-s", filled).out == ""


def test_register_and_alias(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{tmp_path}/new.db"
    (tmp_path / "text.txt").write_text("Hé {{ name }}", "utf-8")
    done = run(
        "prompts", "register", "p", tmp_path / "text.txt", "-s", uri, "-m", "c", "--tag", "a=b=c", "--alias", "x"
    )
    assert (done.code, done.out) == (0, "prompts:/p/1\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO('[{"role": "user", "content": "x"}]'))
    assert run("prompts", "register", "p", "-", "--chat", "-s", uri).out == "prompts:/p/2\n"
    assert run("prompts", "alias", "p", "x", 2, "-s", uri).code == 0
    client = otflow.Client(uri)
    first, second = client.get_prompt_version("p", 1), client.get_prompt_version("p", 2)
    assert first is not None
    assert second is not None
    assert (first.template, first.commit_message, first.tags, first.aliases) == ("Hé {{ name }}", "c", {"a": "b=c"}, [])
    assert (second.template, second.aliases) == ([{"role": "user", "content": "x"}], ["x"])
    assert run("prompts", "alias", "p", "x", "--delete", "-s", uri).code == 0
    assert run("prompts", "show", "p@x", "-s", uri).code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("prompts", "register", "p", "nope.txt"),
        ("prompts", "register", "p", "text.txt", "--tag", "a"),
        ("prompts", "register", "p", "text.txt", "--chat"),
        ("prompts", "register", "p", "number.json", "--chat"),
        ("prompts", "register", "p", "bytes.txt"),
        ("prompts", "register", "a/b", "text.txt"),
        ("prompts", "alias", "greeting", "x"),
        ("prompts", "alias", "greeting", "x", "1", "--delete"),
        ("prompts", "alias", "greeting", "x", "9"),
        ("prompts", "alias", "greeting", "latest", "1"),
        ("prompts", "show", "a/b/c"),
        ("prompts", "diff", "greeting/1", "greeting/9"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run: Run, filled: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "number.json").write_text("5")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    done = run(*words, "-s", filled)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("otflow: ")
    assert "Traceback" not in done.err


def test_a_store_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    assert run("prompts", "list", "-s", f"sqlite:///{tmp_path}/none.db").code == 1
    assert not (tmp_path / "none.db").exists()


def test_the_settings_name_the_registry(run: Run, filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_REGISTRY_URI", filled)
    assert len(run("prompts", "list").lines) == 2
