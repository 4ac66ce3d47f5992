"""`@otflow.trace`: a span for each call of a function, whatever kind of function it is."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import Token
from typing import Any, TypeVar, cast, overload

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otflow import clock
from otflow.entities import LiveSpan, SpanType, TraceLocationBase
from otflow.entities.policy import ContentPolicy
from otflow.entities.values import dump
from otflow.errors import InvalidParameterError
from otflow.semconv import SpanKey
from otflow.tracing import guard, provider
from otflow.tracing.current import current_span
from otflow.tracing.inputs import InputBinder
from otflow.tracing.spans import begin, detach, encoded, finish, unsampled

__all__ = ["trace"]

_F = TypeVar("_F", bound=Callable[..., Any])
Reducer = Callable[[list[Any]], Any]


@overload
def trace(func: _F) -> _F: ...
@overload
def trace(
    func: None = None,
    name: str | None = None,
    span_type: str = SpanType.UNKNOWN,
    attributes: dict[str, Any] | None = None,
    output_reducer: Reducer | None = None,
    trace_destination: TraceLocationBase | None = None,
    sampling_ratio_override: float | None = None,
) -> Callable[[_F], _F]: ...
@overload
def trace(
    func: Callable[..., Any] | None = None,
    name: str | None = None,
    span_type: str = SpanType.UNKNOWN,
    attributes: dict[str, Any] | None = None,
    output_reducer: Reducer | None = None,
    trace_destination: TraceLocationBase | None = None,
    sampling_ratio_override: float | None = None,
) -> Callable[..., Any]: ...
def trace(
    func: Callable[..., Any] | None = None,
    name: str | None = None,
    span_type: str = SpanType.UNKNOWN,
    attributes: dict[str, Any] | None = None,
    output_reducer: Reducer | None = None,
    trace_destination: TraceLocationBase | None = None,
    sampling_ratio_override: float | None = None,
) -> Callable[..., Any]:
    """Make a span of each call of a function, with its arguments as inputs and its result as outputs.

    Functions, coroutine functions, generators, async generators, methods, class and static methods and properties
    (above or below their own decorator), callables and `functools.partial` objects are decorated alike. The
    function's result and exceptions pass through untouched. A generator's span lasts from its first to its last item;
    it is current while the generator's own code runs, and not while its consumer's does.

    Args:
        func: The function to decorate. (Used with parentheses, `@trace(...)`, it is not given.)
        name: The name of the span; the function's name by default.
        span_type: One of `SpanType`, or any other name.
        attributes: Attributes to set on each span from the start.
        output_reducer: For generators: makes the span's output of the list of all items; the list itself by default.
        trace_destination: Where the trace goes instead of the active experiment; for root spans only.
        sampling_ratio_override: The share of calls to record, with all that they call, 0.0 to 1.0, instead of what
            the setting TRACE_SAMPLING_RATIO says of new traces.

    Raises:
        InvalidParameterError: `output_reducer` on a function that is no generator, or a ratio outside 0 to 1.

    Example:
        >>> import otflow
        >>> @otflow.trace(span_type="TOOL")
        ... def add(a, b=1):
        ...     return a + b
        >>> add(1)
        2
    """
    if sampling_ratio_override is not None and not 0.0 <= sampling_ratio_override <= 1.0:
        raise InvalidParameterError(
            f"sampling_ratio_override must be between 0.0 and 1.0, not {sampling_ratio_override!r}"
        )

    def decorate(function: Any) -> Any:
        if isinstance(function, (classmethod, staticmethod)):
            method = cast("Any", function)
            return type(method)(decorate(method.__func__))
        if isinstance(function, property):
            return function.getter(decorate(function.fget))
        plan = _Plan(function, name, span_type, attributes, output_reducer, trace_destination, sampling_ratio_override)
        return plan.wrap()

    return decorate(func) if func is not None else decorate


class _Plan:
    """All that can be known of a traced function before it is called."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None,
        span_type: str,
        attributes: dict[str, Any] | None,
        reducer: Reducer | None,
        destination: TraceLocationBase | None,
        sampling_ratio: float | None,
    ) -> None:
        if not callable(function):
            raise InvalidParameterError(f"only callables can be traced, not {type(function).__name__}: {function!r}")
        self.function = function
        own_name = _name_of(function)
        self.name = str(name or own_name)
        self.reducer = reducer
        self.destination = destination
        self.sampling_ratio = sampling_ratio
        self.bind = InputBinder(function)
        self.given = (span_type, attributes, own_name)
        self.attributes = _attributes(*self.given, policy=None)

    def wrap(self) -> Callable[..., Any]:
        code = _code_of(self.function)
        if getattr(getattr(code, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE:
            return _wrap_coroutine(self)  # a generator that `types.coroutine` has made one to be awaited
        if inspect.isgeneratorfunction(code):
            return _TracedGenerator(self, _drive)
        if inspect.isasyncgenfunction(code):
            return _TracedGenerator(self, _drive_async)
        if self.reducer is not None:
            raise InvalidParameterError(f"output_reducer is for generators; {self.name!r} is not a generator function")
        if inspect.iscoroutinefunction(code):
            return _wrap_coroutine(self)
        return _wrap_function(self)

    def inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """The inputs of a call as JSON text; None where they cannot be told. Never raises."""
        try:
            inputs = self.bind(args, kwargs)
            return dump(inputs) if LiveSpan.policy is None else LiveSpan.policy.attribute(SpanKey.INPUTS, inputs)
        except Exception as error:
            guard.swallow("record the inputs of a call", error)
            return None

    def begin(self, parent: Context, inputs: str | None) -> tuple[LiveSpan | None, Context]:
        """Start the span of a call; None where nothing is recorded, and the context below. Never raises."""
        try:
            attributes = (
                self.attributes if LiveSpan.policy is None else _attributes(*self.given, policy=LiveSpan.policy)
            )
            if inputs is not None:
                attributes = {**attributes, SpanKey.INPUTS: inputs}
            return begin(
                self.name,
                attributes,
                parent,
                destination=self.destination,
                sampling_ratio=self.sampling_ratio,
            )
        except Exception as error:
            guard.swallow("start a span", error)
            return None, unsampled(parent)


def _attributes(
    span_type: str, attributes: dict[str, Any] | None, function_name: str, *, policy: ContentPolicy | None
) -> dict[str, Any]:
    return {**encoded(span_type, attributes, policy), SpanKey.FUNCTION_NAME: dump(function_name)}


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = cast("Any", function).func
    return getattr(function, "__name__", None) or type(function).__name__


def _code_of(function: Any) -> Any:
    """What decides which kind of function a callable is."""
    while isinstance(function, functools.partial):
        function = cast("Any", function).func
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return cast("Any", type(function)).__call__


def _outputs(live: LiveSpan, result: Any) -> None:
    try:
        if LiveSpan.policy is None:
            live.otel_span.set_attribute(SpanKey.OUTPUTS, dump(result))
        else:
            live.set_outputs(result)
    except Exception as error:
        guard.swallow("record the outputs of a call", error)


class _Call:
    """The span of one call that runs from beginning to end in one go."""

    __slots__ = ("live", "previous", "token")

    def __init__(self, plan: _Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.previous = otel_context.get_current()
        self.live, below = plan.begin(self.previous, plan.inputs(args, kwargs))
        self.token: Token[Context] = otel_context.attach(below)

    def end(self, result: Any, error: BaseException | None) -> None:
        live = self.live
        try:
            if live is not None:
                if error is None:
                    _outputs(live, result)
                finish(live, error)
        finally:  # Ctrl-C may come in between
            detach(self.token, self.previous, live)


def _wrap_function(plan: _Plan) -> Callable[..., Any]:
    function = plan.function

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        if not provider.is_enabled():
            return function(*args, **kwargs)
        call = _Call(plan, args, kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.end(None, error)
            raise
        call.end(result, None)
        return result

    return traced


def _wrap_coroutine(plan: _Plan) -> Callable[..., Any]:
    function = plan.function

    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        if not provider.is_enabled():
            return await function(*args, **kwargs)
        call = _Call(plan, args, kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            call.end(None, error)
            raise
        call.end(result, None)
        return result

    return traced


class _TracedGenerator(functools.partial):  # pyright: ignore[reportMissingTypeArgument]
    """A traced generator function.

    Calling it notes the caller's context and the arguments, which an ordinary wrapper (itself a generator function)
    could do only at the first item: perhaps in another task, long after. As a `functools.partial` of the function
    it is still one to `inspect.isgeneratorfunction`, `inspect.signature` and frameworks that ask them.
    """

    __slots__ = ()

    def __new__(cls, plan: _Plan, drive: Callable[..., Any]) -> _TracedGenerator:
        self: Any = super().__new__(cls, plan.function)
        functools.update_wrapper(self, plan.function)
        self._plan = plan
        self._drive = drive
        return self

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        this: Any = self
        if not provider.is_enabled():
            return this.func(*args, **kwargs)
        plan: _Plan = this._plan
        items = this._drive(plan, args, kwargs, plan.inputs(args, kwargs), otel_context.get_current())
        items.__name__ = plan.name
        return items

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        this: Any = self
        return this.__qualname__  # by reference, as functions are pickled


class _Steps:
    """The span of a generator: current while the generator's own code runs, step by step."""

    __slots__ = ("context", "held", "items", "live", "plan", "previous", "token")

    def __init__(self, plan: _Plan, inputs: str | None, called_in: Context) -> None:
        self.plan = plan
        self.items: list[Any] = []
        self.held: list[tuple[int, int]] = []
        """Items that are not recorded yet, with their times: what must not be kept of one may go on in the next."""
        here = otel_context.get_current()
        parent = called_in if current_span(called_in).get_span_context().is_valid else here
        self.live, self.context = plan.begin(parent, inputs)
        self.previous = here
        self.token: Token[Context] | None = None

    def resume(self) -> None:
        """Enter the generator: what it had made current when it last yielded is current again."""
        self.previous = otel_context.get_current()
        self.token = otel_context.attach(self.context)

    def pause(self) -> None:
        """Leave the generator: what is current for its consumer is current again."""
        self.context = otel_context.get_current()
        if self.token is not None:
            detach(self.token, self.previous, self.live)
            self.token = None

    def item(self, value: Any) -> None:
        live = self.live
        if live is None:
            return
        policy = LiveSpan.policy
        if policy is not None and policy.looks_into_texts:
            self.held.append((len(self.items), clock.now_ns()))
        else:
            self._record(live, len(self.items), value, clock.now_ns())
        self.items.append(value)

    def _record(self, live: LiveSpan, index: int, value: Any, time_ns: int) -> None:
        try:
            policy = LiveSpan.policy
            kept = dump(value) if policy is None else policy.attribute(SpanKey.CHUNK_VALUE, value)
            live.otel_span.add_event(
                SpanKey.CHUNK_EVENT.format(index=index), {} if kept is None else {SpanKey.CHUNK_VALUE: kept}, time_ns
            )
        except Exception as error:
            guard.swallow("record an item of a generator", error)

    def _record_held(self, live: LiveSpan) -> None:
        policy = LiveSpan.policy
        kept = self.items if policy is None else policy.stream(self.items)
        for index, time_ns in self.held:
            self._record(live, index, kept[index] if len(kept) == len(self.items) else kept[0], time_ns)

    def end(self, error: BaseException | None) -> None:
        live = self.live
        if live is None:
            return
        if self.held:
            self._record_held(live)
        if error is None or isinstance(error, GeneratorExit):
            self._reduce(live)
        finish(live, error)

    def _reduce(self, live: LiveSpan) -> None:
        policy = LiveSpan.policy
        outputs: Any = self.items if policy is None else policy.stream(self.items)
        if self.plan.reducer is not None:
            try:
                outputs = self.plan.reducer(self.items)
            except Exception as error:
                guard.swallow(f"reduce the items of {self.plan.name!r} by its output_reducer", error)
        _outputs(live, outputs)


def _drive(
    plan: _Plan, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: str | None, called_in: Context
) -> Generator[Any, Any, Any]:
    steps = _Steps(plan, inputs, called_in)
    source: Any = None
    sent: Any = None
    thrown: BaseException | None = None
    try:
        while True:
            steps.resume()
            try:
                if source is None:
                    source = plan.function(*args, **kwargs)
                if thrown is not None:
                    error, thrown = thrown, None
                    value = source.throw(error)
                else:
                    value = source.send(sent)
            except StopIteration as stop:
                result = stop.value
                break
            finally:
                steps.pause()
            steps.item(value)
            try:
                sent = yield value
            except GeneratorExit:
                steps.resume()
                try:
                    source.close()
                finally:
                    steps.pause()
                raise
            except BaseException as error:
                thrown, sent = error, None
    except BaseException as error:
        steps.end(error)
        raise
    steps.end(None)
    return result


async def _drive_async(
    plan: _Plan, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: str | None, called_in: Context
) -> AsyncGenerator[Any, Any]:
    steps = _Steps(plan, inputs, called_in)
    source: Any = None
    sent: Any = None
    thrown: BaseException | None = None
    try:
        while True:
            steps.resume()
            try:
                if source is None:
                    source = plan.function(*args, **kwargs)
                if thrown is not None:
                    error, thrown = thrown, None
                    value = await source.athrow(error)
                else:
                    value = await source.asend(sent)
            except StopAsyncIteration:
                break
            finally:
                steps.pause()
            steps.item(value)
            try:
                sent = yield value
            except GeneratorExit:
                steps.resume()
                try:
                    await source.aclose()
                finally:
                    steps.pause()
                raise
            except BaseException as error:
                thrown, sent = error, None
    except BaseException as error:
        steps.end(error)
        raise
    steps.end(None)
