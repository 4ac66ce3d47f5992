"""A project: a directory with an MLproject file, or without one; its entry points and its environment."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from otflow.errors import ExecutionError, MissingExtraError
from otflow.projects.parameters import Parameter
from otflow.projects.template import CommandTemplate

__all__ = ["DockerEnvironment", "EntryPoint", "Project", "load_project", "read_yaml", "within"]

_FILE: Final = "mlproject"
_MOST_BYTES: Final = 1 << 20
_MOST_VALUES: Final = 100_000
_SCRIPTS: Final = (".py", ".sh")
_ENVIRONMENTS: Final = ("python_env", "conda_env", "docker_env")


@dataclass(frozen=True)
class EntryPoint:
    """Something that a project can be asked to do.

    Attributes:
        name: Its name.
        parameters: What it takes, by name.
        command: The command, for the shell.
        script: Instead of a command: the file that is run.
    """

    name: str
    parameters: Mapping[str, Parameter]
    command: CommandTemplate | None = None
    script: str | None = None


@dataclass(frozen=True)
class DockerEnvironment:
    """The image that a project runs in.

    Attributes:
        image: Its name.
        volumes: What is mounted, as `docker run --volume` has it.
        environment: Variables; those without a value are taken from here.
    """

    image: str
    volumes: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Project:
    """What an MLproject file says; what is in the directory, where there is none.

    Attributes:
        directory: Where it is.
        name: Its name; empty where it has none.
        entry_points: Those that the file lists, as they are written there: one that is wrong harms no other.
        python_env: The file that describes the environment for virtualenv and uv.
        conda_env: The file that describes the environment for conda.
        docker: The image that it runs in.
    """

    directory: str
    name: str = ""
    entry_points: Mapping[str, Any] = field(default_factory=dict[str, Any])
    python_env: str | None = None
    conda_env: str | None = None
    docker: DockerEnvironment | None = None

    def entry_point(self, name: str) -> EntryPoint:
        """The entry point of a name; a `.py` or `.sh` file is one.

        Raises:
            ExecutionError: there is none, it is not right, or the file is outside of the project.
        """
        if name in self.entry_points:
            return _entry_point(name, self.entry_points[name])
        if os.path.splitext(name)[1] not in _SCRIPTS:
            raise ExecutionError(
                f"Could not find {name!r} among the entry points {list(self.entry_points)}, and it is no script: the"
                f" name of one ends in {' or '.join(_SCRIPTS)}"
            )
        path = within(self.directory, name, "the script of the entry point")
        if not os.path.isfile(path):
            raise ExecutionError(f"Could not find the script {name!r} of the entry point in the project's directory")
        return EntryPoint(name, {}, script=name)


def within(directory: str, path: str, what: str) -> str:
    """The absolute path of something in a project.

    Raises:
        ExecutionError: it is elsewhere.
    """
    if "\0" in path:
        raise ExecutionError(f"{what} {path!r} holds a NUL character")
    root = os.path.realpath(directory)
    found = os.path.realpath(os.path.join(root, path))
    if os.path.isabs(path) or os.path.commonpath([root, found]) != root:
        raise ExecutionError(f"{what} is to be inside of the project's directory, which {path!r} is not")
    return os.path.join(root, path)


def load_project(directory: str) -> Project:
    """The project in a directory.

    Raises:
        ExecutionError: its MLproject file is not right.
        MissingExtraError: there is such a file, and PyYAML is not installed.
    """
    file = _project_file(directory)
    if file is None:
        return Project(directory, **_environment_beside(directory))
    text = read_yaml(within(directory, file, "the project file"), "the project file MLproject")
    if "databricks_spark_job" in text:
        raise ExecutionError(
            "the project is a job for Databricks (databricks_spark_job), to which otflow does not speak"
        )
    several = [key for key in _ENVIRONMENTS if text.get(key)]
    if len(several) > 1:
        raise ExecutionError(f"a project has one environment, not several: {', '.join(several)}")
    name = text.get("name")
    environment: dict[str, Any] = {}
    if text.get("docker_env"):
        environment["docker"] = _docker(text["docker_env"])
        if not name:
            raise ExecutionError("a project with a docker_env has to have a name, which its image is called by")
    for key in ("python_env", "conda_env"):
        if text.get(key):
            environment[key] = _environment_file(directory, key, text[key])
    return Project(
        directory,
        "" if name is None else str(name),
        {str(key): entry for key, entry in _mapping(text.get("entry_points"), "entry_points").items()},
        **(environment or _environment_beside(directory)),
    )


def read_yaml(path: str, what: str) -> dict[str, Any]:
    """A mapping in a YAML file.

    Raises:
        ExecutionError: it is none.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("PyYAML", "projects", f"Reading {what}") from error
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ExecutionError(f"{what} is longer than {_MOST_BYTES:,} bytes")
        found = yaml.safe_load(content)
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise ExecutionError(f"{what} cannot be read: {error}") from error
    _check_size(found, what)
    if not isinstance(found, dict):
        raise ExecutionError(f"{what} is to hold keys and values, not {_shown(found)}")
    return {str(key): value for key, value in cast("dict[Any, Any]", found).items()}


