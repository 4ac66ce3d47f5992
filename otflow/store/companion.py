"""The contract of a store for the companion: runs and logged models. What holds of every method is said in `interface`.

**Numbers.** The value of a metric is a float: NaN stays NaN, an infinity becomes the largest or the smallest float (as
in MLflow's SQL stores). Times are Unix times in milliseconds.
**Words.** Keys of metrics, params and tags are texts of up to 250 characters: letters, digits, `_`, `-`, `.`, space,
`:` and `/`, that mean no other path when read as one. Values of params have up to 6,000 characters, those of tags up to
8,000. What is not allowed raises `InvalidParameterError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from otflow.entities import (
    DatasetInput,
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Page,
    Param,
    Run,
    RunInfo,
    RunTag,
    ViewType,
)

__all__ = ["LoggedModelStore", "RunStore"]


class RunStore(ABC):
    """Runs: one execution each, with what it was given, what it measured and what it made."""

    @abstractmethod
    def create_run(
        self,
        experiment_id: str,
        *,
        user_id: str = "",
        start_time_ms: int | None = None,
        tags: Mapping[str, str] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Create a run in an active experiment; it is RUNNING.

        Args:
            experiment_id: The experiment.
            user_id: Who starts it; by default the tag `mlflow.user`, else `unknown`.
            start_time_ms: When it began; now by default.
            tags: Its first tags. The tag `mlflow.runName` and `run_name` are one thing.
            run_name: Its name; a random one by default.

        Raises:
            NotFoundError: no such experiment.
            InvalidParameterError: the experiment is deleted; the tag `mlflow.runName` and `run_name` differ.
        """

    @abstractmethod
    def get_run(self, run_id: str) -> Run:
        """One run, deleted ones too. Raises NotFoundError."""

    @abstractmethod
    def update_run(
        self, run_id: str, *, status: str | None = None, end_time_ms: int | None = None, name: str | None = None
    ) -> RunInfo:
        """Change an active run; None leaves what it is.

        A run that is RUNNING or SCHEDULED again has no end time, unless one is given.

        Raises:
            NotFoundError: no such run.
            InvalidParameterError: the run is deleted, or `status` is no status.
        """

    @abstractmethod
    def delete_run(self, run_id: str) -> None:
        """Mark a run deleted. Raises NotFoundError."""

    @abstractmethod
    def restore_run(self, run_id: str) -> None:
        """Undo `delete_run`. Raises NotFoundError."""

    @abstractmethod
    def log_batch(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        link_models: bool = False,
    ) -> None:
        """Record metrics, params and tags of an active run, however many: all of them or none.

        A metric's `model_id` makes it a metric of that logged model too, with its dataset. A point that is there
        already, equal in all, is not kept twice. A param that is there may be logged again with the same value.

        Args:
            run_id: The run.
            metrics: Points of metrics, in any order.
            params: Parameters.
            tags: Tags.
            link_models: Whether metrics link the run and logged models, as the fluent functions do: those that name no
                model become metrics of all models that the run made; a model that one names, and that the run did not
                make, is one that it used.

        Raises:
            NotFoundError: no such run, or no such model.
            InvalidParameterError: the run is deleted, a param would change, or something is not allowed.
        """

    @abstractmethod
    def delete_run_tag(self, run_id: str, key: str) -> None:
        """Delete one tag of an active run. Raises NotFoundError where it is not there."""

    @abstractmethod
    def link_prompts_to_run(self, run_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Link prompt versions, as (name, version) pairs, to an active run, in its tag `mlflow.linkedPrompts`.

        Linking again changes nothing. Raises NotFoundError; InvalidParameterError for a deleted run.
        """

    @abstractmethod
    def unlink_prompt_from_run(self, run_id: str, prompt: tuple[str, str]) -> None:
        """Undo `link_prompts_to_run` for one. Raises NotFoundError; InvalidParameterError where it is not linked."""

    @abstractmethod
    def get_metric_history(
        self, run_id: str, key: str, *, max_results: int | None = None, page_token: str | None = None
    ) -> Page[Metric]:
        """The points of a metric, by time, then step, then value; all of them, or one page.

        Of a run that is not there, and of a metric that was never logged, there are none, as in MLflow.
        """

    @abstractmethod
    def log_inputs(
        self, run_id: str, *, datasets: Sequence[DatasetInput] = (), models: Sequence[LoggedModelInput] = ()
    ) -> None:
        """Record what an active run uses; what it is known to use already is kept as it is.

        Raises:
            NotFoundError: no such run.
            InvalidParameterError: the run is deleted, or something is not allowed.
        """

    @abstractmethod
    def log_outputs(self, run_id: str, models: Sequence[LoggedModelOutput]) -> None:
        """Record what an active run makes; see `log_inputs`."""

    @abstractmethod
    def search_runs(
        self,
        experiment_ids: Sequence[str],
        *,
        filter_string: str | None = None,
        view_type: int = ViewType.ACTIVE_ONLY,
        order_by: Sequence[str] | None = None,
        max_results: int = 1000,
        page_token: str | None = None,
    ) -> Page[Run]:
        """One page of the runs that match, by default the last started first, then by id.

        What has no value, and NaN, comes last in either direction of an order: numbers, NaN, what is missing.

        Raises:
            FilterError: the filter or an order clause is malformed.
            InvalidParameterError: `max_results` (1 to 50,000) or `page_token` is not allowed.
        """


class LoggedModelStore(ABC):
    """Logged models: versions of a model, an application or an agent, with what was measured of them.

    Names have up to 500 characters, without `/ : . % " '`. Tags and params have keys of up to 250 characters, whichever
    they are, and values of any length.
    """

    @abstractmethod
    def create_logged_model(
        self,
        experiment_id: str,
        *,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        model_type: str | None = None,
        status: LoggedModelStatus = LoggedModelStatus.PENDING,
    ) -> LoggedModel:
        """Create a logged model in an active experiment.

        Args:
            experiment_id: The experiment.
            name: Its name, a random one by default; several models may have it.
            source_run_id: The run that it comes from.
            tags: Its first tags.
            params: Its first parameters.
            model_type: What kind of model it is.
            status: Its state.

        Raises:
            NotFoundError: no such experiment.
            InvalidParameterError: the experiment is deleted, or something is not allowed.
        """

    @abstractmethod
    def get_logged_model(self, model_id: str) -> LoggedModel:
        """One logged model. Raises NotFoundError, also for a deleted one."""

    @abstractmethod
    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        """Set the state of a logged model. Raises NotFoundError."""

    @abstractmethod
    def delete_logged_model(self, model_id: str) -> None:
        """Delete a logged model, if it is not deleted already. Raises NotFoundError."""

    @abstractmethod
    def set_logged_model_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a logged model, all of them or none. Raises NotFoundError."""

    @abstractmethod
    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Delete one tag of a logged model. Raises NotFoundError where it is not there."""

    @abstractmethod
    def link_prompts_to_logged_model(self, model_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Link prompt versions, as (name, version) pairs, to a logged model, in its tag `mlflow.linkedPrompts`.

        Linking again changes nothing. Raises NotFoundError.
        """

    @abstractmethod
    def log_logged_model_params(self, model_id: str, params: Mapping[str, str]) -> None:
        """Set parameters of a logged model, all of them or none; one that is there may not change.

        Raises:
            NotFoundError: no such model.
            InvalidParameterError: a parameter would change, or is not allowed.
        """

    @abstractmethod
    def search_logged_models(
        self,
        experiment_ids: Sequence[str],
        *,
        filter_string: str | None = None,
        datasets: Sequence[Mapping[str, Any]] | None = None,
        order_by: Sequence[Mapping[str, Any]] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
    ) -> Page[LoggedModel]:
        """One page of the logged models that match, by default the last created first.

        Args:
            experiment_ids: The experiments.
            filter_string: Over attributes, `metrics.`, `params.` and `tags.`.
            datasets: Members `dataset_name` and perhaps `dataset_digest`: conditions on metrics mean
                these only, and without any a model must have a metric on one of them.
            order_by: Members `field_name`, and perhaps `ascending`, `dataset_name`, `dataset_digest`.
            max_results: How many at the most.
            page_token: The token of the page before.

        Raises:
            FilterError: the filter is malformed.
            InvalidParameterError: another argument is not allowed.
        """
