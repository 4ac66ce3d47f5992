"""Paths of artifacts: below the root of a repository, and nowhere else; and locations with something below them."""

from __future__ import annotations

import os
import posixpath
import re
from typing import Final, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from otflow.errors import ArgumentTypeError, InvalidParameterError

__all__ = ["below", "checked_path", "inner_path", "is_name"]

_DRIVE: Final = re.compile(r"(?:^|[\\/])[A-Za-z]:(?:[\\/]|$)").search
_TIMES_DECODED: Final = 8
"""How often a path may be percent-encoded over and over; whoever does it more often hides something."""


def checked_path(path: object, *, empty: bool = True) -> str:
    """The path of an artifact, if it is written as what it means.

    Args:
        path: A path with `/` between its parts, relative to the root; None means the root.
        empty: Whether it may be the root itself.

    Raises:
        InvalidParameterError: it is no path, leads elsewhere, or means another one than it says: with `.`, `..`, `//`,
            or a `/` at its end.
    """
    text, resolved = _text(path), inner_path(path, empty=empty)
    if text != resolved:
        raise InvalidParameterError(
            f"Invalid artifact path: {text!r}. Names may be treated as files in certain cases, and must not resolve to"
            f" other names when treated as such. This name would resolve to {resolved or '.'!r}"
        )
    return text


def inner_path(path: object, *, empty: bool = True) -> str:
    """What a path of an artifact means: `./a`, `a//b` and `a/../b` are allowed as long as they stay below the root.

    Args:
        path: A path with `/` between its parts, relative to the root; None means the root.
        empty: Whether it may be the root itself.

    Raises:
        InvalidParameterError: it is no path, or leads elsewhere: absolute, with too many `..`, with the drive of
            another system, or all that once it is decoded.
    """
    text = _text(path)
    if "\0" in text:
        raise InvalidParameterError(f"Invalid artifact path: {text!r}. A name must not hold the character NUL.")
    resolved = posixpath.normpath(text) if text else "."
    if _leads_elsewhere(text) or _leads_elsewhere(resolved):
        raise InvalidParameterError(
            f"Invalid artifact path: {text!r}. It must be relative, and stay in the directory of the artifacts."
        )
    if resolved == ".":
        if not empty:
            raise InvalidParameterError(f"Invalid artifact path: {text!r}. A file needs a name.")
        return ""
    return resolved


def is_name(name: str) -> bool:
    """Whether a name that a storage lists is that of one file or directory here, and nothing that leads elsewhere."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    return os.name != "nt" or not ("\\" in name or ":" in name)


def below(location: str, *parts: str) -> str:
    """A location with parts added to its path; a query or a fragment stays behind it."""
    path = "/".join(part for part in parts if part)
    if not path:
        return location
    if "://" not in location or not ("?" in location or "#" in location):
        return f"{location.rstrip('/') if location.strip('/') else location}/{path}"
    found = urlsplit(location)
    return urlunsplit(found._replace(path=f"{found.path.rstrip('/')}/{path}"))


def _text(path: object) -> str:
    if path is None:
        return ""
    if isinstance(path, os.PathLike):
        path = str(os.fspath(cast("os.PathLike[str]", path))).replace(os.sep, "/")
    if not isinstance(path, str):
        raise ArgumentTypeError(f"Invalid artifact path: {path!r}. It must be a string.")
    return path


def _leads_elsewhere(text: str) -> bool:
    if os.name == "nt" and ":" in text:
        return True
    # Other systems, and servers on the way, read `\` as a separator and decode what is encoded.
    for _ in range(_TIMES_DECODED):
        resolved = posixpath.normpath(text.replace("\\", "/"))
        if resolved.startswith("/") or resolved.split("/", 1)[0] == ".." or _DRIVE(text):
            return True
        decoded = unquote(text)
        if decoded == text:
            return False
        text = decoded
    return True
