"""What a call on prompts costs over SQL: one transaction, and few statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import otflow
from otflow import context


class Counted:
    """What is asked of the database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.transactions = 0
        self.statements: list[str] = []
        database = context.store()._database  # type: ignore[attr-defined]
        kind = type(database)
        for name in ("write", "read"):
            monkeypatch.setattr(kind, name, self._counting(getattr(kind, name)))
        with database.read() as session:
            session_kind = type(session)
        run, fetch = session_kind.run, session_kind.all
        monkeypatch.setattr(session_kind, "run", lambda one, text, *rest: (self._note(text), run(one, text, *rest))[1])
        monkeypatch.setattr(
            session_kind, "all", lambda one, text, *rest: (self._note(text), fetch(one, text, *rest))[1]
        )

    def _counting(self, method: Any) -> Any:
        def counted(*args: Any) -> Any:
            self.transactions += 1
            return method(*args)

        return counted

    def _note(self, text: str) -> None:
        if text.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            self.statements.append(text)

    @contextmanager
    def call(self, statements: int) -> Iterator[None]:
        """One transaction, of so many statements at the most."""
        self.transactions = 0
        self.statements.clear()
        yield
        assert self.transactions == 1
        assert len(self.statements) <= statements, self.statements


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    otflow.register_prompt("p", "x", tags={"a": "b"})
    otflow.register_prompt("p", "y", tags={"a": "b"})
    otflow.set_prompt_alias("p", "production", 1)
    otflow.load_prompt("p")
    return Counted(monkeypatch)


def test_one_transaction_each(counted: Counted) -> None:
    client = otflow.Client()
    # Of what changes something, one statement asks which webhooks are to hear of it.
    with counted.call(6):
        otflow.register_prompt("p", "z")
    with counted.call(9):
        otflow.register_prompt("new", "z", tags={"a": "b"})
    with counted.call(6):
        otflow.load_prompt("p", 1, cache_ttl_seconds=0)
    with counted.call(6):
        otflow.load_prompt("prompts:/p@production", cache_ttl_seconds=0)
    with counted.call(6):
        otflow.load_prompt("prompts:/p@latest", cache_ttl_seconds=0)
    with counted.call(7):
        client.get_prompt("p")
    with counted.call(7):
        otflow.search_prompts("tags.a = 'b'")
    with counted.call(5):
        otflow.set_prompt_alias("p", "production", 2)
    with counted.call(5):
        otflow.delete_prompt_alias("p", "production")
    with counted.call(5):
        otflow.genai.set_prompt_version_tag("p", 1, "k", "v")
    with counted.call(5):
        otflow.genai.set_prompt_model_config("p", 1, {"model_name": "m"})
    with counted.call(7):
        client.delete_prompt_version("p", "1")


def test_nothing_for_what_is_remembered(counted: Counted) -> None:
    otflow.load_prompt("prompts:/p@production")
    counted.transactions = 0
    for _ in range(10):
        otflow.load_prompt("prompts:/p@production")
    assert counted.transactions == 0
    with otflow.start_run():
        otflow.load_prompt("prompts:/p@production")
        counted.transactions = 0
        for _ in range(10):
            otflow.load_prompt("prompts:/p@production")
        assert counted.transactions == 0
