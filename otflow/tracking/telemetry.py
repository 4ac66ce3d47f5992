"""The hook of MLflow's usage telemetry, which otflow does not have."""

from __future__ import annotations

import logging

__all__ = ["set_telemetry_client"]

_logger = logging.getLogger("otflow")


def set_telemetry_client() -> None:
    """Do nothing but say so: otflow reports its use to nobody, so that there is no client for that."""
    _logger.info("otflow has no telemetry: nothing about its use is sent anywhere, and no client is set.")
