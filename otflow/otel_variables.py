"""OpenTelemetry's own variables, as its SDK and its exporters read them; `otflow.config` reads all others."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from otflow.errors import InvalidParameterError

__all__ = [
    "KNOWN_EXPORTERS",
    "OtlpTraces",
    "importing_the_sdk",
    "otel_limits",
    "otel_sampler",
    "otlp_logs_protocol",
    "otlp_state",
    "otlp_traces",
    "traces_exporters",
    "wants_latest_genai",
]

T = TypeVar("T")


def otlp_logs_protocol() -> str | None:
    """The protocol by which log events are to leave over OTLP; None where no collector is configured for them.

    Source: OpenTelemetry specification, Environment Variable Specification and OTLP Exporter.
    """
    environment = os.environ
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporters = environment.get("OTEL_LOGS_EXPORTER", "").strip().lower() or "otlp"
    if "otlp" not in (exporter.strip() for exporter in exporters.split(",")):
        return None
    if not (environment.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")):
        return None
    protocol = environment.get("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return (protocol or "http/protobuf").strip().lower()


@dataclass(frozen=True)
class OtlpTraces:
    """A collector that takes traces, as OpenTelemetry's variables describe it."""

    protocol: str
    """`grpc`, `http/protobuf` or `http/json`."""
    endpoint: str
    """The URL that requests go to; for gRPC, of the server."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names in lower case. Values may be secrets."""
    gzip: bool = False
    timeout_s: float = 10.0
    certificate: str | None = None
    """File of the certificates that are trusted."""
    client_key: str | None = None
    client_certificate: str | None = None
    secure: bool = True
    """Whether the connection is by TLS."""


_OTLP_PROTOCOLS: Final = ("grpc", "http/protobuf", "http/json")
_OTLP_TRACES: Final = (
    "ENDPOINT",
    "HEADERS",
    "PROTOCOL",
    "COMPRESSION",
    "TIMEOUT",
    "CERTIFICATE",
    "CLIENT_KEY",
    "CLIENT_CERTIFICATE",
    "INSECURE",
)
_OTLP_VARIABLES: Final = (
    "OTEL_TRACES_EXPORTER",
    *(f"OTEL_EXPORTER_OTLP_{infix}{name}" for name in _OTLP_TRACES for infix in ("TRACES_", "")),
)


def otlp_state() -> tuple[str | None, ...]:
    """The variables that `otlp_traces` and `traces_exporters` read, for finding out whether they changed."""
    return tuple(os.environ.get(variable) for variable in _OTLP_VARIABLES)


Report = Callable[[InvalidParameterError], None]
"""What is told of a variable that holds something not allowed, and counts as not set for that reason."""


def traces_exporters() -> frozenset[str] | None:
    """The names in OTEL_TRACES_EXPORTER, in lower case; None where it is not set.

    Source: OpenTelemetry specification, Environment Variable Specification, "Exporter Selection"; `otlp_proto_grpc`
    and `otlp_proto_http` are names of OpenTelemetry for Python.
    """
    names = os.environ.get("OTEL_TRACES_EXPORTER", "").lower().split(",")
    return frozenset(name.strip() for name in names if name.strip()) or None


def otlp_traces(report: Report) -> OtlpTraces | None:
    """The collector that traces are to leave for by OTLP; None where no variable asks for that.

    They are asked for by an endpoint, or by OTEL_TRACES_EXPORTER, then at the default endpoint; and called off by an
    OTEL_TRACES_EXPORTER without `otlp`.

    Args:
        report: Called for each variable that holds something that is not allowed; it counts as not set.

    Raises:
        InvalidParameterError: the endpoint is none: nobody knows where traces are to go.

    Source: OpenTelemetry specification, OpenTelemetry Protocol Exporter.
    """
    exporters = traces_exporters()
    variable, endpoint = _otlp_endpoint()
    if endpoint is None if exporters is None else exporters.isdisjoint(_OTLP_EXPORTERS):
        return None
    named = next((_OTLP_EXPORTERS[name] for name in sorted(exporters or ()) if _OTLP_EXPORTERS.get(name)), None)
    protocol = named or _otlp("PROTOCOL", _one_of(*_OTLP_PROTOCOLS), "http/protobuf", report)
    if protocol == "grpc":
        endpoint = endpoint or "http://localhost:4317"
        if not endpoint.lower().startswith(("http://", "https://", *_GRPC_SCHEMES)):
            if "://" in endpoint:
                raise InvalidParameterError(
                    f"{variable} must be a URL, http(s)://host[:port], or an address of gRPC's, for {protocol}"
                )
            endpoint = f"//{endpoint}"
        insecure = _otlp("INSECURE", _one_of("true", "false"), "false", report) == "true"
        secure = not insecure and not endpoint.lower().startswith("http://")
        if endpoint.startswith("//"):
            endpoint = f"{'https' if secure else 'http'}:{endpoint}"
        secure = secure or endpoint.lower().startswith("https://")
    else:
        endpoint = endpoint or "http://localhost:4318"
        if variable == "OTEL_EXPORTER_OTLP_ENDPOINT":
            parts = urlsplit(endpoint)
            endpoint = parts._replace(path=parts.path.rstrip("/") + "/v1/traces").geturl()
        secure = endpoint.lower().startswith("https://")
    if not endpoint.startswith(_GRPC_SCHEMES) and not _is_url(endpoint):
        raise InvalidParameterError(f"{variable} must be a URL, http(s)://host[:port][/path], for {protocol}")
    return OtlpTraces(
        protocol=protocol,
        endpoint=endpoint,
        headers=_otlp_headers(report),
        gzip=_otlp("COMPRESSION", _one_of("none", "gzip"), "none", report) == "gzip",
        timeout_s=_otlp("TIMEOUT", _milliseconds, 10_000.0, report) / 1000,
        certificate=_otlp("CERTIFICATE", str, None, report),
        client_key=_otlp("CLIENT_KEY", str, None, report),
        client_certificate=_otlp("CLIENT_CERTIFICATE", str, None, report),
        secure=secure,
    )


