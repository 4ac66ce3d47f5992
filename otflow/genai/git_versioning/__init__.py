"""Versions of an application by git: the logged model that stands for the state of the working tree is active."""

from __future__ import annotations

import logging
from types import TracebackType

from otflow.client import Client
from otflow.genai.git_versioning.git_info import GitInfo, GitOperationError
from otflow.tracking.active_model import ActiveModel, clear_active_model
from otflow.tracking.models import default_experiment, initialize_logged_model

__all__ = ["GitContext", "GitInfo", "GitOperationError", "disable_git_model_versioning", "enable_git_model_versioning"]

_logger = logging.getLogger("otflow")


class GitContext:
    """The state of the working tree as it was found, and the logged model that stands for it, which is active.

    As a context manager it ends what it has begun: the model that was active before is active again.

    Args:
        remote_name: The remote whose URL is the repository's.

    Attributes:
        info: What git says; None where it says nothing.
        active_model: The model; None where there is none.
    """

    def __init__(self, remote_name: str = "origin") -> None:
        self.info: GitInfo | None = None
        self.active_model: ActiveModel | None = None
        try:
            self.info = GitInfo.from_env(remote_name)
        except GitOperationError as error:
            _logger.warning("%s. Git model versioning is disabled.", error)
            return
        self.active_model = _activate(self.info)

    def __enter__(self) -> GitContext:
        if self.active_model is not None:
            self.active_model.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.active_model is not None:
            self.active_model.__exit__(exc_type, exc, traceback)


def _activate(info: GitInfo) -> ActiveModel:
    """The newest model of that state, with the state's tags as they are now, or a new one; active."""
    tags = info.to_mlflow_tags()
    client = Client()
    experiment = default_experiment()
    found = client.search_logged_models([experiment], info.to_search_filter_string(), max_results=1)
    if not found:
        return ActiveModel(initialize_logged_model(tags=tags, experiment_id=experiment))
    model = found[0]
    changed = {key: text for key, text in tags.items() if model.tags.get(key) != text}
    if changed:
        client.set_logged_model_tags(model.model_id, changed)
        model = client.get_logged_model(model.model_id)
    return ActiveModel(model)


def enable_git_model_versioning(remote_name: str = "origin") -> GitContext:
    """Make the logged model active that stands for the state of the git repository around the working directory.

    One model stands for one branch, commit and URL of the repository, and for whether tracked files are changed; it is
    made where the experiment has none yet, and taken again where it has. Traces and metrics from here on are linked to
    it, until the end of a `with` block or until `disable_git_model_versioning`. Its tags `mlflow.source.git.branch`,
    `.commit`, `.repoURL`, `.dirty` and `.diff` say which state that is; the diff is the one found last. Files that git
    does not track do not count.

    Outside of a repository, without any commit or branch, and without git, a warning says so and no model is active.

    Args:
        remote_name: The remote whose URL is the repository's. User names and passwords in it are left out.

    Returns:
        What was found, as `info`, and the model, as `active_model`; a context manager.

    Example:
        >>> import otflow
        >>> with otflow.genai.enable_git_model_versioning() as context:  # doctest: +SKIP
        ...     print(context.info.branch, context.active_model.model_id)
    """
    return GitContext(remote_name)


def disable_git_model_versioning() -> None:
    """Make no logged model the active one here."""
    clear_active_model()
