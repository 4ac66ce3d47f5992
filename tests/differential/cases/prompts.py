"""Prompts: their templates filled in and shown; registered, loaded, changed, found; linked to what uses them."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731

from __future__ import annotations

import importlib
import time
from typing import Any

from toolbox import ANYTHING, INVALID, NOT_FOUND, Difference, Facts, Toolbox, accident, case, each, error, value


def _registry(t: Toolbox) -> Any:
    return importlib.import_module(f"{t.mlflow.__name__}.entities.model_registry")


@case(
    differs=each(INVALID, "a message that cannot be sent to a model", "messages without content", "no messages")
    | each(INVALID, "no template", "template 5", "template None", "template {}")
    | {
        "messages": Difference(
            value([{"role": "system", "content": "Hi A"}, {"role": "user", "content": "x"}]),
            "MLflow asks for the variables of roles, and leaves them",
        ),
        "messages partial": Difference(
            value([{"role": "system", "content": "Hi {{name}}"}, {"role": "user", "content": "x"}]), "as above"
        ),
        "a value with braces": Difference(value("{{b}} X"), "a value is data, not a template"),
        "no name": Difference(value("{{a-b}}"), "`a-b` is not the variable `a.b`"),
        "messages of parts": Difference(
            value([{"role": "u", "content": [{"type": "text", "text": "A"}]}]), "MLflow fails with a TypeError"
        ),
    }
)
def templates(t: Toolbox) -> Facts:
    version = _registry(t).PromptVersion

    def prompt(template: Any, **kwargs: Any) -> Any:
        return version("p", 1, template, **kwargs)

    for template in ("Hi {{ name }} {{x}}{{ x }}", "{{_u}} {{1a}} {y} {{}}", "{{ a.b }}", "{# c #}{{n|upper}}", ""):
        yield f"variables {template}", sorted(prompt(template).variables)
        yield f"single {template}", prompt(template).to_single_brace_format()
    yield "filled", t.outcome(lambda: prompt("Hi {{ name }} {{x}}").format(name=1, x=None, y=2))
    yield "missing", t.outcome(lambda: prompt("{{a}} {{b}}").format(a=1))
    yield "partial", t.outcome(lambda: prompt("{{a}} {{b}}").format(allow_partial=True, a=1).template)
    yield "partial, nothing left", t.outcome(lambda: prompt("{{a}}").format(allow_partial=True, a=1))
    yield "a value with braces", t.outcome(lambda: prompt("{{a}} {{b}}").format(a="{{b}}", b="X"))
    yield "no name", t.outcome(lambda: prompt("{{a-b}}").format(**{"a.b": "q"}))
    chat = [{"role": "{{r}}", "content": "Hi {{name}}"}, {"role": "user", "content": "x"}]
    yield "messages", t.outcome(lambda: prompt(chat).format(r="system", name="A"))
    yield "messages' variables", sorted(prompt(chat).variables)
    yield "messages missing", t.outcome(lambda: prompt(chat).format(r="system"))
    yield "messages partial", t.outcome(lambda: prompt(chat).format(allow_partial=True, r="system").template)
    yield (
        "messages of parts",
        t.outcome(lambda: prompt([{"role": "u", "content": [{"type": "text", "text": "{{a}}"}]}]).format(a="A")),
    )
    jinja = prompt("{% for i in items %}{{ i }},{% endfor %}{{ a }}")
    yield "jinja", t.outcome(lambda: jinja.format(items=[1, 2], a="A"))
    yield "jinja missing", t.outcome(lambda: jinja.format(items=[1]))
    yield "jinja variables", sorted(jinja.variables)
    yield (
        "jinja unboxed",
        t.outcome(lambda: prompt("{% if 1 %}{{ ''.__class__.__name__ }}{% endif %}").format(use_jinja_sandbox=False)),
    )
    yield "messages without content", t.outcome(lambda: prompt([{"role": "u"}]).template)
    yield "no messages", t.outcome(lambda: prompt([]).template)
    for template in (5, None, {}):
        yield f"template {template!r}", t.outcome(lambda template=template: prompt(template).template)


@case(differs=each(error("INVALID_PARAMETER_VALUE"), "an error of ours", "config no dict", "config not allowed"))
def fields(t: Toolbox) -> Facts:
    registry = _registry(t)
    made = registry.PromptVersion("p", "3", "x", commit_message="c", tags={"a": "b"}, aliases=["z"])
    yield "fields", {name: getattr(made, name) for name, _ in made if name != "variables"}
    yield "text", repr(registry.PromptVersion("p", 1, "Hi {{ name }} and {{x}}{{ x }} more"))
    yield "equal", made == registry.PromptVersion("p", 3, "x", commit_message="c", tags={"a": "b"}, aliases=["z"])
    for name in ("name", "aliases", "description", "version", "tags", "template", "commit_message"):
        yield f"set {name}", t.outcome(lambda name=name: setattr(made, name, "y"))
    config = {"model_name": "g", "temperature": 0.5, "further": 1}
    yield "config", registry.PromptVersion("p", 1, "x", model_config=config).model_config
    yield "config read", registry.PromptModelConfig.from_dict(config).to_dict()
    yield "config no dict", t.outcome(lambda: registry.PromptVersion("p", 1, "x", model_config=5))
    yield "config not allowed", t.outcome(lambda: registry.PromptVersion("p", 1, "x", model_config={"top_p": 2}))
    model = registry.RegisteredModel("n", 1, 2, "d", [], [registry.RegisteredModelTag("a", "b")])
    yield "registered model", dict(model)
    yield "model version", dict(registry.ModelVersion("n", "1", 5, tags=[registry.ModelVersionTag("a", "b")]))
    states = registry.RegisteredModelDeploymentJobState
    yield "states", [states.to_string(state) for state in states.all_states()]


def _genai(t: Toolbox) -> Any:
    return importlib.import_module(f"{t.mlflow.__name__}.genai")


def _version(prompt: Any) -> Any:
    """A version without its times."""
    if prompt is None:
        return None
    fields = ("name", "version", "template", "commit_message", "tags", "aliases", "response_format", "model_config")
    return {**{field: getattr(prompt, field) for field in fields}, "user": prompt.user_id, "uri": prompt.uri}


def _prompt(prompt: Any) -> Any:
    if prompt is None:
        return None
    return {"name": prompt.name, "description": prompt.description, "tags": dict(sorted(prompt.tags.items()))}


def _settled(t: Toolbox, name: str, wanted: str) -> dict[str, str]:
    """The tags of a prompt, once MLflow's thread has written the experiments."""
    for _ in range(200):
        tags: dict[str, str] = t.client.get_prompt(name).tags
        if wanted in tags.get("_mlflow_experiment_ids", ""):
            break
        time.sleep(0.02)
    return dict(sorted(tags.items()))


