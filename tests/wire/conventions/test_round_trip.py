"""MLflow ⇄ GenAI ⇄ OpenInference: what leaves by one convention comes back the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import Span, SpanType
from otflow.entities.values import dump
from otflow.semconv import SpanKey
from otflow.wire.conventions import read, to_openinference, write
from otflow.wire.otlp import decode_spans, encode_spans

CAPTURED = [
    span
    for path in sorted((Path(__file__).parents[2] / "data").rglob("*.otlp.pb"))
    for span in decode_spans(path.read_bytes())
]
TARGETS = pytest.mark.parametrize("target", [write, to_openinference], ids=lambda target: target.__name__)
Target = Callable[[Span], Span]


def made(attributes: dict[str, Any], name: str = "step") -> Span:
    """A span of otflow's."""
    return Span.of(
        trace_id="tr-" + "ab" * 16,
        span_id="cd" * 8,
        parent_id=None,
        name=name,
        start_ns=1_000,
        end_ns=2_000,
        attributes={key: dump(value) if key.startswith("mlflow.") else value for key, value in attributes.items()},
    )


def facts(span: Span) -> dict[str, Any]:
    """What a round trip keeps; ids, times, status, events and links are OpenTelemetry's own."""
    return {
        "type": span.span_type,
        "inputs": dump(span.inputs),
        "outputs": dump(span.outputs),
        "model": span.model_name,
        "provider": span.get_attribute(SpanKey.LLM_PROVIDER),
        "usage": span.get_attribute(SpanKey.CHAT_USAGE),
        "cost": span.llm_cost,
        "tools": span.get_attribute(SpanKey.CHAT_TOOLS),
    }


def sorted_facts(span: Span) -> dict[str, Any]:
    """The same, whatever the order of the members of objects."""
    return {key: json.dumps(json.loads(dump(value)), sort_keys=True) for key, value in loaded(facts(span)).items()}


def loaded(found: dict[str, Any]) -> dict[str, Any]:
    return {key: json.loads(value) if key in ("inputs", "outputs") else value for key, value in found.items()}


def kept(span: Span, *prefixes: str) -> Span:
    return span.with_attributes({key: raw for key, raw in span.raw_attributes.items() if key.startswith(prefixes)})


def without_mlflow(span: Span) -> Span:
    return span.with_attributes({key: raw for key, raw in span.raw_attributes.items() if not key.startswith("mlflow.")})


def sent(span: Span) -> Span:
    """The span after a way by OTLP, its attributes as they are."""
    (back,) = decode_spans(encode_spans([span], lambda span: span.raw_attributes))
    return back


@TARGETS
@pytest.mark.parametrize("span", CAPTURED, ids=lambda span: f"{span.name}-{span.span_id[:6]}")
def test_every_captured_span_comes_back_the_same(span: Span, target: Target) -> None:
    ours = kept(read(span), "mlflow.")
    theirs = without_mlflow(target(ours))
    assert sorted_facts(read(theirs)) == sorted_facts(ours)
    assert sorted_facts(read(sent(theirs))) == sorted_facts(ours)


@pytest.mark.parametrize("span", CAPTURED, ids=lambda span: f"{span.name}-{span.span_id[:6]}")
def test_every_captured_span_goes_all_the_way_round(span: Span) -> None:
    """MLflow → GenAI → MLflow → OpenInference → MLflow, each with nothing of the one before but `mlflow.*`."""
    ours = kept(read(span), "mlflow.")
    through = kept(read(without_mlflow(write(ours))), "mlflow.")
    back = read(without_mlflow(to_openinference(through)))
    assert sorted_facts(back) == sorted_facts(ours)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(['{"a": 1}', '"q"', "4", "[1]"])
