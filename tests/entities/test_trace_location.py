"""Where traces are kept."""

from __future__ import annotations

import pytest

from otflow.entities import (
    InferenceTableLocation,
    MlflowExperimentLocation,
    TraceLocation,
    TraceLocationBase,
    TraceLocationType,
    UCSchemaLocation,
)
from otflow.errors import InvalidParameterError

EXPERIMENT = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}}
SCHEMA = {
    "type": "UC_SCHEMA",
    "uc_schema": {
        "catalog_name": "a",
        "schema_name": "b",
        "otel_spans_table_name": "mlflow_experiment_trace_otel_spans",
        "otel_logs_table_name": "mlflow_experiment_trace_otel_logs",
    },
}
TABLE = {"type": "INFERENCE_TABLE", "inference_table": {"full_table_name": "a.b.c"}}


@pytest.mark.parametrize(
    ("location", "data"),
    [
        (TraceLocation.from_experiment_id("7"), EXPERIMENT),
        (TraceLocation.from_databricks_uc_schema("a", "b"), SCHEMA),
        (TraceLocation(TraceLocationType.INFERENCE_TABLE, inference_table=InferenceTableLocation("a.b.c")), TABLE),
        (TraceLocation(TraceLocationType.MLFLOW_EXPERIMENT), {"type": "MLFLOW_EXPERIMENT"}),
    ],
)
def test_dictionaries(location, data):
    assert location.to_dict() == data
    assert TraceLocation.from_dict(data) == TraceLocation.from_dictionary(data) == location


def test_type_by_name():
    location = TraceLocation("MLFLOW_EXPERIMENT", mlflow_experiment=MlflowExperimentLocation("7"))  # type: ignore[arg-type]
    assert location == TraceLocation.from_experiment_id("7")
    assert location.type is TraceLocationType.MLFLOW_EXPERIMENT


def test_of_two_kinds():
    with pytest.raises(InvalidParameterError, match="Only one of mlflow_experiment, inference_table, or uc_schema"):
        TraceLocation(
            TraceLocationType.MLFLOW_EXPERIMENT,
            mlflow_experiment=MlflowExperimentLocation("7"),
            inference_table=InferenceTableLocation("a"),
        )


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("UC_SCHEMA", {"mlflow_experiment": MlflowExperimentLocation("7")}),
        ("MLFLOW_EXPERIMENT", {"inference_table": InferenceTableLocation("7")}),
        ("INFERENCE_TABLE", {"uc_schema": UCSchemaLocation("a", "b")}),
    ],
)
def test_of_another_kind(kind, place):
    with pytest.raises(InvalidParameterError, match="does not match the provided location"):
        TraceLocation(TraceLocationType(kind), **place)


@pytest.mark.parametrize(
    "data", [{}, {"type": "WHAT"}, {"type": "UC_SCHEMA", "uc_schema": {"schema_name": "b"}}, None, "7"]
)
def test_no_location(data):
    with pytest.raises(InvalidParameterError):
        TraceLocation.from_dict(data)


def test_places():
    for place in (MlflowExperimentLocation("7"), InferenceTableLocation("a.b.c"), UCSchemaLocation("a", "b")):
        assert isinstance(place, TraceLocationBase)
        assert type(place).from_dict(place.to_dict()) == type(place).from_dictionary(place.to_dict()) == place
    assert MlflowExperimentLocation.from_dict({"experiment_id": "7", "more": 1}) == MlflowExperimentLocation("7")
    with pytest.raises(InvalidParameterError, match="'experiment_id' is missing"):
        MlflowExperimentLocation.from_dict({})


def test_schema():
    schema = UCSchemaLocation("a", "b")
    assert schema.schema_location == "a.b"
    assert schema.full_otel_spans_table_name == "a.b.mlflow_experiment_trace_otel_spans"
    assert schema.full_otel_logs_table_name == "a.b.mlflow_experiment_trace_otel_logs"
    bare = UCSchemaLocation("a", "b", None, None)
    assert (bare.full_otel_spans_table_name, bare.full_otel_logs_table_name) == (None, None)
    assert bare.to_dict() == {"catalog_name": "a", "schema_name": "b"}
    assert UCSchemaLocation.from_dict(
        {**schema.to_dict(), "otel_spans_table_name": "x"}
    ).full_otel_spans_table_name == ("a.b.x")
