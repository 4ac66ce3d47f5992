"""What is known of a trace beside its spans."""

from __future__ import annotations

import math
from typing import Any

import pytest

from otflow.entities import Feedback, TraceInfo, TraceLocation, TraceState, TraceStatus
from otflow.entities.timestamps import time_from_text, time_to_text
from otflow.errors import InvalidParameterError

LOCATION = TraceLocation.from_experiment_id("7")
MLFLOW_3 = {
    "trace_id": "tr-1",
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}},
    "request_time": "2024-01-02T03:04:05.678Z",
    "state": "OK",
}
FULL = {
    **MLFLOW_3,
    "request_preview": "q",
    "response_preview": "r",
    "client_request_id": "c",
    "execution_duration_ms": 12,
    "trace_metadata": {"a": "b"},
    "tags": {"t": "u"},
}
MLFLOW_2 = {
    "request_id": "abc",
    "experiment_id": "7",
    "timestamp_ms": 5,
    "execution_time_ms": 6,
    "status": "OK",
    "request_metadata": {"m": "1"},
    "tags": {"t": "2"},
}


def info(**fields: Any) -> TraceInfo:
    return TraceInfo("tr-1", LOCATION, 1_704_164_645_678, TraceState.OK, **fields)


def without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}


class TestMaking:
    def test_defaults(self):
        one = info()
        assert (one.request_preview, one.response_preview, one.client_request_id, one.execution_duration) == (None,) * 4
        assert (one.trace_metadata, one.tags, one.assessments) == ({}, {}, [])
        assert (one.token_usage, one.cost) == (None, None)
        assert one.experiment_id == "7"
        assert info().tags is not one.tags

    def test_state_by_name(self):
        assert TraceInfo("tr-1", LOCATION, 1, "ERROR").state is TraceState.ERROR  # type: ignore[arg-type]

    @pytest.mark.parametrize("state", ["ok", "WHAT", None, 1])
    def test_no_state(self, state):
        with pytest.raises(InvalidParameterError, match="is not a valid TraceState; allowed: "):
            TraceInfo("tr-1", LOCATION, 1, state)

    def test_equality_and_text(self):
        assert info() == info()
        assert info() != info(tags={"a": "b"})
        assert info() != "info"
        assert repr(info()).startswith("TraceInfo(trace_id='tr-1', trace_location=TraceLocation(type=<TraceLocation")
        assert "state=<TraceState.OK: 'OK'>, request_preview=None" in repr(info())


class TestFormerNames:
    def test_read(self):
        one = info(execution_duration=12, trace_metadata={"a": "b"})
        assert one.request_id == "tr-1"
        assert one.timestamp_ms == 1_704_164_645_678
        assert one.execution_time_ms == 12
        assert one.request_metadata == {"a": "b"}
        assert one.status is TraceStatus.OK

    def test_set(self):
        one = info()
        one.timestamp_ms = 5
        one.execution_time_ms = 6
        one.experiment_id = "8"
        assert (one.request_time, one.execution_duration) == (5, 6)
        assert one.trace_location == TraceLocation.from_experiment_id("8")

    @pytest.mark.parametrize("status", [TraceStatus.ERROR, TraceState.ERROR, "ERROR"])
    def test_set_status(self, status):
        one = info()
        one.status = status
        assert one.state is TraceState.ERROR

    def test_no_status(self):
        one = info()
        with pytest.raises(InvalidParameterError):
            one.status = "WHAT"
        assert one.state is TraceState.OK

    @pytest.mark.parametrize("name", ["request_id", "request_metadata", "token_usage", "cost"])
    def test_only_to_read(self, name):
        with pytest.raises(AttributeError):
            setattr(info(), name, "x")

    @pytest.mark.parametrize("state", TraceState)
    def test_states_and_statuses(self, state):
        assert TraceStatus.from_state(state).to_state() is state
        assert TraceStatus.from_state(state).name == state.name.removeprefix("STATE_")

    def test_a_place_that_is_no_experiment(self):
        one = TraceInfo("tr-1", TraceLocation.from_databricks_uc_schema("a", "b"), 1, TraceState.OK)
        assert one.experiment_id is None


def test_usage_and_cost():
    one = info(
        trace_metadata={"mlflow.trace.tokenUsage": '{"input_tokens": 1}', "mlflow.trace.cost": '{"total_cost": 0.5}'}
    )
    assert one.token_usage == {"input_tokens": 1}
    assert one.cost == {"total_cost": 0.5}


