"""`autolog` with the instrumentation that is installed, each scenario in a process of its own."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otflow
from otflow.errors import InvalidParameterError
from otflow.tracing import autolog as autolog_module
from otflow.tracing.autolog import FLAVORS, Autologged

HERE = Path(__file__).parent
OPENINFERENCE = "openinference-instrumentation-openai"
OFFICIAL = "opentelemetry-instrumentation-openai-v2"
TRACELOOP = "opentelemetry-instrumentation-openai"

START = """
    import os, sys, logging, otflow, openai_server

    OTHERS = ["langchain", "pydantic_ai"]  # which take long to import

    def which():
        return {one.flavor: one.distribution for one in otflow.tracing.autologging()}

    def call(**more):
        from openai import OpenAI
        with OpenAI(base_url=openai_server.start(), api_key="none") as client:
            messages = [{"role": "user", "content": "Why?"}]
            answer = client.chat.completions.create(model="gpt-4o", messages=messages, **more)
            return list(answer) if more.get("stream") else answer

    def spans():
        traces = otflow.search_traces(return_type="list")
        return [span for trace in traces for span in trace.data.spans]
"""


def run(code: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own: instrumentation patches libraries for good."""
    unwanted = ("OTEL_", "OTFLOW_", "MLFLOW_", "TRACELOOP_", "OPENINFERENCE_")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(START) + textwrap.dedent(code)],
        cwd=directory,
        env={**clean, "PYTHONPATH": str(HERE), "TRACELOOP_TELEMETRY": "false", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


# -- what is enabled -------------------------------------------------------------------------------------


def test_each_library_is_instrumented_once_by_the_preferred_package(tmp_path):
    done = run(
        """
        assert otflow.autolog() is None
        assert which()["openai"] == "openinference-instrumentation-openai", which()
        assert which()["langchain"] == "openinference-instrumentation-langchain", which()
        call()
        found = spans()
        assert len(found) == 1, found
        assert found[0].parent_id is None
        assert "Why?" in str(found[0].inputs), found[0].inputs
        assert "The answer is 42." in str(found[0].outputs), found[0].outputs
        """,
        tmp_path,
    )
    assert done.stderr.startswith("otflow autolog: enabled ")
    assert f"openai ({OPENINFERENCE} {importlib.metadata.version(OPENINFERENCE)})" in done.stderr


@pytest.mark.parametrize(("excluded", "chosen"), [([OPENINFERENCE], OFFICIAL), ([OPENINFERENCE, OFFICIAL], TRACELOOP)])
@pytest.mark.parametrize("stream", [False, True])
def test_the_next_package_is_chosen_where_one_is_excluded(tmp_path, excluded, chosen, stream):
    run(
        f"""
        otflow.autolog(exclude_flavors={excluded!r} + OTHERS, silent=True)
        assert which()["openai"] == {chosen!r}, which()
        with otflow.start_span("agent"):
            call(stream={stream})
        (agent,) = [span for span in spans() if span.parent_id is None]
        (chat,) = [span for span in spans() if span.parent_id == agent.span_id]
        assert "Why?" in str(chat.inputs), (chat.inputs, chat.attributes, chat.events)
        assert "The answer is 42." in str(chat.outputs), (chat.outputs, chat.attributes, chat.events)
        """,
        tmp_path,
    )


def test_excluded_libraries_are_left_alone(tmp_path):
    run(
        """
        otflow.autolog(exclude_flavors=["openai", "pydantic_ai"])
        assert not {"openai", "pydantic_ai"} & set(which()), which()
        call()
        assert spans() == []
        """,
        tmp_path,
    )


@pytest.mark.parametrize("argument", ["disable=True", "log_traces=False"])
def test_what_was_enabled_can_be_disabled_and_enabled_again(tmp_path, argument):
    run(
        f"""
        otflow.autolog({argument})  # nothing yet
        otflow.autolog(silent=True, exclude_flavors=OTHERS)
        otflow.autolog(silent=True, exclude_flavors=OTHERS)
        call()
        otflow.autolog({argument})
        assert which() == {{}}
        call()
        assert len(spans()) == 1
        otflow.autolog(silent=True, exclude_flavors=OTHERS)
        call()
        assert len(spans()) == 2
        """,
        tmp_path,
    )


def test_what_the_application_has_enabled_is_not_enabled_again(tmp_path):
    done = run(
        """
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
        OpenAIInstrumentor().instrument()
        otflow.autolog(exclude_flavors=OTHERS)
        assert "openai" not in which()
        call()
        assert [span.scope for span in spans()] == ["opentelemetry.instrumentation.openai.v1"], spans()
        otflow.autolog(disable=True)
        assert OpenAIInstrumentor().is_instrumented_by_opentelemetry
        """,
        tmp_path,
    )
    assert "already instrumented: openai" in done.stderr


def test_silent_says_nothing(tmp_path):
    assert run("otflow.autolog(silent=True, exclude_flavors=OTHERS)\nassert which()", tmp_path).stderr == ""


def test_it_is_said_in_the_log_where_that_shows_it(tmp_path):
    done = run("logging.basicConfig(level=logging.INFO)\notflow.autolog(exclude_flavors=OTHERS)", tmp_path)
    assert "INFO:otflow:autolog: enabled " in done.stderr
    assert "otflow autolog:" not in done.stderr


def test_instrumentation_that_fails_harms_nobody(tmp_path):
    done = run(
        """
        from otflow.tracing import guard
        import openinference.instrumentation.openai as module
        def fail(self, **more):
            raise RuntimeError("no luck")
        module.OpenAIInstrumentor._instrument = fail
        otflow.autolog(exclude_flavors=OTHERS)
        assert which()["openai"] == "opentelemetry-instrumentation-openai-v2", which()
        assert guard.failures() == {"enable openinference-instrumentation-openai": 1}, guard.failures()
        call()
        assert len(spans()) == 1
        """,
        tmp_path,
    )
    assert "no luck" in done.stderr


def test_libraries_without_instrumentation_are_named(tmp_path):
    (tmp_path / "anthropic.py").write_text("raise AssertionError('imported')")
    done = run("sys.path.insert(0, '')\notflow.autolog(exclude_flavors=OTHERS)", tmp_path)
    assert "not instrumented: anthropic (pip install openinference-instrumentation-anthropic)" in done.stderr


def test_only_genai_instrumentation_is_enabled(tmp_path):
    info = tmp_path / "opentelemetry_instrumentation_flask-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: opentelemetry-instrumentation-flask\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[opentelemetry_instrumentor]\nflask = web_instrumentor:Instrumentor\n")
    (tmp_path / "web_instrumentor.py").write_text("raise AssertionError('imported')")
    run(
        """
        sys.path.insert(0, "")
        import importlib.metadata
        assert importlib.metadata.version("opentelemetry-instrumentation-flask") == "1.0"
        otflow.autolog(silent=True, exclude_flavors=OTHERS)
        assert "flask" not in which()
        from otflow.tracing import guard
        assert guard.failures() == {}, guard.failures()
        """,
        tmp_path,
    )