@case(
    needs=("register_prompt",),
    differs=accident("no response format", "no configuration", "configuration not allowed", "no tags", "not JSON")
    | accident("content 5", "messages of texts")
    | each(INVALID, "no template", "template 5", "template None", "template {}", "template []", "no content"),
)
def registered(t: Toolbox) -> Facts:
    register = t.mlflow.register_prompt

    def made(*args: Any, **kwargs: Any) -> Any:
        return t.outcome(lambda: _version(register(*args, **kwargs)))

    yield "first", made("p", "Hi {{name}}", commit_message="c", tags={"a": "b"})
    config = {"temperature": 1, "z": 1, "model_name": None}
    chat = [{"role": "user", "content": "hé {{x}}", "name": "n"}]
    yield (
        "second",
        made("p", chat, tags={"n": 5, "t": None}, response_format={"type": "object"}, model_config=config),
    )
    tags = _settled(t, "p", ",")
    yield "experiment", tags.get("_mlflow_experiment_ids") == f",{t.experiment_id},"
    yield "prompt", _prompt(t.client.get_prompt("p"))["description"]
    yield "tags", {key: value for key, value in tags.items() if key != "_mlflow_experiment_ids"}
    yield "third", made("p", "x", response_format={}, model_config={})
    yield "own tags", made("p", "x", tags={"mlflow.prompt.text": "hidden", "mlflow.prompt.other": "shown"})
    yield "looks like messages", made("p", '[{"role": "user", "content": "x"}]')
    yield "empty", made("p", "")
    yield "empty message", made("p", "x", commit_message="")
    yield "no response format", made("p", "x", response_format=5)
    yield "no configuration", made("p", "x", model_config=5)
    yield "configuration not allowed", made("p", "x", model_config={"temperature": -1})
    yield "no tags", made("p", "x", tags=[1])
    for name in ("", " ", "a/b", "a:b", "a b", "a@b", "ä", None, 5):
        yield f"name {name!r}", made(name, "x")
    yield "a dot", made("a.b", "x")
    for template in (5, None, {}, []):
        yield f"template {template!r}", made("t", template)
    yield "no content", made("t", [{"role": "user"}])
    yield "content 5", made("t", [{"role": "user", "content": 5}])
    yield "messages of texts", made("t", ["x"])
    yield "not JSON", made("t", [{"role": "user", "content": "x", "more": object()}])
    yield "long", t.outcome(lambda: len(register("long", "x" * 100_000).template))
    yield "too long", made("long", "x" * 100_001)
    yield "long tag", made("long", "x", tags={"t": "x" * 100_001})
    yield "long key", made("long", "x", tags={"k" * 251: "x"})
    yield "bad key", made("long", "x", tags={"a@b": "x"})


