"""What may be asked of runs."""

from __future__ import annotations

import pytest

from otflow.errors import FilterError
from otflow.search.fields import RUN_FIELDS, RunField
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.tree import Comparison, Field, Op, OrderKey, to_text


def only(text: str) -> Comparison:
    (comparison,) = parse_filter(text, RUN_FIELDS)
    return comparison


def complaint(text: str) -> str:
    with pytest.raises(FilterError) as caught:
        parse_filter(text, RUN_FIELDS)
    return str(caught.value)


@pytest.mark.parametrize("prefix", ["", "attribute.", "attributes.", "attr.", "run."])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("run_id", RunField.RUN_ID),
        ("run_name", RunField.NAME),
        ("`run name`", RunField.NAME),
        ("`Run name`", RunField.NAME),
        ('"Run Name"', RunField.NAME),
        ("status", RunField.STATUS),
        ("user_id", RunField.USER),
        ("artifact_uri", RunField.ARTIFACTS),
    ],
)
def test_attributes(prefix: str, name: str, field: Field) -> None:
    assert only(f"{prefix}{name} = 'x'") == Comparison(field, "", Op.EQ, "x")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("start_time", RunField.START_TIME),
        ("created", RunField.START_TIME),
        ("attributes.Created", RunField.START_TIME),
        ("`Created`", RunField.START_TIME),
        ("run.end_time", RunField.END_TIME),
    ],
)
def test_times(name: str, field: Field) -> None:
    assert only(f"{name} >= 1.5") == Comparison(field, "", Op.GE, 1.5)
    assert "without quotes" in complaint(f"{name} >= '1'")


@pytest.mark.parametrize("prefix", ["metric", "metrics"])
@pytest.mark.parametrize(("written", "key"), [("m", "m"), ("`a b`", "a b"), ('"a/b"', "a/b"), ("val.loss", "val.loss")])
def test_metrics(prefix: str, written: str, key: str) -> None:
    assert only(f"{prefix}.{written} < -1e-3") == Comparison(RunField.METRIC, key, Op.LT, -0.001)


@pytest.mark.parametrize("value", ["'1'", "'nan'", "nan", "true", "1e999", "abc", "NULL"])
def test_a_metric_is_compared_with_a_number(value: str) -> None:
    complaint(f"metrics.m = {value}")


@pytest.mark.parametrize(
    ("prefix", "field"),
    [
        *((prefix, RunField.PARAM) for prefix in ("param", "params", "parameter", "parameters")),
        *((prefix, RunField.TAG) for prefix in ("tag", "tags")),
    ],
)
def test_params_and_tags(prefix: str, field: Field) -> None:
    assert only(f"{prefix}.mlflow.user ILIKE 'a%'") == Comparison(field, "mlflow.user", Op.ILIKE, "a%")
    assert only(f"{prefix}.`a b` != 'x'") == Comparison(field, "a b", Op.NE, "x")
    assert "text" in complaint(f"{prefix}.x = 1")
    complaint(f"{prefix}.x > 'a'")


@pytest.mark.parametrize("prefix", ["dataset", "datasets"])
def test_datasets(prefix: str) -> None:
    assert only(f"{prefix}.name = 'x'").field is RunField.DATASET_NAME
    assert only(f"{prefix}.digest IN ('x')").field is RunField.DATASET_DIGEST
    assert only(f"{prefix}.`context` LIKE 'x'").field is RunField.DATASET_CONTEXT
    assert "did you mean" in complaint(f"{prefix}.source = 'x'")
    with pytest.raises(FilterError, match="several values"):
        parse_order_by([f"{prefix}.name"], RUN_FIELDS)


@pytest.mark.parametrize("name", ["name", "user", "STATUS", "Run_name", "lifecycle_stage", "experiment_id", "run_uuid"])
def test_what_runs_cannot_be_asked_for(name: str) -> None:
    assert "a run cannot be asked for" in complaint(f"{name} = 'x'")


def test_order() -> None:
    newest, by_id = OrderKey(RunField.START_TIME, descending=True), OrderKey(RunField.RUN_ID)
    assert parse_order_by(None, RUN_FIELDS) == (newest, by_id)
    assert parse_order_by([], RUN_FIELDS) == (newest, by_id)
    assert parse_order_by(["metric.`a b` DESC", "created"], RUN_FIELDS) == (
        OrderKey(RunField.METRIC, "a b", descending=True),
        OrderKey(RunField.START_TIME),
        by_id,
    )
    with pytest.raises(FilterError, match="twice"):
        parse_order_by(["start_time", "Created DESC"], RUN_FIELDS)


def test_texts_are_filters_again() -> None:
    text = (
        "metrics.`a b` > 1 AND datasets.name = 'x' AND attr.run_name LIKE 'it''s' AND params.p IS NULL AND created = 1"
    )
    parsed = parse_filter(text, RUN_FIELDS)
    assert parse_filter(to_text(parsed), RUN_FIELDS) == parsed