def _check_size(found: object, what: str) -> None:
    """Refuse what is small in a file and large in memory: aliases of aliases."""
    waiting: list[Any] = [found]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value: Any = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(cast("dict[Any, Any]", value).items())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend(cast("list[Any]", value))
    raise ExecutionError(f"{what} holds more than {_MOST_VALUES:,} values")


def _shown(value: Any) -> str:
    return reprlib.repr(value)


def _project_file(directory: str) -> str | None:
    try:
        names = sorted(name for name in os.listdir(directory) if name.lower() == _FILE)
    except OSError as error:
        raise ExecutionError(f"the project's directory {directory!r} cannot be read: {error.strerror}") from error
    return "MLproject" if "MLproject" in names else next(iter(names), None)


def _environment_beside(directory: str) -> dict[str, Any]:
    """Where the project file names no environment: the file of the usual name."""
    for key, name in (("python_env", "python_env.yaml"), ("conda_env", "conda.yaml")):
        if os.path.isfile(os.path.join(directory, name)):
            return {key: within(directory, name, f"the file {name}")}
    return {}


def _environment_file(directory: str, key: str, name: object) -> str:
    if not isinstance(name, str):
        raise ExecutionError(f"{key} of the project is the name of a file, not {_shown(name)}")
    path = within(directory, name, f"{key} of the project")
    if not os.path.isfile(path):
        raise ExecutionError(f"{key} of the project names the file {name!r}, which is not there")
    return path


def _entry_point(name: str, found: object) -> EntryPoint:
    entry = _mapping(found, f"the entry point {name!r}")
    command = entry.get("command")
    if not isinstance(command, str) or not command.strip():
        raise ExecutionError(f"the command of the entry point {name!r} is to be a text, not {_shown(command)}")
    parameters = {
        str(key): Parameter.parse(str(key), value)
        for key, value in _mapping(entry.get("parameters"), f"the parameters of the entry point {name!r}").items()
    }
    return EntryPoint(name, parameters, CommandTemplate.parse(command))


def _mapping(found: object, what: str) -> dict[Any, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ExecutionError(f"{what} of the project: keys and values are expected, not {_shown(found)}")
    return cast("dict[Any, Any]", found)


def _docker(found: object) -> DockerEnvironment:
    entry = _mapping(found, "docker_env")
    image = entry.get("image")
    if not isinstance(image, str) or not image or image.startswith("-") or any(char.isspace() for char in image):
        raise ExecutionError(f"docker_env of the project is to name an image, not {_shown(image)}")
    volumes: Any = entry.get("volumes") or []
    if type(volumes) is not list or not all(isinstance(item, str) for item in cast("list[Any]", volumes)):
        raise ExecutionError(
            f'volumes of docker_env is a list of texts such as ["/here:/there"], not {_shown(volumes)}'
        )
    variables: Any = entry.get("environment") or []
    if type(variables) is not list:
        raise ExecutionError(f"environment of docker_env is a list, not {_shown(variables)}")
    return DockerEnvironment(
        image,
        tuple(cast("list[str]", volumes)),
        tuple(_variable(item) for item in cast("list[Any]", variables)),
    )


def _variable(item: Any) -> tuple[str, str | None]:
    words: list[Any] = cast("list[Any]", item) if type(item) is list else [item]
    name = words[0] if words else None
    if not 1 <= len(words) <= 2 or not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise ExecutionError(
            "environment of docker_env holds names of variables, and pairs of a name and a value such as"
            f' ["NAME", "value"], not {_shown(item)}'
        )
    return name, str(words[1]) if len(words) == 2 else None
