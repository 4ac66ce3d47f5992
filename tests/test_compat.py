"""otflow under the name of MLflow. Each scenario in a process of its own, where `mlflow` means nothing yet."""

from __future__ import annotations

import json
import os
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
        timeout=120,
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
            ("import mlflow.pyfunc", ModuleNotFoundError, "mlflow.pyfunc"),
            ("from mlflow.pyfunc import PythonModel", ModuleNotFoundError, "mlflow.pyfunc"),
            ("from mlflow.genai import no_such_name", ImportError, "no_such_name"),
            ("mlflow.config", AttributeError, "mlflow.config"),
        ]:
            message = said(code, kind)
            assert name in message and "otflow" in message, message
        assert not hasattr(mlflow, "no_such_name")
    """
    run(code, tmp_path)


def test_who_only_asks_is_told_no(tmp_path):
    code = """
        import importlib.util, pkgutil, runpy
        assert importlib.util.find_spec("mlflow") is not None
        assert importlib.util.find_spec("mlflow.tracing") is not None
        assert importlib.util.find_spec("mlflow.pyfunc") is None
        assert importlib.util.find_spec("mlflow.entities.no_such_name") is None
        import mlflow
        assert list(pkgutil.walk_packages(mlflow.__path__, "mlflow.")) == []
        try:
            runpy.run_module("mlflow")
        except ImportError as error:
            assert "mlflow" in str(error)
        else:
            raise AssertionError
    """
    run(code, tmp_path)


def test_the_questions_that_packages_ask_about_the_version(tmp_path):
    code = """
        import importlib.metadata as metadata, re
        import mlflow
        for name in ("mlflow", "MLflow", "mlflow-skinny", "mlflow_tracing"):
            assert metadata.version(name) == mlflow.__version__ == "3.10.1", name
        assert tuple(int(part) for part in mlflow.__version__.split(".")) >= (2, 14)
        found = metadata.distribution("mlflow")
        assert (found.metadata["Name"], found.requires, list(found.entry_points)) == ("mlflow", None, [])
        assert metadata.packages_distributions()["mlflow"] == ["mlflow", "mlflow-skinny", "mlflow-tracing"]
        from packaging.version import Version
        assert Version("2.14") <= Version(mlflow.__version__) < Version("4")
        uninstall_as_mlflow()
        try:
            metadata.version("mlflow-skinny")
        except metadata.PackageNotFoundError:
            pass
        else:
            raise AssertionError
    """
    run(code, tmp_path)


def test_names_that_otflow_has_elsewhere(tmp_path):
    code = """
        import otflow, otflow.entities.span, otflow.tracing.provider, otflow.tracking
        modules = (otflow.entities.span, otflow.tracing.provider, otflow.tracking)
        before = [set(vars(module)) for module in modules]
        from mlflow import MlflowException
        from mlflow.entities.span import LiveSpan, NoOpSpan, Span, SpanEvent, SpanStatus, SpanType
        from mlflow.tracing.provider import detach_span_from_context, set_span_in_context
        from mlflow.tracing.constant import TRACE_REQUEST_ID_PREFIX, TRACE_SCHEMA_VERSION
        from mlflow.tracking import get_tracking_uri
        import mlflow.entities.span as span_module
        assert MlflowException is otflow.OtflowError and LiveSpan is otflow.entities.LiveSpan
        assert span_module.LiveSpan is LiveSpan and get_tracking_uri is otflow.get_tracking_uri
        assert (TRACE_REQUEST_ID_PREFIX, TRACE_SCHEMA_VERSION) == ("tr-", 3)
        root = otflow.start_span_no_context("root")
        token = set_span_in_context(root)
        assert otflow.get_current_active_span().span_id == root.span_id
        with otflow.start_span("child") as child:
            assert child.parent_id == root.span_id
        detach_span_from_context(token)
        assert otflow.get_current_active_span() is None
        root.end()
        otflow.tracing.disable()
        detach_span_from_context(set_span_in_context(otflow.start_span_no_context("none")))
        uninstall_as_mlflow()
        assert [set(vars(module)) for module in modules] == before
    """
    run(code, tmp_path)


def test_pickled_and_patched(tmp_path):
    code = """
        import pickle
        from unittest import mock
        import mlflow
        from mlflow.tracing.constant import SpanAttributeKey
        for value in (mlflow.entities.Feedback(name="a", value=1), mlflow.trace, SpanAttributeKey):
            assert pickle.loads(pickle.dumps(value)) == value
        pickled = pickle.dumps(mlflow.entities.Feedback(name="a", value=1))
        error = pickle.loads(pickle.dumps(mlflow.exceptions.MlflowException("x")))
        assert str(error) == "x"
        with mock.patch("mlflow.start_span") as patched:
            mlflow.start_span("a")
        assert patched.called and mlflow.start_span is not patched
        uninstall_as_mlflow()
        assert pickle.loads(pickled).value == 1
    """
    run(code, tmp_path)


def test_a_program_that_is_run_as_a_module(tmp_path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__init__.py").write_text(INSTALLED)
    (tmp_path / "program" / "__main__.py").write_text("import mlflow\nprint(mlflow.__version__)\n")
    done = subprocess.run(
        [sys.executable, "-m", "program"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "3.10.1\n"


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


# -- litellm -------------------------------------------------------------------------------------------------------

LITELLM = """
import asyncio, json, time
from otflow.compat import install_as_mlflow
install_as_mlflow()
import otflow
import litellm

