"""Traces out by OTLP, to collectors in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

import otflow
from otflow import otel_variables
from otflow.entities import Span
from otflow.errors import OtflowError, StoreUnavailableError
from otflow.store.interface import TraceWrite
from otflow.tracing.destinations import destinations
from otflow.tracing.otlp import OtlpDestination
from tests.tracing.otlp_receivers import Receiver

HTTP, GRPC = "http", "grpc"


def span(number: int, *, end_ns: int | None = 2, **attributes: object) -> Span:
    return Span.of(
        trace_id="tr-" + "ab" * 16,
        span_id=f"{number:016x}",
        parent_id=None,
        name=f"span {number}",
        start_ns=1,
        end_ns=end_ns,
        attributes=attributes,
        resource={"service.name": "test"},
        scope="otflow",
    )


def collector(kind: str, receiver: Receiver, **more: object) -> OtlpDestination:
    path = "/v1/traces" if kind != GRPC else ""
    protocol = GRPC if kind == GRPC else "http/protobuf"
    target = {"protocol": protocol, "secure": False, "timeout_s": 5.0, **more}
    return OtlpDestination(otel_variables.OtlpTraces(endpoint=f"http://127.0.0.1:{receiver.port}{path}", **target))  # type: ignore[arg-type]


def name_collector(monkeypatch: pytest.MonkeyPatch, kind: str, receiver: Receiver) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC if kind == GRPC else "http/protobuf")


class TestDestinations:
    def kinds(self) -> list[str]:
        return [type(found).__name__ for found in destinations("sqlite:///a.db")]

    def test_the_collector_instead_of_the_store_or_beside_it(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        assert self.kinds() == ["OtlpDestination"]
        monkeypatch.setenv("MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT", "true")
        assert self.kinds() == ["StoreDestination", "OtlpDestination"]
        monkeypatch.setenv("MLFLOW_ENABLE_OTLP_EXPORTER", "false")
        assert self.kinds() == ["StoreDestination"]

    def test_the_same_as_long_as_nothing_changes(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        assert destinations("sqlite:///a.db")[0] is destinations("sqlite:///b.db")[0]

    def test_the_terminal_beside_the_store(self, monkeypatch, capsys):
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
        assert self.kinds() == ["StoreDestination", "ConsoleDestination"]
        destinations("sqlite:///a.db")[1].send([], [span(1)])
        assert json.loads(capsys.readouterr().out)["resourceSpans"]

    @pytest.mark.parametrize("kind", [HTTP, GRPC])
    def test_not_where_the_application_sends_them_itself(self, monkeypatch, kind):
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC if kind == GRPC else "http/protobuf")
        if kind == GRPC:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        provider = TracerProvider(shutdown_on_exit=False)
        otflow.tracing.set_tracer_provider(provider)
        assert self.kinds() == ["OtlpDestination"]
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        assert self.kinds() == ["StoreDestination"]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:10")  # elsewhere
        assert self.kinds() == ["OtlpDestination"]
        provider.shutdown()


# -- sending -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [HTTP, GRPC, "http/json"])
@pytest.mark.parametrize("gzip", [False, True])
def test_what_arrives(tmp_path, kind, gzip):
    with Receiver(GRPC if kind == GRPC else HTTP, tmp_path) as receiver:
        more = {"protocol": kind} if kind == "http/json" else {}
        headers = (("api-key", "a secret"), ("x-other", "1"))
        destination = collector(kind, receiver, gzip=gzip, headers=headers, **more)
        sent = [span(1, **{"mlflow.spanInputs": '{"q":[1,null]}', "n": 1, "t": "x"}), span(2), span(3, end_ns=None)]
        write = TraceWrite(sent[0].trace_id, "0", 1, metadata={"mlflow.trace.session": "s-1"})
        assert destination.send([write], sent) == 0
        assert "secret" not in repr(destination.target) + destination.name
        (request,) = receiver.requests(1)
        assert request["headers"]["api-key"] == "a secret"
        if kind != GRPC:
            assert request["path"] == "/v1/traces"
            assert (request["headers"].get("content-encoding") == "gzip") is gzip
        first, second = receiver.taken()
        assert [first.name, second.name] == ["span 1", "span 2"]
        assert first.inputs == {"q": [1, None]}
        assert first.raw_attributes["n"] == 1
        assert first.raw_attributes["session.id"] == "s-1"
        assert dict(first.resource) == {"service.name": "test"}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [*((HTTP, code) for code in ("429", "502", "503", "504")), (GRPC, "UNAVAILABLE"), (GRPC, "ABORTED")],
)
def test_what_may_be_tried_again(tmp_path, kind, answer):
    with Receiver(kind, tmp_path, answer) as receiver:
        destination = collector(kind, receiver)
        with pytest.raises(StoreUnavailableError, match=answer):
            destination.send([], [span(1)])
        destination.send([], [span(1)])
        assert len(receiver.taken()) == 1


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        *((HTTP, code) for code in ("301", "400", "401", "413", "500")),
        (GRPC, "UNAUTHENTICATED"),
        (GRPC, "RESOURCE_EXHAUSTED"),
    ],
)
def test_what_will_never_be_taken(tmp_path, kind, answer):
    with Receiver(kind, tmp_path, answer) as receiver, pytest.raises(OtflowError, match=answer) as caught:
        collector(kind, receiver).send([], [span(1)])
    assert not isinstance(caught.value, StoreUnavailableError)


@pytest.mark.parametrize(("kind", "answer"), [(HTTP, "503:100"), (GRPC, "RESOURCE_EXHAUSTED:100")])
def test_a_pause_that_is_asked_for_is_kept(tmp_path, kind, answer):
    with Receiver(kind, tmp_path, answer) as receiver:
        destination = collector(kind, receiver)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                destination.send([], [span(1)])
        assert len(receiver.requests()) == 1


@pytest.mark.parametrize("kind", [HTTP, GRPC])
def test_spans_that_a_collector_does_not_take_are_counted_and_not_sent_again(tmp_path, kind, caplog):
    with Receiver(kind, tmp_path, "partial:2:too old") as receiver:
        assert collector(kind, receiver).send([], [span(1), span(2), span(3)]) == 2
        assert len(receiver.requests()) == 1
    assert "too old" in caplog.text


def test_what_was_taken_is_not_sent_again_with_the_rest(tmp_path):
    with Receiver(HTTP, tmp_path, "ok", "503") as receiver:
        destination = collector(HTTP, receiver)
        spans = [span(number) for number in range(1, 801)]
        with pytest.raises(StoreUnavailableError):
            destination.send([], spans)
        destination.send([], spans)
        assert len(receiver.requests()) == 3
        names = [found.name for found in receiver.taken()]
        assert len(names) == len(set(names)) == 800


def test_large_spans_go_in_requests_of_a_size_that_collectors_take(tmp_path):
    with Receiver(GRPC, tmp_path) as receiver:  # with gRPC's own limit, 4 MiB
        spans = [span(number, text="x" * 1_000_000) for number in range(1, 9)]
        assert collector(GRPC, receiver).send([], spans) == 0
        assert len(receiver.taken()) == 8


@pytest.mark.parametrize("kind", [HTTP, GRPC])
def test_nobody_there(tmp_path, kind):
    with Receiver(kind, tmp_path) as receiver:
        destination = collector(kind, receiver)
    with pytest.raises(StoreUnavailableError):
        destination.send([], [span(1)])


def test_secrets_are_in_no_message(tmp_path):
    with Receiver(HTTP, tmp_path, "400") as receiver:
        target = otel_variables.OtlpTraces(
            "http/protobuf", f"http://u:hush@127.0.0.1:{receiver.port}/v1/traces?key=hush"
        )
        destination = OtlpDestination(target)
        with pytest.raises(OtflowError) as caught:
            destination.send([], [span(1)])
        assert "hush" not in str(caught.value) + destination.name
        (request,) = receiver.requests(1)
        assert request["headers"]["authorization"].startswith("Basic ")


# -- through the writer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [HTTP, GRPC])
@pytest.mark.parametrize("both", [False, True])
def test_traces_leave_the_program(tmp_path, monkeypatch, kind, both):
    with Receiver(kind, tmp_path) as receiver:
        name_collector(monkeypatch, kind, receiver)
        monkeypatch.setenv("OTFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT", str(both))
        with otflow.start_span("root") as root:
            root.set_inputs({"q": "?"})
            with otflow.start_span("child"):
                pass
        otflow.flush_trace_async_logging()
        taken = {found.name: found for found in receiver.taken()}
        assert taken["root"].inputs == {"q": "?"}
        assert taken["child"].parent_id == taken["root"].span_id
        if both:
            assert [found.name for found in otflow.get_trace(root.trace_id).data.spans] == ["root", "child"]
        else:
            assert not (tmp_path / "otflow.db").exists()


def test_a_collector_that_comes_late_gets_all_once(tmp_path, monkeypatch):
    with Receiver(HTTP, tmp_path, "503", "503") as receiver:
        name_collector(monkeypatch, HTTP, receiver)
        for number in range(10):
            with otflow.start_span(f"trace {number}"):
                pass
        otflow.flush_trace_async_logging()
        assert sorted(found.name for found in receiver.taken()) == [f"trace {number}" for number in range(10)]


def test_the_application_s_other_spans_stay(tmp_path, monkeypatch):
    from opentelemetry import trace as trace_api

    with Receiver(HTTP, tmp_path) as receiver:
        name_collector(monkeypatch, HTTP, receiver)
        with otflow.start_span("ours"):
            pass
        tracer = trace_api.get_tracer("another library")
        with tracer.start_as_current_span("theirs"), otflow.start_span("below"):
            pass
        otflow.flush_trace_async_logging()
        assert sorted(found.name for found in receiver.taken()) == ["below", "ours"]


PROGRAM = """
import otflow
for number in range(200):
    with otflow.start_span("root") as span:
        span.set_inputs("x" * 50)
        span.set_attributes({f"key {n}": n for n in range(20)})
