"""What a source of MLflow's tells of its things, whatever its form.

`fields`, `tags` and the like hold values as our tables hold them: texts without NUL characters, numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from otflow.entities import Span, TraceInfo
from otflow.store.sql.rows import clean

__all__ = [
    "DELETED_VERSION",
    "ModelPoint",
    "Point",
    "Source",
    "SourceDataset",
    "SourceExperiment",
    "SourceModel",
    "SourceRegistered",
    "SourceRun",
    "SourceTrace",
    "SourceVersion",
    "SourceWebhook",
    "SourceWorkspace",
    "Value",
    "Values",
    "text",
    "texts",
]

Value: TypeAlias = "str | int | float | None"
Values: TypeAlias = "dict[str, Value]"

Point: TypeAlias = "tuple[str, str, int, int, float, int]"
"""Run id, key, time, step, value, whether it is NaN."""
ModelPoint: TypeAlias = "tuple[str, str, str, str, int, int, float, int]"
"""Key, name and digest of the dataset, run id, time, step, value, whether it is NaN."""

DELETED_VERSION: Final = "Deleted_Internal"
"""The stage that MLflow gives a version that was deleted."""


def text(value: Any) -> str | None:
    """A text as our tables hold it."""
    return None if value is None else clean(str(value))


def texts(pairs: Mapping[Any, Any]) -> dict[str, str]:
    """Keys and values as our tables hold them; MLflow reads a value that is missing as an empty text."""
    return {clean(str(key)): "" if value is None else clean(str(value)) for key, value in pairs.items()}


@dataclass(slots=True)
class SourceWorkspace:
    """A workspace."""

    name: str
    fields: Values


@dataclass(slots=True)
class SourceExperiment:
    """An experiment; `created` tells it from others with its number."""

    experiment_id: int
    workspace: str
    created: int | None
    fields: Values
    tags: dict[str, str]
    key: str = field(init=False)
    """What it is remembered by: numbers are the same in many databases, times of creation are not."""

    def __post_init__(self) -> None:
        self.key = f"{self.experiment_id}@{self.created or self.fields['artifact_location']}"


@dataclass(slots=True)
class SourceDataset:
    """A dataset that a run uses."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    labels: dict[str, str]


@dataclass(slots=True)
class SourceRun:
    """A run; of its metrics, a mark that changes when there are more points."""

    run_id: str
    experiment_id: int
    fields: Values
    tags: dict[str, str] = field(default_factory=dict[str, str])
    params: dict[str, str] = field(default_factory=dict[str, str])
    datasets: list[SourceDataset] = field(default_factory=list[SourceDataset])
    models: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])
    """Whether it made the model, the model's id, the step."""
    points: int = 0
    """How many points, or something else that grows with them."""


@dataclass(slots=True)
class SourceModel:
    """A logged model."""

    model_id: str
    experiment_id: int
    fields: Values
    tags: dict[str, str] = field(default_factory=dict[str, str])
    params: dict[str, str] = field(default_factory=dict[str, str])
    points: list[ModelPoint] = field(default_factory=list[ModelPoint])


@dataclass(slots=True)
class SourceTrace:
    """A trace with its assessments; of its spans, a mark that changes when they do."""

    info: TraceInfo
    experiment_id: int
    source_id: str
    """Its id in the source, which early MLflow 2 wrote without `tr-`."""
    run_ids: list[str] = field(default_factory=list[str])
    prompts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    mark: str = ""
    size: int = 0
    """Bytes of its spans."""
    broken: bool = False
    """Whether some of its spans could not be read: then the next import tries again."""


@dataclass(slots=True)
class SourceVersion:
    """A version of a registered model."""

    version: int
    fields: Values
    tags: dict[str, str]


@dataclass(slots=True)
class SourceRegistered:
    """A registered model or a prompt, with its versions."""

    workspace: str
    name: str
    created: int | None
    fields: Values
    tags: dict[str, str]
    aliases: dict[str, int]
    versions: list[SourceVersion]

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return f"{self.workspace}/{self.name}@{self.created}"


@dataclass(slots=True)
class SourceWebhook:
    """A webhook; its secret is encrypted with a key that MLflow's server has."""

    webhook_id: str
    workspace: str
    fields: Values
    has_secret: bool


class Source(ABC):
    """A database or a directory of MLflow's, open for reading.

    What cannot be read is told to the report by each method, and left out. Lists are as long as is worth a transaction.
    """

    uri: str

    @abstractmethod
    def workspaces(self) -> Iterator[SourceWorkspace]:
        """All workspaces."""

    @abstractmethod
    def experiments(self) -> Iterator[SourceExperiment]:
        """All experiments, deleted ones too."""

    @abstractmethod
    def runs(self) -> Iterator[list[SourceRun]]:
        """All runs, deleted ones too."""

    @abstractmethod
    def points(self, runs: Sequence[SourceRun]) -> Iterator[list[Point]]:
        """The points of the metrics of runs, in portions."""

    @abstractmethod
    def models(self) -> Iterator[list[SourceModel]]:
        """All logged models, deleted ones too."""

    @abstractmethod
    def traces(self) -> Iterator[list[SourceTrace]]:
        """All traces, without their spans."""

    @abstractmethod
    def spans(self, traces: Sequence[SourceTrace]) -> dict[str, list[Span]]:
        """The spans of traces, by the ids of these."""

    @abstractmethod
    def registered_models(self) -> Iterator[SourceRegistered]:
        """All registered models and prompts."""

    @abstractmethod
    def webhooks(self) -> Iterator[SourceWebhook]:
        """All webhooks that are not deleted."""

    @abstractmethod
    def left_out(self) -> dict[str, int]:
        """What else there is that is not brought over, by what it is, with how many there are."""
