"""Data that a web server has."""

from __future__ import annotations

import os
import tempfile
from email.message import Message
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from otflow.data.dataset_source import DatasetSource
from otflow.errors import InvalidParameterError, NotFoundError, OtflowError, StoreUnavailableError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["HTTPDatasetSource"]

_TIMEOUT: Final = (10, 60)
"""Seconds to wait for the connection, and for the next bytes."""
_NAMELESS: Final = "dataset_source"
_CHUNK: Final = 1 << 20


class HTTPDatasetSource(DatasetSource):
    """A file of a web server.

    Args:
        url: The URL, `http:` or `https:`.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def url(self) -> str:
        """The URL."""
        return self._url

    @staticmethod
    def _get_source_type() -> str:
        return "http"

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and urlsplit(raw_source).scheme in ("http", "https")

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        return cls(raw_source)

    def load(self, dst_path: str | None = None) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Download the file.

        Args:
            dst_path: The local directory; by default a new one.

        Returns:
            The local path. The file's name is the one that the server gives it, else the last part of the URL's path.

        Raises:
            NotFoundError: the server does not have it.
            StoreUnavailableError: the server cannot be reached, or has no answer now.
            InvalidParameterError: the server gives the file a name that leads elsewhere.
        """
        import requests

        try:
            with requests.get(self._url, stream=True, timeout=_TIMEOUT) as response:
                if not response.ok:
                    raise _refused(self._url, response.status_code, response.reason)
                name = _name(self._url, response.headers.get("Content-Disposition"))
                directory = dst_path or tempfile.mkdtemp(prefix="otflow-data-")
                os.makedirs(directory, exist_ok=True)
                path = os.path.join(directory, name)
                with open(path, "wb") as file:
                    file.writelines(response.iter_content(_CHUNK))
        except requests.RequestException as error:
            raise StoreUnavailableError(f"{self._url} cannot be downloaded: {error}") from error
        return path

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return {"url": self._url}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described.

        Raises:
            InvalidParameterError: there is no `url`.
        """
        url = source_dict.get("url")
        if url is None:
            raise InvalidParameterError('Failed to parse HTTPDatasetSource. Missing expected key: "url"')
        return cls(url)


def _refused(url: str, status: int, reason: str) -> OtflowError:
    message = f"{url} cannot be downloaded: the server says {status} {reason}"
    if status in (404, 410):
        return NotFoundError(message)
    return StoreUnavailableError(message) if status == 429 or status >= 500 else OtflowError(message, "BAD_REQUEST")


def _name(url: str, disposition: str | None) -> str:
    """The name of the local file."""
    if disposition:
        header = Message()
        header["Content-Disposition"] = disposition
        name = header.get_filename()
        if name:
            if name in (".", "..") or os.path.basename(name) != name or "\\" in name:
                raise InvalidParameterError(
                    f"Invalid filename in Content-Disposition header: {name}. It must be a file name, not a path."
                )
            return name
    name = urlsplit(url).path.rpartition("/")[2]
    return _NAMELESS if name in ("", ".", "..") else name
