"""OpenInference (Arize): `openinference.span.kind`, `input.value`, flattened `llm.input_messages.N.message.…`.

Source: OpenInference's specification, `spec/semantic_conventions.md`.
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.semconv import CostKey, TokenUsageKey
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.genai import documents
from otflow.wire.conventions.messages import chat, messages
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, as_list, data, is_list, json_value, text

__all__ = ["KINDS", "OPENINFERENCE"]

KINDS: Final = {
    "llm": SpanType.LLM,
    "embedding": SpanType.EMBEDDING,
    "chain": SpanType.CHAIN,
    "retriever": SpanType.RETRIEVER,
    "reranker": SpanType.RERANKER,
    "tool": SpanType.TOOL,
    "agent": SpanType.AGENT,
    "guardrail": SpanType.GUARDRAIL,
    "evaluator": SpanType.EVALUATOR,
    "prompt": SpanType.CHAIN,
    "decision": SpanType.CHAIN,
    "unknown": SpanType.UNKNOWN,
}
"""`openinference.span.kind` → span type, as MLflow 3.10.1 has it where it has one."""

_JSON: Final = "application/json"


def _value(source: Source, side: str) -> Any:
    """`input.value` or `output.value`, read as its MIME type says."""
    value = source.attributes.get(f"{side}.value")
    if value is None:
        return None
    mime = source.text(f"{side}.mime_type")
    if mime == _JSON:
        return json_value(value)
    return data(value) if mime is None else text(value) or data(value)


def _says_chat(value: Any, *members: str) -> bool:
    """Whether a view can find the messages in the value of a call to a model."""
    body = as_dict(value)
    for member in members:
        found = body.get(member)
        if isinstance(found, str) and found:
            return True
        if found and any({"role", "message", "type"} & as_dict(item).keys() for item in as_list(found)):
            return all(not is_list(item) for item in as_list(found))
    return False


def _inputs(source: Source) -> Any:
    value = _value(source, "input")
    said = messages(source.nested("llm.input_messages"))
    if said and not _says_chat(value, "messages", "input", "prompt"):
        return {"messages": said}
    if value is not None:
        return value
    prompts = as_list(source.data("llm.prompts")) or as_list(source.nested("llm.prompts"))
    if prompts:
        texts = [as_dict(as_dict(item).get("prompt")).get("text") or item for item in prompts]
        return {"prompt": texts[0] if len(texts) == 1 else texts}
    texts = [text(item.get("text")) for item in _embeddings(source)]
    if any(texts):
        return {"input": texts}
    query = source.text("reranker.query")
    candidates = _documents(source, "reranker.input_documents")
    if query is not None or candidates:
        return {"query": query, "documents": candidates or []}
    return None


def _outputs(source: Source) -> Any:
    for prefix in ("retrieval.documents", "reranker.output_documents"):
        if found := _documents(source, prefix):
            return found
    value = _value(source, "output")
    said = chat(source.nested("llm.output_messages"), "assistant")
    if said and not _says_chat(value, "choices", "messages", "output", "content"):
        return said
    if value is not None:
        return value
    completions = as_list(source.nested("llm.completions"))
    if completions:
        texts = [as_dict(as_dict(item).get("completion")).get("text") or item for item in completions]
        return {"completion": texts[0] if len(texts) == 1 else texts}
    vectors = [vector for item in _embeddings(source) if (vector := data(item.get("vector"))) is not None]
    return {"embeddings": vectors} if vectors else None


def _documents(source: Source, prefix: str) -> list[Dict] | None:
    found = source.nested(prefix) or source.data(prefix)
    if not is_list(found):
        return None
    return documents([as_dict(as_dict(data(item)).get("document")) or item for item in found]) or None


def _embeddings(source: Source) -> list[Dict]:
    found = source.nested("embedding.embeddings")
    return [as_dict(as_dict(item).get("embedding")) for item in as_list(found)]


def _tools(source: Source) -> Any:
    return function_tools(source.nested("llm.tools") or source.data("llm.tools")) or function_tools(
        as_dict(source.data("llm.invocation_parameters")).get("tools")
    )


def _model(source: Source) -> Any:
    parameters = as_dict(source.data("llm.invocation_parameters"))
    return text(parameters.get("model") or parameters.get("model_name"))


def _implied_type(source: Source) -> str | None:
    if source.has("llm.model_name") or source.nested("llm.input_messages"):
        return SpanType.LLM
    if source.nested("retrieval.documents"):
        return SpanType.RETRIEVER
    return None


OPENINFERENCE: Final = Convention(
    name="OpenInference",
    namespaces=frozenset(
        {"openinference", "input", "output", "llm", "embedding", "retrieval", "reranker", "session", "user"}
    ),
    types=(("openinference.span.kind", KINDS),),
    models=(
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "reranker.model_name",
    ),
    providers=("llm.provider", "llm.system"),
    sessions=("session.id",),
    users=("user.id",),
    usage={
        TokenUsageKey.INPUT: ("llm.token_count.prompt",),
        TokenUsageKey.OUTPUT: ("llm.token_count.completion",),
        TokenUsageKey.TOTAL: ("llm.token_count.total",),
        TokenUsageKey.CACHE_READ: (
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
        ),
        TokenUsageKey.CACHE_CREATION: ("llm.token_count.prompt_details.cache_write",),
        TokenUsageKey.REASONING: ("llm.token_count.completion_details.reasoning",),
    },
    cost={
        CostKey.INPUT: ("llm.cost.prompt", "llm.cost.input"),
        CostKey.OUTPUT: ("llm.cost.completion", "llm.cost.output"),
        CostKey.TOTAL: ("llm.cost.total", "llm.cost"),
    },
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
    model_of=_model,
    implied_type=_implied_type,
)
