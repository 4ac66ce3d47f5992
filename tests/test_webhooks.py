"""Verifying calls of webhooks, as their receiver does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow import clock, webhooks
from otflow.entities import WebhookEvent
from otflow.errors import InvalidParameterError
from otflow.webhooks import InvalidSignatureError, verify
from otflow.wire.webhooks import event_body, signature

BODY = json.dumps(
    {"entity": "prompt", "action": "created", "timestamp": "2026-01-01T00:00:00+00:00", "data": {"name": "p"}}
).encode()
NOW_S = 1_767_225_600


@pytest.fixture(autouse=True)
def now():
    clock.use(lambda: NOW_S * 1_000_000_000)
    yield
    clock.use(None)


def headers(body: bytes = BODY, secret: str = "s3cret", sent_s: object = NOW_S, an_id: str = "an-id") -> dict[str, str]:
    """Signed as MLflow's documentation says it, apart from otflow's own code."""
    digest = hmac.new(secret.encode(), f"{an_id}.{sent_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Signature": f"v1,{base64.b64encode(digest).decode()}",
        "X-MLflow-Delivery-Id": an_id,
        "X-MLflow-Timestamp": str(sent_s),
        "Content-Type": "application/json",
    }


def test_a_genuine_call():
    delivery = verify(BODY, headers(), "s3cret")
    assert delivery == webhooks.Delivery("an-id", "prompt.created", "2026-01-01T00:00:00+00:00", {"name": "p"})
    assert verify(BODY.decode(), headers(), "s3cret") == delivery


def test_the_case_of_names_does_not_matter():
    for change in (str.lower, str.upper):
        assert verify(BODY, {change(name): value for name, value in headers().items()}, "s3cret")


def test_a_secret_that_is_being_replaced():
    assert verify(BODY, headers(secret="old"), ["new", "old"]).data == {"name": "p"}
    with pytest.raises(InvalidSignatureError):
        verify(BODY, headers(secret="older"), ["new", "old"])


@pytest.mark.parametrize("secret", ["", [], ["a", ""]])
def test_without_a_secret_nothing_is_verified(secret):
    with pytest.raises(InvalidParameterError):
        verify(BODY, headers(secret=""), secret)


@pytest.mark.parametrize("name", ["X-MLflow-Signature", "X-MLflow-Delivery-Id", "X-MLflow-Timestamp"])
@pytest.mark.parametrize("value", [None, "", "x", "v1,", "v2,abc", "é", "v1,é", "0", "9" * 500, "\ud800"])
def test_headers_that_are_missing_or_others(name, value):
    given = headers()
    if value is None:
        del given[name]
    else:
        given[name] = value
    with pytest.raises(InvalidSignatureError) as raised:
        verify(BODY, given, "s3cret")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("sent_s", ["soon", "-1", "1.5", "\u0661", " 1767225600", "1e9"])
def test_a_time_that_is_none_though_it_is_signed(sent_s):
    with pytest.raises(InvalidSignatureError):
        verify(BODY, headers(sent_s=sent_s), "s3cret")


@pytest.mark.parametrize(("off_s", "genuine"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)])
def test_old_calls_are_refused(off_s, genuine):
    given = headers(sent_s=NOW_S + off_s)
    if genuine:
        assert verify(BODY, given, "s3cret")
    else:
        with pytest.raises(InvalidSignatureError, match="300 seconds"):
            verify(BODY, given, "s3cret")
    assert verify(BODY, given, "s3cret", max_age_s=1000)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"entity": 1}', b'{"data": 5}'])
def test_a_body_that_is_signed_and_says_nothing(body):
    with pytest.raises(InvalidParameterError):
        verify(body, headers(body), "s3cret")


@given(st.binary(max_size=200), st.integers(0), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(more, place, change):
    body = BODY + more
    changed = bytearray(body)
    changed[place % len(body)] ^= change
    with pytest.raises(InvalidSignatureError):
        verify(bytes(changed), headers(body), "s3cret")


@given(st.text(), st.text(min_size=1).filter(lambda text: text.isprintable()), st.binary())
def test_signatures_are_those_that_the_documentation_describes(secret, an_id, body):
    digest = hmac.new(secret.encode(), f"{an_id}.{NOW_S}.".encode() + body, hashlib.sha256).digest()
    assert signature(secret, an_id, str(NOW_S), body) == f"v1,{base64.b64encode(digest).decode()}"


@given(st.dictionaries(st.text(), st.text() | st.none() | st.dictionaries(st.text(), st.text())))
def test_what_is_sent_is_what_is_verified(data):
    body = event_body(WebhookEvent("prompt_tag", "set"), data, NOW_S * 1_000_000_000 + 1_234_567_890).encode()
    delivery = verify(body, headers(body), "s3cret")
    assert delivery.event == "prompt_tag.set"
    assert delivery.data == data
    assert delivery.timestamp == "2026-01-01T00:00:01.234567+00:00"
