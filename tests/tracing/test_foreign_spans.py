"""Spans of other instrumentation, through the public API: below otflow's in this process, and as OTLP into a store."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as otel

import otflow
from otflow.entities import Span, Trace
from otflow.store.opening import open_store
from otflow.wire.otlp import decode_spans

CAPTURES = sorted((Path(__file__).parents[1] / "data" / "otlp").rglob("*.otlp.pb"))
IDS = [path.name.partition(".")[0] for path in CAPTURES]


def spans_of(path: Path) -> list[Span]:
    return decode_spans(path.read_bytes())


def replayed(spans: list[Span]) -> Trace:
    """The trace of a function of otflow's, below which the captured spans are made again by a tracer."""
    tracer = otel.get_tracer("replay")
    with otflow.start_span("ours") as root:
        root.set_inputs({"question": "?"})
        for span in spans:
            with tracer.start_as_current_span(span.name) as made:
                for key, value in span.raw_attributes.items():
                    if not key.startswith("mlflow."):
                        made.set_attribute(key, value)
                for event in span.events:
                    made.add_event(event.name, event.attributes)
        root.set_outputs("done")
    found = otflow.get_trace(root.trace_id)
    assert found is not None
    return found


@pytest.mark.parametrize("path", CAPTURES, ids=IDS)
def test_spans_below_ours_are_stored_as_ours(path: Path) -> None:
    spans = spans_of(path)
    stored = replayed(spans)
    (root,) = [span for span in stored.data.spans if span.name == "ours"]
    others = [span for span in stored.data.spans if span.name != "ours"]
    assert len(others) == len(spans)
    assert {span.parent_id for span in others} == {root.span_id}
    calls = [span for span in others if span.span_type in ("CHAT_MODEL", "LLM")]
    assert calls
    for call in calls:
        assert call.model_name or call.inputs or call.get_attribute("gen_ai.request.model")
    used = [usage for span in others if (usage := span.get_attribute("mlflow.chat.tokenUsage"))]
    total = stored.info.token_usage or {"input_tokens": 0}
    assert total["input_tokens"] == sum(usage["input_tokens"] for usage in used)
    assert stored.info.request_preview == '{"question": "?"}'
    kind = calls[0].span_type
    assert len(otflow.search_traces(filter_string=f"span.type = '{kind}'", return_type="list")) == 1


@pytest.mark.parametrize("path", CAPTURES, ids=IDS)
def test_foreign_traces_in_a_store(path: Path, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'traces.db'}")
    spans = spans_of(path)
    store.write_spans("0", spans)
    for trace_id, members in _by_trace(spans).items():
        found = store.get_trace(trace_id)
        assert len(found.data.spans) == len(members)
        root = found.data.spans[0]
        if root.inputs is not None:
            assert found.info.request_preview
            assert '"parts"' not in found.info.request_preview
        sessions = {span.get_attribute("session.id") for span in found.data.spans} - {None}
        assert (found.info.trace_metadata.get("mlflow.trace.session") in sessions) == bool(sessions)
    store.close()


def test_what_the_user_asked_is_the_preview(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'traces.db'}")
    spans = spans_of(next(path for path in CAPTURES if path.name.startswith("openai_v2")))
    store.write_spans("0", spans)
    found = store.get_trace(spans[0].trace_id).info
    assert (found.request_preview, found.response_preview) == ("Say hi, ünïcode ✓", "Echo: Say hi, ünïcode ✓")
    store.close()


def test_the_cost_of_pydantic_ai_adds_up() -> None:
    spans = spans_of(next(path for path in CAPTURES if path.name.startswith("pydantic_ai")))
    stated = [span.raw_attributes["operation.cost"] for span in spans if "operation.cost" in span.raw_attributes]
    stored = replayed(spans)
    assert json.loads(stored.info.trace_metadata["mlflow.trace.cost"])["total_cost"] == pytest.approx(sum(stated))


def _by_trace(spans: list[Span]) -> dict[str, list[Span]]:
    found: defaultdict[str, list[Span]] = defaultdict(list)
    for span in spans:
        found[span.trace_id].append(span)
    return found


# -- session and user of a trace ------------------------------------------------------------------------------------


def one(span_id: str, parent_id: str | None, start_ns: int, **attributes: Any) -> Span:
    return Span.of(
        trace_id="tr-" + "ab" * 16,
        span_id=span_id * 16,
        parent_id=parent_id and parent_id * 16,
        name=span_id,
        start_ns=start_ns,
        end_ns=start_ns + 10,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
    )


def test_the_session_is_the_same_in_whatever_order_the_spans_come(tmp_path: Path) -> None:
    spans = [
        one("a", None, 100),
        one("b", "a", 130, gen_ai__conversation__id="late", user__id="u2"),
        one("c", "a", 120, gen_ai__conversation__id="early"),
        one("d", "a", 140, langfuse__user__id="u3"),
    ]
    for number, order in enumerate(itertools.permutations(spans)):
        store = open_store(f"sqlite:///{tmp_path / str(number)}.db")
        for span in order:
            store.write_spans("0", [span])
        metadata = store.get_trace_info(spans[0].trace_id).trace_metadata
        assert (metadata["mlflow.trace.session"], metadata["mlflow.trace.user"]) == ("early", "u2")
        store.close()


def test_what_the_program_says_of_the_session_counts() -> None:
    tracer = otel.get_tracer("replay")
    with otflow.start_span("ours") as root:
        otflow.update_current_trace(metadata={"mlflow.trace.session": "mine"})
        with tracer.start_as_current_span("theirs", attributes={"session.id": "theirs", "user.id": "u"}):
            pass
    found = otflow.get_trace(root.trace_id)
    assert found is not None
    assert found.info.trace_metadata["mlflow.trace.session"] == "mine"
    assert found.info.trace_metadata["mlflow.trace.user"] == "u"
