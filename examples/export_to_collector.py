"""Send traces to a collector by OTLP, with OpenTelemetry's variables alone.

The collector here is a small server in a thread, so that the example runs without a network. A real one is named by the
same variables:

    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 OTEL_SERVICE_NAME=shop python my_program.py
"""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

import otflow
from otflow.entities import SpanType

taken: list[ExportTraceServiceRequest] = []


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    def do_POST(self) -> None:
        """Take one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        assert self.headers["api-key"] == "a secret"
        taken.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@otflow.trace(span_type=SpanType.TOOL)
def look_up(city: str) -> int:
    """The number of people in a city."""
    return {"Paris": 2_100_000}[city]


@otflow.trace(span_type=SpanType.AGENT)
def answer(question: str) -> str:
    """Answer a question about Paris."""
    otflow.update_current_trace(metadata={"mlflow.trace.session": "session-1"})
    return f"{question} {look_up('Paris')}"


def main() -> None:
    """Trace a call, and look at what the collector got."""
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=a%20secret"
    os.environ["OTEL_SERVICE_NAME"] = "cities"

    answer("How many people live in Paris?")
    otflow.flush_trace_async_logging()
    server.shutdown()
    server.server_close()

    spans = {}
    for request in taken:
        for resource in request.resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            assert named["service.name"] == "cities"
            spans.update({span.name: span for scope in resource.scope_spans for span in scope.spans})
    assert spans["look_up"].parent_span_id == spans["answer"].span_id
    for span in sorted(spans.values(), key=lambda span: span.start_time_unix_nano):
        print(span.name)
        for item in span.attributes:
            print(f"    {item.key} = {item.value.string_value or item.value.int_value}")
    keys = {item.key for item in spans["answer"].attributes}
    assert {"mlflow.spanInputs", "gen_ai.operation.name", "session.id"} <= keys


if __name__ == "__main__":
    main()
