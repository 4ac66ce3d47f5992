"""The agent's tools. Each is a traced function: a call is a span, an exception makes it a failed one."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import otflow
from otflow.entities import SpanType

LONGEST_SOURCE = 25  # lines
TIMEOUT = 5.0  # seconds
PURE_MODULES = """
    base64 bisect calendar collections colorsys copy datetime decimal difflib fractions functools heapq html itertools
    json keyword math operator re reprlib shlex statistics string textwrap unicodedata zlib
"""
PURE_BUILTINS = """
    abs all any ascii bin bool bytes chr complex dict divmod enumerate filter float format frozenset hash hex int
    isinstance iter len list map max min next oct ord pow range repr reversed round set slice sorted str sum tuple type
    zip
"""
_PURE_MODULES = frozenset(PURE_MODULES.split())
_PURE_BUILTINS = frozenset(PURE_BUILTINS.split())
_ALLOWED_NODES = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Starred, ast.Name, ast.Attribute, ast.Load, ast.Store),
    *(ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Subscript, ast.Slice),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
    *(ast.Lambda, ast.arguments, ast.arg),
)
# Run by a Python of its own that sees neither the environment nor the user's packages.
_EVALUATE = """
import contextlib, importlib, itertools, json, sys
with contextlib.suppress(ImportError, OSError, ValueError):  # not on every operating system
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
request = json.load(sys.stdin)
names = {}
for name, module, attribute in request["names"]:
    imported = importlib.import_module(module)
    names[name] = getattr(imported, attribute) if attribute else imported
value = eval(request["expression"], names)
print(repr(list(itertools.islice(value, 100)) if hasattr(value, "__next__") else value))
"""


class NotAllowedError(Exception):
    """The expression does what the evaluator refuses."""


class EvaluationError(Exception):
    """The expression was evaluated, and raised."""


@otflow.trace(span_type=SpanType.TOOL)
def lookup_signature(module: str, name: str) -> str:
    """The signature of a function or class, as `inspect` reports it.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such name.
        ValueError: It is written in C and does not tell its signature.
    """
    return f"{module}.{name}{inspect.signature(find(module, name))}"


@otflow.trace(span_type=SpanType.TOOL)
def read_source(module: str, name: str) -> str:
    """The first lines of a function's or class's source, below its file and line number.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such name.
        TypeError: It is written in C and has no Python source.
    """
    thing = inspect.unwrap(find(module, name))
    lines, number = inspect.getsourcelines(thing)
    file = Path(inspect.getsourcefile(thing) or module).name
    return f"{file}, line {number}:\n{textwrap.dedent(''.join(lines[:LONGEST_SOURCE]))}"


@otflow.trace(span_type=SpanType.TOOL)
def run_expression(expression: str, module: str | None = None) -> str:
    """The value of an expression, evaluated in a process of its own, with pure functions only.

    This keeps mistakes away, endless loops and full memories; it is no defence against somebody who means harm.

    Args:
        expression: The expression.
        module: The module whose names it may use without a prefix, as the examples in docstrings do.

    Raises:
        NotAllowedError: The expression uses what is not on the list of pure functions.
        EvaluationError: The expression raises.
        TimeoutError: It takes longer than five seconds.
    """
    request = json.dumps({"expression": expression, "names": names_for(expression, module)})
    command = [sys.executable, "-I", "-S", "-c", _EVALUATE]
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{expression} took longer than {TIMEOUT:g} seconds") from None
    if done.returncode:
        raise EvaluationError(done.stderr.strip().rpartition("\n")[2])
    return done.stdout.strip()


def find(module: str, name: str) -> Any:
    thing: Any = importlib.import_module(module)
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def examples_in(text: str, limit: int) -> list[str]:
    """The first expressions after `>>>` in a text."""
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:  # not written as doctest wants it
        return []
    return [example.source.strip() for example in examples if example.want][:limit]


def names_for(expression: str, module: str | None) -> list[tuple[str, str, str | None]]:
    """The global names that an expression uses, each with where it comes from.

    Raises:
        NotAllowedError: Something in it is not allowed.
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotAllowedError(f"{expression!r} is not an expression: {error}") from None
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names: dict[str, tuple[str, str, str | None]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED_NODES):
            raise NotAllowedError(f"{type(node).__name__} is not allowed in {expression!r}")
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            raise NotAllowedError(f"the private name {node.attr!r} is not allowed in {expression!r}")
        if isinstance(node, ast.Name) and node.id not in bound and node.id not in _PURE_BUILTINS:
            names[node.id] = origin(node.id, module)
    return list(names.values())


def origin(name: str, module: str | None) -> tuple[str, str, str | None]:
    """Where a name comes from: itself, the module to import, and the name in it if it is not the module."""
    if name in _PURE_MODULES:
        return name, name, None
    if module in _PURE_MODULES and not name.startswith("_") and hasattr(importlib.import_module(module), name):
        return name, module, name
    raise NotAllowedError(f"{name!r} is none of the pure functions and modules that may be used")
