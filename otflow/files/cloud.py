"""Artifacts in whatever fsspec knows: S3, Google Cloud Storage, Azure, SFTP, HDFS, memory, and more."""

from __future__ import annotations

import posixpath
import shutil
from typing import Any, BinaryIO, Final, cast

from otflow import config
from otflow.entities import FileInfo
from otflow.errors import InvalidParameterError, MissingExtraError, OtflowError, StoreUnavailableError
from otflow.files.repository import ArtifactRepository, rereadable

__all__ = ["CloudRepository"]

_EXTRAS: Final = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "s3")),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "gcs")),
    **dict.fromkeys(("abfs", "abfss", "az", "wasb", "wasbs", "adl"), ("adlfs", "azure")),
}
"""By scheme: the package that fsspec needs, and the extra that brings it. These keep objects, in no directories."""
_SAME_AS: Final = {"wasb": "abfs", "wasbs": "abfs"}


def _options(scheme: str) -> dict[str, Any]:
    """What the file system of a scheme is to be told."""
    options: dict[str, Any] = {}
    if scheme in ("s3", "s3a"):
        if (endpoint := config.S3_ENDPOINT_URL.get()) is not None:
            options["endpoint_url"] = endpoint
        if config.S3_IGNORE_TLS.get():
            options["client_kwargs"] = {"verify": False}
    return options


class CloudRepository(ArtifactRepository):
    """A directory in a file system of fsspec.

    Credentials are what the packages find themselves: the environment, files of the cloud's own tools.

    Args:
        uri: The root, with its scheme.

    Raises:
        MissingExtraError: a package is not installed.
        InvalidParameterError: fsspec knows no such scheme.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        scheme = uri.partition(":")[0].lower()
        package, extra = _EXTRAS.get(scheme, ("fsspec", "fsspec"))
        try:
            import fsspec  # pyright: ignore[reportMissingTypeStubs]
        except ImportError as error:
            raise MissingExtraError("fsspec", extra, f"Keeping artifacts at {scheme}://") from error
        known = _SAME_AS.get(scheme, scheme)
        try:
            system, root = cast("Any", fsspec).core.url_to_fs(known + uri[len(scheme) :], **_options(scheme))
        except ImportError as error:
            if scheme in _EXTRAS:
                raise MissingExtraError(package, extra, f"Keeping artifacts at {scheme}://") from error
            raise InvalidParameterError(f"artifacts at {uri!r} cannot be reached: {error}") from error
        except ValueError as error:
            raise InvalidParameterError(f"no storage is known for {uri!r}: {error}") from error
        self._system: Any = system
        self._root = str(root).rstrip("/")
        self._has_directories = scheme not in _EXTRAS

    def _full(self, path: str) -> str:
        return posixpath.join(self._root, path) if path else self._root

    def _put(self, path: str, source: BinaryIO) -> None:
        full = self._full(path)
        # What cannot be rewound is read to its end first: a stream that fails must not leave half a file.
        with rereadable(source) as stream:
            try:
                if self._has_directories:
                    self._system.makedirs(posixpath.dirname(full), exist_ok=True)
                with self._system.open(full, "wb") as target:
                    shutil.copyfileobj(stream, target, 1 << 20)
            except Exception as error:
                raise self._named(error, path) from error

    def _open(self, path: str) -> BinaryIO:
        try:
            return cast("BinaryIO", self._system.open(self._full(path), "rb"))
        except (FileNotFoundError, IsADirectoryError):
            raise
        except FileExistsError:  # what fsspec's memory says of a path below a file
            raise FileNotFoundError(path) from None
        except Exception as error:
            raise self._named(error, path) from error

    def _list(self, path: str) -> list[FileInfo]:
        full = self._full(path)
        try:
            self._system.invalidate_cache()  # others write too
            entries = self._system.ls(full, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            raise self._named(error, path) from error
        found: list[FileInfo] = []
        for entry in entries:
            name = posixpath.basename(str(entry["name"]).rstrip("/"))
            itself = str(entry["name"]).strip("/") == full.strip("/")
            if name and not itself:
                is_dir = entry["type"] == "directory"
                found.append(FileInfo(f"{path}/{name}" if path else name, is_dir, None if is_dir else entry["size"]))
        return found

    def _delete(self, path: str) -> None:
        full = self._full(path)
        try:
            self._system.invalidate_cache()
            if self._system.exists(full):
                self._system.rm(full, recursive=True)
        except Exception as error:
            raise self._named(error, path) from error

    def _named(self, error: Exception, path: str) -> OtflowError:
        if isinstance(error, OtflowError):
            return error
        where = f"{self.uri}/{path}" if path else self.uri
        if isinstance(error, PermissionError):
            return OtflowError(f"no permission for {where}: {error}", "PERMISSION_DENIED")
        if isinstance(error, (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)):
            return InvalidParameterError(f"{where} cannot be written: {error}")
        return StoreUnavailableError(f"{where} cannot be reached: {type(error).__name__}: {error}")
