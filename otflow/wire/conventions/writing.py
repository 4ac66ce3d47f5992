"""`mlflow.*` → other conventions, for spans that leave: what otflow's spans say, said as others read it.

Attributes are added where nothing is; `mlflow.*` stays. What the other convention has no place for, or would not give
back as it is, is added under `otflow.span.*` (`otflow.semconv.Kept`), so that the span reads the same again where
everything under `mlflow.*` was taken off it. "The same" is type, inputs, outputs, model, provider, token usage, cost
and tools; ids, times, status, events and links are OpenTelemetry's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from otflow.entities import Span, SpanType
from otflow.entities.values import clean_text, decode_attribute, dump, encode_attribute
from otflow.semconv import CostKey, Kept, OTel, SpanKey, TokenUsageKey
from otflow.wire.conventions.messages import is_chat, messages, to_parts
from otflow.wire.conventions.reading import additions, keep
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, as_list

__all__ = ["to_openinference", "write"]

_OPERATIONS: Final = {
    SpanType.CHAT_MODEL: "chat",
    SpanType.LLM: "generate_content",
    SpanType.EMBEDDING: "embeddings",
    SpanType.TOOL: "execute_tool",
    SpanType.AGENT: "invoke_agent",
    SpanType.WORKFLOW: "invoke_workflow",
    SpanType.RETRIEVER: "retrieval",
    SpanType.RERANKER: "rerank",
    SpanType.MEMORY: "search_memory",
}
"""Span type → `gen_ai.operation.name`; as MLflow has it where it has one."""

_KINDS: Final = {
    SpanType.CHAT_MODEL: "LLM",
    SpanType.LLM: "LLM",
    SpanType.UNKNOWN: "UNKNOWN",
    **{
        kind: kind
        for kind in (
            SpanType.EMBEDDING,
            SpanType.TOOL,
            SpanType.AGENT,
            SpanType.RETRIEVER,
            SpanType.RERANKER,
            SpanType.GUARDRAIL,
            SpanType.EVALUATOR,
        )
    },
}
"""Span type → `openinference.span.kind`; CHAIN for all others."""

_MODEL_CALLS: Final = frozenset({SpanType.CHAT_MODEL, SpanType.LLM})
_CHATS: Final = frozenset({*_MODEL_CALLS, SpanType.AGENT})

_PARAMETERS: Final = {
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", float),
    "presence_penalty": ("gen_ai.request.presence_penalty", float),
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "max_completion_tokens": ("gen_ai.request.max_tokens", int),
    "max_output_tokens": ("gen_ai.request.max_tokens", int),
    "seed": ("gen_ai.request.seed", int),
    "n": ("gen_ai.request.choice.count", int),
    "stream": ("gen_ai.request.stream", bool),
}
"""Members of a request → attributes, and of which type these are."""

_GENAI_USAGE: Final = {
    TokenUsageKey.INPUT: "gen_ai.usage.input_tokens",
    TokenUsageKey.OUTPUT: "gen_ai.usage.output_tokens",
    TokenUsageKey.CACHE_READ: "gen_ai.usage.cache_read.input_tokens",
    TokenUsageKey.CACHE_CREATION: "gen_ai.usage.cache_write.input_tokens",
    TokenUsageKey.REASONING: "gen_ai.usage.reasoning.output_tokens",
}
_OPENINFERENCE_USAGE: Final = {
    TokenUsageKey.INPUT: "llm.token_count.prompt",
    TokenUsageKey.OUTPUT: "llm.token_count.completion",
    TokenUsageKey.TOTAL: "llm.token_count.total",
    TokenUsageKey.CACHE_READ: "llm.token_count.prompt_details.cache_read",
    TokenUsageKey.CACHE_CREATION: "llm.token_count.prompt_details.cache_write",
    TokenUsageKey.REASONING: "llm.token_count.completion_details.reasoning",
}
_OPENINFERENCE_COST: Final = {
    CostKey.INPUT: "llm.cost.prompt",
    CostKey.OUTPUT: "llm.cost.completion",
    CostKey.TOTAL: "llm.cost.total",
}

_KEPT: Final = (
    (SpanKey.TYPE, Kept.TYPE),
    (SpanKey.INPUTS, Kept.INPUTS),
    (SpanKey.OUTPUTS, Kept.OUTPUTS),
    (SpanKey.LLM_MODEL, Kept.MODEL),
    (SpanKey.LLM_PROVIDER, Kept.PROVIDER),
    (SpanKey.CHAT_USAGE, Kept.USAGE),
    (SpanKey.LLM_COST, Kept.COST),
    (SpanKey.CHAT_TOOLS, Kept.TOOLS),
)
_RESTS: Final = {SpanKey.INPUTS: Kept.INPUTS_REST, SpanKey.OUTPUTS: Kept.OUTPUTS_REST}


def write(span: Span) -> Span:
    """The span with GenAI attributes, of the newest generation, beside its `mlflow.*`; itself where there are none.

    Values that the GenAI conventions have no attribute for stand in `input.value` and `output.value` (OpenInference's),
    which most receivers show.
    """
    return _written(span, _genai)


def to_openinference(span: Span) -> Span:
    """The span with OpenInference's attributes beside its `mlflow.*`; itself where there are none of these."""
    return _written(span, _openinference)


def _written(span: Span, convention: Any) -> Span:
    if not any(key in span.raw_attributes for key, _ in _KEPT):
        return span
    attributes = span.raw_attributes
    said = _Said(span)
    added: dict[str, Any] = {}
    for key, value in convention(said).items():
        if value is not None and key not in attributes:
            added[key] = _attribute(key, value)
    added.update(_kept(span, {**attributes, **added}))
    return span.with_attributes({**attributes, **added}) if added else span


def _attribute(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    return dump(cast("object", value)) if isinstance(value, (dict, list)) else encode_attribute(key, value)


def _kept(span: Span, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What would not be read again, or not as it is, without `mlflow.*`."""
    bare = {key: value for key, value in attributes.items() if key[:7] != "mlflow."}
    found = additions(bare, span.events)
    kept: dict[str, Any] = {}
    for key, own in _KEPT:
        if own in attributes:
            continue
        raw, read = attributes.get(key), found.get(key)
        expected, got = _decoded(raw), _decoded(read)
        if raw is None:
            if key == SpanKey.TYPE and got not in (None, SpanType.UNKNOWN):
                kept[own] = keep(SpanType.UNKNOWN)  # no type is to be read into it
            elif key == SpanKey.LLM_MODEL and got is not None and got != span.model_name:
                kept[own] = keep(span.model_name)
        elif not _same(expected, got):
            rest = _rest(expected, got) if key in _RESTS else None
            if rest is None:
                kept[own] = keep(expected)
            else:
                kept[_RESTS[key]] = keep(rest)
    return kept


def _decoded(raw: Any) -> Any:
    return decode_attribute(raw) if raw is not None else None


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; the order of an object's members is none of it."""
    return one is other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _rest(expected: Any, got: Any) -> Dict | None:
    """The members beside the messages, where these would be read as they are; None where that is not all."""
    whole, part = as_dict(expected), as_dict(got)
    if not part or any(key not in whole or not _same(whole[key], value) for key, value in part.items()):
        return None
    return {key: value for key, value in whole.items() if key not in part}


class _Said:
    """What a span says, under short names."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.kind = span.span_type
        self.inputs: Any = span.inputs
        self.outputs: Any = span.outputs
        self.request = as_dict(self.inputs)
        self.model = _text(span.get_attribute(SpanKey.LLM_MODEL))
        self.provider = _text(span.get_attribute(SpanKey.LLM_PROVIDER))
        self.usage = as_dict(span.get_attribute(SpanKey.CHAT_USAGE))
        self.cost = as_dict(span.get_attribute(SpanKey.LLM_COST))
        self.tools = function_tools(span.get_attribute(SpanKey.CHAT_TOOLS)) or []
        self.prompts = as_list(span.get_attribute(SpanKey.LINKED_PROMPTS))

    def asked(self) -> list[Dict]:
        """The messages of the request, if it is a chat."""
        if self.kind not in _CHATS:
            return []
        for value in (self.request.get("messages"), self.inputs, self.request.get("input")):
            if is_chat(value):
                return messages(value)
        if self.kind in _MODEL_CALLS:
            for value in (self.request.get("prompt"), self.request.get("input"), self.inputs):
                if isinstance(value, str):
                    return messages(value)
        return []

    def answered(self) -> list[Dict]:
        """The messages of the answer, if it is one to a chat."""
        if self.kind not in _CHATS:
            return []
        answer = as_dict(self.outputs)
        choices = as_list(answer.get("choices"))
        if choices and all(as_dict(as_dict(choice).get("message")) for choice in choices):
            return messages(choices, "assistant")
        for value in (answer.get("messages"), self.outputs, [answer]):
            if is_chat(value):
                return messages(value, "assistant")
        return messages(self.outputs, "assistant") if isinstance(self.outputs, str) else []

    def documents(self) -> list[Dict]:
        """The documents that were found, if that is what the outputs are."""
        found = as_list(self.outputs)
        if self.kind not in (SpanType.RETRIEVER, SpanType.RERANKER):
            return []
        return found if found and all("page_content" in as_dict(item) for item in found) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


# -- GenAI -------------------------------------------------------------------------------------------------


def _genai(said: _Said) -> Dict:
    kind = said.kind
    asked, answered = said.asked(), said.answered()
    found: Dict = {
        "gen_ai.operation.name": _OPERATIONS.get(kind),
        "gen_ai.provider.name": said.provider,
        "gen_ai.request.model": _text(said.request.get("model")) or said.model,
        "gen_ai.response.model": said.model,
        "gen_ai.conversation.id": said.span.get_attribute(OTel.SESSION_ID),
        "gen_ai.input.messages": [to_parts(message) for message in asked] or None,
        "gen_ai.output.messages": [to_parts(message) for message in answered] or None,
        "gen_ai.tool.definitions": [as_dict(tool.get("function")) | {"type": "function"} for tool in said.tools]
        or None,
        **{name: _count(said.usage.get(key)) for key, name in _GENAI_USAGE.items()},
    }
    reasons = [str(message["finish_reason"]) for message in answered if message.get("finish_reason")]
    found["gen_ai.response.finish_reasons"] = tuple(reasons) or None
    if kind in _MODEL_CALLS:
        found.update(_parameters(said.request))
    if kind in (SpanType.AGENT, SpanType.WORKFLOW):
        found["gen_ai.agent.name"] = said.span.name
    if said.prompts:
        prompt = as_dict(said.prompts[0])
        found["gen_ai.prompt.name"], found["gen_ai.prompt.version"] = (
            _text(prompt.get("name")),
            _text(prompt.get("version")),
        )
    found.update(_genai_content(said, bool(asked), bool(answered)))
    return found


def _genai_content(said: _Said, has_asked: bool, has_answered: bool) -> Dict:
    if said.kind == SpanType.TOOL:
        return {
            "gen_ai.tool.name": said.span.name,
            "gen_ai.tool.call.arguments": said.inputs,
            "gen_ai.tool.call.result": said.outputs,
        }
    found: Dict = {}
    if not has_asked:
        if said.kind == SpanType.RETRIEVER and isinstance(said.inputs, str):
            found["gen_ai.retrieval.query.text"] = said.inputs
        else:
            found.update(_value("input", said.inputs))
    documents = said.documents()
    if documents:
        found["gen_ai.retrieval.documents"] = [_flat_document(document) for document in documents]
    elif not has_answered:
        found.update(_value("output", said.outputs))
    return found


def _flat_document(document: Dict) -> Dict:
    metadata = as_dict(document.get("metadata"))
    score = _count(metadata.get("score"))
    rest = {key: value for key, value in metadata.items() if key != "score" or score is None}
    made: Dict = {"id": document.get("id"), "content": document.get("page_content"), "score": score}
    return {key: value for key, value in {**made, "metadata": rest or None}.items() if value is not None}


def _parameters(request: Dict) -> Dict:
    found: Dict = {}
    for name, (key, kind) in _PARAMETERS.items():
        value = request.get(name)
        if kind is float and (count := _count(value)) is not None:
            found[key] = float(count)
        elif type(value) is kind and not (key.endswith("count") and value == 1):
            found[key] = value
    stop = request.get("stop")
    stops = [stop] if isinstance(stop, str) else as_list(stop)
    if stops and all(isinstance(item, str) for item in stops):
        found["gen_ai.request.stop_sequences"] = tuple(stops)
    return found


def _value(side: str, value: Any) -> Dict:
    if value is None:
        return {}
    if isinstance(value, str):
        return {f"{side}.value": value, f"{side}.mime_type": "text/plain"}
    return {
        f"{side}.value": dump(value) if not isinstance(value, (dict, list)) else value,
        f"{side}.mime_type": "application/json",
    }


# -- OpenInference -----------------------------------------------------------------------------------------


def _openinference(said: _Said) -> Dict:
    found: Dict = {
        "openinference.span.kind": _KINDS.get(said.kind, "CHAIN"),
        **_value("input", said.inputs),
        **_value("output", said.outputs),
        "llm.provider": said.provider,
        **{name: _count(said.usage.get(key)) for key, name in _OPENINFERENCE_USAGE.items()},
        **{name: _count(said.cost.get(key)) for key, name in _OPENINFERENCE_COST.items()},
    }
    if said.kind == SpanType.EMBEDDING:
        found["embedding.model_name"] = said.model
        for place, item in enumerate(as_list(said.request.get("input"))):
            found[f"embedding.embeddings.{place}.embedding.text"] = _text(item)
    else:
        found["llm.model_name"] = said.model
    if said.kind in _MODEL_CALLS:
        found.update(_flat_messages("llm.input_messages", said.asked()))
        found.update(_flat_messages("llm.output_messages", said.answered()))
        found["llm.invocation_parameters"] = {
            key: value for key, value in said.request.items() if key in ("model", "stop", *_PARAMETERS)
        } or None
    for place, tool in enumerate(said.tools):
        found[f"llm.tools.{place}.tool.json_schema"] = tool
    if said.kind == SpanType.TOOL:
        found["tool.name"] = said.span.name
    prefix = "reranker.output_documents" if said.kind == SpanType.RERANKER else "retrieval.documents"
    for place, document in enumerate(said.documents()):
        flat = _flat_document(document)
        for key in ("id", "content", "score", "metadata"):
            found[f"{prefix}.{place}.document.{key}"] = flat.get(key)
    return found


def _flat_messages(prefix: str, said: list[Dict]) -> Dict:
    found: Dict = {}
    for place, message in enumerate(said):
        start = f"{prefix}.{place}.message."
        found[start + "role"] = _text(message.get("role"))
        content = message.get("content")
        if isinstance(content, str):
            found[start + "content"] = content
        for number, part in enumerate(as_list(content)):
            found.update(_flat_part(f"{start}contents.{number}.message_content.", as_dict(part)))
        for key in ("name", "tool_call_id"):
            found[start + key] = _text(message.get(key))
        for number, call in enumerate(as_list(message.get("tool_calls"))):
            function = as_dict(as_dict(call).get("function"))
            base = f"{start}tool_calls.{number}.tool_call."
            found[base + "id"] = _text(as_dict(call).get("id"))
            found[base + "function.name"] = _text(function.get("name"))
            found[base + "function.arguments"] = _text(function.get("arguments"))
    return found


def _flat_part(base: str, part: Dict) -> Dict:
    url = as_dict(part.get("image_url")).get("url")
    if isinstance(url, str):
        return {base + "type": "image", base + "image.image.url": url}
    return {base + "type": _text(part.get("type")), base + "text": _text(part.get("text"))}
