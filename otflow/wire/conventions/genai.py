"""OpenTelemetry's GenAI semantic conventions, every generation of them.

Generations, newest first: `gen_ai.input.messages` and the like (open-telemetry/semantic-conventions-genai v0.1.0, and
semconv 1.37 on); span events `gen_ai.user.message`, `gen_ai.choice` (1.28 to 1.36); span events `gen_ai.content.prompt`
(1.27); attributes `gen_ai.prompt.N.content` and `gen_ai.completion.N.content`, which OpenLLMetry still writes.
Token counts: `prompt_tokens`, `completion_tokens` before 1.27; `cache_creation` is called `cache_write` lately.
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.entities.values import dump
from otflow.semconv import TokenUsageKey
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.messages import chat, instructions, is_chat, messages, text_of
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, data, is_dict, is_list, text

__all__ = ["GENAI", "OPERATIONS", "documents"]

OPERATIONS: Final = {
    "chat": SpanType.CHAT_MODEL,
    "text_completion": SpanType.LLM,
    "completion": SpanType.LLM,
    "generate_content": SpanType.LLM,
    "response": SpanType.LLM,
    "responses": SpanType.CHAT_MODEL,
    "embeddings": SpanType.EMBEDDING,
    "embedding": SpanType.EMBEDDING,
    "execute_tool": SpanType.TOOL,
    "create_agent": SpanType.AGENT,
    "invoke_agent": SpanType.AGENT,
    "invoke_workflow": SpanType.WORKFLOW,
    "retrieval": SpanType.RETRIEVER,
    "rerank": SpanType.RERANKER,
    "plan": SpanType.TASK,
    "guardrail": SpanType.GUARDRAIL,
    "evaluate": SpanType.EVALUATOR,
    "search_memory": SpanType.MEMORY,
    "create_memory": SpanType.MEMORY,
    "update_memory": SpanType.MEMORY,
    "upsert_memory": SpanType.MEMORY,
    "delete_memory": SpanType.MEMORY,
    "create_memory_store": SpanType.MEMORY,
    "delete_memory_store": SpanType.MEMORY,
}
"""`gen_ai.operation.name` → span type. Where MLflow 3.10.1 reads one, this is what it reads."""

_MESSAGE_EVENTS: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
"""Events of the second generation that are a message of the request, and whose it is."""
_CHOICE_EVENT: Final = "gen_ai.choice"
_PROMPT_EVENT: Final = "gen_ai.content.prompt"
_COMPLETION_EVENT: Final = "gen_ai.content.completion"
_DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"
_NO_TEXT: Final = frozenset({"event.name", "gen_ai.system", "gen_ai.provider.name", "gen_ai.message.index"})


def _said(source: Source, key: str) -> Any:
    """An attribute of the span, or else of its event with the details."""
    found = source.data(key)
    if found is None:
        for event in source.events:
            if event.name == _DETAILS_EVENT and (found := data((event.attributes or {}).get(key))) is not None:
                break
    return found


# -- inputs ------------------------------------------------------------------------------------------------


def _inputs(source: Source) -> Any:
    arguments = _said(source, "gen_ai.tool.call.arguments")
    if arguments is not None:
        return arguments
    query = source.text("gen_ai.retrieval.query.text", "gen_ai.memory.query.text")
    if query is not None:
        return query
    said = _request_messages(source)
    if source.span_type == SpanType.EMBEDDING and said:
        texts = [text_of(message) for message in said]
        return {"input": texts} if None not in texts else {"messages": said}
    if said:
        return {"messages": said}
    if source.span_type == SpanType.EMBEDDING:
        return _listed("input", source.data("gen_ai.embeddings.input"))
    if source.has("gen_ai.memory.records") and source.text("gen_ai.operation.name") != "search_memory":
        return {"records": source.data("gen_ai.memory.records")}
    return None


def _listed(name: str, value: Any) -> Any:
    return None if value is None else {name: value}


def _request_messages(source: Source) -> list[Dict]:
    said = messages(_said(source, "gen_ai.input.messages")) or _event_messages(source) or _prompts(source)
    system = instructions(_said(source, "gen_ai.system_instructions"))
    if not said or system is None or {"role": "system", "content": system} in said[:1]:
        return said
    return [{"role": "system", "content": system}, *said]


def _event_messages(source: Source) -> list[Dict]:
    said: list[Dict] = []
    for event in source.events:
        attributes = event.attributes or {}
        if event.name in _MESSAGE_EVENTS:
            said.extend(messages(_of_event(attributes), _MESSAGE_EVENTS[event.name]))
        elif event.name == _PROMPT_EVENT:
            said.extend(messages(attributes.get("gen_ai.prompt")))
    return said


def _of_event(attributes: Any) -> Dict:
    """The message that an event is: in its attributes, or in one that holds its body as JSON text."""
    for key in ("gen_ai.event.content", "body", "event_body"):
        body = data(attributes.get(key))
        if is_dict(body):
            return body
    return {key: value for key, value in attributes.items() if key not in _NO_TEXT}


def _prompts(source: Source) -> list[Dict]:
    return messages(source.nested("gen_ai.prompt")) or messages(source.attributes.get("gen_ai.prompt"))


# -- outputs -----------------------------------------------------------------------------------------------


def _outputs(source: Source) -> Any:
    for key in ("gen_ai.tool.call.result", "gen_ai.tool.call.response"):
        if (result := _said(source, key)) is not None:
            return result
    found = _said(source, "gen_ai.retrieval.documents")
    if is_list(found):
        return documents(found)
    if source.text("gen_ai.operation.name") == "search_memory" and source.has("gen_ai.memory.records"):
        return source.data("gen_ai.memory.records")
    said = _said(source, "gen_ai.output.messages")
    return (
        chat(said, "assistant")
        or _choices(source)
        or chat(source.nested("gen_ai.completion"), "assistant")
        or chat(source.attributes.get("gen_ai.completion"), "assistant")
    )


def _choices(source: Source) -> Dict | None:
    said: list[Dict] = []
    for event in source.events:
        attributes = event.attributes or {}
        if event.name == _COMPLETION_EVENT:
            said.extend(messages(attributes.get("gen_ai.completion"), "assistant"))
        elif event.name == _CHOICE_EVENT:
            body = _of_event(attributes)
            nested_message = {
                key.removeprefix("message."): value for key, value in body.items() if key.startswith("message.")
            }
            message = data(body.get("message")) or nested_message or {**body}
            if not is_dict(message):
                message = {"role": "assistant", "content": message}
            if reason := text(body.get("finish_reason")):
                message = {**message, "finish_reason": reason}
            message.pop("index", None)
            said.extend(messages([message], "assistant"))
    return {"messages": said} if said else None


def documents(found: list[Any]) -> list[Dict]:
    """Retrieved documents as MLflow's `Document` has them; what has no place there goes into their metadata."""
    made: list[Dict] = []
    for item in found:
        body = as_dict(data(item))
        content = next((body[key] for key in ("content", "text", "page_content") if body.get(key) is not None), "")
        metadata = data(body.get("metadata"))
        rest = {
            key: value
            for key, value in body.items()
            if key not in ("id", "content", "text", "page_content", "metadata") and value is not None
        }
        own: Dict = metadata if is_dict(metadata) else {} if metadata is None else {"metadata": metadata}
        identity = body.get("id")
        made.append(
            {
                "page_content": content if isinstance(content, str) else dump(content),
                "metadata": {**own, **rest},
                "id": None if identity is None else text(identity) or str(identity),
            }
        )
    return made


