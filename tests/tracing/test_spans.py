"""Spans by hand, and what the trace that is being made says of itself."""

from __future__ import annotations

import contextlib
import contextvars
import threading

import pytest

import otflow
from otflow.entities import LiveSpan, MlflowExperimentLocation, NoOpSpan, SpanEvent, SpanStatus, SpanStatusCode
from otflow.errors import InvalidParameterError
from otflow.testing import capture_traces


@pytest.fixture
def captured():
    with capture_traces() as found:
        yield found


class TestStartSpan:
    def test_nested_spans_form_a_tree(self, captured):
        with otflow.start_span("a", span_type="AGENT", attributes={"k": 1}) as a:
            a.set_inputs({"x": 1})
            with otflow.start_span() as b:
                b.set_outputs([1, 2])
        [trace] = captured.traces
        first, second = trace.data.spans
        assert (first.name, first.span_type, first.parent_id, first.inputs) == ("a", "AGENT", None, {"x": 1})
        assert (second.name, second.parent_id, second.outputs) == ("span", first.span_id, [1, 2])
        assert first.get_attribute("k") == 1
        assert first.trace_id == second.trace_id == trace.info.trace_id
        assert trace.info.tags["mlflow.traceName"] == "a"

    def test_an_exception_marks_the_span_and_passes(self, captured):
        with pytest.raises(KeyError, match="gone"), otflow.start_span("a"):
            raise KeyError("gone")
        [trace] = captured.traces
        assert trace.info.state == "ERROR"
        assert trace.data.spans[0].status == SpanStatus(SpanStatusCode.ERROR, "KeyError: 'gone'")

    def test_a_failed_child_leaves_the_trace_to_its_root(self, captured):
        with otflow.start_span("a"), contextlib.suppress(ValueError), otflow.start_span("b"):
            raise ValueError("b")
        [trace] = captured.traces
        assert trace.info.state == "OK"
        assert trace.data.spans[1].status.status_code == SpanStatusCode.ERROR

    def test_a_status_that_was_set_stays(self, captured):
        with otflow.start_span("a") as span:
            span.set_status("ERROR")

        def late():
            with otflow.start_span("b") as span:
                span.set_status("OK")
                raise ValueError("late")

        with pytest.raises(ValueError, match="late"):
            late()
        first, second = captured.traces
        assert first.info.state == "ERROR"
        assert second.info.state == "OK"
        assert second.data.spans[0].events[0].name == "exception"

    def test_as_a_decorator(self, captured):
        @otflow.start_span("step")
        def step(n):
            return step(n - 1) if n else 0

        step(2)
        assert [span.name for span in captured.traces[0].data.spans] == ["step"] * 3

    def test_a_span_that_the_program_ends_itself(self, captured):
        with otflow.start_span("a") as span:
            span.end(outputs=1)
        assert captured.traces[0].data.spans[0].outputs == 1

    def test_the_destination_of_a_root(self):
        place = otflow.create_experiment("elsewhere")
        with otflow.start_span("a", trace_destination=MlflowExperimentLocation(place)) as span:
            pass
        assert otflow.get_trace(span.trace_id).info.experiment_id == place

    def test_attributes_that_are_none(self, captured):
        with otflow.start_span("a", attributes=[1]):  # type: ignore[arg-type]
            pass
        assert captured.traces[0].info.state == "OK"


class TestLiveSpan:
    def test_it_is_an_opentelemetry_span(self, captured):
        from opentelemetry import trace as api

        with otflow.start_span("a") as span:
            assert isinstance(span, LiveSpan)
            assert api.get_current_span() is span.otel_span
            assert span.trace_id == f"tr-{span.otel_context.trace_id:032x}"
            assert span.span_id == f"{span.otel_context.span_id:016x}"

    def test_reading_while_it_lives(self, captured):
        with otflow.start_span("a", span_type="TOOL") as span:
            span.set_inputs({"q": 1})
            span.set_attribute("text", '{"a": 1}')
            span.set_attributes({"n": 5, "list": ["a", 1]})
            assert span.inputs == {"q": 1}
            assert span.outputs is None
            assert span.span_type == "TOOL"
            assert span.end_time_ns is None
            assert span.status.status_code == SpanStatusCode.UNSET
            assert span.get_attribute("text") == '{"a": 1}'
            assert span.attributes["list"] == ["a", 1]
            assert span.attributes["mlflow.traceRequestId"] == span.trace_id
            assert span.get_attribute("missing") is None
        assert span.status.status_code == SpanStatusCode.OK
        assert span.end_time_ns >= span.start_time_ns
        stored = captured.traces[0].data.spans[0]
        assert stored.attributes == span.attributes
        assert stored == span.to_immutable_span()

    def test_events_and_exceptions(self, captured):
        with otflow.start_span("a") as span:
            span.add_event(SpanEvent("happened", attributes={"n": 1}))
            span.record_exception("in words")
        events = captured.traces[0].data.spans[0].events
        assert [event.name for event in events] == ["happened", "exception"]
        assert events[0].attributes == {"n": 1}
        assert events[0].timestamp > 1_600_000_000_000_000_000
        assert captured.traces[0].info.state == "ERROR"

    def test_after_the_end_nothing_changes(self, captured):
        with otflow.start_span("a") as span:
            span.set_outputs(1)
        span.end(outputs=2)
        span.set_outputs(3)
        span.set_attribute("late", 1)
        span.set_status("ERROR")
        assert captured.traces[0].data.spans[0].outputs == 1
        assert span.get_attribute("late") is None

    @pytest.mark.parametrize("status", ["ok", "WHAT", None, 3])
    def test_an_unknown_status_is_refused(self, captured, status):
        with otflow.start_span("a") as span, pytest.raises(InvalidParameterError, match="status"):
            span.set_status(status)

    @pytest.mark.parametrize(("call", "match"), [("add_event", "SpanEvent"), ("record_exception", "exception")])
    def test_wrong_arguments_are_refused(self, captured, call, match):
        with otflow.start_span("a") as span, pytest.raises(InvalidParameterError, match=match):
            getattr(span, call)(5)

    def test_from_immutable_span(self, captured):
        with otflow.start_span("a") as span:
            span.set_inputs(1)
        [trace] = captured.traces
        copy = LiveSpan.from_immutable_span(
            trace.data.spans[0], parent_span_id="00000000000000ab", trace_id="tr-" + "1" * 32
        )
        assert (copy.name, copy.inputs, copy.parent_id, copy.trace_id) == (
            "a",
            1,
            "00000000000000ab",
            "tr-" + "1" * 32,
        )


