"""Datasets of data frames: digest, schema, profile, and the record that a run keeps."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import subprocess
import sys
import time
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import otflow
from otflow.data.pandas_dataset import PandasDataset
from otflow.data.schema import Schema
from otflow.errors import InvalidParameterError


def made(columns, **changes):
    return otflow.data.from_pandas(pd.DataFrame(columns), **changes)


def objects(*values):
    return pd.Series(list(values), dtype=object)


def colspec(values):
    """The record's schema of the only column."""
    schema = made({"c": values})._to_mlflow_entity().schema
    return None if schema is None else json.loads(schema)["mlflow_colspec"][0]


def test_the_record_of_a_frame():
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"], "z": [1.5, 2.5]})
    dataset = otflow.data.from_pandas(frame, source="s3://bucket/key.csv", targets="y", predictions="z", name="n")
    assert isinstance(dataset, PandasDataset)
    assert dataset.df is frame
    assert (dataset.name, dataset.targets, dataset.predictions) == ("n", "y", "z")
    schema = (
        '{"mlflow_colspec": [{"type": "long", "name": "x", "required": true},'
        ' {"type": "string", "name": "y", "required": true}, {"type": "double", "name": "z", "required": true}]}'
    )
    assert dataset.to_dict() == {
        "name": "n",
        "digest": "6fa6a944",
        "source": '{"uri": "s3://bucket/key.csv"}',
        "source_type": "s3",
        "schema": schema,
        "profile": '{"num_rows": 2, "num_elements": 6}',
    }
    assert json.loads(dataset.to_json()) == dataset.to_dict()
    entity = dataset._to_mlflow_entity()
    assert isinstance(entity, otflow.entities.Dataset)
    assert entity.to_dictionary() == dataset.to_dict()


def test_name_and_digest_can_be_given():
    assert made({"x": [1]}).name == "dataset"
    assert made({"x": [1]}, name="n", digest="d").digest == "d"


# The digests that the released MLflow 3.10.1 gives these frames, with pandas 2.3.
MLFLOW_DIGESTS = [
    ("300830b9", lambda: {"x": [1, 2]}),
    ("300830b9", lambda: {"x": np.array([1, 2], "int32")}),
    ("300830b9", lambda: {"x": pd.to_timedelta([1, 2], unit="ns")}),
    ("fbc06655", lambda: {"x": [1.0, 2.0]}),
    ("98c5aa5e", lambda: {"x": ["a", "b"]}),
    ("98c5aa5e", lambda: {"x": pd.array(["a", "b"], dtype="string")}),
    ("98c5aa5e", lambda: {"x": pd.Categorical(["a", "b"])}),
    ("a0b90b44", lambda: {"x": [1, 2], "s": ["a", "b"]}),
    ("07657a5c", lambda: {"s": ["a", "b"], "x": [1, 2]}),
    ("7dea362b", dict),
    ("c90e33b7", lambda: {"a": []}),
    ("bf7c3068", lambda: {"x": pd.array([1, None], dtype="Int64")}),
    ("7f7119dd", lambda: {"z": [1.5, float("nan")], "a": ["x", "y"], "m": [1, 2], "b": ["p", "q"]}),
    ("beaa5172", lambda: {"z": ["x", "y"], "a": [1, 2], "m": ["x", "y"]}),
    ("5ea2117d", lambda: {"z": [1, 2], "a": [1, 2], "m": [3, 4]}),
    ("16a466e6", lambda: {"z": ["1", "2"], "a": ["1", "3"]}),
    ("375c1fe7", lambda: {"x": np.arange(20_000)}),
]


@pytest.mark.parametrize(("digest", "columns"), MLFLOW_DIGESTS)
def test_digests_are_those_of_mlflow(digest, columns):
    assert made(columns()).digest == digest


