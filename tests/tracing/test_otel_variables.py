"""OpenTelemetry's variables, each with what is allowed and what is not, as the specification says.

The cases follow the Environment Variable Specification and the OpenTelemetry Protocol Exporter's.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import SpanProcessor

from otflow import otel_variables
from otflow.errors import InvalidParameterError
from otflow.tracing import guard
from otflow.tracing.destinations import StoreDestination, destinations
from otflow.tracing.limits import span_limits


def reported(error: InvalidParameterError) -> None:
    raise AssertionError(error)


class TestWhereTracesGo:
    def test_nothing_is_asked_for_without_them(self):
        assert otel_variables.otlp_traces(reported) is None
        assert [type(found) for found in destinations("sqlite:///a.db")] == [StoreDestination]

    @pytest.mark.parametrize(
        ("variables", "endpoint", "secure"),
        [
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:1/base/"}, "http://h:1/base/v1/traces", False),
            ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:1/as/is/"}, "http://h:1/as/is/", False),
            (
                {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://yes"},
                "https://yes",
                True,
            ),
            ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces", False),
            (
                {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
                "http://localhost:4317",
                False,
            ),
            (
                {"OTEL_EXPORTER_OTLP_ENDPOINT": "h:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
                "https://h:4317",
                True,
            ),
            (
                {
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "h:4317",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                    "OTEL_EXPORTER_OTLP_INSECURE": "true",
                },
                "http://h:4317",
                False,
            ),
        ],
    )
    def test_the_endpoint(self, monkeypatch, variables, endpoint, secure):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = otel_variables.otlp_traces(reported)
        assert found is not None
        assert (found.endpoint, found.secure) == (endpoint, secure)

    def test_those_of_traces_go_first(self, monkeypatch):
        base, traces = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
        for name, value in {
            base + "ENDPOINT": "http://h",
            base + "HEADERS": "A=no",
            traces + "HEADERS": "Api-Key=a%20b, other = c=d ,",
            base + "COMPRESSION": "none",
            traces + "COMPRESSION": "gzip",
            base + "TIMEOUT": "1",
            traces + "TIMEOUT": "2500",
            traces + "CERTIFICATE": "ca.pem",
            base + "CLIENT_KEY": "key.pem",
            base + "CLIENT_CERTIFICATE": "cert.pem",
        }.items():
            monkeypatch.setenv(name, value)
        found = otel_variables.otlp_traces(reported)
        assert found is not None
        assert found.headers == (("api-key", "a b"), ("other", "c=d"))
        assert found.gzip
        assert found.timeout_s == 2.5
        assert (found.certificate, found.client_key, found.client_certificate) == ("ca.pem", "key.pem", "cert.pem")

    @pytest.mark.parametrize("exporters", ["none", "console", "zipkin"])
    def test_another_exporter_calls_it_off(self, monkeypatch, exporters):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", exporters)
        assert otel_variables.otlp_traces(reported) is None

    @pytest.mark.parametrize(
        "endpoint", ["ftp://h", "h:4318", "http://", "http:///v1", "http://h:port", "http://[::1", "//h", "http://h:0"]
    )
    def test_an_endpoint_that_is_none(self, monkeypatch, endpoint):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
        with pytest.raises(InvalidParameterError, match="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            otel_variables.otlp_traces(reported)
        assert [type(found) for found in destinations("sqlite:///a.db")] == [StoreDestination]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PROTOCOL", "thrift"),
            ("COMPRESSION", "zstd"),
            ("TIMEOUT", "soon"),
            ("TIMEOUT", "-1"),
            ("TIMEOUT", "nan"),
            ("HEADERS", "no equals sign"),
            ("HEADERS", "a=b%0d%0ac"),
            ("HEADERS", "a=%E2%82%AC"),
            ("HEADERS", "a b=c"),
            ("HEADERS", "=secret"),
        ],
    )
    def test_what_is_not_allowed_counts_as_not_set(self, monkeypatch, name, value):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        plain = otel_variables.otlp_traces(reported)
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
        said: list[str] = []
        assert otel_variables.otlp_traces(lambda error: said.append(str(error))) == plain
        (message,) = said
        assert message.startswith(f"OTEL_EXPORTER_OTLP_{name} must be")
        assert (value in message) is (name != "HEADERS")

    def test_then_the_one_for_all_signals_holds(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")
        found = otel_variables.otlp_traces(lambda error: None)
        assert found is not None
        assert found.timeout_s == 2

    def test_good_headers_beside_bad_ones_are_kept(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1,nonsense,b=2")
        found = otel_variables.otlp_traces(lambda error: None)
        assert found is not None
        assert found.headers == (("a", "1"), ("b", "2"))

    def test_each_is_warned_of_once(self, monkeypatch, caplog):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
        for _ in range(3):
            assert [type(found).__name__ for found in destinations("sqlite:///a.db")] == ["OtlpDestination"]
        assert caplog.text.count("OTEL_EXPORTER_OTLP_TIMEOUT must be") == 1

    @pytest.mark.parametrize("variable", ["ENDPOINT", "PROTOCOL", "COMPRESSION", "TIMEOUT", "HEADERS", "INSECURE"])
    @pytest.mark.parametrize("empty", ["", "  "])
    def test_an_empty_one_is_not_set(self, monkeypatch, variable, empty):
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        plain = otel_variables.otlp_traces(reported)
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_TRACES_{variable}", empty)
        assert otel_variables.otlp_traces(reported) == plain
        assert plain is not None

    def test_no_timeout(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0")
        found = otel_variables.otlp_traces(reported)
        assert found is not None
        assert found.timeout_s == 60  # as long as it gets

    @pytest.mark.parametrize(
        ("exporter", "protocol"), [("otlp_proto_grpc", "grpc"), ("otlp_proto_http", "http/protobuf")]
    )
    def test_the_names_of_opentelemetry_for_python(self, monkeypatch, exporter, protocol):
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", exporter)
        found = otel_variables.otlp_traces(reported)
        assert found is not None
        assert found.protocol == protocol

    @pytest.mark.parametrize("insecure", [True, False])
    def test_addresses_that_only_grpc_knows(self, monkeypatch, insecure):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "unix:/run/otel.sock")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", str(insecure))
        found = otel_variables.otlp_traces(reported)
        assert found is not None
        assert (found.endpoint, found.secure) == ("unix:/run/otel.sock", not insecure)
        assert destinations("sqlite:///a.db")[0].name == "otlp:unix:/run/otel.sock"

    def test_an_exporter_that_nobody_has_is_warned_of(self, monkeypatch, caplog):
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "nonsense")
        assert [type(found) for found in destinations("sqlite:///a.db")] == [StoreDestination]
        assert "OTEL_TRACES_EXPORTER" in caplog.text
        assert "nonsense" in caplog.text


class TestTheProviderThatOtflowMakes:
    LIMITS = {  # noqa: RUF012
        "SPAN_ATTRIBUTE_COUNT_LIMIT": "max_span_attributes",
        "SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "max_span_attribute_length",
        "SPAN_EVENT_COUNT_LIMIT": "max_events",
        "SPAN_LINK_COUNT_LIMIT": "max_links",
        "EVENT_ATTRIBUTE_COUNT_LIMIT": "max_event_attributes",
        "LINK_ATTRIBUTE_COUNT_LIMIT": "max_link_attributes",
        "ATTRIBUTE_COUNT_LIMIT": "max_attributes",
        "ATTRIBUTE_VALUE_LENGTH_LIMIT": "max_attribute_length",
    }

    @pytest.mark.parametrize("variable", LIMITS)
    def test_limits(self, monkeypatch, variable):
        plain = vars(span_limits())
        monkeypatch.setenv(f"OTEL_{variable}", " 7 ")
        assert getattr(span_limits(), self.LIMITS[variable]) == 7
        monkeypatch.setenv(f"OTEL_{variable}", "")
        assert vars(span_limits()) == plain
        for wrong in ("abc", "-1", "1.5", "\u0663"):
            guard.reset()
            monkeypatch.setenv(f"OTEL_{variable}", wrong)
            assert vars(span_limits()) == plain
            assert guard.failures() == {f"use the variable OTEL_{variable} (it counts as not set)": 1}

    def test_a_limit_for_all_holds_for_each_that_has_none(self, monkeypatch):
        monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "7")
        monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "70")
        monkeypatch.setenv("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "5")
        found = span_limits()
        assert (found.max_span_attributes, found.max_event_attributes, found.max_link_attributes) == (7, 5, 7)
        assert found.max_span_attribute_length == 70

    @pytest.mark.parametrize(
        ("name", "argument", "description"),
        [
            ("", "", "ParentBased{root:AlwaysOnSampler"),
            ("", "0.5", "ParentBased{root:AlwaysOnSampler"),
            ("always_on", "", "AlwaysOnSampler"),
            ("ALWAYS_OFF", "", "AlwaysOffSampler"),
            ("traceidratio", "0.25", "TraceIdRatioBased{0.25}"),
            ("traceidratio", "", "TraceIdRatioBased{1.0}"),
            ("traceidratio", "often", "TraceIdRatioBased{1.0}"),
            ("traceidratio", "7", "TraceIdRatioBased{1.0}"),
            ("parentbased_always_on", "", "ParentBased{root:AlwaysOnSampler"),
            ("parentbased_always_off", "", "ParentBased{root:AlwaysOffSampler"),
            ("parentbased_traceidratio", "0.5", "ParentBased{root:TraceIdRatioBased{0.5}"),
            ("parentbased_traceidratio", "", "ParentBased{root:TraceIdRatioBased{1.0}"),
            ("jaeger_remote", "", "ParentBased{root:AlwaysOnSampler"),
            ("nonsense", "", "ParentBased{root:AlwaysOnSampler"),
        ],
    )
    def test_samplers(self, monkeypatch, caplog, name, argument, description):
        from otflow.tracing.deferring import DeferringTracerProvider

        monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
        made = DeferringTracerProvider(SpanProcessor(), lambda: None)
        assert made.sampler.get_description().startswith(description)
        assert (len(caplog.records) == 1) is (name in ("jaeger_remote", "nonsense") or argument in ("often", "7"))
        made.shutdown()

    @pytest.mark.parametrize("propagators", ["", "none", "b3", "nonsense", "tracecontext,nonsense"])
    def test_propagators_are_a_matter_of_others(self, tmp_path, propagators):
        program = """if True:
            import otflow
            with otflow.start_span("a") as span:
                headers = otflow.tracing.get_tracing_context_headers_for_http_request()
            assert span.span_id in headers["traceparent"]
            with otflow.tracing.set_tracing_context_from_http_request_headers(headers):
                with otflow.start_span("b") as below:
                    assert below.parent_id == span.span_id
            """
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=tmp_path,
            env={**os.environ, "OTEL_PROPAGATORS": propagators},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_limit_that_the_sdk_reads_when_it_is_imported(self, tmp_path):
        program = """if True:
            import os, otflow
            with otflow.start_span("a", attributes={"a": 1}) as span:
                pass
            assert otflow.get_trace(span.trace_id).data.spans[0].attributes["a"] == 1
            assert os.environ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"] == "many"
            """
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a whole number") == 1
