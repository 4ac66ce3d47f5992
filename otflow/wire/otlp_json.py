"""OTLP in JSON ↔ OTLP in protobuf, for `ExportTraceServiceRequest`.

Source: OpenTelemetry protocol, "JSON Protobuf Encoding": protobuf's JSON mapping with names in camel case, but trace
and span ids in hex and enums as numbers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from otflow.errors import InvalidParameterError

__all__ = ["is_request", "request_from_json", "request_to_json"]

_IDS: Final = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def is_request(data: object) -> bool:
    """Whether a JSON value looks like an `ExportTraceServiceRequest`."""
    return isinstance(data, dict) and ("resourceSpans" in data or "resource_spans" in data)


def request_to_json(body: bytes) -> str:
    """The JSON form of a request, on one line.

    Args:
        body: The request in protobuf.
    """
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    data: Any = MessageToDict(cast("Any", ExportTraceServiceRequest.FromString(body)), use_integers_for_enums=True)
    _change_ids(data, lambda text: base64.b64decode(text).hex())
    return json.dumps(data, separators=(",", ":"))


def request_from_json(data: Any) -> bytes:
    """The request in protobuf.

    Args:
        data: The request in JSON, parsed; it is changed.

    Raises:
        InvalidParameterError: It is no such request.
    """
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        _change_ids(data, _to_base64)
        request: Any = ParseDict(data, cast("Any", ExportTraceServiceRequest()), ignore_unknown_fields=True)
    except (ParseError, AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise InvalidParameterError(f"not an ExportTraceServiceRequest in OTLP's JSON: {error}") from None
    return request.SerializeToString()


def _to_base64(text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except ValueError:
        return text  # as protobuf's own JSON writes bytes


def _change_ids(data: Any, change: Callable[[str], str]) -> None:
    for span in _spans(data):
        for owner in (span, *(span.get("links") or ())):
            for key in _IDS:
                if owner.get(key):
                    owner[key] = change(owner[key])


def _spans(data: Any) -> Iterator[dict[str, Any]]:
    for resource in data.get("resourceSpans") or data.get("resource_spans") or ():
        for scope in resource.get("scopeSpans") or resource.get("scope_spans") or ():
            yield from scope.get("spans") or ()
