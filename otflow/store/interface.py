"""The contract of a store: what every implementation does, not only how it is called.

**Threads.** Every method may be called from any thread, several at a time.
**Processes.** Several processes may use one store at once. Around `os.fork` the three methods named after it are
called; connections of the parent are neither used nor closed in the child.
**Transactions.** Each method is one transaction: it happens whole or not at all.
**Errors.** Only `OtflowError` and its subclasses leave a store: `NotFoundError` for an id that is not
there, `InvalidParameterError` for an argument that is not allowed, `AlreadyExistsError` for a name that
is taken, `StoreUnavailableError` where trying again later may succeed (locked, disk full, no network).
A message names the offending value; it never holds SQL, a stack trace or a password.
**Times** are Unix times: names in `_ms` in milliseconds, names in `_ns` in nanoseconds.

`otflow.testing.StoreContract` is this contract as a test suite; every store passes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from otflow.entities import Assessment, Experiment, Page, Span, Trace, TraceInfo, TraceState, ViewType
from otflow.errors import NotFoundError
from otflow.store.companion import LoggedModelStore, RunStore
from otflow.store.registry import RegistryStore
from otflow.store.workspaces import WorkspaceStore

__all__ = [
    "ExperimentStore",
    "LoggedModelStore",
    "RegistryStore",
    "RunStore",
    "Store",
    "TraceStore",
    "TraceWrite",
    "WorkspaceStore",
]


@dataclass(slots=True)
class TraceWrite:
    """What one process says of one trace beside its spans. Written again, it merges.

    Merging is field by field, and commutes as far as the fields allow: the earliest `request_time_ns`
    wins; a finished state (OK, ERROR) wins over IN_PROGRESS, and so do its duration and previews;
    `None` never replaces a value; tags and metadata merge key by key, a tag whose value is `None`
    is deleted.
    """

    trace_id: str
    experiment_id: str
    request_time_ns: int
    state: TraceState = TraceState.IN_PROGRESS
    execution_duration_ms: int | None = None
    tags: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    assessments: Sequence[Assessment] = ()


class TraceStore(ABC):
    """Traces, their spans, tags and assessments."""

    # -- writing ---------------------------------------------------------------------------------

    @abstractmethod
    def write_traces(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> None:
        """Write traces and spans in one transaction; idempotent and order-free.

        A span's key is (trace id, span id): written again, the row with an end time wins over the one
        without, else the later written. Spans may come before, with, after or without the `TraceWrite`
        of their trace; a span whose trace the store does not know and that no `TraceWrite` names
        raises `InvalidParameterError` (use `write_spans`, which says where such traces belong).
        The trace's aggregates (`mlflow.trace.tokenUsage`, `mlflow.trace.cost`, `mlflow.trace.sizeStats`,
        `mlflow.trace.sizeBytes`) are kept true as spans arrive.

        Raises:
            NotFoundError: an experiment does not exist.
        """

    @abstractmethod
    def write_spans(self, experiment_id: str, spans: Sequence[Span]) -> None:
        """Write spans alone: late, repeated, foreign and cross-process ones come through this door.

        Traces that the store does not know yet are made from their spans, in `experiment_id`: time,
        duration, name, state and previews are those of the root span once it has come, until then
        the state is IN_PROGRESS and the time that of the earliest span. What foreign spans say in other
        conventions is stored as `otflow.wire.conventions.read` adds it; session and user become metadata.
        """

    @abstractmethod
    def delete_traces(
        self,
        experiment_id: str,
        *,
        max_timestamp_ms: int | None = None,
        max_traces: int | None = None,
        trace_ids: Sequence[str] | None = None,
    ) -> int:
        """Delete traces with all that hangs on them; oldest first where `max_traces` limits.

        Either `max_timestamp_ms` (deletes traces with `request_time` ≤ it) or `trace_ids`; unknown ids
        are skipped. Returns how many traces were deleted.
        """

    def collect_garbage(self) -> int:
        """Delete what no trace needs any more of what traces share; how many rows.

        `delete_traces` does it for the traces that it deletes: this is for what an interrupted move left behind.
        """
        return 0

    # -- reading ---------------------------------------------------------------------------------

    @abstractmethod
    def get_trace(self, trace_id: str) -> Trace:
        """One trace; its spans ordered by start time, the root first. Raises NotFoundError.

        The spans of a trace with very many of them, and values that are very long, may be read from the store when
        they are asked for; what was deleted meanwhile raises NotFoundError then.
        """

    def read_attachment(self, sha256: str) -> bytes:
        """The content of an attachment, by its hash. Raises NotFoundError."""
        raise NotFoundError(f"the store at {self.uri} keeps no attachments apart from spans; none is {sha256!r}")

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where this store is, without any password: fit for messages and logs."""

    @abstractmethod
    def get_trace_info(self, trace_id: str) -> TraceInfo:
        """One trace without its spans. Raises NotFoundError."""

    @abstractmethod
    def get_traces(self, trace_ids: Sequence[str]) -> list[Trace]:
        """Traces by id, in the order asked; unknown ids are left out."""

    @abstractmethod
    def iter_spans(self, trace_id: str, *, page_size: int = 1000) -> Iterator[Span]:
        """The spans of one trace in bounded memory, ordered by start time. Raises NotFoundError."""

    @abstractmethod
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
        """One page of the traces that match, by default newest first: to the nanosecond, then by id.

        Pages are by keyset: a token stays valid while rows come and go, and the last page costs what
        the first costs. `max_results` is 1 to 50,000. Traces of
        experiments that do not exist are simply none.

        Raises:
            FilterError: the filter or an order clause is malformed; the message points at the token.
            InvalidParameterError: `max_results` or `page_token` is not allowed.
        """

    def settle_interrupted(self) -> int:
        """Say of open traces whose process has ended that they were interrupted; how many these were.

        The state of such a trace reads ERROR, the tag `otflow.interrupted` is set, and its open spans have the status
        ERROR. What that process writes later all the same (it was frozen, say) puts it right again. A store that
        leaves this to its server, or cannot tell, does nothing.
        """
        return 0

    # -- annotating ------------------------------------------------------------------------------

    @abstractmethod
    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        """Set one tag. Raises NotFoundError for an unknown trace."""

    @abstractmethod
    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        """Delete one tag. Raises NotFoundError where the trace or the tag is not there."""

    @abstractmethod
    def link_traces_to_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        """Link traces to a run, besides the run they were made under; linking again changes nothing."""

    @abstractmethod
    def unlink_traces_from_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        """Undo `link_traces_to_run`; links that are not there are skipped."""

    @abstractmethod
    def link_prompts_to_trace(self, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Link prompt versions, as (name, version) pairs, to a trace. Raises NotFoundError."""

    @abstractmethod
    def create_assessment(self, assessment: Assessment) -> Assessment:
        """Keep a new assessment on its trace; returns it with id, times and overrides settled.

        With `overrides` set, that assessment becomes `valid=False`; NotFoundError where it is absent.
        """

    @abstractmethod
    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        """One assessment. Raises NotFoundError."""

    @abstractmethod
    def update_assessment(self, trace_id: str, assessment_id: str, changes: Mapping[str, object]) -> Assessment:
        """Change fields of an assessment: `name`, `expectation`, `feedback`, `rationale`, `metadata`.

        Raises NotFoundError; InvalidParameterError where a feedback would become an expectation or the
        other way round.
        """

    @abstractmethod
    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        """Delete an assessment; one that it overrode becomes valid again. Deleting twice is no error."""


class ExperimentStore(ABC):
    """Experiments: the places that traces and runs live in. The experiment `"0"`, `Default`, always exists."""

    @abstractmethod
    def create_experiment(
        self, name: str, *, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Create an experiment and return its id. Raises AlreadyExistsError, also for a deleted one."""

    @abstractmethod
    def get_experiment(self, experiment_id: str) -> Experiment:
        """One experiment, deleted ones too. Raises NotFoundError."""

    @abstractmethod
    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """One experiment by its exact name, deleted ones too."""

    @abstractmethod
    def search_experiments(
        self,
        *,
        view_type: int = ViewType.ACTIVE_ONLY,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 1000,
        page_token: str | None = None,
    ) -> Page[Experiment]:
        """One page of the experiments that match, by default the last updated first."""

    @abstractmethod
    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment deleted. Raises NotFoundError where no active one has this id."""

    @abstractmethod
    def restore_experiment(self, experiment_id: str) -> None:
        """Undo `delete_experiment`. Raises NotFoundError where no deleted one has this id."""

    @abstractmethod
    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Rename an active experiment. Raises AlreadyExistsError, NotFoundError."""

    @abstractmethod
    def set_experiment_tags(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an active experiment, all of them or none."""

    @abstractmethod
    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Delete one tag of an active experiment. Raises NotFoundError where it is not there."""


class Store(TraceStore, ExperimentStore, RunStore, LoggedModelStore, RegistryStore, WorkspaceStore):
    """A whole store, as one of its workspaces. Opened by `otflow.store.opening.open_store`, closed by `close`."""

    @abstractmethod
    def close(self) -> None:
        """Close connections; the store must not be used afterwards. Closing twice is no error."""

    def before_fork(self) -> None:
        """Come to rest: no transaction of this process runs until `after_fork_in_parent`."""

    def after_fork_in_parent(self) -> None:
        """Go on after `before_fork`."""

    @abstractmethod
    def after_fork_in_child(self) -> None:
        """Forget what belongs to the parent (connections, locks) without closing it."""
