"""Where a webhook may lead to: not into the network that this process stands in, unless the settings allow it.

Who may create a webhook makes this process send requests, perhaps from behind a firewall. So the address is looked at
when a webhook is created, and again at each call, where the connection then goes to the address that was looked at: a
name that means something else a moment later gains nothing.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import quote, urlsplit

from otflow import config
from otflow.errors import InvalidParameterError

__all__ = ["Target", "UnresolvedError", "check_reachable", "is_public", "parse", "resolve", "without_secrets"]

_PORTS: Final = {"http": 80, "https": 443}
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
"""Characters that programs read in different ways, or that end a line of HTTP."""
_HOST: Final = re.compile(r"[0-9A-Za-z_.:-]{1,255}").fullmatch

# Source: IANA IPv4 Special-Purpose Address Registry; multicast and reserved space from IANA IPv4 Address Space.
_INTERNAL_V4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by the customers of a provider; a cloud's metadata, too
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local; 169.254.169.254 is the metadata of most clouds
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # relays of 6to4
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
# Source: IANA IPv6 Global Unicast Address Assignments, IPv6 Special-Purpose Address Registry.
_GLOBAL_V6: Final = ("2000::/3",)
"""All that was ever given out for unicast; loopback, link-local, unique local and multicast lie outside."""
_INTERNAL_V6: Final = (
    "2001::/23",  # protocol assignments; Teredo, ORCHID
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, which leads to an IPv4 address
    "3fff::/20",  # documentation
)
_EMBEDDING: Final = ("::ffff:0:0/96", "64:ff9b::/96")
"""IPv4-mapped addresses, and those of NAT64 (RFC 6052): what counts is the IPv4 address in the last 32 bits."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in the parts that a request is made from.

    Attributes:
        scheme: `http` or `https`.
        host: The name or address, in ASCII, without brackets.
        port: The port.
        path: Path and query, in ASCII.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL as far as it is fit for messages: path and query of a webhook are often secrets."""
        return f"{self.scheme}://{self.authority}"


class UnresolvedError(InvalidParameterError):
    """A host name that means nothing, perhaps only now."""


def parse(url: object) -> Target:
    """The parts of a webhook's URL.

    Raises:
        InvalidParameterError: It is none, or none that the settings allow. Nothing of it but scheme and host is shown.
    """
    if not isinstance(url, str):
        raise InvalidParameterError(f"Webhook URL must be a string, got {type(url).__name__!r}")
    if not url.strip():
        raise InvalidParameterError("Webhook URL cannot be empty or just whitespace")
    if _UNFIT.search(url):
        raise InvalidParameterError("Webhook URL must not hold whitespace, control characters or backslashes")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidParameterError("Invalid webhook URL: a malformed host or port") from None
    allowed = config.WEBHOOK_ALLOWED_SCHEMES.get()
    if parts.scheme not in allowed:
        raise InvalidParameterError(
            f"Invalid webhook URL scheme: {parts.scheme!r}. Allowed schemes are: {', '.join(sorted(allowed))}."
        )
    if "@" in parts.netloc:
        raise InvalidParameterError("Webhook URL must not hold a user or a password")
    if not host:
        raise InvalidParameterError("Webhook URL must include a hostname")
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise InvalidParameterError(f"Webhook URL must include a hostname that exists, not {host!r}") from None
    if _HOST(host) is None or port == 0:
        raise InvalidParameterError(f"Invalid webhook URL: {host!r} is not a host, or the port is none")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        f"?{quote(parts.query, safe='/?%:@!$&()*+,;=~-._')}" if parts.query else ""
    )
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one of the public internet."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # with a zone, say
        return False
    return _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _in_any(address, _INTERNAL_V4)
    if _in_any(address, _EMBEDDING):
        return _is_public(IPv4Address(address.packed[-4:]))
    return _in_any(address, _GLOBAL_V6) and not _in_any(address, _INTERNAL_V6)


def _in_any(address: IPv4Address | IPv6Address, networks: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(networks))


@functools.cache
def _networks(texts: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


def resolve(target: Target) -> Sequence[str]:
    """The addresses that a target leads to now, in the system's order.

    Raises:
        UnresolvedError: The name means nothing now.
        InvalidParameterError: One of them is not public, and the settings do not allow that.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnresolvedError(f"Cannot resolve webhook URL hostname {target.host!r}") from None
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not config.WEBHOOK_ALLOW_PRIVATE_IPS.get() and not all(is_public(address) for address in addresses):
        raise InvalidParameterError(
            f"Webhook URL must not resolve to a non-public IP address, as {target.host!r} does; the setting "
            f"{config.WEBHOOK_ALLOW_PRIVATE_IPS.variables[0]} allows that for development"
        )
    return addresses


def check_reachable(url: object) -> str:
    """The URL, if a webhook may lead there; resolves its host where it matters what that means.

    Raises:
        InvalidParameterError: It may not.
    """
    target = parse(url)
    if not config.WEBHOOK_ALLOW_PRIVATE_IPS.get():
        resolve(target)
    return str(url)


def without_secrets(url: str) -> str:
    """A URL that was stored, as far as it is fit for terminals and logs.

    Left out are user, query and the last part of the path: by these receivers often know who may call them.
    """
    head = re.split(r"[?#]", url, maxsplit=1)[0]
    parts = re.sub(r"//[^/]*@", "//", head, count=1).split("/")
    return "/".join([*parts[:-1], "…"]) if len(parts) > 3 and parts[-1] else "/".join(parts)