@pytest.mark.parametrize(
    ("digest", "frame"),
    [
        ("72d4449a", lambda: pd.DataFrame({"x": [1, 2]}, index=[5, 6])),
        ("1073d06d", lambda: pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", None], dtype=object))),
        ("a5e54e82", lambda: pd.DataFrame({"x": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]))),
        ("c9931463", lambda: pd.DataFrame([[1, 2], [3, 4]])),
        ("84f2ee04", lambda: pd.DataFrame([[1, 2], [3, 4]], columns=["a", 1])),
        ("88431924", lambda: pd.DataFrame([[1, 2], [3, 4]], columns=pd.MultiIndex.from_product([["a"], ["b", "c"]]))),
    ],
)
def test_digests_of_odd_indexes_and_names_are_those_of_mlflow(digest, frame):
    assert otflow.data.from_pandas(frame()).digest == digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([True, False], [True, True]),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), pd.to_datetime(["2020-01-01", "2022-01-01"])),
        ([{"a": 1}, {}], [{"a": 2}, {}]),
        ([["a"], ["b"]], [["a"], ["c"]]),
        (["a", None], ["b", None]),
        ([{1}, {2}], [{1}, {3}]),
        ([decimal.Decimal(1), None], [decimal.Decimal(2), None]),
        ([1, "a"], [2, "a"]),
    ],
)
def test_columns_that_mlflow_leaves_out_count(one, other):
    assert made({"c": objects(*one)}).digest != made({"c": objects(*other)}).digest
    assert made({"c": objects(*one)}).digest == made({"c": objects(*one)}).digest


def test_the_order_of_keys_does_not_count():
    assert made({"c": [{"a": 1, "b": 2}]}).digest == made({"c": [{"b": 2, "a": 1}]}).digest


def test_rows_names_and_order_count():
    digests = {
        made(columns).digest
        for columns in ({"x": [1, 2]}, {"x": [2, 1]}, {"x": [1, 2, 3]}, {"y": [1, 2]}, {"x": ["1", "2"]})
    }
    assert len(digests) == 5


def test_labels_without_a_hash_and_twice_the_same():
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index([{"a": 1}, [2]], dtype=object))
    assert len(otflow.data.from_pandas(frame).digest) == 8
    assert otflow.data.from_pandas(pd.DataFrame({"x": [1, 2]}, index=["a", "a"])).digest


