"""otflow's spans are OpenTelemetry spans of the application's own provider."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap


def run(code: str, directory) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{directory}/t.db"},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


PROVIDER = """
import otflow
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
"""


def test_spans_are_made_in_the_applications_provider(tmp_path):
    run(
        PROVIDER
        + textwrap.dedent("""
        api.set_tracer_provider(provider)
        other = api.get_tracer("web")

        @otflow.trace
        def agent(q):
            with other.start_as_current_span("http"):
                return tool(q)

        @otflow.trace
        def tool(q):
            return q

        with other.start_as_current_span("server"):
            agent("hi")
        spans = {s.name: s for s in exporter.get_finished_spans()}
        assert set(spans) == {"server", "agent", "http", "tool"}
        assert spans["agent"].parent.span_id == spans["server"].context.span_id
        assert spans["http"].parent.span_id == spans["agent"].context.span_id
        assert spans["tool"].parent.span_id == spans["http"].context.span_id
        import json
        assert json.loads(spans["agent"].attributes["mlflow.spanInputs"]) == {"q": "hi"}

        # In the store: the trace from otflow's first span on; the server's span is the application's own.
        [trace] = otflow.search_traces(return_type="list")
        assert [s.name for s in trace.data.spans] == ["agent", "http", "tool"]
        assert trace.info.trace_id == f"tr-{spans['agent'].context.trace_id:032x}"
        assert trace.info.state == "OK"
        assert trace.info.request_preview == '{"q": "hi"}'
        """),
        tmp_path,
    )


def test_a_provider_is_made_and_registered_where_none_is(tmp_path):
    run(
        """
        import otflow
        from opentelemetry import trace as api
        from opentelemetry.sdk.trace import TracerProvider
        with otflow.start_span("a") as span:
            assert api.get_current_span() is span.otel_span
            with api.get_tracer("lib").start_as_current_span("b"):
                pass
        assert isinstance(api.get_tracer_provider(), TracerProvider)
        trace = otflow.get_trace(otflow.get_last_active_trace_id())
        assert [s.name for s in trace.data.spans] == ["a", "b"]
        """,
        tmp_path,
    )


def test_a_private_provider_on_request(tmp_path):
    run(
        PROVIDER
        + textwrap.dedent("""
        import os
        os.environ["OTFLOW_USE_DEFAULT_TRACER_PROVIDER"] = "true"
        api.set_tracer_provider(provider)
        with otflow.start_span("a"):
            pass
        assert exporter.get_finished_spans() == ()
        assert len(otflow.search_traces(return_type="list")) == 1
        """),
        tmp_path,
    )


def test_sequential_roots_below_one_foreign_span_are_one_trace(tmp_path):
    run(
        PROVIDER
        + textwrap.dedent("""
        api.set_tracer_provider(provider)

        @otflow.trace
        def step(n):
            return n

        with api.get_tracer("web").start_as_current_span("server"):
            step(1)
            step(2)
        [trace] = otflow.search_traces(return_type="list")
        assert [s.name for s in trace.data.spans] == ["step", "step"]
        assert trace.info.state == "OK"
        """),
        tmp_path,
    )


def test_spans_that_end_after_their_root_are_kept(tmp_path):
    run(
        """
        import otflow
        root = otflow.start_span_no_context("root")
        late = otflow.start_span_no_context("late", parent_span=root)
        root.end()
        otflow.flush_trace_async_logging()
        later = otflow.start_span_no_context("later", parent_span=late)
        later.end()
        late.end(outputs=1)
        trace = otflow.get_trace(root.trace_id)
        assert sorted(s.name for s in trace.data.spans) == ["late", "later", "root"]
        assert trace.info.state == "OK"
        """,
        tmp_path,
    )


def test_shutdown_of_the_provider_writes_what_has_ended(tmp_path):
    run(
        """
        import otflow, sqlite3
        from opentelemetry import trace as api
        with otflow.start_span("a"):
            pass
        api.get_tracer_provider().force_flush()
        assert sqlite3.connect("t.db").execute("SELECT count(*) FROM spans").fetchone() == (1,)
        with otflow.start_span("b"):
            pass
        api.get_tracer_provider().shutdown()
        assert sqlite3.connect("t.db").execute("SELECT count(*) FROM spans").fetchone() == (2,)
        """,
        tmp_path,
    )
