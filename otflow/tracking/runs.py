"""Runs: the one that is active, and those that were."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, cast, overload

from otflow import config, context
from otflow.client import Client
from otflow.client.frames import runs_frame
from otflow.client.runs import checked_status
from otflow.entities import LifecycleStage, Run, RunInfo, RunTag, ViewType
from otflow.errors import InvalidParameterError, InvalidStateError, StoreUnavailableError
from otflow.semconv import RunKey
from otflow.source_code import source_tags, source_type
from otflow.tracing.search import all_pages

if TYPE_CHECKING:
    import pandas

    from otflow.system_metrics.monitor import SystemMetricsMonitor

__all__ = [
    "ActiveRun",
    "active_or_new",
    "active_run",
    "delete_run",
    "end_run",
    "get_parent_run",
    "get_run",
    "last_active_run",
    "search_runs",
    "start_run",
]

_logger = logging.getLogger("otflow")
_AT_EXIT_S: Final = 5
"""How long the exit of the process may wait for a server that does not answer."""


class ActiveRun(Run):
    """A run as it was when it became active; at the end of a `with` block it ends, and those left open inside of it.

    After an exception its status is FAILED, after Ctrl-C (`KeyboardInterrupt`) KILLED, else FINISHED. `otflow.get_run`
    reads it as it is now.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run.info, run.data, run.inputs, run.outputs)

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scopes = _open_scopes()
        mine = [place for place, scope in enumerate(scopes) if scope.id == self.info.run_id]
        for scope in reversed(scopes[mine[-1] :] if mine else ()):
            try:
                _end(scope, _status_after(exc_type))
            except Exception as error:
                if exc is None:
                    raise
                _logger.warning("The run %s could not be ended: %s", scope.id, error)  # what the caller raised goes on


@dataclass(slots=True)
class RunScope(context.Scope):
    """A run that was made active.

    Attributes:
        run: What `start_run` returned.
        monitor: What records its system metrics.
    """

    run: ActiveRun | None = None
    monitor: SystemMetricsMonitor | None = None


_last: context.Current[tuple[str, str] | None] = context.Current("otflow_last_run", None, by_task=False)
"""The run that was ended last in this thread, and its store."""


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: dict[str, Any] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
) -> ActiveRun:
    """Start a run, or go on with one, and make it the active one: what is logged and traced from here on is its.

    Active runs belong to a thread, and to an asyncio task and what it starts.

    Args:
        run_id: The run to go on with; by default the one that the environment names, the first time. Of the other
            arguments `run_name`, `tags`, `description` and `log_system_metrics` hold for it.
        experiment_id: The experiment of a new run; the active one by default.
        run_name: The name of the run; a random one by default.
        nested: Whether the run is a child of the active one.
        parent_run_id: The run that it is a child of.
        tags: Tags to set.
        description: A description, kept as the tag `mlflow.note.content`.
        log_system_metrics: Whether system metrics are recorded; by default what the setting
            `ENABLE_SYSTEM_METRICS_LOGGING` says.

    Returns:
        The run, which ends at the end of a `with` block.

    Raises:
        InvalidStateError: a run is active and `nested` is not set; the run or its parent is deleted; the run is not in
            the experiment that was set.
        NotFoundError: no such run, parent or experiment.
        InvalidParameterError: an argument is not allowed.
        MissingExtraError: system metrics are asked for and psutil is not installed.

    Example:
        >>> import otflow
        >>> with otflow.start_run(run_name="first") as run:
        ...     otflow.log_metric("score", 0.5)
        >>> otflow.get_run(run.info.run_id).info.status
        'FINISHED'
    """
    scopes = _open_scopes()
    if scopes and not nested:
        raise InvalidStateError(
            f"Run with UUID {scopes[-1].id} is already active. To start a new run, first end the current run with"
            " otflow.end_run(). To start a nested run, call start_run with nested=True"
        )
    first_tags = _first_tags(tags, description)
    monitored = _monitored(log_system_metrics)
    name = None if run_name is None else str(run_name)
    client = Client()
    run_id = run_id or config.RUN_ID.take()
    if run_id:
        run = _go_on(client, run_id, name, first_tags)
    else:
        parent_id = _parent(client, scopes, parent_run_id)
        run = client.create_run(
            str(experiment_id) if experiment_id is not None else context.experiment_id(),
            tags=_new_tags(first_tags, name, parent_id),
            run_name=name,
        )
    active = ActiveRun(run)
    scope = RunScope(run.info.run_id, client.place, experiment_id=run.info.experiment_id, run=active)
    scope.outermost, scope.thread = scopes[0].id if scopes else scope.id, threading.current_thread()
    if monitored:
        from otflow.system_metrics.monitor import start

        scope.monitor = start(scope.id, scope.uri, resumed=bool(run_id))
    context.open_runs[id(scope)] = scope
    context.runs.set((*scopes, scope))
    return active


def _open_scopes() -> list[RunScope]:
    """The runs that are active here, the innermost last."""
    return [cast("RunScope", scope) for scope in context.runs.get() if not scope.ended]


