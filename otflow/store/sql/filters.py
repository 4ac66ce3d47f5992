"""Filters and orders of the search language as conditions and orders in SQL.

Relies on: `traces` as `t` with its columns up to `stats`; `spans` (name, type, status, content), `contents` and
`content_uses`, `assessments` (kind, name, value, number, valid), `trace_runs`, `trace_prompts`, by their `trace_id`;
`trace_terms` with the fields of
`otflow.store.sql.terms`; `experiments` as `e`, `experiment_tags`.

What belongs to a trace several times holds where it holds for one of them: one of its runs, prompts, assessments of
that name. All conditions on spans together hold for one and the same span.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from otflow.search.fields import EXPERIMENT_FIELDS, TRACE_FIELDS, ExperimentField, TraceField
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.tree import Comparison, Field, Kind, Op, OrderKey
from otflow.semconv import Metadata, Tag
from otflow.store.sql import keyset, terms
from otflow.store.sql.conditions import (
    Sql,
    all_of,
    any_of,
    number_condition,
    sql,
    text_condition,
    time_condition,
    value_condition,
)
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.query import Query
from otflow.store.sql.rows import MOVED, clean

__all__ = ["experiment_query", "trace_query"]

_T = TraceField
_TRACE_COLUMNS: Final = {
    _T.TRACE_ID: "t.trace_id",
    _T.CLIENT_REQUEST_ID: "t.client_request_id",
    _T.EXPERIMENT_ID: "t.experiment_id",
    _T.NAME: "t.name",
    _T.STATUS: "t.state",
    _T.TIMESTAMP: "t.time_ns",
    _T.DURATION: "t.duration_ms",
    _T.END_TIME: "(t.time_ns / 1000000 + t.duration_ms)",
    _T.SESSION: "t.session_id",
    _T.USER: "t.user_id",
    _T.MODEL: "t.model_id",
    _T.REQUEST: "t.request_preview",
    _T.RESPONSE: "t.response_preview",
    _T.RUN: "t.run_id",
}
_NEVER_NULL: Final = {_T.TRACE_ID, _T.EXPERIMENT_ID, _T.STATUS, _T.TIMESTAMP}
_SPAN_COLUMNS: Final = {_T.SPAN_NAME: "s.name", _T.SPAN_TYPE: "s.type", _T.SPAN_STATUS: "s.status"}
_SPAN_FIELDS: Final = {*_SPAN_COLUMNS, _T.SPAN_CONTENT, _T.SPAN_ATTRIBUTE}
_LEADING_COLUMNS: Final = {_T.STATUS: "state", _T.NAME: "name", _T.RUN: "run_id"}
_FEW_MATCHES: Final = {_T.TRACE_ID, _T.CLIENT_REQUEST_ID, _T.SESSION, _T.USER, _T.PROMPT}
"""Fields whose values have indexes that lead to few traces: better than a term could."""

_METADATA_COLUMNS: Final = {
    Metadata.SESSION: "t.session_id",
    Metadata.USER: "t.user_id",
    Metadata.MODEL_ID: "t.model_id",
}
_AGGREGATES: Final = {Metadata.TOKEN_USAGE, Metadata.COST, Metadata.SIZE_BYTES, Metadata.SIZE_STATS}
_ARTIFACT_LOCATION: Final = Sql(
    "(SELECT rtrim(x.artifact_location, '/') || '/traces/' || t.trace_id || '/artifacts'"
    " FROM experiments x WHERE x.experiment_id = t.experiment_id)"
)

_E = ExperimentField
_EXPERIMENT_COLUMNS: Final = {
    _E.EXPERIMENT_ID: "e.experiment_id",
    _E.NAME: "e.name",
    _E.CREATION_TIME: "e.creation_time_ms",
    _E.LAST_UPDATE_TIME: "e.last_update_time_ms",
}

_PLAIN_KEY: Final = re.compile(r'[^"\\\x00-\x1f]+').fullmatch
_PLAIN_ASCII_KEY: Final = re.compile(r'[^"\\\x00-\x1f\x7f-\U0010ffff]+').fullmatch


def trace_query(filter_string: str | None, order_by: Sequence[str] | None, dialect: Dialect) -> Query:
    """What a search for traces asks.

    Raises:
        FilterError: The filter or an order clause is malformed.
    """
    comparisons = parse_filter(filter_string, TRACE_FIELDS)
    keys = parse_order_by(order_by, TRACE_FIELDS)
    conditions = [_trace_condition(one, dialect) for one in comparisons if one.field not in _SPAN_FIELDS]
    of_span = [_span_condition(one, dialect) for one in comparisons if one.field in _SPAN_FIELDS]
    if of_span:
        conditions.append(sql("EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id AND {})", all_of(of_span)))
    where = all_of(conditions)
    order = tuple(_order_key(key, _trace_text(key.field, key.key, dialect), key.field in _NEVER_NULL) for key in keys)
    columns = tuple(
        (_LEADING_COLUMNS[one.field], clean(str(one.value)))
        for one in comparisons
        if one.op is Op.EQ and one.field in _LEADING_COLUMNS
    )
    return Query(where.text, where.parameters, order, _terms(comparisons), columns)


def experiment_query(filter_string: str | None, order_by: Sequence[str] | None, dialect: Dialect) -> Query:
    """What a search for experiments asks.

    Raises:
        FilterError: The filter or an order clause is malformed.
    """
    conditions: list[Sql] = []
    for comparison in parse_filter(filter_string, EXPERIMENT_FIELDS):
        expression = _experiment_text(comparison.field, comparison.key)
        conditions.append(_plain_condition(expression, comparison, dialect))
    where = all_of(conditions)
    order = tuple(
        _order_key(key, _experiment_text(key.field, key.key), key.field in _EXPERIMENT_COLUMNS)
        for key in parse_order_by(order_by, EXPERIMENT_FIELDS)
    )
    return Query(where.text, where.parameters, order)


def _order_key(key: OrderKey, expression: Sql, never_null: bool) -> keyset.OrderKey:
    return keyset.OrderKey(expression.text, key.descending, expression.parameters, not never_null)


def _plain_condition(expression: Sql, comparison: Comparison, dialect: Dialect) -> Sql:
    """A condition on what is a number or a text."""
    if comparison.field == _T.TIMESTAMP:
        return time_condition(expression, comparison.op, comparison.value)
    if comparison.field.kind is Kind.NUMBER:
        return number_condition(expression, comparison.op, comparison.value)
    return text_condition(expression, comparison.op, comparison.value, dialect)


# -- experiments -----------------------------------------------------------------------------------


def _experiment_text(field: Field, key: str) -> Sql:
    if field is _E.TAG:
        return sql(
            "(SELECT g.value FROM experiment_tags g WHERE g.experiment_id = e.experiment_id AND g.key = {})", key
        )
    return Sql(_EXPERIMENT_COLUMNS[field])


# -- traces ----------------------------------------------------------------------------------------


def _trace_condition(comparison: Comparison, dialect: Dialect) -> Sql:
    field = comparison.field
    if field is _T.RUN:
        return _run_condition(comparison, dialect)
    if field is _T.PROMPT:
        return _prompt_condition(comparison, dialect)
    if field in (_T.FEEDBACK, _T.EXPECTATION):
        return _assessment_condition(comparison, dialect)
    return _plain_condition(_trace_text(field, comparison.key, dialect), comparison, dialect)


def _trace_text(field: Field, key: str, dialect: Dialect) -> Sql:
    """The expression of a field that a trace has once."""
    if field is _T.TAG:
        if key == Tag.NAME:
            return Sql("t.name")
        if key == Tag.SPANS_LOCATION:
            return sql("CAST({} AS TEXT)", Tag.SPANS_IN_STORE)
        if key == Tag.ARTIFACT_LOCATION:
            return _ARTIFACT_LOCATION
        return _member("t.tags", key, dialect)
    if field is _T.METADATA:
        if key in _METADATA_COLUMNS:
            return Sql(_METADATA_COLUMNS[key])
        if key in _AGGREGATES:
            return sql("COALESCE({}, {})", _member("t.stats", key, dialect), _member("t.metadata", key, dialect))
        return _member("t.metadata", key, dialect)
    return Sql(_TRACE_COLUMNS[field])


def _member(column: str, key: str, dialect: Dialect) -> Sql:
    """The text of a member of a JSON object of texts."""
    if dialect is Dialect.POSTGRESQL:
        return sql(f'(otflow_json({column}) ->> CAST({{}} AS TEXT)) COLLATE "C"', key)
    if _PLAIN_KEY(key):
        return sql(f"json_extract({column}, {{}})", f'$."{key}"')
    # A path cannot name such a key.
    return sql(f"(SELECT m.value FROM json_each({column}) m WHERE m.key = {{}})", key)


def _run_condition(comparison: Comparison, dialect: Dialect) -> Sql:
    op, value = comparison.op, comparison.value
    if op is Op.IS_NULL:
        return Sql("(t.run_id IS NULL AND NOT EXISTS (SELECT 1 FROM trace_runs r WHERE r.trace_id = t.trace_id))")
    own = text_condition(Sql("t.run_id"), op, value, dialect)
    linked = text_condition(Sql("r.run_id"), op, value, dialect)
    if op in (Op.EQ, Op.IN):
        return sql("({} OR t.trace_id IN (SELECT r.trace_id FROM trace_runs r WHERE {}))", own, linked)
    return sql("({} OR EXISTS (SELECT 1 FROM trace_runs r WHERE r.trace_id = t.trace_id AND {}))", own, linked)


def _prompt_condition(comparison: Comparison, dialect: Dialect) -> Sql:
    op, value = comparison.op, comparison.value
    if op is Op.EQ:
        name, _, version = str(value).partition("/")
        return sql(
            "t.trace_id IN (SELECT p.trace_id FROM trace_prompts p WHERE p.name = {} AND p.version = {})", name, version
        )
    if op is Op.IS_NULL:
        return Sql("NOT EXISTS (SELECT 1 FROM trace_prompts p WHERE p.trace_id = t.trace_id)")
    condition = text_condition(Sql("(p.name || '/' || p.version)"), op, value, dialect)
    return sql("EXISTS (SELECT 1 FROM trace_prompts p WHERE p.trace_id = t.trace_id AND {})", condition)


# -- assessments -----------------------------------------------------------------------------------


def _assessment_condition(comparison: Comparison, dialect: Dialect) -> Sql:
    op = comparison.op
    of_name = sql("a.trace_id = t.trace_id AND a.kind = {} AND a.name = {} AND a.valid = 1",
                  comparison.field.name, comparison.key)  # fmt: skip
    if op in (Op.IS_NULL, Op.IS_NOT_NULL):  # an assessment with an error is there, though without a value
        return sql(f"{'NOT ' if op is Op.IS_NULL else ''}EXISTS (SELECT 1 FROM assessments a WHERE {{}})", of_name)
    # The value is JSON text: of a string, the string; of anything else, the JSON text.
    decoded = "json_extract(a.value, '$')" if dialect is Dialect.SQLITE else "otflow_json(a.value) #>> '{}'"
    text = Sql(f"(CASE WHEN substr(a.value, 1, 1) = '\"' THEN {decoded} ELSE a.value END)")
    condition = value_condition(text, Sql("a.number"), op, comparison.value, dialect)
    return sql("EXISTS (SELECT 1 FROM assessments a WHERE {} AND {})", of_name, condition)


# -- spans -----------------------------------------------------------------------------------------


def _span_condition(comparison: Comparison, dialect: Dialect) -> Sql:
    """A condition on one span, `s`."""
    field, op, value = comparison.field, comparison.op, comparison.value
    if field is _T.SPAN_CONTENT:
        return _content_condition(op, str(value), dialect)
    if field is _T.SPAN_ATTRIBUTE:
        return _attribute_condition(comparison, dialect)
    return text_condition(Sql(_SPAN_COLUMNS[field]), op, value, dialect)


def _content_condition(op: Op, pattern: str, dialect: Dialect) -> Sql:
    """Whether a pattern occurs in all that a span says: its name, and the JSON text of the rest."""
    # Inputs and outputs are JSON texts inside of the JSON text: what has quotes or line ends is escaped there.
    escaped = _escaped(pattern)
    patterns = dict.fromkeys([pattern, escaped, _escaped(escaped)])
    return any_of(
        [text_condition(Sql("s.name"), op, pattern, dialect)]
        + [text_condition(Sql("s.content"), op, one, dialect) for one in patterns]
        + [_moved_condition(op, dict.fromkeys([pattern, escaped]), None, dialect)]
    )


_OVERLAP: Final = 200
"""Characters of a longer text that are found where they reach from one piece of it into the next."""


def _moved_condition(op: Op, patterns: Iterable[str], key: str | None, dialect: Dialect) -> Sql:
    """Whether a pattern occurs in the texts that are kept beside a span, piece by piece."""
    body = "otflow_text(c.body)" if dialect is Dialect.SQLITE else "c.body"
    matches = any_of([text_condition(Sql("w.body"), op, one, dialect) for one in patterns])
    of_key = Sql("") if key is None else sql(" AND u.field = {}", key)
    return sql(
        f"(substr(s.content, 1, {len(MOVED)}) = {{}} AND EXISTS ("
        "WITH RECURSIVE walk (parent, body) AS ("
        f"SELECT c.parent, {body} FROM content_uses u JOIN contents c ON c.hash = u.hash"
        " WHERE u.owner = s.trace_id AND u.span_id = s.span_id{}"
        f" UNION ALL SELECT c.parent, {body} || substr(walk.body, 1, {_OVERLAP})"
        " FROM walk JOIN contents c ON c.hash = walk.parent)"
        " SELECT 1 FROM walk w WHERE {}))",
        MOVED,
        of_key,
        matches,
    )


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


_NOT_FINITE: Final = "replace(replace(replace(s.content, '-Infinity', 'null'), 'Infinity', 'null'), 'NaN', 'null')"
"""The content as strict JSON: what Python writes for numbers that are not finite is none."""

_SQLITE_ATTRIBUTE: Final = (
    f"EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(s.content) THEN s.content ELSE {_NOT_FINITE} END,"
    " '$.attributes') v WHERE v.key = {}"
)
_SQLITE_TEXT: Final = Sql(
    "(CASE WHEN v.type = 'text' AND substr(v.value, 1, 1) = '\"' AND json_valid(v.value)"
    " THEN json_extract(v.value, '$') WHEN v.type IN ('true', 'false') THEN v.type WHEN v.type = 'array'"
    " THEN '[' || COALESCE((SELECT group_concat(CASE WHEN i.type IN ('true', 'false', 'null') THEN i.type"
    " ELSE json_quote(i.value) END, ', ') FROM json_each(v.value) i), '') || ']' ELSE CAST(v.value AS TEXT) END)"
)
_SQLITE_NUMBER: Final = Sql(
    "(CASE WHEN v.type IN ('integer', 'real', 'true', 'false') THEN v.value"
    " WHEN v.type = 'text' AND json_valid(v.value) AND json_type(v.value) IN ('integer', 'real', 'true', 'false')"
    " THEN json_extract(v.value, '$') END)"
)

_POSTGRESQL_ATTRIBUTE: Final = (
    # OFFSET 0: without it the JSON text would be parsed again for each use of the value.
    "EXISTS (SELECT 1 FROM (SELECT w.j, w.j #>> '{{}}' AS raw, otflow_json(w.j #>> '{{}}') AS inner_j FROM"
    " (SELECT otflow_json(s.content) -> 'attributes' -> CAST({} AS TEXT) AS j OFFSET 0) w OFFSET 0) v"
    " WHERE v.j IS NOT NULL"
)
_POSTGRESQL_TEXT: Final = Sql(
    "(CASE WHEN jsonb_typeof(v.inner_j) = 'string' THEN v.inner_j #>> '{}' ELSE v.raw END) COLLATE \"C\""
)
_POSTGRESQL_NUMBER: Final = Sql(
    "(CASE jsonb_typeof(v.inner_j) WHEN 'number' THEN CAST(v.inner_j #>> '{}' AS DOUBLE PRECISION)"
    " WHEN 'boolean' THEN CAST(CAST(v.inner_j #>> '{}' AS BOOLEAN) AS INTEGER) END)"
)


def _attribute_condition(comparison: Comparison, dialect: Dialect) -> Sql:
    """A condition on the value of an attribute, read as `Span.attributes` does: a text that is JSON is its value."""
    op, key = comparison.op, comparison.key
    if dialect is Dialect.SQLITE:
        template, text, number = _SQLITE_ATTRIBUTE, _SQLITE_TEXT, _SQLITE_NUMBER
    else:
        template, text, number = _POSTGRESQL_ATTRIBUTE, _POSTGRESQL_TEXT, _POSTGRESQL_NUMBER
    if op is Op.IS_NULL:
        return sql(f"NOT {template})", key)
    found = sql(f"{template})", key)
    if op is not Op.IS_NOT_NULL:
        found = sql(f"{template} AND {{}})", key, value_condition(text, number, op, comparison.value, dialect))
    if op in (Op.LIKE, Op.ILIKE, Op.RLIKE):
        pattern = str(comparison.value)
        moved = _moved_condition(op, dict.fromkeys([pattern, _escaped(pattern)]), key, dialect)
        found = sql("({} OR {})", found, moved)
    if not _PLAIN_ASCII_KEY(key):
        return found
    # Most spans have no such attribute: that is seen without parsing.
    position = "instr" if dialect is Dialect.SQLITE else "strpos"
    return sql(f"{position}(s.content, {{}}) > 0 AND {{}}", f'"{key}"', found)


# -- terms -----------------------------------------------------------------------------------------


def _terms(comparisons: Sequence[Comparison]) -> tuple[tuple[str, str], ...]:
    """Terms that every trace has for which the comparisons hold."""
    found: dict[tuple[str, str], None] = {}
    for comparison in comparisons:
        field, key, op, value = comparison.field, comparison.key, comparison.op, comparison.value
        if field in _FEW_MATCHES and op is Op.EQ:
            return ()
        if field is _T.METADATA and key in _METADATA_COLUMNS and op is Op.EQ:
            return ()
        if field in (_T.FEEDBACK, _T.EXPECTATION) and op is not Op.IS_NULL:
            found[terms.ASSESSMENT, terms.clip(clean(key))] = None
            if op is Op.EQ and isinstance(value, (str, bool)):
                text = value if isinstance(value, str) else "true" if value else "false"
                found[terms.assessment_field(field.name, clean(key)), terms.clip(clean(text))] = None
        elif op is Op.EQ and isinstance(value, str):
            if field is _T.TAG and key not in (Tag.NAME, Tag.SPANS_LOCATION, Tag.ARTIFACT_LOCATION):
                found[terms.tag_field(clean(key)), terms.clip(clean(value))] = None
            elif field is _T.SPAN_NAME:
                found[terms.SPAN_NAME, terms.clip(clean(value))] = None
            elif field is _T.SPAN_TYPE:
                found[terms.SPAN_TYPE, terms.clip(clean(value))] = None
    return tuple(found)
