"""`otflow traces search`, `get` and `tail`."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import pytest

from otflow.cli.following import Follower
from otflow.cli.rows import TraceTable
from otflow.entities import TraceState
from otflow.store.opening import open_store

from .conftest import START_NS, Run, trace_id, write_trace


def ids(lines: list[str]) -> list[str]:
    return [json.loads(line)["trace_id"] for line in lines]


# -- search --------------------------------------------------------------------------------------------


def test_search_prints_an_info_a_line_newest_first_of_all_experiments(run: Run, uri: str) -> None:
    done = run("traces", "search", "-s", uri)
    assert (done.code, done.err) == (0, "")
    assert ids(done.lines) == [trace_id(number) for number in (4, 3, 2, 1)]
    info = json.loads(done.lines[2])
    assert info["state"] == "ERROR"
    assert [one["assessment_name"] for one in info["assessments"]] == ["good", "expected"]


def test_search_by_experiment_filter_order_and_limit(run: Run, uri: str) -> None:
    assert ids(run("traces", "search", "-s", uri, "-e", "other").lines) == [trace_id(4)]
    assert ids(run("traces", "search", "-s", uri, "-e", "0", "-e", "1").lines)[0] == trace_id(4)
    assert ids(run("traces", "search", "-s", uri, "--filter", "status = 'ERROR'").lines) == [trace_id(2)]
    assert ids(run("traces", "search", "-s", uri, "--order-by", "timestamp_ms ASC", "--limit", 2).lines) == [
        trace_id(1),
        trace_id(2),
    ]


def test_search_without_limit_goes_through_all_pages(run: Run, uri: str) -> None:
    for number in range(5, 130):
        write_trace(uri, number)
    assert len(run("traces", "search", "-s", uri).lines) == 100
    for word in ("0", "all"):
        assert ids(run("traces", "search", "-s", uri, "--limit", word).lines) == [
            trace_id(number) for number in range(129, 0, -1)
        ]


def test_the_settings_name_store_and_experiment(run: Run, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    assert ids(run("traces", "search").lines) == [trace_id(4)]
    assert len(run("traces", "search", "-e", "Default").lines) == 3


def test_an_unknown_experiment_is_named_with_those_there_are(run: Run, uri: str) -> None:
    done = run("traces", "search", "-s", uri, "-e", "nobody")
    assert done.code == 1
    assert "'nobody'" in done.err
    assert "'other'" in done.err


def test_search_as_a_table(run: Run, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    lines = run("traces", "search", "-s", uri, "--format", "table").lines
    assert lines[0].split()[:6] == ["TIME", "TRACE", "STATE", "DURATION", "TOKENS", "NAME"]
    assert re.search(rf"{trace_id(2)}  ERROR +2 ms +7  ask 2 +question 2 → answer$", lines[3])
    assert re.search(rf"{trace_id(3)}  IN_PROGRESS +7  ask 3 ", lines[2])


def test_a_table_is_as_wide_as_the_terminal(uri: str) -> None:
    store = open_store(uri)
    infos = [trace.info for trace in store.search_traces(["0", "1"], include_spans=False)]
    store.close()
    infos[0].request_preview = "long " * 200
    for width in (60, 100, 140):
        table = TraceTable(width, color=False)
        table.measure(infos)
        assert all(len(table.line(info)) <= max(width, 102) for info in infos)


def test_colors_only_where_they_are_wanted(uri: str) -> None:
    store = open_store(uri)
    (info,) = [trace.info for trace in store.search_traces(["0"], filter_string="status = 'ERROR'")]
    store.close()
    assert "\x1b[31mERROR\x1b[0m" in TraceTable(120, color=True).line(info)
    assert "\x1b" not in TraceTable(120, color=False).line(info)


def test_search_as_a_list_of_json(run: Run, uri: str) -> None:
    assert len(json.loads(run("traces", "search", "-s", uri, "--format", "json").out)) == 4
    assert json.loads(run("traces", "search", "-s", uri, "--format", "json", "--filter", "status = 'X'").out) == []


def test_search_as_trees_into_a_file(run: Run, uri: str, tmp_path: Path) -> None:
    done = run("traces", "search", "-s", uri, "-e", "Default", "--format", "tree", "-o", tmp_path / "trees.txt")
    assert (done.code, done.out) == (0, "")
    text = (tmp_path / "trees.txt").read_text(encoding="utf-8")
    assert text.count("model  CHAT_MODEL") == 3
    assert f"\n\n{trace_id(1)}" in text


# -- get -----------------------------------------------------------------------------------------------


def test_get_prints_what_trace_to_json_says(run: Run, uri: str) -> None:
    store = open_store(uri)
    trace = store.get_trace(trace_id(2))
    store.close()
    assert run("traces", "get", "-s", uri, trace_id(2)).out == trace.to_json(pretty=True) + "\n"


def test_get_without_the_prefix_and_as_a_tree(run: Run, uri: str) -> None:
    out = run("traces", "get", "-s", uri, "--format", "tree", trace_id(2)[3:], trace_id(1)).out
    assert "feedback good = 0.5" in out
    assert out.count("ask ") == 2


def test_get_as_otlp(run: Run, uri: str, tmp_path: Path) -> None:
    (request,) = run("traces", "get", "-s", uri, "--format", "otlp-json", trace_id(1)).lines
    spans = [
        span
        for resource in json.loads(request)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert [span["traceId"] for span in spans] == [trace_id(1)[3:]] * 2
    model = {one["key"]: one["value"] for one in next(span for span in spans if span["name"] == "model")["attributes"]}
    assert model["gen_ai.usage.input_tokens"] == {"intValue": "3"}  # others can read it too
    run("traces", "get", "-s", uri, "--format", "otlp", "-o", tmp_path / "one.otlp", trace_id(1))
    assert run("traces", "import", "-s", f"sqlite:///{tmp_path}/new.db", tmp_path / "one.otlp").code == 0


def test_get_of_an_unknown_trace(run: Run, uri: str) -> None:
    done = run("traces", "get", "-s", uri, "tr-nothing")
    assert (done.code, done.out, done.err) == (1, "", f"otflow: there is no trace 'tr-nothing' in {uri}\n")


# -- tail ----------------------------------------------------------------------------------------------


def test_tail_shows_the_last_ones_oldest_first(run: Run, uri: str) -> None:
    assert ids(run("traces", "tail", "-s", uri, "-n", 2).lines) == [trace_id(3), trace_id(4)]
    assert run("traces", "tail", "-s", uri, "-n", 0).lines == []
    table = run("traces", "tail", "-s", uri, "-n", 1, "--format", "table").lines
    assert table[0].startswith("TIME")
    assert trace_id(4) in table[1]


def recent(seconds_ago: float) -> int:
    """The number of a trace that began so long ago."""
    return int(time.time() - seconds_ago) - START_NS // 1_000_000_000


def test_tail_follows(run: Run, uri: str) -> None:
    first, second = recent(3), recent(2)

    def write() -> None:
        write_trace(uri, second)
        write_trace(uri, first, state=TraceState.IN_PROGRESS)  # began before, and comes later

    writer = threading.Timer(0.3, write)
    writer.start()
    done = run("traces", "tail", "-f", "-s", uri, "-n", 0, "--interval", 0.05, "--count", 2)
    writer.join()
    assert sorted(ids(done.lines)) == sorted([trace_id(first), trace_id(second)])


def test_a_follower_shows_a_running_trace_again_when_it_ends(uri: str) -> None:
    number = recent(5)
    write_trace(uri, number, state=TraceState.IN_PROGRESS)
    store = open_store(uri)
    follower = Follower(store, ["0"], None)
    assert [info.trace_id for info in follower.last(1)] == [trace_id(number)]
    assert follower.look() == []
    write_trace(uri, number)
    assert [(info.trace_id, info.state) for info in follower.look()] == [(trace_id(number), TraceState.OK)]
    assert follower.look() == []
    store.close()


def test_a_follower_waits_for_the_end_of_traces_that_began_long_ago(uri: str) -> None:
    store = open_store(uri)
    follower = Follower(store, ["0"], None)
    assert trace_id(3) in [info.trace_id for info in follower.last(10)]
    write_trace(uri, 3)
    assert [info.trace_id for info in follower.look()] == [trace_id(3)]
    store.delete_traces("0", trace_ids=[trace_id(3)])
    assert follower.look() == []
    store.close()


def test_a_follower_sees_late_ones_behind_many(uri: str) -> None:
    store = open_store(uri)
    for number in range(recent(300), recent(300) + 150):
        write_trace(uri, number)
    follower = Follower(store, ["0"], None)
    follower.last(0)
    late = recent(500)
    write_trace(uri, late)
    found = [info.trace_id for _ in range(10) for info in follower.look()]
    assert found == [trace_id(late)]
    store.close()