@case(
    needs=("load_prompt",),
    differs=accident(
        *(f"load l {version!r}" for version in ("prod", "latest", "", 1.5, True)),
        *(f"load prompts:/{rest}" for rest in ("l/x", "l/latest", "l/", "/l/1", "a/b/1", "l@", "l/1@x", "")),
        *(f"allowing prompts:/{rest}" for rest in ("l/x", "l/latest", "l/", "/l/1", "a/b/1", "l@", "l/1@x", "")),
        "load models:/p/1",
        "load None",
        "load 5",
        "time to live x",
        "allowing models:/p/1",
        "allowing None",
        "allowing 5",
    )
    | each(INVALID, "a URI that is none is not one of a missing prompt", "allowing prompts:/l")
    | each(NOT_FOUND, "there is no such version", "load l -1"),
)
def loaded(t: Toolbox) -> Facts:
    load = t.mlflow.load_prompt
    for text in ("one", "two", "three"):
        t.mlflow.register_prompt("l", text)
    t.mlflow.set_prompt_alias("l", "prod", 2)

    def found(*args: Any, **kwargs: Any) -> Any:
        return t.outcome(lambda: _version(load(*args, **kwargs)))

    yield "latest", found("l")
    for version in (1, "2", "01", 9, 0, "prod", "latest", "", 1.5, True, -1):
        yield f"load l {version!r}", found("l", version)
    for version in (9, 0):
        yield f"allowing l {version!r}", found("l", version, allow_missing=True)
    rests = ("l/1", "l@prod", "l@latest", "l@LATEST", "l@nope", "nope@prod", "nope/1", "l/9", "l", "l/x", "l/latest")
    uris = [f"prompts:/{rest}" for rest in (*rests, "l/", "/l/1", "a/b/1", "l@", "l/1@x", "")]
    for name in (*uris, "models:/p/1", "nope", None, 5):
        yield f"load {name}", found(name)
        yield f"allowing {name}", found(name, allow_missing=True)
    yield "URI and version", found("prompts:/l/1", version=1)
    yield "time to live -1", found("l", 1, cache_ttl_seconds=-1)
    yield "time to live x", found("l", 1, cache_ttl_seconds="x")
    t.client.create_prompt("none")
    yield "no versions", found("none")
    yield "no versions allowed", found("none", allow_missing=True)
    for name in ("prompts:/l/1", "prompts:/l@prod", "prompts:/nope/7", "prompts:/nope@x", "prompts:/l@nope"):
        yield f"parse {name}", t.outcome(lambda name=name: t.client.parse_prompt_uri(name))


