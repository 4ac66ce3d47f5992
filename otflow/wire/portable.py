"""A trace as one line of JSON that loses nothing: MLflow's `Trace.to_json()`, and beside it what that leaves out.

```
{"info": {…}, "data": {"spans": [{…, "otflow": {…}}, …]}, "otflow": {"experiment": "name"}}
```

MLflow reads such a line and passes over the members `otflow`: the name of the trace's experiment (its id means nothing
in another store); of a span its `kind`, `scope` and `resource` as OTLP knows them, and under `attributes` those whose
text would be read back as another value. Keys of tags and metadata are sorted, and the tags that a store makes up on
reading are left out, so that the same trace is the same line in every store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from otflow.entities import Span, TraceInfo
from otflow.entities.values import attribute_json, decode_attribute, encode_attribute
from otflow.errors import InvalidParameterError
from otflow.semconv import Tag

__all__ = ["Portable", "info_dict", "info_from_text", "line", "read_info", "read_line", "read_span", "span_dict"]

_EXTRA: Final = "otflow"
_MADE_UP: Final = (Tag.ARTIFACT_LOCATION, Tag.SPANS_LOCATION)
_MLFLOW: Final = "mlflow."


@dataclass(slots=True)
class Portable:
    """What one line holds.

    Args:
        info: The trace.
        experiment: The name of its experiment, where the line names it.
        spans: Its spans.
    """

    info: TraceInfo
    experiment: str | None
    spans: list[Span]


# -- writing -----------------------------------------------------------------------------------------


def info_dict(info: TraceInfo) -> dict[str, Any]:
    """The info of a trace as a dictionary that is the same in every store."""
    found = info.to_dict()
    tags = {key: value for key, value in sorted(found.pop("tags", {}).items()) if key not in _MADE_UP}
    if tags:
        found["tags"] = tags
    if "trace_metadata" in found:
        found["trace_metadata"] = dict(sorted(found["trace_metadata"].items()))
    return found


def span_dict(span: Span) -> dict[str, Any]:
    """A span as a dictionary, whole."""
    found = span.to_dict()
    extra: dict[str, Any] = {}
    if span.kind:
        extra["kind"] = span.kind
    if span.scope:
        extra["scope"] = span.scope
    if span.resource:
        extra["resource"] = dict(span.resource)
    changed = {key: raw for key, raw in span.raw_attributes.items() if _is_changed(key, raw)}
    if changed:
        extra["attributes"] = changed
    if extra:
        found[_EXTRA] = extra
    return found


def line(info: TraceInfo, experiment: str | None, spans: Iterable[Span]) -> Iterator[str]:
    """The line of a trace in pieces, a span at a time, without the line's end.

    Args:
        info: The trace.
        experiment: The name of its experiment, if it is known.
        spans: Its spans.
    """
    yield f'{{"info": {_text(info_dict(info))}, "data": {{"spans": ['
    for number, span in enumerate(spans):
        yield f"{', ' if number else ''}{_text(span_dict(span))}"
    extra = {} if experiment is None else {"experiment": experiment}
    yield f"]}}, {_text(_EXTRA)}: {_text(extra)}}}" if extra else "]}}"


def _text(value: object) -> str:
    return json.dumps(value, default=str)


def _is_changed(key: str, raw: object) -> bool:
    """Whether the text that MLflow's form has for an attribute is read back as another attribute."""
    if key.startswith(_MLFLOW):
        return not isinstance(raw, str) or attribute_json(raw) != raw
    return isinstance(raw, str) and encode_attribute(key, decode_attribute(raw)) != raw


# -- reading -----------------------------------------------------------------------------------------


def read_line(data: object) -> Portable:
    """What a line holds, be it ours or MLflow's.

    Raises:
        InvalidParameterError: It is not a trace; the message says what is missing.
    """
    if not isinstance(data, Mapping) or "info" not in data:
        raise InvalidParameterError("not a trace: a JSON object with the members 'info' and 'data' is expected")
    found = cast("Mapping[str, Any]", data)
    info, experiment = read_info(found)
    held = found.get("data")
    spans: object = (cast("Mapping[str, Any]", held).get("spans") if isinstance(held, Mapping) else None) or []
    if not isinstance(spans, list):
        raise InvalidParameterError("not a trace: the member 'spans' is not a list")
    return Portable(info, experiment, [read_span(span) for span in cast("list[Any]", spans)])


def info_from_text(text: str) -> tuple[TraceInfo, str | None]:
    """The info of a trace and the name of its experiment, of the JSON text of a line without spans.

    Raises:
        InvalidParameterError: It is no such text.
    """
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameterError(f"not the JSON text of a trace: {text[:100]!r}") from None
    if not isinstance(found, Mapping):
        raise InvalidParameterError(f"not the JSON text of a trace: {text[:100]!r}")
    return read_info(cast("Mapping[str, Any]", found))


def read_info(data: Mapping[str, Any]) -> tuple[TraceInfo, str | None]:
    """The info of a trace and the name of its experiment.

    Raises:
        InvalidParameterError: It is not the dictionary of a trace.
    """
    extra = _extra(data)
    experiment = extra.get("experiment")
    return TraceInfo.from_dict(data["info"]), experiment if isinstance(experiment, str) else None


def read_span(data: Any) -> Span:
    """A span.

    Raises:
        InvalidParameterError: It is not the dictionary of a span.
    """
    span = Span.from_dict(data)
    extra = _extra(data)
    if not extra:
        return span
    kind, scope, resource = extra.get("kind", 0), extra.get("scope", ""), extra.get("resource")
    attributes: Any = extra.get("attributes") or {}
    if (
        not isinstance(kind, int)
        or not isinstance(scope, str)
        or not isinstance(resource or {}, Mapping)
        or not isinstance(attributes, Mapping)
    ):
        raise InvalidParameterError(f"not a span: its member {_EXTRA!r} is malformed: {str(extra)[:200]}")
    return Span.of(
        trace_id=span.trace_id,
        otel_trace_id=span.otel_trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        start_ns=span.start_time_ns,
        end_ns=span.end_time_ns,
        status_code=span.status_code,
        status_message=span.status.description,
        kind=kind,
        attributes={**span.raw_attributes, **cast("Mapping[str, Any]", attributes)},
        events=span.events,
        links=span.links,
        scope=scope,
        resource=resource,
    )


def _extra(data: Any) -> Mapping[str, Any]:
    extra = cast("Mapping[str, Any]", data).get(_EXTRA) if isinstance(data, Mapping) else None
    return cast("Mapping[str, Any]", extra) if isinstance(extra, Mapping) else {}
