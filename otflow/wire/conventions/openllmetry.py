"""OpenLLMetry (Traceloop): `traceloop.span.kind`, `traceloop.entity.input`, association properties, `llm.…`.

Its messages and tokens are those of the GenAI conventions of its time (`otflow.wire.conventions.genai`).
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.semconv import TokenUsageKey
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.messages import chat, chat_of
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import json_value

__all__ = ["OPENLLMETRY"]

_PROPERTIES: Final = "traceloop.association.properties."


def _inputs(source: Source) -> Any:
    value = source.attributes.get("traceloop.entity.input")
    return chat_of(json_value(value)) if value is not None else chat(source.nested("llm.prompts"))


def _outputs(source: Source) -> Any:
    value = source.attributes.get("traceloop.entity.output")
    if value is not None:
        return chat_of(json_value(value), "assistant")
    return chat(source.nested("llm.completions"), "assistant")


def _tools(source: Source) -> Any:
    return function_tools(source.nested("llm.request.functions"))


OPENLLMETRY: Final = Convention(
    name="OpenLLMetry",
    namespaces=frozenset({"traceloop", "llm"}),
    types=(
        (
            "traceloop.span.kind",
            {
                "workflow": SpanType.WORKFLOW,
                "task": SpanType.TASK,
                "agent": SpanType.AGENT,
                "tool": SpanType.TOOL,
                "unknown": SpanType.UNKNOWN,
            },
        ),
        (
            "llm.request.type",
            {
                "chat": SpanType.CHAT_MODEL,
                "completion": SpanType.LLM,
                "embedding": SpanType.EMBEDDING,
                "rerank": SpanType.RERANKER,
            },
        ),
    ),
    models=("llm.response.model", "llm.request.model"),
    providers=("llm.vendor",),
    sessions=tuple(
        _PROPERTIES + name
        for name in ("session_id", "sessionId", "session.id", "conversation_id", "conversationId", "thread_id")
    ),
    users=tuple(_PROPERTIES + name for name in ("user_id", "userId", "user.id")),
    usage={
        TokenUsageKey.INPUT: ("llm.usage.prompt_tokens",),
        TokenUsageKey.OUTPUT: ("llm.usage.completion_tokens",),
        TokenUsageKey.TOTAL: ("llm.usage.total_tokens",),
        TokenUsageKey.CACHE_READ: ("llm.usage.cache_read_input_tokens",),
        TokenUsageKey.CACHE_CREATION: ("llm.usage.cache_creation_input_tokens",),
        TokenUsageKey.REASONING: ("llm.usage.reasoning_tokens",),
    },
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
)
