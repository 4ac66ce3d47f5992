"""What a call was called with, by parameter name; prepared once a function, not once a call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["InputBinder"]

_RECEIVERS = frozenset({"self", "cls"})


class InputBinder:
    """Maps the arguments of calls of one function to their names, defaults included, in signature order.

    The receiver of a method (`self`, `cls`) is left out. `*args` is a list and `**kwargs` a dictionary under its
    own name. Arguments that do not fit the signature (the call is about to raise `TypeError`) are kept as
    `args` and `kwargs`.

    Args:
        function: The function; where it has no signature (some builtins), all is kept as `args` and `kwargs`.
    """

    __slots__ = ("_defaults", "_keyword_only", "_names", "_plain", "_skip", "_var_keyword", "_var_positional")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._names: tuple[str, ...] = ()
        self._keyword_only: tuple[str, ...] = ()
        self._defaults: dict[str, Any] = {}
        self._var_positional: str | None = "args"
        self._var_keyword: str | None = "kwargs"
        self._skip = 0
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            self._plain = False
            return
        self._var_positional = self._var_keyword = None
        names: list[str] = []
        keyword_only: list[str] = []
        for name, parameter in parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self._var_positional = name
            elif parameter.kind is parameter.VAR_KEYWORD:
                self._var_keyword = name
            else:
                (keyword_only if parameter.kind is parameter.KEYWORD_ONLY else names).append(name)
                if parameter.default is not parameter.empty:
                    self._defaults[name] = parameter.default
        self._names = tuple(names)
        self._keyword_only = tuple(keyword_only)
        self._skip = 1 if names and names[0] in _RECEIVERS else 0
        self._plain = not (keyword_only or self._var_positional or self._var_keyword)

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs of one call."""
        names = self._names
        if self._plain and not kwargs and len(args) == len(names):
            bound = dict(zip(names, args, strict=True))
        else:
            bound = self._bind(args, kwargs)
        if self._skip:
            bound.pop(names[0], None)
        return bound

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        names, defaults = self._names, self._defaults
        rest = dict(kwargs)
        bound: dict[str, Any] = {}
        for index, name in enumerate(names):
            if index < len(args):
                bound[name] = args[index]
            elif name in rest:
                bound[name] = rest.pop(name)
            elif name in defaults:
                bound[name] = defaults[name]
        surplus = args[len(names) :]
        if self._var_positional is not None:
            bound[self._var_positional] = list(surplus)
        for name in self._keyword_only:
            if name in rest:
                bound[name] = rest.pop(name)
            elif name in defaults:
                bound[name] = defaults[name]
        if self._var_keyword is not None:
            bound[self._var_keyword] = rest
        elif rest or (surplus and self._var_positional is None):
            return {"args": list(args[self._skip :]), "kwargs": dict(kwargs)}
        return bound
