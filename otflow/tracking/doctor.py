"""Facts for finding out what is wrong, printed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from otflow import context
from otflow.store.opening import without_secrets
from otflow.tracking.diagnosis import diagnose

__all__ = ["doctor"]

_MASK = "***"


def doctor(mask_envs: bool = False) -> None:
    """Print what helps to find out what is wrong: versions, settings, the environment, the store, OpenTelemetry.

    What may be a secret, by its name, is never shown, and neither are passwords in URIs.

    Args:
        mask_envs: Whether the values of all variables and settings are hidden.

    Example:
        >>> import otflow
        >>> otflow.doctor(mask_envs=True)  # doctest: +SKIP
    """
    found = diagnose()
    lines = [
        f"otflow module location: {Path(__file__).resolve().parents[1]}",
        f"Tracking URI: {without_secrets(context.get_tracking_uri())}",
        f"Registry URI: {without_secrets(context.get_registry_uri())}",
    ]
    for title, facts in found.sections.items():
        hidden = mask_envs and title in ("environment", "settings")
        lines.append(f"{title}:")
        lines += [f"  {name}: {_MASK if hidden else _one_line(value)}" for name, value in facts.items()]
    lines.append("problems:" if found.problems else "problems: none")
    lines += [f"  {problem}" for problem in found.problems]
    sys.stdout.write("\n".join(lines) + "\n")


def _one_line(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)  # pyright: ignore[reportUnknownArgumentType]
