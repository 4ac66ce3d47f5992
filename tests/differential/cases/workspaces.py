"""Workspaces: made, changed, deleted, and what is seen from one of another."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from toolbox import ANYTHING, NOT_FOUND, Difference, Facts, Toolbox, accident, case, each

ENABLED = {"MLFLOW_ENABLE_WORKSPACES": "true"}
"""The released MLflow keeps workspaces apart only when it is told to; ours always does."""


def apart(function: Callable[[Toolbox], Facts]) -> Callable[[Toolbox], Facts]:
    """Run a case in a store of its own: the released MLflow looks once, as it opens one, whether it has workspaces."""

    @functools.wraps(function)
    def run(t: Toolbox) -> Facts:
        before = t.mlflow.get_tracking_uri()
        t.mlflow.set_tracking_uri(f"sqlite:///{t.directory}/workspaces.db")
        t.mlflow.set_workspace("default")
        t.client = t.mlflow.MlflowClient()
        try:
            yield from function(t)
        finally:
            t.mlflow.set_workspace(None)
            t.mlflow.set_tracking_uri(before)

    return run


@contextmanager
def inside(t: Toolbox, name: str) -> Iterator[None]:
    t.mlflow.set_workspace(name)
    try:
        yield
    finally:
        t.mlflow.set_workspace("default")


@case(environment=ENABLED)
@apart
def making(t: Toolbox) -> Facts:
    m = t.mlflow
    yield "made", m.create_workspace("making-one", "what for", "/tmp/making").to_dict()
    yield "got", m.get_workspace("making-one").to_dict()
    yield "plain", m.create_workspace("making-two").to_dict()
    yield "default", m.get_workspace("default").to_dict()
    yield "again", t.outcome(lambda: m.create_workspace("making-one"))
    yield "default again", t.outcome(lambda: m.create_workspace("default"))
    for name in ("", "a", "ab", "A", "a-b", "a--b", "-ab", "ab-", "a_b", "a.b", "a b", "n" * 63, "n" * 64, "0", "00"):
        yield f"name {name[:12]}({len(name)})", t.outcome(lambda name=name: m.create_workspace(name).name)
    for name in ("api", "ajax-api", "workspaces", "static-files", "none", None, 5):
        yield f"name {name!r}", t.outcome(lambda name=name: m.create_workspace(name).name)
    yield "unknown", t.outcome(lambda: m.get_workspace("making-nowhere"))
    yield "nonsense", t.outcome(lambda: m.get_workspace("No Name"))
    yield "listed", [one.name for one in m.list_workspaces() if one.name.startswith("making")]
    yield "client", t.client.get_workspace("making-one").to_dict()
    yield "to dict", m.get_workspace("making-one").to_dict()


@case(
    environment=ENABLED,
    differs=accident("root number", "root query")
    | {"root relative": Difference(ANYTHING, "a path means the same after a change of directory")},
)
@apart
def changing(t: Toolbox) -> Facts:
    m = t.mlflow
    m.create_workspace("changing", "before", "s3://bucket/before")
    yield "description", m.update_workspace("changing", "after").to_dict()
    yield "root", m.update_workspace("changing", default_artifact_root="s3://bucket/after/").to_dict()
    yield "nothing", m.update_workspace("changing").to_dict()
    yield "empty", m.update_workspace("changing", "", "").to_dict()
    yield "unknown", t.outcome(lambda: m.update_workspace("changing-nowhere", "x"))
    yield "root number", t.outcome(lambda: m.update_workspace("changing", default_artifact_root=5))
    yield "root query", t.outcome(lambda: m.update_workspace("changing", default_artifact_root="s3://b/r?q=1"))
    yield (
        "root relative",
        t.outcome(lambda: m.update_workspace("changing", default_artifact_root="rel/x").default_artifact_root),
    )


@case(environment=ENABLED)
@apart
def seen_from_elsewhere(t: Toolbox) -> Facts:
    m = t.mlflow
    m.create_workspace("seen-one", default_artifact_root=f"file://{t.directory}/seen")
    m.create_workspace("seen-two")
    with inside(t, "seen-one"):
        experiment = m.create_experiment("seen")
        yield "experiment", m.get_experiment(experiment).workspace
        yield (
            "artifact location",
            m.get_experiment(experiment).artifact_location.removeprefix("file://")
            == f"{t.directory}/seen/{experiment}",
        )
        run = t.client.create_run(experiment)
        model = m.create_external_model("seen", experiment_id=experiment)
        yield "listed", [one.name for one in m.search_experiments()]
    with inside(t, "seen-two"):
        yield "empty", [one.name for one in m.search_experiments()]
        yield "default by id", t.outcome(lambda: m.get_experiment("0"))
        yield "default by name", m.get_experiment_by_name("Default")
        yield "experiment by id", t.outcome(lambda: m.get_experiment(experiment))
        yield "experiment by name", m.get_experiment_by_name("seen")
        yield "run", t.outcome(lambda: m.get_run(run.info.run_id))
        yield "metric", t.outcome(lambda: t.client.log_metric(run.info.run_id, "m", 1.0))
        yield "delete run", t.outcome(lambda: t.client.delete_run(run.info.run_id))
        yield "runs", [one.info.run_id for one in t.client.search_runs([experiment])]
        yield "model", t.outcome(lambda: m.get_logged_model(model.model_id))
        yield "rename", t.outcome(lambda: t.client.rename_experiment(experiment, "other"))
        yield "delete", t.outcome(lambda: m.delete_experiment(experiment))
        yield "same name", t.outcome(lambda: type(m.create_experiment("seen")).__name__)
    yield "default workspace", t.outcome(lambda: m.get_experiment(experiment))


@case(environment=ENABLED)
@apart
def deleting(t: Toolbox) -> Facts:
    m = t.mlflow
    for name in ("deleting-empty", "deleting-full", "deleting-moved", "deleting-taken"):
        m.create_workspace(name)
    for name in ("deleting-full", "deleting-moved", "deleting-taken"):
        with inside(t, name):
            m.create_experiment("deleting taken" if name.endswith("taken") else name)
    m.create_experiment("deleting taken")
    delete = m.delete_workspace
    yield "empty", t.outcome(lambda: delete("deleting-empty"))
    yield "again", t.outcome(lambda: delete("deleting-empty"))
    yield "full", t.outcome(lambda: delete("deleting-full"))
    yield "restrict", t.outcome(lambda: delete("deleting-full", mode="RESTRICT"))
    yield "mode", t.outcome(lambda: delete("deleting-full", mode="restrict"))
    yield "no mode", t.outcome(lambda: delete("deleting-full", mode=None))
    yield "cascade", t.outcome(lambda: delete("deleting-full", mode="CASCADE"))
    yield "moved", t.outcome(lambda: delete("deleting-moved", mode=m.entities.WorkspaceDeletionMode.SET_DEFAULT))
    yield "where it went", m.get_experiment_by_name("deleting-moved").workspace
    yield "taken", t.outcome(lambda: delete("deleting-taken", mode="SET_DEFAULT"))
    for mode in ("RESTRICT", "SET_DEFAULT", "CASCADE"):
        yield f"default {mode}", t.outcome(lambda mode=mode: delete("default", mode=mode))
    yield "unknown", t.outcome(lambda: delete("deleting-nowhere", mode="CASCADE"))
    left = [one.name for one in m.list_workspaces() if one.name.startswith("deleting")]
    yield "left", left


@case(
    environment=ENABLED,
    differs=each(
        NOT_FOUND, "in a workspace that is not there MLflow finds nothing, and makes things", "made", "searched"
    ),
)
@apart
def choosing_a_workspace(t: Toolbox) -> Facts:
    m = t.mlflow
    for name in ("", "A", "a b", 5):
        yield f"name {name!r}", t.outcome(lambda name=name: m.set_workspace(name))
    try:
        yield "unknown", t.outcome(lambda: m.set_workspace("choosing-nowhere"))
        yield "made", t.outcome(lambda: type(m.create_experiment("choosing")).__name__)
        yield "searched", t.outcome(lambda: [one.name for one in m.search_experiments()])
    finally:
        m.set_workspace("default")
