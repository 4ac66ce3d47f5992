from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.values import decode_attribute, encode_attribute
from otflow.wire.attributes import MAX_DEPTH, holds_text, received, sent

KEYS = st.sampled_from(["mlflow.spanInputs", "mlflow.other", "custom", "input.value"])
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
SCALARS = (
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"]))
)
TRICKY_TEXT = st.sampled_from(
    ['{"a": 1}', '"quoted"', "[1, 2]", "12", "true", "null", "NaN", '"12"', '"{}"', " {} ", ""]
)
VALUES = st.recursive(
    SCALARS | TRICKY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(KEYS, VALUES)
def test_a_value_comes_back_with_its_type(key: str, value: Any) -> None:
    raw = encode_attribute(key, value)
    back = received(key, sent(key, raw))
    assert repr(decode_attribute(back)) == repr(decode_attribute(raw))


@given(st.text(st.characters(exclude_categories=["Cs"])) | TRICKY_TEXT.filter(lambda text: text != '"12"'))
def test_a_foreign_string_is_sent_on_as_it_came(text: str) -> None:
    assert sent("input.value", received("input.value", text)) == text


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"q": "hi"}', {"q": "hi"}),
        ('"answer"', "answer"),
        ('"AGENT"', "AGENT"),
        ("null", None),
        ("[1, null, 2.5]", [1, None, 2.5]),
        ("{}", {}),
        ("1795405002066046192", 1795405002066046192),
    ],
)
def test_values_under_mlflow_keys_travel_natively(raw: str, value: object) -> None:
    assert sent("mlflow.spanInputs", raw) == value


def test_a_string_that_reads_as_an_object_travels_as_json_text() -> None:
    """Otherwise MLflow's server takes it for the object."""
    raw = encode_attribute("mlflow.spanOutputs", '{"a":1}')
    assert sent("mlflow.spanOutputs", raw) == json.dumps('{"a":1}')
    assert received("mlflow.spanOutputs", json.dumps('{"a":1}')) == raw


@pytest.mark.parametrize("key", ["mlflow.spanInputs", "custom"])
def test_what_the_wire_cannot_hold_travels_as_text(key: str) -> None:
    raw = encode_attribute(key, {"big": 2**70, "list": [-(2**64), 1]})
    assert sent(key, raw) == {"big": str(2**70), "list": [str(-(2**64)), 1]}
    deep: Any = "end"
    for _ in range(3 * MAX_DEPTH):
        deep = {"next": deep}
    value: Any = sent(key, encode_attribute(key, deep))
    for _ in range(MAX_DEPTH):
        value = value["next"]
    assert json.loads(value)["next"]


def test_spans_of_the_plain_exporter_are_recognized() -> None:
    attributes = {"mlflow.spanType": '"LLM"', "mlflow.spanOutputs": "42", "n": "5"}
    assert holds_text(dict(attributes))
    assert received("mlflow.spanOutputs", "42", text=True) == "42"
    assert not holds_text({"mlflow.spanType": "LLM", "mlflow.spanOutputs": "42"})
    assert decode_attribute(received("mlflow.spanOutputs", "42")) == "42"
