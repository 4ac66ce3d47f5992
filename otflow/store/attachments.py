"""Taking attachments out of JSON texts, and putting them back, to the letter.

What counts as an attachment: a `data:` URL in base64 anywhere in a text (OpenAI's `image_url` and `file`, and what
`Attachment` writes), and base64 that is the whole value of a member such as `data`, where a media type or a format
stands beside it (OpenAI's `input_audio`, Anthropic's `source`, the GenAI conventions' `blob`), or where it begins as
files of a known kind do (the images and the speech that OpenAI answers with).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from otflow.entities import Span, SpanEvent
from otflow.entities.attachment import ATTACHMENT_URI, reference, reference_facts, sniffed_type

__all__ = ["Blob", "extract", "inline_span", "inline_text"]

SMALL: Final = 1024
"""Characters of base64 up to which it stays where it is."""

_DATA_URL: Final = re.compile(r"data:([\w.+/-]{0,100}(?:;[\w.+-]+=[^\s\"'\\;,]{0,200})*);base64,([A-Za-z0-9+/]+={0,2})")
_MEMBER: Final = re.compile(
    r'\\?"(?:data|file_data|b64_json|bytes|content|blob|image|audio|result)\\?"\s*:\s*\\?"([A-Za-z0-9+/]{1024,}={0,2})\\?"'
)
_KIND: Final = re.compile(
    r'"(?:media_type|mime_type|mimeType|mediaType|format|output_format)\\?"\s*:\s*\\?"([\w.+/-]+)'
)
_SIGNS: Final = (
    "media_type", "mime_type", "mimeType", "mediaType", "ormat", "b64_json", "image_generation", "transcript",
)  # fmt: skip
"""A text without any of these is not searched for such members."""
_BESIDE: Final = 300
"""Characters around base64 in which its media type is looked for."""
_FORMATS: Final = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "pdf": "application/pdf",
}


class Blob(NamedTuple):
    """The bytes of an attachment."""

    sha256: str
    data: bytes


def extract(text: str) -> tuple[str, list[Blob]]:
    """A text with references in place of its attachments, and these."""
    blobs: list[Blob] = []
    if ";base64," in text:
        text = _DATA_URL.sub(lambda match: _of_url(match, blobs), text)
    if _may_have_members(text):
        found = text
        text = _MEMBER.sub(lambda match: _of_member(match, found, blobs), text)
    return text, blobs


def _may_have_members(text: str) -> bool:
    return len(text) > SMALL and any(word in text for word in _SIGNS)


def _decoded(text: str) -> bytes | None:
    """The bytes, if the text is just how they are written in base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    # Bits beyond the last byte would be lost on the way back.
    return data if base64.b64encode(data[-(len(data) % 3 or 3) :]).decode("ascii") == text[-4:] else None


def _of_url(match: re.Match[str], blobs: list[Blob]) -> str:
    if match.end() - match.start(2) < SMALL or (data := _decoded(match[2])) is None:
        return match[0]
    blobs.append(Blob(hashlib.sha256(data).hexdigest(), data))
    return reference(blobs[-1].sha256, len(data), match[1], match[1].partition(";")[0])


def _of_member(match: re.Match[str], text: str, blobs: list[Blob]) -> str:
    start, end = match.span(1)
    before = _KIND.findall(text[max(0, match.start() - _BESIDE) : match.start()])
    after = _KIND.search(text[match.end() : match.end() + _BESIDE])
    kind = after[1] if after is not None else before[-1] if before else None
    if kind is None or "result" in match[0][:9]:
        kind = sniffed_type(base64.b64decode(match[1][:64]))
    if kind is None or (data := _decoded(match[1])) is None:
        return match[0]
    blobs.append(Blob(hashlib.sha256(data).hexdigest(), data))
    uri = reference(blobs[-1].sha256, len(data), None, kind if "/" in kind else _FORMATS.get(kind, f"audio/{kind}"))
    return text[match.start() : start] + uri + text[end : match.end()]


# -- back ------------------------------------------------------------------------------------------


def inline_text(text: str, read: Callable[[str], bytes | None]) -> str:
    """The text with its attachments in place of the references, as it was before `extract`.

    Args:
        text: A text.
        read: Gives the bytes of a hash; a reference for which it has none stays.
    """

    def put_back(match: re.Match[str]) -> str:
        data = read(match[1])
        if data is None:
            return match[0]
        head = reference_facts(match[0]).get("url")
        written = base64.b64encode(data).decode("ascii")
        return written if head is None else f"data:{head};base64,{written}"

    return ATTACHMENT_URI.sub(put_back, text) if "otflow-attachment://" in text else text


def inline_span(span: Span, read: Callable[[str], bytes | None]) -> Span:
    """The span with its attachments inside, as those want it that cannot ask the store; itself where it has none."""
    texts: Mapping[str, Any] = span.raw_attributes
    changed = {key: _inline_value(value, read) for key, value in texts.items()}
    events = [
        SpanEvent(event.name, event.timestamp, {key: _inline_value(one, read) for key, one in event.attributes.items()})
        for event in span.events
    ]
    if changed == dict(texts) and events == span.events:
        return span
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
        kind=span.kind,
        attributes=changed,
        events=events,
        links=span.links,
        scope=span.scope,
        resource=span.resource,
    )


def _inline_value(value: Any, read: Callable[[str], bytes | None]) -> Any:
    if isinstance(value, str):
        return inline_text(value, read)
    if isinstance(value, (list, tuple)):
        items = cast("tuple[Any, ...]", value)
        return type(items)(_inline_value(item, read) for item in items)
    return value
