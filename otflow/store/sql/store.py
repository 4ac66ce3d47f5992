"""`SqlStore`: the whole store over one SQL database. Each method is one transaction.

What a method is given the id of is looked for in the workspace of the store first: see `otflow.store.sql.scope`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from otflow.entities import (
    Assessment,
    DatasetInput,
    Experiment,
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
    Span,
    Trace,
    TraceInfo,
    ViewType,
    Workspace,
    WorkspaceDeletionMode,
)
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store import validation
from otflow.store.interface import Store, TraceWrite
from otflow.store.sql import (
    assessments,
    contents,
    experiments,
    interrupted,
    migrations,
    model_search,
    models,
    run_links,
    run_search,
    run_values,
    runs,
    traces,
    workspaces,
)
from otflow.store.sql.connection import Database, Session
from otflow.store.sql.registry.part import RegistryPart
from otflow.store.sql.registry.store import SqlRegistry
from otflow.store.sql.registry.webhook_store import SqlWebhooks
from otflow.store.sql.rows import clean_id
from otflow.store.sql.scope import Kind
from otflow.store.sql.scoped import Scoped
from otflow.store.sql.statements import select_in
from otflow.store.sql.writing import Batch
from otflow.store.workspace_names import check_deletion_mode
from otflow.store.workspaces import DEFAULT_WORKSPACE
from otflow.wire.conventions import read

__all__ = ["SqlStore"]


class SqlStore(Scoped, SqlRegistry, SqlWebhooks, Store):
    """One workspace of a database, SQLite or PostgreSQL.

    Args:
        database: The database; its schema is made where there is none.
        artifact_root: Where experiments keep artifacts that name no place of their own.

    Raises:
        SchemaVersionError: The database is of another version.
    """

    def __init__(self, database: Database, artifact_root: str) -> None:
        self._bind(database, artifact_root, DEFAULT_WORKSPACE, self)
        try:
            migrations.prepare(database, f"{artifact_root}/0")
        except BaseException:
            database.close()
            raise

    def _bind(self, database: Database, artifact_root: str, workspace: str, origin: RegistryPart) -> None:
        Scoped.__init__(self, database, workspace)
        self._origin = origin
        self._artifact_root = artifact_root
        self._reader = traces.Reader(database, self._locations)
        self._known: dict[int, str] = {}
        """Artifact locations of experiments, which never change, by number."""

    # -- writing ---------------------------------------------------------------------------------

    def write_traces(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> None:
        numbers = {an_id: experiments.experiment_number(an_id) for an_id in {write.experiment_id for write in traces}}
        self._write_batch(
            Batch([(write, numbers[write.experiment_id]) for write in traces], spans, home=None), numbers.values()
        )

    def write_spans(self, experiment_id: str, spans: Sequence[Span]) -> None:
        number = experiments.experiment_number(experiment_id)
        self._write_batch(Batch([], [read(span) for span in spans], home=number), [number])

    def _write_batch(self, batch: Batch, numbers: Iterable[int]) -> None:
        wanted = list(numbers)
        if batch.parts:
            self._write(
                lambda session: self._scope.hold(session, wanted),
                lambda session: batch.write(session, self._scope),
            )
        else:
            with self._database.read() as session:
                self._scope.hold(session, wanted)

    def settle_interrupted(self) -> int:
        return interrupted.settle(self._database)

    def delete_traces(
        self,
        experiment_id: str,
        *,
        max_timestamp_ms: int | None = None,
        max_traces: int | None = None,
        trace_ids: Sequence[str] | None = None,
    ) -> int:
        validation.check_trace_deletion(max_timestamp_ms, max_traces, trace_ids)
        number = experiments.experiment_number(experiment_id)
        return self._delete(
            lambda session: self._scope.require(session, Kind.EXPERIMENT, [number]),
            lambda session: traces.delete(session, number, max_timestamp_ms, max_traces, trace_ids),
        )

    def collect_garbage(self) -> int:
        return self._database.write(contents.collect)

    # -- reading ---------------------------------------------------------------------------------

    def get_trace(self, trace_id: str) -> Trace:
        found = self.get_traces([trace_id])
        if not found:
            raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
        return found[0]

    def get_trace_info(self, trace_id: str) -> TraceInfo:
        with self._snapshot(Kind.TRACE, clean_id(trace_id)) as session:
            return traces.get_info(session, clean_id(trace_id), self._locations)

    def get_traces(self, trace_ids: Sequence[str]) -> list[Trace]:
        with self._snapshot() as session:
            own = self._scope.within(session, Kind.TRACE, [clean_id(an_id) for an_id in trace_ids])
            return traces.get(session, [str(an_id) for an_id in own], self._reader)

    def iter_spans(self, trace_id: str, *, page_size: int = 1000) -> Iterator[Span]:
        if page_size < 1:
            raise InvalidParameterError(f"page_size must be a positive integer, not {page_size}")
        with self._read(Kind.TRACE, clean_id(trace_id)):
            return traces.iter_spans(self._database, clean_id(trace_id), page_size)

    def read_attachment(self, sha256: str) -> bytes:
        with self._snapshot() as session:
            found = contents.read_attachment(session, clean_id(sha256), self._workspace)
        if found is None:
            raise NotFoundError(f"the store at {self.uri} has no attachment with the hash {sha256!r}")
        return found

    def search_traces(
        self,
        experiment_ids: Sequence[str],
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
        include_spans: bool = True,
    ) -> Page[Trace]:
        with self._snapshot() as session:
            return traces.search(
                session,
                self._own_experiments(session, experiment_ids),
                self._reader,
                filter_string=filter_string,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
                include_spans=include_spans,
            )

    # -- annotating ------------------------------------------------------------------------------

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        self._write_to_trace(trace_id, lambda session: traces.set_tag(session, clean_id(trace_id), key, value))

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        self._write_to_trace(trace_id, lambda session: traces.delete_tag(session, clean_id(trace_id), key))

    def link_traces_to_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        self._write(
            lambda session: self._require_link(session, trace_ids, run_id),
            lambda session: traces.link_run(session, trace_ids, run_id),
        )

    def unlink_traces_from_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        self._write(
            lambda session: self._require_link(session, trace_ids, run_id),
            lambda session: traces.unlink_run(session, trace_ids, run_id),
        )

    def link_prompts_to_trace(self, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        self._write_to_trace(trace_id, lambda session: traces.link_prompts(session, clean_id(trace_id), prompts))

    def create_assessment(self, assessment: Assessment) -> Assessment:
        return self._write_to_trace(
            assessment.trace_id,
            lambda session: assessments.create_assessment(session, assessment),
        )

    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        with self._read(Kind.TRACE, clean_id(trace_id)) as session:
            return assessments.get_assessment(session, clean_id(trace_id), clean_id(assessment_id))

    def update_assessment(self, trace_id: str, assessment_id: str, changes: Mapping[str, object]) -> Assessment:
        return self._write_to_trace(
            trace_id,
            lambda session: assessments.update_assessment(
                session, clean_id(trace_id), clean_id(assessment_id), changes
            ),
        )

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        self._write_to_trace(
            trace_id,
            lambda session: assessments.delete_assessment(session, clean_id(trace_id), clean_id(assessment_id)),
        )

    # -- experiments -----------------------------------------------------------------------------

    def create_experiment(
        self, name: str, *, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        return self._database.write(  # a name is looked up together with the workspace
            lambda session: experiments.create(
                session, self._workspace, name, artifact_location, tags, self._artifact_root
            )
        )

    def get_experiment(self, experiment_id: str) -> Experiment:
        with self._read(Kind.EXPERIMENT, experiments.experiment_number(experiment_id)) as session:
            return experiments.get(session, experiment_id)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        with self._database.read() as session:
            return experiments.get_by_name(session, self._workspace, name)

    def search_experiments(
        self,
        *,
        view_type: int = ViewType.ACTIVE_ONLY,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 1000,
        page_token: str | None = None,
    ) -> Page[Experiment]:
        with self._snapshot() as session:
            return experiments.search(
                session, self._workspace, view_type, filter_string, order_by, max_results, page_token
            )

    def delete_experiment(self, experiment_id: str) -> None:
        self._write_to_experiment(experiment_id, lambda session: experiments.delete(session, experiment_id))

    def restore_experiment(self, experiment_id: str) -> None:
        self._write_to_experiment(experiment_id, lambda session: experiments.restore(session, experiment_id))

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        self._write_to_experiment(experiment_id, lambda session: experiments.rename(session, experiment_id, new_name))

    def set_experiment_tags(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        self._write_to_experiment(experiment_id, lambda session: experiments.set_tags(session, experiment_id, tags))

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        self._write_to_experiment(experiment_id, lambda session: experiments.delete_tag(session, experiment_id, key))

    # -- runs ------------------------------------------------------------------------------------

    def create_run(
        self,
        experiment_id: str,
        *,
        user_id: str = "",
        start_time_ms: int | None = None,
        tags: Mapping[str, str] | None = None,
        run_name: str | None = None,
    ) -> Run:
        draft = runs.draft(user_id, start_time_ms, tags, run_name)
        return self._write_to_experiment(experiment_id, lambda session: runs.create(session, experiment_id, draft))

    def get_run(self, run_id: str) -> Run:
        with self._snapshot(Kind.RUN, clean_id(run_id)) as session:
            return runs.get(session, run_id)

    def update_run(
        self, run_id: str, *, status: str | None = None, end_time_ms: int | None = None, name: str | None = None
    ) -> RunInfo:
        return self._write_to_run(run_id, lambda session: runs.update(session, run_id, status, end_time_ms, name))

    def delete_run(self, run_id: str) -> None:
        self._write_to_run(run_id, lambda session: runs.delete(session, run_id))

    def restore_run(self, run_id: str) -> None:
        self._write_to_run(run_id, lambda session: runs.restore(session, run_id))

    def log_batch(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        link_models: bool = False,
    ) -> None:
        batch = run_values.Batch(metrics, params, tags, link_models)
        self._write(
            lambda session: self._require_run(session, run_id, [metric.model_id for metric in metrics]),
            lambda session: batch.write(session, run_id),
        )

    def delete_run_tag(self, run_id: str, key: str) -> None:
        self._write_to_run(run_id, lambda session: run_values.delete_tag(session, run_id, key))

    def link_prompts_to_run(self, run_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        self._write_to_run(run_id, lambda session: run_values.link_prompts(session, run_id, prompts))

    def unlink_prompt_from_run(self, run_id: str, prompt: tuple[str, str]) -> None:
        self._write_to_run(run_id, lambda session: run_values.unlink_prompt(session, run_id, prompt))

    def get_metric_history(
        self, run_id: str, key: str, *, max_results: int | None = None, page_token: str | None = None
    ) -> Page[Metric]:
        with self._snapshot() as session:
            if not self._scope.within(session, Kind.RUN, [clean_id(run_id)]):
                run_id = ""  # of what is not there, there is none
            return run_values.history(session, run_id, key, max_results, page_token)

    def log_inputs(
        self, run_id: str, *, datasets: Sequence[DatasetInput] = (), models: Sequence[LoggedModelInput] = ()
    ) -> None:
        inputs = run_links.Inputs(datasets, models)
        self._write(
            lambda session: self._require_run(session, run_id, [model.model_id for model in models]),
            lambda session: inputs.write(session, run_id),
        )

    def log_outputs(self, run_id: str, models: Sequence[LoggedModelOutput]) -> None:
        outputs = run_links.Outputs(models)
        self._write(
            lambda session: self._require_run(session, run_id, [model.model_id for model in models]),
            lambda session: outputs.write(session, run_id),
        )

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
        with self._snapshot() as session:
            return run_search.search(
                session,
                self._own_experiments(session, experiment_ids),
                filter_string=filter_string,
                view_type=view_type,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
            )

    # -- logged models -----------------------------------------------------------------------------

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
        draft = models.draft(name, source_run_id, tags, params, model_type, status)
        return self._write_to_experiment(experiment_id, lambda session: models.create(session, experiment_id, draft))

    def get_logged_model(self, model_id: str) -> LoggedModel:
        with self._snapshot(Kind.MODEL, clean_id(model_id)) as session:
            return models.get(session, model_id)

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        return self._write_to_model(model_id, lambda session: models.finalize(session, model_id, status))

    def delete_logged_model(self, model_id: str) -> None:
        self._write_to_model(model_id, lambda session: models.delete(session, model_id))

    def set_logged_model_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        self._write_to_model(model_id, lambda session: models.set_tags(session, model_id, tags))

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        self._write_to_model(model_id, lambda session: models.delete_tag(session, model_id, key))

    def link_prompts_to_logged_model(self, model_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        self._write_to_model(model_id, lambda session: models.link_prompts(session, model_id, prompts))

    def log_logged_model_params(self, model_id: str, params: Mapping[str, str]) -> None:
        self._write_to_model(model_id, lambda session: models.log_params(session, model_id, params))

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
        with self._snapshot() as session:
            return model_search.search(
                session,
                self._own_experiments(session, experiment_ids),
                filter_string=filter_string,
                datasets=datasets,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
            )

    # -- workspaces --------------------------------------------------------------------------------

    @property
    def workspace(self) -> str:
        return self._workspace

    def in_workspace(self, name: str) -> SqlStore:
        other = SqlStore.__new__(SqlStore)
        other._bind(self._database, self._artifact_root, name, self._origin)
        return other

    def create_workspace(
        self, name: str, *, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        return self._database.write(
            lambda session: workspaces.create(session, name, description, default_artifact_root)
        )

    def get_workspace(self, name: str) -> Workspace:
        with self._database.read() as session:
            return workspaces.get(session, name)

    def list_workspaces(self) -> list[Workspace]:
        with self._database.read() as session:
            return workspaces.listed(session)

    def update_workspace(
        self, name: str, *, description: str | None = None, default_artifact_root: str | None = None
    ) -> Workspace:
        return self._database.write(
            lambda session: workspaces.update(session, name, description, default_artifact_root)
        )

    def delete_workspace(self, name: str, mode: WorkspaceDeletionMode = WorkspaceDeletionMode.RESTRICT) -> None:
        checked = check_deletion_mode(mode)
        self._delete(lambda _: None, lambda session: workspaces.delete(session, name, checked))

    # -- life and death ----------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        return self._database.uri

    def close(self) -> None:
        self._close_deliverer()
        self._database.close()

    def before_fork(self) -> None:
        self._database.before_fork()

    def after_fork_in_parent(self) -> None:
        self._database.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        self._database.after_fork_in_child()
        self._bind(self._database, self._artifact_root, self._workspace, self._origin)
        if self._database.in_memory:
            migrations.prepare(self._database, f"{self._artifact_root}/0")

    # -- inside ------------------------------------------------------------------------------------

    def _locations(self, session: Session, numbers: Sequence[int]) -> Mapping[int, str]:
        unknown = sorted({number for number in numbers if number not in self._known})
        if unknown:
            self._known.update(
                select_in(
                    session,
                    "SELECT experiment_id, artifact_location FROM experiments WHERE experiment_id IN {}",
                    unknown,
                )
            )
        return self._known
