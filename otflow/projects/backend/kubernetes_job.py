"""The Job of a project on Kubernetes: a template with what is this run's put into it. No client, no cluster.

Source: MLflow, "Run an MLflow Project on Kubernetes": name of the Job and of its first container, image and command
are replaced, and variables are added to those of the container.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects.project import read_yaml

__all__ = ["KubernetesConfig", "read_template", "render_job", "status_of"]

_KEYS: Final = frozenset({"kube-context", "kube-job-template-path", "repository-uri"})
_REPOSITORY: Final = re.compile(r"[a-z0-9]+([a-z0-9._:/-]*[a-z0-9])?").fullmatch
_LABEL: Final = 63  # RFC 1123: as long as the name of a Job may be


@dataclass(frozen=True)
class KubernetesConfig:
    """What the backend has to know.

    Attributes:
        template: The file of the Job's template.
        repository: Where images are pushed to.
        context: The context of the cluster in the configuration of kubectl; the current one by default.
    """

    template: str
    repository: str
    context: str | None = None

    @classmethod
    def parse(cls, found: Mapping[str, Any]) -> KubernetesConfig:
        """Read it from `backend_config`.

        Raises:
            ExecutionError: something is missing, or not allowed.
        """
        for key in ("kube-job-template-path", "repository-uri"):
            if not isinstance(found.get(key), str) or not found[key]:
                raise ExecutionError(
                    f"backend_config of the backend 'kubernetes' needs {key!r}, a text; it has"
                    f" {', '.join(sorted(_KEYS))}, of which 'kube-context' may be missing"
                )
        context = found.get("kube-context")
        if context is not None and not isinstance(context, str):
            raise ExecutionError(f"'kube-context' of backend_config is a text, not {context!r}")
        if _REPOSITORY(found["repository-uri"]) is None:
            raise ExecutionError(f"'repository-uri' of backend_config names no repository: {found['repository-uri']!r}")
        return cls(found["kube-job-template-path"], found["repository-uri"], context or None)


def read_template(path: str) -> dict[str, Any]:
    """The template of a Job.

    Raises:
        ExecutionError: it cannot be read, or is none.
    """
    found = read_yaml(path, "the template of the Job")
    kind = (found.get("apiVersion", "batch/v1"), found.get("kind", "Job"))
    if kind != ("batch/v1", "Job"):
        raise ExecutionError(f"the template {path!r} is to be a Job of batch/v1, and is {kind[1]} of {kind[0]}")
    _container(found, path)
    return found


def render_job(
    template: Mapping[str, Any],
    *,
    project: str,
    image: str,
    command: Iterable[str],
    variables: Mapping[str, str],
    suffix: str,
) -> dict[str, Any]:
    """The Job of one run.

    Args:
        template: The template; it is not changed.
        project: The project's name.
        image: The image that has the project in it.
        command: What is run; its words arrive as they are.
        variables: Variables that the container gets beside those of the template, in their place.
        suffix: What makes the Job's name its own.
    """
    job = copy.deepcopy(dict(template))
    job.setdefault("apiVersion", "batch/v1")
    job.setdefault("kind", "Job")
    name = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-") or "project"
    metadata = job.setdefault("metadata", {})
    metadata["name"] = f"{name[: _LABEL - len(suffix) - 1].rstrip('-')}-{suffix}"
    metadata.setdefault("namespace", "default")
    pod = job["spec"]["template"]["spec"]
    pod.setdefault("restartPolicy", "Never")
    container = _container(job, "the template")
    container["name"] = name[:_LABEL].rstrip("-")
    container["image"] = image
    container["command"] = [_literal(word) for word in command]
    container.pop("args", None)  # would be added to the command
    own = [{"name": key, "value": _literal(text)} for key, text in variables.items()]
    there = cast("list[dict[str, Any]]", container.get("env") or [])
    kept = [entry for entry in there if entry.get("name") not in variables]
    container["env"] = [*kept, *own]
    return job


def _literal(text: str) -> str:
    """A text in which Kubernetes finds no variable `$(NAME)` to expand.

    Source: Kubernetes API, Container v1 core, `command` and `env`: `$$` is a `$` that begins none.
    """
    return text.replace("$", "$$")


def _container(job: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The first container of a Job."""
    found: Any = job
    for key in ("spec", "template", "spec", "containers"):
        found = cast("dict[Any, Any]", found).get(key) if isinstance(found, dict) else None
    containers = cast("list[Any]", found) if isinstance(found, list) else []
    if not containers or not isinstance(containers[0], dict):
        raise ExecutionError(f"the template {path!r} has no container at spec.template.spec.containers")
    first = cast("dict[str, Any]", containers[0])
    variables: Any = first.get("env") or []
    if type(variables) is not list or not all(isinstance(item, dict) for item in cast("list[Any]", variables)):
        raise InvalidParameterError(f"env of the container in the template {path!r} is a list of names and values")
    return first


def status_of(status: Mapping[str, Any]) -> str:
    """What the status of a Job, as its API has it, means for the run.

    Source: Kubernetes API, JobStatus v1 batch.
    """
    for condition in cast("list[dict[str, Any]]", status.get("conditions") or []):
        if str(condition.get("status")) == "True":
            if condition.get("type") == "Complete":
                return "FINISHED"
            if condition.get("type") == "Failed":
                return "FAILED"
    return "RUNNING" if status.get("active") else "SCHEDULED"
