"""A trace as HTML: escaped, bounded, and well-formed, whatever it holds."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

import otflow
from otflow.entities import Attachment, SpanEvent, Trace, TraceData, TraceInfo, TraceLocation, TraceState
from otflow.testing import capture_traces
from otflow.tracing.html import trace_html
from otflow.wire.conventions import read
from otflow.wire.otlp import decode_spans

CAPTURES = sorted((Path(__file__).parents[1] / "data" / "otlp").rglob("*.otlp.pb"))
VOID = {"br", "hr", "img", "input", "meta", "link"}


class Reader(HTMLParser):
    """Reads HTML strictly: what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "not closed"

    def handle_starttag(self, tag, attrs):
        assert tag not in VOID
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture
def one_trace():
    """Makes one trace of what is done with its root."""

    def make(do) -> Trace:
        with capture_traces() as captured, otflow.start_span("root", span_type="AGENT") as root:
            do(root)
        [trace] = captured.traces
        return trace

    return make


HOSTILE = """</details></div><script>alert("x")</script><img src=x onerror='alert(1)'>\x00\x1b[31m&amp;\ud800"""


def test_what_comes_out_of_a_trace_is_text(one_trace):
    def hostile(root):
        root.set_inputs({HOSTILE: HOSTILE, "messages": [{"role": HOSTILE, "content": HOSTILE}]})
        root.set_outputs(HOSTILE)
        root.set_attribute("key" + HOSTILE[:30], HOSTILE)
        otflow.update_current_trace(tags={"a<b": HOSTILE}, metadata={"mlflow.trace.session": HOSTILE})
        with pytest.raises(ValueError, match="script"), otflow.start_span("<i>name</i>", span_type="<b>KIND</b>"):
            raise ValueError(HOSTILE)

    page = trace_html(one_trace(hostile))
    page.encode()
    read = Reader(page)
    assert {*read.tags} <= {"div", "style", "details", "summary", "ul", "li", "dl", "dt", "dd", "pre", "b", "i", "span"}
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in {"src", "href"}]
    assert '<script>alert("x")</script>' in read.text
    assert "<i>name</i>" in read.text
    assert "\x1b" not in page
    assert "http" not in page.replace("xmlns", ""), "something is asked of the network"


def test_what_was_said_is_there(one_trace):
    def conversation(root):
        with otflow.start_span("chat", span_type="CHAT_MODEL") as span:
            span.set_inputs({"messages": [{"role": "user", "content": "What is\na span?"}]})
            span.set_outputs({"choices": [{"message": {"role": "assistant", "content": "A unit of work."}}]})
            span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7})
        with pytest.raises(KeyError), otflow.start_span("tool"):
            raise KeyError("missing")
        root.set_outputs(["done"])

    read = Reader(trace_html(one_trace(conversation)))
    for said in (
        "root",
        "AGENT",
        "chat",
        "What is\na span?",
        "A unit of work.",
        "7 tokens",
        "missing",
        "ERROR",
        "done",
    ):
        assert said in read.text, said


def test_an_open_span_and_a_trace_without_spans():
    span = otflow.start_span_no_context("open", inputs={"a": 1})
    otflow.flush_trace_async_logging()
    trace = otflow.get_trace(span.trace_id)
    assert trace is not None
    span.end()
    if trace.data.spans:
        assert "in progress" in Reader(trace_html(trace)).text
    trace.data.spans = []
    trace.info.request_preview = "asked"
    assert "asked" in Reader(trace_html(trace)).text


def test_a_giant_trace_is_a_page_of_ordinary_size(one_trace):
    def giant(root):
        root.set_inputs({"text": "x" * 5_000_000, "list": list(range(100_000)), "deep": _deep(500)})
        for number in range(3_000):
            with otflow.start_span(f"span {number}") as span:
                span.set_inputs({"text": "y" * 10_000})
                span.set_attributes({f"key {index}": "z" * 1_000 for index in range(20)})

    trace = one_trace(giant)
    begin = time.process_time()
    page = trace_html(trace)
    assert time.process_time() - begin < 5
    assert len(page) < 1_500_000
    read = Reader(page)
    assert "2,901 more spans" in read.text
    assert "characters more" in read.text


def test_a_deep_trace_does_not_nest_without_end(one_trace):
    def deep(_):
        spans = [otflow.start_span_no_context("0", parent_span=otflow.get_current_active_span())]
        for depth in range(300):
            spans.append(otflow.start_span_no_context(f"{depth}", parent_span=spans[-1]))
        for span in reversed(spans):
            span.end()

    read = Reader(trace_html(one_trace(deep)))
    assert read.tags.count("ul") < 50
    assert "more spans" in read.text


def test_a_page_is_bounded_whatever_its_pieces_are(one_trace):
    def many(root):
        root.set_inputs({"messages": [{"role": "&" * 100, "content": "&" * 9_000}] * 150})
        root.set_attributes({f"{number}{'&' * 500}": "&" * 9_000 for number in range(150)})
        for number in range(120):
            root.add_event(SpanEvent("&" * 500, attributes={"&" * 500: "&" * 9_000}))
            with otflow.start_span("&" * 500) as span:
                span.set_inputs("&" * 9_000)
            otflow.log_feedback(trace_id=root.trace_id, name=f"{number}", value="&" * 500, rationale="&" * 5_000)

    page = trace_html(one_trace(many))
    assert len(page) < 500_000
    read = Reader(page)
    for left_out in (
        "21 more spans",
        "more assessments",
        "earlier messages",
        "more events",
        "because the page is long",
    ):
        assert left_out in read.text, left_out


def test_what_stands_beside_messages_is_there_too(one_trace):
    def conversation(root):
        root.set_inputs({"model": "m-1", "messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "find"}]})
        call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        root.set_outputs({"choices": [{"message": message, "finish_reason": "tool_calls"}], "id": "r-1"})

    read = Reader(trace_html(one_trace(conversation)))
    for said in ("hi", "m-1", "find", 'find({"q": 1})', "c1", "finish_reason", "r-1"):
        assert said in read.text, said


def test_streams_are_counted_and_stack_traces_keep_their_end(one_trace):
    @otflow.trace
    def stream():
        yield from range(200)

    def both(root):
        assert len(list(stream())) == 200
        stack = f"FIRST{'x' * 90_000}the very last"
        root.add_event(SpanEvent("exception", attributes={"exception.stacktrace": stack}))

    read = Reader(trace_html(one_trace(both)))
    assert "200 chunks" in read.text
    assert "mlflow.chunk" not in read.text
    assert "the very last" in read.text
    assert "FIRST" not in read.text
    assert "characters before" in read.text


def test_an_attachment_is_named_and_not_fetched(one_trace):
    image = Attachment(b"\x89PNG" + bytes(10_000), content_type="image/png")
    page = trace_html(one_trace(lambda root: root.set_inputs({"image": image})))
    assert "content_type=image%2Fpng&size=10004" in Reader(page).text
    assert len(page) < 10_000


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_captured_spans_of_others_are_a_page(path):
    spans = [read(span) for span in decode_spans(path.read_bytes())]
    for trace_id in {span.trace_id for span in spans}:
        mine = [span for span in spans if span.trace_id == trace_id]
        info = TraceInfo(
            trace_id=trace_id,
            trace_location=TraceLocation.from_experiment_id("0"),
            request_time=1,
            state=TraceState.OK,
        )
        text = Reader(trace_html(Trace(info, TraceData(mine)))).text
        assert all(span.name in text for span in mine)


def _deep(levels: int) -> object:
    found: object = "bottom"
    for _ in range(levels):
        found = {"inner": found}
    return found
