"""The filter language: what may be written, what it means, and where an error points."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import FilterError
from otflow.search.fields import EXPERIMENT_FIELDS, TRACE_FIELDS, ExperimentField, TraceField
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.tree import Comparison, Entity, Field, Kind, Op, OrderKey, quote, to_text


def only(text: str, entity: Entity = TRACE_FIELDS) -> Comparison:
    (comparison,) = parse_filter(text, entity)
    return comparison


def complaint(text: object, entity: Entity = TRACE_FIELDS) -> FilterError:
    with pytest.raises(FilterError) as caught:
        parse_filter(text, entity)  # pyright: ignore[reportArgumentType]
    return caught.value


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("status", TraceField.STATUS),
        ("state", TraceField.STATUS),
        ("attributes.status", TraceField.STATUS),
        ("attribute.status", TraceField.STATUS),
        ("trace.status", TraceField.STATUS),
        ("name", TraceField.NAME),
        ("`name`", TraceField.NAME),
        ('"name"', TraceField.NAME),
        ("attributes.`name`", TraceField.NAME),
        ("request_id", TraceField.TRACE_ID),
        ("trace_id", TraceField.TRACE_ID),
        ("client_request_id", TraceField.CLIENT_REQUEST_ID),
        ("run_id", TraceField.RUN),
        ("run", TraceField.RUN),
        ("metadata.run_id", TraceField.RUN),
        ("metadata.mlflow.sourceRun", TraceField.RUN),
        ("request_metadata.`mlflow.sourceRun`", TraceField.RUN),
        ("session", TraceField.SESSION),
        ("user", TraceField.USER),
        ("model_id", TraceField.MODEL),
        ("prompt", TraceField.PROMPT),
        ("span.name", TraceField.SPAN_NAME),
        ("span.`name`", TraceField.SPAN_NAME),
        ("span.type", TraceField.SPAN_TYPE),
        ("span.status", TraceField.SPAN_STATUS),
    ],
)
def test_names_of_texts(name: str, field: Field):
    assert only(f"{name} = 'a/b'") == Comparison(field, "", Op.EQ, "a/b")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("timestamp", TraceField.TIMESTAMP),
        ("timestamp_ms", TraceField.TIMESTAMP),
        ("trace.timestamp", TraceField.TIMESTAMP),
        ("execution_time", TraceField.DURATION),
        ("execution_time_ms", TraceField.DURATION),
        ("duration", TraceField.DURATION),
        ("end_time", TraceField.END_TIME),
        ("end_time_ms", TraceField.END_TIME),
        ("experiment_id", TraceField.EXPERIMENT_ID),
    ],
)
def test_names_of_numbers(name: str, field: Field):
    assert only(f"{name} >= 5") == Comparison(field, "", Op.GE, 5)


@pytest.mark.parametrize("name", ["text", "trace.text", "attributes.text", "span.content"])
def test_names_of_the_text_of_spans(name: str):
    assert only(f"{name} LIKE '%x%'") == Comparison(TraceField.SPAN_CONTENT, "", Op.LIKE, "%x%")


@pytest.mark.parametrize(
    ("name", "field", "key"),
    [
        ("tags.env", TraceField.TAG, "env"),
        ("tag.env", TraceField.TAG, "env"),
        ("trace.tags.env", TraceField.TAG, "env"),
        ("tags.`two words`", TraceField.TAG, "two words"),
        ('tags."two words"', TraceField.TAG, "two words"),
        ("tags.'two words'", TraceField.TAG, "two words"),
        ("tags.`a``b`", TraceField.TAG, "a`b"),
        ("tags.mlflow.traceName", TraceField.TAG, "mlflow.traceName"),
        ("tags.`mlflow.traceName`", TraceField.TAG, "mlflow.traceName"),
        ("tags.a.`b c`.d", TraceField.TAG, "a.b c.d"),
        ("tags.from", TraceField.TAG, "from"),
        ("tags.and", TraceField.TAG, "and"),
        ("tags.with-dash", TraceField.TAG, "with-dash"),
        ("tags.ключ", TraceField.TAG, "ключ"),
        ("tags.name", TraceField.TAG, "name"),
        ("metadata.mm", TraceField.METADATA, "mm"),
        ("request_metadata.mm", TraceField.METADATA, "mm"),
        ("trace.metadata.mm", TraceField.METADATA, "mm"),
        ("feedback.score", TraceField.FEEDBACK, "score"),
        ("feedback.a.b", TraceField.FEEDBACK, "a.b"),
        ("expectation.answer", TraceField.EXPECTATION, "answer"),
        ("span.attributes.model", TraceField.SPAN_ATTRIBUTE, "model"),
        ("span.attributes.a.b", TraceField.SPAN_ATTRIBUTE, "a.b"),
        ("span.attributes.`a b`", TraceField.SPAN_ATTRIBUTE, "a b"),
        ("span.`attributes.model`", TraceField.SPAN_ATTRIBUTE, "model"),
    ],
)
def test_names_with_a_key(name: str, field: Field, key: str):
    assert only(f"{name} = 'x'") == Comparison(field, key, Op.EQ, "x")


def test_names_of_experiments():
    assert only("name = 'a'", EXPERIMENT_FIELDS).field == ExperimentField.NAME
    assert only("attribute.name = 'a'", EXPERIMENT_FIELDS).field == ExperimentField.NAME
    assert only("creation_time > 1", EXPERIMENT_FIELDS).field == ExperimentField.CREATION_TIME
    assert only("last_update_time > 1", EXPERIMENT_FIELDS).field == ExperimentField.LAST_UPDATE_TIME
    assert only("tag.`a b` = 'x'", EXPERIMENT_FIELDS) == Comparison(ExperimentField.TAG, "a b", Op.EQ, "x")
    assert "an experiment cannot be asked for 'status'" in complaint("status = 'OK'", EXPERIMENT_FIELDS).problem


# -- comparators and values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "op", "value"),
    [
        ("name = 'x'", Op.EQ, "x"),
        ("name='x'", Op.EQ, "x"),
        ("name\t=\n'x'", Op.EQ, "x"),
        ("name != 'x'", Op.NE, "x"),
        ("name LIKE 'x%'", Op.LIKE, "x%"),
        ("name like 'x%'", Op.LIKE, "x%"),
        ("name ILIKE 'x%'", Op.ILIKE, "x%"),
        ("name RLIKE '^x+'", Op.RLIKE, "^x+"),
        ("name IN ('a')", Op.IN, ("a",)),
        ("name in('a',\"b\" , 'c')", Op.IN, ("a", "b", "c")),
        ("name IN ('a', )", Op.IN, ("a",)),
        ("name NOT  in ('a')", Op.NOT_IN, ("a",)),
        ("name IS NULL", Op.IS_NULL, None),
        ("name is not null", Op.IS_NOT_NULL, None),
        ("timestamp_ms < 5", Op.LT, 5),
        ("timestamp_ms<=5", Op.LE, 5),
        ("timestamp_ms>-5", Op.GT, -5),
        ("timestamp_ms >= +5", Op.GE, 5),
        ("timestamp_ms > '5'", Op.GT, 5),
        ("timestamp_ms > 1.5", Op.GT, 1.5),
        ("timestamp_ms > .5", Op.GT, 0.5),
        ("timestamp_ms > 1.7e3", Op.GT, 1700.0),
        ("timestamp_ms IN (1, '2')", Op.IN, (1, 2)),
        ("timestamp_ms = 9223372036854775807", Op.EQ, 2**63 - 1),
        ("timestamp_ms < 99999999999999999999999", Op.LT, 1e23),
        ("feedback.x = 'true'", Op.EQ, "true"),
        ("feedback.x = True", Op.EQ, True),
        ("feedback.x = false", Op.EQ, False),
        ("feedback.x > 0.5", Op.GT, 0.5),
        ("feedback.x = -1", Op.EQ, -1),
        ("feedback.x IN (1, 'a', true)", Op.IN, (1, "a", True)),
        ("span.attributes.x <= 3", Op.LE, 3),
    ],
)
def test_comparators_and_values(text: str, op: Op, value: object):
    comparison = only(text)
    assert (comparison.op, comparison.value) == (op, value)
    assert type(comparison.value) is type(value)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("''", ""),
        ("'a \"b\" c'", 'a "b" c'),
        ('"it\'s"', "it's"),
        ("'it''s'", "it's"),
        ("'it\\'s'", "it's"),
        ('"say ""hi"""', 'say "hi"'),
        (r"'\d+ \\ %\_'", r"\d+ \\ %\_"),
        (r"'ends with \'", "ends with \\"),
        (r"'ends with \\'", "ends with \\"),
        ("'a AND b = (c)'", "a AND b = (c)"),
        ("'two\nlines'", "two\nlines"),
        ("'ünï'", "ünï"),
        ("'50%'", "50%"),
    ],
)
def test_quotation_marks_and_backslashes(literal: str, value: str):
    assert only(f"name = {literal}").value == value


