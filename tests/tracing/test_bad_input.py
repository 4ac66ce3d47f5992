"""Whatever is handed to a traced function, its result and its exceptions pass through untouched."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import otflow
from otflow.testing import capture_traces


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Hostile(dict):
    def items(self):
        raise RuntimeError("no items")


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


def cyclic() -> list[Any]:
    items: list[Any] = [1]
    items.append(items)
    return items


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def numpy_array():
    return pytest.importorskip("numpy").arange(6).reshape(2, 3)


def frame():
    return pytest.importorskip("pandas").DataFrame({"a": [1, 2]})


def image():
    return pytest.importorskip("PIL.Image").new("RGB", (2, 2))


def model():
    import pydantic

    return pydantic.create_model("Model", a=(int, 1))()


CASES: dict[str, Any] = {
    "unprintable": Unprintable,
    "hostile dict": lambda: Hostile(a=1),
    "cyclic": cyclic,
    "long string": lambda: "x" * 10_000_000,
    "lone surrogate": lambda: "a\ud800b",
    "surrogate key": lambda: {"\udfff": 1},
    "nul": lambda: "a\x00b",
    "nan": lambda: math.nan,
    "infinity": lambda: [-math.inf, math.inf],
    "big int": lambda: 2**70,
    "huge int": lambda: 10**5000,
    "bytes": lambda: b"\xff\x00",
    "set": lambda: {1, 2},
    "dataclass": lambda: Point(1, {2}),
    "pydantic": model,
    "numpy": numpy_array,
    "pandas": frame,
    "image": image,
    "deep": lambda: deep(10_000),
    "tuple keys": lambda: {(1, 2): 3, None: 4, 5: 6},
    "class": lambda: Point,
    "function": lambda: cyclic,
    "object": object,
}


@otflow.trace
def same(value):
    return value


@pytest.mark.parametrize("name", CASES)
def test_the_result_is_the_users_own_object(name):
    value = CASES[name]()
    with capture_traces() as captured:
        assert same(value) is value
        with otflow.start_span("s", attributes={"v": value}) as span:
            span.set_inputs(value)
            span.set_outputs(value)
            span.set_attribute("w", value)
    first, second = captured.traces
    for trace in (first, second):
        assert trace.info.state == "OK"
        text = trace.to_json()
        text.encode("utf-8")
        json.loads(text)
    assert first.data.spans[0].inputs is not None


def test_generators_are_not_consumed():
    items = (n for n in [1, 2, 3])
    with capture_traces() as captured:
        assert same(items) is items
    assert list(items) == [1, 2, 3]
    assert "generator" in captured.traces[0].data.spans[0].outputs


def test_the_users_exception_passes_even_if_it_cannot_be_printed():
    class Strange(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no str")

    @otflow.trace
    def fails():
        raise Strange

    with capture_traces() as captured, pytest.raises(Strange):
        fails()
    assert captured.traces[0].info.state == "ERROR"


@pytest.mark.parametrize("name", [None, 1, "", "\ud800", "x" * 100_000, "a\x00b"])
def test_strange_span_names(name):
    with capture_traces() as captured, otflow.start_span(name):
        pass
    assert len(captured.traces) == 1


@pytest.mark.parametrize("key", [None, 1, "", "\ud800", "k" * 100_000, "a\x00b"])
def test_strange_attribute_keys(key):
    with capture_traces() as captured, otflow.start_span("s") as span:
        span.set_attribute(key, 1)
        span.set_attributes({key: 2})
    assert captured.traces[0].info.state == "OK"


def test_strange_tags_and_metadata():
    with capture_traces() as captured, otflow.start_span("s"):
        otflow.update_current_trace(
            tags={"n": 1, "long": "v" * 20_000, "k" * 5_000: "v", "\ud800": "\ud800"},
            metadata={"n": None, "long": "v" * 20_000, "nul": "\x00"},
        )
    [trace] = captured.traces
    assert trace.info.state == "OK"
    assert trace.info.tags["n"] == "1"


@pytest.mark.parametrize(
    "variable",
    [
        "TRACING_ENABLED",
        "TRACE_SAMPLING_RATIO",
        "TRACE_FLUSH_INTERVAL_MS",
        "TRACE_QUEUE_MAX_SPANS",
        "TRACE_FLUSH_TIMEOUT_S",
        "USE_DEFAULT_TRACER_PROVIDER",
    ],
)
def test_a_setting_that_is_not_allowed_harms_nobody(tmp_path, variable):
    code = """
        import otflow
        @otflow.trace
        def double(n):
            return 2 * n
        assert double(2) == 4
        assert len(otflow.search_traces(return_type="list")) == 1
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, f"OTFLOW_{variable}": "nonsense"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"OTFLOW_{variable}") == 1
