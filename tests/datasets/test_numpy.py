"""Datasets of arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

import otflow
from otflow.data.schema import TensorDatasetSchema
from otflow.errors import InvalidParameterError

A = np.array([[1, 2], [3, 4]])


def test_the_record_of_arrays():
    dataset = otflow.data.from_numpy(A, targets=np.array([0, 1]), source="/data/a.npy", name="n")
    assert dataset.features is A
    assert dataset.profile == {
        "features_shape": (2, 2),
        "features_size": 4,
        "features_nbytes": 32,
        "targets_shape": (2,),
        "targets_size": 2,
        "targets_nbytes": 16,
    }
    features = [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, 2]}}]
    targets = [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]
    entity = dataset._to_mlflow_entity()
    assert json.loads(entity.schema) == {
        "mlflow_tensorspec": {"features": json.dumps(features), "targets": json.dumps(targets)}
    }
    assert json.loads(entity.profile)["features_shape"] == [2, 2]
    assert (entity.name, entity.digest, entity.source_type) == ("n", "255081a8", "local")
    assert TensorDatasetSchema.from_dict(json.loads(entity.schema)) == dataset.schema


def test_arrays_by_name():
    dataset = otflow.data.from_numpy({"a": A, "b": A * 2}, targets={"t": np.array(["x", "y"])})
    assert dataset.profile["features_shape"] == {"a": (2, 2), "b": (2, 2)}
    assert dataset.profile["targets_size"] == {"t": 2}
    assert repr(dataset.schema.features) == "['a': Tensor('int64', (-1, 2)), 'b': Tensor('int64', (-1, 2))]"
    assert dataset.schema.targets.to_dict() == [
        {"name": "t", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": (-1,)}}
    ]


# The digests that the released MLflow 3.10.1 gives these arrays.
@pytest.mark.parametrize(
    ("digest", "features", "targets"),
    [
        ("8be7b4a3", A, None),
        ("8be7b4a3", A.astype("int32"), None),
        ("8be7b4a3", {"a": A}, None),
        ("255081a8", A, np.array([0, 1])),
        ("1afcb868", A.T, None),
        ("448d9ba5", A * 1.0, None),
        ("bf9338e6", A.ravel(), None),
        ("88d43939", np.array(["a", "b"]), None),
        ("7dea362b", np.array([]), None),
        ("3ee39c15", np.array(5), None),
        ("c3712814", np.array([True, False]), None),
        ("802c838d", np.array(["2020-01-01"], dtype="datetime64[D]"), None),
        ("96a0cdaa", np.zeros((2, 3, 4), "float32"), None),
        ("44ff7d04", np.array([b"a"]), None),
        ("ae4ee70e", np.array([1j]), None),
        ("84607c59", {"b": A * 2, "a": A}, None),
        ("249aeea3", {"a": A, "b": A * 2}, {"t": np.array([0, 1])}),
        ("1557b7f2", np.arange(20_000), None),
    ],
)
def test_digests_are_those_of_mlflow(digest, features, targets):
    assert otflow.data.from_numpy(features, targets=targets).digest == digest


def test_objects_and_structures_have_digests():
    def digest(values, dtype):
        return otflow.data.from_numpy(np.array(values, dtype=dtype)).digest

    assert digest([{"a": 1}, "x"], object) == digest([{"a": 1}, "x"], object) != digest([{"a": 2}, "x"], object)
    pair = [("a", "i4"), ("b", "f8")]
    assert digest([(1, 2.0)], pair) == digest([(1, 2.0)], pair) != digest([(1, 3.0)], pair)


def test_an_array_without_dimensions_has_no_schema(caplog):
    assert otflow.data.from_numpy(np.array(5))._to_mlflow_entity().schema is None
    assert "no schema" in caplog.text


@pytest.mark.parametrize(
    ("features", "targets"), [([1, 2], None), (None, None), ({}, None), ({"a": 3}, None), (A, [1, 2])]
)
def test_what_is_no_array_is_refused(features, targets):
    with pytest.raises(InvalidParameterError, match=r"numpy\.ndarray"):
        otflow.data.from_numpy(features, targets=targets)
