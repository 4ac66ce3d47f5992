"""The kinds of sources that are files: one for each place that artifacts can live in too."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast
from urllib.parse import urlsplit, urlunsplit

from otflow.data.filesystem_dataset_source import FileSystemDatasetSource
from otflow.errors import InvalidParameterError, MissingFileError
from otflow.files.opening import local_path, open_repository

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "ARTIFACT_SOURCES",
    "ArtifactDatasetSource",
    "AzureBlobArtifactDatasetSource",
    "AzureDataLakeArtifactDatasetSource",
    "FTPArtifactDatasetSource",
    "GCSArtifactDatasetSource",
    "HdfsArtifactDatasetSource",
    "LocalArtifactDatasetSource",
    "R2ArtifactDatasetSource",
    "S3ArtifactDatasetSource",
    "SFTPArtifactDatasetSource",
    "ViewfsArtifactDatasetSource",
]


class ArtifactDatasetSource(FileSystemDatasetSource):
    """A file or a directory, at a URI of one scheme.

    Args:
        uri: The URI.
    """

    scheme: ClassVar[str]

    def __init__(self, uri: str) -> None:
        self._uri = str(uri)

    @property
    def uri(self) -> str:
        """The path or URI."""
        return self._uri

    @classmethod
    def _get_source_type(cls) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return cls.scheme

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (_as_text(raw_source) or "").lower().startswith(f"{cls.scheme}://")

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        return cls(_as_text(raw_source) or "")

    def load(self, dst_path: str | None = None) -> str:
        """Download it.

        Args:
            dst_path: The local directory; by default a new one.

        Returns:
            The local path.

        Raises:
            NotFoundError: there is nothing.
            MissingExtraError: a package for such places is not installed.
        """
        parts = urlsplit(self._uri)
        directory, _, name = parts.path.rstrip("/").rpartition("/")
        if not name:
            raise InvalidParameterError(f"{self._uri!r} names no file and no directory")
        root = urlunsplit((parts.scheme, parts.netloc, directory or "/", "", ""))
        target = dst_path or tempfile.mkdtemp(prefix="otflow-data-")
        return open_repository(root).download_artifacts(name, target)

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described.

        Raises:
            InvalidParameterError: there is no `uri`.
        """
        return cls(_given(cls, source_dict, "uri"))


def _as_text(raw_source: object) -> str | None:
    """A path or URI as text; None where it is something else."""
    if isinstance(raw_source, os.PathLike):
        raw_source = os.fspath(cast("os.PathLike[str]", raw_source))
    return raw_source if isinstance(raw_source, str) else None


def _given(cls: type, source_dict: Mapping[Any, Any], key: str) -> str:
    value = source_dict.get(key)
    if value is None:
        raise InvalidParameterError(f'Failed to parse {cls.__name__}. Missing expected key: "{key}"')
    return value


class LocalArtifactDatasetSource(ArtifactDatasetSource):
    """A local file or directory.

    Args:
        uri: A path or a `file:` URI.
    """

    scheme = "local"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        text = _as_text(raw_source)
        return text is not None and local_path(text) is not None

    def load(self, dst_path: str | None = None) -> str:
        """The path; a copy where a directory is given.

        Args:
            dst_path: A directory to copy it into.

        Raises:
            MissingFileError: there is nothing.
        """
        path = os.path.abspath(local_path(self._uri) or self._uri)
        if not os.path.exists(path):
            raise MissingFileError(f"No such file or directory: '{path}'")
        if dst_path is None:
            return path
        target = os.path.join(os.path.abspath(dst_path), os.path.basename(path))
        if target != path:
            os.makedirs(dst_path, exist_ok=True)
            if os.path.isdir(path):
                shutil.copytree(path, target, dirs_exist_ok=True)
            else:
                shutil.copy2(path, target)
        return target


class S3ArtifactDatasetSource(ArtifactDatasetSource):
    """Amazon S3, or what speaks its protocol."""

    scheme = "s3"


class R2ArtifactDatasetSource(ArtifactDatasetSource):
    """Cloudflare R2."""

    scheme = "r2"


class GCSArtifactDatasetSource(ArtifactDatasetSource):
    """Google Cloud Storage."""

    scheme = "gs"


class AzureBlobArtifactDatasetSource(ArtifactDatasetSource):
    """Azure Blob Storage."""

    scheme = "wasbs"


class AzureDataLakeArtifactDatasetSource(ArtifactDatasetSource):
    """Azure Data Lake Storage."""

    scheme = "abfss"


class FTPArtifactDatasetSource(ArtifactDatasetSource):
    """An FTP server."""

    scheme = "ftp"


class SFTPArtifactDatasetSource(ArtifactDatasetSource):
    """An SFTP server."""

    scheme = "sftp"


class HdfsArtifactDatasetSource(ArtifactDatasetSource):
    """HDFS."""

    scheme = "hdfs"


class ViewfsArtifactDatasetSource(HdfsArtifactDatasetSource):
    """HDFS, through a view."""

    scheme = "viewfs"


ARTIFACT_SOURCES: Final[tuple[type[ArtifactDatasetSource], ...]] = (
    LocalArtifactDatasetSource,
    S3ArtifactDatasetSource,
    R2ArtifactDatasetSource,
    GCSArtifactDatasetSource,
    AzureBlobArtifactDatasetSource,
    FTPArtifactDatasetSource,
    SFTPArtifactDatasetSource,
    HdfsArtifactDatasetSource,
    ViewfsArtifactDatasetSource,
    AzureDataLakeArtifactDatasetSource,
)
