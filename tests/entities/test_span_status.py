"""How spans end."""

from __future__ import annotations

import pytest
from opentelemetry.trace import Status, StatusCode

from otflow.entities import SpanStatus, SpanStatusCode
from otflow.errors import InvalidParameterError


def test_of_a_name():
    assert SpanStatus("OK") == SpanStatus(SpanStatusCode.OK)
    assert SpanStatus("ERROR", "no").description == "no"
    assert SpanStatus("OK").status_code is SpanStatusCode.OK
    assert SpanStatus("OK").description == ""
    assert SpanStatus("OK") != SpanStatus("ERROR")


@pytest.mark.parametrize("name", ["ok", "x", "", None, 1, "STATUS_CODE_OK"])
def test_of_no_name(name):
    with pytest.raises(InvalidParameterError, match=r"is not a valid SpanStatusCode value.*'UNSET', 'OK', 'ERROR'"):
        SpanStatus(name)


def test_text():
    assert repr(SpanStatus("ERROR", "no")) == (
        "SpanStatus(status_code=<SpanStatusCode.ERROR: 'ERROR'>, description='no')"
    )


@pytest.mark.parametrize("code", SpanStatusCode)
def test_opentelemetry_and_back(code):
    otel = SpanStatus(code, "why").to_otel_status()
    assert otel.status_code is StatusCode[code.value]
    assert otel.description == ("why" if code is SpanStatusCode.ERROR else None)
    assert SpanStatus.from_otel_status(otel) == SpanStatus(code, otel.description or "")


@pytest.mark.parametrize(("code", "number"), [("UNSET", 0), ("OK", 1), ("ERROR", 2)])
def test_otlp_and_back(code, number):
    proto = SpanStatus(code, "why").to_otel_proto_status()
    assert (proto.code, proto.message) == (number, "why")
    assert SpanStatus.from_otel_proto_status(proto) == SpanStatus(code, "why")


def test_description_of_nothing():
    assert SpanStatus.from_otel_status(Status(StatusCode.ERROR)).description == ""
