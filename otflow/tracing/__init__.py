"""Tracing: the core of otflow, on the OpenTelemetry SDK. What is named here is public."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otflow.tracing.chat import set_span_chat_tools
    from otflow.tracing.display import print_trace, render_trace
    from otflow.tracing.filters import set_span_filter
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
    "configure": "provider",
    "disable": "provider",
    "enable": "provider",
    "print_trace": "display",
    "render_trace": "display",
    "reset": "provider",
    "set_destination": "provider",
    "set_span_chat_tools": "chat",
    "set_span_filter": "filters",
    "set_tracer_provider": "provider",
    "tracer_provider": "provider",
}

__all__ = [
    "configure",
    "disable",
    "enable",
    "print_trace",
    "render_trace",
    "reset",
    "set_destination",
    "set_span_chat_tools",
    "set_span_filter",
    "set_tracer_provider",
    "tracer_provider",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"otflow.tracing.{home}"), name)
    globals()[name] = value
    return value