@case(
    needs=("load_prompt",),
    differs={
        "version gone": Difference(NOT_FOUND, "MLflow loads what was deleted"),
        "latest now": Difference(1, "MLflow loads what was deleted"),
        "alias moved[1]": Difference(["a"], "MLflow tells of the alias only what it was"),
    },
)
def remembered(t: Toolbox) -> Facts:
    """What this process changes is seen at once."""
    load, genai = t.mlflow.load_prompt, _genai(t)
    version = lambda *args: t.outcome(lambda: _version(load(*args)))
    t.mlflow.register_prompt("c", "one")
    yield "latest", load("c").version
    t.mlflow.register_prompt("c", "two")
    yield "latest then", load("c").version
    t.mlflow.set_prompt_alias("c", "a", 1)
    yield "alias", [load("prompts:/c@a").version, load("c", 1).aliases, load("c", 2).aliases]
    t.mlflow.set_prompt_alias("c", "a", 2)
    yield "alias moved", [load("prompts:/c@a").version, load("c", 2).aliases]
    t.mlflow.delete_prompt_alias("c", "a")
    yield "alias gone", version("prompts:/c@a")
    genai.set_prompt_version_tag("c", 2, "k", "v")
    yield "tag", load("c", 2).tags
    genai.delete_prompt_version_tag("c", 2, "k")
    yield "tag gone", load("c", 2).tags
    genai.set_prompt_model_config("c", 2, {"model_name": "m", "q": 1})
    yield "config", load("c", 2).model_config
    genai.delete_prompt_model_config("c", 2)
    yield "config gone", load("c", 2).model_config
    load("c", 2).tags["mine"] = "x"
    yield "poisoned", load("c", 2).tags
    t.client.delete_prompt_version("c", "2")
    yield "version gone", version("c", 2)
    yield "latest now", load("c").version
    yield "asked anew", load("c", cache_ttl_seconds=0).version


@case(
    needs=("set_prompt_alias",),
    differs=accident("version x", "version None")
    | each(NOT_FOUND, "a registered model is no prompt", "delete model")
    | each(INVALID, "the version that a text names is looked for where it is one", "tag of alias", "delete version x")
    | {"model there": Difference(value("m"), "MLflow deletes a registered model as a prompt")},
)
def changed(t: Toolbox) -> Facts:
    client, genai = t.client, _genai(t)
    client.register_prompt("w", "one")
    client.register_prompt("w", "two")
    for alias in ("latest", "LATEST", "v1", "V2", "v1x", "1", "a b", "", "a/b", "a" * 256, "prod"):
        yield f"alias {alias[:9]}", t.outcome(lambda alias=alias: t.mlflow.set_prompt_alias("w", alias, 1))
    yield "version as text", t.outcome(lambda: client.set_prompt_alias("w", "text", "2"))
    for name, version in (("w", 9), ("nope", 1), ("w", 0), ("w", "x"), ("w", None)):
        label = f"version {version}" if name == "w" else "alias of none"
        yield label, t.outcome(lambda name=name, version=version: client.set_prompt_alias(name, "a", version))
    yield "aliases", t.outcome(lambda: _version(client.get_prompt_version("w", 1)))
    yield "by alias", t.outcome(lambda: _version(client.get_prompt_version_by_alias("w", "prod")))
    yield "by alias as version", t.outcome(lambda: _version(client.get_prompt_version("w", "prod")))
    yield "latest", t.outcome(lambda: client.get_prompt_version_by_alias("w", "latest").version)
    yield "by no alias", t.outcome(lambda: client.get_prompt_version_by_alias("w", "nope"))
    yield "by no alias as version", t.outcome(lambda: client.get_prompt_version("w", "nope"))
    yield "no version", t.outcome(lambda: client.get_prompt_version("w", 9))
    yield "no prompt", t.outcome(lambda: client.get_prompt("nope"))
    yield "delete alias", t.outcome(lambda: t.mlflow.delete_prompt_alias("w", "prod"))
    yield "delete alias again", t.outcome(lambda: t.mlflow.delete_prompt_alias("w", "prod"))
    yield "delete alias of none", t.outcome(lambda: t.mlflow.delete_prompt_alias("nope", "prod"))
    yield "tag", t.outcome(lambda: genai.set_prompt_tag("w", "k", "v"))
    yield "tags", genai.get_prompt_tags("w")["k"]
    yield "tag of none", t.outcome(lambda: genai.set_prompt_tag("nope", "k", "v"))
    yield "long key", t.outcome(lambda: genai.set_prompt_tag("w", "k" * 251, "v"))
    yield "delete tag", t.outcome(lambda: genai.delete_prompt_tag("w", "k"))
    yield "delete tag again", t.outcome(lambda: genai.delete_prompt_tag("w", "k"))
    yield "delete tag of none", t.outcome(lambda: genai.delete_prompt_tag("nope", "k"))
    yield "tag of version", t.outcome(lambda: genai.set_prompt_version_tag("w", 1, "k", "v"))
    yield "tag of alias", t.outcome(lambda: genai.set_prompt_version_tag("w", "text", "k", "v"))
    yield "tag of no version", t.outcome(lambda: genai.set_prompt_version_tag("w", 9, "k", "v"))
    yield "delete tag of no version", t.outcome(lambda: genai.delete_prompt_version_tag("w", 9, "k"))
    yield "config of no version", t.outcome(lambda: genai.set_prompt_model_config("w", 9, {"model_name": "x"}))
    yield "delete config again", t.outcome(lambda: genai.delete_prompt_model_config("w", 1))
    yield "delete config of none", t.outcome(lambda: genai.delete_prompt_model_config("w", 9))
    yield "empty config", t.outcome(lambda: genai.set_prompt_model_config("w", 1, {}))
    yield "empty config read", client.get_prompt_version("w", 1).model_config
    if hasattr(client, "create_registered_model"):
        client.create_registered_model("m")
        client.create_model_version("m", "/x")
        yield "prompt over model", t.outcome(lambda: client.register_prompt("m", "x"))
        yield "create over model", t.outcome(lambda: client.create_prompt("m"))
        yield "get model", t.outcome(lambda: client.get_prompt("m"))
        yield "load model", t.outcome(lambda: client.load_prompt("m", 1))
        yield "load model allowed", t.outcome(lambda: client.load_prompt("m", 1, allow_missing=True))
        yield "get version of model", t.outcome(lambda: client.get_prompt_version("m", 1))
        yield "model over prompt", t.outcome(lambda: client.create_registered_model("w"))
        yield "delete model", t.outcome(lambda: client.delete_prompt("m"))
        yield "model there", t.outcome(lambda: client.get_registered_model("m").name)
    yield "delete version", t.outcome(lambda: client.delete_prompt_version("w", "1"))
    yield "delete version again", t.outcome(lambda: client.delete_prompt_version("w", "1"))
    yield "delete version x", t.outcome(lambda: client.delete_prompt_version("w", "x"))
    yield "number after", client.register_prompt("w", "three").version
    yield "delete version of none", t.outcome(lambda: client.delete_prompt_version("nope", "1"))
    yield "create", t.outcome(lambda: _prompt(client.create_prompt("w2", description="d", tags={"k": "v"})))
    yield "create again", t.outcome(lambda: client.create_prompt("w2"))
    made = lambda: _version(client.create_prompt_version("w2", "t", description="d2", tags={"x": "y"}))
    yield "create version", t.outcome(made)
    yield "create version of none", t.outcome(lambda: client.create_prompt_version("nope", "t"))
    yield "delete with versions", t.outcome(lambda: client.delete_prompt("w"))
    yield "delete again", t.outcome(lambda: client.delete_prompt("w"))
    yield "number anew", client.register_prompt("w", "anew").version


