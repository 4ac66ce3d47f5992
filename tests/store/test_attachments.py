"""Taking attachments out of texts, and putting them back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities import Attachment, Span
from otflow.entities.attachment import attachment_uris, reference_facts, sniffed_type
from otflow.errors import InvalidParameterError
from otflow.store.attachments import extract, inline_span, inline_text

DATA = bytes(range(256)) * 8
BASE64 = base64.b64encode(DATA).decode()


def _round(text: str) -> tuple[str, dict[str, bytes]]:
    short, blobs = extract(text)
    kept = {blob.sha256: blob.data for blob in blobs}
    assert inline_text(short, kept.get) == text
    return short, kept


@pytest.mark.parametrize(
    ("part", "content_type"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}}, "image/png"),
        ({"type": "input_image", "image_url": f"data:image/webp;base64,{BASE64}"}, "image/webp"),
        ({"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}}, "audio/wav"),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{BASE64}"}},
         "application/pdf"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": BASE64}}, "image/jpeg"),
        ({"type": "blob", "mime_type": "image/png", "modality": "image", "content": BASE64}, "image/png"),
        ({"inlineData": {"data": BASE64, "mimeType": "image/gif"}}, "image/gif"),
        ({"x": f"data:audio/ogg;codecs=opus;base64,{BASE64}"}, "audio/ogg"),
        ({"x": f"see data:;base64,{BASE64} there"}, ""),
        ({"nested": json.dumps({"source": {"media_type": "image/jpeg", "data": BASE64}})}, "image/jpeg"),
    ],
)  # fmt: skip
def test_known_forms(part: dict[str, Any], content_type: str) -> None:
    short, kept = _round(json.dumps({"messages": [{"role": "user", "content": [part]}]}))
    assert list(kept.values()) == [DATA]
    (uri,) = attachment_uris(short)
    facts = reference_facts(uri)
    assert (facts["content_type"], facts["size"]) == (content_type, str(len(DATA)))
    json.loads(short)
    assert len(short) < 600


@pytest.mark.parametrize(
    "part",
    [
        {"data": [{"b64_json": "?"}]},
        {"output": [{"type": "image_generation_call", "result": "?", "output_format": "png"}]},
        {"message": {"audio": {"id": "audio_1", "data": "?", "expires_at": 1, "transcript": "hi"}}},
        {"type": "file", "mediaType": "image/png", "data": "?"},
    ],
)
def test_what_begins_as_a_known_file_does(part: dict[str, Any]) -> None:
    png = b"\x89PNG\r\n\x1a\n" + DATA
    short, kept = _round(json.dumps(part).replace("?", base64.b64encode(png).decode()))
    assert list(kept.values()) == [png]
    assert reference_facts(attachment_uris(short)[0])["content_type"] == "image/png"
    assert _round(json.dumps(part).replace("?", "result of a long calculation, in letters " * 40))[1] == {}


@pytest.mark.parametrize(
    "value",
    [
        {"data": "x" * 4_000},
        {"data": BASE64},
        {"text": BASE64, "format": "wav"},
        {"url": "data:image/png;base64,iVBORw0KGgo="},
        {"url": f"data:image/png;base64,{BASE64[:-1]}"},
        {"media_type": "image/png", "data": BASE64[:-2] + "9="},
        {"format": "json", "note": "data: " + "y" * 3_000},
    ],
)
def test_what_is_no_attachment_stays(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert extract(text) == (text, [])


@given(st.lists(st.binary(min_size=700, max_size=1_500), max_size=3), st.text(max_size=30), st.booleans())
def test_texts_come_back_to_the_letter(contents: list[bytes], between: str, ascii_only: bool) -> None:
    parts: list[Any] = [between]
    for content in contents:
        encoded = base64.b64encode(content).decode()
        parts += [
            {"source": {"media_type": "a/b", "data": encoded}},
            f"data:image/x;p={len(encoded)};base64,{encoded}",
            between,
        ]
    _, kept = _round(json.dumps(parts, ensure_ascii=ascii_only))
    assert set(kept.values()) == {content for content in contents if len(base64.b64encode(content)) >= 1_024}


def test_spans_are_made_whole() -> None:
    url = f"data:image/png;base64,{BASE64}"
    short, blobs = extract(json.dumps({"u": url}))
    kept = {blob.sha256: blob.data for blob in blobs}
    made = Span.of(trace_id="tr-" + "0" * 31 + "1", span_id="0" * 15 + "1", parent_id=None, name="s", start_ns=1,
                   end_ns=2, attributes={"a": short, "n": 1, "t": ("x", short)})  # fmt: skip
    whole = inline_span(made, kept.get)
    assert json.loads(whole.raw_attributes["a"]) == {"u": url}
    assert json.loads(whole.raw_attributes["t"][1]) == {"u": url}
    assert inline_span(whole, kept.get) is whole
    assert inline_span(made, lambda sha256: None) == made
    assert len(made.attachments) == 1


def test_attachments() -> None:
    one = Attachment(b"abc", "image/png", "a b.png")
    assert Attachment.from_data_url(one.data_url()) == one
    assert (one.size, len(one.sha256)) == (3, 64)
    assert hash(one) == hash(Attachment(bytearray(b"abc"), "image/png", "a b.png"))
    assert "3 bytes" in repr(one)
    for arguments in (("text",), (b"x", "png"), (b"x", None), (None,)):
        with pytest.raises(InvalidParameterError):
            Attachment(*arguments)  # pyright: ignore[reportArgumentType]
    for url in ("", "data:image/png,abc", "http://x", "data:image/png;base64,%%"):
        with pytest.raises(InvalidParameterError):
            Attachment.from_data_url(url)
    with pytest.raises(InvalidParameterError):
        reference_facts("otflow-attachment://sha256/12")


def test_from_file(tmp_path: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"abc")
    found = Attachment.from_file(tmp_path / "a.png")
    assert (found.content, found.content_type, found.name) == (b"abc", "image/png", "a.png")


def test_known_files() -> None:
    assert sniffed_type(b"\x89PNG\r\n\x1a\n" + bytes(9)) == "image/png"
    assert sniffed_type(b"RIFF____WAVEfmt ") == "audio/wav"
    assert sniffed_type(b"hello") is None
