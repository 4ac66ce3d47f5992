"""Feedback as `gen_ai.evaluation.result` events, out and in."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)

import otflow
from otflow.entities import AssessmentError, AssessmentSource, Feedback, SpanEvent
from otflow.semconv import GenAI
from otflow.tracing import evaluation_events
from otflow.tracing.assembly import OpenTrace


def run(code: str, directory: Path, **environment: str) -> str:
    """Run a script in a process of its own: providers are global."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTFLOW_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=directory,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


EXPORTED = """
    import otflow
    from otflow.entities import AssessmentError, AssessmentSource, Feedback
    from otflow.tracing import guard
    from opentelemetry import _logs, trace
    from opentelemetry._logs import LogRecord, get_logger
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

    exported = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exported))
    _logs.set_logger_provider(provider)

    def records():
        found = [data.log_record for data in exported.get_finished_logs()]
        exported.clear()
        return found

    @otflow.trace
    def ask():
        with otflow.start_span("chat") as span:
            span.set_attribute("gen_ai.response.id", "resp-1")
        return span.span_id

    chat_id = ask()
    trace_id = otflow.get_last_active_trace_id()
    root_id = next(s for s in otflow.get_trace(trace_id).data.spans if s.parent_id is None).span_id
"""


def exporting(code: str, directory: Path) -> str:
    return run(textwrap.dedent(EXPORTED) + textwrap.dedent(code), directory)


# -- out -----------------------------------------------------------------------------------------------


def test_feedback_leaves_under_the_span_that_it_judges(tmp_path):
    exporting(
        """
        kept = otflow.log_feedback(
            trace_id=trace_id, name="relevance", value=0.5, rationale="half of it", span_id=chat_id,
            source=AssessmentSource("LLM_JUDGE", "gpt-4o"),
        )
        (record,) = records()
        assert record.event_name == "gen_ai.evaluation.result"
        assert f"{record.trace_id:032x}" == trace_id.removeprefix("tr-")
        assert f"{record.span_id:016x}" == chat_id
        assert dict(record.attributes) == {
            "gen_ai.evaluation.name": "relevance",
            "gen_ai.evaluation.score.value": 0.5,
            "gen_ai.evaluation.explanation": "half of it",
            "gen_ai.response.id": "resp-1",
            "otflow.evaluation.id": kept.assessment_id,
            "otflow.evaluation.source.type": "LLM_JUDGE",
            "otflow.evaluation.source.id": "gpt-4o",
        }, dict(record.attributes)
        """,
        tmp_path,
    )


def test_feedback_on_a_trace_leaves_under_its_root(tmp_path):
    exporting(
        """
        otflow.log_feedback(trace_id=trace_id, value="good")
        otflow.log_assessment(trace_id, Feedback(name="seen", value=True))
        otflow.log_feedback(trace_id=trace_id, name="broken", error=AssessmentError("JUDGE_TIMEOUT", "too slow"))
        label, yes, broken = records()
        assert {f"{record.span_id:016x}" for record in (label, yes, broken)} == {root_id}
        assert label.attributes["gen_ai.evaluation.score.label"] == "good"
        assert "gen_ai.evaluation.score.value" not in label.attributes
        assert yes.attributes["gen_ai.evaluation.score.value"] == 1.0
        assert yes.attributes["gen_ai.evaluation.score.label"] == "true"
        assert broken.attributes["error.type"] == "JUDGE_TIMEOUT"
        assert "gen_ai.response.id" not in label.attributes
        """,
        tmp_path,
    )


def test_an_override_leaves_too_and_says_of_what(tmp_path):
    exporting(
        """
        first = otflow.log_feedback(trace_id=trace_id, name="relevance", value=1, span_id=chat_id)
        otflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=5)
        _, second = records()
        assert second.attributes["otflow.evaluation.overrides"] == first.assessment_id
        assert second.attributes["gen_ai.evaluation.score.value"] == 5.0
        assert f"{second.span_id:016x}" == chat_id
        """,
        tmp_path,
    )


