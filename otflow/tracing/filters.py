"""Which spans of other instrumentation enter the store.

All that is made in the application's provider passes otflow's span processor. By default what starts below a span of
otflow's is part of the trace and is stored; everything else is the application's own business and is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from otflow import config
from otflow.errors import InvalidParameterError
from otflow.tracing import guard

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["SpanFilter", "admit_scopes", "admits", "set_span_filter"]

SpanFilter = Callable[["ReadableSpan"], bool]

_NAMED = ("below", "genai", "all", "none")
_GENAI_KEYS = (
    "gen_ai.", "openinference.", "llm.", "traceloop.", "langfuse.", "ai.operationId", "ai.model.",
)  # fmt: skip
"""How the attributes begin by which spans of GenAI instrumentation are known when they start."""
_GENAI_SCOPES = (
    "openinference.instrumentation", "pydantic-ai", "pydantic_ai", "langfuse", "ai",
    *(
        f"opentelemetry.instrumentation.{library}"
        for library in (
            "openai", "anthropic", "bedrock", "cohere", "crewai", "google_genai", "google_generativeai", "groq",
            "haystack", "langchain", "llamaindex", "mistralai", "ollama", "replicate", "together", "transformers",
            "vertexai", "watsonx", "writer",
        )
    ),
)  # fmt: skip
"""Instrumentation scopes of GenAI instrumentation, by the beginning of their dotted name."""

_filter: SpanFilter | str | None = None
_admitted: tuple[str, ...] = ()


def set_span_filter(span_filter: SpanFilter | Literal["below", "genai", "all", "none"] | None) -> None:
    """Say which spans of other instrumentation enter the store.

    - `"below"`: those that start below a span that enters the store; the default.
    - `"genai"`: those, and the ones of GenAI instrumentation wherever they start; with what starts below them.
    - `"all"`: every span of the provider.
    - `"none"`: none but otflow's own.
    - a function: it is called with each such span when it starts (name, instrumentation scope, parent and the
      attributes it starts with are there), and answers whether it enters. One that raises answers no.

    Where a span in the middle of a trace stays outside, those below it hang on the one above it.

    Args:
        span_filter: The filter; None for what the setting FOREIGN_SPANS says.

    Raises:
        InvalidParameterError: neither a function nor one of the words.

    Example:
        >>> import otflow
        >>> otflow.tracing.set_span_filter(lambda span: span.instrumentation_scope.name.startswith("my_agents"))
        >>> otflow.tracing.set_span_filter(None)
    """
    global _filter
    if span_filter is not None and not callable(span_filter) and span_filter not in _NAMED:
        raise InvalidParameterError(
            f"a span filter is a function of a span or one of {', '.join(map(repr, _NAMED))}, not {span_filter!r}"
        )
    _filter = span_filter
    from otflow.tracing import provider

    provider.join()  # where no span of otflow's has been made yet, nothing passes its span processor


def admit_scopes(scopes: Iterable[str]) -> None:
    """Let the spans of these instrumentation scopes (by the beginning of their name) enter wherever they start."""
    global _admitted
    _admitted = tuple(dict.fromkeys((*_admitted, *scopes)))


def dismiss_scopes(scopes: Iterable[str]) -> None:
    """Undo `admit_scopes`."""
    global _admitted
    gone = set(scopes)
    _admitted = tuple(scope for scope in _admitted if scope not in gone)


def admits(span: ReadableSpan, below: bool) -> bool:
    """Whether a span of other instrumentation enters the store.

    Args:
        span: The span, which has just started.
        below: Whether its parent has entered.
    """
    wanted = _filter if _filter is not None else guard.setting(config.FOREIGN_SPANS)
    if not isinstance(wanted, str):
        try:
            return bool(wanted(span))
        except Exception as error:
            guard.swallow("ask the span filter", error)
            return False
    wanted = wanted.lower()
    if wanted == "none":
        return False
    if below or wanted == "all":
        return True
    return _is_of(span, _admitted) or (wanted == "genai" and is_genai(span))


def is_genai(span: ReadableSpan) -> bool:
    """Whether a span is of GenAI instrumentation, by its instrumentation scope and the attributes that it has."""
    if _is_of(span, _GENAI_SCOPES):
        return True
    attributes: Any = span.attributes or ()
    return any(key.startswith(_GENAI_KEYS) for key in attributes)


def _is_of(span: ReadableSpan, scopes: tuple[str, ...]) -> bool:
    scope = span.instrumentation_scope
    if scope is None or not scopes:
        return False
    name = scope.name
    return any(name == known or name.startswith((f"{known}.", f"{known}_")) for known in scopes)


def reset() -> None:
    """Forget the filter and what was admitted."""
    global _filter, _admitted
    _filter, _admitted = None, ()
