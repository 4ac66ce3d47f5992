"""Providers, samplers, ids, span processors and parents of all kinds; each case in a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
import threading
import otflow
from opentelemetry import trace as api
from opentelemetry.sdk.trace import RandomIdGenerator, SpanProcessor, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter as Door
from opentelemetry.util._once import Once

def provider(*doors, **more):
    made = TracerProvider(**more)
    for door in doors:
        made.add_span_processor(SimpleSpanProcessor(door))
    return made

def swap(made):  # as tests of applications do
    api._TRACER_PROVIDER, api._TRACER_PROVIDER_SET_ONCE = made, Once()

def use(number):
    other = api.get_tracer("other")
    with other.start_as_current_span(f"server{number}"):
        with otflow.start_span(f"agent{number}"):
            with other.start_as_current_span(f"http{number}"):
                with otflow.start_span(f"tool{number}"):
                    pass

def all_of(number):
    return {f"server{number}": None, f"agent{number}": f"server{number}", f"http{number}": f"agent{number}",
            f"tool{number}": f"http{number}"}

def ours(*numbers):
    return {k: None if k.startswith("agent") else v for n in numbers for k, v in all_of(n).items() if k[0] != "s"}

def tree(spans):
    names = {id: name for name, id, _ in spans}
    assert len({name for name, _, _ in spans}) == len(spans), "a span came twice"
    return {name: names.get(parent) for name, _, parent in spans}

def seen(door):
    return tree([(s.name, s.context.span_id, s.parent and s.parent.span_id) for s in door.get_finished_spans()])

def stored():
    spans = [s for trace in otflow.search_traces(return_type="list") for s in trace.data.spans]
    assert all(s.end_time_ns for s in spans), "a span has not ended"
    return tree([(s.name, s.span_id, s.parent_id) for s in spans])

def below(span_context):
    return api.use_span(api.NonRecordingSpan(span_context))

def same(found, expected):
    assert found == expected, f"{found} is not {expected}"

class ByName(sampling.Sampler):
    def __init__(self, **decisions): self.decisions = decisions
    def should_sample(self, parent_context, trace_id, name, *more, **named):
        return sampling.SamplingResult(self.decisions.get(name, sampling.Decision.RECORD_AND_SAMPLE))
    def get_description(self): return "by name"

class Failing(SpanProcessor):
    def __init__(self, at): self.at = at
    def on_start(self, span, parent_context=None):
        if self.at == "start": raise ValueError("start")
    def on_end(self, span):
        if self.at == "end": raise ValueError("end")
"""

