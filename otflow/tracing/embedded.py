"""Texts that values hold in base64: attachments of which the media type says that they are text."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

__all__ = ["cleaned_member", "cleaned_urls"]

_URL: Final = re.compile(r"data:([\w.+/\-]{0,100})((?:;[\w.+\-]+=[^\s\"'\\;,]{0,1000})*);base64,([A-Za-z0-9+/]*={0,2})")
_NAME: Final = re.compile(r"(?<=;name=)[^;]+")
_TEXTUAL: Final = re.compile(
    r"text/[\w.+\-]+|application/(?:[\w.\-]+\+)?(?:json|xml|x-ndjson|jsonl|yaml|x-yaml|javascript|sql|csv)|message/\w+"
)
_DATA_KEYS: Final = frozenset({"data", "file_data", "blob", "bytes", "content"})
_KIND_KEYS: Final = ("media_type", "mime_type", "mimeType", "mediaType", "content_type")

Clean = Callable[[str], str]


def cleaned_urls(text: str, clean: Clean) -> str:
    """A text with what may be kept of the names and, where they are texts, the contents in its data URLs."""

    def replaced(match: re.Match[str]) -> str:
        kind, parameters, data = match.groups()
        kept = _NAME.sub(lambda name: _quoted(name[0], clean), parameters)
        if not kind or _TEXTUAL.fullmatch(kind):
            data = _base64(data, clean)
        return match[0] if (kept, data) == match.groups()[1:] else f"data:{kind}{kept};base64,{data}"

    return _URL.sub(replaced, text) if ";base64," in text else text


def cleaned_member(members: Mapping[str, Any], key: str, value: str, clean: Clean) -> str:
    """What may be kept of a text that is base64 if a member beside it says so: `{"media_type": …, "data": …}`."""
    if key not in _DATA_KEYS:
        return value
    kinds = (members.get(one) for one in _KIND_KEYS)
    if any(isinstance(kind, str) and _TEXTUAL.match(kind) for kind in kinds):
        return _base64(value, clean)
    return value


def _quoted(name: str, clean: Clean) -> str:
    plain = unquote(name)
    kept = clean(plain)
    return name if kept == plain else quote(kept, safe="")


def _base64(data: str, clean: Clean) -> str:
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return data  # no text, whatever it is called
    kept = clean(text)
    return data if kept == text else base64.b64encode(kept.encode("utf-8", "replace")).decode("ascii")