def test_a_backslash_before_a_mark_inside_of_a_longer_filter_is_an_escape():
    first, second = parse_filter(r"name = 'a\' AND x' AND status = 'OK'")
    assert (first.value, second.value) == ("a' AND x", "OK")


@pytest.mark.parametrize("text", [None, "", "  ", "\n"])
def test_nothing_asks_nothing(text: str | None):
    assert parse_filter(text) == ()


@pytest.mark.parametrize("joint", [" AND ", " and ", "\nAnd\t", "AND "])
def test_conditions_are_joined_by_and(joint: str):
    assert [one.value for one in parse_filter(f"status = 'OK'{joint}name = 'x'")] == ["OK", "x"]


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pointed_at", "said"),
    [
        ("foo = 'x'", "foo", "a trace cannot be asked for 'foo'"),
        ("foo.bar = 'x'", "foo.bar", "a trace cannot be asked for 'foo.bar'"),
        ("STATUS = 'OK'", "STATUS", "did you mean status?"),
        ("stauts = 'OK'", "stauts", "did you mean status?"),
        ("span.text LIKE 'x'", "span.text", "span.text"),
        ("tags = 'x'", "tags", "tags.<key>"),
        ("tags.`` = 'x'", "tags.``", "tags.<key>"),
        ("tags. = 'x'", " ", "the rest of a name"),
        ("status == 'OK'", "==", "write ="),
        ("status <> 'OK'", "<>", "write !="),
        ("timestamp_ms >> 5", ">>", "there is no comparator >>"),
        ("status > 'OK'", ">", "status cannot be compared with >; what can be used: =, !="),
        ("tags.env > 'a'", ">", "tags cannot be compared with >"),
        ("timestamp_ms LIKE '1%'", "LIKE", "timestamp_ms cannot be compared with LIKE"),
        ("trace.text = 'x'", "=", "span.content cannot be compared with =; what can be used: LIKE, ILIKE"),
        ("name NOT LIKE 'x'", "NOT LIKE", "there is no comparator NOT LIKE"),
        ("name BETWEEN 'a' AND 'b'", "BETWEEN", "a comparator"),
        ("name is 'x'", "is", "a comparator"),
        ("run_id IS", "IS", "a comparator"),
        ("status = OK", "OK", "a text in single or double quotes"),
        ("status = `OK`", "`OK`", "a text in single or double quotes"),
        ("status = 'OK", "'OK", "no closing '"),
        ("name = 5", "5", "a text in single or double quotes"),
        ("name = true", "true", "a text in single or double quotes"),
        ("name = NULL", "NULL", "IS NULL"),
        ("timestamp_ms > 'soon'", "'soon'", "a number"),
        ("timestamp_ms > 1_000", "1_000", "a number"),
        ("timestamp_ms > 1e999", "1e999", "too large"),
        ("timestamp_ms > true", "true", "a number"),
        ("feedback.x > '5'", "'5'", "without quotes"),
        ("feedback.x > true", "true", "compares numbers"),
        ("feedback.x LIKE 5", "5", "a pattern"),
        ("name IN 'x'", "'x'", "a list in parentheses"),
        ("name IN ()", ")", "empty"),
        ("name IN (x)", "x", "a text in single or double quotes"),
        ("name IN ('a' 'b')", "'b'", "a comma or a closing parenthesis"),
        ("name RLIKE '['", "'['", "the regular expression is invalid"),
        ("name RLIKE '(a+)+$'", "'(a+)+$'", "exponential"),
        ("prompt = 'greeting'", "'greeting'", "name/version"),
        ("prompt = 'a/b/c'", "'a/b/c'", "name/version"),
        ("prompt IN ('a/1', 'b')", "'b'", "name/version"),
        ("status = 'OK' OR name = 'x'", "OR", "joined by AND only"),
        ("NOT status = 'OK'", "NOT", "joined by AND only"),
        ("(status = 'OK')", "(", "joined by AND only"),
        ("status = 'OK' AND (name = 'x')", "(", "joined by AND only"),
        ("status = 'OK' name = 'x'", "name", "AND or the end"),
        ("status = 'OK', name = 'x'", ",", "AND or the end"),
        ("status = 'OK';", ";", "AND or the end"),
        ("status = 'OK' AND AND name = 'x'", "AND", "a name"),
        ("AND status = 'OK'", "AND", "a name"),
        ("status = 'OK' ANDname = 'x'", "ANDname", "AND or the end"),
        ("= 'OK'", "=", "a name"),
        ("'OK' = status", "'OK'", "cannot be asked for 'OK'"),
        ("'' = 'x'", "''", "cannot be asked for ''"),
    ],
)
def test_errors_point_at_the_token(text: str, pointed_at: str, said: str):
    error = complaint(text)
    assert error.text[error.start : error.end] == pointed_at
    assert said in error.problem
    assert error.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("text", ["status", "status =", "status = 'OK' AND", "name IN ('a'", "name IN ("])
