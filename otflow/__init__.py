"""OpenTelemetry-native tracing and evaluation for LLM agents, with the API of MLflow's fluent module.

Everything is loaded on first use: importing otflow costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from otflow import (
        artifacts,
        compat,
        data,
        entities,
        exceptions,
        genai,
        models,
        projects,
        system_metrics,
        testing,
        tracing,
        webhooks,
    )
    from otflow.client import Client, MlflowClient
    from otflow.client.async_logging import RunOperations
    from otflow.context import (
        get_registry_uri,
        get_tracking_uri,
        is_tracking_uri_set,
        set_registry_uri,
        set_tracking_uri,
        set_workspace,
    )
    from otflow.entities import Span, SpanType, Trace
    from otflow.errors import OtflowError
    from otflow.evaluation.thresholds import validate_evaluation_results
    from otflow.files.images import Image
    from otflow.projects.running import run
    from otflow.system_metrics import (
        disable_system_metrics_logging,
        enable_system_metrics_logging,
        set_system_metrics_node_id,
        set_system_metrics_samples_before_logging,
        set_system_metrics_sampling_interval,
    )
    from otflow.tracing.active import (
        get_active_trace_id,
        get_current_active_span,
        get_last_active_trace_id,
        update_current_trace,
    )
    from otflow.tracing.annotations import (
        delete_assessment,
        delete_trace_tag,
        get_assessment,
        log_assessment,
        log_expectation,
        log_feedback,
        override_feedback,
        set_trace_tag,
        update_assessment,
    )
    from otflow.tracing.autolog import autolog
    from otflow.tracing.decorator import trace
    from otflow.tracing.exporter import flush_trace_async_logging
    from otflow.tracing.merge import add_trace
    from otflow.tracing.search import get_trace, search_sessions, search_traces
    from otflow.tracing.spans import log_trace, start_span, start_span_no_context
    from otflow.tracking.active_model import (
        ActiveModel,
        clear_active_model,
        get_active_model_id,
        log_model_params,
        set_active_model,
    )
    from otflow.tracking.artifacts import get_artifact_uri, log_artifact, log_artifacts, log_dict, log_stream, log_text
    from otflow.tracking.doctor import doctor
    from otflow.tracking.experiments import (
        create_experiment,
        delete_experiment,
        delete_experiment_tag,
        get_experiment,
        get_experiment_by_name,
        search_experiments,
        set_experiment,
        set_experiment_tag,
        set_experiment_tags,
    )
    from otflow.tracking.inputs import log_input, log_inputs, log_outputs
    from otflow.tracking.login import login
    from otflow.tracking.media import flush_artifact_async_logging, load_table, log_figure, log_image, log_table
    from otflow.tracking.models import (
        create_external_model,
        delete_logged_model_tag,
        finalize_logged_model,
        get_logged_model,
        import_checkpoints,
        initialize_logged_model,
        last_logged_model,
        search_logged_models,
        set_logged_model_tags,
    )
    from otflow.tracking.prompts import (
        delete_prompt_alias,
        load_prompt,
        register_prompt,
        search_prompts,
        set_prompt_alias,
    )
    from otflow.tracking.registry import (
        register_model,
        search_model_versions,
        search_registered_models,
        set_model_version_tag,
    )
    from otflow.tracking.runs import (
        ActiveRun,
        active_run,
        delete_run,
        end_run,
        get_parent_run,
        get_run,
        last_active_run,
        search_runs,
        start_run,
    )
    from otflow.tracking.telemetry import set_telemetry_client
    from otflow.tracking.values import (
        delete_tag,
        flush_async_logging,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        set_tag,
        set_tags,
    )
    from otflow.tracking.workspaces import (
        create_workspace,
        delete_workspace,
        get_workspace,
        list_workspaces,
        update_workspace,
    )

_HOMES: dict[str, str] = {
    name: module
    for module, names in {
        "otflow.client": "Client MlflowClient",
        "otflow.context": "get_registry_uri get_tracking_uri is_tracking_uri_set set_registry_uri set_tracking_uri "
        "set_workspace",
        "otflow.entities": "Span SpanType Trace",
        "otflow.errors": "OtflowError",
        "otflow.tracing.annotations": "delete_assessment delete_trace_tag get_assessment log_assessment "
        "log_expectation log_feedback override_feedback set_trace_tag update_assessment",
        "otflow.tracing.autolog": "autolog",
        "otflow.tracing.decorator": "trace",
        "otflow.tracing.exporter": "flush_trace_async_logging",
        "otflow.tracing.merge": "add_trace",
        "otflow.tracing.search": "get_trace search_sessions search_traces",
        "otflow.tracing.active": "get_active_trace_id get_current_active_span get_last_active_trace_id "
        "update_current_trace",
        "otflow.tracing.spans": "log_trace start_span start_span_no_context",
        "otflow.tracking.artifacts": "get_artifact_uri log_artifact log_artifacts log_dict log_stream log_text",
        "otflow.tracking.doctor": "doctor",
        "otflow.tracking.login": "login",
        "otflow.tracking.telemetry": "set_telemetry_client",
        "otflow.tracking.experiments": "create_experiment delete_experiment delete_experiment_tag get_experiment "
        "get_experiment_by_name search_experiments set_experiment set_experiment_tag set_experiment_tags",
        "otflow.client.async_logging": "RunOperations",
        "otflow.system_metrics": "disable_system_metrics_logging enable_system_metrics_logging "
        "set_system_metrics_node_id set_system_metrics_samples_before_logging set_system_metrics_sampling_interval",
        "otflow.tracking.active_model": "ActiveModel clear_active_model get_active_model_id log_model_params "
        "set_active_model",
        "otflow.tracking.inputs": "log_input log_inputs log_outputs",
        "otflow.tracking.models": "create_external_model delete_logged_model_tag finalize_logged_model "
        "get_logged_model import_checkpoints initialize_logged_model last_logged_model search_logged_models "
        "set_logged_model_tags",
        "otflow.tracking.registry": "register_model search_model_versions search_registered_models "
        "set_model_version_tag",
        "otflow.evaluation.thresholds": "validate_evaluation_results",
        "otflow.files.images": "Image",
        "otflow.projects.running": "run",
        "otflow.tracking.media": "flush_artifact_async_logging load_table log_figure log_image log_table",
        "otflow.tracking.prompts": "delete_prompt_alias load_prompt register_prompt search_prompts set_prompt_alias",
        "otflow.tracking.runs": "ActiveRun active_run delete_run end_run get_parent_run get_run "
        "last_active_run search_runs start_run",
        "otflow.tracking.workspaces": "create_workspace delete_workspace get_workspace list_workspaces "
        "update_workspace",
        "otflow.tracking.values": "delete_tag flush_async_logging log_metric log_metrics log_param log_params "
        "set_tag set_tags",
    }.items()
    for name in names.split()
}
_ROOMS = frozenset(
    {
        "artifacts",
        "client",
        "compat",
        "config",
        "data",
        "entities",
        "errors",
        "exceptions",
        "genai",
        "models",
        "projects",
        "system_metrics",
        "testing",
        "tracing",
        "tracking",
        "webhooks",
    }
)

__all__ = [
    "ActiveModel",
    "ActiveRun",
    "Client",
    "Image",
    "MlflowClient",
    "OtflowError",
    "RunOperations",
    "Span",
    "SpanType",
    "Trace",
    "active_run",
    "add_trace",
    "artifacts",
    "autolog",
    "clear_active_model",
    "compat",
    "create_experiment",
    "create_external_model",
    "create_workspace",
    "data",
    "delete_assessment",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_logged_model_tag",
    "delete_prompt_alias",
    "delete_run",
    "delete_tag",
    "delete_trace_tag",
    "delete_workspace",
    "disable_system_metrics_logging",
    "doctor",
    "enable_system_metrics_logging",
    "end_run",
    "entities",
    "exceptions",
    "finalize_logged_model",
    "flush_artifact_async_logging",
    "flush_async_logging",
    "flush_trace_async_logging",
    "genai",
    "get_active_model_id",
    "get_active_trace_id",
    "get_artifact_uri",
    "get_assessment",
    "get_current_active_span",
    "get_experiment",
    "get_experiment_by_name",
    "get_last_active_trace_id",
    "get_logged_model",
    "get_parent_run",
    "get_registry_uri",
    "get_run",
    "get_trace",
    "get_tracking_uri",
    "get_workspace",
    "import_checkpoints",
    "initialize_logged_model",
    "is_tracking_uri_set",
    "last_active_run",
    "last_logged_model",
    "list_workspaces",
    "load_prompt",
    "load_table",
    "log_artifact",
    "log_artifacts",
    "log_assessment",
    "log_dict",
    "log_expectation",
    "log_feedback",
    "log_figure",
    "log_image",
    "log_input",
    "log_inputs",
    "log_metric",
    "log_metrics",
    "log_model_params",
    "log_outputs",
    "log_param",
    "log_params",
    "log_stream",
    "log_table",
    "log_text",
    "log_trace",
    "login",
    "models",
    "override_feedback",
    "projects",
    "register_model",
    "register_prompt",
    "run",
    "search_experiments",
    "search_logged_models",
    "search_model_versions",
    "search_prompts",
    "search_registered_models",
    "search_runs",
    "search_sessions",
    "search_traces",
    "set_active_model",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_logged_model_tags",
    "set_model_version_tag",
    "set_prompt_alias",
    "set_registry_uri",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
    "set_tag",
    "set_tags",
    "set_telemetry_client",
    "set_trace_tag",
    "set_tracking_uri",
    "set_workspace",
    "start_run",
    "start_span",
    "start_span_no_context",
    "system_metrics",
    "testing",
    "trace",
    "tracing",
    "update_assessment",
    "update_current_trace",
    "update_workspace",
    "validate_evaluation_results",
    "webhooks",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is not None:
        value = getattr(importlib.import_module(home), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"otflow.{name}")
    elif name.startswith("_") or _has_file(name):
        # What has a file is the import system's to find: nothing may be imported here amid its work.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    elif _Libraries.find_spec(f"otflow.{name}") is not None:
        value = importlib.import_module(f"otflow.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _has_file(name: str) -> bool:
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(f"otflow.{name}", __path__) is not None


class _Libraries:
    """Finds `otflow.openai`, `otflow.langchain`, …, which have no files."""

    @staticmethod
    def find_spec(name: str, *_where: object) -> Any:
        """What the import system asks where there is no file."""
        if not name.startswith("otflow.") or name.count(".") > 1:
            return None
        return importlib.import_module("otflow.tracing.flavors").find_spec(name)


sys.meta_path.append(_Libraries)  # pyright: ignore[reportArgumentType]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)():  # in a notebook, its cells are listened to
    from otflow.tracing.notebook import enter as _enter_notebook

    _enter_notebook()
