"""Artifacts by their URIs: listing, downloading, reading.

| URI | what |
|---|---|
| `runs:/<run id>/<path>` | an artifact of a run |
| `models:/<model id>/<path>` | an artifact of a logged model |
| `models:/<name>/<version>/<path>` | an artifact of a version of a registered model |
| `models:/<name>@<alias>/<path>` | the same by an alias; likewise `/latest` and `/<stage>` |
| a path, `file:`, `s3:`, `gs:`, `abfs:`, `mlflow-artifacts:`, `https:` … | a file or directory there |
"""

from __future__ import annotations

import io
import json
import os
import posixpath
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from otflow import context
from otflow.client import Client
from otflow.entities import FileInfo
from otflow.errors import ArgumentTypeError, InvalidParameterError, MissingExtraError, MissingFileError, OtflowError
from otflow.files.opening import local_path, open_repository
from otflow.files.paths import below
from otflow.files.repository import ArtifactRepository
from otflow.store.model_uris import parse_model_uri

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "download_artifacts",
    "get_artifact_repository",
    "list_artifacts",
    "load_dict",
    "load_image",
    "load_text",
]

_OF_RUN: Final = re.compile(r"runs:/+([^/]+)/*(.*)", re.DOTALL).fullmatch


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """The artifacts in one directory, by name; nothing where there is no such directory.

    Args:
        artifact_uri: The URI of the directory; give either this or a run. With a `/` at its end the paths of what is
            found are relative to it.
        run_id: The run that they are of.
        artifact_path: With `run_id`: the directory; the root by default.
        tracking_uri: The store; the current one by default.

    Raises:
        InvalidParameterError: both or neither of URI and run, or a path that leads elsewhere.
        NotFoundError: no such run or model.
    """
    repository, path = _place(artifact_uri, run_id, artifact_path, tracking_uri)
    found = repository.list_artifacts(path)
    if artifact_uri is None or not path.endswith("/"):
        return found
    # The directory was named with a `/` at its end: the paths are those in it.
    return [FileInfo(posixpath.basename(info.path), info.is_dir, info.file_size) for info in found]


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> str:
    """Copy a file or a directory here.

    Args:
        artifact_uri: Its URI; give either this or a run. With a `/` at its end: what is in that directory.
        run_id: The run that it is of.
        artifact_path: With `run_id`: its path; all by default.
        dst_path: The local directory that it is put into, which is made; a new temporary one by default. What is local
            already, and named by its own path, is not copied then.
        tracking_uri: The store; the current one by default.
        registry_uri: The store of registered models; the same by default.

    Returns:
        The local path.

    Raises:
        InvalidParameterError: both or neither of URI and run, or a path that leads elsewhere.
        MissingFileError: there is nothing of that name.
        NotFoundError: no such run or model.
    """
    if artifact_uri is not None and dst_path is None and run_id is None and artifact_path is None:
        path = local_path(_uri_text(artifact_uri))
        if path is not None and not os.path.exists(path):
            raise MissingFileError(f"No such file or directory: '{path}'")
        if path is not None:
            return os.path.abspath(path)
    repository, inside = _place(artifact_uri, run_id, artifact_path, tracking_uri, registry_uri)
    return repository.download_artifacts(inside, dst_path)


def load_text(artifact_uri: str) -> str:
    """The content of a file as text.

    Raises:
        OtflowError: it is no UTF-8.
        MissingFileError: there is none.
    """
    content = _read(artifact_uri)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OtflowError(f"Unable to form a str object from file content of {artifact_uri}", "BAD_REQUEST") from error


def load_dict(artifact_uri: str) -> dict[str, Any]:
    """The value in a JSON file.

    Raises:
        OtflowError: it is no JSON.
        MissingFileError: there is none.
    """
    content = _read(artifact_uri)
    try:
        return json.loads(content)
    except ValueError as error:
        raise OtflowError(f"Unable to form a JSON object from file content of {artifact_uri}", "BAD_REQUEST") from error


