"""Events of spans."""

from __future__ import annotations

import json

import pytest

from otflow import clock
from otflow.entities import SpanEvent
from otflow.errors import InvalidParameterError


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_time_is_nanoseconds_now():
    clock.use(lambda: 1_700_000_000_123_456_789)
    try:
        event = SpanEvent("e")
    finally:
        clock.use(None)
    assert event.timestamp == 1_700_000_000_123_456_789
    assert event.attributes == {}


def test_equality_and_text():
    assert SpanEvent("e", 5, {"a": 1}) == SpanEvent("e", 5, {"a": 1})
    assert SpanEvent("e", 5) != SpanEvent("e", 6)
    assert repr(SpanEvent("e", 5, {"a": 1})) == "SpanEvent(name='e', timestamp=5, attributes={'a': 1})"


def test_json():
    assert SpanEvent("e", 5).json() == {"name": "e", "timestamp": 5, "attributes": None}
    found = SpanEvent("e", 5, {"ž": [1, (2,)]}).json()
    assert json.loads(found["attributes"]) == {"ž": [1, [2]]}


def test_of_a_dictionary():
    assert SpanEvent.from_dictionary({"name": "e", "timestamp": 5}) == SpanEvent("e", 5)
    assert SpanEvent.from_dictionary({"name": "e", "timestamp": 5, "attributes": {"a": 1}}).attributes == {"a": 1}


@pytest.mark.parametrize("data", [{}, {"name": "e"}, {"name": "e", "timestamp": "x"}, None, []])
def test_of_no_dictionary(data):
    with pytest.raises(InvalidParameterError, match="SpanEvent"):
        SpanEvent.from_dictionary(data)


def test_of_an_exception():
    event = SpanEvent.from_exception(raised(ValueError("é")))
    assert event.name == "exception"
    assert list(event.attributes) == ["exception.message", "exception.type", "exception.stacktrace"]
    assert event.attributes["exception.message"] == "é"
    assert event.attributes["exception.type"] == "ValueError"
    assert event.attributes["exception.stacktrace"].startswith("Traceback (most recent call last):")
    assert event.attributes["exception.stacktrace"].endswith("ValueError: é")


def test_of_an_exception_that_was_never_raised():
    assert SpanEvent.from_exception(KeyError("k")).attributes == {
        "exception.message": "'k'",
        "exception.type": "KeyError",
        "exception.stacktrace": "KeyError: 'k'",
    }


def test_of_an_exception_that_cannot_be_printed():
    attributes = SpanEvent.from_exception(raised(Unprintable())).attributes
    assert attributes["exception.message"] == "<Unprintable: unprintable>"
    assert "Unprintable" in attributes["exception.stacktrace"]


def test_of_an_exception_that_no_utf_8_can_hold():
    attributes = SpanEvent.from_exception(raised(ValueError("\ud800"))).attributes
    for text in attributes.values():
        text.encode()


def test_message():
    proto = SpanEvent("e", 5, {"i": 1, "l": ["a"], "b": True, "f": 1.5, "d": {"x": None}}).to_otel_proto()
    assert (proto.name, proto.time_unix_nano) == ("e", 5)
    found = {pair.key: pair.value.WhichOneof("value") for pair in proto.attributes}
    assert found == {
        "i": "int_value",
        "l": "array_value",
        "b": "bool_value",
        "f": "double_value",
        "d": "kvlist_value",
    }
