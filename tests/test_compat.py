"""otflow under the name of MLflow. Each scenario in a process of its own, where `mlflow` means nothing yet."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

INSTALLED = "from otflow.compat import install_as_mlflow, uninstall_as_mlflow\ninstall_as_mlflow()\n"


def run(code: str, directory: Path, installed: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", INSTALLED * installed + textwrap.dedent(code)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_modules_are_the_same_objects_under_both_names(tmp_path):
    code = """
        import importlib, sys
        for name in ("entities", "entities.span", "entities.trace", "entities.trace_info", "entities.trace_data",
                     "entities.assessment", "entities.assessment_source", "entities.span_event",
                     "entities.span_status", "entities.trace_state", "entities.trace_location", "exceptions",
                     "client", "tracing", "tracking", "openai", "langchain"):
            theirs, ours = importlib.import_module("mlflow." + name), importlib.import_module("otflow." + name)
            assert theirs is ours is sys.modules["mlflow." + name], name
            assert ours.__name__ == ours.__spec__.name == "otflow." + name, name
        import mlflow, mlflow.entities, otflow.entities
        assert mlflow.entities is otflow.entities and mlflow.start_span is otflow.start_span
    """
    run(code, tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "from mlflow.entities import Feedback, SpanType",
        "from mlflow import MlflowClient, entities, trace, openai, genai",
        "from mlflow.exceptions import MlflowException",
        "from mlflow.entities.assessment_error import AssessmentError",
        "from mlflow.entities.experiment_tag import ExperimentTag",
        "from mlflow.entities.lifecycle_stage import LifecycleStage",
        "from mlflow.entities.trace_status import TraceStatus",
        "from mlflow.tracing.assessment import log_feedback",
        "from mlflow.tracing.config import configure",
        "from mlflow.tracing.destination import MlflowExperimentLocation",
        "from mlflow.tracing.distributed import get_tracing_context_headers_for_http_request",
        "from mlflow.tracing.fluent import start_span, trace",
        "from mlflow.tracing.provider import set_destination",
        "from mlflow.tracing.utils import set_span_chat_tools",
        "from mlflow.tracking.client import MlflowClient",
        "from mlflow.tracking.fluent import set_experiment",
        "from mlflow.version import VERSION",
        "import mlflow.genai; mlflow.genai",
        "import mlflow; mlflow.tracking.MlflowClient; mlflow.tracing.reset; mlflow.openai.autolog",
        "import mlflow; mlflow.version.VERSION",
        "from mlflow import *; start_span, trace, entities",
    ],
)
def test_what_mlflow_exports_is_found(statement, tmp_path):
    run(statement, tmp_path)


def test_traces_made_by_one_name_are_read_by_the_other(tmp_path):
    code = """
        import mlflow, otflow
        from mlflow.entities import Trace
        @mlflow.trace
        def add(a, b):
            return a + b
        add(1, 2)
        trace = otflow.get_trace(mlflow.get_last_active_trace_id())
        assert isinstance(trace, Trace)
        print(trace.data.spans[0].outputs)
    """
    assert run(code, tmp_path) == "3\n"


def test_the_version_is_the_release_whose_api_it_is(tmp_path):
    code = """
        import importlib.metadata, importlib.util, mlflow, mlflow.version, otflow
        assert mlflow.__version__ == mlflow.version.VERSION == importlib.metadata.version("mlflow") == "3.10.1"
        assert importlib.metadata.version("otflow") and otflow.__version__ != "3.10.1"
        assert importlib.util.find_spec("mlflow").name == "mlflow"
    """
    run(code, tmp_path)


def test_what_is_missing_is_named(tmp_path):
    code = """
        import mlflow
        def said(code, kind):
            try:
                exec(code)
            except kind as error:
                return str(error)
            raise AssertionError(code)
        for code, kind, name in [
            ("mlflow.no_such_name", AttributeError, "mlflow.no_such_name"),
            ("mlflow.no_such_name.more", AttributeError, "mlflow.no_such_name"),
            ("import mlflow.no_such_name", ModuleNotFoundError, "mlflow.no_such_name"),
            ("import mlflow.entities.no_such_name", ModuleNotFoundError, "mlflow.entities.no_such_name"),
            ("mlflow.genai.no_such_name", AttributeError, "no_such_name"),
            ("from mlflow.entities import no_such_name", ImportError, "no_such_name"),
            ("from mlflow import no_such_name", ImportError, "no_such_name"),
            ("import mlflow.store", ModuleNotFoundError, "mlflow.store"),
            ("mlflow.config", AttributeError, "mlflow.config"),
        ]:
            message = said(code, kind)
            assert name in message and "otflow" in message, message
        assert not hasattr(mlflow, "no_such_name")
    """
    run(code, tmp_path)


def test_twice_is_once_and_uninstalling_undoes_it(tmp_path):
    code = """
        import sys, otflow.entities, otflow.tracking
        before = set(vars(otflow.tracking)), set(vars(otflow.entities))
        finders = list(sys.meta_path)
        install_as_mlflow()
        assert sys.meta_path == finders
        import mlflow.tracking.client, mlflow.entities.trace_status
        uninstall_as_mlflow()
        uninstall_as_mlflow()
        assert not [name for name in sys.modules if name.split(".")[0] == "mlflow"]
        assert not hasattr(otflow.tracking, "client") and not hasattr(otflow.entities, "trace_status")
        assert len(sys.meta_path) == len(finders) - 1
        install_as_mlflow()
        import mlflow.entities
        assert mlflow.entities is otflow.entities
    """
    run(code, tmp_path)


def test_mlflow_itself_is_replaced_only_by_force(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text("real = True\n")
    (tmp_path / "mlflow" / "entities.py").write_text("real = True\n")
    code = """
        import sys
        sys.path.insert(0, "")
        import mlflow.entities as real, otflow
        from otflow.compat import install_as_mlflow, uninstall_as_mlflow
        try:
            install_as_mlflow()
        except otflow.OtflowError as error:
            assert "already imported" in str(error) and "__init__.py" in str(error) and "force=True" in str(error)
        else:
            raise AssertionError
        import mlflow.entities
        assert mlflow.real and mlflow.entities is real
        install_as_mlflow(force=True)
        import mlflow.entities, otflow.entities
        assert mlflow.entities is otflow.entities and not hasattr(mlflow, "real")
        uninstall_as_mlflow()
        import mlflow.entities
        assert mlflow.real and mlflow.entities is real
    """
    run(code, tmp_path, installed=False)


def test_it_comes_before_an_mlflow_that_is_installed(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text("raise AssertionError('the other one')\n")
    run("import mlflow; mlflow.start_span", tmp_path)


def test_the_constants_of_mlflow_have_its_values(tmp_path):
    code = """
        from mlflow.tracing.constant import CostKey, SpanAttributeKey, TokenUsageKey, TraceMetadataKey, TraceTagKey
        assert SpanAttributeKey.REQUEST_ID == "mlflow.traceRequestId"
        assert SpanAttributeKey.CHAT_USAGE == "mlflow.chat.tokenUsage"
        assert TokenUsageKey.CACHE_READ_INPUT_TOKENS == "cache_read_input_tokens"
        assert CostKey.TOTAL_COST == "total_cost"
        assert TraceMetadataKey.TRACE_SESSION == "mlflow.trace.session"
        assert TraceTagKey.TRACE_NAME == "mlflow.traceName"
    """
    run(code, tmp_path)


# A callback of the kind that model libraries ship: it knows MLflow by name alone, and starts and ends spans by hand.
CALLBACK = """
from importlib.metadata import version


