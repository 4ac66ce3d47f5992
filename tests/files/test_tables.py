"""Tables as files."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError, MissingExtraError, OtflowError
from otflow.files.tables import appended, checked_table_path, read_table, table

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
cells = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | texts
columns = st.integers(0, 4).flatmap(
    lambda rows: st.dictionaries(texts, st.lists(cells, min_size=rows, max_size=rows), min_size=1, max_size=4)
)


def plain(frame):
    """The columns of a table, with None for all that is missing."""
    return {
        name: [None if value is None or value is pd.NaT or value != value else value for value in frame[name].tolist()]
        for name in frame.columns
    }


@given(columns)
def test_what_is_written_is_read(data):
    found = plain(read_table(appended(table(data), "t.json", None), "t.json"))
    assert list(found) == list(data)
    for name, values in data.items():
        assert (
            found[name] == pytest.approx(values, rel=1e-12) if _numbers(values) else [str(one) for one in found[name]]
        )


def _numbers(values):
    return all(isinstance(value, float) for value in values)


def test_the_form_of_the_file():
    frame = table({"a": [1, 2], "b": ["é", None]})
    assert json.loads(appended(frame, "t.json", None)) == {"columns": ["a", "b"], "data": [[1, "é"], [2, None]]}


def test_rows_are_added():
    first = appended(table({"a": [1], "b": ["x"]}), "t.json", None)
    second = appended(table({"b": ["y"], "c": [2.5]}), "t.json", first)
    assert json.loads(second) == {"columns": ["a", "b", "c"], "data": [[1, "x", None], [None, "y", 2.5]]}
    assert plain(read_table(second, "t.json")) == {"a": [1, None], "b": ["x", "y"], "c": [None, 2.5]}


def test_parquet():
    first = appended(table({"a": [1, 2]}), "t.parquet", None)
    second = appended(table(pd.DataFrame({"a": [3]}, index=[7])), "t.parquet", first)
    assert read_table(second, "t.parquet")["a"].tolist() == [1, 2, 3]


def test_one_row():
    assert json.loads(appended(table({"a": 1, "b": "x"}), "t.json", None))["data"] == [[1, "x"]]


def test_values_of_other_libraries():
    frame = table(
        pd.DataFrame(
            {
                "time": pd.to_datetime(["2020-01-01T00:00:00Z"]),
                "number": [np.float32(1.5)],
                "nested": [{"x": [1, None]}],
                "odd": [object],
                "exact": [0.1234567890123],
            }
        )
    )
    (row,) = json.loads(appended(frame, "t.json", None))["data"]
    assert row == ["2020-01-01T00:00:00.000Z", 1.5, {"x": [1, None]}, "<class 'object'>", 0.1234567890123]


@pytest.mark.parametrize("data", [[1], "x", 5, None, {"a": [1], "b": [1, 2]}])
def test_what_is_no_table(data):
    with pytest.raises(InvalidParameterError):
        table(data)


@pytest.mark.parametrize("path", ["t", "t.csv", "t.JSON", "", None, "json"])
def test_names_that_no_table_has(path):
    with pytest.raises(InvalidParameterError, match="extension"):
        checked_table_path(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"columns": 5, "data": []}', b"\xff"])
def test_a_file_that_is_no_table(content):
    with pytest.raises(OtflowError, match="no table"):
        appended(table({"a": [1]}), "t.json", content)


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"otflow\[pandas\]"):
        table({"a": [1]})