# -- providers and content -------------------------------------------------------------------------------


@pytest.mark.parametrize("excluded", [[], [OPENINFERENCE], [OPENINFERENCE, OFFICIAL]])
def test_a_private_provider_gets_the_spans_and_nobody_else(tmp_path, excluded):
    run(
        f"""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        exported = InMemorySpanExporter()
        theirs = TracerProvider()
        theirs.add_span_processor(SimpleSpanProcessor(exported))
        trace.set_tracer_provider(theirs)
        otflow.autolog(exclude_flavors={excluded!r} + OTHERS, silent=True)
        call()
        (span,) = spans()
        assert "Why?" in str(span.inputs), (span.inputs, span.attributes, span.events)
        assert exported.get_finished_spans() == ()
        """,
        tmp_path,
        OTFLOW_USE_DEFAULT_TRACER_PROVIDER="true",
    )


def test_a_provider_of_the_application_that_comes_later_gets_them_too(tmp_path):
    run(
        """
        otflow.autolog(silent=True, exclude_flavors=OTHERS)
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        exported = InMemorySpanExporter()
        theirs = TracerProvider()
        theirs.add_span_processor(SimpleSpanProcessor(exported))
        trace.set_tracer_provider(theirs)
        call()
        with otflow.start_span("agent"):
            call()
        assert len(exported.get_finished_spans()) == 3
        assert len(spans()) in (2, 3), spans()
        """,
        tmp_path,
    )


@pytest.mark.parametrize("excluded", [[], [OPENINFERENCE], [OPENINFERENCE, OFFICIAL]])
def test_content_that_is_switched_off_is_not_recorded(tmp_path, excluded):
    run(
        f"""
        otflow.autolog(exclude_flavors={excluded!r} + OTHERS, silent=True)
        call()
        (span,) = spans()
        assert "Why?" not in str(span.to_dict()), span.to_dict()
        assert "answer is 42" not in str(span.to_dict()), span.to_dict()
        """,
        tmp_path,
        OTFLOW_CAPTURE_CONTENT="false",
    )


def test_variables_that_are_set_stay_as_they_are(tmp_path):
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    run(
        f"""
        otflow.autolog(exclude_flavors=[{OPENINFERENCE!r}, *OTHERS], silent=True)
        assert os.environ[{name!r}] == "false"
        call()
        (span,) = spans()
        assert "Why?" not in str(span.to_dict()), span.to_dict()
        """,
        tmp_path,
        **{name: "false"},
    )