def _first_tags(tags: dict[str, Any] | None, description: str | None) -> dict[str, str]:
    if tags is not None and not isinstance(tags, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"tags must be a dictionary, not {tags!r}")
    found = {str(key): str(value) for key, value in (tags or {}).items()}
    if description:
        if RunKey.NOTE in found:
            raise InvalidParameterError(
                f"Description is already set via the tag {RunKey.NOTE} in tags."
                f" Remove the key {RunKey.NOTE} from the tags or omit the description."
            )
        found[RunKey.NOTE] = description
    return found


def _new_tags(tags: dict[str, str], run_name: str | None, parent_id: str | None) -> dict[str, str]:
    found = {**source_tags(), **tags}
    if parent_id is not None:
        found[RunKey.PARENT] = parent_id
    if run_name:  # goes before the tag that is the same
        found.pop(RunKey.NAME, None)
    return found


def _go_on(client: Client, run_id: str, run_name: str | None, tags: dict[str, str]) -> Run:
    """A run that exists, running again."""
    run = client.get_run(run_id)
    chosen = context.chosen_experiment_id()
    if chosen is not None and chosen != run.info.experiment_id:
        raise InvalidStateError(
            f"Cannot start run with ID {run_id} because active experiment ID does not match environment run ID: it is"
            f" in the experiment {run.info.experiment_id}, and set_experiment() has set {chosen}"
        )
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidStateError(f"Cannot start run with ID {run_id} because it is in the deleted state.")
    if run_name:
        tags = {**tags, RunKey.NAME: run_name}
    if tags:
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()], synchronous=True)
    client.update_run(run_id, status="RUNNING")  # last: what is refused changes nothing
    fields: dict[str, Any] = {**dict(run.info), "status": "RUNNING", "end_time": None}
    run.data.tags.update(tags)
    fields["run_name"] = run.data.tags.get(RunKey.NAME, fields["run_name"])
    return Run(RunInfo(**fields), run.data, run.inputs, run.outputs)


def _parent(client: Client, scopes: list[RunScope], parent_run_id: str | None) -> str | None:
    if not parent_run_id:
        return scopes[-1].id if scopes and scopes[-1].uri == client.place else None
    if client.get_run(parent_run_id).info.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidStateError(
            f"Cannot start run under parent run with ID {parent_run_id} because it is in the deleted state."
        )
    if scopes and scopes[-1].id != parent_run_id:
        raise InvalidStateError(
            f"Current run with UUID {scopes[-1].id} does not match the specified parent_run_id {parent_run_id}. To"
            f" start a new nested run under the parent run with UUID {parent_run_id}, first end the current run with"
            " otflow.end_run()."
        )
    return parent_run_id


def _monitored(log_system_metrics: bool | None) -> bool:
    if log_system_metrics is None and not config.ENABLE_SYSTEM_METRICS_LOGGING.get():
        return False
    from otflow.system_metrics.monitor import wanted

    return wanted(log_system_metrics)


def end_run(status: str = "FINISHED") -> None:
    """End the active run; where none is active nothing happens.

    Args:
        status: `"FINISHED"` (which is the default), `"FAILED"`, `"KILLED"`, or `"SCHEDULED"` where it is to run later.

    Raises:
        InvalidParameterError: no such status; the run stays active.
    """
    status = checked_status(status or "FINISHED")
    scopes = _open_scopes()
    if scopes:
        _end(scopes[-1], status)


def _end(scope: RunScope, status: str) -> None:
    config.RUN_ID.take()  # what comes after the first run is not meant, as in MLflow
    scope.ended = True
    context.open_runs.pop(id(scope), None)
    context.runs.set(tuple(_open_scopes()))
    _last.set((scope.id, scope.uri))
    if scope.monitor is not None:
        scope.monitor.stop()
    Client(scope.uri).set_terminated(scope.id, status)


def _status_after(error: type[BaseException] | None) -> str:
    if error is None:
        return "FINISHED"
    return "KILLED" if issubclass(error, KeyboardInterrupt) else "FAILED"


def _end_all() -> None:
    """End the runs that are active when the process exits; after an exception that nobody has caught they failed."""
    interactive = hasattr(sys, "ps1") or source_type() == "NOTEBOOK"
    status = _status_after(None if interactive else getattr(sys, "last_type", None))
    before = config.HTTP_REQUEST_TIMEOUT.exported()
    config.HTTP_REQUEST_TIMEOUT.export(str(min(_AT_EXIT_S, config.HTTP_REQUEST_TIMEOUT.get() or _AT_EXIT_S)))
    lost: set[str] = set()
    for scope in reversed(cast("list[RunScope]", list(context.open_runs.values()))):
        if scope.uri in lost:
            continue
        try:
            _end(scope, status)
        except Exception as error:
            _logger.warning("The run %s could not be ended: %s", scope.id, error)
            if isinstance(error, StoreUnavailableError):
                lost.add(scope.uri)
    config.HTTP_REQUEST_TIMEOUT.export(before)


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=context.open_runs.clear)  # the parent will end them


