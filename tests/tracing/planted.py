"""A program that puts a secret of its own into every place where a value can be; run by test_privacy_corpus.

Arguments: "rules" or "nothing at all". Prints what it reads back; `places.json` says where it planted which secret.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import http.server
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

MODE = sys.argv[1]
RULES = MODE == "rules"
PLACES: dict[str, str] = {}
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


def secret(place: str) -> str:
    """A new secret."""
    found = f"zqsecret{len(PLACES) + 1:04d}x"
    PLACES[found] = place
    return found


def label(place: str) -> str:
    """A secret where labels are: names, keys, tags; none without rules: labels are no content."""
    return secret(place) if RULES else "label"


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent in a file."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("collector.bin", "ab") as file:
            file.write(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}/v1/traces"
os.environ["OTFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT"] = "true"

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from opentelemetry import trace as api  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor  # noqa: E402
from pydantic import BaseModel, SecretStr  # noqa: E402

import otflow  # noqa: E402
from otflow.entities import (  # noqa: E402
    AssessmentSource,
    Attachment,
    Document,
    Feedback,
    SpanEvent,
    SpanStatus,
    SpanStatusCode,
)
from otflow.tracing.privacy import CREDENTIALS, Rule  # noqa: E402

if RULES:
    otflow.tracing.set_privacy_rules([*CREDENTIALS, Rule(pattern=r"zqsecret\d{4}x")])
door = open("own_exporter.json", "w")  # noqa: SIM115 open as long as the program runs
own = TracerProvider()
own.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=door)))
api.set_tracer_provider(own)


@dataclasses.dataclass
class Data:
    text: str
    inner: dict[str, str]


class Model(BaseModel):
    text: str
    key: SecretStr


class Shown:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Shown({self.text})"


class Angry(Shown):
    def __repr__(self) -> str:
        raise ValueError(self.text)


def values() -> None:
    message = {
        "role": "assistant",
        "content": [{"type": "image_url", "image_url": {"url": f"https://x/{secret('image url')}"}}],
        "tool_calls": [{"function": {"name": "f", "arguments": json.dumps({"q": secret("tool arguments")})}}],
    }
    with otflow.start_span(label("span name")) as span:
        span.set_inputs(
            {
                "nested": [secret("list"), (secret("tuple"), {secret("set")})],
                secret("dictionary key"): 1,
                "dataclass": Data(secret("dataclass"), {"k": secret("dictionary in a dataclass")}),
                "pydantic": Model(text=secret("model"), key=SecretStr(secret("SecretStr"))),
                "numpy": np.array([secret("numpy")]),
                "objects": np.array([secret("numpy of objects"), 1], dtype=object),
                "frame": pd.DataFrame({secret("column"): [secret("cell")]}),
                "shown": Shown(secret("repr")),
                "angry": Angry(secret("repr that raises")),
                "bytes": secret("bytes").encode(),
                "json": json.dumps(json.dumps({"a": secret("JSON in JSON")})),
                "escaped": json.dumps(secret("JSON escapes")).replace("z", "\\u007a"),
                "exception": ValueError(secret("an exception as a value")),
                "document": Document(secret("document"), {"m": secret("metadata of a document")}),
                "messages": [{"role": "user", "content": secret("message")}, message],
            }
        )
        span.set_outputs(pd.Series([secret("series")]))
        span.set_attributes({label("attribute key"): 1, "list": [secret("attribute")], "d": {"x": secret("in one")}})
        attributes = {"t": secret("event"), "l": [secret("list in an event")], label("event key"): "x"}
        span.add_event(SpanEvent(label("event name"), attributes=attributes))
        span.record_exception(ValueError(secret("recorded exception")))
        span.set_status(SpanStatus(SpanStatusCode.ERROR, secret("status")))
        tool = {"type": "function", "function": {"name": "t", "description": secret("tool")}}
        otflow.tracing.set_span_chat_tools(span, [tool])  # pyright: ignore[reportArgumentType]
    otflow.log_trace("logged", request=secret("logged request"), response=secret("logged response"))


def exceptions() -> None:
    class Told(Exception):
        def __str__(self) -> str:
            return secret("str of an exception")

    @otflow.trace
    def chained() -> None:
        try:
            raise KeyError(secret("cause"))
        except KeyError as cause:
            error = Told(secret("arguments"))
            if hasattr(error, "add_note"):
                error.add_note(secret("note"))  # pyright: ignore[reportAttributeAccessIssue]
            raise error from cause

    @otflow.trace
    def parsed() -> None:
        compile(secret("source text") + " +", "<text>", "exec")

    @otflow.trace
    def validated() -> None:
        Model(text=[secret("validation")], key="k")  # pyright: ignore[reportArgumentType]

    @otflow.trace
    async def waited(argument: str) -> None:
        raise RuntimeError(secret("asynchronous"))

    for function in (chained, parsed, validated, lambda: asyncio.run(waited(secret("argument")))):
        with contextlib.suppress(Exception):
            function()


def streams() -> None:
    text = secret("item")

    @otflow.trace
    def letters() -> Any:
        yield from ("so ", *text, " it is")

    @otflow.trace(output_reducer="".join)
    def reduced() -> Any:
        yield from text

    @otflow.trace
    async def fails() -> Any:
        yield {"x": secret("asynchronous item")}
        raise ValueError(secret("error of a stream"))

    async def consume() -> None:
        async for _ in fails():
            pass

    list(letters())
    list(reduced())
    with contextlib.suppress(ValueError):
        asyncio.run(consume())


def trace_level() -> None:
    with otflow.start_span("root") as root:
        otflow.update_current_trace(
            tags={label("tag key"): "v", "t": label("tag")},
            metadata={"mlflow.trace.session": label("session"), "mlflow.trace.user": label("user"), "m": label("meta")},
            client_request_id=label("client request id"),
            request_preview=secret("request preview"),
            response_preview=secret("response preview"),
        )
        headers = otflow.tracing.get_tracing_context_headers_for_http_request()
    Path("headers.json").write_text(json.dumps(headers))
    otflow.flush_trace_async_logging()
    trace_id = root.trace_id
    otflow.log_feedback(
        trace_id=trace_id,
        name="a",
        value=secret("feedback"),
        rationale=secret("rationale"),
        metadata={"m": label("metadata of feedback")},
        source=AssessmentSource("HUMAN", label("source")),
    )
    otflow.log_feedback(trace_id=trace_id, name="b", value=1, error=ValueError(secret("error of feedback")))
    kept = otflow.log_expectation(trace_id=trace_id, name="c", value={"a": [secret("expectation")]})
    again = otflow.log_feedback(trace_id=trace_id, name="d", value=1)
    update = Feedback(name="d", value=secret("updated"), rationale=secret("updated rationale"))
    otflow.update_assessment(trace_id=trace_id, assessment_id=again.assessment_id or "", assessment=update)
    otflow.override_feedback(
        trace_id=trace_id, assessment_id=again.assessment_id or "", value=1, rationale=secret("override")
    )
    assert kept.assessment_id
    otflow.set_trace_tag(trace_id, "stored", label("stored tag"))
    found = otflow.get_trace(trace_id)
    assert found is not None
    copied = found.to_dict()
    copied["data"]["spans"][0]["attributes"]["mlflow.spanInputs"] = json.dumps({"x": secret("added trace")})
    with otflow.start_span("merge"):
        otflow.add_trace(copied)
    remote = {
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "baggage": f"session.id={label('session of a header')},otflow.tag.x={label('tag of a header')}",
    }
    with otflow.tracing.set_tracing_context_from_http_request_headers(remote), otflow.start_span("remote") as span:
        span.set_inputs(secret("input in a remote trace"))


def attachments() -> None:
    long = (secret("text attachment") + " ") * 200
    with otflow.start_span("files") as span:
        span.set_inputs(
            {
                "one": Attachment(secret("short attachment").encode(), "text/plain", f"{secret('name')} and more.txt"),
                "long": Attachment(long.encode(), "text/csv"),
                "source": {
                    "type": "base64",
                    "media_type": "application/json",
                    "data": base64.b64encode(json.dumps({"a": secret("source")}).encode()).decode(),
                },
            }
        )


def foreign() -> None:
    tracer = api.get_tracer("other")
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": secret("foreign message")}]}])
    with tracer.start_as_current_span(
        label("foreign name"),
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": messages,
            "gen_ai.system_instructions": secret("foreign system prompt"),
            "llm.input_messages.0.message.content": secret("foreign message part"),
            "input.value": secret("foreign input"),
            "tomorrow": [secret("foreign attribute")],
            label("foreign key"): 1,
            "session.id": label("foreign session"),
            "langfuse.trace.tags": [label("foreign tag")],
            "langfuse.trace.name": label("foreign trace name"),
        },
        links=[api.Link(api.SpanContext(1, 2, False), {"l": secret("foreign link")})],
    ) as span:
        span.add_event(label("foreign event name"), {"e": secret("foreign event")})
        span.record_exception(ValueError(secret("foreign exception")))
        span.set_status(api.Status(api.StatusCode.ERROR, secret("foreign status")))
        with otflow.start_span("below") as below:
            below.set_inputs(secret("below a foreign span"))
            raw: Any = api.get_current_span()
            raw.set_attribute("note", secret("written by OpenTelemetry's API"))


def failures() -> None:
    logger = logging.getLogger("otflow")
    try:
        raise ValueError(secret("logged exception"))
    except ValueError:
        logger.exception("failed")
    if RULES:
        logger.warning("said %s", Shown(secret("logged")))
    errors: list[str] = []
    for work in (
        lambda: otflow.search_traces(filter_string=f"name = '{label('filter')}' AND ("),
        lambda: otflow.entities.Trace.from_json(f'{{"a": "{label("JSON")}"'),
        lambda: otflow.update_current_trace(request_preview=[label("argument")]),  # pyright: ignore[reportArgumentType]
    ):
        try:
            with otflow.start_span("wrong"):
                work()
        except otflow.errors.OtflowError as error:
            errors.append(str(error))
    assert len(errors) == 3
    Path("errors.txt").write_text("\n".join(errors))


def processors() -> None:
    def raises(span: Any) -> None:
        raise ValueError(secret("error of a processor"))

    with otflow.tracing.configure(span_processors=[raises]), otflow.start_span("processed") as span:
        span.set_inputs({"a": secret("what a processor should take out")})


for part in (values, exceptions, streams, trace_level, attachments, foreign, failures, processors):
    part()
otflow.flush_trace_async_logging()
for trace in otflow.search_traces(return_type="list"):
    otflow.tracing.print_trace(trace)
    sys.stdout.write(trace.to_json() + "\n")
sys.stdout.write(otflow.search_traces(return_type="pandas").to_string())
Path("places.json").write_text(json.dumps(PLACES))
