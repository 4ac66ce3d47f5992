"""What may be said of a workspace: its name, where it keeps artifacts, what becomes of what is in it."""

from __future__ import annotations

import os
import re
from typing import Final, cast
from urllib.parse import urlsplit

from otflow.entities import WorkspaceDeletionMode
from otflow.errors import ArgumentTypeError, InvalidParameterError

__all__ = ["check_artifact_root", "check_deletion_mode", "check_workspace_name"]

_SHORTEST, _LONGEST = 2, 63
_PATTERN: Final = r"^(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:").match
_RESERVED: Final = frozenset({"ajax-api", "api", "static-files", "workspaces"})
"""Names that a server's own paths begin with."""


def check_workspace_name(name: object) -> str:
    """The name of a workspace.

    Raises:
        InvalidParameterError: no workspace can have it.
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"Workspace name must be a string, got {type(name).__name__}: {name!r}")
    if not _SHORTEST <= len(name) <= _LONGEST:
        raise InvalidParameterError(
            f"Workspace name {name!r} must be between {_SHORTEST} and {_LONGEST} characters long."
        )
    if re.fullmatch(_PATTERN.strip("^$"), name) is None:
        raise InvalidParameterError(
            f"Workspace name {name!r} must match the pattern {_PATTERN} (lowercase letters and digits, with single"
            " hyphens between them)."
        )
    if name in _RESERVED:
        raise InvalidParameterError(f"Workspace name {name!r} is reserved and cannot be used.")
    return name


def check_artifact_root(root: object) -> str | None:
    """A place for artifacts: a path, made absolute, or a URI without query and fragment.

    Raises:
        InvalidParameterError: it is none.
    """
    if root is None or root == "":
        return None
    if isinstance(root, os.PathLike):
        root = os.fspath(cast("os.PathLike[str]", root))
    if not isinstance(root, str) or not root.strip() or "\0" in root:
        raise InvalidParameterError(f"An artifact root is a path or a URI, not {root!r}")
    root = root.strip()
    if _SCHEME(root) is None:
        return os.path.abspath(root)
    parts = urlsplit(root)
    if parts.query or parts.fragment:
        raise InvalidParameterError(f"The artifact root {root!r} has a query or a fragment; it may have none")
    return root


def check_deletion_mode(mode: object) -> WorkspaceDeletionMode:
    """What is to become of what is in a workspace that is deleted.

    Raises:
        InvalidParameterError: there is no such mode.
    """
    try:
        return WorkspaceDeletionMode(mode)
    except ValueError:
        allowed = ", ".join(one.value for one in WorkspaceDeletionMode)
        raise InvalidParameterError(f"Invalid deletion mode {mode!r}. Must be one of: {allowed}") from None
