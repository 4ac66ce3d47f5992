"""A server of the released MLflow for the session, found by `OTFLOW_TEST_MLFLOW_PYTHON`, and a store on it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import textwrap
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otflow.store.remote.store import RemoteStore

_START_S = 60.0


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """A Python that has the released MLflow."""
    python = os.environ.get("OTFLOW_TEST_MLFLOW_PYTHON", "")
    if not python:
        pytest.skip("OTFLOW_TEST_MLFLOW_PYTHON names no Python with mlflow==3.10.1")
    return python


@pytest.fixture(scope="session")
def mlflow_server(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a running MLflow server."""
    with running_server(mlflow_python, tmp_path_factory.mktemp("mlflow-server")) as uri:
        yield uri


@pytest.fixture(scope="session")
def mlflow_workspaces(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a running MLflow server that keeps workspaces apart."""
    with running_server(mlflow_python, tmp_path_factory.mktemp("mlflow-workspaces"), "--enable-workspaces") as uri:
        yield uri


@contextlib.contextmanager
def running_server(mlflow_python: str, folder: Path, *options: str) -> Iterator[str]:
    """A running MLflow server."""
    port = free_port()
    command = [mlflow_python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
        *options,
    ]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **quiet},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            uri = f"http://127.0.0.1:{port}"
            wait_until_healthy(uri, server, log)
            yield uri
        finally:
            # uvicorn is a child of the command that was started: end the whole group.
            os.killpg(server.pid, 15)
            server.wait(10)


def wait_until_healthy(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when `/health` answers; fail the test run with the server's log when it does not come up."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"The MLflow server did not start:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def store(mlflow_server: str) -> Iterator[RemoteStore]:
    """A remote store on the running server."""
    store = RemoteStore(mlflow_server)
    yield store
    store.close()


@pytest.fixture
def experiment_id(store: RemoteStore) -> str:
    """A new experiment on the running server."""
    return store.create_experiment(f"experiment-{uuid.uuid4().hex}")


_DRIVER = """
import contextlib, json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import mlflow
for line in sys.stdin:
    task = json.loads(line)
    names = {"mlflow": mlflow, "json": json, **task["values"]}
    try:
        exec(task["code"], names)
        answer = {"result": names.get("result")}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer, default=str), file=answers, flush=True)
"""


class ReleasedMlflow:
    """A process in which the released MLflow client is imported once and runs pieces of code."""

    def __init__(self, python: str, uri: str, folder: Path) -> None:
        quiet = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [python, "-c", _DRIVER],
            env={**os.environ, **quiet, "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, **values: object) -> Any:
        """Run code that may use `mlflow`, `json` and the values; returns what it assigns to `result`."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"code": textwrap.dedent(code), "values": values}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


@pytest.fixture(scope="session")
def released_mlflow(
    mlflow_python: str, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReleasedMlflow]:
    """The released MLflow client, talking to the running server."""
    client = ReleasedMlflow(mlflow_python, mlflow_server, tmp_path_factory.mktemp("mlflow-client"))
    yield client
    client.close()
