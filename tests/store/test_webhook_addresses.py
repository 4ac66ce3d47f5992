"""Where webhooks may lead to."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError
from otflow.store.webhook_addresses import Target, check_reachable, is_public, parse, resolve, without_secrets

INTERNAL = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "fe80::1%lo", "nonsense", "",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.167.1.1", "223.1.1.1",
    "2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private(address):
    embedding = address.version == 6 and (
        address.ipv4_mapped is not None or address in ipaddress.ip_network("64:ff9b::/96")
    )
    if is_public(str(address)) and not embedding:
        assert not address.is_private
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_multicast
        assert not address.is_reserved
        assert not address.is_unspecified


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_what_it_embeds(address):
    for form in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_public(form) is is_public(str(address))
    for form in (f"::{address}", f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::"):
        assert not is_public(form)


def spellings(address: ipaddress.IPv4Address) -> list[str]:
    """The ways in which the C library takes an address."""
    number = int(address)
    a, b, c, d = address.packed
    return [
        str(address),
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"[::ffff:{address}]",
        f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        f"[64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}]",
    ]


NETWORKS = ["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "169.254.0.0/16", "100.64.0.0/10"]


@given(st.sampled_from(NETWORKS).flatmap(lambda network: st.ip_addresses(network=network)), st.data())
def test_no_spelling_of_an_internal_address_is_let_through(address, data):
    host = data.draw(st.sampled_from(spellings(address)))
    with pytest.raises(InvalidParameterError):
        check_reachable(f"https://{host}/hook")
    with pytest.raises(InvalidParameterError):
        check_reachable(f"https://{host}:8443")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "sub.localhost", "127.1", "0", "0x7f.1", "0177.0.0.1", "[::]"]
)
def test_names_of_this_machine(host):
    with pytest.raises(InvalidParameterError):
        check_reachable(f"https://{host}/hook")


def test_one_internal_address_among_several_is_enough(monkeypatch):
    def answer(host, port, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(InvalidParameterError, match=r"'both\.example\.com'") as raised:
        check_reachable("https://both.example.com/secret-path?secret=1")
    assert "10.0.0.1" not in str(raised.value)  # what names mean inside is nobody's business
    assert "secret" not in str(raised.value)


REFUSED = [
    None, 5, b"https://8.8.8.8", "", "   ", "x", "//8.8.8.8", "8.8.8.8", "https:", "https://", "https:///path",
    "https:/8.8.8.8/", "http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "gopher://8.8.8.8/", "javascript:1",
    "https://user@8.8.8.8/", "https://user:password@8.8.8.8/", "https://@8.8.8.8/", "https://8.8.8.8@127.0.0.1/",
    "https://8.8.8.8:0/", "https://8.8.8.8:65536/", "https://8.8.8.8:-1/", "https://8.8.8.8:x/", "https://[::1/",
    "https://::1/", "https://[::1]:x/", "https://[fe80::1%25lo]/", "https://[v1.x]/", "https://8.8.8.8 /",
    " https://8.8.8.8/", "https://8.8.8.8/\r\nX-A: b", "https://8.8.8.8/\x00", "https://8.8.8.8\\@127.0.0.1/",
    "https://a b/", "https://a\tb/", "https://a,b/", "https://a%2eb/", "https://a<b>/", f"https://{'a' * 300}/",
    "https://\ud800/", "https://a..b../", "https://xn--\u00e4/", "https://nowhere.invalid/",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_what_is_no_url_for_a_webhook(url):
    with pytest.raises(InvalidParameterError) as raised:
        check_reachable(url)
    assert "password" not in str(raised.value).replace("a user or a password", "")


@given(st.text() | st.from_regex(r"https?://[^/]*[/?#@:\[\]\\]?.*", fullmatch=True))
def test_any_text_is_taken_or_refused(text):
    try:
        target = parse(text)
    except InvalidParameterError:
        return
    assert target.scheme == "https"
    assert 0 < target.port < 65536
    assert target.path.startswith("/")
    for part in (target.host, target.path, target.authority):
        assert part.isascii()
        assert part.isprintable()
        assert " " not in part
    assert "@" not in target.host


def test_the_parts_of_a_url():
    assert parse("https://example.com") == Target("https", "example.com", 443, "/")
    assert parse("HTTPS://Example.COM:8443/a%20b?c=d#e") == Target("https", "example.com", 8443, "/a%20b?c=d")
    assert parse("https://bücher.example/ü") == Target("https", "xn--bcher-kva.example", 443, "/%C3%BC")
    assert parse("https://[2606:4700::1]:443/").authority == "[2606:4700::1]"
    assert parse("https://example.com:444/").authority == "example.com:444"


def test_public_addresses_are_taken_as_they_are():
    for url in ("https://8.8.8.8/hook?x=y", "https://[2606:4700:4700::1111]:8443/"):
        assert check_reachable(url) == url
        assert len(resolve(parse(url))) == 1


def test_what_the_settings_allow(monkeypatch):
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    assert check_reachable("https://127.0.0.1/") == "https://127.0.0.1/"
    assert check_reachable("https://not-there-yet.invalid/") == "https://not-there-yet.invalid/"
    with pytest.raises(InvalidParameterError, match="Allowed schemes are: https"):
        check_reachable("http://127.0.0.1/")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    assert check_reachable("http://127.0.0.1/") == "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/services/T1/B1/secret?token=x#y", "https://hooks.example.com/services/T1/B1/…"),
        ("https://user:password@example.com/a", "https://example.com/…"),
        ("https://example.com", "https://example.com"),
        ("https://example.com/?token=x", "https://example.com/"),
    ],
)
def test_urls_are_shown_without_what_lets_a_caller_in(url, shown):
    assert without_secrets(url) == shown
