"""How secrets of webhooks are kept: encrypted where there is a key, else as they are.

What is stored says which: `fernet:` and a token, or `plain:` and the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otflow import config
from otflow.errors import InvalidParameterError, InvalidStateError, MissingExtraError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["seal", "unseal"]

_PLAIN: Final = "plain:"
_FERNET: Final = "fernet:"
_VARIABLE: Final = config.WEBHOOK_SECRET_ENCRYPTION_KEY.variables[0]


def seal(secret: str | None) -> str | None:
    """The secret as it is stored.

    Raises:
        InvalidParameterError: The key is none.
        MissingExtraError: There is a key, and nothing to encrypt with.
    """
    if secret is None:
        return None
    key = config.WEBHOOK_SECRET_ENCRYPTION_KEY.get()
    return _PLAIN + secret if key is None else _FERNET + _fernet(key).encrypt(secret.encode()).decode()


def unseal(stored: str | None) -> str | None:
    """The secret that was stored.

    Raises:
        InvalidStateError: It is encrypted, and this process has no key for it.
        InvalidParameterError: The key is none.
        MissingExtraError: There is a key, and nothing to decrypt with.
    """
    if stored is None:
        return None
    if not stored.startswith(_FERNET):
        return stored.removeprefix(_PLAIN)
    key = config.WEBHOOK_SECRET_ENCRYPTION_KEY.get()
    if key is None:
        raise InvalidStateError(f"the secret is encrypted, and {_VARIABLE} is not set in this process")
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(key).decrypt(stored.removeprefix(_FERNET)).decode()
    except InvalidToken:
        raise InvalidStateError(f"the secret was encrypted with another key than that of {_VARIABLE}") from None


def _fernet(key: str) -> Fernet:
    try:
        from cryptography.fernet import Fernet
    except ImportError:
        raise MissingExtraError("cryptography", "webhooks", f"encrypting secrets of webhooks ({_VARIABLE})") from None
    try:
        return Fernet(key)
    except ValueError:  # the error of the library may be raised from one that holds the key
        pass
    raise InvalidParameterError(f"{_VARIABLE} must be a Fernet key: 32 bytes in URL-safe base64")
