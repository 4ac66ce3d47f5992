"""Traces of an experiment; their spans are a file among its artifacts."""

from __future__ import annotations

import os
from collections.abc import Iterator

from otflow.entities import Assessment, TraceInfo
from otflow.errors import OtflowError
from otflow.migration.directory.files import entries, pairs, read_yaml
from otflow.migration.records import SourceTrace
from otflow.migration.report import ImportReport
from otflow.migration.span_files import file_mark, with_prefix
from otflow.semconv import Tag

__all__ = ["traces_of"]

_INFO = "trace_info.yaml"


def traces_of(folder: str, experiment_id: int, report: ImportReport) -> Iterator[SourceTrace]:
    """The traces of an experiment's directory."""
    for entry in entries(os.path.join(folder, "traces")):
        path = os.path.join(entry.path, _INFO)
        if not os.path.exists(path):
            continue
        try:
            info = TraceInfo.from_dict(read_yaml(path))
            info.tags = pairs(os.path.join(entry.path, "tags"))
            info.trace_metadata = pairs(os.path.join(entry.path, "request_metadata"))
        except OtflowError as error:
            report.skip("traces", f"the trace in {entry.path}", error)
            continue
        source_id, info.trace_id = info.trace_id, with_prefix(info.trace_id)
        info.assessments = list(_assessments(entry.path, info.trace_id, report))
        trace = SourceTrace(info, experiment_id, source_id)
        trace.mark, trace.size = file_mark(info.tags.get(Tag.ARTIFACT_LOCATION))
        yield trace


def _assessments(path: str, trace_id: str, report: ImportReport) -> Iterator[Assessment]:
    folder = os.path.join(path, "assessments")
    if not os.path.isdir(folder):
        return
    found: list[Assessment] = []
    for name in sorted(os.listdir(folder)):
        try:
            assessment = Assessment.from_dictionary(read_yaml(os.path.join(folder, name)))
        except OtflowError as error:
            report.skip("assessments", f"the assessment in {os.path.join(folder, name)}", error)
            continue
        assessment.trace_id = trace_id
        found.append(assessment)
    yield from sorted(found, key=lambda one: (one.create_time_ms or 0, one.overrides is not None))
