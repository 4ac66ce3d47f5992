"""Opening the place that a URI names: the only one that knows the schemes of artifacts."""

from __future__ import annotations

import os
import re
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from otflow.errors import ArgumentTypeError
from otflow.files.local import LocalRepository
from otflow.files.repository import ArtifactRepository

__all__ = ["local_path", "open_repository"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):").match


def local_path(uri: str) -> str | None:
    """The path that a local path or a `file:` URI means; None for what is not local."""
    found = _SCHEME(uri)
    if found is None:
        return uri
    if found[1].lower() != "file":
        return None
    parts = urlsplit(uri)
    return url2pathname(parts.path or parts.netloc)


def open_repository(uri: str | os.PathLike[str], *, tracking_uri: str | None = None) -> ArtifactRepository:
    """The repository at a URI.

    Args:
        uri: A path, or a URI: `file:`, `mlflow-artifacts:`, `http(s):`, or one of fsspec.
        tracking_uri: The store that it belongs to: a server that keeps artifacts as well, perhaps.

    Raises:
        InvalidParameterError: nothing is known of such URIs.
        MissingExtraError: a package is not installed.
    """
    if not isinstance(uri, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentTypeError(f"a location of artifacts is a path or a URI, not {uri!r}")
    uri = os.fspath(uri)
    path = local_path(uri)
    if path is not None:
        return LocalRepository(uri, path)
    scheme = uri.partition(":")[0].lower()
    if scheme in ("mlflow-artifacts", "http", "https"):
        from otflow.files.server import ServerRepository, WebRepository

        return ServerRepository(uri, tracking_uri) if scheme == "mlflow-artifacts" else WebRepository(uri)
    from otflow.files.cloud import CloudRepository

    return CloudRepository(uri)
