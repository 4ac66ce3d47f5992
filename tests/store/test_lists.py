"""Where the elements of lists end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.store.lists import list_cuts, sections

values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(values, st.sampled_from([None, 1]))
def test_pieces_are_elements(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    end = 0
    for begin, cuts in list_cuts(text):
        assert end < begin <= cuts[0]
        assert sorted(cuts) == cuts
        assert text[:begin].rstrip().endswith("[")
        assert text[cuts[-1] :].lstrip().startswith("]")
        json.loads(f"[{text[begin : cuts[-1]]}]")
        end = cuts[-1]


@given(values, st.integers(0, 60))
def test_what_is_not_json_has_none(value: Any, length: int) -> None:
    text = json.dumps(value)[:length]
    try:
        json.loads(text)
    except ValueError:
        assert list_cuts(text) == []


@pytest.mark.parametrize(
    "text", ["", "x", "[", "{", '{"a"', '{"a":', "[1,", '{"a": [1, 2}', "[[[[[[", "{1: 2}", '{"a" 1}']
)
def test_broken_texts(text: str) -> None:
    assert list_cuts(text) == []


def test_examples() -> None:
    def pieces(value: Any) -> list[list[str]]:
        text = json.dumps(value)
        return [
            [text[start:end] for start, end in zip([begin, *cuts], cuts, strict=False)]
            for begin, cuts in list_cuts(text)
        ]

    one, two = {"role": "user"}, {"role": "assistant"}
    assert pieces({"messages": [one, two], "tools": [{"x": 1}]}) == [
        ['{"role": "user"}', ', {"role": "assistant"}'],
        ['{"x": 1}'],
    ]
    assert pieces([[one, two]]) == [['{"role": "user"}', ', {"role": "assistant"}']]
    assert pieces([{"state": {"messages": [one, two]}}]) == [['{"role": "user"}', ', {"role": "assistant"}']]
    assert pieces([1, 2, 3]) == [["1, 2, 3"]]
    assert pieces([]) == []


def _sections(items: list[Any]) -> list[str]:
    text = json.dumps(items)
    [(begin, cuts)] = list_cuts(text)
    found = list(sections(text, begin, cuts))
    assert [end for _, ends in found for end in ends] == cuts
    assert [first for first, _ in found] == [begin, *(ends[-1] for _, ends in found[:-1])]
    return [text[first : ends[-1]] for first, ends in found]


@given(st.integers(1, 300))
def test_sections_are_few_and_are_all_of_the_list(length: int) -> None:
    items = [{"content": f"{number} and so on"} for number in range(length)]
    found = _sections(items)
    assert json.loads(f"[{''.join(found)}]") == items
    assert len(found) <= 12


def test_sections_are_the_same_where_the_beginning_changes() -> None:
    items = [{"content": f"{number} and so on"} for number in range(400)]
    before = _sections(items)
    assert len(before) >= 3
    assert _sections([{"content": "another"}, *items[1:]])[1:] == before[1:]
    assert "".join(_sections([*items, {"content": "more"}])).startswith("".join(before))
    # Without the oldest, sections may be divided; none is moved.
    for left_out in range(1, 40):
        later = _sections([items[0], *items[1 + left_out :]])
        firsts = {json.loads(f"[{section.lstrip(', ')}]")[0]["content"] for section in later}
        for section in before[2:]:
            first = json.loads(f"[{section.lstrip(', ')}]")[0]["content"]
            assert first in firsts or int(first.split()[0]) <= left_out