def test_a_digest_is_the_same_in_another_process():
    code = (
        "import otflow, pandas as pd\n"
        "class Odd: pass\n"
        "print(otflow.data.from_pandas(pd.DataFrame({'s': [{'b', 'a', 'c'}], 'o': [Odd()], 't': ['x']})).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_million_rows_take_less_than_a_second():
    frame = pd.DataFrame({"x": np.arange(1_000_000), "s": "text", "d": [{"a": 1}] * 1_000_000})
    start = time.process_time()
    dataset = otflow.data.from_pandas(frame)
    assert time.process_time() - start < 1
    assert dataset.profile == {"num_rows": 1_000_000, "num_elements": 3_000_000}


cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes(), st.uuids()
)
values = st.recursive(cells, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(st.dictionaries(st.text(), st.lists(values, min_size=3, max_size=3), max_size=4))
def test_every_frame_has_a_digest_and_a_record(columns):
    def make():
        return otflow.data.from_pandas(pd.DataFrame({name: objects(*column) for name, column in columns.items()}))

    dataset = make()
    assert len(dataset.digest) == 8
    assert dataset.digest == make().digest
    entity = dataset._to_mlflow_entity()
    assert json.loads(entity.profile) == {"num_rows": 3 if columns else 0, "num_elements": 3 * len(columns)}
    if entity.schema is not None:
        told = json.loads(entity.schema)["mlflow_colspec"]
        assert [column["name"] for column in told] == list(columns)
        assert Schema.from_json(json.dumps(told)) == dataset.schema


def scalar(name, *, required=True):
    return {"type": name, "name": "c", "required": required}


def array(items, *, required=True):
    return {"type": "array", "items": items, "name": "c", "required": required}


def struct(properties, *, required=True):
    told = {key: {**kind, "required": always} for key, (kind, always) in properties.items()}
    return {"type": "object", "properties": told, "name": "c", "required": required}


LONG, DOUBLE, STRING, ANY = ({"type": name} for name in ("long", "double", "string", "any"))

# What the released MLflow 3.10.1 finds, with pandas 2.3.
SCHEMAS = {
    "int64": ([1, 2], scalar("long")),
    "int32": (np.array([1], "int32"), scalar("integer")),
    "int8": (np.array([1], "int8"), scalar("integer")),
    "uint16": (np.array([1], "uint16"), scalar("integer")),
    "uint32": (np.array([1], "uint32"), scalar("long")),
    "uint64": (np.array([1], "uint64"), None),
    "float16": (np.array([1], "float16"), scalar("float")),
    "float32": (np.array([1], "float32"), scalar("float")),
    "float64": ([1.5], scalar("double")),
    "nan": ([1.5, float("nan")], scalar("double", required=False)),
    "bool": ([True], scalar("boolean")),
    "complex": ([1j], None),
    "text": (["a"], scalar("string")),
    "text and none": (["a", None], scalar("string", required=False)),
    "bytes": ([b"a"], scalar("binary")),
    "datetime": (pd.to_datetime(["2020-01-01"]), scalar("datetime")),
    "datetime with zone": (pd.to_datetime(["2020-01-01"]).tz_localize("UTC"), scalar("datetime")),
    "NaT": (pd.to_datetime(["2020-01-01", None]), scalar("datetime", required=False)),
    "date": (objects(dt.date(2020, 1, 1), None), scalar("datetime", required=False)),
    "timedelta": (pd.to_timedelta([1]), None),
    "period": (pd.period_range("2020", periods=1, freq="D"), None),
    "Int64": (pd.array([1, None], dtype="Int64"), scalar("long", required=False)),
    "UInt8": (pd.array([1, None], dtype="UInt8"), scalar("integer", required=False)),
    "UInt64": (pd.array([1, None], dtype="UInt64"), None),
    "Float32": (pd.array([1, None], dtype="Float32"), scalar("float", required=False)),
    "boolean": (pd.array([True, None], dtype="boolean"), scalar("boolean", required=False)),
    "string": (pd.array(["a", None], dtype="string"), scalar("string", required=False)),
    "arrow long": (pd.array([1], dtype="int64[pyarrow]"), scalar("long")),
    "arrow bool": (pd.array([True, None], dtype="bool[pyarrow]"), scalar("boolean", required=False)),
    "category": (pd.Categorical(["a", None]), scalar("string", required=False)),
    "category of numbers": (pd.Categorical([1, 2]), scalar("long")),
    "empty objects": (objects(), scalar("string")),
    "empty int": (np.array([], "int64"), scalar("long")),
    "none": (objects(None, None), scalar("any", required=False)),
    "nan objects": (objects(float("nan")), scalar("double", required=False)),
    "int objects": (objects(1, 2), scalar("long")),
    "int objects and none": (objects(1, None), scalar("double", required=False)),
    "int and float": (objects(1, 2.5), scalar("double")),
    "bool and none": (objects(True, None), scalar("boolean", required=False)),
    "mixed": (objects(1, "a"), None),
    "bool and int": (objects(True, 1), None),
    "numpy objects": (objects(np.int32(1), np.int32(2)), scalar("integer")),
    "bare object": (objects(object()), scalar("string")),
    "set": (objects({1}), None),
    "tuple": (objects((1, 2)), None),
    "decimal": (objects(decimal.Decimal(1)), None),
    "uuid": (objects(uuid.UUID(int=1)), None),
    "list": (objects([1, 2], [3]), array(LONG)),
    "list and none": (objects([1], None), array(LONG, required=False)),
    "list with none": (objects([1, None], [2]), array(LONG)),
    "list of none": (objects([None], [None]), array(ANY)),
    "list or empty": (objects([], [1]), array(LONG)),
    "empty lists": (objects([], []), scalar("any")),
    "list of lists": (objects([[1]], [[]]), array({"type": "array", "items": LONG})),
    "list of int and float": (objects([1], [1.5]), None),
    "list and text": (objects([1], "a"), None),
    "array": (objects(np.array([1.5]), np.array([2.5])), array(DOUBLE)),
    "two dimensions": (objects(np.eye(2), np.eye(2)), array({"type": "array", "items": DOUBLE})),
    "dict": (objects({"b": 1, "a": "x"}), struct({"a": (STRING, True), "b": (LONG, True)})),
    "dict at times": (objects({"a": 1}, None), struct({"a": (LONG, False)}, required=False)),
    "dict or empty": (objects({}, {"a": 1}), struct({"a": (LONG, False)})),
    "dict with none": (objects({"a": None}, {"a": 1}), struct({"a": (LONG, False)})),
    "dict of other keys": (objects({"a": 1}, {"b": 1}), struct({"a": (LONG, False), "b": (LONG, False)})),
    "dict conflict": (objects({"a": 1}, {"a": "x"}), None),
    "dict with int keys": (objects({1: 1}), None),
    "empty dicts": (objects({}, {}), scalar("any")),
    "list of dicts": (
        objects([{"a": 1}, None]),
        array({"type": "object", "properties": {"a": {"type": "long", "required": False}}}),
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_those_of_mlflow(name):
    column, expected = SCHEMAS[name]
    assert colspec(column) == expected


def test_names_that_are_no_text():
    frame = pd.DataFrame([[1, 2]], columns=pd.Index([np.int64(3), "b"], dtype=object))
    told = json.loads(otflow.data.from_pandas(frame)._to_mlflow_entity().schema)
    assert [column["name"] for column in told["mlflow_colspec"]] == [3, "b"]


def test_two_columns_of_one_name_have_no_schema(caplog):
    dataset = otflow.data.from_pandas(pd.DataFrame([[1, "a"]], columns=["a", "a"]))
    assert dataset.schema is None
    assert dataset.digest
    assert "no schema" in caplog.text


def test_a_schema_reads_as_its_columns():
    schema = made({"x": [1], "l": [[1.5]], "d": [{"a": None}]}).schema
    assert repr(schema) == "['x': long (required), 'l': Array(double) (required), 'd': {a: any (optional)} (required)]"
    assert schema.input_names() == ["x", "l", "d"]
    assert schema.required_input_names() == ["x", "l", "d"]
    assert schema.optional_input_names() == []
    assert not schema.is_tensor_spec()
    assert schema.has_input_names()
    assert len(schema) == 3
    assert schema.input_dict()["x"].type.name == "long"


@pytest.mark.parametrize(
    "wrong",
    [{"targets": "q"}, {"predictions": "q"}, {"name": 3}, {"digest": 3}],
)
def test_what_is_not_allowed_is_named(wrong):
    with pytest.raises(InvalidParameterError, match=str(next(iter(wrong.values())))):
        made({"x": [1]}, **wrong)


@pytest.mark.parametrize("wrong", [[1, 2], None, pd.Series([1]), "x"])
def test_what_is_no_frame_is_refused(wrong):
    with pytest.raises(InvalidParameterError, match=r"pandas\.DataFrame"):
        otflow.data.from_pandas(wrong)


def test_a_run_keeps_the_record():
    dataset = made({"x": [1, 2]}, name="numbers", source="https://example.com/x.csv")
    with otflow.start_run() as run:
        otflow.log_input(dataset, context="training")
    [used] = otflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert used.dataset.to_dictionary() == dataset._to_mlflow_entity().to_dictionary()
    assert otflow.data.get_source(used).url == "https://example.com/x.csv"
