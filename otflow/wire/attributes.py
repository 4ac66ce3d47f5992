"""A span's attributes ↔ the values that travel in OTLP.

Inside otflow an attribute is what the OpenTelemetry SDK holds: under MLflow's keys (`mlflow.…`) JSON text, under others
the value itself, or JSON text where OpenTelemetry has no form for it (see `otflow.entities.values`). In transit the
released MLflow 3.10.1 sends the value itself, nested ones as kvlist and array. Its server takes a string for JSON text
where it parses as an object or a string (not as a list, a number or a word), so that spans of the plain OTLP exporter
are understood; what is sent and what is understood here follow that rule, so that both ends can be MLflow.

Two things the wire cannot hold: an integer beyond 64 bits travels as its digits, and what is nested deeper than
protobuf's parsers go travels as JSON text.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

from otflow.entities.values import AttributeValue, decode_attribute, dump, encode_attribute
from otflow.semconv import SpanKey

__all__ = ["MAX_DEPTH", "holds_text", "received", "sendable", "sent"]

MAX_DEPTH: Final = 24
"""Nested containers in one value. Protobuf parsers stop at 100 nested messages, and one container is up to three."""

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_TEXT_KEYS: Final = (SpanKey.TRACE_ID, SpanKey.TYPE)


def sent(key: str, raw: object) -> object:
    """What travels for an attribute: None, a scalar, bytes, or lists and dictionaries of these."""
    if not isinstance(raw, str):
        return sendable(raw)
    value: object = decode_attribute(raw)
    if isinstance(value, str):
        if value is raw or value == raw:
            return raw
        # A JSON string. Under our keys it stands for its content. Elsewhere somebody else may have set it, quotes and
        # all; then it stays what it is.
        if _is_text(value) or not (key.startswith("mlflow.") or _is_json(value)):
            return raw
        return value
    if isinstance(value, dict) and not key.startswith("mlflow.") and _fits(cast("object", value), 0):
        return raw
    return sendable(cast("object", value))


def received(key: str, value: object, *, text: bool = False) -> AttributeValue:
    """The attribute for what has travelled.

    Args:
        key: Its key.
        value: The value, as `sent` gives it.
        text: Whether the span's attributes are those of the SDK (see `holds_text`).
    """
    if isinstance(value, str) and (text or _is_text(value)):
        return value
    return encode_attribute(key, value)


def holds_text(attributes: dict[str, object]) -> bool:
    """Whether a span's values under `mlflow.` keys are JSON texts.

    They are where the SDK's own exporter has sent a span of otflow or MLflow; MLflow's exporter sends values.
    """
    return any(isinstance(value := attributes.get(key), str) and value[:1] == '"' for key in _TEXT_KEYS)


def sendable(value: object, depth: int = 0) -> object:
    """A value with nothing in it that the wire cannot hold."""
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return dump(cast("object", value))
        items = cast("dict[str, object]", value)
        return {str(key): sendable(item, depth + 1) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        if depth >= MAX_DEPTH:
            return dump(cast("object", value))
        return [sendable(item, depth + 1) for item in cast("list[object]", value)]
    if isinstance(value, int) and not _INT64_MIN <= value <= _INT64_MAX:
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float, bytes)):
        return value
    return dump(value)


def _fits(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth < MAX_DEPTH and all(_fits(item, depth + 1) for item in cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return depth < MAX_DEPTH and all(_fits(item, depth + 1) for item in cast("list[object]", value))
    return not isinstance(value, int) or _INT64_MIN <= value <= _INT64_MAX


def _is_text(text: str) -> bool:
    """Whether MLflow takes a string for JSON text: it parses as an object or as a string."""
    if text.lstrip(" \t\n\r")[:1] not in ("{", '"'):
        return False
    return isinstance(_parsed(text), (dict, str))


def _is_json(text: str) -> bool:
    return _parsed(text) is not _NOT_JSON


_NOT_JSON: Final = object()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON
