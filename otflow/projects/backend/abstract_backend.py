"""What runs projects somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otflow.projects.submitted_run import SubmittedRun

__all__ = ["AbstractBackend", "ConfigKey", "PlanningBackend", "Start"]


class ConfigKey:
    """What is in the configuration of each backend, beside its own; the keys are MLflow's."""

    SYNCHRONOUS: Final = "SYNCHRONOUS"
    DOCKER_ARGS: Final = "DOCKER_ARGS"
    STORAGE_DIR: Final = "STORAGE_DIR"
    ENV_MANAGER: Final = "ENV_MANAGER"
    BUILD_IMAGE: Final = "build_image"
    DOCKER_AUTH: Final = "docker_auth"
    RUN_ID: Final = "_mlflow_local_backend_run_id"


class AbstractBackend(ABC):
    """Runs projects somewhere: on this machine, on a cluster.

    A package that brings one registers it, or a function that makes it, as an entry point in the group
    `otflow.project_backend`; its name is what `otflow.run` is told as `backend`. The group `mlflow.project_backend`
    is looked at as well.
    """

    @abstractmethod
    def run(
        self,
        project_uri: str,
        entry_point: str,
        params: dict[str, Any],
        version: str | None,
        backend_config: dict[str, Any],
        tracking_uri: str,
        experiment_id: str,
    ) -> SubmittedRun:
        """Start a run of a project; does not wait for its end.

        Args:
            project_uri: The project: a path, or the URI of a git repository.
            entry_point: What it is asked to do.
            params: What it is given.
            version: For git: a branch, a tag or a commit.
            backend_config: The configuration that `otflow.run` was given, and its arguments that are of use to a
                backend; see `ConfigKey`.
            tracking_uri: The store of the run.
            experiment_id: The experiment of the run.
        """


@dataclass(frozen=True)
class Start:
    """A run that was looked at, and can begin.

    Attributes:
        begin: Begins it, in an experiment and under a name.
        discard: Called instead, if it is not to begin.
    """

    begin: Callable[[str, str | None], SubmittedRun]
    discard: Callable[[], None]


class PlanningBackend(AbstractBackend):
    """A backend that finds out what is wrong before anything is written."""

    @abstractmethod
    def prepare(
        self,
        project_uri: Any,
        entry_point: Any,
        params: Any,
        version: str | None,
        backend_config: Mapping[str, Any],
        tracking_uri: str,
    ) -> Start:
        """Look at a run that is to begin; the arguments are those of `run`."""

    def run(
        self,
        project_uri: str,
        entry_point: str,
        params: dict[str, Any],
        version: str | None,
        backend_config: dict[str, Any],
        tracking_uri: str,
        experiment_id: str,
    ) -> SubmittedRun:
        """Start a run of a project; does not wait for its end."""
        start = self.prepare(project_uri, entry_point, params, version, backend_config, tracking_uri)
        return start.begin(experiment_id, None)
