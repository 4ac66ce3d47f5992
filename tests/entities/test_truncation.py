"""Cutting JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.truncation import MARKER, repaired, truncated
from otflow.entities.values import dump

values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(values, st.integers(64, 400), st.booleans())
def test_what_is_cut_is_json_within_the_limit_and_says_so(value: Any, limit: int, escaped: bool) -> None:
    text = json.dumps(value) if escaped else dump(value)
    found = truncated(text, limit)
    json.loads(found)
    assert len(found.encode()) <= limit
    if len(text.encode()) <= limit:
        assert found == text
    else:
        assert MARKER in json.dumps(json.loads(found), ensure_ascii=False)


@given(values.map(dump), st.data())
def test_a_text_cut_anywhere_is_repaired(text: str, data: st.DataObject) -> None:
    part = text[: data.draw(st.integers(0, len(text)))]
    found = repaired(part)
    value = json.loads(found)
    if part == text:
        assert found == text
    elif found != part:
        assert MARKER in json.dumps(value, ensure_ascii=False)


def test_examples() -> None:
    text = dump({"messages": [{"role": "user", "content": "x" * 1_000}], "n": 1})
    found = json.loads(truncated(text, 200))
    assert found["messages"][0]["role"] == "user"
    assert found["messages"][0]["content"].startswith("xxx")
    assert "…[truncated: " in found["messages"][0]["content"]
    assert json.loads(repaired('{"a": [1, 2, {"b": "tex')) == {"a": [1, 2, {"b": "tex…[truncated]"}]}
    assert json.loads(repaired('{"a": [1, 2, 3')) == {"a": [1, 2, "…[truncated]"]}
    assert json.loads(repaired('{"a": 1, "b')) == {"a": 1, "…": "…[truncated]"}
    assert json.loads(repaired('{"a": 1, "b":')) == {"a": 1, "…": "…[truncated]"}
    assert json.loads(repaired('"half\\u00')) == "half…[truncated]"
    assert json.loads(repaired("[[[")) == [[["…[truncated]"]]]
    assert json.loads(repaired("")) == "…[truncated]"
    assert truncated("plain text " * 100, 100).endswith(" characters]")


@pytest.mark.parametrize("depth", [10, 40, 400])
def test_deep_nesting_fits_too(depth: int) -> None:
    text = "[" * depth + '"' + "x" * 500 + '"' + "]" * depth
    found = truncated(text, 100)
    json.loads(found)
    assert len(found.encode()) <= 100
