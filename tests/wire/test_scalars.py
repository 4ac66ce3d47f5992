from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.trace_info import TraceInfo
from otflow.errors import OtflowError
from otflow.wire.scalars import duration_text, integer, member, members


@pytest.mark.parametrize(("ms", "text"), [(229, "0.229s"), (1000, "1s"), (1500, "1.500s"), (0, "0s"), (-1, "-0.001s")])
def test_durations_read_as_mlflow_writes_them(ms: int, text: str) -> None:
    assert duration_text(ms) == text


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_durations_come_back(ms: int) -> None:
    data = {
        "trace_id": "tr-1",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}},
        "request_time": "2026-11-23T03:36:41.869Z",
        "state": "OK",
        "execution_duration": duration_text(ms),
    }
    assert TraceInfo.from_dict(data).execution_duration == ms


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("1795405002066046192", 1795405002066046192), (None, 0)])
def test_integers_may_be_strings(value: object, number: int) -> None:
    assert integer(value) == number


@pytest.mark.parametrize("value", ["soon", 1.5, True, [], ""])
def test_what_is_no_integer_is_refused(value: object) -> None:
    with pytest.raises(OtflowError, match="malformed"):
        integer(value)


def test_members_that_are_absent_are_empty() -> None:
    assert member({}, "a", "thing") == {}
    assert members({"a": None}, "a", "things") == []


@pytest.mark.parametrize("data", [None, [], "text", {"a": 5}, {"a": [5]}, {"a": {"b": 1}}])
def test_members_of_another_kind_are_refused(data: object) -> None:
    with pytest.raises(OtflowError, match="malformed things"):
        members(data, "a", "things")
