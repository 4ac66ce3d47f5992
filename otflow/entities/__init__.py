"""The nouns of otflow as plain data. Nothing here knows a store, a server or pandas."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otflow.entities.assessment import (
        Assessment,
        AssessmentError,
        Expectation,
        ExpectationValue,
        Feedback,
        FeedbackValue,
    )
    from otflow.entities.assessment_source import AssessmentSource, AssessmentSourceType
    from otflow.entities.attachment import Attachment
    from otflow.entities.dataset import Dataset, DatasetInput, InputTag
    from otflow.entities.document import Document
    from otflow.entities.experiment import Experiment, ExperimentTag
    from otflow.entities.file_info import FileInfo
    from otflow.entities.link import Link
    from otflow.entities.live_span import LiveSpan
    from otflow.entities.logged_model import (
        LoggedModel,
        LoggedModelInput,
        LoggedModelOutput,
        LoggedModelParameter,
        LoggedModelStatus,
        LoggedModelTag,
    )
    from otflow.entities.metric import Metric, Param, RunTag
    from otflow.entities.model_registry.prompt import Prompt
    from otflow.entities.noop_span import NoOpSpan
    from otflow.entities.page import Page, PagedList
    from otflow.entities.run import Run, RunData, RunInfo, RunInputs, RunOutputs
    from otflow.entities.run_status import RunStatus, SourceType
    from otflow.entities.session import Session
    from otflow.entities.span import Span
    from otflow.entities.span_event import SpanEvent
    from otflow.entities.span_status import SpanStatus, SpanStatusCode
    from otflow.entities.span_type import SpanType
    from otflow.entities.trace import Trace
    from otflow.entities.trace_data import TraceData
    from otflow.entities.trace_info import TraceInfo
    from otflow.entities.trace_location import (
        InferenceTableLocation,
        MlflowExperimentLocation,
        TraceLocation,
        TraceLocationBase,
        TraceLocationType,
        UCSchemaLocation,
    )
    from otflow.entities.trace_state import TraceState, TraceStatus
    from otflow.entities.view_type import LifecycleStage, ViewType
    from otflow.entities.webhook import (
        Webhook,
        WebhookAction,
        WebhookEntity,
        WebhookEvent,
        WebhookStatus,
        WebhookTestResult,
    )
    from otflow.entities.workspace import Workspace, WorkspaceDeletionMode

_HOMES: dict[str, str] = {
    name: module
    for module, names in {
        "assessment": "Assessment AssessmentError Expectation ExpectationValue Feedback FeedbackValue",
        "assessment_source": "AssessmentSource AssessmentSourceType",
        "attachment": "Attachment",
        "document": "Document",
        "experiment": "Experiment ExperimentTag",
        "link": "Link",
        "live_span": "LiveSpan",
        "noop_span": "NoOpSpan",
        "page": "Page PagedList",
        "session": "Session",
        "span": "Span",
        "span_event": "SpanEvent",
        "span_status": "SpanStatus SpanStatusCode",
        "span_type": "SpanType",
        "trace": "Trace",
        "trace_data": "TraceData",
        "trace_info": "TraceInfo",
        "trace_location": "InferenceTableLocation MlflowExperimentLocation TraceLocation "
        "TraceLocationBase TraceLocationType UCSchemaLocation",
        "trace_state": "TraceState TraceStatus",
        "dataset": "Dataset DatasetInput InputTag",
        "file_info": "FileInfo",
        "logged_model": "LoggedModel LoggedModelInput LoggedModelOutput LoggedModelParameter "
        "LoggedModelStatus LoggedModelTag",
        "metric": "Metric Param RunTag",
        "model_registry.prompt": "Prompt",
        "webhook": "Webhook WebhookAction WebhookEntity WebhookEvent WebhookStatus WebhookTestResult",
        "workspace": "Workspace WorkspaceDeletionMode",
        "run": "Run RunData RunInfo RunInputs RunOutputs",
        "run_status": "RunStatus SourceType",
        "view_type": "LifecycleStage ViewType",
    }.items()
    for name in names.split()
}

__all__ = [
    "Assessment",
    "AssessmentError",
    "AssessmentSource",
    "AssessmentSourceType",
    "Attachment",
    "Dataset",
    "DatasetInput",
    "Document",
    "Expectation",
    "ExpectationValue",
    "Experiment",
    "ExperimentTag",
    "Feedback",
    "FeedbackValue",
    "FileInfo",
    "InferenceTableLocation",
    "InputTag",
    "LifecycleStage",
    "Link",
    "LiveSpan",
    "LoggedModel",
    "LoggedModelInput",
    "LoggedModelOutput",
    "LoggedModelParameter",
    "LoggedModelStatus",
    "LoggedModelTag",
    "Metric",
    "MlflowExperimentLocation",
    "NoOpSpan",
    "Page",
    "PagedList",
    "Param",
    "Prompt",
    "Run",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunOutputs",
    "RunStatus",
    "RunTag",
    "Session",
    "SourceType",
    "Span",
    "SpanEvent",
    "SpanStatus",
    "SpanStatusCode",
    "SpanType",
    "Trace",
    "TraceData",
    "TraceInfo",
    "TraceLocation",
    "TraceLocationBase",
    "TraceLocationType",
    "TraceState",
    "TraceStatus",
    "UCSchemaLocation",
    "ViewType",
    "Webhook",
    "WebhookAction",
    "WebhookEntity",
    "WebhookEvent",
    "WebhookStatus",
    "WebhookTestResult",
    "Workspace",
    "WorkspaceDeletionMode",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"otflow.entities.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