_OTLP_EXPORTERS: Final = {"otlp": None, "otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}
"""The names by which OTEL_TRACES_EXPORTER asks for OTLP, with the protocol that one stands for."""
KNOWN_EXPORTERS: Final = frozenset({*_OTLP_EXPORTERS, "console", "none"})
"""What OTEL_TRACES_EXPORTER may name."""
_GRPC_SCHEMES: Final = ("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "vsock:")
"""Source: gRPC Name Resolution."""
_OTLP_PREFIXES: Final = ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_")
_INDEFINITELY_MS: Final = 60_000.0
"""What a timeout of 0 means: a collector that never answers must not keep the process from ending."""


def _otlp_endpoint() -> tuple[str, str | None]:
    for prefix in _OTLP_PREFIXES:
        value = os.environ.get(f"{prefix}ENDPOINT", "").strip()
        if value:
            return f"{prefix}ENDPOINT", value
    return "OTEL_EXPORTER_OTLP_ENDPOINT", None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that are not closed
        return False


def _otlp(option: str, parse: Callable[[str], T], default: Any, report: Report) -> T:
    """An option of the OTLP exporter: that of traces, else that of all signals, else the default."""
    for prefix in _OTLP_PREFIXES:
        value = os.environ.get(prefix + option, "").strip()
        if value:
            try:
                return parse(value)
            except ValueError as error:
                report(InvalidParameterError(f"{prefix}{option} must be {error}, not {value!r}"))
    return default


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"one of {', '.join(values)}")
        return text.lower()

    return parse


def _milliseconds(text: str) -> float:
    # As the specification says, though OpenTelemetry's own exporters for Python count in seconds.
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError("a number of milliseconds, at least 0")
    return value or _INDEFINITELY_MS


def _otlp_headers(report: Report) -> tuple[tuple[str, str], ...]:
    """Headers in the form of W3C Baggage: `name=value`, separated by commas, values percent-encoded.

    A pair that no header can be made of is left out.
    """
    variable = next((prefix + "HEADERS" for prefix in _OTLP_PREFIXES if os.environ.get(prefix + "HEADERS")), "")
    found: dict[str, str] = {}
    for item in os.environ.get(variable, "").split(",") if variable else ():
        if not item.strip():
            continue
        name, equals, value = item.partition("=")
        name, value = unquote(name).strip().lower(), unquote(value).strip()
        if not equals or not _HEADER_NAME.fullmatch(name) or not (value.isascii() and (value + "a").isprintable()):
            report(
                InvalidParameterError(
                    f"{variable} must be name=value, separated by commas, of ASCII characters without line breaks "
                    "(values are not shown here)"
                )
            )
        else:
            found[name] = value
    return tuple(found.items())


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")


_OTEL_LIMITS: Final = (
    "ATTRIBUTE_COUNT_LIMIT",
    "ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "SPAN_ATTRIBUTE_COUNT_LIMIT",
    "SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "SPAN_EVENT_COUNT_LIMIT",
    "SPAN_LINK_COUNT_LIMIT",
    "EVENT_ATTRIBUTE_COUNT_LIMIT",
    "LINK_ATTRIBUTE_COUNT_LIMIT",
)


def otel_limits(report: Report) -> dict[str, int]:
    """The limits of spans that OpenTelemetry's variables set, by the name of the variable without `OTEL_`.

    Args:
        report: Called for each variable that holds something else than a number; it counts as not set.

    Source: OpenTelemetry specification, Environment Variable Specification, "Attribute Limits" and "Span Limits".
    """
    found: dict[str, int] = {}
    for name in _OTEL_LIMITS:
        text = os.environ.get(f"OTEL_{name}", "").strip()
        if text.isascii() and text.isdigit():
            found[name] = int(text[:18])
        elif text:
            report(InvalidParameterError(f"OTEL_{name} must be a whole number, at least 0, not {text!r}"))
    return found


@contextlib.contextmanager
def importing_the_sdk() -> Generator[None]:
    """For the time in which the SDK is imported: without OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, if that is no number.

    The SDK reads this one limit as it is imported, and cannot be imported where it is malformed.
    """
    name = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
    text = os.environ.get(name, "").strip()
    if not text or (text.isascii() and text.isdigit()):
        yield
        return
    before = os.environ.pop(name)
    try:
        yield
    finally:
        os.environ[name] = before


def otel_sampler() -> tuple[str, str]:
    """OTEL_TRACES_SAMPLER, in lower case, and OTEL_TRACES_SAMPLER_ARG; empty where they are not set."""
    name, argument = os.environ.get("OTEL_TRACES_SAMPLER", ""), os.environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    return name.strip().lower(), argument.strip()


def wants_latest_genai() -> bool:
    """Whether instrumentation is told to follow the newest generation of the GenAI conventions.

    Source: OpenTelemetry GenAI semantic conventions, transition plan.
    """
    words = os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")
    return "gen_ai_latest_experimental" in (word.strip() for word in words)
