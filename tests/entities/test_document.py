"""What retrievers find."""

from __future__ import annotations

from types import SimpleNamespace

from otflow.entities import Document


def test_dictionaries():
    assert Document("text").to_dict() == {"page_content": "text", "metadata": {}, "id": None}
    assert Document("text", {"a": 1}, "d").to_dict() == {"page_content": "text", "metadata": {"a": 1}, "id": "d"}
    assert Document("text") == Document("text")
    assert Document("text").metadata is not Document("text").metadata


def test_of_langchain():
    found = SimpleNamespace(page_content="text", metadata={"a": 1}, id="d")
    assert Document.from_langchain_document(found) == Document("text", {"a": 1}, "d")


def test_of_llama_index():
    node = SimpleNamespace(get_score=lambda: 0.5, get_content=lambda: "text", metadata={"a": 1}, node_id="d")
    assert Document.from_llama_index_node_with_score(node) == Document("text", {"score": 0.5, "a": 1}, "d")
