"""Tracing: the core of otflow, on the OpenTelemetry SDK. What is named here is public."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otflow.tracing.accounting import Delivery, delivery
    from otflow.tracing.autolog import Autologged, autologging
    from otflow.tracing.chat import set_span_chat_tools
    from otflow.tracing.display import print_trace, render_trace
    from otflow.tracing.filters import set_span_filter
    from otflow.tracing.http import OtflowMiddleware, trace_client, trace_session
    from otflow.tracing.notebook import disable_notebook_display, enable_notebook_display
    from otflow.tracing.privacy import set_privacy_rules
    from otflow.tracing.propagation import (
        get_tracing_context_environment,
        get_tracing_context_headers_for_http_request,
        set_tracing_context_from_environment,
        set_tracing_context_from_http_request_headers,
    )
    from otflow.tracing.provider import (
        configure,
        disable,
        enable,
        reset,
        set_destination,
        set_tracer_provider,
        tracer_provider,
    )

_HOMES: dict[str, str] = {
    "Autologged": "autolog",
    "Delivery": "accounting",
    "OtflowMiddleware": "http",
    "autologging": "autolog",
    "configure": "provider",
    "delivery": "accounting",
    "disable": "provider",
    "disable_notebook_display": "notebook",
    "enable": "provider",
    "enable_notebook_display": "notebook",
    "get_tracing_context_environment": "propagation",
    "get_tracing_context_headers_for_http_request": "propagation",
    "print_trace": "display",
    "render_trace": "display",
    "reset": "provider",
    "set_destination": "provider",
    "set_privacy_rules": "privacy",
    "set_span_chat_tools": "chat",
    "set_span_filter": "filters",
    "set_tracer_provider": "provider",
    "set_tracing_context_from_environment": "propagation",
    "set_tracing_context_from_http_request_headers": "propagation",
    "trace_client": "http",
    "trace_session": "http",
    "tracer_provider": "provider",
}

__all__ = [
    "Autologged",
    "Delivery",
    "OtflowMiddleware",
    "autologging",
    "configure",
    "delivery",
    "disable",
    "disable_notebook_display",
    "enable",
    "enable_notebook_display",
    "get_tracing_context_environment",
    "get_tracing_context_headers_for_http_request",
    "print_trace",
    "render_trace",
    "reset",
    "set_destination",
    "set_privacy_rules",
    "set_span_chat_tools",
    "set_span_filter",
    "set_tracer_provider",
    "set_tracing_context_from_environment",
    "set_tracing_context_from_http_request_headers",
    "trace_client",
    "trace_session",
    "tracer_provider",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"otflow.tracing.{home}"), name)
    globals()[name] = value
    return value
