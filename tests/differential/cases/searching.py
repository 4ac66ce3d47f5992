"""Searching traces: lists, data frames, extracted fields, scopes, pages."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731

from __future__ import annotations

import time
from typing import Any

from toolbox import ANYTHING, INVALID, Difference, Facts, Toolbox, accident, case, each, value


def _three(t: Toolbox) -> list[str]:
    ids = []
    for n in range(3):
        with t.mlflow.start_span(f"root {n}") as span:
            span.set_inputs({"x": n, "nested": {"a": n}})
            with t.mlflow.start_span("child", span_type="TOOL") as child:
                child.set_inputs(n)
                child.set_outputs({"y": n * 10})
            span.set_outputs({"y": n, "dotted.key": n})
            t.mlflow.update_current_trace(tags={"n": str(n), "even": str(n % 2 == 0)})
        ids.append(span.trace_id)
        time.sleep(0.003)
    return ids


@case(
    differs={
        "float": Difference(INVALID, "a number of traces is an integer"),
        "filter blank": Difference(value(["2", "1", "0"]), "a filter of blanks asks for nothing, just as an empty one"),
        "order ['request_time ASC']": Difference(value(["0", "1", "2"]), "it is the name of the field"),
    }
)
def lists(t: Toolbox) -> Facts:
    ids = _three(t)
    search = t.mlflow.search_traces
    found = search(return_type="list")
    yield "type", [type(found).__name__, type(found[0]).__name__]
    yield "newest first", [trace.info.trace_id for trace in found] == ids[::-1]
    yield "spans", [len(trace.data.spans) for trace in found]
    yield "without spans", [len(trace.data.spans) for trace in search(return_type="list", include_spans=False)]
    yield "at most two", [trace.info.trace_id for trace in search(return_type="list", max_results=2)] == ids[:0:-1]
    yield "at most zero", t.outcome(lambda: len(search(return_type="list", max_results=0)))
    yield "negative", t.outcome(lambda: len(search(return_type="list", max_results=-1)))
    yield "text", t.outcome(lambda: len(search(return_type="list", max_results="2")))
    yield "float", t.outcome(lambda: len(search(return_type="list", max_results=2.0)))
    yield "many", t.outcome(lambda: len(search(return_type="list", max_results=1_000_000)))
    names = lambda **criteria: [trace.info.tags["n"] for trace in search(return_type="list", **criteria)]
    yield "filtered", names(filter_string="tags.even = 'True'")
    yield "filter empty", names(filter_string="")
    yield "filter blank", t.outcome(lambda: names(filter_string="  "))
    for order in (
        ["timestamp_ms ASC"],
        ["timestamp ASC"],
        ["request_time ASC"],
        ["timestamp_ms"],
        ["timestamp_ms DESC"],
        ["tags.n ASC"],
        ["name DESC"],
        ["trace_name DESC"],
        ["attributes.timestamp ASC"],
        ["execution_time ASC"],
        ["status ASC", "timestamp_ms ASC"],
        [],
        ["nonsense ASC"],
        ["timestamp_ms UP"],
        "timestamp_ms ASC",
    ):
        sort = "execution" in str(order)
        yield (
            f"order {order}",
            t.outcome(lambda order=order, sort=sort: (sorted if sort else list)(names(order_by=order))),
        )
    yield "filter malformed", t.outcome(lambda: names(filter_string="tags.even ="))
    yield "filter unknown", t.outcome(lambda: names(filter_string="nonsense = 'x'"))
    yield "filter no text", t.outcome(lambda: names(filter_string=5))


@case(differs=accident("location number", "location None within", "location nonsense", "both"))
def arguments(t: Toolbox) -> Facts:
    _three(t)
    search = t.mlflow.search_traces
    here = t.experiment_id
    size = lambda **criteria: len(search(return_type="list", **criteria))
    yield "locations", t.outcome(lambda: size(locations=[here]))
    yield "experiment ids", t.outcome(lambda: size(experiment_ids=[here]), warn=True)
    yield "both", t.outcome(lambda: size(experiment_ids=[here], locations=[here]))
    yield "positional", t.outcome(lambda: len(search([here], return_type="list")))
    yield "location text", t.outcome(lambda: size(locations=here))
    yield "experiment ids text", t.outcome(lambda: size(experiment_ids=here))
    yield "location number", t.outcome(lambda: size(locations=[int(here)]))
    yield "location unknown", t.outcome(lambda: size(locations=["98765"]))
    yield "location nonsense", t.outcome(lambda: size(locations=["nonsense"]))
    yield "location schema", t.outcome(lambda: size(locations=["catalog.schema"]))
    yield "no locations", t.outcome(lambda: size(locations=[]))
    yield "location None within", t.outcome(lambda: size(locations=[None]))
    yield "twice the same", t.outcome(lambda: size(locations=[here, here]))
    yield "return type unknown", t.outcome(lambda: search(return_type="dict"))
    yield "return type None", t.outcome(lambda: type(search(return_type=None)).__name__)
    yield "return type default", type(search()).__name__
    yield "fields with a list", t.outcome(lambda: search(return_type="list", extract_fields=["child.inputs"]))
    yield "warehouse", t.outcome(lambda: size(sql_warehouse_id="x"), warn=True)
    yield "unknown keyword", t.outcome(lambda: size(nonsense=1))


def _kinds(frame: Any) -> dict[str, str]:
    # From pandas 3 on a column of texts is a `str` column.
    return {name: "object" if str(kind) == "str" else str(kind) for name, kind in frame.dtypes.items()}


@case()
def frames(t: Toolbox) -> Facts:
    ids = _three(t)
    frame = t.mlflow.search_traces()
    yield "columns", list(frame.columns)
    yield "dtypes", _kinds(frame)
    yield "index", [str(frame.index.dtype), list(frame.index)]
    yield "ids", list(frame["trace_id"]) == ids[::-1]
    first = frame.iloc[0]
    yield "cell types", {name: type(first[name]).__name__ for name in frame.columns}
    yield "request", t.plain(first["request"])
    yield "response", t.plain(first["response"])
    yield "state", t.plain(first["state"])
    yield "tags", sorted(first["tags"])
    yield "metadata", sorted(key for key in first["trace_metadata"] if "git" not in key)
    yield "spans", [sorted(span) if isinstance(span, dict) else type(span).__name__ for span in first["spans"]]
    yield "assessments", first["assessments"]
    yield "trace cell", t.plain(type(t.mlflow.entities.Trace.from_json(first["trace"])).__name__)
    t.mlflow.log_feedback(trace_id=ids[0], name="f", value=1)
    cell = t.mlflow.search_traces(order_by=["timestamp_ms ASC"]).iloc[0]["assessments"]
    yield "assessment cell", [sorted(entry) if isinstance(entry, dict) else type(entry).__name__ for entry in cell]
    without = t.mlflow.search_traces(include_spans=False)
    yield "without spans, columns", list(without.columns)
    yield (
        "without spans, cells",
        {name: t.plain(without.iloc[0][name]) for name in ("request", "response", "spans") if name in without.columns},
    )
    none = t.mlflow.search_traces(filter_string="tags.n = 'x'")
    yield "empty columns", list(none.columns)
    yield "empty", len(none)
    yield "empty dtypes", _kinds(none)
    yield "row of a trace", sorted(t.last().to_pandas_dataframe_row())
    yield "columns of traces", t.mlflow.entities.Trace.pandas_dataframe_columns()


_NO_FIELD = "an invalid field adds no column, as MLflow documents; there it raises"


@case(
    differs=each(
        value({}),
        _NO_FIELD,
        "field 'child'",
        "field 'child.attributes'",
        "field 'dotted.name.inputs'",
        "field 'inputs'",
        "field ''",
        "field '`child.inputs'",
        "field 'child.inputs.x.y'",
        "field 'root 0.inputs.nested.a'",
    )
    | accident("numbers")
    | each(
        ANYTHING,
        "a column is named as its field was given, less the backticks",
        "field 'child.inputs.'/value",
        "field 'a`b.inputs'/value",
    )
)
def extracted_fields(t: Toolbox) -> Facts:
    _three(t)
    with t.mlflow.start_span("dotted.name") as span:
        span.set_inputs({"a.b": 1, "a": {"b": 2}})
        span.set_outputs("text")
    base = set(t.mlflow.search_traces().columns)
    for field in (
        "child.inputs",
        "child.outputs",
        "child.outputs.y",
        "child.inputs.x",
        "child.outputs.nope",
        "child",
        "child.attributes",
        "child.inputs.x.y",
        "root 0.inputs.x",
        "root 0.inputs.nested",
        "root 0.inputs.nested.a",
        "root 0.outputs.`dotted.key`",
        "`dotted.name`.inputs",
        "`dotted.name`.inputs.`a.b`",
        "`dotted.name`.outputs",
        "`dotted.name`.outputs.x",
        "dotted.name.inputs",
        "nope.inputs",
        "inputs",
        "",
        "child.inputs.",
        ".inputs",
        "`child.inputs",
        "a`b.inputs",
    ):

        def cells(field: str = field) -> Any:
            frame = t.mlflow.search_traces(extract_fields=[field], order_by=["timestamp_ms ASC"])
            # pandas shows a missing number as NaN once it is in a column of numbers
            return {
                name: [None if cell != cell else cell for cell in frame[name]] for name in frame if name not in base
            }

        yield f"field {field!r}", t.outcome(cells)
    both = t.mlflow.search_traces(extract_fields=["child.inputs", "child.outputs.y"])
    yield "two", [name for name in both if name not in base]
    yield "order of the columns", list(both.columns)
    yield "no list", t.outcome(lambda: list(t.mlflow.search_traces(extract_fields="child.inputs").columns))
    yield "empty list", t.outcome(lambda: set(t.mlflow.search_traces(extract_fields=[]).columns) == base)
    yield "numbers", t.outcome(lambda: list(t.mlflow.search_traces(extract_fields=[5]).columns))


@case(
    differs={
        "model and filter": Difference(value(1), "they go together well; MLflow refuses the two at once"),
    }
)
def scopes(t: Toolbox) -> Facts:
    _three(t)
    size = lambda **criteria: len(t.mlflow.search_traces(return_type="list", **criteria))
    yield "run unknown", t.outcome(lambda: size(run_id="nope"))
    with t.mlflow.start_span("by model"):
        t.mlflow.update_current_trace(model_id="m-1")
    yield "model", size(model_id="m-1")
    yield "model unknown", t.outcome(lambda: size(model_id="m-2"))
    yield "model and filter", t.outcome(lambda: size(model_id="m-1", filter_string="name = 'by model'"))
    other = t.mlflow.create_experiment("scopes other")
    span = t.mlflow.start_span_no_context("elsewhere", experiment_id=other)
    span.end()
    yield "both experiments", size(locations=[t.experiment_id, other])
    yield "the other", size(locations=[other])


@case(needs=("start_run",))
def scopes_of_runs(t: Toolbox) -> Facts:
    run_id = t.client.create_run(t.experiment_id).info.run_id
    ids = _three(t)
    t.client.link_traces_to_run(ids[:1], run_id)
    size = lambda **criteria: len(t.mlflow.search_traces(return_type="list", **criteria))
    yield "linked", size(run_id=run_id)
    yield "and filter", size(run_id=run_id, filter_string="tags.n = '1'")
    other = t.mlflow.create_experiment("scopes_of_runs other")
    yield "in the wrong experiment", t.outcome(lambda: size(run_id=run_id, locations=[other]))


_MORE = "more of the filter language holds in ours"


@case(
    differs=each(
        value(["0", "1", "2"]),
        _MORE,
        "filter state = 'OK'",
        "filter tags.n IS NOT NULL",
        "filter tags.nope IS NULL",
        "filter text LIKE '%nested%'",
    )
    | each(value(["0"]), _MORE, "filter feedback.score = 1", "filter feedback.score > 0.6", "filter trace_id = '<id>'")
    | {
        "filter tags.n IN ('0', '1')": Difference(value(["0", "1"]), _MORE),
        "filter tags.n IS NULL": Difference(value([]), _MORE),
        "filter span.attributes.`mlflow.spanType` = 'TOOL'": Difference(
            value(["0", "1", "2"]), "MLflow compares with the quotes that it stores around the value"
        ),
        "filter timestamp_ms = 'x'": Difference(INVALID, "a time is a number; MLflow finds nothing"),
        "filter AND": Difference(INVALID, "MLflow takes it for no filter at all"),
    }
)
def filters(t: Toolbox) -> Facts:
    ids = _three(t)
    t.mlflow.log_feedback(trace_id=ids[0], name="score", value=1)
    t.mlflow.log_feedback(trace_id=ids[1], name="score", value=0.5)
    t.mlflow.log_expectation(trace_id=ids[2], name="answer", value="42")
    for text in (
        "name = 'root 0'",
        "trace.name = 'root 0'",
        "attributes.name = 'root 0'",
        "name LIKE 'root%'",
        "name ILIKE 'ROOT%'",
        "name RLIKE '^root [01]$'",
        "name != 'root 0'",
        "status = 'OK'",
        "trace.status = 'OK'",
        "state = 'OK'",
        "status = 'ERROR'",
        "timestamp_ms > 0",
        "timestamp > 0",
        "execution_time_ms >= 0",
        "execution_time < 100000",
        "tags.n = '1'",
        "tag.n = '1'",
        "tags.n != '1'",
        "tags.n IN ('0', '1')",
        "tags.n IS NULL",
        "tags.n IS NOT NULL",
        "tags.nope IS NULL",
        "metadata.`mlflow.source.type` = 'LOCAL'",
        "request_metadata.`mlflow.source.type` = 'LOCAL'",
        "span.name = 'child'",
        "span.type = 'TOOL'",
        "span.status = 'OK'",
        "span.content LIKE '%nested%'",
        "span.attributes.`mlflow.spanType` = 'TOOL'",
        "span.name IN ('child', 'x')",
        "feedback.score = '1'",
        "feedback.score = 1",
        "feedback.score > 0.6",
        "feedback.score IS NULL",
        "feedback.score IS NOT NULL",
        "feedback.nope IS NULL",
        "expectation.answer = '42'",
        "trace.text LIKE '%nested%'",
        "text LIKE '%nested%'",
        "tags.n = '0' AND name = 'root 0'",
        "tags.n = '0' and status = 'OK' AND span.type = 'TOOL'",
        "tags.n = '0' OR name = 'root 1'",
        "NOT tags.n = '0'",
        "(tags.n = '0')",
        f"trace_id = '{ids[0]}'",
        f"request_id = '{ids[0]}'",
        "client_request_id = 'x'",
        "tags.`n` = '2'",
        'tags."n" = "2"',
        "tags.n = 2",
        "timestamp_ms = 'x'",
        "name > 'a'",
        "status LIKE 'O%'",
        "tags.n > '0'",
        "end_time > 0",
        "name = root",
        "name = 'unclosed",
        "name == 'root 0'",
        "name = 'root 0';",
        "AND",
    ):
        # A failing filter is compared by its code alone.
        yield (
            f"filter {text}".replace(ids[0], "<id>"),
            t.outcome(
                lambda text=text: sorted(trace.info.tags.get("n", "?") for trace in t.traces(filter_string=text))
            ),
        )


@case(
    differs={
        "exact page[0]": Difference(False, "MLflow's token leads to an empty page"),
        "no location": Difference(
            value(5), "an error of its insides escapes there; ours searches the active experiment"
        ),
    }
)
def pages(t: Toolbox) -> Facts:
    ids = [t.make(f"n{n}") for n in range(5)]
    seen: list[str] = []
    token = None
    sizes = []
    while True:
        page = t.client.search_traces(locations=[t.experiment_id], max_results=2, page_token=token)
        sizes.append(len(page))
        seen += [trace.info.trace_id for trace in page]
        token = page.token
        if not token:
            break
    yield "sizes", sizes
    yield "every one once", sorted(seen) == sorted(ids)
    yield "last token", token
    yield "type", isinstance(page, list)
    yield (
        "exact page",
        [
            bool(t.client.search_traces(locations=[t.experiment_id], max_results=5).token),
            bool(t.client.search_traces(locations=[t.experiment_id], max_results=6).token),
        ],
    )
    search = lambda **criteria: len(t.client.search_traces(locations=[t.experiment_id], **criteria))
    yield "bad token", t.outcome(lambda: search(page_token="nonsense"))
    yield "empty token", t.outcome(lambda: search(page_token=""))
    yield "zero", t.outcome(lambda: search(max_results=0))
    yield "negative", t.outcome(lambda: search(max_results=-1))
    yield "none", t.outcome(lambda: search(max_results=None))
    yield "limit", t.outcome(lambda: search(max_results=500))
    yield "over the limit", t.outcome(lambda: search(max_results=501))
    yield "far over the limit", t.outcome(lambda: search(max_results=100_001))
    yield "no location", t.outcome(lambda: len(t.client.search_traces()))
    yield "experiment ids", t.outcome(lambda: len(t.client.search_traces(experiment_ids=[t.experiment_id])), warn=True)
    yield "both", t.outcome(lambda: len(t.client.search_traces([t.experiment_id], locations=[t.experiment_id])))
    yield (
        "without spans",
        [len(trace.data.spans) for trace in t.client.search_traces(locations=[t.experiment_id], include_spans=False)],
    )
