"""The client: spans by their ids, deletion, tags, links."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

import types

from toolbox import ANYTHING, INVALID, Difference, Facts, Toolbox, accident, case, value

UNKNOWN = "tr-" + "0" * 32


@case()
def by_ids(t: Toolbox) -> Facts:
    root = t.client.start_trace(
        "root", span_type="AGENT", inputs={"q": 1}, attributes={"a": 1}, tags={"t": "1", "n": 5}
    )
    yield "class", [type(root).__name__, root.parent_id]
    yield "not active", t.mlflow.get_current_active_span()
    child = t.client.start_span("child", trace_id=root.trace_id, parent_id=root.span_id, span_type="TOOL", inputs=5)
    yield "parent", child.parent_id == root.span_id
    leaf = t.client.start_span("leaf", root.trace_id, child.span_id, attributes={"b": [1]})
    yield "end span", t.outcome(lambda: t.client.end_span(root.trace_id, leaf.span_id, outputs="o", status="ERROR"))
    yield "end span again", t.outcome(lambda: t.client.end_span(root.trace_id, leaf.span_id))
    t.client.end_span(root.trace_id, child.span_id, attributes={"late": 1})
    yield "last before", t.mlflow.get_last_active_trace_id() == root.trace_id
    yield "end trace", t.outcome(lambda: t.client.end_trace(root.trace_id, outputs={"r": 1}, attributes={"z": 1}))
    yield "last", t.mlflow.get_last_active_trace_id() == root.trace_id
    yield "trace", t.client.get_trace(root.trace_id)
    yield "end trace again", t.outcome(lambda: t.client.end_trace(root.trace_id))
    yield "span after the end", t.outcome(lambda: t.client.start_span("late", root.trace_id, root.span_id))
    yield "end span after the end", t.outcome(lambda: t.client.end_span(root.trace_id, child.span_id))


@case(
    differs={
        "name number": Difference(value("5"), "a name is a text"),
        "under an active span": Difference(value(True), "a trace of its own was asked for, and is what one gets"),
        "status WHAT": Difference(INVALID, "MLflow writes a line into the log, and the trace never ends"),
        "status WHAT, read": Difference(["IN_PROGRESS", []], "ours shows traces while they run"),
    }
)
def refused(t: Toolbox) -> Facts:
    root = t.client.start_trace("root")
    yield "unknown trace", t.outcome(lambda: t.client.start_span("c", UNKNOWN, root.span_id))
    yield "unknown parent", t.outcome(lambda: t.client.start_span("c", root.trace_id, "0" * 16))
    yield "no parent", t.outcome(lambda: t.client.start_span("c", root.trace_id, None))
    yield "missing parent", t.outcome(lambda: t.client.start_span("c", root.trace_id))
    yield "end unknown trace", t.outcome(lambda: t.client.end_trace(UNKNOWN))
    yield "end unknown span", t.outcome(lambda: t.client.end_span(root.trace_id, "0" * 16))
    yield "end span of unknown trace", t.outcome(lambda: t.client.end_span(UNKNOWN, root.span_id))
    yield "end root by end_span", t.outcome(lambda: t.client.end_span(root.trace_id, root.span_id))
    yield "ended by it", t.tree(t.mlflow.get_trace(root.trace_id, silent=True))
    for status in ("OK", "ERROR", "UNSET", "WHAT", t.mlflow.entities.SpanStatus("ERROR", "why"), None):
        span = t.client.start_trace("status")
        name = t.plain(status) if isinstance(status, str) else type(status).__name__
        yield (
            f"status {name}",
            t.outcome(lambda span=span, status=status: t.client.end_trace(span.trace_id, status=status)),
        )
        trace = t.mlflow.get_trace(span.trace_id, silent=True)
        yield (
            f"status {name}, read",
            ([trace.info.state.value, [t.status(span.status) for span in trace.data.spans]] if trace else None),
        )
    yield "no name", t.outcome(lambda: t.client.start_trace())
    yield "name number", t.outcome(lambda: t.client.start_trace(5).name)
    with t.mlflow.start_span("active"):
        yield "under an active span", t.outcome(lambda: t.client.start_trace("x").parent_id is None)


_OPEN = "a child that is open when the root ends makes the whole trace unreadable in MLflow"


@case(differs={"tree": Difference(["root < None [UNKNOWN OK]"], _OPEN), "ended": Difference([True], _OPEN)})
def open_children(t: Toolbox) -> Facts:
    root = t.client.start_trace("root")
    t.client.start_span("open", root.trace_id, root.span_id)
    yield "end", t.outcome(lambda: t.client.end_trace(root.trace_id))
    trace = t.mlflow.get_trace(root.trace_id, silent=True)
    yield "tree", t.tree(trace)
    yield "ended", [span.end_time_ns is not None for span in trace.data.spans] if trace else None


@case()
def times_and_experiment(t: Toolbox) -> Facts:
    other = t.mlflow.create_experiment("times_and_experiment other")
    second = 10**9
    root = t.client.start_trace("root", experiment_id=other, start_time_ns=1_600_000_000 * second)
    child = t.client.start_span("c", root.trace_id, root.span_id, start_time_ns=1_600_000_001 * second)
    t.client.end_span(root.trace_id, child.span_id, end_time_ns=1_600_000_002 * second)
    t.client.end_trace(root.trace_id, end_time_ns=1_600_000_003 * second)
    trace = t.client.get_trace(root.trace_id)
    yield "experiment", trace.info.experiment_id == other
    yield "request time", trace.info.request_time == 1_600_000_000_000
    yield "duration", trace.info.execution_duration
    yield "spans", [(span.end_time_ns - span.start_time_ns) // second for span in trace.data.spans]


@case(
    differs={
        "before the epoch": Difference(value(0), "MLflow takes 0 for no limit and deletes everything"),
        **accident("no experiment"),
    }
)
def deletion(t: Toolbox) -> Facts:
    here = t.experiment_id
    ids = [t.make(f"n{n}") for n in range(5)]
    delete = t.client.delete_traces
    yield "by id", t.outcome(lambda: delete(here, trace_ids=[ids[0]]))
    yield "gone", t.mlflow.get_trace(ids[0], silent=True)
    yield "again", t.outcome(lambda: delete(here, trace_ids=[ids[0]]))
    yield "unknown", t.outcome(lambda: delete(here, trace_ids=[UNKNOWN]))
    other = t.mlflow.create_experiment("deletion other")
    yield "of another experiment", t.outcome(lambda: delete(other, trace_ids=[ids[1]]))
    yield "unknown experiment", t.outcome(lambda: delete("98765", trace_ids=[ids[1]]))
    yield "nothing", t.outcome(lambda: delete(here))
    yield "only a number", t.outcome(lambda: delete(here, max_traces=1))
    yield "both", t.outcome(lambda: delete(here, max_timestamp_millis=1, trace_ids=[ids[1]]))
    yield "number and ids", t.outcome(lambda: delete(here, max_traces=1, trace_ids=[ids[1]]))
    yield "no ids", t.outcome(lambda: delete(here, trace_ids=[]))
    yield "zero traces", t.outcome(lambda: delete(here, max_timestamp_millis=2**50, max_traces=0))
    yield "negative", t.outcome(lambda: delete(here, max_timestamp_millis=2**50, max_traces=-1))
    yield "long ago", t.outcome(lambda: delete(here, max_timestamp_millis=1))
    yield "the oldest", t.outcome(lambda: delete(here, max_timestamp_millis=2**50, max_traces=1))
    yield "left", [trace.info.tags["mlflow.traceName"] for trace in t.traces()]
    yield "at a time", t.outcome(lambda: delete(here, max_timestamp_millis=t.traces()[0].info.request_time) >= 1)
    yield "all", t.outcome(lambda: delete(here, max_timestamp_millis=2**50) >= 0)
    yield "none left", len(t.traces())
    t.make()
    yield "before the epoch", t.outcome(lambda: delete(here, max_timestamp_millis=0))
    yield "no experiment", t.outcome(lambda: delete(None, trace_ids=[ids[1]]))
    yield "old keyword", t.outcome(lambda: delete(here, request_ids=[ids[1]]))


@case()
def tags(t: Toolbox) -> Facts:
    trace_id = t.make()
    yield "set", t.outcome(lambda: t.client.set_trace_tag(trace_id, "a", "1"))
    yield "read", t.client.get_trace(trace_id).info.tags.get("a")
    yield "delete", t.outcome(lambda: t.client.delete_trace_tag(trace_id, "a"))
    yield "delete again", t.outcome(lambda: t.client.delete_trace_tag(trace_id, "a"))
    span = t.client.start_trace("open")
    yield "set on a running one", t.outcome(lambda: t.client.set_trace_tag(span.trace_id, "b", "2"))
    t.client.end_trace(span.trace_id)
    yield "read then", t.client.get_trace(span.trace_id).info.tags.get("b")
    yield "unknown", t.outcome(lambda: t.client.get_trace(UNKNOWN))
    yield "displayed", t.outcome(lambda: t.client.get_trace(trace_id, display=False) is not None)


@case(
    differs={
        "unlink": Difference(value(None), "MLflow has it for one of its stores only"),
        "unlinked": Difference(value(2), "MLflow has it for one of its stores only"),
    }
)
def links_to_runs(t: Toolbox) -> Facts:
    ids = [t.make(f"n{n}") for n in range(3)]
    run_id = "1" * 32
    link = t.client.link_traces_to_run
    size = lambda: len(t.traces(filter_string=f"run_id = '{run_id}'"))
    yield "link", t.outcome(lambda: link(ids[:2], run_id))
    yield "linked", size()
    yield "again", t.outcome(lambda: link(ids[:1], run_id))
    yield "linked once", size()
    yield "none", t.outcome(lambda: link([], run_id))
    yield "no run", t.outcome(lambda: link(ids, ""))
    yield "run None", t.outcome(lambda: link(ids, None))
    yield "unknown run", t.outcome(lambda: link(ids[2:], "0" * 32))
    yield "unknown trace", t.outcome(lambda: link([UNKNOWN], run_id))
    yield "hundred", t.outcome(lambda: link([ids[0]] * 100, run_id))
    yield "too many", t.outcome(lambda: link([ids[0]] * 101, run_id))
    yield "positional", t.outcome(lambda: t.client.link_traces_to_run(trace_ids=ids[2:], run_id=run_id))
    yield "all linked", size()
    yield "unlink", t.outcome(lambda: t.client.unlink_traces_from_run(ids[:1], run_id))
    yield "unlinked", t.outcome(size)
    yield "metadata", t.info(t.client.get_trace(ids[1]).info)["metadata"].get("mlflow.sourceRun")


@case(
    differs={
        "filter prompt != 'p/1'": Difference(ANYTHING, "more of the filter language holds for prompts in ours"),
        "filter prompt LIKE 'p%'": Difference(value(1), "more of the filter language holds for prompts in ours"),
    }
)
def links_to_prompts(t: Toolbox) -> Facts:
    version = lambda name, number: types.SimpleNamespace(name=name, version=number)
    trace_id = t.make()
    link = t.client.link_prompt_versions_to_trace
    tag = lambda: t.client.get_trace(trace_id).info.tags.get("mlflow.linkedPrompts")
    yield "link", t.outcome(lambda: link([version("p", 1), version("q", 2)], trace_id))
    yield "tag", tag()
    yield "again", t.outcome(lambda: link([version("q", 2), version("r", 3)], trace_id))
    yield "tag then", tag()
    yield "none", t.outcome(lambda: link([], trace_id))
    yield "text", t.outcome(lambda: link(["p/1"], trace_id))
    yield "unknown trace", t.outcome(lambda: link([version("p", 1)], UNKNOWN))
    for text in (
        "prompt = 'p/1'",
        "prompt = 'z/1'",
        "prompt = 'p'",
        "prompt != 'p/1'",
        "prompt LIKE 'p%'",
        "prompt = 1",
    ):
        yield f"filter {text}", t.outcome(lambda text=text: len(t.traces(filter_string=text)))


@case(needs=("start_run",))
def traced_in_a_run(t: Toolbox) -> Facts:
    with t.mlflow.start_run() as run:
        trace_id = t.make()
    trace = t.mlflow.get_trace(trace_id)
    yield "metadata", trace.info.trace_metadata.get("mlflow.sourceRun") == run.info.run_id
    yield "found", len(t.traces(run_id=run.info.run_id))
    yield "by filter", len(t.traces(filter_string=f"run_id = '{run.info.run_id}'"))
