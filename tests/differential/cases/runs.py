"""Runs: started, nested, gone on with, ended, found."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from toolbox import INVALID, NOT_FOUND, Difference, Facts, Toolbox, accident, case, each, error, value

UNKNOWN = "0" * 32
_STATE = error("INVALID_STATE")
_UNCODED = "MLflow's error has no code of its own"
_NO_PLACE = "an id that can be no run's is that of no run"


def _ended(t: Toolbox, **arguments: Any) -> str:
    """A run that has ended, by its id."""
    with t.mlflow.start_run(**arguments) as run:
        pass
    return run.info.run_id


@case(needs=("start_run",))
def a_life(t: Toolbox) -> Facts:
    yield "none", t.mlflow.active_run()
    yield "last of none", t.mlflow.last_active_run()
    run = t.mlflow.start_run()
    run_id = run.info.run_id
    yield "started", run
    yield "id", [len(run_id), run_id.isalnum()]
    yield "active", t.mlflow.active_run() is run
    yield "last is it", t.mlflow.last_active_run() is run
    yield "entered", run.__enter__() is run
    yield "a run", isinstance(run, t.mlflow.entities.Run)
    read = t.mlflow.get_run(run_id)
    yield "inputs", [read.inputs.dataset_inputs, read.inputs.model_inputs, read.outputs.model_outputs]
    t.mlflow.log_metric("m", 1)
    yield "not seen in what was returned", [run.data.metrics, t.mlflow.active_run().data.metrics]
    yield "read", t.mlflow.get_run(run_id)
    yield "end", t.mlflow.end_run()
    yield "active then", t.mlflow.active_run()
    yield "last then", t.mlflow.last_active_run()
    yield "last again", t.mlflow.last_active_run() is t.mlflow.last_active_run()
    yield "end again", t.outcome(lambda: t.mlflow.end_run())
    yield "ended", t.mlflow.get_run(run_id)
    yield "the object", run.info.status
    yield "dictionary", sorted(t.mlflow.get_run(run_id).to_dictionary())
    yield "info", sorted(t.mlflow.get_run(run_id).to_dictionary()["info"])
    yield "types", [type(run.info.start_time).__name__, type(run.info.status).__name__, type(run.data).__name__]


@case(needs=("start_run",))
def names(t: Toolbox) -> Facts:
    for label, arguments in (
        ("name", {"run_name": "first"}),
        ("empty", {"run_name": ""}),
        ("number", {"run_name": 5}),
        ("tag", {"tags": {"mlflow.runName": "tagged"}}),
        ("both", {"run_name": "named", "tags": {"mlflow.runName": "tagged"}}),
        ("both the same", {"run_name": "named", "tags": {"mlflow.runName": "named"}}),
        ("blanks", {"run_name": "  "}),
        ("long", {"run_name": "n" * 300}),
        ("emoji", {"run_name": "🐎 é"}),
        ("source", {"tags": {"mlflow.source.name": "x", "mlflow.source.type": "JOB", "mlflow.user": "somebody"}}),
    ):
        yield label, t.outcome(lambda arguments=arguments: t.mlflow.get_run(_ended(t, **arguments)))
        t.mlflow.end_run()
    with t.mlflow.start_run(run_name="before") as run:
        t.mlflow.set_tag("mlflow.runName", "after")
        yield "renamed by tag", t.mlflow.get_run(run.info.run_id).info.run_name
        t.client.update_run(run.info.run_id, name="later")
        yield "renamed by client", t.mlflow.get_run(run.info.run_id)


@case(
    needs=("start_run",),
    differs={
        "truth": Difference(value({"d": "True"}), "a tag is the same text, whenever it is set"),
        "a list for a value": Difference(value({"c": "[1]"}), "an error of its insides escapes there"),
        "key long": Difference(INVALID, "set later, MLflow refuses the same tag"),
        "list": Difference(INVALID, "tags are a dictionary, as in the other functions"),
        "text": Difference(INVALID, "an error of its insides escapes there"),
        "long value": Difference(value(8000), "set later, MLflow cuts the same tag"),
    },
)
def tags_and_descriptions(t: Toolbox) -> Facts:
    note = "mlflow.note.content"
    for label, arguments in (
        ("values", {"tags": {"a": 1, "e": 0.5, "f": ""}}),
        ("truth", {"tags": {"d": True}}),
        ("a list for a value", {"tags": {"c": [1]}}),
        ("empty", {"tags": {}}),
        ("list", {"tags": [("a", "b")]}),
        ("text", {"tags": "a"}),
        ("description", {"description": "why"}),
        ("no description", {"description": ""}),
        ("number", {"description": 5}),
        ("both", {"description": "why", "tags": {note: "other"}}),
        ("empty and tag", {"description": "", "tags": {note: "other"}}),
        ("key of number", {"tags": {5: "x"}}),
        ("key wrong", {"tags": {"a$": "x"}}),
        ("key long", {"tags": {"k" * 251: "x"}}),
        ("parent tag", {"tags": {"mlflow.parentRunId": "abc"}}),
    ):
        yield label, t.outcome(lambda arguments=arguments: _own_tags(t, _ended(t, **arguments)))
        yield f"{label}: active", t.mlflow.active_run() is not None
        t.mlflow.end_run()
    yield "long value", t.outcome(lambda: len(t.mlflow.get_run(_ended(t, tags={"a": "v" * 9000})).data.tags["a"]))
    t.mlflow.end_run()


def _own_tags(t: Toolbox, run_id: str) -> Any:
    theirs = ("mlflow.source", "mlflow.user", "mlflow.runName")
    return {key: tag for key, tag in t.mlflow.get_run(run_id).data.tags.items() if not key.startswith(theirs)}


@case(
    needs=("start_run",),
    differs={
        **each(_STATE, _UNCODED, "refused", "refused by id", "refused with parent", "parent not active"),
        "unknown parent": Difference(NOT_FOUND, "an unknown parent is unknown, nested or not"),
        "deleted parent": Difference(_STATE, _UNCODED),
    },
)
def nested(t: Toolbox) -> Facts:
    start = t.mlflow.start_run
    parent_of = lambda run: run.data.tags.get("mlflow.parentRunId")
    with start() as outer:
        yield "refused", t.outcome(lambda: start())
        yield "refused by id", t.outcome(lambda: start(run_id=outer.info.run_id))
        yield "refused with parent", t.outcome(lambda: start(parent_run_id=outer.info.run_id))
        yield "still", t.mlflow.active_run() is outer
        with start(nested=True) as inner:
            yield "parent", parent_of(inner) == outer.info.run_id
            yield "inner is active", t.mlflow.active_run() is inner
            with start(nested=True, run_name="deep") as deep:
                yield "parent of the deep one", parent_of(deep) == inner.info.run_id
            yield "inner again", t.mlflow.active_run() is inner
            yield "parent not active", t.outcome(lambda: start(nested=True, parent_run_id=outer.info.run_id))
        yield "outer again", t.mlflow.active_run() is outer
        with start(nested=True, parent_run_id=outer.info.run_id) as named:
            yield "parent named", parent_of(named) == outer.info.run_id
        yield "unknown parent", t.outcome(lambda: start(nested=True, parent_run_id=UNKNOWN))
        with start(nested=True, tags={"mlflow.parentRunId": "abc"}) as tagged:
            yield "parent by tag", parent_of(tagged) == "abc"
        with start(run_id=deep.info.run_id, nested=True) as again:
            yield "gone on with", [parent_of(again) == inner.info.run_id, again.info.run_name]
        yield (
            "the active one, nested",
            t.outcome(lambda: start(run_id=outer.info.run_id, nested=True).info.run_id == outer.info.run_id),
        )
        yield "depth", t.mlflow.active_run().info.run_id == outer.info.run_id
    while t.mlflow.active_run() is not None:
        t.mlflow.end_run()
    with start(nested=True) as alone:
        yield "nested in nothing", parent_of(alone)
    with start(parent_run_id=outer.info.run_id) as child:
        yield "parent that has ended", parent_of(child) == outer.info.run_id
    yield "unknown parent alone", t.outcome(lambda: start(parent_run_id=UNKNOWN))
    yield "empty parent", t.outcome(lambda: parent_of(t.mlflow.get_run(_ended(t, parent_run_id=""))))
    t.mlflow.end_run()
    t.mlflow.delete_run(outer.info.run_id)
    yield "deleted parent", t.outcome(lambda: start(parent_run_id=outer.info.run_id))
    get = t.mlflow.get_parent_run
    yield "get parent", get(inner.info.run_id).info.run_id == outer.info.run_id
    yield "no parent", get(outer.info.run_id)
    yield "parent of unknown", t.outcome(lambda: get(UNKNOWN))
    yield "parent is unknown", t.outcome(lambda: get(tagged.info.run_id))
    yield "client", t.client.get_parent_run(deep.info.run_id).info.run_id == inner.info.run_id


_UNSET = "MLflow says that the end time is unset, and leaves it"


@case(
    needs=("start_run",),
    differs={
        "gone on/times[1]": Difference("NoneType", _UNSET),
        "times[1]": Difference(None, _UNSET),
        "read/times[1]": Difference("NoneType", _UNSET),
        **each(NOT_FOUND, _NO_PLACE, "nonsense", "number"),
        "status after that": Difference("KILLED", "a call that fails changes nothing"),
        **each(_STATE, _UNCODED, "of another experiment", "given that experiment", "deleted"),
    },
)
def gone_on_with(t: Toolbox) -> Facts:
    start = t.mlflow.start_run
    run_id = _ended(t, run_name="first", tags={"a": "1"})
    with start(run_id=run_id, run_name="other", tags={"b": 2}, description="again", experiment_id="0") as run:
        yield "gone on", run
        yield "times", [run.info.start_time > 0, run.info.end_time]
        yield "read", t.mlflow.get_run(run_id)
        yield "nested later", t.outcome(lambda: start(nested=True).info.status)
        t.mlflow.end_run()
    yield "ended", t.mlflow.get_run(run_id)
    yield "positional", t.outcome(lambda: start(run_id).info.run_id == run_id)
    t.mlflow.end_run("KILLED")
    yield "empty id", t.outcome(lambda: start(run_id="").info.run_id != run_id)
    t.mlflow.end_run()
    yield "unknown", t.outcome(lambda: start(run_id=UNKNOWN))
    yield "nonsense", t.outcome(lambda: start(run_id="no such"))
    yield "number", t.outcome(lambda: start(run_id=5))
    yield (
        "both descriptions",
        t.outcome(lambda: start(run_id=run_id, description="a", tags={"mlflow.note.content": "b"})),
    )
    yield "status after that", t.mlflow.get_run(run_id).info.status
    yield "wrong tag", t.outcome(lambda: start(run_id=run_id, tags={"a$": "b"}))
    yield "active after that", t.mlflow.active_run() is None
    t.mlflow.end_run()
    yield (
        "parent given",
        t.outcome(lambda: start(run_id=run_id, parent_run_id=UNKNOWN).data.tags.get("mlflow.parentRunId")),
    )
    t.mlflow.end_run()
    other = t.mlflow.create_experiment("gone_on_with other")
    elsewhere = t.client.create_run(other).info.run_id
    yield "of another experiment", t.outcome(lambda: start(run_id=elsewhere))
    yield "given that experiment", t.outcome(lambda: start(run_id=elsewhere, experiment_id=other))
    t.mlflow.delete_run(run_id)
    yield "deleted", t.outcome(lambda: start(run_id=run_id))
    yield "none is active", t.mlflow.active_run()
    scheduled = t.client.create_run(t.experiment_id, run_name="by client")
    yield "by client", scheduled
    with start(scheduled.info.run_id) as run:
        yield "by client, gone on with", run


@case(
    needs=("start_run",),
    differs={
        **accident("empty"),
        "by both": Difference("by id", "a program is told the experiment of its caller by id; MLflow may refuse both"),
    },
)
def where_runs_go(t: Toolbox) -> Facts:
    start = t.mlflow.start_run
    other = t.mlflow.create_experiment("where_runs_go other")
    for label, experiment in (
        ("text", other),
        ("number", int(other)),
        ("unknown", "98765"),
        ("nonsense", "x"),
        ("empty", ""),
    ):
        yield (
            label,
            t.outcome(
                lambda experiment=experiment: (
                    t.mlflow.get_run(_ended(t, experiment_id=experiment)).info.experiment_id == other
                )
            ),
        )
        t.mlflow.end_run()
    t.mlflow.delete_experiment(other)
    yield "deleted experiment", t.outcome(lambda: start(experiment_id=other))
    yield "none is active", t.mlflow.active_run()
    t.mlflow.set_experiment("where_runs_go chosen")
    chosen = t.mlflow.get_experiment_by_name("where_runs_go chosen").experiment_id
    yield "chosen", t.mlflow.get_run(_ended(t)).info.experiment_id == chosen
    with start():
        t.mlflow.set_experiment(experiment_id=t.experiment_id)
        yield "while one is active", t.mlflow.active_run().info.experiment_id == chosen
        with start(nested=True) as inner:
            yield "nested after a choice", inner.info.experiment_id == t.experiment_id
    variables = {"MLFLOW_EXPERIMENT_NAME": "by name"}
    script = "print(json.dumps(mlflow.get_experiment(mlflow.start_run().info.experiment_id).name))"
    yield "by name", t.python(script, **variables)
    made = "import os; os.environ['MLFLOW_EXPERIMENT_ID'] = mlflow.create_experiment('by id');"
    yield "by id", t.python(made + script)
    yield "by both", t.python(made + script, **variables)
    yield "default", t.python(script)
    yield "set and named", t.python("mlflow.set_experiment('set');" + script, **variables)


@case(
    needs=("start_run",),
    differs={"another experiment is set[0]": Difference("INVALID_STATE", _UNCODED)},
)
def run_id_of_the_environment(t: Toolbox) -> Facts:
    prelude = """
        import os
        run_id = mlflow.MlflowClient().create_run('0', run_name='given').info.run_id
        os.environ['MLFLOW_RUN_ID'] = run_id
    """
    script = (
        prelude
        + """
        facts = []
        with mlflow.start_run(run_name='x', tags={'a': 'b'}) as run:
            facts += [run.info.run_id == run_id, run.info.run_name, run.data.tags.get('a')]
        facts += [os.environ.get('MLFLOW_RUN_ID') is None, mlflow.get_run(run_id).info.status]
        facts.append(mlflow.start_run().info.run_id == run_id)
        print(json.dumps(facts))
    """
    )
    yield "first", t.python(script)
    yield (
        "by a log",
        t.python(
            prelude
            + """
        mlflow.log_param('p', 1)
        print(json.dumps([mlflow.active_run().info.run_id == run_id, mlflow.get_run(run_id).data.params]))
    """
        ),
    )
    yield (
        "an id goes before it",
        t.python(
            prelude
            + """
        other = mlflow.MlflowClient().create_run('0').info.run_id
        facts = [mlflow.start_run(run_id=other).info.run_id == other, 'MLFLOW_RUN_ID' in os.environ]
        mlflow.end_run()
        facts.append(mlflow.start_run().info.run_id == run_id)
        print(json.dumps(facts))
    """
        ),
    )
    yield (
        "nested",
        t.python(
            prelude
            + """
        facts = []
        with mlflow.start_run() as run:
            with mlflow.start_run(nested=True) as inner:
                facts = [run.info.run_id == run_id, inner.info.run_id != run_id]
        print(json.dumps(facts))
    """
        ),
    )
    yield (
        "unknown",
        t.python("""
        import os
        os.environ['MLFLOW_RUN_ID'] = '0' * 32
        facts = []
        for _ in range(2):
            try:
                mlflow.start_run(); facts.append('started')
            except Exception as error:
                facts.append(error.error_code)
        print(json.dumps(facts + ['MLFLOW_RUN_ID' in os.environ]))
    """),
    )
    yield (
        "another experiment is set",
        t.python(
            prelude
            + """
        facts = []
        mlflow.set_experiment('other')
        try:
            mlflow.start_run(); facts.append('started')
        except Exception as error:
            facts.append(error.error_code)
        print(json.dumps(facts))
    """
        ),
    )
    yield (
        "another experiment is named",
        t.python(
            prelude
            + """
        facts = []
        try:
            mlflow.start_run(); facts.append('started')
        except Exception as error:
            facts.append(error.error_code)
        print(json.dumps(facts))
    """,
            MLFLOW_EXPERIMENT_NAME="other",
        ),
    )
    yield (
        "set afterwards",
        t.python(
            prelude
            + """
        with mlflow.start_run() as run:
            name = mlflow.set_experiment('other').name
            mlflow.log_metric('m', 1)
        print(json.dumps([name, mlflow.get_run(run_id).data.metrics]))
    """
        ),
    )


_BAD_STATUS = "a call that fails changes nothing: the run is still active"


@case(
    needs=("start_run",),
    differs={
        "after KeyboardInterrupt[1]": Difference("KILLED", "somebody has stopped it"),
        **each(INVALID, _UNCODED, "end_run 'WHAT'", "end_run 'finished'", "end_run 3"),
        **each(["RUNNING", True, False], _BAD_STATUS, "end_run 'WHAT': status", "end_run 'finished': status"),
        "end_run 3: status": Difference(["RUNNING", True, False], _BAD_STATUS + ", and has no end"),
        "no run, unknown status": Difference(INVALID, "a wrong argument is wrong without a run, too"),
        "inner left open": Difference(["FINISHED", "FINISHED", True], "MLflow ends the inner one and leaves the outer"),
    },
)
def ends(t: Toolbox) -> Facts:
    status = lambda run: t.mlflow.get_run(run.info.run_id).info.status
    for kind in (ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, BaseException):
        caught = None
        try:
            with t.mlflow.start_run() as run:
                raise kind("x")
        except BaseException as error:
            caught = type(error).__name__
        yield f"after {kind.__name__}", [caught, status(run), t.mlflow.active_run() is None]
    with t.mlflow.start_run() as run:
        for wanted in ("WHAT", "finished", "", None, 3, "RUNNING", "SCHEDULED", "FAILED"):
            yield f"end_run {wanted!r}", t.outcome(lambda wanted=wanted: t.mlflow.end_run(wanted))
            yield (
                f"end_run {wanted!r}: status",
                [
                    status(run),
                    t.mlflow.active_run() is not None,
                    t.mlflow.get_run(run.info.run_id).info.end_time is not None,
                ],
            )
            if t.mlflow.active_run() is None:
                t.mlflow.start_run(run.info.run_id)
    yield "no run, unknown status", t.outcome(lambda: t.mlflow.end_run("WHAT"))
    with t.mlflow.start_run() as run:
        t.mlflow.end_run("KILLED")
    yield "ended inside", status(run)
    with t.mlflow.start_run() as first:
        t.mlflow.end_run("KILLED")
        second = t.mlflow.start_run()
    yield "another begun inside", [status(first), status(second), t.mlflow.active_run() is None]
    t.mlflow.end_run()
    with t.mlflow.start_run() as outer:
        inner = t.mlflow.start_run(nested=True)
    yield "inner left open", [status(outer), status(inner), t.mlflow.active_run() is None]
    t.mlflow.end_run()
    with t.mlflow.start_run() as run:
        t.mlflow.end_run("KILLED")
        t.mlflow.start_run(run.info.run_id)
    yield "gone on with inside", [status(run), t.mlflow.active_run() is None]
    with t.mlflow.start_run() as run:
        t.client.set_terminated(run.info.run_id, "FAILED")
    yield "terminated by the client", status(run)
    with t.mlflow.start_run() as run:
        t.mlflow.end_run()
        t.mlflow.delete_run(run.info.run_id)
    yield "deleted inside", [t.mlflow.get_run(run.info.run_id).info.lifecycle_stage]

    def deleted_while_active() -> None:
        with t.mlflow.start_run() as run:
            t.mlflow.delete_run(run.info.run_id)

    yield "deleted while active", t.outcome(deleted_while_active)
    yield "then active", t.mlflow.active_run() is None
    while t.mlflow.active_run() is not None:
        try:
            t.mlflow.end_run()
        except Exception:
            break


_LEFT = "MLflow leaves it running for ever"


@case(
    needs=("start_run",),
    differs={
        "nested": Difference([["FINISHED", True], ["FINISHED", True]], _LEFT),
        "uncaught": Difference([["FAILED", True]], "nobody has caught what it died of"),
        "interrupted": Difference([["KILLED", True]], "somebody has stopped it"),
        "interrupted within": Difference([["KILLED", True]], "somebody has stopped it"),
        "in a thread": Difference([["FINISHED", True]], _LEFT),
        "one in a thread": Difference([["FINISHED", True], ["FINISHED", True]], _LEFT),
    },
)
def left_open(t: Toolbox) -> Facts:
    """What becomes of runs that are open when a process exits."""
    script = """
        import subprocess, sys
        script = 'import {module} as mlflow, sys, os, signal, threading\\n' + {body!r}
        done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
        runs = mlflow.search_runs(output_format='list', search_all_experiments=True)
        runs.sort(key=lambda run: run.info.start_time)
        print(json.dumps([[run.info.status, run.info.end_time is not None] for run in runs]))
    """
    for label, body in (
        ("end of the program", "mlflow.start_run()"),
        ("nested", "mlflow.start_run(); mlflow.start_run(nested=True)"),
        ("uncaught", "mlflow.start_run(); 1 / 0"),
        ("uncaught within", "with mlflow.start_run(): 1 / 0"),
        ("exit", "mlflow.start_run(); sys.exit(0)"),
        ("exit 3", "mlflow.start_run(); sys.exit(3)"),
        ("exit within", "with mlflow.start_run(): sys.exit(0)"),
        ("interrupted", "mlflow.start_run(); os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(30)"),
        (
            "interrupted within",
            "with mlflow.start_run(): os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(30)",
        ),
        ("by a log", "mlflow.log_param('a', 1)"),
        ("in tasks", "import asyncio\nasync def main():\n    mlflow.start_run()\nasyncio.run(main())"),
        ("in a thread", "thread = threading.Thread(target=mlflow.start_run); thread.start(); thread.join()"),
        (
            "one in a thread",
            "mlflow.start_run(); thread = threading.Thread(target=mlflow.start_run); thread.start(); thread.join()",
        ),
        ("hard exit", "mlflow.start_run(); os._exit(1)"),
        ("caught", "mlflow.start_run()\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    pass"),
    ):
        yield label, t.python(script.format(module=t.mlflow.__name__, body=body).replace("{{", "{").replace("}}", "}"))


@case(needs=("start_run",))
def threads(t: Toolbox) -> Facts:
    seen: dict[str, Any] = {}

    def elsewhere() -> None:
        seen["active"] = t.mlflow.active_run()
        seen["last"] = t.mlflow.last_active_run() is not None
        t.mlflow.log_metric("m", 1)
        own = t.mlflow.active_run()
        seen["own"] = own is not None and own.info.run_id
        seen["of the same experiment"] = own.info.experiment_id == t.experiment_id
        t.mlflow.end_run()
        seen["last then"] = t.mlflow.last_active_run().info.run_id == seen["own"]

    def run(call: Any) -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    with t.mlflow.start_run() as here:
        run(elsewhere)
        yield "there", {key: value for key, value in seen.items() if key != "own"}
        yield "another run", seen["own"] != here.info.run_id
        yield "here", t.mlflow.active_run() is here
        yield "metrics here", t.mlflow.get_run(here.info.run_id).data.metrics
    yield "last here", t.mlflow.last_active_run().info.run_id == here.info.run_id
    first: list[Any] = []
    run(lambda: first.append(t.mlflow.last_active_run()))
    yield "last in a new thread", first[0] is not None and first[0].info.run_id == here.info.run_id
    left: list[Any] = []
    run(lambda: left.append(t.mlflow.start_run()))
    yield "left open in a thread", [t.mlflow.active_run() is None, t.mlflow.get_run(left[0].info.run_id).info.status]


@case(
    needs=("start_run",),
    differs={
        "at once": Difference(["list", "list"], "what one task has active is no concern of another"),
        "in a thread of a task": Difference(["outer", "outer"], "asyncio hands the context of the task on"),
    },
)
def tasks(t: Toolbox) -> Facts:
    def names() -> Any:
        return [run and run.info.run_name for run in (t.mlflow.active_run(), t.mlflow.last_active_run())]

    async def one(name: str) -> Any:
        with t.mlflow.start_run(run_name=name):
            t.mlflow.log_param("of", name)
            await asyncio.sleep(0)
            return names()

    yield "one", asyncio.run(one("first"))
    yield "after it", names()
    yield "another", asyncio.run(one("second"))
    yield "after that", names()

    async def both() -> Any:
        return [type(answer).__name__ for answer in await asyncio.gather(one("a"), one("b"), return_exceptions=True)]

    yield "at once", asyncio.run(both())
    t.mlflow.end_run()
    with t.mlflow.start_run(run_name="outer"):

        async def seen() -> Any:
            return names()

        yield "in a task of an active run", asyncio.run(seen())

        async def in_thread() -> Any:
            return await asyncio.to_thread(names)

        yield "in a thread of a task", asyncio.run(in_thread())


_ITS_STORE = "a run stays in its store, as MLflow documents"


@case(
    needs=("start_run",),
    differs={
        "facts/metric": Difference(None, _ITS_STORE),
        "facts/end": Difference(None, _ITS_STORE),
        "facts/status": Difference("FINISHED", _ITS_STORE),
    },
)
def stores(t: Toolbox) -> Facts:
    """A run stays in the store that it was started in."""
    yield (
        "facts",
        t.python("""
        import os
        first = mlflow.get_tracking_uri()
        second = 'sqlite:///' + os.getcwd() + '/second.db'
        run = mlflow.start_run()
        mlflow.set_tracking_uri(second)
        facts = {'active': mlflow.active_run() is run}
        def tried(label, call):
            try:
                facts[label] = call()
            except Exception as error:
                facts[label] = getattr(error, 'error_code', type(error).__name__)
        tried('metric', lambda: mlflow.log_metric('m', 1))
        tried('end', lambda: mlflow.end_run())
        tried('active then', lambda: mlflow.active_run() is None)
        mlflow.set_tracking_uri(first)
        tried('status', lambda: mlflow.get_run(run.info.run_id).info.status)
        print(json.dumps(facts))
    """),
    )


@case(
    needs=("search_runs",),
    differs={
        "nonsense id": Difference(value([]), "an id that can be no experiment's is that of no experiment"),
        "text for names": Difference(value(["other"]), "one name is as good as a list of it, as with ids"),
        **each(INVALID, "there is no such view; MLflow finds nothing", "view 4", "view 0", "view None"),
        "view 'ACTIVE_ONLY'": Difference(INVALID, "there is no such view; MLflow finds nothing"),
        **accident("at most '2'", "at most 1.0"),
        "filter \"tags.even = 'True'\"": Difference(value(["n2", "n0"]), "a tag is the same text, whenever it is set"),
        "filter '  '": Difference(value(["n2", "n1", "n0"]), "a filter of blanks asks for nothing"),
        **each(INVALID, "an error with a code", "form 'LIST'", "form ''", "form None", "form 'dict'"),
    },
)
def searching(t: Toolbox) -> Facts:
    search = t.mlflow.search_runs
    other = t.mlflow.create_experiment("searching_runs other")
    for n in range(3):
        with t.mlflow.start_run(run_name=f"n{n}", tags={"even": n % 2 == 0}):
            t.mlflow.log_metric("m", n)
            t.mlflow.log_param("p", n)
        time.sleep(0.003)
    with t.mlflow.start_run(run_name="other", experiment_id=other):
        pass
    deleted = _ended(t, run_name="deleted")
    t.mlflow.delete_run(deleted)
    names = lambda **criteria: [run.info.run_name for run in search(output_format="list", **criteria)]
    here = [t.experiment_id]
    yield "default", names()
    yield "here", names(experiment_ids=here)
    yield "text for a list", t.outcome(lambda: names(experiment_ids=t.experiment_id))
    yield "number", t.outcome(lambda: names(experiment_ids=[int(t.experiment_id)]))
    yield "two", names(experiment_ids=[t.experiment_id, other])
    yield "unknown id", t.outcome(lambda: names(experiment_ids=["98765"]))
    yield "nonsense id", t.outcome(lambda: names(experiment_ids=["nonsense"]))
    yield "no ids", t.outcome(lambda: names(experiment_ids=[]))
    yield "by name", names(experiment_names=["searching_runs other"])
    yield "text for names", t.outcome(lambda: names(experiment_names="searching_runs other"))
    yield "unknown name", t.outcome(lambda: names(experiment_names=["no such"]), warn=True)
    yield "one unknown name", t.outcome(lambda: names(experiment_names=["no such", "searching_runs other"]), warn=True)
    yield "both", t.outcome(lambda: names(experiment_ids=here, experiment_names=["searching_runs other"]))
    yield "no ids and a name", t.outcome(lambda: names(experiment_ids=[], experiment_names=["searching_runs other"]))
    yield "all", {"n0", "other"} <= set(names(search_all_experiments=True))
    yield "all but ids", names(search_all_experiments=True, experiment_ids=[other])
    for view in (1, 2, 3, 4, 0, None, "ACTIVE_ONLY"):
        yield f"view {view!r}", t.outcome(lambda view=view: names(run_view_type=view))
    for most in (0, 1, 2, -1, 100_000, 1_000_000, None, "2", 1.0):
        yield f"at most {most!r}", t.outcome(lambda most=most: names(max_results=most))
    for text in (
        "metrics.m > 0",
        "params.p = '1'",
        "tags.even = 'True'",
        "attributes.run_name = 'n1'",
        "",
        "  ",
        None,
        5,
        "nonsense",
        "m >",
    ):
        yield f"filter {text!r}", t.outcome(lambda text=text: names(filter_string=text))
    for order in (
        ["metrics.m ASC"],
        ["metrics.m"],
        ["start_time ASC"],
        ["params.p DESC"],
        [],
        "metrics.m ASC",
        ["nonsense"],
        ["metrics.m UP"],
        [5],
    ):
        yield f"order {order!r}", t.outcome(lambda order=order: names(order_by=order))
    for form in ("list", "pandas", "LIST", "", None, "dict"):
        yield f"form {form!r}", t.outcome(lambda form=form: type(search(output_format=form)).__name__)
    yield "positional", t.outcome(lambda: len(search(here, "metrics.m >= 1", 1, 10, ["metrics.m"], "list")))
    page = t.client.search_runs(here, max_results=2)
    yield "page", [len(page), bool(page.token)]
    rest = t.client.search_runs(here, max_results=2, page_token=page.token)
    yield "rest", [len(rest), rest.token]
    t.mlflow.delete_experiment(other)
    yield "of a deleted experiment", [names(experiment_ids=[other]), names(experiment_ids=[other], run_view_type=2)]
    yield "of a deleted experiment by name", t.outcome(lambda: names(experiment_names=["searching_runs other"]))


_DTYPES = "a column has its type, whatever is in it"


@case(
    needs=("search_runs",),
    differs={
        **each("object", _DTYPES, *(f"empty/dtypes/{name}" for name in ("run_id", "experiment_id", "status"))),
        "empty/dtypes/artifact_uri": Difference("object", _DTYPES),
        "empty/dtypes/start_time": Difference("datetime64[ns, UTC]", _DTYPES),
        "empty/dtypes/end_time": Difference("datetime64[ns, UTC]", _DTYPES),
        "open/dtypes/end_time": Difference("datetime64[ns, UTC]", _DTYPES),
        "open/rows[0]/end_time": Difference("NaT", _DTYPES),
    },
)
def frames(t: Toolbox) -> Facts:
    def facts(frame: Any) -> Any:
        return {
            "columns": list(frame.columns[:6]),
            "kinds in order": list(dict.fromkeys(name.split(".")[0] for name in frame.columns[6:])),
            "dtypes": {name: str(kind) for name, kind in sorted(frame.dtypes.items()) if "source.git" not in name},
            "index": [type(frame.index).__name__, list(frame.index)],
            "rows": [
                {
                    name: _cell(t, value)
                    for name, value in sorted(row.items())
                    if not name.startswith(("tags.mlflow", "artifact_uri", "experiment_id"))
                }
                for row in frame.to_dict("records")
            ],
        }

    yield "empty", facts(t.mlflow.search_runs())
    run = t.mlflow.start_run(run_name="open")
    yield "open", facts(t.mlflow.search_runs())
    t.mlflow.end_run()
    time.sleep(0.003)
    with t.mlflow.start_run(run_name="full", tags={"t": "x", "a tag": "y"}):
        t.mlflow.log_metrics({"zeta": 1, "alpha": float("nan"), "beta": float("inf")})
        t.mlflow.log_params({"z": 1, "a": None, "b": True})
    time.sleep(0.003)
    with t.mlflow.start_run(run_name="part", tags={"u": ""}):
        t.mlflow.log_metrics({"zeta": 3, "gamma": -1.5})
        t.mlflow.log_params({"z": "", "c": "d"})
    yield "three", facts(t.mlflow.search_runs())
    yield "two", facts(t.mlflow.search_runs(max_results=2))
    yield "filtered", facts(t.mlflow.search_runs(filter_string="metrics.gamma < 0"))
    yield "ordered", facts(t.mlflow.search_runs(order_by=["metrics.zeta ASC"]))
    yield "run", run.info.run_name


def _cell(t: Toolbox, value: Any) -> Any:
    if type(value).__name__ == "Timestamp":
        return [type(value).__name__, str(value.tz), value.unit]
    if type(value).__name__ == "NaTType":
        return "NaT"
    return t.plain(value)


@case(needs=("delete_run",), differs=each(NOT_FOUND, _NO_PLACE, "get none", "get empty"))
def deletion(t: Toolbox) -> Facts:
    run_id = _ended(t)
    yield "delete", t.outcome(lambda: t.mlflow.delete_run(run_id))
    yield "read", t.mlflow.get_run(run_id).info.lifecycle_stage
    yield "again", t.outcome(lambda: t.mlflow.delete_run(run_id))
    yield "unknown", t.outcome(lambda: t.mlflow.delete_run(UNKNOWN))
    yield "restore", t.outcome(lambda: t.client.restore_run(run_id))
    yield "restore again", t.outcome(lambda: t.client.restore_run(run_id))
    yield "restored", t.mlflow.get_run(run_id).info.lifecycle_stage
    yield "get unknown", t.outcome(lambda: t.mlflow.get_run(UNKNOWN))
    yield "get none", t.outcome(lambda: t.mlflow.get_run(None))
    yield "get empty", t.outcome(lambda: t.mlflow.get_run(""))
    yield "delete none", t.outcome(lambda: t.mlflow.delete_run(None))


@case(
    needs=("start_run",),
    differs={
        "beside a run of another thread": Difference(True, "it is active here; MLflow takes the one that began last"),
        "in a thread, two runs": Difference(None, "whose helper the thread is cannot be known"),
    },
)
def traces(t: Toolbox) -> Facts:
    of = lambda trace_id: t.mlflow.get_trace(trace_id).info.trace_metadata.get("mlflow.sourceRun")
    with t.mlflow.start_run() as outer:
        yield "in a run", of(t.make()) == outer.info.run_id
        with t.mlflow.start_run(nested=True) as inner:
            yield "in the inner one", of(t.make()) == inner.info.run_id
        yield "in the outer one", of(t.make()) == outer.info.run_id
        with t.mlflow.start_span("root") as root:
            t.mlflow.end_run()
        yield "begun in a run that ended", of(root.trace_id) == outer.info.run_id
    yield "after it", of(t.make())
    with t.mlflow.start_span("root") as root, t.mlflow.start_run() as run:
        pass
    yield "a run within a trace", [of(root.trace_id), run.info.status]
    other = t.mlflow.create_experiment("traces_of_runs other")
    with t.mlflow.start_run(experiment_id=other) as run:
        trace_id = t.make()
    trace = t.mlflow.get_trace(trace_id)
    yield (
        "of a run elsewhere",
        [
            trace.info.experiment_id == t.experiment_id,
            trace.info.experiment_id == other,
            of(trace_id) == run.info.run_id,
        ],
    )
    facts: list[Any] = []

    def in_thread(call: Any) -> Any:
        thread = threading.Thread(target=lambda: facts.append(call()))
        thread.start()
        thread.join()
        return facts[-1]

    def beside(here: Any) -> Any:
        with t.mlflow.start_run() as there:
            names = {here.info.run_id: "here", there.info.run_id: "there"}
            return [of(t.make()) == there.info.run_id, names.get(in_thread(lambda: of(t.make())))]

    with t.mlflow.start_run() as here:
        yield "in a thread", in_thread(lambda: of(t.make())) == here.info.run_id
        with t.mlflow.start_run(nested=True) as inner:
            yield "in a thread, nested", in_thread(lambda: of(t.make())) == inner.info.run_id
        of_there, of_third = in_thread(lambda: beside(here))
        yield "in the run of a thread", of_there
        yield "in a thread, two runs", of_third
        ready, done = threading.Event(), threading.Event()

        def waits() -> None:
            with t.mlflow.start_run():
                ready.set()
                done.wait()

        thread = threading.Thread(target=waits)
        thread.start()
        ready.wait()
        yield "beside a run of another thread", of(t.make()) == here.info.run_id
        done.set()
        thread.join()
    yield "in a thread, no run", in_thread(lambda: of(t.make()))
