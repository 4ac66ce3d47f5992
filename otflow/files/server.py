"""Artifacts that a server keeps: `mlflow-artifacts:`, and plain `http(s):` for reading.

Source of the requests: what the released MLflow 3.10.1 client sends to `mlflow server --serve-artifacts`.
"""

from __future__ import annotations

import os
import posixpath
import re
import threading
from typing import BinaryIO, Final
from urllib.parse import quote, unquote, urlsplit

from otflow.entities import FileInfo
from otflow.errors import InvalidParameterError, NotFoundError, OtflowError, StoreUnavailableError
from otflow.files.progress import Progress
from otflow.files.repository import ArtifactRepository, rereadable
from otflow.store.remote.client import BrokenOffError, HttpClient, stream_of
from otflow.wire.endpoints import Endpoint
from otflow.wire.scalars import integer, members

__all__ = ["ServerRepository", "WebRepository"]

_ROOT: Final = "/api/2.0/mlflow-artifacts/artifacts"
_LIST: Final = Endpoint("GET", _ROOT, "")
_GET: Final = Endpoint("GET", _ROOT + "/{path}", "")
_PUT: Final = Endpoint("PUT", _ROOT + "/{path}", "")
_DELETE: Final = Endpoint("DELETE", _ROOT + "/{path}", "")
_LOCATION: Final = re.compile(r"mlflow-artifacts:(?://(?P<host>[^/]*))?/*(?P<path>.*)", re.DOTALL | re.IGNORECASE)
_TRIES: Final = 3
"""How often a download is begun that breaks off amid the file."""


class _Connections:
    """One client for each server of this process."""

    def __init__(self) -> None:
        self._clients: dict[str, HttpClient] = {}
        self._lock = threading.Lock()

    def to(self, server: str) -> HttpClient:
        with self._lock:
            client = self._clients.get(server)
            if client is None:
                client = self._clients[server] = HttpClient(server)
            return client

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections alone."""
        self._lock = threading.Lock()
        for client in self._clients.values():
            client.after_fork_in_child()


_connections = _Connections()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_connections.after_fork_in_child)


class ServerRepository(ArtifactRepository):
    """Artifacts behind a server that serves them. It refuses some names, such as those with `#` and `%`.

    Args:
        uri: `mlflow-artifacts:/path`, or `mlflow-artifacts://host:port/path`.
        server: The server, `http(s)://…`, where the URI names none.

    Raises:
        InvalidParameterError: neither of them names a server.
    """

    def __init__(self, uri: str, server: str | None) -> None:
        super().__init__(uri)
        found = _LOCATION.fullmatch(uri)
        host, path = (found["host"], found["path"]) if found is not None else (None, "")
        if server is not None and not server.startswith(("http://", "https://")):
            server = None
        if host:
            server = f"{urlsplit(server).scheme if server else 'http'}://{host}"
        if not server:
            raise InvalidParameterError(
                f"the artifacts at {uri!r} are kept by a server, and the tracking URI names none: it must begin with"
                " http:// or https://, or the location be mlflow-artifacts://host:port/path"
            )
        self._http = _connections.to(server)
        self._root = path.strip("/")

    def _full(self, path: str) -> str:
        return f"{_ROOT}/{quote(posixpath.join(self._root, path))}"

    def _put(self, path: str, source: BinaryIO) -> None:
        with rereadable(source) as stream:
            self._http.put_stream(_PUT, self._full(path), stream)

    def _open(self, path: str) -> BinaryIO:
        try:
            return self._http.open_stream(_GET, self._full(path))
        except NotFoundError:
            raise FileNotFoundError(path) from None
        except OtflowError as error:
            # MLflow's server answers that it has failed, be the reason that there is no such file or another one.
            if error.error_code == "INTERNAL_ERROR" and not self._has(path):
                raise FileNotFoundError(path) from None
            raise

    def _has(self, path: str) -> bool:
        return any(info.path == path and not info.is_dir for info in self._list(posixpath.dirname(path)))

    def _fetch(self, path: str, target: str, progress: Progress) -> None:
        for _ in range(_TRIES - 1):
            try:
                super()._fetch(path, target, progress)
                return
            except BrokenOffError:
                continue
        super()._fetch(path, target, progress)

    def _list(self, path: str) -> list[FileInfo]:
        answer = self._http.call(_LIST, query={"path": posixpath.join(self._root, path).rstrip("/")})
        found: list[FileInfo] = []
        for file in members(answer, "files", "list of artifacts"):
            name, is_dir = str(file.get("path")), bool(file.get("is_dir"))
            size = None if is_dir else integer(file.get("file_size"))
            found.append(FileInfo(f"{path}/{name}" if path else name, is_dir, size))
        return found

    def _delete(self, path: str) -> None:
        self._http.send(_DELETE, self._full(path))


class WebRepository(ArtifactRepository):
    """What is behind a URL: one file, for reading only. No credentials of the store are sent.

    Args:
        uri: The URL.
    """

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        """Copy the file; its name is the last part of the URL's path. See `ArtifactRepository`."""
        if artifact_path:
            raise InvalidParameterError(f"{self.uri!r} is one file: there is no {artifact_path!r} in it")
        return super().download_artifacts(self._name(), dst_path)

    def _name(self) -> str:
        return unquote(urlsplit(self.uri).path).rstrip("/").rpartition("/")[2] or "index.html"

    def _open(self, path: str) -> BinaryIO:  # noqa: ARG002
        import requests

        try:
            response = requests.get(self.uri, stream=True, timeout=60)
        except requests.RequestException as error:
            raise StoreUnavailableError(f"{self._shown()} cannot be reached: {type(error).__name__}") from None
        if response.status_code == requests.codes.not_found:
            response.close()
            raise FileNotFoundError(self.uri)
        if not response.ok:
            response.close()
            raise OtflowError(f"{self._shown()} answered with the HTTP status {response.status_code}")
        return stream_of(response, self._shown())

    def _shown(self) -> str:
        """The URL without what may be secret in it."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"

    def _put(self, path: str, source: BinaryIO) -> None:  # noqa: ARG002
        raise self._read_only(path)

    def _list(self, path: str) -> list[FileInfo]:  # noqa: ARG002
        return []

    def _delete(self, path: str) -> None:
        raise self._read_only(path)

    def _read_only(self, path: str) -> InvalidParameterError:
        return InvalidParameterError(f"{path!r} cannot be written or deleted: {self._shown()} is for reading only")
