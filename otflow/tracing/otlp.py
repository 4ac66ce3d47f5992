"""Traces out by OTLP: to the collector that OpenTelemetry's variables name, and to the terminal.

What leaves is what would have been stored: otflow's spans, and those of other instrumentation that the span filter
admits; once each, when it has ended. Attributes leave in the form in which the SDK's own exporter sends them, with
those of the GenAI conventions beside MLflow's.

Source: OpenTelemetry Protocol Specification (failures, partial success, throttling).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from otflow.entities import Span
from otflow.errors import OtflowError, StoreUnavailableError
from otflow.otel_variables import OtlpTraces
from otflow.semconv import Metadata, OTel
from otflow.store.interface import TraceWrite
from otflow.tracing import guard
from otflow.wire.otlp import encode_spans

__all__ = ["ConsoleDestination", "OtlpDestination", "Rejected", "Throttled", "Transport"]

_MOST_SPANS: Final = 512
"""Spans in one request, as many as the SDK's exporter sends by default."""
_MOST_BYTES: Final = 3_500_000
"""Size of one request of several spans; gRPC servers refuse more than 4 MiB unless told otherwise."""
_MOST_TRACES: Final = 4096
"""Traces whose session and user are remembered for the spans that come later."""
_LONGEST_ANSWER: Final = 1_000_000
_LONGEST_WAIT_S: Final = 300.0
"""A collector that asks for a longer pause is asked again after this."""


class Rejected(NamedTuple):
    """What a collector said it did not take of a request that it took otherwise."""

    spans: int
    message: str


class Throttled(StoreUnavailableError):
    """The collector asks for a pause.

    Args:
        message: What to say of it.
        wait_s: How long, in seconds.
    """

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = min(wait_s, _LONGEST_WAIT_S)


class Transport(Protocol):
    """The way of one request to a collector."""

    def post(self, body: bytes) -> Rejected | None:
        """Send an `ExportTraceServiceRequest` in protobuf, once.

        Raises:
            StoreUnavailableError: the same request may be taken later.
            OtflowError: it never will.
        """
        ...


