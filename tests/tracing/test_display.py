"""A trace as text: what is shown, what is cut, what is folded, and that no content can break the tree."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import otflow
from otflow.entities import (
    AssessmentError,
    AssessmentSource,
    Expectation,
    Feedback,
    Span,
    SpanEvent,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from otflow.entities.values import encode_attribute
from otflow.tracing import print_trace, render_trace
from otflow.tracing.display import format_duration

TRACE_ID = "tr-" + "ab" * 16
MS = 1_000_000
BEGIN = 1_700_000_000_000
CODE = AssessmentSource("CODE", "scorer")


def make_span(
    number, parent=None, name=None, *, kind="CHAIN", start=0.0, ms=1.0, status="OK", message="", events=(), **attributes
):
    """Span number 1 is the root by default; times in milliseconds after the trace began."""
    values = {"mlflow.spanType": kind, **{f"mlflow.{key.replace('__', '.')}": item for key, item in attributes.items()}}
    start_ns = BEGIN * MS + int(start * MS)
    return Span.of(
        trace_id=TRACE_ID,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else None,
        name=name or f"span-{number}",
        start_ns=start_ns,
        end_ns=None if ms is None else start_ns + int(ms * MS),
        status_code=status,
        status_message=message,
        attributes={key: encode_attribute(key, value) for key, value in values.items()},
        events=list(events),
    )


def make_trace(*spans, state=TraceState.OK, duration=12, assessments=(), tags=None, metadata=None, **info):
    location = TraceLocation.from_experiment_id("0")
    return Trace(
        TraceInfo(
            trace_id=TRACE_ID,
            trace_location=location,
            request_time=BEGIN,
            state=state,
            execution_duration=duration,
            tags=tags or {},
            trace_metadata=metadata or {},
            assessments=list(assessments),
            **info,
        ),
        TraceData(spans=list(spans)),
    )


def shown_spans(text):
    return re.findall(r"(?:├─|└─|\|-|`-) (span-\d+)", text)


def hidden_spans(text):
    return sum(int(number.replace(",", "")) for number in re.findall(r"… ([\d,]+) spans? not shown", text))


# -- the whole


def test_a_whole_trace():
    trace = make_trace(
        make_span(1, name="answer", kind="AGENT", ms=12, spanInputs={"question": "How?"}, spanOutputs="So."),
        make_span(2, 1, "search", kind="RETRIEVER", start=1, ms=0.85, spanInputs={"query": "how", "k": 2}),
        make_span(3, 2, "rank", start=1.2, ms=0.1),
        make_span(4, 1, "look_up", kind="TOOL", start=3, status="ERROR", message="KeyError: 'x'\nmore"),
        make_span(
            5,
            1,
            "chat",
            kind="CHAT_MODEL",
            start=5,
            ms=1234.5,
            spanOutputs={"role": "assistant", "content": "So."},
            llm__model="m-1",
            llm__provider="us",
            chat__tokenUsage={"input_tokens": 1200, "output_tokens": 30, "total_tokens": 1230},
            events=[SpanEvent(f"mlflow.chunk.item.{n}", timestamp=n) for n in range(3)],
        ),
        metadata={
            "mlflow.trace.session": "s-1",
            "mlflow.trace.user": "ada",
            "mlflow.trace.tokenUsage": '{"input_tokens": 1200, "output_tokens": 30, "total_tokens": 1230}',
        },
        tags={"topic": "how", "mlflow.traceName": "answer"},
        assessments=[
            Feedback("correctness", 2 / 3, source=CODE, rationale="two of three"),
            Expectation("facts", ["a", "b"], source=AssessmentSource("HUMAN", "ada")),
            Feedback("rank", True, source=CODE, span_id=f"{3:016x}"),
        ],
    )
    assert render_trace(trace) == (
        "tr-abababababababababababababababab  OK  12 ms  2023-11-14 22:13:20 UTC\n"
        "  session s-1 · user ada · 1,230 tokens (1,200 in, 30 out)\n"
        "  tags  topic=how\n"
        "  feedback correctness = 0.6667  [CODE scorer]: two of three\n"
        '  expectation facts = ["a", "b"]  [HUMAN ada]\n'
        "└─ answer  AGENT  12 ms  OK\n"
        '   │  in    question="How?"\n'
        '   │  out   "So."\n'
        "   ├─ search  RETRIEVER  850 µs  OK\n"
        '   │  │  in    query="how", k=2\n'
        "   │  └─ rank  CHAIN  100 µs  OK\n"
        "   │        feedback rank = true  [CODE scorer]\n"
        "   ├─ look_up  TOOL  1 ms  ERROR\n"
        "   │     error KeyError: 'x'\n"
        "   └─ chat  CHAT_MODEL  1.23 s  OK\n"
        '         out   {"role": "assistant", "content": "So."}\n'
        "         model m-1 (us) · 1,230 tokens (1,200 in, 30 out) · 3 chunks"
    )


def test_a_trace_that_was_really_made():
    @otflow.trace(span_type="TOOL")
    def divide(a, b):
        return a / b

    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
    trace = otflow.get_trace(otflow.get_last_active_trace_id())
    lines = render_trace(trace).splitlines()
    assert lines[0].startswith(f"{trace.info.trace_id}  ERROR  ")
    assert re.fullmatch(r"└─ divide  TOOL  \S+ (µs|ms|s)  ERROR", lines[1])
    assert lines[2:] == ["      error ZeroDivisionError: division by zero", "      in    a=1, b=0"]


def test_without_inputs_and_outputs():
    trace = make_trace(make_span(1, spanInputs={"a": 1}, spanOutputs=2, status="ERROR", message="no"))
    assert render_trace(trace, show_io=False).splitlines()[1:] == ["└─ span-1  CHAIN  1 ms  ERROR", "      error no"]


def test_without_spans_the_previews_are_shown():
    trace = make_trace(request_preview='{"q": 1}', response_preview="2")
    assert render_trace(trace).splitlines()[1:] == ['  in    {"q": 1}', "  out   2"]
    assert len(render_trace(trace, show_io=False).splitlines()) == 1


# -- shapes of trees


def test_children_stand_in_the_order_in_which_they_began():
    trace = make_trace(make_span(3, 1, start=2), make_span(2, 1, start=1), make_span(1), make_span(4, 1, start=3))
    assert shown_spans(render_trace(trace)) == ["span-1", "span-2", "span-3", "span-4"]


def test_spans_without_their_parent_follow_the_root_and_say_so():
    text = render_trace(make_trace(make_span(2, 9, start=0), make_span(1, start=5), make_span(3, 2, start=1)))
    assert shown_spans(text) == ["span-1", "span-2", "span-3"]
    assert "├─ span-1  CHAIN  1 ms  OK\n" in text
    assert f"└─ span-2  CHAIN  1 ms  OK  (its parent {9:016x} is not in the trace)\n" in text
    assert "   └─ span-3  CHAIN  1 ms  OK" in text


def test_several_roots_stand_beside_each_other():
    assert re.findall(r"^[├└]─ span-\d", render_trace(make_trace(make_span(1), make_span(2, start=1))), re.MULTILINE)


def test_spans_in_a_circle_are_all_shown_once():
    trace = make_trace(make_span(1), make_span(2, 3, start=1), make_span(3, 2, start=2), make_span(4, 4, start=3))
    text = render_trace(trace)
    assert shown_spans(text) == ["span-1", "span-2", "span-3", "span-4"]
    assert f"span-2  CHAIN  1 ms  OK  (its parent {3:016x} is below it)" in text


def test_spans_with_the_same_id_are_all_shown():
    trace = make_trace(make_span(1), make_span(2, 1, "span-21"), make_span(2, 1, "span-22"), make_span(3, 2))
    assert sorted(shown_spans(render_trace(trace))) == ["span-1", "span-21", "span-22", "span-3"]


def test_spans_in_progress_say_so():
    trace = make_trace(make_span(1, ms=None, status="UNSET"), state=TraceState.IN_PROGRESS, duration=None)
    assert render_trace(trace).splitlines() == [
        f"{TRACE_ID}  IN_PROGRESS  2023-11-14 22:13:20 UTC",
        "└─ span-1  CHAIN  in progress",
    ]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40), st.booleans()), max_size=30), st.integers(1, 40))
@settings(max_examples=60)
def test_every_span_is_shown_or_counted(nodes, max_spans):
    spans = [
        make_span(number, parent or None, f"span-{place}", status="ERROR" if failed else "OK")
        for place, (number, parent, failed) in enumerate(nodes)
    ]
    text = render_trace(make_trace(*spans), max_spans=max_spans, width=4000, show_io=False)
    shown = shown_spans(text)
    assert len(shown) == len(set(shown)) <= max_spans
    assert len(shown) + hidden_spans(text) == len(spans)


# -- many spans


def test_many_spans_are_folded_where_they_stand():
    spans = [make_span(1), *(make_span(n, 1, start=n) for n in range(2, 5002))]
    text = render_trace(make_trace(*spans), max_spans=10)
    assert shown_spans(text) == [f"span-{n}" for n in range(1, 11)]
    assert text.splitlines()[-1] == "   └─ … 4,991 spans not shown"


def test_failed_spans_are_shown_before_others_with_the_way_to_them():
    spans = [make_span(1), *(make_span(n, 1, start=n) for n in range(2, 1002))]
    spans += [make_span(2000, 700, start=1, status="ERROR", message="boom")]
    text = render_trace(make_trace(*spans), max_spans=10)
    assert {"span-1", "span-700", "span-2000"} <= set(shown_spans(text))
    assert "error boom" in text
    assert text.index("not shown") < text.index("span-700") < text.rindex("not shown")


def test_failures_that_are_not_shown_are_counted():
    spans = [make_span(1), *(make_span(n, 1, start=n, status="ERROR", message="m") for n in range(2, 102))]
    text = render_trace(make_trace(*spans), max_spans=11, show_io=False)
    assert text.splitlines()[-1] == "   └─ … 90 spans not shown (90 ERROR)"


def test_spans_nested_deeper_than_the_line_is_wide_are_folded():
    spans = [make_span(1), *(make_span(n, n - 1, start=n) for n in range(2, 10_001))]
    text = render_trace(make_trace(*spans), width=60, max_spans=100_000)
    assert len(shown_spans(text)) == 11
    assert text.splitlines()[-1].strip() == "└─ … 9,989 spans not shown"


# -- assessments


def test_what_is_overridden_says_so():
    trace = make_trace(
        make_span(1),
        assessments=[
            Feedback("good", False, source=CODE, valid=False),
            Feedback("good", True, source=AssessmentSource("HUMAN", "ada"), overrides="a-1", rationale="I looked"),
        ],
    )
    assert render_trace(trace).splitlines()[1:3] == [
        "  feedback good = false  [CODE scorer] overridden",
        "  feedback good = true  [HUMAN ada] overrides an earlier one: I looked",
    ]


def test_feedback_that_failed_shows_its_error():
    error = AssessmentError(error_code="TIMEOUT", error_message="the judge did not answer")
    text = render_trace(make_trace(make_span(1), assessments=[Feedback("good", error=error, source=CODE)]))
    assert "  feedback good = TIMEOUT: the judge did not answer  [CODE scorer]" in text.splitlines()


def test_an_assessment_of_a_span_that_is_not_there_is_shown_with_the_trace():
    text = render_trace(make_trace(make_span(1), assessments=[Feedback("good", 1, source=CODE, span_id="beef")]))
    assert text.splitlines()[1] == "  feedback good = 1  [CODE scorer]"


def test_the_error_of_a_span_without_a_message_is_that_of_its_exception_event():
    event = SpanEvent("exception", attributes={"exception.type": "OSError", "exception.message": "gone\nfor good"})
    assert "error OSError: gone" in render_trace(make_trace(make_span(1, status="ERROR", events=[event])))
    assert "error no message" in render_trace(make_trace(make_span(1, status="ERROR")))


# -- values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", '"a\\nb"'),
        (None, None),
        (0, "0"),
        (float("nan"), "NaN"),
        ([], "[]"),
        ({}, "{}"),
        ({"a": [1, {"b": None}]}, '{"a": [1, {"b": null}]}'),
        ([{"page_content": "x", "id": "heapq.merge"}], "1 document: heapq.merge"),
        (
            [{"page_content": "x", "metadata": {"doc_uri": "u"}, "id": None}, {"page_content": "y"}],
            '2 documents: u, "y"',
        ),
        (
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            '2 messages, the last one user: "Hi"',
        ),
    ],
)
def test_values_in_few_characters(value, text):
    lines = render_trace(make_trace(make_span(1, spanOutputs=value))).splitlines()[2:]
    assert lines == ([] if text is None else [f"      out   {text}"])


def test_large_values_are_cut():
    value = {f"key-{n}": {"text": "x" * 100_000, "numbers": list(range(1000))} for n in range(100)}
    for line in render_trace(make_trace(make_span(1, spanInputs=value, spanOutputs=[value] * 5))).splitlines():
        assert len(line) <= 120


def test_what_is_nested_deep_is_cut():
    value: list[object] = []
    for _ in range(90):
        value = [value]
    assert "…" in render_trace(make_trace(make_span(1, spanOutputs=value)))


# -- lines


@pytest.mark.parametrize("width", [40, 61, 200])
def test_lines_are_as_wide_as_allowed(width):
    trace = make_trace(make_span(1, spanInputs={"a": "長い文" * 100, "b": "é" * 100}, spanOutputs="o" * 300))
    lines = render_trace(trace, width=width).splitlines()

    def columns(line):
        return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)

    assert max(map(columns, lines)) == width
    assert all(columns(line) >= width - 1 for line in lines[2:])
    assert lines[-1].endswith("…")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_content_breaks_the_tree_or_reaches_the_terminal_raw(name, message):
    trace = make_trace(
        make_span(1, name=name or "x", status="ERROR", message=message, spanInputs={"key": message}, spanOutputs=name),
        tags={"tag": message},
        assessments=[Feedback("good", message or "x", source=CODE, rationale=name)],
    )
    text = render_trace(trace)
    assert text.replace("\n", "").isprintable()
    assert len(text.splitlines()) == len(text.split("\n")) == 7


def test_escape_sequences_are_made_visible():
    text = render_trace(make_trace(make_span(1, name="\x1b[31mred\x1b[0m\u202egnirts")))
    assert "\\x1b[31mred\\x1b[0m\\u202egnirts" in text


def test_color_changes_nothing_but_the_color():
    trace = make_trace(
        make_span(1, kind="AGENT", spanInputs={"a": "x" * 300}),
        make_span(2, 1, kind="TOOL", status="ERROR", message="no"),
        assessments=[Feedback("good", True, source=CODE, valid=False)],
    )
    colored = render_trace(trace, color=True)
    assert "\x1b[31mERROR\x1b[0m" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == render_trace(trace)
    assert "\x1b" not in render_trace(trace)


def test_in_ascii():
    trace = make_trace(make_span(1, spanInputs={"a": "x" * 300}), make_span(2, 1, ms=0.5), make_span(3, 1, start=1))
    text = render_trace(trace, unicode=False)
    assert text.isascii()
    assert text.splitlines()[1:] == [
        "`- span-1  CHAIN  1 ms  OK",
        '   |  in    a="' + "x" * 102 + "...",
        "   |- span-2  CHAIN  500 us  OK",
        "   `- span-3  CHAIN  1 ms  OK",
    ]


# -- printing


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", '└─ span-1  CHAIN  1 ms  OK\n      out   "naïve 中 ✓"'),
        ("latin-1", '`- span-1  CHAIN  1 ms  OK\n      out   "naïve \\u4e2d \\u2713"'),
        ("ascii", '`- span-1  CHAIN  1 ms  OK\n      out   "na\\xefve \\u4e2d \\u2713"'),
    ],
)
def test_printing_suits_the_encoding_of_the_stream(encoding, expected):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    print_trace(make_trace(make_span(1, spanOutputs="naïve 中 ✓")), file=stream)
    stream.flush()
    assert raw.getvalue().decode(encoding).endswith(f"{expected}\n")


def test_printing_to_a_text_without_encoding():
    stream = io.StringIO()
    trace = make_trace(make_span(1))
    print_trace(trace, file=stream)
    assert stream.getvalue() == render_trace(trace) + "\n"


def test_printing_goes_to_standard_output_uncolored_where_it_is_no_terminal(capsys):
    trace = make_trace(make_span(1))
    print_trace(trace)
    assert capsys.readouterr().out == render_trace(trace) + "\n"


def test_printing_colors_on_a_terminal_and_when_asked():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    trace = make_trace(make_span(1))
    for stream, color, expected in [
        (Terminal(), None, True),
        (Terminal(), False, False),
        (io.StringIO(), None, False),
        (io.StringIO(), True, True),
    ]:
        print_trace(trace, file=stream, color=color)
        assert ("\x1b[" in stream.getvalue()) is expected


# -- what is refused


@pytest.mark.parametrize(
    ("trace", "options", "said"),
    [
        (None, {}, "trace must be a Trace, as otflow.get_trace returns it, not None"),
        ("tr-1", {}, "not 'tr-1'"),
        (make_trace(), {"width": 39}, "width must be 40 or more, not 39"),
        (make_trace(), {"max_spans": 0}, "max_spans must be 1 or more, not 0"),
    ],
)
def test_bad_arguments_are_refused(trace, options, said):
    with pytest.raises(otflow.OtflowError, match=re.escape(said)) as caught:
        render_trace(trace, **options)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 µs"),
        (850_400, "850 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (12_345_678, "12.3 ms"),
        (999_499_999, "999 ms"),
        (999_500_000, "1 s"),
        (1_234_000_000, "1.23 s"),
        (59_949_999_999, "59.9 s"),
        (59_950_000_000, "1 min 00 s"),
        (123_000_000_000, "2 min 03 s"),
        (3_599_600_000_000, "1 h 00 min"),
        (3_720_000_000_000, "1 h 02 min"),
        (-12_300_000, "-12.3 ms"),
    ],
)
def test_durations(duration_ns, text):
    assert format_duration(duration_ns) == text


def test_a_time_beyond_the_calendar_is_shown_as_it_is():
    trace = make_trace()
    trace.info.request_time = 10**18
    assert "1000000000000000000 ms since 1970" in render_trace(trace)
