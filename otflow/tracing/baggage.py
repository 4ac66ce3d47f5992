"""What travels of a trace beside its ids: session, user, tags and metadata, as W3C Baggage.

| key                        | what                                              |
|----------------------------|---------------------------------------------------|
| `session.id`, `user.id`    | metadata `mlflow.trace.session`, `mlflow.trace.user` |
| `otflow.tag.<key>`         | the tag `<key>`                                   |
| `otflow.metadata.<key>`    | the metadata `<key>`                              |

`<key>` is percent-encoded where it holds what no baggage key may hold. Only what the program has set travels: no key
that begins with `mlflow.`, in either direction. What comes in is bounded, and gives way to what the program here sets.

Source: W3C Baggage (Working Draft of May 2024), 3.2 and 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otflow.semconv import Baggage, Metadata, OTel
from otflow.tracing import privacy
from otflow.tracing.assembly import OpenTrace, open_traces

__all__ = ["Received", "apply", "join", "of_trace", "parse", "received", "to_header", "with_received"]

_MOST_MEMBERS: Final = 64
_MOST_BYTES: Final = 8192
_MOST_BYTES_EACH: Final = 4096
_MOST_KEY: Final = 250
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SYSTEM: Final = "mlflow."
_KEY_SAFE: Final = "!#$&'*+-.^_`|~"
_VALUE_SAFE: Final = "!#$&'()*-./:<=>?@[]^_`{|}~"
"""Characters that may stand in a value; not `+`, which OpenTelemetry for Python reads as a space."""


# -- the header ------------------------------------------------------------------------------------------------


def to_header(values: Mapping[str, str]) -> str:
    """The value of a `baggage` header: members beyond what the specification has everybody carry are left out.

    Args:
        values: Keys, each a token, and values; those that matter most first.
    """
    members: list[str] = []
    size = 0
    for key, value in values.items():
        member = f"{key}={quote(value, safe=_VALUE_SAFE, errors='replace')}"
        if not _TOKEN.fullmatch(key) or len(member) > _MOST_BYTES_EACH or size + len(member) + 1 > _MOST_BYTES + 1:
            continue
        members.append(member)
        size += len(member) + 1
        if len(members) == _MOST_MEMBERS:
            break
    return ",".join(members)


def parse(header: str) -> dict[str, str]:
    """The members of a `baggage` header that are well formed and within the limits; the first of each key."""
    found: dict[str, str] = {}
    size = 0
    for member in header[: _MOST_BYTES * 2].split(","):
        size += len(member) + 1
        if size > _MOST_BYTES + 1 or len(found) == _MOST_MEMBERS:
            break
        key, equals, value = member.partition(";")[0].partition("=")
        key, value = key.strip(), unquote(value.strip(), errors="replace")
        if equals and _TOKEN.fullmatch(key) and not _CONTROL.search(value) and len(value) <= _MOST_BYTES_EACH:
            found.setdefault(key, value)
    return found


def join(first: Mapping[str, str], *others: Mapping[str, str]) -> dict[str, str]:
    """All members; of those with one key, the one that comes first."""
    found = dict(first)
    for other in others:
        for key, value in other.items():
            found.setdefault(key, value)
    return found


# -- of a trace ------------------------------------------------------------------------------------------------


def of_trace(trace: OpenTrace) -> dict[str, str]:
    """What the program has said of a trace that is to travel."""
    found: dict[str, str] = {}
    for key, metadata_key in ((OTel.SESSION_ID, Metadata.SESSION), (OTel.USER_ID, Metadata.USER)):
        if metadata_key in trace.metadata:
            found[key] = trace.metadata[metadata_key]
    for prefix, values in ((Baggage.TAG, trace.tags), (Baggage.METADATA, trace.metadata)):
        for key, value in list(values.items()):
            if value is not None and not key.startswith(_SYSTEM):
                found[prefix + quote(key, safe=_KEY_SAFE, errors="replace")] = value
    return found


@dataclass(frozen=True)
class Received:
    """What another process says of the trace that goes on here."""

    otel_trace_id: int
    tags: dict[str, str] = field(default_factory=dict[str, str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])


_RECEIVED: Final = otel_context.create_key("otflow-received")


def received(otel_trace_id: int, members: Iterable[tuple[str, str]]) -> Received:
    """What the members of a `baggage` header say of a trace."""
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for key, value in members:
        if key == OTel.SESSION_ID:
            metadata[Metadata.SESSION] = value
        elif key == OTel.USER_ID:
            metadata[Metadata.USER] = value
        for prefix, values in ((Baggage.TAG, tags), (Baggage.METADATA, metadata)):
            if key.startswith(prefix):
                name = unquote(key[len(prefix) :], errors="replace")
                if 0 < len(name) <= _MOST_KEY and not name.startswith(_SYSTEM) and not _CONTROL.search(name):
                    values[name] = value
    return Received(otel_trace_id, tags, metadata)


def with_received(found: Received, parent: Context) -> Context:
    """`parent`, with what is to be said of a trace that opens in it."""
    return otel_context.set_value(_RECEIVED, found, parent)


def apply(trace: OpenTrace) -> None:
    """Mark a trace that opens as part of another process's, if it is, and take what that says of it."""
    found = otel_context.get_value(_RECEIVED)
    if isinstance(found, Received) and found.otel_trace_id == trace.otel_trace_id:
        trace.remote = True
        before = open_traces.of_span(trace.otel_trace_id)  # another root below the same sender, which has ended
        policy = privacy.policy()
        if policy is not None:
            metadata = policy.labels(found.metadata, "metadata")
            found = Received(found.otel_trace_id, policy.labels(found.tags, "tags"), metadata)
        for tags in (before.tags if before is not None else {}, found.tags):
            for key, tag in list(tags.items()):
                trace.tags.setdefault(key, tag)
        for metadata in (before.metadata if before is not None else {}, found.metadata):
            for key, value in list(metadata.items()):
                trace.metadata.setdefault(key, value)
