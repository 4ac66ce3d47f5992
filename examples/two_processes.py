"""One trace of two processes, made in two ways.

By headers: the worker has the store too, and its spans go on under the caller's span. By `add_trace`: the worker sends
its trace back with the answer, and the caller puts it under its own span; the worker needs no store that is shared.

    python examples/two_processes.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import otflow
from otflow.entities import SpanType
from otflow.tracing import (
    get_tracing_context_headers_for_http_request,
    set_tracing_context_from_http_request_headers,
)


@otflow.trace(span_type=SpanType.TOOL)
def add(a: int, b: int) -> int:
    """What the worker does."""
    return a + b


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Handle a request in the worker's process."""
    otflow.set_tracking_uri(request["store"])
    if "headers" in request:
        with set_tracing_context_from_http_request_headers(request["headers"]):
            return {"sum": add(*request["numbers"])}
    answer: dict[str, Any] = {"sum": add(*request["numbers"])}
    otflow.flush_trace_async_logging()
    trace_id = otflow.get_last_active_trace_id()
    assert trace_id is not None
    trace = otflow.get_trace(trace_id)
    assert trace is not None
    return {**answer, "trace": trace.to_dict()}


def ask(**request: Any) -> dict[str, Any]:
    """Have a worker handle a request: here a new process, elsewhere a call over the network."""
    done = subprocess.run(
        [sys.executable, __file__, "worker"], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    """Ask both ways, and look at the traces."""
    with tempfile.TemporaryDirectory() as folder:
        shared = f"sqlite:///{Path(folder) / 'traces.db'}"
        otflow.set_tracking_uri(shared)

        with otflow.start_span("by headers") as root:
            otflow.update_current_trace(tags={"team": "numbers"})
            headers = get_tracing_context_headers_for_http_request()
            root.set_outputs(ask(store=shared, headers=headers, numbers=[1, 2])["sum"])
        with otflow.start_span("by add_trace") as other:
            answer = ask(store=f"sqlite:///{Path(folder) / 'worker.db'}", numbers=[3, 4])
            otflow.add_trace(answer["trace"])
            other.set_outputs(answer["sum"])

        otflow.flush_trace_async_logging()
        for span in (root, other):
            trace = otflow.get_trace(span.trace_id)
            assert trace is not None
            names = {found.span_id: found.name for found in trace.data.spans}
            print(trace.info.tags["mlflow.traceName"])
            for found in trace.data.spans:
                if found.parent_id is not None:
                    print(f"    {found.name}, below {names[found.parent_id]}: {found.outputs}")
            assert "add" in names.values()
            assert trace.info.state == "OK"
        otflow.tracing.disable()


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        print(json.dumps(work(json.load(sys.stdin))))
    else:
        main()
