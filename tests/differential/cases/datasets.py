"""Datasets: digest, schema and profile as a run keeps them, and where data comes from."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: PLW0108

from __future__ import annotations

import datetime as dt
import importlib
import json
import warnings
from typing import Any

from toolbox import NOT_FOUND, Difference, Facts, Toolbox, accident, case, error, value


def _record(t: Toolbox, make: Any) -> dict[str, Any]:
    """The record of a dataset; where the program is the source, its tags."""

    def told() -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's hint at every column of whole numbers
            record = dict(make()._to_mlflow_entity().to_dictionary())
        if record["source_type"] == "code":
            record["source"] = sorted(key for key in json.loads(record["source"])["tags"] if "git" not in key)
        return record

    return t.outcome(told)


@case(differs=accident("no frame", "none"))
def pandas_frames(t: Toolbox) -> Facts:
    import numpy as np
    import pandas as pd

    make = t.mlflow.data.from_pandas
    frames: dict[str, Any] = {
        "numbers": {"x": [1, 2], "y": [1.5, float("nan")]},
        "numbers and texts": {"z": ["a", "b"], "x": [1, 2], "a": ["c", "d"]},
        "texts": {"b": ["a", "b"], "a": ["c", "d"]},
        "small numbers": {"a": np.array([1, 2], "int16"), "b": np.array([1, 2], "uint32"), "c": np.array([1, 2], "f4")},
        "nullable": {"i": pd.array([1, None], dtype="Int64"), "f": pd.array([1.5, None], dtype="Float64")},
        "texts of pandas": {"s": pd.array(["a", "b"], dtype="string")},
        "categories": {"c": pd.Categorical(["a", "b"])},
        "empty": {},
        "no rows": {"a": [], "b": []},
        "many rows": {"x": np.arange(20_000)},
    }
    for label, columns in frames.items():
        yield label, _record(t, lambda columns=columns: make(pd.DataFrame(columns)))
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"], "z": ["a", "c"]})
    yield "index", _record(t, lambda: make(frame.set_index("y")))
    yield "numbers as names", _record(t, lambda: make(pd.DataFrame([[1, 2], [3, 4]])))
    yield (
        "all arguments",
        _record(t, lambda: make(frame, "s3://b/k", targets="y", name="n", digest="d", predictions="z")),
    )
    yield "targets", t.outcome(lambda: make(frame, targets="q"))
    yield "predictions", t.outcome(lambda: make(frame, predictions="q"))
    yield "no frame", t.outcome(lambda: make([1, 2]))
    yield "none", t.outcome(lambda: make(None))


@case()
def pandas_objects(t: Toolbox) -> Facts:
    import pandas as pd

    make = t.mlflow.data.from_pandas
    columns: dict[str, list[Any]] = {
        "dates": [dt.date(2020, 1, 1), None],
        "flags": [True, None],
        "bytes": [b"a", b"b"],
        "lists": [[1, None], []],
        "lists of lists": [[["a"]], [[]]],
        "dictionaries": [{"b": 1, "a": "x"}, {"b": 2}],
        "dictionaries at times": [{"a": {"b": [1]}}, None],
        "missing": [None, None],
        "mixed": [1, "a"],
        "sets": [{1}, {2}],
        "conflict": [{"a": 1}, {"a": "x"}],
    }
    for label, values in columns.items():
        facts = _record(t, lambda values=values: make(pd.DataFrame({"c": pd.Series(values, dtype=object)})))
        facts["value"].pop("digest")  # MLflow's does not cover such columns
        yield label, facts


@case(differs=accident("no array", "none among them", "targets"))
def numpy_arrays(t: Toolbox) -> Facts:
    import numpy as np

    make = t.mlflow.data.from_numpy
    a = np.array([[1, 2], [3, 4]])
    arrays: dict[str, tuple[Any, Any]] = {
        "two dimensions": (a, None),
        "turned": (a.T, None),
        "with targets": (a * 1.5, np.array([0, 1])),
        "by name": ({"b": a, "a": a * 2}, {"t": np.array([True, False])}),
        "texts": (np.array(["a", "b"]), None),
        "dates": (np.array(["2020-01-01"], dtype="datetime64[D]"), None),
        "empty": (np.array([]), None),
        "no dimension": (np.array(5), None),
        "many": (np.arange(20_000), None),
    }
    for label, (features, targets) in arrays.items():
        yield label, _record(t, lambda features=features, targets=targets: make(features, targets=targets))
    yield "no array", t.outcome(lambda: make([1, 2]))
    yield "nothing", t.outcome(lambda: make(None))
    yield "none among them", t.outcome(lambda: make({"a": 3}))
    yield "targets", t.outcome(lambda: make(a, targets=[1, 2]))


@case(
    differs={
        "load missing": Difference(NOT_FOUND, "a file that is not there is not there, with a code"),
        "load code": Difference(error("NOT_IMPLEMENTED"), "the same built-in error, with a code and a sentence"),
    }
)
def sources(t: Toolbox) -> Facts:
    import numpy as np

    data = t.mlflow.data
    module = data.__name__

    def made(raw: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow has two kinds of local sources
            return data.from_numpy(np.array([1]), source=raw)

    for raw in (
        *("https://a/b.csv", "http://a", "s3://b/k", "gs://b/k", "r2://b/k", "wasbs://c@a/p", "abfss://c@a/p"),
        *("hdfs://h/p", "viewfs://h/p", "ftp://h/p", "sftp://h/p", "file:///a/b", "/a/b", "a.csv", ""),
        *("gcs://b/k", "dbfs:/p", "runs:/a/b", "models:/m/1", "hf://d", "oss://b/k", 1),
    ):
        yield (
            f"resolve {raw}",
            t.outcome(lambda raw=raw: [made(raw).source._get_source_type(), made(raw).source.to_dict()]),
        )
    entity = made("https://a/b.csv")._to_mlflow_entity()
    used = t.mlflow.entities.DatasetInput(entity, [])
    yield "of a record", t.outcome(lambda: data.get_source(entity).to_dict())
    yield "of a use", t.outcome(lambda: data.get_source(used).to_dict())
    yield "of a text", t.outcome(lambda: data.get_source("x"))
    yield "unknown kind", t.outcome(lambda: data.get_dataset_source_from_json("{}", "zzz"))
    http = importlib.import_module(f"{module}.http_dataset_source").HTTPDatasetSource
    yield "no url", t.outcome(lambda: http.from_json("{}"))
    code = importlib.import_module(f"{module}.code_dataset_source").CodeDatasetSource
    yield "load code", t.outcome(lambda: code({"a": "b"}).load())
    yield "load missing", t.outcome(lambda: made(f"{t.directory}/nowhere").source.load())
    spark = importlib.import_module(f"{module}.spark_dataset_source").SparkDatasetSource
    delta = importlib.import_module(f"{module}.delta_dataset_source").DeltaDatasetSource
    for label, make in {
        "spark path": lambda: spark(path="/p"),
        "spark nothing": lambda: spark(),
        "delta version": lambda: delta(delta_table_name="t", delta_table_version=3),
        "delta both": lambda: delta(path="/p", delta_table_name="t"),
    }.items():
        yield label, t.outcome(lambda make=make: make().to_dict())
    meta = importlib.import_module(f"{module}.meta_dataset").MetaDataset
    told = meta(http("https://a/b.csv"), name="n", digest="d")
    yield "meta", value(told.to_dict())
    constructors = importlib.import_module(f"{module}.dataset_registry")
    yield "constructor name", t.outcome(lambda: constructors.register_constructor(lambda name, digest: None, "foo"))
    yield "no dataset", t.outcome(lambda: constructors.register_constructor(lambda name, digest: None, "from_foo"))