@case(
    needs=("search_prompts",),
    differs={
        **each(INVALID, "a number of results is 1 or more", "client max 0", "client max -1"),
    },
)
def searched(t: Toolbox) -> Facts:
    for prompt in t.mlflow.search_prompts():
        t.client.delete_prompt(prompt.name)
    for name, tags in (("alpha", {"team": "a"}), ("beta", {"team": "b"}), ("gamma", None)):
        t.mlflow.register_prompt(name, "x", tags=tags)
        _settled(t, name, ",")
    search = lambda *args, **kwargs: t.outcome(lambda: [one.name for one in t.mlflow.search_prompts(*args, **kwargs)])
    here = t.experiment_id
    yield "all", search()
    yield "type", type(t.mlflow.search_prompts()).__name__
    for text in (
        "name = 'beta'",
        "name != 'beta'",
        "name LIKE 'a%'",
        "name ILIKE 'A%'",
        "tags.team = 'a'",
        "tag.team = 'a'",
        "tags.team != 'a'",
        "tags.`mlflow.prompt.is_prompt` = 'true'",
        "tags.`mlflow.prompt.is_prompt` = 'false'",
        "experiment_id = '98765'",
        "",
        "experiment_id = 0",
        "experiment_id != '0'",
        "experiment_id IN ('0')",
        "creation = 5",
        "name = 'a' OR name = 'b'",
        "bad",
    ):
        yield f"filter {text}", search(text)
    yield "experiment", search(f"experiment_id = '{here}'")
    yield "experiment and name", search(f"name = 'beta' AND experiment_id = '{here}'")
    for number in (0, 1, 2, -1, 10**6):
        yield f"max {number}", search(max_results=number)
    pages = t.client.search_prompts(max_results=2)
    yield "page", [[one.name for one in pages], bool(pages.token)]
    rest = t.client.search_prompts(max_results=2, page_token=pages.token)
    yield "next page", [[one.name for one in rest], bool(rest.token)]
    for number in (0, -1, 1001):
        yield f"client max {number}", t.outcome(lambda number=number: len(t.client.search_prompts(max_results=number)))
    yield "page x", t.outcome(lambda: t.client.search_prompts(page_token="x"))


