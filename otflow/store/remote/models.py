"""Logged models behind an HTTP server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otflow.entities import LoggedModel, LoggedModelStatus, Page
from otflow.store import validation
from otflow.store.companion import LoggedModelStore
from otflow.store.remote.client import HttpClient
from otflow.wire import endpoints
from otflow.wire.models import model_from_json, status_to_json
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
        body: dict[str, Any] = {
            "experiment_id": str(experiment_id),
            "name": name,
            "model_type": model_type,
            "source_run_id": source_run_id,
            "params": pairs_to_json({str(key): str(value) for key, value in (params or {}).items()}),
            "tags": pairs_to_json({str(key): str(value) for key, value in (tags or {}).items()}),
        }
        answer = self._http.call(endpoints.CREATE_LOGGED_MODEL, body={k: v for k, v in body.items() if v})
        model = model_from_json(member(answer, "model", "logged model"))
        return model if status is LoggedModelStatus.PENDING else self.finalize_logged_model(model.model_id, status)

    def get_logged_model(self, model_id: str) -> LoggedModel:
        answer = self._http.call(endpoints.GET_LOGGED_MODEL, {"model_id": str(model_id)})
        return model_from_json(member(answer, "model", "logged model"))

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        body = {"model_id": str(model_id), "status": status_to_json(status)}
        answer = self._http.call(endpoints.FINALIZE_LOGGED_MODEL, {"model_id": str(model_id)}, body=body)
        return model_from_json(member(answer, "model", "logged model"))

    def delete_logged_model(self, model_id: str) -> None:
        self._http.call(endpoints.DELETE_LOGGED_MODEL, {"model_id": str(model_id)})

    def set_logged_model_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        body = {"tags": pairs_to_json({str(key): str(value) for key, value in tags.items()})}
        self._http.call(endpoints.SET_LOGGED_MODEL_TAGS, {"model_id": str(model_id)}, body=body)

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        self._http.call(endpoints.DELETE_LOGGED_MODEL_TAG, {"model_id": str(model_id), "key": str(key)})

    def log_logged_model_params(self, model_id: str, params: Mapping[str, str]) -> None:
        body = {
            "model_id": str(model_id),
            "params": pairs_to_json({str(key): str(value) for key, value in params.items()}),
        }
        self._http.call(endpoints.LOG_LOGGED_MODEL_PARAMS, {"model_id": str(model_id)}, body=body)

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
        validation.check_max_results(max_results, 50_000)
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
