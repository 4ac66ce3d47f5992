"""Ways to a collector: TLS, and certificates of clients; collectors that hang, break off, go and return."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

import otflow
from otflow import otel_variables
from otflow.errors import OtflowError, StoreUnavailableError
from otflow.tracing import guard
from otflow.tracing.otlp import OtlpDestination
from tests.tracing.otlp_receivers import Receiver
from tests.tracing.test_otlp import GRPC, HTTP, collector, name_collector, span

KINDS = pytest.mark.parametrize("kind", [HTTP, GRPC])


class Authority:
    """A certificate authority, with a server's and a client's certificate of it."""

    def __init__(self, directory: Path) -> None:
        import trustme

        directory.mkdir()
        made = trustme.CA()
        self.certificates = directory / "ca.pem"
        made.cert_pem.write_to_path(str(self.certificates))
        self.server = self._write(made.issue_cert("localhost"), directory / "server.pem")
        self.client = self._write(made.issue_cert("client@example.org"), directory / "client.pem")
        self.client_key = directory / "client.key"
        self.client_key.write_bytes(self.client.read_bytes())

    def _write(self, issued, path: Path) -> Path:
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "other")


def destination(kind: str, receiver: Receiver, timeout_ms: str = "20000", **variables: object) -> OtlpDestination:
    """The collector, as variables name it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://localhost:{receiver.port}")
        patch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC if kind == GRPC else "http/protobuf")
        patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", timeout_ms)
        for name, value in variables.items():
            patch.setenv(f"OTEL_EXPORTER_OTLP_{name}", str(value))
        target = otel_variables.otlp_traces(lambda error: pytest.fail(str(error)))
    assert target is not None
    return OtlpDestination(target)


class TestTls:
    @KINDS
    @pytest.mark.parametrize("compression", ["gzip", "none"])
    def test_a_server_whose_certificate_is_trusted(self, tmp_path, authority, kind, compression):
        with Receiver(kind, tmp_path, certificate=authority.server) as receiver:
            found = destination(kind, receiver, CERTIFICATE=authority.certificates, COMPRESSION=compression)
            assert found.send([], [span(1), span(2)]) == 0
            assert len(receiver.taken()) == 2

    @KINDS
    @pytest.mark.parametrize("trusted", [None, "stranger"])
    def test_a_server_that_is_not_trusted_gets_nothing(self, tmp_path, authority, stranger, kind, trusted):
        with Receiver(kind, tmp_path, certificate=authority.server) as receiver:
            more = {"CERTIFICATE": stranger.certificates} if trusted else {}
            with pytest.raises(StoreUnavailableError) as caught:
                destination(kind, receiver, timeout_ms="3000", **more).send([], [span(1)])
            assert kind == GRPC or "certificate verify failed" in str(caught.value)
            assert receiver.requests() == []

    @KINDS
    def test_a_server_that_asks_who_we_are(self, tmp_path, authority, stranger, kind):
        with Receiver(kind, tmp_path, certificate=authority.server, clients=authority.certificates) as receiver:
            trusted = {"CERTIFICATE": authority.certificates}
            ours = {"CLIENT_CERTIFICATE": authority.client, "CLIENT_KEY": authority.client_key}
            destination(kind, receiver, **trusted, **ours).send([], [span(1)])
            theirs = {"CLIENT_CERTIFICATE": stranger.client, "CLIENT_KEY": stranger.client_key}
            for wrong in ({}, theirs):
                with pytest.raises(StoreUnavailableError):
                    destination(kind, receiver, timeout_ms="3000", **trusted, **wrong).send([], [span(2)])
            assert [found.name for found in receiver.taken()] == ["span 1"]

    @KINDS
    @pytest.mark.parametrize("variable", ["CERTIFICATE", "CLIENT_CERTIFICATE"])
    def test_a_certificate_that_is_not_there_is_named_and_nothing_is_lost(self, tmp_path, authority, kind, variable):
        with Receiver(kind, tmp_path, certificate=authority.server) as receiver:
            found = destination(
                kind, receiver, **{"CERTIFICATE": authority.certificates, variable: tmp_path / "absent.pem"}
            )
            with pytest.raises(StoreUnavailableError, match=r"absent\.pem"):
                found.send([], [span(1)])

    @KINDS
    def test_a_certificate_and_its_key_in_one_file(self, tmp_path, authority, kind):
        with Receiver(kind, tmp_path, certificate=authority.server, clients=authority.certificates) as receiver:
            found = destination(kind, receiver, CERTIFICATE=authority.certificates, CLIENT_CERTIFICATE=authority.client)
            assert found.send([], [span(1)]) == 0

    @KINDS
    @pytest.mark.parametrize("wrong", ["a key alone", "another key", "a directory", "junk", "junk to trust"])
    def test_files_that_are_no_certificates_harm_nobody(self, tmp_path, authority, stranger, kind, wrong):
        (tmp_path / "junk.pem").write_text("junk")
        files = {
            "a key alone": {"CLIENT_KEY": authority.client_key},
            "another key": {"CLIENT_CERTIFICATE": authority.client, "CLIENT_KEY": stranger.client_key},
            "a directory": {"CLIENT_CERTIFICATE": tmp_path},
            "junk": {"CLIENT_CERTIFICATE": tmp_path / "junk.pem"},
            "junk to trust": {"CERTIFICATE": tmp_path / "junk.pem"},
        }[wrong]
        with Receiver(kind, tmp_path, certificate=authority.server, clients=authority.certificates) as receiver:
            found = destination(kind, receiver, "3000", **{"CERTIFICATE": authority.certificates, **files})
            with pytest.raises(StoreUnavailableError):
                found.send([], [span(1)])

    @KINDS
    def test_through_the_writer(self, tmp_path, monkeypatch, authority, kind):
        with Receiver(kind, tmp_path, certificate=authority.server) as receiver:
            name_collector(monkeypatch, kind, receiver)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"https://localhost:{receiver.port}/v1/traces")
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.certificates))
            with otflow.start_span("private"):
                pass
            otflow.flush_trace_async_logging()
            assert [found.name for found in receiver.taken()] == ["private"]


