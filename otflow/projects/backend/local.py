"""Projects that run on this machine: as they are, in an environment of their own, or in a container."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from otflow import config, context
from otflow.client import Client
from otflow.entities import Run
from otflow.errors import InvalidParameterError
from otflow.projects import processes
from otflow.projects.backend.abstract_backend import ConfigKey, PlanningBackend, Start
from otflow.projects.docker import Docker, checked_args, image_name, run_words
from otflow.projects.environment import Definition, choose_manager, define
from otflow.projects.installing import activation_of_conda, check_manager, install
from otflow.projects.parameters import Values
from otflow.projects.planning import Plan, own_programs, plan, settings_of
from otflow.projects.project import DockerEnvironment
from otflow.projects.submitted_run import LocalSubmittedRun, Process, SubmittedRun
from otflow.projects.template import ShellCommand
from otflow.semconv import RunKey

__all__ = ["LocalBackend"]


class LocalBackend(PlanningBackend):
    """Runs projects on this machine."""

    def prepare(
        self,
        project_uri: Any,
        entry_point: Any,
        params: Any,
        version: str | None,
        backend_config: Mapping[str, Any],
        tracking_uri: str,
    ) -> Start:
        """Look at a run that is to begin."""
        storage = _checked_storage(backend_config.get(ConfigKey.STORAGE_DIR))
        options = checked_args(backend_config.get(ConfigKey.DOCKER_ARGS))
        run_id = backend_config.get(ConfigKey.RUN_ID)
        planned = plan(project_uri, entry_point, params, version)
        try:
            manager = choose_manager(planned.project, backend_config.get(ConfigKey.ENV_MANAGER))
            definition = define(planned.project, manager)
            if definition is not None:
                check_manager(definition)
            docker: Docker | None = None
            if planned.project.docker is not None:
                docker = Docker.find(backend_config.get(ConfigKey.DOCKER_AUTH))
        except BaseException:
            planned.checkout.discard()
            raise
        tags = {RunKey.PROJECT_BACKEND: "local"}
        place = context.place(tracking_uri)
        if manager != "local":
            tags[RunKey.PROJECT_ENV] = manager

        def begin(experiment_id: str, run_name: str | None) -> SubmittedRun:
            try:
                run = planned.begin(place, experiment_id, run_name, run_id, tags)
            except BaseException:
                planned.checkout.discard()
                raise
            work = _Work(planned, run, place, storage)

            def process() -> Process:
                if docker is not None:
                    return work.in_container(docker, options, build=bool(backend_config.get(ConfigKey.BUILD_IMAGE)))
                return work.here(definition)

            return LocalSubmittedRun(run.info.run_id, place, process, work.discard).start()

        return Start(begin, planned.checkout.discard)


def _checked_storage(storage: object) -> str | None:
    if storage is None or (isinstance(storage, (str, os.PathLike)) and os.fspath(storage)):
        return None if storage is None else os.path.abspath(os.path.expanduser(storage))
    raise InvalidParameterError(f"storage_dir is the path of a directory, not {storage!r}")


class _Work:
    """Makes the process of one run."""

    def __init__(self, planned: Plan, run: Run, place: str, storage: str | None) -> None:
        self.plan = planned
        self.run = run
        self.settings = settings_of(run, place)
        self.place = place
        self.storage = storage
        self.temporary: str | None = None

    def discard(self) -> None:
        """Delete what was made for the run."""
        self.plan.checkout.discard()
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)

    def _values(self) -> Values:
        """The parameters; those that are remote are downloaded."""
        if self.plan.values.remote and self.storage is None:
            self.temporary = tempfile.mkdtemp(prefix="otflow-project-")
        return self.plan.values.downloaded(self.storage or self.temporary)

    def here(self, definition: Definition | None) -> Process:
        """The process in an environment; None: in that of this process."""
        values = self._values()
        directory = self.plan.checkout.directory
        if definition is None:
            command = self.plan.command(values, elsewhere=False, python=sys.executable)
            environment = processes.project_environment(self.settings, path=own_programs())
            return Process(command.words, directory, environment, command.text)
        installed = install(definition, directory)
        command = self.plan.command(values, elsewhere=False)
        if definition.manager == "conda":
            command = _activated(command, installed.directory)
        elif command.words[0] == "python":
            command = ShellCommand((installed.python, *command.words[1:]), command.text)
        environment = processes.project_environment(self.settings, installed.variables, installed.programs)
        return Process(command.words, directory, environment, command.text)

    def in_container(self, docker: Docker, options: tuple[str, ...], *, build: bool) -> Process:
        """The process that runs a container."""
        values = self._values()
        environment = self.plan.project.docker or DockerEnvironment("")
        image = environment.image
        if build:
            image = image_name(self.plan.project.name, self.plan.checkout.commit)
            image_id = docker.build(environment, self.plan.checkout.directory, image)
        else:
            docker.pull(image)
            image_id = docker.image_id(image)
        self._record(image, image_id)
        name = f"otflow-{self.run.info.run_id}"
        command = self.plan.command(values, elsewhere=True)
        mounts = [
            *_places(self.settings[config.TRACKING_URI] or ""),
            *(values.declared[key] for key in self.plan.values.remote),
        ]
        words = run_words(
            environment,
            image,
            command.words,
            name=name,
            options=options,
            variables=[*processes.setting_variables(self.settings), *_credentials()],
            mounts=mounts,
        )
        return Process(
            (docker.program, *words),
            self.plan.checkout.directory,
            processes.project_environment(self.settings),
            command.text,
            lambda: docker.remove(name),
        )

    def _record(self, image: str, image_id: str) -> None:
        client = Client(self.place)
        client.set_tag(self.run.info.run_id, RunKey.DOCKER_IMAGE_URI, image, synchronous=True)
        if image_id:
            client.set_tag(self.run.info.run_id, RunKey.DOCKER_IMAGE_ID, image_id, synchronous=True)


def _activated(command: ShellCommand, environment: str) -> ShellCommand:
    """The command in an environment of conda, whose packages may have scripts that activate them."""
    script = activation_of_conda()
    if script is None:
        return command
    activate = '. "$1" "$2" && shift 2 && exec "$@"'
    return ShellCommand(("bash", "-c", activate, "bash", script, environment, *command.words), command.text)


def _credentials() -> list[str]:
    """The variables by which this process reaches its store, for a container that is to reach it as well."""
    given = config.variables(("OTFLOW_TRACKING_", "MLFLOW_TRACKING_"))
    return [name for name in given if not name.endswith("_TRACKING_URI")]


def _places(tracking_uri: str) -> list[str]:
    """The directories that a container needs to reach a store that is in files."""
    path = tracking_uri.removeprefix("sqlite:///").partition("?")[0]
    return [os.path.dirname(path)] if path != tracking_uri and os.path.isabs(path) else []
