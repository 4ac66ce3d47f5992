"""Every shape of execution has the right parent: random programs, and what their traces have to be.

A program is a tree of steps. One interpreter carries it out with otflow's and OpenTelemetry's spans; another says,
without any of it, which span has to be below which. The rules that it states:

- what runs in a span's body is below that span; what starts without a current span is a trace of its own;
- a thread, a timer, or a job in an executor, starts without a current span, unless the context is copied into it;
- tasks and callbacks of an event loop have the context in which they were made;
- a generator's own code is below its span wherever it is resumed from, and its consumer's code is not; its span's
  parent is the span in which it was called;
- a generator that is closed or abandoned, and a task that is cancelled or runs into a timeout, end their spans.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace as api

import otflow
from otflow.testing import capture_traces


@dataclass
class Step:
    kind: str
    parts: list[list[Step]]
    """What runs inside; for generators, the code before each item and behind the last one."""
    between: list[Step] = field(default_factory=list)
    """What a generator's consumer runs after each item."""
    taken: int = 0
    """How many items are taken from a generator before it is closed or abandoned."""
    name: str = ""


SPANS = ["span", "call", "coroutine", "foreign", "raises", "cancelled", "timed out", "shielded"]
BLOCKS = [*SPANS, "detached"]
WITHOUT = ["thread", "timer", "executor", "executor of a loop"]
"""What starts without the context."""
WITH = ["copied thread", "copied executor", "callback", "to_thread"]
ELSEWHERE = [*WITHOUT, *WITH, "gather", "group"]
GENERATORS = ["exhausted", "closed", "abandoned", "in threads", "thrown into", "sent to"]
ASYNC_GENERATORS = ["async exhausted", "async closed", "async abandoned", "async in other tasks"]


def steps(depth: int) -> st.SearchStrategy[Step]:
    body = st.lists(steps(depth - 1), max_size=2) if depth else st.just([])
    parts = st.lists(body, min_size=1, max_size=3)
    return st.builds(Step, st.sampled_from(BLOCKS + ELSEWHERE), parts) | st.builds(
        Step, st.sampled_from(GENERATORS + ASYNC_GENERATORS), parts, body, st.integers(0, 3)
    )


def named(program: list[Step]) -> list[Step]:
    """The program with a name for each step."""
    queue, number = list(program), 0
    while queue:
        step = queue.pop(0)
        step.name = f"{step.kind} {number}"
        number += 1
        queue += [inner for part in step.parts for inner in part] + step.between
    return program


# -- what has to be ----------------------------------------------------------------------------------------


def expected(program: list[Step]) -> Counter[tuple[str, str | None]]:
    """Each span with its parent's name."""
    found: Counter[tuple[str, str | None]] = Counter()

    def all_of(part: list[Step], parent: str | None) -> None:
        for step in part:
            one(step, parent)

    def one(step: Step, parent: str | None) -> None:
        name = step.name
        if step.kind in SPANS:
            found[name, parent] += 1
            for part in step.parts:
                all_of(part, name)
        elif step.kind == "detached":
            found[name, parent] += 1
            for part in step.parts:
                all_of(part, parent)
        elif step.kind in WITHOUT:
            for part in step.parts:
                all_of(part, None)
        elif step.kind in WITH:
            for part in step.parts:
                all_of(part, parent)
        elif step.kind in {"gather", "group"}:
            for number, part in enumerate(step.parts):
                found[f"{name}.{number}", parent] += 1
                all_of(part, f"{name}.{number}")
        else:
            items = len(step.parts) - 1
            whole = step.kind in {"exhausted", "in threads", "sent to", "async exhausted", "async in other tasks"}
            taken = items if whole else min(step.taken, items)
            if not whole and taken == 0:
                return  # never started: its span never was
            found[name, parent] += 1
            begun = step.parts if whole else step.parts[:taken]
            for part in begun:
                all_of(part, name)
            for _ in range(taken):
                all_of(step.between, parent if step.kind != "in threads" else None)

    all_of(program, None)
    return found


# -- what is -----------------------------------------------------------------------------------------------


class Thrown(Exception):
    pass


def carry_out(part: list[Step]) -> None:
    for step in part:
        RUN[step.kind](step)