"""


def run(tmp_path, receiver: Receiver, program: str = PROGRAM, expected: str = "", **variables: str) -> list[Span]:
    import os

    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"http://127.0.0.1:{receiver.port}/v1/traces"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "otflow" not in done.stderr, done.stderr
    assert done.stdout == expected
    return receiver.taken()


def test_the_sdk_s_own_variables_hold(tmp_path):
    with Receiver(HTTP, tmp_path) as receiver:
        spans = run(
            tmp_path,
            receiver,
            OTEL_SERVICE_NAME="shop",
            OTEL_RESOURCE_ATTRIBUTES="team=search%20%26%20rescue, site = Z%C3%BCrich ,service.name=no,nonsense",
            OTEL_TRACES_SAMPLER="traceidratio",
            OTEL_TRACES_SAMPLER_ARG="0.5",
            OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="10",
            OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="40",
        )
        assert 50 < len(spans) < 150
        for found in spans:
            expected = {"service.name": "shop", "team": "search & rescue", "site": "Zürich"}
            assert expected.items() <= dict(found.resource).items()
            assert 5 < len([key for key in found.raw_attributes if key.startswith("key ")]) <= 10
            assert [
                value for value in found.raw_attributes.values() if isinstance(value, str) and len(value) > 40
            ] == []


def test_a_disabled_sdk_makes_no_spans(tmp_path):
    with Receiver(HTTP, tmp_path) as receiver:
        assert run(tmp_path, receiver, OTEL_SDK_DISABLED="true") == []
        assert receiver.requests() == []


BY_THE_APPLICATION = {
    "a provider": """
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace_api.set_tracer_provider(provider)
        """,
    "logfire": """
        import logfire
        logfire.configure(send_to_logfire=False, console=False)
        """,
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("exporter", BY_THE_APPLICATION)
def test_what_the_application_s_own_exporter_sends_is_not_sent_again(tmp_path, exporter, first):
    use = """
        with trace_api.get_tracer("web").start_as_current_span("server"), otflow.start_span("agent"):
            with trace_api.get_tracer("web").start_as_current_span("http"), otflow.start_span("tool"):
                pass
        """
    program = "".join(
        textwrap.dedent(part)
        for part in (
            "import otflow\nfrom opentelemetry import trace as trace_api\n",
            "" if first else "otflow.trace(lambda: 1, name='early')()\n",
            BY_THE_APPLICATION[exporter],
            use,
            "names = [s.name for t in otflow.search_traces(return_type='list') for s in t.data.spans]\n",
            "print([name for name in names if name != 'early'])\n",
        )
    )
    with Receiver(HTTP, tmp_path) as receiver:
        taken = run(tmp_path, receiver, program, expected="['agent', 'http', 'tool']\n")
        assert sorted(found.name for found in taken if found.name != "early") == ["agent", "http", "server", "tool"]
