"""What is about applications of language models: versions of an application by the state of its git repository.

Everything is loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from otflow.genai.git_versioning import disable_git_model_versioning, enable_git_model_versioning

__all__ = ["disable_git_model_versioning", "enable_git_model_versioning"]

_HOMES: Final[dict[str, str]] = {
    name: module
    for module, names in {
        "otflow.genai.git_versioning": "disable_git_model_versioning enable_git_model_versioning",
    }.items()
    for name in names.split()
}
_MODULES: Final = frozenset({"git_versioning"})


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"otflow.genai.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
