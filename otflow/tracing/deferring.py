"""The tracer provider that otflow registers where the application has none, or has none yet.

OpenTelemetry lets a provider be set once. So that an application which sets its own after otflow's first span is not
refused, this one is put in place without using up that once, and gives way: from then on its tracers make their
spans in the application's provider, and the span processors that others added to it come along.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from opentelemetry import trace as trace_api
from opentelemetry.sdk.trace import Tracer, TracerProvider

from otflow.tracing.limits import sampler, span_limits

__all__ = ["DeferringTracerProvider", "register"]


class DeferringTracerProvider(TracerProvider):
    """An SDK provider that gives way to one that is registered after it.

    Args:
        own_processor: The span processor of otflow's, which does not come along: it is added to each provider anew.
        handed_over: Called when this provider has given way.
    """

    def __init__(self, own_processor: Any, handed_over: Callable[[], None]) -> None:
        super().__init__(span_limits=span_limits(), sampler=sampler())
        self._own_processor = own_processor
        self._notify = handed_over
        self._handed_over = False
        self._handing_over = threading.Lock()
        self.add_span_processor(own_processor)

    def successor(self) -> Any:
        """The provider that is registered instead of this one; None while it is this one."""
        current = trace_api.get_tracer_provider()
        if current is self or isinstance(current, trace_api.ProxyTracerProvider):
            return None
        if not self._handed_over:
            self.hand_over(current)
            self._notify()
        return current

    def hand_over(self, successor: Any) -> None:
        """Add to `successor` the span processors that others have added to this provider. Does so once."""
        with self._handing_over:
            if self._handed_over:
                return
            self._handed_over = True
            add = getattr(successor, "add_span_processor", None)
            if add is None:
                return
            for processor in getattr(self._active_span_processor, "_span_processors", ()):
                if processor is not self._own_processor:
                    add(processor)

    def own_tracer(self, name: str, version: str) -> Tracer:
        """A tracer that makes its spans in this provider, whatever is registered."""
        found: Any = super().get_tracer(name, version)
        return found

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> trace_api.Tracer:
        arguments = (instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        successor = self.successor()
        if successor is not None:
            return successor.get_tracer(*arguments)
        tracer = super().get_tracer(*arguments)
        if type(tracer) is Tracer:
            # In place, since the provider keeps tracers up to date (their resource, after a fork) that it made.
            tracer.__class__ = _DeferringTracer
            tracer.provider, tracer.arguments = self, arguments  # pyright: ignore[reportAttributeAccessIssue]
        return tracer


class _DeferringTracer(Tracer):
    """A tracer of a `DeferringTracerProvider`; libraries keep theirs for as long as they live."""

    provider: DeferringTracerProvider
    arguments: tuple[Any, ...]
    _heir: tuple[Any, Any] = (None, None)
    """The provider that is registered instead, and the tracer that it gave."""

    def start_span(self, *args: Any, **kwargs: Any) -> trace_api.Span:
        successor = self.provider.successor()
        if successor is None:
            return super().start_span(*args, **kwargs)
        if self._heir[0] is not successor:
            self._heir = (successor, successor.get_tracer(*self.arguments))
        return self._heir[1].start_span(*args, **kwargs)


def register(provider: DeferringTracerProvider) -> None:
    """Make `provider` the registered one, unless there is one by now; the application may still set its own."""
    module: Any = trace_api
    if getattr(module, "_TRACER_PROVIDER", module) is None:
        module._TRACER_PROVIDER = provider
    else:  # another thread was quicker, or an OpenTelemetry API that keeps its provider elsewhere
        trace_api.set_tracer_provider(provider)
