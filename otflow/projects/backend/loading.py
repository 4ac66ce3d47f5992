"""Finding a backend by its name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from otflow.errors import ExecutionError
from otflow.projects.backend.abstract_backend import AbstractBackend

__all__ = ["load_backend"]

_GROUPS: Final = ("otflow.project_backend", "mlflow.project_backend")
_OWN: Final = ("kubernetes", "local")


def load_backend(name: object) -> AbstractBackend:
    """The backend of a name.

    Raises:
        ExecutionError: there is none, or it cannot be loaded.
    """
    if name == "local" or name is None:
        from otflow.projects.backend.local import LocalBackend

        return LocalBackend()
    if name == "kubernetes":
        from otflow.projects.backend.kubernetes import KubernetesBackend

        return KubernetesBackend()
    found = _plugins()
    if isinstance(name, str) and name in found:
        return _load(found[name])
    if name == "databricks":
        raise ExecutionError(f"otflow does not speak to Databricks; backends are {sorted({*_OWN, *found})}")
    raise ExecutionError(
        f"Got unsupported execution mode {name!r}. Supported values: {sorted({*_OWN, *found})}; others come with"
        f" packages that have an entry point in the group {_GROUPS[0]!r}"
    )


def _plugins() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for group in _GROUPS:
        for entry in entry_points(group=group):
            if entry.name not in _OWN:
                found.setdefault(entry.name, entry)
    return found


def _load(entry: EntryPoint) -> AbstractBackend:
    try:
        made: Any = entry.load()()
    except Exception as error:
        raise ExecutionError(
            f"the backend {entry.name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(made, "run", None)):
        raise ExecutionError(f"the backend {entry.name!r} ({entry.value}) has no method `run`")
    return made
