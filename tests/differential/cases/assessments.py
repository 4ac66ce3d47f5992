"""Feedback and expectations: what they hold, where they come from, how they are changed."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

import datetime
import math
from typing import Any

from toolbox import INVALID, Difference, Facts, Toolbox, accident, case

UNKNOWN = "tr-" + "0" * 32


def _read(t: Toolbox, trace_id: str) -> list[Any]:
    return [t.assessment(entry) for entry in t.mlflow.get_trace(trace_id).info.assessments]


@case(
    differs=accident("unknown trace", "malformed trace", code="RESOURCE_DOES_NOT_EXIST")
    | {"trace None": Difference(INVALID, "MLflow returns a feedback that it logged nowhere")}
)
def feedback(t: Toolbox) -> Facts:
    trace_id = t.make()
    source = t.mlflow.entities.AssessmentSource
    log = t.mlflow.log_feedback
    logged = log(trace_id=trace_id, name="minimal", value=1)
    yield "minimal", logged
    yield "trace id", logged.trace_id == trace_id
    yield "default name", log(trace_id=trace_id, value=True)
    yield (
        "full",
        log(
            trace_id=trace_id,
            name="full",
            value="yes",
            source=source("HUMAN", "me@x"),
            rationale="because",
            metadata={"k": "v"},
        ),
    )
    yield "read", _read(t, trace_id)
    yield "got", t.mlflow.get_assessment(trace_id, logged.assessment_id)
    yield "same name twice", t.outcome(lambda: log(trace_id=trace_id, name="minimal", value=2))
    yield "names", [entry["name"] for entry in _read(t, trace_id)]
    yield "nothing", t.outcome(lambda: log(trace_id=trace_id, name="nothing"))
    yield "nothing but a rationale", t.outcome(lambda: log(trace_id=trace_id, name="n", rationale="r"))
    yield "unknown trace", t.outcome(lambda: log(trace_id=UNKNOWN, name="f", value=1))
    yield "malformed trace", t.outcome(lambda: log(trace_id="nonsense", name="f", value=1))
    yield "trace None", t.outcome(lambda: log(trace_id=None, name="f", value=1))
    yield "positional", t.outcome(lambda: log(trace_id, "f", 1))
    yield "no trace id", t.outcome(lambda: log(name="f", value=1))


@case(differs=accident("date", "object", "bytes", "set"))
def feedback_values(t: Toolbox) -> Facts:
    trace_id = t.make()
    for name, value in {
        "true": True,
        "false": False,
        "zero": 0,
        "float": 0.5,
        "empty text": "",
        "text": "x",
        "json text": '{"a": 1}',
        "list": [1, 2.5, "x", True],
        "empty list": [],
        "dict": {"a": 1, "b": "x"},
        "empty dict": {},
        "nested dict": {"a": {"b": 1}},
        "nested list": [[1], {"a": None}],
        "none": None,
        "tuple": (1, 2),
        "large": 2**70,
        "infinity": math.inf,
        "nan": math.nan,
        "date": datetime.date(2020, 1, 2),
        "object": object(),
        "bytes": b"x",
        "set": {1},
        "number keys": {1: 2},
    }.items():
        outcome = t.outcome(lambda value=value: t.mlflow.log_feedback(trace_id=trace_id, name="f", value=value).value)
        if name == "object" and "value" in outcome:
            outcome["value"] = "<some>"
        yield name, outcome
        entries = t.mlflow.get_trace(trace_id).info.assessments
        yield f"{name}, read", [t.plain(entry.value) for entry in entries]
        for entry in entries:
            t.mlflow.delete_assessment(trace_id, entry.assessment_id)


@case()
def feedback_errors(t: Toolbox) -> Facts:
    trace_id = t.make()
    error_class = t.mlflow.entities.AssessmentError
    log = t.mlflow.log_feedback

    def raised() -> Exception:
        try:
            raise ValueError("judge failed")
        except ValueError as error:
            return error

    yield "exception", log(trace_id=trace_id, name="f", error=ValueError("x"))
    yield "raised exception", log(trace_id=trace_id, name="f", error=raised())
    full = error_class(error_code="RATE_LIMIT", error_message="slow", stack_trace="trace")
    yield "error", log(trace_id=trace_id, name="f", error=full)
    yield "error of a code", log(trace_id=trace_id, name="f", error=error_class("ONLY"))
    yield "text", t.outcome(lambda: log(trace_id=trace_id, name="f", error="just text"))
    yield "number", t.outcome(lambda: log(trace_id=trace_id, name="f", error=5))
    yield "value and error", t.outcome(lambda: log(trace_id=trace_id, name="f", value=1, error=ValueError("x")))
    yield "base exception", t.outcome(lambda: log(trace_id=trace_id, name="f", error=KeyboardInterrupt()))
    yield (
        "long message",
        t.outcome(lambda: len(log(trace_id=trace_id, name="f", error=ValueError("m" * 9000)).error.error_message)),
    )
    yield "read", _read(t, trace_id)[:3]
    entity = log(trace_id=trace_id, name="f", error=full)
    yield "shortcuts", [entity.error_code, entity.error_message]
    yield "of an error", [full.error_code, full.error_message, full.stack_trace, full.to_dictionary()]
    yield "error code of nothing", t.outcome(lambda: error_class())
    yield (
        "stack trace cut",
        len(log(trace_id=trace_id, name="f", error=error_class("C", "m", "s" * 100_000)).error.stack_trace),
    )


@case(differs=accident("date", "bytes", "set") | accident("unknown trace", code="RESOURCE_DOES_NOT_EXIST"))
def expectations(t: Toolbox) -> Facts:
    trace_id = t.make()
    log = t.mlflow.log_expectation
    logged = log(trace_id=trace_id, name="answer", value="42")
    yield "minimal", logged
    yield "read", _read(t, trace_id)
    yield (
        "full",
        log(
            trace_id=trace_id,
            name="full",
            value={"role": "assistant", "calls": [{"a": 1}]},
            source=t.mlflow.entities.AssessmentSource("LLM_JUDGE", "gpt"),
            metadata={"k": "v"},
        ),
    )
    for name, value in {
        "none": None,
        "zero": 0,
        "false": False,
        "list": [1, {"a": [None]}],
        "empty list": [],
        "empty text": "",
        "json text": '{"a": 1}',
        "tuple": (1,),
        "large": 2**70,
        "nan": math.nan,
        "date": datetime.date(2020, 1, 2),
        "bytes": b"x",
        "set": {1},
        "number keys": {1: 2},
    }.items():
        yield name, t.outcome(lambda value=value: log(trace_id=trace_id, name="e", value=value).value)
        entries = [entry for entry in t.mlflow.get_trace(trace_id).info.assessments if entry.name == "e"]
        yield f"{name}, read", [t.plain(entry.value) for entry in entries]
        for entry in entries:
            t.mlflow.delete_assessment(trace_id, entry.assessment_id)
    yield "no value", t.outcome(lambda: log(trace_id=trace_id, name="e"))
    yield "no name", t.outcome(lambda: log(trace_id=trace_id, value=1))
    yield "unknown trace", t.outcome(lambda: log(trace_id=UNKNOWN, name="e", value=1))


@case(
    differs=accident("name None", "source none", "source number")
    | {
        "name number/value": Difference("5", "a name is a text"),
    }
)
def names_metadata_sources(t: Toolbox) -> Facts:
    trace_id = t.make()
    log = t.mlflow.log_feedback
    for name in ("", "with space", "dotted.name", "quo'te", "emoji 🐎", "n" * 251, "slash/ed", "mlflow.reserved"):
        yield f"name {name[:20]!r}", t.outcome(lambda name=name: len(log(trace_id=trace_id, name=name, value=1).name))
    yield "name None", t.outcome(lambda: log(trace_id=trace_id, name=None, value=1).name)
    yield "name number", t.outcome(lambda: log(trace_id=trace_id, name=5, value=1).name)
    for label, metadata in {
        "number": {"k": 1},
        "none": {"k": None},
        "nested": {"k": {"a": 1}},
        "key number": {1: "x"},
        "empty": {},
        "no dict": ["x"],
    }.items():
        yield (
            f"metadata {label}",
            t.outcome(lambda metadata=metadata: log(trace_id=trace_id, name="m", value=1, metadata=metadata).metadata),
        )
        entries = t.mlflow.get_trace(trace_id).info.assessments
        yield f"metadata {label}, read", [t.plain(entry.metadata) for entry in entries if entry.name == "m"][-1:]
    source, kinds = t.mlflow.entities.AssessmentSource, t.mlflow.entities.AssessmentSourceType
    for label, build in {
        "human": lambda: source("HUMAN"),
        "lower": lambda: source("human", "x"),
        "judge": lambda: source("LLM_JUDGE", "x"),
        "old judge": lambda: source("AI_JUDGE", "x"),
        "code": lambda: source("CODE"),
        "unspecified": lambda: source("SOURCE_TYPE_UNSPECIFIED"),
        "unknown": lambda: source("WHAT"),
        "none": lambda: source(None),
        "number": lambda: source(5),
        "constant": lambda: source(kinds.HUMAN, "x"),
        "empty id": lambda: source("CODE", ""),
        "none id": lambda: source("CODE", None),
        "keywords": lambda: source(source_type="CODE", source_id="s"),
    }.items():
        yield f"source {label}", t.outcome(lambda build=build: (lambda s: [s.source_type, s.source_id])(build()))
    yield "no source", t.outcome(lambda: log(trace_id=trace_id, name="s", value=1, source="HUMAN"))
    yield "source types", {key: str(value) for key, value in vars(kinds).items() if key[0].isalpha() and key.isupper()}
    yield "to dictionary", source("HUMAN", "x").to_dictionary()
    yield "from dictionary", t.outcome(lambda: source.from_dictionary({"source_type": "HUMAN", "source_id": "x"}))
    yield "from less", t.outcome(lambda: source.from_dictionary({"source_type": "HUMAN"}))


@case(differs={"number": Difference(INVALID, "the id of a span is a text")})
def on_a_span(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root") as span, t.mlflow.start_span("child") as child:
        pass
    logged = t.mlflow.log_feedback(trace_id=span.trace_id, name="f", value=1, span_id=child.span_id)
    yield "span id", logged.span_id == child.span_id
    trace = t.mlflow.get_trace(span.trace_id)
    yield "read", [entry.span_id == child.span_id for entry in trace.info.assessments]
    yield "searched", [len(trace.search_assessments(span_id=child.span_id)), len(trace.search_assessments(span_id="x"))]
    yield (
        "unknown span",
        t.outcome(lambda: t.mlflow.log_feedback(trace_id=span.trace_id, name="f", value=1, span_id="0" * 16)),
    )
    yield "number", t.outcome(lambda: t.mlflow.log_feedback(trace_id=span.trace_id, name="f", value=1, span_id=5))


_KNOWN_AT_ONCE = "an assessment has its id when it is logged, not when its trace happens to end"


@case(
    differs={
        "feedback/value/has_id": Difference(True, _KNOWN_AT_ONCE),
        "expectation/value/has_id": Difference(True, _KNOWN_AT_ONCE),
        "expectation/value/valid": Difference(True, _KNOWN_AT_ONCE),
        "entity/value/has_id": Difference(True, _KNOWN_AT_ONCE),
    }
)
def while_it_runs(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root") as span:
        yield "feedback", t.outcome(lambda: t.mlflow.log_feedback(trace_id=span.trace_id, name="f", value=1))
        yield "expectation", t.outcome(lambda: t.mlflow.log_expectation(trace_id=span.trace_id, name="e", value=1))
        entity = t.mlflow.entities.Feedback(name="g", value=2)
        yield "entity", t.outcome(lambda: t.mlflow.log_assessment(span.trace_id, entity))
    yield "after", _read(t, span.trace_id)
    found = t.mlflow.get_trace(span.trace_id).info.assessments
    yield "changeable", t.outcome(lambda: t.mlflow.delete_assessment(span.trace_id, found[0].assessment_id))
    yield "left", len(_read(t, span.trace_id))


@case(
    differs=accident("no entity", "none")
    | {"given one": Difference([False, False], "what is given is left as it is; what was logged is returned")}
)
def entities(t: Toolbox) -> Facts:
    trace_id = t.make()
    kinds = t.mlflow.entities
    feedback = kinds.Feedback(name="f", value=0.5, rationale="r", metadata={"a": "b"})
    yield "before", feedback
    logged = t.mlflow.log_assessment(trace_id, feedback)
    yield "logged", logged
    yield "given one", [feedback.trace_id == trace_id, feedback.assessment_id is not None]
    yield (
        "by keywords",
        t.outcome(lambda: t.mlflow.log_assessment(trace_id=trace_id, assessment=kinds.Expectation("e", 1))),
    )
    yield (
        "of another trace",
        t.outcome(
            lambda: (
                t.mlflow.log_assessment(trace_id, kinds.Feedback(name="g", value=1, trace_id=UNKNOWN)).trace_id
                == trace_id
            )
        ),
    )
    yield "no entity", t.outcome(lambda: t.mlflow.log_assessment(trace_id, {"name": "x", "value": 1}))
    yield "none", t.outcome(lambda: t.mlflow.log_assessment(trace_id, None))
    for name, build in {
        "feedback default": lambda: kinds.Feedback(),
        "feedback of none": lambda: kinds.Feedback(value=None),
        "feedback with both": lambda: kinds.Feedback(value=1, error=ValueError("x")),
        "feedback of text error": lambda: kinds.Feedback(error="text"),
        "feedback of an exception": lambda: kinds.Feedback(error=ValueError("x")),
        "feedback positional": lambda: kinds.Feedback("n", 1),
        "feedback valid": lambda: kinds.Feedback(value=1, valid=False, overrides="a-1"),
        "expectation": lambda: kinds.Expectation("e", {"a": [1]}),
        "expectation of none": lambda: kinds.Expectation("e", None),
        "expectation without value": lambda: kinds.Expectation("e"),
        "assessment of nothing": lambda: kinds.Assessment("a", kinds.AssessmentSource("CODE")),
        "assessment": lambda: kinds.Assessment(
            "a", kinds.AssessmentSource("CODE"), feedback=kinds.assessment.FeedbackValue(1)
        ),
        "assessment of both": lambda: kinds.Assessment(
            "a",
            kinds.AssessmentSource("CODE"),
            feedback=kinds.assessment.FeedbackValue(1),
            expectation=kinds.assessment.ExpectationValue(1),
        ),
        "metadata of numbers": lambda: kinds.Feedback(value=1, metadata={"k": 1, "n": None}),
    }.items():
        yield name, t.outcome(build)
    yield "value set", _set_value(kinds.Feedback(value=1), 2).value
    yield "expectation set", _set_value(kinds.Expectation("e", 1), [2]).value


def _set_value(entity: Any, value: Any) -> Any:
    entity.value = value
    return entity


_NUMBERS = "MLflow's dictionary goes by way of a protobuf, which makes a float of every number"
_VALID = "the dictionary says `valid`, and MLflow forgets it on the way back"


@case(
    differs={
        "feedback/value/feedback/value/a": Difference(1, _NUMBERS),
        "feedback, and back/value/value/a": Difference(1, _NUMBERS),
        "expectation, and back/value/valid": Difference(True, _VALID),
        "structured expectation, and back/value/valid": Difference(True, _VALID),
    }
)
def dictionaries(t: Toolbox) -> Facts:
    trace_id = t.make()
    kinds = t.mlflow.entities
    for name, entity in {
        "feedback": t.mlflow.log_feedback(
            trace_id=trace_id, name="f", value={"a": 1}, rationale="r", metadata={"k": "v"}
        ),
        "error": t.mlflow.log_feedback(trace_id=trace_id, name="f", error=kinds.AssessmentError("C", "m", "s")),
        "both on a span": t.mlflow.log_feedback(trace_id=trace_id, name="f", value="x", span_id="0" * 16),
        "expectation": t.mlflow.log_expectation(trace_id=trace_id, name="e", value="x"),
        "structured expectation": t.mlflow.log_expectation(trace_id=trace_id, name="e", value={"a": [1, None]}),
        "never logged": kinds.Feedback(
            name="f", value=1.5, create_time_ms=1_700_000_000_000, last_update_time_ms=1_700_000_000_001
        ),
    }.items():
        yield name, t.outcome(entity.to_dictionary)
        yield (
            f"{name}, and back",
            t.outcome(lambda entity=entity: kinds.Assessment.from_dictionary(entity.to_dictionary())),
        )
    yield "of nothing", t.outcome(lambda: kinds.Assessment.from_dictionary({}))
    yield (
        "of both kinds",
        t.outcome(
            lambda: kinds.Assessment.from_dictionary({"assessment_name": "x", "source": {"source_type": "CODE"}})
        ),
    )


@case()
def update(t: Toolbox) -> Facts:
    trace_id = t.make()
    kinds = t.mlflow.entities
    change = t.mlflow.update_assessment
    feedback = t.mlflow.log_feedback(
        trace_id=trace_id, name="f", value=1, rationale="old", metadata={"a": "1", "b": "1"}
    )
    changed = change(
        trace_id, feedback.assessment_id, kinds.Feedback(name="f", value=2, rationale="new", metadata={"b": "2"})
    )
    yield "changed", changed
    yield "same id", changed.assessment_id == feedback.assessment_id
    yield "created when it was", changed.create_time_ms == feedback.create_time_ms
    yield "updated later", changed.last_update_time_ms >= feedback.last_update_time_ms
    yield "read", _read(t, trace_id)
    yield "renamed", t.outcome(lambda: change(trace_id, feedback.assessment_id, kinds.Feedback(name="g", value=3)))
    yield (
        "other source",
        t.outcome(
            lambda: change(
                trace_id,
                feedback.assessment_id,
                kinds.Feedback(name="f", value=3, source=kinds.AssessmentSource("HUMAN", "x")),
            )
        ),
    )
    yield "less", t.outcome(lambda: change(trace_id, feedback.assessment_id, kinds.Feedback(name="f", value=4)))
    yield (
        "to an error",
        t.outcome(
            lambda: change(trace_id, feedback.assessment_id, kinds.Feedback(name="f", error=kinds.AssessmentError("C")))
        ),
    )
    yield "read then", _read(t, trace_id)
    yield "wrong kind", t.outcome(lambda: change(trace_id, feedback.assessment_id, kinds.Expectation("f", 1)))
    expectation = t.mlflow.log_expectation(trace_id=trace_id, name="e", value="x")
    yield (
        "expectation",
        t.outcome(lambda: change(trace_id, expectation.assessment_id, kinds.Expectation("e", {"a": 1}))),
    )
    yield "other wrong kind", t.outcome(lambda: change(trace_id, expectation.assessment_id, kinds.Feedback("e", 1)))
    yield "unknown", t.outcome(lambda: change(trace_id, "a-" + "0" * 32, kinds.Feedback("f", 1)))
    yield "unknown trace", t.outcome(lambda: change(UNKNOWN, feedback.assessment_id, kinds.Feedback("f", 1)))
    yield "of another trace", t.outcome(lambda: change(t.make(), feedback.assessment_id, kinds.Feedback("f", 1)))
    yield "no entity", t.outcome(lambda: change(trace_id, feedback.assessment_id, {"name": "f"}))
    yield (
        "by keywords",
        t.outcome(
            lambda: change(
                trace_id=trace_id,
                assessment_id=feedback.assessment_id,
                assessment=kinds.Feedback("f", "v", metadata={"c": "3"}),
            )
        ),
    )


@case()
def override(t: Toolbox) -> Facts:
    trace_id = t.make()
    first = t.mlflow.log_feedback(trace_id=trace_id, name="f", value=1, rationale="old", metadata={"a": "1"})
    second = t.mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=2)
    yield "minimal", second
    yield "overrides", [second.overrides == first.assessment_id, second.assessment_id != first.assessment_id]
    yield "read", _read(t, trace_id)
    third = t.mlflow.override_feedback(
        trace_id=trace_id,
        assessment_id=second.assessment_id,
        value="better",
        rationale="new",
        source=t.mlflow.entities.AssessmentSource("HUMAN", "x"),
        metadata={"b": "2"},
    )
    yield "full", third
    trace = t.mlflow.get_trace(trace_id)
    yield "valid ones", [t.plain(entry.value) for entry in trace.search_assessments("f")]
    yield "all", [t.plain(entry.value) for entry in trace.search_assessments("f", all=True)]
    yield "validity", [[t.plain(entry.value), entry.valid] for entry in trace.info.assessments]
    override = t.mlflow.override_feedback
    yield "again", t.outcome(lambda: override(trace_id=trace_id, assessment_id=first.assessment_id, value=9))
    yield "after it", [[t.plain(entry.value), entry.valid] for entry in t.mlflow.get_trace(trace_id).info.assessments]
    expectation = t.mlflow.log_expectation(trace_id=trace_id, name="e", value="x")
    yield (
        "an expectation",
        t.outcome(lambda: override(trace_id=trace_id, assessment_id=expectation.assessment_id, value=9)),
    )
    yield "unknown", t.outcome(lambda: override(trace_id=trace_id, assessment_id="a-" + "0" * 32, value=9))
    yield "unknown trace", t.outcome(lambda: override(trace_id=UNKNOWN, assessment_id=first.assessment_id, value=9))
    yield "value none", t.outcome(lambda: override(trace_id=trace_id, assessment_id=third.assessment_id, value=None))
    count = len(t.mlflow.get_trace(trace_id).info.assessments)
    yield "delete the overriding", t.outcome(lambda: t.mlflow.delete_assessment(trace_id, third.assessment_id))
    entries = t.mlflow.get_trace(trace_id).info.assessments
    yield "restored", [count - len(entries), [[t.plain(entry.value), entry.valid] for entry in entries]]


@case()
def get_and_delete(t: Toolbox) -> Facts:
    trace_id = t.make()
    logged = t.mlflow.log_feedback(trace_id=trace_id, name="f", value=1)
    get, delete = t.mlflow.get_assessment, t.mlflow.delete_assessment
    yield "get", get(trace_id, logged.assessment_id)
    yield "get by keywords", t.outcome(lambda: get(trace_id=trace_id, assessment_id=logged.assessment_id).name)
    yield "get unknown", t.outcome(lambda: get(trace_id, "a-" + "0" * 32))
    yield "get of unknown trace", t.outcome(lambda: get(UNKNOWN, logged.assessment_id))
    other = t.make()
    yield "get of another trace", t.outcome(lambda: get(other, logged.assessment_id))
    yield "get nonsense", t.outcome(lambda: get(trace_id, "nonsense"))
    yield "delete of another trace", t.outcome(lambda: delete(other, logged.assessment_id))
    yield "delete", t.outcome(lambda: delete(trace_id, logged.assessment_id))
    yield "gone", t.outcome(lambda: get(trace_id, logged.assessment_id))
    yield "delete again", t.outcome(lambda: delete(trace_id, logged.assessment_id))
    yield "delete of unknown trace", t.outcome(lambda: delete(UNKNOWN, logged.assessment_id))


@case()
def searching_them(t: Toolbox) -> Facts:
    trace_id = t.make()
    t.mlflow.log_feedback(trace_id=trace_id, name="a", value=1)
    t.mlflow.log_feedback(trace_id=trace_id, name="b", value=2)
    t.mlflow.log_expectation(trace_id=trace_id, name="a", value=3)
    trace = t.mlflow.get_trace(trace_id)
    find = lambda *args, **kwargs: [entry.value for entry in trace.search_assessments(*args, **kwargs)]
    yield "all", find()
    yield "by name", find("a")
    yield "feedback", find(type="feedback")
    yield "expectation", find(type="expectation")
    yield "both", find("a", type="feedback")
    yield "unknown kind", t.outcome(lambda: find(type="nonsense"))
    yield "unknown name", find("z")


@case()
def order(t: Toolbox) -> Facts:
    trace_id = t.make()
    for n in range(4):
        t.mlflow.log_feedback(trace_id=trace_id, name=f"f{n}", value=n)
    yield "as logged", [entry.name for entry in t.mlflow.get_trace(trace_id).info.assessments]
    yield "in a search", [entry.name for entry in t.traces()[0].info.assessments]
