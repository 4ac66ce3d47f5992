"""A pydantic-ai agent, traced by its own instrumentation; otflow stores what it says as its own.

pydantic-ai makes OpenTelemetry spans after the GenAI semantic conventions. `otflow.tracing.set_span_filter("genai")`
lets them enter wherever they start; below a span of otflow's they enter anyway. A function stands for the model here,
so that no network and no key is needed.

    pip install pydantic-ai-slim
"""

from __future__ import annotations

import tempfile

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import otflow

OTTERS = {"river otter": 8, "sea otter": 30}


def model(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Ask for the tool, then answer with what it said."""
    said = [part for message in messages for part in message.parts if part.part_kind == "tool-return"]
    if not said:
        return ModelResponse(parts=[ToolCallPart("weight_of", {"animal": "sea otter"})])
    return ModelResponse(parts=[TextPart(f"A sea otter weighs about {said[-1].content} kg.")])


agent = Agent(FunctionModel(model), instructions="Answer in one sentence.", name="zoologist")


@agent.tool_plain
def weight_of(animal: str) -> int:
    """How much an animal weighs, in kilograms."""
    return OTTERS[animal]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        otflow.set_tracking_uri(f"sqlite:///{directory}/agent.db")
        otflow.tracing.set_span_filter("genai")
        Agent.instrument_all()
        result = agent.run_sync("How heavy is a sea otter?")
        print(result.output, "\n")

        [trace] = otflow.search_traces(return_type="list")
        otflow.tracing.print_trace(trace)
        types = {span.span_type for span in trace.data.spans}
        assert {"AGENT", "CHAT_MODEL", "TOOL"} <= types, types
        tool = next(span for span in trace.data.spans if span.span_type == "TOOL")
        assert tool.inputs == {"animal": "sea otter"}
        assert str(tool.outputs) == "30"
        assert trace.info.token_usage, "tokens are counted over the whole trace"
        otflow.testing.reset()


if __name__ == "__main__":
    main()
