"""The Vercel AI SDK: `ai.operationId`, `ai.prompt`, `ai.response.…`, `ai.toolCall.…`, `ai.usage.…`.

Source: the AI SDK's documentation of its telemetry, versions 4 to 7.
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.semconv import TokenUsageKey
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.messages import chat_of, instructions, messages, tool_call
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, as_list, data, is_dict, json_value

__all__ = ["VERCEL"]

_METADATA: Final = "ai.telemetry.metadata."
_MODEL_CALLS: Final = ("ai.generatetext", "ai.streamtext", "ai.generateobject", "ai.streamobject")
_TYPES: Final = {
    **{call + inner: SpanType.LLM for call in _MODEL_CALLS for inner in ("", ".dogenerate", ".dostream")},
    "ai.embed": SpanType.EMBEDDING,
    "ai.embed.doembed": SpanType.EMBEDDING,
    "ai.embedmany": SpanType.EMBEDDING,
    "ai.embedmany.doembed": SpanType.EMBEDDING,
    "ai.rerank": SpanType.RERANKER,
    "ai.rerank.dorerank": SpanType.RERANKER,
    "ai.toolcall": SpanType.TOOL,
}


def _inputs(source: Source) -> Any:
    if source.has("ai.toolCall.args"):
        return source.data("ai.toolCall.args")
    said = messages(source.attributes.get("ai.prompt.messages"))
    if said:
        return {"messages": said}
    prompt = source.data("ai.prompt")
    if is_dict(prompt):
        return _with_system(chat_of(prompt))
    if prompt is not None:
        return prompt
    if source.has("ai.values"):
        return {"input": [json_value(item) for item in as_list(source.data("ai.values"))]}
    return {"input": json_value(source.attributes["ai.value"])} if source.has("ai.value") else None


def _with_system(prompt: Dict) -> Dict:
    system = instructions(prompt.get("system"))
    if system is None or "messages" not in prompt:
        return prompt
    rest = {key: value for key, value in prompt.items() if key != "system"}
    return {**rest, "messages": [{"role": "system", "content": system}, *prompt["messages"]]}


def _outputs(source: Source) -> Any:
    if source.has("ai.toolCall.result"):
        return source.data("ai.toolCall.result")
    for key in ("ai.response.object", "ai.result.object"):
        if source.has(key):
            return source.data(key)
    said = source.text("ai.response.text", "ai.result.text")
    called = as_list(source.data("ai.response.toolCalls") or source.data("ai.result.toolCalls"))
    calls = [call for item in called if (call := tool_call(data(item)))]
    reasoning = source.text("ai.response.reasoning")
    if said is not None and not calls and not reasoning and not source.has("ai.prompt.messages"):
        return said
    if said is not None or calls or reasoning:
        message: Dict = {"role": "assistant", "content": said}
        if reasoning:
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = calls
        if reason := source.text("ai.response.finishReason", "ai.finishReason"):
            message["finish_reason"] = reason
        return {"messages": [message]}
    if source.has("ai.embeddings"):
        return {"embeddings": [json_value(item) for item in as_list(source.data("ai.embeddings"))]}
    return {"embeddings": [source.data("ai.embedding")]} if source.has("ai.embedding") else None


def _tools(source: Source) -> Any:
    found: Any = source.data("ai.prompt.tools")
    return function_tools(found) or function_tools(as_dict(source.data("ai.prompt")).get("tools"))


def _operation(source: Source) -> str | None:
    """The operation, where only `operation.name` has it: with the name of a function behind it."""
    name = (source.text("operation.name") or "").partition(" ")[0].lower()
    return _TYPES.get(name)


VERCEL: Final = Convention(
    name="Vercel AI SDK",
    namespaces=frozenset({"ai"}),
    types=(("ai.operationId", _TYPES),),
    models=("ai.response.model", "ai.model.id"),
    providers=("ai.model.provider",),
    sessions=tuple(
        _METADATA + name
        for name in ("sessionId", "session_id", "session.id", "conversationId", "conversation_id", "threadId", "chatId")
    ),
    users=tuple(_METADATA + name for name in ("userId", "user_id", "user.id")),
    usage={
        TokenUsageKey.INPUT: ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
        TokenUsageKey.OUTPUT: ("ai.usage.outputTokens", "ai.usage.completionTokens"),
        TokenUsageKey.TOTAL: ("ai.usage.totalTokens",),
        TokenUsageKey.CACHE_READ: ("ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens"),
        TokenUsageKey.CACHE_CREATION: ("ai.usage.inputTokenDetails.cacheWriteTokens",),
        TokenUsageKey.REASONING: ("ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens"),
    },
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
    implied_type=_operation,
)
