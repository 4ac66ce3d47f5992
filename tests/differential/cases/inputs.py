"""What runs use and make: datasets and logged models."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: PLW0108

from __future__ import annotations

from typing import Any

from toolbox import ANYTHING, INVALID, Difference, Facts, Toolbox, accident, case, each, value


def _inputs(t: Toolbox, run: Any) -> Any:
    read = t.mlflow.get_run(run.info.run_id)
    return [
        [
            used.dataset.name,
            len(used.dataset.digest),
            used.dataset.source_type,
            bool(used.dataset.schema),
            bool(used.dataset.profile),
            sorted([tag.key, tag.value] for tag in used.tags),
        ]
        for used in read.inputs.dataset_inputs
    ]


def _frame(t: Toolbox, name: str, rows: int = 2) -> Any:
    import pandas

    frame = pandas.DataFrame({"x": list(range(rows)), "y": ["a"] * rows})
    return t.mlflow.data.from_pandas(frame, source="https://example.com/data.csv", name=name)


_READ = "params and tags are texts, whatever they were"


@case(
    needs=("log_input",),
    differs={
        **accident("context twice", "text"),
        **each(value(None), _READ, "tag of number", "context of number"),
        **each(ANYTHING, _READ, "tag of number: read", "context of number: read"),
        **accident("tags list"),
    },
)
def datasets(t: Toolbox) -> Facts:
    log = t.mlflow.log_input
    one, two = _frame(t, "one"), _frame(t, "two", 3)
    for label, arguments in (
        ("alone", {"dataset": one}),
        ("context", {"dataset": one, "context": "training"}),
        ("tags", {"dataset": one, "tags": {"a": "1"}}),
        ("both", {"dataset": one, "context": "training", "tags": {"a": "1"}}),
        ("context twice", {"dataset": one, "context": "training", "tags": {"mlflow.data.context": "testing"}}),
        ("empty context", {"dataset": one, "context": ""}),
        ("tag of number", {"dataset": one, "tags": {"a": 1}}),
        ("tags list", {"dataset": one, "tags": ["a"]}),
        ("nothing", {}),
        ("none", {"dataset": None}),
        ("text", {"dataset": "x"}),
        ("context of number", {"dataset": one, "context": 5}),
    ):
        with t.mlflow.start_run() as run:
            yield label, t.outcome(lambda arguments=arguments: log(**arguments))
            yield f"{label}: read", _inputs(t, run)
    with t.mlflow.start_run() as run:
        log(one, "training")
        log(one, "testing")
        log(two, "testing")
        log(one, "training")
        yield "several", _inputs(t, run)
        yield "positional", t.outcome(lambda: log(two, "x", {"k": "v"}))
        found = t.mlflow.search_runs(filter_string="datasets.name = 'two'", output_format="list")
        yield "found", [one.info.run_id == run.info.run_id for one in found]


_LEFT_OUT = "a list that is left out is one of None"


@case(
    needs=("log_inputs",),
    differs={
        **each(value(None), _LEFT_OUT, "datasets", "contexts alone", "tags alone"),
        **each(ANYTHING, _LEFT_OUT, "datasets: read", "contexts alone: read", "tags alone: read"),
        "none among them": Difference(value(None), "the entries can be None, as MLflow documents"),
        "none among them: read": Difference(ANYTHING, "the entries can be None, as MLflow documents"),
        **each(INVALID, "MLflow's has no code", "too few contexts", "too many tags", "contexts of nothing"),
    },
)
def several(t: Toolbox) -> Facts:
    log = t.mlflow.log_inputs
    one, two = _frame(t, "one"), _frame(t, "two", 3)
    for label, arguments in (
        ("datasets", {"datasets": [one, two]}),
        ("contexts", {"datasets": [one, two], "contexts": ["a", "b"], "tags_list": [None, None]}),
        ("contexts alone", {"datasets": [one, two], "contexts": ["a", "b"]}),
        ("tags alone", {"datasets": [one], "tags_list": [{"a": "b"}]}),
        ("all", {"datasets": [one, two], "contexts": ["a", None], "tags_list": [None, {"k": "v"}]}),
        ("none among them", {"datasets": [one, None], "contexts": ["a", "b"], "tags_list": [None, None]}),
        ("too few contexts", {"datasets": [one, two], "contexts": ["a"], "tags_list": [None, None]}),
        ("too many tags", {"datasets": [one], "contexts": ["a"], "tags_list": [None, None]}),
        ("contexts of nothing", {"contexts": ["a"]}),
        ("empty", {"datasets": [], "contexts": [], "tags_list": []}),
        ("nothing", {}),
        ("same twice", {"datasets": [one, one], "contexts": ["a", "b"], "tags_list": [None, None]}),
    ):
        with t.mlflow.start_run() as run:
            yield label, t.outcome(lambda arguments=arguments: log(**arguments))
            yield f"{label}: read", sorted(_inputs(t, run))


_DATABRICKS = "MLflow leaves it to Databricks"
_TWICE = "a run may be told twice what it makes, as what it uses"


@case(
    needs=("log_outputs", "create_external_model"),
    differs={
        **each(value(None), _TWICE, "again", "both"),
        "both: read": Difference([[], [["first", 0], ["second", 2]]], _TWICE),
        "none": Difference(value(None), "nothing is logged then"),
        "text": Difference(INVALID, "MLflow's has no code"),
        **each(value(None), _DATABRICKS, "several", "one of several"),
        "several: read": Difference([["first", "second"], []], _DATABRICKS),
        "one of several: read": Difference([["first"], []], _DATABRICKS),
    },
)
def models(t: Toolbox) -> Facts:
    entities = t.mlflow.entities
    first, second = (t.mlflow.create_external_model(name).model_id for name in "ab")
    names = {first: "first", second: "second"}

    def read(run: Any) -> Any:
        found = t.mlflow.get_run(run.info.run_id)
        return [
            sorted(names.get(one.model_id, one.model_id) for one in found.inputs.model_inputs),
            sorted([names.get(one.model_id, one.model_id), one.step] for one in found.outputs.model_outputs),
        ]

    with t.mlflow.start_run() as run:
        yield "made", t.outcome(lambda: t.mlflow.log_outputs([entities.LoggedModelOutput(first, 0)]))
        yield "made: read", read(run)
        yield "again", t.outcome(lambda: t.mlflow.log_outputs([entities.LoggedModelOutput(first, 0)]))
        yield "again: read", read(run)
        both = [entities.LoggedModelOutput(first, 1), entities.LoggedModelOutput(second, 2)]
        yield "both", t.outcome(lambda: t.mlflow.log_outputs(models=both))
        yield "both: read", read(run)
        yield "none", t.outcome(lambda: t.mlflow.log_outputs())
        yield "empty", t.outcome(lambda: t.mlflow.log_outputs([]))
        yield "text", t.outcome(lambda: t.mlflow.log_outputs(["x"]))
    with t.mlflow.start_run() as run:
        yield "used", t.outcome(lambda: t.mlflow.log_input(model=entities.LoggedModelInput(first)))
        yield "used: read", read(run)
        yield (
            "with a dataset",
            t.outcome(lambda: t.mlflow.log_input(_frame(t, "one"), model=entities.LoggedModelInput(second))),
        )
        yield "with a dataset: read", [read(run), _inputs(t, run)]
    with t.mlflow.start_run() as run:
        inputs = [entities.LoggedModelInput(first), entities.LoggedModelInput(second)]
        yield "several", t.outcome(lambda: t.mlflow.log_inputs(models=inputs))
        yield "several: read", read(run)
    with t.mlflow.start_run() as run:
        yield (
            "one of several",
            t.outcome(lambda: t.mlflow.log_inputs([None], [None], [None], [entities.LoggedModelInput(first)])),
        )
        yield "one of several: read", read(run)
