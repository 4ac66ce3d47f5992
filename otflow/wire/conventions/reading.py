"""Foreign conventions → `mlflow.*`: what spans of other instrumentation say, said as otflow's own spans say it.

What is found is added where nothing is; nothing is replaced or taken away. Several conventions may be on one span, as
may several generations of one: each thing is taken from the first convention, in the order of `CONVENTIONS`, that says
it. What is malformed is not read: it stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otflow.entities import Span, SpanType
from otflow.entities.values import decode_attribute, dump
from otflow.semconv import CostKey, Kept, OTel, SpanKey, TokenUsageKey
from otflow.wire.conventions.convention import Convention, Happening, Source
from otflow.wire.conventions.genai import GENAI
from otflow.wire.conventions.langfuse import LANGFUSE
from otflow.wire.conventions.logfire import LOGFIRE
from otflow.wire.conventions.openinference import OPENINFERENCE
from otflow.wire.conventions.openllmetry import OPENLLMETRY
from otflow.wire.conventions.pydantic_ai import PYDANTIC_AI
from otflow.wire.conventions.values import Dict, as_dict, as_list, is_dict, json_value, number
from otflow.wire.conventions.vercel import VERCEL

__all__ = ["CONVENTIONS", "additions", "keep", "read"]

_logger = logging.getLogger("otflow")

CONVENTIONS: Final[tuple[Convention, ...]] = (
    GENAI,
    OPENINFERENCE,
    LANGFUSE,
    OPENLLMETRY,
    PYDANTIC_AI,
    VERCEL,
    LOGFIRE,
)
"""The conventions that are read; what an earlier one says has precedence."""

_NAMESPACES: Final = frozenset({"otflow"}.union(*(convention.namespaces for convention in CONVENTIONS)))
_EVENTS: Final = "gen_ai."
"""What the names of events begin with that are read."""

_USAGE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    TokenUsageKey.INPUT: ("input_tokens", "prompt_tokens", "input", "inputTokens", "promptTokens"),
    TokenUsageKey.OUTPUT: ("output_tokens", "completion_tokens", "output", "outputTokens", "completionTokens"),
    TokenUsageKey.TOTAL: ("total_tokens", "total", "totalTokens"),
    TokenUsageKey.CACHE_READ: ("cache_read_input_tokens", "input_cached_tokens", "input_cache_read", "cached_tokens"),
    TokenUsageKey.CACHE_CREATION: ("cache_creation_input_tokens", "input_cache_creation", "cache_write_tokens"),
    TokenUsageKey.REASONING: (
        "reasoning_output_tokens",
        "output_reasoning_tokens",
        "reasoning_tokens",
        "output_reasoning",
    ),
}
"""Names of token counts inside of what a model's API, or an SDK, calls usage."""
_USAGE_DETAILS: Final = (
    "prompt_tokens_details",
    "input_tokens_details",
    "completion_tokens_details",
    "output_tokens_details",
)
_COST_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    CostKey.INPUT: (CostKey.INPUT, "input", "prompt"),
    CostKey.OUTPUT: (CostKey.OUTPUT, "output", "completion"),
    CostKey.TOTAL: (CostKey.TOTAL, "total"),
}


def read(span: Span) -> Span:
    """The span with what its foreign attributes and events say added as `mlflow.*`; itself where they say nothing.

    Args:
        span: Any span; one of otflow's own costs next to nothing.
    """
    attributes = span.raw_attributes
    found = additions(attributes, span.events)
    return span.with_attributes({**attributes, **found}) if found else span


def additions(attributes: Mapping[str, Any], events: Sequence[Happening] = ()) -> dict[str, Any]:
    """The attributes that `read` adds.

    Args:
        attributes: A span's, as OpenTelemetry holds them.
        events: The span's events.
    """
    namespaces = _namespaces(attributes)
    if events and any(event.name.startswith(_EVENTS) for event in events):
        namespaces.add("gen_ai")
    if not namespaces:
        return {}
    conventions = [convention for convention in CONVENTIONS if not namespaces.isdisjoint(convention.namespaces)]
    return _Reading(Source(attributes, events), conventions, "otflow" in namespaces).found()


def _namespaces(attributes: Mapping[str, Any]) -> set[str]:
    """Which namespaces of foreign conventions attributes are in."""
    found: set[str] = set()
    for key in attributes:
        if key[:7] != "mlflow.":
            namespace = key.partition(".")[0]
            if namespace in _NAMESPACES:
                found.add(namespace)
    return found


def keep(value: object) -> str:
    """The text of an attribute under `otflow.semconv.Kept`: an object, which on no way is taken for something else."""
    return dump({"value": value})


def _given_back(source: Source, key: str) -> Any:
    return as_dict(source.data(key)).get("value")