# -- the rest ------------------------------------------------------------------------------------------------


def _tools(source: Source) -> Any:
    return function_tools(_said(source, "gen_ai.tool.definitions")) or function_tools(
        source.data("gen_ai.request.tools")
    )


def _implied_type(source: Source) -> str | None:
    if source.has("gen_ai.tool.call.id") or source.has("gen_ai.tool.call.arguments"):
        return SpanType.TOOL
    if source.has("gen_ai.retrieval.query.text") or source.has("gen_ai.retrieval.documents"):
        return SpanType.RETRIEVER
    if source.has("gen_ai.operation.name") and not source.has("gen_ai.request.model"):
        return None  # an operation of its own, which only holds messages
    names = {event.name for event in source.events}
    if names & {*_MESSAGE_EVENTS, _CHOICE_EVENT} or source.has("gen_ai.input.messages"):
        return SpanType.CHAT_MODEL
    if is_chat(source.nested("gen_ai.prompt")):
        return SpanType.CHAT_MODEL
    if source.has("gen_ai.request.model") or source.has("gen_ai.prompt"):
        return SpanType.LLM
    return None


def _prompt_link(source: Source) -> Any:
    name = source.text("gen_ai.prompt.name")
    version = source.text("gen_ai.prompt.version")
    return [{"name": name, "version": version}] if name and version else None


def _details_model(source: Source) -> Any:
    return text(_said(source, "gen_ai.response.model")) or text(_said(source, "gen_ai.request.model"))


def _details_usage(source: Source) -> Dict | None:
    """What a list of tools says of itself is no usage; the event with the details may have all counts."""
    for event in source.events:
        if event.name == _DETAILS_EVENT:
            attributes = event.attributes or {}
            return {
                key: attributes[name]
                for key, names in GENAI.usage.items()
                for name in reversed(names)
                if name in attributes
            }
    return None


GENAI: Final = Convention(
    name="GenAI",
    namespaces=frozenset({"gen_ai", "session", "user", "enduser"}),
    types=(("gen_ai.operation.name", OPERATIONS),),
    models=("gen_ai.response.model", "gen_ai.request.model"),
    providers=("gen_ai.provider.name", "gen_ai.system"),
    sessions=("session.id", "gen_ai.conversation.id"),
    users=("user.id", "enduser.id"),
    usage={
        TokenUsageKey.INPUT: ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        TokenUsageKey.OUTPUT: ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        TokenUsageKey.TOTAL: ("gen_ai.usage.total_tokens",),
        TokenUsageKey.CACHE_READ: (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_tokens.cached",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cached_tokens",
            "gen_ai.usage.prompt_caching.read_tokens",
        ),
        TokenUsageKey.CACHE_CREATION: (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.input_tokens.cache_write",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.prompt_caching.write_tokens",
        ),
        TokenUsageKey.REASONING: (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.output_tokens.reasoning",
            "gen_ai.usage.details.reasoning_tokens",
        ),
    },
    cost={
        "input_cost": ("gen_ai.usage.input_cost", "gen_ai.usage.cost.input"),
        "output_cost": ("gen_ai.usage.output_cost", "gen_ai.usage.cost.output"),
        "total_cost": ("gen_ai.usage.cost", "gen_ai.usage.total_cost", "gen_ai.usage.cost.total"),
    },
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
    prompts=_prompt_link,
    model_of=_details_model,
    usage_of=_details_usage,
    implied_type=_implied_type,
)