class Callback:
    def __init__(self):
        assert int(version("mlflow").split(".")[0]) >= 3
        from mlflow.tracking import MlflowClient
        self.client = MlflowClient()

    def before(self, question):
        import mlflow
        from mlflow.entities import SpanType
        what = dict(name="completion", span_type=SpanType.LLM, inputs=question, attributes={"model": "m"})
        parent = mlflow.get_current_active_span()
        if parent is None:
            return self.client.start_trace(tags={"from": "callback"}, **what)
        return self.client.start_span(trace_id=parent.request_id, parent_id=parent.span_id, **what)

    def after(self, span, answer, error=None):
        from mlflow.entities import SpanEvent, SpanStatusCode
        status = SpanStatusCode.OK
        if error is not None:
            span.add_event(SpanEvent.from_exception(error))
            status = SpanStatusCode.ERROR
        if span.parent_id is None:
            self.client.end_trace(span.request_id, outputs=answer, status=status)
        else:
            self.client.end_span(span.request_id, span.span_id, outputs=answer, status=status)
"""


def test_a_callback_written_for_mlflow_traces(tmp_path):
    (tmp_path / "somelibrary.py").write_text(CALLBACK)
    code = """
        import sys, otflow
        sys.path.insert(0, "")
        from somelibrary import Callback
        callback = Callback()
        callback.after(callback.before("hi"), "hello")
        with otflow.start_span("outer"):
            callback.after(callback.before("hi"), None, ValueError("boom"))
        inner, alone = (trace.data.spans for trace in otflow.search_traces(return_type="list"))
        assert [span.name for span in inner] == ["outer", "completion"]
        assert (inner[1].parent_id, inner[1].status.status_code) == (inner[0].span_id, "ERROR")
        assert inner[1].events[0].attributes["exception.message"] == "boom"
        assert [(span.name, span.inputs, span.outputs, span.span_type) for span in alone] == [
            ("completion", "hi", "hello", "LLM")
        ]
    """
    run(code, tmp_path)
