"""Searching logged models.

Relies on: `logged_models` as `m`; `logged_model_tags`, `logged_model_params` and `logged_model_metrics` by `model_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from otflow.entities import LoggedModel, Page
from otflow.search.grammar import parse_filter
from otflow.search.model_fields import MODEL_FIELDS, ModelField
from otflow.search.tree import Comparison, Field, Kind, Op
from otflow.store import validation
from otflow.store.model_validation import MAX_RESULTS, ModelDataset, check_datasets, check_order
from otflow.store.sql import keyset
from otflow.store.sql.conditions import Sql, all_of, any_of, number_condition, sql, text_condition
from otflow.store.sql.connection import Session
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.models import MODEL_COLUMNS, load

__all__ = ["search"]

_M = ModelField
_COLUMNS: Final = {
    _M.MODEL_ID: "m.model_id",
    _M.EXPERIMENT_ID: "m.experiment_id",
    _M.NAME: "m.name",
    _M.MODEL_TYPE: "m.model_type",
    _M.STATUS: "m.status",
    _M.STATUS_MESSAGE: "m.status_message",
    _M.SOURCE_RUN: "m.source_run_id",
    _M.ARTIFACT_LOCATION: "m.artifact_location",
    _M.CREATION_TIME: "m.creation_time_ms",
    _M.LAST_UPDATE_TIME: "m.last_update_time_ms",
    _M.NUMBER: "m.number",
}
_NULLABLE: Final = {_M.MODEL_TYPE, _M.STATUS_MESSAGE, _M.SOURCE_RUN}
_PAIRS: Final = {_M.TAG: "logged_model_tags", _M.PARAM: "logged_model_params"}
_ANY_POINT: Final = "SELECT 1 FROM logged_model_metrics v WHERE v.model_id = m.model_id"


def search(
    session: Session,
    experiments: Sequence[int],
    *,
    filter_string: str | None,
    datasets: Sequence[Mapping[str, Any]] | None,
    order_by: Sequence[Mapping[str, Any]] | None,
    max_results: int,
    page_token: str | None,
) -> Page[LoggedModel]:
    """One page of logged models; see `LoggedModelStore.search_logged_models`."""
    limit = validation.check_max_results(max_results, MAX_RESULTS)
    named = check_datasets(datasets)
    meant = any_of([_measured_on(one) for one in named]) if named else None
    comparisons = parse_filter(filter_string, MODEL_FIELDS)
    keys = _order(order_by)
    last = keyset.read_token("models", keys, page_token) if page_token else None
    if not experiments:
        return Page([], None)
    conditions = [
        sql("m.experiment_id IN {} AND m.lifecycle_stage = 'active'", tuple(dict.fromkeys(experiments))),
        *(_condition(one, meant, session.dialect) for one in comparisons),
    ]
    if meant is not None and all(one.field is not _M.METRIC for one in comparisons):
        conditions.append(sql(f"EXISTS ({_ANY_POINT} AND {{}})", meant))
    if last is not None:
        condition, parameters = keyset.after(keys, last)
        conditions.append(Sql(condition, tuple(parameters)))
    where = all_of(conditions)
    order, order_parameters = keyset.order_by(keys)
    rows = session.all(
        f"SELECT {', '.join(f'm.{column}' for column in MODEL_COLUMNS)}, {', '.join(key.sql for key in keys)}"
        f" FROM logged_models m WHERE {where.text} ORDER BY {order} LIMIT ?",
        [
            *(parameter for key in keys for parameter in key.parameters),
            *where.parameters,
            *order_parameters,
            limit + 1,
        ],
    )
    more = len(rows) > limit
    token = keyset.write_token("models", keys, rows[limit - 1][len(MODEL_COLUMNS) :]) if more else None
    return Page(load(session, rows[:limit]), token)


# -- conditions ----------------------------------------------------------------------------------------


def _condition(comparison: Comparison, datasets: Sql | None, dialect: Dialect) -> Sql:
    field, op, value = comparison.field, comparison.op, comparison.value
    if field is _M.METRIC:
        return _metric_condition(comparison, datasets)
    if field in _PAIRS:
        table = _PAIRS[field]
        text = sql(f"(SELECT g.value FROM {table} g WHERE g.model_id = m.model_id AND g.key = {{}})", comparison.key)
        return text_condition(text, op, value, dialect)
    column = Sql(_COLUMNS[field])
    if field.kind is Kind.NUMBER:
        return number_condition(column, op, value)
    return text_condition(column, op, value, dialect)


def _metric_condition(comparison: Comparison, datasets: Sql | None) -> Sql:
    """Whether one point of a metric is so; NaN is neither less nor more than a number, nor equal to it."""
    points = sql(f"{_ANY_POINT} AND v.key = {{}}", comparison.key)
    if datasets is not None:
        points = sql("{} AND {}", points, datasets)
    op = comparison.op
    if op is Op.IS_NULL:
        return sql("NOT EXISTS ({})", points)
    if op is Op.IS_NOT_NULL:
        return sql("EXISTS ({})", points)
    compared = number_condition(Sql("v.value"), op, comparison.value)
    different = op in (Op.NE, Op.NOT_IN)
    return sql(f"EXISTS ({{}} AND (v.is_nan = {'1 OR' if different else '0 AND'} {{}}))", points, compared)


# -- datasets and orders -------------------------------------------------------------------------------


def _measured_on(dataset: ModelDataset) -> Sql:
    """Whether a point `v` was measured on a dataset."""
    if dataset.digest is None:
        return sql("v.dataset_name = {}", dataset.name)
    return sql("(v.dataset_name = {} AND v.dataset_digest = {})", dataset.name, dataset.digest)


def _order(given: Any) -> tuple[keyset.OrderKey, ...]:
    """The keys of an order, with those that decide between equals at the end."""
    keys: list[keyset.OrderKey] = []
    for one in check_order(given):
        keys += _keys(one.field, one.key, one.descending, one.dataset)
    rest = MODEL_FIELDS.tie_break if keys else (*MODEL_FIELDS.default_order, *MODEL_FIELDS.tie_break)
    for last in rest:
        keys += _keys(last.field, "", last.descending, None)
    # What an order says twice decides nothing the second time.
    return tuple({(key.sql, key.parameters): key for key in reversed(keys)}.values())[::-1]


def _keys(field: Field, key: str, descending: bool, dataset: ModelDataset | None) -> list[keyset.OrderKey]:
    if field is _M.CREATION_TIME:  # of one millisecond, too, the first that was made is the first
        return [keyset.OrderKey(_COLUMNS[one], descending) for one in (field, _M.NUMBER)]
    if field is not _M.METRIC:
        return [keyset.OrderKey(_COLUMNS[field], descending, (), field in _NULLABLE)]
    points = sql("v.model_id = m.model_id AND v.key = {}", key)
    if dataset is not None:
        points = sql("{} AND {}", points, _measured_on(dataset))

    def latest(column: str) -> str:
        order = "v.time_ms DESC, v.step DESC, v.is_nan, v.value DESC"
        return f"(SELECT v.{column} FROM logged_model_metrics v WHERE {points.text} ORDER BY {order} LIMIT 1)"

    # Numbers, then NaN, then what has no such metric, in either direction.
    return [
        keyset.OrderKey(latest("is_nan"), False, points.parameters, True),
        keyset.OrderKey(latest("value"), descending, points.parameters, True),
    ]
