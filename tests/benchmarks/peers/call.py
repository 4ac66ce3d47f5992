"""What a decorated call costs with one tracing library, as a ratio to a bare SDK span in the same process.

    PYTHON call.py SUBJECT CALLS

Run by `compare_calls.py`, with the Python of the library's own environment. For each line `root`, `child`,
`unsampled` or `disabled` on standard input a round is measured, and its figures are printed as one line of JSON: CPU
time of the calling thread and wall time, of the library and of the bare span, in seconds a call.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

subject, calls = sys.argv[1], int(sys.argv[2])
ARGUMENTS = {"question": "What does functools.lru_cache do?", "top_k": 5}
ANSWER = {"answer": "It memoizes a function's results.", "documents": ["functools", "cachetools"], "score": 0.75}


def answer(question: str, top_k: int) -> object:
    return ANSWER


# -- the yardstick -----------------------------------------------------------------------------------


def bare() -> tuple[Callable[..., object], Callable[[], object]]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(dropping_exporter(), max_queue_size=100_000)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("bare")

    def call(question: str, top_k: int) -> object:
        with tracer.start_as_current_span("answer") as span:
            span.set_attributes(
                {
                    "mlflow.traceRequestId": json.dumps(f"tr-{span.get_span_context().trace_id:032x}"),
                    "mlflow.spanType": json.dumps("AGENT"),
                    "mlflow.spanFunctionName": json.dumps("answer"),
                    "mlflow.spanInputs": json.dumps({"question": question, "top_k": top_k}, ensure_ascii=False),
                }
            )
            span.set_attribute("mlflow.spanOutputs", json.dumps(ANSWER, ensure_ascii=False))
            return ANSWER

    return call, processor.force_flush


def dropping_exporter() -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Drop(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return Drop()


# -- the subjects: the decorated call, a context that makes it a child, a flush, and switches ----------------


class Subject:
    call: Callable[..., object]
    parent: Callable[[], Any]
    flush: Callable[[], object]

    def unsampled(self, on: bool) -> None:
        raise NotImplementedError

    def disabled(self, on: bool) -> None:
        raise NotImplementedError


class Mlflow(Subject):
    """otflow and MLflow: the same program."""

    variable = "MLFLOW_TRACE_SAMPLING_RATIO"

    def __init__(self, directory: str) -> None:
        if subject == "otflow":
            import otflow as mlflow
        else:
            # Its faster mode: the caller does not wait for the store.
            os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "true"
            import mlflow
        self.module: Any = mlflow
        mlflow.set_tracking_uri(f"sqlite:///{directory}/bench.db")
        mlflow.set_experiment("bench")
        self.call = mlflow.trace(name="answer", span_type="AGENT")(answer)
        self.parent = lambda: mlflow.start_span("parent")
        self.flush = mlflow.flush_trace_async_logging

    def unsampled(self, on: bool) -> None:
        if on:
            os.environ[self.variable] = "0"
        else:
            del os.environ[self.variable]
        if subject != "otflow":
            self.module.tracing.reset()  # the ratio is read when the provider is made

    def disabled(self, on: bool) -> None:
        (self.module.tracing.disable if on else self.module.tracing.enable)()


class Logfire(Subject):
    def __init__(self, directory: str) -> None:
        import logfire
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        processor = BatchSpanProcessor(dropping_exporter(), max_queue_size=100_000)
        logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[processor])
        self.call = logfire.instrument("answer", record_return=True)(answer)
        self.parent = lambda: logfire.span("parent")
        self.flush = processor.force_flush


class Langfuse(Subject):
    def __init__(self, directory: str) -> None:
        from langfuse import Langfuse as Client
        from langfuse import observe

        client = Client(
            public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", span_exporter=dropping_exporter()
        )
        self.call = observe(name="answer", as_type="agent")(answer)
        self.parent = lambda: client.start_as_current_observation(name="parent")
        self.flush = client.flush


class Traceloop(Subject):
    def __init__(self, directory: str) -> None:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from traceloop.sdk import Traceloop as Client
        from traceloop.sdk.decorators import task

        processor = BatchSpanProcessor(dropping_exporter(), max_queue_size=100_000)
        with contextlib.redirect_stdout(sys.stderr):
            Client.init(app_name="bench", processor=processor, telemetry_enabled=False)
        from opentelemetry import trace

        self.call = task(name="answer")(answer)
        self.parent = lambda: trace.get_tracer("parent").start_as_current_span("parent")
        self.flush = processor.force_flush


class Phoenix(Subject):
    def __init__(self, directory: str) -> None:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from phoenix.otel import TracerProvider

        with contextlib.redirect_stdout(sys.stderr):
            provider = TracerProvider(endpoint="http://127.0.0.1:9/v1/traces", verbose=False)
            processor = BatchSpanProcessor(dropping_exporter(), max_queue_size=100_000)
            provider.add_span_processor(processor)  # replaces the default one
        tracer: Any = provider.get_tracer("bench")
        self.call = tracer.agent(name="answer")(answer)
        self.parent = lambda: tracer.start_as_current_span("parent")
        self.flush = processor.force_flush


SUBJECTS: dict[str, type[Subject]] = {
    "otflow": Mlflow,
    "mlflow-3.10.1": Mlflow,
    "mlflow-3.17.2": Mlflow,
    "logfire": Logfire,
    "langfuse": Langfuse,
    "traceloop": Traceloop,
    "phoenix": Phoenix,
}


def cost(call: Callable[..., object], number: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(number):
        call(**ARGUMENTS)
    return (time.thread_time() - cpu) / number, (time.perf_counter() - wall) / number


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        bare_call, bare_flush = bare()
        tested = SUBJECTS[subject](directory)
        cost(bare_call, 50)
        cost(tested.call, 50)
        print("ready", flush=True)
        for line in sys.stdin:
            what = line.strip()
            try:
                reference = cost(bare_call, calls)
                bare_flush()
                if what == "child":
                    with tested.parent():
                        figures = cost(tested.call, calls)
                elif what == "root":
                    figures = cost(tested.call, calls)
                else:
                    switch = tested.unsampled if what == "unsampled" else tested.disabled
                    switch(True)
                    figures = cost(tested.call, calls)
                    switch(False)
            except NotImplementedError:
                print("null", flush=True)
                continue
            tested.flush()
            print(json.dumps({"cpu": figures[0], "wall": figures[1], "bare": reference}), flush=True)


if __name__ == "__main__":
    main()