def test_feedback_while_the_span_is_open_is_under_it_too(tmp_path):
    exporting(
        """
        with otflow.start_span("chat") as span:
            span.set_attribute("gen_ai.response.id", "resp-2")
            otflow.log_feedback(trace_id=span.trace_id, value=1)
        (record,) = records()
        assert f"{record.span_id:016x}" == span.span_id
        assert record.attributes["gen_ai.response.id"] == "resp-2"
        """,
        tmp_path,
    )


def test_feedback_on_a_trace_of_another_process(tmp_path):
    run(
        "import otflow\nwith otflow.start_span('x') as s: pass\nopen('id', 'w').write(f'{s.trace_id} {s.span_id}')",
        tmp_path,
    )
    exporting(
        """
        other, span_id = open("id").read().split()
        otflow.log_feedback(trace_id=other, value=1)
        (record,) = records()
        assert (f"tr-{record.trace_id:032x}", f"{record.span_id:016x}") == (other, span_id)
        """,
        tmp_path,
    )


def test_expectations_stay_and_own_events_do_not_come_back_in(tmp_path):
    exporting(
        """
        otflow.log_expectation(trace_id=trace_id, name="expected", value=1)
        assert records() == []
        otflow.log_feedback(trace_id=trace_id, value=1)
        assert len(otflow.get_trace(trace_id).info.assessments) == 2
        assert [e for s in otflow.get_trace(trace_id).data.spans for e in s.events] == []
        """,
        tmp_path,
    )


def test_an_exporter_that_fails_harms_nobody(tmp_path):
    exporting(
        """
        class Failing:
            def get_logger(self, *args):
                raise RuntimeError("no")
        from otflow.tracing import logs
        logs.successor = lambda: Failing()
        assert otflow.log_feedback(trace_id=trace_id, value=1).value == 1
        assert guard.failures() == {"emit an evaluation event": 1}
        """,
        tmp_path,
    )


def test_without_a_provider_or_a_collector_nothing_is_loaded(tmp_path):
    code = "import otflow, sys\nt = otflow.log_trace()\notflow.log_feedback(trace_id=t, value=1)\nprint(*sys.modules)"
    assert "opentelemetry.sdk._logs" not in run(code, tmp_path).split()


# -- out, to a collector ---------------------------------------------------------------------------------


