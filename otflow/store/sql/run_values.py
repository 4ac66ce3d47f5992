"""Metrics, params and tags of runs.

A batch is checked and sorted before its transaction begins. Rows are written in the order of their keys, and the
tables always in the same order, so that two transactions never wait for each other in a ring.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, cast

from otflow.entities import (
    Metric,
    Page,
    Param,
    RunTag,
)
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.semconv import RunKey
from otflow.store import run_validation, validation
from otflow.store.sql import keyset, run_links, runs
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import values
from otflow.store.sql.keyset import OrderKey
from otflow.store.sql.rows import clean, clean_id
from otflow.store.sql.statements import in_chunks, insert_rows, select_in, upsert
from otflow.wire.prompt_links import linked_prompts, linked_text, without_link

__all__ = ["INSERT_POINTS", "UPSERT_LATEST", "Batch", "delete_tag", "history"]

INSERT_POINTS: Final = (
    "INSERT INTO run_metrics (run, key, time_ms, step, value, is_nan) VALUES {} ON CONFLICT DO NOTHING"
)
_INSERT_MODEL_POINTS: Final = (
    "INSERT INTO logged_model_metrics"
    " (model_id, key, dataset_name, dataset_digest, run, time_ms, step, value, is_nan) VALUES {} ON CONFLICT DO NOTHING"
)
# The last point: of the largest step, of these the latest, of these the largest (NaN counts as 0), as in MLflow.
UPSERT_LATEST: Final = upsert(
    "latest_metrics",
    ("run", "key", "experiment_id", "time_ms", "step", "value", "is_nan"),
    ("run", "key"),
    " WHERE (excluded.step, excluded.time_ms, excluded.value, excluded.is_nan)"
    " > (latest_metrics.step, latest_metrics.time_ms, latest_metrics.value, latest_metrics.is_nan)",
)
_INSERT_PARAMS: Final = "INSERT INTO run_params (run, key, value) VALUES {} ON CONFLICT DO NOTHING"
_UPSERT_TAGS: Final = upsert("run_tags", ("run", "key", "value"), ("run", "key"))

_Point = tuple[str, int, int, float, int]
"""Key, time, step, value, whether it is NaN: as in the key of `run_metrics`."""
_LARGEST: Final = 2**63 - 1
_PAGE_LIMIT: Final = 1_000_000


class Batch:
    """What one call records, checked before the transaction begins.

    Args:
        metrics: Points of metrics.
        params: Parameters.
        tags: Tags.
        link_models: Whether points link the run and models; see `RunStore.log_batch`.

    Raises:
        InvalidParameterError: something is not allowed.
    """

    def __init__(
        self, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag], link_models: bool
    ) -> None:
        # One thing alone is not spoken of as a member of a list, as MLflow has it.
        self._alone = len(metrics) + len(params) + len(tags) == 1
        self._link_models = link_models
        self._of_models: list[tuple[str, str, str, _Point]] = []
        """Model, name and digest of the dataset, point."""
        self._of_no_model: list[tuple[str, str, _Point]] = []
        points = [self._point(place, metric) for place, metric in enumerate(metrics)]
        self._points = sorted(set(points))
        last: dict[str, _Point] = {}
        for point in self._points:
            known = last.get(point[0])
            if known is None or (point[2], point[1], point[3], point[4]) > (known[2], known[1], known[3], known[4]):
                last[point[0]] = point
        self._last = list(last.values())
        self._params = self._checked_params(params)
        self._tags = self._checked_tags(tags)

    def _path(self, things: str, place: int, member: str) -> str:
        return member if self._alone else f"{things}[{place}].{member}"

    def _point(self, place: int, metric: Metric) -> _Point:
        key, value, time_ms, step = metric.key, metric.value, metric.timestamp, metric.step
        # What is as it should be is not looked at any further: there may be a million of these.
        if not run_validation.is_key(key):
            key = run_validation.check_key(key, self._path("metrics", place, "name"), "Metric name")
        if type(value) is not float or value - value != 0:  # what is not finite, too
            value = run_validation.check_metric_value(value, self._path("metrics", place, "value"))
        if type(time_ms) is not int or not 0 <= time_ms <= _LARGEST:
            what = f"metric '{key}' (value={value})"
            time_ms = run_validation.check_timestamp(time_ms, self._path("metrics", place, "timestamp"), what)
        if type(step) is not int or not -_LARGEST <= step <= _LARGEST:
            what = f"metric '{key}' (value={value})"
            step = run_validation.check_step(step, self._path("metrics", place, "step"), what)
        is_nan = value != value
        point = (key, time_ms, step, 0.0 if is_nan else value, int(is_nan))
        name, digest, model_id = metric.dataset_name, metric.dataset_digest, metric.model_id
        if (name is None) != (digest is None):
            raise InvalidParameterError("Both dataset_name and dataset_digest must be provided if one is provided")
        if model_id is not None:
            self._of_models.append((clean_id(model_id), clean(name or ""), clean(digest or ""), point))
        elif self._link_models:
            self._of_no_model.append((clean(name or ""), clean(digest or ""), point))
        return point

    def _checked_params(self, params: Sequence[Param]) -> list[tuple[str, str]]:
        checked: dict[str, str] = {}
        twice: set[str] = set()
        for place, param in enumerate(params):
            key = run_validation.check_key(param.key, self._path("params", place, "key"), "Param key")
            if key in checked:
                twice.add(key)
            checked[key] = clean(run_validation.check_param_value(param.value))
        if twice:
            raise InvalidParameterError(
                f"Duplicate parameter keys have been submitted: {sorted(twice)}. Please ensure the request contains"
                " only one param value per param key."
            )
        return sorted(checked.items())

    def _checked_tags(self, tags: Sequence[RunTag]) -> list[tuple[str, str]]:
        checked: dict[str, str] = {}
        for place, tag in enumerate(tags):
            path = self._path("tags", place, "key")
            key = run_validation.check_key(tag.key, path, path)
            checked[key] = clean(run_validation.check_tag_value(tag.value, self._path("tags", place, "value")))
        if not checked.get(RunKey.NAME, "-"):
            del checked[RunKey.NAME]  # no name is no new name, as in MLflow
        return sorted(checked.items())

    def write(self, session: Session, run_id: str) -> None:
        """Record all of it."""
        name = next((value for key, value in self._tags if key == RunKey.NAME), None)
        run = runs.active(session, run_id, lock=name is not None)
        if self._points:
            self._write_points(session, run)
        if self._params:
            self._write_params(session, run.number, run_id)
        if name is not None:
            session.run("UPDATE runs SET name = ? WHERE number = ?", (name, run.number))
        insert_rows(session, _UPSERT_TAGS, [(run.number, key, value) for key, value in self._tags])

    def _write_points(self, session: Session, run: runs.Found) -> None:
        number, experiment = run
        insert_rows(session, INSERT_POINTS, [(number, *point) for point in self._points])
        insert_rows(
            session,
            UPSERT_LATEST,
            [(number, key, experiment, time_ms, step, value, nan) for key, time_ms, step, value, nan in self._last],
        )
        rows = {(model, point[0], name, digest, number, *point[1:]) for model, name, digest, point in self._of_models}
        if rows:
            named = {row[0] for row in rows}
            self._check_models(session, named)
            if self._link_models:
                run_links.use_models(session, number, named)
        if self._of_no_model:
            models = session.all(
                "SELECT r.model_id FROM run_models r JOIN logged_models m ON m.model_id = r.model_id"
                " WHERE r.run = ? AND r.made = 1",
                (number,),
            )
            rows |= {
                (model, point[0], name, digest, number, *point[1:])
                for (model,) in models
                for name, digest, point in self._of_no_model
            }
        insert_rows(session, _INSERT_MODEL_POINTS, sorted(rows))

    @staticmethod
    def _check_models(session: Session, wanted: set[str]) -> None:
        there = select_in(session, "SELECT model_id FROM logged_models WHERE model_id IN {}", sorted(wanted))
        missing = sorted(wanted.difference(row[0] for row in there))
        if missing:
            raise NotFoundError(f"Logged model with ID '{missing[0]}' not found.")

    def _write_params(self, session: Session, number: int, run_id: str) -> None:
        there: dict[str, str] = {}
        for chunk in in_chunks(self._params, 3):
            rows = [(number, key, value) for key, value in chunk]
            statement = _INSERT_PARAMS.format(values(3, len(rows)))
            if session.run(statement, list(chain.from_iterable(rows))) < len(rows):
                there.update(
                    select_in(
                        session,
                        "SELECT key, value FROM run_params WHERE run = ? AND key IN {}",
                        [key for key, _ in chunk],
                        (number,),
                    )
                )
        changed = [
            {"key": key, "old_value": there[key], "new_value": value}
            for key, value in self._params
            if there.get(key, value) != value
        ]
        if changed and self._alone:
            raise InvalidParameterError(
                f"Changing param values is not allowed. Param with key='{changed[0]['key']}' was already logged with"
                f" value='{changed[0]['old_value']}' for run ID='{run_id}'. Attempted logging new value"
                f" '{changed[0]['new_value']}'."
            )
        if changed:
            raise InvalidParameterError(
                f"Changing param values is not allowed. Params were already logged='{changed}' for run ID='{run_id}'."
            )


def delete_tag(session: Session, run_id: str, key: str) -> None:
    """Delete one tag of an active run."""
    run = runs.active(session, run_id)
    key = clean_id(key)
    if session.run("DELETE FROM run_tags WHERE run = ? AND key = ?", (run.number, key)) == 0:
        raise NotFoundError(f"No tag with name: {key} in run with id {run_id}")


def link_prompts(session: Session, run_id: str, prompts: Sequence[tuple[str, str]]) -> None:
    """Link prompt versions to an active run."""
    run = runs.active(session, run_id, lock=True)
    there = _linked(session, run.number)
    linked = dict.fromkeys([*there, *((clean_id(name), clean_id(version)) for name, version in prompts)])
    if len(linked) > len(there):
        insert_rows(session, _UPSERT_TAGS, [(run.number, RunKey.LINKED_PROMPTS, linked_text(linked))])


def unlink_prompt(session: Session, run_id: str, prompt: tuple[str, str]) -> None:
    """Undo `link_prompts` for one."""
    run = runs.active(session, run_id, lock=True)
    linked = _linked(session, run.number)
    insert_rows(
        session, _UPSERT_TAGS, [(run.number, RunKey.LINKED_PROMPTS, linked_text(without_link(linked, prompt, run_id)))]
    )


def _linked(session: Session, run: int) -> list[tuple[str, str]]:
    row = session.one("SELECT value FROM run_tags WHERE run = ? AND key = ?", (run, RunKey.LINKED_PROMPTS))
    return linked_prompts(row[0] if row is not None else None)


_HISTORY: Final = tuple(OrderKey(column) for column in ("time_ms", "step", "value", "is_nan"))


def history(session: Session, run_id: str, key: str, max_results: int | None, page_token: str | None) -> Page[Metric]:
    """The points of a metric; see `RunStore.get_metric_history`."""
    limit = None if max_results is None else validation.check_max_results(max_results, _PAGE_LIMIT)
    last = keyset.read_token("metric-history", _HISTORY, page_token) if page_token else None
    row = session.one("SELECT number FROM runs WHERE run_id = ?", (clean_id(run_id),))
    if row is None:
        return Page([], None)
    key = clean_id(key)
    # Not `keyset.after`: as one comparison of rows, a page starts where the last one ended even where all points
    # have the same time.
    after = "" if last is None else " AND (time_ms, step, value, is_nan) > (?, ?, ?, ?)"
    statement = (
        f"SELECT time_ms, step, value, is_nan FROM run_metrics WHERE run = ? AND key = ?{after} ORDER BY 1, 2, 3, 4"
    )
    parameters: list[Any] = [row[0], key, *(last or ())]
    if limit is None:
        rows = session.all(statement, parameters)
        return Page([_metric(key, row) for row in rows], None)
    rows = session.all(f"{statement} LIMIT ?", [*parameters, limit + 1])
    token = keyset.write_token("metric-history", _HISTORY, rows[limit - 1]) if len(rows) > limit else None
    return Page([_metric(key, row) for row in rows[:limit]], token)


def _metric(key: str, row: Row) -> Metric:
    time_ms, step, value, is_nan = cast("tuple[int, int, float, int]", row)
    return Metric(key, math.nan if is_nan else value, time_ms, step)