class TestDictionaries:
    def test_are_written_as_they_were_read(self):
        assert TraceInfo.from_dict(MLFLOW_3).to_dict() == MLFLOW_3
        assert TraceInfo.from_dict(FULL).to_dict() == FULL
        assert TraceInfo.from_dictionary(FULL) == TraceInfo.from_dict(FULL)

    def test_with_assessments(self):
        one = info(assessments=[Feedback("f", 1, trace_id="tr-1")])
        assert TraceInfo.from_dict(one.to_dict()) == one

    def test_tags_and_metadata_are_texts(self):
        assert info(tags={"a": 1}, trace_metadata={"b": True}).to_dict()["tags"] == {"a": "1"}
        assert info(trace_metadata={"b": True}).to_dict()["trace_metadata"] == {"b": "True"}

    @pytest.mark.parametrize("key", list(MLFLOW_3))
    def test_what_must_be_there(self, key):
        with pytest.raises(InvalidParameterError, match=f"Failed to create a TraceInfo object.*'{key}' is missing"):
            TraceInfo.from_dict(without(MLFLOW_3, key))

    def test_what_is_unknown_is_left(self):
        assert TraceInfo.from_dict({**MLFLOW_3, "of the future": 1}) == TraceInfo.from_dict(MLFLOW_3)

    @pytest.mark.parametrize(
        "change",
        [
            {"state": "WHAT"},
            {"state": None},
            {"request_time": "yesterday"},
            {"request_time": None},
            {"trace_location": None},
            {"trace_location": {}},
            {"trace_location": "7"},
            {"trace_location": {"type": "WHAT"}},
            {"execution_duration": "long"},
            {"tags": 5},
            {"assessments": [{}]},
            {"assessments": [5]},
        ],
    )
    def test_what_is_malformed(self, change):
        with pytest.raises(InvalidParameterError):
            TraceInfo.from_dict({**MLFLOW_3, **change})

    @pytest.mark.parametrize("data", [None, "x", [], 5])
    def test_no_dictionary(self, data):
        with pytest.raises(InvalidParameterError, match="expected a dictionary"):
            TraceInfo.from_dict(data)

    @pytest.mark.parametrize(
        ("given", "duration"),
        [
            ({}, None),
            ({"execution_duration_ms": 0}, 0),
            ({"execution_duration_ms": "5"}, 5),
            ({"execution_duration": "1.5s"}, 1500),
            ({"execution_duration": "0s"}, 0),
            ({"execution_duration": "0.001s"}, 1),
            ({"execution_duration": 7}, 7),
            ({"execution_duration": "1s", "execution_duration_ms": 5}, 5),
        ],
    )
    def test_durations(self, given, duration):
        assert TraceInfo.from_dict({**MLFLOW_3, **given}).execution_duration == duration


class TestMlflow2:
    def test_is_read(self):
        one = TraceInfo.from_dict(MLFLOW_2)
        assert one == TraceInfo(
            "abc", LOCATION, 5, TraceState.OK, execution_duration=6, trace_metadata={"m": "1"}, tags={"t": "2"}
        )
        assert one.to_dict()["trace_id"] == "abc"

    def test_tags_as_a_list(self):
        pairs = [{"key": "a", "value": "b"}]
        one = TraceInfo.from_dict({**MLFLOW_2, "tags": pairs, "request_metadata": pairs})
        assert one.tags == one.trace_metadata == {"a": "b"}

    @pytest.mark.parametrize(
        ("status", "state"),
        [("ERROR", "ERROR"), ("IN_PROGRESS", "IN_PROGRESS"), ("TRACE_STATUS_UNSPECIFIED", "STATE_UNSPECIFIED")],
    )
    def test_status(self, status, state):
        assert TraceInfo.from_dict({**MLFLOW_2, "status": status}).state.value == state

    @pytest.mark.parametrize("key", ["experiment_id", "timestamp_ms", "status"])
    def test_what_must_be_there(self, key):
        with pytest.raises(InvalidParameterError, match=f"'{key}' is missing"):
            TraceInfo.from_dict(without(MLFLOW_2, key))

    def test_no_status(self):
        with pytest.raises(InvalidParameterError, match="'WHAT' is not a valid TraceStatus"):
            TraceInfo.from_dict({**MLFLOW_2, "status": "WHAT"})


class TestTimes:
    @pytest.mark.parametrize(
        ("time_ms", "text"),
        [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (1_704_164_645_678, "2024-01-02T03:04:05.678Z"),
            (1_704_164_645_000, "2024-01-02T03:04:05Z"),
            (-1500, "1969-12-31T23:59:58.500Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
        ],
    )
    def test_and_back(self, time_ms, text):
        assert time_to_text(time_ms) == text
        assert time_from_text(text) == time_ms

    @pytest.mark.parametrize(
        ("text", "time_ms"),
        [
            ("1970-01-01T00:00:00.1Z", 100),
            ("1970-01-01T00:00:00.123456789Z", 123),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1970-01-01T00:00:00.5-01:30", 5_400_500),
            (5, 5),
        ],
    )
    def test_other_forms(self, text, time_ms):
        assert time_from_text(text) == time_ms

    @pytest.mark.parametrize(
        "text", ["", "x", "5", "2024-01-02", "2024-01-02T03:04:05", "2024-13-02T03:04:05Z", None, True]
    )
    def test_no_time(self, text):
        with pytest.raises(InvalidParameterError, match="is not a time; allowed: RFC 3339"):
            time_from_text(text)

    @pytest.mark.parametrize("time_ms", [10**18, -(10**18), None, "x", math.nan, math.inf])
    def test_no_text(self, time_ms):
        with pytest.raises(InvalidParameterError, match="is not a Unix time in milliseconds"):
            time_to_text(time_ms)
