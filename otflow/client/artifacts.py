"""Artifacts of runs and of logged models."""

from __future__ import annotations

import io
import os
import threading
from typing import Any, BinaryIO, Final

from otflow import context
from otflow.client.connected import Connected
from otflow.entities import FileInfo
from otflow.errors import ArgumentTypeError, InvalidParameterError
from otflow.files.documents import document
from otflow.files.opening import open_repository
from otflow.files.paths import inner_path
from otflow.files.repository import ArtifactRepository

__all__ = ["ArtifactClient"]

_MOST_KNOWN: Final = 1_000


class _Repositories:
    """Those that were opened in this process, by store and run or model: where these keep artifacts never changes."""

    def __init__(self) -> None:
        self._inherited: list[object] = []
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a child of a process: connections of the parent are kept open, and not used."""
        self._inherited.append(getattr(self, "_known", None))
        self._known: dict[tuple[str, str], ArtifactRepository] = {}
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget what was opened; it is closed where nobody uses it any longer."""
        with self._lock:
            self._known.clear()

    def get(self, key: tuple[str, str]) -> ArtifactRepository | None:
        return self._known.get(key)

    def put(self, key: tuple[str, str], repository: ArtifactRepository) -> None:
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = repository


_repositories = _Repositories()
context.at_reset(_repositories.clear)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_repositories.forget)


class ArtifactClient(Connected):
    """Artifacts of runs and of logged models."""

    def run_repository(self, run_id: str) -> ArtifactRepository:
        """Where the artifacts of a run are. Raises NotFoundError."""
        found = _repositories.get((self.place, run_id))
        if found is None:
            found = open_repository(self._store().get_run(run_id).info.artifact_uri or "", tracking_uri=self.place)
            _repositories.put((self.place, run_id), found)
        return found

    def model_repository(self, model_id: str) -> ArtifactRepository:
        """Where the artifacts of a logged model are. Raises NotFoundError."""
        found = _repositories.get((self.place, model_id))
        if found is None:
            found = open_repository(self._store().get_logged_model(model_id).artifact_location, tracking_uri=self.place)
            _repositories.put((self.place, model_id), found)
        return found

    # -- runs ------------------------------------------------------------------------------------

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        """Keep a local file, or a directory with all that is in it, as an artifact of a run.

        Args:
            run_id: The run.
            local_path: The file or directory.
            artifact_path: The directory among the artifacts that it is put into.

        Raises:
            MissingFileError: there is no such file.
            InvalidParameterError: `artifact_path` leads elsewhere.
            NotFoundError: no such run.
        """
        self.run_repository(run_id).log_artifact(local_path, artifact_path)

    def log_artifacts(self, run_id: str, local_dir: str, artifact_path: str | None = None) -> None:
        """Keep what is in a local directory as artifacts of a run; see `log_artifact`."""
        self.run_repository(run_id).log_artifacts(local_dir, artifact_path)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Keep a text as a file, in UTF-8.

        Raises:
            InvalidParameterError: `text` is none, holds half of a surrogate pair, or the path leads elsewhere.
            NotFoundError: no such run.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentTypeError(f"text must be a string, not {type(text).__name__}: {text!r}")
        try:
            content = text.encode()
        except UnicodeEncodeError as error:
            raise InvalidParameterError(f"the text for {artifact_file!r} cannot be written in UTF-8: {error}") from None
        self.run_repository(run_id).write(artifact_file, content)

    def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> None:
        """Keep a dictionary, or whatever else JSON can say, as a file: YAML for `.yaml` and `.yml`, else JSON.

        What neither can say is kept as text.

        Raises:
            InvalidParameterError: the path leads elsewhere.
            NotFoundError: no such run.
            MissingExtraError: YAML is asked for and PyYAML is not installed.
        """
        path = inner_path(artifact_file, empty=False)
        self.run_repository(run_id).write(path, document(dictionary, path))

    def log_stream(self, run_id: str, stream: BinaryIO, artifact_file: str) -> None:
        """Keep what a binary stream has as a file; it is read in pieces.

        Raises:
            InvalidParameterError: it is no binary stream, or the path leads elsewhere.
            NotFoundError: no such run.
        """
        if not callable(getattr(stream, "read", None)) or isinstance(stream, io.TextIOBase):
            raise ArgumentTypeError(f"a binary stream is needed, whose read() gives bytes, not {stream!r}")
        self.run_repository(run_id).write(artifact_file, stream)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """The artifacts of a run in one directory, by name; nothing where there is no such directory.

        Args:
            run_id: The run.
            path: The directory; the root by default.
        """
        return self.run_repository(run_id).list_artifacts(path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        """Copy a file or a directory of a run here.

        Args:
            run_id: The run.
            path: What; an empty text for all. With a `/` at its end: what is in that directory.
            dst_path: The local directory that it is put into; a new temporary one by default. All that a run has is not
                copied then, where it is local.

        Returns:
            The path of the copy.

        Raises:
            MissingFileError: there is no such artifact.
        """
        return self.run_repository(run_id).download_artifacts(path, dst_path)

    # -- logged models ---------------------------------------------------------------------------

    def log_model_artifact(self, model_id: str, local_path: str) -> None:
        """Keep a local file as an artifact of a logged model. Raises NotFoundError, MissingFileError."""
        self.model_repository(model_id).log_artifact(local_path)

    def log_model_artifacts(self, model_id: str, local_dir: str) -> None:
        """Keep what is in a local directory as artifacts of a logged model. Raises NotFoundError, MissingFileError."""
        self.model_repository(model_id).log_artifacts(local_dir)

    def list_logged_model_artifacts(self, model_id: str, path: str | None = None) -> list[FileInfo]:
        """The artifacts of a logged model in one directory, by name."""
        return self.model_repository(model_id).list_artifacts(path)
