"""`@otflow.trace` on every kind of function."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import pickle
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

import otflow
from otflow.entities import SpanStatusCode, SpanType, Trace
from otflow.errors import InvalidParameterError
from otflow.testing import capture_traces


@pytest.fixture
def captured():
    with capture_traces() as found:
        yield found


def only(captured) -> Trace:
    [trace] = captured.traces
    return trace


def tree(trace: Trace) -> dict[str, str | None]:
    names = {span.span_id: span.name for span in trace.data.spans}
    return {span.name: names.get(span.parent_id) for span in trace.data.spans}


@otflow.trace
def module_level(a, b=2, *args, c: int = 3, **kwargs):
    """Adds."""
    return a + b


class TestFunctions:
    def test_inputs_and_outputs_are_recorded(self, captured):
        assert module_level(1, c=5, z=6) == 3
        span = only(captured).data.spans[0]
        assert span.name == "module_level"
        assert span.inputs == {"a": 1, "b": 2, "args": [], "c": 5, "kwargs": {"z": 6}}
        assert span.outputs == 3
        assert span.status.status_code == SpanStatusCode.OK
        assert span.span_type == SpanType.UNKNOWN

    def test_var_positional_and_keywords_for_positionals(self, captured):
        module_level(1, 2, 3, 4)
        assert only(captured).data.spans[0].inputs == {"a": 1, "b": 2, "args": [3, 4], "c": 3, "kwargs": {}}

    def test_options(self, captured):
        @otflow.trace(name="n", span_type=SpanType.TOOL, attributes={"k": [1, "x"], "s": "t"})
        def tool():
            return None

        tool()
        span = only(captured).data.spans[0]
        assert (span.name, span.span_type) == ("n", "TOOL")
        assert span.get_attribute("k") == [1, "x"]
        assert span.get_attribute("s") == "t"
        assert span.get_attribute("mlflow.spanFunctionName") == "tool"
        assert span.outputs is None

    def test_nesting(self, captured):
        @otflow.trace
        def inner(x):
            return x

        @otflow.trace
        def outer(x):
            return inner(x) + inner(x)

        assert outer(1) == 2
        trace = only(captured)
        assert [span.name for span in trace.data.spans] == ["outer", "inner", "inner"]
        assert trace.data.spans[0].parent_id is None
        assert {span.parent_id for span in trace.data.spans[1:]} == {trace.data.spans[0].span_id}

    def test_the_exception_passes_through_untouched(self, captured):
        error = ValueError("boom")

        @otflow.trace
        def fails():
            raise error

        with pytest.raises(ValueError, match="boom") as raised:
            fails()
        assert raised.value is error
        span = only(captured).data.spans[0]
        assert span.status.status_code == SpanStatusCode.ERROR
        assert span.status.description == "ValueError: boom"
        [event] = span.events
        assert event.name == "exception"
        assert event.attributes["exception.type"] == "ValueError"
        assert event.attributes["exception.message"] == "boom"
        assert "raise error" in event.attributes["exception.stacktrace"]
        assert only(captured).info.state == "ERROR"

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    def test_base_exceptions_pass_and_end_the_span(self, captured, kind):
        @otflow.trace
        def stops():
            raise kind

        with pytest.raises(kind):
            stops()
        assert only(captured).data.spans[0].status.status_code == SpanStatusCode.ERROR
        assert otflow.get_current_active_span() is None

    def test_the_function_keeps_its_face(self):
        assert module_level.__name__ == "module_level"
        assert module_level.__doc__ == "Adds."
        assert module_level.__module__ == __name__
        assert list(inspect.signature(module_level).parameters) == ["a", "b", "args", "c", "kwargs"]
        assert pickle.loads(pickle.dumps(module_level)) is module_level

    def test_a_wrong_call_raises_the_users_type_error(self, captured):
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            module_level()
        assert only(captured).info.state == "ERROR"

    def test_mutating_arguments_afterwards_changes_nothing(self, captured):
        @otflow.trace
        def append(items):
            items.append(1)
            return items

        append([])
        span = only(captured).data.spans[0]
        assert span.inputs == {"items": []}
        assert span.outputs == [1]

    def test_recursion(self, captured):
        @otflow.trace
        def down(n):
            return n if n == 0 else down(n - 1)

        down(3)
        spans = only(captured).data.spans
        assert [span.inputs["n"] for span in spans] == [3, 2, 1, 0]

    def test_threads_with_copied_context_join_the_trace_and_others_begin_their_own(self, captured):
        @otflow.trace
        def worker(n):
            return n

        @otflow.trace
        def root():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(contextvars.copy_context().run, worker, 1).result()
                pool.submit(worker, 2).result()

        root()
        sizes = sorted(len(trace.data.spans) for trace in captured.traces)
        assert sizes == [1, 2]


class TestMethods:
    def test_methods_leave_out_the_receiver(self, captured):
        class Agent:
            @otflow.trace
            def method(self, x):
                return x

            @otflow.trace
            @classmethod
            def class_below(cls, x):
                return cls, x

            @classmethod
            @otflow.trace
            def class_above(cls, x):
                return cls, x

            @otflow.trace
            @staticmethod
            def static_below(x):
                return x

            @staticmethod
            @otflow.trace
            def static_above(x):
                return x

        agent = Agent()
        assert agent.method(1) == 1
        assert Agent.class_below(2) == (Agent, 2)
        assert agent.class_above(3) == (Agent, 3)
        assert Agent.static_below(4) == 4
        assert agent.static_above(5) == 5
        roots = [trace.data.spans[0] for trace in captured.traces]
        assert [root.inputs for root in roots] == [{"x": n} for n in range(1, 6)]
        assert [root.name for root in roots] == [
            "method",
            "class_below",
            "class_above",
            "static_below",
            "static_above",
        ]

    def test_callables_partials_and_builtins(self, captured):
        class Caller:
            def __call__(self, x):
                return x + 1

        def add(a, b):
            return a + b

        assert otflow.trace(Caller())(1) == 2
        assert otflow.trace(functools.partial(add, b=5))(1) == 6
        assert otflow.trace(len)("abc") == 3
        assert otflow.trace("abc".upper)() == "ABC"
        spans = [trace.data.spans[0] for trace in captured.traces]
        assert [span.name for span in spans] == ["Caller", "add", "len", "upper"]
        assert spans[0].inputs == {"x": 1}
        assert spans[1].inputs == {"a": 1, "b": 5}


class TestCoroutines:
    def test_coroutine_functions_stay_coroutine_functions(self, captured):
        @otflow.trace
        async def fetch(n):
            await asyncio.sleep(0)
            return n

        assert inspect.iscoroutinefunction(fetch)
        assert asyncio.run(fetch(1)) == 1
        assert only(captured).data.spans[0].outputs == 1

    def test_gather_puts_children_below_the_right_parent(self, captured):
        @otflow.trace
        async def leaf(n):
            await asyncio.sleep(0)
            return n

        @otflow.trace
        async def branch(n):
            await asyncio.sleep(0)
            return await leaf(n)

        @otflow.trace
        async def root():
            return await asyncio.gather(*(branch(n) for n in range(5)))

        assert asyncio.run(root()) == list(range(5))
        spans = {span.span_id: span for span in only(captured).data.spans}
        for span in spans.values():
            if span.name == "leaf":
                assert spans[span.parent_id].name == "branch"
                assert spans[span.parent_id].inputs == span.inputs
            elif span.name == "branch":
                assert spans[span.parent_id].name == "root"

    def test_cancellation(self, captured):
        @otflow.trace
        async def sleeps():
            await asyncio.sleep(60)

        async def main():
            task = asyncio.create_task(sleeps())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        span = only(captured).data.spans[0]
        assert span.status.status_code == SpanStatusCode.ERROR
        assert span.status.description.startswith("CancelledError")

    def test_partial_and_callable_of_coroutines(self, captured):
        async def add(a, b):
            return a + b

        class Caller:
            async def __call__(self, x):
                return x

        assert asyncio.run(otflow.trace(functools.partial(add, 1))(2)) == 3
        assert asyncio.run(otflow.trace(Caller())(4)) == 4
        assert [trace.data.spans[0].outputs for trace in captured.traces] == [3, 4]


class TestGenerators:
    def test_items_become_the_outputs(self, captured):
        @otflow.trace
        def count(n):
            yield from range(n)

        assert list(count(3)) == [0, 1, 2]
        span = only(captured).data.spans[0]
        assert span.inputs == {"n": 3}
        assert span.outputs == [0, 1, 2]

    def test_output_reducer(self, captured):
        @otflow.trace(output_reducer="".join)
        def words():
            yield "a"
            yield "b"

        assert list(words()) == ["a", "b"]
        assert only(captured).data.spans[0].outputs == "ab"

    def test_a_failing_reducer_harms_nobody(self, captured):
        @otflow.trace(output_reducer=lambda items: 1 / 0)
        def one():
            yield 1

        assert list(one()) == [1]
        assert only(captured).data.spans[0].outputs == [1]

    def test_a_reducer_on_a_plain_function_is_refused(self):
        with pytest.raises(InvalidParameterError, match="output_reducer"):
            otflow.trace(output_reducer=sum)(module_level)

    def test_the_generator_protocol_is_kept(self, captured):
        @otflow.trace
        def echo():
            received = yield "first"
            try:
                received = yield received
            except KeyError:
                received = "caught"
            yield received
            return "result"

        assert inspect.isgeneratorfunction(echo)
        items = echo()
        assert inspect.isgenerator(items)
        assert next(items) == "first"
        assert items.send("sent") == "sent"
        assert items.throw(KeyError()) == "caught"
        with pytest.raises(StopIteration) as stop:
            next(items)
        assert stop.value.value == "result"
        assert only(captured).data.spans[0].outputs == ["first", "sent", "caught"]

    def test_the_span_is_current_inside_and_not_outside(self, captured):
        @otflow.trace
        def child():
            return 1

        @otflow.trace
        def numbers():
            with otflow.start_span("inside"):
                yield child()
                yield child()

        @otflow.trace
        def consumer():
            for _ in numbers():
                assert otflow.get_current_active_span().name == "consumer"
                child()

        consumer()
        spans = {span.span_id: span for span in only(captured).data.spans}
        parents = [spans[span.parent_id].name for span in spans.values() if span.name == "child"]
        assert sorted(parents) == ["consumer", "consumer", "inside", "inside"]
        assert otflow.get_current_active_span() is None

    def test_closed_and_abandoned_generators_end_their_span(self, captured):
        cleaned = []

        @otflow.trace
        def endless():
            try:
                while True:
                    yield 1
            finally:
                cleaned.append(True)

        closed = endless()
        next(closed)
        closed.close()
        abandoned = endless()
        next(abandoned)
        del abandoned
        gc.collect()
        assert cleaned == [True, True]
        assert [trace.info.state for trace in captured.traces] == ["OK", "OK"]
        assert [trace.data.spans[0].outputs for trace in captured.traces] == [[1], [1]]

    def test_a_generator_that_is_never_started_makes_no_span(self, captured):
        @otflow.trace
        def never():
            yield 1

        never()
        gc.collect()
        assert captured.traces == []

    def test_an_error_inside(self, captured):
        @otflow.trace
        def fails():
            yield 1
            raise ValueError("late")

        items = fails()
        assert next(items) == 1
        with pytest.raises(ValueError, match="late"):
            next(items)
        assert only(captured).info.state == "ERROR"

    def test_consumed_in_another_context_the_parent_is_the_caller(self, captured):
        @otflow.trace
        def stream():
            yield 1
            yield 2

        @otflow.trace
        def handler():
            return stream()

        items = handler()
        with ThreadPoolExecutor(2) as pool:
            assert pool.submit(next, items).result() == 1
            assert pool.submit(lambda: list(items)).result() == [2]
        assert tree(only(captured)) == {"handler": None, "stream": "handler"}

    def test_methods_and_pickling_of_generator_functions(self, captured):
        class Agent:
            @otflow.trace
            def stream(self, n):
                yield n

        assert list(Agent().stream(4)) == [4]
        assert only(captured).data.spans[0].inputs == {"n": 4}
        assert pickle.loads(pickle.dumps(streamed)) is streamed
        assert list(inspect.signature(streamed).parameters) == ["n"]


@otflow.trace
def streamed(n):
    """Streams."""
    yield n


class TestAsyncGenerators:
    def test_items_and_reducer(self, captured):
        @otflow.trace(output_reducer=sum)
        async def count(n):
            for i in range(n):
                await asyncio.sleep(0)
                yield i

        async def main():
            return [i async for i in count(4)]

        assert inspect.isasyncgenfunction(count)
        assert asyncio.run(main()) == [0, 1, 2, 3]
        assert only(captured).data.spans[0].outputs == 6

    def test_closing_and_parents(self, captured):
        @otflow.trace
        async def child():
            return 1

        @otflow.trace
        async def stream():
            while True:
                yield await child()

        @otflow.trace
        async def consumer():
            items = stream()
            async for _ in items:
                await child()
                break
            await items.aclose()

        asyncio.run(consumer())
        trace = only(captured)
        spans = {span.span_id: span for span in trace.data.spans}
        parents = sorted(spans[span.parent_id].name for span in spans.values() if span.name == "child")
        assert parents == ["consumer", "stream"]
        assert trace.info.state == "OK"

    def test_finished_in_another_task(self, captured):
        @otflow.trace
        async def stream():
            yield 1
            yield 2

        @otflow.trace
        async def handler():
            return stream()

        async def main():
            items = await handler()
            first = await asyncio.create_task(items.__anext__())
            rest = await asyncio.create_task(drain(items))
            return [first, *rest]

        async def drain(items):
            return [item async for item in items]

        assert asyncio.run(main()) == [1, 2]
        assert tree(only(captured)) == {"handler": None, "stream": "handler"}


class TestSampling:
    def test_ratio_zero_records_nothing_not_even_children(self, captured, monkeypatch):
        monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "0")
        assert module_level(1) == 3

        @otflow.trace
        def outer():
            return module_level(1)

        assert outer() == 3
        with otflow.start_span("s") as span:
            module_level(1)
            span.set_inputs({"ignored": True})
        assert captured.traces == []

    def test_the_decorator_overrides_the_setting(self, captured, monkeypatch):
        monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "0")

        @otflow.trace(sampling_ratio_override=1.0)
        def always():
            return module_level(1)

        @otflow.trace(sampling_ratio_override=0.0)
        def never():
            return 1

        always()
        never()
        assert tree(only(captured)) == {"always": None, "module_level": "always"}

    @pytest.mark.parametrize("ratio", [-0.1, 1.1])
    def test_a_ratio_outside_is_refused(self, ratio):
        with pytest.raises(InvalidParameterError, match="sampling_ratio_override"):
            otflow.trace(sampling_ratio_override=ratio)

    def test_about_half(self, captured, monkeypatch):
        monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "0.5")
        for _ in range(200):
            module_level(1)
        assert 50 < len(captured.traces) < 150


class TestSwitchedOff:
    def test_disabled_functions_just_run(self, captured):
        otflow.tracing.disable()
        assert module_level(1) == 3
        with otflow.start_span("s") as span:
            assert span.trace_id is not None
        assert captured.traces == []
        otflow.tracing.enable()
        module_level(1)
        assert len(captured.traces) == 1


def test_properties_above_and_below_their_decorator(captured):
    class Page:
        def __init__(self):
            self._title = "a"

        @otflow.trace
        @property
        def title(self):
            """The title."""
            return self._title

        @title.setter
        def title(self, value):
            self._title = value

        @property
        @otflow.trace
        def below(self):
            return "b"

        @functools.cached_property
        @otflow.trace
        def once(self):
            return "c"

    page = Page()
    page.title = "d"
    assert (page.title, page.below, page.once, page.once) == ("d", "b", "c", "c")
    assert Page.title.__doc__ == "The title."
    assert sorted(trace.data.spans[0].name for trace in captured.traces) == ["below", "once", "title"]


def test_a_generator_that_is_a_coroutine(captured):
    @otflow.trace
    @types.coroutine
    def waits(seconds):
        with otflow.start_span("inside"):
            yield from asyncio.sleep(seconds).__await__()
        return "done"

    async def main():
        return await waits(0)

    assert asyncio.run(main()) == "done"
    assert tree(only(captured)) == {"waits": None, "inside": "waits"}
    assert only(captured).data.spans[0].outputs == "done"


def test_an_interrupt_while_a_span_ends_leaves_nothing_current(captured):
    def interrupt(span):
        raise KeyboardInterrupt

    @otflow.trace
    def work():
        return 1

    with otflow.tracing.configure(span_processors=[interrupt]), pytest.raises(KeyboardInterrupt):
        work()
    assert otflow.get_current_active_span() is None
    with otflow.start_span("next") as span:
        assert span.parent_id is None


@pytest.mark.parametrize("depth", [3000])
def test_deep_recursion(captured, depth):
    @otflow.trace
    def down(levels):
        return 0 if levels == 1 else 1 + down(levels - 1)

    found: list[int] = []
    limit, size = sys.getrecursionlimit(), threading.stack_size(256 * 2**20)
    sys.setrecursionlimit(10 * depth)
    try:
        thread = threading.Thread(target=lambda: found.append(down(depth)))
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    assert found == [depth - 1]
    spans = only(captured).data.spans
    assert len(spans) == depth
    assert len({span.parent_id for span in spans}) == depth  # none has two children
    assert {span.parent_id for span in spans} - {span.span_id for span in spans} == {None}


def test_a_recursion_that_is_too_deep_is_the_callers_own_error(captured):
    @otflow.trace
    def down():
        down()

    with pytest.raises(RecursionError):
        down()
    assert otflow.get_current_active_span() is None
    with otflow.start_span("next") as span:
        assert span.parent_id is None