CASES = {
    "the registered provider is exchanged twice": """
        doors = [Door(), Door(), Door()]
        for number, door in enumerate(doors):
            swap(provider(door))
            use(number)
        for number, door in enumerate(doors):
            same(seen(door), all_of(number))
        same(stored(), ours(0, 1, 2))
        """,
    "two providers take turns": """
        a, b = Door(), Door()
        first, second = provider(a), provider(b)
        for number, made in enumerate([first, second, first, second]):
            swap(made)
            use(number)
        same(seen(a), all_of(0) | all_of(2))
        same(seen(b), all_of(1) | all_of(3))
        same(stored(), ours(0, 1, 2, 3))
        """,
    "a provider is registered in the middle of a trace": """
        door = Door()
        early = api.get_tracer("other")
        with otflow.start_span("agent"):
            with early.start_as_current_span("before"):
                api.set_tracer_provider(provider(door))
                with otflow.start_span("tool"), early.start_as_current_span("http"):
                    pass
        same(stored(), {"agent": None, "before": "agent", "tool": "before", "http": "tool"})
        same(seen(door), {"tool": None, "http": "tool"})
        """,
    "a provider is shut down, and later replaced": """
        a, b = Door(), Door()
        first = provider(a)
        api.set_tracer_provider(first)
        use(0)
        first.shutdown()
        use(1)
        swap(provider(b))
        use(2)
        same((seen(a), seen(b)), (all_of(0), all_of(2)))
        same(stored(), ours(0, 1, 2))
        """,
    "the same provider is handed over and registered": """
        a, b = Door(), Door()
        made = provider(a, b)
        api.set_tracer_provider(made)
        use(0)
        otflow.tracing.set_tracer_provider(made)
        use(1)
        otflow.tracing.set_tracer_provider(None)
        use(2)
        for door in (a, b):
            same(seen(door), all_of(0) | all_of(1) | all_of(2))
        same(stored(), ours(0, 1, 2))
        """,
    "a provider of a class with slots": """
        class Slots:
            __slots__ = ("inner",)
            def __init__(self, inner): self.inner = inner
            def get_tracer(self, *more, **named): return self.inner.get_tracer(*more, **named)
            def add_span_processor(self, processor): self.inner.add_span_processor(processor)
        door = Door()
        otflow.tracing.set_tracer_provider(Slots(provider(door)))
        for name in "abc":
            with otflow.start_span(name):
                pass
        same(seen(door), {"a": None, "b": None, "c": None})
        same(stored(), {"a": None, "b": None, "c": None})
        """,
    "threads start while the application sets its provider": """
        door, ready = Door(), threading.Barrier(17)
        def job(number):
            ready.wait(30)
            with otflow.start_span(f"job {number}"):
                pass
        threads = [threading.Thread(target=job, args=[number]) for number in range(16)]
        for thread in threads: thread.start()
        ready.wait(30)
        api.set_tracer_provider(provider(door))
        for thread in threads: thread.join()
        same(stored(), {f"job {number}": None for number in range(16)})
        seen(door)  # none twice
        """,
    "ids of the application's own making": """
        class Ids(RandomIdGenerator):
            last = 0
            def generate_trace_id(self): Ids.last += 1; return 0x66 << 120 | Ids.last
            def generate_span_id(self): Ids.last += 1; return 0x77 << 56 | Ids.last
        door = Door()
        api.set_tracer_provider(provider(door, id_generator=Ids()))
        use(0)
        use(1)
        assert all(s.context.trace_id >> 120 == 0x66 and s.context.span_id >> 56 == 0x77
                   for s in door.get_finished_spans())
        same(seen(door), all_of(0) | all_of(1))
        same(stored(), ours(0, 1))
        """,
    "ids that cannot be made": """
        class Ids(RandomIdGenerator):
            def generate_span_id(self): raise ValueError("none left")
        api.set_tracer_provider(provider(id_generator=Ids()))
        same(otflow.trace(lambda: 3)(), 3)
        with otflow.start_span("span") as span:
            span.set_inputs(1)
        otflow.start_span_no_context("detached").end()
        """,
    "a span processor that fails at the start": """
        made = provider()
        api.set_tracer_provider(made)
        made.add_span_processor(Failing("start"))
        same(otflow.trace(lambda: 3)(), 3)
        same(list(otflow.trace(lambda: iter([3]))()), [3])
        with otflow.start_span("span") as span:
            span.set_inputs(1)
        """,
    "a span processor behind otflow's that fails at the end": """
        made = provider()
        api.set_tracer_provider(made)
        otflow.tracing.set_span_filter(None)  # joins
        made.add_span_processor(Failing("end"))
        with otflow.start_span("agent"):
            same(otflow.trace(lambda: 3, name="tool")(), 3)
        same(stored(), {"agent": None, "tool": "agent"})
        """,
    "a parent that does not record": """
        door = Door()
        api.set_tracer_provider(provider(door))
        with below(api.SpanContext(1, 2, is_remote=False, trace_flags=api.TraceFlags(1))):
            use(0)
        same(seen(door), all_of(0))
        same(stored(), ours(0))
        """,
    "a parent that is none": """
        with api.use_span(api.INVALID_SPAN):
            use(0)
        same(stored(), ours(0))
        """,
    "remote parents, with their trace state": """
        door = Door()
        api.set_tracer_provider(provider(door))
        for number in (1, 2):
            state = api.TraceState([("vendor", str(number))])
            with below(api.SpanContext(number, 7, is_remote=True, trace_flags=api.TraceFlags(1), trace_state=state)):
                use(number)
        same({s.name[-1] for s in door.get_finished_spans()}, {"1", "2"})
        assert all(s.context.trace_state["vendor"] == s.name[-1] and s.context.trace_id == int(s.name[-1])
                   for s in door.get_finished_spans())
        same(stored(), ours(1, 2))
        """,
    "a remote parent that was not sampled": """
        door = Door()
        api.set_tracer_provider(provider(door))
        with below(api.SpanContext(1, 2, is_remote=True, trace_flags=api.TraceFlags(0))):
            use(0)
        same((seen(door), stored()), ({}, {}))
        use(1)
        same((seen(door), stored()), (all_of(1), ours(1)))
        """,
    "a sampler that drops a span in the middle": """
        door = Door()
        api.set_tracer_provider(provider(door, sampler=ByName(http0=sampling.Decision.DROP)))
        use(0)
        assert "http0" not in stored() and "http0" not in seen(door)
        """,
    "a sampler that drops the root, as it is asked of what starts below": """
        door = Door()
        api.set_tracer_provider(provider(door, sampler=sampling.ParentBased(ByName(agent=sampling.Decision.DROP))))
        other = api.get_tracer("other")
        def http():
            with other.start_as_current_span("http"), otflow.start_span("tool"):
                pass
        def stream():
            http()
            yield 1
        with otflow.start_span("agent"):
            http()
        otflow.trace(http, name="agent")()
        list(otflow.trace(stream, name="agent")())
        same((seen(door), stored()), ({}, {}))
        """,
    "a sampler by ratio decides of whole traces": """
        door = Door()
        api.set_tracer_provider(provider(door, sampler=sampling.ParentBasedTraceIdRatio(0.5)))
        other = api.get_tracer("other")
        for number in range(100):
            with otflow.start_span(f"agent{number}"), other.start_as_current_span(f"http{number}"):
                pass
        found = seen(door)
        assert 0 < len(found) < 200
        assert all(parent == f"agent{name[4:]}" for name, parent in found.items() if name.startswith("http"))
        same(stored(), found)
        """,
    "spans that are recorded and not sampled": """
        door, ended = Door(), []
        class Counting(SpanProcessor):
            def on_end(self, span): ended.append(span.name)
        made = provider(door, sampler=ByName(agent=sampling.Decision.RECORD_ONLY))
        made.add_span_processor(Counting())
        api.set_tracer_provider(made)
        otflow.trace(lambda: otflow.update_current_trace(tags={"a": "b"}), name="agent")()
        same((ended, seen(door), stored()), (["agent"], {}, {}))
        """,
    "a span processor before otflow's that fails at the end": """
        made = provider()
        made.add_span_processor(Failing("end"))
        api.set_tracer_provider(made)
        with otflow.start_span("agent"):
            same(otflow.trace(lambda: 3, name="tool")(), 3)
        otflow.start_span_no_context("detached").end()
        same(stored(), {"agent": None, "tool": "agent", "detached": None})
        """,
    "what ends late, while the next root below the same span is open": """
        api.set_tracer_provider(provider())
        other = api.get_tracer("other")
        with other.start_as_current_span("server"):
            with otflow.start_span("first") as first:
                background = otflow.start_span_no_context("background", parent_span=first)
                http = other.start_span("http")
            for number in range(3):
                with otflow.start_span(f"next{number}"), otflow.start_span(f"inside{number}"):
                    pass
            with otflow.start_span("last"):
                with api.use_span(http), other.start_as_current_span("below http"):
                    pass
                otflow.start_span_no_context("below", parent_span=background).end()
                background.end()
                http.end()
        same(stored(), {"first": None, "background": "first", "below": "background", "http": "first",
                        "below http": "http", "last": None, **{f"next{n}": None for n in range(3)},
                        **{f"inside{n}": f"next{n}" for n in range(3)}})
        """,
    "what ends after very many other traces": """
        api.set_tracer_provider(provider())
        with otflow.start_span("root") as root:
            background = otflow.start_span_no_context("background", parent_span=root)
            http = api.get_tracer("other").start_span("http")
        for _ in range(2000):
            with otflow.start_span("other"):
                pass
        background.end()
        http.end()
        found = otflow.get_trace(root.trace_id).data.spans
        same({span.name: span.end_time_ns is not None for span in found},
             {"root": True, "background": True, "http": True})
        """,
}
PRIVATE = {
    "a private provider beside a remote parent": """
        door = Door()
        api.set_tracer_provider(provider(door))
        with below(api.SpanContext(1, 2, is_remote=True, trace_flags=api.TraceFlags(1))):
            use(0)
        same(seen(door), {"server0": None, "http0": "server0"})
        same(stored(), {"agent0": None, "tool0": "agent0"})
        """,
    "generators in a private provider": """
        door = Door()
        api.set_tracer_provider(provider(door))
        other = api.get_tracer("other")
        @otflow.trace
        def numbers():
            with other.start_as_current_span("http"), otflow.start_span("first"):
                pass
            yield 1
            with otflow.start_span("second"):
                pass
        with other.start_as_current_span("server"):
            with otflow.start_span("agent"):
                made = numbers()
            list(made)
        same(seen(door), {"server": None, "http": "server"})
        same(stored(), {"agent": None, "numbers": "agent", "first": "numbers", "second": "numbers"})
        """,
}
NOTHING = """
    same(otflow.trace(lambda: 3)(), 3)
    with otflow.start_span("span") as span:
        span.set_inputs(1)
    same(stored(), {})
    """
WITH_SETTINGS = {
    "OTEL_SDK_DISABLED": ({"OTEL_SDK_DISABLED": "true"}, NOTHING),
    "OTEL_TRACES_SAMPLER": ({"OTEL_TRACES_SAMPLER": "always_off"}, NOTHING),
    **{name: ({"OTFLOW_USE_DEFAULT_TRACER_PROVIDER": "true"}, body) for name, body in PRIVATE.items()},
}


def carry_out(body: str, directory: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(body)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{directory}/t.db", **environment},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", CASES)
def test_parents_are_right_and_nothing_comes_twice(tmp_path, case):
    carry_out(CASES[case], tmp_path)


@pytest.mark.parametrize("case", WITH_SETTINGS)
def test_by_settings(tmp_path, case):
    environment, body = WITH_SETTINGS[case]
    carry_out(body, tmp_path, **environment)
