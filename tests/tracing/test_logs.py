"""GenAI content in log events lands on the spans that the events name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otflow
from otflow.tracing.logs import event_attributes

HERE = Path(__file__).parent


def run(code: str, directory: Path, **environment: str) -> str:
    """Run a script in a process of its own: instrumentation and providers are global."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTFLOW_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", textwrap.dedent(code)],
        cwd=directory,
        env={**clean, "PYTHONPATH": str(HERE), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- the real instrumentation --------------------------------------------------------------------------

ASK = """
    import json, otflow, openai_server
    from openai import OpenAI
    from opentelemetry import trace
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    client = OpenAI(base_url=openai_server.start(), api_key="none")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]

    @otflow.trace
    def ask(stream, tools):
        more = {"tools": tools} if tools else {}
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
        answer = client.chat.completions.create(model="gpt-4o", messages=messages, stream=stream, **more)
        return len(list(answer)) if stream else 1

    found = {}
    for stream in (False, True):
        for offered in ((), tools):
            ask(stream, offered)
            trace = otflow.get_trace(otflow.get_last_active_trace_id())
            span = next(span for span in trace.data.spans if span.name.startswith("chat"))
            found[f"{'stream' if stream else 'whole'} {'tools' if offered else 'plain'}"] = {
                "events": [[event.name, dict(event.attributes)] for event in span.events],
                "attributes": {key: span.attributes[key] for key in span.attributes if "messages" in key},
            }
    from otflow.tracing import guard
    assert guard.failures() == {}, guard.failures()
    print(json.dumps(found))
"""
LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DETAILS = "gen_ai.client.inference.operation.details"


def test_messages_as_events_of_their_own_land_on_the_span(tmp_path):
    found = json.loads(run(ASK, tmp_path, **{CAPTURE: "true"}))
    assert len(found) == 4
    for kind, span in found.items():
        names = [name for name, _ in span["events"]]
        assert names == ["gen_ai.system.message", "gen_ai.user.message", "gen_ai.choice"], kind
        system, user, choice = (attributes for _, attributes in span["events"])
        assert (system["content"], user["content"]) == ("Be brief.", "Why?")
        message = json.loads(choice["message"])
        if kind.endswith("tools"):
            assert message["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
            assert choice["finish_reason"] == "tool_calls"
        else:
            assert message["content"] == "The answer is 42."
        assert span["attributes"] == {}


def test_the_details_of_an_operation_as_one_event_land_on_the_span(tmp_path):
    found = json.loads(run(ASK, tmp_path, **LATEST, **{CAPTURE: "EVENT_ONLY"}))
    assert len(found) == 4
    for kind, span in found.items():
        assert [name for name, _ in span["events"]] == [DETAILS]
        attributes = span["events"][0][1]
        asked = json.loads(attributes["gen_ai.input.messages"])
        assert asked[-1] == {"role": "user", "parts": [{"type": "text", "content": "Why?"}]}
        parts = json.loads(attributes["gen_ai.output.messages"])[0]["parts"]
        assert parts[-1]["type"] == ("tool_call" if kind.endswith("tools") else "text")
        assert span["attributes"] == {}


def test_what_is_on_the_span_and_in_the_event_is_kept_once(tmp_path):
    found = json.loads(run(ASK, tmp_path, **LATEST, **{CAPTURE: "SPAN_AND_EVENT"}))
    for span in found.values():
        assert set(span["attributes"]) == {"gen_ai.input.messages", "gen_ai.output.messages"}
        ((name, attributes),) = span["events"]
        assert name == DETAILS
        assert not {"gen_ai.input.messages", "gen_ai.output.messages"} & set(attributes)


def test_content_that_is_on_the_span_alone_stays_there(tmp_path):
    found = json.loads(run(ASK, tmp_path, **LATEST, **{CAPTURE: "SPAN_ONLY"}))
    for span in found.values():
        assert set(span["attributes"]) == {"gen_ai.input.messages", "gen_ai.output.messages"}


def test_without_capture_there_is_no_content(tmp_path):
    found = run(ASK, tmp_path)
    assert "Why?" not in found
    assert "answer is 42" not in found


# -- providers, before and after -----------------------------------------------------------------------

EMIT = """
    import otflow
    from opentelemetry import _logs, trace
    from opentelemetry._logs import LogRecord, get_logger
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exported = InMemoryLogRecordExporter()

    def app_provider():
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exported))
        return provider

    def emit(logger, name="gen_ai.user.message", body={"content": "hi"}, **more):
        logger.emit(LogRecord(event_name=name, body=body, **more))

    def events(name=None):
        spans = otflow.get_trace(otflow.get_last_active_trace_id()).data.spans
        return [(e.name, e.attributes) for s in spans if name in (None, s.name) for e in s.events]

    HI = ("gen_ai.user.message", {"content": "hi"})
"""


def emitting(code: str, directory: Path, **environment: str) -> str:
    return run(textwrap.dedent(EMIT) + textwrap.dedent(code), directory, **environment)


def test_a_provider_that_is_set_before_is_joined(tmp_path):
    emitting(
        """
        _logs.set_logger_provider(app_provider())
        logger = get_logger("instrumentation")
        with otflow.start_span("work"):
            emit(logger)
        assert events() == [HI], events()
        assert len(exported.get_finished_logs()) == 1
        """,
        tmp_path,
    )


def test_without_a_provider_events_are_taken_all_the_same(tmp_path):
    emitting(
        """
        early = get_logger("early")
        with otflow.start_span("work"):
            emit(early)
            emit(get_logger("late"))
        assert events() == [HI, HI], events()
        """,
        tmp_path,
    )


def test_a_provider_that_is_set_after_gets_everything_and_nothing_twice(tmp_path):
    out = emitting(
        """
        with otflow.start_span("first"):
            early = get_logger("early")  # of otflow's own provider
            emit(early)
        _logs.set_logger_provider(app_provider())
        assert isinstance(_logs.get_logger_provider(), LoggerProvider)
        with otflow.start_span("second"):
            emit(early)
            emit(get_logger("late"))
            emit(early, "app.started")
        assert events() == [HI, HI], events()
        names = [data.log_record.event_name for data in exported.get_finished_logs()]
        assert names == ["gen_ai.user.message", "gen_ai.user.message", "app.started"], names
        print("done")
        """,
        tmp_path,
    )
    assert out == "done\n"


def test_the_applications_other_logs_are_not_taken(tmp_path):
    emitting(
        """
        import logging
        _logs.set_logger_provider(app_provider())
        logger = get_logger("app")
        with otflow.start_span("work"):
            emit(logger, "app.started")
            emit(logger, None, body="a secret")
            emit(logger, "gen_aix.thing")
        assert events() == []
        assert len(exported.get_finished_logs()) == 3
        """,
        tmp_path,
    )


def test_events_of_spans_that_are_not_stored_are_not_taken(tmp_path):
    emitting(
        """
        trace.set_tracer_provider(TracerProvider())
        _logs.set_logger_provider(app_provider())
        logger = get_logger("instrumentation")
        tracer = trace.get_tracer("app")
        with tracer.start_as_current_span("the application's"):
            emit(logger)
            with otflow.start_span("work"):
                pass
            emit(logger)
        emit(logger)
        from otflow.tracing import logs
        assert events() == []
        assert logs._held == {}
        """,
        tmp_path,
    )


def test_the_applications_span_gets_no_content(tmp_path):
    emitting(
        """
        spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        trace.set_tracer_provider(provider)
        with otflow.start_span("work"):
            with trace.get_tracer("instrumentation").start_as_current_span("chat"):
                emit(get_logger("instrumentation"))
        assert events("chat") == [HI], events()
        assert [event for span in spans.get_finished_spans() for event in span.events] == []
        """,
        tmp_path,
    )


def test_an_event_that_names_its_span_by_a_context_needs_no_current_one(tmp_path):
    emitting(
        """
        logger = get_logger("instrumentation")
        with otflow.start_span("work"):
            chat = trace.get_tracer("instrumentation").start_span("chat")
            emit(logger, context=trace.set_span_in_context(chat))
            chat.end()
        assert events("chat") == [HI], events()
        assert events("work") == []
        """,
        tmp_path,
    )


def test_an_event_that_comes_after_the_end_lands_with_those_before(tmp_path):
    emitting(
        """
        logger = get_logger("instrumentation")
        with otflow.start_span("work"):
            chat = trace.get_tracer("instrumentation").start_span("chat")
            context = trace.set_span_in_context(chat)
            emit(logger, context=context)
            chat.end()
            emit(logger, "gen_ai.choice", {"index": 0}, context=context)
            otflow.flush_trace_async_logging()
        emit(logger, "gen_ai.choice", {"index": 1}, context=context)
        assert events("chat") == [HI, ("gen_ai.choice", {"index": 0}), ("gen_ai.choice", {"index": 1})], events("chat")
        """,
        tmp_path,
    )


def test_old_records_name_the_event_in_an_attribute(tmp_path):
    emitting(
        """
        with otflow.start_span("work"):
            get_logger("x").emit(LogRecord(body={"content": "hi"}, attributes={"event.name": "gen_ai.user.message"}))
        assert events() == [HI], events()
        """,
        tmp_path,
    )


def test_a_private_provider_leaves_the_registered_one_alone(tmp_path):
    emitting(
        """
        with otflow.start_span("work"):
            emit(get_logger("instrumentation"))
        assert events() == []
        assert type(_logs.get_logger_provider()).__name__ == "ProxyLoggerProvider"
        from otflow.tracing import logs
        with otflow.start_span("work"):
            otel = otflow.get_current_active_span().otel_span
            emit(logs.logger_provider().get_logger("told"), context=trace.set_span_in_context(otel))
        assert events() == [HI], events()
        """,
        tmp_path,
        OTFLOW_USE_DEFAULT_TRACER_PROVIDER="true",
    )


def test_events_of_spans_that_never_end_do_not_grow_memory(tmp_path):
    emitting(
        """
        from otflow.tracing import guard, logs
        logger = get_logger("instrumentation")
        tracer = trace.get_tracer("instrumentation")
        with otflow.start_span("work"):
            for _ in range(logs._MOST_HELD + 200):
                emit(logger, context=trace.set_span_in_context(tracer.start_span("chat")))
        assert len(logs._held) <= logs._MOST_HELD, len(logs._held)
        assert guard.failures() == {"keep log events": 200}, guard.failures()
        for _ in range(200):
            with otflow.start_span("work"):
                tracer.start_span("chat").end()
        otflow.flush_trace_async_logging()
        assert len(logs._ended) == logs._MOST_ENDED
        """,
        tmp_path,
    )


def test_a_record_that_cannot_be_read_harms_nobody(tmp_path):
    emitting(
        """
        from otflow.tracing import guard
        class Odd(dict):
            def items(self):
                raise RuntimeError("odd")
        with otflow.start_span("work"):
            emit(get_logger("instrumentation"), body=Odd(a=1))
            emit(get_logger("instrumentation"))
        assert events() == [HI], events()
        assert guard.failures() == {"take a log event": 1}, guard.failures()
        """,
        tmp_path,
    )


# -- what becomes of a record ----------------------------------------------------------------------------


def parsed(attributes: dict[str, object]) -> dict[str, object]:
    return {
        key: json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value
        for key, value in attributes.items()
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, {}),
        ("text", {"content": "text"}),
        ({"content": "hi", "name": None}, {"content": "hi"}),
        ({"index": 0, "message": {"role": "assistant"}}, {"index": 0, "message": '{"role": "assistant"}'}),
        ({"reasons": ("stop", "length")}, {"reasons": ["stop", "length"]}),
        ({"parts": [{"type": "text"}, 1]}, {"parts": '[{"type": "text"}, 1]'}),
        ([{"a": 1}], {"content": '[{"a": 1}]'}),
    ],
)
def test_a_body_becomes_attributes(body, expected):
    found = event_attributes({"event.name": "gen_ai.choice", "gen_ai.system": "openai"}, body)
    assert found.pop("gen_ai.system") == "openai"
    assert parsed(found) == parsed(expected)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), VALUES)
def test_any_record_becomes_attributes_that_opentelemetry_can_hold(attributes, body):
    for key, value in event_attributes(attributes, body).items():
        assert isinstance(key, str)
        assert isinstance(value, str | bool | int | float) or all(isinstance(item, str) for item in value)


def test_a_program_without_instrumentation_pays_no_sdk_for_logs(tmp_path):
    loaded = run("import otflow, sys\nwith otflow.start_span('x'): pass\nprint(*sys.modules)", tmp_path).split()
    assert "opentelemetry.sdk.trace" in loaded
    assert "opentelemetry.sdk._logs" not in loaded
    assert otflow.__version__
