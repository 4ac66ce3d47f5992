"""The decorator: what it wraps, what it records, what it leaves alone."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: PLW0108

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from typing import Any

from toolbox import ANYTHING, INVALID, Difference, Facts, Toolbox, case, each, value


@case()
def plain_function(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def add(a: int, b: int = 2, *rest: int, flag: bool = False, **more: Any) -> int:
        """Adds."""
        return a + b

    yield "result", add(1)
    yield "trace", t.last()
    add(1, 5, 6, 7, flag=True, extra="x")
    yield "all kinds of arguments", t.last().data.spans[0].inputs
    yield "name", add.__name__
    yield "doc", add.__doc__
    yield "signature", t.signature(add)
    yield "wrapped", hasattr(add, "__wrapped__")
    yield "qualname ends", add.__qualname__.rsplit(".", 1)[-1]
    yield "bad call", t.outcome(lambda: add())
    yield "traces", len(t.traces())


@case()
def no_arguments(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def nothing() -> None:
        return None

    nothing()
    yield "trace", t.last()


@case(
    differs={
        "name given as number/value[0]/name": Difference("5", "a name is a text"),
        "span type None/value[0]/type": Difference("UNKNOWN", "a span type is a text"),
        "span type None/value[0]/attributes/mlflow.spanType": Difference("UNKNOWN", "a span type is a text"),
    }
)
def options(t: Toolbox) -> Facts:
    @t.mlflow.trace(name="other", span_type="LLM", attributes={"n": 1, "s": "x", "d": {"a": [1]}, "none": None})
    def call(x: Any) -> Any:
        return {"out": x}

    call([1, 2])
    yield "trace", t.last()

    @t.mlflow.trace(span_type=t.mlflow.entities.SpanType.TOOL)
    def tool() -> int:
        return 0

    tool()
    yield "type and outputs", t.last()
    yield "custom type", _one(t, span_type="my type")
    yield "name given as number", t.outcome(lambda: _one(t, name=5))
    yield "empty name", t.outcome(lambda: _one(t, name=""))
    yield "attributes no dict", t.outcome(lambda: _one(t, attributes=[1]))
    yield "span type None", t.outcome(lambda: _one(t, span_type=None))


def _one(t: Toolbox, **options: Any) -> Any:
    @t.mlflow.trace(**options)
    def one() -> int:
        return 1

    one()
    return t.spans(t.last())


_INTERRUPTED = "an interrupt ends the span just as any other exception does; in MLflow it reads OK"


@case(
    differs={
        "interrupted[0]/status": Difference(["SpanStatusCode.ERROR", "KeyboardInterrupt: "], _INTERRUPTED),
        "interrupted[0]/events": Difference(ANYTHING, _INTERRUPTED),
    }
)
def exceptions(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def fails(x: int) -> None:
        raise ValueError(f"bad {x}")

    yield "raised", t.outcome(lambda: fails(1))
    yield "trace", t.last()

    @t.mlflow.trace
    def outer() -> str:
        try:
            fails(2)
        except ValueError:
            return "saved"
        return "never"

    outer()
    yield "caught inside", t.last()

    @t.mlflow.trace
    def bare() -> None:
        raise KeyError

    t.outcome(bare)
    yield "no message", t.last()

    @t.mlflow.trace
    def interrupted() -> None:
        raise KeyboardInterrupt

    try:
        interrupted()
    except BaseException as error:
        yield "interrupt", type(error).__name__
    yield "interrupted", t.spans(t.last())


@case()
def coroutines(t: Toolbox) -> Facts:
    @t.mlflow.trace
    async def inner(x: int) -> int:
        await asyncio.sleep(0)
        return x * 2

    @t.mlflow.trace
    async def outer(n: int) -> list[int]:
        return list(await asyncio.gather(*(inner(i) for i in range(n))))

    yield "result", asyncio.run(outer(3))
    trace = t.last()
    yield "tree", sorted(t.tree(trace))
    yield "outputs", trace.data.spans[0].outputs
    yield "is coroutine function", inspect.iscoroutinefunction(inner)

    @t.mlflow.trace
    async def fails() -> None:
        raise RuntimeError("async")

    yield "raised", t.outcome(lambda: asyncio.run(fails()))
    yield "failed", t.last()


_NAMED = "the span of a generator names its function in ours, as that of any other function does"
_DESCRIBED = "the status of a generator that failed says how, as that of any other function does"
_ABANDONED = "a generator that is closed, or thrown into, leaves no trace in MLflow: its span never ends"
_SENT = "what is sent into a traced generator never arrives in MLflow"


def _named(*labels: str) -> dict[str, Difference]:
    return each(ANYTHING, _NAMED, *(f"{label}/spans[0]/attributes/mlflow.spanFunctionName" for label in labels))


def _span(name: str, inputs: Any, outputs: Any, status: list[str], *events: Any) -> list[dict[str, Any]]:
    attributes: dict[str, Any] = {"mlflow.spanFunctionName": name, "mlflow.spanInputs": inputs}
    if outputs is not None:
        attributes["mlflow.spanOutputs"] = outputs
    attributes |= {"mlflow.spanType": "UNKNOWN", "mlflow.traceRequestId": "<present>"}
    return [
        {
            "class": "Span",
            "name": name,
            "parent": None,
            "type": "UNKNOWN",
            "status": [f"SpanStatusCode.{status[0]}", *status[1:]],
            "inputs": inputs,
            "outputs": outputs,
            "attributes": attributes,
            "events": list(events),
            "ended": True,
        }
    ]


def _chunk(index: int, text: str) -> dict[str, Any]:
    return {"name": f"mlflow.chunk.item.{index}", "attributes": {"mlflow.chunk.value": text}}


def _exception(kind: str, message: str) -> dict[str, Any]:
    attributes = {"exception.message": message, "exception.type": kind, "exception.stacktrace": True}
    return {"name": "exception", "attributes": attributes}


@case(
    differs=_named("trace", "failed", "empty")
    | {
        "failed/spans[0]/status[1]": Difference("ValueError: mid", _DESCRIBED),
        "closed early/spans": Difference(_span("count", {"n": 3}, [0], ["OK", ""], _chunk(0, "0")), _ABANDONED),
        "thrown into/spans": Difference(
            _span("count", {"n": 2}, None, ["ERROR", "ValueError: in"], _chunk(0, "0"), _exception("ValueError", "in")),
            _ABANDONED,
        ),
        "talk": Difference(value(["first", "sent"]), _SENT),
        "talk trace": Difference(
            _span("echo", {}, ["first", "sent"], ["OK", ""], _chunk(0, '"first"'), _chunk(1, '"sent"')), _SENT
        ),
    }
)
def generators(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def count(n: int) -> Any:
        yield from range(n)

    before = t.mlflow.get_last_active_trace_id()
    stream = count(3)
    yield "type", type(stream).__name__
    yield "nothing before iteration", t.mlflow.get_last_active_trace_id() == before
    yield "items", list(stream)
    yield "trace", t.last()
    yield "is generator function", inspect.isgeneratorfunction(count)

    partly = count(3)
    next(partly)
    yield "closed early", t.run(partly.close)
    broken = count(2)
    next(broken)
    yield "thrown into", t.run(lambda: broken.throw(ValueError("in")))

    @t.mlflow.trace
    def fails() -> Any:
        yield 1
        raise ValueError("mid")

    yield "raised", t.outcome(lambda: list(fails()))
    yield "failed", t.last()

    @t.mlflow.trace
    def empty() -> Any:
        yield from ()

    list(empty())
    yield "empty", t.last()

    @t.mlflow.trace
    def echo() -> Any:
        got = yield "first"
        yield got
        return "returned"

    talk = echo()
    yield "talk", t.outcome(lambda: [next(talk), talk.send("sent")])
    yield "talk ends", t.outcome(lambda: next(talk))
    yield "talk trace", t.spans(t.last())


_REDUCED = "None is an output like any other, as of a function that returns it"


@case(
    differs=_named("reduced", "after failure", "reduced to none")
    | {
        "reduced to none/info/response_preview": Difference("null", _REDUCED),
        "reduced to none/info/metadata/mlflow.traceOutputs": Difference("null", _REDUCED),
        "reduced to none/spans[0]/attributes/mlflow.spanOutputs": Difference(None, _REDUCED),
    }
)
def generator_reducers(t: Toolbox) -> Facts:
    @t.mlflow.trace(output_reducer=lambda items: ",".join(items))
    def words() -> Any:
        yield "a"
        yield "b"

    list(words())
    yield "reduced", t.last()

    def failing(items: list[Any]) -> Any:
        raise ValueError("no")

    @t.mlflow.trace(output_reducer=failing)
    def more() -> Any:
        yield 1

    yield "reducer fails", t.outcome(lambda: list(more()))
    yield "after failure", t.last()
    yield "on a plain function", t.outcome(lambda: _one(t, output_reducer=sum))
    yield "not callable", t.outcome(lambda: t.mlflow.trace(output_reducer=5)(lambda: None))

    @t.mlflow.trace(output_reducer=lambda items: None)
    def none() -> Any:
        yield 1

    list(none())
    yield "reduced to none", t.last()

    @t.mlflow.trace(output_reducer=lambda a, b: None)
    def two() -> Any:
        yield 1

    yield "reducer of two", t.outcome(lambda: list(two()))


@case()
def generator_nesting(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def inner(x: int) -> int:
        return x

    @t.mlflow.trace
    def stream() -> Any:
        yield inner(1)
        yield inner(2)

    @t.mlflow.trace
    def outer() -> Any:
        for item in stream():
            inner(item + 10)
        return "done"

    outer()
    yield "tree", t.tree(t.last())
    source = stream()
    next(source)
    yield "active between items", t.mlflow.get_current_active_span() is None
    yield "active trace between items", t.mlflow.get_active_trace_id() is None
    list(source)
    yield "tree alone", t.tree(t.last())


@case(
    differs=_named("trace", "failed")
    | {
        "failed/spans[0]/status[1]": Difference("ValueError: mid", _DESCRIBED),
        "closed early/spans": Difference(_span("count", {"n": 5}, 0, ["OK", ""], _chunk(0, "0")), _ABANDONED),
    }
)
def async_generators(t: Toolbox) -> Facts:
    @t.mlflow.trace(output_reducer=sum)
    async def count(n: int) -> Any:
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def drain(stream: Any) -> list[Any]:
        return [item async for item in stream]

    yield "items", asyncio.run(drain(count(4)))
    yield "trace", t.last()
    yield "is async generator function", inspect.isasyncgenfunction(count)

    @t.mlflow.trace
    async def fails() -> Any:
        yield 1
        raise ValueError("mid")

    yield "raised", t.outcome(lambda: asyncio.run(drain(fails())))
    yield "failed", t.last()

    async def partly() -> Any:
        stream = count(5)
        first = await stream.__anext__()
        await stream.aclose()
        return first

    yield "closed early", t.run(lambda: asyncio.run(partly()))


@case()
def methods(t: Toolbox) -> Facts:
    mlflow = t.mlflow

    class Thing:
        def __init__(self, k: int) -> None:
            self.k = k

        @mlflow.trace
        def method(self, x: int) -> int:
            return self.k * x

        @classmethod
        @mlflow.trace
        def outside(cls, x: int) -> str:
            return f"{cls.__name__}{x}"

        @mlflow.trace
        @classmethod
        def inside(cls, x: int) -> str:
            return f"{cls.__name__}{x}"

        @staticmethod
        @mlflow.trace
        def still(x: int) -> int:
            return x

        @mlflow.trace
        @staticmethod
        def stiller(x: int) -> int:
            return x

        @property
        @mlflow.trace
        def prop(self) -> int:
            return self.k

        @mlflow.trace
        async def later(self, x: int) -> int:
            return x

        @mlflow.trace
        def __call__(self, x: int) -> int:
            return x

    thing = Thing(3)
    for name, call in {
        "method": lambda: thing.method(2),
        "method by class": lambda: Thing.method(thing, 2),
        "classmethod outside": lambda: Thing.outside(1),
        "classmethod inside": lambda: Thing.inside(1),
        "classmethod of instance": lambda: thing.inside(1),
        "staticmethod outside": lambda: Thing.still(1),
        "staticmethod inside": lambda: Thing.stiller(1),
        "staticmethod of instance": lambda: thing.stiller(1),
        "property": lambda: thing.prop,
        "coroutine method": lambda: asyncio.run(thing.later(1)),
        "call": lambda: thing(4),
    }.items():
        yield name, t.outcome(call)
        yield f"{name}, trace", t.spans(t.last())


_CALLABLE = "MLflow looks for a `__name__` that not every callable has, and fails the call"


@case(
    differs={
        "instance": Difference({**value(2), "spans": _span("Adder", {"x": 1}, 2, ["OK", ""])}, _CALLABLE),
        "partial": Difference(
            {**value(9), "spans": _span("power", {"base": 3, "exponent": 2}, 9, ["OK", ""])}, _CALLABLE
        ),
        "named partial": Difference(ANYTHING, _CALLABLE),
        "named partial/value": Difference(9, _CALLABLE),
        "not callable": Difference(INVALID, "MLflow says so only when it is called"),
    }
)
def callables(t: Toolbox) -> Facts:
    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

    def power(base: int, exponent: int) -> int:
        return base**exponent

    for name, build, arguments in (
        ("instance", lambda: t.mlflow.trace(Adder()), (1,)),
        ("partial", lambda: t.mlflow.trace(functools.partial(power, exponent=2)), (3,)),
        ("builtin", lambda: t.mlflow.trace(len), ([1, 2],)),
        ("lambda", lambda: t.mlflow.trace(lambda x: x), (1,)),
        ("class", lambda: t.mlflow.trace(Adder), ()),
        ("bound method", lambda: t.mlflow.trace("a-b".split), ("-",)),
        ("named partial", lambda: t.mlflow.trace(functools.partial(power, exponent=2), name="named"), (3,)),
    ):
        yield name, t.run(lambda build=build, arguments=arguments: build()(*arguments))
    yield "not callable", t.outcome(lambda: t.mlflow.trace(5))


@case()
def nesting(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def leaf(n: int) -> int:
        return n

    @t.mlflow.trace
    def middle(n: int) -> int:
        return leaf(n) + leaf(n + 1)

    @t.mlflow.trace
    def top() -> int:
        return middle(1) + middle(5)

    top()
    yield "tree", t.tree(t.last())

    @t.mlflow.trace
    def recursive(n: int) -> int:
        return n if n == 0 else recursive(n - 1)

    recursive(3)
    yield "recursion", t.tree(t.last())
    yield "one trace each", len(t.traces())


@case()
def threads(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def work(n: int) -> int:
        return n

    @t.mlflow.trace
    def copied() -> None:
        for n in range(2):
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(work, n))
            thread.start()
            thread.join()

    copied()
    yield "copied context", t.tree(t.last())

    @t.mlflow.trace
    def uncopied() -> None:
        thread = threading.Thread(target=work, args=(7,))
        thread.start()
        thread.join()

    before = len(t.traces())
    uncopied()
    yield "own context", len(t.traces()) - before


@case()
def inputs_are_taken_at_the_call(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def change(items: list[int]) -> list[int]:
        items.append(9)
        return items

    given = [1]
    result = change(given)
    yield "same object", result is given
    result.append(10)
    span = t.last().data.spans[0]
    yield "inputs", span.inputs
    yield "outputs", span.outputs


_TEXT = "a text that happens to be JSON comes back as what it says, not as the text, in MLflow"


@case(
    differs={
        "json text[1]": Difference('{"a": 1}', _TEXT),
        "json text in full[1]": Difference('"{\\"a\\": 1}"', _TEXT),
    }
)
def values(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def echo(x: Any) -> Any:
        return x

    for name, given in {
        "none": None,
        "true": True,
        "text": "text",
        "numeric text": "12",
        "json text": '{"a": 1}',
        "empty text": "",
        "float": 1.5,
        "tuple": (1, (2, 3)),
        "nested": {"a": {"b": [1, None]}},
        "unicode": "žluťoučký 🐎",
        "infinity": float("inf"),
        "large": 2**70,
        "object": int,
        "number keys": {1: 2},
    }.items():
        echo(given)
        trace = t.last()
        span = trace.data.spans[0]
        yield name, [span.inputs, span.outputs, trace.info.request_preview, trace.info.response_preview]
        yield f"{name} in full", [trace.data.request, trace.data.response]


@case()
def sampling_override(t: Toolbox) -> Facts:
    def runs(**options: Any) -> int:
        before = len(t.traces())

        @t.mlflow.trace(**options)
        def once() -> int:
            return 1

        for _ in range(5):
            assert once() == 1
        return len(t.traces()) - before

    yield "never", runs(sampling_ratio_override=0.0)
    yield "always", runs(sampling_ratio_override=1.0)
    yield "none", runs(sampling_ratio_override=None)
    yield "above one", t.outcome(lambda: runs(sampling_ratio_override=1.5))
    yield "below zero", t.outcome(lambda: runs(sampling_ratio_override=-0.1))
    yield "text", t.outcome(lambda: runs(sampling_ratio_override="x"))

    @t.mlflow.trace(sampling_ratio_override=0.0)
    def inner() -> str:
        span = t.mlflow.get_current_active_span()
        return f"{type(span).__name__} {t.mlflow.get_active_trace_id() is not None}"

    @t.mlflow.trace
    def outer() -> str:
        return inner()

    yield "inner", outer()
    yield "inner inside", t.tree(t.last())
    yield "inner alone", inner()

    @t.mlflow.trace
    def kept() -> str:
        return f"{type(t.mlflow.get_current_active_span()).__name__}"

    @t.mlflow.trace(sampling_ratio_override=0.0)
    def dropped() -> str:
        return kept()

    before = len(t.traces())
    yield "child of a dropped one", dropped()
    yield "nothing kept", len(t.traces()) - before

    @t.mlflow.trace(sampling_ratio_override=0.0)
    def stream() -> Any:
        yield 1

    yield "dropped generator", list(stream())
    yield "still nothing", len(t.traces()) - before


@case(environment={"MLFLOW_TRACE_SAMPLING_RATIO": "0"})
def sampling_by_ratio(t: Toolbox) -> Facts:
    t.mlflow.tracing.reset()

    @t.mlflow.trace
    def once() -> str:
        span = t.mlflow.get_current_active_span()
        return type(span).__name__

    yield "span", once()
    yield "traces", len(t.traces())

    @t.mlflow.trace(sampling_ratio_override=1.0)
    def always() -> int:
        return 1

    always()
    yield "override", len(t.traces())


@case()
def the_decorated_in_the_decorated(t: Toolbox) -> Facts:
    @t.mlflow.trace(name="outer")
    @t.mlflow.trace(name="inner")
    def twice(x: int) -> int:
        return x

    twice(1)
    yield "twice", t.spans(t.last())


@case()
def duplicate_names(t: Toolbox) -> Facts:
    @t.mlflow.trace
    def step(n: int) -> int:
        return n

    @t.mlflow.trace
    def all_steps() -> None:
        for n in range(3):
            step(n)

    all_steps()
    yield "names", [span.name for span in t.last().data.spans]
