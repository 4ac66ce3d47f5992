"""Versions of prompts as entities: their variables, filled in and shown."""

# A case is easiest to read where every call under test is a lambda.

from __future__ import annotations

import importlib
from typing import Any

from toolbox import INVALID, Difference, Facts, Toolbox, case, each, error, value


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
