"""Parameters that had another name once, and may still be given under it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

__all__ = ["formerly"]

_F = TypeVar("_F", bound=Callable[..., Any])


def formerly(**names: str) -> Callable[[_F], _F]:
    """Take arguments under their former names too, with a `FutureWarning`. The function keeps its signature.

    Args:
        **names: The former name of a parameter = its name now.
    """

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def renamed(*args: Any, **kwargs: Any) -> Any:
            for old, new in names.items():
                if old in kwargs and new not in kwargs:
                    warnings.warn(f"Parameter {old!r} is deprecated; use {new!r} instead.", FutureWarning, stacklevel=2)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast("_F", renamed)

    return decorate
