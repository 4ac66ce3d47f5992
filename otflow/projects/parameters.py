"""Parameters of entry points: what they may be, and what the command gets for them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from otflow.errors import ExecutionError, InvalidParameterError
from otflow.store.run_validation import check_key

__all__ = ["Parameter", "Values", "checked_parameters", "resolve"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):").match


@dataclass(frozen=True)
class Parameter:
    """A parameter that an MLproject file declares.

    Attributes:
        name: Its name.
        type: `string`, `float`, `path` or `uri`; any other is like `string`.
        default: What it is where it is not given; None where it has to be.
    """

    name: str
    type: str = "string"
    default: str | None = None

    @classmethod
    def parse(cls, name: str, declared: object) -> Parameter:
        """The parameter of a declaration: a type, or `type` and `default`.

        Raises:
            ExecutionError: it is neither, or no parameter may have the name.
        """
        try:
            check_key(name, f"parameters.{name}", "Param key")
        except InvalidParameterError as error:
            raise ExecutionError(f"the project declares the parameter {name!r}: {error}") from error
        if isinstance(declared, str):
            return cls(name, declared.lower())
        if not isinstance(declared, dict):
            raise ExecutionError(f"the parameter {name!r} is declared by a type, or type and default, not {declared!r}")
        entry = cast("dict[Any, Any]", declared)
        default = entry.get("default")
        return cls(name, str(entry.get("type", "string")).lower(), None if default is None else str(default))

    def checked(self, value: str, directory: str | None) -> str:
        """What the command gets for a value; downloads nothing.

        Args:
            value: The value.
            directory: For a default: the project's directory, which a path may be relative to.

        Raises:
            ExecutionError: it is not of the parameter's type.
        """
        if self.type == "float":
            try:
                float(value)
            except ValueError:
                raise ExecutionError(f"the parameter {self.name!r} is to be a number, not {value!r}") from None
        if self.type == "uri" and not _SCHEME(value):
            raise ExecutionError(f"Expected URI for parameter {self.name} but got {value!r}: it has no scheme")
        if self.type == "path" and not self.is_remote(value):
            return self._local_path(value, directory)
        return value

    def is_remote(self, value: str) -> bool:
        """Whether this is a file or a directory that has to be downloaded."""
        if self.type != "path" or os.path.exists(value):
            return False
        scheme = _SCHEME(value)
        return scheme is not None and scheme[1].lower() != "file"

    def _local_path(self, value: str, directory: str | None) -> str:
        from otflow.files.opening import local_path

        path = local_path(value) or value
        places = [os.path.abspath(path), *([os.path.join(directory, path)] if directory is not None else [])]
        found = next((place for place in places if os.path.exists(place)), None)
        if found is None:
            raise ExecutionError(
                f"Got value {value!r} for parameter {self.name}, but no such file or directory was found; it is looked"
                f" for at {' and '.join(places)}"
            )
        return found


@dataclass(frozen=True)
class Values:
    """The parameters of one run.

    Attributes:
        declared: What the places in the command get.
        more: What is added to the end of the command.
        given: As they are recorded.
        remote: The declared ones that are to be downloaded first.
    """

    declared: Mapping[str, str]
    more: Mapping[str, str]
    given: Mapping[str, str]
    remote: tuple[str, ...] = ()

    def downloaded(self, storage: str | None) -> Values:
        """The same, with what is remote copied here.

        Args:
            storage: The directory that is copied to, below one of its own; a temporary one by default.

        Raises:
            OtflowError: it cannot be downloaded.
        """
        if not self.remote:
            return self
        from otflow.artifacts import download_artifacts

        if storage is not None:
            os.makedirs(storage, exist_ok=True)
        place = tempfile.mkdtemp(dir=storage)
        paths = {
            name: download_artifacts(self.declared[name], dst_path=_made(os.path.join(place, f"param_{number}")))
            for number, name in enumerate(self.remote)
        }
        return Values({**self.declared, **paths}, self.more, self.given)


def _made(path: str) -> str:
    os.mkdir(path)
    return path


def checked_parameters(parameters: object) -> dict[str, str]:
    """The parameters that `run` was given, as texts.

    Raises:
        InvalidParameterError: they are no dictionary, or a name or a value is not allowed.
    """
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise InvalidParameterError(f"parameters is a dictionary of names and values, not {parameters!r}")
    found: dict[str, str] = {}
    for number, (key, value) in enumerate(cast("Mapping[Any, Any]", parameters).items()):
        name = check_key(key, f"params[{number}].key", "Param key")
        text = str(value)
        if "\0" in text:
            raise InvalidParameterError(
                f"the value of the parameter {name!r} holds a NUL character, which no command can"
            )
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            raise InvalidParameterError(
                f"the value of the parameter {name!r} holds a character that no command can: {text!r}"
            ) from None
        found[name] = text
    return found


def resolve(declared: Mapping[str, Parameter], given: Mapping[str, str], directory: str) -> Values:
    """What the command of an entry point gets.

    Args:
        declared: What the entry point declares.
        given: What `run` was given.
        directory: The project's directory.

    Raises:
        ExecutionError: a value is missing, or not of its type.
    """
    missing = [name for name, parameter in declared.items() if parameter.default is None and name not in given]
    if missing:
        raise ExecutionError(f"No value given for missing parameters: {', '.join(map(repr, missing))}")
    values: dict[str, str] = {}
    recorded = dict(given)
    for name, parameter in declared.items():
        default = parameter.default or ""
        recorded.setdefault(name, default)
        values[name] = parameter.checked(given[name], None) if name in given else parameter.checked(default, directory)
    more = {name: text for name, text in given.items() if name not in declared}
    remote = tuple(name for name, parameter in declared.items() if parameter.is_remote(values[name]))
    return Values(values, more, recorded, remote)
