"""otflow beside an application's OpenTelemetry and beside other vendors' SDKs, in every order of initialization.

One program for all cases: steps set the application's provider, start a vendor's SDK, or make the same five spans.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = """
import json, os, sys
import otflow
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

class Door(SpanExporter):
    def __init__(self): self.spans = []
    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

app_door, vendor_door = Door(), Door()
early = api.get_tracer("library")      # taken at import time, as libraries do

def provider(door):
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(door))
    return made

def app():
    api.set_tracer_provider(provider(app_door))

def handed():
    otflow.tracing.set_tracer_provider(provider(app_door))

def logfire():
    import logfire
    logfire.configure(
        send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(vendor_door)])

def langfuse():
    from langfuse import Langfuse
    global client
    client = Langfuse(
        public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", span_exporter=vendor_door, flush_at=1)

def sentry():
    import sentry_sdk
    from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor
    def keep(event, hint):
        sent.append(event)
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, instrumenter="otel", before_send_transaction=keep,
        default_integrations=False)
    api.get_tracer_provider().add_span_processor(SentrySpanProcessor())
sent = []

rounds = 0
def use():
    global rounds
    rounds += 1
    late = api.get_tracer("other")
    with early.start_as_current_span(f"server{rounds}"):
        with otflow.start_span(f"agent{rounds}"):
            with late.start_as_current_span(f"http{rounds}"):
                with otflow.start_span(f"tool{rounds}"):
                    pass
            with early.start_as_current_span(f"db{rounds}"):
                pass
    with late.start_as_current_span(f"health{rounds}"):
        pass

for step in sys.argv[1].split(","):
    globals()[step]()
if "client" in globals():
    client.flush()

def ids(span):
    return [span.name, f"{span.context.span_id:016x}", f"{span.parent.span_id:016x}" if span.parent else None]

print(json.dumps({
    "app": [ids(s) for s in app_door.spans],
    "vendor": [ids(s) for s in vendor_door.spans],
    "sent": [[span.get("description") for span in event["spans"]] for event in sent],
    "store": [[s.name, s.span_id, s.parent_id]
              for t in otflow.search_traces(return_type="list") for s in t.data.spans],
}))
"""


@dataclass
class Outcome:
    app: list[list[str]]
    vendor: list[list[str]]
    sent: list[list[str]]
    store: list[list[str]]
    log: str


def run(steps: str, directory: Path, **environment: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, steps],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{directory}/t.db", **environment},
    )
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout.splitlines()[-1]), log=done.stderr)


def tree(spans: list[list[str]]) -> dict[str, str | None]:
    """The name of each span's parent; a parent that is not there is None, one that is nowhere known is an error."""
    assert max(Counter(name for name, _, _ in spans).values(), default=1) == 1, "a span came twice"
    names = {span_id: name for name, span_id, _ in spans}
    return {name: names.get(parent) for name, _, parent in spans}


STORED = {"agent": None, "http": "agent", "tool": "http", "db": "agent"}
EVERYTHING = {"server": None, "agent": "server", "http": "agent", "tool": "http", "db": "agent", "health": None}


def numbered(expected: dict[str, str | None], number: int) -> dict[str, str | None]:
    return {f"{name}{number}": parent and f"{parent}{number}" for name, parent in expected.items()}


@pytest.mark.parametrize(
    ("steps", "seen_in"),
    [
        ("app,use", [1]),
        ("use,app,use", [2]),  # set later: otflow's first spans come before
        ("app,use,use", [1, 2]),
        ("use,use", []),
    ],
)
def test_the_applications_provider_before_after_or_never(tmp_path, steps, seen_in):
    outcome = run(steps, tmp_path)
    expected: dict[str, str | None] = {}
    for number in seen_in:
        expected |= numbered(EVERYTHING, number)
    assert tree(outcome.app) == expected
    rounds = steps.count("use")
    stored: dict[str, str | None] = {}
    for number in range(1, rounds + 1):
        stored |= numbered(STORED, number)
    assert tree(outcome.store) == stored
    assert "not allowed" not in outcome.log, "the application's provider was refused"


def test_a_provider_that_is_handed_over_is_used_although_another_is_registered(tmp_path):
    outcome = run("handed,use", tmp_path)
    # The library's tracers are those of the registered provider, which is nobody's: only otflow's spans are there.
    assert set(tree(outcome.app)) == {"agent1", "tool1"}
    assert tree(outcome.store)["agent1"] is None
    outcome = run("app,handed,use", tmp_path)
    assert tree(outcome.app) == numbered(EVERYTHING, 1)


def test_in_a_private_provider_the_applications_spans_have_the_applications_parents(tmp_path):
    outcome = run("app,use", tmp_path, OTFLOW_USE_DEFAULT_TRACER_PROVIDER="true")
    assert tree(outcome.app) == {"server1": None, "http1": "server1", "db1": "server1", "health1": None}
    assert tree(outcome.store) == {"agent1": None, "tool1": "agent1"}


VENDOR_ORDERS = [
    "{v},use",
    "use,{v},use",
    "app,{v},use",
    "app,use,{v},use",
    "{v},use,{v},use",
]


