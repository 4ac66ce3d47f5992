"""Searching registered models and versions.

Relies on: `registered_models` as `m`, `model_versions` as `v`; their tags and aliases by `model` and `version`.
Prompts are left out, as in MLflow, unless the filter speaks of the tag that makes a model a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from otflow.entities import Page
from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.registry_fields import REGISTERED_MODEL_FIELDS, VERSION_FIELDS, RegisteredModelField, VersionField
from otflow.search.tree import Comparison, Entity, Field, Kind
from otflow.semconv import RegistryKey
from otflow.store import validation
from otflow.store.registry_validation import MAX_MODELS, MAX_VERSIONS
from otflow.store.sql import keyset
from otflow.store.sql.conditions import Sql, all_of, number_condition, sql, text_condition
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.registry.reading import MODEL_COLUMNS, VERSION_COLUMNS, load_models, load_versions

__all__ = ["search_models", "search_versions"]

_R = RegisteredModelField
_V = VersionField
_MODELS: Final = {
    _R.NAME: Sql("m.name"),
    _R.DESCRIPTION: Sql("m.description"),
    _R.CREATION_TIME: Sql("m.creation_time_ms"),
    _R.LAST_UPDATE_TIME: Sql("m.last_update_time_ms"),
    _R.TAG: Sql("(SELECT g.value FROM registered_model_tags g WHERE g.model = m.number AND g.key = ?)"),
    _R.ALIAS: Sql("(SELECT a.version FROM registered_model_aliases a WHERE a.model = m.number AND a.alias = ?)"),
}
_VERSIONS: Final = {
    _V.NAME: Sql("m.name"),
    _V.NUMBER: Sql("v.version"),
    _V.RUN: Sql("v.run_id"),
    _V.SOURCE: Sql("v.source"),
    _V.MODEL: Sql("v.model_id"),
    _V.STAGE: Sql("v.current_stage"),
    _V.DESCRIPTION: Sql("v.description"),
    _V.CREATION_TIME: Sql("v.creation_time_ms"),
    _V.LAST_UPDATE_TIME: Sql("v.last_update_time_ms"),
    _V.TAG: Sql(
        "(SELECT g.value FROM model_version_tags g WHERE g.model = v.model AND g.version = v.version AND g.key = ?)"
    ),
}


def search_models(
    session: Session,
    workspace: str,
    *,
    filter_string: str | None,
    order_by: Sequence[str] | None,
    max_results: int,
    page_token: str | None,
) -> Page[RegisteredModel]:
    """One page of registered models; see `RegistryStore.search_registered_models`."""
    limit = validation.check_max_results(max_results, MAX_MODELS)
    rows, token = _page(
        session,
        workspace,
        f"SELECT {', '.join(MODEL_COLUMNS)}{{}} FROM registered_models m",
        (REGISTERED_MODEL_FIELDS, _MODELS, "registered models"),
        (filter_string, order_by, limit, page_token),
    )
    return Page(load_models(session, workspace, rows), token)


def search_versions(
    session: Session,
    workspace: str,
    *,
    filter_string: str | None,
    order_by: Sequence[str] | None,
    max_results: int,
    page_token: str | None,
) -> Page[ModelVersion]:
    """One page of versions; see `RegistryStore.search_model_versions`."""
    limit = validation.check_max_results(max_results, MAX_VERSIONS)
    rows, token = _page(
        session,
        workspace,
        f"SELECT {', '.join(VERSION_COLUMNS)}{{}} FROM model_versions v JOIN registered_models m ON m.number = v.model",
        (VERSION_FIELDS, _VERSIONS, "model versions"),
        (filter_string, order_by, limit, page_token),
    )
    return Page(load_versions(session, workspace, rows), token)


def _page(
    session: Session,
    workspace: str,
    select: str,
    of: tuple[Entity, Mapping[Field, Sql], str],
    asked: tuple[str | None, Sequence[str] | None, int, str | None],
) -> tuple[list[Row], str | None]:
    """The rows of a page, and the token of the next one."""
    entity, columns, kind = of
    filter_string, order_by, limit, page_token = asked
    comparisons = parse_filter(filter_string, entity)
    keys = [keyset.OrderKey(columns[key.field].text, key.descending) for key in parse_order_by(order_by, entity)]
    conditions = [sql("m.workspace = {}", workspace)]
    if all(one.key != RegistryKey.IS_PROMPT for one in comparisons):
        conditions.append(Sql("m.is_prompt = 0"))
    conditions += [_condition(one, columns, session.dialect) for one in comparisons]
    if page_token:
        condition, parameters = keyset.after(keys, keyset.read_token(kind, keys, page_token))
        conditions.append(Sql(condition, tuple(parameters)))
    where = all_of(conditions)
    order, _ = keyset.order_by(keys)
    rows = session.all(
        f"{select.format(''.join(f', {key.sql}' for key in keys))} WHERE {where.text} ORDER BY {order} LIMIT ?",
        [*where.parameters, limit + 1],
    )
    more = len(rows) > limit
    return rows[:limit], keyset.write_token(kind, keys, rows[limit - 1][-len(keys) :]) if more else None


def _condition(comparison: Comparison, columns: Mapping[Field, Sql], dialect: Dialect) -> Sql:
    field = comparison.field
    column = columns[field]
    if field in (_R.TAG, _V.TAG) and comparison.key == RegistryKey.IS_PROMPT:
        # MLflow's clients ask for what is no prompt with !=, of models that do not have this tag either.
        column = Sql("(CASE m.is_prompt WHEN 1 THEN 'true' ELSE 'false' END)")
    elif field.keyed:
        column = sql(column.text.replace("?", "{}"), comparison.key)
    if field.kind is Kind.NUMBER:
        return number_condition(column, comparison.op, comparison.value)
    return text_condition(column, comparison.op, comparison.value, dialect)