def load_image(artifact_uri: str) -> Image:
    """The image in a file.

    Raises:
        OtflowError: it is no image.
        MissingFileError: there is none.
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingExtraError("Pillow", "images", "Reading images") from error
    content = io.BytesIO(_read(artifact_uri))
    try:
        image = Image.open(content)
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise OtflowError(
            f"Unable to form a PIL Image object from file content of {artifact_uri}", "BAD_REQUEST"
        ) from error
    return image


def get_artifact_repository(
    artifact_uri: str,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> ArtifactRepository:
    """The directory at a URI, to write to and read from.

    Args:
        artifact_uri: The URI.
        tracking_uri: The store; the current one by default.
        registry_uri: The store of registered models; the same by default.
    """
    repository, path = _place(artifact_uri, None, None, tracking_uri, registry_uri)
    if not path:
        return repository
    return open_repository(below(repository.uri, path), tracking_uri=context.place(tracking_uri))


def _read(artifact_uri: str) -> bytes:
    repository, path = _place(artifact_uri, None, None, None)
    if path:
        return repository.read(path)
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(repository.download_artifacts("", directory))
        if copy.is_dir():
            raise MissingFileError(f"{artifact_uri!r} is a directory; a file is needed")
        return copy.read_bytes()


def _place(
    artifact_uri: str | os.PathLike[str] | None,
    run_id: str | None,
    artifact_path: str | None,
    tracking_uri: str | None,
    registry_uri: str | None = None,
) -> tuple[ArtifactRepository, str]:
    """The repository that something is in, and its path there; a `/` at the end of that stays."""
    if run_id is None and artifact_uri is not None:
        if artifact_path is not None:
            raise InvalidParameterError("`artifact_path` cannot be specified if `artifact_uri` is specified")
        return _place_of_uri(_uri_text(artifact_uri), Client(tracking_uri, registry_uri))
    if run_id is None or artifact_uri is not None:
        raise InvalidParameterError(
            "Exactly one of `run_id` or `artifact_uri` must be specified:"
            f" run_id={run_id!r}, artifact_uri={artifact_uri!r}"
        )
    return Client(tracking_uri).run_repository(run_id), os.fspath(artifact_path or "")


def _place_of_uri(uri: str, client: Client) -> tuple[ArtifactRepository, str]:
    if uri.startswith("runs:"):
        found = _OF_RUN(uri)
        if found is None:
            raise InvalidParameterError(f"Not a proper runs:/ URI: {uri}. It must be of the form 'runs:/<run_id>/path'")
        return client.run_repository(found[1]), found[2]
    if uri.startswith("models:"):
        meant = parse_model_uri(uri)
        if meant.model_id is not None:
            return client.model_repository(meant.model_id), meant.path
        return client.version_repository(uri), meant.path
    directory, name = _split(uri)
    return open_repository(directory, tracking_uri=client.place), name


def _split(uri: str) -> tuple[str, str]:
    """A directory, and the name of what is meant in it, with a `/` at its end where it has one."""
    path = local_path(uri)
    if path is not None:
        parent, name = os.path.split(os.path.abspath(path))
        return (parent, f"{name}/" if name and path.endswith(("/", os.sep)) else name)
    if uri.lower().startswith(("http:", "https:")):
        return uri, ""
    scheme, _, rest = uri.partition(":")
    host, path = "", rest.lstrip("/")
    if rest.startswith("//"):
        host, _, path = rest[2:].partition("/")
        host = f"//{host}"
    parent, _, name = path.rstrip("/").rpartition("/")
    if not name:
        return uri, ""
    return f"{scheme}:{host}/{parent}", f"{name}/" if path.endswith("/") else name


def _uri_text(uri: object) -> str:
    if not isinstance(uri, (str, os.PathLike)):
        raise ArgumentTypeError(f"a URI of artifacts must be a string or a path, not {uri!r}")
    text = str(os.fspath(cast("str | os.PathLike[str]", uri)))
    if not text:
        raise InvalidParameterError("`artifact_uri` must not be empty; the working directory is '.'")
    return text
