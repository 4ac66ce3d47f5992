"""Experiments, enough of them to hold traces, and the tracking URI."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

import pathlib

from toolbox import INVALID, Difference, Facts, Toolbox, accident, case, each, value


@case(
    differs=each(INVALID, "set later, MLflow refuses or cuts the same tag", "tag key too long", "tag value long")
    | accident("tags no dict")
    | {"path as a location": Difference(value("creation three"), "a path is as good as its text")}
)
def creation(t: Toolbox) -> Facts:
    create = t.mlflow.create_experiment
    made = create("creation one")
    yield "type", type(made).__name__
    yield "experiment", t.mlflow.get_experiment(made)
    full = create("creation two", artifact_location=f"file://{t.directory}/elsewhere", tags={"a": "1", "n": 5})
    experiment = t.mlflow.get_experiment(full)
    yield "full", experiment
    yield "artifact location", experiment.artifact_location
    yield (
        "path as a location",
        t.outcome(
            lambda: t.mlflow.get_experiment(create("creation three", artifact_location=pathlib.Path(t.directory))).name
        ),
    )
    for name in ("", "  ", None, 5, "n" * 500, "n" * 501, "with/slash", "quo'te", "emoji 🐎", " padded "):
        label = f"{name[:20]}({len(name)})" if isinstance(name, str) else repr(name)
        yield f"name {label}", t.outcome(lambda name=name: type(create(name)).__name__)
    yield "again", t.outcome(lambda: create("creation one"))
    yield "tags no dict", t.outcome(lambda: create("creation four", tags=["a"]))
    yield "tag key too long", t.outcome(lambda: type(create("creation five", tags={"k" * 251: "v"})).__name__)
    yield "tag value long", t.outcome(lambda: type(create("creation six", tags={"k": "v" * 5001})).__name__)


@case()
def choosing(t: Toolbox) -> Facts:
    choose = t.mlflow.set_experiment
    new = choose("choosing one")
    yield "made", new
    yield "again", choose("choosing one").experiment_id == new.experiment_id
    yield "by id", choose(experiment_id=new.experiment_id).name
    yield "both", t.outcome(lambda: choose("choosing one", new.experiment_id))
    yield "none", t.outcome(lambda: choose())
    yield "empty", t.outcome(lambda: choose(""))
    yield "number", t.outcome(lambda: choose(5))
    yield "unknown id", t.outcome(lambda: choose(experiment_id="98765"))
    yield "id nonsense", t.outcome(lambda: choose(experiment_id="nonsense"))
    yield "id number", t.outcome(lambda: choose(experiment_id=int(new.experiment_id)).name)
    gone = t.mlflow.create_experiment("choosing gone")
    t.client.delete_experiment(gone)
    yield "deleted", t.outcome(lambda: choose("choosing gone"))
    yield "deleted id", t.outcome(lambda: choose(experiment_id=gone))
    yield "traces go there", t.mlflow.get_trace(t.make()).info.experiment_id == new.experiment_id


@case(
    differs={
        "none": Difference(INVALID, "None names no experiment; MLflow returns the default one"),
        **accident("renamed to a taken one", code="RESOURCE_ALREADY_EXISTS"),
    }
)
def looking_up(t: Toolbox) -> Facts:
    made = t.mlflow.create_experiment("looking_up one")
    get, by_name = t.mlflow.get_experiment, t.mlflow.get_experiment_by_name
    yield "by id", get(made).name
    yield "by name", by_name("looking_up one").experiment_id == made
    yield "unknown id", t.outcome(lambda: get("98765"))
    yield "nonsense id", t.outcome(lambda: get("nonsense"))
    yield "number", t.outcome(lambda: get(int(made)).name)
    yield "none", t.outcome(lambda: get(None))
    yield "unknown name", t.outcome(lambda: by_name("no such"))
    yield "empty name", t.outcome(lambda: by_name(""))
    yield "none name", t.outcome(lambda: by_name(None))
    yield "other case", t.outcome(lambda: by_name("LOOKING_UP ONE"))
    yield "default", get("0").name
    yield "default stage", get("0").lifecycle_stage
    t.client.delete_experiment(made)
    yield "deleted", [get(made).lifecycle_stage, by_name("looking_up one").lifecycle_stage]
    yield "deleted again", t.outcome(lambda: t.client.delete_experiment(made))
    yield "restored", t.outcome(lambda: t.client.restore_experiment(made))
    yield "restored again", t.outcome(lambda: t.client.restore_experiment(made))
    yield "renamed", t.outcome(lambda: t.client.rename_experiment(made, "looking_up two"))
    yield "renamed, read", get(made).name
    yield "renamed to a taken one", t.outcome(lambda: t.client.rename_experiment(made, "Default"))
    yield "dictionary", sorted(dict(get(made)))
    yield "tag", t.outcome(lambda: t.client.set_experiment_tag(made, "k", 5))
    yield "tag read", get(made).tags
    yield "made by hand", t.outcome(lambda: t.mlflow.entities.Experiment("1", "n", "loc", "active").tags)


_MORE = "more of the filter language holds for experiments in ours"


@case(
    differs={
        "view nonsense": Difference(INVALID, "there is no such view; MLflow finds nothing"),
        "filter experiment_id = '0'": Difference(value(["Default"]), _MORE),
        **each(
            value(["searching a"]),
            _MORE,
            "filter name RLIKE '^searching a$'",
            "filter tags.k IN ('1')",
            "filter name IN ('searching a')",
        ),
    }
)
def searching(t: Toolbox) -> Facts:
    for name, tags in (("searching a", {"k": "1"}), ("searching b", {"k": "2"}), ("searching c", {})):
        t.mlflow.create_experiment(name, tags=tags)
    gone = t.mlflow.create_experiment("searching gone")
    t.client.delete_experiment(gone)
    scope = "name LIKE 'searching %'"
    search = lambda **criteria: [
        experiment.name for experiment in t.mlflow.search_experiments(**{"filter_string": scope, **criteria})
    ]
    yield "type", type(t.mlflow.search_experiments()).__name__
    yield "active", sorted(search())
    kinds = t.mlflow.entities.ViewType
    yield "deleted", search(view_type=kinds.DELETED_ONLY)
    yield "all", sorted(search(view_type=kinds.ALL))
    yield "view nonsense", t.outcome(lambda: search(view_type=9))
    yield "at most", len(search(max_results=2))
    yield "at most zero", t.outcome(lambda: len(search(max_results=0)))
    yield "negative", t.outcome(lambda: len(search(max_results=-1)))
    for order in (
        ["name"],
        ["name DESC"],
        ["experiment_id ASC"],
        ["experiment_id DESC", "name ASC"],
        ["nonsense"],
        ["name UP"],
    ):
        yield f"order {order}", t.outcome(lambda order=order: search(order_by=order))
    for text in (
        "name = 'searching a'",
        "name != 'searching a' AND name LIKE 'searching %'",
        "name ILIKE 'SEARCHING%'",
        "attribute.name = 'searching b'",
        "tags.k = '1'",
        "tag.k = '2'",
        "tags.k != '1' AND name LIKE 'searching%'",
        "tags.`k` LIKE '%1'",
        "creation_time > 0 AND name LIKE 'searching%'",
        "last_update_time >= 0 AND name LIKE 'searching%'",
        "name = searching",
        "nonsense = 'x'",
        "name > 'x'",
        "experiment_id = '0'",
        "creation_time LIKE 'x'",
        "name = 'a' OR name = 'b'",
        "name RLIKE '^searching a$'",
        "tags.k IN ('1')",
        "name IN ('searching a')",
        "name =",
    ):
        yield f"filter {text}", t.outcome(lambda text=text: sorted(search(filter_string=text)))
    page = t.client.search_experiments(filter_string=scope, max_results=2)
    rest = t.client.search_experiments(filter_string=scope, max_results=2, page_token=page.token)
    yield "pages", [len(page), page.token is not None, len(rest), rest.token]


_WHERE = """
    with mlflow.start_span("s") as span:
        pass
    trace = mlflow.get_trace(span.trace_id, silent=True)
    print(json.dumps(trace and mlflow.get_experiment(trace.info.experiment_id).name))
    """


@case(
    environment={"MLFLOW_EXPERIMENT_NAME": "by_variable by name"},
    differs={"by both": Difference("Default", "MLflow loses the trace; ours takes the id")},
)
def by_variable(t: Toolbox) -> Facts:
    yield "chosen wins", t.mlflow.get_trace(t.make()).info.experiment_id == t.experiment_id
    yield "by none", t.python(_WHERE)
    yield "by name", t.python(_WHERE, MLFLOW_EXPERIMENT_NAME="named")
    yield "by id", t.python(_WHERE, MLFLOW_EXPERIMENT_ID="0")
    yield "by unknown id", t.python(_WHERE, MLFLOW_EXPERIMENT_ID="98765")
    yield "by both", t.python(_WHERE, MLFLOW_EXPERIMENT_NAME="named", MLFLOW_EXPERIMENT_ID="0")


@case(differs=each(INVALID, "it is no URI and no path; MLflow fails later", "number"))
def tracking_uris(t: Toolbox) -> Facts:
    before = t.mlflow.get_tracking_uri()
    yield "set", t.mlflow.is_tracking_uri_set()
    for uri in (
        "sqlite:///relative.db",
        f"sqlite:////{t.directory.lstrip('/')}/absolute.db",
        "http://localhost:5000",
        "postgresql://h/db",
    ):
        t.mlflow.set_tracking_uri(uri)
        yield f"uri {uri}", t.mlflow.get_tracking_uri()
    yield "path", t.outcome(lambda: t.mlflow.set_tracking_uri(pathlib.Path(t.directory) / "a path"))
    yield "path read", t.mlflow.get_tracking_uri()
    yield "number", t.outcome(lambda: t.mlflow.set_tracking_uri(5))
    yield "none", t.outcome(lambda: t.mlflow.set_tracking_uri(None))
    yield "none read", t.mlflow.get_tracking_uri() != "postgresql://h/db"
    yield "registry of none", t.outcome(lambda: t.mlflow.set_registry_uri(None))
    t.mlflow.set_tracking_uri(before)
    yield "back", t.mlflow.get_tracking_uri() == before
    yield "client uri", t.outcome(lambda: t.mlflow.MlflowClient(tracking_uri="sqlite:///x.db").tracking_uri)


@case()
def of_a_child_process(t: Toolbox) -> Facts:
    t.mlflow.set_experiment(experiment_id=t.experiment_id)
    yield "uri", t.python("print(json.dumps(mlflow.get_tracking_uri()))", inherit=True)
    yield "experiment", t.python(_WHERE, inherit=True)
    yield "found here", len(t.traces())


@case(
    differs={
        "of an experiment unknown there": Difference(
            ["nowhere < None [UNKNOWN OK]"], "MLflow loses the trace; ours puts it into the database's own experiment"
        )
    }
)
def two_databases(t: Toolbox) -> Facts:
    here = t.make("here")
    before = t.mlflow.get_tracking_uri()
    t.mlflow.set_tracking_uri(f"sqlite:///{t.directory}/second.db")
    try:
        nowhere = t.make("nowhere")
        yield "of an experiment unknown there", t.tree(t.mlflow.get_trace(nowhere, silent=True))
        t.mlflow.set_experiment("Default")
        there = t.make("there")
        yield "not there", t.mlflow.get_trace(here, silent=True)
        yield "there", t.tree(t.mlflow.get_trace(there))
        yield "experiment", t.mlflow.get_trace(there).info.experiment_id
    finally:
        t.mlflow.set_tracking_uri(before)
    t.mlflow.set_experiment(experiment_id=t.experiment_id)
    yield "here again", t.tree(t.mlflow.get_trace(here))
    yield "not here", t.mlflow.get_trace(there, silent=True)


@case(
    needs=("set_experiment_tags",),
    differs={
        **accident("key 5", "no dictionary"),
        "nothing of it": Difference(False, "several tags are set, or none of them"),
    },
)
def tags(t: Toolbox) -> Facts:
    own = lambda: t.mlflow.get_experiment(t.experiment_id).tags
    put = t.mlflow.set_experiment_tag
    for label, tag in (("text", "x"), ("number", 5), ("none", None), ("truth", True), ("list", [1]), ("empty", "")):
        yield label, t.outcome(lambda label=label, tag=tag: put(label, tag))
    yield "changed", t.outcome(lambda: put("text", "y"))
    yield "read", own()
    for key in ("k" * 250, "k" * 251, "", None, 5, "a/b", "a//b", "../a", "a$", "a b", "a:b", "é"):
        label = f"{key[:6]}({len(key)})" if isinstance(key, str) else repr(key)
        yield f"key {label}", t.outcome(lambda key=key: put(key, 1))
    yield "long", t.outcome(lambda: put("long", "v" * 5000))
    yield "long, read", len(own().get("long", ""))
    yield "longer", t.outcome(lambda: put("longer", "v" * 5001))
    yield "longer, read", len(own().get("longer", ""))
    many = t.mlflow.set_experiment_tags
    yield "many", t.outcome(lambda: many({"m1": 1, "m2": None}))
    yield "no", t.outcome(lambda: many({}))
    yield "no dictionary", t.outcome(lambda: many([("a", 1)]))
    yield "one wrong", t.outcome(lambda: many({"w1": 1, "w$": 2}))
    yield "nothing of it", "w1" in own()
    yield "delete", t.outcome(lambda: t.mlflow.delete_experiment_tag("text"))
    yield "deleted", "text" in own()
    yield "delete again", t.outcome(lambda: t.mlflow.delete_experiment_tag("text"))
    yield "delete none", t.outcome(lambda: t.mlflow.delete_experiment_tag(None))
    yield "client", t.outcome(lambda: t.client.set_experiment_tag(t.experiment_id, "c", 1))
    yield "client, unknown", t.outcome(lambda: t.client.set_experiment_tag("98765", "c", 1))
    yield "client, delete", t.outcome(lambda: t.client.delete_experiment_tag(t.experiment_id, "c"))
    other = t.mlflow.create_experiment("tags other")
    with t.mlflow.start_run(experiment_id=other):
        put("in a run", 1)
    yield "in a run elsewhere", ["in a run" in own(), "in a run" in t.mlflow.get_experiment(other).tags]
    t.mlflow.delete_experiment(t.experiment_id)
    yield "of a deleted one", t.outcome(lambda: put("late", 1))
    t.client.restore_experiment(t.experiment_id)


@case(
    needs=("delete_experiment",),
    differs={**accident("none"), **accident("a run of it", code="INVALID_STATE")},
)
def deletion(t: Toolbox) -> Facts:
    delete = t.mlflow.delete_experiment
    made = t.mlflow.create_experiment("deletion one")
    with t.mlflow.start_run(experiment_id=made) as run:
        pass
    stage = lambda: [
        t.mlflow.get_experiment(made).lifecycle_stage,
        t.mlflow.get_run(run.info.run_id).info.lifecycle_stage,
    ]
    yield "before", stage()
    yield "delete", t.outcome(lambda: delete(made))
    yield "after", stage()
    yield "again", t.outcome(lambda: delete(made))
    yield "unknown", t.outcome(lambda: delete("98765"))
    yield "nonsense", t.outcome(lambda: delete("nonsense"))
    yield "none", t.outcome(lambda: delete(None))
    yield "number", t.outcome(lambda: delete(int(t.mlflow.create_experiment("deletion two"))))
    yield "a run in it", t.outcome(lambda: t.mlflow.start_run(experiment_id=made))
    yield "a run of it", t.outcome(lambda: t.mlflow.start_run(run.info.run_id))
    yield "its name", t.outcome(lambda: t.mlflow.create_experiment("deletion one"))
    t.client.restore_experiment(made)
    yield "restored", stage()
    t.mlflow.set_experiment(experiment_id=made)
    delete(made)
    yield "a run in the active one", t.outcome(lambda: t.mlflow.start_run())
    yield "none is active", t.mlflow.active_run()
    yield "runs of the active one", t.outcome(lambda: len(t.mlflow.search_runs(output_format="list")))