class TestNoContext:
    def test_parents_are_explicit(self, captured):
        root = otflow.start_span_no_context("root", inputs={"q": 1}, tags={"t": 1}, metadata={"m": "2"})
        assert otflow.get_current_active_span() is None
        child = otflow.start_span_no_context("child", parent_span=root, span_type="LLM", attributes={"a": 1})
        child.end(outputs="x", attributes={"b": 2}, status="ERROR")
        root.end(outputs="y", end_time_ns=root.start_time_ns + 5_000_000)
        [trace] = captured.traces
        assert [span.name for span in trace.data.spans] == ["root", "child"]
        assert trace.data.spans[1].parent_id == root.span_id
        assert trace.data.spans[1].attributes["b"] == 2
        assert trace.info.tags["t"] == "1"
        assert trace.info.trace_metadata["m"] == "2"
        assert trace.info.execution_duration == 5

    def test_without_a_parent_it_is_a_root_even_inside_of_another_span(self, captured):
        with otflow.start_span("outer"):
            otflow.start_span_no_context("own").end()
        assert sorted(len(trace.data.spans) for trace in captured.traces) == [1, 1]

    def test_times_are_taken_as_given(self, captured):
        start = 1_700_000_000_123_456_789
        otflow.start_span_no_context("a", start_time_ns=start).end(end_time_ns=start + 2_500_000)
        [trace] = captured.traces
        assert trace.info.request_time == 1_700_000_000_123
        assert trace.info.execution_duration == 2
        assert trace.data.spans[0].end_time_ns == start + 2_500_000

    def test_below_a_no_op_span_nothing_is_recorded(self, captured):
        assert isinstance(otflow.start_span_no_context("a", parent_span=NoOpSpan()), NoOpSpan)
        assert captured.traces == []

    def test_ended_in_another_thread(self, captured):
        root = otflow.start_span_no_context("root")
        thread = threading.Thread(target=root.end)
        thread.start()
        thread.join()
        assert captured.traces[0].info.state == "OK"


class TestActive:
    def test_what_is_active_where(self, captured):
        assert otflow.get_current_active_span() is None
        assert otflow.get_active_trace_id() is None
        with otflow.start_span("a") as a:
            assert otflow.get_current_active_span() is a
            with otflow.start_span("b") as b:
                assert otflow.get_current_active_span() is b
                assert otflow.get_active_trace_id() == a.trace_id
                seen = []
                thread = threading.Thread(target=lambda: seen.append(otflow.get_active_trace_id()))
                thread.start()
                thread.join()
                copied = contextvars.copy_context()
                thread = threading.Thread(target=lambda: seen.append(copied.run(otflow.get_active_trace_id)))
                thread.start()
                thread.join()
                assert seen == [None, a.trace_id]
            assert otflow.get_current_active_span() is a
        assert otflow.get_current_active_span() is None

    def test_the_last_trace_by_process_and_by_thread(self, captured):
        assert otflow.get_last_active_trace_id() is None
        with otflow.start_span("a") as a:
            assert otflow.get_last_active_trace_id() is None
        assert otflow.get_last_active_trace_id() == a.trace_id
        assert otflow.get_last_active_trace_id(thread_local=True) == a.trace_id
        seen = []

        def other():
            seen.append(otflow.get_last_active_trace_id(thread_local=True))
            with otflow.start_span("b") as b:
                pass
            seen.append(otflow.get_last_active_trace_id(thread_local=True) == b.trace_id)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert seen == [None, True]
        assert otflow.get_last_active_trace_id(thread_local=True) == a.trace_id
        assert otflow.get_last_active_trace_id() != a.trace_id


