"""OpenTelemetry-native tracing and evaluation for LLM agents, with the API of MLflow's fluent module.

Everything is loaded on first use: importing otflow costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from otflow import compat, entities, exceptions, testing, tracing
    from otflow.client import Client, MlflowClient
    from otflow.context import get_tracking_uri, is_tracking_uri_set, set_tracking_uri
    from otflow.entities import Span, SpanType, Trace
    from otflow.errors import OtflowError
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
    from otflow.tracking.experiments import (
        create_experiment,
        get_experiment,
        get_experiment_by_name,
        search_experiments,
        set_experiment,
    )

_HOMES: dict[str, str] = {
    name: module
    for module, names in {
        "otflow.client": "Client MlflowClient",
        "otflow.context": "get_tracking_uri is_tracking_uri_set set_tracking_uri",
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
        "otflow.tracking.experiments": "create_experiment get_experiment get_experiment_by_name "
        "search_experiments set_experiment",
    }.items()
    for name in names.split()
}
_ROOMS = frozenset({"client", "compat", "config", "entities", "errors", "exceptions", "testing", "tracing", "tracking"})

__all__ = [
    "Client",
    "MlflowClient",
    "OtflowError",
    "Span",
    "SpanType",
    "Trace",
    "add_trace",
    "autolog",
    "compat",
    "create_experiment",
    "delete_assessment",
    "delete_trace_tag",
    "entities",
    "exceptions",
    "flush_trace_async_logging",
    "get_active_trace_id",
    "get_assessment",
    "get_current_active_span",
    "get_experiment",
    "get_experiment_by_name",
    "get_last_active_trace_id",
    "get_trace",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "log_assessment",
    "log_expectation",
    "log_feedback",
    "log_trace",
    "override_feedback",
    "search_experiments",
    "search_sessions",
    "search_traces",
    "set_experiment",
    "set_trace_tag",
    "set_tracking_uri",
    "start_span",
    "start_span_no_context",
    "testing",
    "trace",
    "tracing",
    "update_assessment",
    "update_current_trace",
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
