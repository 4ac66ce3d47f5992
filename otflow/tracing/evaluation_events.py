"""Feedback as OpenTelemetry events, out and in: `gen_ai.evaluation.result`.

**Out.** A feedback that is logged also leaves as a log record through the logger provider of the application, under
the span that it judges (the root of the trace, where it judges none). Where the application has no logger provider
but the `OTEL_EXPORTER_OTLP_*` variables name a collector, these events, and no other logs, go there. Expectations
stay: they say what was to come, not how good what came was, and the conventions have no event for that.
**In.** Such an event, of other instrumentation, on a span that is stored or in a log record that names one, becomes a
feedback on its trace.

Source: OpenTelemetry semantic conventions for GenAI events, `gen_ai.evaluation.result`.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import threading
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import trace as trace_api
from opentelemetry.context import Context

from otflow import clock, config, context, otel_variables
from otflow.entities import Assessment, AssessmentError, AssessmentSource, AssessmentSourceType, Feedback, SpanEvent
from otflow.entities.values import dump, load
from otflow.errors import NotFoundError
from otflow.semconv import TRACE_ID_PREFIX, GenAI
from otflow.tracing import guard, privacy
from otflow.tracing.assembly import OpenTrace, open_traces

if TYPE_CHECKING:
    from otflow.store.interface import Store

__all__ = ["SCOPE", "emit", "leaves_alone", "take"]

SCOPE: Final = "otflow.evaluation"
"""The name of the instrumentation scope of these events."""

_MOST_SPANS = 1000
"""How many spans of a stored trace are looked through for the one that is judged."""

_lock = threading.Lock()
_own: dict[str, Any] = {}
"""The logger provider of otflow's own that sends these events to a collector, by protocol."""


# -- out -----------------------------------------------------------------------------------------------


def emit(assessment: Assessment, store: Store) -> None:
    """Send a feedback on, if there is somewhere to send it to. Never raises."""
    try:
        if not isinstance(assessment, Feedback):
            return
        provider = _provider()
        if provider is not None:
            _emit(provider, assessment, store)
    except Exception as error:
        guard.swallow("emit an evaluation event", error)


def leaves_alone(assessment: Assessment) -> bool:
    """Whether a feedback on a trace that the store does not have can be sent on: traces go to a collector alone."""
    from otflow.tracing.destinations import StoreDestination, destinations

    if not isinstance(assessment, Feedback) or assessment.overrides or not _number(assessment.trace_id):
        return False
    stored = any(isinstance(where, StoreDestination) for where in destinations(context.place()))
    return not stored and _provider() is not None


def _provider() -> Any:
    from otflow.tracing import logs

    logs.join()
    return logs.successor() or _collector()


def _collector() -> Any:
    protocol = otel_variables.otlp_logs_protocol() if guard.setting(config.ENABLE_OTLP_EXPORTER) else None
    if protocol is None:
        return None
    with _lock:
        if protocol not in _own:
            _own[protocol] = _made(protocol)
        return _own[protocol]


def _made(protocol: str) -> Any:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    provider = LoggerProvider()
    exporter: Any = OTLPLogExporter()  # which reads endpoint, headers, compression and timeout itself
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


def _emit(provider: Any, feedback: Feedback, store: Store) -> None:
    span_id, response_id = _judged(feedback, store)
    attributes = _attributes(feedback)
    if response_id is not None:
        attributes[GenAI.RESPONSE_ID] = response_id
    flags = trace_api.TraceFlags(trace_api.TraceFlags.SAMPLED)
    span_context = trace_api.SpanContext(_number(feedback.trace_id), span_id, is_remote=False, trace_flags=flags)
    provider.get_logger(SCOPE).emit(_record(provider, span_context, attributes))


def _record(provider: Any, span_context: trace_api.SpanContext, attributes: dict[str, Any]) -> Any:
    from opentelemetry._logs import LogRecord, SeverityNumber

    now = clock.now_ns()
    if "event_name" in inspect.signature(LogRecord.__init__).parameters:
        context = trace_api.set_span_in_context(trace_api.NonRecordingSpan(span_context), Context())
        return LogRecord(
            timestamp=now,
            observed_timestamp=now,
            context=context,
            severity_number=SeverityNumber.INFO,
            attributes=attributes,
            event_name=GenAI.EVALUATION_EVENT,
        )
    # Before OpenTelemetry 1.35 the SDK takes only records of its own, and the event's name is an attribute.
    from opentelemetry.sdk import _logs as sdk_logs

    return cast("Any", sdk_logs).LogRecord(
        timestamp=now,
        observed_timestamp=now,
        trace_id=span_context.trace_id,
        span_id=span_context.span_id,
        trace_flags=span_context.trace_flags,
        severity_number=SeverityNumber.INFO,
        resource=getattr(provider, "resource", None),
        attributes={"event.name": GenAI.EVALUATION_EVENT, **attributes},
    )


def _number(trace_id: str | None) -> int:
    try:
        return int((trace_id or "").removeprefix(TRACE_ID_PREFIX), 16)
    except ValueError:
        return 0  # not of OpenTelemetry's making: the event goes without a span