litellm.success_callback = ["mlflow"]
litellm.failure_callback = ["mlflow"]
litellm.suppress_debug_info = True

def ask(question, function=litellm.completion, **more):
    more = {"mock_response": "an answer", **more}
    return function(model="gpt-4o-mini", messages=[{"role": "user", "content": question}], **more)

def spans():
    otflow.flush_trace_async_logging()
    return {
        span.inputs["messages"][0]["content"]: (trace, span)
        for trace in otflow.search_traces(return_type="list")
        for span in trace.data.spans
        if span.inputs
    }

def wait_for(*questions):  # it calls back in threads of its own
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not set(questions) <= set(spans()):
        time.sleep(0.05)

ask("plain")
"".join(part.choices[0].delta.content or "" for part in ask("streamed", stream=True))
try:
    ask("failing", mock_response=Exception("boom"))
except Exception:
    pass
with otflow.start_span("outer") as outer:
    ask("below", metadata={"tags": ["a"]})
    wait_for("below")

async def main():
    await ask("async", litellm.acompletion, metadata={"tags": ["a"]})
    async for part in await ask("async streamed", litellm.acompletion, stream=True):
        pass
    await asyncio.to_thread(wait_for, "async", "async streamed")

asyncio.run(main())
wait_for("plain", "streamed", "failing")
print(json.dumps({
    question: {
        "name": span.name, "type": span.span_type, "state": trace.info.state.value, "model": span.attributes["model"],
        "answer": (span.outputs or {}).get("choices", [{}])[0].get("message", {}).get("content"),
        "usage": trace.info.token_usage["output_tokens"] > 0,
        "events": [event.name for event in span.events],
        "below": span.parent_id == outer.span_id, "tagged": "a" in trace.info.tags,
    }
    for question, (trace, span) in spans().items()
}))
"""


def test_litellm_s_callback_for_mlflow(tmp_path):
    python = os.environ.get("OTFLOW_TEST_LITELLM_PYTHON", "")
    if not python:
        pytest.skip("OTFLOW_TEST_LITELLM_PYTHON names no Python with litellm and otflow")
    done = subprocess.run(
        [python, "-c", LITELLM],
        cwd=tmp_path,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},  # else it asks the network for prices
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "otflow" not in done.stderr, done.stderr
    common = {"type": "LLM", "model": "gpt-4o-mini", "state": "OK", "events": [], "usage": True, "below": False}
    common |= {"answer": "an answer", "tagged": False}
    sync, later = {"name": "litellm-completion", **common}, {"name": "litellm-acompletion", **common}
    failing = {**sync, "state": "ERROR", "answer": None, "events": ["exception"], "usage": False}
    assert found == {
        "plain": sync,
        "streamed": sync,
        "failing": failing,
        "below": {**sync, "below": True},
        "async": {**later, "tagged": True},
        "async streamed": later,
    }
