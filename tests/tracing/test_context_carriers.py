"""The trace of the process that starts another, in variables; and what must not harm whoever reads a context."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace as trace_api

import otflow
from otflow.tracing import (
    get_tracing_context_environment,
    get_tracing_context_headers_for_http_request,
    set_tracing_context_from_environment,
    set_tracing_context_from_http_request_headers,
)
from otflow.tracing.propagation import inject

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"

# -- child processes -----------------------------------------------------------------------------------------------


def test_without_a_span_the_environment_is_as_it_was():
    assert get_tracing_context_environment() == dict(os.environ)
    given = {"PATH": "/bin", "TRACEPARENT": GOOD}
    found = get_tracing_context_environment(given)
    assert found == given
    assert found is not given


def test_what_an_older_trace_left_is_taken_away():
    older = {"TRACEPARENT": GOOD, "TRACESTATE": "a=1", "BAGGAGE": "session.id=old", "PATH": "/bin"}
    with otflow.start_span("parent") as span:
        found = get_tracing_context_environment(older)
        headers = get_tracing_context_headers_for_http_request()
    assert found == {"TRACEPARENT": headers["traceparent"], "PATH": "/bin"}
    assert span.span_id in found["TRACEPARENT"]
    assert older["TRACESTATE"] == "a=1"


def test_the_state_and_the_baggage_of_the_sender_travel_on():
    with (
        set_tracing_context_from_environment(
            {"TRACEPARENT": GOOD, "TRACESTATE": "vendor=1", "BAGGAGE": "session.id=s-1,theirs=x"}
        ),
        otflow.start_span("middle"),
    ):
        found = get_tracing_context_environment({})
    assert found["TRACEPARENT"].startswith(f"00-{TRACE}-")
    assert found["TRACESTATE"] == "vendor=1"
    assert found["BAGGAGE"] == "session.id=s-1,theirs=x"


@pytest.mark.parametrize(
    "environment", [{}, {"TRACEPARENT": ""}, {"TRACEPARENT": "nonsense"}, {"traceparent": GOOD}, {"BAGGAGE": "a=b"}]
)
def test_without_a_parent_nothing_changes(environment):
    with set_tracing_context_from_environment(environment), otflow.start_span("main") as span:
        assert span.parent_id is None


def test_the_context_is_restored():
    with pytest.raises(KeyError), set_tracing_context_from_environment({"TRACEPARENT": GOOD}):
        raise KeyError
    with otflow.start_span("own") as span:
        assert span.parent_id is None


CHILD = """
import json, subprocess, sys
import otflow

with otflow.tracing.set_tracing_context_from_environment():
    with otflow.start_span(f"child {sys.argv[1]}") as span:
        if sys.argv[1] == "0":
            environment = otflow.tracing.get_tracing_context_environment()
            subprocess.run([sys.executable, __file__, "1"], env=environment, check=True, timeout=60)
"""


def test_processes_make_one_tree(tmp_path):
    program = tmp_path / "child.py"
    program.write_text(CHILD)
    uri = f"sqlite:///{tmp_path}/shared.db"
    otflow.set_tracking_uri(uri)
    with otflow.start_span("parent") as parent:
        otflow.update_current_trace(metadata={"mlflow.trace.session": "s-1"})
        environment = get_tracing_context_environment({**os.environ, "OTFLOW_TRACKING_URI": uri})
        subprocess.run([sys.executable, str(program), "0"], env=environment, check=True, timeout=120)
    otflow.flush_trace_async_logging()
    trace = otflow.get_trace(parent.trace_id)
    spans = {span.name: span for span in trace.data.spans}
    assert spans["child 0"].parent_id == parent.span_id
    assert spans["child 1"].parent_id == spans["child 0"].span_id
    assert trace.info.trace_metadata["mlflow.trace.session"] == "s-1"


# -- hostile contexts ----------------------------------------------------------------------------------------------

FOUND = [
    GOOD,
    f" {GOOD} ",
    f"00-{TRACE}-{SPAN}-ff",
    f"cc-{TRACE}-{SPAN}-01-what-comes-later",
]
NOT_FOUND = [
    "",
    "nonsense",
    GOOD.upper(),
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01-what",
    f"cc-{TRACE}-{SPAN}-01.what",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[1:]}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-0",
    f"00-{TRACE}-{SPAN}",
    f"{GOOD},{GOOD}",
    "é" * 55,
    "\x00" * 55,
    "0" * 1_000_000,
]


@pytest.mark.parametrize("traceparent", FOUND)
def test_a_traceparent_that_is_well_formed(traceparent):
    with set_tracing_context_from_http_request_headers({"traceparent": traceparent}):
        assert trace_api.get_current_span().get_span_context().span_id == int(SPAN, 16)


@pytest.mark.parametrize("traceparent", NOT_FOUND)
def test_a_traceparent_that_is_none(traceparent):
    with set_tracing_context_from_http_request_headers({"traceparent": traceparent}), otflow.start_span("in") as span:
        assert span.parent_id is None


nasty = st.one_of(
    st.text(max_size=200),
    st.sampled_from([*FOUND, *NOT_FOUND, "session.id=\ud800", "user.id=%ff%00", "a=1;b;c=,,=", "otflow.tag.%ud=1"]),
    st.lists(st.sampled_from(["session.id", "=", ",", ";", "%", "%e2", "é", " ", "otflow.tag.x", "\x00"])).map("".join),
)


@given(nasty, nasty, nasty)
def test_no_header_raises(traceparent, tracestate, baggage):
    before = otel_context.get_current()
    headers = {"traceparent": traceparent, "tracestate": tracestate, "baggage": baggage}
    with set_tracing_context_from_http_request_headers(headers):
        inject(sent := {"baggage": baggage})
        with otflow.start_span("in") as span:
            out = get_tracing_context_headers_for_http_request()
            inject({})
        json.dumps(sent)
        assert span is not None
        for value in out.values():
            assert value.isascii()
            assert value.isprintable()
            assert len(value) <= 8192
    assert otel_context.get_current() == before


@pytest.mark.parametrize("value", ["\ud800", "%ED%A0%80", "a\udcffb", "%00", "€"])
def test_what_a_store_cannot_keep_is_no_loss_of_the_trace(value):
    headers = {
        "traceparent": f"00-{os.urandom(16).hex()}-{SPAN}-01",
        "baggage": f"session.id={value},otflow.tag.t={value}",
    }
    with set_tracing_context_from_http_request_headers(headers), otflow.start_span("in") as span:
        pass
    otflow.flush_trace_async_logging()
    assert [found.name for found in otflow.get_trace(span.trace_id).data.spans] == ["in"]