def _judged(feedback: Feedback, store: Store) -> tuple[int, str | None]:
    """The span that a feedback is about, and the id of the model's response where the span has one."""
    trace = open_traces.of_span(_number(feedback.trace_id))
    if trace is not None:
        wanted = int(feedback.span_id, 16) if feedback.span_id else trace.root_span_id
        live = trace.live.get(wanted)
        if live is not None:
            return wanted, _text(live.raw_attributes.get(GenAI.RESPONSE_ID))
    otherwise = int(feedback.span_id, 16) if feedback.span_id else trace.root_span_id if trace is not None else 0
    try:
        for span in itertools.islice(store.iter_spans(str(feedback.trace_id)), _MOST_SPANS):
            number = int(span.span_id, 16)
            if span.span_id == feedback.span_id or (feedback.span_id is None and span.parent_id is None):
                return number, _text(span.raw_attributes.get(GenAI.RESPONSE_ID))
            otherwise = otherwise or number
    except NotFoundError:
        pass  # the trace is at a collector alone
    return otherwise, None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _attributes(feedback: Feedback) -> dict[str, Any]:
    """A feedback as the attributes of the event."""
    value = feedback.value
    found: dict[str, Any] = {GenAI.EVALUATION_NAME: feedback.name}
    if isinstance(value, bool):
        found[GenAI.EVALUATION_SCORE] = float(value)
        found[GenAI.EVALUATION_LABEL] = "true" if value else "false"
    elif isinstance(value, int | float):
        found[GenAI.EVALUATION_SCORE] = float(value)
    elif isinstance(value, str):
        found[GenAI.EVALUATION_LABEL] = value
    elif value is not None:
        found[GenAI.EVALUATION_VALUE] = dump(value)
    source: Any = feedback.source
    for key, text in (
        (GenAI.EVALUATION_EXPLANATION, feedback.rationale),
        (GenAI.ERROR_TYPE, feedback.error_code),
        (GenAI.ERROR_MESSAGE, feedback.error_message),
        (GenAI.EVALUATION_ID, feedback.assessment_id),
        (GenAI.EVALUATION_OVERRIDES, feedback.overrides),
        (GenAI.EVALUATION_SOURCE_TYPE, source.source_type if source else None),
        (GenAI.EVALUATION_SOURCE_ID, source.source_id if source else None),
    ):
        if text:
            found[key] = str(text)
    return found


# -- in ------------------------------------------------------------------------------------------------


def take(trace: OpenTrace, span_id: int, event: SpanEvent) -> None:
    """Keep the feedback that an event of other instrumentation is, on its trace. Events that are none are left.

    Args:
        trace: The trace.
        span_id: OpenTelemetry's id of the span that is judged.
        event: An event of the name `gen_ai.evaluation.result`.
    """
    from otflow.tracing.exporter import writer

    feedback = _feedback(trace, span_id, event)
    if feedback is not None:
        policy = privacy.policy()
        if policy is not None:
            policy.assessment(feedback)
        trace.assessments.append(feedback)
        writer.changed(trace)


def _feedback(trace: OpenTrace, span_id: int, event: SpanEvent) -> Feedback | None:
    said = event.attributes
    name = said.get(GenAI.EVALUATION_NAME)
    value, label = _value(said), said.get(GenAI.EVALUATION_LABEL)
    error = None
    if said.get(GenAI.ERROR_TYPE):
        error = AssessmentError(str(said[GenAI.ERROR_TYPE]), _text(said.get(GenAI.ERROR_MESSAGE)))
    if not isinstance(name, str) or (value is None and error is None):
        return None
    feedback = Feedback(
        name=name,
        value=value,
        error=error,
        source=_source(said),
        trace_id=trace.trace_id,
        span_id=None if span_id == trace.root_span_id else f"{span_id:016x}",
        rationale=_text(said.get(GenAI.EVALUATION_EXPLANATION)),
        overrides=_text(said.get(GenAI.EVALUATION_OVERRIDES)),
        create_time_ms=event.timestamp // 1_000_000,
        last_update_time_ms=event.timestamp // 1_000_000,
    )
    if isinstance(label, str) and not isinstance(value, str | bool):
        feedback.metadata = {GenAI.EVALUATION_LABEL: label}
    # The same event may come twice, on the span and in a log record, or with a span that is written again.
    told = f"{trace.trace_id}/{span_id:016x}/{event.timestamp}/{name}/{value}"
    own_id = f"a-{hashlib.sha256(told.encode()).hexdigest()[:32]}"
    feedback.assessment_id = _text(said.get(GenAI.EVALUATION_ID)) or own_id
    return feedback


def _value(said: dict[str, Any]) -> Any:
    score, label = said.get(GenAI.EVALUATION_SCORE), said.get(GenAI.EVALUATION_LABEL)
    if label in ("true", "false") and score in (0, 1):
        return label == "true"
    other = said.get(GenAI.EVALUATION_VALUE)
    if score is None and label is None and isinstance(other, str):
        return load(other)
    return label if score is None else score


def _source(said: dict[str, Any]) -> AssessmentSource:
    kind = said.get(GenAI.EVALUATION_SOURCE_TYPE)
    known = (AssessmentSourceType.HUMAN, AssessmentSourceType.LLM_JUDGE, AssessmentSourceType.CODE)
    source_id = said.get(GenAI.EVALUATION_SOURCE_ID)
    return AssessmentSource(
        kind if kind in known else AssessmentSourceType.CODE,
        source_id if isinstance(source_id, str) else "default",
    )
