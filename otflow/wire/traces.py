"""Traces and their infos ↔ the JSON of MLflow's REST API: MLflow's dictionaries, but for durations and spans."""

from __future__ import annotations

from typing import Any

from otflow.entities import Trace, TraceData, TraceInfo, TraceState
from otflow.wire.assessments import assessment_from_json, assessment_to_json
from otflow.wire.otlp import span_from_json
from otflow.wire.scalars import Json, duration_text, malformed, member, members, reading

__all__ = ["trace_from_json", "trace_info_from_json", "trace_info_to_json"]


def trace_info_to_json(info: TraceInfo) -> dict[str, Any]:
    """The info as it travels; what is empty is left out."""
    data = info.to_dict()
    duration_ms = data.pop("execution_duration_ms", None)
    if duration_ms is not None:
        data["execution_duration"] = duration_text(duration_ms)
    if info.assessments:
        data["assessments"] = [assessment_to_json(assessment) for assessment in info.assessments]
    return data


def trace_info_from_json(data: Json) -> TraceInfo:
    """The info that has travelled.

    Raises:
        OtflowError: `data` is not the info of a trace in an experiment.
    """
    rest = {"state": TraceState.STATE_UNSPECIFIED.value, **data}
    assessments = [assessment_from_json(item) for item in members(rest, "assessments", "assessments of a trace")]
    rest["assessments"] = []
    with reading("trace", data):
        info = TraceInfo.from_dict(rest)
    if info.experiment_id is None:
        raise malformed("trace, which is in no experiment", data)
    info.assessments = assessments
    return info


def trace_from_json(data: Json) -> Trace:
    """The trace that has travelled, its spans ordered by start time, the root first.

    Raises:
        OtflowError: `data` is not a trace.
    """
    spans = [span_from_json(span) for span in members(data, "spans", "spans of a trace")]
    spans.sort(key=lambda span: (span.parent_id is not None, span.start_time_ns))
    return Trace(trace_info_from_json(member(data, "trace_info", "trace")), TraceData(spans))
