"""How secrets of webhooks are kept."""

from __future__ import annotations

import sys

import pytest
from cryptography.fernet import Fernet

from otflow.errors import InvalidParameterError, InvalidStateError, MissingExtraError
from otflow.store.sql.registry.sealing import seal, unseal

KEY = "OTFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"


@pytest.mark.parametrize("secret", ["s3cret", "fernet:x", "plain:x", "grüße", " "])
@pytest.mark.parametrize("encrypted", [True, False])
def test_a_secret_comes_back(secret, encrypted, monkeypatch):
    if encrypted:
        monkeypatch.setenv(KEY, Fernet.generate_key().decode())
    stored = seal(secret)
    assert stored is not None
    assert (secret in stored) is not encrypted or secret == " "
    assert unseal(stored) == secret


def test_no_secret_is_none():
    assert seal(None) is None
    assert unseal(None) is None


def test_what_was_stored_before_there_was_a_key_is_still_read(monkeypatch):
    stored = seal("s3cret")
    monkeypatch.setenv(KEY, Fernet.generate_key().decode())
    assert unseal(stored) == "s3cret"


def test_without_the_key_it_cannot_be_read(monkeypatch):
    monkeypatch.setenv(KEY, Fernet.generate_key().decode())
    stored = seal("s3cret")
    monkeypatch.setenv(KEY, Fernet.generate_key().decode())
    with pytest.raises(InvalidStateError, match="another key"):
        unseal(stored)
    monkeypatch.delenv(KEY)
    with pytest.raises(InvalidStateError, match=KEY):
        unseal(stored)


def test_a_key_that_is_none_is_refused_and_not_shown(monkeypatch):
    monkeypatch.setenv(KEY, "my-own-passphrase")
    with pytest.raises(InvalidParameterError, match=KEY) as raised:
        seal("s3cret")
    assert "my-own-passphrase" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_key_and_nothing_to_encrypt_with(monkeypatch):
    monkeypatch.setenv(KEY, Fernet.generate_key().decode())
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(MissingExtraError, match=r"otflow\[webhooks\]"):
        seal("s3cret")
