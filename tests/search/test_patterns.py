"""Which regular expressions may be run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.search.patterns import problem_of


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "abc",
        "^gpt-4.*mini$",
        r"\d{4}-\d{2}-\d{2}",
        "(?i)hello",
        "a|b|c",
        "(foo|bar)+",
        "[a-z]+@[a-z]+",
        "(?:ab){2,5}",
        "(a?b){3}",
        "(?<=x)y",
    ],
)
def test_harmless_ones(pattern: str):
    assert problem_of(pattern) is None


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a*)*", "(a|a)*b", "(a|ab)*c", r"(\w+\s?)*$", "((a{1,30})b?)+", "(x(y+)?)*", "(?:a?){30}"]
)
def test_those_that_could_take_for_ever(pattern: str):
    problem = problem_of(pattern)
    assert problem is not None
    assert "exponential" in problem


def test_many_repetitions():
    assert problem_of(".*a" * 5) is None
    assert "at most 5 repetitions" in (problem_of(".*a" * 6) or "")


@pytest.mark.parametrize("pattern", ["[", "(", "*a", "a{3,1}", r"\1", "(?P<x>", "\\", "(" * 200 + ")" * 199])
def test_invalid_ones(pattern: str):
    assert "invalid" in (problem_of(pattern) or "")


def test_long_ones():
    assert problem_of("a" * 500) is None
    assert "at most 500 characters" in (problem_of("a" * 501) or "")


@given(st.text(st.sampled_from("ab()[]{}|*+?^$.\\,1d<>=!:P"), max_size=20))
def test_any_text_has_an_answer(pattern: str):
    problem_of(pattern)
