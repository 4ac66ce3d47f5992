"""Spans of more instrumentors, as they left unmodified programs: the model's span says what the model was asked.

All asked a local stand-in of the model's service for the capital of France; it answered "Paris.".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otflow.entities import Span
from otflow.entities.values import dump
from otflow.semconv import SpanKey
from otflow.wire.conventions import read
from otflow.wire.otlp import decode_spans

MORE = Path(__file__).parents[2] / "data" / "instrumentors"
CLAUDE = {
    "input_tokens": 18,
    "output_tokens": 7,
    "total_tokens": 25,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 2,
}
GPT = {"input_tokens": 11, "output_tokens": 6, "total_tokens": 17, "cache_read_input_tokens": 5}
REASONING = {**GPT, "reasoning_output_tokens": 2}


def spans(name: str) -> dict[str, Span]:
    """The spans of a capture by name; of several with one name the first."""
    found: dict[str, Span] = {}
    for span in decode_spans((MORE / f"{name}.otlp.pb").read_bytes()):
        found.setdefault(span.name, read(span))
    return found


@pytest.mark.parametrize(
    ("capture", "name", "kind", "model", "provider", "usage"),
    [
        ("openinference_anthropic", "messages.create", "LLM", "claude-sonnet-4", "anthropic", CLAUDE),
        ("openinference_anthropic", "messages.stream", "LLM", "claude-sonnet-4", "anthropic", CLAUDE),
        ("traceloop_anthropic", "anthropic.chat", "CHAT_MODEL", "claude-sonnet-4", "anthropic", CLAUDE),
        ("openinference_langchain", "ChatOpenAI", "LLM", "gpt-5", "openai", REASONING),
        ("traceloop_langchain", "ChatOpenAI.chat", "CHAT_MODEL", "gpt-5", "openai", GPT),
        ("strands", "chat", "CHAT_MODEL", "claude-sonnet-4", "strands-agents", CLAUDE),
        ("openinference_openai_agents", "response", "LLM", "gpt-5", "openai", REASONING),
        ("openinference_litellm", "completion", "LLM", "openai/gpt-5", "openai", REASONING),
        ("openinference_agno", "OpenAIChat.invoke", "LLM", "gpt-5", "OpenAI", GPT),
        ("vercel_ai", "ai.streamText.doStream", "LLM", "mock-model", "mock-provider", REASONING),
        (
            "openinference_google_genai", "GenerateContent", "LLM", "gemini-2.5-flash", "google",
            {"input_tokens": 9, "output_tokens": 6, "total_tokens": 15, "cache_read_input_tokens": 2,
             "reasoning_output_tokens": 3},
        ),
        (
            "traceloop_google_genai", "generate_content gemini-2.5-flash", "LLM", "gemini-2.5-flash", "gcp.gen_ai",
            {"input_tokens": 9, "output_tokens": 3, "total_tokens": 15, "cache_read_input_tokens": 2},
        ),
    ],
)  # fmt: skip
def test_the_span_of_the_model(
    capture: str, name: str, kind: str, model: str, provider: str, usage: dict[str, Any]
) -> None:
    span = spans(capture)[name]
    assert (span.span_type, span.model_name, span.get_attribute(SpanKey.LLM_PROVIDER)) == (kind, model, provider)
    assert span.get_attribute(SpanKey.CHAT_USAGE) == usage
    assert "Paris" in dump(span.outputs)
    messages = span.inputs["messages"]
    assert messages[-1]["role"] == "user"
    assert any(word in dump(messages[-1]["content"]) for word in ("Capital", "Stream?"))


@pytest.mark.parametrize(
    ("capture", "name", "kind"),
    [
        ("openinference_langchain", "LangGraph", "CHAIN"),
        ("openinference_langchain", "weather", "TOOL"),
        ("traceloop_langchain", "LangGraph.workflow", "AGENT"),
        ("traceloop_langchain", "execute_tool weather", "TOOL"),
        ("strands", "invoke_agent Strands Agents", "AGENT"),
        ("openinference_agno", "Agent.run", "AGENT"),
        ("vercel_ai", "ai.generateText", "LLM"),
        ("vercel_ai", "ai.toolCall", "TOOL"),
    ],
)
def test_the_spans_around_it(capture: str, name: str, kind: str) -> None:
    span = spans(capture)[name]
    assert span.span_type == kind
    assert span.inputs is not None
    assert span.outputs is not None


def test_tools_sessions_and_users() -> None:
    [tool] = spans("traceloop_anthropic")["anthropic.chat"].get_attribute(SpanKey.CHAT_TOOLS)
    assert tool["function"]["name"] == "weather"
    [answer] = spans("traceloop_anthropic")["anthropic.chat"].outputs["messages"]
    assert answer["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Paris"}'}
    run = spans("openinference_agno")["Agent.run"]
    assert (run.get_attribute("session.id"), run.get_attribute("user.id")) == ("s-2", "u-1")
    assert spans("openinference_langchain")["ChatOpenAI"].get_attribute("session.id") == "s-1"
    assert spans("strands")["execute_event_loop_cycle"].span_type == "UNKNOWN"
