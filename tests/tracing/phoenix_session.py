"""Exports traces to Arize Phoenix by both protocols and prints what Phoenix has of them, as JSON.

    unshare -n sh -c 'ip link set lo up && exec python phoenix_session.py PHOENIX_PYTHON DIRECTORY'

It runs in a network namespace of its own because Phoenix's gRPC port listens on every interface.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

HTTP_PORT, GRPC_PORT = 6006, 4317
BASE = f"http://127.0.0.1:{HTTP_PORT}"

PROGRAM = """
import otflow
from otflow.entities import SpanType

with otflow.start_span("agent", span_type=SpanType.AGENT) as agent:
    otflow.update_current_trace(metadata={"mlflow.trace.session": "s-7", "mlflow.trace.user": "ada"})
    agent.set_inputs({"question": "2 + 2?"})
    with otflow.start_span("model", span_type=SpanType.CHAT_MODEL) as model:
        model.set_inputs({"messages": [{"role": "user", "content": "2 + 2?"}]})
        model.set_outputs({"choices": [{"message": {"role": "assistant", "content": "4"}}]})
        model.set_attribute("mlflow.llm.model", "tiny-1")
        model.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9})
    try:
        with otflow.start_span("tool", span_type=SpanType.TOOL) as tool:
            raise ValueError("no such tool")
    except ValueError:
        pass
    agent.set_outputs("4")
"""


def get(path: str) -> Any:
    with urllib.request.urlopen(BASE + path, timeout=10) as answer:
        return json.load(answer)


def wait_for(ready: Any, seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = ready()
            if found:
                return found
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.2)
    raise TimeoutError("Phoenix was not ready in time")


def export(directory: str, project: str, **variables: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OTFLOW_", "MLFLOW_"))}
    resource = {"OTEL_RESOURCE_ATTRIBUTES": f"openinference.project.name={project}", "OTEL_SERVICE_NAME": "calculator"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        check=True,
        env={**clean, **resource, **variables},
        cwd=directory,
        timeout=60,
    )


def main(phoenix: str, directory: str) -> None:
    environment = {
        **os.environ,
        "PHOENIX_WORKING_DIR": directory,
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(HTTP_PORT),
        "PHOENIX_GRPC_PORT": str(GRPC_PORT),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with open(os.path.join(directory, "phoenix.log"), "wb") as log:
        server = subprocess.Popen(
            [phoenix, "-m", "phoenix.server.main", "serve"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(lambda: get("/v1/projects"), 120)
        export(directory, "http", OTEL_EXPORTER_OTLP_ENDPOINT=BASE, OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
        export(
            directory,
            "grpc",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{GRPC_PORT}",
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        )
        found: dict[str, Any] = {}
        for project in ("http", "grpc"):

            def spans(project: str = project) -> Any:
                answer = get(f"/v1/projects/{project}/spans?limit=100")["data"]
                return answer if len(answer) >= 3 else None

            found[project] = wait_for(spans, 8)
        json.dump(found, sys.stdout)
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
