"""Which tracer provider otflow's spans are made in, whether they are made, and where they go.

otflow joins the tracer provider of the application: the one that is registered with OpenTelemetry, now or later, gets
otflow's span processor added, once. Where none is registered, an SDK provider is made and registered that gives way to
one registered later (`deferring.py`), so that other instrumentation lands in the same traces. One that is handed over
goes before both. With USE_DEFAULT_TRACER_PROVIDER set, a private provider is used, and its spans are current for otflow
only (`current.py`).
"""

from __future__ import annotations

import os
import random
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as trace_api

from otflow import config, context, otel_variables
from otflow.entities import LiveSpan, TraceLocationBase
from otflow.errors import InvalidParameterError
from otflow.tracing import filters, guard, logs, privacy
from otflow.tracing.current import keep_apart
from otflow.tracing.limits import sampler, span_limits

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from otflow.tracing.deferring import DeferringTracerProvider
    from otflow.tracing.processor import OtflowSpanProcessor
    from otflow.tracing.sdk_span import SpanMaker

__all__ = [
    "TracingConfig",
    "TracingConfigContext",
    "configure",
    "disable",
    "enable",
    "is_enabled",
    "is_sampled",
    "join",
    "maker",
    "reset",
    "set_destination",
    "set_tracer_provider",
    "tracer_provider",
]


class _State:
    def __init__(self) -> None:
        self.enabled: bool | None = None
        """Set by `enable` and `disable`; None where neither was called."""
        self.given: Any = None
        """The provider that was handed over."""
        self.registered: Any = None
        """What was registered with OpenTelemetry when `maker` was made."""
        self.maker: SpanMaker | None = None
        self.private: TracerProvider | None = None
        self.own: DeferringTracerProvider | None = None


_state = _State()
_lock = threading.Lock()
_joined: list[Callable[[], Any]] = []
"""Providers that have otflow's processor. (A list: Logfire's cannot be hashed.)"""
_processor: OtflowSpanProcessor | None = None


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


# -- the provider ----------------------------------------------------------------------------------


def maker() -> SpanMaker:
    """What otflow's spans are made with now."""
    found = _state.maker
    if found is not None and trace_api.get_tracer_provider() is _state.registered:
        return found
    with _lock:
        return _join()


def set_tracer_provider(provider: TracerProvider | None) -> None:
    """Make otflow's spans in a provider that is handed over, instead of the one registered with OpenTelemetry.

    Args:
        provider: A tracer provider that takes span processors; None for the registered one again.

    Raises:
        InvalidParameterError: not such a provider.

    Example:
        >>> import otflow
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> otflow.tracing.set_tracer_provider(TracerProvider())
        >>> otflow.tracing.set_tracer_provider(None)
    """
    if provider is not None and not _takes_processors(provider):
        raise InvalidParameterError(
            "a tracer provider must have the methods get_tracer and add_span_processor, as that of the OpenTelemetry "
            f"SDK has; {type(provider).__name__} has not"
        )
    with _lock:
        _state.given = provider
        _state.maker = None


def join() -> None:
    """Join the provider now, instead of with the first span. Never raises."""
    try:
        maker()
    except Exception as error:
        guard.swallow("join the tracer provider", error)


def tracer_provider() -> TracerProvider:
    """The tracer provider that otflow's spans are made in now, for instrumentation that is to use the same."""
    maker()
    found: Any = _state.given or _state.private or trace_api.get_tracer_provider()
    return found


def _join() -> SpanMaker:
    """Find or make the provider, and add the processor to it."""
    global _processor
    from otflow import __version__

    with otel_variables.importing_the_sdk():
        from otflow.tracing.deferring import DeferringTracerProvider, register
    from otflow.tracing.opening import SCOPE
    from otflow.tracing.processor import OtflowSpanProcessor
    from otflow.tracing.sdk_span import SpanMaker

    processor = _processor = _processor or OtflowSpanProcessor()
    LiveSpan.end_failed = processor.end_failed
    provider: Any = _state.given
    registered: Any = trace_api.get_tracer_provider()
    _state.private = None
    if provider is None and guard.setting(config.USE_DEFAULT_TRACER_PROVIDER):
        provider = _private_provider()
    if provider is None:
        if isinstance(registered, trace_api.ProxyTracerProvider):
            _state.own = _state.own or DeferringTracerProvider(processor, join)
            register(_state.own)
            registered = trace_api.get_tracer_provider()
        elif _state.own is not None and registered is not _state.own:
            _state.own.hand_over(registered)
        # A provider that takes no processors (the no-op one, or some vendor's): keep out of its way.
        provider = registered if _takes_processors(registered) else _private_provider()
    if not isinstance(provider, DeferringTracerProvider) and not any(known() is provider for known in _joined):
        provider.add_span_processor(_processor)
        _joined[:] = [*(known for known in _joined if known() is not None), _reference(provider)]
    keep_apart(_state.private is not None)
    logs.join(private=_state.private is not None)
    get_tracer = provider.own_tracer if isinstance(provider, DeferringTracerProvider) else provider.get_tracer
    _state.registered = registered
    _state.maker = SpanMaker(get_tracer(SCOPE, __version__), lambda: provider.add_span_processor(processor))
    return _state.maker


