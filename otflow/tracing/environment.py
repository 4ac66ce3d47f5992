"""What is true of the whole process and goes into the metadata of each of its traces."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from otflow.semconv import TRACE_SCHEMA_VERSION, Metadata
from otflow.source_code import git_state, source_name, source_type, user

__all__ = ["process_metadata"]


@functools.cache
def process_metadata() -> Mapping[str, str]:
    """The metadata that says who and what made a trace: user, program, git state. Found out once."""
    commit, branch, url = git_state()
    return MappingProxyType(
        {
            Metadata.OS_USER: user(),
            Metadata.SOURCE_NAME: source_name(),
            Metadata.SOURCE_TYPE: source_type(),
            Metadata.GIT_COMMIT: commit,
            Metadata.GIT_REPO_URL: url,
            Metadata.GIT_BRANCH: branch,
            Metadata.SCHEMA_VERSION: TRACE_SCHEMA_VERSION,
        }
    )
