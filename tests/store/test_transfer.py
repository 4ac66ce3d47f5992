"""Traces into files and back, whatever they hold."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import Feedback, Link, Span, SpanEvent, TraceInfo, TraceLocation, TraceState
from otflow.entities.attachment import Attachment
from otflow.entities.values import dump, encode_attribute
from otflow.errors import InvalidParameterError
from otflow.store.interface import Store, TraceWrite
from otflow.store.opening import open_store
from otflow.store.transfer import exporting, files
from otflow.store.transfer.exporting import Stored, stored_traces
from otflow.store.transfer.files import FORMATS, format_of_name, open_writer, read_pieces
from otflow.store.transfer.importing import Imported, import_traces
from otflow.wire import portable

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["mlflow.spanInputs", "mlflow.x", "plain", "gen_ai.usage", "a.b"])
ATTRIBUTES = st.dictionaries(KEYS, JSON).map(
    lambda some: {key: encode_attribute(key, value) for key, value in some.items()}
)
# What other instrumentation has set, and nobody encoded: texts that read as JSON, of any layout.
FOREIGN = st.dictionaries(
    st.sampled_from(["plain", "doc", "gen_ai.x"]),
    st.sampled_from(['{"a":1}', "5", "null", "[1,2]", '"quoted"', "true", "text", " 7 ", "NaN"])
    | TEXTS
    | st.integers(0, 9),
)
IDS = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
TIMES = st.integers(1, 2**61)


@st.composite
def spans(draw: st.DrawFn, trace_id: str = "tr-" + "7" * 32) -> Span:
    start = draw(TIMES)
    return Span.of(
        trace_id=trace_id,
        span_id=draw(IDS),
        parent_id=draw(st.none() | IDS),
        name=draw(TEXTS),
        start_ns=start,
        end_ns=draw(st.none() | st.just(start + 5)),
        status_code=draw(st.sampled_from(["UNSET", "OK", "ERROR"])),
        status_message=draw(TEXTS),
        kind=draw(st.integers(0, 4)),
        attributes={**draw(ATTRIBUTES), **draw(FOREIGN)},
        events=[SpanEvent(draw(TEXTS), draw(TIMES), {"k": draw(TEXTS)})] if draw(st.booleans()) else [],
        links=[Link("tr-" + "8" * 32, draw(IDS), {"k": 1})] if draw(st.booleans()) else [],
        scope=draw(TEXTS),
        resource=draw(st.none() | st.dictionaries(st.sampled_from(["service.name", "n"]), TEXTS, min_size=1)),
    )


def info(trace_id: str = "tr-" + "7" * 32) -> TraceInfo:
    return TraceInfo(trace_id, TraceLocation.from_experiment_id("0"), 1_767_225_600_123, TraceState.OK)


def facts(span: Span) -> tuple[object, ...]:
    return (
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        span.start_time_ns,
        span.end_time_ns,
        span.status_code,
        json.loads(span.content()),
    )


@given(st.lists(spans(), max_size=3, unique_by=lambda span: span.span_id))
def test_a_line_holds_all_of_a_trace(some: list[Span]) -> None:
    line = "".join(portable.line(info(), "ex", some))
    assert "\n" not in line
    found = portable.read_line(json.loads(line))
    assert (found.info, found.experiment) == (info(), "ex")
    # As a store holds them: once through JSON.
    assert [facts(span) for span in found.spans] == [facts(span) for span in some]
    assert "".join(portable.line(found.info, found.experiment, found.spans)) == line


@given(st.lists(spans(), min_size=1, max_size=3, unique_by=lambda span: span.span_id))
def test_parquet_holds_all_of_a_trace(some: list[Span]) -> None:
    out = io.BytesIO()
    writer = open_writer("parquet", out)
    writer.write(Stored(info(), "ex", some))
    writer.close()
    (piece,) = read_pieces(io.BytesIO(out.getvalue()), None, "f")
    assert (piece.info, piece.experiment) == (info(), "ex")
    assert [facts(span) for span in piece.spans] == [facts(span) for span in some]


@given(st.binary(max_size=60))
def test_noise_is_refused_or_nothing(data: bytes) -> None:
    for kind in (None, "jsonl", "otlp", "otlp-json"):
        with contextlib.suppress(InvalidParameterError):
            assert sum(len(piece.spans) for piece in read_pieces(io.BytesIO(data), kind, "f")) == 0


def home(store: Store) -> Any:
    def find(name: str | None) -> str:
        found = None if name is None else store.get_experiment_by_name(name)
        return "0" if name is None else found.experiment_id if found is not None else store.create_experiment(name)

    return find


def dumped(store: Store, kind: str, experiments: Sequence[str] = ("0",)) -> bytes:
    out = io.BytesIO()
    writer = open_writer(kind, out)
    for trace in stored_traces(store, experiments):
        writer.write(trace)
    writer.close()
    return out.getvalue()


def loaded(store: Store, data: bytes) -> Imported:
    return import_traces(store, read_pieces(io.BytesIO(data), None, "f"), home=home(store))


@pytest.fixture
def source(tmp_path: Path) -> Store:
    """A store with a trace of many spans, one without any, one with attachments and a long chat."""
    store = open_store(f"sqlite:///{tmp_path}/source.db")
    big, bare, rich = (f"tr-{number:032x}" for number in (1, 2, 3))
    image = Attachment(bytes(range(256)) * 20, "image/png").data_url()
    messages = [{"role": "user", "content": f"message {number} " * 50} for number in range(40)]
    many = [
        Span.of(
            trace_id=big,
            span_id=f"{number + 1:016x}",
            parent_id=f"{1:016x}" if number else None,
            name=f"s{number}",
            start_ns=10**18 + number,
            end_ns=10**18 + 5000,
            attributes={"mlflow.spanInputs": dump("x" * 100)},
        )
        for number in range(1500)
    ]
    seen = Span.of(
        trace_id=rich,
        span_id="f" * 16,
        parent_id=None,
        name="look",
        start_ns=10**18,
        end_ns=10**18 + 1,
        attributes={"mlflow.spanInputs": dump({"messages": messages}), "mlflow.spanOutputs": dump({"image": image})},
    )
    store.write_traces(
        [
            TraceWrite(big, "0", 10**18, TraceState.OK),
            TraceWrite(bare, "0", 10**18 + 10**9, TraceState.OK, request_preview="hi"),
            TraceWrite(rich, "0", 10**18 + 2 * 10**9, TraceState.OK),
        ],
        [*many, seen],
    )
    store.create_assessment(Feedback("good", {"a": [1, None]}, trace_id=bare))
    return store


@pytest.mark.parametrize("kind", FORMATS)
def test_big_traces_attachments_and_chats(
    source: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = dumped(source, "jsonl")
    monkeypatch.setattr(exporting, "_AT_ONCE", 5000)  # now the big one is read page by page
    assert dumped(source, "jsonl") == whole
    target = open_store(f"sqlite:///{tmp_path}/target.db")
    for _ in range(2):
        loaded(target, dumped(source, kind))
        lines = whole.splitlines()
        if kind.startswith("otlp"):
            del lines[1]  # OTLP has no place for a trace without spans
        assert dumped(target, "jsonl").splitlines() == lines
    found = target.get_trace(f"tr-{3:032x}").data.spans[0]
    assert "otflow-attachment://" in dump(found.outputs)
    sha256 = Attachment(bytes(range(256)) * 20).sha256
    assert target.read_attachment(sha256) == source.read_attachment(sha256)
    source.close()
    target.close()


def test_otlp_says_what_it_leaves_out(source: Store) -> None:
    writer = open_writer("otlp", io.BytesIO())
    for trace in stored_traces(source, ["0"]):
        writer.write(trace)
    writer.close()
    assert (writer.traces, writer.left_out, writer.spans) == (2, 1, 1501)
    source.close()


def test_requests_are_of_bounded_size(source: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SPANS_IN_REQUEST", 400)
    pieces = list(read_pieces(io.BytesIO(dumped(source, "otlp")), "otlp", "f"))
    assert max(len(piece.spans) for piece in pieces) <= 400
    source.close()


def test_assessments_without_an_id_get_the_same_each_time(tmp_path: Path) -> None:
    data = {
        "info": {
            **info().to_dict(),
            "assessments": [
                {
                    "assessment_name": "q",
                    "source": {"source_type": "HUMAN", "source_id": "me"},
                    "create_time": "2026-01-01T00:00:00Z",
                    "last_update_time": "2026-01-01T00:00:00Z",
                    "feedback": {"value": 1},
                }
            ],
        },
        "data": {"spans": []},
    }
    store = open_store(f"sqlite:///{tmp_path}/t.db")
    for _ in range(2):
        loaded(store, json.dumps(data).encode())
    assert len(store.get_trace_info(info().trace_id).assessments) == 1
    store.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "jsonl"),
        ("a.JSON.gz", "jsonl"),
        ("a.otlp.json", "otlp-json"),
        ("a.pb", "otlp"),
        ("a.parquet", "parquet"),
        ("a", None),
    ],
)
def test_the_name_of_a_file_says_its_format(name: str, kind: str | None) -> None:
    assert format_of_name(name) == kind
