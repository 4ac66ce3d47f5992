"""Every attribute, tag and metadata key that otflow reads or writes, with where it comes from.

The `mlflow.*` keys are MLflow's (3.10.1), so that either end of the wire can be the real MLflow;
`gen_ai.*`, `session.id`, `user.id`, `exception.*` and `code.*` are OpenTelemetry's semantic
conventions (gen_ai: generation v0.1.0 of open-telemetry/semantic-conventions-genai).
"""

from __future__ import annotations

from typing import Final

__all__ = ["CostKey", "Metadata", "OTel", "SpanKey", "Tag", "TokenUsageKey"]


class SpanKey:
    """Attributes of a span, MLflow's; their values are JSON texts."""

    TRACE_ID: Final = "mlflow.traceRequestId"
    EXPERIMENT_ID: Final = "mlflow.experimentId"
    INPUTS: Final = "mlflow.spanInputs"
    OUTPUTS: Final = "mlflow.spanOutputs"
    TYPE: Final = "mlflow.spanType"
    FUNCTION_NAME: Final = "mlflow.spanFunctionName"
    START_TIME_NS: Final = "mlflow.spanStartTimeNs"
    CHAT_TOOLS: Final = "mlflow.chat.tools"
    CHAT_USAGE: Final = "mlflow.chat.tokenUsage"
    LLM_MODEL: Final = "mlflow.llm.model"
    LLM_PROVIDER: Final = "mlflow.llm.provider"
    LLM_COST: Final = "mlflow.llm.cost"
    MESSAGE_FORMAT: Final = "mlflow.message.format"
    INTERMEDIATE_OUTPUTS: Final = "mlflow.trace.intermediate_outputs"
    LINKED_PROMPTS: Final = "mlflow.linkedPrompts"

    CHUNK_EVENT: Final = "mlflow.chunk.item.{index}"
    """Name of the event that a generator's span has for each item."""
    CHUNK_VALUE: Final = "mlflow.chunk.value"
    """Attribute of that event: the item as JSON text."""


class TokenUsageKey:
    """Keys inside `mlflow.chat.tokenUsage` and the trace's `mlflow.trace.tokenUsage`."""

    INPUT: Final = "input_tokens"
    OUTPUT: Final = "output_tokens"
    TOTAL: Final = "total_tokens"
    CACHE_READ: Final = "cache_read_input_tokens"
    CACHE_CREATION: Final = "cache_creation_input_tokens"


class CostKey:
    """Keys inside `mlflow.llm.cost` and the trace's `mlflow.trace.cost`, in US dollars."""

    INPUT: Final = "input_cost"
    OUTPUT: Final = "output_cost"
    TOTAL: Final = "total_cost"


class Metadata:
    """Keys of a trace's metadata: written with the trace, not changed afterwards."""

    INPUTS: Final = "mlflow.traceInputs"
    OUTPUTS: Final = "mlflow.traceOutputs"
    SOURCE_RUN: Final = "mlflow.sourceRun"
    MODEL_ID: Final = "mlflow.modelId"
    SESSION: Final = "mlflow.trace.session"
    USER: Final = "mlflow.trace.user"
    SCHEMA_VERSION: Final = "mlflow.trace_schema.version"
    TOKEN_USAGE: Final = "mlflow.trace.tokenUsage"
    COST: Final = "mlflow.trace.cost"
    SIZE_BYTES: Final = "mlflow.trace.sizeBytes"
    SIZE_STATS: Final = "mlflow.trace.sizeStats"
    LINKED_PROMPTS: Final = "mlflow.linkedPrompts"
    OS_USER: Final = "mlflow.user"
    SOURCE_NAME: Final = "mlflow.source.name"
    SOURCE_TYPE: Final = "mlflow.source.type"
    GIT_COMMIT: Final = "mlflow.source.git.commit"
    GIT_REPO_URL: Final = "mlflow.source.git.repoURL"
    GIT_BRANCH: Final = "mlflow.source.git.branch"


class Tag:
    """Tags of a trace: may be changed at any time."""

    NAME: Final = "mlflow.traceName"
    ARTIFACT_LOCATION: Final = "mlflow.artifactLocation"
    SPANS_LOCATION: Final = "mlflow.trace.spansLocation"
    LINKED_PROMPTS: Final = "mlflow.linkedPrompts"

    SPANS_IN_STORE: Final = "TRACKING_STORE"
    """The value of SPANS_LOCATION where the store itself holds the spans."""


class OTel:
    """OpenTelemetry's own semantic conventions that otflow reads or writes."""

    EXCEPTION_EVENT: Final = "exception"
    EXCEPTION_TYPE: Final = "exception.type"
    EXCEPTION_MESSAGE: Final = "exception.message"
    EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
    GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
    GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
    GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
    GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
    SESSION_ID: Final = "session.id"
    USER_ID: Final = "user.id"


TRACE_SCHEMA_VERSION: Final = "3"
"""The value of `Metadata.SCHEMA_VERSION` that MLflow 3 writes and otflow follows."""

TRACE_ID_PREFIX: Final = "tr-"
"""A trace's id is this prefix and the 32 hex digits of the OpenTelemetry trace id."""
