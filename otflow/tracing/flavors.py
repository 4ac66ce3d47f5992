"""`otflow.openai`, `otflow.langchain`, …: a module for each library that can be traced, with its `autolog`.

They are made when they are asked for; there is no file for each.
"""

from __future__ import annotations

import types
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from typing import Any

from otflow.tracing.autolog import FLAVORS, autolog_flavor

__all__ = ["find_spec"]


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _made(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to do: it was made whole."""


def find_spec(name: str) -> ModuleSpec | None:
    """How to make the module `otflow.<library>`; None where there is no such library.

    Args:
        name: The full name of the module, e.g. "otflow.openai".
    """
    return ModuleSpec(name, _Loader()) if name.rpartition(".")[2] in FLAVORS else None


def _made(full_name: str) -> types.ModuleType:
    name = full_name.rpartition(".")[2]
    module = types.ModuleType(full_name, f"Tracing of {name} by the instrumentation that is installed for it.")

    def autolog(
        disable: bool = False,
        exclusive: bool = False,
        disable_for_unsupported_versions: bool = False,
        silent: bool = False,
        log_traces: bool = True,
        **options: Any,
    ) -> None:
        """Enable the instrumentation of this library that is installed; see `otflow.autolog`.

        Args:
            disable: Disable it instead.
            exclusive: Accepted for MLflow's sake, as is all else that is not named here.
            disable_for_unsupported_versions: See `exclusive`.
            silent: Say nothing.
            log_traces: If false, disable it.
            options: See `exclusive`.
        """
        del exclusive, disable_for_unsupported_versions, options
        autolog_flavor(name, disable=disable, silent=silent, log_traces=log_traces)

    autolog.__module__ = module.__name__
    module.autolog = autolog  # pyright: ignore[reportAttributeAccessIssue]
    module.__all__ = ["autolog"]  # pyright: ignore[reportAttributeAccessIssue]
    return module
