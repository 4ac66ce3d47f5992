"""The REST endpoints that otflow speaks, MLflow's: one table for the client of a server and for the server itself.

Paths and methods are those that the released MLflow 3.10.1 client uses. The store method is the one that answers; an
endpoint whose request holds only part of that method's arguments leaves the others at their defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

__all__ = ["ENDPOINTS", "EXPERIMENT_HEADER", "WORKSPACE_HEADER", "Endpoint"]

_MODELS: Final = "/api/2.0/mlflow/registered-models"
_VERSIONS: Final = "/api/2.0/mlflow/model-versions"

EXPERIMENT_HEADER: Final = "x-mlflow-experiment-id"
"""The header of `EXPORT_SPANS` that says where traces belong that the server does not know yet."""


WORKSPACE_HEADER: Final = "X-MLFLOW-WORKSPACE"
"""The header of any request that says which workspace it means; without it, the workspace `default`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One kind of request.

    Attributes:
        method: The HTTP method.
        path: The path, with `{name}` where a part of it is an argument.
        store_method: The method of `Store` that answers.
        repeatable: Whether sending it twice does what sending it once does, so that it may be sent again when it is
            not known whether the server has seen it.
    """

    method: str
    path: str
    store_method: str
    repeatable: bool = True

    def url_path(self, arguments: Mapping[str, str]) -> str:
        """The path with its arguments filled in."""
        return self.path.format(**{name: quote(value, safe="") for name, value in arguments.items()})


EXPORT_SPANS: Final = Endpoint("POST", "/v1/traces", "write_spans")
"""OTLP over HTTP; the body is an `ExportTraceServiceRequest`."""

WRITE_TRACE: Final = Endpoint("POST", "/api/3.0/mlflow/traces", "write_traces")
GET_TRACE: Final = Endpoint("GET", "/api/3.0/mlflow/traces/get", "get_trace")
GET_TRACES: Final = Endpoint("GET", "/api/3.0/mlflow/traces/batchGet", "get_traces")
GET_TRACE_INFO: Final = Endpoint("GET", "/api/3.0/mlflow/traces/{trace_id}", "get_trace_info")
SEARCH_TRACES: Final = Endpoint("POST", "/api/3.0/mlflow/traces/search", "search_traces")
DELETE_TRACES: Final = Endpoint("POST", "/api/2.0/mlflow/traces/delete-traces", "delete_traces", repeatable=False)
SET_TRACE_TAG: Final = Endpoint("PATCH", "/api/2.0/mlflow/traces/{trace_id}/tags", "set_trace_tag")
DELETE_TRACE_TAG: Final = Endpoint(
    "DELETE", "/api/2.0/mlflow/traces/{trace_id}/tags", "delete_trace_tag", repeatable=False
)
LINK_TRACES: Final = Endpoint("POST", "/api/2.0/mlflow/traces/link-to-run", "link_traces_to_run")
LINK_PROMPTS: Final = Endpoint("POST", "/api/2.0/mlflow/traces/link-prompts", "link_prompts_to_trace")

CREATE_ASSESSMENT: Final = Endpoint(
    "POST", "/api/3.0/mlflow/traces/{trace_id}/assessments", "create_assessment", repeatable=False
)
GET_ASSESSMENT: Final = Endpoint(
    "GET", "/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", "get_assessment"
)
UPDATE_ASSESSMENT: Final = Endpoint(
    "PATCH", "/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", "update_assessment"
)
DELETE_ASSESSMENT: Final = Endpoint(
    "DELETE", "/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", "delete_assessment"
)

CREATE_EXPERIMENT: Final = Endpoint("POST", "/api/2.0/mlflow/experiments/create", "create_experiment", repeatable=False)
GET_EXPERIMENT: Final = Endpoint("GET", "/api/2.0/mlflow/experiments/get", "get_experiment")
GET_EXPERIMENT_BY_NAME: Final = Endpoint("GET", "/api/2.0/mlflow/experiments/get-by-name", "get_experiment_by_name")
SEARCH_EXPERIMENTS: Final = Endpoint("POST", "/api/2.0/mlflow/experiments/search", "search_experiments")
DELETE_EXPERIMENT: Final = Endpoint("POST", "/api/2.0/mlflow/experiments/delete", "delete_experiment", repeatable=False)
RESTORE_EXPERIMENT: Final = Endpoint(
    "POST", "/api/2.0/mlflow/experiments/restore", "restore_experiment", repeatable=False
)
RENAME_EXPERIMENT: Final = Endpoint("POST", "/api/2.0/mlflow/experiments/update", "rename_experiment")
SET_EXPERIMENT_TAG: Final = Endpoint("POST", "/api/2.0/mlflow/experiments/set-experiment-tag", "set_experiment_tags")
DELETE_EXPERIMENT_TAG: Final = Endpoint(
    "POST", "/api/2.0/mlflow/experiments/delete-experiment-tag", "delete_experiment_tag", repeatable=False
)

CREATE_RUN: Final = Endpoint("POST", "/api/2.0/mlflow/runs/create", "create_run", repeatable=False)
GET_RUN: Final = Endpoint("GET", "/api/2.0/mlflow/runs/get", "get_run")
UPDATE_RUN: Final = Endpoint("POST", "/api/2.0/mlflow/runs/update", "update_run")
DELETE_RUN: Final = Endpoint("POST", "/api/2.0/mlflow/runs/delete", "delete_run")
RESTORE_RUN: Final = Endpoint("POST", "/api/2.0/mlflow/runs/restore", "restore_run")
LOG_BATCH: Final = Endpoint("POST", "/api/2.0/mlflow/runs/log-batch", "log_batch")
DELETE_RUN_TAG: Final = Endpoint("POST", "/api/2.0/mlflow/runs/delete-tag", "delete_run_tag", repeatable=False)
LOG_INPUTS: Final = Endpoint("POST", "/api/2.0/mlflow/runs/log-inputs", "log_inputs")
LOG_OUTPUTS: Final = Endpoint("POST", "/api/2.0/mlflow/runs/outputs", "log_outputs")
SEARCH_RUNS: Final = Endpoint("POST", "/api/2.0/mlflow/runs/search", "search_runs")
GET_METRIC_HISTORY: Final = Endpoint("GET", "/api/2.0/mlflow/metrics/get-history", "get_metric_history")

SEARCH_LOGGED_MODELS: Final = Endpoint("POST", "/api/2.0/mlflow/logged-models/search", "search_logged_models")
CREATE_LOGGED_MODEL: Final = Endpoint("POST", "/api/2.0/mlflow/logged-models", "create_logged_model", repeatable=False)
GET_LOGGED_MODEL: Final = Endpoint("GET", "/api/2.0/mlflow/logged-models/{model_id}", "get_logged_model")
FINALIZE_LOGGED_MODEL: Final = Endpoint("PATCH", "/api/2.0/mlflow/logged-models/{model_id}", "finalize_logged_model")
DELETE_LOGGED_MODEL: Final = Endpoint(
    "DELETE", "/api/2.0/mlflow/logged-models/{model_id}", "delete_logged_model", repeatable=False
)
SET_LOGGED_MODEL_TAGS: Final = Endpoint(
    "PATCH", "/api/2.0/mlflow/logged-models/{model_id}/tags", "set_logged_model_tags"
)
DELETE_LOGGED_MODEL_TAG: Final = Endpoint(
    "DELETE", "/api/2.0/mlflow/logged-models/{model_id}/tags/{key}", "delete_logged_model_tag", repeatable=False
)
LOG_LOGGED_MODEL_PARAMS: Final = Endpoint(
    "POST", "/api/2.0/mlflow/logged-models/{model_id}/params", "log_logged_model_params"
)

CREATE_REGISTERED_MODEL: Final = Endpoint("POST", f"{_MODELS}/create", "create_registered_model", repeatable=False)
GET_REGISTERED_MODEL: Final = Endpoint("GET", f"{_MODELS}/get", "get_registered_model")
RENAME_REGISTERED_MODEL: Final = Endpoint("POST", f"{_MODELS}/rename", "rename_registered_model", repeatable=False)
UPDATE_REGISTERED_MODEL: Final = Endpoint("PATCH", f"{_MODELS}/update", "update_registered_model")
DELETE_REGISTERED_MODEL: Final = Endpoint("DELETE", f"{_MODELS}/delete", "delete_registered_model", repeatable=False)
SEARCH_REGISTERED_MODELS: Final = Endpoint("GET", f"{_MODELS}/search", "search_registered_models")
SET_REGISTERED_MODEL_TAG: Final = Endpoint("POST", f"{_MODELS}/set-tag", "set_registered_model_tag")
DELETE_REGISTERED_MODEL_TAG: Final = Endpoint("DELETE", f"{_MODELS}/delete-tag", "delete_registered_model_tag")
SET_REGISTERED_MODEL_ALIAS: Final = Endpoint("POST", f"{_MODELS}/alias", "set_registered_model_alias")
DELETE_REGISTERED_MODEL_ALIAS: Final = Endpoint("DELETE", f"{_MODELS}/alias", "delete_registered_model_alias")
GET_MODEL_VERSION_BY_ALIAS: Final = Endpoint("GET", f"{_MODELS}/alias", "get_model_version_by_alias")
GET_LATEST_VERSIONS: Final = Endpoint("POST", f"{_MODELS}/get-latest-versions", "get_latest_versions")
CREATE_MODEL_VERSION: Final = Endpoint("POST", f"{_VERSIONS}/create", "create_model_version", repeatable=False)
GET_MODEL_VERSION: Final = Endpoint("GET", f"{_VERSIONS}/get", "get_model_version")
UPDATE_MODEL_VERSION: Final = Endpoint("PATCH", f"{_VERSIONS}/update", "update_model_version")
TRANSITION_MODEL_VERSION: Final = Endpoint("POST", f"{_VERSIONS}/transition-stage", "transition_model_version_stage")
DELETE_MODEL_VERSION: Final = Endpoint("DELETE", f"{_VERSIONS}/delete", "delete_model_version", repeatable=False)
GET_MODEL_VERSION_URI: Final = Endpoint("GET", f"{_VERSIONS}/get-download-uri", "get_model_version_download_uri")
SEARCH_MODEL_VERSIONS: Final = Endpoint("GET", f"{_VERSIONS}/search", "search_model_versions")
SET_MODEL_VERSION_TAG: Final = Endpoint("POST", f"{_VERSIONS}/set-tag", "set_model_version_tag")
DELETE_MODEL_VERSION_TAG: Final = Endpoint("DELETE", f"{_VERSIONS}/delete-tag", "delete_model_version_tag")

LIST_WORKSPACES: Final = Endpoint("GET", "/api/3.0/mlflow/workspaces", "list_workspaces")
CREATE_WORKSPACE: Final = Endpoint("POST", "/api/3.0/mlflow/workspaces", "create_workspace", repeatable=False)
GET_WORKSPACE: Final = Endpoint("GET", "/api/3.0/mlflow/workspaces/{name}", "get_workspace")
UPDATE_WORKSPACE: Final = Endpoint("PATCH", "/api/3.0/mlflow/workspaces/{name}", "update_workspace")
DELETE_WORKSPACE: Final = Endpoint("DELETE", "/api/3.0/mlflow/workspaces/{name}", "delete_workspace", repeatable=False)

ENDPOINTS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Endpoint))
"""All of them, in the order of this file; the more special path before the more general one where two match."""
