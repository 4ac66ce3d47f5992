"""Datasets of plain values."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otflow
from otflow.errors import InvalidParameterError

RECORDS = [{"q": "1 + 1?", "facts": ["two"]}, {"q": "2 + 2?", "facts": ["four"], "note": None}]


def test_the_record():
    dataset = otflow.data.from_dict(RECORDS, name="sums", targets="facts", predictions="note")
    assert dataset.records == RECORDS
    assert (dataset.name, dataset.targets, dataset.predictions) == ("sums", "facts", "note")
    entity = dataset._to_mlflow_entity()
    assert entity.source_type == "code"
    assert json.loads(entity.profile) == {"num_rows": 2, "num_elements": 5}
    assert json.loads(entity.schema)["mlflow_colspec"] == [
        {"type": "string", "name": "q", "required": True},
        {"type": "array", "items": {"type": "string"}, "name": "facts", "required": True},
        {"type": "any", "name": "note", "required": False},
    ]


def test_columns_are_records():
    assert otflow.data.from_dict({"x": [1, 2], "y": ["a", "b"]}).records == [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]


def test_nothing_is_a_dataset_too():
    for empty in ([], {}, {"x": []}):
        dataset = otflow.data.from_dict(empty)
        assert dataset.profile == {"num_rows": 0, "num_elements": 0}
        assert dataset._to_mlflow_entity().schema is None


def test_no_package_is_needed():
    code = (
        "import sys, otflow\n"
        "otflow.data.from_dict([{'x': [1]}], source='/data.json').to_json()\n"
        "print([name for name in ('numpy', 'pandas', 'requests', 'polars', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.lists(st.dictionaries(st.text(), plain, max_size=3), max_size=4))
def test_the_digest_does_not_depend_on_the_order_of_keys(records):
    dataset = otflow.data.from_dict(records)
    turned = [dict(reversed(record.items())) for record in records]
    assert otflow.data.from_dict(turned).digest == dataset.digest
    assert len(dataset.digest) == 8
    json.loads(dataset.to_json())


def test_content_counts():
    variants = [RECORDS, RECORDS[:1], [*RECORDS, {}], [{"q": "1 + 1?", "facts": ["2"]}, RECORDS[1]], RECORDS[::-1]]
    assert len({otflow.data.from_dict(records).digest for records in variants}) == len(variants)


@pytest.mark.parametrize(
    "wrong", [None, 3, "text", [1], [{1: 2}], {"x": [1], "y": [1, 2]}, {"x": 3}, {"x": "text"}, [["x"]]]
)
def test_what_is_no_list_of_records_is_refused(wrong):
    with pytest.raises(InvalidParameterError):
        otflow.data.from_dict(wrong)


def test_a_key_that_no_record_has_is_refused():
    with pytest.raises(InvalidParameterError, match="'answer'"):
        otflow.data.from_dict(RECORDS, targets="answer")