def test_a_text_that_ends_too_early(text: str):
    error = complaint(text)
    assert error.start == len(text)
    assert "the text ends where" in error.problem


def test_the_caret_stands_under_the_offence():
    assert str(complaint("status = 'OK'\n  AND nmae = 'x'")) == (
        "a trace cannot be asked for 'nmae'; did you mean name?\n    AND nmae = 'x'\n        ^^^^"
    )


@pytest.mark.parametrize("text", [5, ["name = 'x'"], b"name = 'x'", True])
def test_what_is_no_text(text: object):
    assert "a filter is a text" in complaint(text).problem


def test_limits():
    assert "at most 100 conditions" in complaint(" AND ".join(["name = 'x'"] * 101)).problem
    assert "at most 10000 values" in complaint(f"name IN ({', '.join(['1'] * 10_001)})".replace("1", "'x'")).problem
    assert "at most 500000 characters" in complaint(f"name = '{'x' * 500_000}'").problem
    assert "at most 5000 characters" in complaint(f"name LIKE '{'x' * 5_001}'").problem
    assert len(parse_filter(" AND ".join(["name = 'x'"] * 100))) == 100


@pytest.mark.parametrize("run", ["\\", "''", "\\'", "'\\", "(", ".", "`", "a.", " ", "é", '\\"'])
def test_long_runs_of_anything_are_read_at_once(run: str):
    for text in (f"name = '{run * 100_000}", f"name = '{run * 100_000}x'", run * 100_000):
        with suppress(FilterError):
            to_text(parse_filter(text))


