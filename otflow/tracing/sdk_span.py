"""Making OpenTelemetry SDK spans at less than the SDK's own price.

`Tracer.start_span` asks a sampler, copies and checks attributes, and fills twenty fields, most of them with the same
values for every span of a tracer. Where nothing of that can matter (the default sampler, no limits in reach, attributes
that are plain values) the span is made here from the fields of one that the SDK made: the same class with the same
fields, given to the same processors. Anything out of the ordinary, a field that is not known among them, leaves the
work to the SDK.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from otflow.tracing.limits import keep_own

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Tracer

__all__ = ["SpanMaker", "announced"]

_OWN_FIELDS: Final = frozenset(
    {"_attributes", "_context", "_events", "_links", "_lock", "_name", "_parent", "_resource", "_start_time"}
)
"""What each span has for itself."""
_SHARED_FIELDS: Final = frozenset(
    {
        "_end_time",
        "_instrumentation_info",
        "_instrumentation_scope",
        "_kind",
        "_limits",
        "_record_end_metrics",
        "_record_exception",
        "_sampler",
        "_set_status_on_exception",
        "_span_processor",
        "_status",
        "_trace_config",
    }
)
"""What all spans of a tracer begin with."""
_ATTRIBUTE_FIELDS: Final = frozenset(
    {"_dict", "_extended_attributes", "_immutable", "_lock", "dropped", "max_value_len", "maxlen"}
)
_PLAIN: Final = frozenset({str, int, float, bool})
_MOST_ATTRIBUTES: Final = 32
"""More than these at the start are left to the SDK, which knows the limits."""


announced = threading.local()
"""`span_id`: the span of otflow's that the span processor was last told of, in this thread."""


class SpanMaker:
    """Starts the spans of one tracer.

    Args:
        tracer: A tracer of the SDK, or of whatever wraps it.
        join_again: Called when otflow's span processor was not told of a span: a provider that wraps another may
            exchange what is inside of it, and lose the processors that were added. What is added then still hears
            of the end of the span.
    """

    def __init__(self, tracer: Tracer, join_again: Callable[[], None]) -> None:
        self.tracer = tracer
        self._join_again = join_again
        self._quick = _is_ordinary(tracer)
        self._flags: dict[int, TraceFlags] = {}
        """Trace flags of a span by those of its parent, -1 for a root, as the SDK has set them."""
        # Of the first span, which the SDK made:
        self._shared: dict[str, Any] | None = None
        self._ids: Any = None
        self._processor: Any = None
        self._span_class: Any = None
        self._attributes_class: Any = None
        self._attributes_fields: dict[str, Any] = {}
        self._list_class: Any = None
        self._limits: Any = None

    def start(
        self, name: str, context: Context, parent: SpanContext, attributes: dict[str, Any], start_time_ns: int
    ) -> Any:
        """Start a span in `context`, whose current span is `parent`.

        Returns:
            The span; one that does not record where a sampler says no.
        """
        if self._quick and len(attributes) <= _MOST_ATTRIBUTES:
            flags = self._flags.get(parent.trace_flags if parent.trace_id else -1)
            if flags is not None:
                for value in attributes.values():
                    if type(value) not in _PLAIN:
                        break
                else:
                    return self._make(name, context, parent, attributes, start_time_ns, flags)
        announced.span_id = 0
        span: Any = self.tracer.start_span(name, context, attributes=attributes, start_time=start_time_ns)
        keep_own(span)
        if self._quick:
            self._learn(span, parent)
        elif announced.span_id == 0 and span.is_recording():
            self._join_again()
        return span

    def _make(
        self,
        name: str,
        context: Context,
        parent: SpanContext,
        attributes: dict[str, Any],
        start_time_ns: int,
        flags: TraceFlags,
    ) -> Any:
        tracer: Any = self.tracer
        ids = tracer.id_generator
        if ids is not self._ids or tracer._tracer_config.is_enabled is not True:
            return tracer.start_span(name, context, attributes=attributes, start_time=start_time_ns)
        span: Any = self._span_class.__new__(self._span_class)
        fields: dict[str, Any] = span.__dict__
        fields.update(self._shared or ())
        bounded: Any = self._attributes_class.__new__(self._attributes_class)
        bounded.__dict__.update(self._attributes_fields)
        bounded._lock = threading.Lock()
        bounded._dict = attributes.copy()
        if parent.trace_id:
            trace_id, state = parent.trace_id, parent.trace_state
            fields["_parent"] = parent
        else:
            trace_id, state = ids.generate_trace_id(), None
            fields["_parent"] = None
        fields["_context"] = SpanContext(trace_id, ids.generate_span_id(), False, flags, state)
        fields["_name"] = name
        fields["_attributes"] = bounded
        fields["_resource"] = tracer.resource
        fields["_lock"] = threading.Lock()
        fields["_events"] = self._list_class(self._limits.max_events)
        fields["_links"] = self._list_class(self._limits.max_links)
        fields["_start_time"] = start_time_ns
        self._processor.on_start(span, parent_context=context)
        return span

    def _learn(self, span: Any, parent: SpanContext) -> None:
        """Take from a span that the SDK made what the next ones need; or that it must make them all."""
        if self._shared is None and not self._study(span):
            self._quick = False
            return
        made: SpanContext = span.get_span_context()
        if made.trace_flags.sampled:
            self._flags[parent.trace_flags if parent.trace_id else -1] = made.trace_flags

    def _study(self, span: Any) -> bool:
        """Take the fields of a span of the SDK; whether they are the ones that are known here."""
        fields: dict[str, Any] = getattr(span, "__dict__", {})
        attributes: Any = fields.get("_attributes")
        inner: dict[str, Any] = getattr(attributes, "__dict__", {})
        if (
            not _OWN_FIELDS <= fields.keys() <= _OWN_FIELDS | _SHARED_FIELDS
            or not inner.keys() <= _ATTRIBUTE_FIELDS
            or type(inner.get("_dict")) is not dict
            or inner.get("max_value_len") is not None
            or (inner["maxlen"] is not None and inner["maxlen"] < _MOST_ATTRIBUTES)
        ):
            return False
        tracer: Any = self.tracer
        self._ids = tracer.id_generator
        self._limits = tracer._span_limits
        self._processor = fields["_span_processor"]
        self._span_class = type(span)
        self._attributes_class = type(attributes)
        self._attributes_fields = {**inner, "dropped": 0, "_immutable": False}
        self._list_class = type(fields["_events"])
        shared = {name: value for name, value in fields.items() if name in _SHARED_FIELDS}
        self._shared = {**shared, "_end_time": None, "_status": Status(StatusCode.UNSET)}
        return True


def _is_ordinary(tracer: Any) -> bool:
    """Whether the tracer is the SDK's own, with the sampler and the metrics that a provider has by default."""
    from opentelemetry.sdk.trace import Tracer
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON

    metrics = getattr(tracer, "_tracer_metrics", None)
    return (
        type(tracer) is Tracer
        and (tracer.sampler is DEFAULT_ON or tracer.sampler is ALWAYS_ON)
        and type(getattr(getattr(tracer, "_tracer_config", None), "is_enabled", None)) is bool
        and (metrics is None or type(metrics).__name__ == "NoOpTracerMetrics")
    )
