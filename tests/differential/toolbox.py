"""What a case works with: plain facts out of an API that is the released MLflow's or ours.

Imported by the Python of the released MLflow too: the standard library only, and nothing of otflow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import inspect
import json
import logging
import math
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

Facts = Iterator[tuple[str, Any]]

ANYTHING = "<anything>"
ABSENT = "<absent>"
MISSING = "<missing>"
BROKEN_OFF = "<broken off>"


class Difference(NamedTuple):
    """A fact where we part from the released MLflow on purpose.

    Args:
        ours: What our fact has to be, `ABSENT` where it has none, or `ANYTHING`.
        why: Why MLflow's is not worth following.
    """

    ours: Any
    why: str


def value(result: Any) -> dict[str, Any]:
    """The outcome of a call that returned."""
    return {"value": result}


def error(code: str) -> dict[str, Any]:
    """The outcome of a call that raised."""
    return {"error": code}


INVALID = error("INVALID_PARAMETER_VALUE")
NOT_FOUND = error("RESOURCE_DOES_NOT_EXIST")


def each(ours: Any, why: str, *labels: str) -> dict[str, Difference]:
    """The same difference at several facts."""
    return {label: Difference(ours, why) for label in labels}


def accident(*labels: str, code: str = "INVALID_PARAMETER_VALUE") -> dict[str, Difference]:
    """Bad input on which MLflow stumbles with some inner error; ours says what is wrong."""
    return each(error(code), "an error of its insides escapes there; ours names the value and what is allowed", *labels)


@dataclasses.dataclass(frozen=True)
class Case:
    """A function that yields labelled facts about the API it is given."""

    name: str
    function: Callable[[Toolbox], Facts]
    environment: Mapping[str, str | None]
    differs: Mapping[str, Difference]
    needs: tuple[str, ...]


CASES: dict[str, Case] = {}


def case(
    *,
    environment: Mapping[str, str | None] | None = None,
    differs: Mapping[str, Difference] | None = None,
    needs: tuple[str, ...] = (),
) -> Callable[[Callable[[Toolbox], Facts]], Callable[[Toolbox], Facts]]:
    """Register a case.

    Args:
        environment: Variables set while it runs, by their MLflow names; `None` unsets one.
        differs: Where ours is another on purpose: by the fact's label, or by a path into it (`label/member[0]`).
        needs: Functions of the fluent module without which it cannot run.
    """

    def register(function: Callable[[Toolbox], Facts]) -> Callable[[Toolbox], Facts]:
        area = function.__code__.co_filename.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".py")
        name = f"{area}.{function.__name__}"
        if name in CASES:
            message = f"two cases are named {name}"
            raise ValueError(message)
        CASES[name] = Case(name, function, environment or {}, differs or {}, needs)
        return function

    return register


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname}: {record.getMessage()}")


class Toolbox:
    """The API under test, and ways to say what it did as JSON.

    Members of facts whose key begins with `~` are for the reader and are not compared: each side has its own words.
    """

    def __init__(self, module: ModuleType, directory: str, experiment_id: str) -> None:
        self.mlflow: Any = module
        self.directory = directory
        self.experiment_id = experiment_id
        self.client: Any = module.MlflowClient()

    def outcome(self, call: Callable[[], Any], *, warn: bool = False) -> dict[str, Any]:
        """The value of a call, or its error as the code, or the class where there is none.

        Args:
            call: What to do.
            warn: Compare, too, whether anything was warned about.
        """
        log = _Log()
        logger = logging.getLogger(self.mlflow.__name__)
        logger.addHandler(log)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    facts: dict[str, Any] = {"value": self.plain(call())}
                except Exception as error:
                    facts = self.error(error)
        finally:
            logger.removeHandler(log)
        lines = log.lines + [f"{entry.category.__name__}: {entry.message}" for entry in caught]
        if lines:
            facts["~warned"] = lines
        if warn:
            facts["warned"] = bool(lines)
        return facts

    @staticmethod
    def error(error: BaseException) -> dict[str, Any]:
        code = getattr(error, "error_code", None) or type(error).__name__
        return {"error": code, "~message": str(error)[:600]}

    def plain(self, value: Any, depth: int = 0) -> Any:
        """A value as JSON that keeps apart what Python keeps apart."""
        if isinstance(value, enum.Enum):
            return f"{type(value).__name__}.{value.name}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"<float {value}>"
        if value is None or isinstance(value, (str, int, float)):
            return value
        if depth > 20:
            return "<deep>"
        if isinstance(value, Mapping):
            return {
                key if isinstance(key, str) else f"{type(key).__name__} {key}": self.plain(item, depth + 1)
                for key, item in value.items()
            }
        if type(value) is tuple:
            return {"tuple": [self.plain(item, depth + 1) for item in value]}
        if isinstance(value, list):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, (set, frozenset)):
            return {"set": sorted(str(item) for item in value)}
        if isinstance(value, BaseException):
            return self.error(value)
        return self._entity(value)

    def _entity(self, value: Any) -> Any:
        entities = self.mlflow.entities
        if isinstance(value, entities.Trace):
            return self.trace(value)
        if isinstance(value, entities.Span):
            return self.span(value)
        if isinstance(value, entities.TraceInfo):
            return self.info(value)
        if isinstance(value, entities.Assessment):
            return self.assessment(value)
        if isinstance(value, entities.Experiment):
            return self.experiment(value)
        if isinstance(value, entities.Run):
            return self.run_record(value)
        if isinstance(value, entities.SpanEvent):
            return self.event(value)
        if dataclasses.is_dataclass(value):
            fields = {field.name: self.plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return {"class": type(value).__name__, **fields}
        return f"<{type(value).__name__}>"

    def experiment(self, experiment: Any) -> dict[str, Any]:
        return {
            "name": experiment.name,
            "id": type(experiment.experiment_id).__name__,
            "stage": experiment.lifecycle_stage,
            "tags": dict(experiment.tags),
            "created": experiment.creation_time is not None,
            "updated": experiment.last_update_time is not None,
        }

    def run_record(self, run: Any) -> dict[str, Any]:
        """Everything of a run but its ids and times; a random name as such."""
        info = run.info
        name = re.sub(r"^[a-z]+-[a-z]+-[0-9]{1,3}$", "<random>", info.run_name or "")
        tags = {key: tag for key, tag in sorted(run.data.tags.items()) if not key.startswith("mlflow.source.git")}
        if "mlflow.user" in tags:
            tags["mlflow.user"] = "<user>" if info.user_id == tags["mlflow.user"] else tags["mlflow.user"]
        if "mlflow.source.name" in tags:
            tags["mlflow.source.name"] = os.path.basename(tags["mlflow.source.name"])
        if tags.get("mlflow.runName") == info.run_name:
            tags["mlflow.runName"] = name
        return {
            "class": type(run).__name__,
            "name": name,
            "status": info.status,
            "stage": info.lifecycle_stage,
            "here": info.experiment_id == self.experiment_id,
            "times": [type(info.start_time).__name__, type(info.end_time).__name__],
            "artifacts": (info.artifact_uri or "").endswith(f"/{info.run_id}/artifacts"),
            "params": dict(sorted(run.data.params.items())),
            "metrics": {key: self.plain(number) for key, number in sorted(run.data.metrics.items())},
            "tags": tags,
        }

    def event(self, event: Any) -> dict[str, Any]:
        attributes = {key: self.plain(value) for key, value in (event.attributes or {}).items()}
        if "exception.stacktrace" in attributes:
            attributes["exception.stacktrace"] = bool(attributes["exception.stacktrace"])
        return {"name": event.name, "attributes": attributes}

    def span(self, span: Any, names: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Everything of a span but its ids and times; the parent by its name."""
        parent = span.parent_id
        attributes = {key: self.plain(value) for key, value in (span.attributes or {}).items()}
        for key in ("mlflow.traceRequestId", "mlflow.experimentId"):
            if key in attributes:
                attributes[key] = "<present>"
        return {
            "class": type(span).__name__,
            "name": span.name,
            "parent": None if parent is None else (names or {}).get(parent, "<other>"),
            "type": self.plain(span.span_type),
            "status": self.status(span.status),
            "inputs": self.plain(span.inputs),
            "outputs": self.plain(span.outputs),
            "attributes": dict(sorted(attributes.items())),
            "events": [self.event(event) for event in span.events or []],
            "ended": span.end_time_ns is not None,
        }

    def status(self, status: Any) -> Any:
        if status is None:
            return None
        return [self.plain(getattr(status, "status_code", status)), getattr(status, "description", None)]

    def spans(self, trace: Any) -> list[dict[str, Any]] | None:
        if trace is None:
            return None
        names = {span.span_id: span.name for span in trace.data.spans}
        return [self.span(span, names) for span in trace.data.spans]

    def tree(self, trace: Any) -> list[str] | None:
        """The spans, in the order given, as `name < parent [type status]`."""
        if trace is None:
            return None
        names = {span.span_id: span.name for span in trace.data.spans}

        def line(span: Any) -> str:
            parent = names.get(span.parent_id, span.parent_id)
            return f"{span.name} < {parent} [{span.span_type} {span.status.status_code.value}]"

        return [line(span) for span in trace.data.spans]

    def info(self, info: Any) -> dict[str, Any]:
        """Everything of a trace's record but its ids and times, of which it says whether they are there."""
        metadata = dict(info.trace_metadata)
        for key in ("mlflow.source.name", "mlflow.source.git.commit", "mlflow.source.git.branch"):
            metadata.pop(key, None)
        for key in ("mlflow.source.git.repoURL", "mlflow.source.git.dirty", "mlflow.user"):
            metadata.pop(key, None)
        for key in ("mlflow.trace.sizeBytes", "mlflow.trace.sizeStats"):
            if key in metadata:
                metadata[key] = "<present>"
        where = "mlflow.artifactLocation"
        location = (
            {where: info.tags[where].endswith(f"/traces/{info.trace_id}/artifacts")} if where in info.tags else {}
        )
        return {
            "state": self.plain(info.state),
            "request_preview": info.request_preview,
            "response_preview": info.response_preview,
            "client_request_id": info.client_request_id,
            "duration": type(info.execution_duration).__name__,
            "location": self.plain(info.trace_location.type),
            "metadata": dict(sorted(metadata.items())),
            "tags": {**dict(sorted(info.tags.items())), **location},
            "assessments": [self.assessment(entry) for entry in info.assessments],
        }

    def trace(self, trace: Any) -> Any:
        if trace is None:
            return None
        return {"info": self.info(trace.info), "spans": self.spans(trace)}

    def assessment(self, entry: Any) -> dict[str, Any]:
        error = entry.error if hasattr(entry, "error") else None
        return {
            "class": type(entry).__name__,
            "name": entry.name,
            "value": self.plain(getattr(entry, "value", None)),
            "error": None if error is None else [error.error_code, error.error_message, bool(error.stack_trace)],
            "source": [entry.source.source_type, entry.source.source_id] if entry.source else None,
            "rationale": entry.rationale,
            "metadata": self.plain(entry.metadata),
            "span_id": entry.span_id is not None,
            "run_id": entry.run_id is not None,
            "overrides": entry.overrides is not None,
            "valid": entry.valid,
            "has_id": entry.assessment_id is not None,
            "times": [type(entry.create_time_ms).__name__, type(entry.last_update_time_ms).__name__],
        }

    def run(self, call: Callable[[], Any]) -> dict[str, Any]:
        """The outcome of a call, and the spans of the trace that it left behind, if it left one."""
        before = self.mlflow.get_last_active_trace_id()
        outcome = self.outcome(call)
        after = self.mlflow.get_last_active_trace_id()
        return {**outcome, "spans": None if after == before else self.spans(self.mlflow.get_trace(after))}

    def python(self, script: str, *, inherit: bool = False, **environment: str) -> Any:
        """What a script, run by a Python of its own that knows the API as `mlflow`, prints as its last line.

        Args:
            script: The script; `json` and `mlflow` are imported.
            inherit: Run it in the environment as it is, not on a database of its own.
            **environment: Variables to set for it.
        """
        directory = tempfile.mkdtemp(dir=self.directory)
        variables = {key: text for key, text in os.environ.items() if not key.startswith(("MLFLOW_", "OTFLOW_"))}
        variables |= {"MLFLOW_TRACKING_URI": f"sqlite:///{directory}/own.db", **environment}
        if inherit:
            variables = {**os.environ, **environment}
        prelude = f"import json\nimport {self.mlflow.__name__} as mlflow\n"
        command = [sys.executable, "-c", prelude + textwrap.dedent(script)]
        done = subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, timeout=120)
        if done.returncode or not done.stdout.strip():
            return {"exit": done.returncode, "~stderr": done.stderr[-1500:]}
        return json.loads(done.stdout.strip().splitlines()[-1])

    def last(self) -> Any:
        """The trace that was made last, as it is read back."""
        return self.mlflow.get_trace(self.mlflow.get_last_active_trace_id())

    def traces(self, **criteria: Any) -> list[Any]:
        """Traces of this case's experiment, oldest first."""
        criteria.setdefault("locations", [self.experiment_id])
        criteria.setdefault("order_by", ["timestamp_ms ASC"])
        return self.mlflow.search_traces(return_type="list", **criteria)

    def make(self, name: str = "root", **kwargs: Any) -> str:
        """A finished trace of one span, by its id."""
        with self.mlflow.start_span(name, **kwargs) as span:
            pass
        return span.trace_id

    @contextlib.contextmanager
    def quiet(self) -> Generator[None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def signature(self, function: Callable[..., Any]) -> str:
        return str(inspect.signature(function))
