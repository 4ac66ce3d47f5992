"""The fluent API, function by function: each is there, takes what MLflow's takes, and says what that is."""

from __future__ import annotations

import enum
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import otflow

# Parameters, their order, kinds and defaults, as MLflow 3.10.1 has them; the default of an enum by its value.
FUNCTIONS: dict[str, str] = json.loads(
    (Path(__file__).parent / "data" / "fluent_signatures.json").read_text(encoding="utf-8")
)


def spelled(function: Any) -> str:
    """A signature as the data file spells it: names, kinds and defaults, without annotations."""
    found: list[str] = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            name, star = f"*{name}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            name = f"**{name}"
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            found.append("*")
            star = True
        if parameter.default is not parameter.empty:
            default = parameter.default
            name += f"={(default.value if isinstance(default, enum.Enum) else default)!r}"
        found.append(name)
    return f"({', '.join(found)})"


def documented(function: Any) -> set[str]:
    """The parameters that the section `Args` of a docstring explains."""
    lines = (inspect.getdoc(function) or "").splitlines()
    found: set[str] = set()
    if "Args:" in lines:
        for line in lines[lines.index("Args:") + 1 :]:
            if line and not line.startswith(" "):
                break
            entry = re.match(r" {4}\*{0,2}(\w+(?:, \*{0,2}\w+)*):\s+\S", line)
            if entry:
                found.update(entry[1].replace("*", "").split(", "))
    return found


def test_the_fluent_api_has_103_functions_and_a_decorator():
    assert len(FUNCTIONS) == 104
    assert "trace" in FUNCTIONS


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_public_and_takes_what_that_of_mlflow_takes(name):
    assert name in otflow.__all__
    assert spelled(getattr(otflow, name)) == FUNCTIONS[name]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_says_what_it_does_and_what_each_parameter_is(name):
    function = getattr(otflow, name)
    text = inspect.getdoc(function) or ""
    assert re.match(r"[A-Z`].*[.:]\n?", text), "a docstring begins with a sentence"
    assert inspect.signature(function).parameters.keys() - documented(function) == set()