class TestUpdateCurrentTrace:
    def test_all_of_it(self, captured):
        with otflow.start_span("a") as span:
            span.set_inputs({"q": "hi"})
            otflow.update_current_trace(
                tags={"t": "1"}, metadata={"mlflow.trace.session": "s", "mlflow.trace.user": "u"}
            )
            otflow.update_current_trace(
                tags={"t": "2", "n": 3},
                client_request_id="c-1",
                request_preview="rq",
                response_preview="rs",
                state="ERROR",
                model_id="m-1",
            )
        info = captured.traces[0].info
        assert info.tags["t"] == "2"
        assert info.tags["n"] == "3"
        assert info.trace_metadata["mlflow.trace.session"] == "s"
        assert info.trace_metadata["mlflow.trace.user"] == "u"
        assert info.trace_metadata["mlflow.modelId"] == "m-1"
        assert (info.client_request_id, info.request_preview, info.response_preview) == ("c-1", "rq", "rs")
        assert info.state == "ERROR"
        assert captured.traces[0].data.spans[0].status.status_code == SpanStatusCode.OK

    def test_outside_of_a_trace_it_only_warns(self, caplog):
        otflow.update_current_trace(tags={"a": "b"})
        assert "No trace is active" in caplog.text

    @pytest.mark.parametrize("state", ["IN_PROGRESS", "error", 5])
    def test_other_states_are_refused(self, captured, state):
        with otflow.start_span("a"), pytest.raises(InvalidParameterError, match="state must be"):
            otflow.update_current_trace(state=state)

    def test_a_preview_must_be_a_string(self, captured):
        with otflow.start_span("a"), pytest.raises(InvalidParameterError, match="request_preview"):
            otflow.update_current_trace(request_preview=5)  # type: ignore[arg-type]

    def test_in_a_child_it_changes_the_same_trace(self, captured):
        with otflow.start_span("a"), otflow.start_span("b"):
            otflow.update_current_trace(tags={"from": "b"})
        assert captured.traces[0].info.tags["from"] == "b"


class TestAggregates:
    def test_usage_of_a_parent_stands_for_its_descendants(self, captured):
        usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
        with otflow.start_span("root"):
            with otflow.start_span("agent", attributes={"mlflow.chat.tokenUsage": usage}):
                otflow.start_span_no_context("x").end()
                with otflow.start_span("inner", attributes={"mlflow.chat.tokenUsage": usage}):
                    pass
            with otflow.start_span("other", attributes={"mlflow.chat.tokenUsage": usage}):
                pass
        trace = next(trace for trace in captured.traces if len(trace.data.spans) == 4)
        assert trace.info.token_usage == {"input_tokens": 2, "output_tokens": 4, "total_tokens": 6}

    def test_cost(self, captured):
        cost = {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}
        with otflow.start_span("root"), otflow.start_span("llm", attributes={"mlflow.llm.cost": cost}):
            pass
        assert captured.traces[0].info.cost == cost
        assert captured.traces[0].data.spans[1].llm_cost == cost

    def test_a_root_that_carries_session_and_user(self, captured):
        with otflow.start_span("root", attributes={"session.id": "s-1", "user.id": "u-1"}):
            pass
        metadata = captured.traces[0].info.trace_metadata
        assert (metadata["mlflow.trace.session"], metadata["mlflow.trace.user"]) == ("s-1", "u-1")


def test_log_trace(captured):
    trace_id = otflow.log_trace(
        "ask",
        request="2 + 2?",
        response="4",
        intermediate_outputs={"retrieved": ["a"]},
        attributes={"model": "m"},
        tags={"t": "1"},
        start_time_ms=1_700_000_000_000,
        execution_time_ms=1500,
    )
    [trace] = captured.traces
    assert trace.info.trace_id == trace_id
    assert (trace.info.request_time, trace.info.execution_duration) == (1_700_000_000_000, 1500)
    assert trace.info.tags["t"] == "1"
    [span] = trace.data.spans
    assert (span.name, span.inputs, span.outputs, span.get_attribute("model")) == ("ask", "2 + 2?", "4", "m")
    with pytest.warns(FutureWarning):
        assert trace.data.intermediate_outputs == {"retrieved": ["a"]}


def test_a_trace_that_is_being_made_can_be_read(captured):
    with otflow.start_span("root") as root:
        with otflow.start_span("child"):
            pass
        trace = otflow.get_trace(root.trace_id)
        assert trace.info.state == "IN_PROGRESS"
        assert [span.name for span in trace.data.spans] == ["child"]
    assert otflow.get_trace(root.trace_id).info.state == "OK"


def test_the_trace_a_span_is_in_cannot_be_forged(captured):
    with otflow.start_span("a", attributes={"mlflow.traceRequestId": "tr-forged"}) as span:
        span.set_attribute("mlflow.traceRequestId", "tr-forged-again")
        assert span.attributes["mlflow.traceRequestId"] == span.trace_id
    [trace] = captured.traces
    assert trace.data.spans[0].trace_id == trace.data.spans[0].attributes["mlflow.traceRequestId"] == span.trace_id
