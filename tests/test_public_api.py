"""The public names, and the signatures that code written against MLflow counts on."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import otflow

DATA = Path(__file__).parent / "data"

# What is public, module by module. To add a name is to promise it: change the file with it.
NAMES: dict[str, list[str]] = json.loads((DATA / "public_names.json").read_text(encoding="utf-8"))

# Parameters, their order, kinds and defaults, as MLflow 3.10.1 has them. A default that is written `...` is made anew
# for each call, and may be spelled otherwise.
SIGNATURES: dict[str, dict[str, Any]] = json.loads((DATA / "signatures.json").read_text(encoding="utf-8"))

FUNCTIONS = [
    pytest.param(module, name, signature, id=f"{module}.{name}")
    for module, members in SIGNATURES.items()
    for name, signature in members.items()
    if isinstance(signature, str)
]
MEMBERS = [
    pytest.param(module, owner, name, signature, id=f"{module}.{owner}.{name}")
    for module, members in SIGNATURES.items()
    for owner, names in members.items()
    if isinstance(names, dict)
    for name, signature in names.items()
]


def written(function: Any, pinned: str, *, bound: bool = False) -> str:
    """A signature as the data file spells it: no annotations; defaults that are pinned as `...` stay so."""
    found: list[str] = []
    star = False
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters[1:] if bound else parameters:
        name = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            name, star = f"*{name}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            name = f"**{name}"
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            found.append("*")
            star = True
        if parameter.default is not parameter.empty:
            default = parameter.default.value if isinstance(parameter.default, enum.Enum) else parameter.default
            name = f"{name}=..." if f"{name}=..." in pinned else f"{name}={default!r}"
        found.append(name)
    return f"({', '.join(found)})"


def made(cls: type[Any]) -> Any:
    """An object of a plain class, with something for each argument that it needs."""
    parameters = inspect.signature(cls).parameters.values()
    return cls(**{parameter.name: "1" for parameter in parameters if parameter.default is parameter.empty})


@pytest.mark.parametrize("module", NAMES)
def test_the_public_names_are_these(module):
    assert sorted(importlib.import_module(module).__all__) == NAMES[module]


@pytest.mark.parametrize("module", NAMES)
def test_each_public_name_is_there(module):
    loaded = importlib.import_module(module)
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", NAMES)
def test_no_public_name_gives_way_to_a_module(module):
    # The import of a submodule sets the attribute of its name in the package.
    where = Path(str(importlib.import_module(module).__file__))
    if where.name == "__init__.py":
        modules = {path.stem for path in where.parent.iterdir()}
        loaded = {name: getattr(importlib.import_module(module), name) for name in NAMES[module] if name in modules}
        assert [name for name, found in loaded.items() if not inspect.ismodule(found)] == []


@pytest.mark.parametrize(("module", "name", "pinned"), FUNCTIONS)
def test_functions_have_the_signatures_of_mlflow(module, name, pinned):
    assert written(getattr(importlib.import_module(module), name), pinned) == pinned


@pytest.mark.parametrize(("module", "owner", "name", "pinned"), MEMBERS)
def test_classes_have_the_members_of_mlflow(module, owner, name, pinned):
    cls = getattr(importlib.import_module(module), owner)
    if pinned == "attribute":
        assert hasattr(cls, name) or hasattr(made(cls), name)
    elif pinned.startswith("= "):
        value = getattr(cls, name)
        assert repr(value.value if isinstance(value, enum.Enum) else value) == pinned.removeprefix("= ")
    else:
        static = inspect.getattr_static(cls, name)
        bound = not isinstance(static, staticmethod | classmethod)
        assert written(getattr(cls, name), pinned, bound=bound) == pinned


def test_dir_shows_the_public_names():
    assert set(otflow.__all__) <= set(dir(otflow))


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="no_such_name"):
        otflow.no_such_name  # noqa: B018


def test_the_lazy_names_and_the_ones_that_type_checkers_see_are_the_same(tmp_path):
    # `__init__` lists each name twice: for type checkers under TYPE_CHECKING, and for the running program.
    code = "import otflow; [getattr(otflow, name) for name in otflow.__all__]; from otflow import *; print(len(dir()))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    tree = ast.parse(Path(otflow.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert set(otflow.__all__) <= typed


def test_the_docstrings_of_public_names_say_something():
    silent = [
        name
        for name in otflow.__all__
        if callable(getattr(otflow, name)) and not (inspect.getdoc(getattr(otflow, name)) or "").strip()
    ]
    assert silent == []
