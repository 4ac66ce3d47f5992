"""Datasets of polars."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import pandas as pd
import polars as pl
import pytest

import otflow
from otflow.errors import InvalidParameterError


def test_the_record_of_a_frame():
    frame = pl.DataFrame({"x": [1, 2], "y": ["a", "b"], "z": [1.5, None]})
    dataset = otflow.data.from_polars(frame, source="https://example.com/a", targets="x", predictions="z", name="n")
    assert dataset.df is frame
    assert (dataset.targets, dataset.predictions) == ("x", "z")
    entity = dataset._to_mlflow_entity()
    assert json.loads(entity.schema) == {
        "mlflow_colspec": [
            {"type": "long", "name": "x", "required": True},
            {"type": "string", "name": "y", "required": True},
            {"type": "double", "name": "z", "required": True},
        ]
    }
    assert entity.profile == '{"num_rows": 2, "num_elements": 6}'
    assert entity.source_type == "http"
    assert len(entity.digest) == 8


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        (pl.Series([1], dtype=pl.Int8), {"type": "integer"}),
        (pl.Series([1], dtype=pl.UInt32), {"type": "long"}),
        (pl.Series([1], dtype=pl.UInt64), None),
        (pl.Series([1], dtype=pl.Float32), {"type": "float"}),
        (pl.Series([True]), {"type": "boolean"}),
        (pl.Series([dt.date(2020, 1, 1)]), {"type": "datetime"}),
        (pl.Series([dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)]), {"type": "datetime"}),
        (pl.Series([dt.timedelta(1)]), None),
        (pl.Series(["a"], dtype=pl.Categorical), {"type": "string"}),
        (pl.Series(["a"], dtype=pl.Enum(["a"])), {"type": "string"}),
        (pl.Series([b"a"]), {"type": "binary"}),
        (pl.Series([[1, 2]]), {"type": "array", "items": {"type": "long"}}),
        (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), {"type": "array", "items": {"type": "long"}}),
        (
            pl.Series([{"a": 1, "b": "x"}]),
            {
                "type": "object",
                "properties": {
                    "a": {"type": "long", "required": True},
                    "b": {"type": "string", "required": True},
                },
            },
        ),
        (pl.Series([None]), None),
        (pl.Series([decimal.Decimal("1.5")]), None),
    ],
)
def test_schemas_are_those_of_mlflow(series, kind):
    schema = otflow.data.from_polars(pl.DataFrame({"c": series})).schema
    assert (schema and schema.to_dict()) == (kind and [{**kind, "name": "c", "required": True}])


def test_content_names_and_order_count():
    frames = [{"x": [1, 2]}, {"x": [2, 1]}, {"y": [1, 2]}, {"x": [1, 2, 3]}, {"x": [[1], [2]]}, {}]
    digests = [otflow.data.from_polars(pl.DataFrame(frame)).digest for frame in frames]
    assert len(set(digests)) == len(frames)
    assert digests == [otflow.data.from_polars(pl.DataFrame(frame)).digest for frame in frames]


def test_what_is_not_allowed_is_refused():
    frame = pl.DataFrame({"x": [1]})
    with pytest.raises(InvalidParameterError, match="'q'"):
        otflow.data.from_polars(frame, targets="q")
    for wrong in (frame.lazy(), pd.DataFrame({"x": [1]}), None):
        with pytest.raises(InvalidParameterError, match=r"polars\.DataFrame"):
            otflow.data.from_polars(wrong)
    with pytest.raises(InvalidParameterError, match=r"pandas\.DataFrame"):
        otflow.data.from_pandas(frame)
