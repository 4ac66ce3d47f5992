"""Traces that belong together."""

from __future__ import annotations

import pytest

from otflow.entities import Session, Trace, TraceData, TraceInfo, TraceLocation, TraceState


def trace(session: str | None) -> Trace:
    metadata = {"mlflow.trace.session": session} if session else {}
    location = TraceLocation.from_experiment_id("0")
    return Trace(TraceInfo("tr-1", location, 1, TraceState.OK, trace_metadata=metadata), TraceData())


def test_of_traces():
    traces = [trace("s"), trace("s")]
    session = Session(traces)
    assert session.id == "s"
    assert session.traces == traces
    assert list(session) == traces
    assert len(session) == 2
    assert session[0] is traces[0]
    assert session[-1] is traces[1]
    assert repr(session) == "Session(id='s')"


def test_of_nothing():
    assert Session([]).id is None
    assert not Session([])
    assert Session([trace(None)]).id is None


def test_id_cannot_be_set():
    with pytest.raises(AttributeError):
        Session([]).id = "s"  # type: ignore[misc]
