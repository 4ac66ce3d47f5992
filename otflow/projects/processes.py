"""The environments of the processes that projects are run and fetched by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from otflow import config

__all__ = [
    "docker_directory",
    "environments_directory",
    "git_environment",
    "project_environment",
    "setting_variables",
    "shell",
]

# Source: `git rev-parse --local-env-vars`: what git sets for its hooks, and what would lead it to another repository.
_GIT_OF_A_REPOSITORY: Final = frozenset(
    f"GIT_{name}"
    for name in (
        "ALTERNATE_OBJECT_DIRECTORIES",
        "COMMON_DIR",
        "CONFIG",
        "CONFIG_COUNT",
        "CONFIG_PARAMETERS",
        "DIR",
        "GRAFT_FILE",
        "IMPLICIT_WORK_TREE",
        "INDEX_FILE",
        "INTERNAL_SUPER_PREFIX",
        "NO_REPLACE_OBJECTS",
        "OBJECT_DIRECTORY",
        "PREFIX",
        "REPLACE_REF_BASE",
        "SHALLOW_FILE",
        "WORK_TREE",
    )
)


def environments_directory() -> str:
    """Where environments of projects are kept: what `ENV_ROOT` says, else with the user's caches."""
    return config.ENV_ROOT.get() or os.path.join(os.path.dirname(config.spool_directory()), "envs")


def docker_directory() -> str:
    """Where the docker command has its configuration."""
    return config.environment().get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")


def shell() -> str | None:
    """The user's shell, as `SHELL` names it."""
    return config.environment().get("SHELL") or None


def project_environment(
    settings: Mapping[config.Setting[Any], str | None], more: Mapping[str, str] | None = None, path: str | None = None
) -> dict[str, str]:
    """The environment of a process that runs a project.

    Args:
        settings: Settings that it is to have, by both of their variables; None: that it is not to have.
        more: Further variables.
        path: A directory that programs are looked for in first.
    """
    unset = {variable for setting, text in settings.items() if text is None for variable in setting.variables}
    found = {name: text for name, text in config.environment().items() if name not in unset}
    if more:
        for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):  # of another Python
            found.pop(name, None)
    found |= setting_variables(settings) | dict(more or {})
    if path is not None:
        found["PATH"] = os.pathsep.join(filter(None, (path, found.get("PATH"))))
    return found


def setting_variables(settings: Mapping[config.Setting[Any], str | None]) -> dict[str, str]:
    """Both variables of each setting that is to be set."""
    return {variable: text for setting, text in settings.items() if text is not None for variable in setting.variables}


def git_environment(*, interactive: bool) -> dict[str, str]:
    """The environment of git when it fetches a project: no repository is current, and no other transport allowed."""
    found = {name: text for name, text in config.environment().items() if name not in _GIT_OF_A_REPOSITORY}
    protocols = (word.strip() for word in config.PROJECT_GIT_PROTOCOLS.get().split(","))
    found["GIT_ALLOW_PROTOCOL"] = ":".join(filter(None, protocols))
    if not interactive:
        found["GIT_TERMINAL_PROMPT"] = "0"
    return found
