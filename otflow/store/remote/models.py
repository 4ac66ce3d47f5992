"""Logged models behind an HTTP server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otflow.entities import LoggedModel, LoggedModelStatus, Page
from otflow.search.grammar import parse_filter
from otflow.search.model_fields import MODEL_FIELDS
from otflow.semconv import RunKey
from otflow.store import validation
from otflow.store.companion import LoggedModelStore
from otflow.store.model_validation import (
    MAX_RESULTS,
    check_datasets,
    check_id,
    check_name,
    check_order,
    check_pairs,
    check_status,
    check_unchanged,
)
from otflow.store.remote.client import HttpClient
from otflow.wire import endpoints
from otflow.wire.models import model_from_json, status_to_json
from otflow.wire.prompt_links import linked_prompts, linked_text
from otflow.wire.runs import pairs_to_json
from otflow.wire.scalars import member, members

__all__ = ["RemoteModels"]


class RemoteModels(LoggedModelStore):
    """The part of the remote store that has to do with logged models."""

    _http: HttpClient

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
        status = check_status(status)
        body: dict[str, Any] = {
            "experiment_id": str(experiment_id),
            "name": None if name is None else check_name(name),
            "model_type": model_type,
            "source_run_id": source_run_id,
            "params": pairs_to_json(check_pairs("params", params or {})),
            "tags": pairs_to_json(check_pairs("tags", tags or {})),
        }
        answer = self._http.call(endpoints.CREATE_LOGGED_MODEL, body={k: v for k, v in body.items() if v})
        model = model_from_json(member(answer, "model", "logged model"))
        return model if status is LoggedModelStatus.PENDING else self.finalize_logged_model(model.model_id, status)

    def get_logged_model(self, model_id: str) -> LoggedModel:
        answer = self._http.call(endpoints.GET_LOGGED_MODEL, {"model_id": check_id(model_id)})
        return model_from_json(member(answer, "model", "logged model"))

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        body = {"model_id": check_id(model_id), "status": status_to_json(check_status(status))}
        self._require(model_id)
        answer = self._http.call(endpoints.FINALIZE_LOGGED_MODEL, {"model_id": check_id(model_id)}, body=body)
        return model_from_json(member(answer, "model", "logged model"))

    def delete_logged_model(self, model_id: str) -> None:
        self._http.call(endpoints.DELETE_LOGGED_MODEL, {"model_id": check_id(model_id)})

    def set_logged_model_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        body = {"tags": pairs_to_json(check_pairs("tags", tags))}
        self._require(model_id)
        if tags:
            self._http.call(endpoints.SET_LOGGED_MODEL_TAGS, {"model_id": check_id(model_id)}, body=body)

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        self._require(model_id)
        self._http.call(endpoints.DELETE_LOGGED_MODEL_TAG, {"model_id": check_id(model_id), "key": str(key)})

    def link_prompts_to_logged_model(self, model_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        there = linked_prompts(self._require(model_id).tags.get(RunKey.LINKED_PROMPTS))
        linked = dict.fromkeys([*there, *prompts])
        if len(linked) > len(there):
            body = {"tags": pairs_to_json({RunKey.LINKED_PROMPTS: linked_text(linked)})}
            self._http.call(endpoints.SET_LOGGED_MODEL_TAGS, {"model_id": check_id(model_id)}, body=body)

    def log_logged_model_params(self, model_id: str, params: Mapping[str, str]) -> None:
        checked = check_pairs("params", params)
        there = self._require(model_id).params
        check_unchanged(there, checked, model_id)
        new = {key: value for key, value in checked.items() if key not in there}
        if new:
            body = {"model_id": check_id(model_id), "params": pairs_to_json(new)}
            self._http.call(endpoints.LOG_LOGGED_MODEL_PARAMS, {"model_id": check_id(model_id)}, body=body)

    def _require(self, model_id: object) -> LoggedModel:
        """The model: MLflow's server writes to one that is not there, or fails on it."""
        return self.get_logged_model(check_id(model_id))

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
        validation.check_max_results(max_results, MAX_RESULTS)
        parse_filter(filter_string, MODEL_FIELDS)
        check_datasets(datasets)
        check_order(order_by)
        experiment_ids = [an_id for an_id in experiment_ids if str(an_id).isdecimal()]
        if not experiment_ids:
            return Page()
        body: dict[str, Any] = {
            "experiment_ids": [str(an_id) for an_id in experiment_ids],
            "filter": filter_string,
            "datasets": [dict(dataset) for dataset in datasets or ()],
            "order_by": [{"ascending": True, **order} for order in order_by or ()],
            "max_results": max_results,
            "page_token": page_token,
        }
        answer = self._http.call(endpoints.SEARCH_LOGGED_MODELS, body={k: v for k, v in body.items() if v})
        models = [model_from_json(data) for data in members(answer, "models", "list of logged models")]
        return Page(models, answer.get("next_page_token") or None)