class TestTroubledCollectors:
    @KINDS
    def test_one_that_hangs(self, tmp_path, kind):
        with Receiver(kind, tmp_path, "hang") as receiver:
            found = collector(kind, receiver, timeout_s=0.5)
            started = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                found.send([], [span(1)])
            assert time.monotonic() - started < 30
            found = collector(kind, receiver, timeout_s=20.0)
            found.send([], [span(1)])
            assert len(receiver.taken()) == 1

    def test_one_whose_answer_has_no_end(self, tmp_path):
        with Receiver(HTTP, tmp_path, "endless") as receiver:
            started = time.monotonic()
            assert collector(HTTP, receiver, timeout_s=1.0).send([], [span(1)]) == 0
            assert time.monotonic() - started < 30

    def test_one_that_breaks_off(self, tmp_path):
        with Receiver(HTTP, tmp_path, "drop") as receiver:
            found = collector(HTTP, receiver)
            with pytest.raises(StoreUnavailableError):
                found.send([], [span(1)])
            found.send([], [span(1)])
            assert len(receiver.taken()) == 1

    def test_one_that_answers_with_a_page(self, tmp_path):
        with Receiver(HTTP, tmp_path, "page") as receiver:
            assert collector(HTTP, receiver).send([], [span(1)]) == 0

    def test_secrets_do_not_follow_a_redirect(self, tmp_path):
        with (
            Receiver(HTTP, tmp_path) as other,
            Receiver(HTTP, tmp_path, f"to:http://127.0.0.1:{other.port}/") as receiver,
        ):
            with pytest.raises(OtflowError, match="307"):
                collector(HTTP, receiver, headers=(("api-key", "hush"),)).send([], [span(1)])
            assert other.requests() == []

    def test_one_that_speaks_no_http(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            target = otel_variables.OtlpTraces(
                "http/protobuf", f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_s=0.5
            )
            with pytest.raises(StoreUnavailableError):
                OtlpDestination(target).send([], [span(1)])
            grpc = otel_variables.OtlpTraces(
                "grpc", f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.5, secure=False
            )
            with pytest.raises(StoreUnavailableError):
                OtlpDestination(grpc).send([], [span(1)])

    def test_an_address_of_grpc_s_own(self, tmp_path, unused_socket):
        target = otel_variables.OtlpTraces("grpc", f"unix:{unused_socket}", timeout_s=20.0, secure=False)
        with pytest.raises(StoreUnavailableError):
            OtlpDestination(target).send([], [span(1)])

    @KINDS
    def test_one_that_dies_and_returns_gets_all_once(self, tmp_path, monkeypatch, kind):
        names = [f"trace {number}" for number in range(30)]
        with Receiver(kind, tmp_path) as first:
            name_collector(monkeypatch, kind, first)
            for name in names[:10]:
                with otflow.start_span(name):
                    pass
            otflow.flush_trace_async_logging()
            before = [found.name for found in first.taken()]
        assert sorted(before) == sorted(names[:10])
        for name in names[10:20]:
            with otflow.start_span(name):
                pass
        deadline = time.monotonic() + 60
        while not any("reach" in kind_of for kind_of in guard.failures()) and time.monotonic() < deadline:
            time.sleep(0.02)
        with Receiver(kind, tmp_path, port=first.port) as second:
            for name in names[20:]:
                with otflow.start_span(name):
                    pass
            deadline = time.monotonic() + 60
            while len(second.taken()) < 20 and time.monotonic() < deadline:
                otflow.flush_trace_async_logging()
            assert sorted(found.name for found in second.taken()) == sorted(names[10:])


@pytest.fixture
def unused_socket(tmp_path):
    return tmp_path / "nobody.sock"
