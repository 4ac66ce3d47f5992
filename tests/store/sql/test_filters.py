"""Filters and orders on real databases: what MLflow's mean, ours beside it, and all of it against plain Python."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otflow.entities import AssessmentSource, Expectation, Feedback, Span, TraceState
from otflow.entities.values import decode_attribute, encode_attribute
from otflow.errors import FilterError, InvalidParameterError
from otflow.search.fields import TRACE_FIELDS, TraceField
from otflow.search.grammar import parse_order_by
from otflow.search.tree import Comparison, Field, Kind, Op, OrderKey, to_text
from otflow.semconv import Metadata, SpanKey, Tag
from otflow.store.interface import Store, TraceWrite
from otflow.store.opening import open_store
from otflow.store.sql.dialect import Dialect
from otflow.store.sql.filters import experiment_query, trace_query

SOURCE = AssessmentSource(source_type="HUMAN", source_id="ada")
EPOCH_MS = 1_700_000_000_000


# -- traces as plain data --------------------------------------------------------------------------


@dataclass
class Facts:
    """A trace as the tests describe it."""

    label: str
    at: int
    duration: int | None = 10
    state: str = "OK"
    name: str = "trace"
    client_request_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    runs: list[str] = field(default_factory=list[str])
    """The first is the one it was made under, if its metadata say so; the others are links."""
    made_in_run: bool = False
    prompts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    spans: list[tuple[str, str, str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, str, str, dict[str, Any]]]
    )
    """Name, type, status and attributes."""
    assessments: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    """Kind, name and value."""
    overridden: list[tuple[str, Any, Any]] = field(default_factory=list[tuple[str, Any, Any]])
    """Name, old and new value."""

    @property
    def trace_id(self) -> str:
        return f"tr-{self.label.encode().hex():0>32}"


def fill(store: Store, everything: Sequence[Facts]) -> str:
    """Put traces into a new experiment; its id."""
    experiment_id = store.create_experiment("filters")
    writes: list[TraceWrite] = []
    spans: list[Span] = []
    for facts in everything:
        metadata = dict(facts.metadata)
        if facts.made_in_run:
            metadata[Metadata.SOURCE_RUN] = facts.runs[0]
        writes.append(
            TraceWrite(
                facts.trace_id,
                experiment_id,
                (EPOCH_MS + facts.at) * 1_000_000,
                TraceState(facts.state),
                facts.duration,
                {Tag.NAME: facts.name, **facts.tags},
                metadata,
                client_request_id=facts.client_request_id,
            )
        )
        for number, (name, kind, status, attributes) in enumerate(facts.spans, 1):
            start_ns = (EPOCH_MS + facts.at) * 1_000_000
            spans.append(
                Span.of(
                    trace_id=facts.trace_id,
                    span_id=f"{number:016x}",
                    parent_id=None if number == 1 else f"{1:016x}",
                    name=name,
                    start_ns=start_ns,
                    end_ns=start_ns + 1_000_000,
                    status_code=status,
                    attributes={SpanKey.TYPE: json.dumps(kind), **attributes},
                )
            )
    store.write_traces(writes, spans)
    for facts in everything:
        trace_id = facts.trace_id
        for run_id in facts.runs[1:] if facts.made_in_run else facts.runs:
            store.link_traces_to_run([trace_id], run_id)
        if facts.prompts:
            store.link_prompts_to_trace(trace_id, facts.prompts)
        for kind, name, value in facts.assessments:
            if kind == "expectation":
                store.create_assessment(Expectation(trace_id=trace_id, name=name, value=value, source=SOURCE))
            elif isinstance(value, Exception):
                store.create_assessment(Feedback(trace_id=trace_id, name=name, error=value, source=SOURCE))
            else:
                store.create_assessment(Feedback(trace_id=trace_id, name=name, value=value, source=SOURCE))
        for name, old, new in facts.overridden:
            first = store.create_assessment(Feedback(trace_id=trace_id, name=name, value=old, source=SOURCE))
            store.create_assessment(
                Feedback(trace_id=trace_id, name=name, value=new, source=SOURCE, overrides=first.assessment_id)
            )
    return experiment_id


def attributes_of(**values: Any) -> dict[str, Any]:
    return {key: encode_attribute(key, value) for key, value in values.items()}


@dataclass
class Filled:
    """A store with traces, and how to ask it."""

    store: Store
    experiment_id: str
    everything: dict[str, Facts] = field(repr=False)
    """By trace id."""

    def find(self, text: str | None = None, order_by: Sequence[str] | None = None, page: int = 500) -> str:
        """The labels of the traces that match, in order."""
        labels: list[str] = []
        token: str | None = None
        while True:
            found = self.store.search_traces(
                [self.experiment_id],
                filter_string=text,
                order_by=order_by,
                max_results=page,
                page_token=token,
                include_spans=False,
            )
            labels += [self.everything[trace.info.trace_id].label for trace in found]
            token = found.token
            if token is None:
                return "".join(labels)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def open_new(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Store]]:
    """Opens stores on empty databases."""
    opened: list[Store] = []

    def open_one() -> Store:
        if request.param == "sqlite":
            uri = f"sqlite:///{tmp_path_factory.mktemp('filters')}/test.db"
        else:
            uri = request.getfixturevalue("new_postgresql")()
        opened.append(open_store(uri))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def filled(store: Store, everything: Sequence[Facts]) -> Filled:
    return Filled(store, fill(store, everything), {facts.trace_id: facts for facts in everything})


# -- what a filter means ---------------------------------------------------------------------------

LIBRARY = [
    Facts(
        "A",
        0,
        10,
        name="alpha",
        tags={"env": "Prod", "n": "5", "k.dot": "v1", "k sp": "v2", 'k"q\\': "v3", "ключ": "v4", "name": "tagged"},
        metadata={Metadata.SESSION: "s1", Metadata.USER: "u1", "mm": "M1", Metadata.MODEL_ID: "m-1"},
        runs=["R1"],
        spans=[
            ("alpha", "UNKNOWN", "OK", {SpanKey.INPUTS: '{"q": "say \\"Hello\\" World"}'}),
            (
                "retrieve",
                "RETRIEVER",
                "OK",
                attributes_of(**{"model": "gpt-4", "num": 5, "half": 0.5, "flag": True, "a.b": "dotted", "d": {"x": 1}})
                | {"list": (1, 2), "words": ("a", "b,c"), "nan": float("nan"), 'k"q': "quoted", "text": '"5"'},
            ),
            ("llm", "LLM", "ERROR", {"model": "claude"}),
        ],
        assessments=[
            ("feedback", "score", 0.9),
            ("feedback", "ok", True),
            ("feedback", "txt", "good"),
            ("feedback", "multi word", "mw"),
            ("feedback", "list", ["a", "b"]),
            ("expectation", "exp", "Paris"),
        ],
    ),
    Facts(
        "B",
        1000,
        20,
        state="ERROR",
        name="Alpha",
        tags={"env": "prod", "n": "10"},
        metadata={Metadata.SESSION: "s2", Metadata.USER: "u2"},
        spans=[("retrieve", "TOOL", "OK", {"num": 50, "model": "GPT-4", "foreign": "7"})],
        assessments=[
            ("feedback", "score", 0.2),
            ("feedback", "ok", False),
            ("feedback", "txt", "Bad"),
            ("expectation", "exp", {"a": 1}),
        ],
    ),
    Facts(
        "C",
        2000,
        30,
        name="beta_x",
        tags={"env": "dev"},
        metadata={Metadata.SESSION: "s1"},
        prompts=[("pp", "1"), ("qq", "2")],
        spans=[("beta", "UNKNOWN", "OK", {})],
        assessments=[("feedback", "score", 10), ("feedback", "txt", "5"), ("expectation", "exp", 3)],
    ),
    Facts(
        "D",
        3000,
        40,
        name="betaAx",
        metadata={"mm": "m1"},
        runs=["R2", "R1"],
        made_in_run=True,
        spans=[("root", "AGENT", "UNSET", {})],
        assessments=[
            ("feedback", "err", ValueError("boom")),
            ("feedback", "txt", "true"),
            ("expectation", "score", 0.9),
        ],
    ),
    Facts(
        "E",
        4000,
        None,
        state="IN_PROGRESS",
        name='it\'s "q" \\ 100%',
        client_request_id="cr-1",
        tags={"env": "it's", "e": ""},
        overridden=[("score", 0.1, 0.99)],
        assessments=[("feedback", "dup", "x"), ("feedback", "dup", "y")],
    ),
    Facts("F", 5000, 5, name="ünï", spans=[("ünï", "UNKNOWN", "OK", {})]),
]


@pytest.fixture(scope="module")
def library(open_new: Callable[[], Store]) -> Filled:
    return filled(open_new(), LIBRARY)


def text_of(cases: str) -> list[tuple[str, str]]:
    """Lines `filter → labels` as pairs."""
    return [
        (text.strip(), labels.strip())
        for line in cases.strip().splitlines()
        for text, _, labels in [line.partition("→")]
    ]


# Each of these the released MLflow answers the same way.
AS_MLFLOW = text_of(r"""
status = 'ERROR' → B
attributes.status = "ERROR" → B
trace.status != 'OK' → EB
status = 'error' →
status LIKE 'ERR%' → B
status ILIKE 'err%' → B
status RLIKE '^ERR' → B
status IN ('OK', 'ERROR') → FDCBA
status NOT IN ('OK') → EB
timestamp_ms > 1700000003000 → FE
timestamp >= 1700000003000 → FED
attributes.timestamp_ms = 1700000003000 → D
timestamp_ms != 1700000003000 → FECBA
timestamp_ms <= '1700000003000' → DCBA
timestamp_ms < 1700000003000.5 → DCBA
timestamp_ms < -5 →
timestamp_ms < 99999999999999999999999 → FEDCBA
execution_time_ms > 20 → DC
execution_time = 20.0 → B
end_time_ms >= 1700000002030 → FDC
name = 'alpha' → A
name != 'alpha' → FEDCB
name LIKE 'al%' → A
name ILIKE 'AL%' → BA
name LIKE 'beta_x' → DC
name LIKE 'beta\_x' →
name LIKE '%pha' → BA
name LIKE '%\ %' → E
name LIKE '%"q"%' → E
name LIKE '' →
name LIKE '*' →
name RLIKE 'ph' → BA
name RLIKE 'PH' →
name RLIKE '(?i)PH' → BA
name RLIKE 'a$' → BA
name RLIKE 'ü.ï' → F
name RLIKE '' → FEDCBA
name = 'ünï' → F
request_id LIKE 'tr-%' → FEDCBA
client_request_id = 'cr-1' → E
client_request_id != 'x' → E
client_request_id NOT IN ('x') → E
run_id = 'R1' → DA
attributes.run_id = 'R2' → D
metadata.mlflow.sourceRun = 'R1' → DA
run_id = 'nope' →
tags.env = 'prod' → B
tag.env = "prod" → B
tags.`env` != 'prod' → ECA
tags.nope != 'x' →
tags.env LIKE 'pro%' → B
tags.env ILIKE 'pro%' → BA
tags.env RLIKE '^[Pp]rod$' → BA
tags.env = "it's" → E
tags.e = '' → E
tags.n = '5' → A
tags.k.dot = 'v1' → A
tags.`k sp` = 'v2' → A
tags.mlflow.traceName = 'alpha' → A
tags.`mlflow.traceName` LIKE 'al%' → A
tags.mlflow.artifactLocation LIKE '%' → FEDCBA
tags.`mlflow.trace.spansLocation` = 'TRACKING_STORE' → FEDCBA
metadata.mm = 'M1' → A
request_metadata.mm ILIKE 'm%' → DA
metadata.mm != 'M1' → D
metadata.mm IS NULL → FECB
metadata.mm IS NOT NULL → DA
metadata.`mlflow.trace.session` = 's1' → CA
metadata.mlflow.modelId = 'm-1' → A
prompt = 'pp/1' → C
prompt = 'pp/2' →
prompt = 'pp/' →
span.name = 'retrieve' → BA
span.name != 'retrieve' → FDCA
span.name LIKE 'ret%' → BA
span.name ILIKE 'RET%' → BA
span.name IN ('llm', 'root') → DA
span.type = 'LLM' → A
span.type != 'UNKNOWN' → DBA
span.status = 'ERROR' → A
span.content LIKE '%claude%' → A
span.content ILIKE '%CLAUDE%' → A
trace.text LIKE '%Hello%' → A
trace.text LIKE '%hello%' →
trace.text LIKE '%retrieve%' → BA
span.name = 'retrieve' AND span.type = 'RETRIEVER' → A
span.name = 'retrieve' AND span.type = 'LLM' →
span.name = 'retrieve' AND span.name = 'llm' →
span.name = 'retrieve' AND trace.text LIKE '%claude%' →
span.attributes.model LIKE '%gpt%' → A
span.type = 'LLM' AND span.attributes.model LIKE '%gpt%' →
feedback.score = '0.9' → A
feedback.score = "10" → C
feedback.score LIKE '0%' → EBA
feedback.score IS NULL → FD
feedback.score IS NOT NULL → ECBA
feedback.nope != 'x' →
feedback.ok = 'true' → A
feedback.ok != 'true' → B
feedback.ok = 'True' →
feedback.txt = 'good' → A
feedback.txt != 'good' → DCB
feedback.txt LIKE '%oo%' → A
feedback.txt = '5' → C
feedback.txt = 'true' → D
feedback.`multi word` = 'mw' → A
feedback.list = '["a", "b"]' → A
feedback.err IS NOT NULL → D
feedback.err = 'boom' →
feedback.dup = 'x' AND feedback.dup = 'y' → E
feedback.dup != 'x' → E
feedback.exp = 'Paris' →
expectation.exp = 'Paris' → A
expectation.exp = '3' → C
expectation.exp = '{"a": 1}' → B
status = 'OK' AND name = 'alpha' AND tags.env = 'Prod' → A
name = 'alpha' AND name = 'Alpha' →
""")

OURS = text_of(r"""
state = 'ERROR' → B
status IS NULL →
name IN ('alpha', 'beta_x') → CA
name NOT IN ('alpha', 'beta_x') → FEDB
timestamp_ms IN (1700000003000, 1700000001000) → DB
duration IS NULL → E
end_time IS NOT NULL → FDCBA
name ILIKE 'ÜNÏ' → F
name = 'it''s "q" \ 100%' → E
trace_id IS NOT NULL → FEDCBA
client_request_id IS NULL → FDCBA
session = 's1' → CA
session_id IS NULL → FED
user LIKE 'u%' → BA
model_id = 'm-1' → A
request_preview LIKE '%Hello%' → A
run = 'R1' → DA
run_id != 'R1' → D
run_id IS NULL → FECB
run_id IS NOT NULL → DA
run_id IN ('R2', 'x') → D
run_id LIKE 'R%' → DA
tags.env IS NULL → FD
tags.env IN ('prod', 'dev') → CB
tags.env NOT IN ('prod', 'dev') → EA
tags.`k"q\` = 'v3' → A
tags.ключ = 'v4' → A
tags.name = 'tagged' → A
metadata.mm IN ('M1', 'x') → A
metadata.`mlflow.trace.sizeBytes` IS NOT NULL → FDCBA
prompt LIKE 'p%' → C
prompt != 'pp/1' → C
prompt IN ('qq/2') → C
prompt IS NULL → FEDBA
span.name IS NOT NULL → FDCBA
span.attributes.model = 'gpt-4' → A
span.attributes.model != 'gpt-4' → BA
span.attributes.model IN ('claude', 'GPT-4') → BA
span.attributes.model IS NOT NULL → BA
span.name = 'retrieve' AND span.attributes.model IS NULL →
span.attributes.model ILIKE 'gpt%' → BA
span.attributes.num = 5 → A
span.attributes.num = '5' → A
span.attributes.num > 5 → B
span.attributes.half >= 0.5 → A
span.attributes.flag = true → A
span.attributes.flag = 'true' → A
span.attributes.a.b = 'dotted' → A
span.attributes.`a.b` LIKE 'dot%' → A
span.attributes.d = '{"x": 1}' → A
span.attributes.list = '[1, 2]' → A
span.attributes.words = '["a", "b,c"]' → A
span.attributes.`k"q` = 'quoted' → A
span.attributes.text = '5' → A
span.attributes.foreign = 7 → B
span.attributes.foreign < 10 → B
span.attributes.mlflow.spanType = 'LLM' → A
span.attributes.nope != 'x' →
trace.text LIKE '%say "Hello" World%' → A
trace.text LIKE '%{"q": "say%' → A
trace.text LIKE '%ünï%' → F
feedback.score > 0.5 → ECA
feedback.score = 10.0 → C
feedback.score != 10 → EBA
feedback.score IN (10, '0.9') → CA
feedback.score NOT IN (10, '0.9') → EB
feedback.score = 0.1 →
feedback.score = 0.99 → E
feedback.ok = true → A
feedback.ok = FALSE → B
feedback.txt LIKE 'go%' → A
feedback.txt RLIKE '^B' → B
feedback.txt > 1 →
feedback.txt = 5 →
feedback.txt != 5 → DCBA
expectation.exp > 2 → C
expectation.exp LIKE 'P%' → A
""")


@pytest.mark.parametrize(("text", "labels"), AS_MLFLOW)
def test_what_mlflow_can_ask(library: Filled, text: str, labels: str):
    assert library.find(text) == labels


@pytest.mark.parametrize(("text", "labels"), OURS)
def test_what_only_otflow_can_ask(library: Filled, text: str, labels: str):
    assert library.find(text) == labels


def test_ids(library: Filled):
    some = f"tr-{b'A'.hex():0>32}"
    assert library.find(f"request_id = '{some}'") == "A"
    assert library.find(f"trace_id != '{some}'") == "FEDCB"
    assert library.find(f"experiment_id = '{library.experiment_id}'") == "FEDCBA"
    assert library.find(f"experiment_id != {library.experiment_id}") == ""


def test_a_malformed_filter_is_a_filter_error(library: Filled):
    with pytest.raises(FilterError):
        library.find("status == 'OK'")
    with pytest.raises(FilterError):
        library.find(order_by=["nope"])


def test_a_pattern_that_only_python_knows(library: Filled):
    if library.store.uri.startswith("sqlite"):
        assert library.find("name RLIKE '(?P<first>al)pha'") == "A"
    else:
        with pytest.raises(InvalidParameterError, match="regular expression"):
            library.find("name RLIKE '(?P<first>al)pha'")


@pytest.mark.parametrize(
    ("order_by", "labels"),
    [
        (None, "FEDCBA"),
        ([], "FEDCBA"),
        (["timestamp_ms"], "ABCDEF"),
        (["timestamp DESC"], "FEDCBA"),
        (["execution_time_ms"], "FABCDE"),
        (["execution_time_ms DESC"], "DCBAFE"),
        (["status"], "BEFDCA"),
        (["status DESC"], "FDCAEB"),
        (["name"], "BADCEF"),
        (["request_id"], "ABCDEF"),
        (["run_id"], "DFECBA"),
        (["run_id DESC"], "DFECBA"),
        (["experiment_id"], "FEDCBA"),
        (["tags.env"], "ACEBFD"),
        (["tags.env DESC"], "BECAFD"),
        (["tags.nope"], "FEDCBA"),
        (["metadata.mm"], "ADFECB"),
        (["metadata.`mlflow.trace.session`", "timestamp"], "ACBDEF"),
        (["end_time DESC"], "FDCBAE"),
        (["client_request_id", "execution_time_ms"], "EFABCD"),
    ],
)
@pytest.mark.parametrize("page", [1, 4, 500])
def test_orders(library: Filled, order_by: list[str] | None, labels: str, page: int):
    assert library.find(None, order_by, page) == labels


# -- injection -------------------------------------------------------------------------------------

NASTY = "x' OR 1=1; DROP TABLE traces; -- % ? {} $1 \" \\"


@pytest.mark.parametrize("dialect", list(Dialect))
def test_no_text_of_a_filter_becomes_sql(dialect: Dialect):
    for one in (*TRACE_FIELDS.names.values(), *TRACE_FIELDS.prefixes.values()):
        for op in one.kind.ops:
            value: Any = 12345 if one.kind is Kind.NUMBER or op in (Op.LT, Op.LE, Op.GT, Op.GE) else NASTY
            if one.shape and op in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN):
                value = NASTY + "/1"
            if op is Op.RLIKE:
                value = re.escape(NASTY)
            if op in (Op.IS_NULL, Op.IS_NOT_NULL):
                value = None
            if op in (Op.IN, Op.NOT_IN):
                value = (value, value)
            text = to_text([Comparison(one, NASTY if one.keyed else "", op, value)])
            order = [str(OrderKey(one, NASTY if one.keyed else ""))] if one.orderable else None
            query = trace_query(text, order, dialect)
            for sql in (query.where, *(key.sql for key in query.order)):
                assert "DROP" not in sql
                assert "12345" not in sql
            assert query.where.count("?") == len(query.parameters)
    query = experiment_query(to_text([Comparison(TraceField.TAG, NASTY, Op.EQ, NASTY)]), None, dialect)
    assert "DROP" not in query.where


def test_nasty_texts_are_found_like_others(open_new: Callable[[], Store]):
    store = filled(open_new(), [Facts("A", 0, tags={NASTY: NASTY, "\0": "\0"}, name=NASTY), Facts("B", 1)])
    equal = [Comparison(TraceField.NAME, "", Op.EQ, NASTY), Comparison(TraceField.TAG, NASTY, Op.EQ, NASTY)]
    assert store.find(to_text(equal)) == "A"
    assert store.find(to_text([Comparison(TraceField.TAG, "\0", Op.EQ, "\0")])) == "A"


# -- terms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("tags.env = 'prod'", [("tag.env", "prod")]),
        ("tags.env = 'prod' AND span.name = 'x'", [("tag.env", "prod"), ("span.name", "x")]),
        ("span.type = 'LLM'", [("span.type", "LLM")]),
        ("feedback.score > 0.5", [("assessment", "score")]),
        ("feedback.ok = false", [("assessment", "ok"), ("feedback.ok", "false")]),
        ("expectation.exp = 'x'", [("assessment", "exp"), ("expectation.exp", "x")]),
        ("feedback.score IS NULL", []),
        ("tags.env != 'prod'", []),
        ("tags.mlflow.traceName = 'x'", []),
        ("status = 'OK'", []),
        ("session = 's' AND span.type = 'LLM'", []),
        ("metadata.`mlflow.trace.session` = 's' AND tags.env = 'prod'", []),
    ],
)
def test_terms_lead_to_what_a_filter_names(text: str, terms: list[tuple[str, str]]):
    assert list(trace_query(text, None, Dialect.SQLITE).terms) == terms


# -- experiments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "order_by", "names"),
    [
        (None, ["name"], ["Alpha", "Default", "alpha", "beta_x"]),
        ("name = 'alpha'", None, ["alpha"]),
        ("name LIKE 'al%'", None, ["alpha"]),
        ("name ILIKE 'al%'", ["name DESC"], ["alpha", "Alpha"]),
        ("name IN ('alpha', 'x')", None, ["alpha"]),
        ("creation_time > 1 AND name != 'Default'", ["experiment_id"], ["alpha", "Alpha", "beta_x"]),
        ("last_update_time < 1", None, []),
        ("tags.env = 'prod'", None, ["Alpha"]),
        ("tag.env != 'prod'", None, ["alpha"]),
        ("tags.`two words` = 'x'", None, ["beta_x"]),
        ("tags.env IS NULL", ["name"], ["Default", "beta_x"]),
        ("tags.env IS NOT NULL AND tags.env RLIKE '^P'", None, ["alpha"]),
        (None, ["tags.env", "name DESC"], ["alpha", "Alpha", "beta_x", "Default"]),
    ],
)
def test_experiments(experiments: Store, text: str | None, order_by: list[str] | None, names: list[str]):
    found = experiments.search_experiments(filter_string=text, order_by=order_by)
    assert [experiment.name for experiment in found] == names


@pytest.fixture(scope="module")
def experiments(open_new: Callable[[], Store]) -> Store:
    store = open_new()
    store.create_experiment("alpha", tags={"env": "Prod"})
    store.create_experiment("Alpha", tags={"env": "prod"})
    store.create_experiment("beta_x", tags={"two words": "x"})
    return store


# -- against plain Python --------------------------------------------------------------------------

WORDS = ["a", "A", "b", "ab", "aB", "a_b", "a%b", "é", "É", "it's", '"q"', "\\", "5", "0.5", "true", ""]
NUMBERS = [-1, 0, 1, 5, 10, 0.5, 2.5, 1e6]
TIMES = [EPOCH_MS + n for n in range(8)]
KEYS = ["k", "k.l", "k l", 'k"', "é"]
PATTERNS = ["a", "^a", "b$", "[ab]+", "(?i)^A", r"\d", "^$", "a.b"]
LIKES = ["a%", "%b", "%", "_", "a_b", "A%", "%\\%", "%é%", "", "%5%", "tr%"]


def several(seed: int, options: Sequence[Any], most: int) -> list[Any]:
    """Some of the options, the same for the same seed."""
    return [options[(seed * 7 + 3 * index * (seed % 5 + 1)) % len(options)] for index in range(seed % (most + 1))]


def population() -> list[Facts]:
    """Traces with a bit of everything, many values equal."""
    everything: list[Facts] = []
    for n in range(36):
        values = [*WORDS, *NUMBERS, True, False]
        everything.append(
            Facts(
                label=chr(0x100 + n),
                at=n % 7,
                duration=None if n % 4 == 0 else n % 3,  # those without spans, which would say one
                state=["IN_PROGRESS", "OK", "ERROR", "OK"][n % 4],
                name=WORDS[n % len(WORDS)] or "-",
                client_request_id=None if n % 3 else WORDS[n % 4],
                tags=dict(zip(several(n, KEYS, 4), several(n + 1, WORDS, 6), strict=False)),
                metadata=dict(zip([Metadata.SESSION, *KEYS], several(n + 2, WORDS, 5), strict=False)),
                runs=list(dict.fromkeys(several(n, ["a", "A", "b", "é"], 3))),
                made_in_run=n % 2 == 0 and n % 4 > 0,
                prompts=list(dict.fromkeys(several(n, [("a", "1"), ("a", "2"), ("b", "1")], 2))),
                spans=[
                    (
                        WORDS[(n + i) % len(WORDS)] or "-",
                        ["LLM", "TOOL"][(n + i) % 2],
                        ["OK", "ERROR", "UNSET"][(n * i) % 3],
                        {
                            key: encode_attribute(key, value)
                            for key, value in zip(KEYS, several(n + i, values, 5), strict=False)
                        },
                    )
                    for i in range(n % 4)
                ],
                assessments=[
                    (("feedback", "expectation")[index % 2], key, value)
                    for index, (key, value) in enumerate(
                        zip(several(n + 3, KEYS, 4), several(n, values, 6), strict=False)
                    )
                ],
            )
        )
    for facts in everything:
        facts.made_in_run = facts.made_in_run and bool(facts.runs)
    return everything


@functools.cache
def like(pattern: str, *, any_case: bool) -> Callable[[str], bool]:
    parts = {"%": ".*", "_": "."}
    if any_case:
        pattern = pattern.lower()
    match = re.compile(
        "".join(parts.get(character, re.escape(character)) for character in pattern), re.DOTALL
    ).fullmatch
    return lambda text: match(text.lower() if any_case else text) is not None


def holds_for(value: object, op: Op, operand: Any) -> bool:
    """Whether a comparison holds for one value, which is not None."""
    if isinstance(operand, tuple):
        alternatives = cast("tuple[object, ...]", operand)
        found = any(holds_for(value, Op.EQ, one) for one in alternatives)
        return found if op is Op.IN else not found
    if isinstance(operand, (int, float)) and not isinstance(operand, bool):
        number = float(value) if isinstance(value, (int, float)) else None
        if op is Op.NE:
            return number != operand
        if number is None:
            return False
        return {
            Op.EQ: number == operand,
            Op.LT: number < operand,
            Op.LE: number <= operand,
            Op.GT: number > operand,
            Op.GE: number >= operand,
        }[op]
    text = value if isinstance(value, str) else json.dumps(value)
    asked = operand if isinstance(operand, str) else json.dumps(operand)
    if op is Op.RLIKE:
        return re.search(asked, text) is not None
    if op in (Op.LIKE, Op.ILIKE):
        return like(asked, any_case=op is Op.ILIKE)(text)
    return (text == asked) is (op is Op.EQ)


def holds(comparison: Comparison, values: Sequence[object]) -> bool:
    """Whether a comparison holds for one of the values that there are."""
    there = [value for value in values if value is not None]
    if comparison.op in (Op.IS_NULL, Op.IS_NOT_NULL):
        return bool(there) is (comparison.op is Op.IS_NOT_NULL)
    return any(holds_for(value, comparison.op, comparison.value) for value in there)


def values_of(facts: Facts, asked: Field, key: str) -> list[object]:
    """The values that a trace has in a field."""
    if asked.name in ("feedback", "expectation"):
        return [value for kind, name, value in facts.assessments if (kind, name) == (asked.name, key)]
    return {
        TraceField.TRACE_ID: [facts.trace_id],
        TraceField.NAME: [facts.name],
        TraceField.STATUS: [facts.state],
        TraceField.TIMESTAMP: [EPOCH_MS + facts.at],
        TraceField.DURATION: [facts.duration],
        TraceField.END_TIME: [None if facts.duration is None else EPOCH_MS + facts.at + facts.duration],
        TraceField.CLIENT_REQUEST_ID: [facts.client_request_id],
        TraceField.SESSION: [facts.metadata.get(Metadata.SESSION)],
        TraceField.RUN: list(facts.runs),
        TraceField.PROMPT: [f"{name}/{version}" for name, version in facts.prompts],
        TraceField.TAG: [facts.tags.get(key)],
        TraceField.METADATA: [facts.metadata.get(key)],
    }[asked]  # pyright: ignore[reportReturnType]


def matches(facts: Facts, comparisons: Sequence[Comparison]) -> bool:
    of_span = [one for one in comparisons if one.field.name.startswith("span.")]
    if not all(holds(one, values_of(facts, one.field, one.key)) for one in comparisons if one not in of_span):
        return False
    if not of_span:
        return True
    return any(
        all(
            holds(
                one,
                [
                    {
                        TraceField.SPAN_NAME: name,
                        TraceField.SPAN_TYPE: kind,
                        TraceField.SPAN_STATUS: status,
                        TraceField.SPAN_ATTRIBUTE: decode_attribute(attributes[one.key])
                        if one.key in attributes
                        else None,
                    }[one.field]
                ],
            )
            for one in of_span
        )
        for name, kind, status, attributes in facts.spans
    )


TEXT_FIELDS = [
    TraceField.TRACE_ID,
    TraceField.NAME,
    TraceField.STATUS,
    TraceField.CLIENT_REQUEST_ID,
    TraceField.SESSION,
    TraceField.RUN,
    TraceField.SPAN_NAME,
    TraceField.SPAN_TYPE,
    TraceField.SPAN_STATUS,
    TraceField.TAG,
    TraceField.METADATA,
]
OTHER_FIELDS = [
    TraceField.TIMESTAMP,
    TraceField.DURATION,
    TraceField.END_TIME,
    TraceField.PROMPT,
    TraceField.FEEDBACK,
    TraceField.EXPECTATION,
    TraceField.SPAN_ATTRIBUTE,
]


@st.composite
def some_comparison(draw: st.DrawFn) -> Comparison:
    asked = draw(st.sampled_from([*TEXT_FIELDS, *OTHER_FIELDS]))
    key = draw(st.sampled_from(KEYS)) if asked.keyed else ""
    op = draw(st.sampled_from(asked.kind.ops))
    if op in (Op.IS_NULL, Op.IS_NOT_NULL):
        return Comparison(asked, key, op, None)
    words = st.sampled_from([*WORDS, "OK", "ERROR", "LLM", "TOOL"])
    if op is Op.RLIKE:
        values: st.SearchStrategy[Any] = st.sampled_from(PATTERNS)
    elif op in (Op.LIKE, Op.ILIKE):
        values = st.sampled_from(LIKES) | words
    elif asked is TraceField.PROMPT:
        values = st.sampled_from(["a/1", "a/2", "b/1", "c/1"])
    elif asked.kind is Kind.NUMBER:
        values = st.sampled_from([*TIMES, *NUMBERS])
    elif asked.kind is Kind.TEXT:
        values = words
    elif op in (Op.LT, Op.LE, Op.GT, Op.GE):
        values = st.sampled_from(NUMBERS)
    else:
        values = words | st.sampled_from(NUMBERS) | st.booleans()
    if op in (Op.IN, Op.NOT_IN):
        values = st.lists(values, min_size=1, max_size=3).map(tuple)
    return Comparison(asked, key, op, draw(values))


ORDERS = [
    "timestamp_ms",
    "execution_time",
    "status",
    "name",
    "session",
    "tags.k",
    "tags.`k l`",
    "metadata.é",
    "trace_id",
]


def ordered(everything: Sequence[Facts], clauses: Sequence[str]) -> list[Facts]:
    result = list(everything)
    for key in reversed(parse_order_by(clauses)):

        def value(facts: Facts, key: OrderKey = key) -> Any:
            return values_of(facts, key.field, key.key)[0]

        there = [facts for facts in result if value(facts) is not None]
        there.sort(key=value, reverse=key.descending)
        result = there + [facts for facts in result if value(facts) is None]
    return result


@pytest.fixture(scope="module")
def crowd(open_new: Callable[[], Store]) -> Filled:
    return filled(open_new(), population())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
@given(
    comparisons=st.lists(some_comparison(), max_size=3),
    order_by=st.lists(
        st.tuples(st.sampled_from(ORDERS), st.sampled_from(["", " ASC", " DESC"])), max_size=3, unique_by=lambda t: t[0]
    ),
    page=st.sampled_from([3, 500]),
)
def test_sql_finds_what_plain_python_finds(
    crowd: Filled, comparisons: list[Comparison], order_by: list[tuple[str, str]], page: int
):
    clauses = [name + direction for name, direction in order_by]
    expected = [facts for facts in crowd.everything.values() if matches(facts, comparisons)]
    assert crowd.find(to_text(comparisons), clauses, page) == "".join(
        facts.label for facts in ordered(expected, clauses)
    )
