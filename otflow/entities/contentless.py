"""Traces without content, for CAPTURE_CONTENT set to false: what ran, when, how long, at what cost, and how it ended.

An attribute is kept only where its key is known to hold no content, or its value is a number or a bool. So content that
some convention of tomorrow puts under a key of its own is left out, rather than kept by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from otflow.entities.values import encode_attribute
from otflow.semconv import OTel, SpanKey

__all__ = ["attribute", "encoded", "error_type", "event", "frames", "is_harmless"]

_LONGEST: Final = 256
"""Characters of the longest text that is kept: a model's name is no essay."""

_KEYS: Final = frozenset(
    {
        SpanKey.TRACE_ID,
        SpanKey.EXPERIMENT_ID,
        SpanKey.TYPE,
        SpanKey.FUNCTION_NAME,
        SpanKey.START_TIME_NS,
        SpanKey.CHAT_USAGE,
        SpanKey.LLM_MODEL,
        SpanKey.LLM_PROVIDER,
        SpanKey.LLM_COST,
        SpanKey.MESSAGE_FORMAT,
        OTel.SESSION_ID,
        OTel.USER_ID,
        OTel.EXCEPTION_TYPE,
        "enduser.id",
        "error.type",
        # OpenTelemetry, GenAI (every generation)
        "gen_ai.agent.id",
        "gen_ai.agent.name",
        "gen_ai.conversation.id",
        "gen_ai.data_source.id",
        "gen_ai.embeddings.dimension.count",
        "gen_ai.operation.name",
        "gen_ai.output.type",
        "gen_ai.provider.name",
        "gen_ai.request.encoding_formats",
        "gen_ai.request.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.id",
        "gen_ai.response.model",
        "gen_ai.system",
        "gen_ai.token.type",
        "gen_ai.tool.call.id",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        # OpenInference
        "embedding.model_name",
        "llm.model_name",
        "llm.provider",
        "llm.system",
        "openinference.span.kind",
        "tool.name",
        # Traceloop
        "llm.request.type",
        "traceloop.entity.name",
        "traceloop.span.kind",
        "traceloop.workflow.name",
        # Logfire, pydantic-ai, Langfuse, Vercel AI SDK
        "agent_name",
        "ai.model.id",
        "ai.model.provider",
        "ai.operationId",
        "ai.response.finishReason",
        "ai.response.id",
        "ai.response.model",
        "ai.toolCall.id",
        "ai.toolCall.name",
        "langfuse.environment",
        "langfuse.observation.level",
        "langfuse.observation.model.name",
        "langfuse.observation.type",
        "langfuse.release",
        "logfire.span_type",
        "model_name",
        "operation.name",
        # What calls of other services and databases are, without what they say
        "db.operation.name",
        "db.system",
        "db.system.name",
        "http.method",
        "http.request.method",
        "http.route",
        "http.scheme",
        "messaging.operation.name",
        "messaging.system",
        "rpc.method",
        "rpc.service",
        "rpc.system",
        "server.address",
        "url.scheme",
    }
)
_PREFIXES: Final = (
    "code.",
    "gen_ai.usage.",
    "llm.token_count.",
    "network.",
    "otel.",
    "process.",
    "service.",
    "telemetry.",
    "thread.",
)
_RATINGS: Final = frozenset(
    (
        "yes", "no", "unknown", "true", "false", "pass", "passed", "fail", "failed", "good", "bad", "correct",
        "incorrect", "positive", "negative", "neutral", "low", "medium", "high",
    )
)  # fmt: skip
"""What judges say where they say it in one word."""
_LEFT_OUT: Final = "[not kept]"
_ERROR: Final = re.compile(
    r"[A-Za-z_][\w.]{0,100}(?:Error|Exception|Interrupt|Exit|Warning|Group|Timeout|NotFound)(?=:|$)"
)
_FRAME: Final = re.compile(
    r"""^[ |]*File "[^"\n]*", line \d+, in [\w.<>]+$|^[ |]*Traceback \(most recent call last\):$""", re.MULTILINE
)


def is_harmless(key: str, value: Any) -> bool:
    """Whether an attribute, as OpenTelemetry holds it, can be no content."""
    if isinstance(value, (bool, int, float)):
        return True
    if isinstance(value, (list, tuple)):
        return all(is_harmless(key, one) for one in cast("tuple[Any, ...]", value))
    return isinstance(value, str) and len(value) <= _LONGEST and (key in _KEYS or key.startswith(_PREFIXES))


def encoded(key: str, value: Any) -> Any:
    """An attribute, as OpenTelemetry holds it, if it may be kept; else None."""
    return value if is_harmless(key, value) else None


def attribute(key: str, value: Any) -> Any:
    """A live value as an attribute, if it may be kept; else None."""
    if key in {SpanKey.INPUTS, SpanKey.OUTPUTS}:
        return None
    return encoded(key, encode_attribute(key, value))


def event(name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """An event with what may be kept of its attributes: of an exception, its type and where it was."""
    found = {key: value for key, value in attributes.items() if is_harmless(key, value)}
    trace = attributes.get(OTel.EXCEPTION_STACKTRACE)
    if isinstance(trace, str) and (where := frames(trace)):
        found[OTel.EXCEPTION_STACKTRACE] = where
    return name, found


def rating(value: Any) -> Any:
    """The value of feedback or of an expectation, if it can be no content."""
    if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and value.lower() in _RATINGS):
        return value
    return _LEFT_OUT


def frames(trace: str) -> str:
    """Of a stack trace, which lines ran; neither what they say nor the message."""
    return "\n".join(match[0] for match in _FRAME.finditer(trace))


def error_type(message: str) -> str:
    """Of the message of an error, the class that it begins with."""
    found = _ERROR.match(message)
    return found[0] if found is not None else ""
