"""Runs the cases on one of the two APIs and writes their facts: `python runner.py mlflow|otflow FACTS.json [NAME…]`.

One process runs all: importing the released MLflow and migrating its database take seconds. A case has an experiment
of its own, and tracing is enabled and reset between cases. Standard library only.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the cases say `from toolbox import …`

from toolbox import BROKEN_OFF, CASES, MISSING, Case, Toolbox  # noqa: E402

# What would leak into the facts from the machine.
_FOREIGN = re.compile(r"^(MLFLOW|OTFLOW|OTEL|DATABRICKS)_")


def load_cases() -> dict[str, Case]:
    """Import every module of cases; they register themselves."""
    if not CASES:
        for path in sorted((HERE / "cases").glob("*.py")):
            spec = importlib.util.spec_from_file_location(f"differential_{path.stem}", path)
            assert spec is not None
            assert spec.loader is not None
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return CASES


class Normaliser:
    """Replaces what differs from run to run: ids by their order of appearance, times and paths by their kind."""

    _PATTERNS = (
        (re.compile(r"\ba-[0-9a-f]{32}\b"), "assessment"),
        (re.compile(r"\btr-[0-9a-f]{32}\b"), "trace"),
        (re.compile(r"\bm-[0-9a-f]{32}\b"), "model"),
        (re.compile(r"\b[0-9a-f]{32}\b"), "hex"),
        (re.compile(r"\b[0-9a-f]{16}\b"), "span"),
    )
    _ISO = re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
    _EPOCH = re.compile(r"\b(1[5-9]\d{17}|1[5-9]\d{11})\b")
    _ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")
    _SECONDS = re.compile(r"^\d+(\.\d+)?s$")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._seen: dict[str, dict[str, int]] = {}

    def text(self, text: str) -> str:
        text = text.replace(self._directory, "<directory>")
        for pattern, kind in self._PATTERNS:
            seen = self._seen.setdefault(kind, {})
            text = pattern.sub(
                lambda found, kind=kind, seen=seen: f"<{kind} {seen.setdefault(found[0], len(seen))}>", text
            )
        text = self._ISO.sub("<time>", text)
        text = self._ADDRESS.sub("<address>", text)
        text = self._EPOCH.sub(lambda found: "<ns>" if len(found[0]) > 15 else "<ms>", text)
        text = self._SECONDS.sub("<seconds>", text)
        return text.replace("OtflowError", "MlflowException").replace("otflow", "mlflow")

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool):
            return value
        if isinstance(value, int) and self._EPOCH.fullmatch(str(value)):
            return self.text(str(value))
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value


@contextlib.contextmanager
def _environment(settings: Mapping[str, str | None]) -> Generator[None]:
    before = dict(os.environ)
    for key, value in settings.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _in_thread(call: Callable[[], Any]) -> None:
    """A thread of its own: nothing that a case leaves in thread or context reaches the next."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def run_case(entry: Case, mlflow: ModuleType, directory: str) -> dict[str, Any]:
    """The normalised facts of one case, by label."""
    facts: dict[str, Any] = {}

    def work() -> None:
        normaliser = Normaliser(directory)
        missing = [name for name in entry.needs if not hasattr(mlflow, name)]
        if missing:
            facts[MISSING] = missing
            return
        try:
            experiment = mlflow.set_experiment(f"case {entry.name}")
            tools = Toolbox(mlflow, directory, experiment.experiment_id)
            with _environment(entry.environment):
                for raw, value in entry.function(tools):
                    label = normaliser.text(raw)
                    if label in facts:
                        message = f"{entry.name} says {label!r} twice"
                        raise ValueError(message)
                    facts[label] = normaliser.value(tools.plain(value))
        except BaseException as error:
            import traceback

            broken = {**Toolbox.error(error), "~where": traceback.format_exc().splitlines()[-14:]}
            facts[BROKEN_OFF] = normaliser.value(broken)
        finally:
            mlflow.tracing.enable()
            mlflow.tracing.reset()
            mlflow.tracing.configure(span_processors=[])

    _in_thread(work)
    return facts


def main(arguments: list[str]) -> None:
    module, target, *wanted = arguments
    for key in [key for key in os.environ if _FOREIGN.match(key)]:
        del os.environ[key]
    cases = load_cases()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        mlflow = importlib.import_module(module)
        for part in ("entities", "tracing", "exceptions"):
            importlib.import_module(f"{module}.{part}")
        mlflow.set_tracking_uri(f"sqlite:///{directory}/differential.db")
        facts = {
            name: run_case(entry, mlflow, directory)
            for name, entry in cases.items()
            if not wanted or any(name == want or name.startswith(want) for want in wanted)
        }
        os.chdir("/")
    Path(target).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # nothing the exit handlers of either side do is compared
