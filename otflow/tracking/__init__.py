"""The companion: experiments, and later runs, metrics, artifacts, datasets, models and prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otflow.client import Client, MlflowClient

__all__ = ["Client", "MlflowClient"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from otflow import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
