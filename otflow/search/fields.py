"""What may be asked of each entity: one table each; models, prompts and datasets will be further tables.

The names are those of MLflow's search language; those under "ours" are further names for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from otflow.search.tree import Entity, Field, Kind, OrderKey
from otflow.semconv import Metadata

__all__ = ["EXPERIMENT_FIELDS", "RUN_FIELDS", "TRACE_FIELDS", "ExperimentField", "RunField", "TraceField"]


class TraceField:
    """The fields of a trace."""

    TRACE_ID: Final = Field("trace_id", Kind.TEXT)
    CLIENT_REQUEST_ID: Final = Field("client_request_id", Kind.TEXT)
    EXPERIMENT_ID: Final = Field("experiment_id", Kind.NUMBER)
    NAME: Final = Field("name", Kind.TEXT)
    STATUS: Final = Field("status", Kind.TEXT)
    TIMESTAMP: Final = Field("timestamp_ms", Kind.NUMBER)
    DURATION: Final = Field("execution_time_ms", Kind.NUMBER)
    END_TIME: Final = Field("end_time_ms", Kind.NUMBER)
    SESSION: Final = Field("session", Kind.TEXT)
    USER: Final = Field("user", Kind.TEXT)
    MODEL: Final = Field("model_id", Kind.TEXT)
    REQUEST: Final = Field("request_preview", Kind.TEXT)
    RESPONSE: Final = Field("response_preview", Kind.TEXT)
    TAG: Final = Field("tags", Kind.TEXT, keyed=True)
    METADATA: Final = Field("metadata", Kind.TEXT, keyed=True)

    RUN: Final = Field("run_id", Kind.TEXT)
    """The runs that the trace belongs to: the one it was made under, and those it was linked to."""
    PROMPT: Final = Field(
        "prompt",
        Kind.TEXT,
        orderable=False,
        shape=r"[^/]*/[^/]*",
        shape_said="a prompt is written as 'name/version'",
    )
    FEEDBACK: Final = Field("feedback", Kind.VALUE, keyed=True, orderable=False)
    EXPECTATION: Final = Field("expectation", Kind.VALUE, keyed=True, orderable=False)

    SPAN_NAME: Final = Field("span.name", Kind.TEXT, orderable=False)
    SPAN_TYPE: Final = Field("span.type", Kind.TEXT, orderable=False)
    SPAN_STATUS: Final = Field("span.status", Kind.TEXT, orderable=False)
    SPAN_CONTENT: Final = Field("span.content", Kind.CONTENT, orderable=False)
    SPAN_ATTRIBUTE: Final = Field("span.attributes", Kind.VALUE, keyed=True, orderable=False)


class ExperimentField:
    """The fields of an experiment."""

    EXPERIMENT_ID: Final = Field("experiment_id", Kind.NUMBER)
    NAME: Final = Field("name", Kind.TEXT)
    CREATION_TIME: Final = Field("creation_time", Kind.NUMBER)
    LAST_UPDATE_TIME: Final = Field("last_update_time", Kind.NUMBER)
    TAG: Final = Field("tags", Kind.TEXT, keyed=True)


class RunField:
    """The fields of a run."""

    RUN_ID: Final = Field("run_id", Kind.TEXT)
    NAME: Final = Field("run_name", Kind.TEXT)
    STATUS: Final = Field("status", Kind.TEXT)
    START_TIME: Final = Field("start_time", Kind.NUMBER, unquoted=True)
    END_TIME: Final = Field("end_time", Kind.NUMBER, unquoted=True)
    USER: Final = Field("user_id", Kind.TEXT)
    ARTIFACTS: Final = Field("artifact_uri", Kind.TEXT)

    METRIC: Final = Field("metrics", Kind.NUMBER, keyed=True, unquoted=True)
    """The last value. NaN is a value that is unequal to every number."""
    PARAM: Final = Field("params", Kind.TEXT, keyed=True)
    TAG: Final = Field("tags", Kind.TEXT, keyed=True)

    DATASET_NAME: Final = Field("datasets.name", Kind.TEXT, orderable=False)
    DATASET_DIGEST: Final = Field("datasets.digest", Kind.TEXT, orderable=False)
    DATASET_CONTEXT: Final = Field("datasets.context", Kind.TEXT, orderable=False)


def _names(attributes: Mapping[str, Field], prefixes: Iterable[str]) -> dict[str, Field]:
    """Attributes under their own names and behind each prefix."""
    names = dict(attributes)
    for prefix in prefixes:
        names.update({f"{prefix}.{name}": field for name, field in attributes.items()})
    return names


_T = TraceField
_TRACE_ATTRIBUTES: Final = {
    "status": _T.STATUS,
    "timestamp": _T.TIMESTAMP,
    "timestamp_ms": _T.TIMESTAMP,
    "execution_time": _T.DURATION,
    "execution_time_ms": _T.DURATION,
    "end_time": _T.END_TIME,
    "end_time_ms": _T.END_TIME,
    "name": _T.NAME,
    "request_id": _T.TRACE_ID,
    "client_request_id": _T.CLIENT_REQUEST_ID,
    "run_id": _T.RUN,
    "prompt": _T.PROMPT,
    "text": _T.SPAN_CONTENT,
    # Ours
    "state": _T.STATUS,
    "request_time": _T.TIMESTAMP,
    "duration": _T.DURATION,
    "duration_ms": _T.DURATION,
    "execution_duration": _T.DURATION,
    "trace_id": _T.TRACE_ID,
    "experiment_id": _T.EXPERIMENT_ID,
    "run": _T.RUN,
    "model_id": _T.MODEL,
    "session": _T.SESSION,
    "session_id": _T.SESSION,
    "user": _T.USER,
    "user_id": _T.USER,
    "request_preview": _T.REQUEST,
    "response_preview": _T.RESPONSE,
}

TRACE_FIELDS: Final = Entity(
    noun="a trace",
    names={
        **_names(_TRACE_ATTRIBUTES, ("attribute", "attributes", "trace")),
        "span.name": _T.SPAN_NAME,
        "span.type": _T.SPAN_TYPE,
        "span.status": _T.SPAN_STATUS,
        "span.content": _T.SPAN_CONTENT,
        # In MLflow both ask for links to runs too, as `run_id` does.
        "metadata.run_id": _T.RUN,
        "request_metadata.run_id": _T.RUN,
        f"metadata.{Metadata.SOURCE_RUN}": _T.RUN,
        f"request_metadata.{Metadata.SOURCE_RUN}": _T.RUN,
    },
    prefixes={
        "tag": _T.TAG,
        "tags": _T.TAG,
        "metadata": _T.METADATA,
        "request_metadata": _T.METADATA,
        "feedback": _T.FEEDBACK,
        "expectation": _T.EXPECTATION,
        "span.attributes": _T.SPAN_ATTRIBUTE,
        # Ours
        "trace.tags": _T.TAG,
        "trace.metadata": _T.METADATA,
    },
    default_order=(OrderKey(_T.TIMESTAMP, descending=True),),
    tie_break=(OrderKey(_T.TIMESTAMP, descending=True), OrderKey(_T.TRACE_ID)),
)

_E = ExperimentField
_EXPERIMENT_ATTRIBUTES: Final = {
    "name": _E.NAME,
    "creation_time": _E.CREATION_TIME,
    "last_update_time": _E.LAST_UPDATE_TIME,
    "experiment_id": _E.EXPERIMENT_ID,
}

EXPERIMENT_FIELDS: Final = Entity(
    noun="an experiment",
    names=_names(_EXPERIMENT_ATTRIBUTES, ("attribute", "attributes")),
    prefixes={"tag": _E.TAG, "tags": _E.TAG},
    # What the released MLflow does (its documentation says the last updated first), but for experiments of one
    # millisecond: among these too the newest is first.
    default_order=(OrderKey(_E.CREATION_TIME, descending=True),),
    tie_break=(OrderKey(_E.EXPERIMENT_ID, descending=True),),
)

_R = RunField
_RUN_ATTRIBUTES: Final = {
    "run_id": _R.RUN_ID,
    "run_name": _R.NAME,
    "run name": _R.NAME,
    "Run name": _R.NAME,
    "Run Name": _R.NAME,
    "status": _R.STATUS,
    "start_time": _R.START_TIME,
    "created": _R.START_TIME,
    "Created": _R.START_TIME,
    "end_time": _R.END_TIME,
    "user_id": _R.USER,
    "artifact_uri": _R.ARTIFACTS,
}
_DATASET_ATTRIBUTES: Final = {
    "name": _R.DATASET_NAME,
    "digest": _R.DATASET_DIGEST,
    "context": _R.DATASET_CONTEXT,
}

RUN_FIELDS: Final = Entity(
    noun="a run",
    names={
        **_names(_RUN_ATTRIBUTES, ("attribute", "attributes", "attr", "run")),
        **{
            f"{prefix}.{name}": field
            for prefix in ("dataset", "datasets")
            for name, field in _DATASET_ATTRIBUTES.items()
        },
    },
    prefixes={
        "metric": _R.METRIC,
        "metrics": _R.METRIC,
        "param": _R.PARAM,
        "params": _R.PARAM,
        "parameter": _R.PARAM,
        "parameters": _R.PARAM,
        "tag": _R.TAG,
        "tags": _R.TAG,
    },
    default_order=(OrderKey(_R.START_TIME, descending=True),),
    tie_break=(OrderKey(_R.START_TIME, descending=True), OrderKey(_R.RUN_ID)),
)
