"""Files of the active run."""

from __future__ import annotations

from typing import Any, BinaryIO

from otflow.client import Client
from otflow.files.paths import below
from otflow.tracking.runs import active_or_new

__all__ = [
    "get_artifact_uri",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_stream",
    "log_text",
    "place_of",
]


def place_of(run_id: str | None) -> tuple[Client, str]:
    """A client and a run to log to: the one that is named, else the active one, else a new one."""
    if run_id:
        return Client(), run_id
    scope = active_or_new()
    return Client(scope.uri), scope.id


def log_artifact(local_path: str, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Keep a local file, or a directory with all that is in it, as an artifact of the active run.

    Args:
        local_path: The file or directory.
        artifact_path: The directory among the artifacts that it is put into; the root by default.
        run_id: The run; the active one by default, and where none is active a new one.

    Raises:
        MissingFileError: there is no such file.
        InvalidParameterError: `artifact_path` leads elsewhere.
        NotFoundError: no such run.
    """
    client, run = place_of(run_id)
    client.log_artifact(run, local_path, artifact_path)


def log_artifacts(local_dir: str, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Keep what is in a local directory as artifacts of the active run; see `log_artifact`.

    Args:
        local_dir: The directory; its own name is not kept.
        artifact_path: The directory among the artifacts; the root by default.
        run_id: Another run than the active one.
    """
    client, run = place_of(run_id)
    client.log_artifacts(run, local_dir, artifact_path)


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Keep a text as an artifact, in UTF-8.

    Args:
        text: The text.
        artifact_file: The path of the file, such as `"notes/today.md"`.
        run_id: The run; the active one by default.

    Raises:
        InvalidParameterError: `text` is none, or the path leads elsewhere.

    Example:
        >>> import otflow
        >>> with otflow.start_run() as run:
        ...     otflow.log_text("hello", "greeting.txt")
        >>> otflow.artifacts.load_text(f"runs:/{run.info.run_id}/greeting.txt")
        'hello'
    """
    client, run = place_of(run_id)
    client.log_text(run, text, artifact_file)


def log_dict(dictionary: dict[str, Any], artifact_file: str, run_id: str | None = None) -> None:
    """Keep a dictionary, or whatever else JSON can say, as an artifact.

    Args:
        dictionary: The value; what neither JSON nor YAML can say is kept as text.
        artifact_file: The path of the file: YAML where it ends in `.yaml` or `.yml`, else JSON.
        run_id: The run; the active one by default.

    Raises:
        InvalidParameterError: the path leads elsewhere.
        MissingExtraError: YAML is asked for and PyYAML is not installed.
    """
    client, run = place_of(run_id)
    client.log_dict(run, dictionary, artifact_file)


def log_stream(stream: BinaryIO, artifact_file: str, run_id: str | None = None) -> None:
    """Keep what a binary stream has as an artifact; it is read in pieces.

    Args:
        stream: What has a `read()` that gives bytes.
        artifact_file: The path of the file.
        run_id: The run; the active one by default.

    Raises:
        InvalidParameterError: it is no binary stream, or the path leads elsewhere.
    """
    client, run = place_of(run_id)
    client.log_stream(run, stream, artifact_file)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Where the artifacts of the active run are, or one of them; where none is active, one is started.

    Args:
        artifact_path: The path of the artifact; the root by default.
    """
    scope = active_or_new()
    root = Client(scope.uri).get_run(scope.id).info.artifact_uri or ""
    return below(root, artifact_path.lstrip("/")) if artifact_path else root
