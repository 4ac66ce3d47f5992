"""A store with a few traces of known ids and times, and the command run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from otflow.cli import main
from otflow.entities import Expectation, Feedback, Span, TraceState
from otflow.store.interface import TraceWrite
from otflow.store.opening import open_store

START_NS = 1_767_225_600_000_000_000


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `otflow` with words; what it printed, and how it ended."""

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


def trace_id(number: int) -> str:
    return f"tr-{number:032x}"


def write_trace(
    uri: str, number: int, *, experiment: str = "0", state: TraceState = TraceState.OK, **more: object
) -> str:
    """Write a trace of two spans, which begins `number` seconds after START_NS."""
    store = open_store(uri)
    an_id, start = trace_id(number), START_NS + number * 1_000_000_000
    root = Span.of(
        trace_id=an_id,
        span_id=f"{number * 16 + 1:016x}",
        parent_id=None,
        name=f"ask {number}",
        start_ns=start + 7,
        end_ns=None if state is TraceState.IN_PROGRESS else start + 2_500_000,
        status_code="ERROR" if state is TraceState.ERROR else "OK",
        attributes={"mlflow.spanInputs": f'{{"q": {number}}}', "mlflow.spanType": '"AGENT"', "plain": "text"},
    )
    child = Span.of(
        trace_id=an_id,
        span_id=f"{number * 16 + 2:016x}",
        parent_id=root.span_id,
        name="model",
        start_ns=start + 1000,
        end_ns=start + 2_000_000,
        kind=2,
        scope="some.library",
        resource={"service.name": "shop"},
        attributes={
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}',
            "mlflow.llm.model": '"m-1"',
            "compact": '{"a":1}',
        },
    )
    write = TraceWrite(
        an_id,
        experiment,
        start + 7,
        state,
        execution_duration_ms=None if state is TraceState.IN_PROGRESS else 2,
        tags={"env": "prod", **more},  # type: ignore[dict-item]
        metadata={"mlflow.trace.session": "s1", "zoo": "1"},
        request_preview=f"question {number}",
        response_preview="answer",
    )
    store.write_traces([write], [root, child])
    store.close()
    return an_id


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A store with three traces in Default and one in `other`; the second one has failed and is assessed."""
    uri = f"sqlite:///{tmp_path}/traces.db"
    store = open_store(uri)
    other = store.create_experiment("other")
    store.close()
    write_trace(uri, 1)
    second = write_trace(uri, 2, state=TraceState.ERROR)
    write_trace(uri, 3, state=TraceState.IN_PROGRESS)
    write_trace(uri, 4, experiment=other)
    store = open_store(uri)
    store.create_assessment(Feedback("good", 0.5, trace_id=second, rationale="why not"))
    store.create_assessment(Expectation("expected", {"answer": [1]}, trace_id=second))
    store.link_prompts_to_trace(second, [("greeting", "3")])
    store.close()
    return uri