def _reference(provider: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(provider)
    except TypeError:  # of a class with __slots__
        return lambda: provider


_kept_private: list[TracerProvider] = []


def _private_provider() -> TracerProvider:
    from opentelemetry.sdk.trace import TracerProvider

    if not _kept_private:
        _kept_private.append(TracerProvider(sampler(), shutdown_on_exit=False, span_limits=span_limits()))
    _state.private = _kept_private[0]
    return _state.private


def _takes_processors(provider: Any) -> bool:
    return callable(getattr(provider, "get_tracer", None)) and callable(getattr(provider, "add_span_processor", None))


# -- on and off --------------------------------------------------------------------------------------


def enable() -> None:
    """Switch tracing on again after `disable`."""
    _state.enabled = True


def disable() -> None:
    """Switch tracing off: traced functions just run, and spans are `NoOpSpan`s."""
    _state.enabled = False


def is_enabled() -> bool:
    """Whether tracing is on: as last switched, else as the setting TRACING_ENABLED says."""
    enabled = _state.enabled
    if enabled is None:
        enabled = _state.enabled = guard.setting(config.TRACING_ENABLED)
    return enabled


def is_sampled(ratio: float | None = None) -> bool:
    """Draw whether a new trace is recorded.

    Args:
        ratio: The share of traces to record, 0 to 1; the setting TRACE_SAMPLING_RATIO by default.
    """
    if ratio is None:
        ratio = guard.setting(config.TRACE_SAMPLING_RATIO)
    return ratio >= 1.0 or random.random() < ratio


# -- configuration -----------------------------------------------------------------------------------


class TracingConfig:
    """What `configure` sets.

    Attributes:
        span_processors: Functions that are called with each span of otflow's making just before it ends.
    """

    def __init__(self, span_processors: Sequence[Callable[[LiveSpan], None]] = ()) -> None:
        self.span_processors = list(span_processors)

    def __repr__(self) -> str:
        return f"TracingConfig(span_processors={self.span_processors!r})"


class TracingConfigContext:
    """What `configure` returns: in a `with` statement, the configuration before is restored at the end."""

    def __init__(self, previous: tuple[Callable[[LiveSpan], None], ...]) -> None:
        self._previous = previous

    def __enter__(self) -> TracingConfig:
        return TracingConfig(LiveSpan.before_end)

    def __exit__(self, *exc_info: object) -> None:
        LiveSpan.before_end = self._previous


def configure(span_processors: list[Callable[[LiveSpan], None]] | None = None) -> TracingConfigContext:
    """Configure tracing, for good or for the length of a `with` statement.

    Args:
        span_processors: Functions that are called with each span of otflow's making just before it ends, in
            order; they may change its inputs, outputs and attributes, say to mask what must not be kept. What a
            processor raises is logged, and the span goes on without its content. An empty list removes all; None
            changes nothing.

    Returns:
        A context manager that restores the configuration before.

    Raises:
        InvalidParameterError: a processor cannot be called with one argument, or is asynchronous.
    """
    context_manager = TracingConfigContext(LiveSpan.before_end)
    if span_processors is not None:
        for processor in span_processors:
            _check_processor(processor)
        LiveSpan.before_end = tuple(span_processors)
    return context_manager


def _check_processor(processor: Any) -> None:
    import inspect

    if inspect.iscoroutinefunction(processor) or inspect.iscoroutinefunction(getattr(processor, "__call__", None)):  # noqa: B004
        raise InvalidParameterError(f"a span processor cannot be asynchronous: nobody would await {processor!r}")
    if not callable(processor):
        raise InvalidParameterError(
            f"a span processor must be callable with one argument, a span: {processor!r} is not"
        )
    try:
        inspect.signature(processor).bind(None)
    except TypeError:
        raise InvalidParameterError(
            f"a span processor must be callable with one argument, a span: {processor!r} is not"
        ) from None
    except ValueError:
        return  # a builtin without a signature: it will show


def set_destination(destination: TraceLocationBase, *, context_local: bool = False) -> None:
    """Send the traces that start from now on to a place of their own instead of the active experiment.

    Args:
        destination: An `MlflowExperimentLocation`.
        context_local: Only for this flow of control (thread, task) and what it starts.

    Raises:
        InvalidParameterError: not a location.

    Example:
        >>> import otflow
        >>> from otflow.entities import MlflowExperimentLocation
        >>> otflow.tracing.set_destination(MlflowExperimentLocation("0"))
    """
    if not isinstance(destination, TraceLocationBase):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(
            f"a destination is a trace location such as MlflowExperimentLocation, not {type(destination).__name__}"
        )
    context.set_destination(destination, context_local=context_local)


def reset() -> None:
    """Forget what was switched and configured: tracing is on, without span processors or destination.

    Failures that were logged once are logged again when they are met again.
    """
    guard.reset()
    _state.enabled = None
    LiveSpan.before_end = ()
    privacy.reset()
    context.set_destination(None)
    context.set_destination(None, context_local=True)
    filters.reset()
    with _lock:
        _state.maker = None
        _state.given = None