class OtlpDestination:
    """The collector that OpenTelemetry's variables name.

    Args:
        target: What the variables say of it.
    """

    def __init__(self, target: OtlpTraces) -> None:
        self.target = target
        self._transport = _transport(target)
        self._attributes = _Outgoing()
        self._accepted: set[tuple[str, str]] = set()
        """What the collector has taken of a batch that is not done."""
        self._not_before = 0.0

    @property
    def name(self) -> str:
        parts = urlsplit(self.target.endpoint)
        if parts.scheme not in ("http", "https"):
            return f"otlp:{self.target.endpoint}"
        path = "" if self.target.protocol == "grpc" else parts.path
        return f"otlp:{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"

    def send(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> int:
        """Send the spans that have ended, in as many requests as the collector's limits ask for.

        Returns:
            How many of them the collector refused for good.
        """
        self._attributes.hear(traces)
        if time.monotonic() < self._not_before:
            raise StoreUnavailableError(f"{self.name} has asked for a pause")
        ended = [span for span in spans if span.end_time_ns is not None]
        refused = 0
        for part in _parts([span for span in ended if (span.trace_id, span.span_id) not in self._accepted]):
            refused += self._send_part(part)
        self._accepted.difference_update((span.trace_id, span.span_id) for span in ended)
        return refused

    def _send_part(self, spans: list[Span]) -> int:
        body = encode_spans(spans, self._attributes.of, _resource())
        if len(body) > _MOST_BYTES and len(spans) > 1:
            half = len(spans) // 2
            return self._send_part(spans[:half]) + self._send_part(spans[half:])
        try:
            rejected = self._transport.post(body)
        except Throttled as error:
            self._not_before = time.monotonic() + error.wait_s
            raise
        self._accepted.update((span.trace_id, span.span_id) for span in spans)
        if rejected is None:
            return 0
        if rejected.spans:
            guard.swallow(f"have all spans taken by {self.name}", OtflowError(rejected.message or "no reason given"))
        elif rejected.message:
            guard.swallow(f"leave a warning of {self.name} unsaid", OtflowError(rejected.message))
        return min(rejected.spans, len(spans))


class ConsoleDestination:
    """Standard output: OTLP's JSON, one line a batch."""

    def __init__(self) -> None:
        self._attributes = _Outgoing()

    @property
    def name(self) -> str:
        return "console"

    def send(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> int:
        """Print the spans that have ended."""
        from otflow.wire.otlp_json import request_to_json

        self._attributes.hear(traces)
        ended = [span for span in spans if span.end_time_ns is not None]
        if ended:
            try:
                print(request_to_json(encode_spans(ended, self._attributes.of, _resource())), flush=True)  # noqa: T201 - its purpose
            except (OSError, ValueError) as error:
                raise OtflowError(f"Standard output takes nothing: {error}") from None
        return 0


class _Outgoing:
    """The attributes with which spans leave."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, str]] = {}
        """What is known of a trace that each of its spans is to say, by trace id."""

    def hear(self, traces: Sequence[TraceWrite]) -> None:
        """Take note of the session and the user, which a collector knows from spans alone."""
        for trace in traces:
            said = {
                key: trace.metadata[metadata_key]
                for key, metadata_key in ((OTel.SESSION_ID, Metadata.SESSION), (OTel.USER_ID, Metadata.USER))
                if metadata_key in trace.metadata
            }
            if said:
                self._said.pop(trace.trace_id, None)
                self._said[trace.trace_id] = said
        while len(self._said) > _MOST_TRACES:
            del self._said[next(iter(self._said))]

    def of(self, span: Span) -> Mapping[str, object]:
        """What travels as the attributes of a span: what it says itself goes before the rest."""
        from otflow.wire.conventions import write

        return {**self._said.get(span.trace_id, {}), **write(span).raw_attributes}


def _resource() -> Mapping[str, object]:
    """The resource of the provider that spans are made in; a recorded span does not carry its own."""
    from otflow.tracing.provider import tracer_provider

    resource: object = getattr(tracer_provider(), "resource", None)
    return dict(getattr(resource, "attributes", None) or {})


def _parts(spans: Sequence[Span]) -> Iterator[list[Span]]:
    for start in range(0, len(spans), _MOST_SPANS):
        yield list(spans[start : start + _MOST_SPANS])


def _transport(target: OtlpTraces) -> Transport:
    return _Grpc(target) if target.protocol == "grpc" else _Http(target)


def _rejected(answer: Any) -> Rejected | None:
    partial = answer.partial_success
    if not partial.rejected_spans and not partial.error_message:
        return None
    return Rejected(int(partial.rejected_spans), str(partial.error_message)[:500])


# -- HTTP ------------------------------------------------------------------------------------------------------


class _Http:
    RETRYABLE: Final = frozenset({429, 502, 503, 504})

    def __init__(self, target: OtlpTraces) -> None:
        parts = urlsplit(target.endpoint)
        self._target = target
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._shown = _shown(target.endpoint)
        self._local = threading.local()
        self._auth: Any = _as_it_is
        if parts.username is not None and "authorization" not in dict(target.headers):
            from urllib.parse import unquote

            self._auth = (unquote(parts.username), unquote(parts.password or ""))

    def post(self, body: bytes) -> Rejected | None:
        import requests

        from otflow import __version__

        target = self._target
        kind = "application/x-protobuf"
        if target.protocol == "http/json":
            from otflow.wire.otlp_json import request_to_json

            body, kind = request_to_json(body).encode(), "application/json"
        headers = {"User-Agent": f"otflow/{__version__}", **dict(target.headers), "Content-Type": kind}
        if target.gzip:
            import gzip

            body = gzip.compress(body, 6)
            headers["Content-Encoding"] = "gzip"
        certificate = target.client_certificate
        try:
            response = self._session().post(
                self._url,
                data=body,
                headers=headers,
                timeout=target.timeout_s,
                allow_redirects=False,
                auth=self._auth,
                verify=target.certificate or True,
                cert=(certificate, target.client_key) if certificate and target.client_key else certificate,
                stream=True,
            )
            content = _read(response, target.timeout_s)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise StoreUnavailableError(f"{self._shown} cannot be reached: {_why(error)}") from None
        except (requests.RequestException, ValueError) as error:
            raise OtflowError(f"Nothing can be sent to {self._shown}: {type(error).__name__}") from None
        except OSError as error:  # which requests raises for a certificate that is not there
            raise StoreUnavailableError(f"{self._shown} cannot be reached: {error}") from None
        if 200 <= response.status_code < 300:
            return self._answer(response, content)
        message = f"{self._shown} answered with HTTP status {response.status_code}{self._reason(response, content)}"
        if response.status_code not in self.RETRYABLE:
            raise OtflowError(message)
        wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
        raise StoreUnavailableError(message) if wait_s is None else Throttled(message, wait_s)

    def _session(self) -> Any:
        """The connections of this thread and process: a child has to leave its parent's alone."""
        import os

        import requests

        found = getattr(self._local, "session", None)
        if found is None or found[0] != os.getpid():
            self._local.inherited = found  # kept, so that nothing closes them
            self._local.session = found = (os.getpid(), requests.Session())
        return found[1]

    def _answer(self, response: Any, content: bytes) -> Rejected | None:
        from google.protobuf.json_format import Parse, ParseError
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        try:
            if "json" in response.headers.get("Content-Type", ""):
                answer: Any = Parse(content or b"{}", ExportTraceServiceResponse(), ignore_unknown_fields=True)
            else:
                answer = ExportTraceServiceResponse.FromString(content)
        except (DecodeError, ParseError, ValueError):
            return None  # it took the request; what else it says is nothing that OTLP knows
        return _rejected(answer)

    def _reason(self, response: Any, content: bytes) -> str:
        """What the collector says of a failure, a `google.rpc.Status`, if it says something that can be read."""
        from google.protobuf.message import DecodeError
        from google.rpc.status_pb2 import Status

        kind, content = response.headers.get("Content-Type", ""), content[:10_000]
        if response.is_redirect:  # not followed: the headers may be secrets, and a POST may become a GET
            return f": it is at {_shown(str(response.headers['Location']))}"
        text = ""
        if "protobuf" in kind:
            try:
                text = str(Status.FromString(content).message)
            except DecodeError:
                return ""
        elif "json" in kind or "text/plain" in kind:
            text = content.decode("utf-8", "replace")
        text = " ".join(text.split())[:200]
        return f": {text}" if text else ""


def _shown(url: str) -> str:
    """A URL without what may be secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no URL"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _read(response: Any, timeout_s: float) -> bytes:
    """What a collector answers, up to a length that no answer has, and within the time for it.

    An answer of which more comes and comes would hold up everything behind it. Where its end does not come, the status
    says enough.
    """
    import requests

    content, deadline = b"", time.monotonic() + timeout_s
    try:
        for part in response.iter_content(32):  # few bytes: each read waits for all of them
            content += part
            if len(content) > _LONGEST_ANSWER or time.monotonic() > deadline:
                break
        else:
            return content
    except requests.RequestException:
        content = b""
    response.close()
    return content


def _why(error: BaseException) -> str:
    """Why a connection failed, in the words of the system; those of requests hold the whole URL."""
    seen: BaseException | None = error
    found = type(error).__name__
    for _ in range(10):
        if seen is None:
            break
        if isinstance(seen, OSError) and seen.strerror:
            found = seen.strerror
        inner: object = getattr(seen, "reason", None) or next(iter(seen.args), None)
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return found


def _as_it_is(request: Any) -> Any:
    """No credentials but those of the headers: requests would put those of a .netrc file over them."""
    return request


def _retry_after_s(text: str) -> float | None:
    """The seconds of a Retry-After header; None where there is none that can be read. Source: RFC 9110, 10.2.3."""
    from email.utils import parsedate_to_datetime

    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


# -- gRPC ------------------------------------------------------------------------------------------------------


class _Grpc:
    METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    RETRYABLE: Final = frozenset(
        {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
    )

    def __init__(self, target: OtlpTraces) -> None:
        self._target = target
        parts = urlsplit(target.endpoint)
        location = parts.netloc.rpartition("@")[2]
        if parts.scheme not in ("http", "https"):
            location = target.endpoint  # an address that gRPC understands itself, such as unix:/run/otel.sock
        elif parts.port is None:
            location += ":443" if target.secure else ":80"
        self._location = location
        self._lock = threading.Lock()
        self._pid = 0
        self._channel: Any = None
        self._inherited: list[Any] = []

    def post(self, body: bytes) -> Rejected | None:
        import grpc
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        target = self._target
        call = self._open().unary_unary(self.METHOD)
        try:
            answer = call(
                body,
                timeout=target.timeout_s,
                metadata=target.headers,
                compression=grpc.Compression.Gzip if target.gzip else grpc.Compression.NoCompression,
            )
        except grpc.RpcError as error:
            raise self._error(error) from None
        return _rejected(ExportTraceServiceResponse.FromString(answer))

    def _error(self, error: Any) -> OtflowError:
        code = error.code().name
        details = " ".join(str(error.details() or "").split())[:200]
        message = f"{self._location} answered with the gRPC status {code}: {details}"
        wait_s = _retry_info_s(error.trailing_metadata() or ())
        if code == "UNAVAILABLE":
            self._close()  # a new channel connects at once; an old one waits longer and longer
        if wait_s is not None and (code in self.RETRYABLE or code == "RESOURCE_EXHAUSTED"):
            return Throttled(message, wait_s)
        # Without RetryInfo, RESOURCE_EXHAUSTED means that the request is too large, for ever.
        return StoreUnavailableError(message) if code in self.RETRYABLE else OtflowError(message)

    def _open(self) -> Any:
        import os

        if self._pid != os.getpid():  # the parent's channel is of no use in a child, and its lock may be held
            self._pid, self._lock = os.getpid(), threading.Lock()
            self._inherited.append(self._channel)
            self._channel = None
        with self._lock:
            if self._channel is None:
                self._channel = self._connect()
            return self._channel

    def _connect(self) -> Any:
        import grpc

        from otflow import __version__

        options = [("grpc.primary_user_agent", f"otflow/{__version__}")]
        target = self._target
        if not target.secure:
            return grpc.insecure_channel(self._location, options)
        certificate, key = target.client_certificate, target.client_key or target.client_certificate
        if certificate is None:
            key = None
        try:
            _check_certificates(target.certificate, certificate, key)
            credentials = grpc.ssl_channel_credentials(
                _content(target.certificate), _content(key), _content(certificate)
            )
        except OSError as error:
            message = f"A certificate for {self._location} cannot be used: {error.filename or ''} {error.strerror}"
            raise StoreUnavailableError(message) from None
        return grpc.secure_channel(self._location, credentials, options)

    def _close(self) -> None:
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _check_certificates(trusted: str | None, certificate: str | None, key: str | None) -> None:
    """Raise an OSError where there is something wrong with the files: gRPC ends the process for some of that."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted is not None:
        with open(trusted, "rb"):  # whose error names the file
            context.load_verify_locations(trusted)
    if certificate is not None:
        with open(certificate, "rb"):
            context.load_cert_chain(certificate, key)


def _content(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _retry_info_s(metadata: Any) -> float | None:
    """The pause that a server asks for by a `google.rpc.RetryInfo`; None where there is none."""
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    for key, value in metadata:
        if key == "grpc-status-details-bin":
            try:
                for detail in Status.FromString(value).details:
                    info = RetryInfo()
                    if detail.Unpack(info):
                        return max(0.0, info.retry_delay.ToTimedelta().total_seconds())
            except DecodeError:
                return None
    return None
