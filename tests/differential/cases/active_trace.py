"""What may be changed on the trace that runs now, and on one by its id."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731

from __future__ import annotations

from typing import Any

from toolbox import ANYTHING, INVALID, Difference, Facts, Toolbox, accident, case, each, value


def _updated(t: Toolbox, **changes: Any) -> dict[str, Any]:
    with t.mlflow.start_span("root") as span:
        span.set_inputs("in")
        span.set_outputs("out")
        outcome = t.outcome(lambda: t.mlflow.update_current_trace(**changes))
    return {"outcome": outcome, "info": t.info(t.last().info)}


_STRINGIFIED = "MLflow says that it makes a text of it, and loses the whole record of the trace or stores a null"


@case(
    differs=each("None", _STRINGIFIED, "tags none/info/tags/a", "metadata none/info/metadata/m")
    | each("{'x': 1}", _STRINGIFIED, "tags dict/info/tags/a")
    | each("[1]", _STRINGIFIED, "metadata list/info/metadata/m")
    | each(
        ANYTHING,
        _STRINGIFIED,
        *(
            f"{label}/info/{member}"
            for label in ("tags dict", "metadata list")
            for member in (
                "metadata/mlflow.source.type",
                "metadata/mlflow.trace.sizeBytes",
                "metadata/mlflow.trace.sizeStats",
                "metadata/mlflow.traceInputs",
                "metadata/mlflow.traceOutputs",
                "metadata/mlflow.trace_schema.version",
                "tags/mlflow.traceName",
            )
        ),
        "tag keys not text/info/metadata/mlflow.trace.sizeBytes",
        "tag keys not text/info/metadata/mlflow.trace.sizeStats",
    )
)
def update(t: Toolbox) -> Facts:
    entities = t.mlflow.entities
    for name, changes in {
        "tags": {"tags": {"a": "1"}},
        "tags number": {"tags": {"a": 1}},
        "tags none": {"tags": {"a": None}},
        "tags dict": {"tags": {"a": {"x": 1}}},
        "tag keys not text": {"tags": {5: "x"}},
        "tags no dict": {"tags": ["a"]},
        "tags empty": {"tags": {}},
        "reserved tags": {"tags": {"mlflow.traceName": "renamed", "mlflow.other": "x"}},
        "metadata": {"metadata": {"m": "1"}},
        "metadata number": {"metadata": {"m": 1}},
        "metadata none": {"metadata": {"m": None}},
        "metadata list": {"metadata": {"m": [1]}},
        "session and user": {"metadata": {"mlflow.trace.session": "s", "mlflow.trace.user": "u"}},
        "reserved metadata": {"metadata": {"mlflow.traceInputs": "x", "mlflow.source.type": "y"}},
        "client request id": {"client_request_id": "req-1"},
        "client request id number": {"client_request_id": 5},
        "client request id empty": {"client_request_id": ""},
        "previews": {"request_preview": "asks", "response_preview": "answers"},
        "long previews": {"request_preview": "a" * 20000, "response_preview": "b" * 1001},
        "preview no text": {"request_preview": {"a": 1}},
        "response preview no text": {"response_preview": 5},
        "preview empty": {"request_preview": ""},
        "state error": {"state": "ERROR"},
        "state ok": {"state": "OK"},
        "state lower": {"state": "error"},
        "state enum": {"state": entities.TraceState.ERROR},
        "state in progress": {"state": "IN_PROGRESS"},
        "state enum in progress": {"state": entities.TraceState.IN_PROGRESS},
        "state unspecified": {"state": "STATE_UNSPECIFIED"},
        "state unknown": {"state": "WHAT"},
        "state number": {"state": 5},
        "model id": {"model_id": "m-1"},
        "nothing": {},
    }.items():
        yield name, _updated(t, **changes)


@case()
def update_is_merged(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root"):
        t.mlflow.update_current_trace(tags={"a": "1", "b": "1"}, metadata={"m": "1"})
        with t.mlflow.start_span("child"):
            t.mlflow.update_current_trace(tags={"b": "2", "c": "2"}, metadata={"m": "2", "n": "2"})
    yield "merged", t.last().info


@case()
def update_outside(t: Toolbox) -> Facts:
    yield "outside", t.outcome(lambda: t.mlflow.update_current_trace(tags={"a": "1"}), warn=True)
    yield "bad state outside", t.outcome(lambda: t.mlflow.update_current_trace(state="WHAT"))
    span = t.mlflow.start_span_no_context("manual")
    yield "no context", t.outcome(lambda: t.mlflow.update_current_trace(tags={"a": "1"}), warn=True)
    span.end()
    yield "untouched", t.mlflow.get_trace(span.trace_id).info.tags.get("a")


@case()
def state_and_status(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root"):
        t.mlflow.update_current_trace(state="ERROR")
    yield "state alone", [t.last().info.state.value, t.tree(t.last())]

    def fail() -> None:
        with t.mlflow.start_span("root"):
            t.mlflow.update_current_trace(state="OK")
            raise ValueError("x")

    t.outcome(fail)
    yield "ok though it failed", [t.last().info.state.value, t.tree(t.last())]
    with t.mlflow.start_span("root"):
        t.mlflow.update_current_trace(state="ERROR")
        t.mlflow.update_current_trace(state="OK")
    yield "the last counts", t.last().info.state.value


@case()
def long_tags_in_the_running(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root"):
        t.mlflow.update_current_trace(
            tags={"k" * 251: "long key", "long": "v" * 9000}, metadata={"k" * 251: "x", "long": "m" * 9000}
        )
    info = t.last().info
    yield "tags", {key: len(value) for key, value in info.tags.items() if not key.startswith("mlflow.")}
    yield "metadata", {key: len(value) for key, value in info.trace_metadata.items() if not key.startswith("mlflow.")}


_ONE_RULE = "the same key or value is refused or cut by MLflow once the trace is stored; ours has one rule for both"


@case(
    differs=each(INVALID, _ONE_RULE, "key number", "long key", "empty key")
    | {
        "tags/6": Difference("<absent>", _ONE_RULE),
        "tags/kkkkkkkkkkkkkkkkkkkk": Difference("<absent>", _ONE_RULE),
        "tags/empty": Difference("<absent>", _ONE_RULE),
        "tags/v": Difference(8000, _ONE_RULE),
        "tags/mlflow.traceName": Difference(4, "the name of a trace is not a tag that one can delete"),
    }
)
def tags_of_the_active(t: Toolbox) -> Facts:
    with t.mlflow.start_span("root") as span:
        yield "set", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, "a", "1"))
        t.mlflow.set_trace_tag(span.trace_id, "gone", "1")
        yield "delete", t.outcome(lambda: t.mlflow.delete_trace_tag(span.trace_id, "gone"))
        yield "delete absent", t.outcome(lambda: t.mlflow.delete_trace_tag(span.trace_id, "absent"))
        yield "number", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, "n", 5))
        yield "key number", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, 6, "x"))
        yield "reserved", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, "mlflow.x", "x"), warn=True)
        yield "delete reserved", t.outcome(lambda: t.mlflow.delete_trace_tag(span.trace_id, "mlflow.traceName"))
        yield "long key", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, "k" * 251, "x"))
        yield "long value", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, "v", "v" * 9000))
        yield "empty key", t.outcome(lambda: t.mlflow.set_trace_tag(span.trace_id, "", "x"))
    trace = t.mlflow.get_trace(span.trace_id)
    yield (
        "tags",
        {key[:20] or "empty": len(value) for key, value in trace.info.tags.items() if key != "mlflow.artifactLocation"},
    )


@case(
    differs=accident("key number")
    | accident("unknown trace", "malformed trace", "trace None", code="RESOURCE_DOES_NOT_EXIST")
)
def tags_of_the_stored(t: Toolbox) -> Facts:
    trace_id = t.make()
    tags = lambda: t.mlflow.get_trace(trace_id).info.tags
    yield "set", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "a", "1"))
    yield "read", tags().get("a")
    t.mlflow.set_trace_tag(trace_id, "a", "2")
    yield "changed", tags().get("a")
    yield "delete", t.outcome(lambda: t.mlflow.delete_trace_tag(trace_id, "a"))
    yield "deleted", "a" in tags()
    yield "delete again", t.outcome(lambda: t.mlflow.delete_trace_tag(trace_id, "a"))
    yield "number", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "n", 5))
    yield "number read", tags().get("n")
    yield "none", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "none", None))
    yield "none read", tags().get("none")
    yield "key number", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, 6, "x"))
    yield "key none", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, None, "x"))
    yield "empty key", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "", "x"))
    yield "empty value", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "e", ""))
    yield "empty value read", tags().get("e")
    yield "reserved", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "mlflow.x", "x"), warn=True)
    yield "rename", t.outcome(lambda: t.mlflow.set_trace_tag(trace_id, "mlflow.traceName", "renamed"))
    yield "renamed", tags().get("mlflow.traceName")
    for size in (250, 251):
        key = "k" * size
        yield f"key of {size}", t.outcome(lambda key=key: t.mlflow.set_trace_tag(trace_id, key, "x"))
        yield f"key of {size} read", sorted(len(key) for key in tags() if key.startswith("kk"))
    for size in (250, 4096, 8000, 8001):
        yield f"value of {size}", t.outcome(lambda size=size: t.mlflow.set_trace_tag(trace_id, f"v{size}", "x" * size))
        yield f"value of {size} read", len(tags().get(f"v{size}", ""))
    for key in ("with space", "slash/ed", "dotted.key", "colon:ed", "emoji 🐎", "quo'te", "per%cent", "../up"):
        yield f"key {key}", t.outcome(lambda key=key: t.mlflow.set_trace_tag(trace_id, key, "x"))
    unknown = "tr-" + "0" * 32
    yield "unknown trace", t.outcome(lambda: t.mlflow.set_trace_tag(unknown, "a", "1"))
    yield "delete of unknown trace", t.outcome(lambda: t.mlflow.delete_trace_tag(unknown, "a"))
    yield "malformed trace", t.outcome(lambda: t.mlflow.set_trace_tag("nonsense", "a", "1"))
    yield "trace None", t.outcome(lambda: t.mlflow.set_trace_tag(None, "a", "1"))
    yield "old keyword", t.outcome(lambda: t.mlflow.set_trace_tag(request_id=trace_id, key="old", value="1"))


@case(
    differs={
        "number": Difference({**value(None), "warned": True}, "an error of its insides escapes; no trace has that id"),
    }
)
def get_trace(t: Toolbox) -> Facts:
    trace_id = t.make()
    trace = t.mlflow.get_trace(trace_id)
    yield "found", trace
    yield "id", [trace.info.trace_id == trace_id, trace.info.request_id == trace_id]
    unknown = "tr-" + "0" * 32
    yield "unknown", t.outcome(lambda: t.mlflow.get_trace(unknown), warn=True)
    yield "silent", t.outcome(lambda: t.mlflow.get_trace(unknown, silent=True), warn=True)
    yield "malformed", t.outcome(lambda: t.mlflow.get_trace("nonsense"), warn=True)
    yield "none", t.outcome(lambda: t.mlflow.get_trace(None), warn=True)
    yield "number", t.outcome(lambda: t.mlflow.get_trace(5), warn=True)
    yield "empty", t.outcome(lambda: t.mlflow.get_trace(""), warn=True)
    yield "old keyword", t.outcome(lambda: t.mlflow.get_trace(request_id=trace_id) is not None)
    yield "client, unknown", t.outcome(lambda: t.client.get_trace(unknown))


@case(differs={"of a run": Difference(value([]), "no trace is linked to it; runs are not looked up")})
def sessions_and_users(t: Toolbox) -> Facts:
    for session, user in (("s1", "u1"), ("s1", "u2"), ("s2", "u1")):
        with t.mlflow.start_span("root"):
            t.mlflow.update_current_trace(metadata={"mlflow.trace.session": session, "mlflow.trace.user": user})
    t.make("without")
    find = lambda text: len(t.traces(filter_string=text))
    yield "by session", find("metadata.`mlflow.trace.session` = 's1'")
    yield "by user", find("metadata.`mlflow.trace.user` = 'u1'")
    sessions = t.mlflow.search_sessions(locations=[t.experiment_id])
    yield "sessions", [[session.id, len(session)] for session in sessions]
    yield "type", [type(sessions).__name__, type(sessions[0]).__name__]
    yield "iteration", [type(trace).__name__ for trace in sessions[1]]
    yield "indexing", type(sessions[1][0]).__name__
    yield "order within", [trace.info.trace_metadata["mlflow.trace.user"] for trace in sessions[1].traces]
    yield "at most one", [session.id for session in t.mlflow.search_sessions(1, locations=[t.experiment_id])]
    yield (
        "without spans",
        [
            len(trace.data.spans)
            for session in t.mlflow.search_sessions(include_spans=False, locations=[t.experiment_id])
            for trace in session
        ],
    )
    yield "default location", len(t.mlflow.search_sessions())
    yield "at most zero", t.outcome(lambda: len(t.mlflow.search_sessions(0)))
    yield "negative", t.outcome(lambda: len(t.mlflow.search_sessions(-1)))
    yield "unknown experiment", t.outcome(lambda: t.mlflow.search_sessions(locations=["98765"]))
    yield "no locations", t.outcome(lambda: len(t.mlflow.search_sessions(locations=[])))
    yield "of a run", t.outcome(lambda: t.mlflow.search_sessions(run_id="none"))
    yield "of a model", t.outcome(lambda: t.mlflow.search_sessions(model_id="none"))
    yield "representation", repr(sessions[0])
    yield "of no traces", t.outcome(lambda: t.mlflow.entities.Session([]).id)
