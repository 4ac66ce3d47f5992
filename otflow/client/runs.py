"""Runs: what they are given, what they measure, what they use and make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from otflow import clock, config, context
from otflow.client.async_logging import LogBatch, RunOperations, log_queue
from otflow.client.connected import Connected, string_values
from otflow.entities import (
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Page,
    Param,
    Run,
    RunStatus,
    RunTag,
    ViewType,
)
from otflow.errors import InvalidParameterError
from otflow.semconv import RunKey

__all__ = ["RunClient", "checked_status"]

_STATUSES: Final = [RunStatus.to_string(number) for number in RunStatus.all_status()]


class RunClient(Connected):
    """Runs."""

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: dict[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Create a run; unlike `otflow.start_run` it does not become active.

        Args:
            experiment_id: The experiment.
            start_time: Unix time in milliseconds; now by default.
            tags: Its first tags; `mlflow.user` says who started it, `mlflow.parentRunId` below which run.
            run_name: Its name; a random one by default.

        Raises:
            NotFoundError: no such experiment.
            InvalidParameterError: the experiment is deleted, or an argument is not allowed.
        """
        first = string_values(tags)
        return self._store().create_run(
            experiment_id,
            user_id=first.get(RunKey.USER, "unknown"),
            start_time_ms=start_time,
            tags=first,
            run_name=run_name,
        )

    def get_run(self, run_id: str) -> Run:
        """One run, deleted ones too. Raises NotFoundError."""
        return self._store().get_run(run_id)

    def get_parent_run(self, run_id: str) -> Run | None:
        """The run that a run is nested in; None where it is in none. Raises NotFoundError."""
        parent_id = self.get_run(run_id).data.tags.get(RunKey.PARENT)
        return None if parent_id is None else self.get_run(parent_id)

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run.

        Args:
            run_id: The run.
            status: `"FINISHED"` (which is the default), `"FAILED"` or `"KILLED"`.
            end_time: Unix time in milliseconds; now by default.

        Raises:
            NotFoundError: no such run.
            InvalidParameterError: no such status, or the run is deleted.
        """
        self._store().update_run(
            run_id,
            status=checked_status(status or "FINISHED"),
            end_time_ms=end_time if end_time is not None else clock.now_ms(),
        )

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change the status or the name of a run; None leaves it.

        Raises:
            NotFoundError: no such run.
            InvalidParameterError: no such status, or the run is deleted.
        """
        self._store().update_run(run_id, status=None if status is None else checked_status(status), name=name)

    def delete_run(self, run_id: str) -> None:
        """Mark a run deleted; `restore_run` undoes it. Raises NotFoundError."""
        self._store().delete_run(run_id)

    def restore_run(self, run_id: str) -> None:
        """Undo `delete_run`. Raises NotFoundError."""
        self._store().restore_run(run_id)

    # -- values ----------------------------------------------------------------------------------

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
        synchronous: bool | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        model_id: str | None = None,
    ) -> RunOperations | None:
        """Record one point of a metric; see `otflow.log_metric`.

        Args:
            run_id: The run.
            key: The name of the metric.
            value: The value.
            timestamp: Unix time in milliseconds; now by default.
            step: The step; 0 by default.
            synchronous: Whether to wait until it is stored.
            dataset_name: The name of the dataset that it was measured on.
            dataset_digest: The digest of that dataset.
            model_id: The logged model that it is about; the active one by default, if it is in the same store.
        """
        point = Metric(
            key,
            value,
            timestamp if timestamp is not None else clock.now_ms(),
            step if step is not None else 0,
            model_id if model_id is not None else context.active_model_id(self.place),
            dataset_name,
            dataset_digest,
            run_id,
        )
        return self.log(run_id, LogBatch([point]), synchronous)

    def log_param(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> Any:
        """Record a parameter; see `otflow.log_param`.

        Returns:
            The value; with `synchronous=False`, what can be waited for.
        """
        operations = self.log(run_id, LogBatch(params=[Param(key, str(value))]), synchronous)
        return value if operations is None else operations

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> RunOperations | None:
        """Set a tag; see `otflow.set_tag`."""
        return self.log(run_id, LogBatch(tags=[RunTag(key, str(value))]), synchronous)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> RunOperations | None:
        """Record metrics, params and tags, however many: all of them or none.

        Args:
            run_id: The run.
            metrics: Points of metrics.
            params: Parameters.
            tags: Tags.
            synchronous: Whether to wait until they are stored.

        Raises:
            NotFoundError: no such run, or no such model.
            InvalidParameterError: something is not allowed; nothing is recorded then.
        """
        return self.log(run_id, LogBatch(metrics, params, tags), synchronous)

    def log(
        self, run_id: str, batch: LogBatch, synchronous: bool | None = None, *, link_models: bool = False
    ) -> RunOperations | None:
        """Record a batch; see `RunStore.log_batch`.

        Args:
            run_id: The run.
            batch: What is to be recorded.
            synchronous: Whether to wait until it is stored; by default what the setting `ENABLE_ASYNC_LOGGING` says.
            link_models: Whether metrics link the run and logged models, as the fluent functions do.
        """
        if synchronous is None:
            synchronous = not config.ENABLE_ASYNC_LOGGING.get()
        if not synchronous:
            return RunOperations([log_queue.put(self.place, run_id, batch, link_models=link_models)])
        self._store().log_batch(
            run_id, metrics=batch.metrics, params=batch.params, tags=batch.tags, link_models=link_models
        )
        return None

    def delete_tag(self, run_id: str, key: str) -> None:
        """Delete a tag of a run. Raises NotFoundError."""
        self._store().delete_run_tag(run_id, key)

    def get_metric_history(self, run_id: str, key: str) -> Page[Metric]:
        """All points of a metric of a run, by time; none where there is no such metric."""
        return self._store().get_metric_history(run_id, key)

    def iter_metric_history(self, run_id: str, key: str, page_size: int = 25_000) -> Iterator[Metric]:
        """The points of a metric of a run, by time; however many they are, a page is in memory.

        Args:
            run_id: The run.
            key: The name of the metric.
            page_size: How many points are read at once.
        """
        token: str | None = None
        while True:
            page = self._store().get_metric_history(run_id, key, max_results=page_size, page_token=token)
            yield from page
            token = page.token
            if token is None:
                return

    # -- inputs and outputs ----------------------------------------------------------------------

    def log_inputs(
        self,
        run_id: str,
        datasets: Sequence[DatasetInput] | None = None,
        models: Sequence[LoggedModelInput] | None = None,
    ) -> None:
        """Record the datasets and the logged models that a run uses. Raises NotFoundError, InvalidParameterError."""
        self._store().log_inputs(run_id, datasets=datasets or (), models=models or ())

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """Record the logged models that a run makes. Raises NotFoundError, InvalidParameterError."""
        self._store().log_outputs(run_id, models)

    # -- searching -------------------------------------------------------------------------------

    def search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Page[Run]:
        """One page of the runs that match; see `otflow.search_runs`.

        Raises:
            FilterError: the expression is malformed; the message points at the token.
            InvalidParameterError: an argument that is not allowed.
        """
        return self._store().search_runs(
            [experiment_ids] if isinstance(experiment_ids, str) else experiment_ids,
            filter_string=filter_string,
            view_type=run_view_type,
            order_by=order_by,
            max_results=max_results,
            page_token=page_token,
        )


def checked_status(status: object) -> str:
    """The status, if a run may have it.

    Raises:
        InvalidParameterError: it may not.
    """
    if status not in _STATUSES:
        raise InvalidParameterError(
            f"Could not get run status corresponding to string {status}. Valid run status strings: {_STATUSES}"
        )
    return str(status)
