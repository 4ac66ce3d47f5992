"""Files of credentials: INI, a section for each server or profile, for their owner's eyes only.

They belong to others too, to the command line of Databricks and to MLflow: what is not ours in them stays as it is,
comments and order included.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import os
import re
import secrets
from collections.abc import Mapping
from typing import Final

from otflow.errors import InvalidParameterError, OtflowError

__all__ = ["Profiles", "read_profiles", "write_profiles"]

Profiles = dict[str, dict[str, str]]
"""Keys and values by section; keys are in lower case."""

# As Python's `configparser` reads them, which MLflow and Databricks use.
_HEADER: Final = re.compile(r"\[(?P<name>.+)\]")
_OPTION: Final = re.compile(r"(?P<key>.*?)\s*(?:[=:]|$)")
_COMMENTS: Final = ("#", ";")


def read_profiles(path: str) -> Profiles:
    """The sections of a file; none where there is no file.

    Raises:
        OtflowError: It cannot be read, or is no such file.
    """
    return _parse(_read(path), path)


def write_profiles(path: str, changes: Mapping[str, Mapping[str, str | None]]) -> None:
    """Change sections of a file, or make them and it. Only its owner may read it afterwards.

    The file is replaced as a whole, or stays as it was.

    Args:
        path: The file; where it is a link, what that leads to.
        changes: By section, the keys to set; None takes a key away. Other keys stay.

    Raises:
        InvalidParameterError: A value is not allowed in such a file; it is not named.
        OtflowError: The file cannot be read or written, or is no such file.
    """
    path = os.path.realpath(path)
    text = _read(path)
    wanted = _parse(text, path)  # what cannot be read is not changed
    for section, values in changes.items():
        for key, value in values.items():
            if value is not None and not _is_plain(value):
                raise InvalidParameterError(
                    f"{key} may not be empty, begin or end with a space, or hold line breaks or the like"
                )
        text = _changed(text, section, values)
        kept = {key: value for key, value in wanted.pop(section, {}).items() if key not in values}
        wanted[section] = kept | {key: value for key, value in values.items() if value is not None}
    if not _reads(text, wanted):  # a layout in which lines are not what they seem: rewritten, without its comments
        text = _written(wanted)
    try:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700)
        _replace(path, text.encode("utf-8"))
    except OSError as error:
        raise OtflowError(f"{path} cannot be written: {error.strerror or type(error).__name__}", "IO_ERROR") from None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig", newline=None) as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise OtflowError(f"{path} cannot be read: {error.strerror or type(error).__name__}", "IO_ERROR") from None
    except UnicodeDecodeError:
        raise OtflowError(f"{path} is no text in UTF-8", "IO_ERROR") from None


def _parse(text: str, path: str) -> Profiles:
    # Without a section whose values all the others inherit: [DEFAULT] is a profile like any other.
    parser = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)  # never the line itself: it may hold a password
        where = f", line {line}" if line is not None else ""
        raise OtflowError(f"{path} is no file of sections with keys and values{where}", "IO_ERROR") from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _reads(text: str, wanted: Profiles) -> bool:
    try:
        found = _parse(text, "")
    except OtflowError:
        return False
    return _filled(found) == _filled(wanted)


def _filled(sections: Profiles) -> Profiles:
    return {section: values for section, values in sections.items() if values}


def _written(sections: Profiles) -> str:
    parser = configparser.RawConfigParser(default_section="\0")
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _is_plain(value: str) -> bool:
    return bool(value) and value == value.strip() and all(character.isprintable() for character in value)


def _changed(text: str, section: str, values: Mapping[str, str | None]) -> str:
    """The text with the keys of one section set or taken away."""
    kept: list[str] = []
    end: int | None = None  # where the section ends that is meant, among the lines that are kept
    inside = dropping = False
    for line in text.splitlines():
        stripped = line.strip()
        header = _HEADER.match(stripped)
        if header is not None and not line[:1].isspace():
            inside, dropping = header["name"] == section, False
        elif dropping and line[:1].isspace() and stripped:
            continue  # a value goes on in lines that are indented
        elif stripped and not stripped.startswith(_COMMENTS):
            option = _OPTION.match(stripped)
            dropping = inside and option is not None and option["key"].lower() in values
            if dropping:
                continue
        kept.append(line)
        if inside and stripped:
            end = len(kept)
    written = [f"{key} = {value}" for key, value in values.items() if value is not None]
    if end is not None:
        kept[end:end] = written
    elif written:
        if kept and kept[-1].strip():
            kept.append("")
        kept += [f"[{section}]", *written]
    return "\n".join(kept) + "\n" if kept else ""


def _replace(path: str, data: bytes) -> None:
    temporary = f"{path}.{secrets.token_hex(8)}"
    # Made for the owner alone, and only if it is not there: nobody can have put a link in its place.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
