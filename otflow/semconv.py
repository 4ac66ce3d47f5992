"""Every attribute, tag and metadata key that otflow reads or writes, with where it comes from.

The `mlflow.*` keys are MLflow's (3.10.1), so that either end of the wire can be the real MLflow;
`gen_ai.*`, `session.id`, `user.id`, `exception.*` and `code.*` are OpenTelemetry's semantic
conventions (gen_ai: generation v0.1.0 of open-telemetry/semantic-conventions-genai).
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "Baggage",
    "CostKey",
    "GenAI",
    "Kept",
    "Metadata",
    "OTel",
    "PromptKey",
    "RegistryKey",
    "RunKey",
    "SpanKey",
    "Tag",
    "TokenUsageKey",
]


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
    REASONING: Final = "reasoning_output_tokens"
    """otflow's: MLflow has no key for it."""


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
    WRITER: Final = "otflow.writer"
    """Which process is making the trace (`otflow.store.leases`); taken away when the trace ends."""
    INTERRUPTED: Final = "otflow.interrupted"
    """`true` where the process that made the trace ended before the trace did."""

    SPANS_IN_STORE: Final = "TRACKING_STORE"
    """The value of SPANS_LOCATION where the store itself holds the spans."""


class RegistryKey:
    """Tags of registered models, their versions and logged models that the registry knows, MLflow's."""

    IS_PROMPT: Final = "mlflow.prompt.is_prompt"
    """`true` on a registered model that is a prompt, and on its versions."""
    PROMPT_TEXT: Final = "mlflow.prompt.text"
    """The template of a version of a prompt."""
    MODEL_VERSIONS: Final = "mlflow.modelVersions"
    """The versions that a logged model was registered as, on the logged model: a JSON list of names and versions."""


class RunKey:
    """Tags that otflow sets on runs and logged models, MLflow's."""

    NAME: Final = "mlflow.runName"
    """The same as the run's name."""
    PARENT: Final = "mlflow.parentRunId"
    NOTE: Final = "mlflow.note.content"
    USER: Final = "mlflow.user"
    SOURCE_NAME: Final = "mlflow.source.name"
    SOURCE_TYPE: Final = "mlflow.source.type"
    GIT_COMMIT: Final = "mlflow.source.git.commit"
    GIT_BRANCH: Final = "mlflow.source.git.branch"
    GIT_DIRTY: Final = "mlflow.source.git.dirty"
    """`true` where tracked files differ from the commit, else `false`."""
    GIT_DIFF: Final = "mlflow.source.git.diff"
    """By what they differ, as `git diff` prints it."""
    GIT_REPO_URL: Final = "mlflow.source.git.repoURL"
    PROJECT_ENTRY_POINT: Final = "mlflow.project.entryPoint"
    PROJECT_BACKEND: Final = "mlflow.project.backend"
    PROJECT_ENV: Final = "mlflow.project.env"
    """What made the environment of a project: `virtualenv`, `uv`, `conda`, `docker`."""
    DOCKER_IMAGE_URI: Final = "mlflow.docker.image.uri"
    DOCKER_IMAGE_ID: Final = "mlflow.docker.image.id"
    LOGGED_ARTIFACTS: Final = "mlflow.loggedArtifacts"
    """A JSON list of the tables among the run's artifacts."""
    LOGGED_IMAGES: Final = "mlflow.loggedImages"
    """`True` where the run has a series of images."""
    IS_EXTERNAL: Final = "mlflow.model.isExternal"
    """`true` on a logged model whose artifacts are elsewhere."""
    CHECKPOINT_PATH: Final = "otflow.checkpoint.path"
    """On a logged model that was imported: where its file or directory is."""
    DATASET_CONTEXT: Final = "mlflow.data.context"
    """On the use of a dataset: what for."""
    LINKED_PROMPTS: Final = "mlflow.linkedPrompts"
    """A JSON list of the versions of prompts that a run or a logged model has used."""


