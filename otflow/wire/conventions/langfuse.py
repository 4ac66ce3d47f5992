"""Langfuse: `langfuse.observation.…` of a span, `langfuse.trace.…` of its trace.

Source: Langfuse's documentation of its OpenTelemetry properties.
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.messages import chat_of
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, json_value

__all__ = ["LANGFUSE"]


def _content(source: Source, side: str, role: str) -> Any:
    for key in (f"langfuse.observation.{side}", f"langfuse.trace.{side}"):
        value = source.attributes.get(key)
        if value is not None:
            return chat_of(json_value(value), role)
    return None


def _inputs(source: Source) -> Any:
    return _content(source, "input", "user")


def _outputs(source: Source) -> Any:
    return _content(source, "output", "assistant")


def _tools(source: Source) -> Any:
    found = as_dict(source.data("langfuse.observation.input"))
    return function_tools(found.get("tools"))


def _usage(source: Source) -> Dict:
    return as_dict(source.data("langfuse.observation.usage_details"))


def _cost(source: Source) -> Dict:
    return as_dict(source.data("langfuse.observation.cost_details"))


def _implied_type(source: Source) -> str | None:
    if source.text("langfuse.observation.type") != "generation":
        return None
    return SpanType.CHAT_MODEL if "messages" in as_dict(_inputs(source)) else SpanType.LLM


def _prompt(source: Source) -> Any:
    name, version = source.text("langfuse.observation.prompt.name"), source.text("langfuse.observation.prompt.version")
    return [{"name": name, "version": version}] if name and version else None


LANGFUSE: Final = Convention(
    name="Langfuse",
    namespaces=frozenset({"langfuse"}),
    types=(
        (
            "langfuse.observation.type",
            {
                "embedding": SpanType.EMBEDDING,
                "agent": SpanType.AGENT,
                "tool": SpanType.TOOL,
                "chain": SpanType.CHAIN,
                "retriever": SpanType.RETRIEVER,
                "evaluator": SpanType.EVALUATOR,
                "guardrail": SpanType.GUARDRAIL,
            },
        ),
    ),
    models=("langfuse.observation.model.name",),
    sessions=("langfuse.session.id", "langfuse.trace.session_id"),
    users=("langfuse.user.id", "langfuse.trace.user_id"),
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
    prompts=_prompt,
    usage_of=_usage,
    cost_of=_cost,
    implied_type=_implied_type,
)
