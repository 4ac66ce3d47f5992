"""Reading traces back."""

from __future__ import annotations

import pandas
import pytest

import otflow
from otflow.errors import FilterError, InvalidParameterError


def make(name: str, *, session: str | None = None, tags: dict[str, str] | None = None, start_ms: int | None = None):
    start = None if start_ms is None else start_ms * 1_000_000
    metadata = {"mlflow.trace.session": session} if session else None
    root = otflow.start_span_no_context(name, inputs={"q": name}, tags=tags, metadata=metadata, start_time_ns=start)
    child = otflow.start_span_no_context("child", parent_span=root, inputs={"x.y": 1, "n": name}, start_time_ns=start)
    child.end(outputs={"r": 1}, end_time_ns=start)
    root.end(outputs=f"did {name}", end_time_ns=start)
    return root.trace_id


class TestGetTrace:
    def test_unknown_traces(self, caplog):
        assert otflow.get_trace("tr-none") is None
        assert "tr-none" in caplog.text
        caplog.clear()
        assert otflow.get_trace("tr-none", silent=True) is None
        assert caplog.text == ""

    def test_straight_after_the_call(self):
        trace = otflow.get_trace(make("a"))
        assert [span.name for span in trace.data.spans] == ["a", "child"]
        assert trace.data.request == '{"q": "a"}'
        assert trace.data.response == '"did a"'


class TestLists:
    def test_newest_first_even_within_one_millisecond(self):
        ids = [make(str(n)) for n in range(20)]
        found = otflow.search_traces(return_type="list")
        assert [trace.info.trace_id for trace in found] == ids[::-1]

    def test_filters_order_and_limits(self):
        for n in range(5):
            make(f"t{n}", tags={"parity": str(n % 2)}, start_ms=1_700_000_000_000 + n)
        odd = otflow.search_traces(filter_string="tags.parity = '1'", return_type="list")
        assert [trace.info.tags["mlflow.traceName"] for trace in odd] == ["t3", "t1"]
        oldest = otflow.search_traces(order_by=["timestamp_ms ASC"], max_results=2, return_type="list")
        assert [trace.info.tags["mlflow.traceName"] for trace in oldest] == ["t0", "t1"]
        assert otflow.search_traces(max_results=0, return_type="list") == []
        assert otflow.search_traces(max_results=-1, return_type="list") == []

    def test_more_than_a_page(self):
        for n in range(250):
            otflow.log_trace(str(n))
        assert len(otflow.search_traces(return_type="list", include_spans=False)) == 250
        assert len(otflow.search_traces(return_type="list", max_results=130)) == 130

    def test_without_spans(self):
        make("a")
        [trace] = otflow.search_traces(return_type="list", include_spans=False)
        assert trace.data.spans == []
        assert trace.info.request_preview == '{"q": "a"}'

    def test_experiments(self):
        here, there = otflow.create_experiment("here"), otflow.create_experiment("there")
        otflow.set_experiment("here")
        first = make("a")
        otflow.set_experiment("there")
        second = make("b")

        def ids(**arguments):
            return {trace.info.trace_id for trace in otflow.search_traces(return_type="list", **arguments)}

        assert ids() == {second}
        assert ids(locations=[here]) == {first}
        assert ids(locations=[here, there]) == {first, second}
        assert ids(locations=[]) == {second}
        assert ids(locations=["4711"]) == set()
        with pytest.warns(FutureWarning, match="experiment_ids"):
            assert ids(experiment_ids=[here]) == {first}

    @pytest.mark.parametrize(
        "arguments",
        [
            {"return_type": "dict"},
            {"locations": "0"},
            {"locations": [0]},
            {"locations": ["catalog.schema"]},
            {"extract_fields": ["a.inputs"], "return_type": "list"},
        ],
    )
    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_arguments_that_are_refused(self, arguments):
        with pytest.raises(InvalidParameterError):
            otflow.search_traces(**arguments)

    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_both_names_of_one_argument(self):
        with pytest.raises(ValueError, match="not both"):
            otflow.search_traces(experiment_ids=["0"], locations=["0"])

    def test_a_malformed_filter_points_at_the_token(self):
        with pytest.raises(FilterError) as raised:
            otflow.search_traces(filter_string="tags.a = 'x' AND colour = 'red'")
        assert raised.value.text[raised.value.start :].startswith("colour")
        assert "^" in str(raised.value)
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"


class TestFrames:
    def test_columns_and_values(self):
        trace_id = make("a", tags={"t": "1"})
        otflow.log_feedback(trace_id=trace_id, value=1)
        frame = otflow.search_traces()
        assert isinstance(frame, pandas.DataFrame)
        assert list(frame.columns) == [
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
        row = frame.iloc[0]
        assert row.trace_id == trace_id
        assert row.request == {"q": "a"}
        assert row.response == "did a"
        assert row.tags["t"] == "1"
        assert [span["name"] for span in row.spans] == ["a", "child"]
        assert row.assessments[0]["feedback"] == {"value": 1}

    def test_no_results(self):
        frame = otflow.search_traces()
        assert len(frame) == 0
        assert len(frame.columns) == 12

    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_extract_fields(self):
        make("a")
        frame = otflow.search_traces(
            extract_fields=[
                "a.inputs",
                "child.outputs.r",
                "child.inputs.`x.y`",
                "a.outputs.no",
                "nobody.inputs",
                "wrong",
            ]
        )
        row = frame.iloc[0]
        assert row["a.inputs"] == {"q": "a"}
        assert row["child.outputs.r"] == 1
        assert row["child.inputs.x.y"] == 1
        assert row["a.outputs.no"] is None
        assert row["nobody.inputs"] is None
        assert "wrong" not in frame.columns


class TestSessions:
    def test_whole_sessions_the_latest_begun_first(self):
        base = 1_700_000_000_000
        make("a1", session="a", start_ms=base)
        make("b1", session="b", start_ms=base + 10)
        make("a2", session="a", start_ms=base + 20)
        make("none", start_ms=base + 30)
        sessions = otflow.search_sessions()
        assert [session.id for session in sessions] == ["b", "a"]
        assert [[trace.data.spans[0].name for trace in session] for session in sessions] == [["b1"], ["a1", "a2"]]
        assert [session.id for session in otflow.search_sessions(max_results=1)] in (["a"], ["b"])
        assert otflow.search_sessions(include_spans=False)[0].traces[0].data.spans == []
        assert otflow.search_sessions(max_results=0) == []

    def test_ids_with_quotes(self):
        make("a", session='it\'s "quoted" \\ `so`')
        [session] = otflow.search_sessions()
        assert session.id == 'it\'s "quoted" \\ `so`'
        assert len(session) == 1
