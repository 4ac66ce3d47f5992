"""Traces out by OTLP into programs that others wrote, and read back from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.remote.conftest import mlflow_python, mlflow_server
from tests.tracing.phoenix_session import PROGRAM

__all__ = ["mlflow_python", "mlflow_server"]

ROOT = Path(__file__).parents[2]


# -- Arize Phoenix -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def phoenix_spans(tmp_path_factory):
    """What Phoenix has of the traces of one program, by the protocol they came by."""
    python = os.environ.get("OTFLOW_TEST_PHOENIX_PYTHON", "")
    if not python:
        pytest.skip("OTFLOW_TEST_PHOENIX_PYTHON names no Python with arize-phoenix")
    unshare = shutil.which("unshare")
    assert unshare is not None
    script = Path(__file__).with_name("phoenix_session.py")
    command = 'ip link set lo up && exec "$@"'
    user = ["--map-root-user"] if os.geteuid() != 0 else []
    folder = tmp_path_factory.mktemp("phoenix")
    done = subprocess.run(
        [unshare, *user, "--net", "sh", "-c", command, "sh", sys.executable, script, python, folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return {protocol: {span["name"]: span for span in spans} for protocol, spans in json.loads(done.stdout).items()}


@pytest.mark.parametrize("protocol", ["http", "grpc"])
class TestPhoenix:
    def test_the_tree(self, phoenix_spans, protocol):
        spans = phoenix_spans[protocol]
        assert set(spans) == {"agent", "model", "tool"}
        agent = spans["agent"]
        assert agent["parent_id"] is None
        for name in ("model", "tool"):
            assert spans[name]["parent_id"] == agent["context"]["span_id"]
            assert spans[name]["context"]["trace_id"] == agent["context"]["trace_id"]

    def test_what_kind_of_spans(self, phoenix_spans, protocol):
        kinds = {name: span["span_kind"] for name, span in phoenix_spans[protocol].items()}
        assert kinds == {"agent": "AGENT", "model": "LLM", "tool": "TOOL"}
        assert [phoenix_spans[protocol][name]["status_code"] for name in ("agent", "tool")] == ["OK", "ERROR"]
        (event,) = phoenix_spans[protocol]["tool"]["events"]
        assert event["name"] == "exception"

    def test_tokens_and_messages(self, phoenix_spans, protocol):
        said = phoenix_spans[protocol]["model"]["attributes"]
        assert said["llm.model_name"] == "tiny-1"
        counts = [said[f"llm.token_count.{name}"] for name in ("prompt", "completion", "total")]
        assert counts == [7, 2, 9]
        assert said["llm.input_messages.0.message.content"] == "2 + 2?"
        assert said["gen_ai.usage.input_tokens"] == 7
        assert json.loads(said["mlflow.chat.tokenUsage"])["total_tokens"] == 9

    def test_session_and_user(self, phoenix_spans, protocol):
        said = phoenix_spans[protocol]["agent"]["attributes"]
        assert (said["session.id"], said["user.id"]) == ("s-7", "ada")


# -- MLflow ----------------------------------------------------------------------------------------------------------

READER = """
import json, sys, time
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
for _ in range(100):
    found = mlflow.search_traces(locations=["0"], return_type="list")
    if found and len(found[0].data.spans) == 3:
        break
    time.sleep(0.1)
(trace,) = found
print(json.dumps([
    {"name": s.name, "parent": s.parent_id, "id": s.span_id, "type": s.span_type, "inputs": s.inputs,
     "outputs": s.outputs, "status": s.status.status_code.value, "usage": s.attributes.get("mlflow.chat.tokenUsage")}
    for s in trace.data.spans
]))
"""


def test_a_released_mlflow_server_takes_them(tmp_path, mlflow_python, mlflow_server):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OTFLOW_", "MLFLOW_"))}
    collector = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": mlflow_server,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-mlflow-experiment-id=0",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], check=True, env={**clean, **collector}, cwd=tmp_path, timeout=60
    )
    done = subprocess.run(
        [mlflow_python, "-c", READER, mlflow_server],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    spans = {span["name"]: span for span in json.loads(done.stdout.splitlines()[-1])}
    assert set(spans) == {"agent", "model", "tool"}
    assert spans["agent"]["inputs"] == {"question": "2 + 2?"}
    assert spans["agent"]["outputs"] == "4"
    assert spans["model"]["parent"] == spans["tool"]["parent"] == spans["agent"]["id"]
    assert spans["model"]["type"] == "CHAT_MODEL"
    assert spans["model"]["usage"] == {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
    assert spans["tool"]["status"] == "ERROR"