@pytest.mark.parametrize("order", VENDOR_ORDERS)
@pytest.mark.parametrize("vendor", ["logfire", "langfuse"])
def test_beside_another_sdk_parents_are_right_and_nothing_comes_twice(tmp_path, vendor, order):
    outcome = run(order.format(v=vendor), tmp_path)
    rounds = order.count("use")
    stored = tree(outcome.store)
    for number in range(1, rounds + 1):
        assert {k: v for k, v in stored.items() if k.endswith(str(number))} == numbered(STORED, number)
    app = tree(outcome.app)
    if order.startswith("app"):
        assert app == {k: v for n in range(1, rounds + 1) for k, v in numbered(EVERYTHING, n).items()}
    seen = tree(outcome.vendor)
    for name, parent in seen.items():
        kind = name.rstrip("0123456789")
        assert parent is None or parent.startswith(str(EVERYTHING[kind]))
    if vendor == "logfire" and not order.startswith("app"):
        # Logfire registers its own provider: it has everything of the last round, otflow's spans among it.
        assert {k: v for k, v in seen.items() if k.endswith(str(rounds))} == numbered(EVERYTHING, rounds)


@pytest.mark.parametrize("order", ["app,{v},use", "use,{v},use", "app,use,{v},use"])
def test_beside_sentry(tmp_path, order):
    outcome = run(order.format(v="sentry"), tmp_path)
    rounds = order.count("use")
    stored = tree(outcome.store)
    for number in range(1, rounds + 1):
        assert {k: v for k, v in stored.items() if k.endswith(str(number))} == numbered(STORED, number)
    # Sentry makes one transaction of each root of the provider, with otflow's spans in it once.
    transactions = [sorted(spans) for spans in outcome.sent]
    assert sorted(f"{name}{rounds}" for name in ("agent", "http", "tool", "db")) in transactions


@pytest.mark.parametrize("first", ["app", "use"])
@pytest.mark.parametrize("order", list(itertools.permutations(["logfire", "langfuse", "sentry"])), ids="-".join)
def test_beside_all_of_them_in_every_order(tmp_path, first, order):
    steps = [first, *order, "use"]
    outcome = run(",".join(steps), tmp_path)
    rounds = range(1, steps.count("use") + 1)
    assert tree(outcome.store) == {k: v for number in rounds for k, v in numbered(STORED, number).items()}
    everything = numbered(EVERYTHING, rounds[-1])
    assert tree(outcome.app) == (everything if first == "app" else {})
    if first == "use":  # Logfire registers its own provider, in which all of the last round is made
        assert tree(outcome.vendor) == everything
    transactions = [sorted(spans) for spans in outcome.sent]
    assert transactions.count(sorted(f"{name}{rounds[-1]}" for name in ("agent", "http", "tool", "db"))) == 1


FILTERS = """
import json, sys
import otflow
from opentelemetry import trace as api
web, model = api.get_tracer("web"), api.get_tracer("openinference.instrumentation.openai")

def use():
    with web.start_as_current_span("server"):
        with model.start_as_current_span("chat"):
            with web.start_as_current_span("post"): pass
    with otflow.start_span("agent"):
        with web.start_as_current_span("http"):
            with model.start_as_current_span("completion"):
                with otflow.start_span("tool"): pass
    with web.start_as_current_span("sql", attributes={"gen_ai.system": "x"}): pass
    with web.start_as_current_span("health"): pass
with otflow.start_span("first"): pass
if sys.argv[1:]:
    otflow.tracing.set_span_filter(eval(sys.argv[1]))
use()
print(json.dumps([
    {s.name: next((p.name for p in t.data.spans if p.span_id == s.parent_id), s.parent_id and "?")
     for s in t.data.spans}
    for t in otflow.search_traces(return_type="list", order_by=["timestamp_ms ASC"], filter_string="name != 'first'")]))
"""

BELOW = {"agent": None, "http": "agent", "completion": "http", "tool": "completion"}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (None, [BELOW]),
        ("'below'", [BELOW]),
        ("'genai'", [{"chat": "?", "post": "chat"}, BELOW, {"sql": None}]),
        ("'all'", [{"server": None, "chat": "server", "post": "chat"}, BELOW, {"sql": None}, {"health": None}]),
        ("'none'", [{"agent": None, "tool": "agent"}]),
        (
            "lambda span: span.instrumentation_scope.name != 'web'",
            [{"chat": "?"}, {"agent": None, "completion": "agent", "tool": "completion"}],
        ),
        ("lambda span: 1 / 0", [{"agent": None, "tool": "agent"}]),
    ],
)
def test_the_span_filter_says_which_foreign_spans_enter(tmp_path, chosen, expected):
    done = subprocess.run(
        [sys.executable, "-c", FILTERS, *([chosen] if chosen else [])],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_a_setting_opens_the_door_too(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILTERS],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db", "OTFLOW_FOREIGN_SPANS": "none"},
    )
    assert json.loads(done.stdout) == [{"agent": None, "tool": "agent"}], done.stderr


def test_what_is_no_filter_or_provider_is_refused():
    import otflow

    with pytest.raises(otflow.OtflowError, match="'below', 'genai', 'all', 'none', not 'some'"):
        otflow.tracing.set_span_filter("some")
    with pytest.raises(otflow.OtflowError, match="add_span_processor"):
        otflow.tracing.set_tracer_provider(object())
