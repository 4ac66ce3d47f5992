"""The logged model that stands for the state of a git repository."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: PLW0108

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

from toolbox import ANYTHING, Difference, Facts, Toolbox, case, each, value

NEEDS = ("genai",)
_PREFIX = "mlflow.source.git."


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], capture_output=True, check=True)


@contextlib.contextmanager
def directory() -> Iterator[str]:
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as found:
        os.environ["GIT_CEILING_DIRECTORIES"] = os.path.dirname(found)
        os.chdir(found)
        try:
            yield found
        finally:
            os.chdir(before)
            del os.environ["GIT_CEILING_DIRECTORIES"]


@contextlib.contextmanager
def repository() -> Iterator[str]:
    with directory() as found:
        git("init", "-q", "-b", "main")
        git("config", "user.name", "Ada")
        git("config", "user.email", "ada@example.com")
        write("a = 1\n")
        git("add", ".")
        git("commit", "-q", "-m", "one")
        git("remote", "add", "origin", "https://example.com/x.git")
        yield found


def write(text: str) -> None:
    with open("a.py", "w", encoding="utf-8") as file:
        file.write(text)


def said(context: Any) -> dict[str, Any]:
    info, model = context.info, context.active_model
    if info is None:
        return {"info": None, "model": model}
    tags = {key[len(_PREFIX) :]: text for key, text in model.tags.items() if key.startswith(_PREFIX)}
    tags["commit"] = tags["commit"] == info.commit
    return {
        "info": [info.branch, info.dirty, info.repo_url, info.diff],
        "tags": tags,
        "status": str(model.status),
        "params": model.params,
        "type": model.model_type,
    }


@case(needs=NEEDS)
def states(t: Toolbox) -> Facts:
    enable = t.mlflow.genai.enable_git_model_versioning
    models: list[str] = []

    def found(remote: str = "origin") -> dict[str, Any]:
        context = enable(remote)
        models.append(context.active_model.model_id)
        return {**said(context), "first seen": models.index(models[-1])}

    with repository():
        yield "clean", t.outcome(lambda: found(), warn=True)
        yield "again", t.outcome(lambda: found(), warn=True)
        write("a = 2\n")
        yield "changed", t.outcome(lambda: found())
        write("a = 3\n")
        yield "changed otherwise", t.outcome(lambda: found())
        git("add", "a.py")
        yield "staged", t.outcome(lambda: found())
        git("reset", "-q", "--hard")
        open("b.py", "w", encoding="utf-8").close()
        yield "untracked", t.outcome(lambda: found())
        git("rm", "-q", "--cached", "a.py")
        yield "removed", t.outcome(lambda: found())
        git("reset", "-q", "--hard")
        git("checkout", "-q", "-b", "feature/x")
        yield "branch", t.outcome(lambda: found())
        git("remote", "set-url", "origin", "git@example.com:x.git")
        yield "url", t.outcome(lambda: found())
        yield "no such remote", t.outcome(lambda: found("upstream"), warn=True)
        os.mkdir("sub")
        os.chdir("sub")
        yield "sub", t.outcome(lambda: found())
        yield "disable", t.outcome(t.mlflow.genai.disable_git_model_versioning)
        yield "disabled", t.outcome(t.mlflow.get_active_model_id)
        yield "disable again", t.outcome(t.mlflow.genai.disable_git_model_versioning)


@case(
    needs=NEEDS,
    differs={
        "no commit": Difference(ANYTHING, "an inner error escapes there; ours warns, as outside of repositories"),
        "password": Difference(ANYTHING, "the password in the remote's URL is kept there, for all to read"),
        "latin-1": Difference(value("no error"), "a diff that is no UTF-8 is an inner error there"),
    },
)
def none(t: Toolbox) -> Facts:
    enable = t.mlflow.genai.enable_git_model_versioning
    with directory():
        yield "outside", t.outcome(lambda: said(enable()), warn=True)
        git("init", "-q", "-b", "main")
        yield "no commit", t.outcome(lambda: said(enable()), warn=True)
    with repository():
        git("checkout", "-q", "--detach")
        yield "detached", t.outcome(lambda: said(enable()), warn=True)
        git("checkout", "-q", "main")
        git("remote", "set-url", "origin", "https://ada:hunter2@example.com/x.git")
        yield "password", t.outcome(lambda: said(enable()))
        with open("a.py", "wb") as file:
            file.write(b"caf\xe9\n")
        yield "latin-1", t.outcome(lambda: [enable(), "no error"][1])
    t.mlflow.genai.disable_git_model_versioning()


@case(
    needs=NEEDS,
    differs=each(value("outer"), "what another block has made active is no longer active there", "after", "after none"),
)
def blocks(t: Toolbox) -> Facts:
    enable = t.mlflow.genai.enable_git_model_versioning

    def active() -> Any:
        found = t.mlflow.get_active_model_id()
        if found is None:
            return None
        return {"outer": "outer"}.get(t.mlflow.get_logged_model(found).name, "of git")

    with repository():
        with enable() as context:
            yield "is the context", type(context).__name__
            yield "in", t.outcome(active)
        yield "after one", t.outcome(active)
        with t.mlflow.set_active_model(name="outer"):
            with enable():
                yield "in outer", t.outcome(active)
            yield "after", t.outcome(active)
    with directory(), t.mlflow.set_active_model(name="outer"):
        with enable() as context:
            yield "in none", t.outcome(active)
        yield "after none", t.outcome(active)
    t.mlflow.clear_active_model()
