"""What runs use and make: datasets and logged models.

A dataset is known in its experiment by name and digest: who names it again means the one that is there. What a run is
known to use or make already is kept as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Final

from otflow.entities import (
    Dataset,
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
)
from otflow.errors import InvalidParameterError
from otflow.semconv import RunKey
from otflow.store import run_validation
from otflow.store.sql import runs
from otflow.store.sql.connection import Session
from otflow.store.sql.rows import clean, json_object
from otflow.store.sql.statements import in_chunks, insert_rows, select_in

__all__ = ["Inputs", "Outputs", "use_models"]

_INSERT_DATASETS: Final = (
    "INSERT INTO datasets (experiment_id, name, digest, source_type, source, schema, profile) VALUES {}"
    " ON CONFLICT DO NOTHING"
)
_INSERT_USES: Final = (
    "INSERT INTO run_datasets (run, dataset, context, tags, position) VALUES {} ON CONFLICT DO NOTHING"
)
_INSERT_MODELS: Final = "INSERT INTO run_models (run, made, model_id, step, position) VALUES {} ON CONFLICT DO NOTHING"

_Name = tuple[str, str]
"""Name and digest of a dataset."""


class Inputs:
    """What one call says that a run uses, checked before the transaction begins.

    Args:
        datasets: The datasets; of those with the same name and digest, the first.
        models: The logged models.

    Raises:
        InvalidParameterError: something is not allowed.
    """

    def __init__(self, datasets: Sequence[DatasetInput], models: Sequence[LoggedModelInput]) -> None:
        self._datasets: dict[_Name, tuple[Dataset, dict[str, str]]] = {}
        for one in datasets:
            dataset = run_validation.check_dataset(one.dataset)
            labels = dict(run_validation.check_label(tag) for tag in one.tags)
            self._datasets.setdefault((clean(dataset.name), clean(dataset.digest)), (dataset, labels))
        self._models = [(_model_id(model.model_id), 0) for model in models]

    def write(self, session: Session, run_id: str) -> None:
        """Record all of it."""
        run = runs.active(session, run_id)
        if self._datasets:
            numbers = self._write_datasets(session, run.experiment)
            first = _next_position(session, "run_datasets", run.number)
            rows = [
                (run.number, numbers[name], _context(labels), json_object(dict(sorted(labels.items()))), first + place)
                for place, (name, (_, labels)) in enumerate(self._datasets.items())
            ]
            insert_rows(session, _INSERT_USES, sorted(rows, key=lambda row: row[1]))
        _write_models(session, run.number, 0, self._models)

    def _write_datasets(self, session: Session, experiment: int) -> dict[_Name, int]:
        """Make sure that the datasets are there; their numbers."""
        numbers = self._numbers(session, experiment, list(self._datasets))
        missing = sorted(name for name in self._datasets if name not in numbers)
        if missing:
            rows: list[tuple[object, ...]] = []
            for name in missing:
                dataset, _ = self._datasets[name]
                texts = (dataset.source_type, dataset.source, dataset.schema, dataset.profile)
                rows.append((experiment, *name, *(None if text is None else clean(text) for text in texts)))
            insert_rows(session, _INSERT_DATASETS, rows)
            numbers.update(self._numbers(session, experiment, missing))
        return numbers

    @staticmethod
    def _numbers(session: Session, experiment: int, names: Sequence[_Name]) -> dict[_Name, int]:
        found: dict[_Name, int] = {}
        # 500: SQLite's expressions are at the most a thousand operators deep.
        for chunk in in_chunks(names, 6):
            # Not `IN (VALUES …)`: SQLite would read the whole table for it.
            choices = " OR ".join(["experiment_id = ? AND name = ? AND digest = ?"] * len(chunk))
            parameters = list(chain.from_iterable((experiment, *name) for name in chunk))
            for name, digest, number in session.all(
                f"SELECT name, digest, number FROM datasets WHERE {choices}", parameters
            ):
                found[name, digest] = number
        return found


class Outputs:
    """What one call says that a run made, checked before the transaction begins.

    Args:
        models: The logged models.

    Raises:
        InvalidParameterError: something is not allowed.
    """

    def __init__(self, models: Sequence[LoggedModelOutput]) -> None:
        self._models: list[tuple[str, int]] = []
        for place, model in enumerate(models):
            path = f"models[{place}].step"
            step = run_validation.check_step(model.step or 0, path, f"model '{model.model_id}'")
            self._models.append((_model_id(model.model_id), step))

    def write(self, session: Session, run_id: str) -> None:
        """Record all of it."""
        _write_models(session, runs.active(session, run_id).number, 1, self._models)


def use_models(session: Session, run: int, models: Collection[str]) -> None:
    """Record that a run uses these models, but for those that it made."""
    known = {
        row[0]
        for row in select_in(
            session, "SELECT model_id FROM run_models WHERE run = ? AND model_id IN {}", sorted(models), (run,)
        )
    }
    _write_models(session, run, 0, [(model_id, 0) for model_id in sorted(models) if model_id not in known])


def _model_id(model_id: object) -> str:
    if not isinstance(model_id, str) or not model_id:
        raise InvalidParameterError(f"the id of a logged model is a string that is not empty, not {model_id!r}")
    return clean(model_id)


def _context(labels: dict[str, str]) -> str | None:
    context = labels.get(RunKey.DATASET_CONTEXT)
    return None if context is None else clean(context)


def _write_models(session: Session, run: int, made: int, models: Sequence[tuple[str, int]]) -> None:
    if not models:
        return
    position = _next_position(session, "run_models", run)
    # Of a model that is named twice the first counts: the order of keys keeps that of equal ones.
    first = {model_id: (step, position + place) for place, (model_id, step) in reversed(list(enumerate(models)))}
    insert_rows(session, _INSERT_MODELS, [(run, made, model_id, *first[model_id]) for model_id in sorted(first)])


def _next_position(session: Session, table: str, run: int) -> int:
    row = session.one(f"SELECT MAX(position) FROM {table} WHERE run = ?", (run,))
    return 0 if row is None or row[0] is None else row[0] + 1
