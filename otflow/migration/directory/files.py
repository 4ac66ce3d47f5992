"""The small files that the file store is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

from otflow.errors import InvalidParameterError, MissingExtraError

__all__ = ["entries", "pairs", "read_text", "read_yaml"]


def read_yaml(path: str) -> dict[str, Any]:
    """The members of a YAML file.

    Raises:
        InvalidParameterError: It is no file of members.
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "yaml", "reading a directory of MLflow's") from None
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(path, encoding="utf-8") as file:
            found: Any = yaml.load(file, Loader=loader)  # noqa: S506 - one of the two that are safe
    except OSError as error:
        raise InvalidParameterError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidParameterError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise InvalidParameterError(f"{path} holds no members")
    return cast("dict[str, Any]", found)


def read_text(path: str) -> str:
    """The text of a file.

    Raises:
        InvalidParameterError: It cannot be read.
    """
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except OSError as error:
        raise InvalidParameterError(f"{path} cannot be read: {error.strerror}") from None


def pairs(folder: str) -> dict[str, str]:
    """Files below a directory: their paths, which are keys, and texts."""
    return {key: read_text(path) for key, path in files_below(folder)}


def files_below(folder: str) -> Iterator[tuple[str, str]]:
    """The files below a directory, by key and path; a key with a slash is a file in a directory."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            yield os.path.relpath(path, folder).replace(os.sep, "/"), path


def entries(folder: str) -> list[os.DirEntry[str]]:
    """The directories in a directory, by name; none where there is no such directory."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if entry.is_dir()), key=lambda entry: entry.name)
    except OSError:
        return []