def active_run() -> ActiveRun | None:
    """The run that is active in this thread or asyncio task, as it was when it became active; None where none is."""
    scopes = _open_scopes()
    return scopes[-1].run if scopes else None


def active_or_new() -> context.Scope:
    """The run that is active here; where none is, one is started."""
    scopes = _open_scopes()
    if not scopes:
        start_run()
        scopes = _open_scopes()
    return scopes[-1]


def last_active_run() -> Run | None:
    """The run that is active here, else the one that was ended last, as it is now; None where there was none."""
    active = active_run()
    if active is not None:
        return active
    last = _last.get()
    return None if last is None else Client(last[1]).get_run(last[0])


def get_run(run_id: str) -> Run:
    """One run as it is now, deleted ones too; of each metric it has the last point.

    Args:
        run_id: Its id.

    Raises:
        NotFoundError: no such run.
    """
    return Client().get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """The run that a run is a child of; None where it is a child of none.

    Args:
        run_id: The id of the child.

    Raises:
        NotFoundError: no such run.
    """
    return Client().get_parent_run(run_id)


def delete_run(run_id: str) -> None:
    """Mark a run deleted; `Client.restore_run` undoes it.

    Args:
        run_id: Its id.

    Raises:
        NotFoundError: no such run.
    """
    Client().delete_run(run_id)


# -- searching ---------------------------------------------------------------------------------------


@overload
def search_runs(
    experiment_ids: list[str] | None = ...,
    filter_string: str = ...,
    run_view_type: int = ...,
    max_results: int = ...,
    order_by: list[str] | None = ...,
    output_format: Literal["pandas"] = ...,
    search_all_experiments: bool = ...,
    experiment_names: list[str] | None = ...,
) -> pandas.DataFrame: ...
@overload
def search_runs(
    experiment_ids: list[str] | None = ...,
    filter_string: str = ...,
    run_view_type: int = ...,
    max_results: int = ...,
    order_by: list[str] | None = ...,
    *,
    output_format: Literal["list"],
    search_all_experiments: bool = ...,
    experiment_names: list[str] | None = ...,
) -> list[Run]: ...
@overload
def search_runs(
    experiment_ids: list[str] | None = ...,
    filter_string: str = ...,
    run_view_type: int = ...,
    max_results: int = ...,
    order_by: list[str] | None = ...,
    output_format: str = ...,
    search_all_experiments: bool = ...,
    experiment_names: list[str] | None = ...,
) -> list[Run] | pandas.DataFrame: ...
def search_runs(
    experiment_ids: list[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: list[str] | None = None,
    output_format: str = "pandas",
    search_all_experiments: bool = False,
    experiment_names: list[str] | None = None,
) -> list[Run] | pandas.DataFrame:
    """The runs that match a search expression.

    Args:
        experiment_ids: The experiments; the active one by default.
        filter_string: Over `metrics.`, `params.`, `tags.`, `datasets.` and attributes.
        run_view_type: `ViewType.ACTIVE_ONLY`, `DELETED_ONLY` or `ALL`.
        max_results: How many at the most.
        order_by: Order clauses, such as `"metrics.rmse DESC"`; by default the last started first.
        output_format: `"pandas"` for a data frame, with a column for each metric, param and tag; `"list"` for runs.
        search_all_experiments: Whether to search all experiments that are not deleted, where none are given.
        experiment_names: The experiments by name; give either these or ids.

    Raises:
        FilterError: the expression or an order clause is malformed; the message points at the token.
        InvalidParameterError: an argument that is not allowed.
        MissingExtraError: a data frame is asked for and pandas is not installed.
    """
    if output_format not in ("pandas", "list"):
        raise InvalidParameterError(
            f"Unsupported output format: {output_format}. Supported string values are 'pandas' or 'list'"
        )
    if max_results is not None and type(max_results) is not int:  # pyright: ignore[reportUnnecessaryComparison]
        raise InvalidParameterError(f"max_results must be an integer, not {max_results!r}")
    client = Client()
    where = _experiments_to_search(client, experiment_ids, experiment_names, search_all_experiments)
    runs = all_pages(
        lambda size, token: client.search_runs(where, filter_string, run_view_type, size, order_by, token), max_results
    )
    return runs if output_format == "list" else runs_frame(runs)


def _experiments_to_search(
    client: Client, experiment_ids: list[str] | None, names: list[str] | None, everywhere: bool
) -> list[str]:
    if experiment_ids and names:
        raise InvalidParameterError(
            "Only experiment_ids or experiment_names can be used, but not both:"
            f" experiment_ids={experiment_ids!r}, experiment_names={names!r}"
        )
    if experiment_ids:
        return [experiment_ids] if isinstance(experiment_ids, str) else list(experiment_ids)
    if names:
        found: list[str] = []
        for name in [names] if isinstance(names, str) else names:
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                _logger.warning("There is no experiment named %r to search.", name)
            else:
                found.append(experiment.experiment_id)
        return found
    if everywhere:
        return [
            experiment.experiment_id
            for experiment in all_pages(
                lambda size, token: client.search_experiments(max_results=size, page_token=token), None
            )
        ]
    return [context.experiment_id()]
