"""Runs behind an HTTP server.

What one call of `log_batch` records is sent in as many requests as the server's limits ask for: all checks that can be
made here are made first; should the server refuse a param that would change, it has metrics and tags of neither this
nor later requests, for params are sent first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from otflow import clock
from otflow.entities import (
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Page,
    Param,
    Run,
    RunInfo,
    RunTag,
    ViewType,
)
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.search.fields import RUN_FIELDS
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.semconv import RunKey
from otflow.store import run_validation, validation
from otflow.store.companion import RunStore
from otflow.store.remote.client import HttpClient
from otflow.wire import endpoints
from otflow.wire.prompt_links import linked_prompts, linked_text, without_link
from otflow.wire.runs import (
    dataset_input_to_json,
    metric_from_json,
    metric_to_json,
    model_output_to_json,
    pairs_to_json,
    run_from_json,
    run_info_from_json,
)
from otflow.wire.scalars import member, members

__all__ = ["RemoteRuns"]

_AT_ONCE: Final = 1000
"""Metrics, params and tags in one request, all together: MLflow's limit."""
_PAIRS_AT_ONCE: Final = 100
"""Params or tags in one request."""
_HISTORY_PAGE: Final = 25_000
_MAX_RESULTS: Final = 50_000
_VIEWS: Final = {ViewType.ACTIVE_ONLY: "ACTIVE_ONLY", ViewType.DELETED_ONLY: "DELETED_ONLY", ViewType.ALL: "ALL"}
_STATUSES: Final = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


