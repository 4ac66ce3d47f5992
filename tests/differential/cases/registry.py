"""The registry: registered models, their versions, aliases, stages, tags; registering and searching."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731, PLW0108

from __future__ import annotations

import os
import time
from typing import Any

from toolbox import INVALID, NOT_FOUND, Difference, Facts, Toolbox, accident, case, each, value

SOURCE = "s3://bucket/model"
ONE_CODE = "an argument that is not allowed has one code everywhere"
NOT_THERE = "an inner error says that something is not there; ours says so with the code for it"


def model_facts(model: Any) -> dict[str, Any]:
    """Everything of a registered model but its times."""
    return {
        "class": type(model).__name__,
        "name": model.name,
        "description": model.description,
        "tags": dict(model.tags),
        "aliases": dict(model.aliases),
        "latest": [f"{version.version} {version.current_stage}" for version in model.latest_versions],
        "deployment": [model.deployment_job_id, model.deployment_job_state],
        "times": [type(model.creation_timestamp).__name__, type(model.last_updated_timestamp).__name__],
    }


def version_facts(version: Any) -> dict[str, Any]:
    """Everything of a version but its times, and the logged model, which MLflow does not keep."""
    return {
        "class": type(version).__name__,
        "name": version.name,
        "version": version.version,
        "description": version.description,
        "stage": version.current_stage,
        "source": version.source,
        "run": version.run_id,
        "run link": version.run_link,
        "user": version.user_id,
        "status": [version.status, version.status_message],
        "tags": dict(version.tags),
        "aliases": list(version.aliases),
        "params and metrics": [version.params, version.metrics],
        "times": [type(version.creation_timestamp).__name__, type(version.last_updated_timestamp).__name__],
    }


def later() -> None:
    """Let the millisecond end: the order by time is then the order of what was done."""
    now = int(time.time() * 1000)
    while int(time.time() * 1000) == now:
        time.sleep(0.0002)


def called(given: Any) -> str:
    """A value in the label of a fact; of a long text its length."""
    return f"{given[0]}({len(given)})" if isinstance(given, str) and len(given) > 20 else repr(given)


def refused(*labels: str) -> dict[str, Difference]:
    return each(INVALID, "a value that means nothing there is refused, before it makes trouble later", *labels)


@case(
    differs=refused("name 5", "name n(300)", "name ' '", "description 5")
    | accident("tags no dict", "tag key 5")
    | {"deployment job": Difference(value(["77", None]), "what is given is kept")}
)
def models(t: Toolbox) -> Facts:
    c = t.client
    yield "made", model_facts(c.create_registered_model("models one", {"a": "1", "n": 5, "x": None}, "what it is"))
    yield "read", model_facts(c.get_registered_model("models one"))
    yield "bare", model_facts(c.create_registered_model("models bare"))
    for name in (
        "",
        None,
        5,
        " ",
        "n" * 300,
        "models/slash",
        "models:colon",
        "models.dot",
        "models é",
        "models 'q'",
        "%",
    ):
        yield f"name {called(name)}", t.outcome(lambda name=name: c.create_registered_model(name).name)
    yield "again", t.outcome(lambda: c.create_registered_model("models one"))
    yield "tags no dict", t.outcome(lambda: c.create_registered_model("models list", tags=["a"]))
    for key in ("", None, 5, "a!", "a//b", "../x", "/a", "a/", ".", "k" * 251, "a/b", "a b", "a:b", "é", "k" * 250):
        yield (
            f"tag key {called(key)}",
            t.outcome(
                lambda key=key: dict(c.create_registered_model(f"models tag {str(key)[:9]}", tags={key: "v"}).tags)
            ),
        )
    yield (
        "tag value",
        t.outcome(lambda: len(c.create_registered_model("models v", tags={"k": "v" * 100_000}).tags["k"])),
    )
    yield "tag value too long", t.outcome(lambda: c.create_registered_model("models w", tags={"k": "v" * 100_001}))
    yield "description 5", t.outcome(lambda: c.create_registered_model("models d5", description=5).description)
    yield "description empty", t.outcome(lambda: c.create_registered_model("models de", description="").description)
    yield (
        "deployment job",
        t.outcome(
            lambda: [
                c.create_registered_model("models job", deployment_job_id="77").deployment_job_id,
                c.get_registered_model("models job").deployment_job_state,
            ]
        ),
    )
    for name in ("models none", "", None):
        yield f"get {name!r}", t.outcome(lambda name=name: c.get_registered_model(name))
    yield "prompt", t.outcome(lambda: c.create_registered_model("models p", tags={"mlflow.prompt.is_prompt": "true"}))
    yield "no prompt", t.outcome(lambda: c.create_registered_model("models p", tags={"mlflow.prompt.is_prompt": "no"}))


@case(
    differs=refused("description 5")
    | each(INVALID, ONE_CODE, "rename ''", "rename ' '", "rename None")
    | {"renamed": Difference(value("RegisteredModel"), "the documented result, where MLflow returns nothing")}
)
def changing_models(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("changing", tags={"a": "b"}, description="one")
    c.create_registered_model("changing other")
    c.create_model_version("changing", SOURCE)
    c.set_registered_model_alias("changing", "champion", "1")
    yield "described", model_facts(c.update_registered_model("changing", description="two"))
    yield "described as None", c.update_registered_model("changing").description
    yield "described as empty", c.update_registered_model("changing", description="").description
    yield "description 5", t.outcome(lambda: c.update_registered_model("changing", description=5).description)
    c.update_registered_model("changing", "there")
    before = c.get_registered_model("changing").last_updated_timestamp
    later()
    yield "renamed", t.outcome(lambda: type(c.rename_registered_model("changing", "changed")).__name__)
    yield "under its name", model_facts(c.get_registered_model("changed"))
    yield "renaming is a change", c.get_registered_model("changed").last_updated_timestamp > before
    yield "its version", version_facts(c.get_model_version("changed", "1"))
    yield "old name", t.outcome(lambda: c.get_registered_model("changing"))
    yield "old name of version", t.outcome(lambda: c.get_model_version("changing", "1"))
    yield "rename to one that is there", t.outcome(lambda: c.rename_registered_model("changed", "changing other"))
    for name in ("", " ", None):
        yield f"rename {name!r}", t.outcome(lambda name=name: c.rename_registered_model("changed", name))
    yield "rename what is not there", t.outcome(lambda: c.rename_registered_model("changing none", "x"))
    yield "describe what is not there", t.outcome(lambda: c.update_registered_model("changing none", "x"))
    yield "deleted", t.outcome(lambda: c.delete_registered_model("changed"))
    yield "deleted again", t.outcome(lambda: c.delete_registered_model("changed"))
    yield "version of deleted", t.outcome(lambda: c.get_model_version("changed", "1"))
    c.create_registered_model("changed")
    yield "made anew", model_facts(c.get_registered_model("changed"))
    yield "first version anew", version_facts(c.create_model_version("changed", SOURCE))


@case(differs=accident("set 5", "delete 5", "of version 5") | refused("delete k(251)"))
def tags(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("tags")
    c.create_model_version("tags", SOURCE)
    for item in ("v", 5, None, True, "", {"a": 1}):
        c.set_registered_model_tag("tags", "k", item)
        c.set_model_version_tag("tags", "1", "k", item)
        of_version = c.get_model_version("tags", "1").tags
        yield f"value {item!r}", [dict(c.get_registered_model("tags").tags), dict(of_version)]
    for key in ("", None, 5, "a!", "a//b", "../x", "/a", "a/", ".", "k" * 251):
        label = called(key)
        yield f"set {label}", t.outcome(lambda key=key: c.set_registered_model_tag("tags", key, "v"))
        yield f"delete {label}", t.outcome(lambda key=key: c.delete_registered_model_tag("tags", key))
        yield f"of version {label}", t.outcome(lambda key=key: c.set_model_version_tag("tags", "1", key, "v"))
    yield "too long", t.outcome(lambda: c.set_registered_model_tag("tags", "k", "v" * 100_001))
    yield "too long for version", t.outcome(lambda: c.set_model_version_tag("tags", "1", "k", "v" * 100_001))
    for times in ("once", "twice"):
        yield f"deleted {times}", t.outcome(lambda: c.delete_registered_model_tag("tags", "k"))
        yield f"deleted {times} of version", t.outcome(lambda: c.delete_model_version_tag("tags", "1", "k"))
    for name, version in (("tags none", "1"), ("tags", "9"), ("tags", "x")):
        yield f"set of {name} {version}", t.outcome(lambda n=name, v=version: c.set_model_version_tag(n, v, "k", "v"))
        yield f"delete of {name} {version}", t.outcome(lambda n=name, v=version: c.delete_model_version_tag(n, v, "k"))
    yield "set of none", t.outcome(lambda: c.set_registered_model_tag("tags none", "k", "v"))
    yield "delete of none", t.outcome(lambda: c.delete_registered_model_tag("tags none", "k"))


@case(
    differs=accident("alias 5", "get 5", "delete 5", "to None")
    | {
        "latest": Difference(value(3), "the latest version is the one with the highest number"),
        "alias of a deleted version": Difference(INVALID, "an alias goes with its version"),
        "aliases after a deletion": Difference({"other": 3}, "an alias goes with its version"),
    }
)
def aliases(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("aliases")
    for _ in range(3):
        c.create_model_version("aliases", SOURCE)
    c.transition_model_version_stage("aliases", "1", "Production")
    names = (
        "champion", "a_b-c", "é", "1", "v", "v1x", "vv1", "Production", "latest", "LATEST", "v1", "V1", "v01", "", None,
        5, "a b", "a/b", "a:b", "a@b", "a.b", "a'b", "a" * 255, "a" * 256,
    )  # fmt: skip
    for alias in names:
        label = called(alias)
        yield f"alias {label}", t.outcome(lambda alias=alias: c.set_registered_model_alias("aliases", alias, "2"))
        if alias not in ("latest", "LATEST"):
            yield (
                f"get {label}",
                t.outcome(lambda alias=alias: c.get_model_version_by_alias("aliases", alias).version),
            )
        if alias not in ("champion", "a_b-c"):
            yield f"delete {label}", t.outcome(lambda alias=alias: c.delete_registered_model_alias("aliases", alias))
    yield "latest", t.outcome(lambda: c.get_model_version_by_alias("aliases", "latest").version)
    yield "of the model", dict(c.get_registered_model("aliases").aliases)
    yield "of the version", sorted(c.get_model_version("aliases", "2").aliases)
    c.set_registered_model_alias("aliases", "champion", 1)
    yield "moved", [dict(c.get_registered_model("aliases").aliases), list(c.get_model_version("aliases", "2").aliases)]
    for version in ("9", "x", "0", None):
        yield f"to {version}", t.outcome(lambda version=version: c.set_registered_model_alias("aliases", "a", version))
    yield "of no model", t.outcome(lambda: c.set_registered_model_alias("aliases none", "a", "1"))
    yield "get of no model", t.outcome(lambda: c.get_model_version_by_alias("aliases none", "a"))
    yield "delete of no model", t.outcome(lambda: c.delete_registered_model_alias("aliases none", "a"))
    c.set_registered_model_alias("aliases", "other", "3")
    c.delete_model_version("aliases", "1")
    c.delete_model_version("aliases", "2")
    yield "alias of a deleted version", t.outcome(lambda: c.get_model_version_by_alias("aliases", "champion"))
    yield "aliases after a deletion", dict(c.get_registered_model("aliases").aliases)


@case(
    differs=refused("source None", "source empty", "get True", "get 1.5", "description 5")
    | accident("get None", "update None", "uri None", "delete None", "tags no dict")
    | each(INVALID, ONE_CODE, "update nothing")
    | each(NOT_FOUND, NOT_THERE, "source models none", "source model none")
    | {
        "source alias": Difference(value("models:/versions@champion"), "an alias means a version"),
        "where an alias was": Difference(value(SOURCE), "an alias means a version"),
    }
)
def versions(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("versions")
    yield "bare", version_facts(c.create_model_version("versions", SOURCE))
    full = c.create_model_version("versions", SOURCE, "a-run", {"a": 1, "n": None}, "https://example.org", "what it is")
    yield "full", version_facts(full)
    yield "read", version_facts(c.get_model_version("versions", "2"))
    yield "of the model", model_facts(c.get_registered_model("versions"))
    for version in (
        "abc",
        "0",
        "1.0",
        1,
        "-1",
        None,
        "",
        "1 ",
        " 1",
        "+1",
        "01",
        1.0,
        1.5,
        True,
        "99",
        99,
        "9" * 30,
        "²",
    ):
        label = called(version)
        yield f"get {label}", t.outcome(lambda version=version: c.get_model_version("versions", version).version)
    for version in ("abc", "99", None):
        yield f"update {version}", t.outcome(lambda v=version: c.update_model_version("versions", v, "x"))
        yield f"uri {version}", t.outcome(lambda v=version: c.get_model_version_download_uri("versions", v))
        yield f"delete {version}", t.outcome(lambda v=version: c.delete_model_version("versions", v))
    yield "of no model", t.outcome(lambda: c.get_model_version("versions none", "1"))
    yield "of no model, no number", t.outcome(lambda: c.get_model_version("versions none", "x"))
    yield "of None", t.outcome(lambda: c.get_model_version(None, "1"))
    yield "to no model", t.outcome(lambda: c.create_model_version("versions none", SOURCE))
    yield "described", version_facts(c.update_model_version("versions", "1", "new"))
    yield "described as empty", c.update_model_version("versions", "1", "").description
    yield "update nothing", t.outcome(lambda: c.update_model_version("versions", "1"))
    yield "tags no dict", t.outcome(lambda: c.create_model_version("versions", SOURCE, tags=["a"]))
    yield "tag key", t.outcome(lambda: c.create_model_version("versions", SOURCE, tags={"a!": "b"}))
    yield "description 5", t.outcome(lambda: c.create_model_version("versions", SOURCE, description=5).description)
    c.create_registered_model("versions of")
    c.set_registered_model_alias("versions", "champion", "1")
    sources = {
        "runs": "runs:/abc/model", "path": "/tmp/model", "file": "file:///tmp/model", "word": "word",
        "dots": "s3://b/../x", "models": "models:/versions/1", "models none": "models:/versions/99",
        "model none": "models:/m-123", "alias": "models:/versions@champion", "None": None, "empty": "",
    }  # fmt: skip
    for label, source in sources.items():
        made = t.outcome(lambda source=source: c.create_model_version("versions of", source).source)
        yield f"source {label}", made
    latest = max(version.version for version in c.search_model_versions("name = 'versions of'"))
    yield "where a version was", t.outcome(lambda: c.get_model_version_download_uri("versions of", "6"))
    yield "~numbers", latest
    yield "where an alias was", t.outcome(lambda: c.get_model_version_download_uri("versions of", "7"))


@case()
def numbers(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("numbers")
    add = lambda: c.create_model_version("numbers", SOURCE).version
    yield "first", [add(), add(), add()]
    c.delete_model_version("numbers", "2")
    yield "after one amid them", add()
    c.delete_model_version("numbers", "4")
    yield "after the last", add()
    yield "deleted again", t.outcome(lambda: c.delete_model_version("numbers", "4"))
    for call in (c.get_model_version, c.get_model_version_download_uri):
        yield f"{call.__name__} of a deleted one", t.outcome(lambda call=call: call("numbers", "4"))
    yield "tag of a deleted one", t.outcome(lambda: c.set_model_version_tag("numbers", "4", "k", "v"))
    yield "alias of a deleted one", t.outcome(lambda: c.set_registered_model_alias("numbers", "a", "4"))
    yield "stage of a deleted one", t.outcome(lambda: c.transition_model_version_stage("numbers", "4", "Staging"))
    yield "there", sorted(version.version for version in c.search_model_versions("name = 'numbers'"))


@case()
def times(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("times")
    c.create_model_version("times", SOURCE)
    c.create_model_version("times", SOURCE)

    def changed(act: Any) -> list[bool]:
        """Whether the model, and whether its first version, are later than before."""
        before = [c.get_registered_model("times"), c.get_model_version("times", "1")]
        later()
        act()
        after = [c.get_registered_model("times"), c.get_model_version("times", "1")]
        return [b.last_updated_timestamp > a.last_updated_timestamp for a, b in zip(before, after, strict=True)]

    yield "tag", changed(lambda: c.set_registered_model_tag("times", "k", "v"))
    yield "tag of version", changed(lambda: c.set_model_version_tag("times", "1", "k", "v"))
    yield "alias", changed(lambda: c.set_registered_model_alias("times", "a", "1"))
    yield "description", changed(lambda: c.update_registered_model("times", "x"))
    yield "description of version", changed(lambda: c.update_model_version("times", "1", "x"))
    yield "stage", changed(lambda: c.transition_model_version_stage("times", "1", "Staging"))
    yield "stage of another", changed(lambda: c.transition_model_version_stage("times", "2", "Staging"))
    yield "version", changed(lambda: c.create_model_version("times", SOURCE))
    yield "version deleted", changed(lambda: c.delete_model_version("times", "3"))


@case(
    differs=accident("transition None", "transition 5")
    | {"latest 5/error": Difference("INVALID_PARAMETER_VALUE", "ours says what is wrong")}
    | each(
        INVALID,
        "an argument that is not allowed has one code everywhere",
        "transition ",
        "archive None",
        "archive Archived",
    )
    | each(NOT_FOUND, NOT_THERE, "tag by a stage without versions")
)
def stages(t: Toolbox) -> Facts:
    c = t.client
    c.create_registered_model("stages")
    for _ in range(4):
        c.create_model_version("stages", SOURCE)
    line = lambda found: [f"{version.version} {version.current_stage}" for version in found]
    yield "all", t.outcome(lambda: c.get_model_version_stages("stages", "1"), warn=True)
    yield "all of none", t.outcome(lambda: c.get_model_version_stages("stages none", "x"), warn=True)
    yield "moved", t.outcome(lambda: c.transition_model_version_stage("stages", "1", "Production").version, warn=True)
    for stage in ("production", "STAGING", "none", "Archived", "Foo", "", None, 5):
        yield (
            f"transition {stage}",
            t.outcome(lambda s=stage: c.transition_model_version_stage("stages", "2", s).current_stage),
        )
    c.transition_model_version_stage("stages", "2", "Staging")
    c.transition_model_version_stage("stages", "3", "Staging")
    for asked in (None, [], ["Staging"], ["staging", "None"], ["Archived"], ["Foo"], "Staging", 5):
        yield f"latest {asked}", t.outcome(lambda asked=asked: line(c.get_latest_versions("stages", asked)), warn=True)
    yield "latest of none", t.outcome(lambda: c.get_latest_versions("stages none"))
    yield "of the model", line(c.get_registered_model("stages").latest_versions)
    move = lambda version, stage: c.transition_model_version_stage("stages", version, stage, True).current_stage
    yield "archive", t.outcome(lambda: move("4", "staging"))
    yield "archived", sorted(line(c.search_model_versions("name = 'stages'")))
    for stage in ("None", "Archived"):
        yield f"archive {stage}", t.outcome(lambda stage=stage: move("1", stage))
    tag = c.set_model_version_tag
    yield "tag by stage", t.outcome(lambda: tag("stages", key="k", value="v", stage="Staging"), warn=True)
    yield "tagged", dict(c.get_model_version("stages", "4").tags)
    yield "tag by both", t.outcome(lambda: tag("stages", "1", "k", "v", "Staging"))
    yield "tag by neither", t.outcome(lambda: tag("stages", key="k", value="v"))
    c.transition_model_version_stage("stages", "1", "None")
    yield "tag by a stage without versions", t.outcome(lambda: tag("stages", key="k", value="v", stage="Production"))
    yield "tag by no stage", t.outcome(lambda: tag("stages", key="k", value="v", stage="Foo"))
    untag = c.delete_model_version_tag
    yield "untag by stage", t.outcome(lambda: untag("stages", key="k", stage="Staging"), warn=True)
    yield "untagged", dict(c.get_model_version("stages", "4").tags)
    yield "untag by both", t.outcome(lambda: untag("stages", "1", "k", "Staging"))
    yield "untag by neither", t.outcome(lambda: untag("stages", key="k"))
    yield "untag without key", t.outcome(lambda: untag("stages", "1"))


@case(
    needs=("register_model",),
    differs=refused("none", "empty")
    | accident("wait x")
    | each(NOT_FOUND, NOT_THERE, "model none", "run without it", "alias none")
    | each(INVALID, ONE_CODE, "run without path")
    | each(value([1, "models:/registering m/1", None]), "an alias means a version", "by alias")
    | {
        "alias none": Difference(INVALID, "what get_model_version_by_alias says of an alias that is none"),
        "by alias": Difference(
            value(["models:/registering m/1", True]), "an alias means a version, whose lineage is kept"
        ),
        "by latest": Difference(value(["models:/registering m/4", True]), "so does /latest"),
        "a version": Difference(value(["models:/registering m/1", True]), "the documented lineage: its run is kept"),
        "files of a run": Difference(value([True, True]), "files of a run can be registered without the file MLmodel"),
        "what is left": Difference(
            ["registering f", "registering m", "registering n", "registering r", "registering u"],
            "nothing is made for a version that is not",
        ),
    },
)
def registering(t: Toolbox) -> Facts:
    c, register = t.client, t.mlflow.register_model
    with t.mlflow.start_run() as run:
        model = t.mlflow.create_external_model("agent")
        t.mlflow.log_text("flavors: {}", "described/MLmodel")
        t.mlflow.log_text("x", "files/x.txt")
    run_id = run.info.run_id
    first = register(model.model_uri, "registering m", tags={"a": 1})
    yield (
        "logged model",
        {**version_facts(first), "source": first.source == model.model_uri, "run": first.run_id == run_id},
    )
    yield "noted", t.mlflow.get_logged_model(model.model_id).tags["mlflow.modelVersions"]
    register(model.model_uri, "registering m")
    yield "noted again", t.mlflow.get_logged_model(model.model_id).tags["mlflow.modelVersions"]
    t.client.create_registered_model("registering n")
    for label, source in (("model", model.model_uri), ("files", "s3://bucket/x")):
        version = t.client.create_model_version("registering n", source, model_id=model.model_id)
        yield f"made from the {label} of a model", [version.source == source, version.run_id == run_id]
    version = t.client.create_model_version("registering n", model.model_uri)
    yield "made from a model", [version.source == model.model_uri, version.run_id == run_id]
    named = register(f"runs:/{run_id}/agent", "registering m")
    yield "by run and name", [named.source == model.model_uri, named.run_id == run_id]
    yield "noted by run", t.mlflow.get_logged_model(model.model_id).tags["mlflow.modelVersions"].count("name")
    described = register(f"runs:/{run_id}/described", "registering r")
    yield "artifacts of a run", [described.source == f"{run.info.artifact_uri}/described", described.run_id == run_id]
    lineage = lambda found: [found.source, found.run_id == run_id]
    files = lambda: register(f"runs:/{run_id}/files", "registering f")
    yield "files of a run", t.outcome(lambda: [files().source.endswith("/artifacts/files"), files().run_id == run_id])
    yield "run none", t.outcome(lambda: register(f"runs:/{'0' * 32}/x", "registering x"))
    yield "run without it", t.outcome(lambda: register(f"runs:/{run_id}/nothing", "registering x"))
    yield "run without path", t.outcome(lambda: register(f"runs:/{run_id}", "registering x"))
    c.create_model_version("registering m", SOURCE, run_id)
    c.set_registered_model_alias("registering m", "champion", "1")
    yield "a version", t.outcome(lambda: lineage(register("models:/registering m/1", "registering u")))
    yield "by alias", t.outcome(lambda: lineage(register("models:/registering m@champion", "registering u")))
    yield "by latest", t.outcome(lambda: lineage(register("models:/registering m/latest", "registering u")))
    yield "version none", t.outcome(lambda: register("models:/registering m/99", "registering x"))
    yield "alias none", t.outcome(lambda: register("models:/registering m@none", "registering x"))
    yield "model none", t.outcome(lambda: register("models:/m-none", "registering x"))
    for uri in ("s3://bucket/x", "/tmp/none", "relative", "file:///tmp/none"):
        yield f"uri {uri}", t.outcome(lambda uri=uri: register(uri, "registering u").source)
    yield "none", t.outcome(lambda: register(None, "registering y"))
    yield "empty", t.outcome(lambda: register("", "registering y"))
    for name in ("", None):
        yield f"name {name}", t.outcome(lambda name=name: register(SOURCE, name))
    for wait in (0, None, -1, "x"):
        yield f"wait {wait}", t.outcome(lambda wait=wait: register(SOURCE, "registering u", wait).status)
    yield "env_pack", t.outcome(lambda: register(SOURCE, "registering u", env_pack="nonsense"))
    yield "what is left", [one.name for one in c.search_registered_models("name LIKE 'registering%'")]
    tag = t.mlflow.set_model_version_tag
    yield "tag", t.outcome(lambda: tag("registering m", "1", "k", 5))
    yield "tag of a number", t.outcome(lambda: tag("registering m", 1, "l", None))
    yield "tagged", dict(c.get_model_version("registering m", "1").tags)
    yield "tag of none", t.outcome(lambda: tag("registering m", "99", "k", "v"))
    yield "tag without version", t.outcome(lambda: tag("registering m", key="k", value="v"))


@case(
    needs=("register_model",),
    differs=each(NOT_FOUND, NOT_THERE, "stage none", "copy version none", "copy model none")
    | each(INVALID, NOT_THERE, "copy alias none")
    | each(INVALID, ONE_CODE, "copy runs", "copy other", "bad")
    | accident("copy logged model"),
)
def loading(t: Toolbox) -> Facts:
    c = t.client
    with t.mlflow.start_run() as run:
        for number in (1, 2):
            t.mlflow.log_text(f"v{number}", f"model{number}/MLmodel")
            t.mlflow.register_model(f"runs:/{run.info.run_id}/model{number}", "loading")
    c.set_registered_model_alias("loading", "champion", "1")
    c.transition_model_version_stage("loading", "1", "Staging")
    download = t.mlflow.artifacts.download_artifacts

    def text(uri: str) -> str:
        path = download(uri)
        with open(path if os.path.isfile(path) else os.path.join(path, "MLmodel"), encoding="utf-8") as file:
            return file.read()

    uris = {
        "version": "models:/loading/2", "alias": "models:/loading@champion", "latest": "models:/loading/latest",
        "Latest": "models:/loading/LATEST", "stage": "models:/loading/staging", "no stage": "models:/loading/None",
        "file": "models:/loading/1/MLmodel", "file by alias": "models:/loading@champion/MLmodel",
        "slashes": "models:///loading/1", "version none": "models:/loading/9", "alias none": "models:/loading@none",
        "model none": "models:/nobody/1", "stage none": "models:/loading/Production",
        "stage nonsense": "models:/loading/x",
        "zero": "models:/loading/0", "negative": "models:/loading/-1", "bad": "models:loading/1",
        "logged model none": "models:/loading",
    }  # fmt: skip
    for label, uri in uris.items():
        yield label, t.outcome(lambda uri=uri: text(uri))
    copy = lambda uri, name="loading copy": [
        (made := c.copy_model_version(uri, name)).version, made.source, made.run_id == run.info.run_id, dict(made.tags),
        made.description, list(made.aliases), made.current_stage,
    ]  # fmt: skip
    c.set_model_version_tag("loading", "1", "k", "v")
    c.update_model_version("loading", "1", "text")
    for label in ("version", "alias", "latest", "stage", "version none", "alias none", "model none"):
        yield f"copy {label}", t.outcome(lambda label=label: copy(uris[label]))
    yield "copy copy", t.outcome(lambda: copy("models:/loading copy/2"))
    yield "copy to itself", t.outcome(lambda: copy("models:/loading/1", "loading"))
    yield "copy runs", t.outcome(lambda: copy(f"runs:/{run.info.run_id}/model1"))
    yield "copy other", t.outcome(lambda: copy("s3://bucket/x"))
    yield "copy logged model", t.outcome(lambda: copy("models:/m-123"))
    yield "copy to no name", t.outcome(lambda: copy("models:/loading/1", ""))
    yield "where a copy is", c.get_model_version_download_uri("loading copy", "1").endswith("artifacts/model2")


def shown(t: Toolbox, call: Any) -> Any:
    return t.outcome(lambda: [one.name.rpartition(" ")[2] for one in call()])


@case(
    needs=("search_registered_models",),
    differs=each(INVALID, "a page holds one thing at least", "max 0", "max -1")
    | each(INVALID, "one condition at least follows AND", "filter {} AND")
    | accident("filter 5", "max None", "max 5", "max 1.5", "max True")
    | each(INVALID, ONE_CODE, "order name,name DESC")
    | {
        "filter name IN ('{}a', '{}b')": Difference(value(["a", "b"]), "our language is wider"),
        "filter name NOT IN ('{}a')": Difference(value(["C", "b"]), "our language is wider"),
        "filter tags.t IN ('a')": Difference(value(["a"]), "our language is wider"),
        "filter tags.t IS NULL": Difference(value([]), "our language is wider"),
        "filter description = 'about'": Difference(value(["b"]), "our language is wider"),
        "filter attributes.name = '{}a'": Difference(value(["a"]), "our language is wider"),
        "filter `name` = '{}a'": Difference(value(["a"]), "our language is wider"),
        "filter name RLIKE 'a$'": Difference(value(["a"]), "our language is wider"),
        "filter creation_timestamp > 5": Difference(value(["C", "a", "b"]), "our language is wider"),
        "filter last_updated_timestamp > 5": Difference(value(["C", "a", "b"]), "our language is wider"),
        "order creation_timestamp": Difference(value(["b", "a", "C"]), "our language is wider"),
        "order attribute.name": Difference(value(["C", "a", "b"]), "our language is wider"),
        "order `name`": Difference(value(["C", "a", "b"]), "our language is wider"),
    },
)
def searching_models(t: Toolbox) -> Facts:
    c, prefix = t.client, "searching models "
    for name in ("b", "a", "C"):
        c.create_registered_model(prefix + name, {"t": name, "same": "x"}, "about" if name == "b" else None)
        later()
    c.create_model_version(f"{prefix}a", SOURCE)
    find = lambda condition="", **more: c.search_registered_models(
        f"name LIKE '{prefix}%'" + (f" AND {condition}" if condition else ""), **more
    )
    yield "default", shown(t, lambda: find())
    yield "whole", model_facts(find()[1])
    yield "types", [isinstance(find(), list), type(t.mlflow.search_registered_models(max_results=1)).__name__]
    filters = (
        "name = '{}a'", 'name = "{}a"', "name != '{}a'", "name LIKE '%b'", "name LIKE '%c'", "name ILIKE '%c'",
        "name IN ('{}a', '{}b')", "name NOT IN ('{}a')", "name > 'a'", "tags.t = 'a'", "tag.t = 'a'", "tags.t != 'a'",
        "tags.`t` = 'a'", "tags.t LIKE '%'", "tags.t ILIKE 'c'", "tags.t IN ('a')", "tags.none != 'a'", "tags.t = 5",
        "tags.t > 5", "tags.t = 'a' AND tags.same = 'x'", "tags.t = 'a' and tags.t = 'b'", "name = '{}a' OR name = 'b'",
        "description = 'about'", "creation_timestamp > 5", "last_updated_timestamp > 5", "foo = 'a'", "name",
        "name = a",
        "name = 5", "attribute.name = '{}a'", "attributes.name = '{}a'", "`name` = '{}a'", "tags.t IS NULL",
        "run_id = 'r'", "NAME = '{}a'", "name like '%b'", "name RLIKE 'a$'", "tags.t NOT LIKE 'a'", "{} AND",
    )  # fmt: skip
    for one in filters:
        condition = one.replace("{}", prefix) if one != "{} AND" else f"name = '{prefix}a' AND"
        yield f"filter {one}", shown(t, lambda condition=condition: find(condition))
    yield "filter 5", t.outcome(lambda: c.search_registered_models(5))
    yield "filter empty", t.outcome(lambda: bool(c.search_registered_models("  ")))
    orders: tuple[Any, ...] = (
        ["name"], ["name DESC"], ["name asc"], ["timestamp"], ["last_updated_timestamp DESC"], ["creation_timestamp"],
        ["attribute.name"], ["`name`"], ["tags.t"], ["foo"], ["Name"], [""], ["name foo"], ["name, x"], [],
        ["name", "name DESC"], ["last_updated_timestamp DESC", "name"], "name",
    )  # fmt: skip
    for order in orders:
        label = (",".join(order) if order else "none") if isinstance(order, list) else f"text {order}"
        yield f"order {label}", shown(t, lambda order=order: find(order_by=order))
    for most in (0, -1, 1, 1_000, 1_001, None, "5", 1.5, True):
        yield f"max {most}", shown(t, lambda most=most: find(max_results=most))
    token, pages = None, []
    for _ in range(2):
        page = find(max_results=2, page_token=token)
        pages.append([one.name.rpartition(" ")[2] for one in page])
        token = page.token
    yield "pages", [pages, token]
    yield "token nonsense", t.outcome(lambda: find(page_token="nonsense"))
    yield "token empty", shown(t, lambda: find(page_token=""))
    fluent = t.mlflow.search_registered_models
    for most in (None, 0, 1, 2_000):
        yield f"fluent {most}", shown(t, lambda most=most: fluent(most, f"name LIKE '{prefix}%'", ["name DESC"]))


@case(
    needs=("search_model_versions",),
    differs=accident("max True")
    | {
        "filter name IN ('{}a', '{}b')": Difference(value(["a1", "a2", "b1", "b2"]), "our language is wider"),
        "filter version_number IN (1, 2)": Difference(value(["a1", "a2", "b1", "b2"]), "our language is wider"),
        "filter version = 1": Difference(value(["a1", "b1"]), "our language is wider"),
        "filter run_id NOT IN ('r1')": Difference(value(["a2", "b2"]), "our language is wider"),
        "filter source = 's3://a/1'": Difference(value(["a1"]), "our language is wider"),
        "filter source_path IN ('s3://a/1')": Difference(value(["a1"]), "our language is wider"),
        "filter tags.t IS NULL": Difference(value([]), "our language is wider"),
        "filter current_stage = 'Production'": Difference(value(["b1"]), "our language is wider"),
        "filter creation_timestamp > 5": Difference(value(["a1", "a2", "b1", "b2"]), "our language is wider"),
        "filter last_updated_timestamp > 5": Difference(value(["a1", "a2", "b1", "b2"]), "our language is wider"),
        "filter description = 'about'": Difference(value([]), "our language is wider"),
        "filter model_id = 'x'": Difference(value([]), "our language is wider"),
        "filter version_number = 'abc'": Difference(INVALID, "a number that is none is refused, as everywhere"),
        "order version DESC": Difference(value(["a2", "b2", "a1", "b1"]), "our language is wider"),
    },
)
def searching_versions(t: Toolbox) -> Facts:
    c, prefix = t.client, "searching versions "
    for name in ("b", "a"):
        c.create_registered_model(prefix + name)
        for number in (1, 2):
            c.create_model_version(prefix + name, f"s3://{name}/{number}", f"r{number}", {"t": f"{name}{number}"})
            later()
    c.transition_model_version_stage(f"{prefix}b", "1", "Production")

    def find(condition: str = "", **more: Any) -> Any:
        return c.search_model_versions(f"name LIKE '{prefix}%'" + (f" AND {condition}" if condition else ""), **more)

    def names(call: Any, *, ordered: bool = True) -> Any:
        line = lambda found: [f"{one.name.rpartition(' ')[2]}{one.version}" for one in found]
        return t.outcome(lambda: line(call()) if ordered else sorted(line(call())))

    yield "default", names(find)
    yield "whole", version_facts(find()[0])
    yield "types", [isinstance(find(), list), type(t.mlflow.search_model_versions(max_results=1)).__name__]
    filters = (
        "name = '{}a'", "name != '{}a'", "name LIKE '%a'", "name ILIKE '%A'", "name IN ('{}a', '{}b')", "name > 'a'",
        "version_number = 1", "version_number = '1'", "version_number > 1", "version_number != 1",
        "version_number >= 2 AND version_number <= 2", "version_number IN (1, 2)", "version = 1",
        "version_number LIKE '1'", "version_number = 'abc'", "version_number = 1.5", "run_id = 'r1'",
        "run_id IN ('r1', 'r2')", "run_id in ('r1')", 'run_id IN ("r1")', "run_id IN ()", "run_id IN ('r1', 5)",
        "run_id NOT IN ('r1')", "run_id LIKE 'r%'", "run_id != 'r1'", "source_path = 's3://a/1'",
        "source_path LIKE 's3://a%'", "source_path ILIKE 'S3://A%'", "source_path != 's3://a/1'",
        "source_path IN ('s3://a/1')", "source = 's3://a/1'", "tags.t = 'a1'", "tags.t != 'a1'", "tags.t LIKE 'a%'",
        "tags.none != 'a'", "tags.t IS NULL", "current_stage = 'Production'", "creation_timestamp > 5",
        "last_updated_timestamp > 5", "name = '{}a' AND run_id = 'r1' AND tags.t = 'a1'", "name = 'a' OR name = 'b'",
        "attribute.name = '{}a'", "foo = 'a'", "name = 5", "description = 'about'", "model_id = 'x'",
        "tags.t = 'a1' AND tags.t = 'a2'",
    )  # fmt: skip
    for one in filters:
        condition = one.replace("{}", prefix)
        yield f"filter {one}", names(lambda condition=condition: find(condition), ordered=False)
    yield "filter 5", t.outcome(lambda: c.search_model_versions(5))
    yield "filter empty", t.outcome(lambda: bool(c.search_model_versions("")))
    orders = (
        "name", "name DESC", "version_number", "version_number DESC", "version DESC", "last_updated_timestamp",
        "last_updated_timestamp DESC", "creation_timestamp", "creation_timestamp DESC", "attribute.name", "run_id",
        "source_path", "tags.t", "status", "foo", "", "name, x", "current_stage", "description",
    )  # fmt: skip
    for order in orders:
        yield f"order {order}", names(lambda order=order: find(order_by=[order]))
    for most in (0, -1, 1, 200_000, 200_001, None, "5", 1.5, True):
        yield f"max {most}", names(lambda most=most: find(max_results=most))
    token, pages = None, []
    for _ in range(2):
        page = find(max_results=2, page_token=token)
        pages.append([f"{one.name.rpartition(' ')[2]}{one.version}" for one in page])
        token = page.token
    yield "pages", [pages, token]
    yield "token nonsense", t.outcome(lambda: find(page_token="nonsense"))
    fluent = t.mlflow.search_model_versions
    for most in (None, 0, 1, 2_000):
        yield f"fluent {most}", names(lambda most=most: fluent(most, f"name LIKE '{prefix}%'", ["name"]))
