"""`otflow.run`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any, cast

from otflow import context
from otflow.client import Client
from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects.backend.abstract_backend import ConfigKey, PlanningBackend
from otflow.projects.backend.loading import load_backend
from otflow.projects.environment import MANAGERS
from otflow.projects.git import check_version
from otflow.projects.parameters import checked_parameters
from otflow.projects.submitted_run import LocalSubmittedRun, SubmittedRun
from otflow.semconv import RunKey

__all__ = ["run"]

_logger = logging.getLogger("otflow")


def run(
    uri: Any,
    entry_point: str = "main",
    version: str | None = None,
    parameters: dict[str, Any] | None = None,
    docker_args: dict[str, Any] | None = None,
    experiment_name: str | None = None,
    experiment_id: str | None = None,
    backend: str = "local",
    backend_config: dict[str, Any] | str | None = None,
    storage_dir: str | None = None,
    synchronous: bool = True,
    run_id: str | None = None,
    run_name: str | None = None,
    env_manager: str | None = None,
    build_image: bool = False,
    docker_auth: dict[str, Any] | None = None,
) -> SubmittedRun:
    """Run a project: a directory, or a git repository, with or without an MLproject file.

    Args:
        uri: The project: a path, a `file:` URI, the URI of a git repository (`https:`, `ssh:`, `git@…`) or of a zip
            file; `#subdirectory` behind it names a directory in it.
        entry_point: An entry point of the MLproject file, or a `.py` or `.sh` file.
        version: For git: a branch, a tag or a commit.
        parameters: What the entry point is given. What it does not declare is added to its command as `--name value`.
        docker_args: Options of `docker run`; True for one without a value.
        experiment_name: The experiment of the run, made where it does not exist; give this or `experiment_id`.
        experiment_id: The experiment of the run; the active one by default.
        backend: Where it runs: `"local"`, `"kubernetes"`, or what an installed package brings.
        backend_config: What the backend has to know: a dictionary, or the path of a JSON file.
        storage_dir: Where files that parameters of the type `path` name by URIs are downloaded to; a temporary
            directory by default.
        synchronous: Whether to wait for the end. If not, the process waits when it exits.
        run_id: A run to go on with, instead of a new one.
        run_name: The name of the run; a random one by default.
        env_manager: What makes the environment of the project: `"local"` takes that of this process, others are
            `"virtualenv"`, `"uv"`, `"conda"`. By default conda where the project has a file for conda, else virtualenv.
        build_image: For projects in a container: whether to build an image that has the project in it.
        docker_auth: For projects in a container: `username`, `password` and `registry` to log in.

    Returns:
        The run that was started.

    Raises:
        ExecutionError: the project is not right or not asked rightly, something that it needs is missing; or the run
            has failed, and `synchronous` is set.
        InvalidParameterError: an argument is not allowed.
        NotFoundError: no such project, experiment or run.

    Example:
        >>> import otflow, pathlib
        >>> pathlib.Path("hello.py").write_text("print('hello')")
        14
        >>> submitted = otflow.run(".", "hello.py", env_manager="local")
        >>> otflow.get_run(submitted.run_id).info.status
        'FINISHED'
    """
    if experiment_name is not None and experiment_id is not None:
        raise ExecutionError("Specify only one of 'experiment_name' or 'experiment_id'.")
    if env_manager is not None and env_manager not in MANAGERS:
        raise InvalidParameterError(
            f"Invalid value for `env_manager`: {env_manager!r}. Must be one of {list(MANAGERS)}"
        )
    if version is not None:
        check_version(version)
    checked_parameters(parameters)
    configuration = {
        **read_backend_config(backend_config),
        ConfigKey.ENV_MANAGER: env_manager,
        ConfigKey.SYNCHRONOUS: bool(synchronous),
        ConfigKey.DOCKER_ARGS: docker_args,
        ConfigKey.STORAGE_DIR: storage_dir,
        ConfigKey.BUILD_IMAGE: bool(build_image),
        ConfigKey.DOCKER_AUTH: docker_auth,
    }
    if run_id is not None:
        configuration[ConfigKey.RUN_ID] = run_id
    tracking_uri = context.get_tracking_uri()
    chosen = load_backend(backend)
    if isinstance(chosen, PlanningBackend):
        start = chosen.prepare(uri, entry_point, parameters, version, configuration, tracking_uri)
        try:
            where = _experiment(tracking_uri, experiment_name, experiment_id)
        except BaseException:
            start.discard()
            raise
        submitted = start.begin(where, run_name)
    else:
        where = _experiment(tracking_uri, experiment_name, experiment_id)
        params: Any = parameters
        submitted = chosen.run(str(uri), entry_point, params, version, configuration, tracking_uri, where)
        _say(tracking_uri, submitted, backend, run_name)
    if synchronous:
        _wait_for(submitted)
    return submitted


def _experiment(tracking_uri: str, name: str | None, experiment_id: Any) -> str:
    if experiment_id is not None:
        return Client(tracking_uri).get_experiment(str(experiment_id)).experiment_id
    if name is None:
        return context.experiment_id()
    client = Client(tracking_uri)
    found = client.get_experiment_by_name(name)
    return client.create_experiment(name) if found is None else found.experiment_id


def read_backend_config(given: Any) -> dict[str, Any]:
    """The configuration of a backend: a dictionary, or what is in a JSON file.

    Raises:
        InvalidParameterError: it is neither.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(cast("Mapping[str, Any]", given))
    path = os.fsdecode(given) if isinstance(given, str) or hasattr(given, "__fspath__") else ""
    if not path.endswith(".json"):
        raise InvalidParameterError(
            f"backend_config is a dictionary, or the path of a file that ends in '.json', not {given!r}"
        )
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        raise InvalidParameterError(f"the file {path!r} of backend_config cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InvalidParameterError(f"the file {path!r} of backend_config holds no JSON object")
    return cast("dict[str, Any]", found)


def _say(tracking_uri: str, submitted: SubmittedRun, backend: str, run_name: str | None) -> None:
    """Set on the run of a backend of others what otflow's own have set already."""
    client = Client(tracking_uri)
    if run_name:
        client.set_tag(submitted.run_id, RunKey.NAME, run_name, synchronous=True)
    client.set_tag(submitted.run_id, RunKey.PROJECT_BACKEND, backend, synchronous=True)


def _wait_for(submitted: SubmittedRun) -> None:
    try:
        succeeded = submitted.wait()
    except BaseException:
        submitted.cancel()
        raise
    if succeeded:
        return
    if isinstance(submitted, LocalSubmittedRun) and submitted.error is not None:
        raise submitted.error
    raise ExecutionError(f"Run (ID '{submitted.run_id}') failed")
