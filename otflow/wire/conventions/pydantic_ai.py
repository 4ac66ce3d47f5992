"""pydantic-ai: agent runs and tool runs; what it says of model calls is GenAI's.

Its attributes by the version of its instrumentation: `all_messages_events`, `tool_arguments`, `tool_response` (1),
`pydantic_ai.all_messages` (2 on), `gen_ai.tool.call.arguments` (3 on). Counts that an agent adds up of the calls below
it (`gen_ai.aggregated_usage.…`) are not read: the calls have them.
"""

from __future__ import annotations

from typing import Any, Final

from otflow.entities import SpanType
from otflow.semconv import CostKey
from otflow.wire.conventions.convention import Convention, Source
from otflow.wire.conventions.messages import instructions, messages
from otflow.wire.conventions.tools import function_tools
from otflow.wire.conventions.values import Dict, as_dict, as_list

__all__ = ["PYDANTIC_AI"]


def _conversation(source: Source) -> tuple[list[Dict], list[Dict]]:
    """The messages of an agent's run: up to what the user said last, and from there on."""
    found = source.attributes.get("pydantic_ai.all_messages", source.attributes.get("all_messages_events"))
    said = messages(found)
    system = instructions(source.attributes.get("gen_ai.system_instructions"))
    if system is not None and said:
        said.insert(0, {"role": "system", "content": system})
    asked = max((place for place, message in enumerate(said, 1) if message["role"] == "user"), default=len(said))
    return said[:asked], said[asked:]


def _inputs(source: Source) -> Any:
    for key in ("tool_arguments", "input_data"):
        if source.has(key):
            return source.data(key)
    asked, _ = _conversation(source)
    return {"messages": asked} if asked else None


def _outputs(source: Source) -> Any:
    for key in ("tool_response", "final_result"):
        if source.has(key):
            return source.data(key)
    _, answered = _conversation(source)
    return {"messages": answered} if answered else None


def _tools(source: Source) -> Any:
    parameters = as_dict(source.data("model_request_parameters"))
    return function_tools([*as_list(parameters.get("function_tools")), *as_list(parameters.get("output_tools"))])


def _implied_type(source: Source) -> str | None:
    if source.has("tool_arguments") or source.has("tool_response"):
        return SpanType.TOOL
    if source.has("all_messages_events") or source.has("pydantic_ai.all_messages") or source.has("agent_name"):
        return SpanType.AGENT
    return SpanType.CHAT_MODEL if source.has("model_request_parameters") else None


def _cost(source: Source) -> Dict:
    total = None if source.span_type == SpanType.AGENT else source.number("operation.cost")
    return {} if total is None else {CostKey.TOTAL: total}


PYDANTIC_AI: Final = Convention(
    name="pydantic-ai",
    namespaces=frozenset(
        {
            "pydantic_ai",
            "all_messages_events",
            "final_result",
            "model_request_parameters",
            "tool_arguments",
            "tool_response",
            "agent_name",
            "operation",
        }
    ),
    models=("model_name",),
    inputs=_inputs,
    outputs=_outputs,
    tools=_tools,
    cost_of=_cost,
    implied_type=_implied_type,
)
