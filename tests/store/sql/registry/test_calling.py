"""One call of a webhook: what arrives, where it may go, and that it ends."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest

from otflow.store.sql.registry.calling import call

BODY = '{"entity": "prompt"}'


def test_what_arrives(receiver, answer):
    receiver.answers.put(answer(201, body="grüße".encode()))
    outcome = call(receiver.url("/a/b?c=d&e=%20"), BODY, "an-id", "secret")
    assert (outcome.success, outcome.status, outcome.body, outcome.error) == (True, 201, "grüße", None)
    [got] = receiver.all(1)
    assert got.path == "/a/b?c=d&e=%20"
    assert got.body == BODY.encode()
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert got.delivery_id == "an-id"
    assert abs(int(got.headers["X-MLflow-Timestamp"]) - time.time()) < 60
    assert got.is_signed_with("secret")
    assert not got.is_signed_with("other")


def test_without_a_secret_nothing_is_signed(receiver):
    assert call(receiver.url(), BODY, "an-id", None).success
    assert "X-MLflow-Signature" not in receiver.next().headers


def test_letters_beyond_ascii_are_encoded(receiver):
    assert call(receiver.url("/grüße?ö=ü"), BODY, "an-id", "schlüssel").success
    got = receiver.next()
    assert got.path == "/gr%C3%BC%C3%9Fe?%C3%B6=%C3%BC"
    assert got.is_signed_with("schlüssel")


def test_a_certificate_is_verified_by_the_name_in_the_url(secure):
    assert call(secure.url(host="localhost"), BODY, "an-id", "s").success
    assert secure.next().headers["Host"] == f"localhost:{secure.port}"
    outcome = call(secure.url(host="127.0.0.1"), BODY, "an-id", "s")
    assert outcome.status is None
    assert outcome.may_pass
    assert "certificate is not accepted" in str(outcome)
    assert secure.calls.empty()


def test_an_unknown_authority_is_not_trusted(secure, monkeypatch):
    monkeypatch.delenv("OTFLOW_WEBHOOK_CA_BUNDLE")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    assert "certificate is not accepted" in str(call(secure.url(host="localhost"), BODY, "an-id", "s"))
    assert secure.calls.empty()


def test_the_authorities_of_requests_are_read_too(secure, monkeypatch, tmp_path):
    monkeypatch.delenv("OTFLOW_WEBHOOK_CA_BUNDLE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    assert call(secure.url(host="localhost"), BODY, "an-id", "s").success


def test_authorities_that_are_not_there(secure, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_CA_BUNDLE", "/nowhere/at-all.pem")
    outcome = call(secure.url(host="localhost"), BODY, "an-id", "s")
    assert "OTFLOW_WEBHOOK_CA_BUNDLE" in str(outcome)
    assert secure.calls.empty()


def test_the_connection_goes_to_the_address_that_was_looked_at(secure, monkeypatch):
    """A name that means something else the next time it is asked for gains nothing: it is asked for once."""
    system = socket.getaddrinfo
    asked: list[str] = []

    def resolve(host, *rest, **more):
        if host == "hook.example.com":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return system(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert call(secure.url(host="hook.example.com"), BODY, "an-id", "s").success
    assert secure.next().headers["Host"] == f"hook.example.com:{secure.port}"
    assert asked == ["hook.example.com"]


def test_where_an_address_must_not_be_called_nothing_is_sent(secure, monkeypatch):
    monkeypatch.delenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS")
    for host in ("localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"):
        outcome = call(secure.url(host=host), BODY, "an-id", "s")
        assert (outcome.status, outcome.may_pass) == (None, False)
        assert "non-public" in str(outcome)
    assert secure.calls.empty()


def test_a_scheme_that_is_not_allowed_any_more(receiver, monkeypatch):
    monkeypatch.delenv("OTFLOW_WEBHOOK_ALLOWED_SCHEMES")
    outcome = call(receiver.url(), BODY, "an-id", "s")
    assert (outcome.status, outcome.may_pass) == (None, False)
    assert receiver.calls.empty()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver, answer, status):
    receiver.answers.put(answer(status, {"Location": receiver.url("/inside")}))
    outcome = call(receiver.url(), BODY, "an-id", None)
    assert (outcome.success, outcome.status, outcome.may_pass) == (False, status, False)
    assert [got.path for got in receiver.all(1)] == ["/hook"]


@pytest.mark.parametrize(
    ("status", "may_pass"),
    [(400, False), (401, False), (404, False), (410, False), (429, True), (500, True), (503, True), (599, True)],
)
def test_what_may_pass(receiver, answer, status, may_pass):
    receiver.answers.put(answer(status))
    assert call(receiver.url(), BODY, "an-id", None).may_pass is may_pass


@pytest.mark.parametrize(
    ("wish", "least", "most"),
    [
        ("7", 7, 7),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 1e6, 1e12),
        ("soon", 0, 0),
        ("-5", 0, 0),
        ("9" * 400, 9e8, 1e9),
    ],
)
def test_how_long_a_receiver_wants_to_be_left_alone(receiver, answer, wish, least, most):
    receiver.answers.put(answer(429, {"Retry-After": wish}))
    assert least <= call(receiver.url(), BODY, "an-id", None).retry_after_s <= most


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert call(receiver.url(), BODY, "an-id", None).success


def test_of_a_long_answer_only_the_beginning_is_read(receiver, answer):
    receiver.answers.put(answer(200, body=b"x" * 5_000_000))
    assert call(receiver.url(), BODY, "an-id", None).body == "x" * 4096


def test_nobody_listens(allowed):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    outcome = call(f"http://127.0.0.1:{port}/path-secret?token=query-secret", BODY, "an-id", "key-secret")
    assert outcome.may_pass
    assert outcome.status is None
    assert f"http://127.0.0.1:{port} cannot be reached: Connection refused" in str(outcome)
    assert "secret" not in str(outcome)


def test_a_name_that_means_nothing_may_mean_something_later(allowed):
    outcome = call("https://nowhere.invalid/x?token=abc", BODY, "an-id", None)
    assert outcome.may_pass
    assert "'nowhere.invalid'" in str(outcome)
    assert "abc" not in str(outcome)


class Raw:
    """A server that speaks as it is told to, a piece at a time, until the other side has gone."""

    def __init__(self, *pieces: bytes, again: bytes = b"", pause_s: float = 0.02) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pieces, self._again, self._pause_s = pieces, again, pause_s
        self._end = threading.Event()
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            try:
                connection.recv(65536)
                for piece in self._pieces:
                    connection.sendall(piece)
                while self._again and not self._end.wait(self._pause_s):
                    connection.sendall(self._again)
            except OSError:
                pass

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *args: object) -> None:
        self._end.set()
        self._listener.close()
        self._thread.join()


@pytest.mark.parametrize(
    "server",
    [
        lambda: Raw(again=b"", pause_s=0.02),
        lambda: Raw(b"HTTP/1.1 200 OK\r\nX-A: ", again=b"a"),
        lambda: Raw(b"HTTP/1.1 100 Continue\r\n\r\n", again=b"HTTP/1.1 100 Continue\r\n\r\n"),
        lambda: Raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        lambda: Raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n"),
        lambda: Raw(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000),
    ],
    ids=["nothing", "slow header", "endless continue", "another protocol", "many headers", "a long header"],
)
def test_an_answer_that_is_none(allowed, monkeypatch, server):
    monkeypatch.setenv("OTFLOW_WEBHOOK_REQUEST_TIMEOUT", "0.3")
    with server() as raw:
        before = time.monotonic()
        outcome = call(f"http://127.0.0.1:{raw.port}/", BODY, "an-id", None)
        assert time.monotonic() - before < 10
    assert outcome.status is None
    assert outcome.may_pass


def test_an_answer_whose_body_never_ends_counts(allowed, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_REQUEST_TIMEOUT", "0.5")
    with Raw(b"HTTP/1.1 200 OK\r\n\r\n", again=b"a") as raw:
        before = time.monotonic()
        assert call(f"http://127.0.0.1:{raw.port}/", BODY, "an-id", None).success
        assert time.monotonic() - before < 10


def test_a_handshake_that_never_ends(allowed, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_REQUEST_TIMEOUT", "0.3")
    with Raw(again=b"\x16") as raw:
        before = time.monotonic()
        outcome = call(f"https://127.0.0.1:{raw.port}/", BODY, "an-id", None)
        assert time.monotonic() - before < 10
    assert outcome.may_pass


def test_another_address_is_tried_where_one_does_not_listen(receiver, monkeypatch):
    system = socket.getaddrinfo

    def resolve(host, port, *rest, **more):
        if host == "hook.example.com":
            return [*system("127.0.0.2", port, *rest, **more), *system("127.0.0.1", port, *rest, **more)]
        return system(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert call(receiver.url(host="hook.example.com"), BODY, "an-id", None).success
    receiver.all(1)


def test_old_versions_of_tls_are_refused(authority, new_receiver, monkeypatch, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("OTFLOW_WEBHOOK_CA_BUNDLE", str(bundle))
    old = new_receiver(context)
    assert not call(old.url(host="localhost"), BODY, "an-id", None).success
    assert old.calls.empty()
