"""What the parts of the client share: which store they speak to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otflow import context
from otflow.errors import InvalidParameterError
from otflow.store.interface import Store
from otflow.tracing.annotations import settled_store

__all__ = ["Connected", "string_values"]


class Connected:
    """One store, in the workspace that is active when a method is called.

    Args:
        tracking_uri: The store; the current one by default.
        registry_uri: The store of registered models and prompts; the same by default.
        workspace_store_uri: The store of workspaces; the same by default.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        workspace_store_uri: str | None = None,
    ) -> None:
        self._uri = tracking_uri if tracking_uri is not None else context.get_tracking_uri()
        self._registry_uri = registry_uri or (context.get_registry_uri() if tracking_uri is None else self._uri)
        self._workspace_store_uri = workspace_store_uri or self._uri

    def _workspaces(self) -> Store:
        return context.store(self._workspace_store_uri)

    @property
    def tracking_uri(self) -> str:
        """The store's URI, as it was given."""
        return self._uri

    @property
    def place(self) -> str:
        """The store's URI with the workspace: the one that is active, unless the URI as it was given names one."""
        return context.place(self._uri)

    def _store(self) -> Store:
        return context.store(self.place)

    def _registry(self) -> Store:
        """The store of registered models and prompts."""
        return context.store(context.place(self._registry_uri))

    def _settled(self) -> Store:
        """The store, once the traces of this process are in it."""
        return settled_store(self.place)


def string_values(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Tags or params with their values as the texts that they are once stored.

    Raises:
        InvalidParameterError: they are no dictionary.
    """
    if tags is not None and not isinstance(tags, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"tags and params must be a dictionary, not {tags!r}")
    return {key: value if isinstance(value, str) else str(value) for key, value in (tags or {}).items()}
