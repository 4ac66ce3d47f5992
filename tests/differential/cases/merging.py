"""Adding a finished trace to the one that runs, and logging a trace in one call."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

from typing import Any

from toolbox import ANYTHING, INVALID, Difference, Facts, Toolbox, accident, case, each, value


def _remote(t: Toolbox, *, fail: bool = False) -> Any:
    """A finished trace of three spans with an event, outside of whatever is active."""
    root = t.mlflow.start_span_no_context("remote", span_type="AGENT", inputs={"q": 1}, tags={"where": "there"})
    child = t.mlflow.start_span_no_context("step", parent_span=root, span_type="TOOL", attributes={"k": [1]})
    leaf = t.mlflow.start_span_no_context("leaf", parent_span=child)
    leaf.add_event(t.mlflow.entities.SpanEvent("note", attributes={"a": 1}))
    if fail:
        leaf.record_exception(ValueError("remote"))
    leaf.end()
    child.end(outputs=[2], status="ERROR" if fail else "OK")
    root.end(outputs="done")
    return t.mlflow.get_trace(root.trace_id)


def _relative(trace: Any) -> list[list[Any]]:
    start = min(span.start_time_ns for span in trace.data.spans)
    return [[span.name, span.start_time_ns - start, span.end_time_ns - span.start_time_ns] for span in trace.data.spans]


_STAMPED = "an attribute of MLflow's inside that is left behind"


def _stamped(label: str, *indexes: int) -> dict[str, Difference]:
    names = [f"{label}/spans[{index}]/attributes/mlflow.spanStartTimeNs" for index in indexes]
    return each("<absent>", _STAMPED, *names)


@case(
    differs=_stamped("merged", 1, 2, 3)
    | {"new span ids": Difference([True, True, True], "with the old ids a trace could not be added twice")}
)
def into_the_current(t: Toolbox) -> Facts:
    remote = _remote(t)
    with t.mlflow.start_span("local") as span:
        yield "returns", t.outcome(lambda: t.mlflow.add_trace(remote))
        with t.mlflow.start_span("after"):
            pass
    trace = t.mlflow.get_trace(span.trace_id)
    yield "merged", trace
    yield "one trace id", {span.trace_id for span in trace.data.spans} == {trace.info.trace_id}
    theirs, ours = _relative(remote), [row for row in _relative(trace) if row[0] in {"remote", "step", "leaf"}]
    yield "durations kept", [row[2] for row in theirs] == [row[2] for row in ours]
    old = {span.name: span for span in remote.data.spans}
    new = {span.name: span for span in trace.data.spans}
    yield "starts kept", [new[name].start_time_ns == old[name].start_time_ns for name in old]
    yield "new span ids", [new[name].span_id != old[name].span_id for name in old]
    yield "the remote one is left", t.tree(t.mlflow.get_trace(remote.info.trace_id))


@case(differs=_stamped("merged", 1, 2, 3))
def as_a_dictionary(t: Toolbox) -> Facts:
    remote = _remote(t, fail=True).to_dict()
    with t.mlflow.start_span("local") as span:
        yield "returns", t.outcome(lambda: t.mlflow.add_trace(remote))
    yield "merged", t.mlflow.get_trace(span.trace_id)


@case()
def under_a_target(t: Toolbox) -> Facts:
    remote = _remote(t)
    root = t.mlflow.start_span_no_context("root")
    target = t.mlflow.start_span_no_context("target", parent_span=root)
    yield "returns", t.outcome(lambda: t.mlflow.add_trace(remote, target=target))
    target.end()
    root.end()
    yield "tree", t.tree(t.mlflow.get_trace(root.trace_id))
    with t.mlflow.start_span("outer") as outer, t.mlflow.start_span("inner"):
        t.mlflow.add_trace(remote, target=outer)
    yield "not under the active", t.tree(t.mlflow.get_trace(outer.trace_id))


@case(
    differs=_stamped("trace", 0, 1, 2, 3)
    | {"times[0]": Difference(True, "the span around a trace begins no later than the trace")}
)
def with_nothing_active(t: Toolbox) -> Facts:
    remote = _remote(t)
    before = {trace.info.trace_id for trace in t.traces()}
    yield "returns", t.outcome(lambda: t.mlflow.add_trace(remote))
    added = [trace for trace in t.traces() if trace.info.trace_id not in before]
    yield "added", len(added)
    for trace in added:
        yield "trace", trace
        root, first = trace.data.spans[0], trace.data.spans[1]
        yield (
            "times",
            [
                root.start_time_ns == first.start_time_ns,
                root.end_time_ns == first.end_time_ns,
                trace.info.request_time == remote.info.request_time,
            ],
        )


@case(
    differs=accident("bad target")
    | {
        "span without an end": Difference(INVALID, "the trace has to be completed, as MLflow documents"),
        "span without an end, left": Difference(["local < None [UNKNOWN OK]"], "as above"),
    }
)
def refused(t: Toolbox) -> Facts:
    remote = _remote(t)
    complete = remote.to_dict()

    def changed(path: str, value: Any) -> dict[str, Any]:
        copy = _remote(t).to_dict()
        node: Any = copy
        *steps, last = path.split(".")
        for step in steps:
            node = node[int(step)] if step.isdigit() else node[step]
        node[last] = value
        return copy

    yield "keys", sorted(complete["info"])
    for name, given in {
        "in progress": changed("info.state", "IN_PROGRESS"),
        "span without an end": changed("data.spans.2.end_time_unix_nano", None),
        "no spans": changed("data.spans", []),
        "empty": {},
        "text": "x",
        "none": None,
        "info missing": {"data": complete["data"]},
        "data missing": {"info": complete["info"]},
        "number": 5,
        "span of no shape": changed("data.spans", [{"a": 1}]),
    }.items():
        with t.mlflow.start_span("local"):
            yield name, t.outcome(lambda given=given: t.mlflow.add_trace(given))
        yield f"{name}, left", t.tree(t.last())
    with t.mlflow.start_span("local"):
        yield "bad target", t.outcome(lambda: t.mlflow.add_trace(remote, target="x"))
        yield "no-op target", t.outcome(lambda: t.mlflow.add_trace(remote, target=t.mlflow.entities.NoOpSpan()))
    ended = t.mlflow.start_span_no_context("ended")
    ended.end()
    yield "ended target", t.outcome(lambda: t.mlflow.add_trace(remote, target=ended))
    yield "ended target, left", t.tree(t.mlflow.get_trace(ended.trace_id))


@case(
    differs={
        "tree": Difference(
            [
                "local < None [UNKNOWN OK]",
                "remote < local [AGENT OK]",
                "remote < local [AGENT OK]",
                "step < remote [TOOL OK]",
                "step < remote [TOOL OK]",
                "leaf < step [UNKNOWN OK]",
                "leaf < step [UNKNOWN OK]",
            ],
            "the second one takes the place of the first in MLflow",
        )
    }
)
def twice(t: Toolbox) -> Facts:
    remote = _remote(t)
    with t.mlflow.start_span("local") as span:
        t.mlflow.add_trace(remote)
        t.mlflow.add_trace(remote)
    yield "tree", t.tree(t.mlflow.get_trace(span.trace_id))


_BROKEN = "anything but the bare call fails in MLflow with a current SDK"


@case(
    differs={
        "full": Difference(value("<trace 1>"), _BROKEN),
        "full, read": Difference(ANYTHING, _BROKEN),
        "times": Difference([True, 5129], _BROKEN),
        "intermediate outputs": Difference({"retrieved": ["a"]}, _BROKEN),
    }
)
def log_trace(t: Toolbox) -> Facts:
    yield "minimal", t.outcome(lambda: t.mlflow.log_trace())
    yield "minimal, read", t.plain(t.traces()[-1]) if t.traces() else None
    full = lambda: t.mlflow.log_trace(
        name="predict",
        request={"q": 1},
        response=[1, 2],
        intermediate_outputs={"retrieved": ["a"]},
        attributes={"a": 1},
        tags={"t": "x"},
        start_time_ms=1_600_000_000_000,
        execution_time_ms=5129,
    )
    yield "full", t.outcome(full)
    found = [trace for trace in t.traces() if trace.info.tags.get("mlflow.traceName") == "predict"]
    for trace in found:
        yield "full, read", trace
        yield "times", [trace.info.request_time == 1_600_000_000_000, trace.info.execution_duration]
        yield "intermediate outputs", trace.data.intermediate_outputs
