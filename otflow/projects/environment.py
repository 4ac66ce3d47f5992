"""The environment that a project asks for: which Python, which packages; read from python_env.yaml or conda.yaml."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shlex
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects.project import Project, read_yaml, within

__all__ = ["MANAGERS", "Definition", "choose_manager", "define", "requirements"]

_logger = logging.getLogger("otflow")

MANAGERS: Final = ("local", "conda", "virtualenv", "uv")

_PYTHON_VERSION: Final = re.compile(r"\d+(\.\d+){0,2}").fullmatch
_CONDA_PACKAGE: Final = re.compile(r"\s*(?:[\w.-]+::)?([A-Za-z0-9_.-]+)\s*(.*)").fullmatch
_INCLUDED: Final = re.compile(r"\s*(-r|--requirement|-c|--constraint)[\s=]*(\S+)\s*").fullmatch
# What is installed from files of the project, which may change.
_OF_THE_PROJECT: Final = re.compile(
    r"\s*(?:-e\b|--editable\b|\.{1,2}(?:[/\\]|$|\[)|/|file:|.*@\s*(?:\.|/|file:))"
).match
_TOOLS: Final = ("pip", "setuptools", "wheel")


@dataclass(frozen=True)
class Definition:
    """What makes two environments the same.

    Attributes:
        manager: What makes it: `virtualenv`, `uv` or `conda`.
        python: The version of Python, or the first parts of it; None for that of this process.
        build: Packages that are installed first.
        packages: The lines of a requirements file.
        included: The content of the files that those lines name.
        directory: The project's directory, where packages are installed from it; there they are found.
        conda: For conda: what the file says.
        conda_file: For conda: the file. It makes no difference.
    """

    manager: str
    python: str | None = None
    build: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    included: tuple[tuple[str, str], ...] = ()
    directory: str | None = None
    conda: str | None = None
    conda_file: str | None = None

    @property
    def digest(self) -> str:
        """The same for the same environment, on this system."""
        python = self.python or f"{sys.version_info.major}.{sys.version_info.minor}"
        content: dict[str, Any] = {
            key: value for key, value in asdict(self).items() if value is not None and key != "conda_file"
        }
        content |= {"python": python, "system": sysconfig.get_platform()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]


def choose_manager(project: Project, asked: str | None) -> str:
    """What makes the environment of a project: `docker` where it names an image, else what was asked for.

    Where nothing was asked for, conda for a project that has a file for conda, else virtualenv.

    Raises:
        InvalidParameterError: there is no such manager, or it cannot make this environment.
    """
    if asked is not None and asked not in MANAGERS:
        raise InvalidParameterError(f"Invalid value for `env_manager`: {asked!r}. Must be one of {list(MANAGERS)}")
    if project.docker is not None:
        return "docker"
    if asked is None:
        return "conda" if project.conda_env is not None else "virtualenv"
    if asked == "conda" and project.python_env is not None:
        raise InvalidParameterError(
            "a project with a python_env cannot be run with env_manager='conda'; allowed are 'virtualenv', 'uv' and"
            " 'local'"
        )
    return asked


def define(project: Project, manager: str) -> Definition | None:
    """What `manager` is to make for a project; None where it runs in the environment as it is.

    Raises:
        ExecutionError: the file that describes it is not right.
    """
    if manager in ("local", "docker"):
        return None
    if manager == "conda":
        return _for_conda(project)
    if project.python_env is not None:
        return _from_python_env(project, manager, read_yaml(project.python_env, "python_env of the project"))
    if project.conda_env is not None:
        return _from_conda(project, manager, read_yaml(project.conda_env, "conda_env of the project"))
    return Definition(manager)


def _from_python_env(project: Project, manager: str, found: dict[str, Any]) -> Definition:
    python = found.get("python")
    return _definition(
        project,
        manager,
        None if python is None else str(python),
        _lines(found.get("build_dependencies"), "build_dependencies"),
        _lines(found.get("dependencies"), "dependencies"),
    )


def _from_conda(project: Project, manager: str, found: dict[str, Any]) -> Definition:
    """What pip can install of what a file for conda names."""
    python: str | None = None
    build: list[str] = []
    packages: list[str] = []
    left: list[str] = []
    entries: Any = found.get("dependencies") or []
    if not isinstance(entries, list):
        raise ExecutionError(f"dependencies of conda_env is a list, not {entries!r}")
    for entry in cast("list[Any]", entries):
        if isinstance(entry, dict):
            packages.extend(_lines(cast("dict[Any, Any]", entry).get("pip"), "pip of conda_env"))
            continue
        matched = _CONDA_PACKAGE(str(entry))
        if matched is None:
            raise ExecutionError(f"dependencies of conda_env holds {entry!r}, which is no package")
        name, version = matched[1].lower(), matched[2].strip()
        if name == "python":
            python = _exact(version, "python") or python
        elif name in _TOOLS:
            number = _exact(version, name)
            build.append(f"{name}=={number}" if number else name)
        else:
            left.append(str(entry))
    if left:
        _logger.warning("What only conda can install is left out of the project's environment: %s", ", ".join(left))
    return _definition(project, manager, python, build, packages)


def _exact(version: str, name: str) -> str | None:
    """The version in a match specification; None where there is none."""
    if not version:
        return None
    found = re.fullmatch(r"={1,2}\s*([\w.!+]+?)(?:\.\*|\*)?(?:=[\w*]+)?", version)
    if found is None:
        raise ExecutionError(
            f"conda_env asks for {name}{version}; other managers than conda need one version: {name}=1.2"
        )
    return found[1]


def _lines(found: object, what: str) -> list[str]:
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, (str, int, float)) for item in cast("list[Any]", found)):
        raise ExecutionError(f"{what} of the project's environment is a list of texts, not {found!r}")
    lines = [str(item) for item in cast("list[Any]", found)]
    for line in lines:
        if "\n" in line or "\0" in line:
            raise ExecutionError(f"{what} of the project's environment holds more than one line: {line!r}")
    return lines


def _definition(
    project: Project, manager: str, python: str | None, build: Iterable[str], packages: Iterable[str]
) -> Definition:
    if python is not None and _PYTHON_VERSION(python) is None:
        raise ExecutionError(f"the Python of the project's environment is a version such as '3.11', not {python!r}")
    build, packages = tuple(build), tuple(packages)
    included = _included(project.directory, [*build, *packages])
    every = [*build, *packages, *(line for _, text in included for line in text.splitlines())]
    own = any(_OF_THE_PROJECT(line) for line in every)
    return Definition(manager, python, build, packages, included, project.directory if own else None)


def _included(directory: str, lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The files that lines of requirements name, and those that they name."""
    found: dict[str, str] = {}
    waiting = [(os.curdir, line) for line in lines]
    while waiting:
        place, line = waiting.pop()
        matched = _INCLUDED(line.partition(" #")[0])
        if matched is None or "://" in matched[2]:
            continue
        name = os.path.normpath(os.path.join(place, matched[2]))
        if name in found:
            continue
        try:
            with open(within(directory, name, "a file of requirements"), encoding="utf-8") as file:
                found[name] = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ExecutionError(f"the requirements {name!r} of the project cannot be read: {error}") from error
        waiting.extend((os.path.dirname(name), line) for line in found[name].splitlines())
    return tuple(sorted(found.items()))


def requirements(lines: Iterable[str], directory: str) -> str:
    """A file of requirements, wherever it is put: the files that it names are those of the project."""
    found: list[str] = []
    for line in lines:
        matched = _INCLUDED(line.partition(" #")[0])
        if matched is not None and "://" not in matched[2]:
            found.append(f"{matched[1]} {shlex.quote(os.path.join(directory, matched[2]))}\n")
        else:
            found.append(f"{line}\n")
    return "".join(found)


def _for_conda(project: Project) -> Definition:
    if project.conda_env is None:
        return Definition("conda")
    read_yaml(project.conda_env, "conda_env of the project")
    with open(project.conda_env, encoding="utf-8") as file:
        text = file.read()
    lines = [line.strip().removeprefix("- ") for line in text.splitlines()]
    included = _included(project.directory, lines)
    directory = project.directory if any(map(_OF_THE_PROJECT, lines)) else None
    return Definition(
        "conda",
        included=included,
        directory=directory,
        conda=text,
        conda_file=project.conda_env,
    )