# -- order -----------------------------------------------------------------------------------------

NEWEST_FIRST = OrderKey(TraceField.TIMESTAMP, descending=True)
BY_ID = OrderKey(TraceField.TRACE_ID)


@pytest.mark.parametrize(
    ("clauses", "keys"),
    [
        (None, [NEWEST_FIRST, BY_ID]),
        ([], [NEWEST_FIRST, BY_ID]),
        (["timestamp_ms DESC"], [NEWEST_FIRST, BY_ID]),
        (["timestamp"], [OrderKey(TraceField.TIMESTAMP), BY_ID]),
        (["attributes.timestamp_ms  asc "], [OrderKey(TraceField.TIMESTAMP), BY_ID]),
        (["status desc"], [OrderKey(TraceField.STATUS, descending=True), NEWEST_FIRST, BY_ID]),
        (["execution_time"], [OrderKey(TraceField.DURATION), NEWEST_FIRST, BY_ID]),
        (["trace_id DESC"], [OrderKey(TraceField.TRACE_ID, descending=True), NEWEST_FIRST]),
        (["tags.`a b`", "name"], [OrderKey(TraceField.TAG, "a b"), OrderKey(TraceField.NAME), NEWEST_FIRST, BY_ID]),
        (
            ["tags.a", "tags.b DESC"],
            [OrderKey(TraceField.TAG, "a"), OrderKey(TraceField.TAG, "b", descending=True), NEWEST_FIRST, BY_ID],
        ),
        (["metadata.`mlflow.sourceRun`"], [OrderKey(TraceField.RUN), NEWEST_FIRST, BY_ID]),
    ],
)
def test_order_by(clauses: list[str] | None, keys: list[OrderKey]):
    assert parse_order_by(clauses) == tuple(keys)