_LISTED = "MLflow reads links of runs where it does not write them"


@case(
    needs=("load_prompt", "start_run"),
    differs={
        **each(ANYTHING, _LISTED, "listed", "detached", "after"),
        **each(NOT_FOUND, "there is no such run", "listed of none", "detached from none"),
    },
)
def linked(t: Toolbox) -> Facts:
    client = t.client
    one, two = (t.mlflow.register_prompt("k", text) for text in ("one", "two"))
    other = t.mlflow.register_prompt("k2", "k2")
    tag = "mlflow.linkedPrompts"

    @t.mlflow.trace
    def outer() -> None:
        t.mlflow.load_prompt("k", 1)
        t.mlflow.load_prompt("k", 1)
        with t.mlflow.start_span("inner"):
            t.mlflow.load_prompt("prompts:/k@latest")
            t.mlflow.load_prompt("nope", allow_missing=True)
            client.load_prompt("k2", 1)

    outer()
    trace = t.mlflow.get_trace(t.mlflow.get_last_active_trace_id())
    yield "trace", trace.info.tags.get(tag)
    yield "spans", {span.name: span.attributes.get(tag) for span in trace.data.spans}
    with t.mlflow.start_run() as run:
        t.mlflow.load_prompt("k", 1)
        t.mlflow.load_prompt("k2")
        t.mlflow.load_prompt("k", 1)
        client.load_prompt("k", 2)
        t.mlflow.register_prompt("k3", "k3")
    run_id = run.info.run_id
    of_run = lambda: client.get_run(run_id).data.tags.get(tag)
    yield "run", of_run()
    link = client.link_prompt_version_to_run
    yield "link URI", t.outcome(lambda: link(run_id, "prompts:/k/2"))
    yield "link version", t.outcome(lambda: link(run_id, other))
    yield "link missing", t.outcome(lambda: link(run_id, "prompts:/k/9"))
    yield "link no prompt", t.outcome(lambda: link(run_id, "zzz"))
    yield "link 5", t.outcome(lambda: link(run_id, 5))
    yield "link to no run", t.outcome(lambda: link("0" * 32, other))
    yield "run then", of_run()
    yield "listed", t.outcome(lambda: [[one.name, one.version] for one in client.list_logged_prompts(run_id)])
    yield "listed of none", t.outcome(lambda: client.list_logged_prompts("0" * 32))
    yield "detached", t.outcome(lambda: client.detach_prompt_from_run(run_id, "prompts:/k/1"))
    yield "detached again", t.outcome(lambda: client.detach_prompt_from_run(run_id, "prompts:/k/1"))
    yield "detached missing", t.outcome(lambda: client.detach_prompt_from_run(run_id, "zzz"))
    yield "detached from none", t.outcome(lambda: client.detach_prompt_from_run("0" * 32, "prompts:/k/2"))
    yield "after", of_run()
    model = t.mlflow.initialize_logged_model("agent").model_id
    to_model = client.link_prompt_version_to_model
    yield "model", t.outcome(lambda: [to_model("k", "1", model), to_model("k", "1", model), to_model("k2", 1, model)])
    yield "of model", client.get_logged_model(model).tags.get(tag)
    yield "model missing version", t.outcome(lambda: to_model("k", "9", model))
    yield "missing model", t.outcome(lambda: to_model("k", "1", "m-nope"))
    trace_id = t.make()
    to_trace = client.link_prompt_versions_to_trace
    yield "to trace", t.outcome(lambda: [to_trace([one, other], trace_id), to_trace([one, two], trace_id)])
    yield "of trace", t.mlflow.get_trace(trace_id).info.tags.get(tag)
    yield "linked texts", t.outcome(lambda: to_trace(["prompts:/k/1"], trace_id))
