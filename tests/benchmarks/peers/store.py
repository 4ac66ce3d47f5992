"""Writing traces until they are durable, and searching them, with otflow or MLflow: one program for both.

    PYTHON store.py write SUBJECT DATABASE TRACES SPANS    prints the CPU and wall seconds it took
    PYTHON store.py search SUBJECT DATABASE ROUNDS         prints milliseconds by question, the best of the rounds

Run by `compare_stores.py`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

action, subject, database = sys.argv[1:4]
if subject == "otflow":
    import otflow as mlflow
else:
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"  # as a script that must not lose its last traces has it
    import mlflow  # type: ignore[no-redef]

module: Any = mlflow
QUESTIONS: dict[str, dict[str, Any]] = {
    "with spans": {},
    "without spans": {"include_spans": False},
    "tag": {"filter_string": "tags.env = 'prod'"},
    "status": {"filter_string": "status = 'ERROR'"},
    # As many as a session has in the smaller database.
    "session": {"filter_string": "metadata.`mlflow.trace.session` = 'session-7'", "max_results": 10},
    "span name": {"filter_string": "span.name = 'step3'"},
    "feedback": {"filter_string": "feedback.good = 'true'"},
    "text": {"filter_string": "trace.text LIKE '%because%'"},
}


def main() -> None:
    module.set_tracking_uri(f"sqlite:///{database}")
    module.set_experiment("bench")
    if action == "write":
        print(json.dumps(write(int(sys.argv[4]), int(sys.argv[5]))))
    else:
        print(json.dumps(search(int(sys.argv[4]))))


def write(traces: int, spans: int) -> dict[str, float]:
    def one(number: int) -> str:
        with module.start_span("agent") as root:
            root.set_inputs({"question": "what is the answer to it all?"})
            tags = {"env": "dev" if number % 10 == 0 else "prod"}
            module.update_current_trace(tags=tags, metadata={"mlflow.trace.session": f"session-{number % 1000}"})
            for index in range(1, spans):
                with module.start_span(f"step{index}", span_type="TOOL") as span:
                    span.set_inputs({"text": "because " * 20})
                    span.set_outputs({"ok": True})
            root.set_outputs("because " * 20)
            if number % 100 == 0:
                root.set_status("ERROR")
            return root.trace_id

    one(0)  # the database is made
    module.flush_trace_async_logging()
    wall, cpu = time.perf_counter(), time.process_time()
    made = [one(number) for number in range(traces)]
    module.flush_trace_async_logging()
    figures = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    for trace_id in made[:: max(1, traces // 200)]:
        module.log_feedback(trace_id=trace_id, name="good", value=True)
    return figures


def search(rounds: int) -> dict[str, float | None]:
    experiment = module.get_experiment_by_name("bench").experiment_id
    found: dict[str, float | None] = {}
    for name, question in QUESTIONS.items():
        asked: dict[str, Any] = {
            "locations": [experiment], "max_results": 100, "return_type": "list", **question,
        }  # fmt: skip
        try:
            module.search_traces(**asked)
        except Exception as error:
            print(name, error, file=sys.stderr)
            found[name] = None
            continue
        found[name] = best(lambda asked=asked: module.search_traces(**asked), rounds)
    newest = module.search_traces(locations=[experiment], max_results=1, return_type="list")[0].info.trace_id
    found["get_trace"] = best(lambda: module.get_trace(newest), rounds * 3)
    return found


def best(call: Callable[[], object], rounds: int) -> float:
    shortest = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest * 1000


if __name__ == "__main__":
    main()
