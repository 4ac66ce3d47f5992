"""Whole traces."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from otflow.entities import (
    Expectation,
    Feedback,
    Span,
    SpanType,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from otflow.errors import InvalidParameterError

TRACE_ID = f"tr-{1:032x}"


def span(number: int, name: str, parent: int | None = None, **attributes: str) -> Span:
    return Span.of(
        trace_id=TRACE_ID,
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        name=name,
        start_ns=number,
        end_ns=number + 1,
        attributes={f"mlflow.{key}": value for key, value in attributes.items()},
    )


def trace(*spans: Span, **info: Any) -> Trace:
    location = TraceLocation.from_experiment_id("0")
    return Trace(TraceInfo(TRACE_ID, location, 1_700_000_000_000, TraceState.OK, **info), TraceData(list(spans)))


class TestDictionaries:
    def test_shape(self):
        assert trace(span(1, "root")).to_dict() == {
            "info": {
                "trace_id": TRACE_ID,
                "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
                "request_time": "2023-11-14T22:13:20Z",
                "state": "OK",
            },
            "data": {"spans": [span(1, "root").to_dict()]},
        }

    def test_text(self):
        assert repr(trace()) == f"Trace(trace_id={TRACE_ID})"

    def test_json_is_compact_or_pretty(self):
        assert trace().to_json().startswith('{"info": {"trace_id": "tr-')
        assert trace().to_json(pretty=True).startswith('{\n  "info": {\n    "trace_id": "tr-')
        assert json.loads(trace().to_json()) == json.loads(trace().to_json(pretty=True)) == trace().to_dict()

    def test_json_of_values_that_json_does_not_have(self):
        feedback = Feedback(value={"seen": {1}, "at": object})
        assert Trace.from_json(trace(assessments=[feedback]).to_json()).info.assessments[0].value == {
            "seen": [1],
            "at": "<class 'object'>",
        }

    @pytest.mark.parametrize(
        "data", [{}, {"info": {}}, {"data": {}}, {"info": None, "data": {}}, {"info": {}, "data": None}]
    )
    def test_not_both_halves(self, data):
        with pytest.raises(InvalidParameterError, match=r"Expected keys: 'info' and 'data'. Received keys: "):
            Trace.from_dict(data)

    @pytest.mark.parametrize("data", [None, [], "x", 5])
    def test_no_dictionary(self, data):
        with pytest.raises(InvalidParameterError, match=f"expected a dictionary, got {type(data).__name__}"):
            Trace.from_dict(data)

    @pytest.mark.parametrize("text", ["nonsense", "", "{", None, "[" * 100_000])
    def test_no_json(self, text):
        with pytest.raises(InvalidParameterError, match="Unable to parse trace JSON") as raised:
            Trace.from_json(text)
        assert len(str(raised.value)) < 500

    @pytest.mark.parametrize("text", ["5", "[]", "null", '"text"'])
    def test_json_of_no_dictionary(self, text):
        with pytest.raises(InvalidParameterError, match="expected a dictionary"):
            Trace.from_json(text)

    def test_what_is_wrong_inside_is_said(self):
        good = trace(span(1, "root")).to_dict()
        del good["data"]["spans"][0]["name"]
        with pytest.raises(InvalidParameterError, match=r"Failed to create a Span object.*'name' is missing"):
            Trace.from_dict(good)


class TestDataFrame:
    def test_columns_are_those_of_a_row(self):
        assert list(trace().to_pandas_dataframe_row()) == Trace.pandas_dataframe_columns()
        assert Trace.pandas_dataframe_columns() == [
            "trace_id",
            "trace",
            "client_request_id",
            "state",
            "request_time",
            "execution_duration",
            "request",
            "response",
            "trace_metadata",
            "tags",
            "spans",
            "assessments",
        ]

    def test_row(self):
        one = trace(
            span(1, "root", spanInputs='{"q": 1}', spanOutputs='"text"'),
            client_request_id="c",
            execution_duration=5,
            tags={"t": "1"},
            trace_metadata={"m": "2"},
            assessments=[Feedback(value=1)],
        )
        row = one.to_pandas_dataframe_row()
        assert Trace.from_json(row.pop("trace")) == one
        assert row == {
            "trace_id": TRACE_ID,
            "client_request_id": "c",
            "state": TraceState.OK,
            "request_time": 1_700_000_000_000,
            "execution_duration": 5,
            "request": {"q": 1},
            "response": "text",
            "trace_metadata": {"m": "2"},
            "tags": {"t": "1"},
            "spans": [one.data.spans[0].to_dict()],
            "assessments": [one.info.assessments[0].to_dictionary()],
        }

    def test_row_of_no_spans(self):
        row = trace().to_pandas_dataframe_row()
        assert (row["request"], row["response"], row["spans"]) == (None, None, [])


class TestSpans:
    found = trace(
        span(1, "agent", spanType='"AGENT"'),
        span(2, "tool_1", 1, spanType='"TOOL"'),
        span(3, "tool_2", 1, spanType='"TOOL"'),
        span(4, "tool_1", 3, spanType='"LLM"'),
        span(5, "bare", 1),
    )

    @pytest.mark.parametrize(
        ("criteria", "numbers"),
        [
            ({}, [1, 2, 3, 4, 5]),
            ({"span_type": "TOOL"}, [2, 3]),
            ({"span_type": SpanType.LLM}, [4]),
            ({"span_type": "tool"}, []),
            ({"span_type": "UNKNOWN"}, [5]),
            ({"name": "tool_1"}, [2, 4]),
            ({"name": "tool"}, []),
            ({"name": ""}, []),
            ({"name": re.compile("ool_")}, [2, 3, 4]),
            ({"name": re.compile("TOOL_1", re.IGNORECASE)}, [2, 4]),
            ({"span_id": f"{3:016x}"}, [3]),
            ({"span_id": "0x3"}, []),
            ({"span_type": "LLM", "name": "tool_1"}, [4]),
            ({"span_type": "TOOL", "name": "tool_1", "span_id": f"{4:016x}"}, []),
        ],
    )
    def test_search(self, criteria, numbers):
        assert [int(one.span_id, 16) for one in self.found.search_spans(**criteria)] == numbers

    def test_by_position(self):
        assert [int(one.span_id, 16) for one in self.found.search_spans("TOOL", "tool_1", f"{2:016x}")] == [2]

    @pytest.mark.parametrize("span_type", [5, b"TOOL", ["TOOL"]])
    def test_no_type(self, span_type):
        with pytest.raises(InvalidParameterError, match=r"Invalid type for 'span_type'. Expected str or .*SpanType"):
            self.found.search_spans(span_type=span_type)

    @pytest.mark.parametrize("name", [5, ["tool"], b"tool"])
    def test_no_name(self, name):
        with pytest.raises(InvalidParameterError, match=r"Invalid type for 'name'. Expected str or re.Pattern"):
            self.found.search_spans(name=name)


class TestAssessments:
    found = trace(
        assessments=[
            Feedback("a", 1),
            Feedback("a", 2, valid=False),
            Feedback("b", 3, span_id="s"),
            Expectation("a", 4),
            Expectation("c", 5, span_id="s"),
        ]
    )

    @pytest.mark.parametrize(
        ("criteria", "values"),
        [
            ({}, [1, 3, 4, 5]),
            ({"all": True}, [1, 2, 3, 4, 5]),
            ({"name": "a"}, [1, 4]),
            ({"name": "a", "all": True}, [1, 2, 4]),
            ({"name": "x"}, []),
            ({"span_id": "s"}, [3, 5]),
            ({"span_id": "x"}, []),
            ({"type": "feedback"}, [1, 3]),
            ({"type": "expectation"}, [4, 5]),
            ({"name": "a", "type": "expectation"}, [4]),
        ],
    )
    def test_search(self, criteria, values):
        assert [one.value for one in self.found.search_assessments(**criteria)] == values  # type: ignore[attr-defined]

    def test_only_the_name_by_position(self):
        assert len(self.found.search_assessments("a")) == 2
        with pytest.raises(TypeError):
            self.found.search_assessments("a", "s")  # type: ignore[misc]


class TestData:
    def test_of_nothing(self):
        for data in (
            TraceData(),
            TraceData(None),
            TraceData([]),
            TraceData.from_dict({}),
            TraceData.from_dict({"spans": None}),
        ):
            assert data.spans == []
            assert (data.request, data.response) == (None, None)
        assert TraceData() == TraceData()
        assert repr(TraceData()) == "TraceData(spans=[])"

    def test_what_former_versions_wrote_beside_the_spans(self):
        data = TraceData(spans=[span(1, "root", spanInputs='"new"')], request="old", response="old")
        assert (data.request, data.response) == ('"new"', None)
        assert TraceData.from_dict({"spans": [], "request": "old", "response": "old"}).request is None

    @pytest.mark.parametrize("data", [None, "x", []])
    def test_no_dictionary(self, data):
        with pytest.raises(InvalidParameterError, match="TraceData"):
            TraceData.from_dict(data)

    @pytest.mark.parametrize("data", [{"spans": 5}, {"spans": [5]}, {"spans": [{}]}])
    def test_no_spans(self, data):
        with pytest.raises(InvalidParameterError):
            TraceData.from_dict(data)

    def test_equality(self):
        assert TraceData([span(1, "a")]) == TraceData([span(1, "a")])
        assert TraceData([span(1, "a")]) != TraceData([span(1, "b")])
        assert TraceData([]) != []

    def test_request_and_response_are_the_texts_of_the_root(self):
        data = TraceData(
            [span(2, "child", 1, spanInputs='"c"'), span(1, "root", spanInputs='{"a":1}', spanOutputs="null")]
        )
        assert (data.request, data.response) == ('{"a":1}', "null")

    def test_the_first_of_two_roots_counts(self):
        assert TraceData([span(1, "a", spanInputs="1"), span(2, "b", spanInputs="2")]).request == "1"

    def test_a_root_whose_parent_is_in_another_process_counts(self):
        data = TraceData([span(2, "child", 1, spanInputs='"c"'), span(1, "local root", 9, spanInputs='"r"')])
        assert data.request == '"r"'


class TestIntermediateOutputs:
    def of(self, *spans: Span) -> Any:
        with pytest.warns(FutureWarning, match="deprecated"):
            return TraceData(list(spans)).intermediate_outputs

    def test_none_without_other_spans(self):
        assert self.of() is None
        assert self.of(span(1, "root", spanOutputs="1")) is None

    def test_of_the_other_spans(self):
        assert self.of(span(1, "root", spanOutputs="1")) is None
        assert self.of(span(1, "root", spanOutputs="1"), span(2, "b", 1, spanOutputs="[2]"), span(3, "c", 1)) == {
            "b": [2]
        }
        assert self.of(span(1, "root"), span(2, "b", 1, spanOutputs="null")) == {}

    def test_same_names_are_numbered(self):
        assert self.of(
            span(1, "root"),
            span(2, "b", 1, spanOutputs="1"),
            span(3, "b", 1),
            span(4, "b", 1, spanOutputs="3"),
            span(5, "c", 1, spanOutputs="4"),
        ) == {"b_1": 1, "b_3": 3, "c": 4}

    def test_those_that_the_root_names_count(self):
        root = span(1, "root", **{"trace.intermediate_outputs": '{"z": 1}'})
        assert self.of(root, span(2, "b", 1, spanOutputs="1")) == {"z": 1}
