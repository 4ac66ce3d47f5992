"""An environment of its own for each library that is compared with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = {
    "mlflow-3.10.1": "mlflow==3.10.1",
    "mlflow-3.17.2": "mlflow==3.17.2",
    "logfire": "logfire",
    "langfuse": "langfuse",
    "traceloop": "traceloop-sdk",
    "phoenix": "arize-phoenix-otel",
}


def python_of(subject: str, directory: Path) -> str:
    """The Python that has a library; its environment is made where it is not there."""
    if subject == "otflow":
        return sys.executable
    if subject == "mlflow-3.10.1" and "OTFLOW_TEST_MLFLOW_PYTHON" in os.environ:
        return os.environ["OTFLOW_TEST_MLFLOW_PYTHON"]
    home = (directory / subject).absolute()
    python = home / "bin" / "python"
    if not python.exists():
        print(f"making the environment of {subject} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", REQUIREMENTS[subject]], check=True)
    return str(python)
