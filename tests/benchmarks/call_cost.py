"""What a decorated call costs its caller, as a ratio to a bare SDK span with the same JSON attributes.

    python tests/benchmarks/call_cost.py [--rounds 40] [--calls 500]

Both run in one process, in turn, in rounds of `--calls`; the figure is the median of the rounds' ratios, in CPU time
of the calling thread. The bare span goes through a BatchSpanProcessor to an exporter that drops it; otflow's goes to
a SQLite store (WAL, synchronous=NORMAL). Between rounds both writers are left to finish.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import otflow

ARGUMENTS = {"question": "What does functools.lru_cache do?", "top_k": 5}
ANSWER = {"answer": "It memoizes a function's results.", "documents": ["functools", "cachetools"], "score": 0.75}


class Drop(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


bare = TracerProvider(shutdown_on_exit=False)
bare_processor = BatchSpanProcessor(Drop(), max_queue_size=100_000)
bare.add_span_processor(bare_processor)
bare_tracer = bare.get_tracer("bare")


def bare_call(question: str, top_k: int) -> object:
    with bare_tracer.start_as_current_span("answer") as span:
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


@otflow.trace(name="answer", span_type="AGENT")
def traced_call(question: str, top_k: int) -> object:
    return ANSWER


def seconds_a_call(function: Callable[..., object], calls: int) -> float:
    start = time.thread_time()
    for _ in range(calls):
        function(**ARGUMENTS)
    return (time.thread_time() - start) / calls


def compare(title: str, subject: Callable[..., object], rounds: int, calls: int) -> float:
    ratios: list[float] = []
    costs: list[float] = []
    for _ in range(rounds):
        reference = seconds_a_call(bare_call, calls)
        bare_processor.force_flush()
        cost = seconds_a_call(subject, calls)
        otflow.flush_trace_async_logging()
        ratios.append(cost / reference)
        costs.append(cost)
    ratio = statistics.median(ratios)
    print(f"{title:32} {ratio:6.2f} times a bare SDK span   ({statistics.median(costs) * 1e6:.1f} µs)")
    return ratio


def measure(rounds: int, calls: int) -> dict[str, float]:
    """The ratio to a bare SDK span, by kind of call."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        otflow.set_tracking_uri(f"sqlite:///{directory}/bench.db")
        for function in (bare_call, traced_call):
            seconds_a_call(function, 200)
        found["root"] = compare("decorated call, root", traced_call, rounds, calls)
        with otflow.start_span("parent"):
            found["child"] = compare("decorated call, child", traced_call, rounds, calls)
        os.environ["OTFLOW_TRACE_SAMPLING_RATIO"] = "0"
        found["unsampled"] = compare("decorated call, not sampled", traced_call, rounds, calls)
        del os.environ["OTFLOW_TRACE_SAMPLING_RATIO"]
        otflow.tracing.disable()
        found["disabled"] = compare("decorated call, switched off", traced_call, rounds, calls)
        otflow.tracing.enable()
        otflow.testing.reset()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    measure(options.rounds, options.calls)


if __name__ == "__main__":
    main()
