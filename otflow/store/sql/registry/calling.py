"""One call of a webhook: an HTTP request that goes where it was allowed to go, and takes no longer than it may.

The connection is made to an address that was checked (`webhook_addresses`), while TLS verifies the name in the URL and
the header `Host` says it. Nothing leads elsewhere: redirects are not followed, proxies of the environment not used.
"""

from __future__ import annotations

import functools
import io
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from otflow import clock, config
from otflow.errors import InvalidParameterError
from otflow.store import webhook_addresses
from otflow.store.webhook_addresses import Target, UnresolvedError
from otflow.wire.webhooks import DELIVERY_ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

__all__ = ["Outcome", "call"]

_BODY_LIMIT: Final = 4096
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        status: The HTTP status of the answer; None where there was none.
        body: The beginning of the answer.
        error: Why there was none; neither path nor query of the URL is in it.
        may_pass: Whether trying again may succeed.
        retry_after_s: How long the receiver wants to be left alone.
    """

    status: int | None = None
    body: str | None = None
    error: str | None = None
    may_pass: bool = False
    retry_after_s: float = 0.0

    @property
    def success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300

    def __str__(self) -> str:
        return self.error or f"the answer was HTTP status {self.status}"


def call(url: str, body: str, delivery_id: str, secret: str | None) -> Outcome:
    """Send the body to a webhook, once.

    Args:
        url: The webhook's URL.
        body: JSON, in ASCII.
        delivery_id: What tells this delivery from others; the same each time it is tried.
        secret: What the call is signed with, if it is to be signed.
    """
    data, moment = body.encode(), str(clock.now_ns() // 1_000_000_000)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "otflow",
        "Accept-Encoding": "identity",
        "Connection": "close",
        DELIVERY_ID_HEADER: delivery_id,
        TIMESTAMP_HEADER: moment,
    }
    if secret:
        headers[SIGNATURE_HEADER] = signature(secret, delivery_id, moment, data)
    try:
        limit_s = config.WEBHOOK_REQUEST_TIMEOUT.get()
        deadline = _Deadline(limit_s)
        target = webhook_addresses.parse(url)
        addresses = webhook_addresses.resolve(target)
    except UnresolvedError as error:
        return Outcome(error=error.message, may_pass=True)
    except InvalidParameterError as error:
        return Outcome(error=error.message)
    failure = f"{target.shown} has no address"
    for number, address in enumerate(addresses):
        try:
            return _post(target, address, data, headers, deadline, share=1 / (len(addresses) - number))
        except InvalidParameterError as error:  # the certificates to verify by are not there
            return Outcome(error=error.message, may_pass=True)
        except TimeoutError:
            failure = f"{target.shown} did not answer within {limit_s:g} s"
            break
        except _UnreachableError as error:
            failure = f"{target.shown} cannot be reached: {_reason(error.reason)}"
        except Exception as error:
            # Sent, perhaps: another address of the receiver must not get it as well.
            failure = f"{target.shown} broke off: {_reason(error)}"
            break
    return Outcome(error=failure, may_pass=True)


class _UnreachableError(Exception):
    """There was no connection, so that another address may be tried."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


class _Deadline:
    """The moment until which a call may last, however slowly the other side speaks."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    def left(self) -> float:
        """Seconds that are left. Raises TimeoutError where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Stream(io.RawIOBase):
    """What a socket receives, each time for no longer than is left."""

    def __init__(self, channel: socket.socket, deadline: _Deadline) -> None:
        self._channel = channel
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._channel.settimeout(self._deadline.left())
        return self._channel.recv_into(buffer)


class _Channel:
    """As much of a socket as `http.client` needs, with a deadline for all that is done on it."""

    def __init__(self, channel: socket.socket, deadline: _Deadline) -> None:
        self._channel = channel
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            self._channel.settimeout(self._deadline.left())
            rest = rest[self._channel.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """What is received, as a file."""
        del mode
        return io.BufferedReader(_Stream(self._channel, self._deadline))

    def close(self) -> None:
        """Do nothing: who has opened the socket closes it, after the answer was read."""


def _post(
    target: Target, address: str, data: bytes, headers: Mapping[str, str], deadline: _Deadline, share: float
) -> Outcome:
    from http.client import HTTPConnection

    context = _context(config.WEBHOOK_CA_BUNDLE.get()) if target.scheme == "https" else None
    channel = _connect(target, address, context, deadline, share)
    with channel:
        connection: HTTPConnection = HTTPConnection(target.host, target.port)
        connection.sock = cast("Any", _Channel(channel, deadline))
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", target.authority)
        connection.putheader("Content-Length", str(len(data)))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        status = response.status
        try:
            text = response.read(_BODY_LIMIT).decode("utf-8", "replace")
        except Exception as error:  # the receiver has said what counts
            text = "" if isinstance(error, TimeoutError) else f"({_reason(error)})"
        return Outcome(
            status=status,
            body=text,
            may_pass=status == 429 or status >= 500,
            retry_after_s=_retry_after(response.getheader("Retry-After")),
        )


def _connect(
    target: Target, address: str, context: ssl.SSLContext | None, deadline: _Deadline, share: float
) -> socket.socket:
    """A connection to one of several addresses, for which a share of the time is there."""
    try:
        channel = socket.create_connection((address, target.port), timeout=deadline.left() * share)
    except OSError as error:
        raise _UnreachableError(error) from None
    if context is None:
        return channel
    try:
        channel.settimeout(deadline.left())
        return context.wrap_socket(channel, server_hostname=target.host)
    except TimeoutError:
        channel.close()
        raise
    except (OSError, ValueError) as error:
        channel.close()
        raise _UnreachableError(error) from None


@functools.lru_cache(maxsize=4)
def _context(bundle: str | None) -> ssl.SSLContext:
    """How receivers are verified: by these certificates, else by those of the system and of certifi."""
    import ssl

    try:
        if bundle is not None:
            is_folder = os.path.isdir(bundle)
            return ssl.create_default_context(
                cafile=None if is_folder else bundle, capath=bundle if is_folder else None
            )
        import certifi  # it comes with requests

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
    except OSError as error:
        raise InvalidParameterError(
            f"the certificates in {bundle!r} cannot be read ({config.WEBHOOK_CA_BUNDLE.variables[0]}): "
            f"{error.strerror or type(error).__name__}"
        ) from None
    return context


def _retry_after(value: str | None) -> float:
    """The seconds that a header asks for, as a number or as a date; 0 for what is neither."""
    if not value:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - clock.now_ms() / 1000)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _reason(error: BaseException) -> str:
    """What went wrong, in the system's words or by the kind of the error."""
    verify = getattr(error, "verify_message", None)
    if verify:
        return f"its certificate is not accepted ({verify})"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.errno and error.errno > 0 and not hasattr(error, "library"):
        return os.strerror(error.errno)
    return type(error).__name__
