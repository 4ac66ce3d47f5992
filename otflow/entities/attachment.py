"""Images, audio and files that are part of a span's inputs and outputs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from otflow.errors import InvalidParameterError

__all__ = ["ATTACHMENT_URI", "Attachment", "attachment_uris", "reference", "reference_facts", "sniffed_type"]

SCHEME: Final = "otflow-attachment"
ATTACHMENT_URI: Final = re.compile(r"otflow-attachment://sha256/([0-9a-f]{64})\?[A-Za-z0-9%=&._~+-]*")

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
)
_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*").fullmatch


class Attachment:
    r"""Bytes with a type: put one anywhere into inputs, outputs or attributes.

    The store keeps the bytes apart from the span, each content once; in the span stands a reference,
    `otflow-attachment://sha256/…`. What is stored is read by `Client.get_attachment`.

    Args:
        content: The bytes.
        content_type: Their media type, such as "image/png".
        name: A file name.

    Raises:
        InvalidParameterError: `content` is not bytes, or `content_type` is not a media type.

    Example:
        >>> import otflow
        >>> from otflow.entities import Attachment
        >>> with otflow.start_span("look") as span:
        ...     span.set_inputs({"image": Attachment(b"\x89PNG", "image/png")})
    """

    __slots__ = ("content", "content_type", "name")

    def __init__(
        self,
        content: bytes | bytearray | memoryview,
        content_type: str = "application/octet-stream",
        name: str | None = None,
    ) -> None:
        if not isinstance(content, (bytes, bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"content must be bytes, not {type(content).__name__}")
        if not isinstance(content_type, str) or _TYPE(content_type) is None:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"content_type must be a media type such as 'image/png', not {content_type!r}")
        self.content = bytes(content)
        self.content_type = content_type
        self.name = name

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], content_type: str | None = None) -> Attachment:
        """The content of a file, its type by its name unless it is given."""
        import mimetypes

        guessed = content_type or mimetypes.guess_type(path)[0] or "application/octet-stream"
        with open(path, "rb") as file:
            return cls(file.read(), guessed, os.path.basename(path))

    @property
    def sha256(self) -> str:
        """The hash of the content, 64 hex digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size(self) -> int:
        """The length of the content in bytes."""
        return len(self.content)

    def data_url(self) -> str:
        """The attachment as a `data:` URL (RFC 2397); the name as its parameter `name`."""
        name = f";name={quote(self.name, safe='')}" if self.name else ""
        return f"data:{self.content_type}{name};base64,{base64.b64encode(self.content).decode('ascii')}"

    @classmethod
    def from_data_url(cls, url: str) -> Attachment:
        """The attachment that a `data:` URL in base64 holds.

        Raises:
            InvalidParameterError: not such a URL.
        """
        head, comma, data = url.partition(";base64,")
        if not comma or not head.startswith("data:"):
            raise InvalidParameterError(f"not a data URL in base64: {url[:80]!r}")
        try:
            content = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise InvalidParameterError(f"not a data URL in base64: {url[:80]!r}: {error}") from None
        kind, _, parameters = head.removeprefix("data:").partition(";")
        name = dict(parse_qsl(parameters.replace(";", "&"))).get("name")
        return cls(content, kind if _TYPE(kind) else "application/octet-stream", name)

    @classmethod
    def referred(cls, facts: Mapping[str, str], content: bytes) -> Attachment:
        """The attachment of a reference, whose content has been read.

        Args:
            facts: What `reference_facts` says.
            content: The bytes.
        """
        kind = facts.get("content_type", "")
        name = dict(parse_qsl(facts.get("url", "").partition(";")[2].replace(";", "&"))).get("name")
        return cls(content, kind if _TYPE(kind) else "application/octet-stream", name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attachment):
            return NotImplemented
        return (self.content, self.content_type, self.name) == (other.content, other.content_type, other.name)

    def __hash__(self) -> int:
        return hash((self.content, self.content_type, self.name))

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"Attachment({self.size} bytes, content_type={self.content_type!r}{name})"


def reference(sha256: str, size: int, head: str | None, content_type: str) -> str:
    """The text that stands for an attachment.

    Args:
        sha256: The hash of the content.
        size: Its length in bytes.
        head: What stands before `;base64,` in a data URL; None for bare base64.
        content_type: The media type, as far as it is known.
    """
    facts = {"content_type": content_type, "size": str(size)}
    if head is not None:
        facts["url"] = head
    return f"{SCHEME}://sha256/{sha256}?{urlencode(facts, quote_via=quote, safe='')}"


def reference_facts(uri: str) -> dict[str, str]:
    """What a reference says: `sha256`, `content_type`, `size`, and `url` where it stands for a data URL.

    Raises:
        InvalidParameterError: not a reference.
    """
    found = ATTACHMENT_URI.fullmatch(uri) if isinstance(uri, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if found is None:
        raise InvalidParameterError(f"an attachment is named '{SCHEME}://sha256/<64 hex digits>?…', not {uri!r}")
    return {**dict(parse_qsl(uri.partition("?")[2], keep_blank_values=True)), "sha256": found[1]}


def attachment_uris(text: str) -> list[str]:
    """The references in a text, each once, in their order."""
    if SCHEME not in text:
        return []
    return list(dict.fromkeys(match[0] for match in ATTACHMENT_URI.finditer(text)))


def sniffed_type(content: bytes | bytearray) -> str | None:
    """The media type of bytes that begin as files of a well-known kind do."""
    head = bytes(content[:16])
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(head[8:12])
    return None