def test_the_newest_generation_of_conventions_gets_its_word_for_content(tmp_path):
    run(
        f"""
        otflow.autolog(exclude_flavors=[{OPENINFERENCE!r}, *OTHERS], silent=True)
        call()
        (span,) = spans()
        assert "Why?" in str(span.inputs), (span.inputs, span.attributes)
        """,
        tmp_path,
        OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental",
    )


# -- agents ----------------------------------------------------------------------------------------------


def test_langchain_is_traced(tmp_path):
    run(
        """
        otflow.langchain.autolog()
        assert list(which()) == ["langchain"]
        from langchain_core.runnables import RunnableLambda
        chain = RunnableLambda(lambda x: x + 1, name="add") | RunnableLambda(lambda x: x * 2, name="double")
        assert chain.invoke(1) == 4
        (trace,) = otflow.search_traces(return_type="list")
        assert [span.name for span in trace.data.spans] == ["RunnableSequence", "add", "double"]
        root = trace.data.spans[0]
        assert {span.parent_id for span in trace.data.spans[1:]} == {root.span_id}
        """,
        tmp_path,
    )


def test_pydantic_ai_is_traced_by_itself(tmp_path):
    run(
        """
        otflow.pydantic_ai.autolog()
        assert list(which()) == ["pydantic_ai"], which()
        from pydantic_ai import Agent
        from pydantic_ai.models.test import TestModel
        agent = Agent(TestModel(custom_output_text="42"), name="oracle")
        assert agent.run_sync("Why?").output == "42"
        (trace,) = otflow.search_traces(return_type="list")
        assert len(trace.data.spans) >= 2
        assert "Why?" in str([span.inputs for span in trace.data.spans])
        otflow.pydantic_ai.autolog(disable=True)
        agent.run_sync("Why?")
        assert len(otflow.search_traces(return_type="list")) == 1
        """,
        tmp_path,
    )


# -- otflow.<library> ------------------------------------------------------------------------------------


def test_libraries_have_modules_of_their_own(tmp_path):
    done = run(
        """
        import otflow.openai
        import otflow.llama_index as llama_index
        from otflow.anthropic import autolog
        assert otflow.openai is sys.modules["otflow.openai"]
        otflow.openai.autolog(log_traces=True, disable_openai_agent_tracer=True)
        assert list(which()) == ["openai"]
        otflow.openai.autolog()
        autolog()
        call()
        assert len(spans()) == 1
        otflow.openai.autolog(disable=True)
        assert which() == {}
        """,
        tmp_path,
    )
    said = done.stderr.splitlines()
    assert said[0].startswith("otflow autolog: enabled openai (")
    assert said[1] == "otflow autolog: openai is enabled already."
    assert said[2] == "otflow autolog: found no instrumentation for anthropic that fits what is installed."


def test_a_module_that_is_none_is_an_import_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        importlib.import_module("otflow.no_such_library")
    with pytest.raises(AttributeError, match="no_such_library"):
        otflow.no_such_library  # noqa: B018


@pytest.mark.parametrize("flavor", sorted(FLAVORS))
def test_no_library_hides_a_name_of_ours(flavor):
    assert flavor not in otflow.__all__
    assert not (Path(otflow.__file__).parent / flavor).exists()
    assert not (Path(otflow.__file__).parent / f"{flavor}.py").exists()
    assert callable(getattr(otflow, flavor).autolog)


# -- arguments -------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_mlflow():
    assert [f"{name}={p.default!r}" for name, p in inspect.signature(otflow.autolog).parameters.items()] == [
        "log_input_examples=False",
        "log_model_signatures=True",
        "log_models=True",
        "log_datasets=True",
        "log_traces=True",
        "disable=False",
        "exclusive=False",
        "disable_for_unsupported_versions=False",
        "silent=False",
        "extra_tags=None",
        "exclude_flavors=None",
    ]


@pytest.mark.parametrize("wrong", ["openai", 5, [5]])
def test_exclude_flavors_must_be_a_list_of_names(wrong):
    with pytest.raises(InvalidParameterError, match="exclude_flavors"):
        otflow.autolog(exclude_flavors=wrong)


def test_nothing_is_enabled_here():
    # All of the above runs in processes of its own; what is asked here must not change this one.
    assert otflow.tracing.autologging() == []
    assert str(Autologged("openai", "x", "1.0")) == "openai (x 1.0)"
    assert {"openai", "langchain", "anthropic", "pydantic_ai", "llama_index", "dspy"} <= autolog_module.FLAVORS
