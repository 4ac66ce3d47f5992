"""What spans of each convention read like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import Span, SpanEvent
from otflow.semconv import SpanKey
from otflow.wire.conventions import read
from otflow.wire.conventions.reading import CONVENTIONS
from otflow.wire.otlp import decode_spans

CAPTURES = sorted((Path(__file__).parents[2] / "data" / "otlp").rglob("*.otlp.pb"))
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather", "parameters": {"type": "object", "properties": {}}},
}
ASKED = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "hi"}]


PLAIN = {"handle_request", "hello {a}", "outer {x}"}
"""Names of captured spans that are of no type."""


def foreign(attributes: dict[str, Any], *events: tuple[str, dict[str, Any]]) -> Span:
    return Span.of(
        trace_id="tr-" + "ab" * 16,
        span_id="cd" * 8,
        parent_id=None,
        name="made",
        start_ns=1_000,
        end_ns=2_000,
        attributes=attributes,
        events=[SpanEvent(name, 1_500, values) for name, values in events],
    )


def reading(attributes: dict[str, Any], *events: tuple[str, dict[str, Any]]) -> Span:
    return read(foreign(attributes, *events))


def captured(file: str, name: str) -> list[Span]:
    path = next(path for path in CAPTURES if path.name.startswith(file))
    return [read(span) for span in decode_spans(path.read_bytes()) if span.name == name]


def usage(span: Span) -> Any:
    return span.get_attribute(SpanKey.CHAT_USAGE)


def tools(span: Span) -> Any:
    return span.get_attribute(SpanKey.CHAT_TOOLS)


def provider(span: Span) -> Any:
    return span.get_attribute(SpanKey.LLM_PROVIDER)


def identity(span: Span) -> tuple[Any, Any]:
    return span.get_attribute("session.id"), span.get_attribute("user.id")


# -- whatever the convention --------------------------------------------------------------------------------------


def test_an_own_span_is_the_same_object() -> None:
    own = foreign({SpanKey.TYPE: '"TOOL"', SpanKey.INPUTS: "{}", "custom": 1, "http.method": "GET"})
    assert read(own) is own


def test_what_is_there_is_not_replaced_and_the_original_stays() -> None:
    attributes = {
        SpanKey.INPUTS: '"mine"',
        SpanKey.TYPE: '"CHAIN"',
        "gen_ai.operation.name": "chat",
        "gen_ai.prompt": "theirs",
        "gen_ai.usage.input_tokens": 3,
    }
    span = reading(attributes)
    assert (span.inputs, span.span_type) == ("mine", "CHAIN")
    assert usage(span) == {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}
    assert {key: span.raw_attributes[key] for key in attributes} == attributes


def test_what_was_read_is_not_read_again() -> None:
    for path in CAPTURES:
        for span in decode_spans(path.read_bytes()):
            once = read(span)
            assert read(once) is once


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name.partition(".")[0])
def test_every_captured_call_reads_as_one(path: Path) -> None:
    for span in map(read, decode_spans(path.read_bytes())):
        if span.name not in PLAIN:
            assert span.span_type != "UNKNOWN", span.name
        if span.span_type in ("CHAT_MODEL", "LLM"):
            assert span.model_name or provider(span)
            assert span.status_code == "ERROR" or span.inputs or span.outputs


def test_several_conventions_on_one_span_each_say_what_they_know() -> None:
    span = reading(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-x",
            "openinference.span.kind": "LLM",
            "input.value": "from OpenInference",
            "llm.token_count.prompt": 7,
            "gen_ai.usage.output_tokens": 2,
            "traceloop.entity.output": '"from OpenLLMetry"',
            "langfuse.observation.cost_details": '{"total": 0.25}',
            "langfuse.user.id": "u",
        }
    )
    assert (span.span_type, span.model_name) == ("CHAT_MODEL", "gpt-x")
    assert (span.inputs, span.outputs) == ("from OpenInference", "from OpenLLMetry")
    assert usage(span) == {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
    assert span.llm_cost == {"total_cost": 0.25}
    assert identity(span) == (None, "u")


def test_the_newest_generation_wins() -> None:
    span = reading(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "new"}]}]',
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "old",
            "input.value": "other",
        }
    )
    assert span.inputs == {"messages": [{"role": "user", "content": "new"}]}


KEYS = st.sampled_from(
    [
        *("gen_ai.operation.name", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
        *("gen_ai.tool.definitions", "gen_ai.prompt.0.content", "gen_ai.prompt.0", "gen_ai.prompt.x.y"),
        *("gen_ai.completion.0.tool_calls.0.name", "gen_ai.usage.input_tokens", "gen_ai.retrieval.documents"),
        *("openinference.span.kind", "input.value", "input.mime_type", "llm.input_messages.0.message.role"),
        *("llm.input_messages.0.message.contents.0.message_content.image", "llm.tools.0.tool.json_schema"),
        *("retrieval.documents.0.document.metadata", "reranker.output_documents", "embedding.embeddings.0"),
        *("llm.cost.total", "llm.prompts", "llm.invocation_parameters", "traceloop.span.kind"),
        *("traceloop.entity.input", "llm.request.functions.0.parameters", "langfuse.observation.type"),
        *("langfuse.observation.input", "langfuse.observation.usage_details", "langfuse.observation.cost_details"),
        *("ai.operationId", "ai.prompt", "ai.prompt.messages", "ai.response.toolCalls", "ai.values", "ai.prompt.tools"),
        *("request_data", "response_data", "logfire.json_schema", "events", "operation.cost", "otflow.span.inputs"),
        *("pydantic_ai.all_messages", "all_messages_events", "model_request_parameters", "final_result", "session.id"),
        *(
            "otflow.span.inputs.rest",
            "otflow.span.usage",
            "gen_ai.prompt",
            "ai.embedding",
            "ai.telemetry.metadata.userId",
        ),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["chat", "LLM"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("role", "content", "parts", "type", "text", "tool_calls", "function", "name", "arguments", "id"),
                    *(
                        "message",
                        "properties",
                        "metadata",
                        "messages",
                        "choices",
                        "input",
                        "total",
                        "image",
                        "response",
                    ),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
CONTENT = (
    st.text(max_size=8)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.sampled_from(["{", '"', "[1", '{"a":', "[" * 5000, "chat", "text/plain", "application/json"])
    | JSON.map(json.dumps)
    | JSON.map(lambda value: json.dumps(json.dumps(value)))
    | st.lists(st.text(max_size=4), max_size=3).map(tuple)
)
EVENTS = st.tuples(
    st.sampled_from(["gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt", "gen_ai.x", "exception"]),
    st.dictionaries(st.sampled_from(["content", "message", "gen_ai.prompt", "tool_calls", "role", "index"]), CONTENT),
)


@given(st.dictionaries(KEYS, CONTENT, max_size=8), st.lists(EVENTS, max_size=3))
def test_malformed_content_never_raises_and_stays(
    attributes: dict[str, Any], events: list[tuple[str, dict[str, Any]]]
) -> None:
    span = reading(attributes, *events)
    assert {key: span.raw_attributes[key] for key in attributes} == attributes
    span.to_dict()
    _ = span.inputs, span.outputs, span.llm_cost, span.span_type, span.model_name


def test_a_reader_that_fails_does_not_take_the_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(source: object) -> Any:
        raise KeyError(source)

    broken = {convention.name: convention for convention in CONVENTIONS}["GenAI"]
    monkeypatch.setitem(broken.__dict__, "inputs", fails)
    span = reading({"gen_ai.operation.name": "chat", "gen_ai.prompt": "hi", "input.value": "hello"})
    assert (span.span_type, span.inputs) == ("CHAT_MODEL", "hello")


# -- GenAI ----------------------------------------------------------------------------------------------------------


def test_a_captured_chat_with_tools_of_the_newest_generation() -> None:
    asked, answered = captured("openai_v2", "chat gpt-4o-mini")[3:5]
    (call,) = asked.outputs["messages"][0]["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert answered.inputs["messages"] == [
        {"role": "user", "content": "weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": '{"temp_c": 21, "sky": "clear"}', "tool_call_id": call["id"]},
    ]
    assert (answered.span_type, answered.model_name, provider(answered)) == (
        "CHAT_MODEL",
        "gpt-4o-mini-2024-07-18",
        "openai",
    )
    assert usage(answered) == {"input_tokens": 24, "output_tokens": 14, "total_tokens": 38}


@pytest.mark.parametrize(
    ("operation", "span_type"),
    [
        *[("chat", "CHAT_MODEL"), ("text_completion", "LLM"), ("generate_content", "LLM"), ("embeddings", "EMBEDDING")],
        *[("execute_tool", "TOOL"), ("create_agent", "AGENT"), ("invoke_agent", "AGENT"), ("retrieval", "RETRIEVER")],
        *[("invoke_workflow", "WORKFLOW"), ("plan", "TASK"), ("search_memory", "MEMORY"), ("upsert_memory", "MEMORY")],
        *[("rerank", "RERANKER"), ("something_new", "UNKNOWN")],
    ],
)
def test_operations(operation: str, span_type: str) -> None:
    assert reading({"gen_ai.operation.name": operation}).span_type == span_type


STRUCTURED = [
    {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
    {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "yo"}]},
]


@pytest.mark.parametrize("text", [json.dumps(STRUCTURED), json.dumps(json.dumps(STRUCTURED))])
def test_messages_as_json_text_or_structured(text: str) -> None:
    span = reading({"gen_ai.operation.name": "chat", "gen_ai.input.messages": text})
    assert span.inputs == {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yo", "reasoning_content": "hm"},
        ]
    }


def test_parts_that_are_media() -> None:
    parts = [
        {"type": "text", "content": "look"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
        {"type": "uri", "modality": "image", "uri": "https://example.com/x.png"},
        {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "aGk="},
        {"type": "new_kind", "x": 1},
    ]
    span = reading({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])})
    assert span.inputs["messages"][0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "new_kind", "x": 1},
    ]


def test_system_instructions_come_first() -> None:
    span = reading(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief"}]',
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
        }
    )
    assert span.inputs["messages"] == ASKED


def test_messages_in_events() -> None:
    span = reading(
        {"gen_ai.operation.name": "chat"},
        ("gen_ai.system.message", {"content": "Be brief", "gen_ai.system": "openai"}),
        ("gen_ai.user.message", {"content": "hi"}),
        ("gen_ai.assistant.message", {"tool_calls": json.dumps([CALL])}),
        ("gen_ai.tool.message", {"content": "21", "id": "call_1"}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"role": "assistant", "content": "yo"}'}),
    )
    assert span.inputs["messages"] == [
        *ASKED,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "21", "tool_call_id": "call_1"},
    ]
    assert span.outputs == {"messages": [{"role": "assistant", "content": "yo", "finish_reason": "stop"}]}


def test_messages_in_the_event_with_the_details() -> None:
    span = reading(
        {"gen_ai.operation.name": "chat"},
        (
            "gen_ai.client.inference.operation.details",
            {
                "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief"}]',
                "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
                "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]',
                "gen_ai.response.model": "gpt-x",
                "gen_ai.usage.input_tokens": 3,
                "gen_ai.usage.output_tokens": 2,
            },
        ),
    )
    assert span.inputs["messages"] == ASKED
    assert span.outputs == {"messages": [{"role": "assistant", "content": "yo"}]}
    assert span.model_name == "gpt-x"
    assert usage(span) == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def test_content_events_of_the_first_generation() -> None:
    span = reading(
        {"gen_ai.system": "openai", "gen_ai.request.model": "m"},
        ("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(ASKED)}),
        ("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "yo"}]'}),
    )
    assert span.inputs["messages"] == ASKED
    assert span.outputs == {"messages": [{"role": "assistant", "content": "yo"}]}


def test_flattened_prompts_with_missing_indices() -> None:
    span = reading(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief",
            "gen_ai.prompt.10.role": "user",
            "gen_ai.prompt.10.content": '[{"type": "text", "text": "look"}]',
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "call_1",
            "gen_ai.prompt.2.tool_calls.0.name": "get_weather",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"city": "Paris"}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.tool_call_id": "call_1",
            "gen_ai.prompt.3.content": '{"temp": 21}',
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "yo",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.usage.prompt_tokens": 3,
            "gen_ai.usage.completion_tokens": 2,
            "llm.usage.total_tokens": 5,
            "llm.request.functions.0.name": "get_weather",
            "llm.request.functions.0.description": "Weather",
            "llm.request.functions.0.parameters": '{"type": "object", "properties": {}}',
        }
    )
    assert span.span_type == "CHAT_MODEL"
    assert span.inputs["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": '{"temp": 21}', "tool_call_id": "call_1"},
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
    ]
    assert span.outputs == {"messages": [{"role": "assistant", "content": "yo", "finish_reason": "stop"}]}
    assert usage(span) == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert tools(span) == [TOOL]


def test_tokens_of_caches_and_reasoning() -> None:
    given_names = {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.cache_write.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 30,
    }
    older = {
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 50,
        "gen_ai.usage.cache_read_input_tokens": 60,
        "gen_ai.usage.cache_creation.input_tokens": 20,
        "gen_ai.usage.reasoning_tokens": 30,
    }
    for attributes in (given_names, older):
        assert usage(reading(attributes)) == {
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 20,
            "reasoning_output_tokens": 30,
        }


def test_a_tool_run() -> None:
    span = reading(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.arguments": '{"city": "Paris"}',
            "gen_ai.tool.call.result": "4",
        }
    )
    assert (span.span_type, span.inputs, span.outputs) == ("TOOL", {"city": "Paris"}, "4")


def test_a_retrieval() -> None:
    span = reading(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": "capital of France",
            "gen_ai.retrieval.documents": '[{"id": "d1", "score": 0.9, "content": "Paris", "metadata": {"page": 3}}]',
        }
    )
    assert (span.span_type, span.inputs) == ("RETRIEVER", "capital of France")
    assert span.outputs == [{"page_content": "Paris", "metadata": {"page": 3, "score": 0.9}, "id": "d1"}]


def test_definitions_of_tools() -> None:
    definition = {"type": "function", **TOOL["function"]}  # type: ignore[dict-item]
    for key, value in (
        ("gen_ai.tool.definitions", [definition]),
        ("gen_ai.tool.definitions", [TOOL]),
        ("llm.tools.0.tool.json_schema", TOOL),
        (
            "llm.tools.0.tool.json_schema",
            {
                "name": "get_weather",
                "description": "Weather",
                "input_schema": {"type": "object", "properties": {}},
            },
        ),
        ("ai.prompt.tools", [{"type": "function", "name": "get_weather", "description": "Weather",
                              "inputSchema": {"type": "object", "properties": {}}}]),
    ):  # fmt: skip
        assert tools(reading({key: json.dumps(value)})) == [TOOL], key


def test_the_conversation_is_the_session() -> None:
    assert identity(reading({"gen_ai.conversation.id": "c1", "enduser.id": "u1"})) == ("c1", "u1")
    assert identity(reading({"gen_ai.conversation.id": "c1", "session.id": "s1"})) == ("s1", None)


# -- OpenInference ----------------------------------------------------------------------------------------------------


def test_a_captured_call_keeps_request_and_answer_as_they_were() -> None:
    span = captured("openinference_openai", "ChatCompletion")[3]
    assert span.span_type == "LLM"
    assert span.inputs["messages"] == [{"role": "user", "content": "weather in Paris?"}]
    assert span.outputs["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert [tool["function"]["name"] for tool in tools(span)] == ["get_weather"]
    assert usage(span) == {"input_tokens": 8, "output_tokens": 12, "total_tokens": 20}
    assert provider(span) == "openai"
    assert span.get_attribute(SpanKey.MESSAGE_FORMAT) == "openai"


def test_captured_steps_of_the_decorators() -> None:
    (adder,) = captured("openinference_openai", "adder")
    assert (adder.span_type, adder.inputs, adder.outputs) == ("TOOL", {"a": 1, "b": 2}, "3")
    (agent,) = captured("openinference_openai", "my_agent")
    assert (agent.span_type, agent.inputs, agent.outputs) == ("AGENT", "hello", "HELLO3")
    (retriever,) = captured("openinference_openai", "retr")
    assert (retriever.span_type, retriever.inputs) == ("RETRIEVER", "query text")
    assert retriever.outputs == [
        {"page_content": "doc 0", "metadata": {"score": 0.9}, "id": "0"},
        {"page_content": "doc 1", "metadata": {"score": 0.8}, "id": "1"},
    ]


@pytest.mark.parametrize(
    "kind", ["LLM", "EMBEDDING", "CHAIN", "RETRIEVER", "RERANKER", "TOOL", "AGENT", "GUARDRAIL", "EVALUATOR", "UNKNOWN"]
)
def test_kinds(kind: str) -> None:
    assert reading({"openinference.span.kind": kind}).span_type == kind


def test_flattened_messages_where_the_value_has_none() -> None:
    span = reading(
        {
            "openinference.span.kind": "LLM",
            "input.value": json.dumps({"messages": [[{"lc": 1, "type": "constructor", "kwargs": {"content": "hi"}}]]}),
            "input.mime_type": "application/json",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "look",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": "https://example.com/x.png",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get_weather",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city": "Paris"}',
            "llm.token_count.prompt": 10,
            "llm.token_count.completion": 5,
            "llm.token_count.prompt_details.cache_read": 4,
            "llm.token_count.prompt_details.cache_write": 3,
            "llm.token_count.completion_details.reasoning": 2,
            "llm.cost.prompt": 0.1,
            "llm.cost.completion": 0.2,
            "llm.cost.total": 0.3,
            "llm.provider": "azure",
            "llm.system": "openai",
            "llm.invocation_parameters": '{"model": "gpt-x"}',
        }
    )
    image = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}
    assert span.inputs == {"messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, image]}]}
    assert span.outputs == {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]}
    assert usage(span) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 3,
        "reasoning_output_tokens": 2,
    }
    assert span.llm_cost == {"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}
    assert (provider(span), span.model_name) == ("azure", "gpt-x")


def test_the_mime_type_says_how_a_value_reads() -> None:
    for mime, value, expected in (
        ("application/json", "[1, 2]", [1, 2]),
        ("application/json", "4", 4),
        ("application/json", "not JSON", "not JSON"),
        ("text/plain", "4", "4"),
        (None, '{"a": 1}', {"a": 1}),
        (None, "4", "4"),
    ):
        attributes = {"openinference.span.kind": "CHAIN", "input.value": value}
        if mime is not None:
            attributes["input.mime_type"] = mime
        assert reading(attributes).inputs == expected


def test_embeddings_and_rerankers() -> None:
    embedding = reading(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "e",
            "embedding.embeddings.0.embedding.text": "alpha",
            "embedding.embeddings.0.embedding.vector": (0.5, 0.25),
        }
    )
    assert (embedding.inputs, embedding.model_name) == ({"input": ["alpha"]}, "e")
    assert embedding.outputs == {"embeddings": [[0.5, 0.25]]}
    reranker = reading(
        {
            "openinference.span.kind": "RERANKER",
            "reranker.query": "q",
            "reranker.model_name": "r",
            "reranker.input_documents.0.document.content": "a",
            "reranker.output_documents.0.document.content": "a",
            "reranker.output_documents.0.document.score": 0.5,
            "reranker.output_documents.0.document.metadata": '{"page": 1}',
        }
    )
    assert reranker.inputs == {"query": "q", "documents": [{"page_content": "a", "metadata": {}, "id": None}]}
    assert reranker.outputs == [{"page_content": "a", "metadata": {"page": 1, "score": 0.5}, "id": None}]


# -- the others ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["workflow", "task", "agent", "tool"])
def test_openllmetry(kind: str) -> None:
    span = reading(
        {
            "traceloop.span.kind": kind,
            "traceloop.entity.name": "step",
            "traceloop.entity.input": '{"args": [1], "kwargs": {}}',
            "traceloop.entity.output": '"done"',
            "traceloop.association.properties.session_id": "s",
            "traceloop.association.properties.user_id": "u",
        }
    )
    assert (span.span_type, span.inputs, span.outputs) == (kind.upper(), {"args": [1], "kwargs": {}}, "done")
    assert identity(span) == ("s", "u")


def test_langfuse() -> None:
    span = reading(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": json.dumps(ASKED),
            "langfuse.observation.output": '{"role": "assistant", "content": "yo"}',
            "langfuse.observation.model.name": "gpt-x",
            "langfuse.observation.usage_details": json.dumps(
                {"input": 10, "output": 5, "total": 15, "input_cached_tokens": 4, "output_reasoning_tokens": 2}
            ),
            "langfuse.observation.cost_details": '{"input": 0.1, "output": 0.2, "total": 0.3}',
            "langfuse.observation.prompt.name": "greeting",
            "langfuse.observation.prompt.version": 3,
            "langfuse.session.id": "s",
            "user.id": "u",
        }
    )
    assert (span.span_type, span.model_name) == ("CHAT_MODEL", "gpt-x")
    assert span.inputs == {"messages": ASKED}
    assert span.outputs == {"messages": [{"role": "assistant", "content": "yo"}]}
    assert usage(span) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "cache_read_input_tokens": 4,
        "reasoning_output_tokens": 2,
    }
    assert span.llm_cost == {"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}
    assert span.get_attribute(SpanKey.LINKED_PROMPTS) == [{"name": "greeting", "version": "3"}]
    assert identity(span) == ("s", "u")


@pytest.mark.parametrize(
    ("kind", "span_type"),
    [("agent", "AGENT"), ("tool", "TOOL"), ("chain", "CHAIN"), ("retriever", "RETRIEVER"), ("embedding", "EMBEDDING")],
)
def test_observations_of_langfuse(kind: str, span_type: str) -> None:
    span = reading({"langfuse.observation.type": kind, "langfuse.observation.input": '{"a": 1}'})
    assert (span.span_type, span.inputs) == (span_type, {"a": 1})


def test_a_model_call_of_the_vercel_ai_sdk() -> None:
    span = reading(
        {
            "operation.name": "ai.generateText.doGenerate my-function",
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-x",
            "ai.model.provider": "openai.chat",
            "ai.prompt.messages": json.dumps(
                [
                    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
                    {
                        "role": "assistant",
                        "content": [
                            {
                                "type": "tool-call",
                                "toolCallId": "call_1",
                                "toolName": "get_weather",
                                "input": {"city": "Paris"},
                            }
                        ],
                    },
                    {
                        "role": "tool",
                        "content": [
                            {
                                "type": "tool-result",
                                "toolCallId": "call_1",
                                "toolName": "get_weather",
                                "output": {"type": "json", "value": {"temp": 21}},
                            }
                        ],
                    },
                ]
            ),
            "ai.response.text": "21 degrees",
            "ai.response.toolCalls": json.dumps(
                [{"toolCallId": "call_1", "toolName": "get_weather", "args": {"city": "Paris"}}]
            ),
            "ai.response.finishReason": "stop",
            "ai.usage.inputTokens": 10,
            "ai.usage.outputTokens": 5,
            "ai.usage.cachedInputTokens": 4,
            "ai.usage.reasoningTokens": 2,
            "ai.telemetry.metadata.sessionId": "s",
            "ai.telemetry.metadata.userId": "u",
        }
    )
    assert (span.span_type, span.model_name, provider(span)) == ("LLM", "gpt-x", "openai.chat")
    assert span.inputs["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": '{"temp": 21}', "tool_call_id": "call_1", "name": "get_weather"},
    ]
    assert span.outputs["messages"] == [
        {"role": "assistant", "content": "21 degrees", "tool_calls": [CALL], "finish_reason": "stop"}
    ]
    assert usage(span) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "cache_read_input_tokens": 4,
        "reasoning_output_tokens": 2,
    }
    assert identity(span) == ("s", "u")


def test_other_spans_of_the_vercel_ai_sdk() -> None:
    outer = reading({"ai.operationId": "ai.generateText", "ai.prompt": '{"prompt": "hi"}', "ai.response.text": "yo"})
    assert (outer.span_type, outer.inputs, outer.outputs) == ("LLM", {"prompt": "hi"}, "yo")
    tool = reading(
        {"operation.name": "ai.toolCall", "ai.toolCall.args": '{"city": "Paris"}', "ai.toolCall.result": '{"t": 21}'}
    )
    assert (tool.span_type, tool.inputs, tool.outputs) == ("TOOL", {"city": "Paris"}, {"t": 21})
    embedding = reading(
        {
            "ai.operationId": "ai.embedMany",
            "ai.values": ('"alpha"', '"beta"'),
            "ai.embeddings": ("[0.5]", "[0.25]"),
            "ai.usage.tokens": 3,
        }
    )
    assert (embedding.span_type, embedding.inputs) == ("EMBEDDING", {"input": ["alpha", "beta"]})
    assert embedding.outputs == {"embeddings": [[0.5], [0.25]]}
    assert usage(embedding) == {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}
    made = reading({"ai.operationId": "ai.generateObject", "ai.response.object": '{"city": "Paris"}'})
    assert made.outputs == {"city": "Paris"}


def test_captured_runs_of_pydantic_ai() -> None:
    (agent,) = captured("pydantic_ai", "invoke_agent weather_agent")
    assert agent.span_type == "AGENT"
    assert agent.inputs == {
        "messages": [{"role": "system", "content": "Use tools"}, {"role": "user", "content": "weather in Paris?"}]
    }
    assert agent.outputs == 'The answer, from the tool: {"city":"Paris","temp_c":21}'
    assert usage(agent) is None  # what the calls below it used is theirs
    tool = captured("pydantic_ai", "execute_tool get_weather")[0]
    assert (tool.span_type, tool.inputs, tool.outputs) == ("TOOL", {"city": "Paris"}, {"city": "Paris", "temp_c": 21})
    (structured,) = captured("pydantic_ai", "invoke_agent structured")
    assert structured.outputs == {"name": "otflow", "pop": 3}
    (basic,) = captured("pydantic_ai", "invoke_agent basic_agent")
    assert [message["role"] for message in basic.inputs["messages"]] == ["system", "user"]
    assert identity(basic)[0] == basic.get_attribute("gen_ai.conversation.id")
    call = captured("pydantic_ai", "chat gpt-4o-mini")[0]
    assert call.llm_cost == {"total_cost": 4.2e-06}


def test_older_pydantic_ai() -> None:
    agent = reading(
        {
            "agent_name": "a",
            "model_name": "gpt-x",
            "all_messages_events": json.dumps(
                [
                    {"role": "user", "content": "hi", "gen_ai.message.index": 0, "event.name": "gen_ai.user.message"},
                    {"role": "assistant", "content": "yo", "event.name": "gen_ai.assistant.message"},
                ]
            ),
            "final_result": "yo",
        }
    )
    assert (agent.span_type, agent.outputs) == ("AGENT", "yo")
    assert [(message["role"], message["content"]) for message in agent.inputs["messages"]] == [("user", "hi")]
    tool = reading({"gen_ai.tool.name": "t", "tool_arguments": '{"a": 1}', "tool_response": "done"})
    assert (tool.span_type, tool.inputs, tool.outputs) == ("TOOL", {"a": 1}, "done")


def test_logfire() -> None:
    span = reading(
        {
            "logfire.msg": "Chat Completion with 'gpt-x'",
            "request_data": json.dumps({"model": "gpt-x", "messages": ASKED, "tools": [TOOL], "temperature": 0.5}),
            "response_data": json.dumps(
                {
                    "message": {"role": "assistant", "content": "yo", "tool_calls": None},
                    "usage": {
                        "prompt_tokens": 10,
                        "completion_tokens": 5,
                        "total_tokens": 15,
                        "prompt_tokens_details": {"cached_tokens": 4},
                        "completion_tokens_details": {"reasoning_tokens": 2},
                    },
                }
            ),
        }
    )
    assert (span.span_type, span.model_name) == ("CHAT_MODEL", "gpt-x")
    assert (span.inputs["messages"], span.inputs["temperature"]) == (ASKED, 0.5)
    assert span.outputs == {"messages": [{"role": "assistant", "content": "yo"}]}
    assert tools(span) == [TOOL]
    assert usage(span) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "cache_read_input_tokens": 4,
        "reasoning_output_tokens": 2,
    }


def test_captured_calls_through_logfire_and_langfuse() -> None:
    asked = captured("logfire", "Chat Completion with {request_data[model]!r}")[1]
    assert asked.outputs["messages"][0]["tool_calls"][0]["function"]["name"] == "weather"
    assert [tool["function"]["name"] for tool in tools(asked)] == ["weather"]
    assert (provider(asked), usage(asked)["total_tokens"]) == ("openai", 12)
    (function,) = captured("logfire", "hello {a}")
    assert (function.inputs, function.outputs) == ({"a": 1, "b": 2}, {"s": 1})
    (generation,) = captured("langfuse", "g")
    assert generation.inputs == {"messages": [{"role": "user", "content": "hi"}]}
    assert (generation.llm_cost, identity(generation)) == ({"total_cost": 0.1}, ("S", "U"))
    wrapped = captured("langfuse", "OpenAI-generation")[1]
    assert [tool["function"]["name"] for tool in tools(wrapped)] == ["weather"]


def test_a_captured_model_of_langchain() -> None:
    (model,) = captured("openinference_langchain", "FakeListChatModel")
    assert model.inputs == {"messages": [{"role": "system", "content": "brief"}, {"role": "user", "content": "hi"}]}
    assert model.outputs == {"messages": [{"role": "assistant", "content": "yo"}]}


def test_arguments_of_any_logfire_span() -> None:
    schema = {"type": "object", "properties": {"name": {}, "data": {"type": "object"}, "return": {"type": "object"}}}
    span = reading({"logfire.json_schema": json.dumps(schema), "name": "ada", "data": '{"x": 1}', "return": '{"y": 2}'})
    assert (span.inputs, span.outputs) == ({"name": "ada", "data": {"x": 1}}, {"y": 2})
