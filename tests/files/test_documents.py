"""Values as JSON and YAML files."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import json
import pathlib
import subprocess
import sys
import uuid

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError
from otflow.files.documents import document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


class Color(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Plain:
    def __str__(self) -> str:
        return "plain"


Pair = collections.namedtuple("Pair", "a b")


@given(JSON)
def test_both_formats_hold_the_value(value):
    assert json.loads(document(value, "a.json")) == value


@given(JSON)
def test_yaml_holds_the_value_too(value):
    assert yaml.safe_load(document(value, "a.yaml")) == value


@pytest.mark.parametrize("name", ["a.json", "a", "a.txt", "A.YAML", "a.yaml.txt"])
def test_json_as_mlflow_writes_it(name):
    value = {"b": 1, "a": [1, {"c": None}], "ü": float("nan")}
    assert document(value, name) == (
        b'{\n  "b": 1,\n  "a": [\n    1,\n    {\n      "c": null\n    }\n  ],\n  "\\u00fc": NaN\n}'
    )


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "d/a.yml"])
def test_yaml_as_mlflow_writes_it(name):
    value = {"b": 1, "a": [1, {"c": None}], "ü": "é\n", 1: {"e": {}}}
    if name != "a.yaml":
        value.pop(1)
        assert document(value, name) == b'a:\n- 1\n- c: null\nb: 1\n"\\xFC": "\\xE9\\n"\n'
    else:
        assert document({1: {"e": []}}, name) == b"1:\n  e: []\n"


def test_what_the_formats_cannot_say_is_text_and_numbers_stay_numbers():
    value = {
        "color": Color.RED,
        "number": Number.ONE,
        "pair": Pair(1, 2),
        "counts": collections.Counter("a"),
        "float": np.float32(1.5),
        "int": np.int64(2),
        "array": np.arange(2),
        "id": uuid.UUID(int=1),
        "path": pathlib.PurePosixPath("a/b"),
        "decimal": decimal.Decimal("1.5"),
        "plain": Plain(),
    }
    expected = {
        "color": "red",
        "number": 1,
        "pair": [1, 2],
        "counts": {"a": 1},
        "float": 1.5,
        "int": 2,
        "array": [0, 1],
        "id": "00000000-0000-0000-0000-000000000001",
        "path": "a/b",
        "decimal": "1.5",
        "plain": "plain",
    }
    assert json.loads(document(value, "a.json")) == expected
    assert yaml.safe_load(document(value, "a.yaml")) == expected
    day = datetime.date(2020, 1, 2)
    assert json.loads(document({"d": day}, "a.json")) == {"d": "2020-01-02"}
    assert yaml.safe_load(document({"d": day, "s": {1}, "b": b"x"}, "a.yaml")) == {"d": day, "s": {1}, "b": b"x"}


def test_what_cannot_be_written_at_all():
    cycle: list[object] = []
    cycle.append(cycle)
    for value in (cycle, {(1, 2): 3}):
        with pytest.raises(InvalidParameterError, match=r"'a\.json'"):
            document(value, "a.json")


def test_without_pyyaml():
    code = """
import sys
sys.modules["yaml"] = None
from otflow.files.documents import document
document({}, "a.json")
document({}, "a.yaml")
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "otflow[yaml]" in answer.stderr.splitlines()[-1]
