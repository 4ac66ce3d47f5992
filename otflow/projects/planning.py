"""What a run of a project is, before anything is written: its files, entry point and parameters; and its record."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from otflow import config, context
from otflow.client import Client
from otflow.entities import Param, Run
from otflow.errors import ExecutionError, InvalidParameterError, InvalidStateError
from otflow.projects import processes
from otflow.projects.fetching import Checkout, fetch_project
from otflow.projects.parameters import Values, checked_parameters, resolve
from otflow.projects.project import EntryPoint, Project, load_project
from otflow.projects.template import ShellCommand
from otflow.semconv import RunKey
from otflow.source_code import user
from otflow.store.opening import normalize_uri, split_workspace

__all__ = ["Plan", "own_programs", "plan", "settings_of"]


@dataclass(frozen=True)
class Plan:
    """A run of a project that can begin.

    Attributes:
        checkout: Its files.
        project: What its file says.
        entry_point: What it is asked to do.
        values: What it is given.
    """

    checkout: Checkout
    project: Project
    entry_point: EntryPoint
    values: Values

    def command(self, values: Values, *, elsewhere: bool, python: str = "python") -> ShellCommand:
        """What is run.

        Args:
            values: The parameters, downloaded.
            elsewhere: Whether it runs on another system, whose programs are not known here.
            python: The Python that runs scripts.

        Raises:
            ExecutionError: there is no shell here, or a parameter has no place.
        """
        point = self.entry_point
        if point.command is not None:
            return point.command.fill(values.declared, values.more, "bash" if elsewhere else _shell())
        script = point.script or ""
        if script.startswith("-"):
            script = f"./{script}"  # no option of the program
        shell = "bash" if elsewhere else processes.shell() or _shell()
        program = python if script.endswith(".py") else shell
        options = [word for name, value in values.more.items() for word in (f"--{name}", value)]
        return ShellCommand.of_words([program, script, *options])

    def check_command(self) -> None:
        """Fail now for what would fail later; see `command`."""
        self.command(self.values, elsewhere=True)

    def begin(
        self, place: str, experiment_id: str, run_name: str | None, run_id: str | None, tags: Mapping[str, str]
    ) -> Run:
        """The run, with what is known of it; one that is named goes on, and is left as it is otherwise.

        Args:
            place: The store, with its workspace.
            experiment_id: The experiment of a new run.
            run_name: Its name.
            run_id: The run to go on with.
            tags: Tags that it gets in any case.

        Raises:
            NotFoundError: no such run, or no such experiment.
        """
        client = Client(place)
        if run_id is not None:
            run = client.get_run(run_id)
            if run.info.lifecycle_stage != "active":
                raise InvalidStateError(f"the run {run_id!r} is deleted")
            client.update_run(run_id, status="RUNNING", name=run_name or None)
            for key, text in tags.items():
                client.set_tag(run_id, key, text, synchronous=True)
            return client.get_run(run_id)
        run = client.create_run(experiment_id, tags={**self._tags(place), **tags}, run_name=run_name or None)
        try:
            params = [Param(key, text) for key, text in self.values.given.items()]
            client.log_batch(run.info.run_id, params=params, synchronous=True)
        except BaseException:
            client.set_terminated(run.info.run_id, "FAILED")
            raise
        return run

    def _tags(self, place: str) -> dict[str, str]:
        parent = context.active_run(place)
        found = {
            RunKey.USER: user(),
            RunKey.SOURCE_NAME: self.checkout.source,
            RunKey.SOURCE_TYPE: "PROJECT",
            RunKey.PROJECT_ENTRY_POINT: self.entry_point.name,
            RunKey.GIT_COMMIT: self.checkout.commit,
            RunKey.GIT_REPO_URL: self.checkout.repository,
            RunKey.GIT_BRANCH: self.checkout.branch,
            RunKey.PARENT: "" if parent is None else parent.id,
        }
        return {key: text for key, text in found.items() if text}


def plan(project_uri: object, entry_point: object, params: object, version: str | None) -> Plan:
    """Look at a project, and at what it is asked for; nothing is written but its temporary copy.

    Raises:
        InvalidParameterError: an argument is not allowed.
        MissingFileError: there is no project.
        ExecutionError: the project is not right, or not asked rightly.
    """
    if not isinstance(entry_point, str):
        raise InvalidParameterError(f"the entry point of a project is a text, not {entry_point!r}")
    given = checked_parameters(params)
    checkout = fetch_project(project_uri, version)
    try:
        project = load_project(checkout.directory)
        point = project.entry_point(entry_point)
        found = Plan(checkout, project, point, resolve(point.parameters, given, checkout.directory))
        found.check_command()
        return found
    except BaseException:
        checkout.discard()
        raise


def settings_of(run: Run, place: str) -> dict[config.Setting[str | None], str | None]:
    """What a process has to be told to log to a run.

    Args:
        run: The run.
        place: The store as the process reaches it, with its workspace.
    """
    uri, workspace = split_workspace(normalize_uri(place))
    return {
        config.RUN_ID: run.info.run_id,
        config.TRACKING_URI: uri,
        config.EXPERIMENT_ID: run.info.experiment_id,
        config.WORKSPACE: workspace,
    }


def _shell() -> str:
    for name in ("bash", "sh"):
        if shutil.which(name) is not None:
            return name
    raise ExecutionError("the command of an entry point is for a shell, and neither bash nor sh is installed here")


def own_programs() -> str:
    """The directory of the Python that runs this."""
    return os.path.dirname(sys.executable)
