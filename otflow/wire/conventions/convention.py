"""What a foreign convention is to otflow: tables of attribute keys, and functions where a table does not do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from otflow.wire.conventions.values import data, nested, number, text

__all__ = ["Convention", "Happening", "Source"]


class Happening(Protocol):
    """An event of a span, the SDK's or otflow's."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def attributes(self) -> Mapping[str, Any] | None:
        """Its attributes."""
        ...


class Source:
    """The attributes and events of one span, as conventions ask for them.

    Args:
        attributes: As OpenTelemetry holds them.
        events: The span's events.
    """

    __slots__ = ("_nested", "attributes", "events", "span_type")

    def __init__(self, attributes: Mapping[str, Any], events: Iterable[Happening] = ()) -> None:
        self.attributes = attributes
        self.events = tuple(events)
        self.span_type: str | None = None
        """The span's type, once that is known; inputs and outputs depend on it."""
        self._nested: dict[str, Any] = {}

    def has(self, key: str) -> bool:
        """Whether an attribute is there."""
        return key in self.attributes

    def data(self, key: str) -> Any:
        """An attribute as data: objects and arrays in JSON text are read."""
        value = self.attributes.get(key)
        return None if value is None else data(value)

    def text(self, *keys: str) -> str | None:
        """The first of some attributes that holds a text which is not empty."""
        for key in keys:
            if key in self.attributes and (found := text(self.attributes[key])):
                return found
        return None

    def number(self, *keys: str) -> float | None:
        """The first of some attributes that holds a number."""
        for key in keys:
            if key in self.attributes and (found := number(self.attributes[key])) is not None:
                return found
        return None

    def nested(self, prefix: str) -> Any:
        """What attributes below a prefix are together: of `prefix.0.role`, `[{"role": …}]`; None if none are."""
        if prefix not in self._nested:
            self._nested[prefix] = nested(self.attributes, prefix)
        return self._nested[prefix]


Reader = Callable[[Source], Any]
"""Takes something from a span; None where the convention does not say it there."""


@dataclass(frozen=True)
class Convention:
    """How one convention says what otflow's own spans say.

    Where several keys are given for one thing, the first that is there counts.
    """

    name: str
    namespaces: frozenset[str]
    """What its attribute keys begin with, up to the first dot."""
    types: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Attribute keys and the span types that their values, in lower case, stand for."""
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    usage: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Attribute keys by the key inside `mlflow.chat.tokenUsage`."""
    cost: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Attribute keys by the key inside `mlflow.llm.cost`."""
    inputs: Reader | None = None
    outputs: Reader | None = None
    tools: Reader | None = None
    prompts: Reader | None = None
    model_of: Reader | None = None
    """The model, where it is inside of something."""
    usage_of: Reader | None = None
    """A dictionary of token counts, where they are inside of something."""
    cost_of: Reader | None = None
    """A dictionary of costs, where they are inside of something."""
    implied_type: Reader | None = None
    """The span type that follows from what else is there."""