class PromptKey:
    """Tags by which registered models and their versions are prompts, MLflow's."""

    IS_PROMPT: Final = "mlflow.prompt.is_prompt"
    """`true` on both."""
    TEXT: Final = "mlflow.prompt.text"
    """The template: the text itself, or the chat messages as JSON text."""
    TYPE: Final = "_mlflow_prompt_type"
    """`text` or `chat`."""
    RESPONSE_FORMAT: Final = "_mlflow_prompt_response_format"
    """A JSON schema."""
    MODEL_CONFIG: Final = "_mlflow_prompt_model_config"
    """How it is to be sent to a model, as JSON text."""
    EXPERIMENT_IDS: Final = "_mlflow_experiment_ids"
    """On the registered model: the experiments that it was made or used in, as `,0,7,`."""


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
    DROPPED_ATTRIBUTES: Final = "otel.dropped_attributes_count"
    DROPPED_EVENTS: Final = "otel.dropped_events_count"
    DROPPED_LINKS: Final = "otel.dropped_links_count"
    SESSION_ID: Final = "session.id"
    USER_ID: Final = "user.id"
    HTTP_METHOD: Final = "http.request.method"
    HTTP_STATUS: Final = "http.response.status_code"
    URL_PATH: Final = "url.path"


class Baggage:
    """Beginnings of keys in W3C Baggage, otflow's own; session and user travel as `session.id` and `user.id`."""

    TAG: Final = "otflow.tag."
    METADATA: Final = "otflow.metadata."


class GenAI:
    """Log events of OpenTelemetry's GenAI semantic conventions, v0.1.0."""

    EVENTS: Final = "gen_ai."
    """How the names of all of them begin."""
    RESPONSE_ID: Final = "gen_ai.response.id"
    EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
    EVALUATION_NAME: Final = "gen_ai.evaluation.name"
    EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
    EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
    EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
    ERROR_TYPE: Final = "error.type"
    ERROR_MESSAGE: Final = "error.message"

    # Of otflow's own, for what the conventions have no attribute.
    EVALUATION_ID: Final = "otflow.evaluation.id"
    EVALUATION_OVERRIDES: Final = "otflow.evaluation.overrides"
    EVALUATION_SOURCE_TYPE: Final = "otflow.evaluation.source.type"
    EVALUATION_SOURCE_ID: Final = "otflow.evaluation.source.id"
    EVALUATION_VALUE: Final = "otflow.evaluation.value"
    """A value that is neither a number nor a text, as JSON text."""


class Kept:
    """Attributes, otflow's own, that keep on a span for others what their convention has no place for: JSON texts."""

    TYPE: Final = "otflow.span.type"
    INPUTS: Final = "otflow.span.inputs"
    INPUTS_REST: Final = "otflow.span.inputs.rest"
    """The members of the inputs beside those that the convention holds."""
    OUTPUTS: Final = "otflow.span.outputs"
    OUTPUTS_REST: Final = "otflow.span.outputs.rest"
    MODEL: Final = "otflow.span.model"
    PROVIDER: Final = "otflow.span.provider"
    USAGE: Final = "otflow.span.usage"
    COST: Final = "otflow.span.cost"
    TOOLS: Final = "otflow.span.tools"


TRACE_SCHEMA_VERSION: Final = "3"
"""The value of `Metadata.SCHEMA_VERSION` that MLflow 3 writes and otflow follows."""

TRACE_INFO: Final = "otflow.trace.info"
"""Attribute, otflow's own, by which a file of OTLP carries what is known of a trace beside its spans: JSON text."""

TRACE_ADDED: Final = "otflow.trace.added"
"""Attribute, otflow's own, that names the attributes of a span that its file has for the sake of other readers."""

SCOPE: Final = "otflow"
"""The name of the instrumentation scope of otflow's own spans."""

TRACE_ID_PREFIX: Final = "tr-"
"""A trace's id is this prefix and the 32 hex digits of the OpenTelemetry trace id."""