class RemoteRuns(RunStore):
    """The part of the remote store that has to do with runs."""

    _http: HttpClient

    def create_run(
        self,
        experiment_id: str,
        *,
        user_id: str = "",
        start_time_ms: int | None = None,
        tags: Mapping[str, str] | None = None,
        run_name: str | None = None,
    ) -> Run:
        first = {str(key): str(value) for key, value in (tags or {}).items()}
        tagged = first.get(RunKey.NAME)
        if run_name and tagged and run_name != tagged:
            raise InvalidParameterError(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
                f" (run_name='{run_name}', mlflow.runName='{tagged}')."
            )
        body: dict[str, Any] = {
            "experiment_id": str(experiment_id),
            "user_id": user_id or first.get(RunKey.USER) or "unknown",
            "run_name": run_name or None,
            "start_time": start_time_ms or clock.now_ms(),
            "tags": pairs_to_json(first),
        }
        answer = self._http.call(endpoints.CREATE_RUN, body=_given(body))
        return run_from_json(member(answer, "run", "run"))

    def get_run(self, run_id: str) -> Run:
        answer = self._http.call(endpoints.GET_RUN, query=_named(run_id))
        return run_from_json(member(answer, "run", "run"))

    def update_run(
        self, run_id: str, *, status: str | None = None, end_time_ms: int | None = None, name: str | None = None
    ) -> RunInfo:
        if status is not None and status not in _STATUSES:
            raise InvalidParameterError(f"{status!r} is no status of a run; there are {', '.join(_STATUSES)}")
        body = {**_named(run_id), "status": status, "end_time": end_time_ms, "run_name": name or None}
        answer = self._http.call(endpoints.UPDATE_RUN, body=_given(body))
        return run_info_from_json(member(answer, "run_info", "run"))

    def delete_run(self, run_id: str) -> None:
        self._http.call(endpoints.DELETE_RUN, body={"run_id": str(run_id)})

    def restore_run(self, run_id: str) -> None:
        self._http.call(endpoints.RESTORE_RUN, body={"run_id": str(run_id)})

    # -- values ----------------------------------------------------------------------------------

    def log_batch(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        link_models: bool = False,
    ) -> None:
        points = [_checked_metric(metric) for metric in metrics]
        pairs = _checked_params(params)
        labels = [
            RunTag(run_validation.check_key(tag.key, "key", "key"), run_validation.check_tag_value(tag.value, "value"))
            for tag in tags
        ]
        if link_models and points:
            points = self._linked(run_id, points)
        bodies = [{"params": pairs_to_json(some)} for some in _portions(pairs, _PAIRS_AT_ONCE)]
        bodies += [{"tags": pairs_to_json(some)} for some in _portions(labels, _PAIRS_AT_ONCE)]
        bodies += [{"metrics": [metric_to_json(metric) for metric in some]} for some in _portions(points, _AT_ONCE)]
        if sum(len(some) for some in (points, pairs, labels)) <= _AT_ONCE and max(len(pairs), len(labels)) <= 100:
            bodies = [{key: value for body in bodies for key, value in body.items()}]
        for body in bodies:
            self._http.call(endpoints.LOG_BATCH, body={"run_id": str(run_id), **body})

    def _linked(self, run_id: str, points: Sequence[Metric]) -> list[Metric]:
        """The points, and the run told of the models that they name."""
        run = self.get_run(run_id)
        made = [one.model_id for one in run.outputs.model_outputs]
        known = {*made, *(one.model_id for one in run.inputs.model_inputs)}
        unknown = sorted({point.model_id for point in points if point.model_id} - known)
        if unknown:
            self.log_inputs(run_id, models=[LoggedModelInput(model_id) for model_id in unknown])
        found: list[Metric] = []
        for point in points:
            if point.model_id is not None or not made:
                found.append(point)
            else:
                found += [Metric(**cast("Any", {**dict(point), "model_id": model_id})) for model_id in made]
        return found

    def delete_run_tag(self, run_id: str, key: str) -> None:
        self._http.call(endpoints.DELETE_RUN_TAG, body={"run_id": str(run_id), "key": str(key)})

    def link_prompts_to_run(self, run_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        there = linked_prompts(self.get_run(run_id).data.tags.get(RunKey.LINKED_PROMPTS))
        linked = dict.fromkeys([*there, *prompts])
        if len(linked) > len(there):
            self.log_batch(run_id, tags=[RunTag(RunKey.LINKED_PROMPTS, linked_text(linked))])

    def unlink_prompt_from_run(self, run_id: str, prompt: tuple[str, str]) -> None:
        there = linked_prompts(self.get_run(run_id).data.tags.get(RunKey.LINKED_PROMPTS))
        left = linked_text(without_link(there, prompt, run_id))
        self.log_batch(run_id, tags=[RunTag(RunKey.LINKED_PROMPTS, left)])

    def get_metric_history(
        self, run_id: str, key: str, *, max_results: int | None = None, page_token: str | None = None
    ) -> Page[Metric]:
        if max_results is not None:
            return self._history_page(run_id, key, validation.check_max_results(max_results, _MAX_RESULTS), page_token)
        found: list[Metric] = []
        while True:
            page = self._history_page(run_id, key, _HISTORY_PAGE, page_token)
            found += page
            page_token = page.token
            if page_token is None:
                return Page(found)

    def _history_page(self, run_id: str, key: str, size: int, token: str | None) -> Page[Metric]:
        query = {**_named(run_id), "metric_key": str(key), "max_results": size, "page_token": token or None}
        try:
            answer = self._http.call(endpoints.GET_METRIC_HISTORY, query=_given(query))
        except NotFoundError:
            return Page()
        points = [metric_from_json(data) for data in members(answer, "metrics", "history of a metric")]
        return Page(points, answer.get("next_page_token") or None)

    # -- inputs and outputs ----------------------------------------------------------------------

    def log_inputs(
        self, run_id: str, *, datasets: Sequence[DatasetInput] = (), models: Sequence[LoggedModelInput] = ()
    ) -> None:
        for used in datasets:
            run_validation.check_dataset(used.dataset)
        body: dict[str, Any] = {
            "run_id": str(run_id),
            "datasets": [dataset_input_to_json(used) for used in datasets],
            "models": [{"model_id": used.model_id} for used in models],
        }
        self._http.call(endpoints.LOG_INPUTS, body={key: value for key, value in body.items() if value})

    def log_outputs(self, run_id: str, models: Sequence[LoggedModelOutput]) -> None:
        made = [model_output_to_json(model) for model in models]
        self._http.call(endpoints.LOG_OUTPUTS, body={"run_id": str(run_id), "models": made})

    # -- searching -------------------------------------------------------------------------------

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
        validation.check_max_results(max_results, _MAX_RESULTS)
        if view_type not in _VIEWS:
            raise InvalidParameterError(f"{view_type!r} is not a view type; allowed: {list(_VIEWS)}")
        parse_filter(filter_string, RUN_FIELDS)
        parse_order_by(order_by, RUN_FIELDS)
        if isinstance(experiment_ids, str) or not isinstance(experiment_ids, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"experiment_ids is a list of strings, not {experiment_ids!r}")
        where = [str(an_id) for an_id in experiment_ids if str(an_id).isdecimal()]
        if not where:
            return Page()
        body: dict[str, Any] = {
            "experiment_ids": where,
            "filter": filter_string or None,
            "run_view_type": _VIEWS[view_type],
            "max_results": max_results,
            "order_by": list(order_by) if order_by else None,
            "page_token": page_token or None,
        }
        answer = self._http.call(endpoints.SEARCH_RUNS, body=_given(body))
        runs = [run_from_json(data) for data in members(answer, "runs", "list of runs")]
        return Page(runs, answer.get("next_page_token") or None)


def _named(run_id: object) -> dict[str, Any]:
    # Both: the server reads either, of old clients and of new ones.
    return {"run_uuid": str(run_id), "run_id": str(run_id)}


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def _portions(things: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [things[start : start + size] for start in range(0, len(things), size)]


def _checked_metric(metric: Metric) -> Metric:
    key = run_validation.check_key(metric.key, "name", "Metric name")
    value = run_validation.check_metric_value(metric.value, "value")
    what = f"metric '{key}' (value={value})"
    return Metric(
        key,
        value,
        run_validation.check_timestamp(metric.timestamp, "timestamp", what),
        run_validation.check_step(metric.step, "step", what),
        metric.model_id,
        metric.dataset_name,
        metric.dataset_digest,
    )


def _checked_params(params: Sequence[Param]) -> list[Param]:
    checked: dict[str, Param] = {}
    for param in params:
        key = run_validation.check_key(param.key, "key", "Param key")
        if key in checked:
            raise InvalidParameterError(
                f"Duplicate parameter keys have been submitted: ['{key}']. Please ensure the request contains only one"
                " param value per param key."
            )
        checked[key] = Param(key, run_validation.check_param_value(param.value))
    return list(checked.values())