class _Reading:
    """The reading of one span."""

    def __init__(self, source: Source, conventions: list[Convention], kept: bool) -> None:
        self._source = source
        self._conventions = conventions
        self._kept = kept
        self._added: dict[str, Any] = {}

    def found(self) -> dict[str, Any]:
        source, attributes = self._source, self._source.attributes
        known = attributes.get(SpanKey.TYPE)
        kind = decode_attribute(known) if known is not None else self._first(Kept.TYPE, self._type)
        source.span_type = kind if isinstance(kind, str) else None
        self._add(SpanKey.TYPE, kind)
        self._add(SpanKey.INPUTS, self._whole(SpanKey.INPUTS, Kept.INPUTS, Kept.INPUTS_REST, "inputs"))
        self._add(SpanKey.OUTPUTS, self._whole(SpanKey.OUTPUTS, Kept.OUTPUTS, Kept.OUTPUTS_REST, "outputs"))
        for key, kept, find in (
            (SpanKey.LLM_MODEL, Kept.MODEL, self._model),
            (SpanKey.LLM_PROVIDER, Kept.PROVIDER, lambda: self._text("providers")),
            (SpanKey.CHAT_USAGE, Kept.USAGE, self._usage),
            (SpanKey.LLM_COST, Kept.COST, self._cost),
            (SpanKey.CHAT_TOOLS, Kept.TOOLS, lambda: self._said("tools")),
            (SpanKey.LINKED_PROMPTS, None, lambda: self._said("prompts")),
        ):
            if key not in attributes:
                self._add(key, self._first(kept, find))
        self._add(SpanKey.MESSAGE_FORMAT, self._format())
        for key, keys in ((OTel.SESSION_ID, "sessions"), (OTel.USER_ID, "users")):
            if key not in attributes and (said := self._text(keys)):
                self._added[key] = said
        return self._added

    def _add(self, key: str, value: Any) -> None:
        if value is not None and key not in self._source.attributes:
            self._added[key] = dump(value)

    # -- asking the conventions ------------------------------------------------------------------------

    def _first(self, kept: str | None, find: Callable[[], Any]) -> Any:
        """What was kept for the way back, else what the conventions say."""
        if self._kept and kept is not None and kept in self._source.attributes:
            return _given_back(self._source, kept)
        return find()

    def _whole(self, key: str, kept: str, rest: str, name: str) -> Any:
        """Inputs or outputs; a part of them may have been kept for the way back."""
        if key in self._source.attributes:
            return None
        said = self._first(kept, lambda: self._said(name))
        if self._kept and rest in self._source.attributes and is_dict(said):
            return {**said, **as_dict(_given_back(self._source, rest))}
        return said

    def _said(self, name: str) -> Any:
        """What the first convention says that says anything."""
        for convention in self._conventions:
            reader = getattr(convention, name)
            if reader is None:
                continue
            try:
                found = reader(self._source)
            except Exception as error:  # content of a form that nobody thought of
                _logger.debug("The %s of a span could not be read by %s: %r", name, convention.name, error)
                continue
            if found is not None:
                return found
        return None

    def _text(self, keys: str) -> str | None:
        for convention in self._conventions:
            if found := self._source.text(*getattr(convention, keys)):
                return found
        return None

    def _model(self) -> str | None:
        found = self._text("models") or self._said("model_of")
        return found if isinstance(found, str) else None

    def _type(self) -> str | None:
        """The type that is named; what is named UNKNOWN only where nothing else is to be known."""
        unknown = None
        for convention in self._conventions:
            for key, types in convention.types:
                found = types.get((self._source.text(key) or "").lower())
                if found is not None and found != SpanType.UNKNOWN:
                    return found
                unknown = unknown or found
        return self._said("implied_type") or unknown

    def _usage(self) -> Dict | None:
        found = self._numbers("usage")
        inner = as_dict(self._said("usage_of"))
        for detail in (as_dict(inner.get(name)) for name in _USAGE_DETAILS):
            inner = {**detail, **inner}
        for key, value in _named(inner, _USAGE_NAMES).items():
            found.setdefault(key, value)
        if not found.keys() & {TokenUsageKey.INPUT, TokenUsageKey.OUTPUT, TokenUsageKey.TOTAL}:
            return None
        if found.keys() & {TokenUsageKey.INPUT, TokenUsageKey.OUTPUT}:
            read_tokens = found.setdefault(TokenUsageKey.INPUT, 0)
            found.setdefault(TokenUsageKey.TOTAL, read_tokens + found.setdefault(TokenUsageKey.OUTPUT, 0))
        order = (TokenUsageKey.INPUT, TokenUsageKey.OUTPUT, TokenUsageKey.TOTAL)
        rest = (TokenUsageKey.CACHE_READ, TokenUsageKey.CACHE_CREATION, TokenUsageKey.REASONING)
        # None cached and none used for reasoning is what there is to say of most calls.
        return {
            **{key: found[key] for key in order if key in found},
            **{key: found[key] for key in rest if found.get(key)},
        }

    def _cost(self) -> Dict | None:
        found = self._numbers("cost")
        for key, value in _named(as_dict(self._said("cost_of")), _COST_NAMES).items():
            found.setdefault(key, value)
        if not found:
            return None
        if CostKey.TOTAL not in found:
            found[CostKey.TOTAL] = sum(found.values())
        return {key: float(found[key]) for key in _COST_NAMES if key in found}

    def _numbers(self, table: str) -> Dict:
        """The numbers of a table, each from the first convention that has it."""
        found: Dict = {}
        for convention in self._conventions:
            for key, names in getattr(convention, table).items():
                if key not in found and (value := self._source.number(*names)) is not None:
                    found[key] = value
        return found

    def _format(self) -> str | None:
        """Whose messages inputs and outputs hold, where they are a model's request and answer as they were."""
        outputs = self._added.get(SpanKey.OUTPUTS)
        if outputs is None or outputs[:1] != "{" or not ('"object"' in outputs or '"stop_reason"' in outputs):
            return None
        answer = as_dict(json_value(outputs))
        if answer.get("object") in ("chat.completion", "chat.completion.chunk", "response"):
            return "openai"
        is_anthropic = answer.get("type") == "message" and bool(as_list(answer.get("content")))
        return "anthropic" if is_anthropic else None


def _named(given: Dict, names: Mapping[str, tuple[str, ...]]) -> Dict:
    found: Dict = {}
    if not given:
        return found
    for key, aliases in names.items():
        for alias in aliases:
            value = number(given.get(alias))
            if value is not None:
                found[key] = value
                break
    return found
