"""Params, metrics and tags of the active run."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

from typing import Any

from toolbox import INVALID, NOT_FOUND, Difference, Facts, Toolbox, accident, case

UNKNOWN = "0" * 32


def _data(t: Toolbox, run: Any, what: str) -> Any:
    return dict(sorted(getattr(t.mlflow.get_run(run.info.run_id).data, what).items()))


def _own_tags(t: Toolbox, run: Any) -> Any:
    return {key: tag for key, tag in _data(t, run, "tags").items() if not key.startswith("mlflow.")}


@case(needs=("log_param",), differs=accident("key 5", "no dictionary"))
def params(t: Toolbox) -> Facts:
    log = t.mlflow.log_param
    with t.mlflow.start_run() as run:
        for label, value in (
            ("text", "x"),
            ("number", 5),
            ("float", 0.1),
            ("truth", True),
            ("none", None),
            ("list", [1, "a"]),
            ("dictionary", {"a": 1}),
            ("empty", ""),
            ("lines", "a\nb"),
            ("emoji", "🐎"),
        ):
            yield label, t.outcome(lambda label=label, value=value: log(label, value))
        yield "read", _data(t, run, "params")
        yield "again", t.outcome(lambda: log("text", "x"))
        yield "as a number", t.outcome(lambda: log("number", "5"))
        yield "changed", t.outcome(lambda: log("text", "y"))
        yield "long", t.outcome(lambda: len(log("long", "v" * 6000)))
        yield "longer", t.outcome(lambda: len(log("longer", "v" * 6001)))
        for key in (
            "k" * 250,
            "k" * 251,
            "",
            None,
            5,
            "a/b",
            "a//b",
            "../a",
            "/a",
            "a$",
            "a b",
            "a:b",
            "a.b-c_d",
            ".",
            "é",
        ):
            label = f"{key[:6]}({len(key)})" if isinstance(key, str) else repr(key)
            yield f"key {label}", t.outcome(lambda key=key: log(key, 1))
        yield "positional", t.outcome(lambda: log("p", 1, True))
        yield "count", len(_data(t, run, "params"))
        many = t.mlflow.log_params
        yield "many", t.outcome(lambda: many({"m1": 1, "m2": None}))
        yield "no", t.outcome(lambda: many({}))
        yield "no dictionary", t.outcome(lambda: many([("a", 1)]))
        yield "one changed", t.outcome(lambda: many({"m0": 0, "m1": 2, "m3": 3}))
        yield "nothing of it", [key in _data(t, run, "params") for key in ("m0", "m3")]
        yield "one wrong", t.outcome(lambda: many({"n0": 0, "n$": 2}))
        yield "nothing of that", "n0" in _data(t, run, "params")
        yield "hundred and one", t.outcome(lambda: many({f"h{n}": n for n in range(101)}))
        yield "are there", len([key for key in _data(t, run, "params") if key.startswith("h")])
        yield "of an unknown run", t.outcome(lambda: many({"a": 1}, run_id=UNKNOWN))
    with t.mlflow.start_run() as other:
        yield "of another run", t.outcome(lambda: many({"late": 1}, run_id=run.info.run_id))
        yield "read there", [_data(t, run, "params").get("late"), _data(t, other, "params")]
    t.mlflow.delete_run(run.info.run_id)
    yield "of a deleted run", t.outcome(lambda: many({"later": 1}, run_id=run.info.run_id))


@case(
    needs=("log_metric",),
    differs={
        **accident("list", "big", "complex", "step too large", "key 5", "no dictionary"),
        "step float": Difference(INVALID, "a step is an integer"),
        "step float: points": Difference([], "a step is an integer"),
        "time 0: points[0][2]": Difference(0, "0 is a time that was given"),
        "time float: points[0][2]": Difference(5, "a time is an integer"),
        "of an unknown model": Difference(NOT_FOUND, "an error of its insides escapes there"),
    },
)
def metrics(t: Toolbox) -> Facts:
    log = t.mlflow.log_metric
    with t.mlflow.start_run() as run:
        history = lambda key: [
            [point.step, t.plain(point.value), point.timestamp if point.timestamp < 10**10 else "now"]
            for point in t.client.get_metric_history(run.info.run_id, key)
        ]
        for label, value in (
            ("int", 1),
            ("float", 0.5),
            ("nan", float("nan")),
            ("inf", float("inf")),
            ("minus inf", float("-inf")),
            ("truth", True),
            ("text number", "1.5"),
            ("text", "x"),
            ("none", None),
            ("list", [1]),
            ("big", 10**400),
            ("large", 2**63),
            ("complex", 1j),
        ):
            yield label, t.outcome(lambda label=label, value=value: log(label, value))
        yield "read", {key: t.plain(value) for key, value in _data(t, run, "metrics").items()}
        for label, arguments in (
            ("step", {"step": 3}),
            ("step 0", {"step": 0}),
            ("step none", {"step": None}),
            ("step negative", {"step": -1}),
            ("step text", {"step": "2"}),
            ("step float", {"step": 1.5}),
            ("step large", {"step": 2**63 - 1}),
            ("step too large", {"step": 2**63}),
            ("time", {"timestamp": 1000}),
            ("time 0", {"timestamp": 0}),
            ("time negative", {"timestamp": -5}),
            ("time text", {"timestamp": "5"}),
            ("time float", {"timestamp": 5.5}),
        ):
            yield label, t.outcome(lambda label=label, arguments=arguments: log(label, 1.0, **arguments))
            yield f"{label}: points", history(label)
        for step, value in ((0, 1.0), (2, 3.0), (1, 2.0), (2, 3.0), (2, 4.0)):
            log("series", value, step=step, timestamp=1000 + step)
        yield "series", history("series")
        yield "last of the series", _data(t, run, "metrics")["series"]
        for key in ("k" * 250, "k" * 251, "", None, 5, "a/b", "a//b", "../a", "a$", "a b", "a:b", "é"):
            label = f"{key[:6]}({len(key)})" if isinstance(key, str) else repr(key)
            yield f"key {label}", t.outcome(lambda key=key: log(key, 1))
        yield "positional", t.outcome(lambda: log("positional", 1, 2, True, 5))
        yield "positional: points", history("positional")
        many = t.mlflow.log_metrics
        yield "many", t.outcome(lambda: many({"m1": 1, "m2": 2}, step=7, timestamp=9))
        yield "many: points", [history("m1"), history("m2")]
        yield "no", t.outcome(lambda: many({}))
        yield "no dictionary", t.outcome(lambda: many([("a", 1)]))
        yield "one wrong", t.outcome(lambda: many({"w1": 1, "w$": 2}))
        yield "one wrong value", t.outcome(lambda: many({"w1": 1, "w2": "x"}))
        yield "nothing of it", "w1" in _data(t, run, "metrics")
        yield "thousand and one", t.outcome(lambda: many({f"h{n}": n for n in range(1001)}))
        yield "are there", len([key for key in _data(t, run, "metrics") if key.startswith("h")])
        yield "of an unknown run", t.outcome(lambda: log("a", 1, run_id=UNKNOWN))
        yield "of an unknown model", t.outcome(lambda: log("of_model", 1, model_id="m-" + UNKNOWN))
        yield "history of nothing", history("no such")
        yield "history of an unknown run", t.outcome(lambda: len(t.client.get_metric_history(UNKNOWN, "a")))
    with t.mlflow.start_run() as other:
        yield "of another run", t.outcome(lambda: log("late", 1, run_id=run.info.run_id))
        yield "read there", [_data(t, run, "metrics").get("late"), _data(t, other, "metrics")]
        yield "still active", t.mlflow.active_run() is other
    t.mlflow.delete_run(run.info.run_id)
    yield "of a deleted run", t.outcome(lambda: log("later", 1, run_id=run.info.run_id))
    yield "no run was made", t.mlflow.active_run()


@case(needs=("set_tag",), differs=accident("key 5", "no dictionary"))
def tags(t: Toolbox) -> Facts:
    put = t.mlflow.set_tag
    with t.mlflow.start_run() as run:
        for label, value in (
            ("text", "x"),
            ("number", 5),
            ("none", None),
            ("truth", True),
            ("list", [1]),
            ("empty", ""),
        ):
            yield label, t.outcome(lambda label=label, value=value: put(label, value))
        yield "changed", t.outcome(lambda: put("text", "y"))
        yield "read", _own_tags(t, run)
        for key in ("k" * 250, "k" * 251, "", None, 5, "a/b", "a//b", "../a", "a$", "a b", "a:b", "é"):
            label = f"{key[:6]}({len(key)})" if isinstance(key, str) else repr(key)
            yield f"key {label}", t.outcome(lambda key=key: put(key, 1))
        put("long", "v" * 8000)
        yield "long", len(_own_tags(t, run)["long"])
        yield "longer", t.outcome(lambda: put("longer", "v" * 9000))
        yield "longer, read", len(_own_tags(t, run).get("longer", ""))
        many = t.mlflow.set_tags
        yield "many", t.outcome(lambda: many({"m1": 1, "m2": None}))
        yield "no", t.outcome(lambda: many({}))
        yield "no dictionary", t.outcome(lambda: many([("a", 1)]))
        yield "one wrong", t.outcome(lambda: many({"w1": 1, "w$": 2}))
        yield "nothing of it", "w1" in _own_tags(t, run)
        yield "hundred and one", t.outcome(lambda: many({f"h{n}": n for n in range(101)}))
        yield "are there", len([key for key in _own_tags(t, run) if key.startswith("h")])
        yield "delete", t.outcome(lambda: t.mlflow.delete_tag("text"))
        yield "deleted", "text" in _own_tags(t, run)
        yield "delete again", t.outcome(lambda: t.mlflow.delete_tag("text"))
        yield "delete none", t.outcome(lambda: t.mlflow.delete_tag(None))
        yield "note", t.outcome(lambda: put("mlflow.note.content", "a note"))
        yield "user", t.outcome(lambda: put("mlflow.user", "somebody"))
        read = t.mlflow.get_run(run.info.run_id)
        yield "user, read", [read.info.user_id == "somebody", read.data.tags["mlflow.user"]]
        yield "client", t.outcome(lambda: t.client.set_tag(run.info.run_id, "c", 1))
        yield "client, unknown", t.outcome(lambda: t.client.set_tag(UNKNOWN, "c", 1))


@case(needs=("log_param",))
def without_a_run(t: Toolbox) -> Facts:
    for label, call in (
        ("param", lambda: t.mlflow.log_param("a", 1)),
        ("params", lambda: t.mlflow.log_params({"a": 1})),
        ("metric", lambda: t.mlflow.log_metric("a", 1)),
        ("metrics", lambda: t.mlflow.log_metrics({"a": 1})),
        ("tag", lambda: t.mlflow.set_tag("a", 1)),
        ("tags", lambda: t.mlflow.set_tags({"a": 1})),
        ("delete tag", lambda: t.mlflow.delete_tag("a")),
        ("nothing", lambda: t.mlflow.log_params({})),
        ("wrong", lambda: t.mlflow.log_param("a$", 1)),
        ("inputs", lambda: t.mlflow.log_inputs()),
        ("outputs", lambda: t.mlflow.log_outputs([])),
        ("experiment tag", lambda: t.mlflow.set_experiment_tag("a", 1)),
    ):
        yield label, t.outcome(call)
        active = t.mlflow.active_run()
        yield f"{label}: run", None if active is None else t.mlflow.get_run(active.info.run_id)
        t.mlflow.end_run()


@case(needs=("flush_async_logging",))
def without_waiting(t: Toolbox) -> Facts:
    with t.mlflow.start_run() as run:
        for label, call in (
            ("param", lambda: t.mlflow.log_param("a", 1, synchronous=False)),
            ("params", lambda: t.mlflow.log_params({"b": 1}, synchronous=False)),
            ("metric", lambda: t.mlflow.log_metric("a", 1, synchronous=False)),
            ("metrics", lambda: t.mlflow.log_metrics({"b": 1}, synchronous=False)),
            ("tag", lambda: t.mlflow.set_tag("a", 1, synchronous=False)),
            ("tags", lambda: t.mlflow.set_tags({"b": 1}, synchronous=False)),
            ("client metric", lambda: t.client.log_metric(run.info.run_id, "c", 1, synchronous=False)),
            ("client param", lambda: t.client.log_param(run.info.run_id, "c", 1, synchronous=False)),
            ("client tag", lambda: t.client.set_tag(run.info.run_id, "c", 1, synchronous=False)),
        ):
            operations: list[Any] = []
            yield label, t.outcome(lambda call=call, operations=operations: operations.append(call()))
            yield f"{label}: class", type(operations[0]).__name__
            if operations[0] is not None:
                yield f"{label}: wait", t.outcome(lambda operations=operations: operations[0].wait())
        yield "read", [_data(t, run, "params"), _data(t, run, "metrics"), _own_tags(t, run)]
        changed = t.mlflow.log_param("a", 2, synchronous=False)
        yield "changed", t.outcome(lambda: changed.wait())
        yield "changed, again", t.outcome(lambda: changed.wait())
        wrong = t.mlflow.log_metrics({"w$": 1}, synchronous=False)
        yield "wrong", t.outcome(lambda: wrong.wait())
        yield "wrong value", t.outcome(lambda: type(t.mlflow.log_metric("w", "x", synchronous=False)).__name__)
        for n in range(200):
            t.mlflow.log_metric("many", n, step=n, synchronous=False)
        yield "flush", t.outcome(lambda: t.mlflow.flush_async_logging())
        yield (
            "flushed",
            [point.step for point in t.client.get_metric_history(run.info.run_id, "many")] == list(range(200)),
        )
    script = """
        operations = [mlflow.log_metric('m', 1), mlflow.log_param('p', 1), mlflow.set_tag('t', 1)]
        run_id = mlflow.active_run().info.run_id
        mlflow.flush_async_logging()
        data = mlflow.get_run(run_id).data
        print(json.dumps([[type(one).__name__ for one in operations], data.metrics, data.params, data.tags['t']]))
    """
    yield "by the environment", t.python(script, MLFLOW_ENABLE_ASYNC_LOGGING="true")
    yield "not by the environment", t.python(script, MLFLOW_ENABLE_ASYNC_LOGGING="false")
    yield (
        "at exit",
        t.python("""
        import subprocess, sys
        script = f'''import {mlflow.__name__} as mlflow
for n in range(50):
    mlflow.log_metric('m', n, step=n, synchronous=False)
'''
        subprocess.run([sys.executable, '-c', script], check=True)
        run = mlflow.search_runs(output_format='list')[0]
        print(json.dumps([run.info.status, len(mlflow.MlflowClient().get_metric_history(run.info.run_id, 'm'))]))
    """),
    )


@case(
    needs=("create_external_model",),
    differs={
        "unknown": Difference(NOT_FOUND, "an error of its insides escapes there"),
        "inputs": Difference([False, False, True], "a call that fails leaves nothing behind"),
        "an output of the run": Difference(
            [["n", 1.0, 0, None, True]], "a metric is of the models of the active run, too, as MLflow documents"
        ),
    },
)
def metrics_of_models(t: Toolbox) -> Facts:
    make = lambda name: t.mlflow.create_external_model(name).model_id
    of = lambda model_id: [
        [point.key, t.plain(point.value), point.step, point.dataset_name, point.run_id is not None]
        for point in t.mlflow.get_logged_model(model_id).metrics or []
    ]
    first, second, third = make("a"), make("b"), make("c")
    with t.mlflow.start_run() as run:
        t.mlflow.log_metric("m", 1, model_id=first)
        yield "by id", of(first)
        yield "of the run, too", _data(t, run, "metrics")
        t.mlflow.set_active_model(model_id=second)
        t.mlflow.log_metric("m", 2, step=3)
        t.mlflow.log_metrics({"n": 3, "o": 4})
        yield "of the active one", sorted(of(second))
        t.mlflow.log_metric("p", 5, model_id=first)
        yield "an id goes before it", [sorted(of(first)), len(of(second))]
        t.mlflow.clear_active_model()
        t.mlflow.log_metric("q", 6)
        yield "no active one", [len(of(first)), len(of(second))]
        data = t.mlflow.entities.Dataset("name", "digest", "code", "{}")
        t.mlflow.log_metric("r", 7, model_id=third, dataset=data)
        yield "on a dataset", of(third)
        t.mlflow.log_metric("s", 8, dataset=data)
        yield "on a dataset, of no model", _data(t, run, "metrics")["s"]
        yield "unknown", t.outcome(lambda: t.mlflow.log_metric("u", 1, model_id="m-" + UNKNOWN))
        read = t.mlflow.get_run(run.info.run_id)
        yield "inputs", sorted(one.model_id == first for one in read.inputs.model_inputs)
    with t.mlflow.start_run() as run:
        made = t.mlflow.initialize_logged_model("made here").model_id
        t.mlflow.log_metric("m", 1)
        yield "made by the run", of(made)
        t.mlflow.log_outputs([t.mlflow.entities.LoggedModelOutput(made, 2)])
        t.mlflow.log_metric("n", 1)
        yield "an output of the run", of(made)
        outputs = t.mlflow.get_run(run.info.run_id).outputs.model_outputs
        yield "outputs", [[one.model_id == made, one.step] for one in outputs]