def test_order_of_experiments():
    by_id = OrderKey(ExperimentField.EXPERIMENT_ID, descending=True)
    assert parse_order_by(None, EXPERIMENT_FIELDS) == (OrderKey(ExperimentField.CREATION_TIME, descending=True), by_id)
    assert parse_order_by(["name"], EXPERIMENT_FIELDS) == (OrderKey(ExperimentField.NAME), by_id)


@pytest.mark.parametrize(
    ("clauses", "pointed_at", "said"),
    [
        (["timestamp_ms SOON"], "SOON", "ASC, DESC or the end"),
        (["timestamp_ms ASC DESC"], "DESC", "ASC, DESC or the end"),
        (["timestamp_ms, name"], ",", "ASC, DESC or the end"),
        (["nmae"], "nmae", "did you mean name?"),
        (["span.name"], "span.name", "cannot be ordered by span.name"),
        (["feedback.score DESC"], "feedback.score", "cannot be ordered by feedback"),
        (["prompt"], "prompt", "cannot be ordered by prompt"),
        (["tags"], "tags", "tags.<key>"),
        (["name", "name DESC"], "name DESC", "twice"),
        (["timestamp", "timestamp_ms"], "timestamp_ms", "twice"),
    ],
)
def test_errors_of_an_order(clauses: list[str], pointed_at: str, said: str):
    with pytest.raises(FilterError) as caught:
        parse_order_by(clauses)
    assert caught.value.text[caught.value.start : caught.value.end] == pointed_at
    assert said in caught.value.problem


@pytest.mark.parametrize("clauses", ["name", [5], [None], 5, [""], [" "]])
def test_what_is_no_order(clauses: object):
    with pytest.raises(FilterError):
        parse_order_by(clauses)  # pyright: ignore[reportArgumentType]


# -- properties ------------------------------------------------------------------------------------

PIECES = [
    *("'", '"', "`", "\\", "(", ")", ",", ".", " ", "\n", "=", "!=", "<", ">=", "%", "-", ";", "\0", "é", "\ud800"),
    *("name", "tags", "span", "attributes", "feedback", "x", "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "RLIKE"),
    *("1", ".5", "e", "true", "[", "+", "*"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join) | st.text(st.characters(), max_size=30))
def test_any_text_is_a_filter_or_a_filter_error(text: str):
    for entity in (TRACE_FIELDS, EXPERIMENT_FIELDS):
        with suppress(FilterError):
            tree = parse_filter(text, entity)
            assert parse_filter(to_text(tree), entity) == tree
        with suppress(FilterError):
            order = parse_order_by([text], entity)
            assert parse_order_by([str(key) for key in order], entity) == order


texts = st.text(st.characters(), max_size=12) | st.text("'\"\\`% ", max_size=8)
keys = texts.filter(bool)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    field = draw(st.sampled_from([*TRACE_FIELDS.names.values(), *TRACE_FIELDS.prefixes.values()]))
    key = draw(keys) if field.keyed else ""
    if field is TraceField.METADATA and key in ("run_id", "mlflow.sourceRun"):
        key += "!"
    op = draw(st.sampled_from(field.kind.ops))
    if op in (Op.IS_NULL, Op.IS_NOT_NULL):
        return Comparison(field, key, op, None)
    text = st.just("a/1") if field.shape else texts
    if op is Op.RLIKE:
        values: st.SearchStrategy[object] = st.sampled_from(["a", r"^\d{3}-\w+$", "it's", '"\\\\'])
    elif op in (Op.LIKE, Op.ILIKE):
        values = text
    elif op in (Op.LT, Op.LE, Op.GT, Op.GE) or field.kind is Kind.NUMBER:
        values = numbers
    else:
        values = text if field.kind is Kind.TEXT else text | numbers | st.booleans()
    if op in (Op.IN, Op.NOT_IN):
        values = st.lists(values, min_size=1, max_size=4).map(tuple)
    return Comparison(field, key, op, draw(values))  # pyright: ignore[reportArgumentType]


@given(st.lists(comparisons(), max_size=4).map(tuple))
def test_a_tree_printed_and_parsed_is_the_same_tree(tree: tuple[Comparison, ...]):
    assert parse_filter(to_text(tree)) == tree


@given(texts)
def test_quoted_texts_are_read_as_they_were(text: str):
    assert only(f"name = {quote(text)}").value == text
    assert [one.value for one in parse_filter(f"name = {quote(text)} AND status = 'OK'")] == [text, "OK"]
