from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import Feedback, TraceInfo, TraceLocation, TraceState
from otflow.errors import OtflowError
from otflow.wire.traces import trace_from_json, trace_info_from_json, trace_info_to_json

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "mlflow_exchanges.json").read_text()
)
WRITTEN = next(x for x in EXCHANGES if (x["call"], x["path"]) == ("trace", "/api/3.0/mlflow/traces"))
BATCH = next(x for x in EXCHANGES if x["path"].endswith("/batchGet"))


def test_the_recorded_info() -> None:
    info = trace_info_from_json(WRITTEN["response"]["trace"]["trace_info"])
    assert info.trace_id == "tr-32380668b3917424880202ace135da2b"
    assert (info.experiment_id, info.client_request_id, info.state) == ("2", "req-1", TraceState.OK)
    assert (info.request_time, info.execution_duration) == (1795405001869, 229)
    assert (info.request_preview, info.response_preview) == ("rp", "rs")
    assert info.tags["env"] == "test"
    assert info.trace_metadata["mlflow.trace.session"] == "s1"
    assert info.token_usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.mark.parametrize("side", ["request", "response"])
def test_a_recorded_info_comes_back_as_it_was(side: str) -> None:
    data = WRITTEN[side]["trace"]["trace_info"]
    assert trace_info_to_json(trace_info_from_json(data)) == data


def test_recorded_traces_with_spans_and_assessments() -> None:
    (trace,) = [trace_from_json(data) for data in BATCH["response"]["traces"]]
    assert [span.name for span in trace.data.spans] == ["agent", "llm"]
    assert {assessment.name for assessment in trace.info.assessments} >= {"faith", "err", "f2"}


def test_spans_come_by_start_time_the_root_first() -> None:
    data = json.loads(json.dumps(BATCH["response"]["traces"][0]))
    root, child = data["spans"]
    earlier = {**child, "span_id": "AAAAAAAAAAE=", "name": "earlier", "start_time_unix_nano": 1}
    data["spans"] = [child, earlier, root]
    assert [span.name for span in trace_from_json(data).data.spans] == ["agent", "earlier", "llm"]


TEXTS = st.dictionaries(st.text(), st.text(), max_size=3)


@given(
    times=st.tuples(*[st.integers(min_value=0, max_value=2**42)] * 2),
    state=st.sampled_from(TraceState),
    previews=st.tuples(*[st.none() | st.text()] * 3),
    texts=st.tuples(TEXTS, TEXTS),
    assessments=st.lists(st.builds(lambda value: Feedback(name="f", value=value), st.booleans()), max_size=2),
)
def test_an_info_comes_back(
    times: tuple[int, int],
    state: TraceState,
    previews: tuple[str | None, str | None, str | None],
    texts: tuple[dict[str, str], dict[str, str]],
    assessments: list[Any],
) -> None:
    info = TraceInfo(
        trace_id="tr-1",
        trace_location=TraceLocation.from_experiment_id("7"),
        request_time=times[0],
        execution_duration=times[1],
        state=state,
        request_preview=previews[0],
        response_preview=previews[1],
        client_request_id=previews[2],
        trace_metadata=texts[0],
        tags=texts[1],
        assessments=assessments,
    )
    back = trace_info_from_json(json.loads(json.dumps(trace_info_to_json(info))))
    assert back.to_dict() == info.to_dict()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"trace_id": "tr-1"},
        {"trace_id": "tr-1", "trace_location": {"type": "UC_SCHEMA"}, "request_time": "2026-01-01T00:00:00Z"},
        {"trace_id": "tr-1", "trace_location": {"mlflow_experiment": {"experiment_id": "1"}}, "request_time": 5},
    ],
)
def test_a_malformed_info_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(OtflowError, match="malformed"):
        trace_info_from_json(data)