NUMBERS = st.integers(0, 10**9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": TEXT,
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": TEXT, "arguments": TEXT | st.dictionaries(TEXT, JSON, max_size=2).map(json.dumps)}
            ),
        }
    ),
    min_size=1,
    max_size=2,
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT})
    | st.fixed_dictionaries(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries(
                {"url": st.sampled_from(["https://x/y.png", "data:image/png;base64,aGk="])}
            ),
        }
    )
    | st.dictionaries(TEXT, JSON, max_size=2),
    max_size=3,
)
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]),
        "content": TEXT | PARTS | st.none(),
    },
    optional={
        "tool_calls": CALLS,
        "tool_call_id": TEXT,
        "name": TEXT,
        "reasoning_content": TEXT,
        "refusal": st.none() | TEXT,
        "finish_reason": TEXT,
    },
)
MESSAGES = st.lists(MESSAGE, max_size=4)
REQUEST = st.fixed_dictionaries(
    {"messages": MESSAGES}, optional={"model": TEXT, "temperature": st.floats(0, 2), "stop": TEXT, "n": NUMBERS}
)
ANSWER = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries({"index": NUMBERS, "message": MESSAGE, "finish_reason": TEXT}), max_size=2
        )
    }
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "page_content": TEXT,
            "metadata": st.dictionaries(st.sampled_from(["score", "page", "id"]), JSON, max_size=2),
            "id": TEXT | st.none(),
        }
    ),
    max_size=2,
)
TYPES = st.sampled_from([value for name, value in vars(SpanType).items() if name.isupper()]) | TEXT
TOOLS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": TEXT}, optional={"description": TEXT, "parameters": st.dictionaries(TEXT, JSON, max_size=2)}
            ),
        }
    ),
    max_size=2,
)
SPANS = st.fixed_dictionaries(
    {},
    optional={
        SpanKey.TYPE: TYPES,
        SpanKey.INPUTS: REQUEST | MESSAGES | JSON,
        SpanKey.OUTPUTS: ANSWER | REQUEST | DOCUMENTS | JSON,
        SpanKey.LLM_MODEL: TEXT,
        SpanKey.LLM_PROVIDER: TEXT,
        SpanKey.CHAT_USAGE: st.dictionaries(
            st.sampled_from(
                ["input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "reasoning_output_tokens"]
            ),
            NUMBERS,
        ),
        SpanKey.LLM_COST: st.dictionaries(
            st.sampled_from(["input_cost", "output_cost", "total_cost"]), st.floats(0, 100)
        ),
        SpanKey.CHAT_TOOLS: TOOLS,
        "session.id": TEXT,
    },
)


@TARGETS
@given(attributes=SPANS)
def test_any_span_comes_back_the_same(attributes: dict[str, Any], target: Target) -> None:
    ours = made(attributes)
    out = target(ours)
    assert kept(out, "mlflow.").raw_attributes == kept(ours, "mlflow.").raw_attributes
    assert sorted_facts(read(without_mlflow(out))) == sorted_facts(ours)


@TARGETS
def test_nothing_is_added_to_a_span_that_says_nothing(target: Target) -> None:
    span = made({"http.method": "GET", SpanKey.TRACE_ID: "tr-1"})
    assert target(span) is span


@TARGETS
def test_what_is_there_stays(target: Target) -> None:
    attributes = {"gen_ai.operation.name": "mine", "openinference.span.kind": "mine", SpanKey.TYPE: "TOOL"}
    out = target(made(attributes))
    assert {key: out.raw_attributes[key] for key in attributes if key[:3] != "mlf"} == {
        "gen_ai.operation.name": "mine",
        "openinference.span.kind": "mine",
    }


# -- what others see ----------------------------------------------------------------------------------------------

CHAT = {
    SpanKey.TYPE: "CHAT_MODEL",
    SpanKey.INPUTS: {
        "model": "gpt-x",
        "temperature": 1,
        "max_tokens": 5,
        "messages": [
            {"role": "user", "content": "weather in Paris?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "21"},
        ],
    },
    SpanKey.OUTPUTS: {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "21 degrees"}}]
    },
    SpanKey.LLM_MODEL: "gpt-x-2026",
    SpanKey.LLM_PROVIDER: "openai",
    SpanKey.CHAT_USAGE: {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 3,
        "reasoning_output_tokens": 2,
    },
    SpanKey.LLM_COST: {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75},
    SpanKey.CHAT_TOOLS: [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}],
    "session.id": "s",
}


def test_a_chat_in_genai_attributes() -> None:
    out = write(made(CHAT)).raw_attributes
    messages = json.loads(out["gen_ai.input.messages"])
    assert messages == [
        {"role": "user", "parts": [{"type": "text", "content": "weather in Paris?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "21"}]},
    ]
    assert json.loads(out["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "21 degrees"}], "finish_reason": "stop"}
    ]
    assert json.loads(out["gen_ai.tool.definitions"]) == [
        {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
    ]
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "gpt-x-2026",
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.max_tokens": 5,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.conversation.id": "s",
    }
    assert {key: out[key] for key in expected} == expected
    assert "otflow.span.inputs" not in out  # only what stands beside the messages is kept apart
    assert json.loads(out["otflow.span.inputs.rest"]) == {
        "value": {"model": "gpt-x", "temperature": 1, "max_tokens": 5}
    }


def test_a_chat_in_openinference_attributes() -> None:
    out = to_openinference(made(CHAT)).raw_attributes
    expected = {
        "openinference.span.kind": "LLM",
        "input.mime_type": "application/json",
        "llm.model_name": "gpt-x-2026",
        "llm.provider": "openai",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "weather in Paris?",
        "llm.input_messages.1.message.tool_calls.0.tool_call.function.name": "get_weather",
        "llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments": '{"city": "Paris"}',
        "llm.input_messages.2.message.tool_call_id": "c1",
        "llm.output_messages.0.message.content": "21 degrees",
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 5,
        "llm.token_count.total": 15,
        "llm.token_count.prompt_details.cache_read": 4,
        "llm.token_count.prompt_details.cache_write": 3,
        "llm.token_count.completion_details.reasoning": 2,
        "llm.cost.total": 0.75,
        "session.id": "s",
    }
    assert {key: out[key] for key in expected} == expected
    assert json.loads(out["input.value"]) == CHAT[SpanKey.INPUTS]


def test_a_tool_and_a_retriever_in_genai_attributes() -> None:
    tool = write(made({SpanKey.TYPE: "TOOL", SpanKey.INPUTS: {"a": 1}, SpanKey.OUTPUTS: "done"}, "add")).raw_attributes
    assert (tool["gen_ai.operation.name"], tool["gen_ai.tool.name"]) == ("execute_tool", "add")
    assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == ('{"a": 1}', "done")
    document = {"page_content": "Paris", "metadata": {"score": 0.5, "page": 1}, "id": "d"}
    retriever = made({SpanKey.TYPE: "RETRIEVER", SpanKey.INPUTS: "capital?", SpanKey.OUTPUTS: [document]})
    found = write(retriever).raw_attributes
    assert found["gen_ai.retrieval.query.text"] == "capital?"
    assert json.loads(found["gen_ai.retrieval.documents"]) == [
        {"id": "d", "content": "Paris", "score": 0.5, "metadata": {"page": 1}}
    ]
    flat = to_openinference(retriever).raw_attributes
    assert flat["retrieval.documents.0.document.content"] == "Paris"
    assert flat["retrieval.documents.0.document.score"] == 0.5