def loop_of_its_own(main) -> None:
    """Run a coroutine here; where an event loop runs already, in a thread with this context."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(main())
        return
    in_thread(contextvars.copy_context().run, asyncio.run, main())


def in_thread(function, *arguments) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            function(*arguments)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def inside(step: Step) -> None:
    for part in step.parts:
        carry_out(part)


def run_span(step: Step) -> None:
    with otflow.start_span(step.name):
        inside(step)


def run_call(step: Step) -> None:
    otflow.trace(inside, name=step.name)(step)


def run_coroutine(step: Step) -> None:
    @otflow.trace(name=step.name)
    async def coroutine() -> None:
        for part in step.parts:
            carry_out(part)
            await asyncio.sleep(0)

    loop_of_its_own(coroutine)


def run_detached(step: Step) -> None:
    span = otflow.start_span_no_context(step.name, parent_span=otflow.get_current_active_span())
    inside(step)
    span.end()


def run_foreign(step: Step) -> None:
    with api.get_tracer("someone.else").start_as_current_span(step.name):
        inside(step)


def run_raises(step: Step) -> None:
    with pytest.raises(Thrown), otflow.start_span(step.name):  # noqa: PT012
        inside(step)
        raise Thrown


def run_cancelled(step: Step) -> None:
    @otflow.trace(name=step.name)
    async def waits(ready: asyncio.Event) -> None:
        inside(step)
        ready.set()
        await asyncio.Event().wait()

    async def main() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(waits(ready))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop_of_its_own(main)


def run_timed_out(step: Step) -> None:
    @otflow.trace(name=step.name)
    async def waits(ready: asyncio.Event) -> None:
        inside(step)
        ready.set()
        await asyncio.Event().wait()

    async def main() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(waits(ready))
        await ready.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, timeout=0.001)

    loop_of_its_own(main)


def run_shielded(step: Step) -> None:
    @otflow.trace(name=step.name)
    async def goes_on(go: asyncio.Event) -> None:
        await go.wait()
        inside(step)

    async def main() -> None:
        go = asyncio.Event()
        task = asyncio.create_task(goes_on(go))
        shield = asyncio.shield(task)
        await asyncio.sleep(0)
        shield.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shield
        go.set()
        await task

    loop_of_its_own(main)


def run_thread(step: Step) -> None:
    in_thread(inside, step)


def run_copied_thread(step: Step) -> None:
    in_thread(contextvars.copy_context().run, inside, step)


def run_timer(step: Step) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            inside(step)
        except BaseException as error:
            failed.append(error)

    timer = threading.Timer(0, run)
    timer.start()
    timer.join()
    if failed:
        raise failed[0]


def run_to_thread(step: Step) -> None:
    async def main() -> None:
        await asyncio.to_thread(inside, step)

    loop_of_its_own(main)


def run_executor_of_a_loop(step: Step) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, inside, step)

    loop_of_its_own(main)


def run_executor(step: Step) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(carry_out, part) for part in step.parts]:
            done.result()


def run_copied_executor(step: Step) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(contextvars.copy_context().run, carry_out, part) for part in step.parts]:
            done.result()


def run_callback(step: Step) -> None:
    async def main() -> None:
        done = asyncio.get_running_loop().create_future()

        def called() -> None:
            try:
                inside(step)
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        asyncio.get_running_loop().call_soon(called)
        await done

    loop_of_its_own(main)


def jobs(step: Step):
    async def job(part: list[Step]) -> None:
        await asyncio.sleep(0)
        carry_out(part)
        await asyncio.sleep(0)

    return [otflow.trace(job, name=f"{step.name}.{number}")(part) for number, part in enumerate(step.parts)]


def run_gather(step: Step) -> None:
    async def main() -> None:
        await asyncio.gather(*jobs(step))

    loop_of_its_own(main)


def run_group(step: Step) -> None:
    async def main() -> None:
        if sys.version_info < (3, 11):
            await asyncio.gather(*jobs(step))
            return
        async with asyncio.TaskGroup() as group:
            for job in jobs(step):
                group.create_task(job)

    loop_of_its_own(main)


def generator_of(step: Step):
    @otflow.trace(name=step.name)
    def generator():
        for number, part in enumerate(step.parts[:-1]):
            carry_out(part)
            sent = yield part
            assert sent in (None, f"{step.name} {number}")
        carry_out(step.parts[-1])
        return step.name

    return generator()


def run_generator(step: Step) -> None:
    items = generator_of(step)
    if step.kind == "in threads":
        while True:
            ended: list[bool] = []

            def resume(ended=ended) -> None:
                if next(items, None) is None:
                    ended.append(True)
                else:
                    carry_out(step.between)

            in_thread(resume)
            if ended:
                return
    taken = 0
    if step.kind == "sent to":
        try:
            items.send(None)
            while True:
                carry_out(step.between)
                items.send(f"{step.name} {taken}")
                taken += 1
        except StopIteration as stop:
            returned = stop.value
        assert returned == step.name
        return
    whole = step.kind == "exhausted"
    while whole or taken < min(step.taken, len(step.parts) - 1):
        if next(items, None) is None:
            return
        taken += 1
        carry_out(step.between)
    if step.kind == "closed":
        items.close()
    elif step.kind == "thrown into" and taken:
        with pytest.raises(Thrown):
            items.throw(Thrown())
    else:
        del items
        gc.collect()


def run_async_generator(step: Step) -> None:
    @otflow.trace(name=step.name)
    async def generator():
        for part in step.parts[:-1]:
            carry_out(part)
            yield part
            await asyncio.sleep(0)
        carry_out(step.parts[-1])

    async def main() -> None:
        items = generator()
        if step.kind == "async in other tasks":  # as a streaming response is: made here, sent by somebody else

            async def send() -> bool:
                async for _ in items:
                    carry_out(step.between)
                    return True
                return False

            while await asyncio.create_task(send()):
                pass
            return
        taken = 0
        whole = step.kind == "async exhausted"
        while whole or taken < min(step.taken, len(step.parts) - 1):
            try:
                await items.__anext__()
            except StopAsyncIteration:
                return
            taken += 1
            carry_out(step.between)
        if step.kind == "async abandoned":  # the loop closes it, in a task that it makes
            del items
            gc.collect()
            return
        await asyncio.create_task(items.aclose())

    loop_of_its_own(main)


RUN = {
    "span": run_span,
    "call": run_call,
    "coroutine": run_coroutine,
    "detached": run_detached,
    "foreign": run_foreign,
    "raises": run_raises,
    "cancelled": run_cancelled,
    "timed out": run_timed_out,
    "shielded": run_shielded,
    "thread": run_thread,
    "timer": run_timer,
    "to_thread": run_to_thread,
    "executor of a loop": run_executor_of_a_loop,
    "copied thread": run_copied_thread,
    "executor": run_executor,
    "copied executor": run_copied_executor,
    "callback": run_callback,
    "gather": run_gather,
    "group": run_group,
    **dict.fromkeys(GENERATORS, run_generator),
    **dict.fromkeys(ASYNC_GENERATORS, run_async_generator),
}


def recorded(traces: list[otflow.Trace]) -> Counter[tuple[str, str | None]]:
    found: Counter[tuple[str, str | None]] = Counter()
    for trace in traces:
        names = {span.span_id: span.name for span in trace.data.spans}
        for span in trace.data.spans:
            assert span.end_time_ns is not None, f"{span.name} has not ended"
            found[span.name, names[span.parent_id] if span.parent_id else None] += 1
    return found


@pytest.fixture(autouse=True)
def everything_enters():
    otflow.tracing.set_span_filter("all")
    yield
    otflow.tracing.set_span_filter(None)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(steps(2), min_size=1, max_size=3))
def test_random_programs_have_the_tree_that_they_have_to_have(caplog, program):
    named(program)
    random.seed()  # hypothesis lets the random ids of spans repeat
    with capture_traces() as captured:
        carry_out(program)
    assert recorded(captured.traces) == expected(program)
    assert "Failed to detach" not in caplog.text
    assert "different Context" not in caplog.text
    assert not api.get_current_span().get_span_context().is_valid, "something is current still"


@pytest.mark.parametrize("kind", sorted(RUN))
def test_each_shape_below_a_span(kind):
    leaf = [Step("call", [[]])]
    program = named([Step("span", [[Step(kind, [leaf, leaf, leaf], between=leaf, taken=2)]])])
    with capture_traces() as captured:
        carry_out(program)
    assert recorded(captured.traces) == expected(program)


POOL = """
import multiprocessing, sys
import otflow

def job(number):
    with otflow.start_span(f"job {number}") as span:
        return span.parent_id

if __name__ == "__main__":
    with otflow.start_span("parent") as parent, multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        [found] = pool.map(job, [1])
        pool.close()
        pool.join()
    print(found == parent.span_id, found is None)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_a_process_pool_a_span_is_a_trace_of_its_own_or_goes_on_with_what_was_forked(tmp_path, method):
    # A program of its own: the processes of a pool import the module that the job is in.
    program = tmp_path / "program.py"
    program.write_text(POOL)
    run = subprocess.run(
        [sys.executable, str(program), method],
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    # A forked process inherits what was current; a spawned one starts anew.
    assert run.stdout == ("True False\n" if method == "fork" else "False True\n"), run.stderr