@pytest.fixture
def http_collector() -> Iterator[tuple[str, list[ExportLogsServiceRequest]]]:
    got: list[ExportLogsServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/logs":
                got.append(ExportLogsServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def grpc_collector() -> Iterator[tuple[str, list[ExportLogsServiceRequest]]]:
    got: list[ExportLogsServiceRequest] = []

    class Collector(LogsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            got.append(request)
            return ExportLogsServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    add_LogsServiceServicer_to_server(Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", got
    server.stop(None).wait()


# The application logs too, by Python's logging and by OpenTelemetry: that must not leave.
FEEDBACK = """
    import logging, otflow
    from opentelemetry._logs import LogRecord, get_logger
    trace_id = otflow.log_trace("ask", request="hi", response="ho")
    logging.getLogger("app").warning("a secret of the application's")
    with otflow.start_span("x"):
        get_logger("app").emit(LogRecord(body="another secret"))
        get_logger("app").emit(LogRecord(event_name="gen_ai.user.message", body={"content": "hi"}))
    otflow.log_feedback(trace_id=trace_id, name="relevance", value=0.5)
"""


BOTH = {"OTFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT": "true"}


def sent(got: list[ExportLogsServiceRequest]) -> list[Any]:
    return [
        record
        for request in got
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


@pytest.mark.parametrize("both", ["true", "false"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_without_a_provider_evaluation_events_alone_go_to_the_collector(tmp_path, request, protocol, both):
    endpoint, got = request.getfixturevalue("grpc_collector" if protocol == "grpc" else "http_collector")
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    run(FEEDBACK, tmp_path, OTFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT=both, OTEL_TRACES_EXPORTER="otlp", **variables)
    (record,) = sent(got)
    assert record.event_name == "gen_ai.evaluation.result"
    attributes = {pair.key: pair.value for pair in record.attributes}
    assert attributes["gen_ai.evaluation.name"].string_value == "relevance"
    assert attributes["gen_ai.evaluation.score.value"].double_value == 0.5
    assert len(record.span_id) == 8


def test_the_collector_gets_none_where_the_variable_says_so(tmp_path, http_collector):
    endpoint, got = http_collector
    run(FEEDBACK, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_LOGS_EXPORTER="none", **BOTH)
    assert sent(got) == []


# -- in --------------------------------------------------------------------------------------------------


def test_events_of_others_become_feedback(tmp_path):
    exporting(
        """
        tracer = trace.get_tracer("instrumentation")
        said = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5,
                "gen_ai.evaluation.score.label": "so-so", "gen_ai.evaluation.explanation": "half of it"}
        with otflow.start_span("work") as root:
            with tracer.start_as_current_span("chat") as chat:
                chat.add_event("gen_ai.evaluation.result", said)
            context = trace.set_span_in_context(chat)
        logger = get_logger("judge")
        logger.emit(LogRecord(event_name="gen_ai.evaluation.result", context=context, timestamp=5_000_000, attributes={
            "gen_ai.evaluation.name": "toxic", "gen_ai.evaluation.score.label": "no"}))
        otel = trace.set_span_in_context(root.otel_span)
        logger.emit(LogRecord(event_name="gen_ai.evaluation.result", context=otel, attributes={
            "gen_ai.evaluation.name": "broken", "error.type": "timeout"}))
        logger.emit(LogRecord(event_name="gen_ai.evaluation.result", context=otel, attributes={"odd": 1}))
        found = {a.name: a for a in otflow.get_trace(root.trace_id).info.assessments}
        assert set(found) == {"relevance", "toxic", "broken"}, found
        chat_id = f"{chat.get_span_context().span_id:016x}"
        relevance = found["relevance"]
        assert (relevance.value, relevance.rationale, relevance.span_id) == (0.5, "half of it", chat_id)
        assert relevance.metadata == {"gen_ai.evaluation.score.label": "so-so"}
        assert str(relevance.source.source_type) == "CODE"
        assert (found["toxic"].value, found["toxic"].span_id) == ("no", chat_id)
        assert found["toxic"].create_time_ms == 5
        assert (found["broken"].error_code, found["broken"].span_id) == ("timeout", None)
        assert guard.failures() == {}
        """,
        tmp_path,
    )


VALUES = st.one_of(
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(min_size=1).filter(lambda text: text not in ("true", "false")),
    st.lists(st.integers(0, 9) | st.text(), min_size=1),
    st.dictionaries(st.text(), st.booleans(), min_size=1),
)


@given(VALUES, st.none() | st.text(min_size=1), st.sampled_from(["HUMAN", "CODE", "LLM_JUDGE"]), st.booleans())
def test_what_leaves_comes_back_the_same(value, rationale, source, failed):
    error = AssessmentError("TIMEOUT", "too slow") if failed else None
    feedback = Feedback(
        name="quality", value=value, error=error, rationale=rationale, source=AssessmentSource(source, "me")
    )
    feedback.assessment_id = "a-1"
    trace = OpenTrace(1, "tr-1", "t", "sqlite://", None)
    trace.root_span_id = 1
    event = SpanEvent(GenAI.EVALUATION_EVENT, 7, evaluation_events._attributes(feedback))
    back = evaluation_events._feedback(trace, 2, event)
    assert back is not None
    assert (back.name, back.value, back.rationale, back.assessment_id) == ("quality", value, rationale, "a-1")
    assert type(back.value) is type(value)
    assert back.source == feedback.source
    assert (back.error_code, back.error_message) == (feedback.error_code, feedback.error_message)
    assert back.span_id == f"{2:016x}"
    assert otflow.__version__
