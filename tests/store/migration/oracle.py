"""The released MLflow, in whose Python this runs, as a process that does what it is told, line by line."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
import warnings
from typing import Any

os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"] = "1Yx3JwXDAYCz7bVJQ0XKcO5nQ1sLwP0r8m9uQJkWb2E="
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import read_back  # noqa: E402
import write_mlflow  # noqa: E402


def do(request: dict[str, Any]) -> Any:
    if request["do"] == "drivers":
        try:
            importlib.import_module("psycopg2")
        except ImportError:
            return False
        return True
    client = write_mlflow.client_of(request["uri"])
    if request["do"] == "write":
        return write_mlflow.first(client, request["root"])
    if request["do"] == "change":
        return write_mlflow.second(client, request["made"])
    return read_back.read(client, is_directory="://" not in request["uri"])


for line in sys.stdin:
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer: dict[str, Any] = {"ok": do(json.loads(line))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
