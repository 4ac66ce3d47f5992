"""The kinds of sources, in one place."""

from __future__ import annotations

from otflow.data.artifact_dataset_sources import (
    AzureBlobArtifactDatasetSource,
    AzureDataLakeArtifactDatasetSource,
    FTPArtifactDatasetSource,
    GCSArtifactDatasetSource,
    HdfsArtifactDatasetSource,
    LocalArtifactDatasetSource,
    R2ArtifactDatasetSource,
    S3ArtifactDatasetSource,
    SFTPArtifactDatasetSource,
)
from otflow.data.code_dataset_source import CodeDatasetSource
from otflow.data.delta_dataset_source import DeltaDatasetSource
from otflow.data.http_dataset_source import HTTPDatasetSource
from otflow.data.huggingface_dataset_source import HuggingFaceDatasetSource
from otflow.data.spark_dataset_source import SparkDatasetSource
from otflow.data.uc_volume_dataset_source import UCVolumeDatasetSource

__all__ = [
    "AzureBlobArtifactDatasetSource",
    "AzureDataLakeArtifactDatasetSource",
    "CodeDatasetSource",
    "DeltaDatasetSource",
    "FTPArtifactDatasetSource",
    "GCSArtifactDatasetSource",
    "HTTPDatasetSource",
    "HdfsArtifactDatasetSource",
    "HuggingFaceDatasetSource",
    "LocalArtifactDatasetSource",
    "R2ArtifactDatasetSource",
    "S3ArtifactDatasetSource",
    "SFTPArtifactDatasetSource",
    "SparkDatasetSource",
    "UCVolumeDatasetSource",
]
