"""The few characters of a request and a response that a list of traces shows."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import textwrap
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.preview import preview, request_preview, response_preview

# What the released MLflow 3.10.1 shows: of the value as a request, of the value as a response; None: the JSON text.
LONG = "x" * 3000


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def part(text: Any, kind: str = "text") -> dict[str, Any]:
    return {"type": kind, "text": text}


def choices(*contents: Any) -> list[Any]:
    return [{"message": assistant(content)} for content in contents]


def output(text: str) -> list[Any]:
    return [{"type": "message", "role": "assistant", "content": [part(text, "output_text")]}]


CASES: dict[str, tuple[Any, str | None, str | None]] = {
    # No chat
    "scalars": (5, None, None),
    "null": (None, None, None),
    "string": ("text", None, None),
    "string of JSON": (json.dumps({"messages": [user("u")]}), None, None),
    "empty": ({}, None, None),
    "other keys": ({"question": "q", "prompt": "p", "content": "c", "role": "user"}, None, None),
    "list of messages": ([user("u")], None, None),
    "one message": (user("u"), None, None),
    # Which message
    "history": ({"messages": [user("u1"), assistant("a1"), user("u2"), assistant("a2")]}, "u2", "a2"),
    "roles of neither side": ({"messages": [user("u"), {"role": "tool", "content": "t"}]}, "u", "t"),
    "unknown roles": ({"messages": [{"role": "human", "content": "h"}, {"role": "ai", "content": "a"}]}, "a", "a"),
    "upper case": ({"messages": [{"role": "USER", "content": "u"}, assistant("a")]}, "a", "a"),
    "null role": ({"messages": [{"role": None, "content": "x"}]}, "x", "x"),
    "no role": ({"messages": [{"content": "x"}]}, None, None),
    "no content": ({"messages": [user("u"), {"role": "user"}]}, "u", "u"),
    "not a message": ({"messages": [None, user("u"), "s"]}, "u", "u"),
    "other keys beside": ({"messages": [user("u")], "model": "m", "x": LONG}, "u", "u"),
    # Which text of it
    "short": ({"messages": [user("hello")]}, "hello", "hello"),
    "blank": ({"messages": [user(" ")]}, " ", " "),
    "escapes": ({"messages": [user('é\n"q"\t')]}, 'é\n"q"\t', 'é\n"q"\t'),
    "empty content": ({"messages": [user("u"), user("")]}, None, None),
    "null content": ({"messages": [user("u"), user(None)]}, None, None),
    "number": ({"messages": [user(5)]}, None, None),
    "dict": ({"messages": [user(part("t"))]}, None, None),
    "no parts": ({"messages": [user([])]}, None, None),
    "first text part": ({"messages": [user([{"type": "image_url"}, part("p1"), part("p2")])]}, "p1", "p1"),
    "output_text part": ({"messages": [user([part("p", "output_text")])]}, "p", "p"),
    "input_text part": ({"messages": [user([part("p", "input_text")])]}, None, None),
    "string part": ({"messages": [user([None, 5, "s", part("p")])]}, "s", "s"),
    "empty text part": ({"messages": [user([part(""), part("p")])]}, None, None),
    "part without text": ({"messages": [user([{"type": "text"}, part("p")])]}, None, None),
    # In which shape
    "choices": ({"choices": choices("c1", "c2"), "x": LONG}, "c1", "c1"),
    "choice without content": ({"choices": choices(None), "output": output("o")}, None, None),
    "choice without message": ({"choices": [{"delta": assistant("c")}], "output": output("o")}, "o", "o"),
    "choice without role": ({"choices": [{"message": {"content": "c"}}]}, None, None),
    "no choices": ({"choices": [], "output": output("o")}, "o", "o"),
    "choices of other kinds": ({"choices": [None]}, None, None),
    "input": ({"input": [user("i")], "x": LONG}, "i", "i"),
    "input string": ({"input": "i"}, None, None),
    "input with calls": ({"input": [user("i"), {"type": "function_call_output", "output": "x"}]}, "i", "i"),
    "output": ({"output": [{"type": "reasoning", "summary": []}, *output("o")]}, "o", "o"),
    "output of calls": ({"output": [{"type": "function_call", "name": "f"}]}, None, None),
    "refusal": ({"output": [assistant([{"type": "refusal", "refusal": "no"}])]}, None, None),
    "request": ({"request": {"messages": [user("r")]}}, "r", "r"),
    "request in request": ({"request": {"request": {"input": [user("r")]}}, "x": LONG}, "r", "r"),
    "request list": ({"request": [user("r")]}, None, None),
    "other nesting": ({"response": {"messages": [user("r")]}, "kwargs": {"messages": [user("k")]}}, None, None),
    # Which shape first
    "messages, choices": ({"choices": choices("c"), "messages": [user("m")]}, "m", "m"),
    "messages, input": ({"input": [user("i")], "messages": [user("m")]}, "m", "m"),
    "no messages": ({"messages": [], "input": [user("i")]}, "i", "i"),
    "messages of other kinds": ({"messages": ["s"], "input": [user("i")]}, None, None),
    "messages string": ({"messages": "s", "input": [user("i")]}, "i", "i"),
    "choices, input": ({"input": [user("i")], "choices": choices("c")}, "c", "c"),
    "choices, output": ({"output": output("o"), "choices": choices("c")}, "c", "c"),
    "input, output": ({"output": output("o"), "input": [user("i")]}, "i", "i"),
    "input of other kinds": ({"input": ["s"], "output": output("o")}, None, None),
    "input, request": ({"request": {"messages": [user("r")]}, "input": [user("i")]}, "i", "i"),
    "output, request": ({"request": {"messages": [user("r")]}, "output": output("o")}, "o", "o"),
    "no output, request": ({"request": {"messages": [user("r")]}, "output": []}, "r", "r"),
    # Length
    "1000": ({"messages": [user("w" * 1000)]}, "w" * 1000, "w" * 1000),
    "1001": ({"messages": [user("w" * 1001)]}, "w" * 997 + "...", "w" * 997 + "..."),
    "JSON of 1000": ("w" * 998, '"' + "w" * 998 + '"', '"' + "w" * 998 + '"'),
    "JSON of 1001": ("w" * 999, '"' + "w" * 996 + "...", '"' + "w" * 996 + "..."),
    "characters, not bytes": ("日" * 999, '"' + "日" * 996 + "...", '"' + "日" * 996 + "..."),
}


def expected_previews(name: str) -> tuple[str, str]:
    value, request, response = CASES[name]
    text = json.dumps(value, ensure_ascii=False)
    cut = text if len(text) <= 1000 else text[:997] + "..."
    return cut if request is None else request, cut if response is None else response


@pytest.mark.parametrize("name", CASES)
def test_previews(name: str) -> None:
    text = json.dumps(CASES[name][0], ensure_ascii=False)
    assert (request_preview(text), response_preview(text)) == expected_previews(name)


def test_no_inputs_no_preview() -> None:
    assert request_preview("") == response_preview("") == preview("", 250) == ""


@pytest.mark.parametrize(("length", "cut"), [(250, False), (251, True)])
def test_the_limit(length: int, cut: bool) -> None:
    text = "x" * length
    assert preview(text, 250) == ("x" * 247 + "..." if cut else text)
    assert request_preview(text, 250) == preview(text, 250)


@pytest.mark.parametrize("text", ['{"messages": [', '{"messages": ' + "[" * 200_000, '{"messages": tru}'])
def test_text_that_is_not_json(text: str) -> None:
    assert request_preview(text) == preview(text)


def test_a_text_that_is_not_text() -> None:
    text = json.dumps({"messages": [user([part({"value": "v"})])]})
    assert request_preview(text) == text


def test_what_no_database_stores_is_replaced() -> None:
    assert request_preview(json.dumps({"messages": [user("a\0b\ud800")]})) == "a\ufffdb\\ud800"


json_values = st.recursive(
    st.none() | st.integers() | st.sampled_from(["user", "assistant", "text", "", "a\0", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "choices", "input", "output", "request", "message", "role", "content", "type", "text"]
            ),
            inner,
        )
    ),
)


@given(json_values)
def test_whatever_it_holds_the_preview_is_text(value: object) -> None:
    text = json.dumps(value)
    for found in (request_preview(text, 20), response_preview(text, 20)):
        assert 0 < len(found) <= 20
        found.encode()


def test_ten_megabytes_are_quick() -> None:
    text = json.dumps({"question": LONG * 3_500})
    chat = json.dumps({"messages": [user("q"), user(LONG * 3_500)]})
    started = time.perf_counter()
    assert len(request_preview(text)) == len(request_preview(chat)) == 1000
    assert time.perf_counter() - started < 2


@pytest.mark.differential
def test_the_released_mlflow_shows_the_same(tmp_path: pathlib.Path) -> None:
    python = os.environ.get("OTFLOW_TEST_MLFLOW_PYTHON")
    if not python:
        pytest.skip("OTFLOW_TEST_MLFLOW_PYTHON names no Python that has mlflow==3.10.1")
    script = textwrap.dedent(
        """
        import json, sys
        import mlflow

        directory = sys.argv[1]
        mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
        cases = json.load(open(f"{directory}/cases.json"))
        found = {}
        for name, value in cases.items():
            with mlflow.start_span("span") as span:
                span.set_inputs(value)
                span.set_outputs(value)
            info = mlflow.get_trace(span.trace_id).info
            found[name] = [info.request_preview, info.response_preview]
        json.dump(found, open(f"{directory}/found.json", "w"))
        """
    )
    (tmp_path / "cases.json").write_text(json.dumps({name: case[0] for name, case in CASES.items()}))
    result = subprocess.run([python, "-c", script, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert {name: tuple(previews) for name, previews in found.items()} == {
        name: expected_previews(name) for name in CASES
    }
