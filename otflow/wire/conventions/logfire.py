"""Logfire: requests and answers of models in `request_data` and `response_data`; arguments of any span.

Logfire's instrumentation of model clients keeps the request as it was sent. What its other spans were given are
attributes of the given names, which `logfire.json_schema` lists; what a function returned is `return`.
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.messages import chat, chat_of, messages
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, as_list, data, text

__all__ = ["LOGFIRE"]

_RESULTS: Final = frozenset(
    {"return", "request_data", "response_data", "events", "final_result", "model_request_parameters", "tool_response"}
)
"""Members of the JSON schema that are no argument."""


def _request(source: Source) -> Dict:
    return as_dict(source.data("request_data"))


def _response(source: Source) -> Dict:
    return as_dict(source.data("response_data"))


def _events(source: Source) -> tuple[list[Dict], list[Dict]]:
    """The attribute `events`: what GenAI's span events say, as one list; asked and answered."""
    asked: list[Any] = []
    answered: list[Any] = []
    for item in as_list(source.data("events")):
        body = {key: value for key, value in as_dict(item).items() if not key.startswith(("event.", "gen_ai."))}
        name = as_dict(item).get("event.name")
        body.pop("index", None)
        if name == "gen_ai.choice":
            answered.append(body)
        elif isinstance(name, str):
            body.setdefault("role", name.split(".")[1] if name.startswith("gen_ai.") else "user")
            asked.append(body)
    return messages(asked), messages(answered, "assistant")


def _inputs(source: Source) -> Any:
    asked, _ = _events(source)
    if asked:
        return {"messages": asked}
    request = _request(source)
    return chat_of(request) if request else _arguments(source)


def _arguments(source: Source) -> Any:
    named = as_dict(as_dict(source.data("logfire.json_schema")).get("properties"))
    given = {
        name: data(source.attributes[name])
        for name in named
        if name in source.attributes and name not in _RESULTS and "." not in name
    }
    return given or None


def _outputs(source: Source) -> Any:
    _, answered = _events(source)
    if answered:
        return {"messages": answered}
    response = _response(source)
    if "message" in response:
        return chat([response["message"]], "assistant")
    if isinstance(response.get("combined_chunk_content"), str):
        return chat(response["combined_chunk_content"], "assistant")
    return response or source.data("return")


def _tools(source: Source) -> Any:
    return function_tools(_request(source).get("tools"))


def _model(source: Source) -> Any:
    return text(_response(source).get("model")) or text(_request(source).get("model"))


def _usage(source: Source) -> Dict:
    return as_dict(_response(source).get("usage"))


def _implied_type(source: Source) -> str | None:
    request = _request(source)
    if "messages" in request or as_list(source.data("events")):
        return SpanType.CHAT_MODEL
    if "input" in request:
        return SpanType.CHAT_MODEL if "instructions" in request or "output" in _response(source) else SpanType.EMBEDDING
    return SpanType.LLM if "prompt" in request else None


LOGFIRE: Final = Convention(
    name="Logfire",
    namespaces=frozenset({"logfire", "request_data", "response_data", "events"}),
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
    model_of=_model,
    usage_of=_usage,
    implied_type=_implied_type,
)
